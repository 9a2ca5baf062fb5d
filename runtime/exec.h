/* exec.h: walks the steps of a plan. The one place where planned offsets become addresses. */
#ifndef DG_RUNTIME_EXEC_H
#define DG_RUNTIME_EXEC_H

#include "compiler/plan/plan.h"
#include "runtime/pool.h"

#include <stdatomic.h>

typedef enum dg_exec_check {
    DG_CHECK_NONE,
    DG_CHECK_ASSERTS,
    DG_CHECK_FINITE,
    DG_CHECK_POISON
} dg_exec_check;

typedef struct dg_exec {
    const dg_plan *plan;
    uint8_t *arena; /* plan->arena_bytes, 64-byte aligned */
    void **places;  /* by place: the store's bytes */
    void **ports;   /* by input: the session's bytes */
    dg_pool *pool;
    uint64_t seed;
    uint32_t step;
    int64_t sample0;
    dg_exec_check check;         /* FINITE and POISON include ASSERTS */
    const atomic_int *cancelled; /* looked at between the trips of a loop; NULL: never */
    /* called every now and then inside long loops of the outermost level; may be NULL */
    void (*trip)(void *ctx, int64_t done, int64_t total);
    void *trip_ctx;
    double *seconds; /* by step, added to; NULL: not timed */
    /* kept between runs by dg_exec_prepare */
    void **base; /* by value id: first byte of the value's base */
    dg_view *views;
    size_t *first_view; /* by step: its inputs', then its outputs' */
    int32_t
        *last_of_base; /* by value id of a base: the last step that reads any value in its bytes */
    size_t arena_used; /* high-water of offsets touched */
} dg_exec;

/* Allocates what the runs share, in `a`. */
void dg_exec_prepare(dg_exec *e, dg_arena *a);
/* False after reporting: E802 a graph assert, E803 an index or divisor, E701 not finite. Stopped by
 * `cancelled`: false without a report. */
bool dg_exec_run(dg_exec *e, dg_diag *d);
/* Where a value lies after a run (outputs, by their strides). */
void *dg_exec_data(const dg_exec *e, int32_t value);
/* The value packed, row-major. */
void dg_exec_read(const dg_exec *e, int32_t value, void *packed);

#endif

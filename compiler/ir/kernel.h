/* kernel.h: what a kernel sees: views of its operands, attributes, scratch, and a way to run pieces
 * in parallel that is handed in, so that ops need no runtime. */
#ifndef DG_IR_KERNEL_H
#define DG_IR_KERNEL_H

#include "compiler/ir/attr.h"

typedef enum dg_isa { DG_GENERIC, DG_AVX2, DG_AVX512, DG_ISAS } dg_isa;
const char *dg_isa_name(dg_isa isa); /* "generic" */
dg_isa dg_isa_of_cpu(void);          /* the best this machine has */

typedef struct dg_view {
    void *data;
    dg_dtype dtype;
    dg_shape shape;
    int64_t stride[DG_MAX_RANK]; /* in elements; 0 repeats; negative never */
} dg_view;

bool dg_view_contiguous(const dg_view *v);
void dg_shape_pack(const dg_shape *s, int64_t *stride); /* strides of a contiguous view */
void dg_view_pack(dg_view *v);                          /* those of one of v->shape */

struct dg_strip;
struct dg_prologue;
struct dg_call;
typedef void dg_piece_fn(const struct dg_call *k, int64_t piece);

typedef struct dg_run { /* the same for every step of one run of a plan */
    uint64_t seed;
    uint32_t step;   /* run counter of a train entry, 0 elsewhere */
    int64_t sample0; /* index of the first sample: shifts the element index of every draw */
    dg_isa isa;
    void (*parallel)(void *pool, const struct dg_call *k, int64_t count, dg_piece_fn *piece);
    void *pool; /* NULL parallel: pieces run in order on the caller */
    void (*fail)(void *ctx, const struct dg_call *k, const char *message);
    void *fail_ctx;
} dg_run;

typedef struct dg_call {
    const dg_view *in, *out;
    int n_in, n_out;
    int n_own; /* inputs of the op itself; those of the strip follow, then those of the prologue. The
                  one that has a prologue is shown with the operand's shape */
    const dg_attrs *attrs;
    const struct dg_strip *strip; /* of `fused`, or an epilogue; NULL: none */
    const struct dg_prologue *prologue; /* of an operand that is not stored; NULL: none */
    const dg_run *run;
    void *workspace; /* the step's planned bytes in the arena, shared by its pieces */
    void *scratch;   /* this worker's own bytes */
    const void *arg; /* what dg_parallel_with was given */
} dg_call;

/* Runs piece(k, i) for i in [0, count), in any order, on any number of threads; returns when all
 * are done. How work is cut into pieces depends on shapes alone, never on threads. A piece sees a
 * copy of *k whose `scratch` is its worker's. */
void dg_parallel(const dg_call *k, int64_t count, dg_piece_fn *piece);
void dg_parallel_with(const dg_call *k, int64_t count, dg_piece_fn *piece, const void *arg);

/* Stops the run after this step with the .dg line of the node: index out of range, zero divisor.
 * The first message of the lowest element index wins where that can be had; any piece may call it;
 * the kernel must still not read or write outside. */
__attribute__((format(printf, 2, 3))) void dg_fail(const dg_call *k, const char *format, ...);

#endif

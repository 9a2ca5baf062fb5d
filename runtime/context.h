/* context.h: settings, messages and cancellation: what every part of the runtime is handed. */
#ifndef DG_RUNTIME_CONTEXT_H
#define DG_RUNTIME_CONTEXT_H

#include "compiler/compile.h"
#include "runtime/pool.h"

#include <dg/dg.h>
#include <stdatomic.h>

struct dg_context {
    dg_options options; /* lists and texts copied to the arena */
    dg_arena *arena;
    dg_strings *strings;
    dg_isa isa;
    bool reference; /* precision f64 */
    bool bf16;      /* precision bf16, and the machine has it */
    bool bf16_said; /* that it has not */
    bool naive;     /* plans give each value a buffer of its own: --check=naive compares with one */
    int threads;
    const char *const *lib; /* options.lib, DG_PATH, installed graphs/; NULL-ended */
    dg_pool *pool;          /* made when first needed */
    bool blas_asked;
    const char *build_info;
    atomic_int cancelled; /* signal number, or 0 */
    atomic_bool save_now;
    dg_status status; /* of the first error since the last clear */
    /* The one large block that plans run in: the largest arena so far. Sessions of one context take
     * turns in it. */
    void *arena_block;
    int64_t arena_bytes;
};

dg_diag *dg_context_diag(struct dg_context *c, dg_arena *a,
                         dg_sources *s); /* a collector for one call */
/* Hands what was collected to the message callback, in order, and notes the status. Returns the
 * status of this collector alone. */
dg_status dg_context_flush(struct dg_context *c, dg_diag *d);
dg_pool *dg_context_pool(struct dg_context *c);
bool dg_context_blas(struct dg_context *c, dg_diag *d); /* loads OpenBLAS; reports E520 once */
void *dg_context_arena(struct dg_context *c, dg_diag *d,
                       int64_t bytes); /* at least `bytes`, reported E601 when refused */
/* "f32", "bf16" or "f64". Where nothing multiplies bf16 that is f32, which is said once, about
 * `place`. */
void dg_context_set_precision(struct dg_context *c, dg_diag *d, const char *place,
                              const char *precision);
dg_pass_options dg_context_passes(const struct dg_context *c);
dg_tensor_info dg_tensor_info_of(const char *name, const dg_type *t);

/* -D NAME=VALUE and the like as the front end wants them; @FILE values are read (JSON or NPY).
 * False after reporting. */
bool dg_settings_of(struct dg_context *c, dg_arena *a, dg_diag *d, const dg_arg_text *list, int n,
                    dg_setting_in **out);

#endif

/* passes.h: the pipeline over a module. The order stands in passes.def; each pass is one file with
 * one entry point. */
#ifndef DG_PASSES_PASSES_H
#define DG_PASSES_PASSES_H

#include "compiler/ir/op.h"
#include "compiler/ir/rewrite.h"

typedef struct dg_pass_options {
    dg_isa isa;
    bool reference; /* --precision f64: floats widened, ref kernels, optional passes off, no buffer
                       reused */
    bool bf16;  /* --precision bf16, and tiles to multiply it with: products of rounded operands */
    bool naive; /* no buffer reused: a plan to compare another with */
    uint64_t memory;  /* budget in bytes; 0: none */
    bool few_carries; /* gradients through loops keep as few carries as can be */
    const char *conv; /* "direct" "winograd2" "winograd4": every 3x3 convolution of stride 1; NULL:
                         by cost */
    const char *const *skip; /* names of optional passes to leave out; NULL-ended */
    /* Called after every pass, with its name; the driver calls it for "graph". NULL: not wanted. */
    void (*after)(void *ctx, const char *stage, const dg_module *m);
    void *ctx;
    bool verify; /* dg_verify after each pass */
} dg_pass_options;

/* What later passes decide beside the graph (and dg_decision of graph.h); lives in the module's
 * arena. */
typedef enum dg_home {
    DG_HOME_ARENA,
    DG_HOME_PARAM,
    DG_HOME_STATE,
    DG_HOME_CONST,
    DG_HOME_IO,
    DG_HOME_NONE
} dg_home;
typedef struct dg_storage { /* of one value, after memplan */
    dg_home home;
    dg_value base;               /* the value whose bytes these are; itself when it owns them */
    int64_t offset; /* of the base in the arena; the place's or port's index for PARAM, STATE, IO; 0
                       for CONST */
    const char *alias; /* NULL, "view", "in-place", "concat part", "carry", "place" */
} dg_storage;

#define DG_ALIGN 64 /* bytes: of every buffer's offset, and of sizes in all sums */
static inline int64_t dg_align(int64_t bytes)
{
    return (bytes + DG_ALIGN - 1) / DG_ALIGN * DG_ALIGN;
}

typedef struct dg_heuristic {
    const char *name;
    int64_t bytes;
} dg_heuristic;

typedef struct dg_layout { /* the result of schedule and memplan for one module's entry graph */
    dg_arena *arena;       /* the layout's own: whatever it points to */
    int n_values;
    dg_storage *storage;          /* by value id */
    const struct dg_bytes *bytes; /* by value id: what storage was made of (memplan.h) */
    int n_nodes;
    int64_t *workspace;                       /* by node id: offset in the arena, -1 none */
    int64_t *workspace_bytes; /* by node id */
    uint8_t *carry_swap; /* by value id of a region argument: 1 = its next value is made in another
                          * buffer, and the buffers are traded after each trip */
    int64_t arena_bytes, bound_bytes, naive_bytes;
    int64_t order_free_bound;
    DG_VEC(dg_heuristic) heuristics;
    DG_VEC(dg_decision) decisions;
} dg_layout;
void dg_layout_free(dg_layout *l); /* what it holds; also of one that memplan refused to make */

bool dg_pass_grad(dg_module *m, const dg_pass_options *o);
bool dg_pass_expand(dg_module *m, const dg_pass_options *o);
bool dg_pass_prepare(dg_module *m, const dg_pass_options *o);
bool dg_pass_simplify(dg_module *m, const dg_pass_options *o);
bool dg_pass_cse(dg_module *m, const dg_pass_options *o);
bool dg_pass_dead(dg_module *m, const dg_pass_options *o);
bool dg_pass_bf16(dg_module *m, const dg_pass_options *o);
bool dg_pass_hoist(dg_module *m, const dg_pass_options *o);
bool dg_pass_tables(dg_module *m, const dg_pass_options *o);
bool dg_pass_patterns(dg_module *m, const dg_pass_options *o);
bool dg_pass_fuse(dg_module *m, const dg_pass_options *o);
bool dg_pass_moments(dg_module *m, const dg_pass_options *o);
bool dg_pass_select(dg_module *m, const dg_pass_options *o);
bool dg_pass_parts(dg_module *m, const dg_pass_options *o);
bool dg_pass_keep(dg_module *m, const dg_pass_options *o);
bool dg_pass_schedule(dg_module *m,
                      const dg_pass_options *o); /* reorders the nodes of each region */
bool dg_pass_recompute(dg_module *m, const dg_pass_options *o);
bool dg_pass_into(dg_module *m, const dg_pass_options *o);
bool dg_pass_memplan(dg_module *m, const dg_pass_options *o, dg_layout *out);

/* Graph passes in the order of passes.def. */
bool dg_passes_run(dg_module *m, const dg_pass_options *o);
/* Names and one-line summaries, for --skip and `dg help`; NULL after the last. */
typedef struct dg_pass_info {
    const char *name, *summary;
    bool optional;
    bool choice; /* no pass, but what the one before it also does: there is no graph after it */
} dg_pass_info;
const dg_pass_info *dg_pass_at(int i);
bool dg_left_out(const dg_pass_options *o, const char *name); /* of an optional one */

#endif

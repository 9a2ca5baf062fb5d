/* fuse.h: what the files of pass fuse share, and the strip of a single node for select.
 *
 *     fuse_split.c  before all else: what is only cut into parts is computed in parts
 *     fuse_roots.c  which elementwise values are stored; the rest is computed wherever it is read:
 *                   in other strips, or by a kernel that has the strip as a prologue
 *     fuse_group.c  which stored values are made by one kernel
 *     fuse_strip.c  bodies and strips
 *     fuse_join.c   at the end: fused nodes that become epilogues with two results
 *     fuse.c        prepares the graph, runs the above on each region, writes the result back */
#ifndef DG_PASSES_FUSE_H
#define DG_PASSES_FUSE_H

#include "compiler/passes/passes.h"

enum { DG_FUSE_CODES = 64, DG_FUSE_LOADS = 24, DG_FUSE_OUTS = 12 };

/* One result of a fused node: `source` stored (reduce 0, value == source), or summed over its last
 * `reduce` axes. */
typedef struct dg_fuse_out {
    dg_value value, source;
    int reduce;
} dg_fuse_out;

/* The elementwise values that a set of results needs, each after its operands, and the stored
 * values that they read. */
typedef struct dg_body {
    int n_load, n_code;
    dg_value load[DG_FUSE_LOADS], code[DG_FUSE_CODES];
} dg_body;

/* A node that stays, or a group of results that become one fused node. Units stand where their
 * anchor stands in the region. */
typedef struct dg_unit {
    dg_node anchor;
    int32_t parent; /* the unit it was merged into; itself otherwise */
    bool group;
    dg_value epilogue; /* a node that stays: what its epilogue makes of its output 0; DG_NONE */
    dg_value prologue; /* a node that stays: its operand that is not stored; DG_NONE */
    int operand;       /* which one that is */
    int n_out, n_load;
    dg_fuse_out *out;
    dg_value *load; /* of the body; of the epilogue without the node's own result, and of the
                       prologue */
} dg_unit;

typedef struct dg_fuse {
    dg_module *m;
    dg_graph *g;
    dg_arena *arena; /* scratch: freed after the pass */
    bool prologues;  /* kernels may compute operands */
    dg_uses uses;
    int n_values, n_nodes; /* when the pass began; the arrays below have these sizes */
    bool *fusible;         /* by value: made by an elementwise node that has lanes, or drawn */
    const char **root;     /* by value: why it is stored (a reason of dg_decision); NULL: computed
                              wherever it is read */
    int32_t *owner;        /* by value: the unit that makes it as one of its results, or -1 */
    int32_t *unit;         /* by node, -1: dissolved into others */
    int *row_sum;          /* by node: trailing axes that it sums, when a strip can do that */
    dg_value *chain;       /* by node: what its epilogue will make, or DG_NONE */
    bool *claimed;         /* by value: made by an epilogue, on the way or as its end */
    int32_t *pos;          /* by node: its place in the region */
    int32_t *kernels;      /* by node: kernels before it in the region */
    double *label;        /* by node: ordered like the region's list, also after nodes were moved */
    int32_t *mark, epoch; /* by value: == epoch when in the body at hand */
    int32_t *seen, visit; /* by node: == visit when met by the search at hand */
    DG_VEC(dg_unit) units;
} dg_fuse;

/* ---- fuse_split.c ---- */
void dg_fuse_split(dg_module *m);

/* ---- fuse_strip.c ---- */
/* Starts an empty body; `first` (or DG_NONE) becomes its load 0. */
void dg_body_begin(dg_fuse *f, dg_body *b, dg_value first);
/* Adds v and what it needs. Values stored by another unit than `unit` are loads; v itself is
 * computed if `make`. False: too large. */
bool dg_body_add(dg_fuse *f, dg_body *b, dg_value v, int32_t unit, bool make);
const dg_strip *dg_body_strip(dg_fuse *f, const dg_body *b, dg_shape space, const dg_fuse_out *out,
                              int n_out);
/* A fused node that does what n does, before n; its result in *new_value. DG_NONE when n has no
 * lanes. n stays. */
dg_node dg_fuse_single(dg_graph *g, dg_node n, dg_value *new_value);
/* The node has one result, made by lanes. */
bool dg_node_has_lanes(const dg_graph *g, dg_node n);
/* The node has one result, a draw whose elements a strip can make where it reads them. */
bool dg_node_draws(const dg_graph *g, dg_node n);

/* ---- fuse_roots.c ---- */
void dg_fuse_roots(dg_fuse *f, dg_region r);

/* The operand of node n that its kernel computes by itself, or -1: it is elementwise and not
 * stored. */
int dg_fuse_operand(const dg_fuse *f, dg_node n);
/* The load of a body that lies where v would lie: of its type and really as large. DG_NONE. */
dg_value dg_fuse_main_load(const dg_fuse *f, const dg_body *b, dg_value v);

/* ---- fuse_group.c ---- */
void dg_fuse_groups(dg_fuse *f, dg_region r);

/* ---- fuse_join.c ---- */
void dg_fuse_join(dg_module *m);

/* ---- order within a region (fuse.c) ---- */
void dg_fuse_label(dg_fuse *f, dg_region r);
void dg_fuse_move(dg_fuse *f, dg_node n, dg_node before);
/* The bytes that reading v keeps alive: those of v, or fewer when it is a view that repeats. */
int64_t dg_fuse_bytes(const dg_fuse *f, dg_value v);
dg_value dg_fuse_base(const dg_fuse *f, dg_value v);
void dg_fuse_decide(dg_fuse *f, dg_node n, dg_value v, bool yes, const char *reason, int64_t bytes);

#endif

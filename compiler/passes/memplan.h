/* memplan.h: what the order of steps and the memory plan both need to know: whose bytes a value
 * has, which node may write over which input, and how buffers are placed. Private to keep.c,
 * schedule*.c, recompute.c, into.c, memplan*.c and plan.c. */
#ifndef DG_PASSES_MEMPLAN_H
#define DG_PASSES_MEMPLAN_H

#include "compiler/passes/passes.h"

/* The ops by which a graph meets the world (graph.h). Their nodes are part of the IR itself, as the
 * loop is. */
typedef struct dg_effects {
    const dg_op *input, *place, *constant, *write, *output, *check;
} dg_effects;
dg_effects dg_effects_of(const dg_graph *g);

/* Of every value: the packed value whose bytes it shows, and how. */
typedef struct dg_bytes {
    dg_value base;         /* itself when it owns its bytes */
    dg_value shown;        /* a view's: the value whose step stores them; else itself */
    int64_t shift;         /* bytes */
    const int64_t *stride; /* DG_MAX_RANK elements; NULL: packed, as all that is neither view nor
                              part */
    bool view, whole;      /* whole: all of the base's bytes in the base's order */
    bool part;             /* stored by its own step where a larger value will be (kernel->into) */
} dg_bytes;
dg_bytes *dg_bytes_of(const dg_graph *g, dg_arena *a); /* by value id */

/* Of a node that stores its operands one behind the other: where operand `i` lies in the result,
 * whose strides are given. `data` of both: bytes from the base's first. */
dg_view dg_slot_of(const dg_graph *g, const dg_node_info *n, int i, const dg_view *whole);
/* The value at the end of `v`'s chain of views that can be turned round, and its strides when v has
 * those given; false: none. */
dg_value dg_laid_value(const dg_graph *g, dg_value v);
bool dg_laid_strides(const dg_graph *g, dg_value v, const dg_view *as, dg_view *out);

/* Output `out` of node n may be computed in the bytes of `base`, which n reads: every read of them
 * is of the element that is about to be written, or the op says so (dg_op.in_place). Asks nothing
 * about lifetimes. */
bool dg_may_overwrite(const dg_graph *g, const dg_bytes *bytes, dg_node n, int out, dg_value base);

/* The node that stands in region r and is n or holds n. */
dg_node dg_lift(const dg_graph *g, dg_node n, dg_region r);

/* What memplan would find for a graph in the order in which it stands, but for offsets: for
 * recompute. All arrays are in the arena given. */
typedef struct dg_lives {
    const dg_bytes *bytes; /* by value */
    int32_t steps;
    int32_t *begin, *end; /* by node: its step, of loops the first and the last; -1: takes none */
    int32_t *last;        /* by base: the step that reads it last; `steps` for outputs */
    dg_home *home;        /* by value: of the bytes it shares; NONE too where carries trade them */
    int64_t *live;        /* by step: bytes of the arena that are taken; steps + 1 numbers */
    int64_t *between;     /* by step: those that are taken just before it, after the step before */
} dg_lives;
void dg_lives_of(dg_module *m, const dg_pass_options *o, dg_lives *out, dg_arena *a);

/* The arena's bytes in the plan of the graph as it stands, whatever the budget. */
int64_t dg_arena_needed(dg_module *m, const dg_pass_options *o);

/* A buffer that is taken from step `first` to step `last`, both included. */
typedef struct dg_slot {
    int32_t first, last;
    int64_t size;   /* a multiple of the alignment wanted */
    int64_t offset; /* out */
} dg_slot;

/* The largest sum of sizes taken at one step, and the first step where it is reached. */
int64_t dg_slots_bound(const dg_slot *s, int n, int32_t *step);

/* Offsets such that slots taken at the same step share no byte; returns the end of the highest.
 * Lines, a few orders and rounds of lines are tried until one comes within 0.05 % of the bound;
 * where that leaves more than 1 %, further orders and rounds, whose number grows with what is left.
 * `tried` gets the names of those that were better than all before, and their results. The same
 * input gives the same offsets. */
#define DG_PLACE_TRIES 32
int64_t dg_slots_place(dg_slot *s, int n, int64_t bound, dg_arena *a, dg_heuristic *tried,
                       int *n_tried);
/* One of the ways: from the bottom up, by life or by bytes x steps; offsets by slot. */
int64_t dg_slots_by_lines(const dg_slot *s, int n, bool area, dg_arena *a, int64_t *offset);
/* Rounds of that, each with what ended too high laid sooner. Each that is better than all before
 * leaves its offsets and asks whether that is enough; until it is, or the bound is reached, or so
 * many comparisons are made. */
void dg_slots_by_rounds(const dg_slot *s, int n, int64_t work, dg_arena *a, int64_t *offset,
                        bool (*enough)(void *to, int64_t top), void *to);

#endif

/* schedule.h: a region of the graph as items that run and buffers that they make, read and free:
 * what the files of pass schedule share.
 *
 *     schedule.c       makes items, buffers and edges of a region, and writes the order back
 *     schedule_ways.c  orders them in several ways, and takes the best */
#ifndef DG_PASSES_SCHEDULE_H
#define DG_PASSES_SCHEDULE_H

#include "compiler/passes/memplan.h"

typedef struct dg_sched_item { /* a node that runs, or a write that copies */
    dg_node node;
    int32_t reads, n_reads; /* buffers, in `pool` */
    int32_t frees, n_frees; /* those of them whose bytes count */
    int32_t makes, n_makes;
    int32_t over, n_over; /* pairs (made, read): the first may lie in the second's bytes */
    int32_t edge;         /* first of its edges, -1 */
    int32_t n_pred;
    int64_t extra; /* bytes taken while it runs: workspace, a body's peak */
} dg_sched_item;

typedef struct dg_sched_buffer {
    dg_value base;
    int64_t bytes; /* that count: 0 for places, constants, inputs, and what is computed in their
                      bytes */
    int32_t maker; /* item, -1: there from the start */
    int32_t readers, n_readers; /* items, in `readers_pool` */
    bool pinned;                /* read at the end of the region */
} dg_sched_buffer;

typedef struct dg_sched_edge {
    int32_t to, next;
} dg_sched_edge;

typedef struct dg_sched {
    dg_module *m;
    dg_graph *g;
    dg_arena *a;
    dg_bytes *bytes;
    dg_effects fx;
    int64_t *body_peak;  /* by node */
    dg_value **captured; /* by node: bases read in its body and made outside of it */
    int32_t *n_captured;
    bool *alone;        /* by node: a write that cannot go where its maker goes */
    int32_t *item_of;   /* by node, of the region at hand; -1 */
    int32_t *buffer_of; /* by value */
    /* the region at hand */
    int n_items, n_buffers;
    dg_sched_item *items;
    dg_sched_buffer *buffers;
    DG_VEC(int32_t) pool;
    DG_VEC(dg_sched_edge) edges;
    int32_t *readers_pool;
    int32_t *position; /* by item: a topological order of all edges */
    /* of one run */
    int32_t *wait, *left, *heap, *eager;
    bool *done;
} dg_sched;

/* The items, each after those that have an edge to it, else in the order of their ids. */
void dg_sched_by_id(dg_sched *s, int32_t *order);

/* The best order that was found, which `order` begins with and ends as, and its peak in bytes.
 * `told`: each way becomes a decision. */
int64_t dg_sched_best(dg_sched *s, int32_t *order, bool told);

#endif

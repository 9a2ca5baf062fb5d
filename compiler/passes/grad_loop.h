/* grad_loop.h: the derivative of a loop, for pass grad.
 *
 * The loop is replaced by one that also keeps what its backward run needs: the carries of each
 * trip, in stacks. The backward run is a loop over the trips from the last to the first: it takes a
 * trip's carries from the stacks, computes the body once more, and holds a `grad` of it for the
 * pass to replace; its carries are the adjoints of the carries, and sums for what the body
 * captures. */
#ifndef DG_PASSES_GRAD_LOOP_H
#define DG_PASSES_GRAD_LOOP_H

#include "compiler/ir/build.h"

typedef struct dg_loop_grad {
    dg_build *build; /* where adjoints stand */
    dg_node loop;
    const dg_value *dout;                         /* adjoints of its outputs; DG_NONE: zero */
    bool (*depends)(const void *ctx, dg_value v); /* of values outside of the body */
    const void *ctx;
    int64_t most; /* bytes that may be kept before only every k-th trip's carries are */

    /* Given back. */
    int64_t every, kept_bytes; /* that k; bytes of the stacks */
    dg_node kept;   /* its first outputs are those of the loop, which nobody needs any more */
    dg_value *din;  /* adjoints of the loop's inputs; DG_NONE: zero */
    int n_captured; /* values from outside that the body reads, and their adjoints */
    dg_value *captured, *dcaptured;
    dg_node back;  /* the backward loop; the last of its carries are the captured values' sums */
    dg_node inner; /* the `grad` in its body; DG_NONE: nothing depends */
    int n_cuts;    /* stop_gradient nodes around it, which go when it is replaced */
    dg_node *cuts;
} dg_loop_grad;

/* The two halves, so that the caller can tell their nodes apart: those of the first belong to where
 * the loop stands, those of the second to the builder's place. */
struct dg_loop_plan;
void dg_grad_keep(dg_loop_grad *l, struct dg_loop_plan **plan);
void dg_grad_unwind(dg_loop_grad *l, struct dg_loop_plan *plan);
/* Once `inner` is replaced. */
void dg_grad_sum_on(dg_graph *g, const dg_loop_grad *l);

/* The adjoint of a value as the sum of its readers' adjoints: if these are slices' that fill it,
 * they one behind the other; else DG_NONE (grad_join.c). */
dg_value dg_grad_join(dg_build *b, dg_value sum);

#endif

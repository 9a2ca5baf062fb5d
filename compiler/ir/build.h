/* build.h: append a node; its result types are inferred at once. Used by the lowering, by gradients
 * and by passes.
 *
 * A builder has a place (region, and the node before which it inserts), a scope and an origin that
 * new nodes get. */
#ifndef DG_IR_BUILD_H
#define DG_IR_BUILD_H

#include "compiler/ir/graph.h"

typedef struct dg_infer dg_infer;

typedef struct dg_build {
    dg_graph *graph;
    dg_region region;
    dg_node before; /* DG_NONE: at the end */
    dg_str scope;
    dg_str name; /* last part of the path of the next values; NULL: the op's name. Not reset. */
    const dg_origin *origin; /* NULL: made of the next two when a node wants it */
    dg_span span;
    const dg_origin *outer; /* NULL: nodes have none */
    dg_phase phase;
    int remat;
    /* Called when a shape rule refuses: the lowering reports it with its place. NULL: a refusal is
     * our own mistake (E901). */
    void (*refused)(void *ctx, const dg_infer *t);
    void *ctx;
} dg_build;

const dg_origin *dg_build_origin(dg_build *b);
/* An op by its name, as the registry gives it. */
const struct dg_op *dg_op_named(dg_graph *g, const char *name);
/* Attributes are checked against the op's table, fallbacks filled in. Poison inputs give poison
 * outputs in silence. Returns the node, or DG_NONE after `refused` was called. */
dg_node dg_build_node(dg_build *b, const struct dg_op *op, const dg_attr *attrs, int n_attrs,
                      const dg_value *in, int n_in);
/* The first output; poison (a value of dtype DG_POISON) on failure. */
dg_value dg_emit(dg_build *b, const char *op, const dg_attr *attrs, int n_attrs, const dg_value *in,
                 int n_in);
dg_value dg_poison(dg_build *b);

dg_shape dg_shape_of(const dg_build *b, dg_value v);
dg_dtype dg_dtype_of(const dg_build *b, dg_value v);

/* The words that gradients and passes are written in. Operands follow the language's rules
 * (broadcasting, equal dtypes). */
dg_value dg_const(dg_build *b, dg_dtype t, dg_shape s,
                  const double *values); /* a constant: values row-major, or one value repeated if
                                            `s` is filled by dg_full */
dg_value dg_full(dg_build *b, dg_dtype t, dg_shape s, double value);
dg_value dg_full_like(dg_build *b, dg_value like, double value);
dg_value dg_number(dg_build *b, dg_value like, double value); /* rank 0, like's dtype */
/* True when every element of `v` is one number known now: a constant of one element, or views of
 * one. For op->simplify. */
bool dg_known_number(const dg_build *b, dg_value v, double *out);
/* The operand of `v` if a node of the op `op` with one input makes it, else DG_NONE. For
 * op->simplify. */
dg_value dg_operand_of(const dg_build *b, dg_value v, const char *op);
dg_value dg_add(dg_build *b, dg_value x, dg_value y);
dg_value dg_sub(dg_build *b, dg_value x, dg_value y);
dg_value dg_mul(dg_build *b, dg_value x, dg_value y);
dg_value dg_div(dg_build *b, dg_value x, dg_value y);
dg_value dg_neg(dg_build *b, dg_value x);
dg_value dg_scale(dg_build *b, dg_value x, double by); /* x * by */
dg_value dg_shift(dg_build *b, dg_value x, double by); /* x + by */
dg_value dg_unary(dg_build *b, const char *op,
                  dg_value x); /* any op of one input without attributes */
dg_value dg_compare(dg_build *b, const char *op, dg_value x,
                    dg_value y); /* "eq" "ne" "lt" "le" "gt" "ge" */
dg_value dg_where(dg_build *b, dg_value c, dg_value x, dg_value y);
dg_value dg_cast(dg_build *b, dg_value x, dg_dtype t);
dg_value dg_sum(dg_build *b, dg_value x, dg_axes axes);      /* axes removed */
dg_value dg_sum_keep(dg_build *b, dg_value x, dg_axes axes); /* axes of size 1 remain */
dg_value dg_mean_keep(dg_build *b, dg_value x, dg_axes axes);
dg_value dg_reshape(dg_build *b, dg_value x, dg_shape s);
dg_value dg_transpose(dg_build *b, dg_value x, const int *perm); /* out axis i = in axis perm[i] */
dg_value dg_expand(dg_build *b, dg_value x,
                   dg_shape s); /* dims of size 1 repeated; equal rank, or rank 0 */
dg_value dg_slice(dg_build *b, dg_value x, const int64_t *start, const int64_t *stop,
                  const int64_t *step);
dg_value dg_pad(dg_build *b, dg_value x, const int64_t *before, const int64_t *after,
                const int64_t *inner); /* zeros; the adjoint of slice */
dg_value dg_concat(dg_build *b, const dg_value *xs, int n, int axis);
dg_value dg_matmul(dg_build *b, dg_value x, dg_value y, bool tx,
                   bool ty); /* last two axes; equal leading ones */
dg_value
dg_loop_trip(dg_build *b); /* the innermost region's trip argument; constant 0 outside loops */

#endif

/* views.h: which values are other values' bytes, and under which strides. Nothing is stored: the
 * answer follows from the graph alone, so that select, schedule, memplan and the plan cannot
 * disagree.
 *
 * A value is a view when its node has the trait DG_VIEW and the op's view() can express it for the
 * strides of the node's input; select puts a `copy` before a view that cannot be expressed. All
 * other values own their bytes and are packed: results of kernels, arguments of regions, results of
 * loops. */
#ifndef DG_PASSES_VIEWS_H
#define DG_PASSES_VIEWS_H

#include "compiler/ir/op.h"

/* Fills `out` with v's dtype, shape and strides; out->data is NULL. *base is the value whose bytes
 * these are (v itself when it owns them), *shift the bytes from the base's first byte to v's. True
 * when v is a view of another value. */
bool dg_value_strides(const dg_graph *g, dg_value v, dg_value *base, int64_t *shift, dg_view *out);

/* The node only renames bytes: no step runs for it. */
bool dg_node_is_view(const dg_graph *g, dg_node n);

/* The value's elements lie in row-major order without gaps (it may start anywhere in its base). */
bool dg_value_packed(const dg_graph *g, dg_value v);

/* The node's kernel reads this input under any strides. */
bool dg_takes_strides(const dg_node_info *n, int input);

#endif

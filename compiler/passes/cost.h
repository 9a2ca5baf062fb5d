/* cost.h: what a step is thought to take. Recomputation weighs by it, and --analyze sets it beside
 * what was measured. */
#ifndef DG_PASSES_COST_H
#define DG_PASSES_COST_H

#include "compiler/ir/op.h"

/* Floating-point operations of one run of a node: its op's, its strip's and its prologue's. */
double dg_node_flops(const dg_node_info *n, const dg_infer *types);

/* Nanoseconds of one run on one thread: the larger of the time for the arithmetic and the time for
 * `bytes` read and written, and what it takes to begin. `products`: the op is DG_GEMM_LIKE, most of
 * whose operations are multiplications and additions of long rows. */
double dg_cost_ns(dg_isa isa, bool products, double flops, double bytes);

/* Of a node: its flops, its operands and results. */
double dg_node_cost_ns(const dg_graph *g, dg_node n, dg_isa isa);

#endif

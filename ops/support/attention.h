/* attention.h: what the two inner ops of attention share.
 *
 *     s = scale q k^T,  p = softmax(s),  o = p v        for q [.., N, D], k [.., M, D], v [.., M,
 * E]
 *
 * A block of rows of p is made where it is used and lives in a worker's scratch: the [N, M] matrix
 * is nowhere as a whole. The backward pass makes it again from s and the rows' logarithms of sums.
 */
#ifndef DG_OPS_SUPPORT_ATTENTION_H
#define DG_OPS_SUPPORT_ATTENTION_H

#include "compiler/ir/rewrite.h"
#include "ops/ops.h"
#include "ops/support/gemm.h"

typedef struct dg_attention {
    int64_t heads, N, M, D, E; /* heads: product of the leading axes */
    int64_t rows, blocks;      /* rows of p that are held at once; blocks of a head */
    float scale;
} dg_attention;

enum { DG_ATTEND_Q, DG_ATTEND_K, DG_ATTEND_V };

/* Ranks and dims of the inputs 0 q, 1 k, 2 v. */
bool dg_attention_infer(dg_infer *t);
dg_attention dg_attention_of(const dg_shape *q, const dg_shape *k, const dg_shape *v,
                             const dg_attrs *a);

/* One head of a view [.., rows, columns]. */
dg_matrix dg_attention_head(const dg_view *x, int64_t head);

/* In place: s -> softmax(scale s) by rows of n, and the logarithm of sum exp(scale s) of each. */
void dg_attention_softmax(dg_isa isa, float *s, int64_t rows, int64_t n, float scale, float *lse);
/* In place: s -> p = exp(scale s - lse), dp -> scale p (dp - sum(dp p)). */
void dg_attention_dsoftmax(dg_isa isa, float *s, float *dp, int64_t rows, int64_t n, float scale,
                           const float *lse);

/* op->pattern of softmax: the products around it, and in training those of its gradient, become
 * one node, or two. */
const char *dg_attention_pattern(dg_build *b, dg_node softmax, const dg_uses *uses, dg_value *map,
                                 dg_value *subject);

#endif

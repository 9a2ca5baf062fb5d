/* reduce.h: folding axes away: what the files of reduce/ share. */
#ifndef DG_OPS_SUPPORT_REDUCE_H
#define DG_OPS_SUPPORT_REDUCE_H

#include "ops/ops.h"

typedef enum dg_fold {
    DG_FOLD_SUM,
    DG_FOLD_MEAN,
    DG_FOLD_PROD,
    DG_FOLD_MAX,
    DG_FOLD_MIN,
    DG_FOLD_ANY,
    DG_FOLD_ALL
} dg_fold;

/* ---- attributes `axes` (sorted, not negative) and `keep` ---- */
extern const dg_attr_spec dg_reduce_attrs[];
bool dg_infer_reduce(dg_infer *t); /* the shape without the axes, or with size 1; input 0's dtype */
int64_t dg_reduced_count(const dg_attrs *a,
                         const dg_shape *in); /* elements that are folded into one */
int64_t dg_reduced_at(const dg_attrs *a, const dg_shape *in,
                      int64_t i); /* result element that element i of the input goes to */
/* d or y, of the result's shape, with the axes kept as size 1. */
dg_value dg_with_axes(dg_build *b, const dg_attrs *a, dg_value d, dg_value x);

/* ---- attribute `axis`: the input as [outer, n, inner] ---- */
typedef struct dg_lines {
    int64_t outer, n, inner;
} dg_lines;
bool dg_infer_axis(dg_infer *t);
dg_lines dg_lines_of(const dg_attrs *a, const dg_shape *in);

/* ---- kernels: f32, i32 or bytes by the input's dtype; input 0 may have any strides ---- */
void dg_reduce_run(const dg_call *k, dg_fold fold);
int64_t dg_reduce_workspace(const dg_infer *types, const dg_strip *s);

/* max and min: the gradient goes to the first of equals. */
void dg_grad_to_first(dg_grad *g);

/* softmax and its kin over `axis`; f32, packed. */
typedef enum dg_softmax_kind { DG_SOFTMAX, DG_LOG_SOFTMAX, DG_LOGSUMEXP } dg_softmax_kind;
void dg_softmax_run(const dg_call *k, dg_softmax_kind kind);

/* The order of every line of input 0 (f32 or i32, packed) along `axis`: stable, NaN last. `scratch`
 * of dg_sort_scratch bytes. */
void dg_sort_run(const dg_call *k, bool values); /* values, or indices (i32) */
int64_t dg_sort_scratch(const dg_infer *types, const dg_strip *s);
/* The same in plain terms, for references: sorts the indices 0 .. n-1 of a line; false when there
 * is no memory. */
bool dg_sort_line(const dg_view *v, int64_t first, int64_t step, int64_t n, int32_t *index);

#endif

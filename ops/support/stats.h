/* stats.h: mean and reciprocal deviation of a row of floats, for the norms. */
#ifndef DG_OPS_STATS_H
#define DG_OPS_STATS_H

#include "ops/ops.h"

/* What is known of `count` values: their mean, and the sum of the squares of what they differ from
 * it. */
typedef struct dg_moments {
    double count, mean, squares;
} dg_moments;

/* Of n packed floats. */
dg_moments dg_moments_f32(dg_isa isa, const float *x, int64_t n);
/* mean and 1 / sqrt(biased variance + eps) of n packed floats. */
void dg_stats_f32(dg_isa isa, const float *x, int64_t n, double eps, float *mean, float *rstd);
/* y = (x - mean) * rstd */
void dg_normalise_f32(dg_isa isa, float *y, const float *x, int64_t n, float mean, float rstd);

/* The reference: plain double loops over rows of n; y may be NULL. The numbers of row r stand at
 * mean and rstd + r * each, `each` times over. */
void dg_normalise_ref(const double *x, int64_t rows, int64_t n, int64_t each, double eps, double *y,
                      double *mean, double *rstd);

/* [N, C, 1, ...] for x [N, C, ...]. */
dg_shape dg_each_channel(dg_shape x);

/* What flows into x through mean and rstd of n values, in terms that broadcast against x: xhat = (x
 * - mean) * rstd. dmean, drstd may be DG_NONE; then so may be the result. */
dg_value dg_stats_grad(dg_build *b, dg_value xhat, dg_value rstd, dg_value dmean, dg_value drstd,
                       int64_t n);

#endif

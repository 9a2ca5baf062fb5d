/* stats.c: see stats.h. The second pass reads what the first left in the cache; differences from
 * the mean keep the digits that a one-pass variance loses. */
#include "ops/support/stats.h"

#include "ops/support/sums.h"

#include <math.h>

enum { LANES = 16, RUN = 4096 };
typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#define LOAD(p) (*(const lanes *)(p))

/* Sum of (x - mean)^2 over at most RUN values: 256 floats to a lane. */
DG_VARIANTS(double, squares, (const float *x, int64_t n, float mean), (x, n, mean), {
    lanes a = {0};
    lanes b = {0};
    lanes m = a + mean;
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        lanes d = LOAD(x + i) - m;
        lanes e = LOAD(x + i + LANES) - m;
        a += d * d;
        b += e * e;
    }
    a += b;
    double sum = 0;
    for (int l = 0; l < LANES; l++) sum += (double)a[l];
    for (; i < n; i++) {
        double d = (double)x[i] - (double)mean;
        sum += d * d;
    }
    return sum;
})

void dg_stats_f32(dg_isa isa, const float *x, int64_t n, double eps, float *mean, float *rstd)
{
    double m = dg_sum_f32(isa, x, n) / (double)n, sum = 0, off = m - (double)(float)m;
    for (int64_t i = 0; i < n; i += RUN)
        sum += squares[isa](x + i, n - i < RUN ? n - i : RUN, (float)m);
    double var = sum / (double)n - off * off; /* off: what rounding the mean to float moved it */
    *mean = (float)m;
    *rstd = (float)(1 / sqrt((var > 0 ? var : 0) + eps));
    if (isnan(var)) *rstd = NAN;
}

DG_VARIANTS(void, normalise,
            (float *restrict y, const float *restrict x, int64_t n, float mean, float rstd),
            (y, x, n, mean, rstd), {
                for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * rstd;
            })

void dg_normalise_f32(dg_isa isa, float *y, const float *x, int64_t n, float mean, float rstd)
{
    normalise[isa](y, x, n, mean, rstd);
}

void dg_normalise_ref(const double *x, int64_t rows, int64_t n, int64_t each, double eps, double *y,
                      double *mean, double *rstd)
{
    for (int64_t r = 0; r < rows; r++, x += n, mean += each, rstd += each) {
        double sum = 0, squared = 0;
        for (int64_t i = 0; i < n; i++) sum += x[i];
        double m = sum / (double)n;
        for (int64_t i = 0; i < n; i++) squared += (x[i] - m) * (x[i] - m);
        double s = 1 / sqrt(squared / (double)n + eps);
        for (int64_t i = 0; y && i < n; i++) y[r * n + i] = (x[i] - m) * s;
        for (int64_t c = 0; c < each; c++) {
            mean[c] = m;
            rstd[c] = s;
        }
    }
}

dg_shape dg_each_channel(dg_shape x)
{
    for (int a = 2; a < x.rank; a++) x.dim[a] = 1;
    return x;
}

/* mean = sum x / n;  d rstd / dx = -rstd^3 (x - mean) / n = -rstd^2 xhat / n */
dg_value dg_stats_grad(dg_build *b, dg_value xhat, dg_value rstd, dg_value dmean, dg_value drstd,
                       int64_t n)
{
    dg_value dx = DG_NONE;
    if (drstd != DG_NONE) {
        dg_value tilt = dg_scale(b, dg_mul(b, drstd, dg_mul(b, rstd, rstd)), -1.0 / (double)n);
        dx = dg_mul(b, tilt, xhat);
    }
    if (dmean != DG_NONE) {
        dg_value even = dg_scale(b, dmean, 1.0 / (double)n);
        dx = dx == DG_NONE ? dg_expand(b, even, dg_shape_of(b, xhat)) : dg_add(b, dx, even);
    }
    return dx;
}

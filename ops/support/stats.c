/* stats.c: see stats.h. A row is read once from memory: each run of it twice in the first cache,
 * for its mean and for what differs from that, whose squares keep the digits that a variance of
 * large values loses. Runs are put together in double (Chan, Golub and LeVeque 1979). */
#include "ops/support/stats.h"

#include "ops/support/sums.h"

#include <math.h>

enum { LANES = 16, WIDE = 4 * LANES, RUN = 4096 };
typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef float half __attribute__((vector_size(2 * LANES)));
typedef float quarter __attribute__((vector_size(LANES)));
#define LOAD(p) (*(const lanes *)(p))

/* The sum of four accumulators. */
static inline __attribute__((always_inline)) float folded(const lanes *a)
{
    lanes all = (a[0] + a[1]) + (a[2] + a[3]);
    half h = __builtin_shufflevector(all, all, 0, 1, 2, 3, 4, 5, 6, 7) +
             __builtin_shufflevector(all, all, 8, 9, 10, 11, 12, 13, 14, 15);
    quarter q =
        __builtin_shufflevector(h, h, 0, 1, 2, 3) + __builtin_shufflevector(h, h, 4, 5, 6, 7);
    return (q[0] + q[2]) + (q[1] + q[3]);
}

DG_VARIANTS(float, sum_of, (const float *x, int64_t n), (x, n), {
    lanes a[4] = {{0}};
    int64_t i = 0;
    for (; i + WIDE <= n; i += WIDE)
        for (int j = 0; j < 4; j++) a[j] += LOAD(x + i + j * LANES);
    for (; i + LANES <= n; i += LANES) a[0] += LOAD(x + i);
    float sum = folded(a);
    for (; i < n; i++) sum += x[i];
    return sum;
})

/* The sum of d = x - from, and in *squares that of d^2. */
DG_VARIANTS(float, differences, (const float *x, int64_t n, float from, float *squares),
            (x, n, from, squares), {
                lanes a[4] = {{0}};
                lanes b[4] = {{0}};
                int64_t i = 0;
                for (; i + WIDE <= n; i += WIDE)
                    for (int j = 0; j < 4; j++) {
                        lanes d = LOAD(x + i + j * LANES) - from;
                        a[j] += d;
                        b[j] += d * d;
                    }
                for (; i + LANES <= n; i += LANES) {
                    lanes d = LOAD(x + i) - from;
                    a[0] += d;
                    b[0] += d * d;
                }
                float sum = folded(a);
                *squares = folded(b);
                for (; i < n; i++) {
                    float d = x[i] - from;
                    sum += d;
                    *squares += d * d;
                }
                return sum;
            })

/* Of n <= RUN values. */
static dg_moments of_run(dg_isa isa, const float *x, int64_t n)
{
    float from = sum_of[isa](x, n) / (float)n, squares;
    if (!isfinite(from)) from = (float)(dg_sum_f32(isa, x, n) / (double)n);
    double count = (double)n, off = (double)differences[isa](x, n, from, &squares) / count;
    return (dg_moments){count, (double)from + off, (double)squares - off * off * count};
}

static dg_moments joined(dg_moments a, dg_moments b)
{
    double count = a.count + b.count, apart = b.mean - a.mean, share = b.count / count;
    return (dg_moments){count, a.mean + apart * share,
                        a.squares + b.squares + apart * apart * share * a.count};
}

dg_moments dg_moments_f32(dg_isa isa, const float *x, int64_t n)
{
    dg_moments all = of_run(isa, x, n < RUN ? n : RUN);
    for (int64_t i = RUN; i < n; i += RUN)
        all = joined(all, of_run(isa, x + i, n - i < RUN ? n - i : RUN));
    return all;
}

void dg_stats_f32(dg_isa isa, const float *x, int64_t n, double eps, float *mean, float *rstd)
{
    dg_moments m = dg_moments_f32(isa, x, n);
    double var = m.squares / m.count;
    *mean = (float)m.mean;
    *rstd = isnan(var) ? NAN : (float)(1 / sqrt((var > 0 ? var : 0) + eps));
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

/* sums.c: sums of float runs.
 *
 * In     contiguous elements, any number.
 * Out    their sum in double. Of 64 elements at a time, those 16 apart are added pairwise as
 * floats, and the 16 sums are added to double totals: four times fewer conversions, for an error of
 *        two float roundings of partial sums of four elements, like that of the elements
 *        themselves. The rest, and short runs, are added in double. The totals are folded pairwise.
 */
#include "ops/support/sums.h"

#include "ops/ops.h"

typedef float eight_floats __attribute__((vector_size(32), aligned(4), may_alias));
typedef double eight __attribute__((vector_size(64)));
#define LOAD(at) (*(const eight_floats *)(const void *)(at))
#define WIDEN(f) __builtin_convertvector((f), eight)

static inline __attribute__((always_inline)) double sum_of(const float *x, int64_t n)
{
    eight a = {0}, b = {0};
    int64_t i = 0;
    for (; i + 64 <= n; i += 64) {
        a += WIDEN((LOAD(x + i) + LOAD(x + i + 16)) + (LOAD(x + i + 32) + LOAD(x + i + 48)));
        b += WIDEN((LOAD(x + i + 8) + LOAD(x + i + 24)) + (LOAD(x + i + 40) + LOAD(x + i + 56)));
    }
    for (; i + 8 <= n; i += 8) a += WIDEN(LOAD(x + i));
    a += b;
    double sum = ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
    for (; i < n; i++) sum += (double)x[i];
    return sum;
}

DG_VARIANTS(double, sum_floats, (const float *x, int64_t n), (x, n), { return sum_of(x, n); })

DG_VARIANTS(void, sum_rows, (const float *x, int64_t rows, int64_t n, float *sums),
            (x, rows, n, sums), {
                for (int64_t r = 0; r < rows; r++) sums[r] = (float)sum_of(x + r * n, n);
            })

double dg_sum_f32(dg_isa isa, const float *x, int64_t n)
{
    return sum_floats[isa](x, n);
}

void dg_sum_rows_f32(dg_isa isa, const float *x, int64_t rows, int64_t n, float *sums)
{
    sum_rows[isa](x, rows, n, sums);
}

double dg_sum_f64(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

int64_t dg_sum_i32(const int32_t *x, int64_t n)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

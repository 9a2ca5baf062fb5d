/* sums.c: sums in double of float runs.
 *
 * In     contiguous elements, any number.
 * Out    their sum: 32 partial sums over positions mod 32, folded pairwise, then the rest in
 *        order. */
#include "ops/support/sums.h"

#include "ops/ops.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

typedef float eight_floats __attribute__((vector_size(32), aligned(4), may_alias));
typedef double eight __attribute__((vector_size(64)));

#define WIDEN(x) __builtin_convertvector(*(const eight_floats *)(const void *)(x), eight)
#if defined(__x86_64__) /* one instruction; of the above the compiler makes two halves and moves   \
                         */
#define WIDEN_AVX512(x) (eight) _mm512_cvtps_pd(_mm256_loadu_ps(x))
#else
#define WIDEN_AVX512 WIDEN
#endif

#define SUM(name, TARGET, LOAD)                                                                    \
    TARGET static inline double name(const float *x, int64_t n)                                    \
    {                                                                                              \
        eight a = {0}, b = {0}, c = {0}, d = {0};                                                  \
        int64_t i = 0;                                                                             \
        for (; i + 32 <= n; i += 32) {                                                             \
            a += LOAD(x + i);                                                                      \
            b += LOAD(x + i + 8);                                                                  \
            c += LOAD(x + i + 16);                                                                 \
            d += LOAD(x + i + 24);                                                                 \
        }                                                                                          \
        for (; i + 8 <= n; i += 8) a += LOAD(x + i);                                               \
        a = (a + b) + (c + d);                                                                     \
        double sum = ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));            \
        for (; i < n; i++) sum += (double)x[i];                                                    \
        return sum;                                                                                \
    }                                                                                              \
    TARGET static void name##_rows(const float *x, int64_t rows, int64_t n, float *sums)           \
    {                                                                                              \
        for (int64_t r = 0; r < rows; r++) sums[r] = (float)name(x + r * n, n);                    \
    }

#define TARGET_GENERIC
SUM(sum_generic, TARGET_GENERIC, WIDEN)
SUM(sum_avx2, DG_TARGET_AVX2, WIDEN)
SUM(sum_avx512, DG_TARGET_AVX512, WIDEN_AVX512)

double dg_sum_f32(dg_isa isa, const float *x, int64_t n)
{
    static double (*const sum[DG_ISAS])(const float *x, int64_t n) = DG_VARIANTS_OF(sum);
    return sum[isa](x, n);
}

void dg_sum_rows_f32(dg_isa isa, const float *x, int64_t rows, int64_t n, float *sums)
{
    static void (*const sum[DG_ISAS])(const float *x, int64_t rows, int64_t n, float *sums) = {
        sum_generic_rows, sum_avx2_rows, sum_avx512_rows};
    sum[isa](x, rows, n, sums);
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

/* sums.c: sums in double of float runs.
 *
 * In     contiguous elements, any number.
 * Out    their sum: 32 partial sums over positions mod 32, folded pairwise, then the rest in
 *        order. */
#include "ops/support/sums.h"

#include "ops/ops.h"

#include <string.h>

typedef float eight_floats __attribute__((vector_size(32)));
typedef double eight __attribute__((vector_size(64)));

#define LOAD(at)                                                                                   \
    ({                                                                                             \
        eight_floats f;                                                                            \
        memcpy(&f, (at), sizeof f);                                                                \
        __builtin_convertvector(f, eight);                                                         \
    })

DG_VARIANTS(double, sum_floats, (const float *x, int64_t n), (x, n), {
    eight a = {0}, b = {0}, c = {0}, d = {0};
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) {
        a += LOAD(x + i);
        b += LOAD(x + i + 8);
        c += LOAD(x + i + 16);
        d += LOAD(x + i + 24);
    }
    for (; i + 8 <= n; i += 8) a += LOAD(x + i);
    a = (a + b) + (c + d);
    double sum = ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
    for (; i < n; i++) sum += (double)x[i];
    return sum;
})

double dg_sum_f32(dg_isa isa, const float *x, int64_t n)
{
    return sum_floats[isa](x, n);
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

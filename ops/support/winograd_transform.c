/* winograd_transform.c: see winograd_transform.h. F(4, 3) is interpolation at the points 0, 1, -1,
 * 2, -2 and infinity, F(2, 3) at 0, 1, -1 and infinity (Lavin and Gray 2016). */
#include "ops/support/winograd_transform.h"

#include "ops/ops.h"

enum { LANES = 16 };

typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

#define ONE_D(name)                                                                                \
    static inline __attribute__((always_inline)) void name(const lanes *d, int64_t step, lanes *t)

/* ---- F(4, 3) in one dimension ---- */

ONE_D(patch4)
{
    lanes d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step],
          d5 = d[5 * step];
    lanes even = d4 - d2 * 4.0F, odd = d3 - d1 * 4.0F, inner = d4 - d2, outer = (d3 - d1) * 2.0F;
    t[0] = d0 * 4.0F - d2 * 5.0F + d4;
    t[1] = even + odd;
    t[2] = even - odd;
    t[3] = inner + outer;
    t[4] = inner - outer;
    t[5] = d1 * 4.0F - d3 * 5.0F + d5;
}

ONE_D(result4)
{
    lanes m1 = d[step], m2 = d[2 * step], m3 = d[3 * step], m4 = d[4 * step];
    lanes sum = m1 + m2, difference = m1 - m2, sum2 = m3 + m4, difference2 = m3 - m4;
    t[0] = d[0] + sum + sum2;
    t[1] = difference + difference2 * 2.0F;
    t[2] = sum + sum2 * 4.0F;
    t[3] = difference + difference2 * 8.0F + d[5 * step];
}

ONE_D(from_result4)
{
    lanes y0 = d[0], y1 = d[step], y2 = d[2 * step], y3 = d[3 * step];
    lanes even = y0 + y2, odd = y1 + y3, even2 = y0 + y2 * 4.0F, odd2 = y1 * 2.0F + y3 * 8.0F;
    t[0] = y0;
    t[1] = even + odd;
    t[2] = even - odd;
    t[3] = even2 + odd2;
    t[4] = even2 - odd2;
    t[5] = y3;
}

ONE_D(kernel4)
{
    lanes w0 = d[0], w1 = d[step], w2 = d[2 * step];
    lanes ends = (w0 + w2) * (-1.0F / 6), middle = w1 * (1.0F / 6),
          far = w0 * (1.0F / 24) + w2 * (1.0F / 6), half = w1 * (1.0F / 12);
    t[0] = w0 * 0.25F;
    t[1] = ends - middle;
    t[2] = ends + middle;
    t[3] = far + half;
    t[4] = far - half;
    t[5] = w2;
}

ONE_D(to_kernel4)
{
    lanes u1 = d[step], u2 = d[2 * step], u3 = d[3 * step], u4 = d[4 * step];
    lanes near = (u1 + u2) * (1.0F / 6), far = u3 + u4;
    t[0] = d[0] * 0.25F - near + far * (1.0F / 24);
    t[1] = (u2 - u1) * (1.0F / 6) + (u3 - u4) * (1.0F / 12);
    t[2] = far * (1.0F / 6) - near + d[5 * step];
}

/* ---- F(2, 3) ---- */

ONE_D(patch2)
{
    lanes d1 = d[step], d2 = d[2 * step];
    t[0] = d[0] - d2;
    t[1] = d1 + d2;
    t[2] = d2 - d1;
    t[3] = d1 - d[3 * step];
}

ONE_D(result2)
{
    lanes m1 = d[step], m2 = d[2 * step];
    t[0] = d[0] + m1 + m2;
    t[1] = m1 - m2 - d[3 * step];
}

ONE_D(from_result2)
{
    lanes y0 = d[0], y1 = d[step];
    t[0] = y0;
    t[1] = y0 + y1;
    t[2] = y0 - y1;
    t[3] = -y1;
}

ONE_D(kernel2)
{
    lanes w0 = d[0], w2 = d[2 * step], ends = (w0 + w2) * 0.5F, middle = d[step] * 0.5F;
    t[0] = w0;
    t[1] = ends + middle;
    t[2] = ends - middle;
    t[3] = w2;
}

ONE_D(to_kernel2)
{
    lanes u1 = d[step], u2 = d[2 * step], sum = (u1 + u2) * 0.5F;
    t[0] = d[0] + sum;
    t[1] = (u1 - u2) * 0.5F;
    t[2] = sum + d[3 * step];
}

/* ---- two dimensions ---- */

#define TWO_D(name, one, FROM, TO)                                                                 \
    DG_VARIANTS(void, name,                                                                        \
                (const float *from, int64_t row, int64_t column, float *to, int64_t to_row,        \
                 int64_t to_column),                                                               \
                (from, row, column, to, to_row, to_column), {                                      \
                    lanes t[FROM][TO];                                                             \
                    for (int j = 0; j < FROM; j++) {                                               \
                        lanes d[FROM];                                                             \
                        for (int i = 0; i < FROM; i++)                                             \
                            d[i] = *(const lanes *)(from + i * row + j * column);                  \
                        one(d, 1, t[j]);                                                           \
                    }                                                                              \
                    for (int i = 0; i < TO; i++) {                                                 \
                        lanes r[TO];                                                               \
                        one(&t[0][i], TO, r);                                                      \
                        for (int j = 0; j < TO; j++)                                               \
                            *(lanes *)(to + i * to_row + j * to_column) = r[j];                    \
                    }                                                                              \
                })

TWO_D(patch_in4, patch4, 6, 6)
TWO_D(kernel_in4, kernel4, 3, 6)
TWO_D(tile_out4, result4, 6, 4)
TWO_D(tile_in4, from_result4, 4, 6)
TWO_D(kernel_out4, to_kernel4, 6, 3)
TWO_D(patch_in2, patch2, 4, 4)
TWO_D(kernel_in2, kernel2, 3, 4)
TWO_D(tile_out2, result2, 4, 2)
TWO_D(tile_in2, from_result2, 2, 4)
TWO_D(kernel_out2, to_kernel2, 4, 3)

const dg_winograd_filter *dg_winograd_filter_of(int tile)
{
    static const dg_winograd_filter four = {4,          6,         36,       patch_in4,
                                            kernel_in4, tile_out4, tile_in4, kernel_out4},
                                    two = {2,          4,         16,       patch_in2,
                                           kernel_in2, tile_out2, tile_in2, kernel_out2};
    return tile == 4 ? &four : &two;
}

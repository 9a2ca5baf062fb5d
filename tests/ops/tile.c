/* tests/ops/tile.c: products and transposes of tiles on every ISA, at every height of a tile,
 * beside whole panels, from padded rows, added and not. What lies around the result stays as it
 * was. */
#include "ops/support/tile.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const float UNTOUCHED = 12345;

static float *numbers(int64_t n, uint32_t stream)
{
    float *x = malloc(sizeof(float) * (size_t)n);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)((double)(((uint64_t)i * 2654435761u + stream * 40503u) % 2001) / 1000 - 1);
    return x;
}

static float *untouched(int64_t n)
{
    float *x = malloc(sizeof(float) * (size_t)n);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++) x[i] = UNTOUCHED;
    return x;
}

/* How A lies: by rows, by columns, in groups of 16 columns. */
typedef enum form { ROWS, TURNED, GROUPS, FORMS } form;

static int64_t place(form how, int64_t i, int64_t p, int64_t ld)
{
    if (how == GROUPS) return p / DG_TILE_GROUP * ld + i * DG_TILE_GROUP + p % DG_TILE_GROUP;
    return how == TURNED ? p * ld + i : i * ld + p;
}

static void product_is_right(dg_isa isa, int64_t m, int64_t n, int64_t k, form how, bool add)
{
    if (how == GROUPS) n = DG_TILE_COLUMNS;
    int64_t lda = how == GROUPS ? m * DG_TILE_GROUP + 3 : (how == TURNED ? m : k) + 3,
            ldb = how == GROUPS ? n : dg_tile_ld(n), ldc = how == GROUPS ? n : n + 5;
    float *a = numbers((how == ROWS ? m : k) * lda, 1), *b = numbers(k * ldb, 2),
          *c = untouched((m + 1) * ldc);
    if (how == ROWS) dg_tile_product(isa, m, n, k, a, lda, b, ldb, add, c, ldc);
    if (how == TURNED) dg_tile_product_turned(isa, m, n, k, a, lda, b, ldb, add, c, ldc, a, NULL);
    if (how == GROUPS) dg_tile_product_groups(isa, m, k, a, lda, b, add, c, NULL, b);
    double error = 0, square = 0;
    for (int64_t i = 0; i <= m; i++) {
        for (int64_t j = 0; j < ldc; j++) {
            if (i == m || j >= n) {
                assert_true(c[i * ldc + j] == UNTOUCHED);
                continue;
            }
            double sum = 0;
            for (int64_t p = 0; p < k; p++)
                sum += (double)a[place(how, i, p, lda)] * (double)b[p * ldb + j];
            double off = (double)c[i * ldc + j] - (add ? (double)UNTOUCHED : 0) - sum;
            error += off * off;
            square += sum * sum + (add ? (double)UNTOUCHED * (double)UNTOUCHED : 0);
        }
    }
    if (!(error <= 1e-12 * square))
        fail_msg("%s: %lldx%lldx%lld form %d add %d: error %g", dg_isa_name(isa), (long long)m,
                 (long long)n, (long long)k, (int)how, add, error / square);
    free(a);
    free(b);
    free(c);
}

static void products(void **state)
{
    static const int64_t columns[] = {1, 16, 31, 32, 33, 96}, depths[] = {1, 7, 64};
    (void)state;
    for (int isa = 0; isa <= (int)dg_isa_of_cpu(); isa++)
        for (int64_t m = 1; m <= 30; m++)
            for (size_t n = 0; n < sizeof columns / sizeof columns[0]; n++)
                for (size_t k = 0; k < sizeof depths / sizeof depths[0]; k++)
                    for (int how = 0; how < 2 * FORMS; how++)
                        product_is_right((dg_isa)isa, m, columns[n], depths[k], (form)(how % FORMS),
                                         how >= FORMS);
}

/* The order of the sum over k is the same in every tile: columns and rows that are computed with
 * others have the bits of the product of themselves alone. */
static void tiles_do_not_matter(void **state)
{
    enum { M = 29, N = 70, K = 50 };
    (void)state;
    float *a = numbers(M * K, 1), *b = numbers(K * (int64_t)dg_tile_ld(N), 2);
    for (int isa = 0; isa <= (int)dg_isa_of_cpu(); isa++) {
        float whole[M * N], row[N];
        dg_tile_product((dg_isa)isa, M, N, K, a, K, b, dg_tile_ld(N), false, whole, N);
        for (int64_t i = 0; i < M; i++) {
            dg_tile_product((dg_isa)isa, 1, N, K, a + i * K, K, b, dg_tile_ld(N), false, row, N);
            assert_memory_equal(row, whole + i * N, sizeof row);
        }
    }
    free(a);
    free(b);
}

static void transposes(void **state)
{
    static const int64_t sizes[] = {1, 3, 8, 15, 16, 17, 24, 32, 47};
    enum { SIZES = sizeof sizes / sizeof sizes[0] };
    (void)state;
    for (int isa = 0; isa <= (int)dg_isa_of_cpu(); isa++)
        for (int e = 0; e < SIZES * SIZES; e++) {
            int64_t rows = sizes[e / SIZES], cols = sizes[e % SIZES], ldf = cols + 2,
                    ldt = rows + 3;
            float *from = numbers(rows * ldf, 3), *to = untouched((cols + 1) * ldt);
            dg_tile_transpose((dg_isa)isa, rows, cols, from, ldf, to, ldt);
            for (int64_t j = 0; j <= cols; j++)
                for (int64_t i = 0; i < ldt; i++)
                    assert_true(to[j * ldt + i] ==
                                (j < cols && i < rows ? from[i * ldf + j] : UNTOUCHED));
            free(from);
            free(to);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products),
        cmocka_unit_test(tiles_do_not_matter),
        cmocka_unit_test(transposes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

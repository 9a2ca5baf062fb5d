/* tests/ops/gemm.c: products beside every size at which a loop of support/gemm.c is cut, of
 * operands by rows, by columns and of every other element, on every ISA. */
#include "ops/support/gemm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const float UNTOUCHED = 12345;

enum how { BY_ROWS, BY_COLUMNS, EVERY_OTHER, WAYS };

static float *storage(int64_t n, uint32_t stream)
{
    float *x = malloc(sizeof(float) * (size_t)(n > 0 ? n : 1));
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)((double)(((uint64_t)i * 2654435761u + stream * 40503u) % 2001) / 1000 - 1);
    return x;
}

/* In storage of 4 * rows * cols + 8 floats. */
static dg_matrix matrix(float *at, int64_t rows, int64_t cols, enum how how)
{
    switch (how) {
    case BY_ROWS:
        return (dg_matrix){at, rows, cols, cols + 1, 1};
    case BY_COLUMNS:
        return (dg_matrix){at, rows, cols, 1, rows};
    default:
        return (dg_matrix){at, rows, cols, 2 * cols, 2};
    }
}

static float at(const dg_matrix *x, int64_t i, int64_t j)
{
    return x->data[i * x->row + j * x->col];
}

static void is_right(dg_isa isa, int64_t m, int64_t n, int64_t k, enum how left, enum how right)
{
    int64_t ldc = n + 3;
    float *a = storage(4 * m * k + 8, 1), *b = storage(4 * k * n + 8, 2),
          *c = storage((m + 1) * ldc, 3), *room = storage(dg_gemm_floats(m, n, k) + 1, 4);
    dg_matrix x = matrix(a, m, k, left), y = matrix(b, k, n, right);
    for (int64_t i = 0; i < (m + 1) * ldc; i++) c[i] = UNTOUCHED;
    room[dg_gemm_floats(m, n, k)] = UNTOUCHED;
    dg_gemm(isa, &x, &y, c, ldc, room);
    double error = 0, square = 0;
    for (int64_t i = 0; i <= m; i++)
        for (int64_t j = 0; j < ldc; j++) {
            if (i == m || j >= n) {
                assert_true(c[i * ldc + j] == UNTOUCHED);
                continue;
            }
            double sum = 0;
            for (int64_t p = 0; p < k; p++) sum += (double)at(&x, i, p) * (double)at(&y, p, j);
            error += ((double)c[i * ldc + j] - sum) * ((double)c[i * ldc + j] - sum);
            square += sum * sum;
        }
    assert_true(room[dg_gemm_floats(m, n, k)] == UNTOUCHED);
    if (!(error <= 1e-12 * square))
        fail_msg("%s: %lldx%lldx%lld, ways %d and %d: error %g", dg_isa_name(isa), (long long)m,
                 (long long)n, (long long)k, left, right, error / square);
    free(a);
    free(b);
    free(c);
    free(room);
}

static void sizes(void **state)
{
    static const int64_t all[][3] = {
        {1, 1, 1},      {1, 40, 7},    {5, 5, 5},    {40, 1, 9},     {7, 33, 20},   {8, 31, 16},
        {15, 11, 64},   {29, 12, 33},  {600, 3, 20}, {13, 192, 257}, {113, 64, 10}, {337, 40, 70},
        {30, 1030, 40}, {90, 96, 513}, {20, 200, 0}, {345, 520, 300}};
    (void)state;
    for (int isa = 0; isa <= (int)dg_isa_of_cpu(); isa++)
        for (size_t s = 0; s < sizeof all / sizeof all[0]; s++)
            for (int how = 0; how < WAYS * WAYS; how++)
                is_right((dg_isa)isa, all[s][0], all[s][1], all[s][2], (enum how)(how / WAYS),
                         (enum how)(how % WAYS));
}

/* Rows a page apart are gathered where others are read in place. */
static void pages(void **state)
{
    enum { M = 20, N = 64, K = 30, PAGE = 1024 };
    (void)state;
    float *a = storage(M * PAGE, 1), *b = storage(K * PAGE, 2), *room, near[M * N], far[M * N];
    float *a2 = storage(M * K, 3), *b2 = storage(K * N, 4);
    room = storage(dg_gemm_floats(M, N, K), 5);
    for (int64_t i = 0; i < M; i++) memcpy(a2 + i * K, a + i * PAGE, sizeof(float) * K);
    for (int64_t p = 0; p < K; p++) memcpy(b2 + p * N, b + p * PAGE, sizeof(float) * N);
    for (int isa = 0; isa <= (int)dg_isa_of_cpu(); isa++) {
        dg_gemm((dg_isa)isa, &(dg_matrix){a, M, K, PAGE, 1}, &(dg_matrix){b, K, N, PAGE, 1}, far, N,
                room);
        dg_gemm((dg_isa)isa, &(dg_matrix){a2, M, K, K, 1}, &(dg_matrix){b2, K, N, N, 1}, near, N,
                room);
        assert_memory_equal(near, far, sizeof near);
    }
    free(a);
    free(b);
    free(a2);
    free(b2);
    free(room);
}

/* Pieces of C have the bits of the whole. */
static void pieces(void **state)
{
    enum { M = 61, N = 70, K = 600 };
    (void)state;
    float *a = storage(M * K, 1), *b = storage(K * N, 2),
          *room = storage(dg_gemm_floats(M, N, K), 3), whole[M * N], part[M * N];
    dg_matrix x = {a, M, K, K, 1}, y = {b, K, N, N, 1};
    for (int isa = 0; isa <= (int)dg_isa_of_cpu(); isa++) {
        dg_gemm((dg_isa)isa, &x, &y, whole, N, room);
        for (int64_t i = 0; i < M; i += 25)
            for (int64_t j = 0; j < N; j += 33) {
                dg_matrix rows = dg_matrix_part(&x, i, M - i < 25 ? M - i : 25, 0, K),
                          cols = dg_matrix_part(&y, 0, K, j, N - j < 33 ? N - j : 33);
                dg_gemm((dg_isa)isa, &rows, &cols, part + i * N + j, N, room);
            }
        assert_memory_equal(part, whole, sizeof whole);
    }
    free(a);
    free(b);
    free(room);
}

/* Parts of the sum, added in order, have the bits of the whole. */
static void parts(void **state)
{
    enum { M = 61, N = 70, K = 600 };
    (void)state;
    float *a = storage(M * K, 1), *b = storage(K * N, 2),
          *room = storage(dg_gemm_floats(M, N, K), 3), whole[M * N], part[M * N], sum[M * N];
    dg_matrix x = {a, M, K, K, 1}, y = {b, K, N, N, 1};
    int64_t depth = dg_gemm_depth(K);
    assert_true(depth < K);
    for (int isa = 0; isa <= (int)dg_isa_of_cpu(); isa++) {
        dg_gemm((dg_isa)isa, &x, &y, whole, N, room);
        for (int64_t p = 0; p < K; p += depth) {
            int64_t k = K - p < depth ? K - p : depth;
            dg_matrix left = dg_matrix_part(&x, 0, M, p, k), right = dg_matrix_part(&y, p, k, 0, N);
            dg_gemm((dg_isa)isa, &left, &right, p == 0 ? sum : part, N, room);
            for (int i = 0; p > 0 && i < M * N; i++) sum[i] += part[i];
        }
        assert_memory_equal(sum, whole, sizeof whole);
    }
    free(a);
    free(b);
    free(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(pages),
        cmocka_unit_test(pieces),
        cmocka_unit_test(parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

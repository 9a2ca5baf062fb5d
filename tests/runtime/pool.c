/* tests/runtime/pool.c: each piece runs once, on any number of threads, many kernels in a row. */
#include "runtime/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <string.h>

enum { MOST = 1000 };

typedef struct tally {
    atomic_int runs[MOST];
    int64_t pieces;
} tally;

static void count(const dg_call *k, int64_t piece)
{
    tally *t = k->workspace;
    atomic_fetch_add(&t->runs[piece], 1);
    if (k->scratch) memset(k->scratch, (int)piece, 64); /* each worker's own */
}

static void each_piece_once(void **state)
{
    (void)state;
    static tally t;
    for (int threads = 1; threads <= 5; threads++) {
        dg_pool *p = dg_pool_new(threads);
        assert_non_null(p);
        assert_int_equal(dg_pool_threads(p), threads);
        assert_true(dg_pool_reserve(p, 64));
        assert_true(dg_pool_scratch(p) >= 64);
        dg_call call = {.workspace = &t};
        static const int64_t counts[] = {0, 1, 2, 3, 17, MOST};
        for (int round = 0; round < 200; round++) {
            int64_t n = counts[round % 6];
            memset(&t, 0, sizeof t);
            dg_pool_run(p, &call, n, count);
            for (int64_t i = 0; i < MOST; i++) assert_int_equal(atomic_load(&t.runs[i]), i < n);
        }
        dg_pool_free(p);
    }
}

/* Kernels so short that workers are still leaving one job when the next begins. */
static void short_jobs(void **state)
{
    (void)state;
    static tally t;
    dg_pool *p = dg_pool_new(4);
    dg_call call = {.workspace = &t};
    memset(&t, 0, sizeof t);
    enum { ROUNDS = 20000 };
    for (int i = 0; i < ROUNDS; i++) dg_pool_run(p, &call, 2, count);
    assert_int_equal(atomic_load(&t.runs[0]), ROUNDS);
    assert_int_equal(atomic_load(&t.runs[1]), ROUNDS);
    dg_pool_free(p);
}

static void start_and_stop(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) dg_pool_free(dg_pool_new(1 + i % 4));
    dg_pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_piece_once),
        cmocka_unit_test(short_jobs),
        cmocka_unit_test(start_and_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/runtime/pool.c: each piece runs once, on any number of threads, many kernels in a row, also
 * beside threads that take the CPUs; and what moves threads leaves their masks as they were. */
#include "runtime/pool.h"
#include "compiler/base/str.h"
#include "runtime/cpus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
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

static atomic_bool enough;

static void *spin(void *unused)
{
    while (!atomic_load(&enough)) dg_cpus_relax();
    return unused;
}

static cpu_set_t mask_of(pthread_t t)
{
    cpu_set_t mask;
    assert_int_equal(pthread_getaffinity_np(t, sizeof mask, &mask), 0);
    return mask;
}

/* The threads of this process; all have this mask. */
static int threads_with_mask(const cpu_set_t *want)
{
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    int n = 0;
    for (struct dirent *e; (e = readdir(tasks)) != NULL;) {
        int64_t id;
        if (!dg_parse_int(e->d_name, strlen(e->d_name), &id)) continue;
        cpu_set_t mask;
        assert_int_equal(sched_getaffinity((pid_t)id, sizeof mask, &mask), 0);
        assert_true(CPU_EQUAL(&mask, want));
        n++;
    }
    closedir(tasks);
    return n;
}

static void work(const dg_call *k, int64_t piece)
{
    for (int i = 0; i < 2000; i++) dg_cpus_relax();
    count(k, piece);
}

/* Threads are interrupted within pieces, fetched, and woken elsewhere. */
static void beside_neighbours(void **state)
{
    (void)state;
    static tally t;
    enum { NEIGHBOURS = 3, ROUNDS = 500, PIECES = 5 };
    pthread_t neighbours[NEIGHBOURS];
    cpu_set_t before = mask_of(pthread_self());
    atomic_store(&enough, false);
    for (int i = 0; i < NEIGHBOURS; i++)
        assert_int_equal(pthread_create(&neighbours[i], NULL, spin, NULL), 0);
    for (int threads = 2; threads <= 5; threads++) {
        dg_pool *p = dg_pool_new(threads);
        dg_call call = {.workspace = &t};
        memset(&t, 0, sizeof t);
        for (int i = 0; i < ROUNDS; i++) dg_pool_run(p, &call, PIECES, work);
        for (int i = 0; i < PIECES; i++) assert_int_equal(atomic_load(&t.runs[i]), ROUNDS);
        assert_true(threads_with_mask(&before) >= threads + NEIGHBOURS);
        dg_pool_free(p);
    }
    atomic_store(&enough, true);
    for (int i = 0; i < NEIGHBOURS; i++) pthread_join(neighbours[i], NULL);
}

static void *wait_for_release(void *lock)
{
    pthread_mutex_lock(lock);
    pthread_mutex_unlock(lock);
    return NULL;
}

static void masks_come_back(void **state)
{
    (void)state;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t sleeper;
    pthread_mutex_lock(&lock);
    assert_int_equal(pthread_create(&sleeper, NULL, wait_for_release, &lock), 0);
    cpu_set_t before = mask_of(sleeper), held, after, saved;

    dg_cpus_rescue(sleeper);
    after = mask_of(sleeper);
    assert_true(CPU_EQUAL(&before, &after));

    assert_false(dg_cpus_hold_off(sleeper, &before, &saved)); /* it would have no CPU left */
    after = mask_of(sleeper);
    assert_true(CPU_EQUAL(&before, &after));

    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    if (CPU_COUNT(&before) > 1) {
        assert_true(dg_cpus_hold_off(sleeper, &one, &saved));
        held = mask_of(sleeper);
        assert_int_equal(CPU_COUNT(&held), CPU_COUNT(&before) - 1);
        CPU_AND(&held, &held, &one);
        assert_int_equal(CPU_COUNT(&held), 0);
        dg_cpus_release(sleeper, &saved);
        after = mask_of(sleeper);
        assert_true(CPU_EQUAL(&before, &after));
    }
    pthread_mutex_unlock(&lock);
    pthread_join(sleeper, NULL);
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
        cmocka_unit_test(each_piece_once),   cmocka_unit_test(short_jobs),
        cmocka_unit_test(beside_neighbours), cmocka_unit_test(masks_come_back),
        cmocka_unit_test(start_and_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

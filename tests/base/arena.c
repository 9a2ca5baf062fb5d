/* tests/base/arena.c: allocations are zeroed, aligned, disjoint and counted; vectors grow and move
 * into an arena. */
#include "compiler/base/arena.h"
#include "compiler/base/vec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdint.h>
#include <string.h>

static void zeroed_aligned_disjoint(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    enum { N = 3000 };
    unsigned char *at[N];
    size_t size[N], total = 0;
    uint32_t random = 1;
    for (int i = 0; i < N; i++) {
        random = random * 1664525u + 1013904223u;
        size[i] =
            i % 100 == 99 ? 40000 + (random >> 20) : random >> 25; /* some larger than a chunk */
        bool room = i % 5 == 4;                                    /* with whatever stands there */
        at[i] = room ? dg_arena_room(a, size[i]) : dg_arena_alloc(a, size[i]);
        assert_int_equal((uintptr_t)at[i] % 16, 0);
        for (size_t k = 0; k < size[i] && !room; k++) assert_int_equal(at[i][k], 0);
        memset(at[i], i & 0xff, size[i]);
        total += size[i];
    }
    for (int i = 0; i < N; i++)
        for (size_t k = 0; k < size[i]; k++) assert_int_equal(at[i][k], i & 0xff);
    assert_int_equal(dg_arena_used(a), total);
    dg_arena_free(a);
    dg_arena_free(NULL);
}

static void empty_allocations_differ(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    void *p = dg_arena_alloc(a, 0), *q = dg_arena_alloc(a, 0);
    assert_non_null(p);
    assert_ptr_not_equal(p, q);
    assert_int_equal(dg_arena_used(a), 0);
    dg_arena_free(a);
}

static void texts(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    assert_string_equal(dg_arena_text(a, "abcdef", 3), "abc");
    assert_string_equal(dg_arena_text(a, NULL, 0), "");
    assert_string_equal(dg_arena_printf(a, "%d %s", 7, "x"), "7 x");
    char *longer = dg_arena_printf(a, "%0300d", 1);
    assert_int_equal(strlen(longer), 300);
    assert_int_equal(longer[299], '1');
    int numbers[] = {1, 2, 3};
    int *copy = dg_arena_copy(a, numbers, sizeof numbers);
    numbers[2] = 0;
    assert_int_equal(copy[2], 3);
    dg_arena_free(a);
}

static void joined_texts(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    assert_string_equal(dg_arena_joined(a, (const char *[]){"d", "net", "out"}, 3), "d.net.out");
    assert_string_equal(dg_arena_joined(a, (const char *[]){NULL, "", "out"}, 3), "out");
    assert_string_equal(dg_arena_joined(a, (const char *[]){"d", NULL, "out"}, 3), "d.out");
    assert_string_equal(dg_arena_joined(a, (const char *[]){NULL, NULL, NULL}, 3), "");
    dg_arena_free(a);
}

static void vectors(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    DG_VEC(int) v = {0};
    for (int i = 0; i < 1000; i++) dg_vec_push(&v, i * i);
    assert_int_equal(v.n, 1000);
    assert_int_equal(dg_vec_last(&v), 999 * 999);
    assert_int_equal(dg_vec_pop(&v), 999 * 999);
    assert_int_equal(v.n, 999);
    int *sealed;
    dg_vec_seal(&v, a, sealed);
    assert_null(v.at);
    assert_int_equal(v.n, 0);
    for (int i = 0; i < 999; i++) assert_int_equal(sealed[i], i * i);
    struct pair {
        int x, y;
    };
    DG_VEC(struct pair) w = {0};
    dg_vec_push(&w, (struct pair){1, 2});
    assert_int_equal(w.at[0].y, 2);
    dg_vec_free(&w);
    struct pair *none;
    dg_vec_seal(&w, a, none); /* an empty one */
    assert_non_null(none);
    dg_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeroed_aligned_disjoint),
        cmocka_unit_test(empty_allocations_differ),
        cmocka_unit_test(texts),
        cmocka_unit_test(joined_texts),
        cmocka_unit_test(vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/base/map.c: maps find what was put in, replace values, and walk in order of insertion. */
#include "compiler/base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void pointers(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    dg_map *m = dg_map_new(a);
    static int key[4000], value[4000];
    assert_null(dg_map_get(m, &key[0]));
    assert_false(dg_map_has(m, &key[0]));
    for (int i = 0; i < 4000; i += 2) dg_map_set(m, &key[(i * 7) % 4000], &value[i]);
    assert_int_equal(dg_map_count(m), 2000);
    for (int i = 0; i < 4000; i += 2) {
        assert_ptr_equal(dg_map_get(m, &key[(i * 7) % 4000]), &value[i]);
        assert_ptr_equal(dg_map_key(m, (size_t)i / 2), &key[(i * 7) % 4000]);
        assert_ptr_equal(dg_map_value(m, (size_t)i / 2), &value[i]);
        assert_false(dg_map_has(m, &key[i + 1]));
    }
    dg_map_set(m, &key[0], NULL);
    assert_int_equal(dg_map_count(m), 2000);
    assert_true(dg_map_has(m, &key[0]));
    assert_null(dg_map_get(m, &key[0]));
    dg_map_set(m, NULL, &value[1]); /* NULL is a key like any other */
    assert_ptr_equal(dg_map_get(m, NULL), &value[1]);
    dg_arena_free(a);
}

static void integers(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    dg_map64 *m = dg_map64_new(a);
    uint64_t v = 0;
    assert_false(dg_map64_get(m, 0, &v));
    for (uint64_t i = 0; i < 5000; i++) dg_map64_set(m, i << 40, i); /* low bits all alike */
    for (uint64_t i = 0; i < 5000; i++) {
        assert_true(dg_map64_get(m, i << 40, &v));
        assert_int_equal(v, i);
    }
    assert_false(dg_map64_get(m, 1, &v));
    dg_map64_set(m, 0, 77);
    assert_true(dg_map64_get(m, 0, &v));
    assert_int_equal(v, 77);
    dg_map64_set(m, UINT64_MAX, 5);
    assert_true(dg_map64_get(m, UINT64_MAX, &v));
    assert_int_equal(v, 5);
    dg_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pointers),
        cmocka_unit_test(integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/base/source.c: lines and columns of offsets, the text of lines, joined spans. */
#include "compiler/base/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static const dg_source *add(dg_sources *s, const char *text)
{
    return dg_source_at(s, dg_sources_add(s, "a.dg", NULL, text, strlen(text)));
}

static void check(const dg_source *s, uint32_t offset, int line, int column, const char *text)
{
    dg_position p = dg_source_position(s, offset);
    assert_int_equal(p.line, line);
    assert_int_equal(p.column, column);
    uint32_t n;
    const char *at = dg_source_line(s, offset, &n);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(at, text, n);
}

static void positions(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    dg_sources *s = dg_sources_new(a);
    const dg_source *f = add(s, "ab\n\n\tc\xc3\xa9"
                                "d\r\nlast");
    check(f, 0, 1, 1, "ab");
    check(f, 2, 1, 3, "ab"); /* on the newline */
    check(f, 3, 2, 1, "");
    check(f, 4, 3, 1,
          "\tc\xc3\xa9"
          "d");
    check(f, 5, 3, 2,
          "\tc\xc3\xa9"
          "d");
    check(f, 6, 3, 3,
          "\tc\xc3\xa9"
          "d");
    check(f, 8, 3, 4,
          "\tc\xc3\xa9"
          "d"); /* two bytes, one column */
    check(f, 11, 4, 1, "last");
    check(f, 15, 4, 5, "last");
    check(f, 999, 4, 5, "last"); /* behind the end */
    check(add(s, ""), 0, 1, 1, "");
    check(add(s, "\n"), 1, 2, 1, "");
    dg_arena_free(a);
}

static void many_files(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    dg_sources *s = dg_sources_new(a);
    const dg_source *first = add(s, "first");
    for (int i = 0; i < 100; i++)
        assert_int_equal(dg_sources_add(s, "b.dg", "/p/b.dg", "x", 1), i + 1);
    assert_int_equal(dg_sources_count(s), 101);
    assert_ptr_equal(dg_source_at(s, 0), first); /* does not move */
    assert_string_equal(first->text, "first");
    assert_null(first->path);
    assert_string_equal(dg_source_at(s, 100)->path, "/p/b.dg");
    assert_null(dg_source_at(s, 101));
    assert_null(dg_source_at(s, -1));
    assert_true(dg_source_at(s, 1)->hash != first->hash);
    dg_arena_free(a);
}

static void joins(void **state)
{
    (void)state;
    dg_span j = dg_span_join((dg_span){1, 5, 7}, (dg_span){1, 2, 6});
    assert_int_equal(j.begin, 2);
    assert_int_equal(j.end, 7);
    j = dg_span_join(DG_NOWHERE, (dg_span){1, 2, 6});
    assert_int_equal(j.file, 1);
    j = dg_span_join((dg_span){1, 5, 7}, (dg_span){2, 0, 9}); /* other files do not join */
    assert_int_equal(j.file, 1);
    assert_int_equal(j.begin, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions),
        cmocka_unit_test(many_files),
        cmocka_unit_test(joins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

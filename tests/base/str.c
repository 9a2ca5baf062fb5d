/* tests/base/str.c: interning, edit distance, numbers as text and back, escapes; the same under a
 * decimal comma. */
#include "compiler/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void same_text_same_pointer(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    dg_strings *s = dg_strings_new(a);
    char buffer[32];
    dg_str kept[5000];
    for (int i = 0; i < 5000; i++) {
        snprintf(buffer, sizeof buffer, "name%d", i);
        kept[i] = dg_intern_z(s, buffer);
    }
    for (int i = 0; i < 5000; i++) {
        snprintf(buffer, sizeof buffer, "name%d", i);
        assert_ptr_equal(dg_intern(s, buffer, strlen(buffer)), kept[i]);
        assert_ptr_equal(dg_intern_printf(s, "%s%d", "name", i), kept[i]);
        assert_string_equal(kept[i], buffer);
    }
    assert_ptr_equal(dg_intern_z(s, ""), dg_intern(s, "x", 0));
    assert_ptr_not_equal(dg_intern(s, "a\0b", 3), dg_intern(s, "a", 1));
    assert_int_equal(strlen(dg_intern_printf(s, "%0400d", 1)), 400);
    dg_arena_free(a);
}

static void hash_is_fixed(void **state)
{
    (void)state;
    /* The published test values of XXH64 with seed 0: streams and file hashes depend on them. */
    assert_true(dg_hash("", 0) == UINT64_C(0xef46db3751d8e999));
    assert_true(dg_hash("abc", 3) == UINT64_C(0x44bc2cf5ad770999));
}

static void distances(void **state)
{
    (void)state;
    assert_int_equal(dg_edit_distance("steps", "steps", 3), 0);
    assert_int_equal(dg_edit_distance("stpes", "steps", 3), 1); /* a swap */
    assert_int_equal(dg_edit_distance("trian", "train", 1), 1);
    assert_int_equal(dg_edit_distance("chanels", "channels", 3), 1);
    assert_int_equal(dg_edit_distance("kitten", "sitting", 3), 3);
    assert_int_equal(dg_edit_distance("kitten", "sitting", 2), 3); /* limit + 1 */
    assert_int_equal(dg_edit_distance("", "abc", 5), 3);
    assert_int_equal(dg_edit_distance("abc", "", 2), 3);
    assert_int_equal(dg_edit_distance("ab", "xy", 0), 1);
    assert_int_equal(dg_edit_distance("abcd", "badc", 2), 2); /* two swaps */
}

static void check_double(double x, const char *text)
{
    char buffer[32];
    double back = 0;
    assert_string_equal(dg_double_text(x, buffer), text);
    assert_true(dg_parse_double(buffer, strlen(buffer), &back));
    assert_memory_equal(&back, &x, sizeof x);
}

static void doubles(void **state)
{
    (void)state;
    check_double(0.0, "0.0");
    check_double(-0.0, "-0.0");
    check_double(1.0, "1.0");
    check_double(-3.0, "-3.0");
    check_double(0.1, "0.1");
    check_double(0.1 + 0.2, "0.30000000000000004");
    check_double(1e-5, "1e-05");
    check_double(2e-4, "0.0002");
    check_double(1e22, "1e+22");
    check_double(123456.0, "123456.0");
    check_double(1.0 / 3, "0.3333333333333333");
    check_double(DBL_MAX, "1.7976931348623157e+308");
    check_double(DBL_MIN, "2.2250738585072014e-308");
    check_double(5e-324, "5e-324");
    char buffer[32];
    assert_string_equal(dg_double_text(INFINITY, buffer), "inf");
    assert_string_equal(dg_double_text(-INFINITY, buffer), "-inf");
    assert_string_equal(dg_double_text(NAN, buffer), "nan");
    assert_string_equal(dg_float_text(0.1f, buffer), "0.1");
    assert_string_equal(dg_float_text(1.0f / 3, buffer), "0.33333334");
    assert_string_equal(dg_float_text(16777216.0f, buffer), "16777216.0");
    assert_string_equal(dg_float_text(1e-45f, buffer), "1e-45");
}

static void doubles_read_back(void **state)
{
    (void)state;
    uint64_t bits = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
        double x, back;
        memcpy(&x, &bits, sizeof x);
        if (!isfinite(x)) continue;
        char buffer[32];
        dg_double_text(x, buffer);
        assert_true(dg_parse_double(buffer, strlen(buffer), &back));
        assert_memory_equal(&back, &x, sizeof x);
        assert_non_null(strpbrk(buffer, ".e"));
    }
}

static void commas_change_nothing(void **state)
{
    (void)state;
    /* Skipped silently where the machine has no such locale: then there is nothing to disturb. */
    if (!setlocale(LC_ALL, "de_DE.UTF-8") && !setlocale(LC_ALL, "de_DE")) return;
    doubles(state);
    setlocale(LC_ALL, "C");
}

static bool reads(const char *text, double *x)
{
    return dg_parse_double(text, strlen(text), x);
}

static void decimals(void **state)
{
    (void)state;
    double x;
    assert_true(reads("1.5", &x) && x == 1.5);
    assert_true(reads("+2", &x) && x == 2);
    assert_true(reads("-1e-3", &x) && x == -1e-3);
    assert_true(reads(".5", &x) && x == 0.5);
    assert_true(reads("5.", &x) && x == 5);
    assert_true(reads("1e-999", &x) && x == 0);
    static const char *const bad[] = {"",      "+",     ".",      "e5",    "1e",   "1e+",
                                      "nan",   "inf",   "0x10",   "1,5",   "1.5 ", " 1",
                                      "1e999", "1.2.3", "100abc", "1_000", "--1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(reads(bad[i], &x));
    assert_false(dg_parse_double("1\0", 2, &x));
    assert_true(dg_parse_double("12345", 2, &x) && x == 12); /* no further than n */
    char digits[200];
    memset(digits, '1', sizeof digits);
    assert_true(dg_parse_double(digits, sizeof digits, &x) && x > 1e199 && x < 1.2e199);
}

static void integers(void **state)
{
    (void)state;
    int64_t x;
    assert_true(dg_parse_int("42", 2, &x) && x == 42);
    assert_true(dg_parse_int("-7", 2, &x) && x == -7);
    assert_true(dg_parse_int("+7", 2, &x) && x == 7);
    assert_true(dg_parse_int("9223372036854775807", 19, &x) && x == INT64_MAX);
    assert_true(dg_parse_int("-9223372036854775808", 20, &x) && x == INT64_MIN);
    assert_false(dg_parse_int("9223372036854775808", 19, &x));
    assert_false(dg_parse_int("-9223372036854775809", 20, &x));
    assert_false(dg_parse_int("99999999999999999999", 20, &x));
    assert_false(dg_parse_int("", 0, &x));
    assert_false(dg_parse_int("-", 1, &x));
    assert_false(dg_parse_int("1.5", 3, &x));
    assert_false(dg_parse_int("1 ", 2, &x));
}

static void check_quote(const char *bytes, size_t n, const char *wanted)
{
    dg_text t = {0};
    dg_text_quote(&t, bytes, n);
    assert_string_equal(t.at ? t.at : "", wanted);
    dg_text_free(&t);
}

static void quoting(void **state)
{
    (void)state;
    check_quote("plain", 5, "plain");
    check_quote("", 0, "");
    check_quote("a\0b\033[31m", 8, "a\\x00b\\x1b[31m");
    check_quote("\xc3\xa9", 2, "\xc3\xa9");                     /* e acute */
    check_quote("\xc3", 1, "\\xc3");                            /* cut off */
    check_quote("\xc0\xaf", 2, "\\xc0\\xaf");                   /* overlong */
    check_quote("\xed\xa0\x80", 3, "\\xed\\xa0\\x80");          /* surrogate */
    check_quote("\xe2\x80\xae", 3, "\\xe2\\x80\\xae");          /* right-to-left override */
    check_quote("\xc2\x9b", 2, "\\xc2\\x9b");                   /* C1: a terminal's CSI */
    check_quote("\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80"); /* above U+10FFFF */
    char many[200], eighty[100], cut[100];
    memset(many, 'a', sizeof many);
    memset(eighty, 'a', 80);
    eighty[80] = '\0';
    check_quote(many, 80, eighty);
    memset(cut, 'a', 79);
    strcpy(cut + 79, "\xe2\x80\xa6");
    check_quote(many, 81, cut);
    many[78] = '\n'; /* an escape that does not fit is not cut in two */
    cut[78] = '\0';
    strcpy(cut + 78, "\xe2\x80\xa6");
    check_quote(many, 200, cut);
}

static void byte_sizes(void **state)
{
    (void)state;
    char b[32];
    assert_string_equal(dg_bytes_text(0, b), "0 B");
    assert_string_equal(dg_bytes_text(1023, b), "1023 B");
    assert_string_equal(dg_bytes_text(1024, b), "1 KiB");
    assert_string_equal(dg_bytes_text(1536, b), "1.5 KiB");
    assert_string_equal(dg_bytes_text((UINT64_C(1) << 20) - 1, b), "1 MiB");
    assert_string_equal(dg_bytes_text(UINT64_C(4) << 30, b), "4 GiB");
    assert_string_equal(dg_bytes_text(15309210, b), "14.6 MiB");
    assert_string_equal(dg_bytes_text(UINT64_MAX, b), "16 EiB");
}

/* Both ways of formatting give the same bytes and length, whatever the room. */
__attribute__((format(printf, 1, 2))) static void check_format(const char *format, ...)
{
    for (size_t room = 0; room <= 48; room++) {
        char ours[64], theirs[64];
        va_list args, again;
        memset(ours, '?', sizeof ours);
        memset(theirs, '?', sizeof theirs);
        va_start(args, format);
        va_copy(again, args);
        int n = dg_vformat(room > 0 ? ours : NULL, room, format, args);
        int m = vsnprintf(room > 0 ? theirs : NULL, room, format, again);
        va_end(again);
        va_end(args);
        assert_int_equal(n, m);
        if (room > 0) assert_string_equal(ours, theirs);
        for (size_t k = room; k < sizeof ours; k++) assert_int_equal(ours[k], '?');
    }
}

static void formats(void **state)
{
    (void)state;
    check_format("plain");
    check_format("%s", "");
    check_format("%s.%s", "net.unet", "stem");
    check_format("%d %d %d %d", 0, -1, INT_MIN, INT_MAX);
    check_format("%lld|%lld", LLONG_MIN, LLONG_MAX);
    check_format("%.*s|%.*s|%.*s", 3, "abcdef", 9, "abc", -1, "all");
    check_format("%s: %5.1f %% of %zu", "half", 50.0, (size_t)7); /* the rest is left to printf */
    check_format("100 %% of %d", 5);
    check_format("%ld %u %x %s", -3L, 4u, 255u, "end");
}

static void growing_texts(void **state)
{
    (void)state;
    dg_text t = {0};
    for (int i = 0; i < 1000; i++) dg_text_add(&t, "%d,", i % 10);
    assert_int_equal(t.n, 2000);
    assert_int_equal(strlen(t.at), 2000);
    dg_text_addn(&t, "a\0b", 3);
    assert_int_equal(t.n, 2003);
    assert_memory_equal(t.at + 2000, "a\0b", 4);
    dg_text_free(&t);
    assert_null(t.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_text_same_pointer),
        cmocka_unit_test(hash_is_fixed),
        cmocka_unit_test(distances),
        cmocka_unit_test(doubles),
        cmocka_unit_test(doubles_read_back),
        cmocka_unit_test(commas_change_nothing),
        cmocka_unit_test(decimals),
        cmocka_unit_test(integers),
        cmocka_unit_test(quoting),
        cmocka_unit_test(byte_sizes),
        cmocka_unit_test(formats),
        cmocka_unit_test(growing_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/base/json.c: what strict reading refuses, with its byte offset; the canonical writer. */
#include "compiler/base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* NULL when it reads; else the place of the error. */
static const char *place_of_error(dg_diag *d, const char *text, size_t n)
{
    dg_diag_clear(d);
    json_t *j = dg_json_read(d, "E441", "f.json", text, n);
    if (j) {
        json_decref(j);
        assert_int_equal(dg_diag_errors(d), 0);
        return NULL;
    }
    assert_int_equal(dg_diag_errors(d), 1);
    assert_string_equal(dg_diag_at(d, 0)->id, "E441");
    return dg_diag_at(d, 0)->place;
}

static void refusals(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, NULL);
    static const char *const good[] = {"{}", "[1, 2.5, \"x\"]", "{\"a\": {\"b\": null}}",
                                       "3",  " true ",          "[9007199254740993]"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_null(place_of_error(d, good[i], strlen(good[i])));
    static const char *const bad[] = {
        "",      "{",       "{\"a\":1,\"a\":2}",      "[1,]",     "[1] x",       "{'a':1}",
        "[NaN]", "[1e999]", "[99999999999999999999]", "\"\xff\"", "\"\\u0000\"", "[01]",
        "nul"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *place = place_of_error(d, bad[i], strlen(bad[i]));
        if (!place) fail_msg("accepted: %s", bad[i]);
        assert_memory_equal(place, "f.json@", 7);
    }
    assert_string_equal(place_of_error(d, "[1 2]", 5), "f.json@4");
    assert_non_null(place_of_error(d, "[1\0]", 4));
    dg_arena_free(a);
}

static void depth(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, NULL);
    enum { DEEP = 100000 };
    char *text = malloc(2 * DEEP);
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    assert_null(place_of_error(d, text, 128));
    memset(text, '[', DEEP);
    memset(text + DEEP, ']', DEEP);
    assert_string_equal(place_of_error(d, text, 2 * DEEP), "f.json@64");
    /* Brackets in strings do not count, escaped quotes do not end them. */
    memset(text, '[', 200);
    memcpy(text, "\"\\\"", 3);
    text[199] = '"';
    assert_null(place_of_error(d, text, 200));
    free(text);
    dg_arena_free(a);
}

static void integers_are_exact(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, NULL);
    json_t *j = dg_json_read(d, "E441", "f", "[9007199254740993,-9223372036854775808]", 39);
    assert_non_null(j);
    assert_true(json_integer_value(json_array_get(j, 0)) == INT64_C(9007199254740993));
    assert_true(json_integer_value(json_array_get(j, 1)) == INT64_MIN);
    json_decref(j);
    dg_arena_free(a);
}

static void write_sample(dg_json_writer *w)
{
    dg_json_open(w, '{');
    dg_json_key(w, "b");
    dg_json_int(w, INT64_MIN);
    dg_json_key(w, "a");
    dg_json_open(w, '[');
    dg_json_open(w, '{');
    dg_json_key(w, "x");
    dg_json_double(w, 0.1);
    dg_json_key(w, "y");
    dg_json_open(w, '[');
    dg_json_int(w, 1);
    dg_json_int(w, 2);
    dg_json_close(w, ']');
    dg_json_close(w, '}');
    dg_json_bool(w, true);
    dg_json_null(w);
    dg_json_close(w, ']');
    dg_json_key(w, "e");
    dg_json_open(w, '[');
    dg_json_close(w, ']');
    dg_json_key(w, "i");
    dg_json_double(w, -INFINITY);
    dg_json_close(w, '}');
}

static void writing(void **state)
{
    (void)state;
    dg_json_writer w = {0}, p = {.pretty = true};
    write_sample(&w);
    assert_string_equal(
        w.text.at, "{\"b\":-9223372036854775808,\"a\":[{\"x\":0.1,\"y\":[1,2]},true,null],\"e\":[],"
                   "\"i\":\"-inf\"}");
    write_sample(&p);
    assert_string_equal(p.text.at, "{\n"
                                   "  \"b\": -9223372036854775808,\n"
                                   "  \"a\": [\n"
                                   "    {\"x\": 0.1, \"y\": [1, 2]},\n"
                                   "    true,\n"
                                   "    null\n"
                                   "  ],\n"
                                   "  \"e\": [],\n"
                                   "  \"i\": \"-inf\"\n"
                                   "}");
    dg_text_free(&w.text);
    dg_text_free(&p.text);
}

static void texts(void **state)
{
    (void)state;
    dg_json_writer w = {0};
    dg_json_string(&w, "q\" b\\ \n\t\r\x01\x7f \xc3\xa9 \xff");
    assert_string_equal(w.text.at, "\"q\\\" b\\\\ \\n\\t\\u000d\\u0001\\u007f \xc3\xa9 \\ufffd\"");
    dg_text_free(&w.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals), cmocka_unit_test(depth), cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(writing),  cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/base/diag.c: the golden form of messages, as text and as JSON; order, limits, marks, exit
 * codes, explanations. */
#include "compiler/base/diag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static dg_arena *arena;
static dg_sources *sources;
static dg_diag *diag;

static int setup(void **state)
{
    (void)state;
    arena = dg_arena_new();
    sources = dg_sources_new(arena);
    diag = dg_diag_new(arena, sources);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dg_arena_free(arena);
    return 0;
}

static int32_t file_of(const char *text)
{
    return dg_sources_add(sources, "unet.dg", NULL, text, strlen(text));
}

/* The span of the n-th `part` in the file's text, from 0. */
static dg_span span_of(int32_t file, const char *part, int n)
{
    const char *text = dg_source_at(sources, file)->text, *at = strstr(text, part);
    while (n-- > 0) at = strstr(at + 1, part);
    uint32_t begin = (uint32_t)(at - text);
    return (dg_span){file, begin, begin + (uint32_t)strlen(part)};
}

static void check_text(const dg_message *m, const char *wanted)
{
    dg_text t = {0};
    dg_message_text(diag, m, false, &t);
    assert_string_equal(t.at, wanted);
    dg_text_free(&t);
}

static void golden(void **state)
{
    (void)state;
    int32_t f = file_of("block b(h) {\n    h = remat up(concat([h, skips[-1]], 1), emb)\n}\n");
    dg_message *m = dg_error(diag, "E011", span_of(f, "skips[-1]", 0),
                             "concat: operands differ on axis %d: %d and %d", 2, 4, 8);
    dg_extra_add(m, span_of(f, "h", 2));
    dg_beside_set(diag, m, "f32[32, 256, 4, 4] and f32[32, 256, 8, 8]");
    dg_help_add(diag, m, "crop or pad one of them");
    dg_note_add(diag, m, "`h` was bound at unet.dg:1");
    check_text(
        m,
        "unet.dg:2:29: error[E011]: concat: operands differ on axis 2: 4 and 8\n"
        "   2 |     h = remat up(concat([h, skips[-1]], 1), emb)\n"
        "     |                          ~  ^~~~~~~~~ f32[32, 256, 4, 4] and f32[32, 256, 8, 8]\n"
        "  note: `h` was bound at unet.dg:1\n"
        "  help: crop or pad one of them\n");
}

static void golden_places(void **state)
{
    (void)state;
    check_text(
        dg_error_at(diag, "E213", "--threads", "'%s' is not a whole number from 1 to 256", "1.5"),
        "--threads: error[E213]: '1.5' is not a whole number from 1 to 256\n");
    check_text(dg_error_at(diag, "E211", NULL, "unknown verb"), "dg: error[E211]: unknown verb\n");
    check_text(dg_warning_at(diag, "W421", "w.safetensors@8", "1 unused: \"time.freq\""),
               "w.safetensors@8: warning[W421]: 1 unused: \"time.freq\"\n");
}

static void many_digits_widen_the_gutter(void **state)
{
    (void)state;
    dg_text t = {0};
    for (int i = 1; i < 1234; i++) dg_text_addn(&t, "\n", 1);
    dg_text_addn(&t, "x = y", 5);
    int32_t f = file_of(t.at);
    dg_text_free(&t);
    check_text(dg_error(diag, "E018", span_of(f, "y", 0), "no"), "unet.dg:1234:5: error[E018]: no\n"
                                                                 "  1234 | x = y\n"
                                                                 "       |     ^\n");
}

static void odd_places(void **state)
{
    (void)state;
    int32_t f = file_of("x = (\n\ty\n");
    uint32_t end = dg_source_at(sources, f)->length;
    check_text(dg_error(diag, "E003", (dg_span){f, 5, 6}, "newline"), /* on the newline */
               "unet.dg:1:6: error[E003]: newline\n   1 | x = (\n     |      ^\n");
    check_text(dg_error(diag, "E003", (dg_span){f, end, end}, "end of file"),
               "unet.dg:3:1: error[E003]: end of file\n   3 | \n     | ^\n");
    check_text(dg_error(diag, "E003", (dg_span){f, 4, end}, "to the end"), /* a span over lines */
               "unet.dg:1:5: error[E003]: to the end\n   1 | x = (\n     |     ^\n");
    check_text(dg_error(diag, "E003", (dg_span){f, 7, 8}, "behind a tab"), /* one column wide */
               "unet.dg:2:2: error[E003]: behind a tab\n   2 |  y\n     |  ^\n");
    f = file_of("");
    check_text(dg_error(diag, "E003", (dg_span){f, 0, 0}, "empty"),
               "unet.dg:1:1: error[E003]: empty\n   1 | \n     | ^\n");
}

static void bytes_are_escaped(void **state)
{
    (void)state;
    int32_t f = file_of("a\033b\xff = \xc3\xa9 + c\n");
    dg_message *m = dg_error(diag, "E002", span_of(f, "c", 0), "got %s", "\033[2J\n");
    dg_note_add(diag, m, "two\nlines\r");
    check_text(m, "unet.dg:1:12: error[E002]: got \\x1b[2J\\x0a\n"
                  "   1 | a\\x1bb\\xff = \xc3\xa9 + c\n"
                  "     |                  ^\n"
                  "  note: two\n"
                  "        lines\\x0d\n");
    m = dg_error(diag, "E002", (dg_span){f, 1, 2}, "control byte"); /* carets cover the escape */
    check_text(m, "unet.dg:1:2: error[E002]: control byte\n"
                  "   1 | a\\x1bb\\xff = \xc3\xa9 + c\n"
                  "     |  ^~~~\n");
}

static void long_lines_are_cut(void **state)
{
    (void)state;
    dg_text t = {0};
    for (int i = 0; i < 100000; i++) dg_text_addn(&t, "0123456789", 10);
    t.at[500000] = 'X';
    int32_t f = file_of(t.at);
    dg_text_free(&t);
    dg_text_add(&t, "%s", "");
    dg_message *m = dg_error(diag, "E002", (dg_span){f, 500000, 900000}, "here");
    dg_message_text(diag, m, false, &t);
    assert_true(t.n < 400);
    const char *line = strstr(t.at, "  1 | ") + 6, *marks = strstr(t.at, "     | ") + 7;
    assert_memory_equal(line, "\xe2\x80\xa6", 3);
    /* The caret stands under the X: the ellipsis before it is three bytes and one column. */
    assert_int_equal(strchr(line, 'X') - line - 2, strchr(marks, '^') - marks);
    assert_non_null(strstr(marks, "^~~~~"));
    dg_text_free(&t);
}

static void json(void **state)
{
    (void)state;
    int32_t f = file_of("h = linear(h, 64)\n");
    dg_message *m = dg_error(diag, "E041", span_of(f, "linear", 0), "\"linear\" is called\ttwice");
    dg_note_add(diag, m, "first");
    dg_note_add(diag, m, "second");
    dg_help_add(diag, m, "linear@fc2(h, 64)");
    dg_text t = {0};
    dg_message_json(diag, m, &t);
    dg_message_json(diag, dg_warning_at(diag, "W421", "w.st@8", "unused"), &t);
    assert_string_equal(
        t.at,
        "{\"event\":\"error\",\"id\":\"E041\",\"file\":\"unet.dg\",\"line\":1,\"column\":5,"
        "\"end_line\":1,\"end_column\":11,\"message\":\"\\\"linear\\\" is called\\ttwice\","
        "\"notes\":[\"first\",\"second\"],\"help\":\"linear@fc2(h, 64)\"}\n"
        "{\"event\":\"warning\",\"id\":\"W421\",\"place\":\"w.st@8\",\"message\":\"unused\"}\n");
    dg_text_free(&t);
}

static void colours_only_when_asked(void **state)
{
    (void)state;
    int32_t f = file_of("x\n");
    dg_message *m = dg_error(diag, "E018", (dg_span){f, 0, 1}, "no");
    dg_text t = {0};
    dg_message_text(diag, m, true, &t);
    assert_non_null(strstr(t.at, "\033[1;31merror[E018]:\033[0m"));
    dg_text_free(&t);
}

static void sorted_and_limited(void **state)
{
    (void)state;
    int32_t f = file_of("abcdefghijklmnopqrstuvwxyz\n"), g = file_of("abcdef\n");
    dg_error_at(diag, "E213", "--seed", "last: it has no span");
    dg_error(diag, "E018", (dg_span){g, 0, 1}, "other file");
    for (uint32_t i = 20; i > 0; i--) dg_error(diag, "E018", (dg_span){f, i, i + 1}, "%d", (int)i);
    dg_error(diag, "E018", (dg_span){f, 20, 21}, "again at one span"); /* not counted */
    dg_error(diag, "E020", (dg_span){f, 20, 21}, "another id");        /* counted, not kept */
    assert_int_equal(dg_diag_errors(diag), 2 + 20 + 1);
    assert_int_equal(dg_diag_count(diag), 8);
    assert_string_equal(dg_diag_at(diag, 0)->what, "15");
    assert_string_equal(dg_diag_at(diag, 5)->what, "20");
    assert_string_equal(dg_diag_at(diag, 6)->what, "other file");
    assert_int_equal(dg_diag_at(diag, 7)->span.file, -1);
    assert_null(dg_diag_at(diag, 8));
    dg_message *unkept = dg_error(diag, "E031", (dg_span){f, 1, 2}, "too many");
    assert_non_null(unkept);
    for (int i = 0; i < 50; i++) dg_note_add(diag, unkept, "goes nowhere");
    dg_warning(diag, "W421", (dg_span){f, 1, 2}, "warnings have their own room");
    assert_int_equal(dg_diag_count(diag), 9);
    assert_int_equal(dg_diag_warnings(diag), 1);
    dg_diag_clear(diag);
    assert_int_equal(dg_diag_count(diag), 0);
    assert_int_equal(dg_diag_errors(diag), 0);
}

static void one_mistake_one_message(void **state)
{
    (void)state;
    int32_t f = file_of("x\n");
    dg_message *m = dg_error(diag, "E018", (dg_span){f, 0, 1}, "first");
    dg_message *again = dg_error(diag, "E018", (dg_span){f, 0, 1}, "first");
    dg_note_add(diag, again, "a note of the second");
    assert_int_equal(m->n_notes, 0);
    assert_int_equal(dg_diag_errors(diag), 1);
    dg_error_at(diag, "E501", "a", "missing");
    dg_error_at(diag, "E501", "a", "missing");
    dg_error_at(diag, "E501", "b", "missing");
    assert_int_equal(dg_diag_errors(diag), 3);
}

static void marks(void **state)
{
    (void)state;
    int32_t f = file_of("abcdefghijklmnopqrstuvwxyz\n");
    dg_error(diag, "E018", (dg_span){f, 9, 10}, "stays");
    dg_warning(diag, "W421", (dg_span){f, 5, 6}, "stays");
    size_t mark = dg_diag_mark(diag);
    for (uint32_t i = 0; i < 20; i++) dg_error(diag, "E020", (dg_span){f, i, i + 1}, "goes");
    dg_warning(diag, "W421", (dg_span){f, 0, 1}, "goes");
    dg_diag_rewind(diag, mark);
    assert_int_equal(dg_diag_errors(diag), 1);
    assert_int_equal(dg_diag_warnings(diag), 1);
    assert_int_equal(dg_diag_count(diag), 2);
    assert_int_equal(dg_diag_at(diag, 0)->span.begin, 5);
    assert_int_equal(dg_diag_at(diag, 1)->span.begin, 9);
    dg_error(diag, "E020", (dg_span){f, 0, 1}, "room again, and not a repetition");
    assert_int_equal(dg_diag_count(diag), 3);
}

static void exit_codes(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        int code;
    } cases[] = {{"E011", 3}, {"E104", 3}, {"E211", 2}, {"E415", 4}, {"W421", 4}, {"E503", 5},
                 {"E601", 6}, {"E701", 7}, {"E801", 8}, {"E901", 1}, {"x", 1},    {"", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(dg_exit_code(cases[i].id), cases[i].code);
    assert_int_equal(dg_diag_exit_code(diag), 0);
    dg_warning_at(diag, "W421", "a", "unused");
    assert_int_equal(dg_diag_exit_code(diag), 0);
    dg_error_at(diag, "E601", "plan", "needs more");
    assert_int_equal(dg_diag_exit_code(diag), 6);
}

static void strict_makes_errors(void **state)
{
    (void)state;
    dg_diag_strict(diag, true);
    dg_message *m = dg_warning_at(diag, "W421", "w.st", "unused");
    check_text(m, "w.st: error[W421]: unused\n");
    assert_int_equal(dg_diag_errors(diag), 1);
    assert_int_equal(dg_diag_exit_code(diag), 4);
}

static void notes_are_limited(void **state)
{
    (void)state;
    dg_message *m = dg_error_at(diag, "E018", "a", "x");
    for (int i = 0; i < 100; i++) dg_note_add(diag, m, "n");
    for (int i = 0; i < 100; i++) dg_extra_add(m, (dg_span){0, 0, 1});
    assert_int_equal(m->n_notes, 12);
    assert_int_equal(m->n_extra, 4);
}

/* Every id is well formed, stands once, and has something to say. */
static void explanations(void **state)
{
    (void)state;
    size_t n = 0;
    for (const dg_explanation *e; (e = dg_explain_at(n)); n++) {
        assert_int_equal(strlen(e->id), 4);
        assert_true(e->id[0] == 'E' || e->id[0] == 'W');
        assert_int_equal(strspn(e->id + 1, "0123456789"), 3);
        if (dg_explain(e->id) != e) fail_msg("%s is listed twice", e->id);
        assert_true(strlen(e->meaning) > 0 && strlen(e->wrong) > 0 && strlen(e->right) > 0);
        if (e->meaning[strlen(e->meaning) - 1] == '.') fail_msg("%s: no final point", e->id);
    }
    assert_true(n > 20);
    assert_null(dg_explain("E000"));
    assert_string_equal(dg_explain("E061")->id, "E061");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(golden),
        TEST(golden_places),
        TEST(many_digits_widen_the_gutter),
        TEST(odd_places),
        TEST(bytes_are_escaped),
        TEST(long_lines_are_cut),
        TEST(json),
        TEST(colours_only_when_asked),
        TEST(sorted_and_limited),
        TEST(one_mistake_one_message),
        TEST(marks),
        TEST(exit_codes),
        TEST(strict_makes_errors),
        TEST(notes_are_limited),
        TEST(explanations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

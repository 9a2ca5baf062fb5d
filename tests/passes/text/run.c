/* tests/passes/text/run.c: each NAME.ir beside this file, read, passed through the passes of its
 * first line, and compared with NAME.expect. The first line is `# passes: simplify cse`. Every text
 * is also printed, read and printed again, before and after. With DG_BLESS set, the .expect files
 * are rewritten.
 *
 * Each NAME.dg is compiled as far as its first line `# dump: STAGE` says (its only entry, or the
 * one named behind the stage); NAME.expect is the dump, or the messages.
 *
 * What is said of NAME.ir holds for the blocks of docs/ir.md and docs/passes.md: one marked `ir` is
 * a whole module and stands there as it is printed; one marked `ir simplify cse` goes through these
 * passes and gives the block that follows it. */
#include "compiler/base/os.h"
#include "compiler/compile.h"
#include "compiler/ir/print.h"
#include "compiler/ir/verify.h"
#include "compiler/passes/passes.h"
#include "tests/support/graph_run.h"

#include "ops/ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FOLDER "tests/passes/text"

typedef bool pass_fn(dg_module *m, const dg_pass_options *o);
static const struct {
    const char *name;
    pass_fn *run;
} passes[] = {
#define PASS(name, optional, summary) {#name, dg_pass_##name},
#include "compiler/passes/passes.def"
#undef PASS
};

static dg_module *read_text(dg_arena *a, dg_diag *d, const char *name, const char *text, size_t n)
{
    dg_module *m = dg_read_module(a, d, name, text, n, dg_op_find);
    if (m && !dg_verify(m, "reading")) m = NULL;
    if (m) return m;
    dg_text t = {0};
    for (size_t i = 0; i < dg_diag_count(d); i++) dg_message_text(d, dg_diag_at(d, i), false, &t);
    fail_msg("%s: %s", name, t.at);
    return NULL;
}

/* Printed, read and printed again: the same text. */
static void round_trip(const dg_module *m, const char *name)
{
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, dg_sources_new(a));
    dg_text one = {0}, two = {0};
    dg_print_module(m, &one);
    dg_module *again = read_text(a, d, name, one.at, one.n);
    dg_print_module(again, &two);
    assert_string_equal(one.at, two.at);
    dg_module_free(again);
    dg_text_free(&one);
    dg_text_free(&two);
    dg_arena_free(a);
}

static void run_passes(dg_module *m, const char *line, const char *name)
{
    dg_pass_options o = {0};
    for (const char *at = line; *at && *at != '\n';) {
        size_t n = strcspn(at, " \n");
        size_t k = 0;
        while (k < sizeof passes / sizeof *passes &&
               (strlen(passes[k].name) != n || strncmp(passes[k].name, at, n) != 0))
            k++;
        if (k == sizeof passes / sizeof *passes) fail_msg("%s: no pass `%.*s`", name, (int)n, at);
        bool good = passes[k].run(m, &o);
        dg_module_compact(m);
        if (!good || !dg_verify(m, passes[k].name)) fail_msg("%s: %s", name, test_messages(m));
        at += n;
        at += strspn(at, " ");
    }
}

static void one_text(const char *file)
{
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, dg_sources_new(a));
    dg_file text, expect;
    char *path = dg_path_join(a, FOLDER, file);
    assert_true(dg_file_read(d, path, 1 << 20, &text));
    const char key[] = "# passes: ", *line = strstr((const char *)text.bytes, key);
    if (!line) fail_msg("%s has no line `%s...`", file, key);
    dg_module *m = read_text(a, d, file, (const char *)text.bytes, text.length);
    round_trip(m, file);
    run_passes(m, line + strlen(key), file);
    round_trip(m, file);

    dg_text out = {0};
    dg_print_module(m, &out);
    char *expected = dg_arena_printf(a, "%.*s.expect", (int)(strlen(path) - 3), path);
    if (getenv("DG_BLESS")) {
        assert_true(dg_file_replace(d, expected, out.at, out.n));
    } else {
        assert_true(dg_file_read(d, expected, 1 << 20, &expect));
        assert_string_equal(out.at, (const char *)expect.bytes);
        dg_file_close(&expect);
    }
    dg_text_free(&out);
    dg_file_close(&text);
    dg_module_free(m);
    dg_arena_free(a);
}

static void texts(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, NULL);
    char **names;
    size_t n, ran = 0;
    assert_true(dg_folder_list(d, a, FOLDER, &names, &n));
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(names[i]);
        if (length < 4 || strcmp(names[i] + length - 3, ".ir") != 0) continue;
        one_text(names[i]);
        ran++;
    }
    assert_true(ran > 0);
    dg_arena_free(a);
}

/* ---- sources ---- */

static void one_source(const char *file)
{
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, dg_sources_new(a));
    dg_file text, expect;
    char *path = dg_path_join(a, FOLDER, file),
         *expected = dg_arena_printf(a, "%.*s.expect", (int)(strlen(path) - 3), path);
    assert_true(dg_file_read(d, path, 1 << 20, &text));
    char stage[64] = "", entry[64] = "";
    const char key[] = "# dump: ", *line = strstr((const char *)text.bytes, key);
    if (!line || sscanf(line + strlen(key), "%63[a-z]%*1[ ]%63[a-z_]", stage, entry) < 1)
        fail_msg("%s has no line `%s...`", file, key);
    const char *const lib[] = {"graphs", NULL};
    dg_front_options source = {
        .path = file, .text = (const char *)text.bytes, .length = text.length, .lib = lib};
    dg_text out = {0};
    dg_compile_options o = {.source = &source,
                            .entry = *entry ? entry : NULL,
                            .passes = {.isa = DG_GENERIC, .verify = true},
                            .dump = stage,
                            .dump_text = &out};
    dg_compilation *c = dg_compile(d, &o);
    for (size_t i = 0; i < dg_diag_count(d); i++) dg_message_text(d, dg_diag_at(d, i), false, &out);
    if (getenv("DG_BLESS")) {
        assert_true(dg_file_replace(d, expected, out.at, out.n));
    } else {
        assert_true(dg_file_read(d, expected, 1 << 20, &expect));
        assert_string_equal(out.at ? out.at : "", (const char *)expect.bytes);
        dg_file_close(&expect);
    }
    dg_compilation_free(c);
    dg_text_free(&out);
    dg_file_close(&text);
    dg_arena_free(a);
}

static void sources(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    char **names;
    size_t n, ran = 0;
    assert_true(dg_folder_list(dg_diag_new(a, NULL), a, FOLDER, &names, &n));
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(names[i]);
        if (length < 4 || strcmp(names[i] + length - 3, ".dg") != 0) continue;
        one_source(names[i]);
        ran++;
    }
    assert_true(ran > 0);
    dg_arena_free(a);
}

/* ---- blocks of the documentation ---- */

static void one_document(const char *path)
{
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, dg_sources_new(a));
    dg_file text;
    assert_true(dg_file_read(d, path, 1 << 20, &text));
    const char fence[] = "\n```ir", *expected = NULL;
    int blocks = 0;
    for (const char *at = (const char *)text.bytes; (at = strstr(at, fence)) != NULL; blocks++) {
        const char *line = at + strlen(fence), *begin = strchr(line, '\n') + 1,
                   *end = strstr(begin, "```");
        assert_non_null(end);
        dg_module *m = read_text(a, d, path, begin, (size_t)(end - begin));
        round_trip(m, path);
        dg_text out = {0};
        dg_print_module(m, &out);
        assert_string_equal(out.at, dg_arena_text(a, begin, (size_t)(end - begin)));
        if (expected) assert_string_equal(out.at, expected);
        expected = NULL;
        if (*line == ' ') {
            run_passes(m, line + 1, path);
            out.n = 0;
            dg_print_module(m, &out);
            expected = dg_arena_text(a, out.at, out.n);
        }
        dg_text_free(&out);
        dg_module_free(m);
        at = end;
    }
    assert_null(expected); /* a block to be transformed is followed by its result */
    assert_true(blocks > 0);
    dg_file_close(&text);
    dg_arena_free(a);
}

static void documents(void **state)
{
    (void)state;
    one_document("docs/ir.md");
    one_document("docs/passes.md");
}

/* ---- texts that do not read ---- */

static void broken_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "E070 a dump of IR: expected `entry`"},
        {"entry \"e\"\ngraph {\n  %0: f32 = sun()\n}\n", "E070 a dump of IR: there is no op `sun`"},
        {"entry \"e\"\ngraph {\n  %1: f32 = neg(%0)\n}\n", "E070 a dump of IR: %0 is not made yet"},
        {"entry \"e\"\ngraph {\n  %0: f33 = neg()\n}\n", "E070 a dump of IR: expected a dtype"},
        {"entry \"e\"\ngraph {\n  %0: f32 = constant {dtype = f32, shape = [], data = [1.0]\n",
         "E070 a dump of IR: expected `}`"},
        {"entry \"e\"\ngraph {\n  %0: f32 = constant {dtype = f32}\n}\n",
         "E070 a dump of IR: constant lacks `shape`"},
        {"entry \"e\"\nplace @1 param f32 \"w\"\n",
         "E070 a dump of IR: tables are numbered from 0 without gaps"},
        {"entry \"e\"\ngraph {\n}\nmore", "E070 a dump of IR: text after the end"},
        {"entry \"e\"\ngraph {\n  %0: f32[99999999, 99999999, 9999] = neg()\n}\n",
         "E070 a dump of IR: a shape that is too large"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        dg_arena *a = dg_arena_new();
        dg_diag *d = dg_diag_new(a, dg_sources_new(a));
        assert_null(dg_read_module(a, d, "x.ir", cases[k].text, strlen(cases[k].text), dg_op_find));
        assert_int_equal(dg_diag_count(d), 1);
        const dg_message *m = dg_diag_at(d, 0);
        assert_string_equal(dg_arena_printf(a, "%s %s", m->id, m->what), cases[k].message);
        dg_arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts), cmocka_unit_test(sources),
                                       cmocka_unit_test(documents), cmocka_unit_test(broken_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

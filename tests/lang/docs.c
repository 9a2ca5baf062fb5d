/* docs.c: each block of docs/ that is marked `dg` is a complete file: it is checked, and all its
 * entries and tests are elaborated, so that what a user reads there compiles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/base/os.h"
#include "compiler/front/front.h"
#include "compiler/ir/verify.h"
#include "ops/ops.h"

static void fail_with(const dg_diag *d, const char *what)
{
    dg_text out = {0};
    for (size_t i = 0; i < dg_diag_count(d); i++) dg_message_text(d, dg_diag_at(d, i), false, &out);
    fail_msg("%s:\n%s", what, out.at ? out.at : "no message");
}

static void compile_block(const char *name, const char *text, size_t n)
{
    static const char *const library[] = {"graphs", NULL};
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, dg_sources_new(a));
    dg_front_options o = {.path = name, .text = text, .length = n, .lib = library};
    dg_front *f = dg_front_open(a, d, &o);
    if (!f || !dg_front_check(f, a)) fail_with(d, name);
    const dg_entry_info *entries;
    int count = dg_front_entries(f, &entries);
    for (int i = 0; i < count; i++) {
        dg_module *m = dg_front_elaborate(f, a, &entries[i], NULL, 0, dg_op_find);
        if (!m || !dg_verify(m, "front")) fail_with(d, entries[i].name);
        dg_module_free(m);
    }
    if (dg_diag_count(d) > 0) fail_with(d, name); /* warnings, too */
    dg_arena_free(a);
}

static int compile_blocks(const char *path)
{
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, dg_sources_new(a));
    dg_file file;
    if (!dg_file_read(d, path, 16u << 20, &file)) fail_with(d, path);
    char *text = dg_arena_text(a, (const char *)file.bytes, file.length);
    dg_file_close(&file);
    static const char open[] = "\n```dg\n";
    int blocks = 0;
    for (char *at = strstr(text, open); at; at = strstr(at, open)) {
        int line = 2;
        for (const char *c = text; c < at; c++) line += *c == '\n';
        at += sizeof open - 1;
        char *end = strstr(at, "\n```");
        assert_non_null(end);
        compile_block(dg_arena_printf(a, "%s:%d", path, line), at, (size_t)(end + 1 - at));
        at = end;
        blocks++;
    }
    dg_arena_free(a);
    return blocks;
}

static void blocks_compile(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, dg_sources_new(a));
    char **names;
    size_t n;
    int blocks = 0;
    assert_true(dg_folder_list(d, a, "docs", &names, &n));
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(names[i]);
        if (length > 3 && strcmp(names[i] + length - 3, ".md") == 0)
            blocks += compile_blocks(dg_path_join(a, "docs", names[i]));
    }
    assert_true(blocks >= 10);
    assert_int_equal(compile_blocks("README.md"), 1);
    dg_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(blocks_compile)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

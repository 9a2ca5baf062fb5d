/* tests/plans/text/run.c: the plan of each NAME.ir beside this file, as text, compared with
 * NAME.expect; the checker passes on it, on
 * the plan without optional passes, and on the reference. With DG_BLESS set, the .expect files are
 * rewritten. */
#include "tests/plans/plan_of.h"

#define FOLDER "tests/plans/text"

static void one(const char *file)
{
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, NULL);
    dg_file text, expect;
    char *path = dg_path_join(a, FOLDER, file);
    assert_true(dg_file_read(d, path, 1 << 20, &text));
    const char *const all[] = {"expand", "simplify", "cse", "hoist", "fuse", "schedule", NULL};
    const char *copy = dg_arena_text(a, (const char *)text.bytes, text.length);
    plan_text plain = plan_of(file, copy, all, false), reference = plan_of(file, copy, NULL, true),
              t = plan_of(file, copy, NULL, false);
    assert_true(t.plan->arena_bytes <= plain.plan->naive || t.plan->naive == plain.plan->naive);

    dg_text out = {0};
    dg_explain_text(t.plan, &(dg_explain_options){.canonical = true, .width = 120, .threads = 2},
                    &out);
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
    plan_text_free(&t);
    plan_text_free(&plain);
    plan_text_free(&reference);
    dg_arena_free(a);
}

static void texts(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    char **names;
    size_t n;
    assert_true(dg_folder_list(dg_diag_new(a, NULL), a, FOLDER, &names, &n));
    for (size_t i = 0; i < n; i++) {
        const char *dot = strrchr(names[i], '.');
        if (dot && strcmp(dot, ".ir") == 0) one(names[i]);
    }
    dg_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

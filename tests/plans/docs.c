/* docs/plans.md: each block marked `ir plan` gives the block marked `plan` behind it. With DG_BLESS
 * set, the latter are rewritten. */
#include "tests/plans/plan_of.h"

#define FILE_NAME "docs/plans.md"

static void blocks(void **state)
{
    (void)state;
    static const char open[] = "```ir plan\n", result[] = "```plan\n", close[] = "```\n";
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, NULL);
    dg_file f;
    assert_true(dg_file_read(d, FILE_NAME, 1 << 20, &f));
    char *doc = dg_arena_text(a, (const char *)f.bytes, f.length), *at = doc;
    dg_file_close(&f);
    dg_text out = {0};
    int n = 0;
    for (char *ir; (ir = strstr(at, open)); n++) {
        ir += strlen(open);
        char *end = strstr(ir, close), *want = end ? strstr(end, result) : NULL,
             *last = want ? strstr(want + strlen(result), close) : NULL;
        assert_non_null(last);
        want += strlen(result);
        dg_text_addn(&out, at, (size_t)(want - at));
        plan_text t = plan_of(FILE_NAME, dg_arena_text(a, ir, (size_t)(end - ir)), NULL, false);
        dg_text plan = {0};
        dg_explain_text(
            t.plan, &(dg_explain_options){.canonical = true, .threads = 2, .width = 100}, &plan);
        if (!getenv("DG_BLESS"))
            assert_string_equal(plan.at, dg_arena_text(a, want, (size_t)(last - want)));
        dg_text_addn(&out, plan.at, plan.n);
        dg_text_free(&plan);
        plan_text_free(&t);
        at = last;
    }
    assert_true(n > 0);
    dg_text_addn(&out, at, strlen(at));
    if (getenv("DG_BLESS")) assert_true(dg_file_replace(d, FILE_NAME, out.at, out.n));
    dg_text_free(&out);
    dg_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(blocks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* run.c: golden texts. For each tests/lang/parse/NAME.dg the file NAME.expect holds the messages
 * when the text is wrong, and otherwise the outline of its tree, a line of dashes, and the
 * canonical text. DG_BLESS=1 rewrites them. */
#include "tests/lang/parse_support.h"

static int blessed;

static void compare(const char *path, const char *text, size_t n)
{
    parsed p = parse_bytes(dg_path_base(path), text, n);
    dg_text seen = {0};
    if (dg_diag_count(p.diag) > 0) {
        assert_false(p.tree->ok);
        dg_text_add(&seen, "%s", messages(&p));
    } else {
        assert_true(p.tree->ok);
        dg_text_add(&seen, "%s", outline(&p));
        dg_text_add(&seen, "--------\n%s", formatted(&p));
    }
    char expect[512];
    snprintf(expect, sizeof expect, "%.*s.expect", (int)(strlen(path) - 3), path);
    if (getenv("DG_BLESS")) {
        assert_true(dg_file_replace(p.diag, expect, seen.at, seen.n));
        blessed++;
    } else {
        dg_file file;
        if (!dg_file_read(p.diag, expect, 1u << 20, &file))
            fail_msg("%s is missing; DG_BLESS=1 writes it", expect);
        char *wanted = strndup((const char *)file.bytes, file.length);
        if (strcmp(seen.at, wanted) != 0)
            fail_msg("%s: wanted\n%s\nseen\n%s", expect, wanted, seen.at);
        free(wanted);
        dg_file_close(&file);
    }
    dg_text_free(&seen);
    parsed_free(&p);
}

static void golden_texts(void **state)
{
    (void)state;
    assert_true(each_dg_file("tests/lang/parse", compare) >= 20);
    if (blessed) print_message("%d texts written\n", blessed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(golden_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

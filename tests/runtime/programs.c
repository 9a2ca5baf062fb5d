/* tests/runtime/programs.c: a program's files are read once, for all plans made from it; plans
 * outlive the program; what could not be compiled is read again, and reported again. */
#include "runtime/session.h"
#include "tests/support/temp.h"

#include <dg/dg.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static dg_context *context;
static int reports;
static char last_id[8];

static void on_message(void *user, const dg_report *r)
{
    (void)user;
    reports++;
    snprintf(last_id, sizeof last_id, "%s", r->id);
}

static int setup(void **state)
{
    context = dg_context_new(&(dg_options){.threads = 1, .message = on_message});
    return context ? temp_enter(state) : -1;
}

static int teardown(void **state)
{
    dg_context_free(context);
    return temp_leave(state);
}

static void write_text(const char *path, const char *text)
{
    temp_write(path, text, strlen(text));
}

static const char layer[] = "config width = 3\n"
                            "const rows = 2 * width\n"
                            "block layer(x: f32[N]) -> f32[rows, N] {\n"
                            "  param w : f32[rows, 1] = rand@init([rows, 1])\n"
                            "  return w * x[_, :]\n"
                            "}\n";
static const char model[] = "import \"layer.dg\"\n"
                            "entry one(x: f32[2]) -> f32[rows, 2] { return layer(x) }\n"
                            "entry two(x: f32[4]) -> f32[rows, 4] { return layer(x) * 2.0 }\n";

static void write_model(void)
{
    write_text("layer.dg", layer);
    write_text("model.dg", model);
}

static int64_t rows(dg_plan *plan)
{
    const dg_tensor_info *out;
    assert_int_equal(dg_plan_outputs(plan, &out), 1);
    return out[0].dims[0];
}

static void files_are_read_once(void **state)
{
    (void)state;
    write_model();
    dg_program *p = dg_program_open(context, "model.dg", NULL, 0);
    const dg_entry *entries;
    assert_int_equal(dg_program_entries(p, &entries), 2);
    unlink("model.dg");
    unlink("layer.dg");
    dg_plan *one = dg_plan_compile(p, "one", NULL, 0), *two = dg_plan_compile(p, "two", NULL, 0);
    assert_non_null(one);
    assert_non_null(two);
    char *text = dg_plan_dump(p, "two", NULL, 0, "graph");
    assert_non_null(text);
    dg_free(text);

    /* The plans keep what they need of it, for their initialisers too. */
    dg_program_free(p);
    assert_int_equal(rows(one), 6);
    dg_plan_close(one);
    dg_store *store = dg_store_new(context);
    dg_session *s = dg_session_new(two, store);
    assert_int_equal(dg_session_bind(s, "x", (float[4]){1, 2, 3, 4}, 16), DG_OK);
    assert_int_equal(dg_session_run(s), DG_OK);
    dg_session_free(s);
    dg_store_free(store);
    dg_plan_close(two);
}

static void settings_are_the_programs_own(void **state)
{
    (void)state;
    write_model();
    dg_arg_text width = {"width", "5", NULL};
    dg_program *p = dg_program_open(context, "model.dg", NULL, 0),
               *q = dg_program_open(context, "model.dg", &width, 1);
    dg_plan *of_p = dg_plan_compile(p, "one", NULL, 0), *of_q = dg_plan_compile(q, "one", NULL, 0);
    assert_int_equal(rows(of_p), 6);
    assert_int_equal(rows(of_q), 10);
    dg_plan_close(of_p);
    dg_plan_close(of_q);
    dg_program_free(p);
    dg_program_free(q);
}

static void errors_come_each_time(void **state)
{
    (void)state;
    dg_arg_text wrong = {"height", "5", NULL};
    write_model();
    dg_program *p = dg_program_open(context, "model.dg", &wrong, 1);
    for (int i = 1; i <= 2; i++) {
        reports = 0;
        assert_null(dg_plan_compile(p, "one", NULL, 0));
        assert_int_equal(reports, 1);
        assert_string_equal(last_id, "E131");
    }
    dg_program_free(p);

    /* A value that fails is not taken for known by the next compilation. */
    write_text("layer.dg", "const bad = [1.0, 2.0][5]\n");
    write_text("model.dg", "import \"layer.dg\"\n"
                           "entry fine(x: f32[2]) -> f32[2] { return x }\n"
                           "entry one(x: f32[2]) -> f32[2] { return x * bad }\n");
    p = dg_program_open(context, "model.dg", NULL, 0);
    dg_plan *fine = dg_plan_compile(p, "fine", NULL, 0);
    assert_non_null(fine);
    for (int i = 1; i <= 2; i++) {
        reports = 0;
        assert_null(dg_plan_compile(p, "one", NULL, 0));
        assert_int_equal(reports, 1);
    }
    /* What has been mended meanwhile is read. */
    write_text("layer.dg", "const bad = 2.0\n");
    dg_plan *mended = dg_plan_compile(p, "one", NULL, 0);
    assert_non_null(mended);
    dg_plan_close(mended);
    dg_plan_close(fine);
    dg_program_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read_once),
        cmocka_unit_test(settings_are_the_programs_own),
        cmocka_unit_test(errors_come_each_time),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

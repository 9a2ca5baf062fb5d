/* What is asked about a plan: --peak, --why, --format=csv and trace, --diff. On a plan small enough
 * to know the answers. */
#include "compiler/base/json.h"
#include "tests/plans/plan_of.h"

/* h waits for the last step while two larger values come and go. */
static const char text[] =
    "train \"step\"\nplace @0 param f32[8, 8] \"net.w\"\ninput @0 f32[8, 8] \"x\"\n"
    "output @0 f32[8, 8] \"result\"\ngraph {\n"
    "  %0: f32[8, 8] = place {index = 0, dtype = f32, shape = [8, 8]}  # net.w | net\n"
    "  %1: f32[8, 8] = input {index = 0, dtype = f32, shape = [8, 8]}  # x | \"\"\n"
    "  %2: f32[8, 8] = matmul(%1, %0) {tx = 0, ty = 0}  # net.h | net.first\n"
    "  %3: f32[8, 8] = softmax(%2) {axis = 1}  # net.p | net.second\n"
    "  %4: f32[8, 8] = matmul(%3, %0) {tx = 0, ty = 0}  # net.q | net.second\n"
    "  %5: f32[8, 8] = loop(%4) {trips = 30, stop = 0} (%6: i32, %7: f32[8, 8]) {  # y | \"\"\n"
    "    %8: f32[8, 8] = matmul(%7, %0) {tx = 0, ty = 0}  # product | \"\"\n"
    "    yield %8\n  }\n"
    "  %9: f32[8, 8] = matmul(%5, %2) {tx = 0, ty = 0} backward  # last | net.first\n"
    "  output(%9) {index = 0}\n}\n";

static const char *written(const plan_text *t, dg_text *out)
{
    const char *copy = dg_arena_text(t->arena, out->at ? out->at : "", out->n);
    dg_text_free(out);
    return copy;
}

static void holds(const char *text_, const char *part)
{
    if (!strstr(text_, part)) fail_msg("no '%s' in\n%s", part, text_);
}

static void peak(void **state)
{
    (void)state;
    plan_text t = plan_of("step", text, NULL, false);
    dg_explain_options o = {.depth = 3};
    dg_text out = {0};
    dg_explain_peak(t.plan, &o, &out);
    const char *said = written(&t, &out);
    holds(said, "are taken at step");
    holds(said, "(all)");
    holds(said, "net.h  made at step 0, last read at");
    holds(said, "residual");
    dg_explain_peak_json(t.plan, &o, &out);
    json_t *root = dg_json_read(t.diag, "E228", "peak", out.at, out.n);
    assert_non_null(root);
    assert_int_equal(json_integer_value(json_object_get(root, "bytes")), t.plan->bound);
    /* the owners are the sum, and so is the first scope, which holds all */
    size_t i;
    json_t *e;
    int64_t sum = 0;
    json_array_foreach(json_object_get(root, "owners"), i, e) sum +=
        json_integer_value(json_object_get(e, "bytes"));
    assert_int_equal(sum, t.plan->bound);
    e = json_array_get(json_object_get(root, "scopes"), 0);
    assert_string_equal(json_string_value(json_object_get(e, "scope")), "");
    assert_int_equal(json_integer_value(json_object_get(e, "bytes")), t.plan->bound);
    json_decref(root);
    dg_text_free(&out);
    plan_text_free(&t);
}

static void no_arena(void **state)
{
    (void)state;
    plan_text t = plan_of("none",
                          "entry \"none\"\ninput @0 f32[2] \"x\"\noutput @0 f32[2] \"y\"\ngraph {\n"
                          "  %0: f32[2] = input {index = 0, dtype = f32, shape = [2]}\n"
                          "  output(%0) {index = 0}\n}\n",
                          NULL, false);
    dg_text out = {0};
    dg_explain_peak(t.plan, &(dg_explain_options){0}, &out);
    assert_string_equal(written(&t, &out), "the plan takes no arena\n");
    plan_text_free(&t);
}

static void why(void **state)
{
    (void)state;
    plan_text t = plan_of("step", text, NULL, false);
    const char *close, *said;
    dg_text out = {0};
    assert_true(dg_explain_why(t.plan, "net.h", false, &out, &close));
    said = written(&t, &out);
    holds(said, "net.h  f32 8x8  256 B  residual");
    holds(said, "made by @0 matmul");
    holds(said, "from net.w");
    holds(said, "read by\n  @1 softmax");
    assert_true(dg_explain_why(t.plan, "@1", false, &out, &close));
    said = written(&t, &out);
    holds(said, "@1 softmax");
    holds(said, "in net.second");
    assert_true(dg_explain_why(t.plan, "net.w", false, &out, &close)); /* a place */
    holds(written(&t, &out), "in weights");
    assert_true(dg_explain_why(t.plan, "%0", false, &out, &close));
    written(&t, &out);
    assert_false(dg_explain_why(t.plan, "net.hh", false, &out, &close));
    assert_string_equal(close, "net.h");
    dg_why_steps_of(t.plan, "net.second.fused", &out); /* a value that is not stored */
    said = written(&t, &out);
    holds(said, "@1 softmax");
    holds(said, "net.p, @2 matmul");
    static const char *const wrong[] = {"@", "@9999", "@-1", "%x", "%1 ", "", "nothing like it"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(dg_explain_why(t.plan, wrong[i], false, &out, &close));
    dg_text_free(&out);
    plan_text_free(&t);
}

static void csv(void **state)
{
    (void)state;
    plan_text t = plan_of("step", text, NULL, false);
    dg_text out = {0};
    dg_explain_csv(t.plan, &out);
    int lines = 0, commas = 0, first = 0;
    for (size_t i = 0; i < out.n; i++) {
        commas += out.at[i] == ',';
        if (out.at[i] != '\n') continue;
        if (lines++ == 0) first = commas;
        assert_int_equal(commas, first); /* no text of this plan holds one */
        commas = 0;
    }
    assert_int_equal(lines, t.plan->n_steps + 1);
    dg_text_free(&out);
    plan_text_free(&t);
}

/* 20 trips and the rest; time goes on, and ends where the steps' sum is. */
static void trace(void **state)
{
    (void)state;
    plan_text t = plan_of("step", text, NULL, false);
    double *ns = DG_NEW_ARRAY(t.arena, double, t.plan->n_steps), sum = 0, end = 0;
    for (int i = 0; i < t.plan->n_steps; i++) {
        bool kernel = t.plan->steps[i].kind == DG_STEP_KERNEL;
        ns[i] = kernel ? 3000.0 * (i + 1) * (t.plan->steps[i].loop >= 0 ? 30 : 1) : 0;
        sum += ns[i] / 1e3;
    }
    dg_text out = {0};
    dg_explain_trace(t.plan, ns, &out);
    json_t *root = dg_json_read(t.diag, "E228", "trace", out.at, out.n), *e;
    assert_non_null(root);
    size_t i;
    int products = 0, rest = 0;
    json_array_foreach(json_object_get(root, "traceEvents"), i, e)
    {
        double at = json_number_value(json_object_get(e, "ts"));
        assert_true(at >= end - 1e-6);
        end = at + json_number_value(json_object_get(e, "dur")); /* none: 0 */
        products += strcmp(json_string_value(json_object_get(e, "name")), "product") == 0;
        rest += strstr(json_string_value(json_object_get(e, "name")), "trips 20 to 29") != NULL;
    }
    assert_int_equal(products, 20);
    assert_int_equal(rest, 1);
    assert_true(end > sum * 0.999 && end < sum * 1.001);
    json_decref(root);
    dg_text_free(&out);
    plan_text_free(&t);
}

static const char *json_of(const plan_text *t)
{
    dg_text out = {0};
    dg_explain_json(t->plan, &(dg_explain_options){.canonical = true}, &out);
    return written(t, &out);
}

static void differences(void **state)
{
    (void)state;
    const char *const skip[] = {"fuse", NULL};
    plan_text a = plan_of("step", text, NULL, false), b = plan_of("step", text, skip, false);
    dg_arena *arena = dg_arena_new();
    char *other = dg_arena_text(arena, text, strlen(text));
    memcpy(strstr(other, "softmax(%2) {axis = 1}  # net.p"), "softmax(%2) {axis = 0}  # net.r",
           strlen("softmax(%2) {axis = 1}  # net.p"));
    plan_text c = plan_of("step", other, NULL, false);
    const char *ja = json_of(&a), *jb = json_of(&b), *jc = json_of(&c);
    dg_plan_text ta = {"a.json", ja, strlen(ja)}, tb = {"b.json", jb, strlen(jb)},
                 tc = {"c.json", jc, strlen(jc)}, none = {"d.json", "{}", 2};
    dg_plan_difference found;
    dg_text out = {0};
    assert_true(dg_plan_diff(a.diag, &ta, &ta, &found, &out));
    assert_int_equal(found.n, 0);
    assert_string_equal(written(&a, &out), "the plans are the same\n");
    assert_true(dg_plan_diff(a.diag, &ta, &tc, &found, &out));
    assert_true(found.n >= 2);
    const char *said = written(&a, &out);
    holds(said, "  - net.p");
    holds(said, "  + net.r");
    assert_int_equal(found.peak_before, found.peak_after);
    assert_true(dg_plan_diff(a.diag, &ta, &tb, &found, &out));
    written(&a, &out);
    assert_false(dg_plan_diff(a.diag, &ta, &none, &found, &out));
    assert_string_equal(dg_diag_at(a.diag, 0)->id, "E228");
    none = (dg_plan_text){"e.json", "{", 1};
    assert_false(dg_plan_diff(a.diag, &ta, &none, &found, &out));
    dg_text_free(&out);
    plan_text_free(&a);
    plan_text_free(&b);
    plan_text_free(&c);
    dg_arena_free(arena);
}

/* Results of --analyze: names of both sides, the largest change first. */
static void times(void **state)
{
    (void)state;
    const char *slow =
        "{\"format\": \"dg-analysis/1.0\", \"threads\": 2, \"ms\": 10.0, \"arena_planned\": 2048,\n"
        "\"phases\": [{\"name\": \"forward\", \"ms\": 10.0}],\n"
        "\"kernels\": [{\"name\": \"conv2d\", \"ms\": 7.0}, {\"name\": \"silu\", \"ms\": 3.0}],\n"
        "\"scopes\": [{\"name\": \"net\", \"ms\": 10.0}]}";
    const char *quick =
        "{\"format\": \"dg-analysis/1.0\", \"threads\": 1, \"ms\": 8.0, \"arena_planned\": 1024,\n"
        "\"phases\": [{\"name\": \"forward\", \"ms\": 8.0}],\n"
        "\"kernels\": [{\"name\": \"conv2d\", \"ms\": 7.5}, {\"name\": \"winograd\", \"ms\": "
        "0.5}],\n"
        "\"scopes\": [{\"name\": \"net\", \"ms\": 8.0}]}";
    plan_text p = plan_of("step", text, NULL, false);
    const char *json = json_of(&p);
    dg_plan_text a = {"a.json", slow, strlen(slow)}, b = {"b.json", quick, strlen(quick)},
                 plan = {"p.json", json, strlen(json)};
    dg_plan_difference found;
    dg_text out = {0};
    assert_true(dg_plan_diff(p.diag, &a, &b, &found, &out));
    assert_string_equal(written(&p, &out), "run: 10.000 -> 8.000 ms  (-20.0 %)\n"
                                           "threads: 2 -> 1\n"
                                           "arena: 2 KiB -> 1 KiB\n"
                                           "\n before ms    after ms      change  phase\n"
                                           "    10.000       8.000      -2.000  forward\n"
                                           "\n before ms    after ms      change  kernel\n"
                                           "     3.000           -      -3.000  silu\n"
                                           "     7.000       7.500      +0.500  conv2d\n"
                                           "         -       0.500      +0.500  winograd\n"
                                           "\n before ms    after ms      change  scope\n"
                                           "    10.000       8.000      -2.000  net\n");
    assert_true(found.n > 0 && found.ms_before == 10 && found.ms_after == 8);
    assert_true(found.peak_before == 2048 && found.peak_after == 1024);
    assert_true(dg_plan_diff(p.diag, &a, &a, &found, &out));
    assert_int_equal(found.n, 0);
    assert_true(dg_plan_diff(p.diag, &plan, &plan, &found, &out));
    assert_true(found.ms_before == 0 && found.ms_after == 0);
    assert_false(dg_plan_diff(p.diag, &a, &plan, &found, &out));
    assert_string_equal(dg_diag_at(p.diag, 0)->id, "E228");
    dg_text_free(&out);
    plan_text_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(peak),  cmocka_unit_test(no_arena),
                                       cmocka_unit_test(why),   cmocka_unit_test(csv),
                                       cmocka_unit_test(trace), cmocka_unit_test(differences),
                                       cmocka_unit_test(times)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

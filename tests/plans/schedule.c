/* The order of steps: what it must keep, and what it should find. */
#include "tests/plans/plan_of.h"

enum { BRANCHES = 6 };

/* Large values, each with a small result, all large ones first as a program might be written: done
 * one after the other, one large value is alive at a time. */
static void one_branch_at_a_time(void **state)
{
    (void)state;
    dg_text text = {0};
    dg_text_add(&text,
                "entry \"main\"\ninput @0 f32[64, 64] \"x\"\noutput @0 f32[64, 1] \"y\"\ngraph {\n"
                "  %%0: f32[64, 64] = input {index = 0, dtype = f32, shape = [64, 64]}\n");
    for (int i = 0; i < BRANCHES; i++) {
        dg_text_add(
            &text,
            "  %%%d: f32[64, 64] = constant {dtype = f32, shape = [64, 64], data = [%d.5]}\n",
            100 + i, i);
        dg_text_add(&text, "  %%%d: f32[64, 64] = matmul(%%0, %%%d) {tx = 0, ty = 0}\n", i + 1,
                    100 + i);
    }
    for (int i = 0; i < BRANCHES; i++)
        dg_text_add(&text, "  %%%d: f32[64, 1] = max(%%%d) {axes = [1], keep = 1}\n", i + 20,
                    i + 1);
    dg_text_add(&text, "  %%40: f32[64, 1] = add(%%20, %%21)\n");
    for (int i = 2; i < BRANCHES; i++)
        dg_text_add(&text, "  %%%d: f32[64, 1] = add(%%%d, %%%d)\n", 39 + i, 38 + i, 20 + i);
    dg_text_add(&text, "  output(%%%d) {index = 0}\n}\n", 38 + BRANCHES);
    const char *const skip[] = {"schedule", NULL};
    plan_text t = plan_of("branches", text.at, NULL, false),
              unordered = plan_of("branches", text.at, skip, false);
    int64_t large = 64 * 64 * 4;
    assert_true(t.plan->bound < 2 * large);
    assert_true(unordered.plan->bound >= BRANCHES * large);
    plan_text_free(&t);
    plan_text_free(&unordered);
    dg_text_free(&text);
}

/* Of a chain of products, each with its gradient and update: a gradient is consumed by its update
 * before the next one is made. */
static void updates_follow_gradients(void **state)
{
    (void)state;
    enum { LAYERS = 8 };
    dg_text text = {0};
    dg_text_add(&text, "train \"main\"\n");
    for (int i = 0; i < LAYERS; i++)
        dg_text_add(&text, "place @%d param f32[64, 64] \"w%d\"\n", i, i);
    dg_text_add(&text, "input @0 f32[64, 64] \"x\"\ngraph {\n  %%0: f32[64, 64] = input {index = "
                       "0, dtype = f32, shape = [64, 64]}\n");
    for (int i = 0; i < LAYERS; i++)
        dg_text_add(&text,
                    "  %%%d: f32[64, 64] = place {index = %d, dtype = f32, shape = [64, 64]}\n",
                    100 + i, i);
    for (int i = 0; i < LAYERS; i++)
        dg_text_add(&text, "  %%%d: f32[64, 64] = matmul(%%%d, %%%d) {tx = 0, ty = 0}\n", i + 1, i,
                    100 + i);
    for (int i = LAYERS - 1, d = LAYERS; i >= 0; i--) { /* all gradients first */
        dg_text_add(&text, "  %%%d: f32[64, 64] = matmul(%%%d, %%%d) {tx = 0, ty = 1}\n", 20 + i, d,
                    100 + i);
        dg_text_add(&text, "  %%%d: f32[64, 64] = matmul(%%%d, %%%d) {tx = 1, ty = 0}\n", 40 + i, i,
                    d);
        d = 20 + i;
    }
    for (int i = 0; i < LAYERS; i++)
        dg_text_add(&text, "  %%%d: f32[64, 64] = sub(%%%d, %%%d)\n  write(%%%d) {index = %d}\n",
                    60 + i, 100 + i, 40 + i, 60 + i, i);
    dg_text_add(&text, "}\n");
    const char *const skip[] = {"fuse", NULL};
    plan_text t = plan_of("updates", text.at, skip, false);
    const dg_plan *p = t.plan;
    for (int i = 0; i < LAYERS; i++) assert_true(p->places[i].in_place);
    for (int i = 0; i < p->n_values; i++) { /* a gradient lives no longer than two steps */
        const dg_plan_value *v = &p->values[i];
        bool updates = v->producer >= 0 && v->home == DG_HOME_PARAM;
        if (!updates) continue;
        const dg_plan_step *s = &p->steps[v->producer];
        for (int k = 0; k < s->n_in; k++) {
            const dg_plan_value *g = &p->values[s->in[k]];
            if (g->home == DG_HOME_ARENA) assert_true(v->producer - g->producer <= 2);
        }
    }
    assert_true(p->bound <= (LAYERS + 3) * 64 * 64 * 4);
    plan_text_free(&t);
    dg_text_free(&text);
}

/* The same graph gives the same order, and ordering what is ordered changes no peak. */
static void repeats(void **state)
{
    (void)state;
    const char text[] =
        "entry \"main\"\ninput @0 f32[8, 8] \"x\"\noutput @0 f32[8, 8] \"y\"\ngraph {\n"
        "  %0: f32[8, 8] = input {index = 0, dtype = f32, shape = [8, 8]}\n"
        "  %1: f32[8, 8] = matmul(%0, %0) {tx = 0, ty = 0}\n"
        "  %2: f32[8, 8] = matmul(%0, %0) {tx = 1, ty = 0}\n"
        "  %3: f32[8, 8] = matmul(%1, %2) {tx = 0, ty = 0}\n"
        "  %4: f32[8, 8] = matmul(%3, %1) {tx = 0, ty = 0}\n  output(%4) {index = 0}\n}\n";
    plan_text a = plan_of("repeats", text, NULL, false), b = plan_of("repeats", text, NULL, false);
    assert_int_equal(dg_plan_hash(a.plan), dg_plan_hash(b.plan));
    dg_text again = {0};
    dg_print_module(a.module, &again);
    plan_text c = plan_of("repeats", again.at, NULL, false);
    assert_int_equal(c.plan->bound, a.plan->bound);
    dg_text_free(&again);
    plan_text_free(&a);
    plan_text_free(&b);
    plan_text_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_branch_at_a_time),
                                       cmocka_unit_test(updates_follow_gradients),
                                       cmocka_unit_test(repeats)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What recompute promises: a budget is kept wherever what it computes again makes that possible;
 * the smaller the budget, the longer the time; bits do not change (random.c). The graph is a chain
 * whose values are all needed once more on the way back, as in training. */
#include "compiler/passes/cost.h"
#include "tests/plans/plan_of.h"

enum { DEPTH = 24, SIDE = 64 };

/* h[k] = sin(h[k-1] @ w); then g = h[DEPTH], g = (g @ w) * h[k] for k = DEPTH-1 .. 0. */
static char *chain(dg_arena *a, int side)
{
    dg_text t = {0};
    int v = 2;
    int h[DEPTH + 1];
    dg_text_add(&t,
                "train \"chain\"\nplace @0 param f32[%d, %d] \"w\"\ninput @0 f32[%d, %d] \"x\"\n"
                "output @0 f32[%d, %d] \"result\"\ngraph {\n"
                "  %%0: f32[%d, %d] = place {index = 0, dtype = f32, shape = [%d, %d]}\n"
                "  %%1: f32[%d, %d] = input {index = 0, dtype = f32, shape = [%d, %d]}\n",
                side, side, side, side, side, side, side, side, side, side, side, side, side, side);
    h[0] = 1;
    for (int k = 1; k <= DEPTH; k++) {
        dg_text_add(&t, "  %%%d: f32[%d, %d] = matmul(%%%d, %%0) {tx = 0, ty = 0}  # p%d | \"\"\n",
                    v, side, side, h[k - 1], k);
        dg_text_add(&t, "  %%%d: f32[%d, %d] = softmax(%%%d) {axis = 1}  # h%d | \"\"\n", v + 1,
                    side, side, v, k);
        h[k] = v + 1;
        v += 2;
    }
    int g = h[DEPTH];
    for (int k = DEPTH - 1; k >= 0; k--) {
        dg_text_add(&t, "  %%%d: f32[%d, %d] = matmul(%%%d, %%%d) {tx = 0, ty = 0} backward\n", v,
                    side, side, g, h[k]);
        g = v++;
    }
    dg_text_add(&t, "  output(%%%d) {index = 0}\n}\n", g);
    char *text = dg_arena_text(a, t.at, t.n);
    dg_text_free(&t);
    return text;
}

static double time_of(const dg_plan *p)
{
    double ns = 0;
    for (int i = 0; i < p->n_steps; i++) {
        const dg_plan_step *s = &p->steps[i];
        ns += dg_cost_ns(p->isa, s->op && s->op->traits & DG_GEMM_LIKE, s->flops,
                         (double)s->bytes_rw);
    }
    return ns;
}

static void budgets(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    const char *text = chain(a, SIDE);
    plan_text t = plan_of("chain", text, NULL, false);
    int64_t most = t.plan->arena_bytes, before = INT64_MAX;
    double time = time_of(t.plan), whole = time;
    plan_text_free(&t);
    assert_true(most >= DEPTH * SIDE * SIDE * 4);
    int kept = 0;
    for (int i = 20; i > 0; i--) { /* 20 budgets */
        uint64_t memory = (uint64_t)(most * i / 20);
        t = plan_within("chain", text, NULL, false, memory);
        if (!t.plan) {
            /* the smallest that can be kept stands in the message; it can be */
            const char *note = strstr(plan_messages(&t), "--memory=");
            assert_non_null(note);
            memory = strtoull(note + strlen("--memory="), NULL, 10);
            plan_text_free(&t);
            t = plan_within("chain", text, NULL, false, memory);
            assert_non_null(t.plan);
            assert_int_equal(t.plan->arena_bytes, memory);
            plan_text_free(&t);
            break;
        }
        assert_true((uint64_t)t.plan->arena_bytes <= memory);
        assert_true(t.plan->arena_bytes <= before);
        assert_true(time_of(t.plan) >= time);
        before = t.plan->arena_bytes;
        time = time_of(t.plan);
        if (i == 15) assert_true(time <= 1.3 * whole);
        kept++;
        plan_text_free(&t);
    }
    assert_true(kept >= 10); /* half of the memory, at least */
    dg_arena_free(a);
}

/* x [rows, 512] by w five times, then times h, that sin makes of x. */
static char *wide(dg_arena *a, int rows)
{
    dg_text t = {0};
    dg_text_add(&t,
                "train \"free\"\nplace @0 param f32[512, 512] \"w\"\ninput @0 f32[%d, 512] \"x\"\n"
                "output @0 f32[%d, 512] \"result\"\ngraph {\n"
                "  %%0: f32[512, 512] = place {index = 0, dtype = f32, shape = [512, 512]}\n"
                "  %%1: f32[%d, 512] = input {index = 0, dtype = f32, shape = [%d, 512]}\n"
                "  %%2: f32[%d, 512] = sin(%%1)  # h | \"\"\n",
                rows, rows, rows, rows, rows);
    for (int v = 3; v < 8; v++)
        dg_text_add(&t, "  %%%d: f32[%d, 512] = matmul(%%%d, %%0) {tx = 0, ty = 0}\n", v, rows,
                    v - 1);
    dg_text_add(&t, "  %%8: f32[%d, 512] = mul(%%7, %%2) backward\n  output(%%8) {index = 0}\n}\n",
                rows);
    char *text = dg_arena_text(a, t.at, t.n);
    dg_text_free(&t);
    return text;
}

/* Without a budget what is nearly free is computed again, if it is large enough to be worth it and
 * the arena to be felt. */
static void nearly_free(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    const char *text = wide(a, 1024);
    const char *const skip[] = {"fuse", "recompute", NULL}, *const unfused[] = {"fuse", NULL};
    plan_text without = plan_of("free", text, skip, false),
              with = plan_of("free", text, unfused, false);
    assert_int_equal(without.plan->arena_bytes, 6 << 20);
    assert_int_equal(with.plan->arena_bytes, 4 << 20);
    assert_int_equal(with.plan->n_steps, without.plan->n_steps + 1);
    assert_true(time_of(with.plan) <= 1.02 * time_of(without.plan));
    bool again = false;
    for (int i = 0; i < with.plan->n_values; i++)
        again |= strcmp(with.plan->values[i].path, "h.again") == 0;
    assert_true(again);
    plan_text small = plan_of("free", wide(a, 512), unfused, false);
    assert_int_equal(small.plan->n_steps, without.plan->n_steps);
    plan_text_free(&small);
    plan_text_free(&without);
    plan_text_free(&with);
    dg_arena_free(a);
}

/* 50 times: x [1024, 512] by w five times, then times h, that sin makes of x, less x. */
static const char looped[] =
    "entry \"looped\"\nplace @0 param f32[512, 512] \"w\"\ninput @0 f32[1024, 512] \"x\"\n"
    "output @0 f32[1024, 512] \"result\"\ngraph {\n"
    "  %0: f32[512, 512] = place {index = 0, dtype = f32, shape = [512, 512]}\n"
    "  %1: f32[1024, 512] = input {index = 0, dtype = f32, shape = [1024, 512]}\n"
    "  %2: f32[1024, 512] = loop(%1) {trips = 50, stop = 0} (%3: i32, %4: f32[1024, 512]) {\n"
    "    %5: f32[1024, 512] = sin(%4)  # h | \"\"\n"
    "    %6: f32[1024, 512] = matmul(%4, %0) {tx = 0, ty = 0}\n"
    "    %7: f32[1024, 512] = matmul(%6, %0) {tx = 0, ty = 0}\n"
    "    %8: f32[1024, 512] = matmul(%7, %0) {tx = 0, ty = 0}\n"
    "    %9: f32[1024, 512] = matmul(%8, %0) {tx = 0, ty = 0}\n"
    "    %10: f32[1024, 512] = matmul(%9, %0) {tx = 0, ty = 0}\n"
    "    %11: f32[1024, 512] = mul(%10, %5)\n"
    "    %12: f32[1024, 512] = sub(%11, %4)\n"
    "    yield %12\n  }\n  output(%2) {index = 0}\n}\n";

/* In a loop as well: there it costs as much more as all else does. The order stays, in
 * which h is made early. */
static void nearly_free_in_a_loop(void **state)
{
    (void)state;
    const char *const skip[] = {"fuse", "schedule", "recompute", NULL}, *const unfused[] = {
                                                                            "fuse", "schedule",
                                                                            NULL};
    plan_text without = plan_of("looped", looped, skip, false),
              with = plan_of("looped", looped, unfused, false);
    assert_int_equal(without.plan->arena_bytes >> 20, 8);
    assert_int_equal(with.plan->arena_bytes >> 20, 6);
    assert_int_equal(with.plan->n_steps, without.plan->n_steps + 1);
    plan_text_free(&without);
    plan_text_free(&with);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(budgets), cmocka_unit_test(nearly_free),
                                       cmocka_unit_test(nearly_free_in_a_loop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

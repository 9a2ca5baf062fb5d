/* tests/runtime/budgets.c: what --memory promises of a U-Net's train step, over 20 budgets from the
 * whole peak down to the smallest that can be kept: each is kept; a smaller one never takes less
 * estimated time; the run touches the arena up to what was planned, and no byte behind it; and
 * every result has the bits that it has without a budget. So it has where the gradient runs through
 * a loop, of which a budget keeps fewer carries. */
#include "compiler/plan/explain.h"
#include "runtime/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

enum {
    BUDGETS = 20,
    GUARD = 1 << 20, /* bytes */
    GAP = 16 << 10,  /* bytes that a kernel leaves between the rows of its workspace, so also at the
                        end */
    MARK = 0xA5
};

static const char unet[] = "import \"nets/unet.dg\"\n"
                           "import \"noise/schedules.dg\"\n"
                           "import \"losses/simple.dg\"\n"
                           "import \"optim/adam.dg\"\n"
                           "const abar = linear_abar(1000)\n"
                           "model net = fn(x, t) => unet(x, t, out=1, ch=16, groups=8, mults=[1, "
                           "2], attn=[16], drop=0.1)\n"
                           "train step(x: f32[4, 1, 32, 32]) -> f32 {\n"
                           "  loss = l_simple(x, net, abar)\n"
                           "  adam(loss, net, fn(k) => 2e-4)\n"
                           "  return loss\n"
                           "}\n";

/* 48 trips, whose carries are kept for the gradient: all of them, or under a budget every 6th or
 * so. */
static const char trips[] =
    "import \"nn/layers.dg\"\n"
    "block layer(x: f32[B, C]) -> f32[B, C] {\n"
    "  return x + 0.1 * linear@b(silu(linear@a(x, C)), C) + 0.01 * randn@z(shape(x))\n"
    "}\n"
    "model net = fn(x) => layer(x)\n"
    "train step(x: f32[4, 1, 32, 32]) -> f32 {\n"
    "  h = reshape(x, [64, 64])\n"
    "  loop i in 0..48 { h = net(h) }\n"
    "  loss = mean(square(h))\n"
    "  for (p, g) in zip(params(net), grad(loss, params(net))) {\n"
    "    state m@\"{name(p)}.m\" = zeros(shape(p))\n"
    "    m := 0.9 * m + g\n"
    "    p := p - 0.1 * m\n"
    "  }\n"
    "  return loss\n"
    "}\n";

typedef struct run {          /* of the step within one budget */
    uint64_t smallest;        /* that can be kept, where the budget cannot; else 0 */
    int64_t planned, touched; /* bytes of the arena */
    double ns;                /* estimate */
    uint64_t bits;            /* hash of the loss and of all that the step wrote */
} run;

static void hear(void *user, const dg_report *r)
{
    const char *at = strstr(r->text, "--memory=");
    if (at) ((run *)user)->smallest = strtoull(at + strlen("--memory="), NULL, 10);
}

static uint64_t hash(uint64_t h, const void *data, size_t n)
{
    for (const uint8_t *x = data; n > 0; n--) h = (h ^ *x++) * UINT64_C(1099511628211);
    return h;
}

static uint64_t bits_of(dg_session *s, dg_store *store)
{
    float loss;
    const dg_tensor_info *tensor;
    assert_int_equal(dg_session_read(s, "result", &loss, sizeof loss), DG_OK);
    uint64_t h = hash(UINT64_C(14695981039346656037), &loss, sizeof loss);
    for (int i = 0, n = dg_store_tensors(store, &tensor); i < n; i++)
        h = hash(h, dg_store_data(store, tensor[i].name), tensor[i].bytes);
    return h;
}

/* Two steps: the first with the initialisers, the second on an arena full of marks. */
static run run_within(const char *model, uint64_t memory)
{
    run r = {0};
    dg_context *c =
        dg_context_new(&(dg_options){.threads = 2, .memory = memory, .message = hear, .user = &r});
    dg_program *program = dg_program_open_text(c, "budget.dg", model, strlen(model), NULL, 0);
    dg_plan *plan = dg_plan_compile(program, "step", NULL, 0);
    if (plan) {
        static float x[4 * 32 * 32];
        for (int i = 0; i < 4 * 32 * 32; i++) x[i] = (float)(i * 37 % 101) / 50 - 1;
        dg_store *store = dg_store_new(c);
        dg_session *s = dg_session_new(plan, store);
        assert_int_equal(dg_session_bind(s, "x", x, sizeof x), DG_OK);
        r.planned = plan->arena_bytes;
        for (int i = 0; i < plan->n_steps; i++)
            r.ns += dg_step_ns(plan, i) * dg_step_trips(plan, i);

        uint8_t *arena = dg_context_arena(c, NULL, r.planned + GUARD);
        assert_int_equal(dg_session_run(s), DG_OK);
        memset(arena, MARK, (size_t)r.planned + GUARD);
        assert_int_equal(dg_session_run(s), DG_OK);
        assert_ptr_equal(arena, s->exec.arena);
        r.touched = r.planned + GUARD;
        while (r.touched > 0 && arena[r.touched - 1] == MARK) r.touched--;
        r.bits = bits_of(s, store);
        dg_session_free(s);
        dg_store_free(store);
        dg_plan_close(plan);
    }
    dg_program_free(program);
    dg_context_free(c);
    return r;
}

static void kept_to_the_byte(void **state)
{
    (void)state;
    run whole = run_within(unet, 0), least = run_within(unet, 1);
    assert_true(least.planned == 0 && least.smallest > 0);
    int64_t step = (whole.planned - (int64_t)least.smallest) / (BUDGETS - 1);
    assert_true(step > 0);
    run before = whole;
    for (int i = 0; i < BUDGETS; i++) {
        int64_t budget = i < BUDGETS - 1 ? whole.planned - i * step : (int64_t)least.smallest;
        run r = run_within(unet, (uint64_t)budget);
        assert_in_range(r.planned, 1, budget);
        assert_true(r.planned <= before.planned && r.ns >= before.ns);
        assert_in_range(dg_align(r.touched), r.planned - GAP, r.planned);
        assert_true(r.bits == whole.bits);
        if (4 * budget >= 3 * whole.planned) assert_true(r.ns <= 1.3 * whole.ns);
        before = r;
    }
    assert_int_equal(before.planned, least.smallest);
    assert_true(4 * least.smallest <= 3 * (uint64_t)whole.planned);
}

static void gradient_through_trips(void **state)
{
    (void)state;
    run whole = run_within(trips, 0), least = run_within(trips, 1);
    assert_in_range(least.smallest, 1, whole.planned / 5);
    for (int part = 1; part < 6; part++) {
        run r = run_within(trips, part == 5 ? least.smallest : (uint64_t)(whole.planned / part));
        assert_true(r.planned > 0 && r.bits == whole.bits);
        assert_true(dg_align(r.touched) <= r.planned);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(kept_to_the_byte),
                                       cmocka_unit_test(gradient_through_trips)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

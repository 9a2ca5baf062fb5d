/* What memplan promises, on graphs small enough to count by hand. A buffer of f32[8, 8] is 256
 * bytes, 4 times the alignment. */
#include "tests/plans/plan_of.h"

#define HEAD "entry \"main\"\n"

/* Without fusion, so that each node is a step. */
static plan_text plain(const char *text)
{
    const char *const skip[] = {"fuse", NULL};
    return plan_of("memplan", text, skip, false);
}

static const dg_plan_step *step_at(const plan_text *t, int i)
{
    assert_true(i < t->plan->n_steps);
    return &t->plan->steps[i];
}

/* A chain of products needs two buffers, however long; its last one is the output. */
static void chain_of_products(void **state)
{
    (void)state;
    plan_text t = plain(HEAD "input @0 f32[8, 8] \"x\"\noutput @0 f32[8, 8] \"y\"\ngraph {\n"
                             "  %0: f32[8, 8] = input {index = 0, dtype = f32, shape = [8, 8]}\n"
                             "  %1: f32[8, 8] = matmul(%0, %0) {tx = 0, ty = 0}\n"
                             "  %2: f32[8, 8] = matmul(%1, %1) {tx = 0, ty = 0}\n"
                             "  %3: f32[8, 8] = matmul(%2, %2) {tx = 0, ty = 0}\n"
                             "  %4: f32[8, 8] = matmul(%3, %3) {tx = 0, ty = 0}\n"
                             "  output(%4) {index = 0}\n}\n");
    assert_int_equal(t.plan->n_steps, 4);
    assert_int_equal(t.plan->bound, 512);
    assert_int_equal(t.plan->arena_bytes, 512);
    assert_int_equal(t.plan->naive, 4 * 256);
    assert_int_equal(t.plan->io, 256);
    plan_text_free(&t);
}

/* An elementwise result takes its dying operand's bytes; not one that is read again, not one under
 * other strides. */
static void elementwise_in_place(void **state)
{
    (void)state;
    plan_text t = plain(
        HEAD
        "input @0 f32[8, 8] \"x\"\noutput @0 f32[8, 8] \"y\"\noutput @1 f32[8, 8] \"z\"\ngraph {\n"
        "  %0: f32[8, 8] = input {index = 0, dtype = f32, shape = [8, 8]}\n"
        "  %1: f32[8, 8] = matmul(%0, %0) {tx = 0, ty = 0}\n"
        "  %2: f32[8, 8] = sin(%1)\n"
        "  %3: f32[8, 8] = matmul(%2, %0) {tx = 0, ty = 0}\n"
        "  %4: f32[8, 8] = transpose(%3) {perm = [1, 0]}\n"
        "  %5: f32[8, 8] = add(%3, %4)\n"
        "  output(%5) {index = 0}\n  output(%2) {index = 1}\n}\n");
    const dg_plan *p = t.plan;
    assert_int_equal(p->values[step_at(&t, 1)->out[0]].base, step_at(&t, 0)->out[0]);
    int32_t sum = step_at(&t, 3)->out[0];
    assert_int_equal(p->values[sum].base, sum);
    plan_text_free(&t);
}

/* A 1x1 convolution of n times two maps [channels, 16, 16] that are made before it; whether its
 * result lies over one of them. */
static bool over_a_part(int n, int channels, int outs, int groups)
{
    char text[2048];
    int c = channels, in = 2 * c / groups;
    snprintf(
        text, sizeof text,
        HEAD
        "place @0 param f32[%d, %d, 1, 1] \"w\"\ninput @0 f32[%d, %d, 16, 16] \"x\"\n"
        "output @0 f32[%d, %d, 16, 16] \"y\"\ngraph {\n"
        "  %%0: f32[%d, %d, 1, 1] = place {index = 0, dtype = f32, shape = [%d, %d, 1, 1]}\n"
        "  %%1: f32[%d, %d, 16, 16] = input {index = 0, dtype = f32, shape = [%d, %d, 16, 16]}\n"
        "  %%2: f32[%d, %d, 16, 16] = softmax(%%1) {axis = 3}\n"
        "  %%3: f32[%d, %d, 16, 16] = softmax(%%2) {axis = 2}\n"
        "  %%4: f32[%d, %d, 16, 16] = concat(%%2, %%3) {axis = 1}\n"
        "  %%5: f32[%d, %d, 16, 16] = conv2d(%%4, %%0) {stride = [1, 1], pad = [0, 0, 0, 0], "
        "dilation = [1, 1], groups = %d}\n"
        "  output(%%5) {index = 0}\n}\n",
        outs, in, n, c, n, outs, outs, in, outs, in, n, c, n, c, n, c, n, c, n, 2 * c, n, outs,
        groups);
    plan_text t = plain(text);
    const dg_plan *p = t.plan;
    const dg_plan_step *s = step_at(&t, 2);
    assert_int_equal(s->n_in, 3); /* no concat is stored */
    int32_t base = p->values[s->out[0]].base;
    bool over = base == p->values[s->in[0]].base || base == p->values[s->in[2]].base;
    plan_text_free(&t);
    return over;
}

/* A kernel that reads all of a place before it stores there says so, and its result lies over what
 * it reads in parts: a 1x1 convolution does if a piece makes all channels. */
static void map_over_its_parts(void **state)
{
    (void)state;
    assert_true(over_a_part(2, 16, 16, 1));
    assert_false(over_a_part(2, 16, 8, 1)); /* of another size */
    assert_false(over_a_part(2, 16, 16, 2));
    assert_false(over_a_part(1, 256, 256, 1)); /* few positions: channels are shared out */
}

/* The update of a parameter happens in its own bytes, after everybody who reads the old value. */
static void update_in_place(void **state)
{
    (void)state;
    plan_text t = plain(HEAD "place @0 param f32[8, 8] \"w\"\ninput @0 f32[8, 8] \"x\"\noutput @0 "
                             "f32[8, 8] \"y\"\ngraph {\n"
                             "  %0: f32[8, 8] = place {index = 0, dtype = f32, shape = [8, 8]}\n"
                             "  %1: f32[8, 8] = input {index = 0, dtype = f32, shape = [8, 8]}\n"
                             "  %2: f32[8, 8] = sub(%0, %1)\n"
                             "  write(%2) {index = 0}\n"
                             "  %3: f32[8, 8] = matmul(%0, %1) {tx = 0, ty = 0}\n"
                             "  output(%3) {index = 0}\n}\n");
    const dg_plan *p = t.plan;
    assert_int_equal(p->n_steps, 2);
    assert_true(p->places[0].in_place);
    assert_int_equal(p->values[p->places[0].written_value].base, p->places[0].value);
    assert_int_equal(p->values[p->places[0].written_value].producer, 1);
    assert_int_equal(p->arena_bytes, 256);
    plan_text_free(&t);
}

/* The old value as an output, and two states that change places: nothing is lost. */
static void old_values_are_kept(void **state)
{
    (void)state;
    plan_text t = plain(
        HEAD "place @0 state f32[8, 8] \"a\"\nplace @1 state f32[8, 8] \"b\"\noutput @0 f32[8, 8] "
             "\"old\"\ngraph {\n"
             "  %0: f32[8, 8] = place {index = 0, dtype = f32, shape = [8, 8]}\n"
             "  %1: f32[8, 8] = place {index = 1, dtype = f32, shape = [8, 8]}\n"
             "  write(%1) {index = 0}\n  write(%0) {index = 1}\n  output(%0) {index = 0}\n}\n");
    const dg_plan *p = t.plan;
    assert_int_equal(p->values[p->outputs[0].value].home, DG_HOME_ARENA);
    assert_true(p->places[0].written && p->places[1].written);
    assert_false(p->places[0].in_place && p->places[1].in_place);
    plan_text_free(&t);
}

/* A place that only passes through is not touched; a place without an old value is computed where
 * it belongs. */
static void written_only(void **state)
{
    (void)state;
    plan_text t =
        plain(HEAD "place @0 param f32[8, 8] \"w\"\nplace @1 param f32[8, 8] \"v\"\ngraph {\n"
                   "  %0: f32[8, 8] = place {index = 1, dtype = f32, shape = [8, 8]}\n"
                   "  %1: f32[8, 8] = matmul(%0, %0) {tx = 0, ty = 0}\n"
                   "  write(%1) {index = 0}\n  write(%0) {index = 1}\n}\n");
    const dg_plan *p = t.plan;
    assert_int_equal(p->n_steps, 1);
    assert_int_equal(p->arena_bytes, 0);
    assert_true(p->places[0].in_place && p->places[1].in_place);
    assert_int_equal(p->places[0].value, -1);
    plan_text_free(&t);
}

/* A carry in place: the body's sum lies in the argument's bytes, the initial value was made there,
 * the result is found there. */
static void carry_in_place(void **state)
{
    (void)state;
    plan_text t =
        plain(HEAD "input @0 f32[8, 8] \"x\"\noutput @0 f32[8, 8] \"y\"\ngraph {\n"
                   "  %0: f32[8, 8] = input {index = 0, dtype = f32, shape = [8, 8]}\n"
                   "  %1: f32[8, 8] = matmul(%0, %0) {tx = 0, ty = 0}\n"
                   "  %2: f32[8, 8] = loop(%1) {trips = 3, stop = 0} (%3: i32, %4: f32[8, 8]) {\n"
                   "    %5: f32[8, 8] = matmul(%4, %0) {tx = 0, ty = 0}\n"
                   "    %6: f32[8, 8] = add(%5, %4)\n    yield %6\n  }\n"
                   "  output(%2) {index = 0}\n}\n");
    const dg_plan *p = t.plan;
    const dg_plan_carry *c = &p->loops[0].carries[0];
    assert_int_equal(c->how, 0);
    assert_false(c->copy_in);
    assert_int_equal(p->values[c->next].base, p->values[c->arg].base);
    assert_int_equal(p->values[c->out].base, p->values[c->init].base);
    plan_text_free(&t);
}

/* (a, b, c) = (f(a), a, b): three swaps and four buffers, no copies in the body. */
static void history(void **state)
{
    (void)state;
    plan_text t = plain(
        HEAD "input @0 f32[8, 8] \"x\"\noutput @0 f32[8, 8] \"y\"\ngraph {\n"
             "  %0: f32[8, 8] = input {index = 0, dtype = f32, shape = [8, 8]}\n"
             "  %1: f32[8, 8], %2: f32[8, 8], %3: f32[8, 8] = loop(%0, %0, %0) {trips = 3, stop = "
             "0} (%4: i32, %5: f32[8, 8], %6: f32[8, 8], %7: f32[8, 8]) {\n"
             "    %8: f32[8, 8] = matmul(%5, %7) {tx = 0, ty = 0}\n    yield %8, %5, %6\n  }\n"
             "  output(%3) {index = 0}\n}\n");
    const dg_plan *p = t.plan;
    int swaps = 0;
    for (int i = 0; i < 3; i++) swaps += p->loops[0].carries[i].how == 1;
    assert_int_equal(swaps, 3);
    assert_int_equal(p->loops[0].end - p->loops[0].begin, 2);
    assert_int_equal(p->arena_bytes, 4 * 256 + 64); /* and the trip */
    plan_text_free(&t);
}

/* Without reuse every value has bytes of its own. */
static void reference_shares_nothing(void **state)
{
    (void)state;
    const char *text =
        HEAD "place @0 param f64[8, 8] \"w\"\noutput @0 f64[8, 8] \"y\"\ngraph {\n"
             "  %0: f64[8, 8] = place {index = 0, dtype = f64, shape = [8, 8]}\n"
             "  %1: f64[8, 8] = sin(%0)\n  %2: f64[8, 8] = sin(%1)\n  %3: f64[8, 8] = sin(%2)\n"
             "  write(%2) {index = 0}\n  output(%3) {index = 0}\n}\n";
    plan_text t = plan_of("memplan", text, NULL, true);
    assert_int_equal(t.plan->arena_bytes, 3 * 512);
    assert_int_equal(t.plan->arena_bytes, t.plan->naive);
    assert_false(t.plan->places[0].in_place);
    for (int i = 0; i < t.plan->n_values; i++)
        assert_true(t.plan->values[i].home != DG_HOME_ARENA || t.plan->values[i].base == i);
    plan_text_free(&t);
}

/* Tables are packed in the value's dtype; one number stands for all. */
static void tables(void **state)
{
    (void)state;
    plan_text t = plain(HEAD "output @0 f32[3] \"y\"\noutput @1 i32[2] \"z\"\ngraph {\n"
                             "  %0: f32[3] = constant {dtype = f32, shape = [3], data = [0.25]}\n"
                             "  %1: i32[2] = constant {dtype = i32, shape = [2], data = [7, -9]}\n"
                             "  output(%0) {index = 0}\n  output(%1) {index = 1}\n}\n");
    const float *y = t.plan->values[t.plan->outputs[0].value].data;
    const int32_t *z = t.plan->values[t.plan->outputs[1].value].data;
    assert_true(y[0] == 0.25f && y[2] == 0.25f);
    assert_true(z[0] == 7 && z[1] == -9);
    assert_int_equal(t.plan->consts, 128);
    plan_text_free(&t);
}

/* A budget below the arena is refused, with the figures. */
static void budget(void **state)
{
    (void)state;
    const char *text =
        HEAD "input @0 f32[8, 8] \"x\"\noutput @0 f32[8, 8] \"y\"\ngraph {\n"
             "  %0: f32[8, 8] = input {index = 0, dtype = f32, shape = [8, 8]}\n"
             "  %1: f32[8, 8] = matmul(%0, %0) {tx = 0, ty = 0}\n  output(%1) {index = 0}\n}\n";
    plan_text t = plain(text);
    dg_layout layout;
    assert_true(dg_pass_memplan(t.module, &(dg_pass_options){.memory = 256}, &layout));
    dg_layout_free(&layout);
    assert_false(dg_pass_memplan(t.module, &(dg_pass_options){.memory = 255}, &layout));
    dg_layout_free(&layout);
    assert_string_equal(dg_diag_at(t.diag, 0)->id, "E601");
    plan_text_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain_of_products),
        cmocka_unit_test(elementwise_in_place),
        cmocka_unit_test(map_over_its_parts),
        cmocka_unit_test(update_in_place),
        cmocka_unit_test(old_values_are_kept),
        cmocka_unit_test(written_only),
        cmocka_unit_test(carry_in_place),
        cmocka_unit_test(history),
        cmocka_unit_test(reference_shares_nothing),
        cmocka_unit_test(tables),
        cmocka_unit_test(budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

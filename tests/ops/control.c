/* tests/ops/control.c: the shape rules of effects, loops and derivatives; what they compute is the executor's. */
#include "tests/support/graph_run.h"

#include "ops/ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *what;

static void refused(void *ctx, const dg_infer *t)
{
    (void)ctx;
    what = t->what;
}

/* A node with inputs of these types; outputs as text, or the refusal. */
static const char *node(const char *op, const dg_attr *attrs, int n_attrs, const dg_type *in, int n_in)
{
    static char text[200];
    dg_module *m = test_module_new();
    dg_build b = test_builder(m);
    dg_value v[4];
    what = NULL;
    b.refused = refused;
    for (int i = 0; i < n_in; i++) v[i] = test_place(&b, m, in[i].dtype, in[i].shape);
    dg_node n = dg_build_node(&b, dg_op_find(op), attrs, n_attrs, v, n_in);
    text[0] = '\0';
    for (int i = 0; n != DG_NONE && i < dg_node_of(m->graph, n)->n_out; i++) {
        if (i > 0) strcat(text, " ");
        strcat(text, dg_type_name(m->arena, dg_type_of(m->graph, dg_node_of(m->graph, n)->out[i])));
    }
    if (n == DG_NONE) strncat(text, what ? what : "refused without a word", sizeof text - 1);
    test_module_free(m);
    return text;
}

static void leaves(void **state)
{
    (void)state;
    static const int64_t dims[] = {2, 3};
    dg_attr a[] = {dg_attr_of_int("index", 0), dg_attr_of_int("dtype", DG_I32), {.name = "shape", .kind = DG_INTS, .n = 2, .v.ints = dims}};
    assert_string_equal(node("input", a, 3, NULL, 0), "i32[2, 3]");
    assert_string_equal(node("place", a, 3, NULL, 0), "i32[2, 3]");
    a[1].v.i = 17;
    assert_string_equal(node("input", a, 3, NULL, 0), "there is no dtype 17");
    assert_string_equal(node("place", a, 2, NULL, 0), "the argument `shape` is missing");
}

static void effects(void **state)
{
    (void)state;
    dg_type f = {DG_F32, DG_SHAPE(4)}, yes = {DG_BOOL, DG_SCALAR}, many = {DG_BOOL, DG_SHAPE(2)};
    dg_attr a = dg_attr_of_int("index", 3);
    assert_string_equal(node("write", &a, 1, &f, 1), "");
    assert_string_equal(node("output", &a, 1, &f, 1), "");
    assert_string_equal(node("check", NULL, 0, &yes, 1), "");
    assert_string_equal(node("check", NULL, 0, (dg_type[]){yes, f, f}, 3), "");
    assert_string_equal(node("check", NULL, 0, &f, 1), "`c` is f32[4], wanted is bool");
    assert_string_equal(node("check", NULL, 0, &many, 1), "`c` has rank 1, wanted is rank 0");
}

static void loops(void **state)
{
    (void)state;
    dg_type x = {DG_F32, DG_SHAPE(4)}, k = {DG_I32, DG_SCALAR};
    dg_attr a = dg_attr_of_int("trips", 5);
    assert_string_equal(node("loop", &a, 1, (dg_type[]){x, k}, 2), "f32[4] i32");
    a.v.i = -1;
    assert_string_equal(node("loop", &a, 1, &x, 1), "-1 trips are not possible");
}

static void derivatives(void **state)
{
    (void)state;
    dg_type y = {DG_F32, DG_SCALAR}, x = {DG_F32, DG_SHAPE(2, 3)}, i = {DG_I32, DG_SCALAR};
    assert_string_equal(node("grad", NULL, 0, (dg_type[]){y, x, y}, 3), "f32[2, 3] f32");
    assert_string_equal(node("grad", NULL, 0, (dg_type[]){x, x}, 2), "`y` has rank 2, wanted is rank 0");
    assert_string_equal(node("grad", NULL, 0, &y, 1), "there is nothing to differentiate by");
    assert_string_equal(node("grad", NULL, 0, (dg_type[]){y, i}, 2), "`xs` is i32, wanted are floats");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves),
        cmocka_unit_test(effects),
        cmocka_unit_test(loops),
        cmocka_unit_test(derivatives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

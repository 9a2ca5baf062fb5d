/* The registry: complete, in order, each op with a test of its own; and the checker of ops finds
 * what is wrong. */
#include "tests/support/op_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void complete(void **state)
{
    (void)state;
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, NULL);
    bool good = dg_ops_check(d);
    for (size_t i = 0; i < dg_diag_count(d); i++) print_error("%s\n", dg_diag_at(d, i)->what);
    assert_true(good);
    dg_arena_free(a);
}

static void found_by_name(void **state)
{
    (void)state;
    int n = 0;
    for (const dg_op *op; (op = dg_op_at(n)); n++) {
        assert_ptr_equal(dg_op_find(op->name), op);
        assert_true(strlen(op->doc) > 4);
    }
    assert_true(n > 80);
    assert_null(dg_op_at(-1));
    assert_null(dg_op_find("no_such_op"));
    assert_null(dg_op_find(""));
}

/* Tests run in the source folder. */
static void every_op_has_a_test(void **state)
{
    (void)state;
    int missing = 0;
    for (int i = 0; dg_op_at(i); i++) {
        char path[256];
        snprintf(path, sizeof path, "tests/ops/%s.c", dg_op_at(i)->name);
        if (access(path, R_OK) == 0) continue;
        print_error("there is no %s\n", path);
        missing++;
    }
    assert_int_equal(missing, 0);
}

/* ---- the checker ---- */

static void wrong_gradient(dg_grad *g)
{
    g->din[0] = dg_mul(g->build, g->dout[0],
                       dg_shift(g->build, g->out[0], 1e-3)); /* exp's, a little too large */
}

static void no_gradient(dg_grad *g)
{
    (void)g;
}

/* Right in the first order: a constant beside the adjoint hides how it depends on x. */
static void wrong_second(dg_grad *g)
{
    g->din[0] = dg_mul(g->build, g->dout[0], dg_unary(g->build, "stop_gradient", g->out[0]));
}

static void outside(const dg_call *k)
{
    int64_t n = dg_shape_count(&k->out[0].shape);
    const float *x = k->in[0].data;
    float *y = k->out[0].data;
    for (int64_t i = 0; i < n; i++) y[i] = __builtin_expf(x[i]);
    y[n] = 0;
}

static void inexact(const dg_call *k)
{
    int64_t n = dg_shape_count(&k->out[0].shape);
    const float *x = k->in[0].data;
    float *y = k->out[0].data;
    for (int64_t i = 0; i < n; i++) y[i] = __builtin_expf(x[i]) * 1.00001f;
}

static void piece(const dg_call *k, int64_t i)
{
    ((float *)k->out[0].data)[0] = __builtin_expf(((const float *)k->in[0].data)[0]) +
                                   (float)i * 1e-7f; /* the last piece wins */
}

static void racing(const dg_call *k)
{
    inexact(k);
    const float *x = k->in[0].data;
    for (int64_t i = 0; i < dg_shape_count(&k->out[0].shape); i++)
        ((float *)k->out[0].data)[i] = __builtin_expf(x[i]);
    dg_parallel(k, 2, piece);
}

static void expect(const dg_op *op, const char *types, const char *part)
{
    dg_arena *a = dg_arena_new();
    const char *text = op_check(op, &(op_case)OK(types, ""), a);
    if (part && (!text || !strstr(text, part)))
        print_error("not \"%s\" but: %s\n", part, text ? text : "nothing");
    if (!part && text) print_error("%s\n", text);
    assert_true(part ? text && strstr(text, part) : !text);
    dg_arena_free(a);
}

static void checker_finds_mistakes(void **state)
{
    (void)state;
    dg_op good = *dg_op_find("exp"), op = good;
    expect(&good, "f32[5]", NULL);
    op.grad = wrong_gradient;
    expect(&op, "f32[5]", "gradient by input 0, element 0");
    op.grad = no_gradient;
    expect(&op, "f32[5]", "gradient by input 0, element 0: 0, ");
    op.grad = wrong_second;
    expect(&op, "f32[5]", "second gradient by input 0");
    op = good;
    op.kernels = (const dg_kernel[]){{"outside", outside, .dtype = DG_F32}, {0}};
    op.in_place = 0;
    expect(&op, "f32[5]", "writes outside of output 0");
    op.kernels = (const dg_kernel[]){{"inexact", inexact, .dtype = DG_F32}, {0}};
    expect(&op, "f32[5]", "output 0 is off");
    op.kernels = (const dg_kernel[]){{"racing", racing, .dtype = DG_F32}, {0}};
    expect(&op, "f32[5]", "depends on the order of the pieces");
    op.kernels = (const dg_kernel[]){{"strides", racing, .dtype = DG_F32, .strided = 1}, {0}};
    expect(&op, "f32[5,3]", "depends on the order of the pieces");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete),
        cmocka_unit_test(found_by_name),
        cmocka_unit_test(every_op_has_a_test),
        cmocka_unit_test(checker_finds_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

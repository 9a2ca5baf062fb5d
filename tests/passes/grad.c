/* tests/passes/grad.c: gradients of random graphs against central differences, to second order and
 * in loop bodies; and the cases that are refused. */
#include "compiler/ir/verify.h"
#include "compiler/passes/passes.h"
#include "tests/support/graph_run.h"
#include "tests/support/random_graph.h"

#include "ops/ops.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void run_pass(bool (*pass)(dg_module *, const dg_pass_options *), dg_module *m,
                     const char *name)
{
    dg_pass_options o = {0};
    if (!pass(m, &o)) fail_msg("%s: %s", name, test_messages(m));
    if (!dg_verify(m, name)) fail_msg("%s", test_messages(m));
}

/* ---- random graphs ---- */

enum { N = RANDOM_N, M = RANDOM_M, COUNT = N * M };

static dg_value random_loss(dg_build *b, const dg_value *p, int steps)
{
    dg_value pool[32] = {p[0], p[1]};
    int n = 2;
    for (int i = 0; i < steps; i++) {
        dg_value v = random_step(b, pool[random_draw((uint32_t)n)], pool[random_draw((uint32_t)n)]);
        pool[n++] =
            dg_unary(b, "tanh", v); /* keeps numbers near 1, so that differences are exact */
    }
    dg_value all = dg_mul(b, dg_shift(b, p[0], 0.1), dg_shift(b, p[1], 0.2));
    for (int i = 2; i < n; i++) all = dg_add(b, all, dg_scale(b, pool[i], 0.3 + 0.1 * i));
    return dg_sum(b, dg_unary(b, "square", all), DG_AXES(0, 1));
}

typedef struct point {
    double p[2][COUNT];
} point;

static double loss_at(const dg_module *m, const point *x, double g[2][COUNT])
{
    double y = 0, skip[2][COUNT];
    const void *places[] = {x->p[0], x->p[1]};
    void *out[] = {&y, g ? g[0] : skip[0], g ? g[1] : skip[1]};
    assert_true(test_run(m, places, out));
    return y;
}

/* Along one random direction: outputs 0 (the loss), 1 and 2 (its gradients). */
static void check_direction(const dg_module *m, const char *what)
{
    const double h = 1e-4;
    point x, v;
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < COUNT; i++)
            x.p[k][i] = 2 * random_uniform(), v.p[k][i] = random_uniform();
    }
    double g[2][COUNT], slope = 0, value[4];
    loss_at(m, &x, g);
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < COUNT; i++) slope += g[k][i] * v.p[k][i];
    }
    for (int s = 0; s < 4; s++) { /* five-point stencil */
        point at = x;
        for (int k = 0; k < 2; k++) {
            for (int i = 0; i < COUNT; i++) at.p[k][i] += v.p[k][i] * h * (s < 2 ? s - 2 : s - 1);
        }
        value[s] = loss_at(m, &at, NULL);
    }
    double expected = (value[0] - 8 * value[1] + 8 * value[2] - value[3]) / (12 * h);
    if (fabs(slope - expected) > 1e-7 * (1 + fabs(expected)))
        fail_msg("%s: gradient %.10g, differences %.10g", what, slope, expected);
}

static void random_graphs(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 150; round++) {
        random_seed = 1000 + round;
        dg_module *m = test_module_new();
        dg_build b = test_builder(m);
        dg_value p[2] = {test_place(&b, m, DG_F64, DG_SHAPE(N, M)),
                         test_place(&b, m, DG_F64, DG_SHAPE(N, M))},
                 g[2];
        dg_value y = random_loss(&b, p, 2 + (int)random_draw(6));
        if (round % 3 == 2) { /* the gradient of a gradient's square */
            test_grad(&b, y, p, 2, g);
            y = dg_sum(&b, dg_add(&b, dg_unary(&b, "square", g[0]), dg_mul(&b, g[1], p[0])),
                       DG_AXES(0, 1));
        }
        test_output(&b, m, y);
        test_grad(&b, y, p, 2, g);
        test_output(&b, m, g[0]);
        test_output(&b, m, g[1]);
        assert_string_equal(test_messages(m), "");
        run_pass(dg_pass_grad, m, "grad");
        check_direction(m, "grad");
        run_pass(dg_pass_dead, m, "dead");
        run_pass(dg_pass_expand, m, "expand");
        run_pass(dg_pass_simplify, m, "simplify");
        run_pass(dg_pass_cse, m, "cse");
        check_direction(m, "simplified");
        test_module_free(m);
    }
}

/* ---- loops ---- */

/* x := x - 0.1 grad(sum((x p)^2 sin(q))) three times: the same unrolled and as a loop. */
static dg_value descend(dg_build *b, dg_value x, dg_value p, dg_value q, dg_value *by_p)
{
    dg_value y = dg_mul(b, dg_unary(b, "square", dg_mul(b, x, p)), dg_unary(b, "sin", q));
    dg_value loss = dg_sum(b, y, DG_AXES(0, 1)), in[] = {x, p}, g[2];
    test_grad(b, loss, in, by_p ? 2 : 1, g);
    if (by_p) *by_p = g[1];
    return dg_sub(b, x, dg_scale(b, g[0], 0.1));
}

static void in_a_loop(void **state)
{
    (void)state;
    double result[2][COUNT];
    point x;
    random_seed = 5;
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < COUNT; i++) x.p[k][i] = 2 * random_uniform();
    }
    for (int loop = 0; loop < 2; loop++) {
        dg_module *m = test_module_new();
        dg_build b = test_builder(m);
        dg_value p = test_place(&b, m, DG_F64, DG_SHAPE(N, M)),
                 q = test_place(&b, m, DG_F64, DG_SHAPE(N, M));
        dg_value v = dg_full_like(&b, p, 0.7);
        if (loop) {
            dg_attr attrs[] = {dg_attr_of_int("trips", 3)};
            dg_node n = dg_build_node(&b, dg_op_find("loop"), attrs, 1, &v, 1);
            dg_build in = b;
            in.region = dg_graph_add_region(m->graph, n);
            dg_graph_add_arg(m->graph, in.region, (dg_type){DG_I32, DG_SCALAR},
                             dg_intern_z(m->strings, "t"));
            dg_value arg = dg_graph_add_arg(m->graph, in.region, *dg_type_of(m->graph, v),
                                            dg_intern_z(m->strings, "x"));
            dg_value next = descend(&in, arg, p, q, NULL);
            dg_vec_push(&dg_region_of(m->graph, in.region)->results, next);
            v = dg_node_of(m->graph, n)->out[0];
        } else {
            for (int i = 0; i < 3; i++) v = descend(&b, v, p, q, NULL);
        }
        test_output(&b, m, v);
        run_pass(dg_pass_grad, m, "grad");
        run_pass(dg_pass_simplify, m, "simplify");
        run_pass(dg_pass_cse, m, "cse");
        run_pass(dg_pass_hoist, m, "hoist");
        const void *places[] = {x.p[0], x.p[1]};
        void *out[] = {result[loop]};
        assert_true(test_run(m, places, out));
        test_module_free(m);
    }
    for (int i = 0; i < COUNT; i++) assert_true(fabs(result[0][i] - result[1][i]) < 1e-14);
}

/* y = x p p p by a loop, by q in x = p q and by p in the body: against the same unrolled. */
static void through_a_loop(void **state)
{
    (void)state;
    double result[2][2][2], x[2][2] = {{0.5, -1.5}, {2.0, 0.75}};
    for (int loop = 0; loop < 2; loop++) {
        dg_module *m = test_module_new();
        dg_build b = test_builder(m);
        dg_value p = test_place(&b, m, DG_F32, DG_SHAPE(2)),
                 q = test_place(&b, m, DG_F32, DG_SHAPE(2)), xs[] = {p, q}, ds[2];
        dg_value v = dg_mul(&b, p, q);
        if (loop) {
            dg_attr attrs[] = {dg_attr_of_int("trips", 3)};
            dg_node n = dg_build_node(&b, dg_op_find("loop"), attrs, 1, &v, 1);
            dg_build in = b;
            in.region = dg_graph_add_region(m->graph, n);
            dg_graph_add_arg(m->graph, in.region, (dg_type){DG_I32, DG_SCALAR},
                             dg_intern_z(m->strings, "t"));
            dg_value arg = dg_graph_add_arg(m->graph, in.region, *dg_type_of(m->graph, v),
                                            dg_intern_z(m->strings, "x"));
            dg_value next = dg_mul(&in, arg, p);
            dg_vec_push(&dg_region_of(m->graph, in.region)->results, next);
            v = dg_node_of(m->graph, n)->out[0];
        } else {
            for (int i = 0; i < 3; i++) v = dg_mul(&b, v, p);
        }
        test_grad(&b, dg_sum(&b, dg_mul(&b, v, v), DG_AXES(0)), xs, 2, ds);
        for (int i = 0; i < 2; i++) test_output(&b, m, ds[i]);
        run_pass(dg_pass_grad, m, "grad");
        run_pass(dg_pass_dead, m, "dead");
        const void *places[] = {x[0], x[1]};
        void *out[] = {result[loop][0], result[loop][1]};
        assert_true(test_run(m, places, out));
        test_module_free(m);
    }
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 2; k++)
            assert_true(fabs(result[0][i][k] - result[1][i][k]) < 1e-13 * fabs(result[0][i][k]));
}

/* (x, y, z) = (sin(x p) + 0.01 t y, x, x q), 36 times, z read by nobody but the loss: with all
 * carries kept, and under a budget with a row for every 6th trip, whose stretches have one for
 * every second trip in turn. */
static void keeping_few_carries(void **state)
{
    (void)state;
    double result[2][2][2], x[2][2] = {{0.9, -1.5}, {0.3, 0.75}};
    for (int few = 0; few < 2; few++) {
        dg_module *m = test_module_new();
        dg_build b = test_builder(m);
        dg_value p = test_place(&b, m, DG_F32, DG_SHAPE(2)),
                 q = test_place(&b, m, DG_F32, DG_SHAPE(2)), xs[] = {p, q}, ds[2];
        dg_value init[3] = {dg_mul(&b, p, q), q, p}, args[3];
        dg_attr attrs[] = {dg_attr_of_int("trips", 36)};
        dg_node n = dg_build_node(&b, dg_op_find("loop"), attrs, 1, init, 3);
        dg_build in = b;
        in.region = dg_graph_add_region(m->graph, n);
        dg_value t = dg_graph_add_arg(m->graph, in.region, (dg_type){DG_I32, DG_SCALAR},
                                      dg_intern_z(m->strings, "t"));
        for (int k = 0; k < 3; k++)
            args[k] = dg_graph_add_arg(m->graph, in.region, *dg_type_of(m->graph, p),
                                       dg_intern_z(m->strings, k == 0   ? "x"
                                                               : k == 1 ? "y"
                                                                        : "z"));
        dg_value slope = dg_scale(&in, dg_cast(&in, t, DG_F32), 0.01),
                 next[3] = {dg_add(&in, dg_unary(&in, "sin", dg_mul(&in, args[0], p)),
                                   dg_mul(&in, args[1], slope)),
                            args[0], dg_mul(&in, args[0], q)};
        for (int k = 0; k < 3; k++)
            dg_vec_push(&dg_region_of(m->graph, in.region)->results, next[k]);
        dg_value loss = DG_NONE;
        for (int k = 0; k < 3; k++) {
            dg_value out = dg_node_of(m->graph, n)->out[k],
                     term = dg_sum(&b, dg_unary(&b, "tanh", out), DG_AXES(0));
            loss = k == 0 ? term : dg_add(&b, loss, dg_scale(&b, term, k + 0.5));
        }
        test_grad(&b, loss, xs, 2, ds);
        for (int i = 0; i < 2; i++) test_output(&b, m, ds[i]);
        dg_pass_options o = {.memory = few ? 64 : 0};
        if (!dg_pass_grad(m, &o)) fail_msg("%s", test_messages(m));
        if (!dg_verify(m, "grad")) fail_msg("%s", test_messages(m));
        run_pass(dg_pass_dead, m, "dead");
        int said = 0;
        for (size_t i = 0; i < m->decisions.n; i++)
            said += strncmp(m->decisions.at[i].reason, "grad.kept-every:", 16) == 0;
        assert_int_equal(said, few ? 2 : 0);
        if (few) assert_string_equal(m->decisions.at[0].reason, "grad.kept-every:6");
        /* the largest stack has a row for each trip, or for each 6th */
        int64_t rows = 0;
        for (size_t v = 0; v < m->graph->values.n; v++) {
            const dg_type *type = m->graph->values.at[v].type;
            if (type->shape.rank == 2 && type->shape.dim[0] > rows) rows = type->shape.dim[0];
        }
        assert_int_equal(rows, few ? 6 : 36);
        const void *places[] = {x[0], x[1]};
        void *out[] = {result[few][0], result[few][1]};
        assert_true(test_run(m, places, out));
        test_module_free(m);
    }
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 2; k++) {
            assert_true(fabs(result[0][i][k]) > 1e-9);
            assert_true(result[0][i][k] == result[1][i][k]);
        }
}

static void no_path(void **state)
{
    (void)state;
    dg_module *m = test_module_new();
    dg_build b = test_builder(m);
    dg_value p = test_place(&b, m, DG_F32, DG_SHAPE(2)), q = test_place(&b, m, DG_F32, DG_SHAPE(2)),
             in[] = {p, q};
    dg_value loss = dg_sum(&b, dg_mul(&b, p, p), DG_AXES(0));
    test_output(&b, m, test_grad(&b, loss, in, 2, NULL));
    dg_pass_options o = {0};
    assert_false(dg_pass_grad(m, &o));
    assert_non_null(strstr(test_messages(m), "E051 grad: the value does not depend on `p1`"));
    test_module_free(m);
}

/* stop_gradient and comparisons cut: the gradient is zero, not an error. */
static void cut_paths(void **state)
{
    (void)state;
    dg_module *m = test_module_new();
    dg_build b = test_builder(m);
    dg_value p = test_place(&b, m, DG_F64, DG_SHAPE(2)), q = test_place(&b, m, DG_F64, DG_SHAPE(2)),
             in[] = {p, q}, g[2];
    dg_value y = dg_mul(&b, dg_unary(&b, "stop_gradient", p),
                        dg_where(&b, dg_compare(&b, "lt", p, q), q, dg_neg(&b, q)));
    test_grad(&b, dg_sum(&b, y, DG_AXES(0)), in, 2, g);
    test_output(&b, m, g[0]);
    test_output(&b, m, g[1]);
    run_pass(dg_pass_grad, m, "grad");
    double x[] = {2, 3}, z[] = {5, 1}, gx[2], gz[2];
    const void *places[] = {x, z};
    void *out[] = {gx, gz};
    assert_true(test_run(m, places, out));
    assert_true(gx[0] == 0 && gx[1] == 0 && gz[0] == 2 && gz[1] == -3);
    test_module_free(m);
}

static void names(void **state)
{
    (void)state;
    dg_module *m = test_module_new();
    dg_build b = test_builder(m);
    dg_value p = test_place(&b, m, DG_F32, DG_SHAPE(2));
    b.name = dg_intern_z(m->strings, "h");
    dg_value h = dg_unary(&b, "sin", p);
    b.name = NULL;
    dg_value g = test_grad(&b, dg_sum(&b, dg_unary(&b, "exp", h), DG_AXES(0)), &p, 1, NULL);
    test_output(&b, m, g);
    run_pass(dg_pass_grad, m, "grad");
    const dg_node_info *out = dg_node_of(m->graph, dg_region_of(m->graph, 0)->last);
    const dg_value_info *grad = dg_value_of(m->graph, out->in[0]);
    assert_string_equal(dg_path_text(m->graph, grad->path), "grad.p0");
    const dg_node_info *def = dg_node_of(m->graph, grad->def);
    assert_int_equal(def->phase, DG_BACKWARD);
    assert_string_equal(def->scope, "t");
    bool found = false;
    for (size_t v = 0; v < m->graph->values.n; v++)
        found |= strcmp(dg_path_of(m->graph, (dg_value)v), "d.t.h") == 0;
    assert_true(found);
    test_module_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_graphs),  cmocka_unit_test(in_a_loop),
        cmocka_unit_test(through_a_loop), cmocka_unit_test(keeping_few_carries),
        cmocka_unit_test(no_path),        cmocka_unit_test(cut_paths),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

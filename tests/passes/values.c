/* tests/passes/values.c: random graphs with constants, equal parts, dead parts and loops give the
 * same numbers before and after the passes that are written for any graph. */
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

enum { N = RANDOM_N, M = RANDOM_M, COUNT = N * M, POOL = 24 };

typedef struct pool {
    dg_value at[POOL];
    int n;
} pool;

static dg_value pick(const pool *p)
{
    return p->at[random_draw((uint32_t)p->n)];
}

static dg_value table(dg_build *b)
{
    double values[COUNT];
    for (int i = 0; i < COUNT; i++) values[i] = 2 * random_uniform();
    return dg_const(b, DG_F64, DG_SHAPE(N, M), values);
}

static dg_value number(dg_build *b)
{
    static const double numbers[] = {0, -0.0, 1, -1, 2, 0.5, 3};
    return dg_full(b, DG_F64, random_draw(2) ? DG_SCALAR : DG_SHAPE(N, M),
                   numbers[random_draw(sizeof numbers / sizeof *numbers)]);
}

static void fill(dg_build *b, dg_module *m, pool *p, int steps, int depth);

/* Carries: one that moves, one that stays, one nobody reads. */
static dg_value loop(dg_build *b, dg_module *m, const pool *outside, int depth)
{
    dg_value init[3] = {pick(outside), pick(outside), pick(outside)};
    dg_attr attrs[] = {dg_attr_of_int("trips", random_draw(4)),
                       dg_attr_of_int("stop", random_draw(2))};
    dg_node n = dg_build_node(b, dg_op_find("loop"), attrs, 2, init, 3);
    dg_build in = *b;
    in.region = dg_graph_add_region(m->graph, n);
    dg_str name = dg_intern_z(m->strings, "x");
    dg_value trip = dg_graph_add_arg(m->graph, in.region, (dg_type){DG_I32, DG_SCALAR}, name);
    pool inside = *outside;
    dg_value arg[3];
    for (int k = 0; k < 3; k++) {
        arg[k] = dg_graph_add_arg(m->graph, in.region, *dg_type_of(m->graph, init[k]), name);
        inside.at[(inside.n + k) % POOL] = arg[k];
    }
    inside.n = inside.n + 3 < POOL ? inside.n + 3 : POOL;
    fill(&in, m, &inside, 3, depth + 1);
    dg_value shifted = dg_add(&in, pick(&inside), dg_scale(&in, dg_cast(&in, trip, DG_F64), 0.25));
    dg_value next[3] = {dg_unary(&in, "tanh", shifted), arg[1], pick(&inside)};
    for (int k = 0; k < 3; k++) dg_vec_push(&dg_region_of(m->graph, in.region)->results, next[k]);
    if (attrs[1].v.i) {
        double one = 1;
        dg_vec_push(&dg_region_of(m->graph, in.region)->results,
                    dg_compare(&in, "ge", trip, dg_const(&in, DG_I32, DG_SCALAR, &one)));
    }
    const dg_value *out = dg_node_of(m->graph, n)->out;
    return dg_add(b, out[0], out[1]);
}

static void fill(dg_build *b, dg_module *m, pool *p, int steps, int depth)
{
    static const char *const exact[] = {"add", "sub", "mul", "maximum"};
    for (int i = 0; i < steps; i++) {
        dg_value v;
        switch (random_draw(8)) {
        case 0:
            v = table(b);
            break;
        case 1:
            v = dg_emit(b, exact[random_draw(4)], NULL, 0, (dg_value[]){pick(p), number(b)}, 2);
            break;
        case 2:
            v = dg_div(b, dg_neg(b, pick(p)),
                       dg_full(b, DG_F64, DG_SCALAR, random_draw(2) ? 1 : 4));
            break;
        case 3:
            v = dg_sub(b, pick(p), dg_neg(b, dg_neg(b, pick(p))));
            break;
        case 4:
            v = depth < 2 ? loop(b, m, p, depth) : dg_unary(b, "stop_gradient", pick(p));
            break;
        default:
            v = random_step(b, pick(p), pick(p));
            break;
        }
        v = dg_unary(b, "tanh", v);
        p->at[p->n < POOL ? p->n : (int)random_draw(POOL)] = v;
        if (p->n < POOL) p->n++;
    }
}

static void same_numbers(void **state)
{
    (void)state;
    static bool (*const passes[])(dg_module *, const dg_pass_options *) = {
        dg_pass_dead, dg_pass_expand, dg_pass_simplify,
        dg_pass_cse,  dg_pass_hoist,  dg_pass_simplify};
    for (uint32_t round = 0; round < 400; round++) {
        random_seed = 77000 + round;
        dg_module *m = test_module_new();
        dg_build b = test_builder(m);
        pool p = {.n = 2};
        for (int k = 0; k < 2; k++) p.at[k] = test_place(&b, m, DG_F64, DG_SHAPE(N, M));
        fill(&b, m, &p, 8, 0);
        for (int k = 0; k < 3; k++) test_output(&b, m, pick(&p));
        assert_string_equal(test_messages(m), "");
        if (!dg_verify(m, "build")) fail_msg("round %u: %s", round, test_messages(m));

        double x[2][COUNT], before[3][COUNT], after[3][COUNT];
        for (int i = 0; i < 2 * COUNT; i++) x[i / COUNT][i % COUNT] = 2 * random_uniform();
        const void *places[] = {x[0], x[1]};
        void *first[] = {before[0], before[1], before[2]},
             *second[] = {after[0], after[1], after[2]};
        assert_true(test_run(m, places, first));
        for (size_t k = 0; k < sizeof passes / sizeof *passes; k++) {
            dg_pass_options o = {0};
            bool good = passes[k](m, &o);
            dg_module_compact(m);
            if (!good || !dg_verify(m, "pass"))
                fail_msg("round %u, pass %zu: %s", round, k, test_messages(m));
            assert_true(test_run(m, places, second));
            for (int i = 0; i < 3 * COUNT; i++) {
                double a = before[i / COUNT][i % COUNT], c = after[i / COUNT][i % COUNT];
                if (!(fabs(a - c) <= 1e-12 * (1 + fabs(a))))
                    fail_msg("round %u, pass %zu: %.17g became %.17g", round, k, a, c);
            }
        }
        test_module_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/passes/patterns.c: attention and its gradient in one node each give the numbers of the
 * nodes they stand for. */
#include "compiler/ir/verify.h"
#include "compiler/passes/passes.h"
#include "tests/support/graph_run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* q [2, N, D], k [2, M, D], v [2, M, E]: 2 N M floats are more than 1 MiB. */
enum { HEADS = 2, N = 300, M = 450, D = 5, E = 3, RESULTS = 4 };

static dg_value attend(dg_build *b, dg_value q, dg_value k, dg_value v, bool scaled)
{
    dg_attr axis = dg_attr_of_int("axis", 2);
    dg_value s = dg_matmul(b, q, k, false, true);
    if (scaled) s = dg_div(b, s, dg_number(b, s, 1.75));
    return dg_matmul(b, dg_emit(b, "softmax", &axis, 1, &s, 1), v, false, false);
}

static int nodes_of(const dg_module *m, const char *op)
{
    int n = 0;
    for (size_t i = 0; i < m->graph->nodes.n; i++) {
        const dg_node_info *node = dg_node_of(m->graph, (dg_node)i);
        n += node->op && strcmp(node->op->name, op) == 0;
    }
    return n;
}

static void prepared(dg_module *m)
{
    static bool (*const passes[])(dg_module *, const dg_pass_options *) = {
        dg_pass_grad, dg_pass_dead, dg_pass_expand, dg_pass_simplify, dg_pass_cse};
    dg_pass_options o = {0};
    for (size_t k = 0; k < sizeof passes / sizeof *passes; k++) assert_true(passes[k](m, &o));
    dg_module_compact(m);
}

/* Which of the gradients of q, k, v are wanted: a bit for each. */
static void same_numbers(int wanted, bool scaled, int heads)
{
    dg_module *m = test_module_new();
    dg_build b = test_builder(m);
    dg_value x[3] = {test_place(&b, m, DG_F32, DG_SHAPE(heads, N, D)),
                     test_place(&b, m, DG_F32, DG_SHAPE(heads, M, D)),
                     test_place(&b, m, DG_F32, DG_SHAPE(heads, M, E))};
    dg_value o = attend(&b, x[0], x[1], x[2], scaled);
    dg_value loss = dg_sum(&b, dg_unary(&b, "square", dg_unary(&b, "tanh", o)), DG_AXES(0, 1, 2));
    test_output(&b, m, o);
    dg_value of[3], d[3];
    int n = 0;
    for (int i = 0; i < 3; i++) {
        if (wanted & 1 << i) of[n++] = x[i];
    }
    if (n > 0) test_grad(&b, loss, of, n, d);
    for (int i = 0; i < n; i++) test_output(&b, m, d[i]);
    prepared(m);

    enum { MOST = HEADS * M * D };
    static double value[3][MOST], before[RESULTS][MOST], after[RESULTS][MOST];
    for (int i = 0; i < 3 * MOST; i++)
        value[i / MOST][i % MOST] = sin(1.0 + 12.9898 * i) * 2; /* any numbers */
    const void *places[] = {value[0], value[1], value[2]};
    void *first[RESULTS], *second[RESULTS];
    for (int i = 0; i < RESULTS; i++) {
        first[i] = before[i];
        second[i] = after[i];
    }
    memset(before, 0, sizeof before);
    memset(after, 0, sizeof after);
    assert_true(test_run(m, places, first));
    dg_pass_options options = {0};
    assert_true(dg_pass_patterns(m, &options));
    dg_module_compact(m);
    assert_true(dg_verify(m, "patterns"));
    bool one = (heads > 1 || n == 0) && wanted != 4; /* v alone: p is all there is to keep */
    assert_int_equal(nodes_of(m, "attention"), one);
    assert_int_equal(nodes_of(m, "attention_grad"), one && n > 0);
    assert_int_equal(nodes_of(m, "softmax"), !one);
    assert_true(test_run(m, places, second));
    for (int i = 0; i < RESULTS * MOST; i++) {
        double a = before[i / MOST][i % MOST], c = after[i / MOST][i % MOST];
        if (!(fabs(a - c) <= 1e-12 * (1 + fabs(a))))
            fail_msg("wanted %d: result %d: %.17g became %.17g", wanted, i / MOST, a, c);
    }
    test_module_free(m);
}

static void forward_and_gradients(void **state)
{
    (void)state;
    for (int wanted = 0; wanted < 8; wanted++) same_numbers(wanted, wanted % 2 == 1, HEADS);
    same_numbers(7, true, 1);
}

/* Where somebody else reads the matrix, or the scores, nothing is replaced. */
static void other_readers(void **state)
{
    (void)state;
    for (int which = 0; which < 3; which++) {
        dg_module *m = test_module_new();
        dg_build b = test_builder(m);
        dg_value q = test_place(&b, m, DG_F32, DG_SHAPE(4, 512, 8)),
                 v = test_place(&b, m, DG_F32, DG_SHAPE(4, 512, 8));
        dg_attr axis = dg_attr_of_int("axis", which == 2 ? 1 : 2);
        dg_value s = dg_matmul(&b, q, q, false, true), p = dg_emit(&b, "softmax", &axis, 1, &s, 1);
        test_output(&b, m, dg_matmul(&b, p, v, false, false));
        if (which < 2) test_output(&b, m, which ? p : s);
        prepared(m);
        dg_pass_options o = {0};
        assert_true(dg_pass_patterns(m, &o));
        assert_int_equal(nodes_of(m, "softmax"), 1);
        assert_int_equal(nodes_of(m, "attention"), 0);
        test_module_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(forward_and_gradients),
                                       cmocka_unit_test(other_readers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

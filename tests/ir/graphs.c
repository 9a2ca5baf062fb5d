/* tests/ir/graphs.c: building, moving, replacing, copying, dropping, renumbering; and what the
 * verifier refuses. */
#include "compiler/ir/rewrite.h"
#include "compiler/ir/verify.h"
#include "tests/support/graph_run.h"

#include "ops/ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int count(const dg_graph *g, dg_region r)
{
    int n = 0;
    DG_EACH_NODE(g, r, node) n++;
    return n;
}

static dg_node def(const dg_module *m, dg_value v)
{
    return dg_value_of(m->graph, v)->def;
}

/* A loop of three trips over carries (a, b, c): a := a + w; b := b; c := c * a, of which only some
 * are read. */
typedef struct sample_loop {
    dg_node node;
    dg_region body;
    dg_value a, b, c, w;
} sample_loop;

static sample_loop make_loop(dg_build *b, dg_module *m)
{
    sample_loop l;
    l.w = test_place(b, m, DG_F32, DG_SHAPE(2));
    dg_value init[3] = {dg_full_like(b, l.w, 1), dg_full_like(b, l.w, 2), dg_full_like(b, l.w, 3)};
    dg_attr trips = dg_attr_of_int("trips", 3);
    l.node = dg_build_node(b, dg_op_find("loop"), &trips, 1, init, 3);
    dg_build in = *b;
    l.body = in.region = dg_graph_add_region(m->graph, l.node);
    dg_graph_add_arg(m->graph, l.body, (dg_type){DG_I32, DG_SCALAR}, dg_intern_z(m->strings, "t"));
    dg_value arg[3];
    for (int k = 0; k < 3; k++)
        arg[k] = dg_graph_add_arg(m->graph, l.body, *dg_type_of(m->graph, init[k]),
                                  dg_intern_z(m->strings, "x"));
    dg_value next[3] = {dg_add(&in, arg[0], l.w), arg[1], dg_mul(&in, arg[2], arg[0])};
    for (int k = 0; k < 3; k++) dg_vec_push(&dg_region_of(m->graph, l.body)->results, next[k]);
    const dg_value *out = dg_node_of(m->graph, l.node)->out;
    l.a = out[0], l.b = out[1], l.c = out[2];
    return l;
}

static void built_nodes(void **state)
{
    (void)state;
    dg_module *m = test_module_new();
    dg_build b = test_builder(m);
    dg_value x = test_place(&b, m, DG_F32, DG_SHAPE(2, 3)), y = dg_number(&b, x, 2);
    b.name = dg_intern_z(m->strings, "h");
    dg_value z = dg_mul(&b, x, y);
    assert_true(dg_shape_equal(&dg_type_of(m->graph, z)->shape, &DG_SHAPE(2, 3)));
    assert_string_equal(dg_path_of(m->graph, z), "t.h");
    assert_ptr_equal(dg_reshape(&b, x, DG_SHAPE(2, 3)) == x ? &x : NULL,
                     &x); /* nothing to do: no node */
    double number;
    assert_true(dg_known_number(&b, dg_expand(&b, y, DG_SHAPE(4)), &number) && number == 2);
    assert_false(dg_known_number(&b, z, &number));

    dg_value bad = dg_add(&b, x, dg_full(&b, DG_F32, DG_SHAPE(2, 4), 1));
    assert_int_equal(dg_dtype_of(&b, bad), DG_POISON);
    assert_string_equal(test_messages(m), "E020 operands differ on axis 1: 3 and 4");
    int errors = dg_diag_errors(m->diag);
    assert_int_equal(dg_dtype_of(&b, dg_sub(&b, bad, x)), DG_POISON); /* in silence */
    assert_int_equal(dg_diag_errors(m->diag), errors);
    test_module_free(m);
}

static void refusals(void **state)
{
    (void)state;
    dg_module *m = test_module_new();
    dg_build b = test_builder(m);
    dg_value x = test_place(&b, m, DG_F32, DG_SHAPE(2, 3)),
             v = test_place(&b, m, DG_F32, DG_SHAPE(3)), i = dg_cast(&b, v, DG_I32);
    dg_add(&b, v, x);
    assert_string_equal(test_messages(m), "E020 rank 1 against rank 2");
    dg_diag_clear(m->diag);
    dg_add(&b, v, i);
    assert_string_equal(test_messages(m), "E018 dtypes differ: f32 and i32");
    dg_diag_clear(m->diag);
    assert_int_equal(dg_build_node(&b, dg_op_find("add"), NULL, 0, &x, 1), DG_NONE);
    assert_string_equal(test_messages(m), "E018 2 operands are wanted, not 1");
    dg_diag_clear(m->diag);
    dg_attr wrong = dg_attr_of_int("axis", 1);
    dg_build_node(&b, dg_op_find("neg"), &wrong, 1, &x, 1);
    assert_string_equal(test_messages(m), "E018 there is no argument `axis`");
    dg_diag_clear(m->diag);
    dg_build_node(&b, dg_op_find("reshape"), NULL, 0, &x, 1);
    assert_string_equal(test_messages(m), "E018 the argument `shape` is missing");
    test_module_free(m);
}

static void uses(void **state)
{
    (void)state;
    dg_module *m = test_module_new();
    dg_build b = test_builder(m);
    sample_loop l = make_loop(&b, m);
    test_output(&b, m, l.c);
    dg_uses u = dg_uses_of(m->graph, m->arena);
    assert_int_equal(u.first[l.w + 1] - u.first[l.w], 1);
    dg_value next = dg_region_of(m->graph, l.body)->results.at[0];
    assert_int_equal(u.first[next + 1] - u.first[next], 1);
    assert_int_equal(u.at[u.first[next]].node,
                     l.node); /* a result of the body is used by the loop */
    assert_int_equal(u.at[u.first[next]].input, -1);
    dg_value a = dg_region_of(m->graph, l.body)->args.at[1];
    assert_int_equal(u.first[a + 1] - u.first[a], 2);
    assert_int_equal(u.first[l.a + 1] - u.first[l.a], 0);
    test_module_free(m);
}

static void dead_carries(void **state)
{
    (void)state;
    dg_module *m = test_module_new();
    dg_build b = test_builder(m);
    sample_loop l = make_loop(&b, m);
    test_output(&b, m, l.c); /* needs a, not b */
    dg_drop_dead(m->graph, m->arena);
    if (!dg_verify(m, "dead")) fail_msg("%s", test_messages(m));
    assert_int_equal(dg_node_of(m->graph, l.node)->n_in, 2);
    assert_int_equal(dg_region_of(m->graph, l.body)->args.n, 3);

    double w[2] = {0.5, -1}, y[2];
    const void *places[] = {w};
    void *out[] = {y};
    assert_true(test_run(m, places, out));
    assert_true(y[0] == 3 * 1 * 1.5 * 2 && y[1] == 0); /* c * a0 * a1 * a2 */
    test_module_free(m);

    m = test_module_new(); /* nothing read: nothing stays */
    b = test_builder(m);
    make_loop(&b, m);
    dg_drop_dead(m->graph, m->arena);
    assert_int_equal(count(m->graph, 0), 0);
    test_module_free(m);
}

static void copies_and_numbers(void **state)
{
    (void)state;
    dg_module *m = test_module_new();
    dg_build b = test_builder(m);
    sample_loop l = make_loop(&b, m);
    dg_value sum = dg_add(&b, l.c, l.a);
    test_output(&b, m, sum);
    /* The body once more before the loop: with its arguments replaced by the initial values. */
    dg_value *map = DG_NEW_ARRAY(m->arena, dg_value, m->graph->values.n);
    for (size_t v = 0; v < m->graph->values.n; v++) map[v] = DG_NONE;
    for (int k = 0; k < 3; k++)
        map[dg_region_of(m->graph, l.body)->args.at[k + 1]] = dg_node_of(m->graph, l.node)->in[k];
    dg_build before = b;
    before.before = l.node;
    dg_clone_nodes(&before, l.body, map);
    for (int k = 0; k < 3; k++) {
        dg_value r = dg_region_of(m->graph, l.body)->results.at[k];
        if (map[r] != DG_NONE) dg_node_of(m->graph, l.node)->in[k] = map[r];
    }
    if (!dg_verify(m, "clone")) fail_msg("%s", test_messages(m));
    double w[2] = {0.5, -1}, y[2];
    const void *places[] = {w};
    void *out[] = {y};
    assert_true(test_run(m, places, out));
    assert_true(y[0] == 3 * 1 * 1.5 * 2 * 2.5 + 3);

    size_t nodes = m->graph->nodes.n;
    dg_graph_unlink(m->graph, def(m, dg_full_like(&b, sum, 0)));
    dg_vec_push(&m->decisions, (dg_decision){.kind = "x", .node = def(m, sum), .value = sum});
    dg_module_compact(m);
    if (!dg_verify(m, "compact")) fail_msg("%s", test_messages(m));
    assert_true(m->graph->nodes.n < nodes + 2);
    assert_string_equal(dg_node_of(m->graph, m->decisions.at[0].node)->op->name, "add");
    assert_int_equal(dg_value_of(m->graph, m->decisions.at[0].value)->def, m->decisions.at[0].node);
    dg_value last = -1;
    DG_EACH_NODE(m->graph, 0, n) {
        const dg_node_info *i = dg_node_of(m->graph, n);
        for (int k = 0; k < i->n_out; k++) assert_true(i->out[k] > last), last = i->out[k];
    }
    memset(y, 0, sizeof y);
    assert_true(test_run(m, places, out));
    assert_true(y[0] == 3 * 1 * 1.5 * 2 * 2.5 + 3);
    test_module_free(m);
}

/* ---- the verifier ---- */

typedef struct broken_case {
    const char *message;
    void (*breaks)(dg_module *m, dg_build *b, sample_loop *l);
} broken_case;

static void use_of_inner(dg_module *m, dg_build *b, sample_loop *l)
{
    dg_value inner = dg_region_of(m->graph, l->body)->results.at[0];
    test_output(b, m, inner);
}

static void use_before_made(dg_module *m, dg_build *b, sample_loop *l)
{
    dg_value x = dg_neg(b, l->a);
    test_output(b, m, x);
    dg_graph_move(m->graph, def(m, x), l->node, 0);
}

static void carry_type(dg_module *m, dg_build *b, sample_loop *l)
{
    test_output(b, m, l->a);
    dg_build in = *b;
    in.region = l->body;
    dg_region_of(m->graph, l->body)->results.at[0] = dg_cast(&in, l->w, DG_F64);
}

static void wrong_type(dg_module *m, dg_build *b, sample_loop *l)
{
    dg_value x = dg_neg(b, l->a);
    test_output(b, m, x);
    dg_value_of(m->graph, x)->type = dg_shared_type(m->graph, &(dg_type){DG_F32, DG_SHAPE(3)});
}

static void second_place(dg_module *m, dg_build *b, sample_loop *l)
{
    const dg_node_info *i = dg_node_of(m->graph, def(m, l->w));
    dg_attrs attrs = i->attrs;
    dg_build_node(b, i->op, attrs.at, attrs.n, NULL, 0);
}

static void poison(dg_module *m, dg_build *b, sample_loop *l)
{
    dg_value x = dg_neg(b, l->a);
    dg_type type = *dg_type_of(m->graph, x);
    type.dtype = DG_POISON;
    dg_value_of(m->graph, x)->type = dg_shared_type(m->graph, &type);
}

static void attributes(dg_module *m, dg_build *b, sample_loop *l)
{
    dg_value x = dg_reshape(b, l->a, DG_SHAPE(2, 1));
    dg_node_of(m->graph, def(m, x))->attrs.n = 0;
}

static void links(dg_module *m, dg_build *b, sample_loop *l)
{
    dg_value x = dg_neg(b, l->a);
    dg_node_of(m->graph, def(m, x))->prev = DG_NONE;
}

static void broken_graphs(void **state)
{
    (void)state;
    static const broken_case cases[] = {
        {"is used before it is made, or outside its loop", use_of_inner},
        {"is used before it is made, or outside its loop", use_before_made},
        {"carry 0 changes its type", carry_type},
        {"the shape rule says f32[2]", wrong_type},
        {"a second `place` of p0", second_place},
        {"is poison, but no error was reported", poison},
        {"the attribute `shape` is missing", attributes},
        {"its links disagree with its neighbours", links},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        dg_module *m = test_module_new();
        dg_build b = test_builder(m);
        sample_loop l = make_loop(&b, m);
        test_output(&b, m, l.c);
        assert_true(dg_verify(m, "test"));
        cases[k].breaks(m, &b, &l);
        assert_false(dg_verify(m, "test"));
        const char *message = test_messages(m);
        if (strncmp(message, "E902", 4) != 0 || !strstr(message, cases[k].message))
            fail_msg("case %zu: %s", k, message);
        test_module_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_nodes),
        cmocka_unit_test(refusals),
        cmocka_unit_test(uses),
        cmocka_unit_test(dead_carries),
        cmocka_unit_test(copies_and_numbers),
        cmocka_unit_test(broken_graphs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

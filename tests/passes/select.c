/* tests/passes/select.c: kernels are chosen, and copies stand where a kernel cannot read an operand
 * as it lies. */
#include "compiler/ir/verify.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/views.h"
#include "tests/support/world.h"

static bool infer_same(dg_infer *t)
{
    return dg_give(t, 0, dg_in_shape(t, 0));
}

static bool wide(const dg_infer *t)
{
    return t->in[0]->shape.dim[t->in[0]->shape.rank - 1] % 8 == 0;
}

static void run(const dg_call *k)
{
    (void)k;
}

/* Best first: one that needs AVX-512, one for rows of whole vectors, one that takes strides, none
 * for f64. */
static const dg_kernel kernels[] = {
    {"wide", run, .dtype = DG_F32, .least_isa = DG_AVX512, .fits = wide},
    {"narrow", run, .dtype = DG_F32},
    {0},
};
static const dg_kernel strided_kernels[] = {{"strided", run, .dtype = DG_F32, .strided = 1}, {0}};
static const dg_op packed_op = {
    .name = "t_packed", .inputs = "x", .outputs = "y", .infer = infer_same, .kernels = kernels};
static const dg_op strided_op = {.name = "t_strided",
                                 .inputs = "x",
                                 .outputs = "y",
                                 .infer = infer_same,
                                 .kernels = strided_kernels};

static const dg_op *find(const char *name)
{
    if (strcmp(name, packed_op.name) == 0) return &packed_op;
    if (strcmp(name, strided_op.name) == 0) return &strided_op;
    return dg_op_find(name);
}

static void run_pass(world *w, dg_isa isa)
{
    dg_pass_options o = {.isa = isa};
    world_good(w, dg_verify(&w->m, "graph"));
    world_good(w, dg_pass_select(&w->m, &o));
    world_good(w, dg_verify(&w->m, "select"));
}

static int count(const world *w, const char *op)
{
    int n = 0;
    for (size_t i = 0; i < w->m.graph->nodes.n; i++)
        n += w->m.graph->nodes.at[i].op && strcmp(w->m.graph->nodes.at[i].op->name, op) == 0;
    return n;
}

static dg_value swapped(world *w, dg_value x)
{
    return dg_transpose(&w->b, x, (int[]){1, 0});
}

static const char *kernel_of(const world *w, dg_value v)
{
    const dg_node_info *n = dg_node_of(w->m.graph, dg_value_of(w->m.graph, v)->def);
    return n->kernel ? n->kernel->name : "none";
}

static void the_first_kernel_that_fits(void **state)
{
    (void)state;
    for (dg_isa isa = DG_GENERIC; isa < DG_ISAS; isa++) {
        world w;
        world_begin(&w, find);
        dg_value a = dg_unary(&w.b, "t_packed", world_place(&w, DG_SHAPE(4, 16)));
        dg_value b = dg_unary(&w.b, "t_packed", world_place(&w, DG_SHAPE(4, 15)));
        world_store(&w, a);
        world_store(&w, b);
        run_pass(&w, isa);
        assert_string_equal(kernel_of(&w, a), isa == DG_AVX512 ? "wide" : "narrow");
        assert_string_equal(kernel_of(&w, b), "narrow");
        world_end(&w);
    }
}

static void one_copy_for_all_who_want_packed(void **state)
{
    (void)state;
    world w;
    world_begin(&w, find);
    dg_value x = swapped(&w, world_place(&w, DG_SHAPE(4, 6)));
    world_store(&w, dg_unary(&w.b, "t_strided", x));
    world_store(&w, dg_unary(&w.b, "relu", x)); /* strips take any strides */
    run_pass(&w, DG_GENERIC);
    assert_int_equal(count(&w, "copy"), 0);

    world_store(&w, dg_unary(&w.b, "t_packed", x));
    world_store(&w, dg_unary(&w.b, "t_packed", x));
    world_store(&w, x);
    run_pass(&w, DG_GENERIC);
    assert_int_equal(count(&w, "copy"), 1);
    world_end(&w);
}

/* Merging axes that are not neighbours in memory needs a copy; the reshape then is a view of it. */
static void a_view_that_cannot_be_expressed(void **state)
{
    (void)state;
    world w;
    world_begin(&w, find);
    dg_value flat = dg_reshape(&w.b, swapped(&w, world_place(&w, DG_SHAPE(4, 6))), DG_SHAPE(24));
    dg_value whole = dg_reshape(&w.b, world_place(&w, DG_SHAPE(4, 6)), DG_SHAPE(2, 12));
    world_store(&w, flat);
    world_store(&w, whole);
    assert_false(dg_node_is_view(w.m.graph, dg_value_of(w.m.graph, flat)->def));
    run_pass(&w, DG_GENERIC);
    assert_int_equal(count(&w, "copy"), 1);
    assert_true(dg_node_is_view(w.m.graph, dg_value_of(w.m.graph, flat)->def));
    assert_true(dg_value_packed(w.m.graph, flat) && dg_value_packed(w.m.graph, whole));
    world_end(&w);
}

/* Strides and the first element follow through a chain of views. */
static void strides_of_a_chain(void **state)
{
    (void)state;
    world w;
    world_begin(&w, find);
    dg_value x = world_place(&w, DG_SHAPE(4, 6));
    dg_value y = dg_slice(&w.b, x, (int64_t[]){1, 2}, (int64_t[]){4, 6},
                          (int64_t[]){2, 1}); /* rows 1 3, columns 2 .. 5 */
    dg_value z = dg_reshape(&w.b, swapped(&w, y), DG_SHAPE(2, 2, 2));
    world_store(&w, dg_unary(&w.b, "t_strided", z));
    dg_view view;
    dg_value base;
    int64_t shift;
    assert_true(dg_value_strides(w.m.graph, z, &base, &shift, &view));
    assert_int_equal(base, x);
    assert_int_equal(shift, 8 * 4);
    assert_int_equal(view.stride[0], 2);
    assert_int_equal(view.stride[1], 1);
    assert_int_equal(view.stride[2], 12);
    assert_false(dg_value_strides(w.m.graph, x, &base, &shift, &view));
    world_end(&w);
}

/* A loop reads a transposed value on every trip: the copy is made once, before it. What it carries
 * is packed. */
static void copies_stand_outside_of_loops(void **state)
{
    (void)state;
    world w;
    world_begin(&w, find);
    dg_graph *g = w.m.graph;
    dg_value x = world_place(&w, DG_SHAPE(6, 6)), t = swapped(&w, world_place(&w, DG_SHAPE(6, 6)));
    dg_attr attrs[] = {dg_attr_of_int("trips", 3), dg_attr_of_int("stop", 0)};
    dg_type type = *dg_type_of(g, x);
    dg_attr *kept = dg_arena_copy(w.m.arena, attrs, sizeof attrs);
    dg_node loop = dg_graph_add(g, 0, DG_NONE, find("loop"), (dg_attrs){2, kept}, &x, 1, &type, 1);
    dg_str name = dg_intern_z(w.m.strings, "x");
    dg_region body = dg_graph_add_region(g, loop);
    dg_graph_add_arg(g, body, (dg_type){DG_I32, DG_SCALAR}, name);
    dg_value arg = dg_graph_add_arg(g, body, type, name);
    w.b.region = body;
    dg_value sum = dg_add(&w.b, dg_unary(&w.b, "t_packed", t), arg);
    dg_vec_push(&dg_region_of(g, body)->results, swapped(&w, sum));
    w.b.region = 0;
    world_store(&w, dg_node_of(g, loop)->out[0]);
    run_pass(&w, DG_GENERIC);
    int outside = 0, inside = 0;
    DG_EACH_NODE(g, 0, n) {
        outside += strcmp(dg_node_of(g, n)->op->name, "copy") == 0;
    }
    DG_EACH_NODE(g, body, n) {
        inside += strcmp(dg_node_of(g, n)->op->name, "copy") == 0;
    }
    assert_int_equal(outside, 1);
    assert_int_equal(inside, 1);
    assert_true(dg_value_packed(g, dg_region_of(g, body)->results.at[0]));
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_kernel_that_fits),
        cmocka_unit_test(one_copy_for_all_who_want_packed),
        cmocka_unit_test(a_view_that_cannot_be_expressed),
        cmocka_unit_test(strides_of_a_chain),
        cmocka_unit_test(copies_stand_outside_of_loops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/passes/fuse.c: fused graphs have the kernels they should have, and compute the same bits as
 * unfused ones.
 *
 * Graphs are built by hand; ops of the registry serve where they are small, and three ops of this
 * file stand for real kernels: `t_kernel` (any tensor to another), `t_stats` (mean and rstd of the
 * last two axes), `t_product` (takes an epilogue), `t_taker` (takes a prologue and an epilogue;
 * its kernel for rank 2 takes no prologue). */
#include "compiler/ir/verify.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/views.h"
#include "ops/support/prologue.h"
#include "tests/support/world.h"

#include <math.h>
#include <stdlib.h>

/* ---- ops of the tests ---- */

static bool infer_same(dg_infer *t)
{
    return dg_give(t, 0, dg_in_shape(t, 0));
}

static bool infer_stats(dg_infer *t)
{
    dg_shape s = dg_in_shape(t, 0);
    s.dim[2] = s.dim[3] = 1;
    return dg_give(t, 0, s) && dg_give(t, 1, s);
}

static void run_kernel(const dg_call *k)
{
    const float *x = k->in[0].data;
    float *y = k->out[0].data;
    for (int64_t i = 0, n = dg_shape_count(&k->out[0].shape); i < n; i++)
        y[i] = 0.75f * x[i] + 0.125f;
}

static void run_product(const dg_call *k)
{
    run_kernel(k);
    int64_t start[DG_MAX_RANK] = {0};
    dg_epilogue(k, start, k->out[0].shape.dim);
}

/* The same in parts, as a kernel does that computes its operand: halves of the first axis. */
static void run_taker(const dg_call *k)
{
    dg_shape s = k->out[0].shape;
    int64_t high = s.rank > 0 ? s.dim[0] : 1, row = dg_shape_count(&s) / high;
    float *buffer = (float *)(void *)((char *)k->scratch + dg_strips_bytes(k->prologue, k->strip));
    for (int64_t y0 = 0; y0 < high; y0 += (high + 1) / 2) {
        int64_t start[DG_MAX_RANK] = {y0}, extent[DG_MAX_RANK], n = high - y0;
        if (n > (high + 1) / 2) n = (high + 1) / 2;
        for (int a = 0; a < s.rank; a++) extent[a] = a == 0 ? n : s.dim[a];
        const float *x = (const float *)k->in[0].data + y0 * row;
        if (dg_has_prologue(k, 0)) {
            dg_prologue_box(k, start, extent, buffer);
            x = buffer;
        }
        float *y = (float *)k->out[0].data + y0 * row;
        for (int64_t i = 0; i < n * row; i++) y[i] = 0.75f * x[i] + 0.125f;
        dg_epilogue(k, start, extent);
    }
}

static int64_t taker_scratch(const dg_infer *types, const dg_strip *strip)
{
    return dg_strips_bytes(types->prologue, strip) +
           (int64_t)sizeof(float) * dg_shape_count(&types->in[0]->shape);
}

static bool not_of_rank_2(const dg_infer *types)
{
    return types->in[0]->shape.rank != 2;
}

static void run_stats(const dg_call *k)
{
    const float *x = k->in[0].data;
    dg_shape s = k->in[0].shape;
    int64_t row = s.dim[2] * s.dim[3];
    for (int64_t c = 0; c < s.dim[0] * s.dim[1]; c++, x += row) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < row; i++) sum += x[i], squares += x[i] * x[i];
        ((float *)k->out[0].data)[c] = (float)(sum / (double)row);
        ((float *)k->out[1].data)[c] = (float)(1 / sqrt(squares / (double)row + 1e-3));
    }
}

static int64_t scratch_of(const dg_infer *types, const dg_strip *strip)
{
    (void)types;
    return strip ? dg_strip_scratch(strip) : 0;
}

static const dg_kernel t_kernels[] = {{"plain", run_kernel, .dtype = DG_F32}, {0}};
static const dg_kernel t_stats_kernels[] = {{"plain", run_stats, .dtype = DG_F32}, {0}};
static const dg_kernel t_product_kernels[] = {
    {"plain", run_product, .dtype = DG_F32, .scratch = scratch_of}, {0}};
static const dg_kernel t_taker_kernels[] = {
    {"taking", run_taker, .dtype = DG_F32, .prologue = 1, .fits = not_of_rank_2,
     .scratch = taker_scratch},
    {"plain", run_taker, .dtype = DG_F32, .scratch = taker_scratch},
    {0}};
static const dg_op t_taker = {.name = "t_taker",
                              .inputs = "x",
                              .outputs = "y",
                              .infer = infer_same,
                              .kernels = t_taker_kernels,
                              .epilogue = true};
static const dg_op t_kernel = {
    .name = "t_kernel", .inputs = "x", .outputs = "y", .infer = infer_same, .kernels = t_kernels};
static const dg_op t_stats = {.name = "t_stats",
                              .inputs = "x",
                              .outputs = "mean rstd",
                              .infer = infer_stats,
                              .kernels = t_stats_kernels};
static const dg_op t_product = {.name = "t_product",
                                .inputs = "x",
                                .outputs = "y",
                                .infer = infer_same,
                                .kernels = t_product_kernels,
                                .epilogue = true};

static const dg_op *find(const char *name)
{
    static const dg_op *const own[] = {&t_kernel, &t_stats, &t_product, &t_taker};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(name, own[i]->name) == 0) return own[i];
    return dg_op_find(name);
}

/* ---- building ---- */

static dg_value op1(world *w, const char *op, dg_value x)
{
    return dg_unary(&w->b, op, x);
}

static dg_value drawn(world *w, dg_shape s, int64_t key)
{
    dg_value trip = dg_loop_trip(&w->b);
    dg_attr attrs[] = {dg_attr_of_ints(w->m.arena, "shape", s.dim, s.rank),
                       dg_attr_of_int("key", key)};
    return dg_emit(&w->b, "rand", attrs, 2, &trip, 1);
}

static void run_pass(world *w, bool fuse)
{
    dg_pass_options o = {.isa = dg_isa_of_cpu()};
    world_good(w, dg_verify(&w->m, "graph"));
    if (fuse) world_good(w, dg_pass_fuse(&w->m, &o));
    world_good(w, dg_verify(&w->m, "fuse"));
    world_good(w, dg_pass_select(&w->m, &o));
    world_good(w, dg_verify(&w->m, "select"));
}

/* Nodes of one op that are left; of `phase`, or of any when it is negative. */
static int count(const world *w, const char *op, int phase)
{
    int n = 0;
    for (size_t i = 0; i < w->m.graph->nodes.n; i++) {
        const dg_node_info *node = &w->m.graph->nodes.at[i];
        n +=
            node->op && strcmp(node->op->name, op) == 0 && (phase < 0 || (int)node->phase == phase);
    }
    return n;
}

static const dg_node_info *first(const world *w, const char *op, dg_phase phase)
{
    for (size_t i = 0; i < w->m.graph->nodes.n; i++) {
        const dg_node_info *node = &w->m.graph->nodes.at[i];
        if (node->op && strcmp(node->op->name, op) == 0 && node->phase == phase) return node;
    }
    fail_msg("no %s", op);
    return NULL;
}

static bool decided(const world *w, const char *reason)
{
    for (size_t i = 0; i < w->m.decisions.n; i++)
        if (strcmp(w->m.decisions.at[i].reason, reason) == 0) return true;
    return false;
}

/* ---- norm, affine, SiLU: forward and backward ---- */

/* The shape of a U-Net's block: a kernel, a norm with affine, SiLU, a kernel; and what its gradient
 * looks like. */
static void norm_block(world *w)
{
    dg_shape s = DG_SHAPE(2, 4, 16, 40), c = DG_SHAPE(1, 4, 1, 1);
    dg_value h = op1(w, "t_kernel", world_place(w, s)), gamma = world_place(w, c),
             beta = world_place(w, c);
    dg_node stats = dg_build_node(&w->b, find("t_stats"), NULL, 0, &h, 1);
    dg_value mean = dg_node_of(w->m.graph, stats)->out[0],
             rstd = dg_node_of(w->m.graph, stats)->out[1];
    dg_value xhat = dg_mul(&w->b, dg_sub(&w->b, h, mean), rstd);
    dg_value z = dg_add(&w->b, dg_mul(&w->b, xhat, gamma), beta);
    dg_value a = op1(w, "silu", z);
    dg_value out = op1(w, "t_kernel", a);
    world_store(w, out);

    w->b.phase = DG_BACKWARD;
    dg_value da = op1(w, "t_kernel", out);
    dg_value sig = op1(w, "sigmoid", z);
    dg_value slope = dg_mul(
        &w->b, sig, dg_shift(&w->b, dg_mul(&w->b, z, dg_shift(&w->b, dg_neg(&w->b, sig), 1)), 1));
    dg_value dz = dg_mul(&w->b, da, slope);
    dg_axes channel = DG_AXES(0, 2, 3), plane = DG_AXES(2, 3);
    world_store(w, dg_sum_keep(&w->b, dz, channel));
    world_store(w, dg_sum_keep(&w->b, dg_mul(&w->b, dz, xhat), channel));
    dg_value dxh = dg_mul(&w->b, dz, gamma);
    dg_value mean1 = dg_scale(&w->b, dg_sum_keep(&w->b, dxh, plane), 1.0 / 640);
    dg_value mean2 =
        dg_scale(&w->b, dg_sum_keep(&w->b, dg_mul(&w->b, dxh, xhat), plane), 1.0 / 640);
    dg_value dx =
        dg_mul(&w->b, rstd, dg_sub(&w->b, dg_sub(&w->b, dxh, mean1), dg_mul(&w->b, xhat, mean2)));
    world_store(w, op1(w, "t_kernel", dx));
}

static void norm_is_one_kernel_forward_and_two_backward(void **state)
{
    (void)state;
    world w;
    world_begin(&w, find);
    norm_block(&w);
    run_pass(&w, true);
    assert_int_equal(count(&w, "fused", DG_FORWARD), 1);
    const dg_node_info *forward = first(&w, "fused", DG_FORWARD);
    assert_int_equal(forward->n_out, 1); /* only what the next kernel reads */
    int large = 0;
    for (size_t i = 0; i < w.m.graph->nodes.n; i++) {
        const dg_node_info *n = &w.m.graph->nodes.at[i];
        if (!n->op || strcmp(n->op->name, "fused") != 0 || n->phase != DG_BACKWARD) continue;
        const dg_shape *space = &n->strip->space;
        if (dg_shape_count(space) < 2 * 4 * 16 * 40) continue;
        large++;
        if (n->strip->out[0].reduce > 0)
            assert_int_equal(n->n_out, 4); /* the four sums together */
        else
            assert_int_equal(n->n_out, 1);
    }
    assert_int_equal(large, 2);
    assert_true(decided(&w, "fuse.yes:row-sum"));
    world_end(&w);
}

/* ---- an optimiser's update ---- */

static void adam_of(world *w, dg_value g, dg_shape s, dg_value lr, dg_value c1, dg_value c2)
{
    dg_build *b = &w->b;
    int at = w->n_places;
    dg_value p = world_place(w, s), m = world_place(w, s), v = world_place(w, s),
             ema = world_place(w, s);
    dg_value m1 = dg_add(b, dg_scale(b, m, 0.9), dg_scale(b, g, 0.1));
    dg_value v1 = dg_add(b, dg_scale(b, v, 0.999), dg_scale(b, op1(w, "square", g), 0.001));
    dg_value step =
        dg_div(b, dg_div(b, m1, c1), dg_shift(b, op1(w, "sqrt", dg_div(b, v1, c2)), 1e-8));
    dg_value p1 = dg_sub(b, p, dg_mul(b, lr, step));
    dg_value e1 = dg_add(b, dg_scale(b, ema, 0.999), dg_scale(b, p1, 0.001));
    dg_value made[] = {p1, m1, v1, e1};
    for (int i = 0; i < 4; i++) world_store_at(w, at + i, made[i]);
}

static void update_of_a_parameter_is_one_kernel(void **state)
{
    (void)state;
    world w;
    world_begin(&w, find);
    dg_shape s = DG_SHAPE(64, 300); /* large enough to count for the peak */
    dg_value lr = world_place(&w, DG_SCALAR), c1 = world_place(&w, DG_SCALAR),
             c2 = world_place(&w, DG_SCALAR);
    dg_value x = world_place(&w, s);
    w.b.phase = DG_BACKWARD;
    dg_value g1 = op1(&w, "t_kernel", x), g2 = op1(&w, "t_kernel", g1);
    w.b.phase = DG_UPDATE;
    adam_of(&w, g1, s, lr, c1, c2);
    adam_of(&w, g2, s, lr, c1, c2);
    run_pass(&w, true);
    assert_int_equal(count(&w, "fused", -1),
                     2); /* one for each parameter, though shapes and scalars are the same */
    assert_int_equal(first(&w, "fused", DG_UPDATE)->n_out, 4);
    world_end(&w);
}

/* Moments of all parameters first, then all parameters: the order in which a comprehension writes
 * them. */
static void update_is_one_kernel_in_any_order(void **state)
{
    (void)state;
    world w;
    world_begin(&w, find);
    dg_build *b = &w.b;
    enum { N = 5 };
    dg_shape s = DG_SHAPE(64, 300);
    dg_value g[N], m[N];
    int at = 0;
    w.b.phase = DG_UPDATE;
    for (int i = 0; i < N; i++) g[i] = op1(&w, "t_kernel", world_place(&w, s));
    at = w.n_places;
    for (int i = 0; i < N; i++) {
        m[i] = dg_add(b, dg_scale(b, world_place(&w, s), 0.9), dg_scale(b, g[i], 0.1));
        world_store_at(&w, at + i, m[i]);
    }
    at = w.n_places;
    for (int i = 0; i < N; i++)
        world_store_at(&w, at + i, dg_sub(b, world_place(&w, s), dg_scale(b, m[i], 0.01)));
    run_pass(&w, true);
    assert_int_equal(count(&w, "fused", -1), N);
    world_end(&w);
}

/* ---- epilogues ---- */

static void kernel_takes_bias_embedding_and_residual(void **state)
{
    (void)state;
    world w;
    world_begin(&w, find);
    dg_build *b = &w.b;
    dg_shape s = DG_SHAPE(2, 4, 32, 64);
    dg_value x = world_place(&w, s), bias = world_place(&w, DG_SHAPE(4)),
             emb = world_place(&w, DG_SHAPE(2, 4));
    dg_value skip = op1(&w, "t_kernel", x);
    dg_value y = op1(&w, "t_product", skip);
    y = dg_add(b, y, dg_reshape(b, bias, DG_SHAPE(1, 4, 1, 1)));
    /* a small kernel written behind the product moves ahead of it */
    dg_value e = op1(&w, "t_kernel", op1(&w, "silu", emb));
    y = dg_add(b, y, dg_reshape(b, e, DG_SHAPE(2, 4, 1, 1)));
    y = dg_add(b, y, skip);
    world_store(&w, op1(&w, "t_kernel", op1(&w, "silu", y)));
    run_pass(&w, true);
    const dg_node_info *product = first(&w, "t_product", DG_FORWARD);
    assert_non_null(product->strip);
    assert_int_equal(product->n_own, 1);
    assert_int_equal(product->n_in, 4);
    assert_int_equal(product->strip->n_code, 4);
    assert_int_equal(product->strip->out[0].reduce, 0);
    assert_int_equal(count(&w, "fused", -1), 1); /* silu(emb) */
    assert_true(decided(&w, "fuse.yes:epilogue"));
    world_end(&w);
}

/* The raw result is needed elsewhere: it must not be lost. */
static void raw_result_is_kept(void **state)
{
    (void)state;
    world w;
    world_begin(&w, find);
    dg_shape s = DG_SHAPE(2, 4, 8, 8);
    dg_value y = op1(&w, "t_product", world_place(&w, s));
    world_store(&w, op1(&w, "t_kernel", op1(&w, "silu", y)));
    world_store(&w, y);
    run_pass(&w, true);
    assert_null(first(&w, "t_product", DG_FORWARD)->strip);
    assert_int_equal(count(&w, "fused", -1), 1);
    world_end(&w);
}

/* Two values of a product, which nobody else reads, come from its epilogue, behind a bias that is
 * there already; with a third reader the product is stored. */
static void two_values_of_a_product(void **state)
{
    (void)state;
    for (int third = 0; third < 2; third++) {
        world w;
        world_begin(&w, find);
        dg_shape s = DG_SHAPE(2, 4, 8, 8);
        dg_value y = dg_add(&w.b, op1(&w, "t_product", world_place(&w, s)),
                            world_place(&w, DG_SHAPE(1, 4, 1, 1)));
        dg_value part = op1(&w, "sigmoid", y);
        world_store(&w, op1(&w, "t_kernel", dg_mul(&w.b, y, part)));
        world_store(&w, op1(&w, "t_kernel", dg_sub(&w.b, dg_number(&w.b, y, 1), part)));
        if (third) world_store(&w, op1(&w, "t_kernel", y));
        run_pass(&w, true);
        const dg_node_info *product = first(&w, "t_product", DG_FORWARD);
        assert_int_equal(count(&w, "fused", -1), third);
        assert_int_equal(product->n_out, third ? 1 : 2);
        assert_int_equal(product->strip->n_out, product->n_out);
        assert_int_equal(product->strip->n_code, third ? 1 : 4);
        assert_int_equal(product->n_own, 1);
        world_end(&w);
    }
}

/* An operand that depends on the product itself cannot be ready before it. */
static void operand_behind_the_product(void **state)
{
    (void)state;
    world w;
    world_begin(&w, find);
    dg_shape s = DG_SHAPE(2, 4, 32, 64);
    dg_value x = world_place(&w, s);
    dg_value y = op1(&w, "t_product", x);
    dg_value later = op1(&w, "t_kernel", x); /* as large as the product: it stays where it is */
    world_store(&w, dg_add(&w.b, y, later));
    dg_value z = op1(&w, "t_product", x);
    dg_node stats = dg_build_node(&w.b, find("t_stats"), NULL, 0, &z, 1);
    world_store(&w, dg_add(&w.b, z, dg_node_of(w.m.graph, stats)->out[0]));
    run_pass(&w, true);
    assert_int_equal(count(&w, "fused", -1), 2);
    for (size_t i = 0; i < w.m.graph->nodes.n; i++)
        if (w.m.graph->nodes.at[i].op == &t_product) assert_null(w.m.graph->nodes.at[i].strip);
    world_end(&w);
}

/* ---- prologues ---- */

/* Norm, affine and SiLU of h, [2, 4, 16, 40]. */
static dg_value activated(world *w, dg_value h)
{
    dg_shape c = DG_SHAPE(1, 4, 1, 1);
    dg_node stats = dg_build_node(&w->b, find("t_stats"), NULL, 0, &h, 1);
    dg_value mean = dg_node_of(w->m.graph, stats)->out[0],
             rstd = dg_node_of(w->m.graph, stats)->out[1];
    dg_value xhat = dg_mul(&w->b, dg_sub(&w->b, h, mean), rstd);
    dg_value z = dg_add(&w->b, dg_mul(&w->b, xhat, world_place(w, c)), world_place(w, c));
    return op1(w, "silu", z);
}

/* A kernel forward and one backward compute the activation; nobody stores it. */
static void activation_is_not_stored(void **state)
{
    (void)state;
    world w;
    world_begin(&w, find);
    dg_value a = activated(&w, op1(&w, "t_kernel", world_place(&w, DG_SHAPE(2, 4, 16, 40))));
    world_store(&w, op1(&w, "t_taker", a));
    w.b.phase = DG_BACKWARD;
    world_store(&w, op1(&w, "t_taker", a));
    run_pass(&w, true);
    assert_int_equal(count(&w, "fused", -1), 0);
    for (int phase = DG_FORWARD; phase <= DG_BACKWARD; phase++) {
        const dg_node_info *n = first(&w, "t_taker", (dg_phase)phase);
        assert_non_null(n->prologue);
        assert_int_equal(n->prologue->strip->n_code, 5);
        assert_int_equal(n->n_own, 1);
        assert_int_equal(n->n_in, 5); /* h, mean, rstd, gamma, beta */
        assert_string_equal(dg_node_of(w.m.graph, dg_value_of(w.m.graph, n->in[0])->def)->op->name,
                            "t_kernel");
    }
    assert_true(decided(&w, "fuse.yes:prologue"));
    world_end(&w);
}

/* Three of one phase: writing it once and reading it is less work. */
static void many_readers_want_it_stored(void **state)
{
    (void)state;
    world w;
    world_begin(&w, find);
    dg_value a = activated(&w, op1(&w, "t_kernel", world_place(&w, DG_SHAPE(2, 4, 16, 40))));
    for (int i = 0; i < 3; i++) world_store(&w, op1(&w, "t_taker", a));
    run_pass(&w, true);
    assert_int_equal(count(&w, "fused", -1), 1);
    assert_null(first(&w, "t_taker", DG_FORWARD)->prologue);
    assert_true(decided(&w, "fuse.no:prologues-cost-more"));
    world_end(&w);
}

/* A kernel that takes none reads it too. */
static void stored_for_another_kernel(void **state)
{
    (void)state;
    world w;
    world_begin(&w, find);
    dg_value a = activated(&w, op1(&w, "t_kernel", world_place(&w, DG_SHAPE(2, 4, 16, 40))));
    world_store(&w, op1(&w, "t_taker", a));
    world_store(&w, op1(&w, "t_kernel", a));
    run_pass(&w, true);
    assert_null(first(&w, "t_taker", DG_FORWARD)->prologue);
    assert_true(decided(&w, "fuse.no:consumer-is-kernel"));
    world_end(&w);
}

/* A number for each channel is no prologue's first load: nothing lies where the operand would. */
static void no_load_of_its_size(void **state)
{
    (void)state;
    world w;
    world_begin(&w, find);
    dg_value x = world_place(&w, DG_SHAPE(5, 1, 30)), y = world_place(&w, DG_SHAPE(1, 6, 30));
    world_store(&w, op1(&w, "t_taker", op1(&w, "silu", dg_add(&w.b, x, y))));
    run_pass(&w, true);
    assert_int_equal(count(&w, "fused", -1), 1);
    assert_true(decided(&w, "fuse.no:no-operand-of-its-size"));
    world_end(&w);
}

/* The kernel that was chosen cannot compute its operand: a node before it stores it, each time. */
static void chosen_kernel_reads_stored(void **state)
{
    (void)state;
    world w;
    world_begin(&w, find);
    dg_value a = op1(&w, "silu", op1(&w, "t_kernel", world_place(&w, DG_SHAPE(30, 40))));
    world_store(&w, op1(&w, "t_taker", a));
    w.b.phase = DG_BACKWARD;
    world_store(&w, op1(&w, "t_taker", a));
    run_pass(&w, true);
    assert_int_equal(count(&w, "fused", DG_FORWARD), 1);
    assert_int_equal(count(&w, "fused", DG_BACKWARD), 1);
    assert_true(decided(&w, "fuse.no:kernel-reads-stored"));
    world_end(&w);
}

/* ---- what is stored ---- */

/* A mask of one byte for each element is kept for the backward pass, not the draw of four. */
static void mask_is_kept_not_its_operand(void **state)
{
    (void)state;
    world w;
    world_begin(&w, find);
    dg_build *b = &w.b;
    dg_shape s = DG_SHAPE(2, 4, 32, 64);
    dg_value x = world_place(&w, s), r = op1(&w, "t_kernel", world_place(&w, s));
    dg_value mask = dg_compare(b, "lt", r, dg_number(b, r, 0.5));
    dg_value y = op1(&w, "t_kernel", dg_where(b, mask, x, dg_number(b, x, 0)));
    world_store(&w, y);
    w.b.phase = DG_BACKWARD;
    dg_value dy = op1(&w, "t_kernel", y);
    world_store(&w, op1(&w, "t_kernel", dg_where(b, mask, dy, dg_number(b, x, 0))));
    run_pass(&w, true);
    assert_true(decided(&w, "fuse.no:smaller-than-operands"));
    const dg_node_info *backward = first(&w, "fused", DG_BACKWARD);
    bool reads_mask = false;
    for (int i = 0; i < backward->n_in; i++) {
        assert_int_not_equal(backward->in[i], r);
        reads_mask = reads_mask || dg_type_of(w.m.graph, backward->in[i])->dtype == DG_BOOL;
    }
    assert_true(reads_mask);
    world_end(&w);
}

/* Dropout: neither the draw nor the mask is stored, forward and backward make their own; a draw
 * that a kernel reads is the node that it was. */
static void mask_is_drawn_again(void **state)
{
    (void)state;
    world w;
    world_begin(&w, find);
    dg_build *b = &w.b;
    dg_shape s = DG_SHAPE(2, 4, 32, 64);
    dg_value x = op1(&w, "t_kernel", world_place(&w, s)), r = drawn(&w, s, 1);
    dg_value mask = dg_compare(b, "ge", r, dg_number(b, r, 0.5));
    dg_value y = op1(&w, "t_taker", dg_where(b, mask, x, dg_number(b, x, 0)));
    world_store(&w, op1(&w, "t_kernel", drawn(&w, s, 2)));
    w.b.phase = DG_BACKWARD;
    dg_value dy = op1(&w, "t_kernel", y);
    world_store(&w, op1(&w, "t_kernel", dg_where(b, mask, dy, dg_number(b, x, 0))));
    run_pass(&w, true);
    assert_int_equal(count(&w, "rand", -1), 1);
    assert_int_equal(count(&w, "fused", DG_FORWARD), 0);
    const dg_node_info *taker = first(&w, "t_taker", DG_FORWARD),
                       *backward = first(&w, "fused", DG_BACKWARD);
    assert_string_equal(taker->prologue->strip->code[0].op->name, "rand");
    assert_string_equal(backward->strip->code[0].op->name, "rand");
    world_end(&w);
}

/* A chain of any length falls into bodies of bounded size. */
static void long_chain_is_cut(void **state)
{
    (void)state;
    world w;
    world_begin(&w, find);
    dg_value x = world_place(&w, DG_SHAPE(4, 300));
    for (int i = 0; i < 1000; i++)
        x = dg_shift(&w.b, op1(&w, i % 2 ? "neg" : "square", x), 0.25 + i);
    world_store(&w, x);
    run_pass(&w, true);
    int fused = count(&w, "fused", -1);
    assert_in_range(fused, 2000 / 64, 2000 / 20);
    assert_true(decided(&w, "fuse.no:too-long"));
    world_end(&w);
}

/* ---- the same bits ---- */

typedef struct machine {
    world *w;
    void **data; /* by value: of those that own bytes */
    int n_written;
    dg_value written[64];
} machine;

static dg_view view_of(const machine *x, dg_value v)
{
    dg_view view;
    dg_value base;
    int64_t shift;
    dg_value_strides(x->w->m.graph, v, &base, &shift, &view);
    assert_non_null(x->data[base]);
    view.data = (char *)x->data[base] + shift;
    return view;
}

static void run_node(machine *x, dg_node n, const dg_run *run)
{
    const dg_graph *g = x->w->m.graph;
    dg_arena *a = x->w->m.arena;
    const dg_node_info *node = dg_node_of(g, n);
    if (dg_node_is_view(g, n)) return;
    if (node->op->traits & DG_EFFECT) {
        x->written[x->n_written++] = node->in[0];
        return;
    }
    dg_view in[64], out[16];
    for (int i = 0; i < node->n_in; i++) in[i] = view_of(x, node->in[i]);
    for (int i = 0; i < node->n_out; i++) {
        x->data[node->out[i]] =
            dg_arena_alloc(a, (size_t)dg_type_bytes(dg_type_of(g, node->out[i])) + 64);
        out[i] = view_of(x, node->out[i]);
    }
    dg_infer types = dg_types_of(g, n);
    const dg_kernel *kernel = node->kernel ? node->kernel : node->op->kernels;
    if (strcmp(node->op->name, "place") == 0) {
        uint32_t seed = 17 + 29 * (uint32_t)dg_attr_int(&node->attrs, "index");
        for (int64_t i = 0; i < dg_shape_count(&out[0].shape); i++) {
            seed = seed * 1664525u + 1013904223u;
            ((float *)out[0].data)[i] = (float)(int32_t)seed * 0x1p-31f;
        }
        return;
    }
    dg_call call = {.in = in,
                    .out = out,
                    .n_in = node->n_in,
                    .n_out = node->n_out,
                    .n_own = node->n_own,
                    .attrs = &node->attrs,
                    .strip = node->strip,
                    .prologue = node->prologue,
                    .run = run};
    if (kernel->workspace)
        call.workspace = dg_arena_alloc(a, (size_t)kernel->workspace(&types, node->strip) + 64);
    if (kernel->scratch)
        call.scratch = dg_arena_alloc(a, (size_t)kernel->scratch(&types, node->strip) + 64);
    kernel->run(&call);
}

static void run_all(machine *x, world *w)
{
    *x = (machine){.w = w};
    x->data = DG_NEW_ARRAY(w->m.arena, void *, w->m.graph->values.n);
    dg_run run = {.isa = dg_isa_of_cpu(), .seed = 5, .step = 3, .sample0 = 2};
    DG_EACH_NODE(w->m.graph, 0, n) {
        run_node(x, n, &run);
    }
}

/* Results of both, in order of the writes. With `loose`, sums may round differently. */
static void compare(machine *a, machine *b, bool loose)
{
    assert_int_equal(a->n_written, b->n_written);
    for (int i = 0; i < a->n_written; i++) {
        dg_view x = view_of(a, a->written[i]), y = view_of(b, b->written[i]);
        assert_true(dg_view_contiguous(&x) && dg_view_contiguous(&y));
        assert_true(dg_shape_equal(&x.shape, &y.shape));
        int64_t n = dg_shape_count(&x.shape);
        if (!loose) {
            assert_memory_equal(x.data, y.data, (size_t)n * dg_dtype_size(x.dtype));
            continue;
        }
        for (int64_t k = 0; k < n; k++) {
            float p = ((float *)x.data)[k], q = ((float *)y.data)[k];
            if (fabsf(p - q) > 1e-4f * (1 + fabsf(p)))
                fail_msg("result %d, element %lld: %g and %g", i, (long long)k, p, q);
        }
    }
}

static uint32_t draw(uint32_t *state, uint32_t below)
{
    *state = *state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)*state * below >> 32);
}

static void random_graph(world *w, uint32_t seed, bool sums)
{
    dg_build *b = &w->b;
    dg_shape shapes[] = {DG_SHAPE(3, 5, 37), DG_SHAPE(3, 5, 1), DG_SHAPE(1, 5, 37), DG_SCALAR};
    enum { KINDS = 4, MAX = 96 };
    dg_value v[MAX];
    int n = 0;
    for (int k = 0; k < KINDS; k++) v[n++] = world_place(w, shapes[k]);
    v[n++] = world_place(w, shapes[0]);
    static const char *const unary[] = {"tanh", "sigmoid", "neg", "sin", "abs"};
    static const char *const binary[] = {"add", "sub", "mul", "maximum"};
    int nodes = 8 + (int)draw(&seed, 40);
    for (int i = 0; i < nodes; i++) {
        if (i == nodes / 2) b->phase = DG_BACKWARD;
        dg_value x = v[draw(&seed, (uint32_t)n)], y = v[draw(&seed, (uint32_t)n)];
        dg_shape s = dg_shape_of(b, x);
        switch (draw(&seed, 13)) {
        case 0:
            x = op1(w, "t_kernel", x);
            break;
        case 1:
            x = op1(w, "t_product", x);
            break;
        case 2:
            x = op1(w, "t_taker", x);
            break;
        case 3:
        case 4:
            x = op1(w, unary[draw(&seed, 5)], x);
            break;
        case 5:
            x = dg_where(b, dg_compare(b, "lt", x, y), x, y);
            break;
        case 6: /* there and back, through another shape */
            if (s.rank == 3)
                x = dg_reshape(
                    b, op1(w, "tanh", dg_reshape(b, x, DG_SHAPE(s.dim[0] * s.dim[1], s.dim[2]))),
                    s);
            break;
        case 7:
            if (sums && s.rank == 3 && s.dim[2] > 1)
                x = dg_sum_keep(b, x, DG_AXES(2));
            else if (s.rank == 3 && s.dim[2] == 1)
                x = dg_expand(b, x, DG_SHAPE(s.dim[0], s.dim[1], 37));
            break;
        case 8:
            x = drawn(w, s, i);
            break;
        default:
            x = dg_emit(b, binary[draw(&seed, 4)], NULL, 0, (dg_value[]){x, y}, 2);
            break;
        }
        if (dg_dtype_of(b, x) == DG_POISON) continue;
        v[n++] = sums || draw(&seed, 3) ? x : op1(w, "tanh", x); /* numbers stay small */
        if (draw(&seed, 6) == 0 && w->n_places < 60) world_store(w, v[n - 1]);
    }
    world_store(w, v[n - 1]);
}

static void fused_is_unfused(void **state)
{
    bool sums = *state != NULL;
    int fewer = 0;
    for (uint32_t seed = 1; seed <= 400; seed++) {
        world fused, plain;
        machine a, b;
        world_begin(&fused, find);
        world_begin(&plain, find);
        random_graph(&fused, seed * 7919, sums);
        random_graph(&plain, seed * 7919, sums);
        run_pass(&fused, true);
        run_pass(&plain, false);
        run_all(&a, &fused);
        run_all(&b, &plain);
        compare(&a, &b, sums);
        fewer += count(&fused, "fused", -1) > 0;
        world_end(&fused);
        world_end(&plain);
    }
    assert_true(fewer > 300);
}

static void norm_block_computes_the_same(void **state)
{
    (void)state;
    world fused, plain;
    machine a, b;
    world_begin(&fused, find);
    world_begin(&plain, find);
    norm_block(&fused);
    norm_block(&plain);
    run_pass(&fused, true);
    run_pass(&plain, false);
    run_all(&a, &fused);
    run_all(&b, &plain);
    compare(&a, &b, true);
    world_end(&fused);
    world_end(&plain);
}

int main(void)
{
    static int sums;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norm_is_one_kernel_forward_and_two_backward),
        cmocka_unit_test(update_of_a_parameter_is_one_kernel),
        cmocka_unit_test(update_is_one_kernel_in_any_order),
        cmocka_unit_test(kernel_takes_bias_embedding_and_residual),
        cmocka_unit_test(raw_result_is_kept),
        cmocka_unit_test(two_values_of_a_product),
        cmocka_unit_test(operand_behind_the_product),
        cmocka_unit_test(activation_is_not_stored),
        cmocka_unit_test(many_readers_want_it_stored),
        cmocka_unit_test(stored_for_another_kernel),
        cmocka_unit_test(no_load_of_its_size),
        cmocka_unit_test(chosen_kernel_reads_stored),
        cmocka_unit_test(mask_is_kept_not_its_operand),
        cmocka_unit_test(mask_is_drawn_again),
        cmocka_unit_test(long_chain_is_cut),
        cmocka_unit_test(fused_is_unfused),
        cmocka_unit_test_prestate(fused_is_unfused, &sums),
        cmocka_unit_test(norm_block_computes_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

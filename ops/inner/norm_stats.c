/* ops/inner/norm_stats.c: mean and reciprocal deviation along the last axis; what group_norm and
 * layer_norm are made of before fusion. */
#include "ops/support/stats.h"

enum { MEAN, RSTD };

static const char doc[] =
    "mean, rstd = 1 / sqrt(var + eps) over the last axis, kept with size 1; var is biased\n"
    "sums in double";

static const dg_attr_spec attrs[] = {
    {"eps", DG_FLOAT, .fallback = 1e-5, .doc = "added to the variance"},
    {0},
};

static bool infer(dg_infer *t)
{
    if (!dg_want_float(t, 0) || !dg_want_rank_from(t, 0, 1, DG_MAX_RANK)) return false;
    dg_shape s = dg_in_shape(t, 0);
    s.dim[s.rank - 1] = 1;
    return dg_give(t, MEAN, s) && dg_give(t, RSTD, s);
}

static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_shape x = dg_shape_of(b, g->in[0]);
    dg_value xhat = dg_mul(b, dg_sub(b, g->in[0], g->out[MEAN]), g->out[RSTD]);
    g->din[0] =
        dg_stats_grad(b, xhat, g->out[RSTD], g->dout[MEAN], g->dout[RSTD], x.dim[x.rank - 1]);
}

static void ref(const dg_call *k)
{
    dg_shape x = k->in[0].shape;
    int64_t n = x.dim[x.rank - 1];
    dg_normalise_ref(k->in[0].data, dg_shape_count(&x) / n, n, dg_attr_float(k->attrs, "eps"), NULL,
                     k->out[MEAN].data, k->out[RSTD].data);
}

enum { PIECE = 1 << 15 }; /* elements */

static int64_t rows_of_piece(int64_t n)
{
    return n >= PIECE ? 1 : PIECE / n;
}

static void piece(const dg_call *k, int64_t p)
{
    dg_shape x = k->in[0].shape;
    int64_t n = x.dim[x.rank - 1], rows = dg_shape_count(&x) / n, some = rows_of_piece(n),
            end = (p + 1) * some;
    double eps = dg_attr_float(k->attrs, "eps");
    for (int64_t r = p * some; r < end && r < rows; r++)
        dg_stats_f32(dg_isa_of(k), (const float *)k->in[0].data + r * n, n, eps,
                     (float *)k->out[MEAN].data + r, (float *)k->out[RSTD].data + r);
}

static void run(const dg_call *k)
{
    dg_shape x = k->in[0].shape;
    int64_t n = x.dim[x.rank - 1], some = rows_of_piece(n);
    dg_parallel(k, (dg_shape_count(&x) / n + some - 1) / some, piece);
}

static const dg_kernel kernels[] = {
    {"rows_f32", run, .dtype = DG_F32},
    {0},
};

const dg_op dg_op_norm_stats = {
    .name = "norm_stats",
    .inputs = "x",
    .outputs = "mean rstd",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_INNER,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
};

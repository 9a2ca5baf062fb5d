/* ops/norm/layer_norm.c: layer normalisation.
 * Ba, Kiros & Hinton 2016, "Layer Normalization", arXiv:1607.06450. Scale and shift stand outside
 * and are fused. */
#include "ops/support/stats.h"

enum { Y, MEAN, RSTD };

static const char doc[] =
    "y = (x - mean) * rstd over the last axis; rstd = 1 / sqrt(var + eps), var biased\n"
    "mean, rstd: x's shape with last axis 1, kept for the gradient";

static const dg_attr_spec attrs[] = {
    {"eps", DG_FLOAT, .fallback = 1e-5, .doc = "added to the variance"},
    {0},
};

static bool infer(dg_infer *t)
{
    if (!dg_want_float(t, 0) || !dg_want_rank_from(t, 0, 1, DG_MAX_RANK)) return false;
    dg_shape s = dg_in_shape(t, 0);
    if (!dg_give(t, Y, s)) return false;
    s.dim[s.rank - 1] = 1;
    return dg_give(t, MEAN, s) && dg_give(t, RSTD, s);
}

static bool expand(dg_grad *g, dg_value *out)
{
    dg_build *b = g->build;
    dg_attr eps = dg_attr_of_float("eps", dg_attr_float(g->attrs, "eps"));
    dg_node stats = dg_build_node(b, b->graph->find("norm_stats"), &eps, 1, g->in, 1);
    if (stats == DG_NONE) return false;
    out[MEAN] = dg_node_of(b->graph, stats)->out[0];
    out[RSTD] = dg_node_of(b->graph, stats)->out[1];
    out[Y] = dg_mul(b, dg_sub(b, g->in[0], out[MEAN]), out[RSTD]);
    return true;
}

/* dx = rstd * (dy - E[dy] - xhat * E[dy * xhat]), E the mean over the last axis; and what flows
 * through mean and rstd. */
static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_shape s = dg_shape_of(b, g->in[0]);
    dg_axes last = DG_AXES(s.rank - 1);
    dg_value dy = g->dout[Y], rstd = g->out[RSTD],
             xhat = dg_mul(b, dg_sub(b, g->in[0], g->out[MEAN]), rstd);
    dg_value dx = dg_stats_grad(b, xhat, rstd, g->dout[MEAN], g->dout[RSTD], s.dim[s.rank - 1]);
    if (dy != DG_NONE) {
        dg_value flat = dg_sub(b, dy, dg_mean_keep(b, dy, last));
        dg_value tilt = dg_mul(b, xhat, dg_mean_keep(b, dg_mul(b, dy, xhat), last));
        dg_value d = dg_mul(b, rstd, dg_sub(b, flat, tilt));
        dx = dx == DG_NONE ? d : dg_add(b, d, dx);
    }
    g->din[0] = dx;
}

static void ref(const dg_call *k)
{
    dg_shape x = k->in[0].shape;
    int64_t n = x.dim[x.rank - 1];
    dg_normalise_ref(k->in[0].data, dg_shape_count(&x) / n, n, 1, dg_attr_float(k->attrs, "eps"),
                     k->out[Y].data, k->out[MEAN].data, k->out[RSTD].data);
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
    for (int64_t r = p * some; r < end && r < rows; r++) {
        const float *from = (const float *)k->in[0].data + r * n;
        float *mean = (float *)k->out[MEAN].data + r, *rstd = (float *)k->out[RSTD].data + r;
        dg_stats_f32(dg_isa_of(k), from, n, eps, mean, rstd);
        dg_normalise_f32(dg_isa_of(k), (float *)k->out[Y].data + r * n, from, n, *mean, *rstd);
    }
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

const dg_op dg_op_layer_norm = {
    .name = "layer_norm",
    .inputs = "x",
    .outputs = "y mean rstd",
    .doc = doc,
    .attrs = attrs,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .expand = expand,
};

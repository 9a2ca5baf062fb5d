/* ops/norm/group_norm.c: group normalisation.
 * Wu & He 2018, "Group Normalization", arXiv:1803.08494, section 3. Scale and shift stand outside
 * and are fused. */
#include "ops/support/stats.h"

#include <string.h>

enum { Y, MEAN, RSTD };

static const char doc[] = "y = (x - mean[n,g]) * rstd[n,g]      g = c / (C/groups)\n"
                          "rstd = 1 / sqrt(var + eps); var is biased, over the values of a group: "
                          "C/groups channels and all axes after them\n"
                          "x, y [N,C,...]; mean, rstd [N,groups], kept for the gradient";

static const dg_attr_spec attrs[] = {
    {"groups", DG_INT, .required = true, .doc = "how many groups; divides C"},
    {"eps", DG_FLOAT, .fallback = 1e-5, .doc = "added to the variance"},
    {0},
};

/* "1 2 3 4 6 8 12": what `n` divides into. */
static const char *divisors(dg_arena *a, int64_t n)
{
    const char *list = "";
    for (int64_t d = 1; d <= n && strlen(list) < 60; d++) {
        if (n % d == 0) list = dg_arena_printf(a, "%s %lld", list, (long long)d);
    }
    return list;
}

static bool infer(dg_infer *t)
{
    if (!dg_want_float(t, 0) || !dg_want_rank_from(t, 0, 2, DG_MAX_RANK)) return false;
    dg_shape x = dg_in_shape(t, 0);
    int64_t N = x.dim[0], C = x.dim[1], G = dg_attr_int(t->attrs, "groups");
    if (G < 1 || C % G != 0) {
        dg_reject_attr(t, "groups", "%lld channels do not divide into %lld groups", (long long)C,
                       (long long)G);
        return dg_help(t, "%lld divides into%s", (long long)C, divisors(t->arena, C));
    }
    return dg_give(t, Y, x) && dg_give(t, MEAN, DG_SHAPE(N, G)) && dg_give(t, RSTD, DG_SHAPE(N, G));
}

static dg_shape ones_behind(int64_t N, int64_t C, int rank)
{
    dg_shape s = {.rank = rank, .dim = {N, C}};
    for (int a = 2; a < rank; a++) s.dim[a] = 1;
    return s;
}

/* [N, G] -> [N, C, 1, ...]: one number per channel, so that what follows stays elementwise on x's
 * own shape. */
static dg_value per_channel(dg_build *b, dg_value v, dg_shape x)
{
    dg_shape s = dg_shape_of(b, v);
    int64_t N = s.dim[0], G = s.dim[1];
    v = dg_expand(b, dg_reshape(b, v, DG_SHAPE(N, G, 1)), DG_SHAPE(N, G, x.dim[1] / G));
    return dg_reshape(b, v, ones_behind(N, x.dim[1], x.rank));
}

/* Mean over a group: first over the axes behind the channels, then over the group's few channels.
 * [N, G] */
static dg_value group_mean(dg_build *b, dg_value v, int64_t G)
{
    dg_shape x = dg_shape_of(b, v);
    dg_axes behind = {.n = x.rank - 2};
    for (int a = 2; a < x.rank; a++) behind.axis[a - 2] = a;
    int64_t N = x.dim[0], C = x.dim[1], M = dg_shape_count(&x) / N / G;
    dg_value sums = dg_reshape(b, dg_sum(b, v, behind), DG_SHAPE(N, G, C / G));
    return dg_scale(b, dg_sum(b, sums, DG_AXES(2)), 1.0 / (double)M);
}

static bool expand(dg_grad *g, dg_value *out)
{
    dg_build *b = g->build;
    dg_shape x = dg_shape_of(b, g->in[0]);
    int64_t N = x.dim[0], G = dg_attr_int(g->attrs, "groups"), M = dg_shape_count(&x) / N / G;
    dg_attr eps = dg_attr_of_float("eps", dg_attr_float(g->attrs, "eps"));
    dg_value rows = dg_reshape(b, g->in[0], DG_SHAPE(N, G, M));
    dg_node stats = dg_build_node(b, b->graph->find("norm_stats"), &eps, 1, &rows, 1);
    if (stats == DG_NONE) return false;
    out[MEAN] = dg_node_of(b->graph, stats)->out[0];
    out[RSTD] = dg_node_of(b->graph, stats)->out[1];
    out[MEAN] = dg_reshape(b, out[MEAN], DG_SHAPE(N, G));
    out[RSTD] = dg_reshape(b, out[RSTD], DG_SHAPE(N, G));
    dg_value rstd = per_channel(b, out[RSTD], x);
    out[Y] = dg_mul(b, dg_sub(b, g->in[0], per_channel(b, out[MEAN], x)), rstd);
    return true;
}

/* With xhat = (x - mean) * rstd and E the mean over a group:  dx = rstd * (dy - E[dy] - xhat * E[dy
 * * xhat]);  and what flows through mean and rstd (derivatives of this rule read them). */
static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_shape x = dg_shape_of(b, g->in[0]);
    int64_t G = dg_attr_int(g->attrs, "groups"), M = dg_shape_count(&x) / x.dim[0] / G;
    dg_value dy = g->dout[Y], dmean = g->dout[MEAN], drstd = g->dout[RSTD],
             rstd = per_channel(b, g->out[RSTD], x);
    dg_value xhat = dg_mul(b, dg_sub(b, g->in[0], per_channel(b, g->out[MEAN], x)), rstd);
    if (dmean != DG_NONE) dmean = per_channel(b, dmean, x);
    if (drstd != DG_NONE) drstd = per_channel(b, drstd, x);
    dg_value dx = dg_stats_grad(b, xhat, rstd, dmean, drstd, M);
    if (dy != DG_NONE) {
        dg_value level = per_channel(b, group_mean(b, dy, G), x),
                 slope = per_channel(b, group_mean(b, dg_mul(b, dy, xhat), G), x);
        dg_value along = dg_mul(b, xhat, slope);
        dg_value d = dg_mul(b, rstd, dg_sub(b, dg_sub(b, dy, level), along));
        dx = dx == DG_NONE ? d : dg_add(b, d, dx);
    }
    g->din[0] = dx;
}

/* A group's values lie one behind the other: it is a row. */
static int64_t group_size(const dg_call *k)
{
    return dg_shape_count(&k->in[0].shape) / dg_shape_count(&k->out[MEAN].shape);
}

static void ref(const dg_call *k)
{
    dg_normalise_ref(k->in[0].data, dg_shape_count(&k->out[MEAN].shape), group_size(k),
                     dg_attr_float(k->attrs, "eps"), k->out[Y].data, k->out[MEAN].data,
                     k->out[RSTD].data);
}

static void group(const dg_call *k, int64_t r)
{
    int64_t n = group_size(k);
    const float *from = (const float *)k->in[0].data + r * n;
    float *mean = (float *)k->out[MEAN].data + r, *rstd = (float *)k->out[RSTD].data + r;
    dg_stats_f32(dg_isa_of(k), from, n, dg_attr_float(k->attrs, "eps"), mean, rstd);
    dg_normalise_f32(dg_isa_of(k), (float *)k->out[Y].data + r * n, from, n, *mean, *rstd);
}

static void run(const dg_call *k)
{
    dg_parallel(k, dg_shape_count(&k->out[MEAN].shape), group);
}

static const dg_kernel kernels[] = {
    {"groups_f32", run, .dtype = DG_F32},
    {0},
};

const dg_op dg_op_group_norm = {
    .name = "group_norm",
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

/* ops/norm/group_norm.c: group normalisation.
 * Wu & He 2018, "Group Normalization", arXiv:1803.08494, section 3. Scale and shift stand outside
 * and are fused. */
#include "ops/support/stats.h"

#include <string.h>

enum { Y, MEAN, RSTD };

static const char doc[] =
    "y = (x - mean[n,g]) * rstd[n,g]      g = c / (C/groups)\n"
    "rstd = 1 / sqrt(var + eps); var is biased, over the values of a group: "
    "C/groups channels and all axes after them\n"
    "x, y [N,C,...]; mean, rstd [N,C,1,...], each channel's those of its group";

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
    int64_t C = x.dim[1], G = dg_attr_int(t->attrs, "groups");
    if (G < 1 || C % G != 0) {
        dg_reject_attr(t, "groups", "%lld channels do not divide into %lld groups", (long long)C,
                       (long long)G);
        return dg_help(t, "%lld divides into%s", (long long)C, divisors(t->arena, C));
    }
    dg_shape each = dg_each_channel(x);
    return dg_give(t, Y, x) && dg_give(t, MEAN, each) && dg_give(t, RSTD, each);
}

/* What group_sum makes of v [N, C, 1, ...]. */
static dg_value group_sum(dg_build *b, dg_value v, int64_t G)
{
    dg_attr groups = dg_attr_of_int("groups", G);
    return dg_emit(b, "group_sum", &groups, 1, &v, 1);
}

/* Mean over a group, for each of its channels: first over the axes behind the channels. */
static dg_value group_mean(dg_build *b, dg_value v, int64_t G)
{
    dg_shape x = dg_shape_of(b, v);
    dg_axes behind = {.n = x.rank - 2};
    for (int a = 2; a < x.rank; a++) behind.axis[a - 2] = a;
    int64_t M = dg_shape_count(&x) / x.dim[0] / G;
    dg_value sums = behind.n > 0 ? dg_sum_keep(b, v, behind) : v;
    return dg_scale(b, group_sum(b, sums, G), 1.0 / (double)M);
}

static bool expand(dg_grad *g, dg_value *out)
{
    dg_build *b = g->build;
    dg_attr a[] = {dg_attr_of_float("eps", dg_attr_float(g->attrs, "eps")),
                   dg_attr_of_int("groups", dg_attr_int(g->attrs, "groups"))};
    dg_node stats = dg_build_node(b, b->graph->find("norm_stats"), a, 2, g->in, 1);
    if (stats == DG_NONE) return false;
    out[MEAN] = dg_node_of(b->graph, stats)->out[0];
    out[RSTD] = dg_node_of(b->graph, stats)->out[1];
    out[Y] = dg_mul(b, dg_sub(b, g->in[0], out[MEAN]), out[RSTD]);
    return true;
}

/* With xhat = (x - mean) * rstd and E the mean over a group:  dx = rstd * (dy - E[dy] - xhat * E[dy
 * * xhat]);  and what flows through mean and rstd (derivatives of this rule read them). */
static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_shape x = dg_shape_of(b, g->in[0]);
    int64_t G = dg_attr_int(g->attrs, "groups"), M = dg_shape_count(&x) / x.dim[0] / G;
    dg_value dy = g->dout[Y], dmean = g->dout[MEAN], drstd = g->dout[RSTD], rstd = g->out[RSTD];
    dg_value xhat = dg_mul(b, dg_sub(b, g->in[0], g->out[MEAN]), rstd);
    if (dmean != DG_NONE) dmean = group_sum(b, dmean, G);
    if (drstd != DG_NONE) drstd = group_sum(b, drstd, G);
    dg_value dx = dg_stats_grad(b, xhat, rstd, dmean, drstd, M);
    if (dy != DG_NONE) {
        dg_value level = group_mean(b, dy, G), slope = group_mean(b, dg_mul(b, dy, xhat), G);
        dg_value along = dg_mul(b, xhat, slope);
        dg_value d = dg_mul(b, rstd, dg_sub(b, dg_sub(b, dy, level), along));
        dx = dx == DG_NONE ? d : dg_add(b, d, dx);
    }
    g->din[0] = dx;
}

/* A group's values lie one behind the other: it is a row. */
static int64_t group_size(const dg_call *k)
{
    return dg_shape_count(&k->in[0].shape) / k->in[0].shape.dim[0] /
           dg_attr_int(k->attrs, "groups");
}

static int64_t groups_of(const dg_call *k)
{
    return k->in[0].shape.dim[0] * dg_attr_int(k->attrs, "groups");
}

static void ref(const dg_call *k)
{
    dg_normalise_ref(k->in[0].data, groups_of(k), group_size(k),
                     k->in[0].shape.dim[1] / dg_attr_int(k->attrs, "groups"),
                     dg_attr_float(k->attrs, "eps"), k->out[Y].data, k->out[MEAN].data,
                     k->out[RSTD].data);
}

static void group(const dg_call *k, int64_t r)
{
    int64_t n = group_size(k), channels = k->in[0].shape.dim[1] / dg_attr_int(k->attrs, "groups");
    const float *from = (const float *)k->in[0].data + r * n;
    float *mean = (float *)k->out[MEAN].data + r * channels,
          *rstd = (float *)k->out[RSTD].data + r * channels;
    dg_stats_f32(dg_isa_of(k), from, n, dg_attr_float(k->attrs, "eps"), mean, rstd);
    for (int64_t c = 1; c < channels; c++) {
        mean[c] = *mean;
        rstd[c] = *rstd;
    }
    dg_normalise_f32(dg_isa_of(k), (float *)k->out[Y].data + r * n, from, n, *mean, *rstd);
}

static void run(const dg_call *k)
{
    dg_parallel(k, groups_of(k), group);
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

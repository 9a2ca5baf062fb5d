/* ops/inner/norm_stats.c: mean and reciprocal deviation of rows; what group_norm and layer_norm are
 * made of before fusion. */
#include "ops/support/prologue.h"
#include "ops/support/stats.h"

#include <string.h>

enum { MEAN, RSTD };

static const char doc[] =
    "mean, rstd = 1 / sqrt(var + eps) of each row; var is biased, sums in double\n"
    "groups 0: rows along the last axis, which is kept with size 1\n"
    "else of x [N,C,...]: a row is C/groups channels with all axes behind them; mean, rstd "
    "[N,C,1,...], each channel's those of its group";

static const dg_attr_spec attrs[] = {
    {"eps", DG_FLOAT, .fallback = 1e-5, .doc = "added to the variance"},
    {"groups", DG_INT, .fallback = 0, .doc = "of channels; 0: rows of the last axis"},
    {0},
};

/* How x is cut: rows of n values, whose numbers are given `each` times. */
typedef struct cut {
    int64_t count, n, each;
} cut;

static cut rows_of(const dg_attrs *a, dg_shape x)
{
    int64_t groups = dg_attr_int(a, "groups"), all = dg_shape_count(&x);
    if (groups == 0) return (cut){all / x.dim[x.rank - 1], x.dim[x.rank - 1], 1};
    return (cut){x.dim[0] * groups, all / x.dim[0] / groups, x.dim[1] / groups};
}

static bool infer(dg_infer *t)
{
    int64_t groups = dg_attr_int(t->attrs, "groups");
    if (!dg_want_float(t, 0) || !dg_want_rank_from(t, 0, groups ? 2 : 1, DG_MAX_RANK)) return false;
    dg_shape s = dg_in_shape(t, 0);
    if (groups < 0 || (groups > 0 && s.dim[1] % groups != 0))
        return dg_reject_attr(t, "groups", "%lld channels do not divide into %lld groups",
                              (long long)s.dim[1], (long long)groups);
    if (groups)
        s = dg_each_channel(s);
    else
        s.dim[s.rank - 1] = 1;
    return dg_give(t, MEAN, s) && dg_give(t, RSTD, s);
}

static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_value dmean = g->dout[MEAN], drstd = g->dout[RSTD];
    dg_value xhat = dg_mul(b, dg_sub(b, g->in[0], g->out[MEAN]), g->out[RSTD]);
    if (dg_attr_int(g->attrs, "groups")) {
        dg_attr groups = dg_attr_of_int("groups", dg_attr_int(g->attrs, "groups"));
        if (dmean != DG_NONE) dmean = dg_emit(b, "group_sum", &groups, 1, &dmean, 1);
        if (drstd != DG_NONE) drstd = dg_emit(b, "group_sum", &groups, 1, &drstd, 1);
    }
    g->din[0] = dg_stats_grad(b, xhat, g->out[RSTD], dmean, drstd,
                              rows_of(g->attrs, dg_shape_of(b, g->in[0])).n);
}

static void ref(const dg_call *k)
{
    cut r = rows_of(k->attrs, k->in[0].shape);
    dg_normalise_ref(k->in[0].data, r.count, r.n, r.each, dg_attr_float(k->attrs, "eps"), NULL,
                     k->out[MEAN].data, k->out[RSTD].data);
}

static bool from_moments(dg_build *b, const dg_attrs *a, const dg_shape *x, const dg_value *moments,
                         const int64_t *spans, int n, dg_value *out)
{
    int64_t groups = dg_attr_int(a, "groups");
    if (groups == 0 || x->rank != 4) return false;
    if (!moments) return true;
    dg_attr own[] = {dg_attr_of_float("eps", dg_attr_float(a, "eps")),
                     dg_attr_of_int("groups", groups),
                     dg_attr_of_int("plane", x->dim[2] * x->dim[3]),
                     dg_attr_of_ints(b->graph->arena, "spans", spans, n)};
    dg_node made = dg_build_node(b, b->graph->find("norm_of_moments"), own, 4, moments, n);
    if (made == DG_NONE) return false;
    out[MEAN] = dg_node_of(b->graph, made)->out[MEAN];
    out[RSTD] = dg_node_of(b->graph, made)->out[RSTD];
    return true;
}

enum { PIECE = 1 << 15 }; /* elements */

static int64_t rows_of_piece(int64_t n)
{
    return n >= PIECE ? 1 : PIECE / n;
}

/* Row r of n values, where it lies: in a channel of x, or some whole channels; or in the scratch,
 * where it begins in one part of x and ends in another. */
static const float *row_at(const dg_call *k, int64_t n, int64_t r)
{
    if (!dg_has_prologue(k, 0)) return (const float *)k->in[0].data + r * n;
    const dg_shape *x = &k->in[0].shape;
    int64_t image = dg_shape_count(x) / x->dim[0], plane = image / x->dim[1], some;
    int64_t i = r * n / image, c = r * n % image / plane, end = c + (n + plane - 1) / plane;
    const float *from = dg_channels(k, 0, i, c, end - c, &some);
    if (some == end - c) return from + r * n % plane;
    for (float *to = k->scratch; c < end; c += some) {
        from = dg_channels(k, 0, i, c, end - c, &some);
        memcpy(to, from, sizeof *to * (size_t)(some * plane));
        to += some * plane;
    }
    return k->scratch;
}

static void piece(const dg_call *k, int64_t p)
{
    cut rows = rows_of(k->attrs, k->in[0].shape);
    int64_t some = rows_of_piece(rows.n), end = (p + 1) * some;
    double eps = dg_attr_float(k->attrs, "eps");
    for (int64_t r = p * some; r < end && r < rows.count; r++) {
        float *mean = (float *)k->out[MEAN].data + r * rows.each,
              *rstd = (float *)k->out[RSTD].data + r * rows.each;
        dg_stats_f32(dg_isa_of(k), row_at(k, rows.n, r), rows.n, eps, mean, rstd);
        for (int64_t i = 1; i < rows.each; i++) {
            mean[i] = *mean;
            rstd[i] = *rstd;
        }
    }
}

static void run(const dg_call *k)
{
    cut r = rows_of(k->attrs, k->in[0].shape);
    int64_t some = rows_of_piece(r.n);
    dg_parallel(k, (r.count + some - 1) / some, piece);
}

static int64_t scratch(const dg_infer *t, const dg_strip *s)
{
    (void)s;
    return t->prologue ? (int64_t)sizeof(float) * rows_of(t->attrs, t->in[0]->shape).n : 0;
}

static const dg_kernel kernels[] = {
    {"rows_f32", run, .dtype = DG_F32, .parts = 1, .scratch = scratch},
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
    .from_moments = from_moments,
};

/* ops/inner/norm_of_moments.c: what norm_stats computes, without reading the map: out of moments
 * that its producers wrote beside it. Made by pass moments. */
#include "ops/ops.h"

#include <math.h>

enum { MEAN, RSTD };

static const char doc[] =
    "mean, rstd = 1 / sqrt(var + eps) of groups of channels of x [N,C,H,W], each channel's those "
    "of "
    "its group [N,C,1,1]; var is biased, sums in double\n"
    "of x there are moments alone: of `span` elements of a channel each their mean and the sum of "
    "the squares of what they differ from it; ms [N,Ci,ceil(plane/span),2] of the channels of x "
    "one "
    "behind the other\n"
    "Chan, Golub and LeVeque 1979";

static const dg_attr_spec attrs[] = {
    {"eps", DG_FLOAT, .fallback = 1e-5, .doc = "added to the variance"},
    {"groups", DG_INT, .required = true, .doc = "of channels"},
    {"plane", DG_INT, .required = true, .doc = "elements of a channel"},
    {"spans", DG_INTS, .required = true, .doc = "for each of ms"},
    {0},
};

static bool infer(dg_infer *t)
{
    int n;
    const int64_t *spans = dg_attr_ints(t->attrs, "spans", &n);
    int64_t groups = dg_attr_int(t->attrs, "groups"), plane = dg_attr_int(t->attrs, "plane"),
            channels = 0;
    if (n != t->n_in) return dg_reject_attr(t, "spans", "%d spans for %d inputs", n, t->n_in);
    for (int i = 0; i < n; i++) {
        if (!dg_want_float(t, i) || !dg_want_rank(t, i, 4) || !dg_want_same_dtype(t, 0, i))
            return false;
        if (plane < 1 || spans[i] < 1)
            return dg_reject_attr(t, "spans", "moments of %lld elements of %lld",
                                  (long long)spans[i], (long long)plane);
        dg_shape m = dg_in_shape(t, i);
        if (!dg_want_shape(
                t, i,
                DG_SHAPE(dg_in_shape(t, 0).dim[0], m.dim[1], (plane + spans[i] - 1) / spans[i], 2)))
            return false;
        channels += m.dim[1];
    }
    if (groups < 1 || channels % groups != 0)
        return dg_reject_attr(t, "groups", "%lld channels do not divide into %lld groups",
                              (long long)channels, (long long)groups);
    dg_shape s = DG_SHAPE(dg_in_shape(t, 0).dim[0], channels, 1, 1);
    return dg_give(t, MEAN, s) && dg_give(t, RSTD, s);
}

/* What is the same for all groups. */
typedef struct source {
    int64_t each, all, plane; /* channels of a group, of all images; elements of a channel */
    const int64_t *spans;
    double eps;
} source;

static source source_of(const dg_call *k)
{
    int n;
    const dg_shape *s = &k->out[MEAN].shape;
    return (source){s->dim[1] / dg_attr_int(k->attrs, "groups"), dg_shape_count(s),
                    dg_attr_int(k->attrs, "plane"), dg_attr_ints(k->attrs, "spans", &n),
                    dg_attr_float(k->attrs, "eps")};
}

/* Over the channels [at, at + each) of all images: adds to *first how far each element lies from
 * `from`, to *second the squares of that. */
typedef void sums_fn(const dg_call *k, const source *s, int64_t at, double from, double *first,
                     double *second);

#define SUMS(name, number)                                                                         \
    static void name(const dg_call *k, const source *s, int64_t at, double from, double *first,    \
                     double *second)                                                               \
    {                                                                                              \
        int64_t C = k->out[MEAN].shape.dim[1], n = at / C, c = at % C;                             \
        int part = 0;                                                                              \
        *first = *second = 0;                                                                      \
        for (int64_t i = 0; i < s->each; i++, c++) {                                               \
            for (; c >= k->in[part].shape.dim[1]; part++) c -= k->in[part].shape.dim[1];           \
            const dg_shape *m = &k->in[part].shape;                                                \
            const number *pair =                                                                   \
                (const number *)k->in[part].data + (n * m->dim[1] + c) * m->dim[2] * 2;            \
            int64_t span = s->spans[part], left = s->plane;                                        \
            for (int64_t p = 0; p < m->dim[2]; p++, pair += 2, left -= span) {                     \
                double count = (double)(left < span ? left : span), off = (double)pair[0] - from;  \
                *first += count * off;                                                             \
                *second += (double)pair[1] + count * off * off;                                    \
            }                                                                                      \
        }                                                                                          \
    }

SUMS(sums_f32, float)
SUMS(sums_f64, double)

/* First the mean, then the differences from it. */
static void statistics(const dg_call *k, const source *s, int64_t at, sums_fn *sums, double *mean,
                       double *rstd)
{
    double count = (double)(s->each * s->plane), off, squares;
    sums(k, s, at, 0, &off, &squares);
    *mean = off / count;
    sums(k, s, at, *mean, &off, &squares);
    *rstd = isnan(squares) ? NAN : 1 / sqrt(squares / count + s->eps);
}

static void ref(const dg_call *k)
{
    source s = source_of(k);
    double *mean = k->out[MEAN].data, *rstd = k->out[RSTD].data;
    for (int64_t at = 0; at < s.all; at += s.each) {
        statistics(k, &s, at, sums_f64, &mean[at], &rstd[at]);
        for (int64_t i = at + 1; i < at + s.each; i++) {
            mean[i] = mean[at];
            rstd[i] = rstd[at];
        }
    }
}

enum { PIECE = 4096 }; /* channels */

static int64_t piece_of(const source *s)
{
    return (PIECE + s->each - 1) / s->each * s->each;
}

static void piece(const dg_call *k, int64_t p)
{
    source s = source_of(k);
    int64_t some = piece_of(&s), end = (p + 1) * some;
    float *mean = k->out[MEAN].data, *rstd = k->out[RSTD].data;
    for (int64_t at = p * some; at < end && at < s.all; at += s.each) {
        double m, r;
        statistics(k, &s, at, sums_f32, &m, &r);
        for (int64_t i = at; i < at + s.each; i++) {
            mean[i] = (float)m;
            rstd[i] = (float)r;
        }
    }
}

static void run(const dg_call *k)
{
    source s = source_of(k);
    dg_parallel(k, (s.all + piece_of(&s) - 1) / piece_of(&s), piece);
}

static const dg_kernel kernels[] = {
    {"moments_f32", run, .dtype = DG_F32},
    {0},
};

const dg_op dg_op_norm_of_moments = {
    .name = "norm_of_moments",
    .inputs = "ms...",
    .outputs = "mean rstd",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_INNER,
    .infer = infer,
    .no_grad = "made after gradients",
    .ref = ref,
    .kernels = kernels,
};

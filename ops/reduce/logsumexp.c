/* ops/reduce/logsumexp.c: logarithm of a sum of exponentials along an axis. */
#include "ops/support/reduce.h"

#include <math.h>

static const char doc[] = "y = m + log(sum(exp(x - m))) along the axis, m the largest; sums in "
                          "double; -inf where all x are";

static const dg_attr_spec attrs[] = {
    {"axis", DG_INT, .required = true, .doc = "over which"},
    {"keep", DG_INT, .fallback = 0, .doc = "1: the axis stays, with size 1"},
    {0},
};

static bool infer(dg_infer *t)
{
    if (!dg_want_float(t, 0) || !dg_infer_axis(t)) return false;
    dg_shape s = dg_in_shape(t, 0), y = {0};
    for (int a = 0; a < s.rank; a++) {
        bool folded = a == dg_attr_int(t->attrs, "axis");
        if (!folded || dg_attr_int(t->attrs, "keep")) y.dim[y.rank++] = folded ? 1 : s.dim[a];
    }
    return dg_give(t, 0, y);
}

/* dx = dy exp(x - y) */
static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_shape s = dg_shape_of(b, g->in[0]);
    s.dim[dg_attr_int(g->attrs, "axis")] = 1;
    dg_value y = dg_reshape(b, g->out[0], s), dy = dg_reshape(b, g->dout[0], s);
    g->din[0] = dg_mul(b, dy, dg_unary(b, "exp", dg_sub(b, g->in[0], y)));
}

static void ref(const dg_call *k)
{
    dg_lines l = dg_lines_of(k->attrs, &k->in[0].shape);
    for (int64_t o = 0; o < l.outer * l.inner; o++) {
        int64_t first = o / l.inner * l.n * l.inner + o % l.inner;
        const double *x = (const double *)k->in[0].data + first;
        double *y = (double *)k->out[0].data + o;
        double m = -(double)INFINITY, sum = 0;
        for (int64_t i = 0; i < l.n; i++) {
            if (isnan(x[i * l.inner]) || x[i * l.inner] > m) m = x[i * l.inner];
        }
        for (int64_t i = 0; i < l.n; i++) sum += exp(x[i * l.inner] - m);
        *y = isinf(m) ? m : m + log(sum);
    }
}

static void run(const dg_call *k)
{
    dg_softmax_run(k, DG_LOGSUMEXP);
}

static const dg_kernel kernels[] = {
    {"f32", run, .dtype = DG_F32},
    {0},
};

static double flops(const dg_infer *types)
{
    return 4 * (double)dg_shape_count(&types->in[0]->shape);
}

const dg_op dg_op_logsumexp = {
    .name = "logsumexp",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .flops = flops,
};

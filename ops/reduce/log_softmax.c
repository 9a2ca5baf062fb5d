/* ops/reduce/log_softmax.c: logarithm of softmax along an axis. */
#include "ops/support/reduce.h"

#include <math.h>

static const char doc[] =
    "y = x - m - log(sum(exp(x - m))) along the axis, m the largest; sums in double";

static const dg_attr_spec attrs[] = {
    {"axis", DG_INT, .required = true, .doc = "over which"},
    {0},
};

static bool infer(dg_infer *t)
{
    return dg_want_float(t, 0) && dg_infer_axis(t) && dg_give(t, 0, dg_in_shape(t, 0));
}

/* dx = dy - exp(y) sum(dy) */
static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_value dy = g->dout[0], sum = dg_sum_keep(b, dy, DG_AXES((int)dg_attr_int(g->attrs, "axis")));
    g->din[0] = dg_sub(b, dy, dg_mul(b, dg_unary(b, "exp", g->out[0]), sum));
}

static void ref(const dg_call *k)
{
    dg_lines l = dg_lines_of(k->attrs, &k->in[0].shape);
    for (int64_t o = 0; o < l.outer * l.inner; o++) {
        int64_t first = o / l.inner * l.n * l.inner + o % l.inner;
        const double *x = (const double *)k->in[0].data + first;
        double *y = (double *)k->out[0].data + first;
        double m = -(double)INFINITY, sum = 0;
        for (int64_t i = 0; i < l.n; i++) {
            if (isnan(x[i * l.inner]) || x[i * l.inner] > m) m = x[i * l.inner];
        }
        for (int64_t i = 0; i < l.n; i++) sum += exp(x[i * l.inner] - m);
        for (int64_t i = 0; i < l.n; i++) y[i * l.inner] = x[i * l.inner] - m - log(sum);
    }
}

static void run(const dg_call *k)
{
    dg_softmax_run(k, DG_LOG_SOFTMAX);
}

static const dg_kernel kernels[] = {
    {"f32", run, .dtype = DG_F32},
    {0},
};

static double flops(const dg_infer *types)
{
    return 4 * (double)dg_shape_count(&types->in[0]->shape);
}

const dg_op dg_op_log_softmax = {
    .name = "log_softmax",
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

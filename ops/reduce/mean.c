/* ops/reduce/mean.c: mean over axes. */
#include "ops/support/reduce.h"

static const char doc[] = "y = mean of x over the axes, floats; f32 is summed in double";

static bool infer(dg_infer *t)
{
    return dg_want_float(t, 0) && dg_infer_reduce(t);
}

static double share(const dg_build *b, const dg_attrs *a, dg_value x)
{
    dg_shape s = dg_shape_of(b, x);
    return 1 / (double)dg_reduced_count(a, &s);
}

static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_value d =
        dg_scale(b, dg_with_axes(b, g->attrs, g->dout[0], g->in[0]), share(b, g->attrs, g->in[0]));
    g->din[0] = dg_expand(b, d, dg_shape_of(b, g->in[0]));
}

/* A sum, which can stand at the end of a strip, and a product with one number for each result. */
static bool expand(dg_grad *g, dg_value *out)
{
    dg_attr attrs[2];
    int n;
    const int64_t *axes = dg_attr_ints(g->attrs, "axes", &n);
    attrs[0] = dg_attr_of_ints(g->build->graph->arena, "axes", axes, n);
    attrs[1] = dg_attr_of_int("keep", dg_attr_int(g->attrs, "keep"));
    dg_value sum = dg_emit(g->build, "sum", attrs, 2, g->in, 1);
    out[0] = dg_scale(g->build, sum, share(g->build, g->attrs, g->in[0]));
    return true;
}

static void ref(const dg_call *k)
{
    const dg_shape *s = &k->in[0].shape;
    const double *x = k->in[0].data;
    double *y = k->out[0].data;
    int64_t results = dg_shape_count(&k->out[0].shape);
    for (int64_t i = 0; i < results; i++) y[i] = 0;
    for (int64_t i = 0; i < dg_shape_count(s); i++) y[dg_reduced_at(k->attrs, s, i)] += x[i];
    for (int64_t i = 0; i < results; i++) y[i] /= (double)dg_reduced_count(k->attrs, s);
}

static void run(const dg_call *k)
{
    dg_reduce_run(k, DG_FOLD_MEAN);
}

static const dg_kernel kernels[] = {
    {"f32", run, .dtype = DG_F32, .strided = 1, .workspace = dg_reduce_workspace},
    {0},
};

static double flops(const dg_infer *types)
{
    return (double)dg_shape_count(&types->in[0]->shape);
}

const dg_op dg_op_mean = {
    .name = "mean",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .attrs = dg_reduce_attrs,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .expand = expand,
    .flops = flops,
};

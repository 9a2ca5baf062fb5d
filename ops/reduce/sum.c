/* ops/reduce/sum.c: sum over axes. */
#include "ops/support/reduce.h"

static const char doc[] = "y = sum of x over the axes; f32 is summed in double; i32 wraps";

static bool infer(dg_infer *t)
{
    dg_dtype have = dg_in_dtype(t, 0);
    if (dg_dtype_is_float(have) || have == DG_I32) return dg_infer_reduce(t);
    dg_reject_input(t, 0, "there is no sum of %s values", dg_dtype_name(have));
    return dg_help(t, "convert with f32(...) or i32(...)");
}

static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_value d = dg_with_axes(b, g->attrs, g->dout[0], g->in[0]);
    g->din[0] = dg_expand(b, d, dg_shape_of(b, g->in[0]));
}

static void ref(const dg_call *k)
{
    const dg_shape *s = &k->in[0].shape;
    int64_t n = dg_shape_count(s), results = dg_shape_count(&k->out[0].shape);
    if (k->in[0].dtype == DG_I32) {
        const int32_t *x = k->in[0].data;
        int32_t *y = k->out[0].data;
        for (int64_t i = 0; i < results; i++) y[i] = 0;
        for (int64_t i = 0; i < n; i++) {
            int32_t *to = &y[dg_reduced_at(k->attrs, s, i)];
            *to = (int32_t)((uint32_t)*to + (uint32_t)x[i]);
        }
        return;
    }
    const double *x = k->in[0].data;
    double *y = k->out[0].data;
    for (int64_t i = 0; i < results; i++) y[i] = 0;
    for (int64_t i = 0; i < n; i++) {
        double *to = &y[dg_reduced_at(k->attrs, s, i)];
        *to += x[i];
    }
}

static void run(const dg_call *k)
{
    dg_reduce_run(k, DG_FOLD_SUM);
}

static const dg_kernel kernels[] = {
    {"f32", run, .dtype = DG_F32, .strided = 1, .writes = 1, .workspace = dg_reduce_workspace},
    {"i32", run, .dtype = DG_I32, .strided = 1, .writes = 1, .workspace = dg_reduce_workspace},
    {0},
};

/* Over trailing axes the sum can stand at the end of a strip. */
static int row_sum(const dg_attrs *a, const dg_shape *in)
{
    int n;
    const int64_t *axes = dg_attr_ints(a, "axes", &n);
    return n > 0 && axes[0] == in->rank - n ? n : 0;
}

/* Axes of size 1 are only dropped. Sums over the last axes can stand at the end of a strip, so when
 * others are summed too, the last ones go first: [N, C, H, W] over 0, 2, 3 is a sum over 2, 3 and a
 * small one over 0. */
static dg_value simplify(dg_build *b, const dg_attrs *a, const dg_value *in, int n_in,
                         const dg_type *out)
{
    (void)n_in;
    dg_shape s = dg_shape_of(b, in[0]);
    int n, last = 0;
    const int64_t *axes = dg_attr_ints(a, "axes", &n);
    bool kept = dg_attr_int(a, "keep");
    if (dg_shape_count(&s) == dg_shape_count(&out->shape)) return dg_reshape(b, in[0], out->shape);
    while (last < n && axes[n - 1 - last] == s.rank - 1 - last) last++;
    if (last == 0 || last == n) return DG_NONE;
    dg_axes behind = {.n = last}, before = {.n = n - last};
    for (int i = 0; i < n; i++) {
        if (i < n - last)
            before.axis[i] = (int)axes[i];
        else
            behind.axis[i - (n - last)] = (int)axes[i];
    }
    if (kept) return dg_sum_keep(b, dg_sum_keep(b, in[0], behind), before);
    return dg_sum(b, dg_sum(b, in[0], behind), before);
}

static double flops(const dg_infer *types)
{
    return (double)dg_shape_count(&types->in[0]->shape);
}

const dg_op dg_op_sum = {
    .name = "sum",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .attrs = dg_reduce_attrs,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .row_sum = row_sum,
    .flops = flops,
    .simplify = simplify,
};

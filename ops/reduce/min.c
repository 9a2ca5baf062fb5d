/* ops/reduce/min.c: smallest over axes. */
#include "ops/support/reduce.h"

#include <math.h>

static const char doc[] = "y = smallest of x over the axes; NaN if there is one; the gradient goes "
                          "to the first of equals";

static bool infer(dg_infer *t)
{
    dg_dtype have = dg_in_dtype(t, 0);
    if (dg_dtype_is_float(have) || have == DG_I32) return dg_infer_reduce(t);
    dg_reject_input(t, 0, "there is no order of %s values", dg_dtype_name(have));
    return dg_help(t, "convert with f32(...) or i32(...)");
}

static void ref(const dg_call *k)
{
    const dg_shape *s = &k->in[0].shape;
    int64_t n = dg_shape_count(s), results = dg_shape_count(&k->out[0].shape);
    if (k->in[0].dtype == DG_I32) {
        const int32_t *x = k->in[0].data;
        int32_t *y = k->out[0].data;
        for (int64_t i = 0; i < results; i++) y[i] = INT32_MAX;
        for (int64_t i = 0; i < n; i++) {
            int32_t *to = &y[dg_reduced_at(k->attrs, s, i)];
            if (x[i] < *to) *to = x[i];
        }
        return;
    }
    const double *x = k->in[0].data;
    double *y = k->out[0].data;
    for (int64_t i = 0; i < results; i++) y[i] = (double)INFINITY;
    for (int64_t i = 0; i < n; i++) {
        double *to = &y[dg_reduced_at(k->attrs, s, i)];
        if (isnan(x[i]) || x[i] < *to) *to = x[i];
    }
}

static void run(const dg_call *k)
{
    dg_reduce_run(k, DG_FOLD_MIN);
}

static const dg_kernel kernels[] = {
    {"f32", run, .dtype = DG_F32, .strided = 1, .workspace = dg_reduce_workspace},
    {"i32", run, .dtype = DG_I32, .strided = 1, .workspace = dg_reduce_workspace},
    {0},
};

const dg_op dg_op_min = {
    .name = "min",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .attrs = dg_reduce_attrs,
    .infer = infer,
    .grad = dg_grad_to_first,
    .ref = ref,
    .kernels = kernels,
};

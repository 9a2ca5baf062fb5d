/* ops/control/stop_gradient.c: the value without its derivative. */
#include "ops/ops.h"

#include <string.h>

static const char doc[] = "y = x; no gradient flows through it";

static bool infer(dg_infer *t)
{
    return dg_give(t, 0, dg_in_shape(t, 0));
}

static bool view(const dg_attrs *a, const dg_view *in, dg_view *out)
{
    (void)a;
    memcpy(out->stride, in->stride, sizeof in->stride);
    out->data = in->data;
    return true;
}

static void ref(const dg_call *k)
{
    memcpy(k->out[0].data, k->in[0].data,
           (size_t)dg_shape_count(&k->out[0].shape) * dg_dtype_size(k->out[0].dtype));
}

static void run(const dg_call *k)
{
    dg_copy(k, &k->in[0], &k->out[0]);
}

static const dg_kernel kernels[] = {
    {"copy", run, .any_dtype = true, .strided = 1},
    {0},
};

const dg_op dg_op_stop_gradient = {
    .name = "stop_gradient",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .traits = DG_VIEW | DG_STOPS_GRADIENT,
    .infer = infer,
    .no_grad = "that is what it is for",
    .ref = ref,
    .kernels = kernels,
    .view = view,
};

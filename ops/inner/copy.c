/* ops/inner/copy.c: a strided value packed. */
#include "ops/ops.h"

#include <string.h>

static const char doc[] = "y = x, packed in row-major order; made where an op cannot read strides";

static bool infer(dg_infer *t)
{
    return dg_give(t, 0, dg_in_shape(t, 0));
}

static void grad(dg_grad *g)
{
    g->din[0] = g->dout[0];
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

/* Its operands have been stored where they belong. */
static void nothing(const dg_call *k)
{
    (void)k;
}

static const dg_kernel kernels[] = {
    {"strided", run, .any_dtype = true, .strided = 1, .writes = 1},
    {"into", nothing, .any_dtype = true, .strided = 1, .into = true},
    {0},
};

const dg_op dg_op_copy = {
    .name = "copy",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .traits = DG_INNER,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
};

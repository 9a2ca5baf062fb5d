/* ops/math/log1p.c: logarithm of 1 + x. */
#include "ops/support/elementwise.h"

static const char doc[] = "y = log(1 + x), without cancellation near 0";

static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    g->din[0] = dg_div(b, g->dout[0], dg_shift(b, g->in[0], 1));
}

DG_REF_1(ref, double, double, log1p(x))

DG_LANES_1(log1p_f32, float, float, dg_log1pf(x))
DG_LANES_1(log1p_f64, double, double, log1p(x))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(log1p_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(log1p_f64)},
    {0},
};

DG_ELEMENTWISE_KERNELS(log1p)

const dg_op dg_op_log1p = {
    .name = "log1p",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .traits = DG_ELEMENTWISE,
    .infer = dg_infer_floats,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .lanes = lanes,
    .in_place = 1,
};

/* ops/math/expm1.c: exponential less 1. */
#include "ops/support/elementwise.h"

static const char doc[] = "y = exp(x) - 1, without cancellation near 0";

static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    g->din[0] = dg_mul(b, g->dout[0], dg_shift(b, g->out[0], 1));
}

DG_REF_1(ref, double, double, expm1(x))

DG_LANES_1(expm1_f32, float, float, dg_expm1f(x))
DG_LANES_1(expm1_f64, double, double, expm1(x))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(expm1_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(expm1_f64)},
    {0},
};

DG_ELEMENTWISE_KERNELS(expm1)

const dg_op dg_op_expm1 = {
    .name = "expm1",
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

/* ops/math/sqrt.c: square root. */
#include "ops/support/elementwise.h"

static const char doc[] = "y = sqrt(x); NaN for x < 0";

static void grad(dg_grad *g)
{
    /* dy / (2 y) */
    dg_build *b = g->build;
    g->din[0] = dg_div(b, dg_scale(b, g->dout[0], 0.5), g->out[0]);
}

DG_REF_1(ref, double, double, sqrt(x))

DG_LANES_1(sqrt_f32, float, float, sqrtf(x))
DG_LANES_1(sqrt_f64, double, double, sqrt(x))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(sqrt_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(sqrt_f64)},
    {0},
};

DG_ELEMENTWISE_KERNELS(sqrt)

const dg_op dg_op_sqrt = {
    .name = "sqrt",
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

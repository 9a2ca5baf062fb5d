/* ops/math/sigmoid.c: logistic function. */
#include "ops/support/elementwise.h"

static const char doc[] = "y = 1 / (1 + exp(-x))";

static void grad(dg_grad *g)
{
    /* dy y (1 - y) */
    dg_build *b = g->build;
    dg_value y = g->out[0], slope = dg_mul(b, y, dg_shift(b, dg_neg(b, y), 1));
    g->din[0] = dg_mul(b, g->dout[0], slope);
}

DG_REF_1(ref, double, double, 1 / (1 + exp(-x)))

DG_LANES_1(sigmoid_f32, float, float, dg_sigmoidf(x))
DG_LANES_1(sigmoid_f64, double, double, 1 / (1 + exp(-x)))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(sigmoid_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(sigmoid_f64)},
    {0},
};

DG_ELEMENTWISE_KERNELS(sigmoid)

const dg_op dg_op_sigmoid = {
    .name = "sigmoid",
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

/* ops/math/tanh.c: hyperbolic tangent. */
#include "ops/support/elementwise.h"

static const char doc[] = "y = tanh(x)";

static void grad(dg_grad *g)
{
    /* dy (1 - y^2) */
    dg_build *b = g->build;
    dg_value slope = dg_shift(b, dg_neg(b, dg_unary(b, "square", g->out[0])), 1);
    g->din[0] = dg_mul(b, g->dout[0], slope);
}

DG_REF_1(ref, double, double, tanh(x))

DG_LANES_1(tanh_f32, float, float, dg_tanhf(x))
DG_LANES_1(tanh_f64, double, double, tanh(x))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(tanh_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(tanh_f64)},
    {0},
};

DG_ELEMENTWISE_KERNELS(tanh)

const dg_op dg_op_tanh = {
    .name = "tanh",
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

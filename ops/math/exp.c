/* ops/math/exp.c: exponential. */
#include "ops/support/elementwise.h"

static const char doc[] = "y = exp(x)";

static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    g->din[0] = dg_mul(b, g->dout[0], g->out[0]);
}

DG_REF_1(ref, double, double, exp(x))

DG_LANES_1(exp_f32, float, float, dg_expf(x))
DG_LANES_1(exp_f64, double, double, exp(x))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(exp_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(exp_f64)},
    {0},
};

DG_ELEMENTWISE_KERNELS(exp)

const dg_op dg_op_exp = {
    .name = "exp",
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

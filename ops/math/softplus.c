/* ops/math/softplus.c: smooth positive part. */
#include "ops/support/elementwise.h"

static const char doc[] = "y = log(1 + exp(x)), without overflow";

static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    g->din[0] = dg_mul(b, g->dout[0], dg_unary(b, "sigmoid", g->in[0]));
}

DG_REF_1(ref, double, double, (x > 0 ? x : 0) + log1p(exp(-fabs(x))))

DG_LANES_1(softplus_f32, float, float, dg_softplusf(x))
DG_LANES_1(softplus_f64, double, double, (x > 0 ? x : 0) + log1p(exp(-fabs(x))))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(softplus_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(softplus_f64)},
    {0},
};

DG_ELEMENTWISE_KERNELS(softplus)

const dg_op dg_op_softplus = {
    .name = "softplus",
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

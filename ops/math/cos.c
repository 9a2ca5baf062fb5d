/* ops/math/cos.c: cosine of an angle in radians. */
#include "ops/support/elementwise.h"

static const char doc[] = "y = cos(x), x in radians";

static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    g->din[0] = dg_neg(b, dg_mul(b, g->dout[0], dg_unary(b, "sin", g->in[0])));
}

DG_REF_1(ref, double, double, cos(x))

DG_ANGLE_LANES(cos_f32, float, dg_cosf, cos)
DG_ANGLE_LANES(cos_f64, double, dg_cos_double, cos)

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(cos_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(cos_f64)},
    {0},
};

DG_ELEMENTWISE_KERNELS(cos)

const dg_op dg_op_cos = {
    .name = "cos",
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

/* ops/math/sin.c: sine of an angle in radians. */
#include "ops/support/elementwise.h"

static const char doc[] = "y = sin(x), x in radians";

static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    g->din[0] = dg_mul(b, g->dout[0], dg_unary(b, "cos", g->in[0]));
}

DG_REF_1(ref, double, double, sin(x))

DG_ANGLE_LANES(sin_f32, float, dg_sinf, sin)
DG_ANGLE_LANES(sin_f64, double, dg_sin_double, sin)

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(sin_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(sin_f64)},
    {0},
};

DG_ELEMENTWISE_KERNELS(sin)

const dg_op dg_op_sin = {
    .name = "sin",
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

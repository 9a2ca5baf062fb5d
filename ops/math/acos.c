/* ops/math/acos.c: arc cosine. */
#include "ops/support/elementwise.h"

static const char doc[] = "y = acos(x) in 0 .. pi; NaN outside of -1 .. 1";

static void grad(dg_grad *g)
{
    /* -dy / sqrt(1 - x^2) */
    dg_build *b = g->build;
    dg_value rest = dg_shift(b, dg_neg(b, dg_unary(b, "square", g->in[0])), 1);
    g->din[0] = dg_neg(b, dg_div(b, g->dout[0], dg_unary(b, "sqrt", rest)));
}

DG_REF_1(ref, double, double, acos(x))

DG_LANES_1(acos_f32, float, float, dg_acosf(x))
DG_LANES_1(acos_f64, double, double, acos(x))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(acos_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(acos_f64)},
    {0},
};

DG_ELEMENTWISE_KERNELS(acos)

const dg_op dg_op_acos = {
    .name = "acos",
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

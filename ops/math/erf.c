/* ops/math/erf.c: error function. */
#include "ops/support/elementwise.h"

static const char doc[] = "y = 2 / sqrt(pi) * integral of exp(-t^2) over t = 0 .. x";

static void grad(dg_grad *g)
{
    /* dy * 2 / sqrt(pi) * exp(-x^2) */
    dg_build *b = g->build;
    dg_value bell = dg_unary(b, "exp", dg_neg(b, dg_unary(b, "square", g->in[0])));
    g->din[0] = dg_mul(b, g->dout[0], dg_scale(b, bell, 1.1283791670955126));
}

DG_REF_1(ref, double, double, erf(x))

DG_LANES_1(erf_f32, float, float, dg_erff(x))
DG_LANES_1(erf_f64, double, double, erf(x))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(erf_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(erf_f64)},
    {0},
};

DG_ELEMENTWISE_KERNELS(erf)

const dg_op dg_op_erf = {
    .name = "erf",
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

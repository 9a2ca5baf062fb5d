/* ops/math/gelu.c: x times the normal distribution function, exactly. */
#include "ops/support/elementwise.h"

static const char doc[] = "y = x Phi(x), Phi(x) = (1 + erf(x / sqrt(2))) / 2; 0 at -inf\n"
                          "Hendrycks & Gimpel 2016, arXiv:1606.08415";

static void grad(dg_grad *g)
{
    /* dy (Phi(x) + x phi(x)), phi(x) = exp(-x^2 / 2) / sqrt(2 pi) */
    dg_build *b = g->build;
    dg_value x = g->in[0];
    dg_value phi =
        dg_shift(b, dg_scale(b, dg_unary(b, "erf", dg_scale(b, x, 0.70710678118654752)), 0.5), 0.5);
    dg_value bell = dg_scale(b, dg_unary(b, "exp", dg_scale(b, dg_unary(b, "square", x), -0.5)),
                             0.3989422804014327);
    g->din[0] = dg_mul(b, g->dout[0], dg_add(b, phi, dg_mul(b, x, bell)));
}

DG_REF_1(ref, double, double,
         x == -(double)INFINITY ? -0.0 : x * 0.5 * erfc(-x * 0.70710678118654752))

DG_LANES_1(gelu_f32, float, float, dg_geluf(x))
DG_LANES_1(gelu_f64, double, double,
           x == -(double)INFINITY ? -0.0 : x * 0.5 * erfc(-x * 0.70710678118654752))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(gelu_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(gelu_f64)},
    {0},
};

DG_ELEMENTWISE_KERNELS(gelu)

const dg_op dg_op_gelu = {
    .name = "gelu",
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

/* ops/math/log_ndtr.c: logarithm of the normal distribution function. */
#include "ops/support/elementwise.h"

static const char doc[] =
    "y = log of the mass of a unit Gaussian below x, with full relative precision in both tails";

static void grad(dg_grad *g)
{
    /* dy * exp(-x^2 / 2 - y) / sqrt(2 pi) */
    dg_build *b = g->build;
    dg_value bell = dg_scale(b, dg_unary(b, "square", g->in[0]), -0.5);
    dg_value ratio = dg_unary(b, "exp", dg_sub(b, bell, g->out[0]));
    g->din[0] = dg_mul(b, g->dout[0], dg_scale(b, ratio, 0.39894228040143268));
}

/* erfc underflows from -38 on; there the series of Phi(x) sqrt(2 pi) |x| exp(x^2 / 2) in 1 / x^2
 * has more digits than a double. */
static inline double log_ndtr(double x)
{
    if (x >= 0) return log1p(-0.5 * erfc(x * 0.70710678118654752));
    if (x > -35) return log(0.5 * erfc(x * -0.70710678118654752));
    double u = 1 / (x * x);
    double series = u * (-1 + u * (3 + u * (-15 + u * (105 + u * -945))));
    return -0.5 * x * x - log(-x) - 0.91893853320467274 + log1p(series);
}

DG_REF_1(ref, double, double, log_ndtr(x))

DG_LANES_1(log_ndtr_f32, float, float, dg_log_ndtrf(x))
DG_LANES_1(log_ndtr_f64, double, double, log_ndtr(x))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(log_ndtr_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(log_ndtr_f64)},
    {0},
};

DG_ELEMENTWISE_KERNELS(log_ndtr)

const dg_op dg_op_log_ndtr = {
    .name = "log_ndtr",
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

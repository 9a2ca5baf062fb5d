/* ops/math/silu.c: x times its logistic function ("swish"). */
#include "ops/support/elementwise.h"

static const char doc[] = "y = x / (1 + exp(-x)); 0 at -inf\n"
                          "Elfwing et al. 2017, arXiv:1702.03118";

static void grad(dg_grad *g)
{
    /* with s = sigmoid(x): dy s (1 + x (1 - s)) */
    dg_build *b = g->build;
    dg_value x = g->in[0], s = dg_unary(b, "sigmoid", x);
    dg_value rest = dg_shift(b, dg_neg(b, s), 1);
    dg_value slope = dg_mul(b, s, dg_shift(b, dg_mul(b, x, rest), 1));
    g->din[0] = dg_mul(b, g->dout[0], slope);
}

DG_REF_1(ref, double, double, x == -(double)INFINITY ? -0.0 : x / (1 + exp(-x)))

DG_LANES_1(silu_f32, float, float, dg_siluf(x))
DG_LANES_1(silu_f64, double, double, x == -(double)INFINITY ? -0.0 : x / (1 + exp(-x)))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(silu_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(silu_f64)},
    {0},
};

DG_ELEMENTWISE_KERNELS(silu)

const dg_op dg_op_silu = {
    .name = "silu",
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

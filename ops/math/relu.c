/* ops/math/relu.c: positive part. */
#include "ops/support/elementwise.h"

static const char doc[] = "y = max(x, 0); NaN stays NaN; the gradient at 0 is 0";

static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_value positive = dg_compare(b, "gt", g->in[0], dg_number(b, g->in[0], 0));
    g->din[0] = dg_where(b, positive, g->dout[0], dg_number(b, g->dout[0], 0));
}

DG_REF_1(ref, double, double, x <= 0 ? 0 : x)

DG_LANES_1(relu_f32, float, float, x <= 0 ? 0 : x)
DG_LANES_1(relu_f64, double, double, x <= 0 ? 0 : x)

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(relu_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(relu_f64)},
    {0},
};

DG_ELEMENTWISE_KERNELS(relu)

const dg_op dg_op_relu = {
    .name = "relu",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .traits = DG_ELEMENTWISE | DG_CHEAP,
    .infer = dg_infer_floats,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .lanes = lanes,
    .in_place = 1,
};

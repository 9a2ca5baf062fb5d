/* ops/math/div.c: quotient of two tensors. */
#include "ops/support/elementwise.h"

enum { X, Y };

static const char doc[] =
    "z = x / y, broadcast; floats only (`idiv` is for integers)";

static void grad(dg_grad *g)
{
    /* dx = dz / y; dy = -dz x / y^2 = -(dz / y) z */
    dg_build *b = g->build;
    dg_value part = dg_div(b, g->dout[0], g->in[Y]);
    if (g->want[X]) g->din[X] = dg_grad_to(b, part, g->in[X]);
    if (g->want[Y]) g->din[Y] = dg_grad_to(b, dg_neg(b, dg_mul(b, part, g->out[0])), g->in[Y]);
}

DG_REF_2(ref, double, double, double, x / y)

DG_LANES_2(div_f32, float, float, float, x / y)
DG_LANES_2(div_f64, double, double, double, x / y)

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32, DG_F32}, DG_LANES_OF(div_f32)},
    {DG_F64, {DG_F64, DG_F64}, DG_LANES_OF(div_f64)},
    {0},
};

DG_ELEMENTWISE_KERNELS(div)

const dg_op dg_op_div = {
    .name = "div",
    .inputs = "x y",
    .outputs = "z",
    .doc = doc,
    .traits = DG_ELEMENTWISE | DG_CHEAP,
    .infer = dg_infer_floats,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .lanes = lanes,
    .in_place = 3,
};

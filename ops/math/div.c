/* ops/math/div.c: quotient of two tensors. */
#include "ops/support/elementwise.h"

#include <stdlib.h>

enum { X, Y };

static const char doc[] = "z = x / y, broadcast; floats only (`idiv` is for integers)";

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

/* x / 1 is x. Dividing by a power of two is multiplying by its inverse: both are the nearest number
 * to the same one. */
static dg_value simplify(dg_build *b, const dg_attrs *a, const dg_value *in, int n_in,
                         const dg_type *out)
{
    (void)a;
    (void)n_in;
    double n;
    int exponent;
    if (!dg_known_number(b, in[Y], &n)) return DG_NONE;
    if (n == 1) return dg_expand(b, in[X], out->shape);
    bool power = isfinite(n) && fabs(frexp(n, &exponent)) == 0.5 && abs(exponent) < 100;
    return power ? dg_mul(b, in[X], dg_full(b, out->dtype, dg_shape_of(b, in[Y]), 1 / n)) : DG_NONE;
}

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
    .arith = DG_ARITH_DIV,
    .in_place = 3,
    .simplify = simplify,
};

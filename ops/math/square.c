/* ops/math/square.c: square of a number. */
#include "ops/support/elementwise.h"

static const char doc[] = "y = x * x; i32 wraps";

static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    g->din[0] = dg_mul(b, g->dout[0], dg_scale(b, g->in[0], 2));
}

DG_REF_1(ref_floats, double, double, x *x)
DG_REF_1(ref_ints, int32_t, int32_t, DG_WRAP(x, *, x))

static void ref(const dg_call *k)
{
    if (k->in[0].dtype == DG_I32)
        ref_ints(k);
    else
        ref_floats(k);
}

DG_LANES_1(square_f32, float, float, x *x)
DG_LANES_1(square_f64, double, double, x *x)
DG_LANES_1(square_i32, int32_t, int32_t, DG_WRAP(x, *, x))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(square_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(square_f64)},
    {DG_I32, {DG_I32}, DG_LANES_OF(square_i32)},
    {0},
};

DG_ELEMENTWISE_KERNELS(square)

const dg_op dg_op_square = {
    .name = "square",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .traits = DG_ELEMENTWISE | DG_CHEAP,
    .infer = dg_infer_numbers,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .lanes = lanes,
    .arith = DG_ARITH_SQUARE,
    .in_place = 1,
};

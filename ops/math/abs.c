/* ops/math/abs.c: absolute value. */
#include "ops/support/elementwise.h"

static const char doc[] = "y = |x|; i32 wraps; the gradient at 0 is 0";

static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    g->din[0] = dg_mul(b, g->dout[0], dg_unary(b, "sign", g->in[0]));
}

DG_REF_1(ref_floats, double, double, fabs(x))
DG_REF_1(ref_ints, int32_t, int32_t, x < 0 ? DG_WRAP(0, -, x) : x)

static void ref(const dg_call *k)
{
    if (k->in[0].dtype == DG_I32)
        ref_ints(k);
    else
        ref_floats(k);
}

DG_LANES_1(abs_f32, float, float, dg_absf(x))
DG_LANES_1(abs_f64, double, double, fabs(x))
DG_LANES_1(abs_i32, int32_t, int32_t, x < 0 ? DG_WRAP(0, -, x) : x)

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(abs_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(abs_f64)},
    {DG_I32, {DG_I32}, DG_LANES_OF(abs_i32)},
    {0},
};

DG_ELEMENTWISE_KERNELS(abs)

const dg_op dg_op_abs = {
    .name = "abs",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .traits = DG_ELEMENTWISE | DG_CHEAP,
    .infer = dg_infer_numbers,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .lanes = lanes,
    .in_place = 1,
};

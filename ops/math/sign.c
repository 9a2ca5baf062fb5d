/* ops/math/sign.c: sign of a number. */
#include "ops/support/elementwise.h"

static const char doc[] = "y = -1, 0 or 1; NaN stays NaN";

DG_REF_1(ref_floats, double, double, (x != x) ? x : (double)((x > 0) - (x < 0)))
DG_REF_1(ref_ints, int32_t, int32_t, (x > 0) - (x < 0))

static void ref(const dg_call *k)
{
    if (k->in[0].dtype == DG_I32)
        ref_ints(k);
    else
        ref_floats(k);
}

DG_LANES_1(sign_f32, float, float, (x != x) ? x : (float)((x > 0) - (x < 0)))
DG_LANES_1(sign_f64, double, double, (x != x) ? x : (double)((x > 0) - (x < 0)))
DG_LANES_1(sign_i32, int32_t, int32_t, (x > 0) - (x < 0))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(sign_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(sign_f64)},
    {DG_I32, {DG_I32}, DG_LANES_OF(sign_i32)},
    {0},
};

DG_ELEMENTWISE_KERNELS(sign)

const dg_op dg_op_sign = {
    .name = "sign",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .traits = DG_ELEMENTWISE | DG_CHEAP,
    .infer = dg_infer_numbers,
    .no_grad = "piecewise constant",
    .ref = ref,
    .kernels = kernels,
    .lanes = lanes,
    .in_place = 1,
};

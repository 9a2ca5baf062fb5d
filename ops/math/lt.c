/* ops/math/lt.c: comparison: less. */
#include "ops/support/elementwise.h"

static const char doc[] = "z = x < y, broadcast; any dtype, the result is bool\n"
                          "false where either is NaN";

DG_REF_2(ref_floats, uint8_t, double, double, x < y)
DG_REF_2(ref_ints, uint8_t, int32_t, int32_t, x < y)
DG_REF_2(ref_bytes, uint8_t, uint8_t, uint8_t, x < y)

static void ref(const dg_call *k)
{
    if (k->in[0].dtype == DG_I32)
        ref_ints(k);
    else if (!dg_dtype_is_float(k->in[0].dtype))
        ref_bytes(k);
    else
        ref_floats(k);
}

DG_LANES_2(lt_f32, uint8_t, float, float, x < y)
DG_LANES_2(lt_f64, uint8_t, double, double, x < y)
DG_LANES_2(lt_i32, uint8_t, int32_t, int32_t, x < y)
DG_LANES_2(lt_u8, uint8_t, uint8_t, uint8_t, x < y)

static const dg_lanes lanes[] = {
    {DG_BOOL, {DG_F32, DG_F32}, DG_LANES_OF(lt_f32)},
    {DG_BOOL, {DG_F64, DG_F64}, DG_LANES_OF(lt_f64)},
    {DG_BOOL, {DG_I32, DG_I32}, DG_LANES_OF(lt_i32)},
    {DG_BOOL, {DG_U8, DG_U8}, DG_LANES_OF(lt_u8)},
    {DG_BOOL, {DG_BOOL, DG_BOOL}, DG_LANES_OF(lt_u8)},
    {0},
};

DG_ELEMENTWISE_KERNELS(lt)

const dg_op dg_op_lt = {
    .name = "lt",
    .inputs = "x y",
    .outputs = "z",
    .doc = doc,
    .traits = DG_ELEMENTWISE | DG_CHEAP,
    .infer = dg_infer_compare,
    .no_grad = "a comparison is piecewise constant",
    .ref = ref,
    .kernels = kernels,
    .lanes = lanes,
};

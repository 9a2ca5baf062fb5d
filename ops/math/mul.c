/* ops/math/mul.c: product of two tensors. */
#include "ops/support/elementwise.h"

enum { X, Y };

static const char doc[] = "z = x * y, broadcast; i32 wraps";

static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_value dz = g->dout[0];
    if (g->want[X]) g->din[X] = dg_grad_to(b, dg_mul(b, dz, g->in[Y]), g->in[X]);
    if (g->want[Y]) g->din[Y] = dg_grad_to(b, dg_mul(b, dz, g->in[X]), g->in[Y]);
}

DG_REF_2(ref_floats, double, double, double, x *y)
DG_REF_2(ref_ints, int32_t, int32_t, int32_t, DG_WRAP(x, *, y))

static void ref(const dg_call *k)
{
    if (k->in[0].dtype == DG_I32)
        ref_ints(k);
    else
        ref_floats(k);
}

DG_LANES_2(mul_f32, float, float, float, x *y)
DG_LANES_2(mul_f64, double, double, double, x *y)
DG_LANES_2(mul_i32, int32_t, int32_t, int32_t, DG_WRAP(x, *, y))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32, DG_F32}, DG_LANES_OF(mul_f32)},
    {DG_F64, {DG_F64, DG_F64}, DG_LANES_OF(mul_f64)},
    {DG_I32, {DG_I32, DG_I32}, DG_LANES_OF(mul_i32)},
    {0},
};

/* x * 1 is x, x * -1 is -x. x * 0 is not 0 where x is infinite. */
static dg_value simplify(dg_build *b, const dg_attrs *a, const dg_value *in, int n_in,
                         const dg_type *out)
{
    (void)a;
    (void)n_in;
    for (int i = 0; i < 2; i++) {
        double n;
        if (!dg_known_number(b, in[i], &n)) continue;
        if (n == 1) return dg_expand(b, in[1 - i], out->shape);
        if (n == -1) return dg_expand(b, dg_neg(b, in[1 - i]), out->shape);
    }
    return DG_NONE;
}

DG_ELEMENTWISE_KERNELS(mul)

const dg_op dg_op_mul = {
    .name = "mul",
    .inputs = "x y",
    .outputs = "z",
    .doc = doc,
    .traits = DG_ELEMENTWISE | DG_CHEAP,
    .infer = dg_infer_numbers,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .lanes = lanes,
    .arith = DG_ARITH_MUL,
    .in_place = 3,
    .simplify = simplify,
};

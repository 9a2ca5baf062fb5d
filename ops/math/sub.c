/* ops/math/sub.c: difference of two tensors. */
#include "ops/support/elementwise.h"

enum { X, Y };

static const char doc[] = "z = x - y, broadcast; i32 wraps";

static void grad(dg_grad *g)
{
    if (g->want[X]) g->din[X] = dg_grad_to(g->build, g->dout[0], g->in[X]);
    if (g->want[Y]) g->din[Y] = dg_neg(g->build, dg_grad_to(g->build, g->dout[0], g->in[Y]));
}

DG_REF_2(ref_floats, double, double, double, x - y)
DG_REF_2(ref_ints, int32_t, int32_t, int32_t, DG_WRAP(x, -, y))

static void ref(const dg_call *k)
{
    if (k->in[0].dtype == DG_I32)
        ref_ints(k);
    else
        ref_floats(k);
}

DG_LANES_2(sub_f32, float, float, float, x - y)
DG_LANES_2(sub_f64, double, double, double, x - y)
DG_LANES_2(sub_i32, int32_t, int32_t, int32_t, DG_WRAP(x, -, y))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32, DG_F32}, DG_LANES_OF(sub_f32)},
    {DG_F64, {DG_F64, DG_F64}, DG_LANES_OF(sub_f64)},
    {DG_I32, {DG_I32, DG_I32}, DG_LANES_OF(sub_i32)},
    {0},
};

/* x - 0 is x, also for x = -0. x - (-y) is x + y. */
static dg_value simplify(dg_build *b, const dg_attrs *a, const dg_value *in, int n_in,
                         const dg_type *out)
{
    (void)a;
    (void)n_in;
    double n;
    if (dg_known_number(b, in[Y], &n) && n == 0 && !signbit(n))
        return dg_expand(b, in[X], out->shape);
    dg_value negated = dg_operand_of(b, in[Y], "neg");
    return negated == DG_NONE ? DG_NONE : dg_add(b, in[X], negated);
}

DG_ELEMENTWISE_KERNELS(sub)

const dg_op dg_op_sub = {
    .name = "sub",
    .inputs = "x y",
    .outputs = "z",
    .doc = doc,
    .traits = DG_ELEMENTWISE | DG_CHEAP,
    .infer = dg_infer_numbers,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .lanes = lanes,
    .arith = DG_ARITH_SUB,
    .in_place = 3,
    .simplify = simplify,
};

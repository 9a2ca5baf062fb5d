/* ops/math/add.c: sum of two tensors. */
#include "ops/support/elementwise.h"

enum { X, Y };

static const char doc[] = "z = x + y, broadcast; i32 wraps";

static void grad(dg_grad *g)
{
    if (g->want[X]) g->din[X] = dg_grad_to(g->build, g->dout[0], g->in[X]);
    if (g->want[Y]) g->din[Y] = dg_grad_to(g->build, g->dout[0], g->in[Y]);
}

DG_REF_2(ref_floats, double, double, double, x + y)
DG_REF_2(ref_ints, int32_t, int32_t, int32_t, DG_WRAP(x, +, y))

static void ref(const dg_call *k)
{
    if (k->in[0].dtype == DG_I32)
        ref_ints(k);
    else
        ref_floats(k);
}

DG_LANES_2(add_f32, float, float, float, x + y)
DG_LANES_2(add_f64, double, double, double, x + y)
DG_LANES_2(add_i32, int32_t, int32_t, int32_t, DG_WRAP(x, +, y))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32, DG_F32}, DG_LANES_OF(add_f32)},
    {DG_F64, {DG_F64, DG_F64}, DG_LANES_OF(add_f64)},
    {DG_I32, {DG_I32, DG_I32}, DG_LANES_OF(add_i32)},
    {0},
};

/* x + -0 is x; so is x + 0 of ints, but not of floats, where -0 + 0 is 0. x + (-y) is x - y. */
static dg_value simplify(dg_build *b, const dg_attrs *a, const dg_value *in, int n_in,
                         const dg_type *out)
{
    (void)a;
    (void)n_in;
    bool floats = dg_dtype_is_float(out->dtype);
    for (int i = 0; i < 2; i++) {
        double n;
        if (dg_known_number(b, in[i], &n) && n == 0 && (!floats || signbit(n)))
            return dg_expand(b, in[1 - i], out->shape);
        dg_value negated = dg_operand_of(b, in[i], "neg");
        if (negated != DG_NONE) return dg_sub(b, in[1 - i], negated);
    }
    return DG_NONE;
}

DG_ELEMENTWISE_KERNELS(add)

const dg_op dg_op_add = {
    .name = "add",
    .inputs = "x y",
    .outputs = "z",
    .doc = doc,
    .traits = DG_ELEMENTWISE | DG_CHEAP,
    .infer = dg_infer_numbers,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .lanes = lanes,
    .arith = DG_ARITH_ADD,
    .in_place = 3,
    .simplify = simplify,
};

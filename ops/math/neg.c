/* ops/math/neg.c: change of sign. */
#include "ops/support/elementwise.h"

static const char doc[] = "y = -x; i32 wraps";

static void grad(dg_grad *g)
{
    g->din[0] = dg_neg(g->build, g->dout[0]);
}

DG_REF_1(ref_floats, double, double, -x)
DG_REF_1(ref_ints, int32_t, int32_t, DG_WRAP(0, -, x))

static void ref(const dg_call *k)
{
    if (k->in[0].dtype == DG_I32)
        ref_ints(k);
    else
        ref_floats(k);
}

DG_LANES_1(neg_f32, float, float, -x)
DG_LANES_1(neg_f64, double, double, -x)
DG_LANES_1(neg_i32, int32_t, int32_t, DG_WRAP(0, -, x))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(neg_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(neg_f64)},
    {DG_I32, {DG_I32}, DG_LANES_OF(neg_i32)},
    {0},
};

/* -(-x) is x. */
static dg_value simplify(dg_build *b, const dg_attrs *a, const dg_value *in, int n_in,
                         const dg_type *out)
{
    (void)a;
    (void)n_in;
    (void)out;
    return dg_operand_of(b, in[0], "neg");
}

DG_ELEMENTWISE_KERNELS(neg)

const dg_op dg_op_neg = {
    .name = "neg",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .traits = DG_ELEMENTWISE | DG_CHEAP,
    .infer = dg_infer_numbers,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .lanes = lanes,
    .arith = DG_ARITH_NEG,
    .in_place = 1,
    .simplify = simplify,
};

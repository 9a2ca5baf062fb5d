/* ops/math/where.c: one of two numbers by a condition. */
#include "ops/support/elementwise.h"

enum { C, X, Y };

static const char doc[] =
    "z = c ? x : y, broadcast; c bool, x and y of any one dtype; both sides are computed";

static bool infer(dg_infer *t)
{
    dg_shape s;
    return dg_want_dtype(t, C, DG_BOOL) && dg_want_same_dtype(t, X, Y) &&
           dg_infer_broadcast(t, &s) && dg_give_typed(t, 0, dg_in_dtype(t, X), s);
}

static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_value dz = g->dout[0], zero = dg_number(b, dz, 0);
    if (g->want[X]) g->din[X] = dg_grad_to(b, dg_where(b, g->in[C], dz, zero), g->in[X]);
    if (g->want[Y]) g->din[Y] = dg_grad_to(b, dg_where(b, g->in[C], zero, dz), g->in[Y]);
}

DG_REF_3(ref_floats, double, uint8_t, double, double, x ? y : z)
DG_REF_3(ref_ints, int32_t, uint8_t, int32_t, int32_t, x ? y : z)
DG_REF_3(ref_bytes, uint8_t, uint8_t, uint8_t, uint8_t, x ? y : z)

static void ref(const dg_call *k)
{
    if (k->out[0].dtype == DG_I32)
        ref_ints(k);
    else if (dg_dtype_is_float(k->out[0].dtype))
        ref_floats(k);
    else
        ref_bytes(k);
}

DG_LANES_3(where_f32, float, uint8_t, float, float, x ? y : z)
DG_LANES_3(where_f64, double, uint8_t, double, double, x ? y : z)
DG_LANES_3(where_i32, int32_t, uint8_t, int32_t, int32_t, x ? y : z)
DG_LANES_3(where_u8, uint8_t, uint8_t, uint8_t, uint8_t, x ? y : z)

static const dg_lanes lanes[] = {
    {DG_F32, {DG_BOOL, DG_F32, DG_F32}, DG_LANES_OF(where_f32)},
    {DG_F64, {DG_BOOL, DG_F64, DG_F64}, DG_LANES_OF(where_f64)},
    {DG_I32, {DG_BOOL, DG_I32, DG_I32}, DG_LANES_OF(where_i32)},
    {DG_U8, {DG_BOOL, DG_U8, DG_U8}, DG_LANES_OF(where_u8)},
    {DG_BOOL, {DG_BOOL, DG_BOOL, DG_BOOL}, DG_LANES_OF(where_u8)},
    {0},
};

/* One side when the condition is known, or when both are the same. */
static dg_value simplify(dg_build *b, const dg_attrs *a, const dg_value *in, int n_in,
                         const dg_type *out)
{
    (void)a;
    (void)n_in;
    double c;
    if (dg_known_number(b, in[C], &c)) return dg_expand(b, in[c != 0 ? X : Y], out->shape);
    return in[X] == in[Y] ? dg_expand(b, in[X], out->shape) : DG_NONE;
}

DG_ELEMENTWISE_KERNELS(where)

const dg_op dg_op_where = {
    .name = "where",
    .inputs = "c x y",
    .outputs = "z",
    .doc = doc,
    .traits = DG_ELEMENTWISE | DG_CHEAP,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .lanes = lanes,
    .in_place = 6,
    .simplify = simplify,
};

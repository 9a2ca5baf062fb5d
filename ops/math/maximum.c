/* ops/math/maximum.c: the larger of two tensors, element by element. */
#include "ops/support/elementwise.h"

enum { X, Y };

static const char doc[] =
    "z = x >= y ? x : y, broadcast; NaN if either is; at a tie the gradient goes to x";

static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_value dz = g->dout[0], zero = dg_number(b, dz, 0);
    dg_value first = dg_compare(b, "ge", g->in[X], g->in[Y]);
    if (g->want[X]) g->din[X] = dg_grad_to(b, dg_where(b, first, dz, zero), g->in[X]);
    if (g->want[Y]) g->din[Y] = dg_grad_to(b, dg_where(b, first, zero, dz), g->in[Y]);
}

DG_REF_2(ref_floats, double, double, double, x != x || y != y ? (double)NAN : fmax(x, y))
DG_REF_2(ref_ints, int32_t, int32_t, int32_t, x >= y ? x : y)

static void ref(const dg_call *k)
{
    if (k->in[0].dtype == DG_I32)
        ref_ints(k);
    else
        ref_floats(k);
}

DG_LANES_2(maximum_f32, float, float, float, ((x >= y) | (x != x)) ? x : y)
DG_LANES_2(maximum_f64, double, double, double, ((x >= y) | (x != x)) ? x : y)
DG_LANES_2(maximum_i32, int32_t, int32_t, int32_t, x >= y ? x : y)

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32, DG_F32}, DG_LANES_OF(maximum_f32)},
    {DG_F64, {DG_F64, DG_F64}, DG_LANES_OF(maximum_f64)},
    {DG_I32, {DG_I32, DG_I32}, DG_LANES_OF(maximum_i32)},
    {0},
};

DG_ELEMENTWISE_KERNELS(maximum)

const dg_op dg_op_maximum = {
    .name = "maximum",
    .inputs = "x y",
    .outputs = "z",
    .doc = doc,
    .traits = DG_ELEMENTWISE | DG_CHEAP,
    .infer = dg_infer_numbers,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .lanes = lanes,
    .in_place = 3,
};

/* ops/math/clip.c: a number kept between two bounds. */
#include "ops/support/elementwise.h"

enum { X, LO, HI };

static const char doc[] =
    "y = lo where x < lo, hi where x > hi, else x; broadcast\n"
    "the gradient goes to x at and between the bounds, beyond them to the bound";

static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_value x = g->in[X], dy = g->dout[0], zero = dg_number(b, dy, 0);
    dg_value above = dg_compare(b, "gt", x, g->in[HI]), below = dg_compare(b, "lt", x, g->in[LO]);
    dg_value inside = dg_where(b, above, zero, dy);
    if (g->want[X]) g->din[X] = dg_grad_to(b, dg_where(b, below, zero, inside), x);
    if (g->want[LO]) g->din[LO] = dg_grad_to(b, dg_where(b, below, inside, zero), g->in[LO]);
    if (g->want[HI]) g->din[HI] = dg_grad_to(b, dg_where(b, above, dy, zero), g->in[HI]);
}

DG_REF_3(ref_floats, double, double, double, double, x > z ? z : (x < y ? y : x))
DG_REF_3(ref_ints, int32_t, int32_t, int32_t, int32_t, x > z ? z : (x < y ? y : x))

static void ref(const dg_call *k)
{
    if (k->in[0].dtype == DG_I32)
        ref_ints(k);
    else
        ref_floats(k);
}

DG_LANES_3(clip_f32, float, float, float, float, x > z ? z : (x < y ? y : x))
DG_LANES_3(clip_f64, double, double, double, double, x > z ? z : (x < y ? y : x))
DG_LANES_3(clip_i32, int32_t, int32_t, int32_t, int32_t, x > z ? z : (x < y ? y : x))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32, DG_F32, DG_F32}, DG_LANES_OF(clip_f32)},
    {DG_F64, {DG_F64, DG_F64, DG_F64}, DG_LANES_OF(clip_f64)},
    {DG_I32, {DG_I32, DG_I32, DG_I32}, DG_LANES_OF(clip_i32)},
    {0},
};

DG_ELEMENTWISE_KERNELS(clip)

const dg_op dg_op_clip = {
    .name = "clip",
    .inputs = "x lo hi",
    .outputs = "y",
    .doc = doc,
    .traits = DG_ELEMENTWISE | DG_CHEAP,
    .infer = dg_infer_numbers,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .lanes = lanes,
    .in_place = 7,
};

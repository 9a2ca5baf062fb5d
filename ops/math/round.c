/* ops/math/round.c: nearest whole number. */
#include "ops/support/elementwise.h"

static const char doc[] = "y = x rounded, halves to even; a float";

DG_REF_1(ref, double, double, nearbyint(x))

DG_LANES_1(round_f32, float, float, dg_roundf(x))
DG_LANES_1(round_f64, double, double, nearbyint(x))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(round_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(round_f64)},
    {0},
};

DG_ELEMENTWISE_KERNELS(round)

const dg_op dg_op_round = {
    .name = "round",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .traits = DG_ELEMENTWISE | DG_CHEAP,
    .infer = dg_infer_floats,
    .no_grad = "piecewise constant",
    .ref = ref,
    .kernels = kernels,
    .lanes = lanes,
    .in_place = 1,
};

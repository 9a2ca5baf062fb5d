/* ops/math/floor.c: largest whole number below. */
#include "ops/support/elementwise.h"

static const char doc[] = "y = floor(x), a float";

DG_REF_1(ref, double, double, floor(x))

DG_LANES_1(floor_f32, float, float, dg_floorf(x))
DG_LANES_1(floor_f64, double, double, floor(x))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(floor_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(floor_f64)},
    {0},
};

DG_ELEMENTWISE_KERNELS(floor)

const dg_op dg_op_floor = {
    .name = "floor",
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

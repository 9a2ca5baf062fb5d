/* ops/source/rand.c: uniform numbers. */
#include "ops/source/draw.h"

static const char doc[] = "y = uniform in [0, 1), multiples of 2^-24; Philox 4x32-10 of (seed, "
                          "stream, element, trip, step)";

static const dg_attr_spec attrs[] = {
    DG_DRAW_ATTRS,
    {0},
};

static void ref(const dg_call *k)
{
    dg_draw_doubles(k, dg_rng_uniform);
}

static void run(const dg_call *k)
{
    dg_draw_floats(k, dg_rng_uniform);
}

static const dg_kernel kernels[] = {
    {"philox", run, .dtype = DG_I32}, /* of the trip */
    {0},
};

static const dg_lanes lanes[] = {
    {DG_F32, {DG_I32}, .draw = dg_rng_uniform},
    {0},
};

const dg_op dg_op_rand = {
    .name = "rand",
    .inputs = "trip",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_RANDOM | DG_NOT_FOLDED,
    .infer = dg_draw_infer_floats,
    .no_grad = "a draw depends on no value",
    .ref = ref,
    .kernels = kernels,
    .lanes = lanes,
};

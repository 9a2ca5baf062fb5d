/* ops/source/randn.c: normal numbers. */
#include "ops/source/draw.h"

static const char doc[] = "y = normal with mean 0 and deviation 1: Box-Muller on pairs of Philox "
                          "words of (seed, stream, element, trip, step)";

static const dg_attr_spec attrs[] = {
    DG_DRAW_ATTRS,
    {0},
};

static void ref(const dg_call *k)
{
    dg_draw_doubles(k, dg_rng_normal);
}

static void run(const dg_call *k)
{
    dg_draw_floats(k, dg_rng_normal);
}

static const dg_kernel kernels[] = {
    {"philox", run, .dtype = DG_I32}, /* of the trip */
    {0},
};

const dg_op dg_op_randn = {
    .name = "randn",
    .inputs = "trip",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_RANDOM | DG_NOT_FOLDED,
    .infer = dg_draw_infer_floats,
    .no_grad = "a draw depends on no value",
    .ref = ref,
    .kernels = kernels,
};

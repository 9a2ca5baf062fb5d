/* ops/source/rand.c: uniform numbers. */
#include "ops/source/draw.h"

static const char doc[] = "y = uniform in [0, 1), multiples of 2^-24; Philox 4x32-10 of (seed, "
                          "stream, element, trip, step)";

static const dg_attr_spec attrs[] = {
    DG_DRAW_ATTRS,
    {0},
};

static bool infer(dg_infer *t)
{
    return dg_draw_infer(t, DG_F32);
}

/* The same draws, widened. */
static void ref(const dg_call *k)
{
    dg_rng rng = dg_draw_rng(k);
    uint64_t first = dg_draw_first(k);
    int64_t n = dg_shape_count(&k->out[0].shape);
    double *y = k->out[0].data;
    for (int64_t i = 0; i < n; i++) {
        float v;
        dg_rng_uniform(&rng, first + (uint64_t)i, 1, &v);
        y[i] = (double)v;
    }
}

static void piece(const dg_call *k, int64_t p)
{
    dg_rng rng = dg_draw_rng(k);
    int64_t at = p * DG_DRAW_PIECE;
    dg_rng_uniform(&rng, dg_draw_first(k) + (uint64_t)at, dg_draw_length(k, p),
                   (float *)k->out[0].data + at);
}

static void run(const dg_call *k)
{
    dg_parallel(k, dg_draw_pieces(k), piece);
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
    .infer = infer,
    .no_grad = "a draw depends on no value",
    .ref = ref,
    .kernels = kernels,
    .lanes = lanes,
};

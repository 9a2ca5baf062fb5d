/* ops/source/randint.c: uniform integers. */
#include "ops/source/draw.h"

enum { TRIP, LO, HI };

static const char doc[] =
    "y = uniform integers in [lo, hi): lo + floor(word * (hi - lo) / 2^32); lo, hi i32 of rank 0. "
    "An empty range stops the run";

static const dg_attr_spec attrs[] = {
    DG_DRAW_ATTRS,
    {0},
};

static bool infer(dg_infer *t)
{
    for (int i = LO; i <= HI; i++) {
        if (!dg_want_dtype(t, i, DG_I32) || !dg_want_rank(t, i, 0)) return false;
    }
    return dg_draw_infer(t, DG_I32);
}

static void piece(const dg_call *k, int64_t p)
{
    dg_rng rng = dg_draw_rng(k);
    int64_t at = p * DG_DRAW_PIECE;
    dg_rng_int(&rng, dg_draw_first(k) + (uint64_t)at, dg_draw_length(k, p),
               *(const int32_t *)k->in[LO].data, *(const int32_t *)k->in[HI].data,
               (int32_t *)k->out[0].data + at);
}

static bool range_is_empty(const dg_call *k)
{
    int32_t lo = *(const int32_t *)k->in[LO].data, hi = *(const int32_t *)k->in[HI].data;
    if (lo < hi) return false;
    dg_fail(k, "the range %d..%d is empty", lo, hi);
    return true;
}

static void ref(const dg_call *k)
{
    dg_rng rng = dg_draw_rng(k);
    if (range_is_empty(k)) return;
    dg_rng_int(&rng, dg_draw_first(k), dg_shape_count(&k->out[0].shape),
               *(const int32_t *)k->in[LO].data, *(const int32_t *)k->in[HI].data, k->out[0].data);
}

static void run(const dg_call *k)
{
    if (!range_is_empty(k)) dg_parallel(k, dg_draw_pieces(k), piece);
}

static const dg_kernel kernels[] = {
    {"philox", run, .dtype = DG_I32},
    {0},
};

const dg_op dg_op_randint = {
    .name = "randint",
    .inputs = "trip lo hi",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_RANDOM | DG_NOT_FOLDED,
    .infer = infer,
    .no_grad = "integers have no derivative",
    .ref = ref,
    .kernels = kernels,
};

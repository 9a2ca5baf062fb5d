/* draw.c: see ops/source/draw.h. */
#include "ops/source/draw.h"

dg_rng dg_draw_rng(const dg_call *k)
{
    int32_t trip = *(const int32_t *)k->in[DG_DRAW_TRIP].data;
    return (dg_rng){.key = k->run->seed ^ (uint64_t)dg_attr_int(k->attrs, "key"),
                    .trip = (uint32_t)trip,
                    .step = k->run->step};
}

uint64_t dg_draw_first(const dg_call *k)
{
    dg_shape s = k->out[0].shape;
    if (s.rank == 0 || s.dim[0] == 0) return 0;
    return (uint64_t)(k->run->sample0 * (dg_shape_count(&s) / s.dim[0]));
}

bool dg_draw_infer(dg_infer *t, dg_dtype dtype)
{
    return dg_want_dtype(t, DG_DRAW_TRIP, DG_I32) && dg_want_rank(t, DG_DRAW_TRIP, 0) &&
           dg_give_typed(t, 0, dtype, dg_attr_shape(t->attrs, "shape"));
}

int64_t dg_draw_pieces(const dg_call *k)
{
    return (dg_shape_count(&k->out[0].shape) + DG_DRAW_PIECE - 1) / DG_DRAW_PIECE;
}

int64_t dg_draw_length(const dg_call *k, int64_t piece)
{
    int64_t left = dg_shape_count(&k->out[0].shape) - piece * DG_DRAW_PIECE;
    return left < DG_DRAW_PIECE ? left : DG_DRAW_PIECE;
}

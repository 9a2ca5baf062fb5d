/* draw.c: see ops/source/draw.h. */
#include "ops/source/draw.h"

dg_rng dg_draw_rng_of(const dg_run *run, const dg_attrs *attrs, int32_t trip)
{
    return (dg_rng){.key = run->seed ^ (uint64_t)dg_attr_int(attrs, "key"),
                    .trip = (uint32_t)trip,
                    .step = run->step};
}

uint64_t dg_draw_first_of(const dg_run *run, const dg_shape *shape)
{
    if (shape->rank == 0 || shape->dim[0] == 0) return 0;
    return (uint64_t)(run->sample0 * (dg_shape_count(shape) / shape->dim[0]));
}

dg_rng dg_draw_rng(const dg_call *k)
{
    return dg_draw_rng_of(k->run, k->attrs, *(const int32_t *)k->in[DG_DRAW_TRIP].data);
}

uint64_t dg_draw_first(const dg_call *k)
{
    return dg_draw_first_of(k->run, &k->out[0].shape);
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

bool dg_draw_infer_floats(dg_infer *t)
{
    return dg_draw_infer(t, DG_F32);
}

static void floats_piece(const dg_call *k, int64_t p)
{
    dg_rng rng = dg_draw_rng(k);
    int64_t at = p * DG_DRAW_PIECE;
    dg_draw_fn *const *draw = k->arg;
    (*draw)(&rng, dg_draw_first(k) + (uint64_t)at, dg_draw_length(k, p),
            (float *)k->out[0].data + at);
}

void dg_draw_floats(const dg_call *k, dg_draw_fn *draw)
{
    dg_parallel_with(k, dg_draw_pieces(k), floats_piece, &draw);
}

void dg_draw_doubles(const dg_call *k, dg_draw_fn *draw)
{
    dg_rng rng = dg_draw_rng(k);
    uint64_t first = dg_draw_first(k);
    int64_t n = dg_shape_count(&k->out[0].shape);
    double *y = k->out[0].data;
    for (int64_t i = 0; i < n; i++) {
        float v;
        draw(&rng, first + (uint64_t)i, 1, &v);
        y[i] = (double)v;
    }
}

/* amx_conv.h: convolutions as products of tiles: what of x the taps of a kernel read, as bf16.
 *
 * The value that tap (a, b) needs for output (i, j) is x at row i*sh - top + a*dh and column
 * j*sw - left + b*dw. Tap a reads a copy of x some rows further down; where rows step by more than
 * one, rows of equal remainder have copies of their own. Along a row it depends on the map's width:
 *
 *     shared      one copy with its zeros left and right, which tap b reads b*dw further on. The 16
 *                 or 32 outputs that are computed at once must stand in one row: columns step by
 *                 one and the width is a multiple of that
 *     else        a copy for every b, shifted so that the columns of all outputs follow each other
 *                 without a gap: successive outputs find successive numbers, whatever the width */
#ifndef DG_OPS_AMX_CONV_H
#define DG_OPS_AMX_CONV_H

#include "ops/support/amx.h"
#include "ops/support/im2col.h"

typedef struct dg_amx_taps {
    dg_conv g;    /* of the convolution; H and W with the zeros between */
    int64_t h, w; /* of x as it lies */
    int64_t up;   /* x's elements stand `up` apart, with zeros between: 1 for plain convolutions */
    bool shared;
    int64_t phases; /* remainders of rows */
    int64_t copies; /* of x: for each remainder one, or kw */
    int64_t pitch;  /* numbers in a row of a copy */
    int64_t below;  /* further rows of a copy that the last tap reads */
} dg_amx_taps;

/* together: outputs computed at once, if they may share a copy; else 0. */
dg_amx_taps dg_amx_taps_of(const dg_conv *g, int64_t up, int64_t together);
int64_t dg_amx_taps_room(const dg_amx_taps *t); /* floats that staging wants */
/* Of the 32 channels that are staged for `rows` rows of y, so many at a time that what a prologue
 * makes of them stays in the first caches; floats of these. */
int64_t dg_amx_taps_channels(const dg_amx_taps *t, int64_t rows, int64_t *floats);

/* The copy that tap (a, b) reads; the row and place in it of output 0; and how far behind that is
 * output q, counted row by row. */
static inline int64_t dg_amx_tap_copy(const dg_amx_taps *t, int64_t a, int64_t b)
{
    int64_t phase = a * t->g.dh % t->g.sh;
    return t->shared ? phase : phase * t->g.kw + b;
}
static inline int64_t dg_amx_tap_row(const dg_amx_taps *t, int64_t a)
{
    return a * t->g.dh / t->g.sh;
}
static inline int64_t dg_amx_tap_at(const dg_amx_taps *t, int64_t a, int64_t b)
{
    return dg_amx_tap_row(t, a) * t->pitch + (t->shared ? b * t->g.dw : 0);
}
static inline int64_t dg_amx_output_at(const dg_amx_taps *t, int64_t q)
{
    return q / t->g.Wo * t->pitch + q % t->g.Wo;
}

/* x's rows [*r0, *r1) are what rows [y0, y0 + rows) of all copies are made of. */
void dg_amx_stage_reads(const dg_amx_taps *t, int64_t y0, int64_t rows, int64_t *r0, int64_t *r1);
/* Some channels of one image, `plane` floats apart; their row r0 is at x. */
typedef struct dg_amx_source {
    const float *x;
    int64_t plane, channels, r0;
} dg_amx_source;

/* Rows [y0, y0 + rows) of a copy, each of `pitch` numbers: channel i to to[i * ldt], */
void dg_amx_stage_rows(const dg_amx_taps *t, const dg_amx_source *x, int64_t y0, int64_t rows,
                       int64_t copy, float *room, uint16_t *to, int64_t ldt);
/* or channels 2i and 2i+1 as pairs to to[i * ldt]; with zeros for a last one alone. */
void dg_amx_stage_pairs(const dg_amx_taps *t, const dg_amx_source *x, int64_t y0, int64_t rows,
                        int64_t copy, float *room, uint32_t *to, int64_t ldt);

/* Weights as left tiles, [panels][chunks][kh * kw][2] tiles of 16 output by 32 input channels:
 * bytes of that. */
enum { DG_AMX_PANEL = 2 * DG_AMX_SIDE };
static inline int64_t dg_amx_panels(int64_t outs)
{
    return (outs + DG_AMX_PANEL - 1) / DG_AMX_PANEL;
}
static inline int64_t dg_amx_chunks(int64_t channels)
{
    return (channels + DG_AMX_DEPTH - 1) / DG_AMX_DEPTH;
}
static inline int64_t dg_amx_weight_bytes(int64_t outs, int64_t channels, int64_t taps)
{
    return dg_amx_panels(outs) * dg_amx_chunks(channels) * taps * 2 * DG_AMX_BYTES;
}

/* Whether tiles are filled well enough: one group, no cropping. */
bool dg_amx_conv_pays(const dg_conv *g);
/* conv2d_bf16 with its bf16_weights; g as in dg_amx_taps_of. */
dg_value dg_amx_conv_build(dg_build *b, const dg_conv *g, int64_t up, dg_value x, dg_value w,
                           bool turned);

/* Words in a row of at least n, so that 16 rows below each other fall into different sets of the
 * first cache. */
static inline int64_t dg_amx_ld(int64_t words)
{
    int64_t lines = (words + 15) / 16;
    return (lines | 1) * 16;
}

#endif

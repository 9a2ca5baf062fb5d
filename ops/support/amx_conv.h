/* amx_conv.h: convolutions as products of tiles: what of x the taps of a kernel read, as bf16.
 *
 * The value that tap (a, b) needs for output (i, j) is x at row i*sh - top + a*dh, column j*sw -
 * left
 * + b*dw. So there is one copy of x for every b, shifted so that the columns of all outputs follow
 * each other without a gap; and tap a reads that copy some rows further down. Where rows step by
 * more than one, rows of equal remainder have copies of their own. So 16 successive outputs find 16
 * successive numbers, whatever the width of the map. */
#ifndef DG_OPS_AMX_CONV_H
#define DG_OPS_AMX_CONV_H

#include "ops/support/amx.h"
#include "ops/support/im2col.h"

typedef struct dg_amx_taps {
    dg_conv g;    /* of the convolution; H and W with the zeros between */
    int64_t h, w; /* of x as it lies */
    int64_t up;   /* x's elements stand `up` apart, with zeros between: 1 for plain convolutions */
    int64_t phases; /* remainders of rows */
    int64_t copies; /* phases * kw */
    int64_t below;  /* further rows of a copy that the last tap reads */
} dg_amx_taps;

dg_amx_taps dg_amx_taps_of(const dg_conv *g, int64_t up);
int64_t dg_amx_taps_room(const dg_amx_taps *t); /* floats that staging wants */

static inline int64_t dg_amx_tap_copy(const dg_amx_taps *t, int64_t a, int64_t b)
{
    return a * t->g.dh % t->g.sh * t->g.kw + b;
}
static inline int64_t dg_amx_tap_row(const dg_amx_taps *t, int64_t a)
{
    return a * t->g.dh / t->g.sh;
}

/* x's rows [*r0, *r1) are what rows [y0, y0 + rows) of all copies are made of. */
void dg_amx_stage_reads(const dg_amx_taps *t, int64_t y0, int64_t rows, int64_t *r0, int64_t *r1);
/* Rows [y0, y0 + rows) of a copy, each of Wo numbers: of one channel, whose row r0 is at x, */
void dg_amx_stage_row(const dg_amx_taps *t, const float *x, int64_t r0, int64_t y0, int64_t rows,
                      int64_t copy, float *room, uint16_t *to);
/* or of two, as pairs; y NULL: zeros. */
void dg_amx_stage_pair(const dg_amx_taps *t, const float *x, const float *y, int64_t r0, int64_t y0,
                       int64_t rows, int64_t copy, float *room, uint32_t *to);

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

/* winograd.h: 3x3 convolution of stride 1 by minimal filtering (Winograd 1980; Lavin and Gray
 * 2016). F(4x4, 3x3): a tile of 4x4 results costs 36 products for each pair of channels instead of
 * 144, and rounding errors are some ten times those of plain sums; F(2x2, 3x3): 16 instead of 36,
 * with errors like plain sums'. */
#ifndef DG_OPS_WINOGRAD_H
#define DG_OPS_WINOGRAD_H

#include "ops/support/im2col.h"
#include "ops/support/prologue.h"
#include "ops/support/tile.h"
#include "ops/support/winograd_transform.h"

enum { DG_WINOGRAD_LANES = DG_TILE_GROUP, DG_WINOGRAD_PANEL = DG_TILE_COLUMNS };

/* How the weights come: */
typedef enum dg_winograd_form {
    DG_WINOGRAD_PLAIN,  /* w [O, C, 3, 3] */
    DG_WINOGRAD_TURNED, /* w [C, O, 3, 3], kernels upside down: with these, the convolution of dy is
                           the derivative of a convolution by its input */
    DG_WINOGRAD_PREPARED /* u [elements, O / 32, C, 32], out of dg_winograd_prepare */
} dg_winograd_form;

typedef struct dg_winograd {
    dg_conv g; /* 3x3, strides and dilations 1, one group; pads may be negative */
    int tile;  /* 4 or 2 */
    dg_winograd_form form;
} dg_winograd;

static inline int64_t dg_winograd_panels(const dg_conv *g)
{
    return (g->O + DG_WINOGRAD_PANEL - 1) / DG_WINOGRAD_PANEL;
}

/* Whether the geometry is one of these. */
bool dg_winograd_fits(const dg_conv *g);
/* Of x [N,C,H,W] with pad [top, bottom, left, right], any sign. */
dg_conv dg_winograd_geometry(dg_shape x, int64_t outs, const int64_t *pad);
/* The attributes that inner ops share: tile is 4 or 2, a pad has four numbers in bounds, weights
 * is plain, turned or prepared. */
bool dg_winograd_attrs_fit(dg_infer *t);
bool dg_winograd_results_fit(dg_infer *t, const dg_conv *g); /* there are some */

/* How dg_winograd_run cuts the work. */
typedef struct dg_winograd_cut {
    bool by_tiles;         /* pieces are blocks; otherwise panels of 32 outputs of a block */
    int64_t blocks, tiles; /* tiles of a block, at most */
    int64_t span;          /* elements of a channel that a piece makes of an image, at most */
} dg_winograd_cut;
dg_winograd_cut dg_winograd_cut_of(const dg_winograd *w);
int64_t dg_winograd_prepared_bytes(const dg_winograd *w);

/* Weights w of the form w->form, not prepared, as u [elements, O / 32, C, 32]: element (i, j) of
 * G g G^T for each pair of channels, zeros behind output O. */
void dg_winograd_prepare(const dg_call *k, const dg_winograd *w, const float *weights, float *u);
int64_t dg_winograd_prepare_scratch(void); /* bytes of each worker */

/* y [N,O,Ho,Wo] out of the call's operand `x` [N,C,H,W], with prologue and epilogue at once.
 * Scratch stands behind dg_strips_bytes. */
void dg_winograd_run(const dg_call *k, const dg_winograd *w, int x, const float *weights, float *y);
int64_t dg_winograd_workspace(const dg_winograd *w);
int64_t dg_winograd_scratch(const dg_winograd *w, bool prologue);

/* dw [O,C,3,3] out of the operand x, with prologue, and dy [N,O,Ho,Wo]; `form` says nothing here.
 */
void dg_winograd_dw(const dg_call *k, const dg_winograd *w, int x, const float *dy, float *dw);
bool dg_winograd_dw_is_few(const dg_winograd *w); /* so few tiles that pieces are parts of dw */
int64_t dg_winograd_dw_workspace(const dg_winograd *w);
int64_t dg_winograd_dw_scratch(const dg_winograd *w, bool prologue);

#endif

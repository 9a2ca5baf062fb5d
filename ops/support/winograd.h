/* winograd.h: 3x3 convolution of stride 1 by minimal filtering, F(4x4, 3x3) (Winograd 1980; Lavin
 * and Gray 2016): a tile of 4x4 results costs 36 products for each pair of channels instead of 144.
 * Rounding errors are some ten times those of plain sums. */
#ifndef DG_OPS_WINOGRAD_H
#define DG_OPS_WINOGRAD_H

#include "ops/support/im2col.h"

/* Whether the geometry allows it and the saving pays for the transforms. */
bool dg_winograd_pays(const dg_conv *g);

/* w [O, C, 3, 3] of g; or, `turned`, w [C, O, 3, 3] with its kernels upside down: the derivative of
 * a convolution by its input is the convolution with these. */
typedef struct dg_winograd_weights {
    const float *w;
    bool turned;
} dg_winograd_weights;

/* y [N,O,Ho,Wo] out of x [N,C,H,W], with the call's epilogue at once if `epilogue`. Workspace: the
 * transformed weights. Scratch stands behind dg_epilogue_bytes of the strip if `epilogue`. */
void dg_winograd_run(const dg_call *k, const dg_conv *g, const float *x, dg_winograd_weights w,
                     float *y, bool epilogue);
int64_t dg_winograd_workspace(const dg_conv *g);
int64_t dg_winograd_scratch(const dg_conv *g);

/* dw [O,C,3,3] out of x and dy [N,O,Ho,Wo]. */
void dg_winograd_dw(const dg_call *k, const dg_conv *g, const float *x, const float *dy, float *dw);
int64_t dg_winograd_dw_workspace(const dg_conv *g);
int64_t dg_winograd_dw_scratch(const dg_conv *g);

#endif

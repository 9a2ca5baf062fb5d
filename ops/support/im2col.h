/* im2col.h: what conv2d and its two derivatives share: the geometry, columns of patches block by
 * block, and the blocked convolution that both conv2d and (for stride 1) its derivative by x run.
 */
#ifndef DG_OPS_IM2COL_H
#define DG_OPS_IM2COL_H

#include "ops/ops.h"

/* y[n, o, i, j] = sum_{c, a, b} w[o, c, a, b] * x[n, c, i * sh - top + a * dh, j * sw - left + b *
 * dw] */
typedef struct dg_conv {
    int64_t N, C, H, W; /* x */
    int64_t O, Ho, Wo;  /* y */
    int64_t G, kh, kw;  /* groups; w is [O, C / G, kh, kw] */
    int64_t sh, sw, dh, dw;
    int64_t top, bottom, left, right; /* zeros around x; negative: cut off */
} dg_conv;

#define DG_CONV_ATTRS                                                                              \
    {"stride", DG_INTS, .required = true, .doc = "[y, x]"},                                        \
        {"pad", DG_INTS, .required = true, .doc = "zeros around x: [top, bottom, left, right]"},   \
        {"dilation", DG_INTS, .required = true, .doc = "[y, x]"},                                  \
    {                                                                                              \
        "groups", DG_INT,                                                                          \
            .fallback = 1,                                                                         \
            .doc = "output channels of a group read the input channels of that group only"         \
    }

/* Out of the attributes and the shapes of x and w; Ho, Wo by the rule. Shapes need not fit:
 * dg_conv_fits says why not. */
dg_conv dg_conv_of(const dg_attrs *a, dg_shape x, dg_shape w);
bool dg_conv_fits(dg_infer *t, const dg_conv *g, dg_shape w); /* t->attrs is reported on */
double dg_conv_flops(const dg_conv *g);
/* The attributes once more, for nodes of a gradient; room for 6, the further two by the caller. */
int dg_conv_attrs(dg_build *b, const dg_attrs *from, dg_attr *out);

/* Rows (c, a, b) for c in [0, channels) of the patches at output rows [y0, y1): col[(c * kh + a) *
 * kw + b][(i - y0) * Wo + j], rows `ld` apart. x: the first of the channels, [channels, H, W]. */
void dg_im2col(dg_isa isa, const dg_conv *g, const float *x, int64_t channels, int64_t y0,
               int64_t y1, float *col, int64_t ld);
/* The same of channels [c, c + channels) of image n of the call's operand x, which may lie in
 * parts.
 */
void dg_im2col_of(const dg_call *k, int x, const dg_conv *g, int64_t n, int64_t c, int64_t channels,
                  int64_t y0, int64_t y1, float *col, int64_t ld);
/* The adjoint: adds the patches' rows to x (packed as above). */
void dg_col2im(const dg_conv *g, const float *col, int64_t ld, int64_t channels, int64_t y0,
               int64_t y1, float *x);

/* Convolution of the call's operand x, which may lie in parts, in pieces fixed by the geometry,
 * each with the call's epilogue at once if `epilogue`. */
void dg_conv_run(const dg_call *k, const dg_conv *g, int x, const float *w, float *y,
                 bool epilogue);
/* y may lie over x, or over a part of it: a piece makes all outputs of its positions, which are
 * all that it reads. */
bool dg_conv_over(const dg_conv *g);
int64_t dg_conv_span(const dg_conv *g); /* elements of a channel that a piece makes at most */
int64_t
dg_conv_scratch(const dg_conv *g); /* bytes of each worker, behind dg_epilogue_bytes of the strip */

#endif

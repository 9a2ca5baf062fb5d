/* conv_few.h: convolution to a few channels, such as the head of a network, by plain sums: products
 * would leave most of a tile's registers empty, and columns would cost more than the sums. */
#ifndef DG_OPS_CONV_FEW_H
#define DG_OPS_CONV_FEW_H

#include "ops/support/im2col.h"

enum { DG_CONV_FEW_OUTS = 2, DG_CONV_FEW_ROWS = 8 };

/* Stride 1, one group, at most DG_CONV_FEW_OUTS outputs, rows of y of a vector or more. */
bool dg_conv_few_fits(const dg_conv *g);
int64_t dg_conv_few_floats(const dg_conv *g); /* room of a worker */
/* Rows [y0, y0 + rows) of all outputs of image n; at most DG_CONV_FEW_ROWS rows. y: the whole of
 * it. */
void dg_conv_few(const dg_call *k, const dg_conv *g, int x, const float *w, int64_t n, int64_t y0,
                 int64_t rows, float *y, float *room);

#endif

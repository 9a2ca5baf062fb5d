/* winograd_transform.h: Winograd's transforms of one tile, 16 channels at a time, for F(4x4, 3x3)
 * and F(2x2, 3x3). */
#ifndef DG_OPS_WINOGRAD_TRANSFORM_H
#define DG_OPS_WINOGRAD_TRANSFORM_H

#include "compiler/ir/kernel.h"

/* Element (i, j) of what is read is the 16 floats at from[i * row + j * column], and likewise to.
 */
typedef void dg_winograd_fn(const float *from, int64_t row, int64_t column, float *to,
                            int64_t to_row, int64_t to_column);

/* With matrices B, G, A of the minimal filter, d a patch of x, g a kernel of 3x3, y a tile of
 * results: y = A^T [(G g G^T) . (B^T d B)] A, where . multiplies element by element. */
typedef struct dg_winograd_filter {
    int tile, patch, elements; /* 4, 6, 36: results, inputs, products, the first two along a side */
    dg_winograd_fn *const *patch_in;   /* by ISA: B^T d B */
    dg_winograd_fn *const *kernel_in;  /* G g G^T */
    dg_winograd_fn *const *tile_out;   /* A^T m A */
    dg_winograd_fn *const *tile_in;    /* A y A^T: the adjoint */
    dg_winograd_fn *const *kernel_out; /* G^T u G: the adjoint */
} dg_winograd_filter;

const dg_winograd_filter *dg_winograd_filter_of(int tile); /* 4 or 2 */

#endif

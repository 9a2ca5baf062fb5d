/* winograd_product.h: the products between Winograd's transforms. Transforms run over 16 channels
 * at a time, so their results lie as rows of 16 floats, one for each tile, group of channels after
 * group; here they are read just so, without another packing. */
#ifndef DG_OPS_WINOGRAD_PRODUCT_H
#define DG_OPS_WINOGRAD_PRODUCT_H

#include "compiler/ir/kernel.h"

enum { DG_WINOGRAD_LANES = 16, DG_WINOGRAD_PANEL = 32 };

/* c[m, 32] = A[m, k] b[k, 32], or += with `add`; element (i, p) of A is a[p / 16 * apart + i * 16 +
 * p % 16]. Sums run over k in order. */
void dg_winograd_product(dg_isa isa, int64_t m, int64_t k, const float *a, int64_t apart,
                         const float *b, bool add, float *c);

/* The same with A[m, k] given as a[k][16], m <= 16. */
void dg_winograd_product_turned(dg_isa isa, int64_t m, int64_t k, const float *a, const float *b,
                                bool add, float *c);

#endif

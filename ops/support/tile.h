/* tile.h: products of matrices that lie in the second cache, for convolutions. Neither operand is
 * packed: the right one is a block of columns that the caller has just made, padded so that its
 * rows do not fall upon each other in the first cache. */
#ifndef DG_OPS_TILE_H
#define DG_OPS_TILE_H

#include "compiler/ir/kernel.h"

enum { DG_TILE_COLUMNS = 32, DG_TILE_GROUP = 16 };

/* Row length for a block of n columns: whole tiles and a line more. */
static inline int64_t dg_tile_ld(int64_t n)
{
    return (n + DG_TILE_COLUMNS - 1) / DG_TILE_COLUMNS * DG_TILE_COLUMNS + 16;
}

/* Rows of C that are computed at once, at most. */
int dg_tile_high(dg_isa isa);

/* Row-major C[m, n] = A[m, k] B[k, n], or += with `add`. Every row of b is readable up to whole
 * tiles; what stands behind column n does not reach C. Best with k of some hundreds. The sum over k
 * runs in order. */
void dg_tile_product(dg_isa isa, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                     const float *b, int64_t ldb, bool add, float *c, int64_t ldc);

/* The same with A given as [k, m]. If not NULL, m * k floats from next_a on and k * 32 from next_b
 * on are brought into the second cache meanwhile: what the product after this one reads. */
void dg_tile_product_turned(dg_isa isa, int64_t m, int64_t n, int64_t k, const float *a,
                            int64_t lda, const float *b, int64_t ldb, bool add, float *c,
                            int64_t ldc, const float *next_a, const float *next_b);

/* The same with n, ldb and ldc 32 and A in groups of 16 columns, `apart` floats from one to the
 * next: element (i, p) is a[p / 16 * apart + i * 16 + p % 16]. */
void dg_tile_product_groups(dg_isa isa, int64_t m, int64_t k, const float *a, int64_t apart,
                            const float *b, bool add, float *c, const float *next_a,
                            const float *next_b);

/* to[j][i] = from[i][j] for i in [0, rows), j in [0, cols). */
void dg_tile_transpose(dg_isa isa, int64_t rows, int64_t cols, const float *from, int64_t ldf,
                       float *to, int64_t ldt);

#endif

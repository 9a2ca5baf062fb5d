/* gemm.h: the product of two matrices of any strides, on one thread. Whoever wants more threads
 * cuts C into pieces. */
#ifndef DG_OPS_GEMM_H
#define DG_OPS_GEMM_H

#include "compiler/ir/kernel.h"

/* Element (i, j) is data[i * row + j * col]: by rows, by columns, every other one. */
typedef struct dg_matrix {
    const float *data;
    int64_t rows, cols, row, col;
} dg_matrix;

static inline dg_matrix dg_matrix_part(const dg_matrix *x, int64_t i, int64_t rows, int64_t j,
                                       int64_t cols)
{
    return (dg_matrix){x->data + i * x->row + j * x->col, rows, cols, x->row, x->col};
}

static inline dg_matrix dg_matrix_turned(const dg_matrix *x)
{
    return (dg_matrix){x->data, x->cols, x->rows, x->col, x->row};
}

/* Row i of a matrix that is written. */
static inline float *dg_matrix_row(const dg_matrix *x, int64_t i)
{
    return (float *)x->data + i * x->row;
}

/* Matrix number `batch` of a view [.., rows, cols], counted over its first `lead` axes. */
dg_matrix dg_matrix_at(const dg_view *v, int lead, int64_t batch, bool swapped);

/* Leading axes of x [.., m, k] and z [.., m, n] that lie one behind the other in both are rows of
 * tall matrices: *m rows, *x_row and *z_row floats from one to the next. Returns how many axes stay
 * before them. */
int dg_matrix_tall(const dg_view *x, const dg_view *z, int64_t *m, int64_t *x_row, int64_t *z_row);

/* Row-major C[m, n] = A[m, k] B[k, n]; `room` is dg_gemm_floats of these or larger m, n and
 * k. The order of the sum over k depends on k alone, so pieces of C have the bits of the whole. */
void dg_gemm(dg_isa isa, const dg_matrix *a, const dg_matrix *b, float *c, int64_t ldc,
             float *room);
/* The same with B in parts, one below the other: with the bits of one B. */
void dg_gemm_parts(dg_isa isa, const dg_matrix *a, const dg_matrix *b, int parts, float *c,
                   int64_t ldc, float *room);
int64_t dg_gemm_floats(int64_t m, int64_t n, int64_t k);

/* A sum over k is that of its parts of this length, added in order: whoever computes the parts by
 * themselves and adds them gets the same bits. */
int64_t dg_gemm_depth(int64_t k);

#endif

/* sums.h: sums of floats in double, by as many lanes as keep the adder busy. The order of the
 * additions is the same on every ISA, and so are the bits. */
#ifndef DG_OPS_SUPPORT_SUMS_H
#define DG_OPS_SUPPORT_SUMS_H

#include "compiler/ir/kernel.h"

double dg_sum_f32(dg_isa isa, const float *x, int64_t n);
/* The sums of rows of n elements that lie one behind the other, each the float of dg_sum_f32. */
void dg_sum_rows_f32(dg_isa isa, const float *x, int64_t rows, int64_t n, float *sums);
double dg_sum_f64(const double *x, int64_t n);
int64_t dg_sum_i32(const int32_t *x, int64_t n);

#endif

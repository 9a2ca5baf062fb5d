/* sums.h: sums of floats in double, by as many lanes as keep the adder busy. The order of the
 * additions is the same on every ISA, and so are the bits. */
#ifndef DG_OPS_SUPPORT_SUMS_H
#define DG_OPS_SUPPORT_SUMS_H

#include "compiler/ir/kernel.h"

double dg_sum_f32(dg_isa isa, const float *x, int64_t n);
double dg_sum_f64(const double *x, int64_t n);
int64_t dg_sum_i32(const int32_t *x, int64_t n);

#endif

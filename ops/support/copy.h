/* copy.h: moving elements between views; part of ops.h. */
#ifndef DG_OPS_COPY_H
#define DG_OPS_COPY_H

#include "compiler/ir/op.h"

dg_shape dg_attr_shape(const dg_attrs *a, const char *name); /* a list of dims as a shape */

/* Copies elements between views of one shape and element size, any strides (0 in `from` repeats).
 * dg_copy cuts the work into pieces; dg_copy_serial is for use inside a piece. */
void dg_copy(const dg_call *k, const dg_view *from, const dg_view *to);
void dg_copy_serial(const dg_view *from, const dg_view *to);

/* Output 0 as a packed copy of what `view` makes of input 0: the kernel of ops that are views when
 * they can be. */
void dg_copy_of_view(const dg_call *k,
                     bool (*view)(const dg_attrs *attrs, const dg_view *in, dg_view *out));

/* For refs: output 0's element at `at` is input 0's element number from(k, at), or zero where that
 * is negative. */
void dg_ref_pick(const dg_call *k, int64_t (*from)(const dg_call *k, const int64_t *at));

/* Packed i32 indices: false after dg_fail on the first that is outside 0..size-1. */
bool dg_check_indices(const dg_call *k, const dg_view *i, int64_t size);

#endif

/* conv_ways.h: which way a convolution is computed, by an estimate of its cost in cycles: directly
 * (im2col.h), or by Winograd's F(2x2, 3x3) or F(4x4, 3x3), with weights transformed beforehand or
 * where they are used. Constants are fitted to measurements, one set for each ISA level. */
#ifndef DG_OPS_CONV_WAYS_H
#define DG_OPS_CONV_WAYS_H

#include "ops/support/winograd.h"

typedef enum dg_conv_pass {
    DG_CONV_FORWARD, /* operands x, w */
    DG_CONV_DX,      /* dy, w; the geometry is that of the turned convolution of dy */
    DG_CONV_DW       /* x, dy */
} dg_conv_pass;

/* dg_op.prepare of the three: builds the node that computes the convolution of geometry g, and the
 * one that prepares its weights, where that is cheaper than the node as it is. */
bool dg_conv_prepare(dg_prepare *p, const dg_conv *g, dg_conv_pass pass, dg_value *out);

#endif

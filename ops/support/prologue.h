/* prologue.h: how a kernel reads an operand that may not be stored (compiler/ir/strip.h,
 * dg_prologue): it asks for the rows that it is about to use. Where they are stored, in the operand
 * or in a part of it, it gets them as they lie; else they are gathered and computed in a buffer of
 * the kernel's own. */
#ifndef DG_OPS_PROLOGUE_H
#define DG_OPS_PROLOGUE_H

#include "ops/ops.h"

/* Bytes at the beginning of k->scratch that the call's strips use, rounded up to a cache line: by
 * turns the epilogue and the prologue. A kernel with prologues gives these in its `scratch`
 * callback and keeps its own scratch behind them. */
int64_t dg_strips_bytes(const dg_prologue *p, const dg_strip *epilogue);
static inline bool dg_has_prologue(const dg_call *k, int operand)
{
    return k->prologue && k->prologue->operand == operand;
}

/* The box [start, start + extent) of the operand that has the prologue, packed into `buffer`. Every
 * element has the bits that a `fused` node would have stored. */
void dg_prologue_box(const dg_call *k, const int64_t *start, const int64_t *extent, float *buffer);

/* A part of an operand [N, C, H, W]: rows of W floats one behind the other, channels `plane` floats
 * apart. */
typedef struct dg_rows {
    const float *data; /* of the first row of the first channel */
    int64_t plane;
} dg_rows;

/* Rows [y0, y1) of channels [c0, c1) of image n. `buffer`: (c1 - c0) * (y1 - y0) * W floats, used
 * if the operand has a prologue; may be NULL otherwise. */
dg_rows dg_prologue_rows(const dg_call *k, int operand, int64_t n, int64_t c0, int64_t c1,
                         int64_t y0, int64_t y1, float *buffer);

/* The part of the source that has channel c, numbered like the whole; returns how many channels
 * from c on lie there. Of sources that are not grown. */
int64_t dg_source_part(const dg_call *k, int64_t c, dg_view *out);

/* Channel c of image n, of an operand without strip and not grown, and in *count how many channels
 * lie there one behind the other: `limit` at most. For kernels that take parts. */
const float *dg_channels(const dg_call *k, int operand, int64_t n, int64_t c, int64_t limit,
                         int64_t *count);

/* y[j * by + b] = x[j] for j in [0, n), b in [0, by). */
void dg_grow_row(const float *x, int64_t n, int64_t by, float *y);

#endif

/* strip.h: elementwise programs. A strip runs over a space (a shape) in short runs of the last axes
 * that stay in the first cache: every instruction is one op's lanes function applied to a run. It
 * is the body of op `fused`, and the epilogue of ops that can apply one to the piece of their
 * result which they have just made.
 *
 * Registers 0 .. n_in-1 are loads: inputs broadcast to the space by the language's rule (equal rank
 * and dims equal or 1; or rank 0). Instruction i writes register n_in + i. Outputs name registers:
 * stored, or summed over the trailing `reduce` axes of the space, or the moments of a register that
 * is stored (below). In an epilogue register 0 is the op's own result (not among the node's
 * inputs); registers 1 .. n_in-1 are the node's inputs after the op's own; output 0 is stored to
 * the node's output 0, a second one to its output 1, or it may be the moments of the first. As a prologue a strip makes an operand that
 * is not stored (below).
 *
 * An instruction may be a draw (op.h, dg_draw_fn): its operand is the trip, its elements are
 * numbered as they lie in the space. */
#ifndef DG_IR_STRIP_H
#define DG_IR_STRIP_H

#include "compiler/ir/kernel.h"

struct dg_op;
struct dg_lanes;

#define DG_STRIP_REGS                                                                              \
    192 /* most registers, loads and results together: whoever makes strips stops there */

typedef struct dg_strip_code {
    const struct dg_op *op;
    dg_attrs attrs;
    int in[3]; /* registers; -1 unused */
    int n_in;
    dg_dtype dtype;               /* of the result */
    const struct dg_lanes *lanes; /* found once, when the strip is made */
} dg_strip_code;

typedef struct dg_strip_out {
    int reg;
    int reduce;   /* 0: stored; k > 0: summed over the last k axes of the space (in double across
                     runs) */
    int64_t span; /* > 0: moments of that many elements */
} dg_strip_out;

static inline bool dg_strip_stores(const dg_strip_out *o)
{
    return o->reduce == 0 && o->span == 0;
}

/* Moments of a space [N, C, ...] whose channels have P elements each, f32: [N, C, ceil(P / span),
 * 2], for every `span` elements of a channel, the last of them maybe fewer, their mean and the sum
 * of the squares of what they differ from it. What is made of a map while it is in the caches, for
 * the statistics of a norm that reads it later. */
dg_shape dg_moments_shape(const dg_shape *space, int64_t span);

typedef struct dg_strip {
    dg_shape space;
    int n_in, n_code, n_out;
    const dg_dtype *in_dtype; /* [n_in] */
    const dg_strip_code *code;
    const dg_strip_out *out;
} dg_strip;

/* An operand that is not stored: the kernel makes the part that it is about to read, out of a
 * source and by a strip. Without a strip it may also be one that the epilogue loads.
 *
 * The source is the node's input `operand`; with parts > 1 that and the node's last parts - 1
 * inputs, one behind the other along axis 1; with grow > 1 each row and column of these [N,C,H,W]
 * stands in it `grow` times. It has the operand's type, and lies where the operand would.
 *
 * The strip has the operand's shape and one output, stored, of the operand's dtype. Register 0 is
 * the source; registers 1 .. n_in-1 are inputs of the node behind those of the epilogue. Without a
 * strip the source is the operand. */
#define DG_MOST_PARTS 16
typedef struct dg_prologue {
    int operand;
    const dg_strip *strip; /* NULL: none */
    dg_shape shape;        /* of the operand */
    int parts, grow;       /* 1, 1: the input is the source */
} dg_prologue;

/* The source is put together of other things than one input as it lies. */
static inline bool dg_prologue_gathers(const dg_prologue *p)
{
    return p->parts > 1 || p->grow > 1;
}

/* The operand of whose source input `i` of a node is all, or one of the parts, as it lies; -1: of
 * none. */
int dg_prologue_source(const dg_prologue *p, int n_own, int n_in, int i);

/* Index of the node's input that is register 1 of the prologue. */
static inline int dg_prologue_inputs(int n_own, const dg_strip *epilogue)
{
    return n_own + (epilogue ? epilogue->n_in - 1 : 0);
}

bool dg_prologue_equal(const dg_prologue *a, const dg_prologue *b);
uint64_t dg_strip_hash(const dg_strip *s);
bool dg_strip_equal(const dg_strip *a, const dg_strip *b);

#endif

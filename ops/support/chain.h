/* chain.h: arithmetic of strips in vector registers.
 *
 * A chain is a sequence of steps on an accumulator, a tile of some hundred floats that stays in
 * registers: load, combine with an operand, store where somebody else needs it. All steps are done
 * on one tile before the next one is begun. Each operation rounds once, so the bits are those of
 * one array operation after the other, on every ISA. */
#ifndef DG_OPS_CHAIN_H
#define DG_OPS_CHAIN_H

#include "compiler/ir/kernel.h"

/* `a` is the accumulator, x the operand. The second form of each pair reads one number for the
 * whole row. */
typedef enum dg_chain_op {
    DG_CHAIN_LOAD, /* a = x */
    DG_CHAIN_LOAD_ONE,
    DG_CHAIN_ADD, /* a + x */
    DG_CHAIN_ADD_ONE,
    DG_CHAIN_SUB, /* a - x */
    DG_CHAIN_SUB_ONE,
    DG_CHAIN_FROM, /* x - a */
    DG_CHAIN_FROM_ONE,
    DG_CHAIN_MUL, /* a * x */
    DG_CHAIN_MUL_ONE,
    DG_CHAIN_DIV, /* a / x */
    DG_CHAIN_DIV_ONE,
    DG_CHAIN_UNDER, /* x / a */
    DG_CHAIN_UNDER_ONE,
    DG_CHAIN_NEG,    /* -a */
    DG_CHAIN_SQUARE, /* a * a */
    DG_CHAIN_STORE,  /* x = a */
    DG_CHAIN_END     /* stands behind the last step */
} dg_chain_op;

typedef struct dg_chain_step {
    dg_chain_op op;
    int reg;       /* for the caller: what x is */
    float *x;      /* of the first row */
    int64_t row;   /* elements from row to row */
    int64_t ahead; /* when an element is read, the one so far behind it is fetched */
} dg_chain_step;

/* Runs the steps over rows of `columns` elements. Operands may be the same arrays as results, but
 * not shifted ones. The x of the steps are left somewhere. */
void dg_chain_run(dg_isa isa, dg_chain_step *steps, int64_t rows, int64_t columns);

#endif

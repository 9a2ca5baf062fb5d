/* strip_program.h: a strip made ready for one box of its space: where its operands lie, what runs
 * as a chain and on which array each register is. Made by strip_program.c, run by strip.c. */
#ifndef DG_OPS_STRIP_PROGRAM_H
#define DG_OPS_STRIP_PROGRAM_H

#include "ops/ops.h"
#include "ops/support/chain.h"

enum {
    DG_STRIP_OUTS = 64,
    DG_STRIP_STEPS = 4,             /* of a chain for one instruction: load, combine, store twice */
    DG_STRIP_OUTPUT = DG_STRIP_REGS /* a step's register from here on: an output */
};

/* How often a register changes: with the box, with the row (the rows of a run share a value), or
 * along the run. */
typedef enum dg_strip_level { DG_PER_BOX, DG_PER_ROW, DG_ALONG } dg_strip_level;

typedef struct dg_strip_operand {
    char *data;                  /* of the box's first element */
    int64_t stride[DG_MAX_RANK]; /* on the merged axes */
    int64_t offset;              /* elements: of the current outer position */
} dg_strip_operand;

typedef struct dg_strip_reg {
    dg_strip_level level;
    int size;        /* bytes of an element */
    int first, last; /* instructions that use it; n_code: the end of the run; last = -1: nobody */
    int slot;        /* its array, -1: it lies in memory, or is one number */
    int store;       /* output that the instruction writes where it lies, -1 */
    bool array;      /* somebody reads it as an array without gaps */
    bool pack;       /* a load that is copied into its slot */
    bool kept;       /* a chain's result that others than its next step read */
    char *at;
    int64_t row; /* elements from row to row of a run; below DG_ALONG 0 */
} dg_strip_reg;

typedef struct dg_strip_program {
    const dg_strip *strip;
    dg_isa isa;
    int rank;
    int64_t dim[DG_MAX_RANK];
    int64_t inner, run;
    bool short_rows, narrow;
    bool packs;            /* some load is packed */
    const dg_call *source; /* whose load `gathered` lies in parts; it is packed for runs that meet a
                              seam, into slot `packed`. NULL: none does */
    int gathered;
    char *packed;
    bool draws;              /* some instruction does, */
    const dg_run *numbers;   /* in this run: */
    uint64_t first;          /* number of the box's first element in a draw; */
    dg_strip_operand number; /* without data: those of the others, from there on */
    int n_regs;
    dg_strip_operand load[DG_STRIP_REGS], store[DG_STRIP_OUTS];
    dg_strip_reg reg[DG_STRIP_REGS];
    int chain[DG_STRIP_REGS]; /* by instruction: the first one of its chain; -1: calls lanes */
    int begin[DG_STRIP_REGS]; /* by first instruction: its chain's first step */
    dg_chain_step step[DG_STRIP_STEPS * DG_STRIP_REGS + 1];
    double one[DG_STRIP_REGS]; /* what does not change along a run, 8 bytes each */
} dg_strip_program;

/* `source`: the call, where its prologue says that a load lies in parts; else NULL. `scratch`:
 * arrays of a run, dg_strip_scratch() bytes. */
void dg_strip_prepare(dg_strip_program *p, const dg_call *k, const dg_strip *s, const dg_view *in,
                      const dg_view *out, const int64_t *start, const int64_t *extent,
                      void *scratch, const dg_call *source);
/* A chain reads register r as one number for each row. */
bool dg_strip_one_per_row(const dg_strip_program *p, int r);

#endif

/* explain.h: what a plan says, gathered once for all formats (explain.c); each format is one file.
 * Private to explain_*.c. */
#ifndef DG_PLAN_EXPLAIN_H
#define DG_PLAN_EXPLAIN_H

#include "compiler/plan/plan.h"

typedef struct dg_story {
    int64_t *live; /* by step, n_steps + 1 */
    int64_t total; /* what a process reserves */
    double flops;
    int in_place; /* results computed in other values' bytes: operands, places, carries */
    int copies; /* steps that store a value again, unchanged; initial values of carries that had to
                   be */
    int swaps;
    int concats, segments; /* decisions about concatenation; those that moved nothing */
} dg_story;
dg_story dg_story_of(const dg_plan *p, int threads, dg_arena *a);

const char *
dg_home_name(dg_home h); /* as regions are called: "arena", "weights", "state", "consts", "io" */
const char *dg_phase_name(dg_phase p);
/* How a carry goes on: "in place", "swapped", "in turn" (brought by the others' swaps). */
const char *dg_carry_how(const dg_plan *p, const dg_plan_carry *c);
/* Loops around a step. */
int dg_step_depth(const dg_plan *p, int32_t step);
/* The loop that a LOOP or LOOP_END step opens or closes. */
int32_t dg_step_loop(const dg_plan *p, int32_t step);

#endif

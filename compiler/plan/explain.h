/* explain.h: what a plan says, gathered once for all formats (explain.c); each format is one file.
 * For explain_*.c and the runtime's analyze.c. */
#ifndef DG_PLAN_EXPLAIN_H
#define DG_PLAN_EXPLAIN_H

#include "compiler/base/json.h"
#include "compiler/plan/plan.h"

typedef struct dg_story {
    int64_t *live; /* by step, n_steps + 1 */
    int64_t total; /* what a process reserves */
    double flops;
    int in_place; /* results computed in other values' bytes: operands, places, carries */
    int copies; /* steps that store a value again, unchanged; initial values of carries that had to
                   be */
    int swaps;
    int again;           /* steps that compute something again: their results are called x.again */
    double again_ns, ns; /* estimated time of those, of all steps; loops as often as they turn */
    int into;            /* values that are stored by the steps of their parts */
    int concats, segments; /* decisions about concatenation; those that moved nothing */
} dg_story;
dg_story dg_story_of(const dg_plan *p, int threads, dg_arena *a);

const char *
dg_home_name(dg_home h); /* as regions are called: "arena", "weights", "state", "consts", "io" */
const char *dg_phase_name(dg_phase p);
/* How a carry goes on: "in place", "swapped", "in turn" (brought by the others' swaps). */
const char *dg_carry_how(const dg_plan *p, const dg_plan_carry *c);
/* How often a step runs. */
double dg_step_trips(const dg_plan *p, int32_t step);
/* What one run of it is thought to take on one thread, in nanoseconds (cost.h); 0 of those that run
 * no kernel. */
double dg_step_ns(const dg_plan *p, int32_t step);
/* It computes once more what an earlier step has computed (recompute). */
bool dg_step_again(const dg_plan *p, int32_t step);
/* Loops around a step. */
int dg_step_depth(const dg_plan *p, int32_t step);
/* Whether the bytes of `base` lie unread at a step, after step *from and before *to, which uses
 * them again. */
bool dg_plan_unread(const dg_plan *p, int32_t base, int32_t step, int32_t *from, int32_t *to);
/* The longest time in which the bytes that a value shows wait unread: from the step that makes or
 * reads them to the next that reads them. */
void dg_plan_longest_wait(const dg_plan *p, int32_t value, int32_t *from, int32_t *to);
/* The step reads the bytes that `value` shows; *view: by another value's name. */
bool dg_step_reads(const dg_plan *p, int32_t step, int32_t value, bool *view);
/* Of --why: the place's path for what lies in one; "" for values without a name. */
const char *dg_value_name(const dg_plan *p, int32_t value);
bool dg_decision_about(const dg_decision *d, int32_t step, int32_t value); /* -1: none */
const char *dg_reason_words(const char *reason);                           /* "": none */
/* A value or a step (the other is -1) as an object of dg-why/1.0 (explain_why_json.c). */
void dg_why_json(const dg_plan *p, int32_t value, int32_t step, dg_json_writer *w);
/* The loop that a LOOP or LOOP_END step opens or closes. */
int32_t dg_step_loop(const dg_plan *p, int32_t step);

#endif

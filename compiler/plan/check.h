/* check.h: private to check.c, check_run.c and check_step.c. */
#ifndef DG_PLAN_CHECK_H
#define DG_PLAN_CHECK_H

#include "compiler/plan/plan.h"

typedef struct dg_held { /* bytes of the arena that hold what a write left there */
    int64_t begin, end;
    int32_t token;
} dg_held;

typedef struct dg_checker {
    const dg_plan *p;
    dg_diag *d;
    dg_arena *a;
    dg_type_room *types;
    int32_t *opens;                               /* by step: loop that it begins or ends; -1 */
    int32_t *first, *last, *producer, *home_loop; /* by value, derived here */
    int32_t *group;  /* by base: union-find of buffers that are swapped */
    int64_t *extent; /* by value: bytes from its first to its last element */
    int32_t *part;   /* by value: the step in whose result it is stored, one part of it; -1 */
    /* of a run on tokens */
    int64_t *pointer; /* by base: offset in the arena */
    int32_t *token;   /* by value: what its producer left */
    int32_t *place;   /* by place: what its bytes hold */
    int32_t *frame;   /* by base: token of the whole whose parts are being stored; 0: of none */
    int32_t next_token;
    dg_held *held; /* in order, disjoint */
    int n_held;
    int64_t trips; /* at most */
} dg_checker;

/* E903; false. */
__attribute__((format(printf, 2, 3))) bool dg_check_wrong(dg_checker *c, const char *format, ...);

static inline bool dg_check_in_store(const dg_plan_value *v)
{
    return v->home == DG_HOME_PARAM || v->home == DG_HOME_STATE;
}

static inline bool dg_check_packed(const dg_plan_value *v)
{
    int64_t next = 1;
    for (int i = v->type->shape.rank - 1; i >= 0; i--) {
        if (v->type->shape.dim[i] != 1 && v->stride[i] != next) return false;
        next *= v->type->shape.dim[i];
    }
    return true;
}

/* ---- check_run.c ---- */

/* Runs the plan on tokens, loops for so many trips at most: reads find what was written for them.
 */
bool dg_check_run(dg_checker *c, int64_t trips);

/* ---- check_step.c ---- */

/* The step's kernel reads input `in` as (part of) a source that it may write result `out` over. */
bool dg_step_over_source(const dg_plan *p, const dg_plan_step *s, int out, int in,
                         dg_type_room *room);

/* What is wrong with the programs, operands or workspace of a KERNEL step, whose ids are sound;
 * NULL: nothing. */
const char *dg_step_wrong(const dg_plan *p, const dg_plan_step *s, dg_type_room *room);

#endif

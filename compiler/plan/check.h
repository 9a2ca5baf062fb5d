/* check.h: private to check.c and check_step.c. */
#ifndef DG_PLAN_CHECK_H
#define DG_PLAN_CHECK_H

#include "compiler/plan/plan.h"

/* What is wrong with the programs, operands or workspace of a KERNEL step, whose ids are sound; NULL:
 * nothing. */
const char *dg_step_wrong(const dg_plan *p, const dg_plan_step *s, dg_arena *a);

#endif

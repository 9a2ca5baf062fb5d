/* judge.h: dg eval --judge: what a classifier's run says of class-conditional samples. */
#ifndef DG_RUNTIME_JUDGE_H
#define DG_RUNTIME_JUDGE_H

#include <dg/dg.h>

dg_status dg_eval_judged(dg_context *c, dg_eval_options *o);

#endif

/* diff.h: private to diff.c and diff_times.c. */
#ifndef DG_PLAN_DIFF_H
#define DG_PLAN_DIFF_H

#include "compiler/base/json.h"
#include "compiler/plan/plan.h"

static inline const char *dg_json_text_at(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

/* "dg-analysis/1.x", with what dg_diff_times reads. */
bool dg_is_analysis(const json_t *root);
/* Two of those. */
void dg_diff_times(const json_t *a, const json_t *b, dg_plan_difference *out, dg_text *t);

#endif

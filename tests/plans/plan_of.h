/* plan_of.h: a checked plan out of IR text, as the driver makes one. For the tests of this folder.
 * */
#ifndef DG_TESTS_PLANS_PLAN_OF_H
#define DG_TESTS_PLANS_PLAN_OF_H

#include "compiler/base/os.h"
#include "compiler/ir/print.h"
#include "compiler/ir/verify.h"
#include "compiler/plan/plan.h"
#include "ops/ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct plan_text {
    dg_arena *arena;
    dg_diag *diag;
    dg_module *module;
    dg_plan *plan;
} plan_text;

static inline const char *plan_messages(const plan_text *t)
{
    dg_text out = {0};
    for (size_t i = 0; i < dg_diag_count(t->diag); i++)
        dg_message_text(t->diag, dg_diag_at(t->diag, i), false, &out);
    const char *copy = dg_arena_text(t->arena, out.at ? out.at : "", out.n);
    dg_text_free(&out);
    return copy;
}

/* Runs the passes (but those in `skip`), plans and checks; a message of any of them fails the test,
 * but that a budget (0: none) cannot be kept: then there is no plan. */
static inline plan_text plan_within(const char *name, const char *text, const char *const *skip,
                                    bool reference, uint64_t memory)
{
    plan_text t = {.arena = dg_arena_new()};
    t.diag = dg_diag_new(t.arena, dg_sources_new(t.arena));
    t.module = dg_read_module(t.arena, t.diag, name, text, strlen(text), dg_op_find);
    if (!t.module) fail_msg("%s", plan_messages(&t));
    dg_pass_options o = {.skip = skip, .reference = reference, .verify = true, .memory = memory};
    dg_layout layout;
    int nodes = (int)t.module->graph->nodes.n;
    if (!dg_passes_run(t.module, &o)) fail_msg("%s", plan_messages(&t));
    if (!dg_pass_memplan(t.module, &o, &layout)) {
        if (memory == 0 || strcmp(dg_diag_at(t.diag, 0)->id, "E601") != 0)
            fail_msg("%s", plan_messages(&t));
        dg_layout_free(&layout);
        return t;
    }
    t.plan = dg_plan_make(t.module, &layout,
                          &(dg_plan_options){.passes = &o, .nodes = nodes});
    dg_layout_free(&layout);
    if (!t.plan) fail_msg("%s", plan_messages(&t));
    if (!dg_plan_check(t.plan, t.diag)) {
        dg_text shown = {0};
        dg_explain_text(t.plan, &(dg_explain_options){.canonical = true}, &shown);
        fputs(shown.at, stdout);
        dg_text_free(&shown);
        fail_msg("%s", plan_messages(&t));
    }
    return t;
}

static inline plan_text plan_of(const char *name, const char *text, const char *const *skip,
                                bool reference)
{
    return plan_within(name, text, skip, reference, 0);
}

static inline void plan_text_free(plan_text *t)
{
    dg_module_free(t->module);
    dg_plan_free(t->plan);
    dg_arena_free(t->arena);
}

#endif

/* ops/control/check.c: a condition that has to hold; `assert` on graph values. */
#include "ops/ops.h"

static const char doc[] = "fails the run when c (bool, rank 0) is false, with `text` and, when "
                          "given, the values of lhs and rhs";

static const dg_attr_spec attrs[] = {
    {"text", DG_STR, .doc = "what the message says"},
    {0},
};

static bool infer(dg_infer *t)
{
    return dg_want_dtype(t, 0, DG_BOOL) && dg_want_rank(t, 0, 0);
}

/* The executor looks at c itself: only it knows whether checks are asked for. */
static void ref(const dg_call *k)
{
    (void)k;
}

const dg_op dg_op_check = {
    .name = "check",
    .inputs = "c lhs? rhs?",
    .outputs = "",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_EFFECT,
    .infer = infer,
    .no_grad = "it makes no value",
    .ref = ref,
};

/* ops/control/output.c: a result or report of the entry. */
#include "ops/ops.h"

static const char doc[] = "x is output number `index` of the entry";

static const dg_attr_spec attrs[] = {
    {"index", DG_INT, .required = true, .doc = "which output of the module"},
    {0},
};

static bool infer(dg_infer *t)
{
    (void)t;
    return true;
}

/* The executor takes the bytes of x when the last step is done. */
static void ref(const dg_call *k)
{
    (void)k;
}

const dg_op dg_op_output = {
    .name = "output",
    .inputs = "x",
    .outputs = "",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_EFFECT,
    .infer = infer,
    .no_grad = "it makes no value",
    .ref = ref,
};

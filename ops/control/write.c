/* ops/control/write.c: what a place holds when the entry ends. */
#include "ops/ops.h"

static const char doc[] = "place number `index` holds x when the entry ends; at most one per place";

static const dg_attr_spec attrs[] = {
    {"index", DG_INT, .required = true, .doc = "which place of the module"},
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

const dg_op dg_op_write = {
    .name = "write",
    .inputs = "x",
    .outputs = "",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_EFFECT,
    .infer = infer,
    .no_grad = "it makes no value",
    .ref = ref,
};

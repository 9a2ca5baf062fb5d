/* ops/control/place.c: what a parameter or state holds. */
#include "ops/ops.h"

static const char doc[] = "y = what place number `index` held when the entry began";

static const dg_attr_spec attrs[] = {
    {"index", DG_INT, .required = true, .doc = "which place of the module"},
    {"dtype", DG_INT, .required = true, .doc = "of the value"},
    {"shape", DG_INTS, .required = true, .doc = "dims of the value"},
    {0},
};

static bool infer(dg_infer *t)
{
    int64_t dtype = dg_attr_int(t->attrs, "dtype");
    if (dtype < 0 || dtype >= DG_DTYPES)
        return dg_reject_attr(t, "dtype", "there is no dtype %lld", (long long)dtype);
    return dg_give_typed(t, 0, (dg_dtype)dtype, dg_attr_shape(t->attrs, "shape"));
}

/* The executor has the bytes at hand before the first step. */
static void ref(const dg_call *k)
{
    (void)k;
}

const dg_op dg_op_place = {
    .name = "place",
    .inputs = "",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_LEAF | DG_NOT_FOLDED,
    .infer = infer,
    .no_grad = "it has no operands",
    .ref = ref,
};

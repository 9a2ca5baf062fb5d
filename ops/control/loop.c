/* ops/control/loop.c: a body repeated; see compiler/ir/graph.h for its region. */
#include "ops/ops.h"

static const char doc[] = "ys = the carries after `trips` runs of the body, which starts from xs; "
                          "with `stop` the body's last result (bool, rank 0) ends it earlier";

static const dg_attr_spec attrs[] = {
    {"trips", DG_INT, .required = true, .doc = "how often the body runs at most"},
    {"stop", DG_INT, .fallback = 0, .doc = "1: the body gives a stop flag"},
    {0},
};

static bool infer(dg_infer *t)
{
    int64_t trips = dg_attr_int(t->attrs, "trips");
    if (trips < 0 || trips > INT32_MAX)
        return dg_reject_attr(t, "trips", "%lld trips are not possible", (long long)trips);
    for (int i = 0; i < t->n_in; i++) {
        if (!dg_give_typed(t, i, dg_in_dtype(t, i), dg_in_shape(t, i))) return false;
    }
    return true;
}

/* The executor walks the body. */
static void ref(const dg_call *k)
{
    (void)k;
}

const dg_op dg_op_loop = {
    .name = "loop",
    .inputs = "xs...",
    .outputs = "ys...",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_CONTROL,
    .infer = infer,
    .no_grad = "pass grad differentiates the body",
    .ref = ref,
};

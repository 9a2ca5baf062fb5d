/* ops/control/grad.c: a derivative that is still to be worked out. */
#include "ops/ops.h"

static const char doc[] =
    "d[i] = derivative of y (float, rank 0) by x[i]; replaced by adjoint nodes in pass grad";

static bool infer(dg_infer *t)
{
    if (t->n_in < 2) return dg_reject(t, "there is nothing to differentiate by");
    if (!dg_want_float(t, 0) || !dg_want_rank(t, 0, 0)) return false;
    for (int i = 1; i < t->n_in; i++) {
        if (!dg_want_float(t, i) || !dg_give_typed(t, i - 1, dg_in_dtype(t, i), dg_in_shape(t, i)))
            return false;
    }
    return true;
}

/* No plan holds one. */
static void ref(const dg_call *k)
{
    dg_fail(k, "a derivative was not worked out");
}

const dg_op dg_op_grad = {
    .name = "grad",
    .inputs = "y xs...",
    .outputs = "ds...",
    .doc = doc,
    .traits = DG_INNER | DG_NOT_FOLDED,
    .infer = infer,
    .no_grad = "pass grad replaces it, inner ones first",
    .ref = ref,
};

/* ops/reduce/any.c: is any element true, over axes. */
#include "ops/support/reduce.h"

static const char doc[] = "y = or of x over the axes; bool";

static bool infer(dg_infer *t)
{
    return dg_want_dtype(t, 0, DG_BOOL) && dg_infer_reduce(t);
}

static void ref(const dg_call *k)
{
    const uint8_t *x = k->in[0].data;
    uint8_t *y = k->out[0].data;
    const dg_shape *s = &k->in[0].shape;
    for (int64_t i = 0; i < dg_shape_count(&k->out[0].shape); i++) y[i] = 0;
    for (int64_t i = 0; i < dg_shape_count(s); i++) y[dg_reduced_at(k->attrs, s, i)] |= x[i];
}

static void run(const dg_call *k)
{
    dg_reduce_run(k, DG_FOLD_ANY);
}

static const dg_kernel kernels[] = {
    {"bool", run, .dtype = DG_BOOL, .strided = 1, .workspace = dg_reduce_workspace},
    {0},
};

const dg_op dg_op_any = {
    .name = "any",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .attrs = dg_reduce_attrs,
    .infer = infer,
    .no_grad = "booleans have no gradient",
    .ref = ref,
    .kernels = kernels,
};

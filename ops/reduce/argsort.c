/* ops/reduce/argsort.c: the order of elements along an axis. */
#include "ops/support/reduce.h"

#include <stdlib.h>

static const char doc[] =
    "y = i32 positions that sort x along the axis: ascending, stable, NaN last";

static const dg_attr_spec attrs[] = {
    {"axis", DG_INT, .required = true, .doc = "along which"},
    {0},
};

static bool infer(dg_infer *t)
{
    dg_dtype have = dg_in_dtype(t, 0);
    if (!dg_infer_axis(t)) return false;
    if (!dg_dtype_is_float(have) && have != DG_I32)
        return dg_reject_input(t, 0, "there is no order of %s values", dg_dtype_name(have));
    return dg_give_typed(t, 0, DG_I32, dg_in_shape(t, 0));
}

static void ref(const dg_call *k)
{
    const dg_view *v = &k->in[0];
    dg_lines l = dg_lines_of(k->attrs, &v->shape);
    int32_t *index = malloc((size_t)l.n * sizeof *index);
    bool good = index;
    for (int64_t o = 0; good && o < l.outer * l.inner; o++) {
        int64_t first = o / l.inner * l.n * l.inner + o % l.inner;
        good = dg_sort_line(v, first, l.inner, l.n, index);
        for (int64_t i = 0; good && i < l.n; i++) {
            int64_t to = first + i * l.inner;
            ((int32_t *)k->out[0].data)[to] = index[i];
        }
    }
    free(index);
    if (!good) dg_fail(k, "no memory to sort %lld elements", (long long)l.n);
}

static void run(const dg_call *k)
{
    dg_sort_run(k, false);
}

static const dg_kernel kernels[] = {
    {"f32", run, .dtype = DG_F32, .scratch = dg_sort_scratch},
    {"i32", run, .dtype = DG_I32, .scratch = dg_sort_scratch},
    {0},
};

const dg_op dg_op_argsort = {
    .name = "argsort",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .infer = infer,
    .no_grad = "an order is piecewise constant",
    .ref = ref,
    .kernels = kernels,
};

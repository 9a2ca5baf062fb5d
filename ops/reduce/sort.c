/* ops/reduce/sort.c: elements along an axis in ascending order. */
#include "ops/support/reduce.h"

#include <stdlib.h>

static const char doc[] = "y = x sorted along the axis: ascending, stable, NaN last";

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
    return dg_give_typed(t, 0, have, dg_in_shape(t, 0));
}

/* sort takes by argsort, so the adjoint goes back to where it was taken from. */
static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_attr axis = dg_attr_of_int("axis", dg_attr_int(g->attrs, "axis"));
    dg_value order = dg_emit(b, "argsort", &axis, 1, g->in, 1);
    g->din[0] = dg_emit(b, "take_add", &axis, 1,
                        (dg_value[]){dg_full_like(b, g->in[0], 0), order, g->dout[0]}, 3);
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
            int64_t from = first + index[i] * l.inner;
            if (v->dtype == DG_I32)
                ((int32_t *)k->out[0].data)[to] = ((const int32_t *)v->data)[from];
            else
                ((double *)k->out[0].data)[to] = ((const double *)v->data)[from];
        }
    }
    free(index);
    if (!good) dg_fail(k, "no memory to sort %lld elements", (long long)l.n);
}

static void run(const dg_call *k)
{
    dg_sort_run(k, true);
}

static const dg_kernel kernels[] = {
    {"f32", run, .dtype = DG_F32, .scratch = dg_sort_scratch},
    {"i32", run, .dtype = DG_I32, .scratch = dg_sort_scratch},
    {0},
};

const dg_op dg_op_sort = {
    .name = "sort",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
};

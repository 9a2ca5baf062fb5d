/* ops/inner/take_add.c: values summed to where take reads; the adjoint of take. */
#include "ops/ops.h"

#include <string.h>

enum { X, I, V };

static const char doc[] = "y = x, then y at the place that take(x, i, axis) reads for its element "
                          "e, += v at e, for every e in order\n"
                          "v has the shape of take(x, i, axis)";

static const dg_attr_spec attrs[] = {
    {"axis", DG_INT, .required = true, .doc = "as in take"},
    {0},
};

static bool infer(dg_infer *t)
{
    dg_shape x = dg_in_shape(t, X), i = dg_in_shape(t, I), v = i;
    int64_t axis = dg_attr_int(t->attrs, "axis");
    if (!dg_want_float(t, X) || !dg_want_dtype(t, I, DG_I32) || !dg_want_rank(t, I, x.rank) ||
        !dg_want_same_dtype(t, X, V))
        return false;
    if (axis < 0 || axis >= x.rank)
        return dg_reject_attr(t, "axis", "there is no axis %lld in rank %d", (long long)axis,
                              x.rank);
    for (int a = 0; a < x.rank; a++) {
        if (a == axis || i.dim[a] == x.dim[a] || x.dim[a] == 1) continue;
        if (i.dim[a] != 1)
            return dg_reject_inputs(t, "E020", X, I, "operands differ on axis %d: %lld and %lld", a,
                                    (long long)x.dim[a], (long long)i.dim[a]);
        v.dim[a] = x.dim[a];
    }
    return dg_want_shape(t, V, v) && dg_give(t, 0, x);
}

static void grad(dg_grad *g)
{
    dg_attr axis = dg_attr_of_int("axis", dg_attr_int(g->attrs, "axis"));
    g->din[X] = g->dout[0];
    if (g->want[V])
        g->din[V] = dg_emit(g->build, "take", &axis, 1, (dg_value[]){g->dout[0], g->in[I]}, 2);
}

/* Element `at` of v: number of its place in s, of which `axis` is read at `index`. */
static int64_t place(dg_shape s, const int64_t *at, int axis, int64_t index)
{
    int64_t n = 0;
    for (int a = 0; a < s.rank; a++)
        n = n * s.dim[a] + (a == axis ? index : s.dim[a] == 1 ? 0 : at[a]);
    return n;
}

/* One pass in the order of v: places may repeat, so the sum has one owner. The index of an axis
 * varies per element; this op stands in gradients of crops and label look-ups, whose tensors are
 * small beside the network's. */
static void run(const dg_call *k)
{
    dg_shape x = k->in[X].shape, i = k->in[I].shape, v = k->in[V].shape;
    int axis = (int)dg_attr_int(k->attrs, "axis");
    const int32_t *index = k->in[I].data;
    int64_t at[DG_MAX_RANK] = {0}, n = dg_shape_count(&v);
    bool wide = k->out[0].dtype == DG_F64;
    if (k->out[0].data != k->in[X].data)
        memcpy(k->out[0].data, k->in[X].data,
               (size_t)dg_shape_count(&x) * dg_dtype_size(k->out[0].dtype));
    if (!dg_check_indices(k, &k->in[I], x.dim[axis])) return;
    for (int64_t e = 0; e < n; e++) {
        int64_t to = place(x, at, axis, index[place(i, at, axis, at[axis])]);
        if (wide)
            ((double *)k->out[0].data)[to] += ((const double *)k->in[V].data)[e];
        else
            ((float *)k->out[0].data)[to] += ((const float *)k->in[V].data)[e];
        for (int a = v.rank - 1; a >= 0 && ++at[a] == v.dim[a]; a--) at[a] = 0;
    }
}

static const dg_kernel kernels[] = {
    {"plain_f32", run, .dtype = DG_F32},
    {0},
};

const dg_op dg_op_take_add = {
    .name = "take_add",
    .inputs = "x i v",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_INNER,
    .infer = infer,
    .grad = grad,
    .ref = run,
    .kernels = kernels,
    .in_place = 1,
};

/* ops/shape/slice.c: every step-th element of a range, on every axis. */
#include "ops/ops.h"

extern const dg_op dg_op_concat; /* for simplify */

static const char doc[] =
    "y[i, ...] = x[start + i * step, ...] for start + i * step < stop, on every axis; a view";

static const dg_attr_spec attrs[] = {
    {"start", DG_INTS, .required = true, .doc = "first element, one per axis"},
    {"stop", DG_INTS, .required = true, .doc = "end of the range, not included"},
    {"step", DG_INTS, .required = true, .doc = "1 or more"},
    {0},
};

static bool infer(dg_infer *t)
{
    dg_shape x = dg_in_shape(t, 0), y = {.rank = x.rank};
    int n, m, l;
    const int64_t *start = dg_attr_ints(t->attrs, "start", &n),
                  *stop = dg_attr_ints(t->attrs, "stop", &m);
    const int64_t *step = dg_attr_ints(t->attrs, "step", &l);
    if (n != x.rank || m != x.rank || l != x.rank)
        return dg_reject(t, "%d, %d and %d numbers are given for rank %d", n, m, l, x.rank);
    for (int i = 0; i < n; i++) {
        if (start[i] < 0 || stop[i] > x.dim[i] || stop[i] <= start[i] || step[i] < 1)
            return dg_reject(t,
                             "the slice %lld:%lld:%lld of axis %d of size %lld is empty or outside",
                             (long long)start[i], (long long)stop[i], (long long)step[i], i,
                             (long long)x.dim[i]);
        y.dim[i] = (stop[i] - start[i] + step[i] - 1) / step[i];
    }
    return dg_give(t, 0, y);
}

static void grad(dg_grad *g)
{
    const int64_t *start = dg_attr_ints(g->attrs, "start", NULL),
                  *step = dg_attr_ints(g->attrs, "step", NULL);
    dg_shape x = dg_shape_of(g->build, g->in[0]), y = dg_shape_of(g->build, g->dout[0]);
    int64_t after[DG_MAX_RANK], inner[DG_MAX_RANK];
    for (int i = 0; i < x.rank; i++) {
        inner[i] = step[i] - 1;
        after[i] = x.dim[i] - (start[i] + (y.dim[i] - 1) * step[i] + 1);
    }
    g->din[0] = dg_pad(g->build, g->dout[0], start, after, inner);
}

static bool view(const dg_attrs *a, const dg_view *in, dg_view *out)
{
    const int64_t *start = dg_attr_ints(a, "start", NULL), *step = dg_attr_ints(a, "step", NULL);
    int64_t shift = 0;
    for (int i = 0; i < in->shape.rank; i++) {
        out->stride[i] = in->stride[i] * step[i];
        shift += in->stride[i] * start[i];
    }
    out->data = (void *)((uintptr_t)in->data + (uintptr_t)shift * dg_dtype_size(in->dtype));
    return true;
}

static int64_t source(const dg_call *k, const int64_t *at)
{
    const int64_t *start = dg_attr_ints(k->attrs, "start", NULL),
                  *step = dg_attr_ints(k->attrs, "step", NULL);
    dg_shape x = k->in[0].shape;
    int64_t i = 0;
    for (int a = 0; a < x.rank; a++) i = i * x.dim[a] + start[a] + at[a] * step[a];
    return i;
}

static void ref(const dg_call *k)
{
    dg_ref_pick(k, source);
}

static void run(const dg_call *k)
{
    dg_copy_of_view(k, view);
}

/* Of tensors one after the other, what lies in one of them. */
static dg_value of_part(dg_build *b, const dg_attrs *a, const dg_node_info *concat)
{
    int axis = (int)dg_attr_int(&concat->attrs, "axis");
    int64_t start[DG_MAX_RANK], stop[DG_MAX_RANK];
    dg_shape x = {0};
    for (int k = 0, rank = dg_shape_of(b, concat->in[0]).rank; k < rank; k++) {
        start[k] = dg_attr_ints(a, "start", NULL)[k];
        stop[k] = dg_attr_ints(a, "stop", NULL)[k];
    }
    for (int i = 0; i < concat->n_in && start[axis] >= 0; i++) {
        x = dg_shape_of(b, concat->in[i]);
        if (start[axis] < x.dim[axis] && stop[axis] <= x.dim[axis])
            return dg_slice(b, concat->in[i], start, stop, dg_attr_ints(a, "step", NULL));
        start[axis] -= x.dim[axis];
        stop[axis] -= x.dim[axis];
    }
    return DG_NONE;
}

/* All of x; a part of it. */
static dg_value simplify(dg_build *b, const dg_attrs *a, const dg_value *in, int n_in,
                         const dg_type *out)
{
    (void)n_in;
    dg_shape x = dg_shape_of(b, in[0]);
    if (dg_shape_equal(&x, &out->shape)) return in[0];
    dg_node def = dg_value_of(b->graph, in[0])->def;
    if (def == DG_NONE || dg_node_of(b->graph, def)->op != &dg_op_concat) return DG_NONE;
    dg_node_info concat = *dg_node_of(b->graph, def);
    return of_part(b, a, &concat);
}

static const dg_kernel kernels[] = {
    {"copy", run, .any_dtype = true, .strided = 1},
    {0},
};

const dg_op dg_op_slice = {
    .name = "slice",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_VIEW,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .view = view,
    .simplify = simplify,
};

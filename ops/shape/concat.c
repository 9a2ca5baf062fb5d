/* ops/shape/concat.c: tensors one after the other along an axis. */
#include "ops/ops.h"

#include <string.h>

static const char doc[] =
    "y = the operands one after the other along `axis`; their other dims are equal";

static const dg_attr_spec attrs[] = {
    {"axis", DG_INT, .required = true, .doc = "where they are joined"},
    {0},
};

static bool infer(dg_infer *t)
{
    if (t->n_in < 1) return dg_reject(t, "there is nothing to join");
    dg_shape y = dg_in_shape(t, 0);
    int64_t axis = dg_attr_int(t->attrs, "axis");
    if (axis < 0 || axis >= y.rank)
        return dg_reject_attr(t, "axis", "there is no axis %lld in rank %d", (long long)axis,
                              y.rank);
    for (int i = 1; i < t->n_in; i++) {
        dg_shape x = dg_in_shape(t, i);
        if (!dg_want_same_dtype(t, 0, i)) return false;
        if (x.rank != y.rank)
            return dg_reject_inputs(t, "E011", 0, i, "operands have rank %d and %d", y.rank,
                                    x.rank);
        for (int a = 0; a < y.rank; a++) {
            if (a != axis && x.dim[a] != y.dim[a])
                return dg_reject_inputs(t, "E011", 0, i,
                                        "operands differ on axis %d: %lld and %lld", a,
                                        (long long)y.dim[a], (long long)x.dim[a]);
        }
        y.dim[axis] += x.dim[axis];
    }
    return dg_give(t, 0, y);
}

static void grad(dg_grad *g)
{
    int64_t axis = dg_attr_int(g->attrs, "axis"), at = 0, start[DG_MAX_RANK] = {0},
            step[DG_MAX_RANK];
    for (int a = 0; a < DG_MAX_RANK; a++) step[a] = 1;
    for (int i = 0; i < g->n_in; i++) {
        dg_shape x = dg_shape_of(g->build, g->in[i]), stop = x;
        start[axis] = at;
        at += x.dim[axis];
        stop.dim[axis] = at;
        if (g->want[i]) g->din[i] = dg_slice(g->build, g->dout[0], start, stop.dim, step);
    }
}

static void ref(const dg_call *k)
{
    dg_shape y = k->out[0].shape;
    int64_t axis = dg_attr_int(k->attrs, "axis"), outer = 1,
            inner = (int64_t)dg_dtype_size(k->out[0].dtype);
    for (int a = 0; a < axis; a++) outer *= y.dim[a];
    for (int a = (int)axis + 1; a < y.rank; a++) inner *= y.dim[a];
    char *to = k->out[0].data;
    for (int64_t o = 0; o < outer; o++) {
        for (int i = 0; i < k->n_in; i++) {
            int64_t bytes = k->in[i].shape.dim[axis] * inner;
            memcpy(to, (const char *)k->in[i].data + o * bytes, (size_t)bytes);
            to += bytes;
        }
    }
}

static void run(const dg_call *k)
{
    int64_t axis = dg_attr_int(k->attrs, "axis");
    dg_view to = k->out[0];
    for (int i = 0; i < k->n_in; i++) {
        to.shape = k->in[i].shape;
        dg_copy(k, &k->in[i], &to);
        to.data = (char *)to.data +
                  to.shape.dim[axis] * to.stride[axis] * (int64_t)dg_dtype_size(to.dtype);
    }
}

/* Parts that are all repeated along the same axes are joined before that. */
static dg_value simplify(dg_build *b, const dg_attrs *a, const dg_value *in, int n_in,
                         const dg_type *out)
{
    enum { MOST = 16 };
    int axis = (int)dg_attr_int(a, "axis");
    dg_value small[MOST];
    dg_shape all = {0};
    if (n_in > MOST) return DG_NONE;
    for (int i = 0; i < n_in; i++) {
        small[i] = dg_operand_of(b, in[i], "expand");
        if (small[i] == DG_NONE) return DG_NONE;
        dg_shape s = dg_shape_of(b, small[i]), x = dg_shape_of(b, in[i]);
        if (s.rank == 0 || s.dim[axis] != x.dim[axis]) return DG_NONE;
        for (int k = 0; k < s.rank; k++)
            if (i > 0 && k != axis && s.dim[k] != all.dim[k]) return DG_NONE;
        all = s;
    }
    return dg_expand(b, dg_concat(b, small, n_in, axis), out->shape);
}

static dg_value stack(dg_build *b, const dg_attrs *a, const dg_value *in, const bool *stacked,
                      int n_in, int64_t n, const dg_type *out)
{
    enum { MOST = 16 };
    (void)out;
    dg_value part[MOST];
    if (n_in > MOST) return DG_NONE;
    for (int i = 0; i < n_in; i++) {
        dg_shape x = dg_shape_of(b, in[i]);
        part[i] = stacked[i] ? in[i]
                             : dg_expand(b, dg_reshape(b, in[i], dg_shape_stacked(x, 1)),
                                         dg_shape_stacked(x, n));
    }
    return dg_concat(b, part, n_in, (int)dg_attr_int(a, "axis") + 1);
}

/* Maps along their channels. */
static bool gathers(const dg_attrs *a, const dg_type *out, int *grow)
{
    *grow = 1;
    return out->shape.rank == 4 && dg_attr_int(a, "axis") == 1;
}

/* Its operands have been stored where they belong. */
static void nothing(const dg_call *k)
{
    (void)k;
}

static const dg_kernel kernels[] = {
    {"copy", run, .any_dtype = true, .strided = UINT32_MAX, .writes = 1},
    {"into", nothing, .any_dtype = true, .strided = UINT32_MAX, .into = true},
    {0},
};

const dg_op dg_op_concat = {
    .name = "concat",
    .inputs = "xs...",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .simplify = simplify,
    .stack = stack,
    .gathers = gathers,
};

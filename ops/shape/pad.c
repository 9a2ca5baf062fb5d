/* ops/shape/pad.c: zeros around a tensor and between its elements; the adjoint of slice. */
#include "ops/ops.h"

#include <string.h>

static const char doc[] =
    "y[before + i * (inner + 1), ...] = x[i, ...] on every axis, zero elsewhere\n"
    "dim of y = before + (dim of x - 1) * (inner + 1) + 1 + after";

static const dg_attr_spec attrs[] = {
    {"before", DG_INTS, .required = true, .doc = "zeros in front, one number per axis"},
    {"after", DG_INTS, .required = true, .doc = "zeros behind"},
    {"inner", DG_INTS, .required = true, .doc = "zeros between neighbours"},
    {0},
};

static bool infer(dg_infer *t)
{
    dg_shape x = dg_in_shape(t, 0), y = {.rank = x.rank};
    int n, m, l;
    const int64_t *before = dg_attr_ints(t->attrs, "before", &n),
                  *after = dg_attr_ints(t->attrs, "after", &m);
    const int64_t *inner = dg_attr_ints(t->attrs, "inner", &l);
    if (n != x.rank || m != x.rank || l != x.rank)
        return dg_reject(t, "%d, %d and %d numbers are given for rank %d", n, m, l, x.rank);
    for (int i = 0; i < n; i++) {
        if (before[i] < 0 || after[i] < 0 || inner[i] < 0)
            return dg_reject(t, "negative padding on axis %d", i);
        y.dim[i] = before[i] + (x.dim[i] - 1) * (inner[i] + 1) + 1 + after[i];
    }
    return dg_give(t, 0, y);
}

static void grad(dg_grad *g)
{
    const int64_t *before = dg_attr_ints(g->attrs, "before", NULL),
                  *inner = dg_attr_ints(g->attrs, "inner", NULL);
    dg_shape x = dg_shape_of(g->build, g->in[0]);
    int64_t stop[DG_MAX_RANK], step[DG_MAX_RANK];
    for (int i = 0; i < x.rank; i++) {
        step[i] = inner[i] + 1;
        stop[i] = before[i] + (x.dim[i] - 1) * step[i] + 1;
    }
    g->din[0] = dg_slice(g->build, g->dout[0], before, stop, step);
}

static int64_t source(const dg_call *k, const int64_t *at)
{
    const int64_t *before = dg_attr_ints(k->attrs, "before", NULL),
                  *inner = dg_attr_ints(k->attrs, "inner", NULL);
    dg_shape x = k->in[0].shape;
    int64_t i = 0;
    for (int a = 0; a < x.rank; a++) {
        int64_t p = at[a] - before[a];
        if (p < 0 || p % (inner[a] + 1) != 0 || p / (inner[a] + 1) >= x.dim[a]) return -1;
        i = i * x.dim[a] + p / (inner[a] + 1);
    }
    return i;
}

static void ref(const dg_call *k)
{
    dg_ref_pick(k, source);
}

static void clear_piece(const dg_call *k, int64_t piece)
{
    const int64_t *bytes = k->arg;
    int64_t size = bytes[1], left = bytes[0] - piece * size;
    memset((char *)k->out[0].data + piece * size, 0, (size_t)(left < size ? left : size));
}

static void run(const dg_call *k)
{
    const int64_t *before = dg_attr_ints(k->attrs, "before", NULL),
                  *inner = dg_attr_ints(k->attrs, "inner", NULL);
    dg_view to = k->out[0];
    int64_t size = (int64_t)dg_dtype_size(to.dtype), shift = 0,
            bytes[2] = {dg_shape_count(&to.shape) * size, 1 << 18};
    dg_parallel_with(k, (bytes[0] + bytes[1] - 1) / bytes[1], clear_piece, bytes);
    for (int i = 0; i < to.shape.rank; i++) {
        shift += before[i] * to.stride[i];
        to.stride[i] *= inner[i] + 1;
    }
    to.data = (char *)to.data + shift * size;
    to.shape = k->in[0].shape;
    dg_copy(k, &k->in[0], &to);
}

static const dg_kernel kernels[] = {
    {"copy", run, .any_dtype = true, .strided = 1},
    {0},
};

const dg_op dg_op_pad = {
    .name = "pad",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
};

/* ops/shape/update.c: one row replaced; how per-step results of a loop are collected. */
#include "ops/ops.h"

#include <string.h>

enum { X, I, V };

static const char doc[] = "y = x, but y[i] = v      i: i32 of rank 0 on axis 0; v has x's shape "
                          "without axis 0. Made in x's bytes where x dies here\n"
                          "an index outside stops the run";

static bool infer(dg_infer *t)
{
    dg_shape x = dg_in_shape(t, X), v = {.rank = x.rank - 1};
    if (!dg_want_rank_from(t, X, 1, DG_MAX_RANK) || !dg_want_dtype(t, I, DG_I32) ||
        !dg_want_rank(t, I, 0) || !dg_want_same_dtype(t, X, V))
        return false;
    for (int a = 1; a < x.rank; a++) v.dim[a - 1] = x.dim[a];
    return dg_want_shape(t, V, v) && dg_give(t, 0, x);
}

static void grad(dg_grad *g)
{
    dg_attr axis = dg_attr_of_int("axis", 0);
    if (g->want[X]) {
        dg_value zero = dg_full_like(g->build, g->in[V], 0);
        g->din[X] =
            dg_emit(g->build, "update", NULL, 0, (dg_value[]){g->dout[0], g->in[I], zero}, 3);
    }
    if (g->want[V])
        g->din[V] = dg_emit(g->build, "gather", &axis, 1, (dg_value[]){g->dout[0], g->in[I]}, 2);
}

static void run(const dg_call *k)
{
    dg_view row = k->out[0];
    if (row.data != k->in[X].data) dg_copy(k, &k->in[X], &k->out[0]);
    if (!dg_check_indices(k, &k->in[I], row.shape.dim[0])) return;
    int32_t i = *(const int32_t *)k->in[I].data;
    row.data = (char *)row.data + i * row.stride[0] * (int64_t)dg_dtype_size(row.dtype);
    row.shape.rank--;
    memmove(row.shape.dim, row.shape.dim + 1, sizeof(int64_t) * (size_t)row.shape.rank);
    memmove(row.stride, row.stride + 1, sizeof(int64_t) * (size_t)row.shape.rank);
    dg_copy(k, &k->in[V], &row);
}

static void ref(const dg_call *k)
{
    dg_shape v = k->in[V].shape;
    size_t bytes = (size_t)dg_shape_count(&v) * dg_dtype_size(k->out[0].dtype);
    if (k->out[0].data != k->in[X].data)
        memcpy(k->out[0].data, k->in[X].data, bytes * (size_t)k->out[0].shape.dim[0]);
    if (!dg_check_indices(k, &k->in[I], k->out[0].shape.dim[0])) return;
    memcpy((char *)k->out[0].data + (size_t) * (const int32_t *)k->in[I].data * bytes,
           k->in[V].data, bytes);
}

static const dg_kernel kernels[] = {
    {"copy", run, .any_dtype = true, .strided = 1 << V},
    {0},
};

const dg_op dg_op_update = {
    .name = "update",
    .inputs = "x i v",
    .outputs = "y",
    .doc = doc,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .in_place = 1,
};

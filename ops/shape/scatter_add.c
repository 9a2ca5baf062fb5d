/* ops/shape/scatter_add.c: values added to the rows that an index names; the adjoint of gather. */
#include "ops/ops.h"

#include <string.h>

enum { X, I, V };

static const char doc[] =
    "y = x, then y[p, i[j], q] += v[p, j, q] for every j in order      p: the axes of x before "
    "`axis`, q: those after it\n"
    "v has x's dims before axis, i's dims, x's dims after axis. An index outside stops the run";

static const dg_attr_spec attrs[] = {
    {"axis", DG_INT, .fallback = 0, .doc = "which axis of x is added to"},
    {0},
};

static bool infer(dg_infer *t)
{
    dg_shape x = dg_in_shape(t, X), i = dg_in_shape(t, I), v = {0};
    int64_t axis = dg_attr_int(t->attrs, "axis");
    if (!dg_want_dtype(t, I, DG_I32) || !dg_want_same_dtype(t, X, V)) return false;
    if (!dg_dtype_is_float(dg_in_dtype(t, X)) && !dg_want_dtype(t, X, DG_I32)) return false;
    if (axis < 0 || axis >= x.rank)
        return dg_reject_attr(t, "axis", "there is no axis %lld in rank %d", (long long)axis,
                              x.rank);
    if (x.rank - 1 + i.rank > DG_MAX_RANK)
        return dg_reject(t, "the values would have rank %d, more than %d", x.rank - 1 + i.rank,
                         DG_MAX_RANK);
    for (int a = 0; a < axis; a++) v.dim[v.rank++] = x.dim[a];
    for (int a = 0; a < i.rank; a++) v.dim[v.rank++] = i.dim[a];
    for (int a = (int)axis + 1; a < x.rank; a++) v.dim[v.rank++] = x.dim[a];
    return dg_want_shape(t, V, v) && dg_give(t, 0, x);
}

static void grad(dg_grad *g)
{
    dg_attr axis = dg_attr_of_int("axis", dg_attr_int(g->attrs, "axis"));
    g->din[X] = g->dout[0];
    if (g->want[V])
        g->din[V] = dg_emit(g->build, "gather", &axis, 1, (dg_value[]){g->dout[0], g->in[I]}, 2);
}

typedef struct job {
    int64_t outer, n, size, inner; /* inner: elements of a row */
    int64_t width, blocks;         /* columns of a piece; pieces of one outer index */
} job;

static job job_of(const dg_call *k)
{
    dg_shape x = k->in[X].shape;
    int64_t axis = dg_attr_int(k->attrs, "axis");
    job j = {.outer = 1, .n = dg_shape_count(&k->in[I].shape), .size = x.dim[axis], .inner = 1};
    for (int a = 0; a < axis; a++) j.outer *= x.dim[a];
    for (int a = (int)axis + 1; a < x.rank; a++) j.inner *= x.dim[a];
    j.width = j.inner <= 256 ? j.inner : 256;
    j.blocks = (j.inner + j.width - 1) / j.width;
    return j;
}

static void ref(const dg_call *k)
{
    job j = job_of(k);
    const int32_t *i = k->in[I].data;
    memcpy(k->out[0].data, k->in[X].data,
           (size_t)dg_shape_count(&k->out[0].shape) * dg_dtype_size(k->out[0].dtype));
    if (!dg_check_indices(k, &k->in[I], j.size)) return;
    for (int64_t o = 0; o < j.outer; o++) {
        for (int64_t r = 0; r < j.n; r++) {
            int64_t to = (o * j.size + i[r]) * j.inner, from = (o * j.n + r) * j.inner;
            for (int64_t c = 0; c < j.inner; c++) {
                if (k->out[0].dtype == DG_F64)
                    ((double *)k->out[0].data)[to + c] += ((const double *)k->in[V].data)[from + c];
                else
                    ((uint32_t *)k->out[0].data)[to + c] +=
                        ((const uint32_t *)k->in[V].data)[from + c]; /* wraps */
            }
        }
    }
}

/* A piece owns its columns: the sum of one element is made in the order of the indices, whatever
 * the threads. */
static void piece(const dg_call *k, int64_t p)
{
    const job *j = k->arg;
    const int32_t *i = k->in[I].data;
    int64_t o = p / j->blocks, c0 = p % j->blocks * j->width, left = j->inner - c0,
            w = left < j->width ? left : j->width;
    const float *v = (const float *)k->in[V].data + o * j->n * j->inner + c0;
    float *y = (float *)k->out[0].data + o * j->size * j->inner + c0;
    for (int64_t r = 0; r < j->n; r++, v += j->inner) {
        float *to = y + i[r] * j->inner;
        for (int64_t c = 0; c < w; c++) to[c] += v[c];
    }
}

static void run(const dg_call *k)
{
    job j = job_of(k);
    if (k->out[0].data != k->in[X].data) dg_copy(k, &k->in[X], &k->out[0]);
    if (dg_check_indices(k, &k->in[I], j.size)) dg_parallel_with(k, j.outer * j.blocks, piece, &j);
}

static const dg_kernel kernels[] = {
    {"columns_f32", run, .dtype = DG_F32},
    {"plain_i32", ref, .dtype = DG_I32},
    {0},
};

const dg_op dg_op_scatter_add = {
    .name = "scatter_add",
    .inputs = "x i v",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .in_place = 1,
};

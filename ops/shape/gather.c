/* ops/shape/gather.c: rows picked by index. */
#include "ops/ops.h"

#include <string.h>

enum { X, I };

static const char doc[] =
    "y[p, j, q] = x[p, i[j], q]      p: the axes of x before `axis`, q: those after it\n"
    "dims: x's before axis, i's, x's after axis; i is i32 of any rank. An index outside stops the "
    "run";

static const dg_attr_spec attrs[] = {
    {"axis", DG_INT, .required = true, .doc = "which axis of x is picked from"},
    {0},
};

static bool infer(dg_infer *t)
{
    dg_shape x = dg_in_shape(t, X), i = dg_in_shape(t, I), y = {0};
    int64_t axis = dg_attr_int(t->attrs, "axis");
    if (!dg_want_dtype(t, I, DG_I32)) return false;
    if (axis < 0 || axis >= x.rank)
        return dg_reject_attr(t, "axis", "there is no axis %lld in rank %d", (long long)axis,
                              x.rank);
    if (x.rank - 1 + i.rank > DG_MAX_RANK)
        return dg_reject(t, "the result would have rank %d, more than %d", x.rank - 1 + i.rank,
                         DG_MAX_RANK);
    for (int a = 0; a < axis; a++) y.dim[y.rank++] = x.dim[a];
    for (int a = 0; a < i.rank; a++) y.dim[y.rank++] = i.dim[a];
    for (int a = (int)axis + 1; a < x.rank; a++) y.dim[y.rank++] = x.dim[a];
    return dg_give(t, 0, y);
}

static void grad(dg_grad *g)
{
    if (!g->want[X]) return;
    dg_attr axis = dg_attr_of_int("axis", dg_attr_int(g->attrs, "axis"));
    dg_value zero = dg_full_like(g->build, g->in[X], 0);
    g->din[X] =
        dg_emit(g->build, "scatter_add", &axis, 1, (dg_value[]){zero, g->in[I], g->dout[0]}, 3);
}

static void ref(const dg_call *k)
{
    dg_shape x = k->in[X].shape;
    int64_t axis = dg_attr_int(k->attrs, "axis"), outer = 1, n = dg_shape_count(&k->in[I].shape);
    int64_t inner = (int64_t)dg_dtype_size(k->in[X].dtype);
    for (int a = 0; a < axis; a++) outer *= x.dim[a];
    for (int a = (int)axis + 1; a < x.rank; a++) inner *= x.dim[a];
    const int32_t *i = k->in[I].data;
    if (!dg_check_indices(k, &k->in[I], x.dim[axis])) return;
    for (int64_t o = 0; o < outer; o++) {
        for (int64_t j = 0; j < n; j++)
            memcpy((char *)k->out[0].data + (o * n + j) * inner,
                   (const char *)k->in[X].data + (o * x.dim[axis] + i[j]) * inner, (size_t)inner);
    }
}

typedef struct job {
    int64_t n, size, inner; /* indices; dim of the axis; bytes of a row */
    int64_t rows, count;    /* rows of a piece; of all */
} job;

static void piece(const dg_call *k, int64_t p)
{
    const job *j = k->arg;
    const int32_t *index = k->in[I].data;
    int64_t end = (p + 1) * j->rows < j->count ? (p + 1) * j->rows : j->count;
    const char *x = k->in[X].data;
    char *y = k->out[0].data;
    for (int64_t r = p * j->rows; r < end; r++) {
        const char *from = x + (r / j->n * j->size + index[r % j->n]) * j->inner;
        if (j->inner == 4)
            memcpy(y + r * 4, from, 4);
        else
            memcpy(y + r * j->inner, from, (size_t)j->inner);
    }
}

static void run(const dg_call *k)
{
    dg_shape x = k->in[X].shape;
    int64_t axis = dg_attr_int(k->attrs, "axis"), outer = 1;
    job j = {.n = dg_shape_count(&k->in[I].shape),
             .size = x.dim[axis],
             .inner = (int64_t)dg_dtype_size(k->in[X].dtype)};
    for (int a = 0; a < axis; a++) outer *= x.dim[a];
    for (int a = (int)axis + 1; a < x.rank; a++) j.inner *= x.dim[a];
    if (!dg_check_indices(k, &k->in[I], j.size)) return;
    j.count = outer * j.n;
    j.rows = j.inner >= 1 << 16 ? 1 : (1 << 18) / j.inner;
    dg_parallel_with(k, (j.count + j.rows - 1) / j.rows, piece, &j);
}

static dg_value stack(dg_build *b, const dg_attrs *a, const dg_value *in, const bool *stacked,
                      int n_in, int64_t n, const dg_type *out)
{
    (void)n_in;
    (void)n;
    (void)out;
    if (stacked[X] || dg_attr_int(a, "axis") != 0) return DG_NONE;
    dg_attr axis = dg_attr_of_int("axis", 0);
    return dg_emit(b, "gather", &axis, 1, in, 2);
}

static const dg_kernel kernels[] = {
    {"rows", run, .any_dtype = true},
    {0},
};

const dg_op dg_op_gather = {
    .name = "gather",
    .inputs = "x i",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .stack = stack,
};

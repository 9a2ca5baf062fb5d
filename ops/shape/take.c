/* ops/shape/take.c: elements picked along one axis, with an index for every place. */
#include "ops/ops.h"

#include <string.h>

enum { X, I };

static const char doc[] =
    "y[..., j, ...] = x[..., i[..., j, ...], ...]      j stands on `axis`; i is i32 of x's rank\n"
    "on the other axes x and i have equal dims or 1. An index outside stops the run";

static const dg_attr_spec attrs[] = {
    {"axis", DG_INT, .required = true, .doc = "which axis of x is picked from"},
    {0},
};

static bool infer(dg_infer *t)
{
    dg_shape x = dg_in_shape(t, X), i = dg_in_shape(t, I), y = i;
    int64_t axis = dg_attr_int(t->attrs, "axis");
    if (!dg_want_dtype(t, I, DG_I32) || !dg_want_rank(t, I, x.rank)) return false;
    if (axis < 0 || axis >= x.rank)
        return dg_reject_attr(t, "axis", "there is no axis %lld in rank %d", (long long)axis,
                              x.rank);
    for (int a = 0; a < x.rank; a++) {
        if (a == axis || i.dim[a] == x.dim[a] || x.dim[a] == 1) continue;
        if (i.dim[a] != 1)
            return dg_reject_inputs(t, "E020", X, I, "operands differ on axis %d: %lld and %lld", a,
                                    (long long)x.dim[a], (long long)i.dim[a]);
        y.dim[a] = x.dim[a];
    }
    return dg_give(t, 0, y);
}

static void grad(dg_grad *g)
{
    if (!g->want[X]) return;
    dg_attr axis = dg_attr_of_int("axis", dg_attr_int(g->attrs, "axis"));
    dg_value zero = dg_full_like(g->build, g->in[X], 0);
    g->din[X] =
        dg_emit(g->build, "take_add", &axis, 1, (dg_value[]){zero, g->in[I], g->dout[0]}, 3);
}

/* Where y's element `at` is read: in x, and in i. */
static int64_t place(dg_shape s, const int64_t *at, int axis, int64_t index)
{
    int64_t n = 0;
    for (int a = 0; a < s.rank; a++)
        n = n * s.dim[a] + (a == axis ? index : s.dim[a] == 1 ? 0 : at[a]);
    return n;
}

static int64_t source(const dg_call *k, const int64_t *at)
{
    int axis = (int)dg_attr_int(k->attrs, "axis");
    int64_t i = place(k->in[I].shape, at, axis, at[axis]);
    return place(k->in[X].shape, at, axis, ((const int32_t *)k->in[I].data)[i]);
}

static void ref(const dg_call *k)
{
    if (dg_check_indices(k, &k->in[I], k->in[X].shape.dim[dg_attr_int(k->attrs, "axis")]))
        dg_ref_pick(k, source);
}

/* One row of the last axis after another. */
typedef struct job {
    int axis;
    int64_t xs[DG_MAX_RANK], is[DG_MAX_RANK]; /* strides with 0 where broadcast; xs[axis] = 0 */
    int64_t along;                            /* x's stride on the axis */
    int64_t rows, count;
} job;

static void piece(const dg_call *k, int64_t p)
{
    const job *j = k->arg;
    dg_shape s = k->out[0].shape;
    int last = s.rank - 1;
    size_t size = dg_dtype_size(k->out[0].dtype);
    int64_t end = (p + 1) * j->rows < j->count ? (p + 1) * j->rows : j->count, n = s.dim[last];
    for (int64_t r = p * j->rows; r < end; r++) {
        int64_t x = 0, i = 0, rest = r;
        for (int a = last - 1; a >= 0; a--) {
            int64_t at = rest % s.dim[a];
            rest /= s.dim[a];
            x += at * j->xs[a];
            i += at * j->is[a];
        }
        const int32_t *index = (const int32_t *)k->in[I].data + i;
        const char *from = (const char *)k->in[X].data + (size_t)x * size;
        char *to = (char *)k->out[0].data + (size_t)(r * n) * size;
        if (j->is[last] == 0 && j->xs[last] == 1) { /* a whole row from one place */
            memcpy(to, from + (size_t)(index[0] * j->along) * size, (size_t)n * size);
        } else if (size == 4) {
            const uint32_t *f = (const uint32_t *)(const void *)from;
            uint32_t *t = (uint32_t *)(void *)to;
            for (int64_t c = 0; c < n; c++)
                t[c] = f[c * j->xs[last] + index[c * j->is[last]] * j->along];
        } else {
            for (int64_t c = 0; c < n; c++)
                memcpy(to + (size_t)c * size,
                       from + (size_t)(c * j->xs[last] + index[c * j->is[last]] * j->along) * size,
                       size);
        }
    }
}

static void run(const dg_call *k)
{
    dg_shape x = k->in[X].shape, i = k->in[I].shape, y = k->out[0].shape;
    job j = {.axis = (int)dg_attr_int(k->attrs, "axis")};
    if (!dg_check_indices(k, &k->in[I], x.dim[j.axis])) return;
    int64_t sx = 1, si = 1;
    for (int a = x.rank - 1; a >= 0; a--) {
        j.xs[a] = a == j.axis || x.dim[a] == 1 ? 0 : sx;
        if (a == j.axis) j.along = sx;
        j.is[a] = i.dim[a] == 1 ? 0 : si;
        sx *= x.dim[a];
        si *= i.dim[a];
    }
    int64_t row = y.dim[y.rank - 1];
    j.count = dg_shape_count(&y) / row;
    j.rows = row >= 1 << 15 ? 1 : (1 << 15) / row;
    dg_parallel_with(k, (j.count + j.rows - 1) / j.rows, piece, &j);
}

static const dg_kernel kernels[] = {
    {"rows", run, .any_dtype = true},
    {0},
};

const dg_op dg_op_take = {
    .name = "take",
    .inputs = "x i",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
};

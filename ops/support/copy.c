/* copy.c: elements from one view to another, for the ops that move data: copies of views, concat,
 * pad, gathers.
 *
 * In     two views of one shape and element size.
 * Out    `to` holds what `from` shows.
 * Method axes of size 1 go, neighbours that step alike are merged; then the innermost axes decide:
 * runs of bytes, repeated elements, blocked transposes, or single elements. */
#include "ops/support/copy.h"

#include <string.h>

dg_shape dg_attr_shape(const dg_attrs *a, const char *name)
{
    int n;
    const int64_t *dims = dg_attr_ints(a, name, &n);
    dg_shape s = {.rank = n};
    for (int i = 0; i < n && i < DG_MAX_RANK; i++) s.dim[i] = dims[i];
    return s;
}

/* A copy with its axes simplified; strides in elements. */
typedef struct job {
    const char *from;
    char *to;
    size_t size; /* of an element */
    int rank;
    int64_t dim[DG_MAX_RANK], in[DG_MAX_RANK], out[DG_MAX_RANK];
    int64_t rows; /* of axis 0 in one piece */
} job;

static job simplify(const dg_view *from, const dg_view *to)
{
    job j = {.from = from->data, .to = to->data, .size = dg_dtype_size(to->dtype)};
    for (int i = 0; i < to->shape.rank; i++) {
        int64_t n = to->shape.dim[i];
        if (n == 1) continue;
        int last = j.rank - 1;
        if (j.rank > 0 && j.in[last] == n * from->stride[i] && j.out[last] == n * to->stride[i]) {
            j.dim[last] *= n;
            j.in[last] = from->stride[i];
            j.out[last] = to->stride[i];
            continue;
        }
        j.dim[j.rank] = n;
        j.in[j.rank] = from->stride[i];
        j.out[j.rank++] = to->stride[i];
    }
    if (j.rank == 0) {
        j.rank = 1;
        j.dim[0] = j.in[0] = j.out[0] = 1;
    }
    return j;
}

#define ELEMENTS(type)                                                                             \
    do {                                                                                           \
        const type *x = from;                                                                      \
        type *y = to;                                                                              \
        if (in == 0) {                                                                             \
            type v = x[0];                                                                         \
            if (out == 1)                                                                          \
                for (int64_t i = 0; i < n; i++) y[i] = v;                                          \
            else                                                                                   \
                for (int64_t i = 0; i < n; i++) y[i * out] = v;                                    \
        } else if (out == 1 && in == 2) {                                                          \
            for (int64_t i = 0; i < n; i++) y[i] = x[2 * i];                                       \
        } else if (out == 1) {                                                                     \
            for (int64_t i = 0; i < n; i++) y[i] = x[i * in];                                      \
        } else {                                                                                   \
            for (int64_t i = 0; i < n; i++) y[i * out] = x[i * in];                                \
        }                                                                                          \
    } while (0)

static void copy_run(void *restrict to, const void *restrict from, size_t size, int64_t n,
                     int64_t out, int64_t in)
{
    if (in == 1 && out == 1)
        memcpy(to, from, (size_t)n * size);
    else if (size == 1)
        ELEMENTS(uint8_t);
    else if (size == 4)
        ELEMENTS(uint32_t);
    else
        ELEMENTS(uint64_t);
}

/* y[r][c] = x[c][r] by blocks that fit the first cache: r steps 1 in x, c steps 1 in y. */
#define BLOCK 16
#define TRANSPOSE(type)                                                                            \
    do {                                                                                           \
        const type *x = from;                                                                      \
        type *y = to;                                                                              \
        for (int64_t r0 = 0; r0 < rows; r0 += BLOCK) {                                             \
            int64_t r1 = r0 + BLOCK < rows ? r0 + BLOCK : rows;                                    \
            for (int64_t c0 = 0; c0 < cols; c0 += BLOCK) {                                         \
                int64_t c1 = c0 + BLOCK < cols ? c0 + BLOCK : cols;                                \
                for (int64_t r = r0; r < r1; r++)                                                  \
                    for (int64_t c = c0; c < c1; c++) y[r * out + c] = x[c * in + r];              \
            }                                                                                      \
        }                                                                                          \
    } while (0)

static void transpose(void *restrict to, const void *restrict from, size_t size, int64_t rows,
                      int64_t cols, int64_t out, int64_t in)
{
    if (size == 1)
        TRANSPOSE(uint8_t);
    else if (size == 4)
        TRANSPOSE(uint32_t);
    else
        TRANSPOSE(uint64_t);
}

static void copy_axes(const job *j, int axis, const char *from, char *to)
{
    int last = j->rank - 1;
    if (axis == last) {
        copy_run(to, from, j->size, j->dim[axis], j->out[axis], j->in[axis]);
        return;
    }
    if (axis == last - 1 && j->out[last] == 1 && j->in[axis] == 1 && j->in[last] != 0) {
        transpose(to, from, j->size, j->dim[axis], j->dim[last], j->out[axis], j->in[last]);
        return;
    }
    int64_t in = j->in[axis] * (int64_t)j->size, out = j->out[axis] * (int64_t)j->size;
    for (int64_t i = 0; i < j->dim[axis]; i++) copy_axes(j, axis + 1, from + i * in, to + i * out);
}

/* Where the last axis of `to` walks a long way in `from`, the axis that steps 1 in `from` is
 * brought next to it, to be transposed. */
static void pair_up(job *j)
{
    int last = j->rank - 1;
    if (j->rank < 3 || j->out[last] != 1 || j->in[last] <= 1) return;
    for (int i = 0; i < last - 1; i++) {
        if (j->in[i] != 1) continue;
        int64_t dim = j->dim[i], in = j->in[i], out = j->out[i];
        for (int k = i; k < last - 1; k++) {
            j->dim[k] = j->dim[k + 1];
            j->in[k] = j->in[k + 1];
            j->out[k] = j->out[k + 1];
        }
        j->dim[last - 1] = dim;
        j->in[last - 1] = in;
        j->out[last - 1] = out;
        return;
    }
}

void dg_copy_serial(const dg_view *from, const dg_view *to)
{
    if (dg_shape_count(&to->shape) == 0) return;
    job j = simplify(from, to);
    pair_up(&j);
    copy_axes(&j, 0, j.from, j.to);
}

static void copy_piece(const dg_call *k, int64_t piece)
{
    job j = *(const job *)k->arg;
    int64_t first = piece * j.rows, left = j.dim[0] - first;
    int64_t in = j.in[0] * (int64_t)j.size, out = j.out[0] * (int64_t)j.size;
    j.dim[0] = left < j.rows ? left : j.rows;
    copy_axes(&j, 0, j.from + first * in, j.to + first * out);
}

void dg_copy(const dg_call *k, const dg_view *from, const dg_view *to)
{
    enum { PIECE = 1 << 14 }; /* elements: some microseconds */
    int64_t count = dg_shape_count(&to->shape);
    if (count == 0) return;
    job j = simplify(from, to);
    /* A run too long for its few rows is cut, so that there is work for every thread. */
    int last = j.rank - 1;
    if (j.rank == 1 && j.dim[0] >= 4 * PIECE && j.dim[0] % PIECE == 0) {
        j.dim[1] = PIECE;
        j.in[1] = j.in[0];
        j.out[1] = j.out[0];
        j.dim[0] /= PIECE;
        j.in[0] *= PIECE;
        j.out[0] *= PIECE;
        j.rank = 2;
    } else if (last > 0) {
        pair_up(&j);
    }
    int64_t row = count / j.dim[0];
    j.rows = row >= PIECE ? 1 : PIECE / row;
    dg_parallel_with(k, (j.dim[0] + j.rows - 1) / j.rows, copy_piece, &j);
}

void dg_copy_of_view(const dg_call *k,
                     bool (*view)(const dg_attrs *attrs, const dg_view *in, dg_view *out))
{
    dg_view v = {.dtype = k->out[0].dtype, .shape = k->out[0].shape};
    if (view(k->attrs, &k->in[0], &v)) dg_copy(k, &v, &k->out[0]);
}

void dg_ref_pick(const dg_call *k, int64_t (*from)(const dg_call *k, const int64_t *at))
{
    dg_shape s = k->out[0].shape;
    size_t size = dg_dtype_size(k->out[0].dtype);
    int64_t count = dg_shape_count(&s), at[DG_MAX_RANK] = {0};
    const char *x = k->in[0].data;
    char *y = k->out[0].data;
    for (int64_t n = 0; n < count; n++, y += size) {
        int64_t i = from(k, at);
        if (i < 0)
            memset(y, 0, size);
        else
            memcpy(y, x + (size_t)i * size, size);
        for (int a = s.rank - 1; a >= 0 && ++at[a] == s.dim[a]; a--) at[a] = 0;
    }
}

bool dg_check_indices(const dg_call *k, const dg_view *i, int64_t size)
{
    const int32_t *at = i->data;
    int64_t n = dg_shape_count(&i->shape);
    for (int64_t p = 0; p < n; p++) {
        if (at[p] >= 0 && at[p] < size) continue;
        dg_fail(k, "index %d at position %lld is outside 0..%lld", at[p], (long long)p,
                (long long)size);
        return false;
    }
    return true;
}

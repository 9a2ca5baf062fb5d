/* elementwise.c: shape rules and broadcasting of the files in math/. */
#include "ops/support/elementwise.h"

int64_t dg_broadcast_at(const dg_view *in, const dg_shape *out, int64_t i)
{
    if (in->shape.rank == 0) return 0;
    int64_t at = 0, step = 1;
    bool same = true;
    for (int a = 0; a < out->rank && same; a++) same = in->shape.dim[a] == out->dim[a];
    if (same) return i;
    for (int a = out->rank - 1; a >= 0; a--) {
        int64_t index = i % out->dim[a];
        i /= out->dim[a];
        if (in->shape.dim[a] != 1) at += index * step;
        step *= in->shape.dim[a];
    }
    return at;
}

bool dg_infer_floats(dg_infer *t)
{
    return dg_want_float(t, 0) && dg_infer_elementwise(t, DG_POISON);
}

bool dg_infer_numbers(dg_infer *t)
{
    dg_dtype have = dg_in_dtype(t, 0);
    if (dg_dtype_is_float(have) || have == DG_I32) return dg_infer_elementwise(t, DG_POISON);
    dg_reject_input(t, 0, "there is no arithmetic on %s", dg_dtype_name(have));
    return dg_help(t, "convert with f32(...) or i32(...)");
}

bool dg_infer_ints(dg_infer *t)
{
    return dg_want_dtype(t, 0, DG_I32) && dg_infer_elementwise(t, DG_POISON);
}

bool dg_infer_compare(dg_infer *t)
{
    return dg_infer_elementwise(t, DG_BOOL);
}

bool dg_infer_logic(dg_infer *t)
{
    return dg_want_dtype(t, 0, DG_BOOL) && dg_infer_elementwise(t, DG_BOOL);
}

typedef struct division {
    int32_t (*divide)(int32_t x, int32_t y);
} division;

enum { PIECE = 32768 };

static int64_t offset_at(const dg_view *v, const dg_shape *out, int64_t i)
{
    int64_t at = 0;
    for (int a = v->shape.rank - 1; a >= 0; a--) {
        if (v->shape.dim[a] != 1) at += i % out->dim[a] * v->stride[a];
        i /= out->dim[a];
    }
    return at;
}

static void divide_piece(const dg_call *k, int64_t piece)
{
    const division *d = k->arg;
    const int32_t *x = k->in[0].data, *y = k->in[1].data;
    int32_t *result = k->out[0].data;
    const dg_shape *s = &k->out[0].shape;
    int64_t n = dg_shape_count(s), end = (piece + 1) * PIECE < n ? (piece + 1) * PIECE : n;
    bool failed = false;
    for (int64_t i = piece * PIECE; i < end; i++) {
        int32_t by = y[offset_at(&k->in[1], s, i)];
        if (by == 0 && !failed) dg_fail(k, "the divisor at position %lld is 0", (long long)i);
        failed |= by == 0;
        result[i] = by == 0 ? 0 : d->divide(x[offset_at(&k->in[0], s, i)], by);
    }
}

void dg_divide_ints(const dg_call *k, int32_t (*divide)(int32_t x, int32_t y))
{
    division d = {divide};
    int64_t n = dg_shape_count(&k->out[0].shape);
    dg_parallel_with(k, (n + PIECE - 1) / PIECE, divide_piece, &d);
}

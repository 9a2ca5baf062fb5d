/* ops/reduce/argmax.c: position of the largest element along an axis. */
#include "ops/support/reduce.h"

#include <math.h>

static const char doc[] = "y = i32 position of the largest x along the axis, the first of equals; "
                          "the first NaN if there is one; the axis goes";

static const dg_attr_spec attrs[] = {
    {"axis", DG_INT, .required = true, .doc = "along which"},
    {0},
};

static bool infer(dg_infer *t)
{
    if (!dg_infer_axis(t)) return false;
    dg_dtype have = dg_in_dtype(t, 0);
    if (!dg_dtype_is_float(have) && have != DG_I32)
        return dg_reject_input(t, 0, "there is no order of %s values", dg_dtype_name(have));
    dg_shape s = dg_in_shape(t, 0), y = {0};
    for (int a = 0; a < s.rank; a++) {
        if (a != dg_attr_int(t->attrs, "axis")) y.dim[y.rank++] = s.dim[a];
    }
    return dg_give_typed(t, 0, DG_I32, y);
}

static void ref(const dg_call *k)
{
    dg_lines l = dg_lines_of(k->attrs, &k->in[0].shape);
    int32_t *y = k->out[0].data;
    for (int64_t o = 0; o < l.outer * l.inner; o++) {
        int64_t first = o / l.inner * l.n * l.inner + o % l.inner;
        double best = 0;
        for (int64_t i = 0; i < l.n; i++) {
            int64_t at = first + i * l.inner;
            double x = k->in[0].dtype == DG_I32 ? ((const int32_t *)k->in[0].data)[at]
                                                : ((const double *)k->in[0].data)[at];
            if (i > 0 && (isnan(best) || (!isnan(x) && x <= best))) continue;
            best = x;
            y[o] = (int32_t)i;
        }
    }
}

enum { PIECE = 32768 };

/* One piece takes `group` lines; rows are read in order, so neighbouring lines share what they
 * read. */
static void piece_f32(const dg_call *k, int64_t piece)
{
    dg_lines l = dg_lines_of(k->attrs, &k->in[0].shape);
    int32_t *y = k->out[0].data;
    int64_t group = l.n < PIECE ? PIECE / l.n : 1, total = l.outer * l.inner;
    for (int64_t o = piece * group; o < (piece + 1) * group && o < total; o++) {
        const float *x = (const float *)k->in[0].data + o / l.inner * l.n * l.inner + o % l.inner;
        float best = x[0];
        int32_t at = 0;
        for (int64_t i = 1; i < l.n && best == best; i++) {
            float v = x[i * l.inner];
            if (v <= best) continue;
            best = v;
            at = (int32_t)i;
        }
        y[o] = at;
    }
}

static void piece_i32(const dg_call *k, int64_t piece)
{
    dg_lines l = dg_lines_of(k->attrs, &k->in[0].shape);
    int32_t *y = k->out[0].data;
    int64_t group = l.n < PIECE ? PIECE / l.n : 1, total = l.outer * l.inner;
    for (int64_t o = piece * group; o < (piece + 1) * group && o < total; o++) {
        const int32_t *x =
            (const int32_t *)k->in[0].data + o / l.inner * l.n * l.inner + o % l.inner;
        int32_t at = 0;
        for (int64_t i = 1; i < l.n; i++) {
            if (x[i * l.inner] > x[at * l.inner]) at = (int32_t)i;
        }
        y[o] = at;
    }
}

static void run(const dg_call *k)
{
    dg_lines l = dg_lines_of(k->attrs, &k->in[0].shape);
    int64_t group = l.n < PIECE ? PIECE / l.n : 1, total = l.outer * l.inner;
    dg_parallel(k, (total + group - 1) / group, k->in[0].dtype == DG_F32 ? piece_f32 : piece_i32);
}

static const dg_kernel kernels[] = {
    {"f32", run, .dtype = DG_F32},
    {"i32", run, .dtype = DG_I32},
    {0},
};

const dg_op dg_op_argmax = {
    .name = "argmax",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .infer = infer,
    .no_grad = "a position is piecewise constant",
    .ref = ref,
    .kernels = kernels,
};

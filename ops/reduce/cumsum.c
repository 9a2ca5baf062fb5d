/* ops/reduce/cumsum.c: running sum along an axis. */
#include "ops/support/reduce.h"

static const char doc[] = "y[i] = x[0] + ... + x[i] along the axis; reverse: x[i] + ... + x[n-1]; "
                          "f32 is summed in double; i32 wraps";

static const dg_attr_spec attrs[] = {
    {"axis", DG_INT, .required = true, .doc = "along which"},
    {"reverse", DG_INT, .fallback = 0, .doc = "1: from the end; what the gradient needs"},
    {0},
};

static bool infer(dg_infer *t)
{
    dg_dtype have = dg_in_dtype(t, 0);
    if (!dg_infer_axis(t)) return false;
    if (!dg_dtype_is_float(have) && have != DG_I32)
        return dg_reject_input(t, 0, "there is no sum of %s values", dg_dtype_name(have));
    return dg_give(t, 0, dg_in_shape(t, 0));
}

static void grad(dg_grad *g)
{
    dg_attr back[] = {dg_attr_of_int("axis", dg_attr_int(g->attrs, "axis")),
                      dg_attr_of_int("reverse", !dg_attr_int(g->attrs, "reverse"))};
    g->din[0] = dg_emit(g->build, "cumsum", back, 2, g->dout, 1);
}

static void ref(const dg_call *k)
{
    dg_lines l = dg_lines_of(k->attrs, &k->in[0].shape);
    bool reverse = dg_attr_int(k->attrs, "reverse");
    for (int64_t o = 0; o < l.outer * l.inner; o++) {
        int64_t first = o / l.inner * l.n * l.inner + o % l.inner;
        double sum = 0;
        uint32_t whole = 0;
        for (int64_t i = 0; i < l.n; i++) {
            int64_t at = first + (reverse ? l.n - 1 - i : i) * l.inner;
            if (k->in[0].dtype == DG_I32) {
                whole += (uint32_t)((const int32_t *)k->in[0].data)[at];
                ((int32_t *)k->out[0].data)[at] = (int32_t)whole;
            } else {
                sum += ((const double *)k->in[0].data)[at];
                ((double *)k->out[0].data)[at] = sum;
            }
        }
    }
}

enum { COLUMNS = 256 };

/* A block of neighbouring lines of one outer index. */
static void block(const dg_call *k, int64_t piece)
{
    dg_lines l = dg_lines_of(k->attrs, &k->in[0].shape);
    bool reverse = dg_attr_int(k->attrs, "reverse");
    int64_t across = (l.inner + COLUMNS - 1) / COLUMNS, column = piece % across * COLUMNS;
    int64_t w = l.inner - column < COLUMNS ? l.inner - column : COLUMNS,
            first = piece / across * l.n * l.inner + column;
    if (k->in[0].dtype == DG_I32) {
        uint32_t sum[COLUMNS] = {0};
        for (int64_t i = 0; i < l.n; i++) {
            int64_t at = first + (reverse ? l.n - 1 - i : i) * l.inner;
            const int32_t *x = (const int32_t *)k->in[0].data + at;
            int32_t *y = (int32_t *)k->out[0].data + at;
            for (int64_t j = 0; j < w; j++) y[j] = (int32_t)(sum[j] += (uint32_t)x[j]);
        }
        return;
    }
    double sum[COLUMNS] = {0};
    for (int64_t i = 0; i < l.n; i++) {
        int64_t at = first + (reverse ? l.n - 1 - i : i) * l.inner;
        const float *x = (const float *)k->in[0].data + at;
        float *y = (float *)k->out[0].data + at;
        for (int64_t j = 0; j < w; j++) y[j] = (float)(sum[j] += (double)x[j]);
    }
}

static void run(const dg_call *k)
{
    dg_lines l = dg_lines_of(k->attrs, &k->in[0].shape);
    if (l.n > 0) dg_parallel(k, l.outer * ((l.inner + COLUMNS - 1) / COLUMNS), block);
}

static const dg_kernel kernels[] = {
    {"f32", run, .dtype = DG_F32},
    {"i32", run, .dtype = DG_I32},
    {0},
};

const dg_op dg_op_cumsum = {
    .name = "cumsum",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .in_place = 1,
};

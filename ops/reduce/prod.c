/* ops/reduce/prod.c: product over axes. */
#include "ops/support/reduce.h"

static const char doc[] = "y = product of x over the axes; f32 is multiplied in double; i32 wraps\n"
                          "the gradient multiplies the others, so zeros are no trouble";

static bool infer(dg_infer *t)
{
    dg_dtype have = dg_in_dtype(t, 0);
    if (dg_dtype_is_float(have) || have == DG_I32) return dg_infer_reduce(t);
    dg_reject_input(t, 0, "there is no product of %s values", dg_dtype_name(have));
    return dg_help(t, "convert with f32(...) or i32(...)");
}

/* x shifted by `by` along the last axis, ones coming in: towards the end, or towards the
 * beginning. */
static dg_value shifted(dg_build *b, dg_value x, int64_t by, bool forward)
{
    dg_shape s = dg_shape_of(b, x), edge = s;
    int last = s.rank - 1;
    int64_t start[DG_MAX_RANK] = {0}, stop[DG_MAX_RANK], step[DG_MAX_RANK];
    for (int a = 0; a < s.rank; a++) {
        stop[a] = s.dim[a];
        step[a] = 1;
    }
    edge.dim[last] = by;
    if (forward)
        stop[last] -= by;
    else
        start[last] = by;
    dg_value ones = dg_full(b, dg_dtype_of(b, x), edge, 1),
             rest = dg_slice(b, x, start, stop, step);
    return dg_concat(b, forward ? (dg_value[]){ones, rest} : (dg_value[]){rest, ones}, 2, last);
}

/* Products of all elements before (or behind) each one, in log2(n) steps. */
static dg_value others(dg_build *b, dg_value x, bool forward)
{
    dg_shape s = dg_shape_of(b, x);
    int64_t n = s.dim[s.rank - 1];
    if (n == 1) return dg_full_like(b, x, 1);
    dg_value p = shifted(b, x, 1, forward);
    for (int64_t by = 1; by < n; by *= 2) p = dg_mul(b, p, shifted(b, p, by, forward));
    return p;
}

/* The folded axes go last and become one. */
static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_shape s = dg_shape_of(b, g->in[0]), moved = s, line = s, one;
    int perm[DG_MAX_RANK], back[DG_MAX_RANK], n = 0, n_axes;
    const int64_t *axes = dg_attr_ints(g->attrs, "axes", &n_axes);
    for (int a = 0, k = 0; a < s.rank; a++) {
        if (k < n_axes && axes[k] == a)
            k++;
        else
            perm[n++] = a;
    }
    line.rank = n + 1;
    for (int k = 0; k < n_axes; k++) perm[n + k] = (int)axes[k];
    for (int a = 0; a < s.rank; a++) {
        moved.dim[a] = s.dim[perm[a]];
        back[perm[a]] = a;
    }
    for (int a = 0; a < n; a++) line.dim[a] = moved.dim[a];
    line.dim[n] = dg_reduced_count(g->attrs, &s);
    one = line;
    one.dim[n] = 1;
    dg_value x = dg_reshape(b, dg_transpose(b, g->in[0], perm), line);
    dg_value after = others(b, x, false), rest = dg_mul(b, others(b, x, true), after);
    dg_value d = dg_mul(b, rest, dg_reshape(b, g->dout[0], one));
    g->din[0] = dg_transpose(b, dg_reshape(b, d, moved), back);
}

static void ref(const dg_call *k)
{
    const dg_shape *s = &k->in[0].shape;
    int64_t n = dg_shape_count(s), results = dg_shape_count(&k->out[0].shape);
    if (k->in[0].dtype == DG_I32) {
        const int32_t *x = k->in[0].data;
        int32_t *y = k->out[0].data;
        for (int64_t i = 0; i < results; i++) y[i] = 1;
        for (int64_t i = 0; i < n; i++) {
            int32_t *to = &y[dg_reduced_at(k->attrs, s, i)];
            *to = (int32_t)((uint32_t)*to * (uint32_t)x[i]);
        }
        return;
    }
    const double *x = k->in[0].data;
    double *y = k->out[0].data;
    for (int64_t i = 0; i < results; i++) y[i] = 1;
    for (int64_t i = 0; i < n; i++) {
        double *to = &y[dg_reduced_at(k->attrs, s, i)];
        *to *= x[i];
    }
}

static void run(const dg_call *k)
{
    dg_reduce_run(k, DG_FOLD_PROD);
}

static const dg_kernel kernels[] = {
    {"f32", run, .dtype = DG_F32, .strided = 1, .workspace = dg_reduce_workspace},
    {"i32", run, .dtype = DG_I32, .strided = 1, .workspace = dg_reduce_workspace},
    {0},
};

const dg_op dg_op_prod = {
    .name = "prod",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .attrs = dg_reduce_attrs,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
};

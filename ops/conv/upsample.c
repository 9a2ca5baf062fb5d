/* ops/conv/upsample.c: nearest-neighbour enlargement. */
#include "ops/support/prologue.h"

#include <string.h>

static const char doc[] = "y[n,c,i,j] = x[n,c,i/k,j/k]; x [N,C,H,W], y [N,C,k*H,k*W]";

static const dg_attr_spec attrs[] = {
    {"k", DG_INT, .required = true, .doc = "how many times each row and column is repeated"},
    {0},
};

static bool infer(dg_infer *t)
{
    if (!dg_want_float(t, 0) || !dg_want_rank(t, 0, 4)) return false;
    dg_shape x = dg_in_shape(t, 0);
    int64_t k = dg_attr_int(t->attrs, "k");
    if (k < 1 || k > 1 << 20)
        return dg_reject_attr(t, "k", "k is %lld, wanted is 1 or more", (long long)k);
    return dg_give(t, 0, DG_SHAPE(x.dim[0], x.dim[1], k * x.dim[2], k * x.dim[3]));
}

static void grad(dg_grad *g)
{
    int64_t k = dg_attr_int(g->attrs, "k");
    dg_attr a = dg_attr_of_int("k", k);
    g->din[0] =
        dg_scale(g->build, dg_emit(g->build, "avgpool", &a, 1, g->dout, 1), (double)(k * k));
}

static int64_t source(const dg_call *k, const int64_t *at)
{
    int64_t by = dg_attr_int(k->attrs, "k");
    dg_shape x = k->in[0].shape;
    return ((at[0] * x.dim[1] + at[1]) * x.dim[2] + at[2] / by) * x.dim[3] + at[3] / by;
}

static void ref(const dg_call *k)
{
    dg_ref_pick(k, source);
}

enum { PIECE = 1 << 15 }; /* elements of y */

static int64_t rows_of_piece(const dg_call *k)
{
    int64_t by = dg_attr_int(k->attrs, "k"), row = by * by * k->in[0].shape.dim[3];
    return row >= PIECE ? 1 : PIECE / row;
}

static void piece(const dg_call *k, int64_t p)
{
    int64_t by = dg_attr_int(k->attrs, "k"), W = k->in[0].shape.dim[3],
            rows = dg_shape_count(&k->in[0].shape) / W;
    int64_t some = rows_of_piece(k), end = (p + 1) * some < rows ? (p + 1) * some : rows;
    for (int64_t r = p * some; r < end; r++) {
        const float *x = (const float *)k->in[0].data + r * W;
        float *y = (float *)k->out[0].data + r * W * by * by;
        dg_grow_row(x, W, by, y);
        for (int64_t a = 1; a < by; a++)
            memcpy(y + a * W * by, y, sizeof(float) * (size_t)(W * by));
    }
}

static void run(const dg_call *k)
{
    int64_t rows = dg_shape_count(&k->in[0].shape) / k->in[0].shape.dim[3], some = rows_of_piece(k);
    dg_parallel(k, (rows + some - 1) / some, piece);
}

static bool gathers(const dg_attrs *a, const dg_type *out, int *grow)
{
    (void)out;
    *grow = (int)dg_attr_int(a, "k");
    return true;
}

static const dg_kernel kernels[] = {
    {"rows_f32", run, .dtype = DG_F32},
    {0},
};

const dg_op dg_op_upsample = {
    .name = "upsample",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .gathers = gathers,
};

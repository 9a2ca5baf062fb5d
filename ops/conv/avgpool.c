/* ops/conv/avgpool.c: means of k by k squares. */
#include "ops/ops.h"

static const char doc[] =
    "y[n,c,i,j] = mean of x[n,c, k*i .. k*i+k-1, k*j .. k*j+k-1]; x [N,C,H,W], k divides H and W";

static const dg_attr_spec attrs[] = {
    {"k", DG_INT, .required = true, .doc = "side of the squares"},
    {0},
};

static bool infer(dg_infer *t)
{
    if (!dg_want_float(t, 0) || !dg_want_rank(t, 0, 4)) return false;
    dg_shape x = dg_in_shape(t, 0);
    int64_t k = dg_attr_int(t->attrs, "k");
    if (k < 1 || x.dim[2] % k != 0 || x.dim[3] % k != 0)
        return dg_reject_attr(t, "k", "%lldx%lld does not divide into squares of side %lld",
                              (long long)x.dim[2], (long long)x.dim[3], (long long)k);
    return dg_give(t, 0, DG_SHAPE(x.dim[0], x.dim[1], x.dim[2] / k, x.dim[3] / k));
}

static void grad(dg_grad *g)
{
    int64_t k = dg_attr_int(g->attrs, "k");
    dg_attr a = dg_attr_of_int("k", k);
    g->din[0] =
        dg_scale(g->build, dg_emit(g->build, "upsample", &a, 1, g->dout, 1), 1.0 / (double)(k * k));
}

static void ref(const dg_call *k)
{
    int64_t by = dg_attr_int(k->attrs, "k"), W = k->in[0].shape.dim[3], w = k->out[0].shape.dim[3];
    int64_t rows = dg_shape_count(&k->out[0].shape) / w;
    double *y = k->out[0].data;
    for (int64_t r = 0; r < rows; r++) {
        const double *x = (const double *)k->in[0].data + r * by * W;
        for (int64_t j = 0; j < w; j++) {
            double sum = 0;
            for (int64_t a = 0; a < by; a++)
                for (int64_t b = 0; b < by; b++) sum += x[a * W + j * by + b];
            y[r * w + j] = sum / (double)(by * by);
        }
    }
}

enum { PIECE = 1 << 15 }; /* elements of x */

static int64_t rows_of_piece(const dg_call *k)
{
    int64_t row = dg_attr_int(k->attrs, "k") * k->in[0].shape.dim[3];
    return row >= PIECE ? 1 : PIECE / row;
}

static void piece(const dg_call *k, int64_t p)
{
    int64_t by = dg_attr_int(k->attrs, "k"), W = k->in[0].shape.dim[3], w = k->out[0].shape.dim[3];
    int64_t rows = dg_shape_count(&k->out[0].shape) / w, some = rows_of_piece(k),
            end = (p + 1) * some < rows ? (p + 1) * some : rows;
    float scale = 1.0f / (float)(by * by);
    for (int64_t r = p * some; r < end; r++) {
        const float *x = (const float *)k->in[0].data + r * by * W;
        float *y = (float *)k->out[0].data + r * w;
        if (by == 2) {
            const float *x1 = x + W;
            for (int64_t j = 0; j < w; j++)
                y[j] = ((x[2 * j] + x[2 * j + 1]) + (x1[2 * j] + x1[2 * j + 1])) * 0.25f;
            continue;
        }
        for (int64_t j = 0; j < w; j++) {
            double sum = 0;
            for (int64_t a = 0; a < by; a++)
                for (int64_t b = 0; b < by; b++) sum += (double)x[a * W + j * by + b];
            y[j] = (float)sum * scale;
        }
    }
}

static void run(const dg_call *k)
{
    int64_t rows = dg_shape_count(&k->out[0].shape) / k->out[0].shape.dim[3],
            some = rows_of_piece(k);
    dg_parallel(k, (rows + some - 1) / some, piece);
}

static const dg_kernel kernels[] = {
    {"rows_f32", run, .dtype = DG_F32},
    {0},
};

const dg_op dg_op_avgpool = {
    .name = "avgpool",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
};

/* ops/inner/conv2d_dx.c: the derivative of conv2d by its input.
 *
 * Stride 1: a convolution of dy with turned weights, which are laid out once in the workspace.
 * Other strides: columns W^T dy, folded into dx, by blocks of channels of one image, which have one
 * owner each. */
#include "ops/support/amx_conv.h"
#include "ops/support/conv_ways.h"
#include "ops/support/gemm.h"
#include "ops/support/im2col.h"

#include <string.h>

enum { DY, W };

static const char doc[] = "dx with  sum dx*u = sum dy*conv2d(u, w)  for every u: dy [N,O,Ho,Wo], w "
                          "[O, C/groups, kh, kw] -> dx [N,C,h,w]\n"
                          "dx[n,c,p,q] = sum of w[o,c,a,b] * dy[n,o,i,j] over all o, a, b, i, j "
                          "with i*stride - top + a*dilation = p, and q likewise";

static const dg_attr_spec attrs[] = {
    DG_CONV_ATTRS,
    {"h", DG_INT, .required = true, .doc = "height of x"},
    {"w", DG_INT, .required = true, .doc = "width of x"},
    {0},
};

/* Of the convolution whose derivative this is. */
static dg_conv forward(const dg_attrs *a, dg_shape dy, dg_shape w)
{
    int64_t C = w.dim[1] * dg_attr_int(a, "groups");
    return dg_conv_of(a, DG_SHAPE(dy.dim[0], C, dg_attr_int(a, "h"), dg_attr_int(a, "w")), w);
}

static bool infer(dg_infer *t)
{
    if (!dg_want_float(t, DY) || !dg_want_same_dtype(t, DY, W) || !dg_want_rank(t, DY, 4) ||
        !dg_want_rank(t, W, 4))
        return false;
    dg_conv g = forward(t->attrs, dg_in_shape(t, DY), dg_in_shape(t, W));
    return dg_conv_fits(t, &g, dg_in_shape(t, W)) &&
           dg_want_shape(t, DY, DG_SHAPE(g.N, g.O, g.Ho, g.Wo)) &&
           dg_give(t, 0, DG_SHAPE(g.N, g.C, g.H, g.W));
}

/* Linear in dy and in w; with d the adjoint of dx: conv2d(d, w) and conv2d_dw(d, dy). */
static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_shape w = dg_shape_of(b, g->in[W]);
    dg_attr a[6];
    int n = dg_conv_attrs(b, g->attrs, a);
    if (g->want[DY]) g->din[DY] = dg_emit(b, "conv2d", a, n, (dg_value[]){g->dout[0], g->in[W]}, 2);
    if (!g->want[W]) return;
    a[n] = dg_attr_of_int("kh", w.dim[2]);
    a[n + 1] = dg_attr_of_int("kw", w.dim[3]);
    g->din[W] = dg_emit(b, "conv2d_dw", a, n + 2, (dg_value[]){g->dout[0], g->in[DY]}, 2);
}

static void ref_map(const dg_call *k, int64_t nc)
{
    dg_conv g = forward(k->attrs, k->in[DY].shape, k->in[W].shape);
    int64_t n = nc / g.C, channel = nc % g.C, Cg = g.C / g.G, Og = g.O / g.G, c = channel % Cg,
            group = channel / Cg;
    double *dx = (double *)k->out[0].data + nc * g.H * g.W;
    memset(dx, 0, sizeof(double) * (size_t)(g.H * g.W));
    for (int64_t o = group * Og; o < (group + 1) * Og; o++) {
        const double *dy = (const double *)k->in[DY].data + (n * g.O + o) * g.Ho * g.Wo;
        for (int64_t a = 0; a < g.kh; a++) {
            for (int64_t b = 0; b < g.kw; b++) {
                double w = ((const double *)k->in[W].data)[((o * Cg + c) * g.kh + a) * g.kw + b];
                for (int64_t i = 0; i < g.Ho; i++) {
                    int64_t r = i * g.sh - g.top + a * g.dh;
                    if (r < 0 || r >= g.H) continue;
                    for (int64_t j = 0; j < g.Wo; j++) {
                        int64_t q = j * g.sw - g.left + b * g.dw;
                        if (q >= 0 && q < g.W) dx[r * g.W + q] += w * dy[i * g.Wo + j];
                    }
                }
            }
        }
    }
}

static void ref(const dg_call *k)
{
    dg_parallel(k, k->out[0].shape.dim[0] * k->out[0].shape.dim[1], ref_map);
}

/* ---- stride 1 ---- */

static bool steps_by_one(const dg_conv *f)
{
    return f->sh == 1 && f->sw == 1;
}

/* dx = conv(dy, turned), turned [C, O/G, kh, kw]: output channels for input channels, kernels
 * upside down. */
static dg_conv turned(const dg_conv *f)
{
    return (dg_conv){.N = f->N,
                     .C = f->O,
                     .H = f->Ho,
                     .W = f->Wo,
                     .O = f->C,
                     .Ho = f->H,
                     .Wo = f->W,
                     .G = f->G,
                     .kh = f->kh,
                     .kw = f->kw,
                     .sh = 1,
                     .sw = 1,
                     .dh = f->dh,
                     .dw = f->dw,
                     .top = f->dh * (f->kh - 1) - f->top,
                     .left = f->dw * (f->kw - 1) - f->left};
}

/* The turned weights of one input channel. */
static void turn_piece(const dg_call *k, int64_t channel)
{
    const dg_conv *f = k->arg;
    int64_t Cg = f->C / f->G, Og = f->O / f->G, c = channel % Cg, group = channel / Cg,
            KK = f->kh * f->kw;
    float *to = (float *)k->workspace + channel * Og * KK;
    for (int64_t o = group * Og; o < (group + 1) * Og; o++, to += KK) {
        const float *from = (const float *)k->in[W].data + (o * Cg + c) * KK;
        for (int64_t e = 0; e < KK; e++) to[e] = from[KK - 1 - e];
    }
}

/* ---- other strides ---- */

/* Channels of a piece, and rows of y whose columns are made at once. */
typedef struct fold {
    dg_conv f;
    int64_t channels, blocks, rows;
} fold;

static fold fold_of(const dg_conv *f)
{
    enum {
        COLUMN_FLOATS = 1 << 18,
        LEAST = 256
    }; /* of columns at once; rows of the product in a piece */
    int64_t Cg = f->C / f->G, KK = f->kh * f->kw;
    fold d = {.f = *f, .rows = f->Ho};
    d.channels = (LEAST + KK - 1) / KK;
    if (d.channels > Cg) d.channels = Cg;
    d.blocks = (Cg + d.channels - 1) / d.channels;
    int64_t rows = COLUMN_FLOATS / (d.channels * KK * f->Wo);
    if (rows < 1) rows = 1;
    if (rows < d.rows) d.rows = rows;
    return d;
}

static int64_t column_floats(const fold *d)
{
    return d->channels * d->f.kh * d->f.kw * d->rows * d->f.Wo;
}

static void fold_piece(const dg_call *k, int64_t p)
{
    const fold *d = k->arg;
    const dg_conv *f = &d->f;
    int64_t Cg = f->C / f->G, Og = f->O / f->G, KK = f->kh * f->kw, P = f->Ho * f->Wo;
    int64_t c0 = p % d->blocks * d->channels, group = p / d->blocks % f->G,
            n = p / d->blocks / f->G;
    int64_t channels = Cg - c0 < d->channels ? Cg - c0 : d->channels;
    float *dx = (float *)k->out[0].data + (n * f->C + group * Cg + c0) * f->H * f->W;
    const float *w = (const float *)k->in[W].data + (group * Og * Cg + c0) * KK;
    const float *dy = (const float *)k->in[DY].data + (n * f->O + group * Og) * P;
    float *col = k->scratch;
    memset(dx, 0, sizeof(float) * (size_t)(channels * f->H * f->W));
    for (int64_t y0 = 0; y0 < f->Ho; y0 += d->rows) {
        int64_t rows = f->Ho - y0 < d->rows ? f->Ho - y0 : d->rows, positions = rows * f->Wo;
        dg_matrix left = {w, channels * KK, Og, 1, Cg * KK},
                  right = {dy + y0 * f->Wo, Og, positions, P, 1};
        dg_gemm(dg_isa_of(k), &left, &right, col, positions, col + column_floats(d));
        dg_col2im(f, col, positions, channels, y0, y0 + rows, dx);
    }
}

static void run(const dg_call *k)
{
    dg_conv f = forward(k->attrs, k->in[DY].shape, k->in[W].shape);
    if (steps_by_one(&f)) {
        dg_conv g = turned(&f);
        dg_parallel_with(k, f.C, turn_piece, &f);
        dg_conv_run(k, &g, DY, k->workspace, k->out[0].data, false);
        return;
    }
    fold d = fold_of(&f);
    dg_parallel_with(k, f.N * f.G * d.blocks, fold_piece, &d);
}

static int64_t workspace(const dg_infer *t, const dg_strip *s)
{
    (void)s;
    dg_conv f = forward(t->attrs, t->in[DY]->shape, t->in[W]->shape);
    return steps_by_one(&f) ? (int64_t)sizeof(float) * dg_shape_count(&t->in[W]->shape) : 0;
}

static int64_t scratch(const dg_infer *t, const dg_strip *s)
{
    (void)s;
    dg_conv f = forward(t->attrs, t->in[DY]->shape, t->in[W]->shape), g = turned(&f);
    if (steps_by_one(&f)) return dg_conv_scratch(&g);
    fold d = fold_of(&f);
    return (int64_t)sizeof(float) *
           (column_floats(&d) + dg_gemm_floats(d.channels * f.kh * f.kw, d.rows * f.Wo, f.O / f.G));
}

static bool prepare(dg_prepare *p, dg_value *out)
{
    dg_conv f = forward(p->attrs, dg_shape_of(p->build, p->in[DY]),
                        dg_shape_of(p->build, p->in[W])),
            g = turned(&f);
    return dg_dtype_of(p->build, p->in[DY]) == DG_F32 && steps_by_one(&f) &&
           dg_conv_prepare(p, &g, DG_CONV_DX, out);
}

/* By tiles of AMX: a convolution of dy, its elements as far apart as the steps were. */
static dg_value narrow(dg_build *b, const dg_attrs *a, const dg_value *in, const dg_type *out)
{
    (void)out;
    dg_conv f = forward(a, dg_shape_of(b, in[DY]), dg_shape_of(b, in[W])), g = turned(&f);
    if (f.sh != f.sw) return DG_NONE;
    g.H = (f.Ho - 1) * f.sh + 1;
    g.W = (f.Wo - 1) * f.sw + 1;
    g.bottom = f.H - g.H - g.top + g.dh * (g.kh - 1);
    g.right = f.W - g.W - g.left + g.dw * (g.kw - 1);
    if (!dg_amx_conv_pays(&g)) return DG_NONE;
    return dg_amx_conv_build(b, &g, f.sh, in[DY], in[W], true);
}

static double flops(const dg_infer *t)
{
    dg_conv f = forward(t->attrs, t->in[DY]->shape, t->in[W]->shape);
    return dg_conv_flops(&f);
}

static const dg_kernel kernels[] = {
    {"im2col_f32", run, .dtype = DG_F32, .workspace = workspace, .scratch = scratch},
    {0},
};

const dg_op dg_op_conv2d_dx = {
    .name = "conv2d_dx",
    .inputs = "dy w",
    .outputs = "dx",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_INNER | DG_GEMM_LIKE,
    .infer = infer,
    .grad = grad,
    .prepare = prepare,
    .ref = ref,
    .kernels = kernels,
    .narrow = narrow,
    .flops = flops,
};

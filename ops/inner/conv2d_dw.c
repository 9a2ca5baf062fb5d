/* ops/inner/conv2d_dw.c: the derivative of conv2d by its weights: dw^T [C*kh*kw, O] = columns
 * [C*kh*kw, positions] times dy^T [positions, O], summed over images.
 *
 * Pieces are blocks of input channels, each of which goes through the images in order. Where the
 * weights are so few that such blocks would make thin products, pieces are slabs of images instead,
 * with sums of their own in the workspace, added up in order. Either way an element of dw has one
 * owner, and its sum one order. */
#include "ops/support/amx_conv.h"
#include "ops/support/conv_ways.h"
#include "ops/support/im2col.h"

#include "ops/support/tile.h"

#include <string.h>

enum { X, DY };

static const char doc[] = "dw with  sum dw*u = sum dy*conv2d(x, u)  for every u: x [N,C,H,W], dy "
                          "[N,O,Ho,Wo] -> dw [O, C/groups, kh, kw]\n"
                          "dw[o,c,a,b] = sum_{n,i,j} dy[n,o,i,j] * x[n, c of o's group, i*stride - "
                          "top + a*dilation, j*stride - left + b*dilation]";

static const dg_attr_spec attrs[] = {
    DG_CONV_ATTRS,
    {"kh", DG_INT, .required = true, .doc = "height of the kernel"},
    {"kw", DG_INT, .required = true, .doc = "width of the kernel"},
    {0},
};

/* Of the convolution whose derivative this is. */
static dg_conv forward(const dg_attrs *a, dg_shape x, dg_shape dy)
{
    int64_t groups = dg_attr_int(a, "groups");
    return dg_conv_of(a, x,
                      DG_SHAPE(dy.dim[1], x.dim[1] / (groups > 0 ? groups : 1),
                               dg_attr_int(a, "kh"), dg_attr_int(a, "kw")));
}

static bool infer(dg_infer *t)
{
    if (!dg_want_float(t, X) || !dg_want_same_dtype(t, X, DY) || !dg_want_rank(t, X, 4) ||
        !dg_want_rank(t, DY, 4))
        return false;
    dg_conv g = forward(t->attrs, dg_in_shape(t, X), dg_in_shape(t, DY));
    dg_shape w = DG_SHAPE(g.O, g.G > 0 ? g.C / g.G : 0, g.kh, g.kw);
    return dg_conv_fits(t, &g, w) && dg_want_shape(t, DY, DG_SHAPE(g.N, g.O, g.Ho, g.Wo)) &&
           dg_give(t, 0, w);
}

/* Linear in x and in dy; with d the adjoint of dw: conv2d_dx(dy, d) and conv2d(x, d). */
static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_shape x = dg_shape_of(b, g->in[X]);
    dg_attr a[6];
    int n = dg_conv_attrs(b, g->attrs, a);
    if (g->want[DY]) g->din[DY] = dg_emit(b, "conv2d", a, n, (dg_value[]){g->in[X], g->dout[0]}, 2);
    if (!g->want[X]) return;
    a[n] = dg_attr_of_int("h", x.dim[2]);
    a[n + 1] = dg_attr_of_int("w", x.dim[3]);
    g->din[X] = dg_emit(b, "conv2d_dx", a, n + 2, (dg_value[]){g->in[DY], g->dout[0]}, 2);
}

static void ref_kernel(const dg_call *k, int64_t oc)
{
    dg_conv g = forward(k->attrs, k->in[X].shape, k->in[DY].shape);
    int64_t Cg = g.C / g.G, o = oc / Cg, c = o / (g.O / g.G) * Cg + oc % Cg;
    for (int64_t a = 0; a < g.kh; a++) {
        for (int64_t b = 0; b < g.kw; b++) {
            double sum = 0;
            for (int64_t n = 0; n < g.N; n++) {
                const double *x = (const double *)k->in[X].data + (n * g.C + c) * g.H * g.W;
                const double *dy = (const double *)k->in[DY].data + (n * g.O + o) * g.Ho * g.Wo;
                for (int64_t i = 0; i < g.Ho; i++) {
                    int64_t r = i * g.sh - g.top + a * g.dh;
                    if (r < 0 || r >= g.H) continue;
                    for (int64_t j = 0; j < g.Wo; j++) {
                        int64_t q = j * g.sw - g.left + b * g.dw;
                        if (q >= 0 && q < g.W) sum += dy[i * g.Wo + j] * x[r * g.W + q];
                    }
                }
            }
            ((double *)k->out[0].data)[(oc * g.kh + a) * g.kw + b] = sum;
        }
    }
}

static void ref(const dg_call *k)
{
    dg_parallel(k, k->out[0].shape.dim[0] * k->out[0].shape.dim[1], ref_kernel);
}

/* ---- f32 ---- */

typedef struct cut {
    dg_conv g;
    int64_t channels, nchannels; /* of a piece; blocks */
    int64_t outs, nouts;
    int64_t slab, slabs; /* images of a piece; 1 slab: dw is written directly */
    int64_t images,
        rows; /* whose columns are made at once: several small images, or some rows of one */
    int64_t ldcol, ldy; /* row lengths of the columns, and of dy^T and dw^T */
    float *sums;        /* [slabs][dw] */
} cut;

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t blocks(int64_t n, int64_t *size)
{
    int64_t count = (n + *size - 1) / *size;
    *size = (n + count - 1) / count; /* even */
    return (n + *size - 1) / *size;
}

/* dy^T is made once for each block of channels, so a block should have some hundred rows of
 * columns. */
static cut cut_of(const dg_conv *g)
{
    enum { DEPTH = 256, FEW_WEIGHTS = 1 << 16, THIN = 288, PIECES = 8, SLABS = 8 };
    int64_t Cg = g->C / g->G, Og = g->O / g->G, KK = g->kh * g->kw, P = g->Ho * g->Wo;
    cut c = {
        .g = *g, .channels = Cg, .outs = Og, .slab = g->N, .slabs = 1, .images = 1, .rows = g->Ho};
    if (P <= DEPTH / 2)
        c.images = at_most(g->N, DEPTH / P);
    else
        c.rows = at_most(g->Ho, g->Wo > DEPTH ? 1 : DEPTH / g->Wo);
    if (g->O * Cg * KK <= FEW_WEIGHTS && g->N > 1) {
        c.slab = (g->N + SLABS - 1) / SLABS;
        if (c.slab < c.images) c.slab = c.images;
        c.slabs = blocks(g->N, &c.slab);
        c.images = at_most(c.images, c.slab);
    } else {
        c.channels = at_most(Cg, (THIN + KK - 1) / KK);
    }
    c.nchannels = blocks(Cg, &c.channels);
    while (c.slabs == 1 && g->G * c.nchannels * ((Og + c.outs - 1) / c.outs) < PIECES &&
           c.outs >= 128)
        c.outs = ((c.outs + 1) / 2 + 31) / 32 * 32;
    c.nouts = blocks(Og, &c.outs);
    blocks(g->Ho, &c.rows);
    c.ldcol = dg_tile_ld(c.images * c.rows * g->Wo);
    c.ldy = dg_tile_ld(c.outs);
    return c;
}

/* Scratch of a piece: columns, dy^T, dw^T. */
static int64_t column_floats(const cut *c)
{
    return c->channels * c->g.kh * c->g.kw * c->ldcol;
}

static int64_t turned_floats(const cut *c)
{
    return c->images * c->rows * c->g.Wo * c->ldy;
}

static void piece(const dg_call *k, int64_t p)
{
    const cut *c = k->arg;
    const dg_conv *g = &c->g;
    dg_isa isa = dg_isa_of(k);
    int64_t Cg = g->C / g->G, Og = g->O / g->G, KK = g->kh * g->kw, P = g->Ho * g->Wo,
            all = g->O * Cg * KK;
    int64_t c0 = p % c->nchannels * c->channels, o0 = p / c->nchannels % c->nouts * c->outs;
    int64_t group = p / (c->nchannels * c->nouts) % g->G,
            slab = p / (c->nchannels * c->nouts * g->G);
    int64_t channels = at_most(c->channels, Cg - c0), outs = at_most(c->outs, Og - o0),
            first = group * Og + o0;
    int64_t end = at_most((slab + 1) * c->slab, g->N);
    float *col = k->scratch, *turned = col + column_floats(c), *sum = turned + turned_floats(c);
    bool add = false;
    memset(turned, 0, sizeof(float) * (size_t)turned_floats(c)); /* what fills up the last tile */
    for (int64_t n = slab * c->slab; n < end; n += c->images) {
        int64_t images = at_most(c->images, end - n);
        for (int64_t y0 = 0; y0 < g->Ho; y0 += c->rows, add = true) {
            int64_t rows = at_most(c->rows, g->Ho - y0), of_image = rows * g->Wo;
            for (int64_t i = 0; i < images; i++) {
                const float *dy =
                    (const float *)k->in[DY].data + ((n + i) * g->O + first) * P + y0 * g->Wo;
                dg_im2col_of(k, X, g, n + i, group * Cg + c0, channels, y0, y0 + rows,
                             col + i * of_image, c->ldcol);
                dg_tile_transpose(isa, outs, of_image, dy, P, turned + i * of_image * c->ldy,
                                  c->ldy);
            }
            dg_tile_product(isa, channels * KK, outs, images * of_image, col, c->ldcol, turned,
                            c->ldy, add, sum, c->ldy);
        }
    }
    float *dw =
        (c->slabs > 1 ? c->sums + slab * all : (float *)k->out[0].data) + (first * Cg + c0) * KK;
    dg_tile_transpose(isa, channels * KK, outs, sum, c->ldy, dw, Cg * KK);
}

enum { SUM_PIECE = 4096 };

static void add_piece(const dg_call *k, int64_t p)
{
    const cut *c = k->arg;
    int64_t all = dg_shape_count(&k->out[0].shape), at = p * SUM_PIECE,
            n = at_most(SUM_PIECE, all - at);
    float *dw = (float *)k->out[0].data + at;
    memcpy(dw, c->sums + at, sizeof(float) * (size_t)n);
    for (int64_t s = 1; s < c->slabs; s++) {
        const float *more = c->sums + s * all + at;
        for (int64_t i = 0; i < n; i++) dw[i] += more[i];
    }
}

/* ---- one channel per group ---- */

enum { LANES = 16 };
typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

DG_VARIANTS(void, add_products,
            (float *restrict sum, const float *a, const float *b, int64_t n, int64_t step),
            (sum, a, b, n, step), {
                int64_t i = 0;
                lanes s = *(lanes *)sum;
                for (; step == 1 && i + LANES <= n; i += LANES)
                    s += *(const lanes *)(a + i) * *(const lanes *)(b + i);
                *(lanes *)sum = s;
                for (; i < n; i++) sum[i % LANES] += a[i] * b[i * step];
            })

/* All of one kernel; float sums along a map, double sums over the images. */
static void alone_piece(const dg_call *k, int64_t channel)
{
    const dg_conv *g = &((const cut *)k->arg)->g;
    dg_isa isa = dg_isa_of(k);
    for (int64_t e = 0; e < g->kh * g->kw; e++) {
        int64_t down = e / g->kw * g->dh - g->top, shift = e % g->kw * g->dw - g->left;
        double sum = 0;
        for (int64_t n = 0; n < g->N; n++) {
            int64_t one;
            const float *x = dg_channels(k, X, n, channel, 1, &one);
            const float *dy = (const float *)k->in[DY].data + (n * g->O + channel) * g->Ho * g->Wo;
            float part[LANES] = {0};
            int64_t lo = 0, hi = g->Wo;
            while (lo < hi && lo * g->sw + shift < 0) lo++;
            while (hi > lo && (hi - 1) * g->sw + shift >= g->W) hi--;
            for (int64_t i = 0; i < g->Ho; i++) {
                int64_t r = i * g->sh + down;
                if (r >= 0 && r < g->H && lo < hi)
                    add_products[isa](part, dy + i * g->Wo + lo, x + r * g->W + lo * g->sw + shift,
                                      hi - lo, g->sw);
            }
            for (int l = 0; l < LANES; l++) sum += (double)part[l];
        }
        ((float *)k->out[0].data)[channel * g->kh * g->kw + e] = (float)sum;
    }
}

static bool is_depthwise(const dg_conv *g)
{
    return g->C == g->G && g->O == g->G;
}

static void run(const dg_call *k)
{
    dg_conv g = forward(k->attrs, k->in[X].shape, k->in[DY].shape);
    cut c = cut_of(&g);
    if (is_depthwise(&g)) {
        dg_parallel_with(k, g.C, alone_piece, &c);
        return;
    }
    c.sums = k->workspace;
    dg_parallel_with(k, c.slabs * g.G * c.nouts * c.nchannels, piece, &c);
    if (c.slabs > 1)
        dg_parallel_with(k, (dg_shape_count(&k->out[0].shape) + SUM_PIECE - 1) / SUM_PIECE,
                         add_piece, &c);
}

static int64_t workspace(const dg_infer *t, const dg_strip *s)
{
    (void)s;
    dg_conv g = forward(t->attrs, t->in[X]->shape, t->in[DY]->shape);
    cut c = cut_of(&g);
    return c.slabs > 1 && !is_depthwise(&g)
               ? (int64_t)sizeof(float) * c.slabs * dg_shape_count(&t->out[0].shape)
               : 0;
}

static int64_t scratch(const dg_infer *t, const dg_strip *s)
{
    (void)s;
    dg_conv g = forward(t->attrs, t->in[X]->shape, t->in[DY]->shape);
    cut c = cut_of(&g);
    if (is_depthwise(&g)) return 0;
    return (int64_t)sizeof(float) *
           (column_floats(&c) + turned_floats(&c) + c.channels * g.kh * g.kw * c.ldy);
}

static bool prepare(dg_prepare *p, dg_value *out)
{
    dg_conv g =
        forward(p->attrs, dg_shape_of(p->build, p->in[X]), dg_shape_of(p->build, p->in[DY]));
    return dg_dtype_of(p->build, p->in[X]) == DG_F32 && dg_conv_prepare(p, &g, DG_CONV_DW, out);
}

/* By tiles of AMX. */
static dg_value narrow(dg_build *b, const dg_attrs *a, const dg_value *in, const dg_type *out)
{
    (void)out;
    dg_conv g = forward(a, dg_shape_of(b, in[X]), dg_shape_of(b, in[DY]));
    return dg_amx_conv_pays(&g) ? dg_emit(b, "conv2d_dw_bf16", a->at, a->n, in, 2) : DG_NONE;
}

static double flops(const dg_infer *t)
{
    dg_conv g = forward(t->attrs, t->in[X]->shape, t->in[DY]->shape);
    return dg_conv_flops(&g);
}

static const dg_kernel kernels[] = {
    {"im2col_f32", run, .dtype = DG_F32, .parts = 1u << X, .workspace = workspace,
     .scratch = scratch},
    {0},
};

const dg_op dg_op_conv2d_dw = {
    .name = "conv2d_dw",
    .inputs = "x dy",
    .outputs = "dw",
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

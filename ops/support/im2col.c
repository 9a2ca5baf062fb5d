/* im2col.c: convolution as matrix products over blocks of patches.
 *
 * In     x [N, C, H, W], w [O, C/G, kh, kw].
 * Out    y [N, O, Ho, Wo]: y = W [O, C*kh*kw] times columns [C*kh*kw, positions], for a few rows of
 * positions (or a few small images) and a few hundred rows of columns at a time, so that they stay
 * in the caches; never the columns of a whole tensor. A kernel of one element needs no columns: x
 * itself is the right operand. Keeps  how the work is cut depends on the
 * geometry alone; every piece owns its part of y. */
#include "ops/support/im2col.h"

#include "ops/support/conv_few.h"
#include "ops/support/gemm.h"
#include "ops/support/prologue.h"
#include "ops/support/tile.h"

#include <string.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize(                                                                              \
    "no-tree-loop-distribute-patterns") /* clearing one or two floats is no call of memset */
#endif

/* ---- geometry ---- */

dg_conv dg_conv_of(const dg_attrs *a, dg_shape x, dg_shape w)
{
    const int64_t *stride = dg_attr_ints(a, "stride", NULL), *pad = dg_attr_ints(a, "pad", NULL);
    const int64_t *dilation = dg_attr_ints(a, "dilation", NULL);
    dg_conv g = {.N = x.dim[0],
                 .C = x.dim[1],
                 .H = x.dim[2],
                 .W = x.dim[3],
                 .O = w.dim[0],
                 .G = dg_attr_int(a, "groups"),
                 .kh = w.dim[2],
                 .kw = w.dim[3],
                 .sh = stride[0],
                 .sw = stride[1],
                 .dh = dilation[0],
                 .dw = dilation[1],
                 .top = pad[0],
                 .bottom = pad[1],
                 .left = pad[2],
                 .right = pad[3]};
    int64_t high = g.H + g.top + g.bottom - g.dh * (g.kh - 1) - 1,
            wide = g.W + g.left + g.right - g.dw * (g.kw - 1) - 1;
    g.Ho = high < 0 || g.sh < 1 ? 0 : high / g.sh + 1;
    g.Wo = wide < 0 || g.sw < 1 ? 0 : wide / g.sw + 1;
    return g;
}

bool dg_conv_fits(dg_infer *t, const dg_conv *g, dg_shape w)
{
    static const struct {
        const char *name;
        int n;
        int64_t least;
    } lists[] = {{"stride", 2, 1}, {"pad", 4, 0}, {"dilation", 2, 1}};
    enum { MOST = 1 << 20 };
    for (int i = 0; i < 3; i++) {
        int n;
        const int64_t *v = dg_attr_ints(t->attrs, lists[i].name, &n);
        for (int j = 0; j < n; j++) {
            if (v[j] < lists[i].least || v[j] > MOST)
                return dg_reject_attr(t, lists[i].name, "%s is %lld, wanted is %lld or more",
                                      lists[i].name, (long long)v[j], (long long)lists[i].least);
        }
    }
    if (g->G < 1 || g->C % g->G != 0)
        return dg_reject_attr(t, "groups", "%lld channels do not divide into %lld groups",
                              (long long)g->C, (long long)g->G);
    if (g->O % g->G != 0)
        return dg_reject_attr(t, "groups", "%lld output channels do not divide into %lld groups",
                              (long long)g->O, (long long)g->G);
    if (w.dim[1] != g->C / g->G)
        return dg_reject(t, "the weights are for %lld input channels, there are %lld%s",
                         (long long)w.dim[1], (long long)(g->C / g->G),
                         g->G > 1 ? " in a group" : "");
    if (g->Ho < 1 || g->Wo < 1)
        return dg_reject(t, "a %lldx%lld kernel does not fit into %lldx%lld with padding",
                         (long long)(g->dh * (g->kh - 1) + 1), (long long)(g->dw * (g->kw - 1) + 1),
                         (long long)(g->H + g->top + g->bottom),
                         (long long)(g->W + g->left + g->right));
    return true;
}

double dg_conv_flops(const dg_conv *g)
{
    return 2.0 * (double)g->N * (double)g->O * (double)(g->Ho * g->Wo) *
           (double)(g->C / g->G * g->kh * g->kw);
}

int dg_conv_attrs(dg_build *b, const dg_attrs *from, dg_attr *out)
{
    dg_arena *a = b->graph->arena;
    out[0] = dg_attr_of_ints(a, "stride", dg_attr_ints(from, "stride", NULL), 2);
    out[1] = dg_attr_of_ints(a, "pad", dg_attr_ints(from, "pad", NULL), 4);
    out[2] = dg_attr_of_ints(a, "dilation", dg_attr_ints(from, "dilation", NULL), 2);
    out[3] = dg_attr_of_int("groups", dg_attr_int(from, "groups"));
    return 4;
}

/* ---- columns ---- */

static int64_t at_least(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Output indices [*lo, *hi) of n for which lo * step + shift lies in [0, size). */
static void inside(int64_t n, int64_t step, int64_t shift, int64_t size, int64_t *lo, int64_t *hi)
{
    *lo = shift >= 0 ? 0 : (-shift + step - 1) / step;
    *hi = size - 1 - shift < 0 ? 0 : (size - 1 - shift) / step + 1;
    *lo = at_most(*lo, n);
    *hi = at_least(at_most(*hi, n), *lo);
}

static inline void clear(float *to, int64_t n)
{
    for (int64_t i = 0; i < n; i++) to[i] = 0;
}

/* Rows of one channel and one kernel element, where y's rows are as long as x's and steps are 1:
 * one shifted copy, then the columns that the shift brought in from the neighbouring rows are
 * cleared. */
static void shifted(const dg_conv *g, const float *x, int64_t shift, int64_t lo, int64_t hi,
                    int64_t first, float *to)
{
    int64_t W = g->W, rows = hi - lo;
    if (rows == 0) return;
    if (shift >= W || -shift >= W) {
        clear(to, rows * W);
        return;
    }
    int64_t cut = shift < 0 ? -shift : shift;
    memcpy(to + (shift < 0 ? cut : 0), x + first * W + (shift > 0 ? cut : 0),
           sizeof(float) * (size_t)(rows * W - cut));
    float *edge = to + (shift < 0 ? 0 : W - cut);
    for (int64_t r = 0; r < rows && cut == 1; r++) edge[r * W] = 0;
    for (int64_t r = 0; r < rows && cut > 1; r++) clear(edge + r * W, cut);
}

typedef float v8 __attribute__((vector_size(32), aligned(4), may_alias));

/* Every other element of `rows` rows, [lo, hi) of each of the n that are wanted, zeros around. The
 * second vector begins one element early, so that nothing behind the last is read; the last eight
 * overlap those before. */
DG_VARIANTS(void, every_other,
            (const float *x, int64_t row, int64_t rows, int64_t lo, int64_t hi, int64_t n,
             float *to),
            (x, row, rows, lo, hi, n, to), {
                enum { V = 8 };
                for (int64_t i = 0; i < rows; i++, x += row, to += n) {
                    for (int64_t j = 0; j < lo; j++) to[j] = 0;
                    for (int64_t j = lo; hi - lo >= V && j < hi; j += V) {
                        int64_t at = j + V <= hi ? j : hi - V;
                        const float *from = x + 2 * at;
                        *(v8 *)(to + at) =
                            __builtin_shufflevector(*(const v8 *)from, *(const v8 *)(from + V - 1),
                                                    0, 2, 4, 6, 9, 11, 13, 15);
                    }
                    for (int64_t j = lo; hi - lo < V && j < hi; j++) to[j] = x[2 * j];
                    for (int64_t j = hi; j < n; j++) to[j] = 0;
                }
            })

void dg_im2col(dg_isa isa, const dg_conv *g, const float *x, int64_t channels, int64_t y0,
               int64_t y1, float *col, int64_t ld)
{
    bool even = g->sh == 1 && g->sw == 1 && g->Wo == g->W;
    for (int64_t c = 0; c < channels; c++, x += g->H * g->W) {
        for (int64_t a = 0; a < g->kh; a++) {
            int64_t ylo, yhi, down = y0 * g->sh - g->top + a * g->dh;
            inside(y1 - y0, g->sh, down, g->H, &ylo, &yhi);
            for (int64_t b = 0; b < g->kw; b++, col += ld) {
                int64_t xlo, xhi, shift = b * g->dw - g->left;
                clear(col, ylo * g->Wo);
                clear(col + yhi * g->Wo, (y1 - y0 - yhi) * g->Wo);
                if (even) {
                    shifted(g, x, shift, ylo, yhi, ylo + down, col + ylo * g->Wo);
                    continue;
                }
                inside(g->Wo, g->sw, shift, g->W, &xlo, &xhi);
                if (g->sw == 2) {
                    every_other[isa](x + (ylo * g->sh + down) * g->W + shift, g->sh * g->W,
                                     yhi - ylo, xlo, xhi, g->Wo, col + ylo * g->Wo);
                    continue;
                }
                for (int64_t i = ylo; i < yhi; i++) {
                    const float *from = x + (i * g->sh + down) * g->W + shift;
                    float *to = col + i * g->Wo;
                    clear(to, xlo);
                    if (g->sw == 1)
                        memcpy(to + xlo, from + xlo, sizeof(float) * (size_t)(xhi - xlo));
                    else
                        for (int64_t j = xlo; j < xhi; j++) to[j] = from[j * g->sw];
                    clear(to + xhi, g->Wo - xhi);
                }
            }
        }
    }
}

void dg_im2col_of(const dg_call *k, int x, const dg_conv *g, int64_t n, int64_t c, int64_t channels,
                  int64_t y0, int64_t y1, float *col, int64_t ld)
{
    for (int64_t some; channels > 0; channels -= some, c += some) {
        const float *from = dg_channels(k, x, n, c, channels, &some);
        dg_im2col(dg_isa_of(k), g, from, some, y0, y1, col, ld);
        col += some * g->kh * g->kw * ld;
    }
}

void dg_col2im(const dg_conv *g, const float *col, int64_t ld, int64_t channels, int64_t y0,
               int64_t y1, float *x)
{
    for (int64_t c = 0; c < channels; c++, x += g->H * g->W) {
        for (int64_t a = 0; a < g->kh; a++) {
            int64_t ylo, yhi, down = y0 * g->sh - g->top + a * g->dh;
            inside(y1 - y0, g->sh, down, g->H, &ylo, &yhi);
            for (int64_t b = 0; b < g->kw; b++, col += ld) {
                int64_t xlo, xhi, shift = b * g->dw - g->left;
                inside(g->Wo, g->sw, shift, g->W, &xlo, &xhi);
                for (int64_t i = ylo; i < yhi; i++) {
                    const float *from = col + i * g->Wo;
                    float *to = x + (i * g->sh + down) * g->W + shift;
                    if (g->sw == 1)
                        for (int64_t j = xlo; j < xhi; j++) to[j] += from[j];
                    else
                        for (int64_t j = xlo; j < xhi; j++) to[j * g->sw] += from[j];
                }
            }
        }
    }
}

/* ---- the blocked convolution ---- */

/* How a convolution is cut. */
typedef struct cut {
    int64_t images, rows, outs;    /* of a piece: images, rows of y, output channels of one group */
    int64_t nimages, nrows, nouts; /* blocks of each */
    int64_t channels;              /* input channels whose columns are made at once */
    int64_t ld;                    /* row length of the columns */
    bool alone;                    /* one input channel per group: plain loops */
    bool few;                      /* outputs: conv_few.h */
    bool point;                    /* 1x1 in place: x is its own columns */
} cut;

enum {
    DEPTH = 300, /* rows of columns at once: a tile of them fits the first cache, all of them the
                    second */
    POSITIONS = 512,
    FEW_POSITIONS = 128,
    MANY_OUTS = 256, /* above, fewer positions leave room for the weights */
    SMALL_MAP = 192, /* below, several images share a product */
    PIECES = 8
};

static int64_t blocks(int64_t n, int64_t *size)
{
    int64_t count = (n + *size - 1) / *size;
    *size = (n + count - 1) / count; /* even */
    return (n + *size - 1) / *size;
}

static bool is_point(const dg_conv *g)
{
    return g->kh == 1 && g->kw == 1 && g->sh == 1 && g->sw == 1 && g->top == 0 && g->left == 0 &&
           g->Ho == g->H && g->Wo == g->W;
}

static cut cut_of(const dg_conv *g)
{
    int64_t P = g->Ho * g->Wo, KK = g->kh * g->kw, Cg = g->C / g->G, Og = g->O / g->G;
    cut c = {.images = 1, .rows = g->Ho, .outs = Og};
    c.alone = Cg == 1 && Og == 1;
    if (c.alone) {
        c.nimages = g->N;
        c.nrows = c.nouts = 1;
        c.channels = 1;
        return c;
    }
    c.few = dg_conv_few_fits(g);
    if (c.few) {
        c.rows = at_most(g->Ho, DG_CONV_FEW_ROWS);
        c.nimages = g->N;
        c.nrows = (g->Ho + c.rows - 1) / c.rows;
        c.nouts = 1;
        return c;
    }
    int64_t most = Og > MANY_OUTS ? POSITIONS / 2 : POSITIONS;
    if (P < SMALL_MAP)
        c.images = at_most(g->N, at_least(1, most / P));
    else
        c.rows = at_most(g->Ho, at_least(1, most / g->Wo));
    for (;;) {
        c.nimages = blocks(g->N, &c.images);
        c.nrows = blocks(g->Ho, &c.rows);
        c.nouts = blocks(Og, &c.outs);
        double work = 2.0 * (double)(c.images * c.rows * g->Wo * c.outs) * (double)(Cg * KK);
        if (g->G * c.nimages * c.nrows * c.nouts >= PIECES || work < 8e6) break;
        if (c.images > 1 && c.images * P > FEW_POSITIONS)
            c.images = (c.images + 1) / 2;
        else if (c.images == 1 && c.rows > 1 && c.rows * g->Wo > FEW_POSITIONS)
            c.rows = (c.rows + 1) / 2;
        else if (c.outs > 64)
            c.outs = ((c.outs + 1) / 2 + 15) / 16 * 16;
        else
            break;
    }
    c.point = is_point(g) && c.rows * g->Wo >= DG_TILE_COLUMNS;
    c.ld = dg_tile_ld(c.images * c.rows * g->Wo);
    c.channels = at_most(Cg, at_least(1, DEPTH / KK));
    blocks(Cg, &c.channels);
    return c;
}

int64_t dg_conv_span(const dg_conv *g)
{
    return cut_of(g).rows * g->Wo;
}

int64_t dg_conv_scratch(const dg_conv *g)
{
    cut c = cut_of(g);
    if (c.alone) return 0;
    if (c.few) return (int64_t)sizeof(float) * dg_conv_few_floats(g);
    if (c.point)
        return (int64_t)sizeof(float) *
               (dg_gemm_floats(c.outs, c.rows * g->Wo, g->C / g->G) + c.outs * c.rows * g->Wo);
    int64_t result = c.images > 1 ? c.outs * c.images * c.rows * g->Wo : 0;
    return (int64_t)sizeof(float) * (c.channels * g->kh * g->kw * c.ld + result);
}

bool dg_conv_over(const dg_conv *g)
{
    cut c = cut_of(g);
    return c.point && c.nouts == 1 && g->G == 1;
}

typedef struct job {
    dg_conv g;
    cut c;
    int x; /* operand */
    const float *w;
    float *y;
    bool epilogue;
} job;

/* One row of y from one row of x; the part of the sum that one kernel element gives. */
DG_VARIANTS(void, add_scaled,
            (float *restrict y, const float *restrict x, float w, int64_t n, int64_t step),
            (y, x, w, n, step), {
                if (step == 1)
                    for (int64_t j = 0; j < n; j++) y[j] += w * x[j];
                else
                    for (int64_t j = 0; j < n; j++) y[j] += w * x[j * step];
            })

/* A channel on its own (depthwise): no product to speak of, so plain sums along rows. */
static void alone(const dg_call *k, const job *j, int64_t n, int64_t channel)
{
    const dg_conv *g = &j->g;
    dg_isa isa = dg_isa_of(k);
    int64_t one;
    const float *x = dg_channels(k, j->x, n, channel, 1, &one), *w = j->w + channel * g->kh * g->kw;
    float *y = j->y + (n * g->O + channel) * g->Ho * g->Wo;
    clear(y, g->Ho * g->Wo);
    for (int64_t a = 0; a < g->kh; a++) {
        int64_t ylo, yhi, down = a * g->dh - g->top;
        inside(g->Ho, g->sh, down, g->H, &ylo, &yhi);
        for (int64_t b = 0; b < g->kw; b++) {
            int64_t xlo, xhi, shift = b * g->dw - g->left;
            inside(g->Wo, g->sw, shift, g->W, &xlo, &xhi);
            for (int64_t i = ylo; i < yhi; i++)
                add_scaled[isa](y + i * g->Wo + xlo,
                                x + (i * g->sh + down) * g->W + xlo * g->sw + shift,
                                w[a * g->kw + b], xhi - xlo, g->sw);
        }
    }
}

/* The outputs [first, first + outs) of some rows of one image, by a kernel of one element. Where y
 * lies over a part of x, they are made beside it first, for products go by depth. */
static void point(const dg_call *k, const job *j, int64_t n, int64_t first, int64_t outs,
                  int64_t y0, int64_t rows, float *room)
{
    const dg_conv *g = &j->g;
    int64_t Cg = g->C / g->G, P = g->H * g->W, c = first / (g->O / g->G) * Cg;
    dg_matrix w = {j->w + first * Cg, outs, Cg, Cg, 1}, x[DG_MOST_PARTS];
    int parts = 0;
    float *y = j->y + (n * g->O + first) * P + y0 * g->W;
    bool over = false;
    for (int64_t left = Cg, some; left > 0; left -= some, c += some) {
        const float *at = dg_channels(k, j->x, n, c, left, &some) + y0 * g->W;
        x[parts++] = (dg_matrix){at, some, rows * g->W, P, 1};
        over |= at == y;
    }
    if (!over) {
        dg_gemm_parts(dg_isa_of(k), &w, x, parts, y, P, room);
        return;
    }
    int64_t ld = rows * g->W;
    float *made = room + dg_gemm_floats(outs, ld, Cg);
    dg_gemm_parts(dg_isa_of(k), &w, x, parts, made, ld, room);
    for (int64_t o = 0; o < outs; o++) memcpy(y + o * P, made + o * ld, sizeof(float) * (size_t)ld);
}

static void piece(const dg_call *k, int64_t p)
{
    const job *j = k->arg;
    const dg_conv *g = &j->g;
    const cut *c = &j->c;
    int64_t Cg = g->C / g->G, Og = g->O / g->G, KK = g->kh * g->kw, P = g->Ho * g->Wo;
    int64_t o0 = p % c->nouts * c->outs, y0 = p / c->nouts % c->nrows * c->rows;
    int64_t n0 = p / (c->nouts * c->nrows) % c->nimages * c->images,
            group = p / (c->nouts * c->nrows * c->nimages);
    int64_t outs = at_most(c->outs, Og - o0), rows = at_most(c->rows, g->Ho - y0),
            images = at_most(c->images, g->N - n0);
    int64_t positions = images * rows * g->Wo, first = group * Og + o0;

    float *col =
        (float *)(void *)((char *)k->scratch + (j->epilogue ? dg_epilogue_bytes(k->strip) : 0));
    if (c->alone) {
        alone(k, j, n0, group);
    } else if (c->few) {
        dg_conv_few(k, g, j->x, j->w, n0, y0, rows, j->y, col);
    } else if (c->point) {
        for (int64_t n = n0; n < n0 + images; n++) point(k, j, n, first, outs, y0, rows, col);
    } else {
        float *y = j->y + ((n0 * g->O + first) * g->Ho + y0) * g->Wo, *to = y;
        int64_t ld = P,
                whole = (positions + DG_TILE_COLUMNS - 1) / DG_TILE_COLUMNS * DG_TILE_COLUMNS;
        if (c->images > 1) {
            to = col + c->channels * KK * c->ld;
            ld = positions;
        }
        for (int64_t c0 = 0; c0 < Cg; c0 += c->channels) {
            int64_t channels = at_most(c->channels, Cg - c0);
            for (int64_t i = 0; i < images; i++)
                dg_im2col_of(k, j->x, g, n0 + i, group * Cg + c0, channels, y0, y0 + rows,
                             col + i * P, c->ld);
            /* What fills up the last tile reaches no result, but must not be denormal: that is
             * slow. */
            for (int64_t e = 0; e < channels * KK && whole > positions; e++)
                clear(col + e * c->ld + positions, whole - positions);
            dg_tile_product(dg_isa_of(k), outs, positions, channels * KK,
                            j->w + (first * Cg + c0) * KK, Cg * KK, col, c->ld, c0 > 0, to, ld);
        }
        for (int64_t i = 0; c->images > 1 && i < images; i++) {
            for (int64_t o = 0; o < outs; o++)
                memcpy(y + (i * g->O + o) * P, to + o * ld + i * P, sizeof(float) * (size_t)P);
        }
    }
    if (!j->epilogue || !k->strip) return;
    int64_t start[4] = {n0, first, y0, 0}, extent[4] = {images, outs, rows, g->Wo};
    dg_epilogue(k, start, extent);
}

void dg_conv_run(const dg_call *k, const dg_conv *g, int x, const float *w, float *y, bool epilogue)
{
    job j = {*g, cut_of(g), x, w, y, epilogue};
    dg_parallel_with(k, g->G * j.c.nimages * j.c.nrows * j.c.nouts, piece, &j);
}

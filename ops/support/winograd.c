/* winograd.c: see winograd.h. With B, G, A the matrices of F(4, 3) at the points 0, 1, -1, 2, -2
 * and infinity, d a patch of 6x6 of x, g a kernel of 3x3:
 *
 *     y = A^T [ sum over channels (G g G^T) . (B^T d B) ] A          a tile of 4x4
 *     dw = G^T [ sum over tiles (A dy A^T) . (B^T d B) ] G           the adjoint by g
 *
 * where . multiplies element by element: so for each of the 36 elements there is one matrix
 * product over channels (y) or over tiles (dw).
 *
 * Transforms run over 16 channels at a time, so patches are first turned to [pixel][channel]; how
 * the tiles are cut into blocks depends on the geometry alone, and each block owns its part of y.
 * Panels of 32 output channels are the right operands of the products: what stands in the columns
 * behind the last channel is zero. */
#include "ops/support/winograd.h"

#include "ops/support/tile.h"

#include <string.h>

enum { TILE = 4, PATCH = 6, ELEMENTS = PATCH * PATCH, LANES = 16, PANEL = DG_TILE_COLUMNS };

typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

/* ---- geometry ---- */

/* Blocks of tiles: some rows of tiles of one image, or several whole images. */
typedef struct blocks {
    int64_t TX, TY; /* tiles of an image */
    int64_t rows, nrows, images, nimages;
    int64_t tiles;  /* of a block, at most */
    int64_t Cp, Op; /* channels in whole vectors, outputs in whole panels */
    int64_t pixels; /* of a staged row of x */
} blocks;

static int64_t even_parts(int64_t n, int64_t *size)
{
    int64_t count = (n + *size - 1) / *size;
    *size = (n + count - 1) / count;
    return (n + *size - 1) / *size;
}

static blocks blocks_of(const dg_conv *g)
{
    enum { MOST = 64, LEAST = 16, WANTED = 4 };
    blocks b = {.TX = (g->Wo + TILE - 1) / TILE, .TY = (g->Ho + TILE - 1) / TILE};
    int64_t image = b.TX * b.TY, size = MOST;
    while (size > LEAST && g->N * image < WANTED * size) size /= 2;
    b.rows = b.TY;
    b.images = 1;
    if (image <= size)
        b.images = at_most(g->N, size / image);
    else
        b.rows = b.TX < size ? size / b.TX : 1;
    b.nrows = even_parts(b.TY, &b.rows);
    b.nimages = even_parts(g->N, &b.images);
    b.tiles = b.images * b.rows * b.TX;
    b.Cp = up(g->C, LANES);
    b.Op = up(g->O, PANEL);
    b.pixels = TILE * b.TX + PATCH - TILE;
    return b;
}

bool dg_winograd_pays(const dg_conv *g)
{
    enum { CHANNELS = 16, TILES = 32 };
    if (g->kh != 3 || g->kw != 3 || g->sh != 1 || g->sw != 1 || g->dh != 1 || g->dw != 1 ||
        g->G != 1 || g->C < CHANNELS || g->O < CHANNELS)
        return false;
    blocks b = blocks_of(g);
    double tiles = (double)(g->N * b.TX * b.TY),
           products = tiles * ELEMENTS * (double)b.Op * (double)b.Cp;
    return tiles >= TILES && 1.5 * 2 * products < dg_conv_flops(g);
}

/* ---- transforms of six, four and three values ---- */

static inline __attribute__((always_inline)) void to_patch(const lanes *d, int64_t step, lanes *t)
{
    lanes d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step],
          d5 = d[5 * step];
    lanes even = d4 - d2 * 4.0F, odd = d3 - d1 * 4.0F, inner = d4 - d2, outer = (d3 - d1) * 2.0F;
    t[0] = d0 * 4.0F - d2 * 5.0F + d4;
    t[1] = even + odd;
    t[2] = even - odd;
    t[3] = inner + outer;
    t[4] = inner - outer;
    t[5] = d1 * 4.0F - d3 * 5.0F + d5;
}

static inline __attribute__((always_inline)) void to_tile(const lanes *m, int64_t step, lanes *y)
{
    lanes m1 = m[step], m2 = m[2 * step], m3 = m[3 * step], m4 = m[4 * step];
    lanes sum = m1 + m2, difference = m1 - m2, sum2 = m3 + m4, difference2 = m3 - m4;
    y[0] = m[0] + sum + sum2;
    y[1] = difference + difference2 * 2.0F;
    y[2] = sum + sum2 * 4.0F;
    y[3] = difference + difference2 * 8.0F + m[5 * step];
}

/* A, the adjoint of to_tile. */
static inline __attribute__((always_inline)) void from_tile(const lanes *y, int64_t step, lanes *z)
{
    lanes y0 = y[0], y1 = y[step], y2 = y[2 * step], y3 = y[3 * step];
    lanes even = y0 + y2, odd = y1 + y3, even2 = y0 + y2 * 4.0F, odd2 = y1 * 2.0F + y3 * 8.0F;
    z[0] = y0;
    z[1] = even + odd;
    z[2] = even - odd;
    z[3] = even2 + odd2;
    z[4] = even2 - odd2;
    z[5] = y3;
}

static inline __attribute__((always_inline)) void from_kernel(const lanes *w, int64_t step,
                                                              lanes *u)
{
    lanes w0 = w[0], w1 = w[step], w2 = w[2 * step];
    lanes ends = (w0 + w2) * (-1.0F / 6), middle = w1 * (1.0F / 6),
          far = w0 * (1.0F / 24) + w2 * (1.0F / 6), half = w1 * (1.0F / 12);
    u[0] = w0 * 0.25F;
    u[1] = ends - middle;
    u[2] = ends + middle;
    u[3] = far + half;
    u[4] = far - half;
    u[5] = w2;
}

/* G^T, the adjoint of from_kernel. */
static inline __attribute__((always_inline)) void to_kernel(const lanes *u, int64_t step, lanes *w)
{
    lanes u1 = u[step], u2 = u[2 * step], u3 = u[3 * step], u4 = u[4 * step];
    lanes near = (u1 + u2) * (1.0F / 6), far = u3 + u4;
    w[0] = u[0] * 0.25F - near + far * (1.0F / 24);
    w[1] = (u2 - u1) * (1.0F / 6) + (u3 - u4) * (1.0F / 12);
    w[2] = far * (1.0F / 6) - near + u[5 * step];
}

/* ---- two dimensions: 16 channels of one patch, tile or kernel ---- */

/* d[i * row + j * pixel] -> v[(6 i + j) * out], strides in floats. */
DG_VARIANTS(void, patch_in, (const float *d, int64_t row, int64_t pixel, float *v, int64_t out),
            (d, row, pixel, v, out), {
                lanes t[PATCH][PATCH];
                for (int j = 0; j < PATCH; j++) {
                    lanes column[PATCH];
                    for (int i = 0; i < PATCH; i++)
                        column[i] = *(const lanes *)(d + i * row + j * pixel);
                    to_patch(column, 1, t[j]);
                }
                for (int i = 0; i < PATCH; i++) {
                    lanes r[PATCH];
                    to_patch(&t[0][i], PATCH, r);
                    for (int j = 0; j < PATCH; j++) *(lanes *)(v + (PATCH * i + j) * out) = r[j];
                }
            })

/* m[(6 i + j) * in] -> y[i * row + j * pixel]. */
DG_VARIANTS(void, tile_out, (const float *m, int64_t in, float *y, int64_t row, int64_t pixel),
            (m, in, y, row, pixel), {
                lanes t[PATCH][TILE];
                for (int j = 0; j < PATCH; j++) {
                    lanes column[PATCH];
                    for (int i = 0; i < PATCH; i++)
                        column[i] = *(const lanes *)(m + (PATCH * i + j) * in);
                    to_tile(column, 1, t[j]);
                }
                for (int i = 0; i < TILE; i++) {
                    lanes r[TILE];
                    to_tile(&t[0][i], TILE, r);
                    for (int j = 0; j < TILE; j++) *(lanes *)(y + i * row + j * pixel) = r[j];
                }
            })

DG_VARIANTS(void, tile_in, (const float *y, int64_t row, int64_t pixel, float *z, int64_t out),
            (y, row, pixel, z, out), {
                lanes t[TILE][PATCH];
                for (int j = 0; j < TILE; j++) {
                    lanes column[TILE];
                    for (int i = 0; i < TILE; i++)
                        column[i] = *(const lanes *)(y + i * row + j * pixel);
                    from_tile(column, 1, t[j]);
                }
                for (int i = 0; i < PATCH; i++) {
                    lanes r[PATCH];
                    from_tile(&t[0][i], PATCH, r);
                    for (int j = 0; j < PATCH; j++) *(lanes *)(z + (PATCH * i + j) * out) = r[j];
                }
            })

/* w[e * in], e in [0, 9) -> u[(6 i + j) * out]. */
DG_VARIANTS(void, kernel_in, (const float *w, int64_t in, float *u, int64_t out), (w, in, u, out), {
    lanes t[3][PATCH];
    for (int j = 0; j < 3; j++) {
        lanes column[3];
        for (int i = 0; i < 3; i++) column[i] = *(const lanes *)(w + (3 * i + j) * in);
        from_kernel(column, 1, t[j]);
    }
    for (int i = 0; i < PATCH; i++) {
        lanes r[PATCH];
        from_kernel(&t[0][i], PATCH, r);
        for (int j = 0; j < PATCH; j++) *(lanes *)(u + (PATCH * i + j) * out) = r[j];
    }
})

DG_VARIANTS(void, kernel_out, (const float *u, int64_t in, float *w, int64_t out), (u, in, w, out),
            {
                lanes t[PATCH][3];
                for (int j = 0; j < PATCH; j++) {
                    lanes column[PATCH];
                    for (int i = 0; i < PATCH; i++)
                        column[i] = *(const lanes *)(u + (PATCH * i + j) * in);
                    to_kernel(column, 1, t[j]);
                }
                for (int i = 0; i < 3; i++) {
                    lanes r[3];
                    to_kernel(&t[0][i], 3, r);
                    for (int j = 0; j < 3; j++) *(lanes *)(w + (3 * i + j) * out) = r[j];
                }
            })

/* ---- weights: u [36][O / 32][C][32] ---- */

typedef struct job {
    dg_conv g;
    blocks b;
    const float *x, *dy;
    dg_winograd_weights w;
    float *y, *u;
    bool epilogue;
    /* of dw */
    float *v, *z;            /* of a chunk: v [36][chunk][Cp], z [36][O / 32][chunk][32] */
    int64_t chunk, done, at; /* tiles at most; blocks before this chunk; tiles in it */
    bool add;
} job;

/* All outputs of one input channel. */
static void weights_piece(const dg_call *k, int64_t c)
{
    enum { TAPS = 9 };
    const job *j = k->arg;
    const dg_conv *g = &j->g;
    int64_t by_output = (j->w.turned ? 1 : g->C) * TAPS, by_input = (j->w.turned ? g->O : 1) * TAPS;
    for (int64_t o0 = 0; o0 < j->b.Op; o0 += PANEL) {
        float taps[TAPS][PANEL] = {{0}};
        int64_t outs = at_most(PANEL, g->O - o0);
        for (int64_t o = 0; o < outs; o++) {
            const float *w = j->w.w + (o0 + o) * by_output + c * by_input;
            for (int e = 0; e < TAPS; e++) taps[e][o] = w[j->w.turned ? TAPS - 1 - e : e];
        }
        for (int l = 0; l < PANEL; l += LANES)
            kernel_in[dg_isa_of(k)](&taps[0][l], PANEL, j->u + (o0 * g->C + c * PANEL) + l,
                                    j->b.Op * g->C);
    }
}

/* ---- patches of x ---- */

/* The tile row `ty` of image n: to[i][pixel][Cp], i in [0, 6), zero outside of x. */
static void stage_x(const dg_call *k, const job *j, int64_t n, int64_t ty, float *to)
{
    const dg_conv *g = &j->g;
    const blocks *b = &j->b;
    int64_t lo = g->left > 0 ? g->left : 0, hi = at_most(b->pixels, g->W + g->left);
    for (int64_t i = 0; i < PATCH; i++, to += b->pixels * b->Cp) {
        int64_t r = ty * TILE - g->top + i;
        if (r < 0 || r >= g->H || hi <= lo) {
            memset(to, 0, sizeof(float) * (size_t)(b->pixels * b->Cp));
            continue;
        }
        memset(to, 0, sizeof(float) * (size_t)(lo * b->Cp));
        memset(to + hi * b->Cp, 0, sizeof(float) * (size_t)((b->pixels - hi) * b->Cp));
        dg_tile_transpose(dg_isa_of(k), g->C, hi - lo,
                          j->x + (n * g->C * g->H + r) * g->W + lo - g->left, g->H * g->W,
                          to + lo * b->Cp, b->Cp);
    }
}

/* Block p of x as v[36][..][Cp], elements `apart` floats from each other; how many tiles. */
static int64_t transform_x(const dg_call *k, const job *j, int64_t p, float *stage, float *v,
                           int64_t apart)
{
    const blocks *b = &j->b;
    int64_t n0 = p / b->nrows * b->images, y0 = p % b->nrows * b->rows, t = 0;
    int64_t images = at_most(b->images, j->g.N - n0), rows = at_most(b->rows, b->TY - y0);
    if (b->Cp > j->g.C) /* what no product reads must not be slow to compute with */
        memset(stage, 0, sizeof(float) * (size_t)(PATCH * b->pixels * b->Cp));
    for (int64_t n = n0; n < n0 + images; n++)
        for (int64_t ty = y0; ty < y0 + rows; ty++) {
            stage_x(k, j, n, ty, stage);
            for (int64_t tx = 0; tx < b->TX; tx++, t++)
                for (int64_t c = 0; c < b->Cp; c += LANES)
                    patch_in[dg_isa_of(k)](stage + tx * TILE * b->Cp + c, b->pixels * b->Cp, b->Cp,
                                           v + t * b->Cp + c, apart);
        }
    return t;
}

/* ---- y ---- */

/* The results of one panel of outputs, tile row by tile row. */
static void finish(const dg_call *k, const job *j, int64_t p, int64_t o0, const float *m,
                   float *stage)
{
    const dg_conv *g = &j->g;
    const blocks *b = &j->b;
    int64_t n0 = p / b->nrows * b->images, y0 = p % b->nrows * b->rows, t = 0;
    int64_t images = at_most(b->images, g->N - n0), rows = at_most(b->rows, b->TY - y0);
    int64_t outs = at_most(PANEL, g->O - o0), P = g->Ho * g->Wo, wide = TILE * b->TX * PANEL;
    for (int64_t n = n0; n < n0 + images; n++)
        for (int64_t ty = y0; ty < y0 + rows; ty++) {
            for (int64_t tx = 0; tx < b->TX; tx++, t++)
                for (int l = 0; l < PANEL; l += LANES)
                    tile_out[dg_isa_of(k)](m + t * PANEL + l, b->tiles * PANEL,
                                           stage + tx * TILE * PANEL + l, wide, PANEL);
            for (int64_t i = 0; i < TILE && ty * TILE + i < g->Ho; i++)
                dg_tile_transpose(dg_isa_of(k), g->Wo, outs, stage + i * wide, PANEL,
                                  j->y + (n * g->O + o0) * P + (ty * TILE + i) * g->Wo, P);
        }
    if (!j->epilogue || !k->strip) return;
    int64_t first = y0 * TILE, start[4] = {n0, o0, first, 0},
            extent[4] = {images, outs, at_most(rows * TILE, g->Ho - first), g->Wo};
    dg_epilogue(k, start, extent);
}

static int64_t stage_floats(const blocks *b)
{
    int64_t in = PATCH * b->pixels * b->Cp, out = TILE * TILE * b->TX * PANEL;
    return in > out ? in : out;
}

static void block_piece(const dg_call *k, int64_t p)
{
    const job *j = k->arg;
    const blocks *b = &j->b;
    int64_t before = j->epilogue ? dg_epilogue_bytes(k->strip) : 0;
    float *stage = (float *)(void *)((char *)k->scratch + before), *v = stage + stage_floats(b),
          *m = v + ELEMENTS * b->tiles * b->Cp;
    int64_t tiles = transform_x(k, j, p, stage, v, b->tiles * b->Cp);
    for (int64_t o0 = 0; o0 < b->Op; o0 += PANEL) {
        for (int64_t e = 0; e < ELEMENTS; e++)
            dg_tile_product(dg_isa_of(k), tiles, PANEL, j->g.C, v + e * b->tiles * b->Cp, b->Cp,
                            j->u + (e * b->Op + o0) * j->g.C, PANEL, false,
                            m + e * b->tiles * PANEL, PANEL);
        finish(k, j, p, o0, m, stage);
    }
}

void dg_winograd_run(const dg_call *k, const dg_conv *g, const float *x, dg_winograd_weights w,
                     float *y, bool epilogue)
{
    job j = {.g = *g,
             .b = blocks_of(g),
             .x = x,
             .w = w,
             .y = y,
             .u = k->workspace,
             .epilogue = epilogue};
    dg_parallel_with(k, g->C, weights_piece, &j);
    dg_parallel_with(k, j.b.nimages * j.b.nrows, block_piece, &j);
}

int64_t dg_winograd_workspace(const dg_conv *g)
{
    return (int64_t)sizeof(float) * ELEMENTS * up(g->O, PANEL) * g->C;
}

int64_t dg_winograd_scratch(const dg_conv *g)
{
    blocks b = blocks_of(g);
    return (int64_t)sizeof(float) * (stage_floats(&b) + ELEMENTS * b.tiles * (b.Cp + PANEL));
}

/* ---- dw ---- */

/* Block p of dy as z, zero beyond its edges. */
static void transform_dy(const dg_call *k, const job *j, int64_t p, float *stage, float *z)
{
    const dg_conv *g = &j->g;
    const blocks *b = &j->b;
    int64_t n0 = p / b->nrows * b->images, y0 = p % b->nrows * b->rows, t = 0;
    int64_t images = at_most(b->images, g->N - n0), rows = at_most(b->rows, b->TY - y0);
    int64_t P = g->Ho * g->Wo, wide = TILE * b->TX * b->Op;
    memset(stage, 0, sizeof(float) * (size_t)(TILE * wide));
    for (int64_t n = n0; n < n0 + images; n++)
        for (int64_t ty = y0; ty < y0 + rows; ty++) {
            for (int64_t i = 0; i < TILE; i++) {
                if (ty * TILE + i < g->Ho)
                    dg_tile_transpose(dg_isa_of(k), g->O, g->Wo,
                                      j->dy + n * g->O * P + (ty * TILE + i) * g->Wo, P,
                                      stage + i * wide, b->Op);
                else
                    memset(stage + i * wide, 0, sizeof(float) * (size_t)wide);
            }
            for (int64_t tx = 0; tx < b->TX; tx++, t++)
                for (int64_t o = 0; o < b->Op; o += LANES)
                    tile_in[dg_isa_of(k)](stage + tx * TILE * b->Op + o, wide, b->Op,
                                          z + (o / PANEL * j->chunk + t) * PANEL + o % PANEL,
                                          j->chunk * b->Op);
        }
}

/* One block of a chunk; blocks are of one size but for the last of an image, so each has its place.
 */
static void chunk_piece(const dg_call *k, int64_t i)
{
    const job *j = k->arg;
    const blocks *b = &j->b;
    float *stage = k->scratch;
    int64_t at = i * b->tiles;
    int64_t tiles = transform_x(k, j, j->done + i, stage, j->v + at * b->Cp, j->chunk * b->Cp);
    transform_dy(k, j, j->done + i, stage, j->z + at * PANEL);
    /* A short block: the tiles it lacks count nothing. */
    for (int64_t e = 0; e < ELEMENTS && tiles < b->tiles; e++) {
        memset(j->v + (e * j->chunk + at + tiles) * b->Cp, 0,
               sizeof(float) * (size_t)((b->tiles - tiles) * b->Cp));
        for (int64_t o0 = 0; o0 < b->Op; o0 += PANEL)
            memset(j->z + (e * b->Op + o0) * j->chunk + (at + tiles) * PANEL, 0,
                   sizeof(float) * (size_t)((b->tiles - tiles) * PANEL));
    }
}

enum { CHANNELS = 64 }; /* of a piece of the product */

/* u [36][O / 32][C][32] gets the products of one element, over the tiles of a chunk. */
static void product_piece(const dg_call *k, int64_t p)
{
    const job *j = k->arg;
    const blocks *b = &j->b;
    int64_t parts = (j->g.C + CHANNELS - 1) / CHANNELS, e = p / parts, c0 = p % parts * CHANNELS;
    int64_t channels = at_most(CHANNELS, j->g.C - c0);
    for (int64_t o0 = 0; o0 < b->Op; o0 += PANEL)
        dg_tile_product_turned(dg_isa_of(k), channels, PANEL, j->at,
                               j->v + e * j->chunk * b->Cp + c0, b->Cp,
                               j->z + (e * b->Op + o0) * j->chunk, PANEL, j->add,
                               j->u + (e * b->Op + o0) * j->g.C + c0 * PANEL, PANEL);
}

/* All outputs of one input channel. */
static void dw_piece(const dg_call *k, int64_t c)
{
    enum { TAPS = 9 };
    const job *j = k->arg;
    const dg_conv *g = &j->g;
    for (int64_t o0 = 0; o0 < g->O; o0 += PANEL) {
        float taps[TAPS][PANEL];
        for (int l = 0; l < PANEL; l += LANES)
            kernel_out[dg_isa_of(k)](j->u + (o0 * g->C + c * PANEL) + l, j->b.Op * g->C,
                                     &taps[0][l], PANEL);
        for (int64_t o = 0; o < PANEL && o0 + o < g->O; o++)
            for (int e = 0; e < TAPS; e++) j->y[((o0 + o) * g->C + c) * TAPS + e] = taps[e][o];
    }
}

/* Tiles of a chunk: whole blocks, a few hundred, so that its transforms stay in the caches. */
static int64_t chunk_of(const blocks *b, int64_t nblocks)
{
    enum { WANTED = 256 };
    int64_t n = b->tiles < WANTED ? WANTED / b->tiles : 1;
    return at_most(n, nblocks) * b->tiles;
}

void dg_winograd_dw(const dg_call *k, const dg_conv *g, const float *x, const float *dy, float *dw)
{
    job j = {.g = *g, .b = blocks_of(g), .x = x, .dy = dy, .y = dw, .u = k->workspace};
    int64_t nblocks = j.b.nimages * j.b.nrows;
    j.chunk = chunk_of(&j.b, nblocks);
    j.v = j.u + ELEMENTS * j.b.Op * g->C;
    j.z = j.v + ELEMENTS * j.chunk * j.b.Cp;
    for (; j.done < nblocks; j.done += j.chunk / j.b.tiles, j.add = true) {
        int64_t n = at_most(j.chunk / j.b.tiles, nblocks - j.done);
        j.at = n * j.b.tiles;
        dg_parallel_with(k, n, chunk_piece, &j);
        dg_parallel_with(k, ELEMENTS * ((g->C + CHANNELS - 1) / CHANNELS), product_piece, &j);
    }
    dg_parallel_with(k, g->C, dw_piece, &j);
}

int64_t dg_winograd_dw_workspace(const dg_conv *g)
{
    blocks b = blocks_of(g);
    return (int64_t)sizeof(float) * ELEMENTS *
           (b.Op * g->C + chunk_of(&b, b.nimages * b.nrows) * (b.Cp + b.Op));
}

int64_t dg_winograd_dw_scratch(const dg_conv *g)
{
    blocks b = blocks_of(g);
    int64_t x = PATCH * b.pixels * b.Cp, dy = TILE * TILE * b.TX * b.Op;
    return (int64_t)sizeof(float) * (x > dy ? x : dy);
}

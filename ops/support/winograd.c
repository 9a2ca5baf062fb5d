/* winograd.c: see winograd.h. With B, G, A the matrices of the filter, d a patch of x, g a kernel:
 *
 *     y = A^T [ sum over channels (G g G^T) . (B^T d B) ] A          a tile of results
 *
 * where . multiplies element by element: so for each of the 36 (or 16) elements there is one matrix
 * product, tiles by channels times channels by outputs. Two ways to go about it:
 *
 * By tiles, when there are many: a piece is a block of tiles. It transforms its part of x for
 * itself, v, and all of the prepared weights run past it, element by element. v stays in the second
 * cache up to some 128 channels; what lies further away is read ahead by the product before.
 *
 * By panels, when there are few tiles for so many weights: all of x is transformed first, and a
 * piece is a panel of 32 outputs of a block. It transforms its weights for itself, u, for some
 * channels at a time, so that transformed weights, which are 4 times (or 1.8 times) the weights,
 * never go through memory; all transformed patches of the block run past them. */
#include "ops/support/winograd.h"

#include "ops/support/tile.h"
#include "ops/support/winograd_tiles.h"

#include <string.h>

enum {
    LANES = DG_WINOGRAD_LANES,
    PANEL = DG_WINOGRAD_PANEL,
    TAPS = 9,
    DEPTH = 256, /* channels of a product: b stays in the first cache, u in the second */
    TILES = 64,  /* of a block, by tiles */
    MANY = 128,  /* of a block, by panels */
    BLOCKS = 16, /* pieces wanted: eight for each of two threads */
    FEWEST = 4,  /* the same where each piece transforms its weights */
    PART = 4     /* groups of channels of a piece that transforms x */
};

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

bool dg_winograd_fits(const dg_conv *g)
{
    return g->kh == 3 && g->kw == 3 && g->sh == 1 && g->sw == 1 && g->dh == 1 && g->dw == 1 &&
           g->G == 1;
}

dg_conv dg_winograd_geometry(dg_shape x, int64_t outs, const int64_t *pad)
{
    return (dg_conv){.N = x.dim[0],
                     .C = x.dim[1],
                     .H = x.dim[2],
                     .W = x.dim[3],
                     .O = outs,
                     .Ho = x.dim[2] + pad[0] + pad[1] - 2,
                     .Wo = x.dim[3] + pad[2] + pad[3] - 2,
                     .G = 1,
                     .kh = 3,
                     .kw = 3,
                     .sh = 1,
                     .sw = 1,
                     .dh = 1,
                     .dw = 1,
                     .top = pad[0],
                     .bottom = pad[1],
                     .left = pad[2],
                     .right = pad[3]};
}

bool dg_winograd_attrs_fit(dg_infer *t)
{
    enum { MOST = 1 << 20 };
    int64_t tile = dg_attr_int(t->attrs, "tile");
    if (tile != 2 && tile != 4)
        return dg_reject_attr(t, "tile", "tile is %lld, wanted is 2 or 4", (long long)tile);
    if (dg_attr_find(t->attrs, "pad")) {
        int n;
        const int64_t *pad = dg_attr_ints(t->attrs, "pad", &n);
        for (int i = 0; i < 4; i++)
            if (n != 4 || pad[i] > MOST || pad[i] < -MOST)
                return dg_reject_attr(t, "pad", "pad is not four numbers of a map's size");
    }
    if (dg_attr_find(t->attrs, "weights")) {
        const char *weights = dg_attr_str(t->attrs, "weights");
        if (strcmp(weights, "plain") != 0 && strcmp(weights, "turned") != 0 &&
            strcmp(weights, "prepared") != 0)
            return dg_reject_attr(t, "weights",
                                  "weights are '%s', wanted is plain, turned or "
                                  "prepared",
                                  weights);
    }
    return true;
}

bool dg_winograd_results_fit(dg_infer *t, const dg_conv *g)
{
    return (g->Ho >= 1 && g->Wo >= 1) ||
           dg_reject(t, "a 3x3 kernel does not fit into %lldx%lld with padding",
                     (long long)(g->Ho + 2), (long long)(g->Wo + 2));
}

/* ---- weights ---- */

/* Channels [c0, c1) of the outputs [o0, o0 + 32) as u[e * apart + (c - c0) * 32 + o - o0]. taps:
 * room for 16 channels. */
static void transform_weights(dg_isa isa, const dg_winograd *w, const float *weights, int64_t o0,
                              int64_t c0, int64_t c1, float *taps, float *u, int64_t apart)
{
    const dg_winograd_filter *f = dg_winograd_filter_of(w->tile);
    dg_winograd_fn *kernel_in = f->kernel_in[isa];
    int64_t C = w->g.C, O = w->g.O, outs = at_most(PANEL, O - o0);
    bool turned = w->form == DG_WINOGRAD_TURNED;
    /* taps[c][tap][32]; turned ones are read from the last to the first */
    int64_t first = turned ? (TAPS - 1) * PANEL : 0, step = turned ? -PANEL : PANEL;
    if (outs < PANEL) memset(taps, 0, sizeof(float) * LANES * TAPS * PANEL);
    for (int64_t c = c0; c < c1; c += LANES) {
        int64_t n = at_most(LANES, c1 - c);
        if (!turned)
            dg_tile_transpose(isa, outs, n * TAPS, weights + (o0 * C + c) * TAPS, C * TAPS, taps,
                              PANEL);
        for (int64_t i = 0; i < n; i++) {
            float *of_channel = taps + i * TAPS * PANEL;
            if (turned)
                dg_tile_transpose(isa, outs, TAPS, weights + ((c + i) * O + o0) * TAPS, TAPS,
                                  of_channel, PANEL);
            for (int l = 0; l < PANEL; l += LANES)
                kernel_in(of_channel + first + l, 3 * step, step, u + (c - c0 + i) * PANEL + l,
                          f->patch * apart, apart);
        }
    }
}

typedef struct job {
    dg_winograd w;
    const dg_winograd_filter *f;
    dg_blocks b;
    int x; /* operand */
    bool prologue;
    const float *weights;
    float *y, *u, *v;
    int64_t apart; /* floats of m from one element to the next */
    int64_t parts; /* by panels: pieces of a block */
} job;

/* 16 channels of one panel. */
static void prepare_piece(const dg_call *k, int64_t p)
{
    const job *j = k->arg;
    const dg_conv *g = &j->w.g;
    int64_t groups = (g->C + LANES - 1) / LANES, panel = p / groups, c0 = p % groups * LANES;
    transform_weights(dg_isa_of(k), &j->w, j->weights, panel * PANEL, c0, at_most(c0 + LANES, g->C),
                      k->scratch, j->u + (panel * g->C + c0) * PANEL,
                      dg_winograd_panels(g) * g->C * PANEL);
}

void dg_winograd_prepare(const dg_call *k, const dg_winograd *w, const float *weights, float *u)
{
    job j = {.w = *w, .weights = weights, .u = u};
    dg_parallel_with(k, dg_winograd_panels(&w->g) * ((w->g.C + LANES - 1) / LANES), prepare_piece,
                     &j);
}

int64_t dg_winograd_prepare_scratch(void)
{
    return (int64_t)sizeof(float) * LANES * TAPS * PANEL;
}

/* ---- results ---- */

/* Pixels that are turned to maps at once: some rows of tiles. */
static int64_t finish_rows(const job *j)
{
    int64_t row = j->f->tile * j->f->tile * j->b.TX * PANEL * (int64_t)sizeof(float);
    int64_t rows = DG_WINOGRAD_STAGE / row;
    return rows < 1 ? 1 : at_most(rows, j->b.rows);
}

/* The outputs [o0, o0 + 32) of a block out of m[element][tile][32], elements j->apart floats apart.
 */
static void finish(const dg_call *k, const job *j, int64_t p, int64_t o0, const float *m,
                   float *stage)
{
    const dg_conv *g = &j->w.g;
    dg_isa isa = dg_isa_of(k);
    dg_winograd_fn *tile_out = j->f->tile_out[isa];
    dg_block at = dg_block_at(&j->b, g, p);
    int64_t tile = j->f->tile, TX = j->b.TX, each = finish_rows(j), apart = j->apart;
    int64_t outs = at_most(PANEL, g->O - o0), P = g->Ho * g->Wo, wide = tile * TX * PANEL;
    for (int64_t n = at.n0; n < at.n0 + at.images; n++)
        for (int64_t y0 = at.y0; y0 < at.y0 + at.rows; y0 += each) {
            int64_t rows = at_most(each, at.y0 + at.rows - y0), first = y0 * tile;
            for (int64_t y = 0; y < rows; y++)
                for (int64_t tx = 0; tx < TX; tx++, m += PANEL)
                    for (int l = 0; l < PANEL; l += LANES)
                        tile_out(m + l, j->f->patch * apart, apart,
                                 stage + y * tile * wide + tx * tile * PANEL + l, wide, PANEL);
            float *to = j->y + (n * g->O + o0) * P + first * g->Wo;
            int64_t high = at_most(rows * tile, g->Ho - first);
            if (g->Wo == tile * TX) /* rows follow upon each other */
                dg_tile_transpose(isa, high * g->Wo, outs, stage, PANEL, to, P);
            else
                for (int64_t i = 0; i < high; i++)
                    dg_tile_transpose(isa, g->Wo, outs, stage + i * wide, PANEL, to + i * g->Wo, P);
        }
    if (!k->strip) return;
    int64_t start[4] = {at.n0, o0, at.y0 * tile, 0},
            extent[4] = {at.images, outs, at_most(at.rows * tile, g->Ho - at.y0 * tile), g->Wo};
    dg_epilogue(k, start, extent);
}

static int64_t stage_floats(const job *j)
{
    int64_t in = dg_blocks_stage(&j->b, j->f, &j->w.g, j->prologue),
            out = finish_rows(j) * j->f->tile * j->f->tile * j->b.TX * PANEL;
    return in > out ? in : out;
}

/* Behind what strips use. */
static float *scratch_of(const dg_call *k)
{
    return (float *)(void *)((char *)k->scratch + dg_strips_bytes(k->prologue, k->strip));
}

/* ---- by tiles ---- */

/* Products take the place of what they were made of: m lies in front of v, and just so far that no
 * element of it reaches into those of v that are still to be read. */
static int64_t before_v(const job *j)
{
    int64_t first = j->apart, last = j->f->elements * (j->apart - j->b.apart) + j->b.apart;
    return first > last ? first : last;
}

/* Element e of m for all outputs. v of an element is read from the first cache and the second by
 * all panels in turn, u runs past it once, in the order in which it lies. */
static void multiply(dg_isa isa, const job *j, int64_t tiles, int64_t e, const float *v, float *m)
{
    const dg_blocks *b = &j->b;
    int64_t C = j->w.g.C;
    const float *u = j->weights + e * b->panels * C * PANEL;
    for (int64_t panel = 0; panel < b->panels; panel++, m += b->tiles * PANEL)
        for (int64_t c = 0; c < C; c += DEPTH) {
            int64_t channels = at_most(DEPTH, C - c);
            bool last = panel + 1 == b->panels && e + 1 < j->f->elements;
            const float *next = u + channels * PANEL, *at = v + c * b->tiles;
            dg_tile_product_groups(isa, tiles, channels, at, b->tiles * LANES, u, c > 0, m,
                                   last ? at + b->apart : NULL, next);
            u = next;
        }
}

static void block_piece(const dg_call *k, int64_t p)
{
    const job *j = k->arg;
    const dg_blocks *b = &j->b;
    int64_t tiles = dg_block_at(b, &j->w.g, p).tiles;
    float *stage = scratch_of(k), *m = stage + stage_floats(j), *v = m + before_v(j);
    dg_blocks_transform(k, b, j->f, &j->w.g, j->x, p, 0, b->groups, stage, v);
    for (int64_t e = 0; e < j->f->elements; e++)
        multiply(dg_isa_of(k), j, tiles, e, v + e * b->apart, m + e * j->apart);
    for (int64_t panel = 0; panel < b->panels; panel++)
        finish(k, j, p, panel * PANEL, m + panel * b->tiles * PANEL, stage);
}

/* ---- by panels ---- */

static void patches_piece(const dg_call *k, int64_t p)
{
    const job *j = k->arg;
    int64_t block = p / j->parts, g0 = p % j->parts * PART;
    dg_blocks_transform(k, &j->b, j->f, &j->w.g, j->x, block, g0, at_most(g0 + PART, j->b.groups),
                        scratch_of(k), j->v + block * dg_blocks_floats(&j->b, j->f));
}

static int64_t depth(const job *j)
{
    return at_most(DEPTH, j->b.groups * LANES);
}

static void panel_piece(const dg_call *k, int64_t p)
{
    const job *j = k->arg;
    const dg_blocks *b = &j->b;
    int64_t C = j->w.g.C, panel = p / b->count, block = p % b->count,
            tiles = dg_block_at(b, &j->w.g, block).tiles;
    const float *v = j->v + block * dg_blocks_floats(b, j->f);
    float *stage = scratch_of(k), *m = stage + stage_floats(j),
          *taps = m + j->f->elements * j->apart, *made = taps + LANES * TAPS * PANEL;
    for (int64_t c = 0; c < C; c += DEPTH) {
        int64_t channels = at_most(DEPTH, C - c), apart = b->panels * C * PANEL;
        const float *u = j->weights + (panel * C + c) * PANEL;
        if (j->w.form != DG_WINOGRAD_PREPARED) {
            u = made;
            apart = channels * PANEL + LANES; /* lest the elements meet in the caches */
            transform_weights(dg_isa_of(k), &j->w, j->weights, panel * PANEL, c, c + channels, taps,
                              made, apart);
        }
        for (int64_t e = 0; e < j->f->elements; e++) {
            const float *at = v + e * b->apart + c * b->tiles, *by = u + e * apart;
            bool last = e + 1 == j->f->elements;
            dg_tile_product_groups(dg_isa_of(k), tiles, channels, at, b->tiles * LANES, by, c > 0,
                                   m + e * j->apart, last ? NULL : at + b->apart,
                                   last ? NULL : by + apart);
        }
    }
    finish(k, j, block, panel * PANEL, m, stage);
}

/* ---- entry points ---- */

static job job_of(const dg_winograd *w, bool prologue, bool *by_tiles)
{
    job j = {.w = *w, .prologue = prologue, .f = dg_winograd_filter_of(w->tile)};
    j.b = dg_blocks_of(&w->g, j.f, TILES, BLOCKS);
    *by_tiles = j.b.count >= BLOCKS;
    if (*by_tiles) {
        j.apart = j.b.panels * j.b.tiles * PANEL + LANES;
        return j;
    }
    int64_t pieces = w->form == DG_WINOGRAD_PREPARED ? BLOCKS : FEWEST;
    j.b = dg_blocks_of(&w->g, j.f, MANY, (pieces + j.b.panels - 1) / j.b.panels);
    j.parts = (j.b.groups + PART - 1) / PART;
    j.apart = j.b.tiles * PANEL + LANES;
    return j;
}

static int64_t prepared_floats(const job *j)
{
    return j->f->elements * j->b.panels * j->w.g.C * PANEL;
}

dg_winograd_cut dg_winograd_cut_of(const dg_winograd *w)
{
    bool by_tiles;
    job j = job_of(w, false, &by_tiles);
    int64_t rows = at_most(j.b.rows * w->tile, w->g.Ho);
    return (dg_winograd_cut){by_tiles, j.b.count, j.b.tiles, rows * w->g.Wo};
}

int64_t dg_winograd_prepared_bytes(const dg_winograd *w)
{
    return (int64_t)sizeof(float) * dg_winograd_filter_of(w->tile)->elements *
           dg_winograd_panels(&w->g) * w->g.C * PANEL;
}

void dg_winograd_run(const dg_call *k, const dg_winograd *w, int x, const float *weights, float *y)
{
    bool by_tiles;
    job j = job_of(w, dg_has_prologue(k, x), &by_tiles);
    j.x = x;
    j.weights = weights;
    j.y = y;
    j.v = k->workspace;
    if (by_tiles) {
        if (w->form != DG_WINOGRAD_PREPARED) {
            dg_winograd_prepare(k, w, weights, k->workspace);
            j.weights = k->workspace;
        }
        dg_parallel_with(k, j.b.count, block_piece, &j);
        return;
    }
    dg_parallel_with(k, j.b.count * j.parts, patches_piece, &j);
    dg_parallel_with(k, j.b.count * j.b.panels, panel_piece, &j);
}

int64_t dg_winograd_workspace(const dg_winograd *w)
{
    bool by_tiles;
    job j = job_of(w, false, &by_tiles);
    if (by_tiles)
        return w->form == DG_WINOGRAD_PREPARED ? 0 : (int64_t)sizeof(float) * prepared_floats(&j);
    return (int64_t)sizeof(float) * j.b.count * dg_blocks_floats(&j.b, j.f);
}

int64_t dg_winograd_scratch(const dg_winograd *w, bool prologue)
{
    bool by_tiles;
    job j = job_of(w, prologue, &by_tiles);
    int64_t floats = stage_floats(&j);
    if (by_tiles)
        floats += before_v(&j) + dg_blocks_floats(&j.b, j.f) +
                  (w->form == DG_WINOGRAD_PREPARED ? 0 : LANES * TAPS * PANEL);
    else
        floats += j.f->elements * j.apart;
    if (!by_tiles && w->form != DG_WINOGRAD_PREPARED)
        floats += LANES * TAPS * PANEL + j.f->elements * (depth(&j) * PANEL + LANES);
    return (int64_t)sizeof(float) * floats;
}

/* winograd_dw.c: the derivative of a convolution by its weights, by Winograd's transforms (see
 * winograd.c), the adjoint by g:
 *
 *     dw = G^T [ sum over tiles (A dy A^T) . (B^T d B) ] G
 *
 * So for each element there is one matrix product, channels by tiles times tiles by outputs. Tiles
 * are taken in chunks of a few hundred, whose transforms v and z stay in the caches while the
 * products of all elements are added to u; each sum runs over the tiles in order.
 *
 * Where tiles are few, u, which is 4 times the weights, would be most of the traffic: then a piece
 * makes all elements of some channels of a panel, in its scratch, and their part of dw of them. */
#include "ops/support/tile.h"
#include "ops/support/winograd_tiles.h"

#include <string.h>

enum {
    LANES = DG_WINOGRAD_LANES,
    PANEL = DG_WINOGRAD_PANEL,
    TAPS = 9,
    TILES = 64,  /* of a block */
    BLOCKS = 16, /* wanted of a chunk */
    CHUNK = 512, /* tiles */
    DEPTH = 128, /* tiles of a product */
    FEW = 64,    /* tiles: with fewer, v and z are read again for each piece sooner than u once */
    PART = 4     /* groups of channels of a piece of the product, and of one that makes dw */
};

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

typedef struct job {
    dg_conv g;
    const dg_winograd_filter *f;
    dg_blocks b;
    int x; /* operand */
    const float *dy;
    float *dw;
    float *u; /* [elements][panels][C][32] */
    float *v; /* of a chunk: see winograd_tiles.h */
    float *z; /* of a chunk: [elements][panels][b.room][32], elements z_apart floats apart */
    int64_t z_apart;
    int64_t done, blocks; /* before this chunk, of it */
    int64_t first, tiles; /* likewise */
    int64_t sides;        /* pieces of a block */
    bool few;
} job;

/* Behind what a prologue uses. */
static float *scratch_of(const dg_call *k)
{
    return (float *)(void *)((char *)k->scratch + dg_strips_bytes(k->prologue, k->strip));
}

/* ---- transforms ---- */

/* Rows [r0, r0 + rows) of the outputs [o0, o0 + 32) of dy as to[row][pixel][32], TX whole tiles to
 * a row, zero beyond dy's edges. */
static void stage_dy(const dg_call *k, const job *j, int64_t n, int64_t o0, int64_t r0,
                     int64_t rows, float *to)
{
    const dg_conv *g = &j->g;
    int64_t outs = at_most(PANEL, g->O - o0), wide = j->f->tile * j->b.TX * PANEL,
            P = g->Ho * g->Wo;
    if (outs < PANEL || g->Wo * PANEL < wide) memset(to, 0, sizeof(float) * (size_t)(rows * wide));
    for (int64_t r = r0; r < r0 + rows; r++, to += wide) {
        if (r < g->Ho)
            dg_tile_transpose(dg_isa_of(k), outs, g->Wo, j->dy + (n * g->O + o0) * P + r * g->Wo, P,
                              to, PANEL);
        else
            memset(to, 0, sizeof(float) * (size_t)wide);
    }
}

static void transform_dy(const dg_call *k, const job *j, int64_t p, int64_t panel, float *stage,
                         float *z)
{
    const dg_blocks *b = &j->b;
    dg_block at = dg_block_at(b, &j->g, p);
    dg_winograd_fn *tile_in = j->f->tile_in[dg_isa_of(k)];
    int64_t tile = j->f->tile, wide = tile * b->TX * PANEL;
    for (int64_t n = at.n0; n < at.n0 + at.images; n++)
        for (int64_t y0 = at.y0; y0 < at.y0 + at.rows; y0 += b->staged) {
            int64_t high = at_most(b->staged, at.y0 + at.rows - y0);
            stage_dy(k, j, n, panel * PANEL, y0 * tile, high * tile, stage);
            for (int64_t y = 0; y < high; y++)
                for (int64_t tx = 0; tx < b->TX; tx++, z += PANEL)
                    for (int l = 0; l < PANEL; l += LANES)
                        tile_in(stage + y * tile * wide + tx * tile * PANEL + l, wide, PANEL, z + l,
                                j->f->patch * j->z_apart, j->z_apart);
        }
}

/* Some channels of x, or one panel of dy, of a block. */
static void transform_piece(const dg_call *k, int64_t i)
{
    const job *j = k->arg;
    const dg_blocks *b = &j->b;
    int64_t each = j->sides + b->panels, block = j->done + i / each, side = i % each,
            tile = dg_block_at(b, &j->g, block).first - j->first, panel = side - j->sides;
    if (side < j->sides)
        dg_blocks_transform(k, b, j->f, &j->g, j->x, block, side * PART,
                            at_most((side + 1) * PART, b->groups), scratch_of(k),
                            j->v + tile * LANES);
    else
        transform_dy(k, j, block, panel, scratch_of(k), j->z + (panel * b->room + tile) * PANEL);
}

/* ---- products ---- */

/* Groups [g0, g1) of channels by one panel of one element, over the tiles of the chunk; added to
 * what chunks before it gave. Some tiles of z stay in the first cache while the groups pass. */
static void product(const dg_call *k, const job *j, int64_t e, int64_t g0, int64_t g1,
                    int64_t panel, float *u)
{
    const dg_blocks *b = &j->b;
    const float *v = j->v + e * b->apart, *z = j->z + e * j->z_apart + panel * b->room * PANEL;
    for (int64_t t = 0; t < j->tiles; t += DEPTH)
        for (int64_t group = g0; group < g1; group++) {
            int64_t tiles = at_most(DEPTH, j->tiles - t);
            const float *at = v + (group * b->room + t) * LANES, *by = z + t * PANEL;
            dg_tile_product_turned(dg_isa_of(k), at_most(LANES, j->g.C - group * LANES), PANEL,
                                   tiles, at, LANES, by, PANEL, j->first + t > 0,
                                   u + (group - g0) * LANES * PANEL, PANEL, at + tiles * LANES,
                                   group == g0 ? by + tiles * PANEL : NULL);
        }
}

/* One element and some channels, all outputs. */
static void product_piece(const dg_call *k, int64_t p)
{
    const job *j = k->arg;
    int64_t e = p / j->sides, g0 = p % j->sides * PART, g1 = at_most(g0 + PART, j->b.groups);
    for (int64_t panel = 0; panel < j->b.panels; panel++)
        product(k, j, e, g0, g1, panel,
                j->u + ((e * j->b.panels + panel) * j->g.C + g0 * LANES) * PANEL);
}

/* ---- dw ---- */

/* Channels [c0, c0 + n) of the outputs [o0, o0 + 32), n <= 16, out of u[element][channel][32],
 * elements `apart` floats apart. */
static void make_dw(const dg_call *k, const job *j, int64_t o0, int64_t c0, int64_t n,
                    const float *u, int64_t apart, float *taps)
{
    dg_winograd_fn *kernel_out = j->f->kernel_out[dg_isa_of(k)];
    for (int64_t c = 0; c < n; c++)
        for (int l = 0; l < PANEL; l += LANES)
            kernel_out(u + c * PANEL + l, j->f->patch * apart, apart, taps + c * TAPS * PANEL + l,
                       3 * PANEL, PANEL);
    dg_tile_transpose(dg_isa_of(k), n * TAPS, at_most(PANEL, j->g.O - o0), taps, PANEL,
                      j->dw + (o0 * j->g.C + c0) * TAPS, j->g.C * TAPS);
}

/* Some channels of one panel. */
static void dw_piece(const dg_call *k, int64_t p)
{
    const job *j = k->arg;
    int64_t C = j->g.C, panel = p / j->b.groups, c0 = p % j->b.groups * LANES;
    make_dw(k, j, panel * PANEL, c0, at_most(LANES, C - c0), j->u + (panel * C + c0) * PANEL,
            j->b.panels * C * PANEL, scratch_of(k));
}

/* ---- few tiles ---- */

enum { APART = PART * LANES * PANEL + LANES }; /* floats from element to element: no power of two */

/* All elements of some channels of one panel. */
static void few_piece(const dg_call *k, int64_t p)
{
    const job *j = k->arg;
    const dg_blocks *b = &j->b;
    int64_t panel = p / j->sides, g0 = p % j->sides * PART, g1 = at_most(g0 + PART, b->groups);
    float *taps = scratch_of(k), *u = taps + LANES * TAPS * PANEL;
    for (int64_t e = 0; e < j->f->elements; e++) product(k, j, e, g0, g1, panel, u + e * APART);
    for (int64_t group = g0; group < g1; group++)
        make_dw(k, j, panel * PANEL, group * LANES, at_most(LANES, j->g.C - group * LANES),
                u + (group - g0) * LANES * PANEL, APART, taps);
}

/* ---- entry points ---- */

static job job_of(const dg_winograd *w)
{
    job j = {.g = w->g, .f = dg_winograd_filter_of(w->tile)};
    j.b = dg_blocks_of(&w->g, j.f, TILES, 1);
    j.sides = (j.b.groups + PART - 1) / PART;
    j.blocks = at_most(j.b.count, j.b.tiles < CHUNK ? CHUNK / j.b.tiles : 1);
    dg_blocks_make_room(&j.b, j.blocks * j.b.tiles);
    j.z_apart = (j.b.panels * j.b.room + j.b.tiles) * PANEL + LANES;
    j.few = j.b.count * j.b.tiles <= FEW;
    return j;
}

static int64_t u_floats(const job *j)
{
    return j->few ? 0 : j->f->elements * j->b.panels * j->g.C * PANEL;
}

void dg_winograd_dw(const dg_call *k, const dg_winograd *w, int x, const float *dy, float *dw)
{
    job j = job_of(w);
    j.x = x;
    j.dy = dy;
    j.dw = dw;
    j.u = k->workspace;
    j.v = j.u + u_floats(&j);
    j.z = j.v + dg_blocks_floats(&j.b, j.f);
    for (int64_t most = j.blocks; j.done < j.b.count; j.done += j.blocks, j.first += j.tiles) {
        j.blocks = at_most(most, j.b.count - j.done);
        dg_block last = dg_block_at(&j.b, &j.g, j.done + j.blocks - 1);
        j.tiles = last.first + last.tiles - j.first;
        dg_parallel_with(k, j.blocks * (j.sides + j.b.panels), transform_piece, &j);
        dg_parallel_with(k, j.few ? j.b.panels * j.sides : j.f->elements * j.sides,
                         j.few ? few_piece : product_piece, &j);
    }
    if (!j.few) dg_parallel_with(k, j.b.panels * j.b.groups, dw_piece, &j);
}

bool dg_winograd_dw_is_few(const dg_winograd *w)
{
    return job_of(w).few;
}

int64_t dg_winograd_dw_workspace(const dg_winograd *w)
{
    job j = job_of(w);
    return (int64_t)sizeof(float) *
           (u_floats(&j) + j.f->elements * j.z_apart + dg_blocks_floats(&j.b, j.f));
}

int64_t dg_winograd_dw_scratch(const dg_winograd *w, bool prologue)
{
    job j = job_of(w);
    int64_t in = dg_blocks_stage(&j.b, j.f, &w->g, prologue),
            out = j.b.staged * j.f->tile * j.f->tile * j.b.TX * PANEL,
            taps = LANES * TAPS * PANEL + (j.few ? j.f->elements * APART : 0);
    int64_t most = in > out ? in : out;
    return (int64_t)sizeof(float) * (most > taps ? most : taps);
}

/* winograd_dw.c: the derivative of a convolution by its weights, by Winograd's transforms (see
 * winograd.c), the adjoint by g:
 *
 *     dw = G^T [ sum over tiles (A dy A^T) . (B^T d B) ] G
 *
 * So for each element there is one matrix product, channels by tiles times tiles by outputs. Tiles
 * are taken in chunks of a few hundred, whose transforms v and z stay in the caches while the
 * products of all elements are added to u; each sum runs over the tiles in order. */
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
    float *v; /* of each block of a chunk: see winograd_tiles.h */
    float *z; /* of each block: [elements][panels][tiles][32], elements z_apart floats apart */
    int64_t z_apart;
    int64_t done, blocks;  /* before this chunk, of it */
    int64_t sides, zsides; /* pieces of a block */
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
    int64_t each = j->sides + j->b.panels, block = i / each, side = i % each;
    if (side < j->sides) {
        dg_blocks_transform(k, &j->b, j->f, &j->g, j->x, j->done + block, side * PART,
                            at_most((side + 1) * PART, j->b.groups), scratch_of(k),
                            j->v + block * dg_blocks_floats(&j->b, j->f));
        return;
    }
    int64_t panel = side - j->sides;
    transform_dy(k, j, j->done + block, panel, scratch_of(k),
                 j->z + block * j->f->elements * j->z_apart + panel * j->b.tiles * PANEL);
}

/* ---- products ---- */

/* One element and some channels, all outputs, over the tiles of the chunk. */
static void product_piece(const dg_call *k, int64_t p)
{
    const job *j = k->arg;
    const dg_blocks *b = &j->b;
    int64_t e = p / j->sides, g0 = p % j->sides * PART, g1 = at_most(g0 + PART, b->groups);
    for (int64_t panel = 0; panel < b->panels; panel++)
        for (int64_t block = 0; block < j->blocks; block++) {
            const float *v = j->v + block * dg_blocks_floats(b, j->f) + e * b->apart,
                        *z = j->z + (block * j->f->elements + e) * j->z_apart +
                             panel * b->tiles * PANEL;
            int64_t tiles = dg_block_at(b, &j->g, j->done + block).tiles;
            for (int64_t c = g0 * LANES; c < at_most(g1 * LANES, j->g.C); c += LANES)
                dg_winograd_product_turned(dg_isa_of(k), at_most(LANES, j->g.C - c), tiles,
                                           v + c * b->tiles, z, j->done + block > 0,
                                           j->u + ((e * b->panels + panel) * j->g.C + c) * PANEL);
        }
}

/* ---- dw ---- */

/* Some channels of one panel. */
static void dw_piece(const dg_call *k, int64_t p)
{
    const job *j = k->arg;
    const dg_conv *g = &j->g;
    dg_winograd_fn *kernel_out = j->f->kernel_out[dg_isa_of(k)];
    int64_t apart = j->b.panels * g->C * PANEL, panel = p / j->b.groups, o0 = panel * PANEL,
            c0 = p % j->b.groups * LANES, n = at_most(LANES, g->C - c0);
    float *taps = scratch_of(k); /* [channel][tap][32] */
    for (int64_t c = 0; c < n; c++)
        for (int l = 0; l < PANEL; l += LANES)
            kernel_out(j->u + (panel * g->C + c0 + c) * PANEL + l, j->f->patch * apart, apart,
                       taps + c * TAPS * PANEL + l, 3 * PANEL, PANEL);
    dg_tile_transpose(dg_isa_of(k), n * TAPS, at_most(PANEL, g->O - o0), taps, PANEL,
                      j->dw + (o0 * g->C + c0) * TAPS, g->C * TAPS);
}

/* ---- entry points ---- */

static job job_of(const dg_winograd *w)
{
    job j = {.g = w->g, .f = dg_winograd_filter_of(w->tile)};
    j.b = dg_blocks_of(&w->g, j.f, TILES, 1);
    j.z_apart = j.b.panels * j.b.tiles * PANEL + LANES;
    j.sides = (j.b.groups + PART - 1) / PART;
    j.blocks = at_most(j.b.count, j.b.tiles < CHUNK ? CHUNK / j.b.tiles : 1);
    return j;
}

void dg_winograd_dw(const dg_call *k, const dg_winograd *w, int x, const float *dy, float *dw)
{
    job j = job_of(w);
    j.x = x;
    j.dy = dy;
    j.dw = dw;
    j.u = k->workspace;
    j.v = j.u + j.f->elements * j.b.panels * j.g.C * PANEL;
    j.z = j.v + j.blocks * dg_blocks_floats(&j.b, j.f);
    for (int64_t most = j.blocks; j.done < j.b.count; j.done += j.blocks) {
        j.blocks = at_most(most, j.b.count - j.done);
        dg_parallel_with(k, j.blocks * (j.sides + j.b.panels), transform_piece, &j);
        dg_parallel_with(k, j.f->elements * j.sides, product_piece, &j);
    }
    dg_parallel_with(k, j.b.panels * j.b.groups, dw_piece, &j);
}

int64_t dg_winograd_dw_workspace(const dg_winograd *w)
{
    job j = job_of(w);
    return (int64_t)sizeof(float) *
           (j.f->elements * (j.b.panels * j.g.C * PANEL + j.blocks * j.z_apart) +
            j.blocks * dg_blocks_floats(&j.b, j.f));
}

int64_t dg_winograd_dw_scratch(const dg_winograd *w, bool prologue)
{
    job j = job_of(w);
    int64_t in = dg_blocks_stage(&j.b, j.f, &w->g, prologue),
            out = j.b.staged * j.f->tile * j.f->tile * j.b.TX * PANEL, taps = LANES * TAPS * PANEL;
    int64_t most = in > out ? in : out;
    return (int64_t)sizeof(float) * (most > taps ? most : taps);
}

/* winograd_tiles.c: see winograd_tiles.h. Sixteen channels at a time are turned to [row][pixel]
 * [channel] for as many rows as stay in the first cache, and the transforms read them there. */
#include "ops/support/winograd_tiles.h"

#include "ops/support/prologue.h"
#include "ops/support/tile.h"

#include <string.h>

enum { LANES = DG_WINOGRAD_LANES };

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t even_parts(int64_t n, int64_t *size)
{
    int64_t count = (n + *size - 1) / *size;
    *size = (n + count - 1) / count;
    return (n + *size - 1) / *size;
}

dg_blocks dg_blocks_of(const dg_conv *g, const dg_winograd_filter *f, int64_t most, int64_t wanted)
{
    enum { LEAST = 16 };
    dg_blocks b = {.TX = (g->Wo + f->tile - 1) / f->tile, .TY = (g->Ho + f->tile - 1) / f->tile};
    int64_t image = b.TX * b.TY, size = most;
    while (size / 2 >= LEAST && g->N * image < wanted * size) size /= 2;
    b.rows = b.TY;
    b.images = 1;
    if (image <= size)
        b.images = at_most(g->N, size / image);
    else
        b.rows = b.TX < size ? size / b.TX : 1;
    b.nrows = even_parts(b.TY, &b.rows);
    b.nimages = even_parts(g->N, &b.images);
    b.count = b.nrows * b.nimages;
    b.tiles = b.images * b.rows * b.TX;
    b.groups = (g->C + LANES - 1) / LANES;
    b.panels = dg_winograd_panels(g);
    b.pixels = f->tile * b.TX + f->patch - f->tile;
    int64_t high = DG_WINOGRAD_STAGE / ((int64_t)sizeof(float) * LANES * b.pixels);
    b.staged = (high - (f->patch - f->tile)) / f->tile;
    b.staged = b.staged < 1 ? 1 : at_most(b.staged, b.rows);
    dg_blocks_make_room(&b, b.tiles);
    return b;
}

void dg_blocks_make_room(dg_blocks *b, int64_t tiles)
{
    b->room = tiles;
    b->apart = (b->groups * tiles + b->tiles + 1) * LANES;
}

dg_block dg_block_at(const dg_blocks *b, const dg_conv *g, int64_t p)
{
    dg_block at = {.n0 = p / b->nrows * b->images, .y0 = p % b->nrows * b->rows};
    at.images = at_most(b->images, g->N - at.n0);
    at.rows = at_most(b->rows, b->TY - at.y0);
    at.first = (at.n0 * b->TY + at.y0) * b->TX;
    at.tiles = at.images * at.rows * b->TX;
    return at;
}

static int64_t at_least(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Rows [r0, r0 + rows) of the channels [c0, c0 + 16) of image n, as to[row][pixel][16], with
 * b->pixels pixels to a row from column -left on: zero outside of x, and for what channels there
 * are not. x: what there is of these channels, from row `first` on. */
static void stage_x(const dg_call *k, const dg_blocks *b, const dg_conv *g, dg_rows x,
                    int64_t first, int64_t c0, int64_t r0, int64_t rows, float *to)
{
    int64_t lo = at_least(g->left, 0), hi = at_most(b->pixels, g->W + g->left);
    int64_t top = at_least(r0, 0), bottom = at_most(r0 + rows, g->H);
    int64_t channels = at_most(LANES, g->C - c0), row = b->pixels * LANES;
    bool inside = top < bottom && lo < hi;
    if (channels < LANES || !inside) memset(to, 0, sizeof(float) * (size_t)(rows * row));
    if (!inside) return;
    memset(to, 0, sizeof(float) * (size_t)((top - r0) * row));
    memset(to + (bottom - r0) * row, 0, sizeof(float) * (size_t)((r0 + rows - bottom) * row));
    for (int64_t r = top; r < bottom; r++) {
        float *at = to + (r - r0) * row;
        memset(at, 0, sizeof(float) * (size_t)(lo * LANES));
        memset(at + hi * LANES, 0, sizeof(float) * (size_t)(row - hi * LANES));
        dg_tile_transpose(dg_isa_of(k), channels, hi - lo,
                          x.data + (r - first) * g->W + lo - g->left, x.plane, at + lo * LANES,
                          LANES);
    }
}

static int64_t staged_floats(const dg_blocks *b, const dg_winograd_filter *f)
{
    return (b->staged * f->tile + f->patch - f->tile) * b->pixels * LANES;
}

int64_t dg_blocks_stage(const dg_blocks *b, const dg_winograd_filter *f, const dg_conv *g,
                        bool prologue)
{
    int64_t high = at_most(b->rows * f->tile + f->patch - f->tile, g->H);
    return staged_floats(b, f) + (prologue ? high * g->W * LANES : 0);
}

void dg_blocks_transform(const dg_call *k, const dg_blocks *b, const dg_winograd_filter *f,
                         const dg_conv *g, int operand, int64_t p, int64_t g0, int64_t g1,
                         float *stage, float *v)
{
    dg_block at = dg_block_at(b, g, p);
    dg_winograd_fn *patch_in = f->patch_in[dg_isa_of(k)];
    int64_t row = b->pixels * LANES, overlap = f->patch - f->tile;
    for (int64_t group = g0; group < g1; group++) {
        float *to = v + group * b->room * LANES;
        for (int64_t n = at.n0; n < at.n0 + at.images; n++) {
            int64_t c0 = group * LANES, first = at_least(at.y0 * f->tile - g->top, 0),
                    end = at_most((at.y0 + at.rows) * f->tile - g->top + overlap, g->H);
            dg_rows x = {0};
            if (first < end) /* a prologue computes each row once for the whole block */
                x = dg_prologue_rows(k, operand, n, c0, at_most(c0 + LANES, g->C), first, end,
                                     stage + staged_floats(b, f));
            for (int64_t y0 = at.y0; y0 < at.y0 + at.rows; y0 += b->staged) {
                int64_t high = at_most(b->staged, at.y0 + at.rows - y0);
                stage_x(k, b, g, x, first, c0, y0 * f->tile - g->top, high * f->tile + overlap,
                        stage);
                for (int64_t y = 0; y < high; y++)
                    for (int64_t tx = 0; tx < b->TX; tx++, to += LANES)
                        patch_in(stage + y * f->tile * row + tx * f->tile * LANES, row, LANES, to,
                                 f->patch * b->apart, b->apart);
            }
        }
    }
}

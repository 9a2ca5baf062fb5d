/* winograd_tiles.h: what the passes of a convolution by Winograd's transforms share: how tiles are
 * cut into blocks, and patches of x as left operands of the products. */
#ifndef DG_OPS_WINOGRAD_TILES_H
#define DG_OPS_WINOGRAD_TILES_H

#include "ops/support/winograd.h"

enum { DG_WINOGRAD_STAGE = 24 << 10 }; /* bytes of rows staged at once: half of a first cache */

/* Blocks of tiles: some rows of tiles of one image, or several whole images. Which depends on the
 * geometry alone. */
typedef struct dg_blocks {
    int64_t TX, TY; /* tiles of an image */
    int64_t rows, nrows, images, nimages;
    int64_t count;  /* of blocks */
    int64_t tiles;  /* of a block, at most */
    int64_t groups; /* of 16 input channels */
    int64_t panels; /* of 32 output channels */
    int64_t pixels; /* of a staged row of x */
    int64_t staged; /* rows of tiles staged at once */
    int64_t room;   /* tiles that v has room for: of a block; of several for dw */
    int64_t apart;  /* floats of v from one element to the next: v [elements][groups][room][16], and
                       lines for the tiles of a block and one more, or the elements would meet in
                       the sets of the caches */
} dg_blocks;

/* Blocks of `most` tiles at most, but smaller ones, down to 16 tiles, where fewer than `wanted`
 * blocks would come of it. */
dg_blocks dg_blocks_of(const dg_conv *g, const dg_winograd_filter *f, int64_t most, int64_t wanted);
void dg_blocks_make_room(dg_blocks *b, int64_t tiles);

static inline int64_t dg_blocks_floats(const dg_blocks *b, const dg_winograd_filter *f)
{
    return b->apart * f->elements; /* of v */
}

/* Where block p lies: images [n0, n0 + images), rows of tiles [y0, y0 + rows); `first` tiles of all
 * lie before it. */
typedef struct dg_block {
    int64_t n0, images, y0, rows, first, tiles;
} dg_block;
dg_block dg_block_at(const dg_blocks *b, const dg_conv *g, int64_t p);

/* Groups [g0, g1) of channels of block p of the call's operand `x`, transformed, tile by tile:
 * element e, channel c of tile t goes to v[e * b->apart + (c / 16 * b->room + t) * 16 + c % 16].
 */
void dg_blocks_transform(const dg_call *k, const dg_blocks *b, const dg_winograd_filter *f,
                         const dg_conv *g, int x, int64_t p, int64_t g0, int64_t g1, float *stage,
                         float *v);
/* Floats of `stage`; more if x is made by a prologue. */
int64_t dg_blocks_stage(const dg_blocks *b, const dg_winograd_filter *f, const dg_conv *g,
                        bool prologue);

#endif

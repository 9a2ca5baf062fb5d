/* image.h: tensors as pictures. What a result looks like follows from its shape:
 *   [n, C, H, W], C 1 or 3   a grid of images          [n, 2]   points, drawn as a scatter plot
 *   [n, L]                   one row of bars for each sequence                                  */
#ifndef DG_RUNTIME_IMAGE_H
#define DG_RUNTIME_IMAGE_H

#include "compiler/base/diag.h"
#include "compiler/ir/type.h"
#include "runtime/png_text.h"

typedef enum dg_look { DG_LOOK_NONE, DG_LOOK_IMAGES, DG_LOOK_POINTS, DG_LOOK_ROWS } dg_look;
dg_look dg_look_of(const dg_type *t); /* NONE: has no picture */

typedef struct dg_picture { /* 8 bits, channels interleaved; freed with dg_picture_free */
    int64_t width, height, channels;
    uint8_t *pixels;
} dg_picture;

/* A tensor (f32 or f64) of a shape that has a look. `range`: the values of black and white, for
 * images; `columns` of the grid, 0: near square. False after reporting E601. */
bool dg_picture_make(dg_diag *d, const dg_type *t, const void *data, const double range[2],
                     int64_t columns, dg_picture *out);
void dg_picture_free(dg_picture *p);
bool dg_png_write(dg_diag *d, const char *path, const dg_picture *p); /* whole or absent */
/* Both at once, for any tensor with a look; others are refused (E505). `range` NULL: [-1, 1];
 * `text` that the file holds, may be NULL. The same arguments give the same bytes. */
bool dg_image_write(dg_diag *d, const char *path, const dg_type *t, const void *data,
                    const double *range, int64_t columns, const dg_png_text *text);
/* The same into memory; `path` for messages. */
bool dg_image_encode(dg_diag *d, const char *path, const dg_type *t, const void *data,
                     const double *range, int64_t columns, const dg_png_text *text, dg_text *out);
int64_t dg_grid_columns(int64_t n); /* near square: ceil(sqrt(n)) */

#endif

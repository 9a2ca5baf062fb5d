/* png_read.h: one PNG file -> 8-bit pixels, under the limits that keep hostile files harmless. */
#ifndef DG_RUNTIME_DATA_PNG_READ_H
#define DG_RUNTIME_DATA_PNG_READ_H

#include "compiler/base/diag.h"

typedef struct dg_png {
    int64_t width, height, channels; /* 1 grey or 3 colours; transparency is laid on black */
    uint8_t *pixels;                 /* interleaved; malloc'd, the caller frees */
} dg_png;

enum { DG_PNG_MAX_SIDE = 16384 };

/* Reports E445 at "path@offset" (offset: of the byte that libpng stopped at). */
bool dg_png_read(dg_diag *d, dg_arena *a, const char *path, int channels, dg_png *out);
/* The same of a file in memory; `path` for messages. */
bool dg_png_decode(dg_diag *d, dg_arena *a, const char *path, const uint8_t *bytes, size_t n,
                   int channels, dg_png *out);

#endif

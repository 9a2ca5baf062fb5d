/* png_text.h: the text of PNG files: pairs of a keyword and a value, in order. Values are UTF-8 and
 * may hold newlines; ASCII ones are written as tEXt, others as iTXt. */
#ifndef DG_RUNTIME_PNG_TEXT_H
#define DG_RUNTIME_PNG_TEXT_H

#include "compiler/base/diag.h"

typedef struct dg_png_pair {
    const char *key, *value;
} dg_png_pair;

typedef struct dg_png_text {
    int n, room;
    dg_png_pair *at;
} dg_png_text;

enum { DG_PNG_KEY_MAX = 79 /* bytes of a keyword, by the format */ };

void dg_png_text_add(dg_arena *a, dg_png_text *t, const char *key, const char *value); /* copied */
const char *dg_png_text_get(const dg_png_text *t, const char *key); /* NULL: none */

/* The text of a PNG file in memory; chunks that are compressed, too long or no UTF-8 are passed
 * over. False after reporting E445 at "path@offset": no PNG, cut off, or a checksum that does not
 * hold, of any chunk. */
bool dg_png_text_read(dg_diag *d, dg_arena *a, const char *path, const uint8_t *bytes, size_t n,
                      dg_png_text *out);

#endif

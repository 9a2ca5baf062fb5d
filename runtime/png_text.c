/* png_text.c: walks the chunks of a PNG file. In: bytes. Out: the pairs of its tEXt and
 * uncompressed iTXt chunks. libpng is not asked: it passes over a damaged text chunk in silence. */
#include "runtime/png_text.h"

#include <inttypes.h>
#include <string.h>
#include <zlib.h>

enum { HEAD = 8 /* of a chunk: length and type */, TAIL = 4 /* checksum */, LONGEST = 1 << 20 };

void dg_png_text_add(dg_arena *a, dg_png_text *t, const char *key, const char *value)
{
    if (t->n == t->room) {
        t->room = t->room ? 2 * t->room : 16;
        dg_png_pair *at = DG_NEW_ARRAY(a, dg_png_pair, t->room);
        if (t->n) memcpy(at, t->at, sizeof *at * (size_t)t->n);
        t->at = at;
    }
    t->at[t->n++] =
        (dg_png_pair){dg_arena_text(a, key, strlen(key)), dg_arena_text(a, value, strlen(value))};
}

const char *dg_png_text_get(const dg_png_text *t, const char *key)
{
    for (int i = 0; i < t->n; i++)
        if (strcmp(t->at[i].key, key) == 0) return t->at[i].value;
    return NULL;
}

static uint32_t big_endian(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static bool is_utf8(const char *text, size_t n)
{
    for (size_t i = 0, step; i < n; i += step) {
        step = dg_utf8_length(text + i, n - i);
        if (step == 0 || text[i] == 0) return false;
    }
    return true;
}

/* keyword 0 text, or keyword 0 compressed(0) method language 0 translated keyword 0 text. */
static void take(dg_arena *a, const char *data, size_t n, bool international, dg_png_text *out)
{
    size_t key = strnlen(data, n), at = key + 1;
    if (key == 0 || key > DG_PNG_KEY_MAX || at > n || n > LONGEST) return;
    if (international) {
        if (n - at < 2 || data[at]) return;
        at += 2;
        for (int i = 0; i < 2; i++) {
            at += strnlen(data + at, n - at) + 1;
            if (at > n) return;
        }
    }
    if (!is_utf8(data, key) || !is_utf8(data + at, n - at)) return;
    dg_png_text_add(a, out, dg_arena_text(a, data, key), dg_arena_text(a, data + at, n - at));
}

bool dg_png_text_read(dg_diag *d, dg_arena *a, const char *path, const uint8_t *bytes, size_t n,
                      dg_png_text *out)
{
    *out = (dg_png_text){0};
    if (n < 8 || memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) != 0)
        return dg_error_at(d, "E445", path, "is no PNG picture") == NULL;
    for (size_t at = 8; at < n;) {
        const uint8_t *chunk = bytes + at;
        const char *place = dg_arena_printf(a, "%s@%zu", path, at);
        size_t length = n - at < HEAD + TAIL ? 0 : big_endian(chunk);
        if (n - at < HEAD + TAIL || length > n - at - HEAD - TAIL)
            return dg_error_at(d, "E445", place, "the picture is cut off in this chunk") == NULL;
        uint32_t sum = (uint32_t)crc32(0, chunk + 4, (uInt)(length + 4)),
                 want = big_endian(chunk + HEAD + length);
        if (sum != want)
            return dg_error_at(d, "E445", place,
                               "the picture is damaged: a chunk has the checksum %08" PRIx32
                               ", it says %08" PRIx32,
                               sum, want) == NULL;
        bool plain = memcmp(chunk + 4, "tEXt", 4) == 0;
        if (plain || memcmp(chunk + 4, "iTXt", 4) == 0)
            take(a, (const char *)chunk + HEAD, length, !plain, out);
        if (memcmp(chunk + 4, "IEND", 4) == 0) return true;
        at += HEAD + length + TAIL;
    }
    return dg_error_at(d, "E445", path, "the picture is cut off: it has no end") == NULL;
}

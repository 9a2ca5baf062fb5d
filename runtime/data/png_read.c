/* png_read.c: libpng under limits: size of a side, chunk memory, no benign errors (a text chunk
 * that declares gigabytes is refused before anything is allocated). */
#include "runtime/data/png_read.h"

#include "compiler/base/os.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct source {
    const uint8_t *bytes;
    size_t length, at;
    char why[160];
    jmp_buf stop;
} source;

static void give_bytes(png_structp png, png_bytep out, size_t n)
{
    source *s = png_get_io_ptr(png);
    if (n > s->length - s->at) png_error(png, "the file ends here");
    memcpy(out, s->bytes + s->at, n);
    s->at += n;
}

static void on_error(png_structp png, png_const_charp what)
{
    source *s = png_get_error_ptr(png);
    snprintf(s->why, sizeof s->why, "%s", what);
    longjmp(s->stop, 1);
}

static void on_warning(png_structp png, png_const_charp what)
{
    (void)png;
    (void)what;
}

/* Everything becomes 8-bit grey or RGB; alpha stays as a last channel when the file has it. */
static void set_transforms(png_structp png, png_infop info, int channels)
{
    int type = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
    if (type == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
    if (png_get_valid(png, info, PNG_INFO_tRNS)) png_set_tRNS_to_alpha(png);
    if (depth == 16) png_set_scale_16(png);
    bool grey = type == PNG_COLOR_TYPE_GRAY || type == PNG_COLOR_TYPE_GRAY_ALPHA;
    if (channels == 3 && grey) png_set_gray_to_rgb(png);
    if (channels == 1 && !grey) png_set_rgb_to_gray(png, PNG_ERROR_ACTION_NONE, -1.0, -1.0);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
}

/* `raw` has the file's channels, alpha last; `rows` point into it. */
typedef struct canvas {
    uint8_t *raw;
    png_bytep *rows;
} canvas;

static bool decode(source *s, int channels, dg_png *out, canvas *c)
{
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, s, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info || setjmp(s->stop)) {
        png_destroy_read_struct(&png, &info, NULL);
        return false;
    }
    png_set_read_fn(png, s, give_bytes);
    png_set_user_limits(png, DG_PNG_MAX_SIDE, DG_PNG_MAX_SIDE);
    png_set_chunk_malloc_max(png, 1 << 20);
    png_set_chunk_cache_max(png, 128);
    png_set_benign_errors(png, 0);
    png_read_info(png, info);
    out->width = png_get_image_width(png, info);
    out->height = png_get_image_height(png, info);
    /* Deflate packs at most 1032:1: a picture far larger than its file allows is a lie. */
    if ((uint64_t)out->width * (uint64_t)out->height / 8 > (uint64_t)s->length * 1100 + 65536)
        png_error(png, "the size in the header needs more data than the file has");
    set_transforms(png, info, channels);
    int n = png_get_channels(png, info);
    size_t row = png_get_rowbytes(png, info), rows = (size_t)out->height;
    c->raw = malloc(row * rows);
    c->rows = malloc(rows * sizeof *c->rows);
    if (!c->raw || !c->rows) png_error(png, "no memory for the picture");
    for (size_t y = 0; y < rows; y++) c->rows[y] = c->raw + y * row;
    png_read_image(png, c->rows);
    png_read_end(png, NULL);
    out->channels = n;
    png_destroy_read_struct(&png, &info, NULL);
    return true;
}

/* Alpha is laid on black, in place. */
static void flatten(dg_png *p)
{
    int64_t from = p->channels, to = from == 2 ? 1 : from == 4 ? 3 : from;
    for (int64_t i = 0; to != from && i < p->width * p->height; i++)
        for (int64_t c = 0; c < to; c++)
            p->pixels[i * to + c] =
                (uint8_t)((p->pixels[i * from + c] * p->pixels[i * from + to] + 127) / 255);
    p->channels = to;
}

bool dg_png_decode(dg_diag *d, dg_arena *a, const char *path, const uint8_t *bytes, size_t n,
                   int channels, dg_png *out)
{
    *out = (dg_png){0};
    source *s = calloc(1, sizeof *s);
    if (!s) dg_out_of_memory();
    s->bytes = bytes;
    s->length = n;
    canvas c = {NULL, NULL};
    bool ok = decode(s, channels, out, &c);
    free(c.rows);
    if (ok) {
        out->pixels = c.raw;
        flatten(out);
    } else {
        free(c.raw);
        dg_error_at(d, "E445", dg_arena_printf(a, "%s@%zu", path, s->at),
                    "not a PNG image that can be read: %s",
                    s->why[0] ? s->why : "libpng does not start");
    }
    free(s);
    return ok;
}

bool dg_png_read(dg_diag *d, dg_arena *a, const char *path, int channels, dg_png *out)
{
    dg_file f;
    *out = (dg_png){0};
    if (!dg_file_map(d, path, &f)) return false;
    bool ok = dg_png_decode(d, a, path, f.bytes, f.length, channels, out);
    dg_file_close(&f);
    return ok;
}

/* image.c: tensors -> bytes -> PNG by libpng, into memory first, so that a file is whole or absent.
 * Deterministic: fixed filter and compression, no time, no text but what the caller gives. */
#include "runtime/image.h"

#include "compiler/base/os.h"

#include <math.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 1, PLOT = 512, BAR = 10 };

dg_look dg_look_of(const dg_type *t)
{
    const dg_shape *s = &t->shape;
    if (!dg_dtype_is_float(t->dtype)) return DG_LOOK_NONE;
    if (s->rank == 4 && (s->dim[1] == 1 || s->dim[1] == 3)) return DG_LOOK_IMAGES;
    if (s->rank == 2) return s->dim[1] == 2 ? DG_LOOK_POINTS : DG_LOOK_ROWS;
    return DG_LOOK_NONE;
}

int64_t dg_grid_columns(int64_t n)
{
    int64_t c = 1;
    while (c * c < n) c++;
    return c;
}

static double at(const dg_type *t, const void *data, int64_t i)
{
    return t->dtype == DG_F64 ? ((const double *)data)[i] : (double)((const float *)data)[i];
}

/* Rounded to nearest; what is not a number is black. */
static uint8_t byte_of(double v, double lo, double hi)
{
    double b = (v - lo) / (hi - lo) * 255.0 + 0.5;
    return b >= 255.0 ? 255 : b > 0.0 ? (uint8_t)b : 0;
}

static bool make_pixels(dg_diag *d, dg_picture *p, int64_t width, int64_t height, int64_t channels,
                        int ground)
{
    *p = (dg_picture){width, height, channels, NULL};
    size_t bytes = (size_t)(width * height * channels);
    if (width <= 65535 && height <= 65535) p->pixels = malloc(bytes);
    if (!p->pixels) {
        dg_error_at(d, "E601", "picture", "no memory for a picture of %lld x %lld pixels",
                    (long long)width, (long long)height);
        return false;
    }
    memset(p->pixels, ground, bytes);
    return true;
}

static bool draw_grid(dg_diag *d, const dg_type *t, const void *data, const double range[2],
                      int64_t columns, dg_picture *p)
{
    const int64_t *dim = t->shape.dim, n = dim[0], C = dim[1], H = dim[2], W = dim[3];
    if (columns < 1) columns = dg_grid_columns(n);
    if (columns > n) columns = n;
    int64_t rows = (n + columns - 1) / columns;
    int gap = n > 1 ? GAP : 0;
    if (!make_pixels(d, p, columns * (W + gap) - gap, rows * (H + gap) - gap, C, 64)) return false;
    for (int64_t i = 0; i < n; i++) {
        int64_t top = i / columns * (H + gap), left = i % columns * (W + gap);
        for (int64_t c = 0; c < C; c++)
            for (int64_t y = 0; y < H; y++)
                for (int64_t x = 0; x < W; x++)
                    p->pixels[((top + y) * p->width + left + x) * C + c] =
                        byte_of(at(t, data, ((i * C + c) * H + y) * W + x), range[0], range[1]);
    }
    return true;
}

/* Dark dots on white, both axes from -limit to limit, with lines through zero. */
static bool draw_points(dg_diag *d, const dg_type *t, const void *data, dg_picture *p)
{
    int64_t n = t->shape.dim[0];
    double limit = 1.0;
    for (int64_t i = 0; i < 2 * n; i++) {
        double v = fabs(at(t, data, i));
        if (v < 1e3 && v > limit) limit = v;
    }
    limit *= 1.1;
    if (!make_pixels(d, p, PLOT, PLOT, 3, 255)) return false;
    for (int64_t k = 0; k < PLOT; k++) {
        memset(p->pixels + 3 * (PLOT / 2 * PLOT + k), 225, 3);
        memset(p->pixels + 3 * (k * PLOT + PLOT / 2), 225, 3);
    }
    for (int64_t i = 0; i < n; i++) {
        double fx = (at(t, data, 2 * i) / limit + 1.0) * PLOT / 2.0;
        double fy = (1.0 - at(t, data, 2 * i + 1) / limit) * PLOT / 2.0;
        if (!(fx >= 1 && fx < PLOT - 1 && fy >= 1 && fy < PLOT - 1)) continue;
        for (int64_t y = (int64_t)fy - 1; y <= (int64_t)fy + 1; y++)
            for (int64_t x = (int64_t)fx - 1; x <= (int64_t)fx + 1; x++) {
                uint8_t *q = p->pixels + 3 * (y * PLOT + x);
                bool core = x == (int64_t)fx && y == (int64_t)fy;
                q[0] = (uint8_t)(core ? 20 : q[0] * 3 / 4);
                q[1] = (uint8_t)(core ? 60 : q[1] * 7 / 8);
                q[2] = core ? 160 : q[2];
            }
    }
    return true;
}

/* Values between 0 and 1, or stretched to their own least and greatest where they lie outside. */
static bool draw_rows(dg_diag *d, const dg_type *t, const void *data, dg_picture *p)
{
    int64_t n = t->shape.dim[0], L = t->shape.dim[1];
    double lo = 0.0, hi = 1.0;
    for (int64_t i = 0; i < n * L; i++) {
        double v = at(t, data, i);
        if (v < lo) lo = v;
        if (v > hi) hi = v;
    }
    if (!make_pixels(d, p, L * (BAR + GAP) - GAP, n * (BAR + GAP) - GAP, 1, 64)) return false;
    for (int64_t i = 0; i < n * L; i++)
        for (int64_t y = 0; y < BAR; y++)
            memset(p->pixels + (i / L * (BAR + GAP) + y) * p->width + i % L * (BAR + GAP),
                   byte_of(at(t, data, i), lo, hi), BAR);
    return true;
}

bool dg_picture_make(dg_diag *d, const dg_type *t, const void *data, const double range[2],
                     int64_t columns, dg_picture *out)
{
    switch (dg_look_of(t)) {
    case DG_LOOK_IMAGES:
        return draw_grid(d, t, data, range, columns, out);
    case DG_LOOK_POINTS:
        return draw_points(d, t, data, out);
    case DG_LOOK_ROWS:
        return draw_rows(d, t, data, out);
    case DG_LOOK_NONE:
        break;
    }
    *out = (dg_picture){0};
    return false;
}

void dg_picture_free(dg_picture *p)
{
    free(p->pixels);
    p->pixels = NULL;
}

/* ---- PNG ---- */

static void take_bytes(png_structp png, png_bytep bytes, size_t n)
{
    dg_text_addn(png_get_io_ptr(png), (const char *)bytes, n);
}

static void nothing_to_flush(png_structp png)
{
    (void)png;
}

/* Errors of libpng come back by longjmp to the call below; warnings are for nobody. */
static void on_error(png_structp png, png_const_charp what)
{
    (void)what;
    longjmp(*png_set_longjmp_fn(png, longjmp, sizeof(jmp_buf)), 1);
}

static void on_warning(png_structp png, png_const_charp what)
{
    (void)png;
    (void)what;
}

/* Before the pixels, so that a reader finds them first. ASCII as tEXt, the rest as iTXt. */
static void put_text(png_structp png, png_infop info, const dg_png_text *text)
{
    for (int i = 0; text && i < text->n; i++) {
        const char *value = text->at[i].value;
        bool ascii = true;
        for (const char *c = value; *c; c++)
            ascii = ascii && (*c == '\n' || (*c >= ' ' && *c <= '~'));
        png_text one = {.compression =
                            ascii ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE,
                        .key = (char *)(uintptr_t)text->at[i].key,
                        .text = (char *)(uintptr_t)value};
        png_set_text(png, info, &one, 1);
    }
}

static bool encode(const dg_picture *p, const dg_png_text *text, dg_text *out)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info || setjmp(*png_set_longjmp_fn(png, longjmp, sizeof(jmp_buf)))) {
        png_destroy_write_struct(&png, &info);
        return false;
    }
    png_set_write_fn(png, out, take_bytes, nothing_to_flush);
    png_set_IHDR(png, info, (png_uint_32)p->width, (png_uint_32)p->height, 8,
                 p->channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE);
    png_set_compression_level(png, 6);
    put_text(png, info, text);
    png_write_info(png, info);
    for (int64_t y = 0; y < p->height; y++)
        png_write_row(png, p->pixels + y * p->width * p->channels);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return true;
}

static bool encode_at(dg_diag *d, const char *path, const dg_picture *p, const dg_png_text *text,
                      dg_text *out)
{
    if (encode(p, text, out)) return true;
    dg_error_at(d, "E505", path, "libpng could not make a picture of %lld x %lld pixels",
                (long long)p->width, (long long)p->height);
    return false;
}

bool dg_png_write(dg_diag *d, const char *path, const dg_picture *p)
{
    dg_text bytes = {0};
    bool ok = encode_at(d, path, p, NULL, &bytes) && dg_file_replace_soon(d, path, bytes.at, bytes.n);
    dg_text_free(&bytes);
    return ok;
}

bool dg_image_encode(dg_diag *d, const char *path, const dg_type *t, const void *data,
                     const double *range, int64_t columns, const dg_png_text *text, dg_text *out)
{
    static const double usual[2] = {-1.0, 1.0};
    dg_picture p;
    if (dg_look_of(t) == DG_LOOK_NONE) {
        dg_text type = {0};
        dg_type_text(t, &type);
        dg_message *m = dg_error_at(d, "E505", path, "%s has no picture", type.at);
        dg_help_add(d, m,
                    "pictures are made of [n, 1 or 3, H, W], [n, 2] and [n, L]; others as .npy");
        dg_text_free(&type);
        return false;
    }
    bool ok = dg_picture_make(d, t, data, range ? range : usual, columns, &p) &&
              encode_at(d, path, &p, text, out);
    dg_picture_free(&p);
    return ok;
}

bool dg_image_write(dg_diag *d, const char *path, const dg_type *t, const void *data,
                    const double *range, int64_t columns, const dg_png_text *text)
{
    dg_text bytes = {0};
    bool ok = dg_image_encode(d, path, t, data, range, columns, text, &bytes) &&
              dg_file_replace_soon(d, path, bytes.at, bytes.n);
    dg_text_free(&bytes);
    return ok;
}

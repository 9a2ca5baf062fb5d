/* folder.c: a folder of PNG images. The names of its folders are the classes, in their sorted
 * order; images in the folder itself have no labels.
 *
 * In     paths, sorted by name, so that every machine sees the same order.
 * Out    each image cropped to its centre square and scaled to `size` by area averaging, as bytes.
 */
#include "runtime/data/pixels.h"
#include "runtime/data/png_read.h"

#include "compiler/base/os.h"
#include "compiler/base/vec.h"

#include <stdlib.h>
#include <string.h>

typedef struct entry {
    const char *path;
    int32_t label;
} entry;
typedef DG_VEC(entry) entries;

static bool is_png(const char *name)
{
    size_t n = strlen(name);
    return n > 4 && name[0] != '.' &&
           (strcmp(name + n - 4, ".png") == 0 || strcmp(name + n - 4, ".PNG") == 0);
}

static bool list_images(dg_diag *d, dg_arena *a, const char *folder, int32_t label, entries *out)
{
    char **names;
    size_t n;
    if (!dg_folder_list(d, a, folder, &names, &n)) return false;
    for (size_t i = 0; i < n; i++)
        if (is_png(names[i])) dg_vec_push(out, (entry){dg_path_join(a, folder, names[i]), label});
    return true;
}

/* Folders with images are classes. A folder that has both loses the loose ones, and says so. */
static bool list_classes(dg_diag *d, dg_arena *a, const char *root, entries *out, int *classes)
{
    char **names;
    size_t n;
    if (!dg_folder_list(d, a, root, &names, &n)) return false;
    for (size_t i = 0; i < n; i++) {
        char *path = dg_path_join(a, root, names[i]);
        if (names[i][0] == '.' || !dg_path_is_folder(path)) continue;
        size_t before = out->n;
        if (!list_images(d, a, path, *classes, out)) return false;
        if (out->n > before) ++*classes;
    }
    if (*classes) {
        size_t loose = 0;
        for (size_t i = 0; i < n; i++) loose += is_png(names[i]);
        if (loose)
            dg_warning_at(d, "W442", root, "%zu images beside the class folders are left out",
                          loose);
        return true;
    }
    return list_images(d, a, root, 0, out);
}

/* Weighted mean over the area that an output pixel covers in the centre square: rows, then columns.
 */
static void scale(const dg_png *p, int64_t size_y, int64_t size_x, uint8_t *out)
{
    int64_t C = p->channels, side = p->width < p->height ? p->width : p->height;
    int64_t left = (p->width - side) / 2, top = (p->height - side) / 2;
    double step_x = (double)side / (double)size_x, step_y = (double)side / (double)size_y;
    for (int64_t y = 0; y < size_y; y++)
        for (int64_t x = 0; x < size_x; x++) {
            double y0 = (double)y * step_y, y1 = y0 + step_y, x0 = (double)x * step_x,
                   x1 = x0 + step_x;
            double sum[3] = {0, 0, 0}, area = 0;
            for (int64_t sy = (int64_t)y0; sy < side && (double)sy < y1; sy++)
                for (int64_t sx = (int64_t)x0; sx < side && (double)sx < x1; sx++) {
                    double h = (y1 < (double)(sy + 1) ? y1 : (double)(sy + 1)) -
                               (y0 > (double)sy ? y0 : (double)sy);
                    double w = (x1 < (double)(sx + 1) ? x1 : (double)(sx + 1)) -
                               (x0 > (double)sx ? x0 : (double)sx);
                    const uint8_t *q = p->pixels + ((top + sy) * p->width + left + sx) * C;
                    for (int64_t c = 0; c < C; c++) sum[c] += w * h * q[c];
                    area += w * h;
                }
            for (int64_t c = 0; c < C; c++)
                out[(c * size_y + y) * size_x + x] = (uint8_t)(sum[c] / area + 0.5);
        }
}

/* Without `size`: the first image decides. */
static bool sizes_of(dg_diag *d, dg_arena *a, const dg_data_spec *s, const char *first,
                     dg_shape *out)
{
    *out = s->size;
    if (s->size.rank == 3 && (s->size.dim[0] == 1 || s->size.dim[0] == 3)) return true;
    if (s->size.rank) {
        dg_error_at(d, "E443", s->path, "data.size of images is [1, H, W] or [3, H, W]");
        return false;
    }
    dg_png p;
    if (!dg_png_read(d, a, first, 3, &p)) return false;
    int64_t side = p.width < p.height ? p.width : p.height;
    free(p.pixels);
    *out = DG_SHAPE(3, side, side);
    return true;
}

bool dg_open_folder(dg_diag *d, dg_arena *a, const dg_data_spec *s, dg_reader *out)
{
    entries list = {0};
    int classes = 0;
    dg_shape shape;
    bool ok = list_classes(d, a, s->path, &list, &classes);
    if (ok && list.n == 0) {
        dg_message *m = dg_error_at(d, "E442", s->path, "holds no PNG images");
        dg_help_add(d, m, "other formats are converted first; JPEG is not read");
        ok = false;
    }
    ok = ok && sizes_of(d, a, s, list.at[0].path, &shape);
    if (!ok) {
        dg_vec_free(&list);
        return false;
    }
    dg_pixels *p = DG_NEW(a, dg_pixels);
    p->each = dg_shape_count(&shape);
    p->room = list.n * (size_t)p->each;
    p->bytes = dg_large_alloc(p->room);
    if (!p->bytes) ok = dg_error_at(d, "E601", s->path, "no memory for %zu images", list.n) == NULL;
    if (classes) p->labels = DG_NEW_ARRAY(a, int32_t, list.n);
    for (size_t i = 0; ok && i < list.n; i++) {
        dg_png image;
        ok = dg_png_read(d, a, list.at[i].path, (int)shape.dim[0], &image);
        if (!ok) break;
        scale(&image, shape.dim[1], shape.dim[2], p->bytes + i * (size_t)p->each);
        free(image.pixels);
        if (p->labels) p->labels[i] = list.at[i].label;
    }
    *out = (dg_reader){.count = (int64_t)list.n,
                       .shape = shape,
                       .classes = classes,
                       .image = true,
                       .fetch = dg_pixels_fetch,
                       .close = dg_pixels_close,
                       .self = p};
    if (!ok) dg_pixels_close(p);
    dg_vec_free(&list);
    return ok;
}

/* npy_data.c: a NumPy array as a data set: axis 0 counts samples.
 *
 * In     x.npy, or a folder that holds data.npy, x.npy or images.npy; labels beside it:
 * NAME-labels.npy, NAME_labels.npy, or labels.npy or y.npy in the folder. Out    uint8 arrays of
 * rank 3 ([N, H, W]) and 4 ([N, C, H, W]) are images; all other numbers are given as they are. */
#include "runtime/data/npy.h"
#include "runtime/data/pixels.h"

#include "compiler/base/os.h"

#include <string.h>

typedef struct array {
    dg_npy npy;
    int64_t each;
    int32_t *labels;
} array;

static void fetch(const void *self, uint64_t seed, int64_t i, float *out, int32_t *label)
{
    const array *x = self;
    (void)seed;
    for (int64_t k = 0; k < x->each; k++) {
        int64_t at = i * x->each + k;
        switch (x->npy.type.dtype) {
        case DG_F32:
            out[k] = ((const float *)x->npy.data)[at];
            break;
        case DG_F64:
            out[k] = (float)((const double *)x->npy.data)[at];
            break;
        case DG_I32:
            out[k] = (float)((const int32_t *)x->npy.data)[at];
            break;
        default:
            out[k] = (float)((const uint8_t *)x->npy.data)[at];
            break;
        }
    }
    *label = x->labels ? x->labels[i] : 0;
}

static void fetch_bytes(const void *self, uint64_t seed, int64_t i, float *out, int32_t *label)
{
    const array *x = self;
    fetch(self, seed, i, out, label);
    for (int64_t k = 0; k < x->each; k++) out[k] /= 255.0F;
}

static const char *first_there(dg_arena *a, const char *folder, const char *const *names)
{
    for (int i = 0; names[i]; i++) {
        char *path = dg_path_join(a, folder, names[i]);
        if (dg_path_exists(path)) return path;
    }
    return NULL;
}

static const char *labels_beside(dg_arena *a, const dg_data_spec *s, const char *data)
{
    static const char *const in_folder[] = {"labels.npy", "y.npy", NULL};
    if (dg_path_is_folder(s->path)) return first_there(a, s->path, in_folder);
    const char *base = dg_path_base(data);
    int stem = (int)(strlen(base) - (strlen(base) > 4 ? 4 : 0));
    const char *const names[] = {dg_arena_printf(a, "%.*s-labels.npy", stem, base),
                                 dg_arena_printf(a, "%.*s_labels.npy", stem, base), NULL};
    return first_there(a, dg_path_folder(a, data), names);
}

static bool add_labels(dg_diag *d, dg_arena *a, const char *path, array *x, dg_reader *out)
{
    dg_npy y;
    if (!dg_npy_read(d, a, path, &y)) return false;
    if (y.type.shape.rank != 1 || dg_dtype_is_float(y.type.dtype)) {
        dg_error_at(d, "E452", path, "labels are whole numbers in one row");
        return false;
    }
    int64_t n = y.type.shape.dim[0];
    x->labels = DG_NEW_ARRAY(a, int32_t, n);
    for (int64_t i = 0; i < n; i++)
        x->labels[i] =
            y.type.dtype == DG_I32 ? ((const int32_t *)y.data)[i] : ((const uint8_t *)y.data)[i];
    out->classes = dg_labels_check(d, a, path, 0, 0, x->labels, n, out->count);
    return out->classes > 0;
}

bool dg_open_npy(dg_diag *d, dg_arena *a, const dg_data_spec *s, dg_reader *out)
{
    static const char *const names[] = {"data.npy", "x.npy", "images.npy", NULL};
    const char *path = dg_path_is_folder(s->path) ? first_there(a, s->path, names) : s->path;
    if (!path) {
        dg_error_at(d, "E442", s->path, "holds none of data.npy, x.npy, images.npy");
        return false;
    }
    array *x = DG_NEW(a, array);
    if (!dg_npy_read(d, a, path, &x->npy)) return false;
    const dg_shape *all = &x->npy.type.shape;
    int64_t n = dg_shape_count(all);
    if (all->rank < 1 || n == 0) {
        dg_error_at(d, "E452", path,
                    "a data set needs one axis at least, that counts the samples, and one sample");
        return false;
    }
    bool bytes = x->npy.type.dtype == DG_U8 && (all->rank == 3 || all->rank == 4);
    *out = (dg_reader){
        .count = all->dim[0], .image = bytes, .fetch = bytes ? fetch_bytes : fetch, .self = x};
    if (bytes && all->rank == 3) out->shape.dim[out->shape.rank++] = 1;
    for (int i = 1; i < all->rank; i++) out->shape.dim[out->shape.rank++] = all->dim[i];
    x->each = n / all->dim[0];
    const char *labels = labels_beside(a, s, path);
    return !labels || add_labels(d, a, labels, x, out);
}

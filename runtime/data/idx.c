/* idx.c: IDX files, the format of MNIST: a header of 4 bytes and big-endian sizes, then the data.
 *
 * In     an image file or a folder that holds one (train-images-idx3-ubyte), plain or gzip; labels
 *        are found beside it (images -> labels, idx3 -> idx1).
 * Out    samples [C, H, W] as bytes.
 * Keeps  nothing is allocated before the header is checked, and never more than it promises plus
 *        one block, so that a gzip bomb stops at its first byte too many. */
#include "runtime/data/pixels.h"

#include "compiler/base/os.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

typedef struct idx {
    dg_shape shape; /* all axes */
    size_t header;  /* bytes */
    uint8_t *bytes; /* of the data; from dg_large_alloc */
    size_t length;
} idx;

enum { MAX_HEADER = 4 + 4 * 4 };
static const uint64_t MAX_DATA = (uint64_t)8 << 30;

__attribute__((format(printf, 5, 6))) static bool refuse(dg_diag *d, dg_arena *a, const char *path,
                                                         size_t offset, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *what = dg_arena_vprintf(a, format, args);
    va_end(args);
    dg_error_at(d, "E441", dg_arena_printf(a, "%s@%zu", path, offset), "%s", what);
    return false;
}

static bool read_header(dg_diag *d, dg_arena *a, const char *path, const uint8_t *h, size_t n,
                        idx *out)
{
    if (n < 4) return refuse(d, a, path, n, "the file ends inside its header of 4 bytes");
    if (h[0] || h[1])
        return refuse(d, a, path, 0, "not an IDX file: it begins with %02x %02x, not with 00 00",
                      h[0], h[1]);
    if (h[2] != 8)
        return refuse(d, a, path, 2, "numbers of type 0x%02x; unsigned bytes (0x08) are read",
                      h[2]);
    int rank = h[3];
    if (rank != 1 && rank != 3 && rank != 4)
        return refuse(d, a, path, 3, "%d axes; labels have 1, images 3 or 4", rank);
    out->header = 4 + 4 * (size_t)rank;
    if (n < out->header)
        return refuse(d, a, path, n, "the file ends inside its header of %zu bytes", out->header);
    out->shape.rank = rank;
    uint64_t product = 1;
    for (int i = 0; i < rank; i++) {
        const uint8_t *at = h + 4 + 4 * i;
        uint32_t dim = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
        if (dim == 0) return refuse(d, a, path, 4 + 4 * (size_t)i, "axis %d has size 0", i);
        product *= dim;
        if (product > MAX_DATA || (i > 0 && dim > 65536))
            return refuse(d, a, path, 4 + 4 * (size_t)i,
                          "axis %d of size %u makes more data than is read (8 GiB)", i, dim);
        out->shape.dim[i] = dim;
    }
    out->length = (size_t)product;
    return true;
}

static bool too_short(dg_diag *d, dg_arena *a, const char *path, const idx *f, size_t have)
{
    dg_text dims = {0};
    for (int i = 0; i < f->shape.rank; i++)
        dg_text_add(&dims, "%s%lld", i ? " x " : "", (long long)f->shape.dim[i]);
    refuse(d, a, path, f->header, "data ends at byte %zu, header promises %zu (%s)",
           f->header + have, f->header + f->length, dims.at);
    dg_text_free(&dims);
    return false;
}

static bool take_memory(dg_diag *d, const char *path, idx *f)
{
    f->bytes = dg_large_alloc(f->length);
    char text[32];
    if (!f->bytes)
        dg_error_at(d, "E601", path, "no memory for %s of data", dg_bytes_text(f->length, text));
    return f->bytes != NULL;
}

static bool read_plain(dg_diag *d, dg_arena *a, const char *path, const dg_file *file, idx *f)
{
    if (!read_header(d, a, path, file->bytes, file->length, f)) return false;
    size_t have = file->length - f->header;
    if (have < f->length) return too_short(d, a, path, f, have);
    if (have > f->length)
        return refuse(d, a, path, f->header + f->length, "%zu bytes follow the last sample",
                      have - f->length);
    if (!take_memory(d, path, f)) return false;
    memcpy(f->bytes, file->bytes + f->header, f->length);
    return true;
}

/* Up to n bytes; fewer at the end of the stream. False on damaged data. */
static bool inflate_some(z_stream *z, uint8_t *out, size_t n, size_t *got, bool *end)
{
    *got = 0;
    while (*got < n && !*end) {
        size_t want = n - *got < ((size_t)1 << 30) ? n - *got : (size_t)1 << 30;
        z->next_out = out + *got;
        z->avail_out = (uInt)want;
        int code = inflate(z, Z_NO_FLUSH);
        *got += want - z->avail_out;
        *end = code == Z_STREAM_END;
        if (code != Z_OK && !*end) return false;
    }
    return true;
}

static bool read_stream(dg_diag *d, dg_arena *a, const char *path, z_stream *z, idx *f)
{
    uint8_t head[MAX_HEADER], extra;
    size_t got, more;
    bool end = false;
    if (!inflate_some(z, head, 4, &got, &end))
        return refuse(d, a, path, z->total_in, "the gzip data is damaged here");
    size_t rest = got == 4 && head[3] <= 4 ? 4 * (size_t)head[3] : 0;
    if (!inflate_some(z, head + 4, rest, &more, &end))
        return refuse(d, a, path, z->total_in, "the gzip data is damaged here");
    if (!read_header(d, a, path, head, got + more, f) || !take_memory(d, path, f)) return false;
    if (!inflate_some(z, f->bytes, f->length, &got, &end) && z->avail_in > 0)
        return refuse(d, a, path, z->total_in, "the gzip data is damaged here");
    if (got < f->length) return too_short(d, a, path, f, got);
    more = 0;
    if (!end && !inflate_some(z, &extra, 1, &more, &end))
        return refuse(d, a, path, z->total_in,
                      "the gzip data ends without its checksum, or the checksum is wrong");
    if (more) return refuse(d, a, path, f->header + f->length, "bytes follow the last sample");
    return true;
}

static bool read_gzip(dg_diag *d, dg_arena *a, const char *path, const dg_file *file, idx *f)
{
    z_stream z = {0};
    if (file->length > UINT32_MAX) return refuse(d, a, path, 0, "a gzip file of more than 4 GiB");
    /* Deflate packs at most 1032:1, so a small file cannot be asked for much memory. */
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) {
        dg_error_at(d, "E601", path, "no memory to unpack it");
        return false;
    }
    z.next_in = (Bytef *)(uintptr_t)file->bytes;
    z.avail_in = (uInt)file->length;
    bool ok = read_stream(d, a, path, &z, f);
    inflateEnd(&z);
    return ok;
}

static bool read_idx(dg_diag *d, dg_arena *a, const char *path, idx *f)
{
    dg_file file;
    *f = (idx){0};
    if (!dg_file_map(d, path, &file)) return false;
    bool gzip = file.length > 2 && file.bytes[0] == 0x1f && file.bytes[1] == 0x8b;
    bool ok = gzip ? read_gzip(d, a, path, &file, f) : read_plain(d, a, path, &file, f);
    dg_file_close(&file);
    if (!ok && f->bytes) dg_large_free(f->bytes, f->length);
    return ok;
}

/* ---- finding the files ---- */

static const char *images_in(dg_diag *d, dg_arena *a, const char *folder)
{
    char **names;
    size_t n;
    if (!dg_folder_list(d, a, folder, &names, &n)) return NULL;
    const char *found = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!strstr(names[i], "images") || !strstr(names[i], "idx3-ubyte")) continue;
        if (!found || strstr(names[i], "train")) found = names[i];
        if (strstr(names[i], "train")) break;
    }
    if (found) return dg_path_join(a, folder, found);
    dg_error_at(d, "E442", folder, "holds no image file as train-images-idx3-ubyte or with .gz");
    return NULL;
}

static char *replace(dg_arena *a, const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    if (!at) return NULL;
    return dg_arena_printf(a, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

/* train-images-idx3-ubyte.gz -> train-labels-idx1-ubyte.gz, or the same with or without .gz. */
static const char *labels_beside(dg_arena *a, const char *images)
{
    char *folder = dg_path_folder(a, images);
    char *name = replace(a, dg_path_base(images), "images", "labels");
    if (!name) return NULL;
    char *one = replace(a, name, "idx3", "idx1");
    if (one) name = one;
    size_t n = strlen(name);
    bool gz = n > 3 && strcmp(name + n - 3, ".gz") == 0;
    char *other = gz ? dg_arena_text(a, name, n - 3) : dg_arena_printf(a, "%s.gz", name);
    char *path = dg_path_join(a, folder, name);
    if (dg_path_exists(path)) return path;
    path = dg_path_join(a, folder, other);
    return dg_path_exists(path) ? path : NULL;
}

static bool add_labels(dg_diag *d, dg_arena *a, const char *images, dg_pixels *p, dg_reader *out)
{
    const char *path = labels_beside(a, images);
    idx f;
    if (!path) return true;
    if (!read_idx(d, a, path, &f)) return false;
    bool ok = f.shape.rank == 1 || refuse(d, a, path, 3, "%d axes; labels have 1", f.shape.rank);
    if (ok) {
        p->labels = DG_NEW_ARRAY(a, int32_t, f.length);
        for (size_t i = 0; i < f.length; i++) p->labels[i] = f.bytes[i];
        out->classes =
            dg_labels_check(d, a, path, f.header, 1, p->labels, (int64_t)f.length, out->count);
        ok = out->classes > 0;
    }
    dg_large_free(f.bytes, f.length);
    return ok;
}

bool dg_open_idx(dg_diag *d, dg_arena *a, const dg_data_spec *s, dg_reader *out)
{
    const char *images = dg_path_is_folder(s->path) ? images_in(d, a, s->path) : s->path;
    idx f;
    if (!images || !read_idx(d, a, images, &f)) return false;
    dg_pixels *p = DG_NEW(a, dg_pixels);
    const int64_t *dim = f.shape.dim;
    bool ok = f.shape.rank >= 3 || refuse(d, a, images, 3, "1 axis: these are labels, not images");
    *p = (dg_pixels){.bytes = f.bytes, .room = f.length};
    if (ok) {
        p->each = (int64_t)f.length / dim[0];
        *out = (dg_reader){.count = dim[0],
                           .shape = f.shape.rank == 3 ? DG_SHAPE(1, dim[1], dim[2])
                                                      : DG_SHAPE(dim[1], dim[2], dim[3]),
                           .image = true,
                           .fetch = dg_pixels_fetch,
                           .close = dg_pixels_close,
                           .self = p};
        ok = add_labels(d, a, images, p, out);
    }
    if (!ok) dg_pixels_close(p);
    return ok;
}

/* dataset.c: finds the format, then applies the `data` section to what the reader gives.
 *
 * In     the section; a reader's samples by index.
 * Out    batches by position: order, part, mirroring and dequantisation are drawn by counter from
 *        (seed, position), so that the sequence has no state. */
#include "runtime/data/dataset.h"

#include "compiler/base/os.h"
#include "compiler/base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- formats ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static bool first_bytes(dg_arena *a, const char *path, const char *magic, size_t n)
{
    (void)a;
    FILE *f = fopen(path, "rb");
    char head[8] = {0};
    bool is = f && fread(head, 1, n, f) == n && memcmp(head, magic, n) == 0;
    if (f) fclose(f);
    return is;
}

static bool folder_has(dg_arena *a, const char *path, const char *part, const char *end)
{
    char **names;
    size_t n;
    dg_diag *quiet = dg_diag_new(a, NULL);
    if (!dg_folder_list(quiet, a, path, &names, &n)) return false;
    for (size_t i = 0; i < n; i++)
        if ((!part || strstr(names[i], part)) && (!end || ends_with(names[i], end))) return true;
    return false;
}

static bool is_idx(dg_arena *a, const char *path)
{
    if (dg_path_is_folder(path)) return folder_has(a, path, "idx3-ubyte", NULL);
    return first_bytes(a, path, "\0\0\x08", 3) || first_bytes(a, path, "\x1f\x8b", 2);
}

static bool is_npy(dg_arena *a, const char *path)
{
    if (dg_path_is_folder(path)) return folder_has(a, path, NULL, ".npy");
    return first_bytes(a, path, "\x93NUMPY", 6);
}

static bool is_folder(dg_arena *a, const char *path)
{
    (void)a;
    return dg_path_is_folder(path);
}

/* In the order in which a path is tried; generated kinds have no `is`. */
static const struct format {
    const char *kind;
    bool (*is)(dg_arena *a, const char *path);
    dg_reader_open *open;
} formats[] = {
    {"idx", is_idx, dg_open_idx},
    {"npy", is_npy, dg_open_npy},
    {"folder", is_folder, dg_open_folder},
    {"swiss_roll", NULL, dg_open_points},
    {"two_moons", NULL, dg_open_points},
    {"eight_gaussians", NULL, dg_open_points},
    {"heartbeat", NULL, dg_open_points},
    {"sketch_digits", NULL, dg_open_sketch},
    {"colour_shapes", NULL, dg_open_shapes},
};
enum { N_FORMATS = sizeof formats / sizeof *formats };

const char *const *dg_data_kinds(void)
{
    static const char *const kinds[] = {
        "idx",       "npy",           "folder",        "swiss_roll", "two_moons", "eight_gaussians",
        "heartbeat", "sketch_digits", "colour_shapes", NULL};
    _Static_assert(sizeof kinds / sizeof *kinds == N_FORMATS + 1, "one name for each format");
    return kinds;
}

bool dg_data_kind_generated(const char *kind)
{
    for (int i = 0; i < N_FORMATS; i++)
        if (strcmp(formats[i].kind, kind) == 0) return !formats[i].is;
    return false;
}

static const struct format *find_format(dg_diag *d, dg_arena *a, const dg_data_spec *s)
{
    for (int i = 0; i < N_FORMATS; i++)
        if (strcmp(s->kind, formats[i].kind) == 0) return &formats[i];
    if (!dg_path_exists(s->path)) { /* the system's own words, with a suggestion */
        dg_file f;
        if (dg_file_map(d, s->path, &f)) dg_file_close(&f);
        return NULL;
    }
    for (int i = 0; i < N_FORMATS; i++)
        if (formats[i].is && formats[i].is(a, s->path)) return &formats[i];
    dg_message *m = dg_error_at(d, "E442", s->path, "no data format that is read");
    dg_help_add(d, m,
                "give an IDX file (also gzip), a .npy file, or a folder of these or of PNG images");
    return NULL;
}

/* ---- opening ---- */

static bool size_fits(dg_diag *d, const dg_data_spec *s, const dg_reader *r)
{
    if (s->size.rank == 0 || dg_shape_equal(&s->size, &r->shape)) return true;
    dg_text have = {0}, want = {0};
    dg_shape_text(&r->shape, &have);
    dg_shape_text(&s->size, &want);
    dg_message *m =
        dg_error_at(d, "E443", s->path ? s->path : s->kind,
                    "samples are %s, the run file's data.size says %s", have.at, want.at);
    dg_help_add(d, m, "data.size is the size before padding; leave it out to take what is there");
    dg_text_free(&have);
    dg_text_free(&want);
    return false;
}

/* Sizes after padding, parts of the split. */
static bool complete(dg_diag *d, dg_dataset *set)
{
    const dg_data_spec *s = &set->spec;
    const dg_reader *r = &set->reader;
    const char *place = s->path ? s->path : s->kind;
    set->shape = r->shape;
    set->classes = r->classes;
    if ((s->pad || s->flip || s->dequantize) && !r->image) {
        dg_error_at(d, "E443", place,
                    "pad, flip and dequantize are for images, these samples are none");
        return false;
    }
    for (int i = 1; r->image && i < 3; i++) set->shape.dim[i] += 2 * s->pad;
    if (r->count == 0) return true;
    set->n_train = llround((double)r->count * s->train_part);
    set->n_valid = llround((double)r->count * s->valid_part);
    if (set->n_train > r->count) set->n_train = r->count;
    if (set->n_valid > r->count - set->n_train) set->n_valid = r->count - set->n_train;
    if (set->n_train >= 1) return true;
    dg_error_at(d, "E443", place, "a train part of %g leaves none of the %lld samples",
                s->train_part, (long long)r->count);
    return false;
}

dg_dataset *dg_dataset_open(dg_diag *d, dg_arena *a, const dg_data_spec *s, uint64_t seed)
{
    const struct format *f = find_format(d, a, s);
    if (!f) return NULL;
    dg_dataset *set = DG_NEW(a, dg_dataset);
    set->kind = f->kind;
    set->spec = *s;
    set->spec.kind = f->kind;
    set->seed = seed;
    if (!f->open(d, a, &set->spec, &set->reader)) return NULL;
    if (size_fits(d, s, &set->reader) && complete(d, set)) return set;
    dg_dataset_close(set);
    return NULL;
}

void dg_dataset_close(dg_dataset *s)
{
    if (s && s->reader.close) s->reader.close(s->reader.self);
}

/* ---- batches ---- */

enum {
    STREAM_SPLIT = 0x73706c69,
    STREAM_ORDER = 0x6f726465,
    STREAM_FLIP = 0x666c6970,
    STREAM_DITHER = 0x64697468
};
/* Samples of an endless generator that no training run of less than 10^12 samples reaches. */
static const int64_t VALID_FIRST = (int64_t)1 << 40;

static uint64_t key_of(uint64_t seed, uint64_t stream, uint64_t n)
{
    uint64_t words[3] = {seed, stream, n};
    return dg_hash(words, sizeof words);
}

static int64_t index_at(const dg_dataset *s, dg_part part, uint64_t window, int64_t position)
{
    int64_t count = s->reader.count;
    uint64_t split = key_of(s->seed, STREAM_SPLIT, 0);
    if (count == 0) {
        /* A window of an endless generator begins far from every other. */
        int64_t base = part == DG_PART_VALID ? VALID_FIRST : (int64_t)(window << 32);
        return base + position;
    }
    if (part == DG_PART_ALL) return position % count;
    if (part == DG_PART_VALID) {
        int64_t i = s->n_train + position % (s->n_valid ? s->n_valid : 1);
        return (int64_t)dg_rng_permute(split, (uint64_t)i, (uint64_t)count);
    }
    uint64_t n = (uint64_t)s->n_train, epoch = (uint64_t)position / n;
    uint64_t i = dg_rng_permute(key_of(s->seed, STREAM_ORDER, epoch + (window << 32)),
                                (uint64_t)position % n, n);
    return n == (uint64_t)count ? (int64_t)i : (int64_t)dg_rng_permute(split, i, (uint64_t)count);
}

/* Reader's sample -> padded, mirrored, dithered, in range. `raw` is the reader's sample. */
static void finish_image(const dg_dataset *s, dg_part part, int64_t position, const float *raw,
                         float *out)
{
    const dg_shape *from = &s->reader.shape, *to = &s->shape;
    int64_t H = from->dim[1], W = from->dim[2], pad = s->spec.pad;
    float lo = (float)s->spec.range[0], span = (float)(s->spec.range[1] - s->spec.range[0]);
    bool mirror = false;
    if (s->spec.flip && part == DG_PART_TRAIN) {
        dg_rng r = {.key = key_of(s->seed, STREAM_FLIP, 0)};
        uint32_t word;
        dg_rng_words(&r, (uint64_t)position, 1, &word);
        mirror = word >> 31;
    }
    int64_t n = dg_shape_count(to), i = 0;
    float dither[64];
    dg_rng r = {.key = key_of(s->seed, STREAM_DITHER, (uint64_t)part)};
    for (int64_t c = 0; c < to->dim[0]; c++)
        for (int64_t y = 0; y < to->dim[1]; y++)
            for (int64_t x = 0; x < to->dim[2]; x++, i++) {
                int64_t fy = y - pad, fx = (mirror ? to->dim[2] - 1 - x : x) - pad;
                bool inside = fy >= 0 && fy < H && fx >= 0 && fx < W;
                float v = inside ? raw[(c * H + fy) * W + fx] : 0.0F;
                if (s->spec.dequantize) {
                    if (i % 64 == 0)
                        dg_rng_uniform(&r, (uint64_t)(position * n + i), n - i < 64 ? n - i : 64,
                                       dither);
                    v = (v * 255.0F + dither[i % 64]) / 256.0F;
                }
                out[i] = lo + span * v;
            }
}

void dg_dataset_batch(const dg_dataset *s, dg_part part, uint64_t window, int64_t first, int64_t n,
                      float *x, int32_t *labels)
{
    int64_t each = dg_shape_count(&s->shape);
    float *raw = NULL;
    if (s->reader.image) {
        raw = malloc((size_t)dg_shape_count(&s->reader.shape) * sizeof *raw);
        if (!raw) dg_out_of_memory();
    }
    for (int64_t i = 0; i < n; i++) {
        int32_t label = 0;
        float *out = x + i * each;
        int64_t at = index_at(s, part, window, first + i);
        s->reader.fetch(s->reader.self, s->seed, at, raw ? raw : out, &label);
        if (raw) finish_image(s, part, first + i, raw, out);
        if (labels) labels[i] = label;
    }
    free(raw);
}

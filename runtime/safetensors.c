/* safetensors.c: reads and writes the format; knows nothing of models. In: bytes. Out: named views
 * of them, or one clear error. */
#include "runtime/safetensors.h"

#include "compiler/base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_CAP = 100 << 20, ALIGN = 64 };

static const struct {
    const char *name;
    size_t size;
} dtypes[DG_ST_DTYPES] = {
    {"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8},
    {"I32", 4}, {"I16", 2}, {"I8", 1},  {"U8", 1},   {"BOOL", 1},
};

const char *dg_st_dtype_name(dg_st_dtype t)
{
    return dtypes[t].name;
}

size_t dg_st_dtype_size(dg_st_dtype t)
{
    return dtypes[t].size;
}

dg_st_dtype dg_st_dtype_of(dg_dtype t)
{
    static const dg_st_dtype of[DG_DTYPES] = {DG_ST_F32, DG_ST_F64, DG_ST_I32, DG_ST_U8,
                                              DG_ST_BOOL};
    return of[t];
}

typedef struct reader {
    dg_diag *diag;
    dg_arena *arena;
    const char *path;
    size_t data_begin, data_bytes;
} reader;

__attribute__((format(printf, 4, 5))) static bool refuse(reader *r, const char *id, size_t offset,
                                                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *what = dg_arena_vprintf(r->arena, format, args);
    va_end(args);
    dg_error_at(r->diag, id, dg_arena_printf(r->arena, "%s@%zu", r->path, offset), "%s", what);
    return false;
}

static const char *quoted(reader *r, const char *name)
{
    dg_text t = {0};
    dg_text_quote(&t, name, strlen(name));
    const char *copy = dg_arena_text(r->arena, t.at ? t.at : "", t.n);
    dg_text_free(&t);
    return copy;
}

/* Other formats under this name. A pickle runs code when it is loaded, so it is never read. */
static bool refuse_other_formats(reader *r, const uint8_t *b, size_t n)
{
    bool zip = n >= 4 && memcmp(b, "PK\3\4", 4) == 0,
         pickle = n >= 2 && b[0] == 0x80 && b[1] >= 2 && b[1] <= 5;
    if (zip || pickle) {
        dg_message *m = dg_error_at(r->diag, "E410", dg_arena_printf(r->arena, "%s@0", r->path),
                                    "this is a PyTorch %s, which holds code; dg never reads it",
                                    zip ? "archive (zip of pickles)" : "pickle");
        dg_help_add(r->diag, m,
                    "turn it into safetensors where you trust it, in Python:\n"
                    "        import torch; from safetensors.torch import save_file\n"
                    "        state = torch.load(\"%s\", map_location=\"cpu\", weights_only=True)\n"
                    "        save_file({k: v.contiguous() for k, v in state.items()}, "
                    "\"model.safetensors\")",
                    dg_path_base(r->path));
        return false;
    }
    if (n >= 4 && memcmp(b, "GGUF", 4) == 0)
        return refuse(r, "E411", 0, "this is a GGUF file, dg reads safetensors");
    if (n >= 8 && memcmp(b, "\x89HDF\r\n\x1a\n", 8) == 0)
        return refuse(r, "E411", 0, "this is an HDF5 file, dg reads safetensors");
    return true;
}

static bool read_shape(reader *r, const char *name, json_t *shape, dg_st_tensor *t)
{
    if (!json_is_array(shape))
        return refuse(r, "E413", 8, "tensor \"%s\": shape must be a list of whole numbers",
                      quoted(r, name));
    size_t rank = json_array_size(shape);
    if (rank > DG_MAX_RANK)
        return refuse(r, "E413", 8, "tensor \"%s\": rank %zu, dg has at most %d axes",
                      quoted(r, name), rank, DG_MAX_RANK);
    t->shape.rank = (int)rank;
    uint64_t count = 1;
    for (size_t i = 0; i < rank; i++) {
        json_t *dim = json_array_get(shape, i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return refuse(r, "E413", 8,
                          "tensor \"%s\": axis %zu of its shape is no whole number from 0",
                          quoted(r, name), i);
        uint64_t n = (uint64_t)json_integer_value(dim);
        t->shape.dim[i] = (int64_t)n;
        if (__builtin_mul_overflow(count, n, &count) || count > (uint64_t)1 << 47)
            return refuse(r, "E413", 8, "tensor \"%s\": its shape has more elements than any file",
                          quoted(r, name));
    }
    t->bytes = (size_t)count * dtypes[t->dtype].size;
    return true;
}

static bool read_offsets(reader *r, const char *name, json_t *offsets, dg_st_tensor *t)
{
    if (!json_is_array(offsets) || json_array_size(offsets) != 2 ||
        !json_is_integer(json_array_get(offsets, 0)) ||
        !json_is_integer(json_array_get(offsets, 1)))
        return refuse(r, "E414", 8, "tensor \"%s\": data_offsets must be two whole numbers",
                      quoted(r, name));
    int64_t begin = json_integer_value(json_array_get(offsets, 0)),
            end = json_integer_value(json_array_get(offsets, 1));
    if (begin < 0 || end < begin || (uint64_t)end > r->data_bytes)
        return refuse(r, "E414", 8,
                      "tensor \"%s\": data_offsets [%" PRId64 ", %" PRId64
                      "] are not inside the %zu bytes of data",
                      quoted(r, name), begin, end, r->data_bytes);
    if ((uint64_t)(end - begin) != t->bytes) {
        dg_text shape = {0};
        dg_shape_text(&t->shape, &shape);
        refuse(r, "E415", 8,
               "tensor \"%s\": shape %s of %s needs %zu bytes, data_offsets span %" PRId64,
               quoted(r, name), shape.at, dtypes[t->dtype].name, t->bytes, end - begin);
        dg_text_free(&shape);
        return false;
    }
    t->offset = r->data_begin + (size_t)begin;
    return true;
}

static bool read_tensor(reader *r, const char *name, json_t *entry, const uint8_t *bytes,
                        dg_st_tensor *t)
{
    if (!json_is_object(entry))
        return refuse(r, "E413", 8, "tensor \"%s\": its entry is not an object", quoted(r, name));
    static const char *const fields[] = {"dtype", "shape", "data_offsets"};
    for (int i = 0; i < 3; i++)
        if (!json_object_get(entry, fields[i]))
            return refuse(r, "E413", 8, "tensor \"%s\": \"%s\" is missing", quoted(r, name),
                          fields[i]);
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    t->dtype = DG_ST_DTYPES;
    for (dg_st_dtype i = 0; dtype && i < DG_ST_DTYPES; i++)
        if (strcmp(dtype, dtypes[i].name) == 0) t->dtype = i;
    if (t->dtype == DG_ST_DTYPES)
        return refuse(
            r, "E416", 8,
            "tensor \"%s\": dtype \"%s\" is not one of F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL",
            quoted(r, name), dtype ? quoted(r, dtype) : "?");
    t->name = dg_arena_text(r->arena, name, strlen(name));
    if (!read_shape(r, name, json_object_get(entry, "shape"), t)) return false;
    if (!read_offsets(r, name, json_object_get(entry, "data_offsets"), t)) return false;
    t->data = bytes + t->offset;
    return true;
}

static bool read_meta(reader *r, json_t *meta, dg_st_file *out)
{
    if (!json_is_object(meta))
        return refuse(r, "E413", 8, "__metadata__ is not an object of texts");
    out->meta = DG_NEW_ARRAY(r->arena, const char *, 2 * json_object_size(meta) + 1);
    const char *key;
    json_t *value;
    json_object_foreach(meta, key, value)
    {
        if (!json_is_string(value))
            return refuse(r, "E413", 8, "__metadata__ \"%s\" is not a text", quoted(r, key));
        out->meta[2 * out->n_meta] = dg_arena_text(r->arena, key, strlen(key));
        out->meta[2 * out->n_meta + 1] =
            dg_arena_text(r->arena, json_string_value(value), json_string_length(value));
        out->n_meta++;
    }
    return true;
}

static int by_offset(const void *pa, const void *pb)
{
    const dg_st_tensor *a = pa, *b = pb;
    if (a->offset != b->offset) return a->offset < b->offset ? -1 : 1;
    if (a->bytes != b->bytes) return a->bytes < b->bytes ? -1 : 1; /* empty tensors first */
    return strcmp(a->name, b->name);
}

/* The data must be covered exactly once, as the format demands: a hole could hide bytes, an overlap
 * could alias weights. */
static bool check_cover(reader *r, const dg_st_file *f)
{
    size_t at = r->data_begin;
    for (int i = 0; i < f->n; i++) {
        const dg_st_tensor *t = &f->tensors[i];
        if (t->offset < at)
            return refuse(r, "E417", t->offset,
                          "tensor \"%s\" overlaps the one before it by %zu bytes",
                          quoted(r, t->name), at - t->offset);
        if (t->offset > at)
            return refuse(r, "E417", at, "%zu bytes before tensor \"%s\" belong to none",
                          t->offset - at, quoted(r, t->name));
        at += t->bytes;
    }
    size_t end = r->data_begin + r->data_bytes;
    if (at != end)
        return refuse(r, "E417", at, "%zu bytes behind the last tensor belong to none", end - at);
    return true;
}

static bool read_header(reader *r, json_t *root, const uint8_t *bytes, dg_st_file *out)
{
    if (!json_is_object(root)) return refuse(r, "E412", 8, "the header is not a JSON object");
    out->tensors = DG_NEW_ARRAY(r->arena, dg_st_tensor, json_object_size(root) + 1);
    const char *name;
    json_t *entry;
    json_object_foreach(root, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0) {
            if (!read_meta(r, entry, out)) return false;
        } else if (read_tensor(r, name, entry, bytes, &out->tensors[out->n])) {
            out->n++;
        } else {
            return false;
        }
    }
    if (out->n) qsort(out->tensors, (size_t)out->n, sizeof *out->tensors, by_offset);
    return check_cover(r, out);
}

bool dg_st_parse(dg_diag *d, dg_arena *a, const char *path, const uint8_t *bytes, size_t length,
                 dg_st_file *out)
{
    reader r = {d, a, path, 0, 0};
    memset(out, 0, sizeof *out);
    out->path = path;
    if (!refuse_other_formats(&r, bytes, length)) return false;
    if (length < 8)
        return refuse(&r, "E412", length,
                      "the file ends after %zu bytes, a safetensors file begins with 8 bytes of "
                      "header length",
                      length);
    uint64_t header = 0;
    for (int i = 7; i >= 0; i--) header = header << 8 | bytes[i];
    if (header > HEADER_CAP)
        return refuse(&r, "E412", 0,
                      "the header length is %" PRIu64
                      " bytes; more than 100 MB, so this is no safetensors file",
                      header);
    if (header > length - 8)
        return refuse(&r, "E412", 0,
                      "the header length is %" PRIu64 " bytes, the file has %zu after it", header,
                      length - 8);
    if (header < 2 || bytes[8] != '{')
        return refuse(&r, "E412", 8, "the header does not begin with '{'");
    r.data_begin = 8 + (size_t)header;
    r.data_bytes = length - r.data_begin;
    size_t text = (size_t)header; /* trailing spaces are padding */
    while (text > 0 && bytes[8 + text - 1] == ' ') text--;
    json_t *root = dg_json_read(d, "E412", path, (const char *)bytes + 8, text);
    if (!root) return false;
    bool ok = read_header(&r, root, bytes, out);
    json_decref(root);
    return ok;
}

bool dg_st_open(dg_diag *d, dg_arena *a, const char *path, dg_st_file *out)
{
    dg_file file;
    memset(out, 0, sizeof *out);
    if (!dg_file_map(d, path, &file)) return false;
    if (!dg_st_parse(d, a, path, file.bytes, file.length, out)) {
        dg_file_close(&file);
        return false;
    }
    out->file = file;
    return true;
}

void dg_st_close(dg_st_file *f)
{
    dg_file_close(&f->file);
}

const dg_st_tensor *dg_st_find(const dg_st_file *f, const char *name)
{
    for (int i = 0; i < f->n; i++)
        if (strcmp(f->tensors[i].name, name) == 0) return &f->tensors[i];
    return NULL;
}

const char *dg_st_meta(const dg_st_file *f, const char *key)
{
    for (int i = 0; i < f->n_meta; i++)
        if (strcmp(f->meta[2 * i], key) == 0) return f->meta[2 * i + 1];
    return NULL;
}

static float half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 1023;
    if (exponent == 0) { /* zero and subnormals: mantissa * 2^-24 */
        float f = (float)mantissa * 0x1p-24F;
        return sign ? -f : f;
    }
    uint32_t bits = sign | (exponent == 31 ? 0x7F800000U : (exponent + 112) << 23) | mantissa << 13;
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

/* One number as a double (exact for every file dtype but whole numbers above 2^53) and, for whole
 * types, as int64. */
static double number_at(const dg_st_tensor *t, int64_t i, int64_t *whole)
{
    const uint8_t *p = t->data + (size_t)i * dtypes[t->dtype].size;
    uint64_t raw = 0;
    memcpy(&raw, p, dtypes[t->dtype].size); /* little-endian hosts only, as everywhere in dg */
    double f64;
    float f32;
    uint32_t low;
    switch (t->dtype) {
    case DG_ST_F64:
        memcpy(&f64, &raw, 8);
        return f64;
    case DG_ST_F32:
        low = (uint32_t)raw;
        memcpy(&f32, &low, 4);
        return (double)f32;
    case DG_ST_F16:
        return (double)half_to_float((uint16_t)raw);
    case DG_ST_BF16:
        low = (uint32_t)raw << 16;
        memcpy(&f32, &low, 4);
        return (double)f32;
    case DG_ST_I64:
        *whole = (int64_t)raw;
        break;
    case DG_ST_I32:
        *whole = (int32_t)(uint32_t)raw;
        break;
    case DG_ST_I16:
        *whole = (int16_t)(uint16_t)raw;
        break;
    case DG_ST_I8:
        *whole = (int8_t)(uint8_t)raw;
        break;
    default:
        *whole = (int64_t)raw;
        break;
    }
    return (double)*whole;
}

bool dg_st_convert(const dg_st_tensor *t, dg_dtype to, void *out, int64_t *bad)
{
    int64_t n = dg_shape_count(&t->shape);
    if (dg_st_dtype_of(to) == t->dtype && to != DG_BOOL) {
        memcpy(out, t->data, t->bytes);
        return true;
    }
    bool is_float = t->dtype <= DG_ST_BF16;
    for (int64_t i = 0; i < n; i++) {
        int64_t whole = 0;
        double v = number_at(t, i, &whole);
        if (is_float && !dg_dtype_is_float(to)) {
            if (!(v >= -9e15 && v <= 9e15) || v != floor(v)) return *bad = i, false;
            whole = (int64_t)v;
        }
        switch (to) {
        case DG_F32:
            ((float *)out)[i] = (float)v;
            break;
        case DG_F64:
            ((double *)out)[i] = v;
            break;
        case DG_I32:
            if (whole < INT32_MIN || whole > INT32_MAX) return *bad = i, false;
            ((int32_t *)out)[i] = (int32_t)whole;
            break;
        case DG_U8:
            if (whole < 0 || whole > 255) return *bad = i, false;
            ((uint8_t *)out)[i] = (uint8_t)whole;
            break;
        default:
            ((uint8_t *)out)[i] = whole != 0;
            break;
        }
    }
    return true;
}

/* ---- writing ---- */

typedef struct writer {
    const dg_text *header;
    const dg_st_out *tensors;
    int n;
} writer;

static size_t bytes_of(const dg_st_out *t)
{
    return (size_t)dg_shape_count(&t->shape) * dtypes[t->dtype].size;
}

static bool write_parts(int fd, void *ctx)
{
    const writer *w = ctx;
    uint8_t length[8];
    for (int i = 0; i < 8; i++) length[i] = (uint8_t)((uint64_t)w->header->n >> 8 * i);
    if (!dg_write_all(fd, length, 8) || !dg_write_all(fd, w->header->at, w->header->n))
        return false;
    for (int i = 0; i < w->n; i++)
        if (!dg_write_all(fd, w->tensors[i].data, bytes_of(&w->tensors[i]))) return false;
    return true;
}

bool dg_st_write(dg_diag *d, const char *path, const dg_st_out *tensors, int n,
                 const char *const *meta, int n_meta)
{
    dg_json_writer w = {0};
    dg_json_open(&w, '{');
    if (n_meta) {
        dg_json_key(&w, "__metadata__");
        dg_json_open(&w, '{');
        for (int i = 0; i < n_meta; i++) {
            dg_json_key(&w, meta[2 * i]);
            dg_json_string(&w, meta[2 * i + 1]);
        }
        dg_json_close(&w, '}');
    }
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        dg_json_key(&w, tensors[i].name);
        dg_json_open(&w, '{');
        dg_json_string_field(&w, "dtype", dtypes[tensors[i].dtype].name);
        dg_json_key(&w, "shape");
        dg_json_open(&w, '[');
        for (int k = 0; k < tensors[i].shape.rank; k++) dg_json_int(&w, tensors[i].shape.dim[k]);
        dg_json_close(&w, ']');
        dg_json_key(&w, "data_offsets");
        dg_json_open(&w, '[');
        dg_json_int(&w, (int64_t)at);
        at += bytes_of(&tensors[i]);
        dg_json_int(&w, (int64_t)at);
        dg_json_close(&w, ']');
        dg_json_close(&w, '}');
    }
    dg_json_close(&w, '}');
    while ((8 + w.text.n) % ALIGN) dg_text_addn(&w.text, " ", 1);
    writer parts = {&w.text, tensors, n};
    bool ok = dg_file_replace_with(d, path, write_parts, &parts);
    dg_text_free(&w.text);
    return ok;
}

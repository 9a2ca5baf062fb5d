/* npy.c: NumPy arrays in and out. In: bytes and their number. Out: a packed array of one of our
 * dtypes, or one clear error. */
#include "runtime/data/npy.h"

#include "compiler/base/os.h"

#include <stdlib.h>
#include <string.h>

typedef struct parser {
    dg_diag *diag;
    dg_arena *arena;
    const char *name;
    const uint8_t *bytes;
    size_t at, end; /* of the header's text */
} parser;

__attribute__((format(printf, 4, 5))) static bool refuse(parser *p, const char *id, size_t offset,
                                                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *what = dg_arena_vprintf(p->arena, format, args);
    va_end(args);
    dg_error_at(p->diag, id, dg_arena_printf(p->arena, "%s@%zu", p->name, offset), "%s", what);
    return false;
}

static void skip_space(parser *p)
{
    while (p->at < p->end && (p->bytes[p->at] == ' ' || p->bytes[p->at] == '\n')) p->at++;
}

static bool take(parser *p, char c)
{
    skip_space(p);
    if (p->at >= p->end || p->bytes[p->at] != (uint8_t)c) return false;
    p->at++;
    return true;
}

/* 'text' or "text", without escapes. */
static bool quoted(parser *p, const char **text, size_t *n)
{
    skip_space(p);
    if (p->at >= p->end || (p->bytes[p->at] != '\'' && p->bytes[p->at] != '"')) return false;
    uint8_t quote = p->bytes[p->at++];
    *text = (const char *)p->bytes + p->at;
    const uint8_t *close = memchr(*text, quote, p->end - p->at);
    if (!close) return false;
    *n = (size_t)((const char *)close - *text);
    p->at += *n + 1;
    return true;
}

static bool word(parser *p, const char *w)
{
    skip_space(p);
    size_t n = strlen(w);
    if (p->end - p->at < n || memcmp(p->bytes + p->at, w, n) != 0) return false;
    p->at += n;
    return true;
}

typedef struct header {
    char kind; /* f i u b */
    int size;  /* bytes of a number */
    bool swapped, fortran;
    dg_shape shape;
} header;

static bool read_descr(parser *p, header *h)
{
    size_t at = p->at, n;
    const char *t;
    if (!quoted(p, &t, &n)) return refuse(p, "E453", at, "structured types are not read");
    char order = n ? t[0] : 0;
    if (n != 3 || !strchr("<>|=", order) || !strchr("fiub", t[1]) || t[2] < '1' || t[2] > '8') {
        dg_text q = {0};
        dg_text_quote(&q, t, n);
        refuse(p, "E453", at, "type '%s' is not a number of 1, 2, 4 or 8 bytes or a bool%s",
               q.at ? q.at : "",
               n && t[n - 1] == 'O' ? " (object arrays hold code and are never read)" : "");
        dg_text_free(&q);
        return false;
    }
    h->kind = t[1];
    h->size = t[2] - '0';
    h->swapped = order == '>';
    bool known = h->kind == 'f'   ? h->size == 2 || h->size == 4 || h->size == 8
                 : h->kind == 'b' ? h->size == 1
                                  : h->size == 1 || h->size == 2 || h->size == 4 || h->size == 8;
    return known ||
           refuse(p, "E453", at, "numbers of %d bytes of kind '%c' are not read", h->size, h->kind);
}

static bool read_shape(parser *p, header *h)
{
    size_t at = p->at;
    int64_t product = 1;
    if (!take(p, '(')) return refuse(p, "E452", at, "shape is not a tuple");
    while (!take(p, ')')) {
        skip_space(p);
        size_t begin = p->at;
        while (p->at < p->end && p->bytes[p->at] >= '0' && p->bytes[p->at] <= '9') p->at++;
        int64_t dim;
        if (p->at == begin || !dg_parse_int((const char *)p->bytes + begin, p->at - begin, &dim))
            return refuse(p, "E452", begin, "a size in the shape is no whole number from 0");
        if (h->shape.rank == DG_MAX_RANK)
            return refuse(p, "E452", begin, "more than %d axes", DG_MAX_RANK);
        /* Sizes of 0 do not hide that the others multiply out of range. */
        if (dim > 0 &&
            (__builtin_mul_overflow(product, dim, &product) || product > (int64_t)1 << 47))
            return refuse(p, "E452", begin, "the shape has more numbers than any file");
        h->shape.dim[h->shape.rank++] = dim;
        if (!take(p, ',')) {
            if (take(p, ')')) break;
            return refuse(p, "E452", p->at, "the shape is not closed");
        }
    }
    return true;
}

static bool read_header(parser *p, header *h)
{
    bool descr = false, order = false, shape = false;
    if (!take(p, '{')) return refuse(p, "E450", p->at, "the header is not a dictionary");
    while (!take(p, '}')) {
        const char *key;
        size_t n, at = p->at;
        if (!quoted(p, &key, &n) || !take(p, ':'))
            return refuse(p, "E450", at, "the header is not a dictionary of names");
        if (n == 5 && memcmp(key, "descr", 5) == 0) {
            if (!read_descr(p, h)) return false;
            descr = true;
        } else if (n == 13 && memcmp(key, "fortran_order", 13) == 0) {
            h->fortran = word(p, "True");
            if (!h->fortran && !word(p, "False"))
                return refuse(p, "E450", p->at, "fortran_order is neither True nor False");
            order = true;
        } else if (n == 5 && memcmp(key, "shape", 5) == 0) {
            if (!read_shape(p, h)) return false;
            shape = true;
        } else {
            return refuse(p, "E450", at, "the header has a key that the format does not know");
        }
        take(p, ',');
    }
    return (descr && order && shape) ||
           refuse(p, "E450", p->at, "the header lacks descr, fortran_order or shape");
}

static uint64_t raw_at(const uint8_t *at, int size, bool swapped)
{
    uint64_t v = 0;
    for (int i = 0; i < size; i++) v |= (uint64_t)at[swapped ? size - 1 - i : i] << 8 * i;
    return v;
}

static double half(uint16_t h)
{
    double m = h & 1023, v;
    int e = h >> 10 & 31;
    if (e == 31)
        v = m > 0 ? (double)__builtin_nanf("") : (double)__builtin_inff();
    else
        v = e ? (1024 + m) * (e >= 25 ? (double)(1U << (e - 25)) : 1.0 / (double)(1U << (25 - e)))
              : m / 16777216.0;
    return h & 0x8000 ? -v : v;
}

static bool store_number(parser *p, const header *h, size_t offset, const uint8_t *from,
                         dg_dtype to, void *out, int64_t i)
{
    uint64_t raw = raw_at(from, h->size, h->swapped);
    uint32_t low = (uint32_t)raw;
    if (h->kind == 'f') {
        if (to == DG_F64)
            memcpy((double *)out + i, &raw, 8);
        else if (h->size == 4)
            memcpy((float *)out + i, &low, 4);
        else
            ((float *)out)[i] = (float)half((uint16_t)raw);
        return true;
    }
    if (to == DG_BOOL) {
        ((uint8_t *)out)[i] = raw != 0;
        return true;
    }
    if (to == DG_U8) {
        ((uint8_t *)out)[i] = (uint8_t)raw;
        return true;
    }
    int64_t v = (int64_t)raw;
    if (h->kind == 'i' && h->size < 8)
        v = (int64_t)(raw << (64 - 8 * h->size)) >> (64 - 8 * h->size);
    bool fits = h->kind == 'u' ? raw <= INT32_MAX : v >= INT32_MIN && v <= INT32_MAX;
    if (!fits)
        return refuse(p, "E454", offset, "the number at position %lld does not fit in 32 bits",
                      (long long)i);
    ((int32_t *)out)[i] = (int32_t)v;
    return true;
}

static bool read_data(parser *p, const header *h, size_t begin, size_t length, dg_npy *out)
{
    int64_t n = dg_shape_count(&h->shape), index[DG_MAX_RANK] = {0};
    if ((size_t)n * (size_t)h->size > length - begin)
        return refuse(p, "E441", begin,
                      "data ends at byte %zu, the header promises %lld numbers of %d bytes", length,
                      (long long)n, h->size);
    if ((size_t)n * (size_t)h->size < length - begin)
        return refuse(p, "E441", begin + (size_t)n * (size_t)h->size,
                      "%zu bytes follow the last number",
                      length - begin - (size_t)n * (size_t)h->size);
    out->data = dg_arena_alloc(p->arena, (size_t)dg_type_bytes(&out->type) + 1);
    int64_t stride[DG_MAX_RANK], step = 1; /* of the file, in numbers */
    for (int k = 0; k < h->shape.rank; k++) {
        int axis = h->fortran ? k : h->shape.rank - 1 - k;
        stride[axis] = step;
        step *= h->shape.dim[axis];
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t from = 0;
        for (int k = 0; k < h->shape.rank; k++) from += index[k] * stride[k];
        size_t offset = begin + (size_t)from * (size_t)h->size;
        if (!store_number(p, h, offset, p->bytes + offset, out->type.dtype, out->data, i))
            return false;
        for (int k = h->shape.rank - 1; k >= 0 && ++index[k] == h->shape.dim[k]; k--) index[k] = 0;
    }
    return true;
}

bool dg_npy_parse(dg_diag *d, dg_arena *a, const char *name, const uint8_t *bytes, size_t length,
                  dg_npy *out)
{
    parser p = {d, a, name, bytes, 0, 0};
    header h = {0};
    memset(out, 0, sizeof *out);
    if (length < 10 || memcmp(bytes, "\x93NUMPY", 6) != 0)
        return refuse(&p, "E450", 0, "not a NumPy array file");
    int version = bytes[6];
    if (version < 1 || version > 3)
        return refuse(&p, "E450", 6, "format version %d, dg reads 1 to 3", version);
    size_t head = version == 1 ? 10 : 12;
    if (length < head) return refuse(&p, "E450", length, "the file ends inside its header");
    size_t text = (size_t)raw_at(bytes + 8, version == 1 ? 2 : 4, false);
    if (text > length - head)
        return refuse(&p, "E450", 8, "the header has %zu bytes, the file %zu after it", text,
                      length - head);
    p.at = head;
    p.end = head + text;
    if (!read_header(&p, &h)) return false;
    out->type.shape = h.shape;
    out->type.dtype = h.kind == 'f'                  ? (h.size == 8 ? DG_F64 : DG_F32)
                      : h.kind == 'b'                ? DG_BOOL
                      : h.kind == 'u' && h.size == 1 ? DG_U8
                                                     : DG_I32;
    out->wide = h.kind != 'f' && h.size == 8;
    if (!dg_shape_fits(&h.shape, out->type.dtype))
        return refuse(&p, "E452", head, "the shape has more numbers than fit in memory");
    return read_data(&p, &h, head + text, length, out);
}

bool dg_npy_read(dg_diag *d, dg_arena *a, const char *path, dg_npy *out)
{
    dg_file f;
    if (!dg_file_map(d, path, &f)) return false;
    bool ok = dg_npy_parse(d, a, path, f.bytes, f.length, out);
    dg_file_close(&f);
    return ok;
}

void dg_npy_doubles(const dg_npy *n, double *out)
{
    int64_t count = dg_shape_count(&n->type.shape);
    for (int64_t i = 0; i < count; i++) switch (n->type.dtype) {
        case DG_F32:
            out[i] = (double)((const float *)n->data)[i];
            break;
        case DG_F64:
            out[i] = ((const double *)n->data)[i];
            break;
        case DG_I32:
            out[i] = ((const int32_t *)n->data)[i];
            break;
        default:
            out[i] = ((const uint8_t *)n->data)[i];
            break;
        }
}

typedef struct npy_parts {
    const dg_text *header;
    const void *data;
    size_t bytes;
} npy_parts;

static bool write_parts(int fd, void *ctx)
{
    const npy_parts *w = ctx;
    return dg_write_all(fd, w->header->at, w->header->n) && dg_write_all(fd, w->data, w->bytes);
}

bool dg_npy_write(dg_diag *d, const char *path, const dg_type *t, const void *data)
{
    static const char *const descr[DG_DTYPES] = {"<f4", "<f8", "<i4", "|u1", "|b1"};
    dg_text body = {0}, head = {0};
    dg_text_add(&body, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr[t->dtype]);
    for (int i = 0; i < t->shape.rank; i++)
        dg_text_add(&body, "%lld,%s", (long long)t->shape.dim[i], i + 1 < t->shape.rank ? " " : "");
    dg_text_add(&body, "), }");
    while ((10 + body.n + 1) % 64) dg_text_addn(&body, " ", 1);
    dg_text_addn(&body, "\n", 1);
    char begin[10] = {
        '\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, (char)(body.n & 255), (char)(body.n >> 8)};
    dg_text_addn(&head, begin, 10);
    dg_text_addn(&head, body.at, body.n);
    npy_parts parts = {&head, data, (size_t)dg_type_bytes(t)};
    bool ok = dg_file_replace_with(d, path, write_parts, &parts);
    dg_text_free(&body);
    dg_text_free(&head);
    return ok;
}

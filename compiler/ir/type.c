/* type.c: dtypes and shapes in numbers: sizes, comparison, broadcasting, and how they are written.
 */
#include "compiler/ir/type.h"

#include "compiler/base/map.h"

#include <stdio.h>
#include <string.h>

#define MOST_BYTES (INT64_C(1) << 48)

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [DG_F32] = {"f32", 4}, [DG_F64] = {"f64", 8},   [DG_I32] = {"i32", 4},
    [DG_U8] = {"u8", 1},   [DG_BOOL] = {"bool", 1}, [DG_POISON] = {"poison", 0},
};

size_t dg_dtype_size(dg_dtype t)
{
    return dtypes[t].size;
}

const char *dg_dtype_name(dg_dtype t)
{
    return dtypes[t].name;
}

bool dg_dtype_is_float(dg_dtype t)
{
    return t == DG_F32 || t == DG_F64;
}

int64_t dg_shape_count(const dg_shape *s)
{
    int64_t n = 1;
    for (int i = 0; i < s->rank; i++) n *= s->dim[i];
    return n;
}

dg_shape dg_shape_stacked(dg_shape s, int64_t n)
{
    for (int i = s.rank++; i > 0; i--) s.dim[i] = s.dim[i - 1];
    s.dim[0] = n;
    return s;
}

bool dg_shape_equal(const dg_shape *a, const dg_shape *b)
{
    if (a == b) return true;
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++) {
        if (a->dim[i] != b->dim[i]) return false;
    }
    return true;
}

bool dg_type_equal(const dg_type *a, const dg_type *b)
{
    return a == b || (a->dtype == b->dtype && dg_shape_equal(&a->shape, &b->shape));
}

uint64_t dg_type_hash(const dg_type *t)
{
    uint64_t h = (uint64_t)t->dtype;
    for (int i = 0; i < t->shape.rank; i++) h = dg_hash_add(h, (uint64_t)t->shape.dim[i]);
    return h;
}

int64_t dg_type_bytes(const dg_type *t)
{
    return dg_shape_count(&t->shape) * (int64_t)dg_dtype_size(t->dtype);
}

bool dg_shape_fits(const dg_shape *s, dg_dtype t)
{
    if (s->rank < 0 || s->rank > DG_MAX_RANK) return false;
    int64_t bytes = (int64_t)dg_dtype_size(t);
    bool empty = false;
    for (int i = 0; i < s->rank; i++) { /* a zero must not hide an overflow before it */
        if (s->dim[i] < 0) return false;
        if (s->dim[i] == 0) empty = true;
    }
    if (empty) return true;
    for (int i = 0; i < s->rank; i++) {
        if (s->dim[i] > MOST_BYTES / (bytes > 0 ? bytes : 1)) return false;
        bytes *= s->dim[i];
    }
    return bytes < MOST_BYTES;
}

bool dg_broadcast(const dg_shape *a, const dg_shape *b, dg_shape *out, int *axis)
{
    if (axis) *axis = -1;
    if (a->rank == 0 || b->rank == 0) {
        *out = a->rank == 0 ? *b : *a;
        return true;
    }
    if (a->rank != b->rank) return false;
    dg_shape s = {.rank = a->rank};
    for (int i = 0; i < a->rank; i++) {
        if (a->dim[i] != b->dim[i] && a->dim[i] != 1 && b->dim[i] != 1) {
            if (axis) *axis = i;
            return false;
        }
        s.dim[i] = a->dim[i] == 1 ? b->dim[i] : a->dim[i];
    }
    *out = s;
    return true;
}

bool dg_broadcasts_to(const dg_shape *s, const dg_shape *space)
{
    if (s->rank == 0) return true;
    if (s->rank != space->rank) return false;
    for (int i = 0; i < s->rank; i++) {
        if (s->dim[i] != space->dim[i] && s->dim[i] != 1) return false;
    }
    return true;
}

void dg_shape_text(const dg_shape *s, dg_text *out)
{
    dg_text_add(out, "[");
    for (int i = 0; i < s->rank; i++) dg_text_add(out, i ? ", %lld" : "%lld", (long long)s->dim[i]);
    dg_text_add(out, "]");
}

void dg_type_text(const dg_type *t, dg_text *out)
{
    dg_text_add(out, "%s", dg_dtype_name(t->dtype));
    if (t->dtype != DG_POISON && t->shape.rank > 0) dg_shape_text(&t->shape, out);
}

const char *dg_type_name(dg_arena *a, const dg_type *t)
{
    dg_text text = {0};
    dg_type_text(t, &text);
    const char *name = dg_arena_text(a, text.at, text.n);
    dg_text_free(&text);
    return name;
}

const char *dg_shape_times(const dg_shape *s, char buffer[96])
{
    int at = 0;
    for (int i = 0; i < s->rank && at < 90; i++)
        at += snprintf(buffer + at, (size_t)(96 - at), i ? "x%lld" : "%lld", (long long)s->dim[i]);
    if (s->rank == 0) memcpy(buffer, "1", 2);
    return buffer;
}

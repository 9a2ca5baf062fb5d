/* attr.c: named arguments of a node: made, found, compared, hashed, copied. */
#include "compiler/ir/attr.h"

#include "compiler/base/map.h"
#include "compiler/base/vec.h"

#include <string.h>

static size_t payload(const dg_attr *a, const void **at)
{
    switch (a->kind) {
    case DG_INT:
        *at = &a->v.i;
        return sizeof a->v.i;
    case DG_FLOAT:
        *at = &a->v.f;
        return sizeof a->v.f;
    case DG_INTS:
        *at = a->v.ints;
        return sizeof(int64_t) * (size_t)a->n;
    case DG_FLOATS:
        *at = a->v.floats;
        return sizeof(double) * (size_t)a->n;
    case DG_STR:
        *at = a->v.str;
        return strlen(a->v.str);
    case DG_DATA:
        *at = a->v.data;
        return (size_t)a->n;
    }
    *at = NULL;
    return 0;
}

static bool attr_equal(const dg_attr *a, const dg_attr *b)
{
    if (a->kind != b->kind || strcmp(a->name, b->name) != 0) return false;
    const void *pa, *pb;
    size_t n = payload(a, &pa);
    /* Bytes, not numbers: -0 differs from 0 and a NaN equals itself, as merging nodes needs it. */
    return n == payload(b, &pb) && (n == 0 || memcmp(pa, pb, n) == 0);
}

const dg_attr *dg_attr_find(const dg_attrs *a, const char *name)
{
    for (int i = 0; i < a->n; i++) {
        const char *own = a->at[i].name;
        if (own == name || (*own == *name && strcmp(own, name) == 0)) return &a->at[i];
    }
    return NULL;
}

bool dg_attrs_equal(const dg_attrs *a, const dg_attrs *b)
{
    if (a->n != b->n) return false;
    if (a->at == b->at) return true;
    for (int i = 0; i < a->n; i++) {
        if (!attr_equal(&a->at[i], &b->at[i])) return false;
    }
    return true;
}

/* Of the values alone: attributes that are compared are those of one op, with the same names. */
uint64_t dg_attrs_hash(const dg_attrs *a)
{
    uint64_t h = (uint64_t)a->n, part;
    for (int i = 0; i < a->n; i++) {
        const void *p;
        size_t n = payload(&a->at[i], &p);
        if (n == sizeof part) /* most are one number */
            memcpy(&part, p, n);
        else
            part = dg_hash(p, n);
        h = dg_hash_add(h, part);
    }
    return h;
}

dg_attrs dg_attrs_copy(dg_arena *arena, const dg_attrs *a)
{
    if (a->n == 0) return (dg_attrs){0, NULL};
    dg_attr *at = dg_arena_copy(arena, a->at, sizeof(dg_attr) * (size_t)a->n);
    for (int i = 0; i < a->n; i++) {
        const void *p;
        size_t n = payload(&at[i], &p);
        switch (at[i].kind) {
        case DG_INT:
        case DG_FLOAT:
            break;
        case DG_INTS:
            at[i].v.ints = dg_arena_copy(arena, p, n);
            break;
        case DG_FLOATS:
            at[i].v.floats = dg_arena_copy(arena, p, n);
            break;
        case DG_STR:
            at[i].v.str = dg_arena_text(arena, p, n);
            break;
        case DG_DATA:
            at[i].v.data = dg_arena_copy(arena, p, n);
            break;
        }
    }
    return (dg_attrs){a->n, at};
}

dg_attr dg_attr_of_int(const char *name, int64_t v)
{
    return (dg_attr){.name = name, .kind = DG_INT, .v.i = v};
}

dg_attr dg_attr_of_float(const char *name, double v)
{
    return (dg_attr){.name = name, .kind = DG_FLOAT, .v.f = v};
}

dg_attr dg_attr_of_ints(dg_arena *arena, const char *name, const int64_t *v, int n)
{
    return (dg_attr){.name = name,
                     .kind = DG_INTS,
                     .n = n,
                     .v.ints = dg_arena_copy(arena, v, sizeof *v * (size_t)n)};
}

dg_attr dg_attr_of_floats(dg_arena *arena, const char *name, const double *v, int n)
{
    return (dg_attr){.name = name,
                     .kind = DG_FLOATS,
                     .n = n,
                     .v.floats = dg_arena_copy(arena, v, sizeof *v * (size_t)n)};
}

dg_attr dg_attr_of_str(dg_arena *arena, const char *name, const char *v)
{
    return (dg_attr){.name = name, .kind = DG_STR, .v.str = dg_arena_text(arena, v, strlen(v))};
}

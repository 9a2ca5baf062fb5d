/* op_check_case.c: a case's texts as types, attributes and values, and as a graph of one node. */
#include "tests/support/op_check_parts.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) bool op_wrong(op_checked *k, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!k->wrong) k->wrong = dg_arena_vprintf(k->arena, format, args);
    va_end(args);
    return false;
}

static dg_dtype dtype_named(const char *at, size_t n)
{
    for (int t = 0; t < DG_DTYPES; t++) {
        if (strlen(dg_dtype_name((dg_dtype)t)) == n &&
            strncmp(at, dg_dtype_name((dg_dtype)t), n) == 0)
            return (dg_dtype)t;
    }
    return DG_POISON;
}

static bool parse_types(op_checked *k, bool as_double)
{
    for (const char *at = k->c->types; *at;) {
        at += strspn(at, " ");
        if (!*at) break;
        size_t n = strcspn(at, "[ ");
        dg_type *t = &k->in[k->n_in++];
        *t = (dg_type){.dtype = dtype_named(at, n)};
        if (t->dtype == DG_POISON || k->n_in == OP_MOST)
            return op_wrong(k, "the case's types do not read: %s", k->c->types);
        if (as_double && dg_dtype_is_float(t->dtype)) t->dtype = DG_F64;
        at += n;
        if (*at != '[') continue;
        while (*at != ']') {
            char *end;
            t->shape.dim[t->shape.rank++] = strtoll(at + 1, &end, 10);
            at = end;
        }
        at++;
    }
    return true;
}

/* "[1,2]" or "3": at most 64 numbers. */
static int parse_numbers(const char *at, size_t length, double *out)
{
    int n = 0;
    const char *end = at + length;
    if (*at == '[') at++;
    while (at < end && *at != ']') {
        char *after;
        out[n++] = strtod(at, &after);
        at = *after == ',' ? after + 1 : after;
        if (after == end) break;
    }
    return n;
}

static int parse_attrs(op_checked *k, dg_attr *out)
{
    int n = 0;
    dg_dtype data = DG_F32;
    for (const char *at = k->c->attrs; *at;) {
        at += strspn(at, " ");
        if (!*at) break;
        size_t name = strcspn(at, "="), length = strcspn(at + name + 1, " ");
        const char *text = at + name + 1;
        const dg_attr_spec *spec = k->op->attrs;
        while (spec && spec->name &&
               (strlen(spec->name) != name || strncmp(spec->name, at, name) != 0))
            spec++;
        const char *key = dg_arena_text(k->arena, at, name);
        double v[64] = {0};
        int count = spec && spec->name && spec->kind == DG_STR ? 0 : parse_numbers(text, length, v);
        int64_t whole[64];
        for (int i = 0; i < count; i++) whole[i] = (int64_t)v[i];
        dg_attr_kind kind = spec && spec->name ? spec->kind : DG_INT;
        if (kind == DG_INT)
            out[n] = dg_attr_of_int(key, whole[0]);
        else if (kind == DG_FLOAT)
            out[n] = dg_attr_of_float(key, v[0]);
        else if (kind == DG_INTS)
            out[n] = dg_attr_of_ints(k->arena, key, whole, count);
        else if (kind == DG_FLOATS)
            out[n] = dg_attr_of_floats(k->arena, key, v, count);
        else if (kind == DG_STR)
            out[n] = dg_attr_of_str(k->arena, key, dg_arena_text(k->arena, text, length));
        else {
            int32_t *ints = DG_NEW_ARRAY(k->arena, int32_t, count);
            for (int i = 0; i < count; i++) ints[i] = (int32_t)v[i];
            bool floats = dg_dtype_is_float(data);
            out[n] = (dg_attr){.name = key, .kind = DG_DATA, .n = count * (floats ? 8 : 4)};
            out[n].v.data = floats ? dg_arena_copy(k->arena, v, (size_t)count * 8) : (void *)ints;
        }
        if (strcmp(key, "dtype") == 0) data = (dg_dtype)whole[0];
        n++;
        at = text + length;
    }
    return n;
}

static void refused(void *ctx, const dg_infer *t)
{
    op_checked *k = ctx;
    if (!k->wrong) k->wrong = dg_arena_printf(k->arena, "refused: %s", t->what);
}

/* Splitmix. */
double op_uniform(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

void op_case_fill(op_checked *k, int salt, double **value)
{
    const op_case *c = k->c;
    double low = c->low, high = c->high;
    int int_low = c->int_low, int_high = c->int_high;
    if (low == 0 && high == 0) low = -2, high = 2;
    if (int_low == 0 && int_high == 0) int_low = -9, int_high = 10;
    for (int i = 0; i < k->n_in; i++) {
        int64_t n = dg_shape_count(&k->in[i].shape);
        uint64_t state = (uint64_t)i * 1000003 + (uint64_t)n + (uint64_t)salt * 7919;
        double *v = value[i] = DG_NEW_ARRAY(k->arena, double, n);
        for (int64_t j = 0; j < n; j++) {
            double u = op_uniform(&state);
            switch (k->in[i].dtype) {
            case DG_I32:
                v[j] = int_low + floor(u * ((double)int_high - int_low));
                break;
            case DG_U8:
                v[j] = floor(u * 256);
                break;
            case DG_BOOL:
                v[j] = u < 0.5;
                break;
            default:
                v[j] = (double)(float)(low + u * (high - low));
                break; /* a float holds it */
            }
        }
        if (c->fill) c->fill(i, n, v);
        for (int64_t j = 0; j < n && dg_dtype_is_float(k->in[i].dtype); j++)
            v[j] = (double)(float)v[j];
    }
}

dg_node op_case_build(op_checked *k, bool as_double, dg_value *in)
{
    k->n_in = 0;
    memset(k->in, 0, sizeof k->in);
    if (!parse_types(k, as_double)) return DG_NONE;
    k->m = test_module_new();
    k->b = test_builder(k->m);
    k->b.refused = refused;
    k->b.ctx = k;
    for (int i = 0; i < k->n_in; i++)
        in[i] = test_place(&k->b, k->m, k->in[i].dtype, k->in[i].shape);
    dg_attr given[16];
    int n = parse_attrs(k, given);
    dg_node node = dg_build_node(&k->b, k->op, given, n, in, k->n_in);
    if (node == DG_NONE) return node;
    const dg_node_info *info = dg_node_of(k->m->graph, node);
    k->attrs = dg_attrs_copy(k->arena, &info->attrs);
    k->n_out = info->n_out;
    for (int i = 0; i < info->n_out && i < OP_MOST; i++)
        k->out[i] = *dg_type_of(k->m->graph, info->out[i]);
    return node;
}

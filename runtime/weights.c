/* weights.c: dg_weights: what a file holds, whether it fits a model, and the way in and out by a
 * name map.
 *
 * Import notes in the metadata of what it writes (key "origin") the names, shapes and dtypes it
 * read, so that export can write the same tensors back, bit for bit. */
#include "runtime/session.h"

#include "compiler/base/json.h"
#include "compiler/base/os.h"
#include "runtime/checkpoint.h"
#include "runtime/safetensors.h"
#include "runtime/weights_map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct job {
    dg_context *context;
    dg_weights_options *o;
    dg_arena *arena;
    dg_diag *diag;
    dg_text text;
} job;

static const char *shape_text(job *j, const dg_shape *s)
{
    dg_text t = {0};
    dg_shape_text(s, &t);
    const char *copy = dg_arena_text(j->arena, t.at, t.n);
    dg_text_free(&t);
    return copy;
}

/* ---- info and diff: any source of weights as a store ---- */

static struct dg_store *load(job *j, const char *path)
{
    struct dg_store *s = dg_store_new(j->context);
    if (dg_weights_load(s, j->diag, path, NULL)) return s;
    dg_store_free(s);
    return NULL;
}

typedef struct moments {
    double least, most, mean;
    int64_t bad;
} moments;

static double number(const dg_tensor *t, int64_t i)
{
    switch (t->type.dtype) {
    case DG_F32:
        return (double)((const float *)t->data)[i];
    case DG_F64:
        return ((const double *)t->data)[i];
    case DG_I32:
        return ((const int32_t *)t->data)[i];
    default:
        return ((const uint8_t *)t->data)[i];
    }
}

static moments moments_of(const dg_tensor *t)
{
    moments m = {INFINITY, -INFINITY, 0, 0};
    int64_t n = dg_shape_count(&t->type.shape);
    for (int64_t i = 0; i < n; i++) {
        double v = number(t, i);
        if (!isfinite(v)) {
            m.bad++;
            continue;
        }
        if (v < m.least) m.least = v;
        if (v > m.most) m.most = v;
        m.mean += v / (double)n;
    }
    return m;
}

static bool verb_info(job *j)
{
    struct dg_store *s = load(j, j->o->from);
    if (!s) return false;
    int64_t values = 0;
    for (size_t i = 0; i < s->tensors.n; i++) {
        const dg_tensor *t = &s->tensors.at[i];
        moments m = moments_of(t);
        dg_text_add(&j->text, "%-5s %-48s %-4s %-18s mean %-12.5g least %-12.5g most %.5g",
                    t->trained ? "param" : "state", t->path, dg_dtype_name(t->type.dtype),
                    shape_text(j, &t->type.shape), m.mean, m.least, m.most);
        if (m.bad) dg_text_add(&j->text, "  (%lld not finite)", (long long)m.bad);
        dg_text_add(&j->text, "\n");
        values += dg_shape_count(&t->type.shape);
    }
    dg_text_add(&j->text, "%zu tensors, %.2f M values, step %lld\n", s->tensors.n,
                (double)values / 1e6, (long long)s->step);
    dg_store_free(s);
    return true;
}

static bool verb_diff(job *j)
{
    if (!j->o->other)
        return dg_error_at(j->diag, "E223", "weights diff", "wants two files") == NULL;
    struct dg_store *a = load(j, j->o->from), *b = a ? load(j, j->o->other) : NULL;
    int64_t differ = 0;
    for (size_t i = 0; b && i < a->tensors.n; i++) {
        const dg_tensor *x = &a->tensors.at[i], *y = dg_store_find(b, x->path);
        if (!y)
            dg_text_add(&j->text, "- %s\n", x->path);
        else if (!dg_type_equal(&x->type, &y->type))
            dg_text_add(&j->text, "! %s: types differ\n", x->path);
        else if (memcmp(x->data, y->data, (size_t)dg_type_bytes(&x->type)) != 0) {
            double most = 0;
            for (int64_t k = 0; k < dg_shape_count(&x->type.shape); k++)
                most = fmax(most, fabs(number(x, k) - number(y, k)));
            dg_text_add(&j->text, "~ %s: largest difference %.6g\n", x->path, most);
        } else
            continue;
        differ++;
    }
    for (size_t i = 0; b && i < b->tensors.n; i++)
        if (!dg_store_find(a, b->tensors.at[i].path)) {
            dg_text_add(&j->text, "+ %s\n", b->tensors.at[i].path);
            differ++;
        }
    if (b) dg_text_add(&j->text, "%lld tensors differ\n", (long long)differ);
    bool ok = b != NULL;
    if (b && differ)
        ok = dg_error_at(j->diag, "E804", j->o->other, "%lld tensors differ", (long long)differ) ==
             NULL;
    dg_store_free(a);
    dg_store_free(b);
    return ok;
}

/* ---- the model's places ---- */

/* Every place of the entries asked for, in a store: types known, nothing filled. */
static struct dg_store *model_places(job *j)
{
    if (!j->o->into) {
        dg_error_at(j->diag, "E223", "--into", "names the .dg file whose places are filled");
        return NULL;
    }
    dg_program *p = dg_program_open(j->context, j->o->into, j->o->defs, j->o->n_defs);
    const dg_entry *entries = NULL;
    int n = p ? dg_program_entries(p, &entries) : -1;
    struct dg_store *s = dg_store_new(j->context);
    bool ok = n >= 0;
    for (int i = 0; i < n && ok; i++) {
        if (j->o->entry ? strcmp(entries[i].name, j->o->entry) != 0
                        : !entries[i].in_main || entries[i].kind == DG_KIND_TEST)
            continue;
        dg_plan *plan = dg_plan_compile(p, entries[i].name, NULL, 0);
        ok = plan != NULL;
        for (int k = 0; ok && k < plan->n_places; k++)
            if (!dg_store_find(s, plan->places[k].path))
                ok = dg_store_add(s, j->diag, plan->places[k].path, plan->places[k].type,
                                  plan->places[k].trained) != NULL;
        dg_plan_close(plan);
    }
    dg_program_free(p);
    if (ok && s->tensors.n) return s;
    if (ok)
        dg_error_at(j->diag, "E216", j->o->into, "has no parameters in %s",
                    j->o->entry ? j->o->entry : "its entries");
    dg_store_free(s);
    return NULL;
}

/* ---- import ---- */

static const char *origin_of(const dg_st_file *f, dg_arena *a)
{
    dg_json_writer w = {0};
    dg_json_open(&w, '[');
    for (int i = 0; i < f->n; i++) {
        dg_json_open(&w, '[');
        dg_json_string(&w, f->tensors[i].name);
        dg_json_string(&w, dg_st_dtype_name(f->tensors[i].dtype));
        for (int k = 0; k < f->tensors[i].shape.rank; k++)
            dg_json_int(&w, f->tensors[i].shape.dim[k]);
        dg_json_close(&w, ']');
    }
    dg_json_close(&w, ']');
    const char *text = dg_arena_text(a, w.text.at, w.text.n);
    dg_text_free(&w.text);
    return text;
}

typedef struct counts {
    int kept, renamed, missing, unused;
} counts;

/* One of our places from theirs by its map line (or the same name). False after reporting; *found
 * says whether theirs is there. */
static bool import_place(job *j, const dg_st_file *f, const dg_name_map *map, dg_tensor *t,
                         bool *used, bool *found, const char **from)
{
    const char **names = (const char **)dg_arena_copy(j->arena, &t->path, sizeof t->path);
    const dg_map_line same = {.n_theirs = 1}, *l = dg_name_map_find(map, j->arena, t->path, &names);
    if (!l) l = &same;
    dg_map_tensor *parts = DG_NEW_ARRAY(j->arena, dg_map_tensor, l->n_theirs), ours;
    const dg_st_tensor *first = NULL;
    *found = true;
    for (int i = 0; i < l->n_theirs; i++) {
        const dg_st_tensor *theirs = dg_st_find(f, names[i]);
        if (!theirs) {
            *found = false;
            *from = names[i];
            return true;
        }
        if (!first) first = theirs;
        if (theirs->dtype != first->dtype)
            return dg_error_at(j->diag, "E426", t->path,
                               "%s is %s and %s is %s: they cannot be joined", first->name,
                               dg_st_dtype_name(first->dtype), theirs->name,
                               dg_st_dtype_name(theirs->dtype)) == NULL;
        parts[i] = (dg_map_tensor){theirs->shape, (uint8_t *)(uintptr_t)theirs->data};
        used[theirs - f->tensors] = true;
    }
    *from = names[0];
    const char *why = NULL;
    if (!dg_map_forward(l, j->arena, dg_st_dtype_size(first->dtype), parts, &ours, &why))
        return dg_error_at(j->diag, "E426", dg_arena_printf(j->arena, "%s:%d", map->path, l->line),
                           "%s from %s: %s", t->path, names[0], why) == NULL;
    if (!dg_shape_equal(&ours.shape, &t->type.shape)) {
        dg_message *m = dg_error_at(j->diag, "E423",
                                    dg_arena_printf(j->arena, "%s@%zu", f->path, first->offset),
                                    "%s: the file gives %s, the model declares %s", t->path,
                                    shape_text(j, &ours.shape), shape_text(j, &t->type.shape));
        bool swapped = ours.shape.rank == 2 && t->type.shape.rank == 2 &&
                       ours.shape.dim[0] == t->type.shape.dim[1] &&
                       ours.shape.dim[1] == t->type.shape.dim[0];
        if (swapped)
            dg_help_add(j->diag, m,
                        "linear weights are [in, out] here: add `| t` to the line of the map");
        return false;
    }
    dg_st_tensor view = {.name = first->name,
                         .dtype = first->dtype,
                         .shape = ours.shape,
                         .data = ours.data,
                         .bytes =
                             (size_t)dg_shape_count(&ours.shape) * dg_st_dtype_size(first->dtype)};
    int64_t bad;
    if (!dg_st_convert(&view, t->type.dtype, t->data, &bad))
        return dg_error_at(j->diag, "E424", t->path, "number %lld does not fit in %s",
                           (long long)bad, dg_dtype_name(t->type.dtype)) == NULL;
    t->filled = true;
    return true;
}

static bool import_all(job *j, const dg_st_file *f, const dg_name_map *map, struct dg_store *s)
{
    bool *used = DG_NEW_ARRAY(j->arena, bool, f->n + 1), ok = true;
    counts c = {0};
    for (size_t i = 0; i < s->tensors.n && ok; i++) {
        dg_tensor *t = &s->tensors.at[i];
        bool found = false;
        const char *from = NULL;
        if (!t->trained && !dg_st_find(f, t->path))
            continue; /* optimiser and averages start afresh */
        ok = import_place(j, f, map, t, used, &found, &from);
        if (!ok) break;
        bool renamed = found && strcmp(from, t->path) != 0;
        *(found ? renamed ? &c.renamed : &c.kept : &c.missing) += 1;
        dg_text_add(&j->text, "%-8s %-44s %s\n", found ? renamed ? "renamed" : "kept" : "missing",
                    t->path, from);
        if (!found)
            dg_warning_at(j->diag, "W421", t->path, "the file has no tensor \"%s\" for it", from);
    }
    for (int i = 0; i < f->n && ok; i++) {
        if (used[i]) continue;
        c.unused++;
        dg_text_add(&j->text, "%-8s %-44s %s\n", "unused", "", f->tensors[i].name);
        dg_warning_at(j->diag, "W421",
                      dg_arena_printf(j->arena, "%s@%zu", f->path, f->tensors[i].offset),
                      "tensor \"%s\" is not used", f->tensors[i].name);
    }
    dg_text_add(&j->text, "kept %d tensors, %d renamed, %d missing, %d unused\n", c.kept, c.renamed,
                c.missing, c.unused);
    return ok && dg_diag_errors(j->diag) == 0;
}

static bool verb_import(job *j, bool write)
{
    dg_st_file f;
    dg_name_map map = {0};
    if (write && !j->o->out)
        return dg_error_at(j->diag, "E223", "-o", "names the file to write") == NULL;
    if (j->o->map && !dg_name_map_read(j->diag, j->arena, j->o->map, &map)) return false;
    if (!dg_st_open(j->diag, j->arena, j->o->from, &f)) return false;
    struct dg_store *s = model_places(j);
    bool ok = s && import_all(j, &f, &map, s);
    if (ok && write) {
        s->origin = origin_of(&f, j->arena);
        ok = dg_weights_save(s, j->diag, j->o->out, false);
    }
    dg_store_free(s);
    dg_st_close(&f);
    dg_vec_free(&map.lines);
    return ok;
}

/* ---- export ---- */

typedef struct theirs {
    int n;
    dg_st_out *list;
    bool *done;
} theirs;

static bool theirs_from_origin(job *j, const char *origin, theirs *t)
{
    json_t *root = dg_json_read(j->diag, "E412", "origin", origin, strlen(origin));
    if (!root) return false;
    t->n = (int)json_array_size(root);
    t->list = DG_NEW_ARRAY(j->arena, dg_st_out, t->n + 1);
    t->done = DG_NEW_ARRAY(j->arena, bool, t->n + 1);
    for (int i = 0; i < t->n; i++) {
        json_t *e = json_array_get(root, (size_t)i);
        const char *name = json_string_value(json_array_get(e, 0)),
                   *dtype = json_string_value(json_array_get(e, 1));
        t->list[i].name = dg_arena_text(j->arena, name ? name : "", name ? strlen(name) : 0);
        for (dg_st_dtype k = 0; dtype && k < DG_ST_DTYPES; k++)
            if (strcmp(dtype, dg_st_dtype_name(k)) == 0) t->list[i].dtype = k;
        for (size_t k = 2; k < json_array_size(e) && t->list[i].shape.rank < DG_MAX_RANK; k++)
            t->list[i].shape.dim[t->list[i].shape.rank++] =
                json_integer_value(json_array_get(e, k));
    }
    json_decref(root);
    return true;
}

static uint16_t to_bf16(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    if (f != f) return (uint16_t)(u >> 16 | 64);
    return (uint16_t)((u + 0x7FFF + (u >> 16 & 1)) >> 16); /* to nearest, ties to even */
}

static uint16_t to_f16(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    uint32_t sign = u >> 16 & 0x8000, magnitude = u & 0x7FFFFFFF;
    if (magnitude > 0x7F800000) return (uint16_t)(sign | 0x7E00);
    if (magnitude >= 0x477FF000) return (uint16_t)(sign | 0x7C00); /* rounds to infinity */
    if (magnitude < 0x38800000) { /* subnormal: a multiple of 2^-24, ties to even */
        float a;
        memcpy(&a, &magnitude, 4);
        return (uint16_t)(sign | (uint32_t)rintf(a * 0x1p24F));
    }
    return (uint16_t)(sign | (magnitude - 0x38000000 + 0xFFF + (magnitude >> 13 & 1)) >> 13);
}

/* f32 and f64 to the file's dtype; others as they are. */
static const void *narrowed(job *j, const void *data, int64_t n, dg_dtype from, dg_st_dtype to)
{
    if (dg_st_dtype_of(from) == to || !dg_dtype_is_float(from)) return data;
    uint8_t *out = dg_arena_alloc(j->arena, (size_t)n * dg_st_dtype_size(to) + 1);
    for (int64_t i = 0; i < n; i++) {
        double v = from == DG_F64 ? ((const double *)data)[i] : (double)((const float *)data)[i];
        uint16_t half = to == DG_ST_BF16 ? to_bf16((float)v) : to_f16((float)v);
        if (to == DG_ST_F64)
            ((double *)(void *)out)[i] = v;
        else if (to == DG_ST_F32)
            ((float *)(void *)out)[i] = (float)v;
        else
            memcpy(out + 2 * i, &half, 2);
    }
    return out;
}

static dg_st_out *their_tensor(theirs *t, const char *name)
{
    for (int i = 0; i < t->n; i++)
        if (strcmp(t->list[i].name, name) == 0) return t->done[i] = true, &t->list[i];
    return NULL;
}

/* One of our places to theirs, by its map line run backwards. */
static bool export_place(job *j, const dg_tensor *place, const char *name, const dg_name_map *map,
                         theirs *t)
{
    const char **names = (const char **)dg_arena_copy(j->arena, &name, sizeof name), *why = NULL;
    const dg_map_line same = {.n_theirs = 1}, *l = dg_name_map_find(map, j->arena, name, &names);
    if (!l) l = &same;
    dg_map_tensor *parts = DG_NEW_ARRAY(j->arena, dg_map_tensor, l->n_theirs),
                  ours = {place->type.shape, place->data};
    dg_st_out **out = DG_NEW_ARRAY(j->arena, dg_st_out *, l->n_theirs);
    for (int i = 0; i < l->n_theirs; i++) {
        out[i] = their_tensor(t, names[i]);
        if (!out[i])
            return dg_error_at(j->diag, "E421", name,
                               "the file this was imported from has no tensor \"%s\"",
                               names[i]) == NULL;
        parts[i].shape = out[i]->shape;
    }
    size_t size = dg_dtype_size(place->type.dtype);
    if (!dg_map_backward(l, j->arena, size, &ours, parts, &why))
        return dg_error_at(j->diag, "E426", name, "%s", why) == NULL;
    for (int i = 0; i < l->n_theirs; i++)
        out[i]->data = narrowed(j, parts[i].data, dg_shape_count(&parts[i].shape),
                                place->type.dtype, out[i]->dtype);
    return true;
}

/* With --state ema: place "ema.P" is written as P, parameters are not. */
static const char *export_name(job *j, const dg_tensor *t)
{
    if (!t->filled) return NULL;
    if (!j->o->state) return t->trained ? t->path : NULL;
    size_t n = strlen(j->o->state);
    return strncmp(t->path, j->o->state, n) == 0 && t->path[n] == '.' ? t->path + n + 1 : NULL;
}

static bool export_mapped(job *j, struct dg_store *s, theirs *t)
{
    dg_name_map map = {0};
    bool ok = dg_name_map_read(j->diag, j->arena, j->o->map, &map);
    for (size_t i = 0; i < s->tensors.n && ok; i++) {
        const char *name = export_name(j, &s->tensors.at[i]);
        if (name) ok = export_place(j, &s->tensors.at[i], name, &map, t);
    }
    int n = 0;
    for (int i = 0; i < t->n && ok; i++)
        if (t->done[i]) t->list[n++] = t->list[i];
    t->n = n;
    dg_vec_free(&map.lines);
    return ok;
}

static bool export_plain(job *j, struct dg_store *s, theirs *t)
{
    t->list = DG_NEW_ARRAY(j->arena, dg_st_out, s->tensors.n + 1);
    for (size_t i = 0; i < s->tensors.n; i++) {
        const dg_tensor *from = &s->tensors.at[i];
        const char *name = export_name(j, from);
        if (!name) continue;
        dg_st_dtype dtype = dg_st_dtype_of(from->type.dtype);
        for (dg_st_dtype k = 0;
             j->o->dtype && dg_dtype_is_float(from->type.dtype) && k < DG_ST_DTYPES; k++)
            if (strcmp(j->o->dtype, dg_st_dtype_name(k)) == 0) dtype = k;
        int64_t n = dg_shape_count(&from->type.shape);
        t->list[t->n++] = (dg_st_out){name, dtype, from->type.shape,
                                      narrowed(j, from->data, n, from->type.dtype, dtype)};
    }
    if (t->n) return true;
    dg_error_at(j->diag, "E421", j->o->from,
                j->o->state ? "holds no states below '%s'" : "holds no parameters%s",
                j->o->state ? j->o->state : "");
    return false;
}

static bool verb_export(job *j)
{
    if (!j->o->out) return dg_error_at(j->diag, "E223", "-o", "names the file to write") == NULL;
    struct dg_store *s = load(j, j->o->from);
    if (!s) return false;
    theirs t = {0};
    dg_st_file like = {0};
    bool ok = true;
    if (j->o->map) {
        const char *origin = s->origin;
        if (j->o->like) {
            ok = dg_st_open(j->diag, j->arena, j->o->like, &like);
            if (ok) origin = origin_of(&like, j->arena);
        }
        if (ok && !origin) {
            dg_message *m = dg_error_at(
                j->diag, "E427", j->o->from,
                "was not imported from a file with other names, so their shapes are not known");
            dg_help_add(j->diag, m, "name a file that has them: --like FILE.safetensors");
            ok = false;
        }
        ok = ok && theirs_from_origin(j, origin, &t) && export_mapped(j, s, &t);
    } else {
        ok = export_plain(j, s, &t);
    }
    ok = ok && dg_st_write(j->diag, j->o->out, t.list, t.n, NULL, 0);
    if (ok) dg_text_add(&j->text, "wrote %d tensors to %s\n", t.n, j->o->out);
    if (like.path) dg_st_close(&like);
    dg_store_free(s);
    return ok;
}

dg_status dg_weights(dg_context *c, dg_weights_options *o)
{
    job j = {.context = c, .o = o, .arena = dg_arena_new()};
    j.diag = dg_context_diag(c, j.arena, NULL);
    bool ok;
    if (strcmp(o->verb, "info") == 0)
        ok = verb_info(&j);
    else if (strcmp(o->verb, "check") == 0)
        ok = verb_import(&j, false);
    else if (strcmp(o->verb, "import") == 0)
        ok = verb_import(&j, true);
    else if (strcmp(o->verb, "export") == 0)
        ok = verb_export(&j);
    else if (strcmp(o->verb, "diff") == 0)
        ok = verb_diff(&j);
    else
        ok = dg_error_at(j.diag, "E211", "dg weights",
                         "unknown verb '%s': want info, check, import, export or diff",
                         o->verb) == NULL;
    dg_status status = dg_context_flush(c, j.diag);
    o->text = j.text.at;
    dg_arena_free(j.arena);
    if (status == DG_OK && !ok)
        status = dg_context_status(c); /* said by a program or plan of its own */
    return status;
}

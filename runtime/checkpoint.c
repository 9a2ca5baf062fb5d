/* checkpoint.c: the protocol of docs/runs.md: files beside, synced, renamed, the manifest last,
 * then `latest`, then old ones go. */
#include "runtime/checkpoint.h"

#include "compiler/base/json.h"
#include "compiler/base/os.h"
#include "runtime/context.h"
#include "runtime/safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORMAT 1

bool dg_is_run_folder(const char *path)
{
    dg_arena *a = dg_arena_new();
    bool is = dg_path_is_folder(path) && dg_path_exists(dg_path_join(a, path, "checkpoints"));
    dg_arena_free(a);
    return is;
}

/* ---- saving ---- */

static int by_path(const void *pa, const void *pb)
{
    return strcmp(((const dg_st_out *)pa)->name, ((const dg_st_out *)pb)->name);
}

/* Sorted by path, so that the bytes do not depend on the order in which places were made. */
static bool write_tensors(struct dg_store *s, dg_diag *d, const char *path, bool want_trained,
                          bool want_state, const char *const *meta, int n_meta)
{
    DG_VEC(dg_st_out) list = {0};
    for (size_t i = 0; i < s->tensors.n; i++) {
        const dg_tensor *t = &s->tensors.at[i];
        if (!t->filled || !(t->trained ? want_trained : want_state)) continue;
        dg_vec_push(&list,
                    (dg_st_out){t->path, dg_st_dtype_of(t->type.dtype), t->type.shape, t->data});
    }
    if (list.n) qsort(list.at, list.n, sizeof *list.at, by_path);
    bool ok = dg_st_write(d, path, list.at, (int)list.n, meta, n_meta);
    dg_vec_free(&list);
    return ok;
}

/* One file holds both kinds; which tensors are states stands in its metadata, a path to a line. */
bool dg_weights_save(struct dg_store *s, dg_diag *d, const char *path, bool trained_only)
{
    char step[32];
    dg_text states = {0};
    snprintf(step, sizeof step, "%" PRId64, s->step);
    for (size_t i = 0; i < s->tensors.n && !trained_only; i++)
        if (!s->tensors.at[i].trained) dg_text_add(&states, "%s\n", s->tensors.at[i].path);
    const char *meta[] = {"format", "dg",     "step", step, "states", states.at ? states.at : "",
                          "origin", s->origin};
    bool ok = write_tensors(s, d, path, true, !trained_only, meta, s->origin ? 4 : 3);
    dg_text_free(&states);
    return ok;
}

/* Whether `name` is a line of `list`. */
static bool is_listed(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = list; at && *at; at += strcspn(at, "\n"), at += *at == '\n')
        if (strncmp(at, name, n) == 0 && at[n] == '\n') return true;
    return false;
}

static bool hash_of(dg_diag *d, const char *path, uint64_t *hash, size_t *bytes)
{
    dg_file f;
    if (!dg_file_map(d, path, &f)) return false;
    *hash = dg_file_hash(&f);
    *bytes = f.length;
    dg_file_close(&f);
    return true;
}

static const char *const parts[] = {"weights.safetensors", "state.safetensors"};

static bool write_manifest(struct dg_store *s, dg_diag *d, dg_arena *a, const char *folder,
                           const dg_checkpoint_facts *f)
{
    dg_json_writer w = {.pretty = true};
    dg_json_open(&w, '{');
    dg_json_int_field(&w, "format", FORMAT);
    dg_json_int_field(&w, "step", s->step);
    dg_json_string_field(&w, "seed", dg_arena_printf(a, "%" PRIu64, f->seed));
    dg_json_string_field(&w, "plan", dg_arena_printf(a, "%016" PRIx64, f->plan_hash));
    const char *names[] = {"isa", "blas_core", "build"},
               *values[] = {f->isa, f->blas_core, f->build};
    for (int i = 0; i < 3; i++) {
        dg_json_string_field(&w, names[i], values[i] ? values[i] : "");
    }
    dg_json_string_field(&w, "driver", f->extra ? f->extra : "");
    dg_json_key(&w, "files");
    dg_json_open(&w, '{');
    bool ok = true;
    for (int i = 0; i < 2 && ok; i++) {
        uint64_t hash = 0;
        size_t bytes = 0;
        ok = hash_of(d, dg_path_join(a, folder, parts[i]), &hash, &bytes);
        dg_json_key(&w, parts[i]);
        dg_json_open(&w, '{');
        dg_json_int_field(&w, "bytes", (int64_t)bytes);
        dg_json_string_field(&w, "xxh64", dg_arena_printf(a, "%016" PRIx64, hash));
        dg_json_close(&w, '}');
    }
    dg_json_close(&w, '}');
    dg_json_close(&w, '}');
    dg_text_addn(&w.text, "\n", 1);
    ok = ok && dg_file_replace(d, dg_path_join(a, folder, "manifest.json"), w.text.at, w.text.n);
    dg_text_free(&w.text);
    return ok;
}

static char *step_folder(dg_arena *a, const char *run, int64_t step)
{
    return dg_path_join(a, dg_path_join(a, run, "checkpoints"),
                        dg_arena_printf(a, "step-%07" PRId64, step));
}

bool dg_checkpoint_exists(const char *run, int64_t step)
{
    dg_arena *a = dg_arena_new();
    bool is = dg_path_exists(dg_path_join(a, step_folder(a, run, step), "manifest.json"));
    dg_arena_free(a);
    return is;
}

/* Steps of the checkpoint folders, ascending (names sort as numbers up to 10^7; beyond that they
 * are sorted here). */
typedef DG_VEC(int64_t) steps_vec;
static int by_number(const void *pa, const void *pb)
{
    int64_t a = *(const int64_t *)pa, b = *(const int64_t *)pb;
    return a < b ? -1 : a > b;
}

static bool list_steps(dg_diag *d, dg_arena *a, const char *run, steps_vec *out)
{
    char **names;
    size_t n;
    if (!dg_folder_list(d, a, dg_path_join(a, run, "checkpoints"), &names, &n)) return false;
    for (size_t i = 0; i < n; i++) {
        int64_t step;
        if (strncmp(names[i], "step-", 5) == 0 &&
            dg_parse_int(names[i] + 5, strlen(names[i] + 5), &step))
            dg_vec_push(out, step);
    }
    if (out->n) qsort(out->at, out->n, sizeof *out->at, by_number);
    return true;
}

/* The manifest goes first: a folder without one is not a checkpoint, so a crash in between leaves
 * no half. */
static void remove_checkpoint(dg_arena *a, const char *folder)
{
    unlink(dg_path_join(a, folder, "manifest.json"));
    for (int i = 0; i < 2; i++) unlink(dg_path_join(a, folder, parts[i]));
    rmdir(folder);
}

static void prune(dg_diag *d, dg_arena *a, const char *run, int keep_last, int64_t keep_every)
{
    steps_vec steps = {0};
    if (keep_last < 2) keep_last = 2;
    if (list_steps(d, a, run, &steps))
        for (size_t i = 0; i + (size_t)keep_last < steps.n; i++)
            if (keep_every <= 0 || steps.at[i] % keep_every != 0)
                remove_checkpoint(a, step_folder(a, run, steps.at[i]));
    dg_vec_free(&steps);
}

void dg_checkpoint_forget(dg_diag *d, const char *run, int64_t step)
{
    dg_arena *a = dg_arena_new();
    steps_vec steps = {0};
    if (list_steps(d, a, run, &steps))
        for (size_t i = 0; i < steps.n; i++)
            if (steps.at[i] > step) remove_checkpoint(a, step_folder(a, run, steps.at[i]));
    dg_vec_free(&steps);
    dg_arena_free(a);
}

bool dg_checkpoint_save(struct dg_store *s, dg_diag *d, const char *run,
                        const dg_checkpoint_facts *f, int keep_last, int64_t keep_every)
{
    dg_arena *a = dg_arena_new();
    char *folder = step_folder(a, run, s->step);
    char number[32];
    snprintf(number, sizeof number, "%" PRId64, s->step);
    const char *meta[] = {"format", "dg", "step", number, "origin", s->origin};
    /* A checkpoint of this step may be there already (saved twice): its manifest goes before its
     * parts are replaced. */
    bool ok = dg_make_folders(d, folder);
    if (ok && unlink(dg_path_join(a, folder, "manifest.json")) != 0 && errno != ENOENT)
        ok = dg_error_at(d, "E505", folder, "cannot replace the old manifest: %s",
                         strerror(errno)) == NULL;
    ok = ok &&
         write_tensors(s, d, dg_path_join(a, folder, parts[0]), true, false, meta,
                       s->origin ? 3 : 2) &&
         write_tensors(s, d, dg_path_join(a, folder, parts[1]), false, true, meta, 2) &&
         write_manifest(s, d, a, folder, f);
    const char *name = dg_arena_printf(a, "%s\n", dg_path_base(folder));
    ok = ok && dg_file_replace(d, dg_path_join(a, dg_path_join(a, run, "checkpoints"), "latest"),
                               name, strlen(name));
    if (ok) prune(d, a, run, keep_last, keep_every);
    dg_arena_free(a);
    return ok;
}

/* ---- loading ---- */

static bool in_scope(const char *path, const char *scope)
{
    if (!scope) return true;
    size_t n = strlen(scope);
    return strncmp(path, scope, n) == 0 && (path[n] == 0 || path[n] == '.');
}

static bool take_tensor(struct dg_store *s, dg_diag *d, const dg_st_file *f,
                        const dg_st_tensor *from, bool trained)
{
    static const dg_dtype as[DG_ST_DTYPES] = {DG_F64, DG_F32, DG_F32, DG_F32, DG_I32,
                                              DG_I32, DG_I32, DG_I32, DG_U8,  DG_BOOL};
    dg_tensor *t = dg_store_find(s, from->name);
    dg_type type = {t ? t->type.dtype : as[from->dtype], from->shape};
    if (!t && s->context->reference && dg_dtype_is_float(type.dtype)) type.dtype = DG_F64;
    if (t && !dg_shape_equal(&t->type.shape, &type.shape)) {
        dg_text have = {0}, want = {0};
        dg_shape_text(&type.shape, &have);
        dg_shape_text(&t->type.shape, &want);
        dg_error_at(d, "E423", dg_arena_printf(s->arena, "%s@%zu", f->path, from->offset),
                    "tensor \"%s\" has shape %s, want %s", from->name, have.at, want.at);
        dg_text_free(&have);
        dg_text_free(&want);
        return false;
    }
    if (!t && s->lazy && from->dtype == dg_st_dtype_of(type.dtype) && type.dtype != DG_BOOL) {
        dg_store_add_lazy(s, from->name, type, trained, from->data);
        return true;
    }
    if (!t) t = dg_store_add(s, d, from->name, type, trained);
    if (!t) return false;
    int64_t bad = 0;
    if (!dg_st_convert(from, t->type.dtype, t->data, &bad)) {
        dg_error_at(d, "E424", dg_arena_printf(s->arena, "%s@%zu", f->path, from->offset),
                    "tensor \"%s\": number %lld does not fit in %s", from->name, (long long)bad,
                    dg_dtype_name(t->type.dtype));
        return false;
    }
    t->filled = true;
    dg_file_forget(&f->file, from->data, from->bytes);
    return true;
}

static bool load_file(struct dg_store *s, dg_diag *d, const char *path, const char *scope,
                      bool trained)
{
    dg_st_file f;
    if (!dg_st_open(d, s->arena, path, &f)) return false;
    bool ok = true;
    if (s->lazy) dg_vec_push(&s->files, f.file); /* closed with the store */
    const char *states = dg_st_meta(&f, "states");
    for (int i = 0; i < f.n && ok; i++)
        if (in_scope(f.tensors[i].name, scope))
            ok = take_tensor(s, d, &f, &f.tensors[i],
                             trained && !is_listed(states, f.tensors[i].name));
    const char *step = dg_st_meta(&f, "step"), *format = dg_st_meta(&f, "format");
    int64_t n;
    if (ok && !scope && step && format && strcmp(format, "dg") == 0 &&
        dg_parse_int(step, strlen(step), &n))
        s->step = n;
    const char *origin = dg_st_meta(&f, "origin");
    if (ok && !scope && origin && format && strcmp(format, "dg") == 0)
        s->origin = origin; /* in the store's arena */
    if (!s->lazy) dg_st_close(&f);
    return ok;
}

static const char *text_of(struct dg_store *s, json_t *m, const char *key)
{
    const char *t = json_string_value(json_object_get(m, key));
    return t ? dg_arena_text(s->arena, t, strlen(t)) : "";
}

static bool checksums_hold(struct dg_store *s, dg_diag *d, const char *folder, json_t *m)
{
    for (int i = 0; i < 2; i++) {
        json_t *part = json_object_get(json_object_get(m, "files"), parts[i]);
        const char *want = json_string_value(json_object_get(part, "xxh64")),
                   *path = dg_path_join(s->arena, folder, parts[i]);
        uint64_t hash = 0;
        size_t bytes = 0;
        if (!want)
            return dg_error_at(d, "E430", folder, "manifest.json has no checksum of %s",
                               parts[i]) == NULL;
        if (!hash_of(d, path, &hash, &bytes)) return false;
        char have[24];
        snprintf(have, sizeof have, "%016" PRIx64, hash);
        if ((json_int_t)bytes != json_integer_value(json_object_get(part, "bytes")) ||
            strcmp(have, want) != 0) {
            dg_error_at(d, "E431", dg_arena_printf(s->arena, "%s@0", path),
                        "damaged: %zu bytes with checksum %s, the manifest says %lld and %s", bytes,
                        have, (long long)json_integer_value(json_object_get(part, "bytes")), want);
            return false;
        }
    }
    return true;
}

static bool load_folder(struct dg_store *s, dg_diag *d, const char *folder, const char *scope,
                        dg_checkpoint_facts *f)
{
    const char *path = dg_path_join(s->arena, folder, "manifest.json");
    dg_file file;
    if (!dg_file_read(d, path, 16 << 20, &file)) return false;
    json_t *m = dg_json_read(d, "E430", path, (const char *)file.bytes, file.length);
    dg_file_close(&file);
    if (!m) return false;
    int64_t format = json_integer_value(json_object_get(m, "format"));
    bool ok = true;
    if (format != FORMAT)
        ok = dg_error_at(d, "E432", path, "checkpoint format %lld, this dg reads %d",
                         (long long)format, FORMAT) == NULL;
    ok = ok && checksums_hold(s, d, folder, m);
    for (int i = 0; i < 2 && ok; i++)
        ok = load_file(s, d, dg_path_join(s->arena, folder, parts[i]), scope, i == 0);
    if (ok && !scope) s->step = json_integer_value(json_object_get(m, "step"));
    if (ok && f) {
        *f = (dg_checkpoint_facts){.seed = strtoull(text_of(s, m, "seed"), NULL, 10),
                                   .plan_hash = strtoull(text_of(s, m, "plan"), NULL, 16),
                                   .isa = text_of(s, m, "isa"),
                                   .blas_core = text_of(s, m, "blas_core"),
                                   .build = text_of(s, m, "build"),
                                   .extra = text_of(s, m, "driver")};
    }
    json_decref(m);
    return ok;
}

static bool load_newest(struct dg_store *s, dg_diag *d, const char *run, const char *scope,
                        int64_t at, dg_checkpoint_facts *f)
{
    steps_vec steps = {0};
    bool ok = false;
    if (!list_steps(d, s->arena, run, &steps)) return false;
    const char *damaged = NULL;
    for (size_t i = steps.n; i-- > 0 && !ok;) {
        if (at >= 0 && steps.at[i] != at) continue;
        char *folder = step_folder(s->arena, run, steps.at[i]);
        if (at < 0 && !dg_path_exists(dg_path_join(s->arena, folder, "manifest.json")))
            continue; /* a save that was cut off */
        dg_diag *trial = dg_diag_new(s->arena, NULL);
        ok = load_folder(s, trial, folder, scope, f);
        if (ok && damaged)
            dg_warning_at(d, "W431", damaged, "is damaged; the checkpoint before it, %s, is used",
                          dg_path_base(folder));
        if (!ok && (at >= 0 || i == 0 ||
                    dg_diag_count(trial) ==
                        0)) { /* nothing left to fall back to: say what is wrong with it */
            const dg_message *m = dg_diag_count(trial) ? dg_diag_at(trial, 0) : NULL;
            dg_error_at(d, m ? m->id : "E431", m && m->place ? m->place : folder, "%s",
                        m ? m->what : "cannot be read");
            dg_vec_free(&steps);
            return false;
        }
        if (!ok) damaged = folder;
    }
    if (!ok && at >= 0)
        dg_error_at(d, "E501", run, "has no checkpoint of step %" PRId64, at);
    else if (!ok)
        dg_error_at(d, "E433", run, "holds no whole checkpoint");
    dg_vec_free(&steps);
    return ok;
}

bool dg_checkpoint_load(struct dg_store *s, dg_diag *d, const char *run, int64_t at,
                        dg_checkpoint_facts *f)
{
    return load_newest(s, d, run, NULL, at, f);
}

bool dg_weights_load(struct dg_store *s, dg_diag *d, const char *path, const char *scope)
{
    if (dg_is_run_folder(path)) return load_newest(s, d, path, scope, -1, NULL);
    if (dg_path_is_folder(path)) return load_folder(s, d, path, scope, NULL);
    return load_file(s, d, path, scope, true);
}

/* ---- public ---- */

dg_status dg_store_load(struct dg_store *s, const char *path, const char *scope)
{
    dg_diag *d = dg_context_diag(s->context, s->arena, NULL);
    dg_weights_load(s, d, path, scope);
    return dg_context_flush(s->context, d);
}

dg_status dg_store_save(struct dg_store *s, const char *path)
{
    dg_diag *d = dg_context_diag(s->context, s->arena, NULL);
    dg_weights_save(s, d, path, false);
    return dg_context_flush(s->context, d);
}

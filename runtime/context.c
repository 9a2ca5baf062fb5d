/* context.c: options checked, messages delivered, shared resources made once: threads, OpenBLAS,
 * the arena's block. */
#include "runtime/context.h"

#include "compiler/base/json.h"
#include "compiler/base/os.h"
#include "ops/ops.h"
#include "ops/support/amx.h"
#include "runtime/data/npy.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef DG_BUILD_ID
#define DG_BUILD_ID "unknown"
#endif

const char *dg_version(void)
{
    return DG_VERSION;
}

/* Environment: each variable has an option that wins; a wrong value names the variable. */
static bool threads_of(dg_diag *d, const dg_options *o, int *out)
{
    if (o->threads > 0) {
        *out = o->threads;
        return true;
    }
    const char *env = getenv("DG_THREADS");
    int64_t n = 0;
    if (!env || !*env) {
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        *out = cpus < 1 ? 1 : cpus > 256 ? 256 : (int)cpus;
        return true;
    }
    if (!dg_parse_int(env, strlen(env), &n) || n < 1 || n > 256) {
        dg_error_at(d, "E213", "env DG_THREADS", "'%s' is not a whole number from 1 to 256", env);
        return false;
    }
    *out = (int)n;
    return true;
}

static bool isa_of(dg_diag *d, const dg_options *o, dg_isa *out)
{
    const char *place = o->isa ? "--isa" : "env DG_ISA";
    const char *name = o->isa ? o->isa : getenv("DG_ISA");
    *out = dg_isa_of_cpu();
    if (!name || !*name) return true;
    for (dg_isa i = 0; i < DG_ISAS; i++) {
        if (strcmp(name, dg_isa_name(i)) != 0) continue;
        if (i > *out) {
            dg_error_at(d, "E215", place, "this CPU has no %s; the best it has is %s", name,
                        dg_isa_name(*out));
            return false;
        }
        *out = i;
        return true;
    }
    dg_error_at(d, "E222", place, "'%s' is not one of generic, avx2, avx512", name);
    return false;
}

static bool one_of(dg_diag *d, const char *place, const char *value, const char *const *allowed)
{
    dg_text list = {0};
    for (int i = 0; allowed[i]; i++) {
        if (strcmp(value, allowed[i]) == 0) {
            dg_text_free(&list);
            return true;
        }
        dg_text_add(&list, "%s%s", i ? ", " : "", allowed[i]);
    }
    dg_error_at(d, "E222", place, "'%s' is not one of %s", value, list.at);
    dg_text_free(&list);
    return false;
}

static const char **copy_list(dg_arena *a, const char *const *list, int *n)
{
    *n = 0;
    while (list && list[*n]) ++*n;
    const char **copy = DG_NEW_ARRAY(a, const char *, *n + 1);
    for (int i = 0; i < *n; i++) copy[i] = dg_arena_text(a, list[i], strlen(list[i]));
    return copy;
}

static bool skips_known(dg_diag *d, const char *const *skip)
{
    for (int i = 0; skip && skip[i]; i++) {
        const dg_pass_info *p = NULL;
        for (int j = 0; (p = dg_pass_at(j)) != NULL && strcmp(p->name, skip[i]) != 0;) j++;
        if (!p || !p->optional) {
            dg_message *m =
                dg_error_at(d, "E222", "--skip",
                            p ? "pass '%s' is required" : "no pass is called '%s'", skip[i]);
            dg_text names = {0};
            for (int j = 0; (p = dg_pass_at(j)) != NULL; j++)
                if (p->optional) dg_text_add(&names, " %s", p->name);
            dg_help_add(d, m, "optional passes:%s", names.at ? names.at : " none");
            dg_text_free(&names);
            return false;
        }
    }
    return true;
}

/* The library folder that came with the program: beside the build tree's or the installed program
 * or library. */
static const char *installed_graphs(dg_arena *a)
{
    static const char *const beside[] = {"graphs",
                                         "../graphs",
                                         "../../graphs",
                                         "../share/dg/graphs",
                                         "../../share/dg/graphs",
                                         "../../../share/dg/graphs"};
    char *module = dg_module_path(a, (const void *)(uintptr_t)dg_context_new);
    if (!module) return NULL;
    char *folder = dg_path_folder(a, module);
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        char *path = dg_path_join(a, folder, beside[i]);
        if (dg_path_exists(dg_path_join(a, path, "nn/layers.dg"))) return path;
    }
    return NULL;
}

static void find_libraries(dg_context *c)
{
    DG_VEC(const char *) list = {0};
    int n = 0;
    const char **given = copy_list(c->arena, c->options.lib, &n);
    for (int i = 0; i < n; i++) dg_vec_push(&list, given[i]);
    for (const char *at = getenv("DG_PATH"); at && *at;) {
        size_t length = strcspn(at, ":");
        if (length) dg_vec_push(&list, (const char *)dg_arena_text(c->arena, at, length));
        at += length + (at[length] == ':');
    }
    const char *own = installed_graphs(c->arena);
    if (own) dg_vec_push(&list, own);
    dg_vec_push(&list, (const char *)NULL);
    dg_vec_seal(&list, c->arena, c->lib);
}

dg_diag *dg_context_diag(dg_context *c, dg_arena *a, dg_sources *s)
{
    dg_diag *d = dg_diag_new(a, s);
    dg_diag_strict(d, c->options.strict);
    return d;
}

dg_status dg_context_flush(dg_context *c, dg_diag *d)
{
    for (size_t i = 0; i < dg_diag_count(d); i++) {
        const dg_message *m = dg_diag_at(d, i);
        dg_text text = {0}, json = {0};
        dg_message_text(d, m, false, &text);
        dg_message_json(d, m, &json);
        dg_report r = {m->severity == DG_ERROR, m->id, text.at ? text.at : "",
                       json.at ? json.at : "", dg_exit_code(m->id)};
        if (c->options.message) c->options.message(c->options.user, &r);
        dg_text_free(&text);
        dg_text_free(&json);
    }
    dg_status status = (dg_status)dg_diag_exit_code(d);
    if (c->status == DG_OK) c->status = status;
    dg_diag_clear(d);
    return status;
}

dg_context *dg_context_new(const dg_options *given)
{
    static const char *const ways[] = {"auto", "direct", "winograd2", "winograd4", NULL};
    static const char *const precisions[] = {"f32", "bf16", "f64", NULL};
    static const char *const checks[] = {"finite", "poison", "naive", NULL};
    dg_context *c = calloc(1, sizeof *c);
    if (!c) dg_out_of_memory();
    c->arena = dg_arena_new();
    c->strings = dg_strings_new(c->arena);
    if (given) c->options = *given;
    dg_options *o = &c->options;
    int n = 0;
    if (o->skip) o->skip = copy_list(c->arena, o->skip, &n);
    if (o->lib) o->lib = copy_list(c->arena, o->lib, &n);
    dg_diag *d = dg_context_diag(c, c->arena, NULL);
    bool ok = threads_of(d, o, &c->threads);
    ok = isa_of(d, o, &c->isa) && ok;
    ok = skips_known(d, o->skip) && ok;
    if (o->precision) ok = one_of(d, "--precision", o->precision, precisions) && ok;
    if (o->conv) ok = one_of(d, "--conv", o->conv, ways) && ok;
    if (o->conv)
        o->conv =
            strcmp(o->conv, "auto") == 0 ? NULL : dg_arena_text(c->arena, o->conv, strlen(o->conv));
    if (o->check) ok = one_of(d, "--check", o->check, checks) && ok;
    ok = dg_ops_check(d) && ok;
    if (ok && o->precision) dg_context_set_precision(c, d, "--precision", o->precision);
    ok = dg_diag_errors(d) == 0 && ok;
    find_libraries(c);
    dg_context_flush(c, d);
    if (ok) return c;
    dg_context_free(c);
    return NULL;
}

void dg_context_free(dg_context *c)
{
    if (!c) return;
    dg_pool_free(c->pool);
    if (c->arena_block) dg_large_free(c->arena_block, (size_t)c->arena_bytes);
    dg_arena_free(c->arena);
    free(c);
}

dg_status dg_context_status(const dg_context *c)
{
    return c->status;
}

void dg_context_clear(dg_context *c)
{
    c->status = DG_OK;
    atomic_store(&c->cancelled, 0);
}

void dg_cancel(dg_context *c, int signal)
{
    atomic_store(&c->cancelled, signal ? signal : 2);
}

void dg_save_soon(dg_context *c)
{
    atomic_store(&c->save_now, true);
}

void dg_free(void *p)
{
    free(p);
}

dg_pool *dg_context_pool(dg_context *c)
{
    if (!c->pool) c->pool = dg_pool_new(c->threads);
    return c->pool;
}

bool dg_context_blas(dg_context *c, dg_diag *d)
{
    const char *why = NULL;
    if (dg_blas_load(&why)) return true;
    if (!c->blas_asked) dg_error_at(d, "E520", "OpenBLAS", "cannot be loaded: %s", why);
    c->blas_asked = true;
    return false;
}

void *dg_context_arena(dg_context *c, dg_diag *d, int64_t bytes)
{
    if (bytes <= c->arena_bytes && c->arena_block) return c->arena_block;
    void *block = dg_large_alloc((size_t)(bytes ? bytes : 64));
    if (!block) {
        char text[32];
        dg_error_at(d, "E601", "plan", "no memory for an arena of %s",
                    dg_bytes_text((uint64_t)bytes, text));
        return NULL;
    }
    if (c->arena_block) dg_large_free(c->arena_block, (size_t)c->arena_bytes);
    c->arena_block = block;
    c->arena_bytes = bytes ? bytes : 64;
    return block;
}

void dg_context_set_precision(dg_context *c, dg_diag *d, const char *place, const char *precision)
{
    c->reference = strcmp(precision, "f64") == 0;
    c->bf16 = strcmp(precision, "bf16") == 0;
    if (!c->bf16 || (c->isa == DG_AVX512 && dg_amx_ready())) return;
    c->bf16 = false;
    if (!c->bf16_said)
        dg_warning_at(d, "W226", place, "bf16 wants AMX, which %s; f32 is computed instead",
                      c->isa == DG_AVX512 || c->isa == dg_isa_of_cpu() ? "this machine has not"
                                                                       : "this ISA level has not");
    c->bf16_said = true;
}

dg_pass_options dg_context_passes(const dg_context *c)
{
    return (dg_pass_options){.isa = c->isa,
                             .reference = c->reference,
                             .bf16 = c->bf16,
                             .naive = c->naive,
                             .memory = c->options.memory,
                             .conv = c->options.conv,
                             .skip = c->options.skip,
                             .verify = c->options.verify};
}

const char *dg_blas_core_for_cpu(void)
{
    return dg_blas_wanted_core();
}

const char *dg_build_info(dg_context *c)
{
    if (c->build_info) return c->build_info;
    const char *why = NULL;
    bool blas = dg_blas_load(&why);
    c->build_info = dg_arena_printf(
        c->arena, "dg %s\nbuild %s, %s\nISA level %s, %d threads\nOpenBLAS %s, core type %s\n",
        DG_VERSION, DG_BUILD_ID, __VERSION__, dg_isa_name(c->isa), c->threads,
        blas ? dg_blas_version() : why, dg_blas_core());
    return c->build_info;
}

dg_tensor_info dg_tensor_info_of(const char *name, const dg_type *t)
{
    dg_tensor_info i = {.name = name,
                        .dtype = dg_dtype_name(t->dtype),
                        .rank = t->shape.rank,
                        .bytes = (size_t)dg_type_bytes(t)};
    for (int a = 0; a < t->shape.rank; a++) i.dims[a] = t->shape.dim[a];
    return i;
}

/* A JSON number, list of numbers, or list of lists of one length. */
typedef DG_VEC(double) doubles;
static bool numbers_of(json_t *j, doubles *out, int64_t dims[2], int depth, bool *ints)
{
    if (json_is_number(j)) {
        if (!json_is_integer(j)) *ints = false;
        dg_vec_push(out, json_number_value(j));
        return true;
    }
    if (!json_is_array(j) || depth == 2) return false;
    int64_t n = (int64_t)json_array_size(j);
    if (dims[depth] && dims[depth] != n) return false;
    dims[depth] = n;
    for (size_t i = 0; i < json_array_size(j); i++)
        if (!numbers_of(json_array_get(j, i), out, dims, depth + 1, ints)) return false;
    return true;
}

static bool setting_from_file(dg_context *c, dg_arena *a, dg_diag *d, const char *path,
                              dg_setting_in *s)
{
    (void)c;
    size_t length = strlen(path);
    if (length > 4 && strcmp(path + length - 4, ".npy") == 0) {
        dg_npy npy;
        if (!dg_npy_read(d, a, path, &npy)) return false;
        if (npy.type.shape.rank > 2) {
            dg_error_at(d, "E452", path,
                        "a static value has rank 0, 1 or 2, this array has rank %d",
                        npy.type.shape.rank);
            return false;
        }
        int64_t n = dg_shape_count(&npy.type.shape);
        double *list = DG_NEW_ARRAY(a, double, n + 1);
        dg_npy_doubles(&npy, list);
        s->list = list;
        s->n = npy.type.shape.rank == 0 ? -1 : n;
        for (int i = 0; i < npy.type.shape.rank && npy.type.shape.rank == 2; i++)
            s->dims[i] = npy.type.shape.dim[i];
        s->ints = !dg_dtype_is_float(npy.type.dtype);
        return true;
    }
    dg_file f;
    if (!dg_file_read(d, path, (size_t)64 << 20, &f)) return false;
    json_t *j = dg_json_read(d, "E451", path, (const char *)f.bytes, f.length);
    dg_file_close(&f);
    if (!j) return false;
    doubles v = {0};
    int64_t dims[2] = {0, 0};
    s->ints = true;
    bool ok = numbers_of(j, &v, dims, 0, &s->ints);
    if (!ok)
        dg_error_at(d, "E451", path,
                    "want a number, a list of numbers, or a list of such lists of one length");
    s->n = json_is_array(j) ? (int64_t)v.n : -1;
    if (dims[1]) {
        s->dims[0] = dims[0];
        s->dims[1] = dims[1];
    }
    json_decref(j);
    double *list;
    dg_vec_push(&v, 0.0);
    dg_vec_seal(&v, a, list);
    s->list = list;
    return ok;
}

bool dg_settings_of(dg_context *c, dg_arena *a, dg_diag *d, const dg_arg_text *list, int n,
                    dg_setting_in **out)
{
    dg_setting_in *in = DG_NEW_ARRAY(a, dg_setting_in, n + 1);
    bool ok = true;
    for (int i = 0; i < n; i++) {
        in[i].name = dg_arena_text(a, list[i].name, strlen(list[i].name));
        in[i].place =
            list[i].place ? dg_arena_text(a, list[i].place, strlen(list[i].place)) : in[i].name;
        in[i].span = DG_NOWHERE;
        if (list[i].value[0] == '@')
            ok = setting_from_file(c, a, d, list[i].value + 1, &in[i]) && ok;
        else
            in[i].text = dg_arena_text(a, list[i].value, strlen(list[i].value));
    }
    *out = in;
    return ok;
}

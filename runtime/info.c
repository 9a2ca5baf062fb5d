/* info.c: dg_info: tells what a file is by its first bytes, and the few facts a person wants of it.
 */
#include "runtime/context.h"

#include "compiler/base/json.h"
#include "compiler/base/os.h"
#include "runtime/checkpoint.h"
#include "runtime/data/npy.h"
#include "runtime/png_text.h"
#include "runtime/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct facts {
    dg_json_writer json;
    dg_text text;
    dg_arena *arena;
} facts;

static void fact(facts *f, const char *key, const char *value)
{
    dg_json_string_field(&f->json, key, value);
    dg_text_add(&f->text, "%-16s %s\n", key, value);
}

__attribute__((format(printf, 3, 4))) static void factf(facts *f, const char *key,
                                                        const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fact(f, key, dg_arena_vprintf(f->arena, format, args));
    va_end(args);
}

static bool safetensors_facts(dg_diag *d, const char *path, facts *f)
{
    dg_st_file st;
    if (!dg_st_open(d, f->arena, path, &st)) return false;
    int64_t values = 0;
    for (int i = 0; i < st.n; i++) values += dg_shape_count(&st.tensors[i].shape);
    fact(f, "kind", "weights (safetensors)");
    factf(f, "tensors", "%d", st.n);
    factf(f, "values", "%" PRId64, values);
    for (int i = 0; i < st.n_meta; i++)
        if (strcmp(st.meta[2 * i], "origin") != 0) fact(f, st.meta[2 * i], st.meta[2 * i + 1]);
    dg_st_close(&st);
    return true;
}

static uint32_t big_endian(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Text of the file itself: what a terminal would take for more than letters is escaped. */
static void text_fact(facts *f, const char *key, const char *value)
{
    dg_text shown = {0}, name = {0};
    dg_text_escape(&name, key, strlen(key), DG_PNG_KEY_MAX);
    dg_text_escape(&shown, value, strlen(value), 4096);
    fact(f, name.at ? name.at : "", shown.at ? shown.at : "");
    dg_text_free(&shown);
    dg_text_free(&name);
}

/* The text says what made the picture (made.h). */
static bool png_facts(dg_diag *d, const char *path, const uint8_t *b, size_t n, facts *f)
{
    static const char *const colours[] = {
        "grey", "?", "RGB", "palette", "grey with alpha", "?", "RGB with alpha"};
    dg_png_text text;
    fact(f, "kind", "picture (PNG)");
    if (!dg_png_text_read(d, f->arena, path, b, n, &text)) return false;
    if (n < 33) return true;
    factf(f, "size", "%ux%u", big_endian(b + 16), big_endian(b + 20));
    fact(f, "colours", b[25] <= 6 ? colours[b[25]] : "?");
    for (int i = 0; i < text.n; i++) {
        bool twice = false; /* keys of an object are there once */
        for (int k = 0; k < i; k++) twice = twice || strcmp(text.at[k].key, text.at[i].key) == 0;
        if (!twice) text_fact(f, text.at[i].key, text.at[i].value);
    }
    return true;
}

static bool json_facts(dg_diag *d, const char *path, const dg_file *file, facts *f)
{
    json_t *root = dg_json_read(d, "E451", path, (const char *)file->bytes, file->length);
    if (!root) return false;
    const char *format = json_string_value(json_object_get(root, "format"));
    bool plan = format && strncmp(format, "dg-plan/", 8) == 0;
    fact(f, "kind", plan ? "plan (JSON)" : "JSON");
    if (plan) {
        json_t *header = json_object_get(root, "header"),
               *summary = json_object_get(root, "summary");
        const char *entry = json_string_value(json_object_get(header, "entry"));
        fact(f, "format", format);
        if (entry) fact(f, "entry", entry);
        factf(f, "steps", "%zu", json_array_size(json_object_get(root, "steps")));
        factf(f, "peak", "%" PRId64 " bytes",
              (int64_t)json_integer_value(json_object_get(summary, "peak")));
    }
    json_decref(root);
    return true;
}

static bool npy_facts(dg_diag *d, const char *path, const dg_file *file, facts *f)
{
    dg_npy n;
    if (!dg_npy_parse(d, f->arena, path, file->bytes, file->length, &n)) return false;
    fact(f, "kind", "array (NPY)");
    fact(f, "type", dg_type_name(f->arena, &n.type));
    return true;
}

static bool run_facts(dg_context *c, dg_diag *d, const char *path, facts *f)
{
    struct dg_store *s = dg_store_new(c);
    dg_checkpoint_facts facts_of;
    bool ok = dg_checkpoint_load(s, d, path, -1, &facts_of);
    if (ok) {
        int64_t params = 0;
        for (size_t i = 0; i < s->tensors.n; i++)
            if (s->tensors.at[i].trained) params += dg_shape_count(&s->tensors.at[i].type.shape);
        fact(f, "kind", "run");
        factf(f, "step", "%" PRId64, s->step);
        factf(f, "seed", "%" PRIu64, facts_of.seed);
        factf(f, "parameters", "%" PRId64, params);
        factf(f, "plan", "%016" PRIx64, facts_of.plan_hash);
        fact(f, "isa", facts_of.isa);
        fact(f, "blas_core", facts_of.blas_core);
    }
    dg_store_free(s);
    return ok;
}

static bool file_facts(dg_diag *d, const char *path, facts *f)
{
    dg_file file;
    if (!dg_file_map(d, path, &file)) return false;
    const uint8_t *b = file.bytes;
    size_t n = file.length;
    bool ok = true;
    if (n >= 8 && memcmp(b, "\x89PNG\r\n\x1a\n", 8) == 0)
        ok = png_facts(d, path, b, n, f);
    else if (n >= 6 && memcmp(b, "\x93NUMPY", 6) == 0)
        ok = npy_facts(d, path, &file, f);
    else if (n >= 4 && b[0] == 0 && b[1] == 0 && b[2] == 8 && b[3] >= 1 && b[3] <= 4) {
        fact(f, "kind", b[3] == 1 ? "labels (IDX)" : "images (IDX)");
        if (n >= 8) factf(f, "count", "%u", big_endian(b + 4));
    } else if (n >= 2 && b[0] == 0x1F && b[1] == 0x8B)
        fact(f, "kind", "gzip");
    else if (n >= 9 && b[8] == '{')
        ok = safetensors_facts(d, path, f);
    else if (n >= 1 && b[0] == '{')
        ok = json_facts(d, path, &file, f);
    else if ((n >= 4 && memcmp(b, "PK\3\4", 4) == 0) || (n >= 2 && b[0] == 0x80 && b[1] <= 5))
        ok = safetensors_facts(d, path, f);
    else
        fact(f, "kind", "not a file that dg knows");
    char bytes[32];
    if (ok) fact(f, "bytes", dg_bytes_text(n, bytes));
    dg_file_close(&file);
    return ok;
}

char *dg_info(dg_context *c, const char *path, bool json)
{
    facts f = {.arena = dg_arena_new()};
    dg_diag *d = dg_context_diag(c, f.arena, NULL);
    dg_json_open(&f.json, '{');
    bool ok;
    if (dg_is_run_folder(path))
        ok = run_facts(c, d, path, &f);
    else
        ok = file_facts(d, path, &f);
    dg_json_close(&f.json, '}');
    dg_text_add(&f.json.text, "\n");
    dg_status status = dg_context_flush(c, d);
    dg_arena_free(f.arena);
    char *keep = json ? f.json.text.at : f.text.at, *drop = json ? f.text.at : f.json.text.at;
    free(drop);
    if (ok && status == DG_OK) return keep;
    free(keep);
    return NULL;
}

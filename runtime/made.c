/* made.c: facts <-> text. One keyword for each fact, so that any viewer of PNG text shows them;
 * lists of NAME=VALUE are JSON objects. */
#include "runtime/made.h"

#include "compiler/base/json.h"
#include "runtime/session.h"

#include <inttypes.h>
#include <string.h>

/* ---- hashes ---- */

static uint64_t hash_of_text(dg_text *t)
{
    uint64_t hash = dg_hash(t->at ? t->at : "", t->n);
    dg_text_free(t);
    return hash;
}

uint64_t dg_graph_hash(const dg_plan *p)
{
    dg_text t = {0};
    for (int i = 0; i < p->n_files; i++) dg_text_add(&t, "%016" PRIx64 "\n", p->files[i].hash);
    for (int i = 0; i < p->n_config; i++)
        dg_text_add(&t, "%s=%s\n", p->config[i].name, p->config[i].text);
    return hash_of_text(&t);
}

uint64_t dg_places_hash(const dg_plan *p, struct dg_store *s)
{
    dg_text t = {0};
    for (int i = 0; i < p->n_places; i++) {
        const dg_tensor *tensor = dg_store_find(s, p->places[i].path);
        uint64_t data = dg_hash(tensor->data, (size_t)dg_type_bytes(&tensor->type));
        dg_text_add(&t, "%s %016" PRIx64 "\n", tensor->path, data);
    }
    return hash_of_text(&t);
}

void dg_made_take_plan(dg_made *m, dg_arena *a, const dg_plan *p)
{
    const dg_plan_owner *owner = p->owner;
    const char *const *skip = owner->context->options.skip;
    m->graph = dg_graph_hash(p);
    m->precision = dg_plan_precision(p);
    m->isa = dg_isa_name(p->isa);
    m->blas_core = p->blas_core;
    m->program = "dg " DG_VERSION;
    m->conv = owner->context->options.conv ? owner->context->options.conv : "";
    m->skip = "";
    for (int i = 0; skip && skip[i]; i++)
        m->skip = dg_arena_printf(a, "%s%s%s", m->skip, i ? " " : "", skip[i]);
}

/* ---- writing ---- */

typedef struct writer {
    dg_arena *arena;
    dg_png_text *out;
} writer;

static void put(writer *w, const char *key, const char *value)
{
    if (value && *value) dg_png_text_add(w->arena, w->out, key, value);
}

static void put_whole(writer *w, const char *key, int64_t value)
{
    put(w, key, dg_arena_printf(w->arena, "%" PRId64, value));
}

static void put_hash(writer *w, const char *key, uint64_t value)
{
    put(w, key, dg_arena_printf(w->arena, "%016" PRIx64, value));
}

static void put_pairs(writer *w, const char *key, const dg_arg_text *list, int n)
{
    if (n == 0) return;
    dg_json_writer j = {0};
    dg_json_open(&j, '{');
    for (int i = 0; i < n; i++) {
        dg_json_string_field(&j, list[i].name, list[i].value);
    }
    dg_json_close(&j, '}');
    put(w, key, j.text.at);
    dg_text_free(&j.text);
}

void dg_made_write(const dg_made *m, dg_arena *a, dg_png_text *out)
{
    writer w = {a, out};
    put(&w, "Software", m->program);
    put(&w, "dg.verb", m->verb);
    put(&w, "dg.file", m->file);
    put(&w, "dg.entry", m->entry);
    put_pairs(&w, "dg.args", m->args, m->n_args);
    put_pairs(&w, "dg.defs", m->defs, m->n_defs);
    put_pairs(&w, "dg.inputs", m->inputs, m->n_inputs);
    put(&w, "dg.from", m->ends[0]);
    put(&w, "dg.to", m->ends[1]);
    put(&w, "dg.space", m->space);
    put(&w, "dg.seed", dg_arena_printf(a, "%" PRIu64, m->seed));
    put_whole(&w, "dg.sample0", m->sample0);
    put_whole(&w, "dg.n", m->n);
    put(&w, "dg.grid", dg_arena_printf(a, "%" PRId64 "x%" PRId64, m->rows, m->columns));
    put(&w, "dg.weights_file", m->weights);
    put_whole(&w, "dg.step", m->step);
    put_hash(&w, "dg.weights", m->weights_hash);
    put_hash(&w, "dg.graph", m->graph);
    put(&w, "dg.precision", m->precision);
    put(&w, "dg.isa", m->isa);
    put(&w, "dg.blas_core", m->blas_core);
    put(&w, "dg.conv", m->conv);
    put(&w, "dg.skip", m->skip);
}

/* ---- reading ---- */

typedef struct reader {
    dg_diag *diag;
    dg_arena *arena;
    const char *place;
    const dg_png_text *text;
    bool ok;
} reader;

static void malformed(reader *r, const char *key, const char *want)
{
    const char *have = dg_png_text_get(r->text, key);
    dg_text q = {0};
    if (have) dg_text_quote(&q, have, strlen(have));
    if (r->ok && !have)
        dg_error_at(r->diag, "E446", r->place, "the picture's text lacks '%s'", key);
    else if (r->ok)
        dg_error_at(r->diag, "E446", r->place, "the picture's text says %s: '%s', want %s", key,
                    q.at ? q.at : "", want);
    dg_text_free(&q);
    r->ok = false;
}

static const char *get(reader *r, const char *key)
{
    const char *value = dg_png_text_get(r->text, key);
    if (!value) malformed(r, key, "a text");
    return value ? value : "";
}

static int64_t get_whole(reader *r, const char *key, int64_t least, int64_t most)
{
    int64_t n = 0;
    const char *value = get(r, key);
    if (r->ok && (!dg_parse_int(value, strlen(value), &n) || n < least || n > most))
        malformed(r, key, "a whole number in its range");
    return n;
}

static uint64_t get_hash(reader *r, const char *key)
{
    const char *value = get(r, key);
    uint64_t hash = 0;
    bool good = strlen(value) == 16;
    for (int i = 0; good && i < 16; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = strchr(digits, value[i]);
        good = digit != NULL;
        if (good) hash = hash << 4 | (uint64_t)(digit - digits);
    }
    if (r->ok && !good) malformed(r, key, "16 hexadecimal digits");
    return hash;
}

/* A seed may use all 64 bits. */
static uint64_t get_seed(reader *r, const char *key)
{
    const char *value = get(r, key);
    uint64_t n = 0;
    bool good = *value != 0;
    for (const char *c = value; good && *c; c++) {
        good = *c >= '0' && *c <= '9' && n <= (UINT64_MAX - (uint64_t)(*c - '0')) / 10;
        if (good) n = 10 * n + (uint64_t)(*c - '0');
    }
    if (r->ok && !good) malformed(r, key, "a whole number of 64 bits");
    return n;
}

static const dg_arg_text *get_pairs(reader *r, const char *key, int *n)
{
    const char *value = dg_png_text_get(r->text, key);
    *n = 0;
    if (!value) return NULL;
    dg_diag *quiet = dg_diag_new(r->arena, NULL);
    json_t *root = dg_json_read(quiet, "E446", r->place, value, strlen(value));
    dg_arg_text *list =
        DG_NEW_ARRAY(r->arena, dg_arg_text, root ? (int)json_object_size(root) + 1 : 1);
    bool good = json_is_object(root);
    const char *name;
    json_t *item;
    json_object_foreach(root, name, item)
    {
        const char *text = json_string_value(item);
        good = good && text && strlen(text) == json_string_length(item);
        if (!good) break;
        list[(*n)++] = (dg_arg_text){dg_arena_text(r->arena, name, strlen(name)),
                                     dg_arena_text(r->arena, text, strlen(text)),
                                     dg_arena_printf(r->arena, "%s %s", key, name)};
    }
    json_decref(root);
    if (!good) malformed(r, key, "an object of texts");
    return list;
}

static void get_grid(reader *r, dg_made *m)
{
    const char *value = get(r, "dg.grid");
    size_t n = strcspn(value, "x");
    if (r->ok && (!value[n] || !dg_parse_int(value, n, &m->rows) ||
                  !dg_parse_int(value + n + 1, strlen(value + n + 1), &m->columns) || m->rows < 1 ||
                  m->columns < 1 || m->rows > 65535 || m->columns > 65535))
        malformed(r, "dg.grid", "ROWSxCOLUMNS");
}

bool dg_made_read(dg_diag *d, dg_arena *a, const char *place, const dg_png_text *t, dg_made *out)
{
    static const int64_t most = (int64_t)1 << 60;
    reader r = {d, a, place, t, true};
    *out = (dg_made){0};
    if (!dg_png_text_get(t, "dg.verb")) {
        dg_message *m =
            dg_error_at(d, "E446", place, "the picture has no text that says what made it");
        dg_help_add(d, m,
                    "pictures of dg sample and dg interp have it, until a program that drops text "
                    "saves them anew");
        return false;
    }
    out->verb = get(&r, "dg.verb");
    if (strcmp(out->verb, "sample") != 0 && strcmp(out->verb, "interp") != 0)
        malformed(&r, "dg.verb", "sample or interp");
    out->program = get(&r, "Software");
    out->file = dg_png_text_get(t, "dg.file");
    out->entry = get(&r, "dg.entry");
    out->args = get_pairs(&r, "dg.args", &out->n_args);
    out->defs = get_pairs(&r, "dg.defs", &out->n_defs);
    out->inputs = get_pairs(&r, "dg.inputs", &out->n_inputs);
    if (strcmp(out->verb, "interp") == 0) {
        out->ends[0] = get(&r, "dg.from");
        out->ends[1] = get(&r, "dg.to");
        out->space = get(&r, "dg.space");
    }
    out->seed = get_seed(&r, "dg.seed");
    out->sample0 = get_whole(&r, "dg.sample0", 0, most);
    out->n = get_whole(&r, "dg.n", 1, most);
    get_grid(&r, out);
    out->weights = dg_png_text_get(t, "dg.weights_file");
    out->step = get_whole(&r, "dg.step", 0, most);
    out->weights_hash = get_hash(&r, "dg.weights");
    out->graph = get_hash(&r, "dg.graph");
    out->precision = get(&r, "dg.precision");
    if (strcmp(out->precision, "f32") != 0 && strcmp(out->precision, "bf16") != 0 &&
        strcmp(out->precision, "f64") != 0)
        malformed(&r, "dg.precision", "f32, bf16 or f64");
    out->isa = get(&r, "dg.isa");
    out->blas_core = dg_png_text_get(t, "dg.blas_core");
    if (!out->blas_core) out->blas_core = "";
    out->conv = dg_png_text_get(t, "dg.conv");
    if (!out->conv) out->conv = "";
    out->skip = dg_png_text_get(t, "dg.skip");
    if (!out->skip) out->skip = "";
    return r.ok;
}

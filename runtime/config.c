/* config.c: one table of all keys of a run file; reading, defaults and writing follow it.
 *
 * In     a tree of YAML, and KEY=VALUE texts that replace parts of it.
 * Out    a dg_config with every default filled in.
 * Keeps  every mistake has its line: unknown key (with a suggestion), wrong kind, out of range. */
#include "runtime/config.h"

#include "compiler/base/os.h"
#include "compiler/base/vec.h"
#include "runtime/yaml.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef enum kind {
    TEXT,     /* const char * */
    WHOLE,    /* int64_t */
    REAL,     /* double */
    YES_NO,   /* bool */
    BYTES,    /* int64_t; 4G */
    DITHER,   /* bool; none or uniform */
    SIZES,    /* dg_shape */
    INTERVAL, /* double[2] */
    NAMED     /* dg_nameds: a map of the user's own names */
} kind;

typedef struct key {
    const char *name; /* with the sections: save.keep.last */
    kind kind;
    size_t offset;
    double lo, hi;        /* of numbers */
    const char *choices;  /* of texts: " stop skip rollback " */
    const char *fallback; /* as text; NULL: nothing */
} key;

#define AT(field) offsetof(dg_config, field)
static const double BIG = 9e15;

/* clang-format off */
static const key keys[] = {
    {"graph",                    TEXT,     AT(graph),           0, 0, NULL, NULL},
    {"entries.train",            TEXT,     AT(train_entry),     0, 0, NULL, "step"},
    {"entries.sample",           TEXT,     AT(sample_entry),    0, 0, NULL, "sample"},
    {"entries.eval",             TEXT,     AT(eval_entry),      0, 0, NULL, NULL},
    {"entries.judge",            TEXT,     AT(judge_entry),     0, 0, NULL, "judge"},
    {"entries.real",             TEXT,     AT(real_entry),      0, 0, NULL, "real"},
    {"config",                   NAMED,    AT(values),          0, 0, NULL, NULL},
    {"data.path",                TEXT,     AT(data.path),       0, 0, NULL, NULL},
    {"data.kind",                TEXT,     AT(data.kind),       0, 0, "data", "auto"},
    {"data.inputs",              NAMED,    AT(inputs),          0, 0, "fills", NULL},
    {"data.size",                SIZES,    AT(data.size),       1, 65536, NULL, NULL},
    {"data.pad",                 WHOLE,    AT(data.pad),        0, 4096, NULL, "0"},
    {"data.range",               INTERVAL, AT(data.range),      -1e6, 1e6, NULL, "[-1.0, 1.0]"},
    {"data.flip",                YES_NO,   AT(data.flip),       0, 0, NULL, "false"},
    {"data.dequantize",          DITHER,   AT(data.dequantize), 0, 0, NULL, "none"},
    {"data.split.train",         REAL,     AT(data.train_part), 0, 1, NULL, "1.0"},
    {"data.split.valid",         REAL,     AT(data.valid_part), 0, 1, NULL, "0.0"},
    {"train.steps",              WHOLE,    AT(steps),           1, 4294967295.0, NULL, "20000"},
    {"train.seed",               WHOLE,    AT(seed),            0, 9e18, NULL, "1"},
    {"train.on_nonfinite.policy", TEXT,    AT(policy),          0, 0, " stop skip rollback ", "stop"},
    {"train.on_nonfinite.limit", WHOLE,    AT(limit),           1, 1e6, NULL, "3"},
    {"sample.n",                 WHOLE,    AT(sample_n),        0, 1e9, NULL, "0"},
    {"sample.args",              NAMED,    AT(sample_args),     0, 0, NULL, NULL},
    {"log.every",                WHOLE,    AT(log_every),       1, BIG, NULL, "50"},
    {"log.samples_every",        WHOLE,    AT(samples_every),   0, BIG, NULL, "1000"},
    {"log.eval_every",           WHOLE,    AT(eval_every),      0, BIG, NULL, "0"},
    {"save.every",               WHOLE,    AT(save_every),      1, BIG, NULL, "1000"},
    {"save.every_minutes",       REAL,     AT(save_minutes),    0, 1e6, NULL, "10.0"},
    {"save.keep.last",           WHOLE,    AT(keep_last),       2, 1e6, NULL, "2"},
    {"save.keep.every",          WHOLE,    AT(keep_every),      0, BIG, NULL, "10000"},
    {"runtime.threads",          WHOLE,    AT(threads),         0, 256, NULL, "0"},
    {"runtime.memory",           BYTES,    AT(memory),          0, BIG, NULL, "0"},
    {"runtime.precision",        TEXT,     AT(precision),       0, 0, " f32 bf16 f64 ", "f32"},
    {"out",                      TEXT,     AT(out),             0, 0, NULL, "runs"},
};
/* clang-format on */
enum { N_KEYS = sizeof keys / sizeof *keys };

static void *field(dg_config *c, const key *k)
{
    return (char *)c + k->offset;
}

/* ---- values ---- */

static bool wrong(dg_config *c, const dg_yaml *v, const char *name, const char *want)
{
    dg_text found = {0};
    if (v->kind == DG_YAML_SCALAR) {
        dg_text_addn(&found, "'", 1);
        dg_text_quote(&found, v->text, v->length);
        dg_text_addn(&found, "'", 1);
    } else {
        dg_text_add(&found, v->kind == DG_YAML_LIST ? "a list" : "a map");
    }
    dg_error(c->diag, "E106", v->span, "'%s' must be %s, found %s", name, want, found.at);
    dg_text_free(&found);
    return false;
}

static bool is_scalar(const dg_yaml *v)
{
    return v->kind == DG_YAML_SCALAR && strlen(v->text) == v->length;
}

/* Decimal only: 010 would be eight elsewhere. */
static bool number_of(const dg_yaml *v, double *out)
{
    if (!is_scalar(v) || v->quoted || !dg_parse_double(v->text, v->length, out)) return false;
    const char *digits = v->text + (v->text[0] == '-' || v->text[0] == '+');
    return !(digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9');
}

static bool whole_of(const dg_yaml *v, int64_t *out)
{
    double x;
    return number_of(v, &x) && dg_parse_int(v->text, v->length, out);
}

static const char *number_text(dg_arena *a, double x)
{
    char buffer[32];
    if (x == floor(x) && fabs(x) < 1e15) return dg_arena_printf(a, "%lld", (long long)x);
    dg_double_text(x, buffer);
    return dg_arena_text(a, buffer, strlen(buffer));
}

static const char *range_text(dg_config *c, const char *what, const key *k)
{
    return dg_arena_printf(c->arena, "%s from %s to %s", what, number_text(c->arena, k->lo),
                           number_text(c->arena, k->hi));
}

static bool read_bytes(dg_config *c, const key *k, const dg_yaml *v, int64_t *out)
{
    static const char units[] = "KMGT";
    if (!is_scalar(v) || v->length == 0) return wrong(c, v, k->name, "a number of bytes, as 4G");
    const char *unit = strchr(units, v->text[v->length - 1]);
    size_t n = v->length - (unit != NULL);
    int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    if (!dg_parse_int(v->text, n, out) || *out < 0 || *out > (int64_t)1 << (62 - shift))
        return wrong(c, v, k->name, "a number of bytes, as 4G");
    *out <<= shift;
    return true;
}

static bool read_sizes(dg_config *c, const key *k, const dg_yaml *v, dg_shape *out)
{
    bool ok = v->kind == DG_YAML_LIST && v->n >= 1 && v->n <= 4;
    *out = (dg_shape){0};
    for (size_t i = 0; ok && i < v->n; i++) {
        int64_t n = 0;
        ok = whole_of(v->items[i], &n) && n >= 1 && n <= 65536;
        out->dim[out->rank++] = n;
    }
    c->size_span = v->span;
    return ok || wrong(c, v, k->name, "a list of sizes, as [1, 28, 28]");
}

static bool read_interval(dg_config *c, const key *k, const dg_yaml *v, double out[2])
{
    bool ok = v->kind == DG_YAML_LIST && v->n == 2 && number_of(v->items[0], &out[0]) &&
              number_of(v->items[1], &out[1]) && out[0] < out[1];
    return ok || wrong(c, v, k->name, "two ascending numbers, as [-1, 1]");
}

/* A YAML value as a static value of the language; false when it has no such form. */
static bool value_text(dg_config *c, const dg_yaml *v, const char *name, dg_text *out)
{
    if (v->kind == DG_YAML_LIST) {
        dg_text_add(out, "[");
        for (size_t i = 0; i < v->n; i++) {
            if (i) dg_text_add(out, ", ");
            if (!value_text(c, v->items[i], name, out)) return false;
        }
        dg_text_add(out, "]");
        return true;
    }
    if (v->kind == DG_YAML_MAP || !is_scalar(v))
        return wrong(c, v, name, "a number, true or false, a text, or a list of these");
    double x;
    bool word = !v->quoted && v->length > 0;
    for (size_t i = 0; i < v->length; i++) {
        char ch = v->text[i];
        bool letter = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_';
        word = word && (letter || (i > 0 && ch >= '0' && ch <= '9'));
        if (ch == '"' || ch == '\\' || ch == '{' || ch == '}' || (unsigned char)ch < 32)
            return wrong(c, v, name, "a text without quotes, braces and backslashes");
    }
    if (!v->quoted && v->length == 0) return wrong(c, v, name, "a value");
    bool odd_number = !v->quoted && v->length > 0 && !word && strchr(".+-0123456789", v->text[0]);
    int64_t whole;
    char buffer[32];
    if (word || whole_of(v, &whole))
        dg_text_addn(out, v->text, v->length);
    else if (number_of(v, &x))
        dg_text_add(out, "%s", dg_double_text(x, buffer));
    else if (odd_number)
        return wrong(c, v, name, "a finite decimal number");
    else
        dg_text_add(out, "\"%s\"", v->text);
    return true;
}

static const char *place_of(dg_config *c, dg_span s)
{
    const dg_source *f = dg_source_at(dg_diag_sources(c->diag), s.file);
    dg_position p = dg_source_position(f, s.begin);
    return dg_arena_printf(c->arena, "%s:%d:%d", f->name, p.line, p.column);
}

static bool is_name(dg_config *c, const dg_yaml_pair *p)
{
    bool name = p->key[0] != 0;
    for (size_t i = 0; p->key[i]; i++) {
        char ch = p->key[i];
        bool letter = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_';
        name = name && (letter || (i > 0 && ch >= '0' && ch <= '9'));
    }
    if (name) return true;
    dg_text quoted = {0};
    dg_text_quote(&quoted, p->key, strlen(p->key));
    dg_error(c->diag, "E106", p->span, "'%s' is no name", quoted.at ? quoted.at : "");
    dg_text_free(&quoted);
    return false;
}

static bool read_named(dg_config *c, const key *k, const dg_yaml *v, dg_nameds *out)
{
    if (v->kind == DG_YAML_SCALAR && v->length == 0) return true; /* `config:` with nothing below */
    if (v->kind != DG_YAML_MAP) return wrong(c, v, k->name, "a map of names to values");
    bool ok = true;
    for (size_t i = 0; i < v->n; i++) {
        dg_text text = {0};
        const dg_yaml_pair *p = &v->pairs[i];
        bool good = is_name(c, p) && value_text(c, p->value, p->key, &text);
        if (good && k->choices && strcmp(text.at, "data") != 0 && strcmp(text.at, "labels") != 0)
            good = wrong(c, p->value, p->key, "data or labels");
        if (good) {
            dg_named_set(c->arena, out, p->key, text.at, place_of(c, p->span));
            out->at[out->n - 1].span = p->span;
        }
        ok = ok && good;
        dg_text_free(&text);
    }
    return ok;
}

static const char *nearest(const char *name, const char *const *list)
{
    const char *best = NULL;
    int best_distance = 3;
    for (int i = 0; list[i]; i++) {
        int distance = dg_edit_distance(name, list[i], 2);
        if (distance < best_distance) {
            best = list[i];
            best_distance = distance;
        }
    }
    return best;
}

static bool read_text(dg_config *c, const key *k, const dg_yaml *v, const char **out)
{
    if (!is_scalar(v) || v->length == 0 || v->length > 4000) return wrong(c, v, k->name, "a text");
    *out = v->text;
    if (!k->choices) return true;
    if (strcmp(k->choices, "data") == 0) {
        const char *const *all = dg_data_kinds();
        for (int i = 0; all[i]; i++)
            if (strcmp(all[i], v->text) == 0) return true;
        if (strcmp(v->text, "auto") == 0) return true;
        dg_text list = {0};
        for (int i = 0; all[i]; i++) dg_text_add(&list, ", %s", all[i]);
        const char *near = nearest(v->text, all);
        dg_text quoted = {0};
        dg_text_quote(&quoted, v->text, v->length);
        dg_message *m =
            near ? dg_error(c->diag, "E106", v->span,
                            "no kind of data is called '%s' (did you mean '%s'?)", quoted.at, near)
                 : dg_error(c->diag, "E106", v->span, "no kind of data is called '%s'", quoted.at);
        dg_help_add(c->diag, m, "kinds: auto%s", list.at);
        dg_text_free(&quoted);
        dg_text_free(&list);
        return false;
    }
    const char *found = strstr(k->choices, v->text);
    bool ok = found && found[-1] == ' ' && found[v->length] == ' ' && !strchr(v->text, ' ');
    return ok || wrong(c, v, k->name, dg_arena_printf(c->arena, "one of%s", k->choices));
}

static bool read_value(dg_config *c, const key *k, const dg_yaml *v)
{
    void *to = field(c, k);
    double x = 0;
    int64_t n = 0;
    switch (k->kind) {
    case TEXT:
        return read_text(c, k, v, to);
    case WHOLE:
        if (!whole_of(v, &n) || (double)n < k->lo || (double)n > k->hi)
            return wrong(c, v, k->name, range_text(c, "a whole number", k));
        *(int64_t *)to = n;
        return true;
    case REAL:
        if (!number_of(v, &x) || !(x >= k->lo && x <= k->hi))
            return wrong(c, v, k->name, range_text(c, "a number", k));
        *(double *)to = x;
        return true;
    case YES_NO:
        *(bool *)to = is_scalar(v) && !v->quoted && strcmp(v->text, "true") == 0;
        if (*(bool *)to || (is_scalar(v) && !v->quoted && strcmp(v->text, "false") == 0))
            return true;
        return wrong(c, v, k->name, "true or false");
    case DITHER:
        *(bool *)to = is_scalar(v) && strcmp(v->text, "uniform") == 0;
        if (*(bool *)to || (is_scalar(v) && strcmp(v->text, "none") == 0)) return true;
        return wrong(c, v, k->name, "none or uniform");
    case BYTES:
        return read_bytes(c, k, v, to);
    case SIZES:
        return read_sizes(c, k, v, to);
    case INTERVAL:
        return read_interval(c, k, v, to);
    case NAMED:
        return read_named(c, k, v, to);
    }
    return false;
}

/* ---- the tree ---- */

static bool is_section(const char *path)
{
    size_t n = strlen(path);
    for (int i = 0; i < N_KEYS; i++)
        if (strncmp(keys[i].name, path, n) == 0 && keys[i].name[n] == '.') return true;
    return false;
}

/* The names that may stand in a section ("" is the file itself), NULL-ended. */
static const char **names_in(dg_arena *a, const char *section)
{
    const char **list = DG_NEW_ARRAY(a, const char *, N_KEYS + 1);
    size_t skip = strlen(section) ? strlen(section) + 1 : 0;
    int n = 0;
    for (int i = 0; i < N_KEYS; i++) {
        const char *name = keys[i].name;
        if (skip && (strncmp(name, section, skip - 1) != 0 || name[skip - 1] != '.')) continue;
        size_t length = strcspn(name + skip, ".");
        if (n && strlen(list[n - 1]) == length && strncmp(list[n - 1], name + skip, length) == 0)
            continue;
        list[n++] = dg_arena_text(a, name + skip, length);
    }
    return list;
}

static void unknown_key(dg_config *c, const char *section, const dg_yaml_pair *p)
{
    const char **known = names_in(c->arena, section), *near = nearest(p->key, known);
    dg_text key_text = {0}, where = {0}, list = {0};
    dg_text_quote(&key_text, p->key, strlen(p->key));
    if (section[0]) dg_text_add(&where, " in '%s'", section);
    if (near) dg_text_add(&where, " (did you mean '%s'?)", near);
    dg_message *m = dg_error(c->diag, "E104", p->span, "unknown key '%s'%s", key_text.at,
                             where.at ? where.at : "");
    for (int i = 0; known[i]; i++) dg_text_add(&list, " %s", known[i]);
    if (!near) dg_help_add(c->diag, m, "keys here:%s", list.at);
    dg_text_free(&key_text);
    dg_text_free(&where);
    dg_text_free(&list);
}

static void note_span(dg_config *c, const char *name, dg_span s)
{
    static const struct {
        const char *name;
        size_t offset;
    } spans[] = {{"graph", AT(graph_span)},           {"entries.train", AT(train_span)},
                 {"entries.sample", AT(sample_span)}, {"entries.eval", AT(eval_span)},
                 {"entries.judge", AT(judge_span)},   {"entries.real", AT(real_span)},
                 {"data.path", AT(path_span)}};
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++)
        if (strcmp(spans[i].name, name) == 0) *(dg_span *)((char *)c + spans[i].offset) = s;
}

static void read_section(dg_config *c, const char *section, dg_yaml *map)
{
    for (size_t i = 0; i < map->n; i++) {
        dg_yaml_pair *p = &map->pairs[i];
        const char *name =
            section[0] ? dg_arena_printf(c->arena, "%s.%s", section, p->key) : p->key;
        const key *k = NULL;
        for (int j = 0; j < N_KEYS; j++)
            if (strcmp(keys[j].name, name) == 0) k = &keys[j];
        if (strcmp(name, "data") == 0) c->data_span = p->span;
        if (k) {
            note_span(c, name, p->value->span);
            read_value(c, k, p->value);
        } else if (!is_section(name)) {
            unknown_key(c, section, p);
        } else if (p->value->kind == DG_YAML_MAP) {
            read_section(c, name, p->value);
        } else if (p->value->kind != DG_YAML_SCALAR || p->value->length) {
            wrong(c, p->value, name, "a map of settings");
        }
    }
}

/* --set train.steps=100: the value is YAML of its own; sections on the way are made. */
static bool set_value(dg_config *c, dg_yaml *root, const char *text)
{
    const char *eq = strchr(text, '=');
    size_t n = eq ? (size_t)(eq - text) : strlen(text);
    const char *place = dg_arena_printf(c->arena, "--set %.*s", (int)(n < 200 ? n : 200), text);
    if (!eq || n == 0) {
        dg_error_at(c->diag, "E214", place, "want KEY=VALUE, as train.steps=100");
        return false;
    }
    int32_t file = dg_sources_add(dg_diag_sources(c->diag), place, NULL, eq + 1, strlen(eq + 1));
    dg_yaml *value = dg_yaml_read(c->diag, c->arena, file);
    if (!value) return false;
    dg_yaml *map = root;
    for (const char *at = text;;) {
        size_t length = strcspn(at, ".=");
        const char *name = dg_arena_text(c->arena, at, length);
        bool last = at[length] == '=';
        dg_yaml_pair *p = dg_yaml_find(map, name);
        if (!p) {
            dg_yaml_pair *pairs = DG_NEW_ARRAY(c->arena, dg_yaml_pair, map->n + 1);
            if (map->n) memcpy(pairs, map->pairs, map->n * sizeof *pairs);
            p = &pairs[map->n++];
            map->pairs = pairs;
            p->key = name;
        }
        p->span = value->span;
        if (last) {
            p->value = value;
            return true;
        }
        if (!p->value || p->value->kind != DG_YAML_MAP) {
            p->value = DG_NEW(c->arena, dg_yaml);
            *p->value = (dg_yaml){.kind = DG_YAML_MAP, .span = value->span};
        }
        map = p->value;
        at += length + 1;
    }
}

static void fill_defaults(dg_config *c)
{
    for (int i = 0; i < N_KEYS; i++) {
        const key *k = &keys[i];
        void *to = field(c, k);
        if (!k->fallback) continue;
        size_t n = strlen(k->fallback);
        if (k->kind == TEXT)
            *(const char **)to = k->fallback;
        else if (k->kind == WHOLE || k->kind == BYTES)
            dg_parse_int(k->fallback, n, to);
        else if (k->kind == REAL)
            dg_parse_double(k->fallback, n, to);
    }
    c->data.range[0] = -1.0;
    c->data.range[1] = 1.0;
}

/* Folders are shown with what they hold that is spelt like the name. */
static void check_graph(dg_config *c)
{
    if (dg_path_exists(c->graph) && !dg_path_is_folder(c->graph)) return;
    char **names = NULL;
    size_t n = 0;
    dg_diag *quiet = dg_diag_new(c->arena, NULL);
    const char *near = NULL, *base = dg_path_base(c->graph);
    const char *shown = c->graph + (strncmp(c->graph, c->folder, strlen(c->folder)) == 0 &&
                                            c->graph[strlen(c->folder)] == '/'
                                        ? strlen(c->folder) + 1
                                        : 0);
    if (dg_folder_list(quiet, c->arena, dg_path_folder(c->arena, c->graph), &names, &n)) {
        const char **list = DG_NEW_ARRAY(c->arena, const char *, n + 1);
        for (size_t i = 0; i < n; i++) list[i] = names[i];
        near = nearest(base, list);
    }
    if (near && strcmp(near, base) != 0)
        dg_error(c->diag, "E121", c->graph_span, "cannot open graph '%s' (did you mean '%.*s%s'?)",
                 shown, (int)(dg_path_base(shown) - shown), shown, near);
    else
        dg_error(c->diag, "E121", c->graph_span, "cannot open graph '%s'", shown);
}

static void check_whole(dg_config *c, dg_yaml *root)
{
    dg_span top = {root->span.file, 0, 1};
    if (!c->graph) {
        dg_message *m = dg_error(c->diag, "E107", top, "'graph' is missing: the .dg file to run");
        dg_help_add(c->diag, m, "add a line such as    graph: model.dg");
    } else {
        c->graph = dg_path_join(c->arena, c->folder, c->graph);
        check_graph(c);
    }
    dg_span data = c->data_span.file >= 0 ? c->data_span : top;
    if (!c->data.path && !dg_data_kind_generated(c->data.kind)) {
        dg_message *m = dg_error(c->diag, "E107", data,
                                 "'data.path' is missing, and 'data.kind' is '%s'", c->data.kind);
        dg_help_add(c->diag, m,
                    "give a path, or a generated kind such as    data: {kind: sketch_digits}");
    }
    if (c->data.path && dg_data_kind_generated(c->data.kind)) {
        dg_message *m = dg_error(c->diag, "E106", data,
                                 "data of kind '%s' is generated and has no path", c->data.kind);
        dg_help_add(c->diag, m, "to read '%s', set data.kind to auto", c->data.path);
    }
    if (c->data.train_part + c->data.valid_part > 1.0)
        dg_error(c->diag, "E106", data, "the parts of 'data.split' add up to more than 1");
    if (c->data.path) c->data.path = dg_path_join(c->arena, c->folder, c->data.path);
    if (c->out) c->out = dg_path_join(c->arena, c->folder, c->out);
}

dg_config *dg_config_parse(dg_diag *d, dg_arena *a, const char *path, const char *text,
                           size_t length, const char *const *set)
{
    dg_config *c = DG_NEW(a, dg_config);
    c->arena = a;
    c->diag = d;
    c->path = path;
    c->folder = dg_path_folder(a, path);
    c->graph_span = c->train_span = c->sample_span = c->eval_span = DG_NOWHERE;
    c->data_span = c->size_span = c->path_span = DG_NOWHERE;
    dg_yaml *root =
        dg_yaml_read(d, a, dg_sources_add(dg_diag_sources(d), path, path, text, length));
    if (!root) return NULL;
    if (root->kind != DG_YAML_MAP) {
        dg_error(d, "E101", root->span, "a run file is a map of keys, as    graph: model.dg");
        return NULL;
    }
    bool ok = true;
    for (int i = 0; set && set[i]; i++) ok = set_value(c, root, set[i]) && ok;
    if (!ok) return NULL;
    fill_defaults(c);
    read_section(c, "", root);
    if (dg_diag_errors(d) == 0) check_whole(c, root);
    return dg_diag_errors(d) ? NULL : c;
}

dg_config *dg_config_read(dg_diag *d, dg_arena *a, const char *path, const char *const *set)
{
    dg_file f;
    if (!dg_file_read(d, path, DG_YAML_MAX_BYTES, &f)) return NULL;
    dg_config *c = dg_config_parse(d, a, dg_arena_text(a, path, strlen(path)),
                                   (const char *)f.bytes, f.length, set);
    dg_file_close(&f);
    return c;
}

bool dg_data_spec_of_text(dg_diag *d, dg_arena *a, const char *name, const char *options,
                          dg_data_spec *out)
{
    dg_config *c = DG_NEW(a, dg_config);
    c->arena = a;
    c->diag = d;
    fill_defaults(c);
    if (options) {
        int32_t file =
            dg_sources_add(dg_diag_sources(d), "data options", NULL, options, strlen(options));
        dg_yaml *root = dg_yaml_read(d, a, file);
        if (root && root->kind == DG_YAML_MAP)
            read_section(c, "data", root);
        else if (root)
            wrong(c, root, "data", "a map of settings");
    }
    bool generated = dg_data_kind_generated(name) && !dg_path_exists(name);
    *(generated ? &c->data.kind : &c->data.path) = name;
    *out = c->data;
    return dg_diag_errors(d) == 0;
}

/* ---- named values ---- */

void dg_named_set(dg_arena *a, dg_nameds *list, const char *name, const char *text,
                  const char *place)
{
    dg_named v = {dg_arena_text(a, name, strlen(name)), dg_arena_text(a, text, strlen(text)),
                  place ? dg_arena_text(a, place, strlen(place)) : NULL, DG_NOWHERE};
    for (int i = 0; i < list->n; i++)
        if (strcmp(list->at[i].name, name) == 0) {
            list->at[i] = v;
            return;
        }
    dg_named *at = DG_NEW_ARRAY(a, dg_named, list->n + 1);
    if (list->n) memcpy(at, list->at, (size_t)list->n * sizeof *at);
    at[list->n++] = v;
    list->at = at;
}

const char *dg_named_get(const dg_nameds *list, const char *name)
{
    for (int i = 0; i < list->n; i++)
        if (strcmp(list->at[i].name, name) == 0) return list->at[i].text;
    return NULL;
}

/* ---- writing ---- */

static void write_quoted(dg_text *out, const char *text)
{
    dg_text_add(out, "\"");
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') dg_text_add(out, "\\");
        dg_text_addn(out, text, 1);
    }
    dg_text_add(out, "\"");
}

static void write_value(const dg_config *c, const key *k, dg_text *out)
{
    const void *from = (const char *)c + k->offset;
    char buffer[32];
    switch (k->kind) {
    case TEXT:
        write_quoted(out, *(const char *const *)from);
        break;
    case WHOLE:
    case BYTES:
        dg_text_add(out, "%lld", (long long)*(const int64_t *)from);
        break;
    case REAL:
        dg_text_add(out, "%s", dg_double_text(*(const double *)from, buffer));
        break;
    case YES_NO:
        dg_text_add(out, "%s", *(const bool *)from ? "true" : "false");
        break;
    case DITHER:
        dg_text_add(out, "%s", *(const bool *)from ? "uniform" : "none");
        break;
    case SIZES:
        dg_shape_text(from, out);
        break;
    case INTERVAL:
        dg_text_add(out, "[%s, ", dg_double_text(((const double *)from)[0], buffer));
        dg_text_add(out, "%s]", dg_double_text(((const double *)from)[1], buffer));
        break;
    case NAMED: {
        const dg_nameds *list = from;
        dg_text_add(out, "{");
        for (int i = 0; i < list->n; i++)
            dg_text_add(out, "%s%s: %s", i ? ", " : "", list->at[i].name, list->at[i].text);
        dg_text_add(out, "}");
        break;
    }
    }
}

void dg_config_write(const dg_config *c, dg_text *out)
{
    const char *before = "";
    for (int i = 0; i < N_KEYS; i++) {
        const key *k = &keys[i];
        const void *from = (const char *)c + k->offset;
        bool absent = (k->kind == TEXT && !*(const char *const *)from) ||
                      (k->kind == SIZES && ((const dg_shape *)from)->rank == 0);
        if (absent) continue;
        /* Sections that the key before had open already are not opened again. */
        const char *name = k->name;
        size_t same = 0;
        for (size_t j = 0; name[j] && name[j] == before[j]; j++)
            if (name[j] == '.') same = j + 1;
        int depth = 0;
        for (size_t j = 0; name[j]; j++) {
            if (name[j] != '.') continue;
            size_t begin = j;
            while (begin > 0 && name[begin - 1] != '.') begin--;
            if (j >= same)
                dg_text_add(out, "%*s%.*s:\n", 2 * depth, "", (int)(j - begin), name + begin);
            depth++;
        }
        const char *last = strrchr(name, '.');
        dg_text_add(out, "%*s%s: ", 2 * depth, "", last ? last + 1 : name);
        write_value(c, k, out);
        dg_text_add(out, "\n");
        before = name;
    }
}

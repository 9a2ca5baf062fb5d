/* options.c: parses a command line against the table of cli.def, and prints the table as help. */
#include "runtime/cli/options.h"

#include "compiler/base/json.h"
#include "runtime/cli/cli.h"

#include <string.h>

static const cli_verb verbs[] = {
#define VERB(name, arguments, output, summary, details)                                            \
    {#name, arguments, summary, details, cli_##name, output},
#include "runtime/cli/cli.def"
    {0}};

static const cli_spec specs[OPT_COUNT] = {
#define OPTION(id, name, letter, kind, value, verbs, help) {name, letter, kind, value, verbs, help},
#include "runtime/cli/cli.def"
};

const cli_spec *cli_spec_of(cli_option o)
{
    return &specs[o];
}

const cli_verb *cli_verb_at(int i)
{
    return verbs[i].name ? &verbs[i] : NULL;
}

const cli_verb *cli_verb_find(const char *name)
{
    for (int i = 0; verbs[i].name; i++)
        if (strcmp(verbs[i].name, name) == 0) return &verbs[i];
    return NULL;
}

bool cli_takes(const cli_verb *v, cli_option o)
{
    if (!specs[o].verbs || !v) return true;
    char padded[40];
    snprintf(padded, sizeof padded, " %s ", v->name);
    return strstr(specs[o].verbs, padded) != NULL;
}

/* ---- parsing ---- */

static const char *nearest_option(const cli_verb *v, const char *name)
{
    const char *best = NULL;
    int least = 3;
    for (int o = 0; o < OPT_COUNT; o++) {
        if (!cli_takes(v, (cli_option)o)) continue;
        int distance = dg_edit_distance(name, specs[o].name, 2);
        if (distance < least) {
            least = distance;
            best = specs[o].name;
        }
    }
    return best;
}

static bool unknown_option(const cli_verb *v, const char *name)
{
    const char *near = nearest_option(v, name), *elsewhere = NULL;
    for (int o = 0; o < OPT_COUNT; o++)
        if (strcmp(specs[o].name, name) == 0) elsewhere = specs[o].verbs;
    if (elsewhere)
        return cli_error("E212", name, true, "belongs to:%.*s", (int)strlen(elsewhere) - 1,
                         elsewhere);
    if (near) return cli_error("E212", name, true, "no such option (did you mean '--%s'?)", near);
    return cli_error("E212", name, true, "no such option; see dg help%s%s", v ? " " : "",
                     v ? v->name : "");
}

static bool parse_bytes(const char *text, int64_t *out)
{
    size_t n = strlen(text);
    int shift = 0;
    if (n && strchr("KMG", text[n - 1])) {
        shift = text[n - 1] == 'K' ? 10 : text[n - 1] == 'M' ? 20 : 30;
        n--;
    }
    return dg_parse_int(text, n, out) && *out > 0 && *out <= INT64_MAX >> shift &&
           (*out <<= shift, true);
}

static bool in_choices(const char *choices, const char *value)
{
    size_t n = strlen(value);
    for (const char *at = choices; *at;) {
        size_t length = strcspn(at, "|");
        if (length == n && strncmp(at, value, n) == 0) return true;
        at += length + (at[length] == '|');
    }
    return false;
}

static bool check_value(cli *c, cli_option o, const char *value)
{
    const cli_spec *s = &specs[o];
    int64_t *number = &c->number[o];
    size_t n = strlen(value);
    switch (s->kind) {
    case INT:
    case INT1: {
        int64_t least = s->kind == INT1, most = o == OPT_THREADS ? 256 : INT64_MAX;
        if (dg_parse_int(value, n, number) && *number >= least && *number <= most) return true;
        if (most == INT64_MAX)
            return cli_error("E213", s->name, true, "'%s' is not a whole number from %d", value,
                             (int)least);
        return cli_error("E213", s->name, true, "'%s' is not a whole number from %d to %d", value,
                         (int)least, (int)most);
    }
    case BYTES:
        if (parse_bytes(value, number)) return true;
        return cli_error("E213", s->name, true, "'%s' is not a number of bytes such as 600M or 4G",
                         value);
    case CHOICE:
    case OPTIONAL_CHOICE:
        if (in_choices(s->value, value)) return true;
        return cli_error("E222", s->name, true, "'%s' is not one of %s", value, s->value);
    default:
        if (n || o == OPT_FILTER) return true;
        return cli_error("E214", s->name, true, "the value is empty");
    }
}

static void push(cli *c, cli_list *l, const char *value)
{
    const char **grown = DG_NEW_ARRAY(c->arena, const char *, l->n + 2);
    if (l->n) memcpy(grown, l->at, sizeof *grown * (size_t)l->n);
    grown[l->n++] = value;
    l->at = grown;
}

static bool take_option(cli *c, cli_option o, const char *value, int argc, char **argv, int *i)
{
    const cli_spec *s = &specs[o];
    if (!cli_takes(c->verb, o)) return unknown_option(c->verb, s->name);
    bool bare = s->kind == FLAG || s->kind == OPTIONAL_CHOICE;
    if (s->kind == FLAG && value)
        return cli_error("E214", s->name, true, "takes no value, found '%s'", value);
    if (!bare && !value) {
        if (*i + 1 >= argc) return cli_error("E214", s->name, true, "wants a value: %s", s->value);
        value = argv[++*i];
    }
    if (c->count[o]++ && s->kind != LIST && o != OPT_VERBOSE)
        return cli_error("E214", s->name, true, "is given twice");
    if (value && !check_value(c, o, value)) return false;
    c->text[o] = value;
    if (s->kind == LIST) push(c, &c->list[o], value);
    return true;
}

static bool take_long(cli *c, const char *arg, int argc, char **argv, int *i)
{
    size_t n = strcspn(arg, "=");
    const char *name = dg_arena_text(c->arena, arg, n), *value = arg[n] ? arg + n + 1 : NULL;
    for (int o = 0; o < OPT_COUNT; o++)
        if (strcmp(specs[o].name, name) == 0)
            return take_option(c, (cli_option)o, value, argc, argv, i);
    return unknown_option(c->verb, name);
}

/* -q, -D NAME=VALUE, -DNAME=VALUE, -vv. */
static bool take_short(cli *c, const char *arg, int argc, char **argv, int *i)
{
    for (; *arg; arg++) {
        int o = 0;
        while (o < OPT_COUNT && specs[o].letter != *arg) o++;
        if (o == OPT_COUNT) {
            char name[2] = {*arg, 0};
            return cli_error("E212", name, false, "-%s: no such option; see dg help%s%s", name,
                             c->verb ? " " : "", c->verb ? c->verb->name : "");
        }
        bool bare = specs[o].kind == FLAG;
        if (!take_option(c, (cli_option)o, bare || !arg[1] ? NULL : arg + 1, argc, argv, i))
            return false;
        if (!bare) return true;
    }
    return true;
}

static bool find_verb(cli *c, const char *name)
{
    c->verb = cli_verb_find(name);
    if (c->verb) return true;
    const char *best = NULL;
    int least = 3;
    for (int i = 0; verbs[i].name; i++) {
        int distance = dg_edit_distance(name, verbs[i].name, 2);
        if (distance < least) {
            least = distance;
            best = verbs[i].name;
        }
    }
    dg_text q = {0};
    dg_text_quote(&q, name, strlen(name));
    if (best)
        cli_error("E211", "dg", false, "unknown verb '%s' (did you mean '%s'?)", q.at, best);
    else
        cli_error("E211", "dg", false, "unknown verb '%s'; see dg help", q.at ? q.at : "");
    dg_text_free(&q);
    return false;
}

bool cli_parse(cli *c, int argc, char **argv, bool *version)
{
    bool options = true;
    c->arguments.at = DG_NEW_ARRAY(c->arena, const char *, 1);
    for (int o = 0; o < OPT_COUNT; o++) c->list[o].at = DG_NEW_ARRAY(c->arena, const char *, 1);
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (options && strcmp(arg, "--") == 0)
            options = false;
        else if (options && !c->verb && strcmp(arg, "--version") == 0)
            *version = true;
        else if (options && arg[0] == '-' && arg[1] == '-') {
            if (!take_long(c, arg + 2, argc, argv, &i)) return false;
        } else if (options && arg[0] == '-' && arg[1]) {
            if (!take_short(c, arg + 1, argc, argv, &i)) return false;
        } else if (!c->verb) {
            if (!find_verb(c, arg)) return false;
        } else
            push(c, &c->arguments, arg);
    }
    return true;
}

bool cli_pairs(cli *c, const char *place, const char *const *texts, int n, dg_arg_text **out)
{
    *out = DG_NEW_ARRAY(c->arena, dg_arg_text, n + 1);
    for (int i = 0; i < n; i++) {
        size_t length = strcspn(texts[i], "=");
        if (!texts[i][length] || !length) {
            cli_error("E214", place, false, "'%s' is not NAME=VALUE", texts[i]);
            return false;
        }
        const char *name = dg_arena_text(c->arena, texts[i], length);
        (*out)[i] = (dg_arg_text){name, texts[i] + length + 1,
                                  dg_arena_printf(c->arena, "%s %s", place, name)};
    }
    return true;
}

bool cli_arity(cli *c, int least, int most)
{
    int n = c->arguments.n;
    if (n >= least && (most < 0 || n <= most)) return true;
    if (n < least)
        cli_error("E214", "dg", false, "%s wants: %s", c->verb->name, c->verb->arguments);
    else
        cli_error("E214", "dg", false, "%s: '%s' is one argument too many; it wants: %s",
                  c->verb->name, c->arguments.at[most], c->verb->arguments);
    return false;
}

/* ---- help ---- */

static void add_option(const cli_spec *s, dg_text *out)
{
    char left[64];
    const char *open = s->kind == OPTIONAL_CHOICE ? "[="
                       : s->value                 ? "="
                                                  : "",
               *close = s->kind == OPTIONAL_CHOICE ? "]" : "";
    char letter[8] = "    ";
    if (s->letter) snprintf(letter, sizeof letter, "-%c, ", s->letter);
    snprintf(left, sizeof left, "%s--%s%s%s%s", letter, s->name, open, s->value ? s->value : "",
             close);
    dg_text_add(out, strlen(left) < 34 ? "  %-34s %s\n" : "  %s  %s\n", left, s->help);
}

void cli_help_text(const cli_verb *v, dg_text *out)
{
    if (!v) {
        dg_text_add(out, "dg: diffusion models as dataflow graphs, on CPU\n\nusage: dg VERB "
                         "ARGUMENTS [OPTIONS]\n\n");
        for (int i = 0; verbs[i].name; i++)
            dg_text_add(out, "  %-9s %s\n", verbs[i].name, verbs[i].summary);
        dg_text_add(out, "\n  dg help VERB   its arguments and options\n  dg --version   build, "
                         "ISA level, OpenBLAS and its core type\n");
        return;
    }
    dg_text_add(out, "dg %s %s\n%s\n", v->name, v->arguments, v->summary);
    if (v->details[0]) dg_text_add(out, "%s\n", v->details);
    bool own = false;
    for (int o = 0; o < OPT_COUNT; o++) {
        if (!specs[o].verbs || !cli_takes(v, (cli_option)o)) continue;
        if (!own) dg_text_add(out, "\n");
        own = true;
        add_option(&specs[o], out);
    }
    dg_text_add(out, "\nCommon options:\n");
    for (int o = 0; o < OPT_COUNT; o++)
        if (!specs[o].verbs) add_option(&specs[o], out);
}

static void option_json(dg_json_writer *w, const cli_spec *s)
{
    static const char *const kinds[] = {"flag",  "text",   "int",    "int",
                                        "bytes", "choice", "choice", "list"};
    char letter[2] = {s->letter, 0};
    dg_json_open(w, '{');
    dg_json_string_field(w, "name", s->name);
    dg_json_key(w, "letter");
    if (s->letter)
        dg_json_string(w, letter);
    else
        dg_json_null(w);
    dg_json_string_field(w, "kind", kinds[s->kind]);
    dg_json_key(w, "value");
    if (s->value)
        dg_json_string(w, s->value);
    else
        dg_json_null(w);
    dg_json_string_field(w, "help", s->help);
    dg_json_close(w, '}');
}

void cli_help_json(dg_text *out)
{
    dg_json_writer w = {.pretty = true};
    dg_json_open(&w, '{');
    dg_json_key(&w, "verbs");
    dg_json_open(&w, '[');
    for (int i = 0; verbs[i].name; i++) {
        dg_json_open(&w, '{');
        dg_json_string_field(&w, "name", verbs[i].name);
        dg_json_string_field(&w, "arguments", verbs[i].arguments);
        dg_json_string_field(&w, "summary", verbs[i].summary);
        dg_json_key(&w, "options");
        dg_json_open(&w, '[');
        for (int o = 0; o < OPT_COUNT; o++)
            if (cli_takes(&verbs[i], (cli_option)o)) option_json(&w, &specs[o]);
        dg_json_close(&w, ']');
        dg_json_close(&w, '}');
    }
    dg_json_close(&w, ']');
    dg_json_close(&w, '}');
    dg_text_addn(out, w.text.at, w.text.n);
    dg_text_add(out, "\n");
    dg_text_free(&w.text);
}

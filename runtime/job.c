/* job.c: run file + program. In: a path and what the command line adds. Out: both opened, and every
 * name that the run file uses found in the program. */
#include "runtime/job.h"

#include "compiler/base/os.h"

#include <stdlib.h>
#include <string.h>

dg_status dg_job_flush(dg_job *j)
{
    return dg_context_flush(j->context, j->diag);
}

void dg_say(dg_context *c, const char *verb, const char *format, ...)
{
    if (!c->options.progress) return;
    dg_arena *a = dg_arena_new();
    va_list args;
    va_start(args, format);
    dg_progress p = {.verb = verb, .next_save = -1, .event = dg_arena_vprintf(a, format, args)};
    va_end(args);
    c->options.progress(c->options.user, &p);
    dg_arena_free(a);
}

dg_arg_text *dg_args_of(dg_arena *a, const dg_nameds *list)
{
    dg_arg_text *out = DG_NEW_ARRAY(a, dg_arg_text, list->n + 1);
    for (int i = 0; i < list->n; i++)
        out[i] = (dg_arg_text){list->at[i].name, list->at[i].text, list->at[i].place};
    return out;
}

dg_arg_text *dg_inputs_map(dg_arena *a, const dg_config *c, const dg_plan *p, int *n)
{
    dg_arg_text *out = dg_args_of(a, &c->inputs);
    *n = 0;
    for (int i = 0; i < c->inputs.n; i++)
        for (int k = 0; k < p->n_inputs; k++)
            if (strcmp(p->inputs[k].name, out[i].name) == 0) out[(*n)++] = out[i];
    return out;
}

dg_program *dg_program_open_with(dg_context *c, const char *path, const dg_arg_text *config, int n,
                                 const char *lib)
{
    dg_program *p = dg_program_open(c, path, config, n);
    if (!p || !lib) return p;
    int count = 0;
    while (c->lib[count]) count++;
    const char **list = DG_NEW_ARRAY(p->arena, const char *, count + 2);
    list[0] = dg_arena_text(p->arena, lib, strlen(lib));
    memcpy(list + 1, c->lib, sizeof *list * (size_t)count);
    p->source.lib = list;
    return p;
}

/* Numbers as the language writes them; whole ones stay whole. */
static void add_number(dg_text *t, const dg_setting_in *s, int64_t i)
{
    char buffer[32];
    if (s->ints)
        dg_text_add(t, "%lld", (long long)s->list[i]);
    else
        dg_text_add(t, "%s", dg_double_text(s->list[i], buffer));
}

bool dg_setting_text(dg_context *c, dg_arena *a, dg_diag *d, const dg_arg_text *arg,
                     const char **out)
{
    dg_setting_in *s;
    *out = arg->value;
    if (!dg_settings_of(c, a, d, arg, 1, &s)) return false;
    if (s->text) return true;
    dg_text t = {0};
    int64_t columns = s->dims[1] ? s->dims[1] : 0;
    if (s->n < 0)
        add_number(&t, s, 0);
    else
        dg_text_add(&t, "[");
    for (int64_t i = 0; i < s->n; i++) {
        if (i) dg_text_add(&t, ", ");
        if (columns && i % columns == 0) dg_text_add(&t, "[");
        add_number(&t, s, i);
        if (columns && i % columns == columns - 1) dg_text_add(&t, "]");
    }
    if (s->n >= 0) dg_text_add(&t, "]");
    *out = dg_arena_text(a, t.at, t.n);
    dg_text_free(&t);
    return true;
}

/* ---- names ---- */

static const char *nearest(const char *name, const char *const *list, int n)
{
    const char *best = NULL;
    int best_distance = 3;
    for (int i = 0; i < n; i++) {
        int distance = dg_edit_distance(name, list[i], 2);
        if (distance < best_distance) {
            best = list[i];
            best_distance = distance;
        }
    }
    return best;
}

static void unknown(dg_job *j, dg_span span, const char *what, const char *name,
                    const char *const *list, int n)
{
    const char *graph = dg_path_base(j->config->graph), *near = nearest(name, list, n);
    dg_text hint = {0}, all = {0};
    if (near) dg_text_add(&hint, " (did you mean '%s'?)", near);
    dg_message *m = dg_error(j->diag, "E131", span, "graph '%s' has no %s '%s'%s", graph, what,
                             name, hint.at ? hint.at : "");
    for (int i = 0; i < n && i < 40; i++) dg_text_add(&all, " %s", list[i]);
    if (!near) dg_help_add(j->diag, m, "it has:%s", n ? all.at : " none");
    dg_text_free(&hint);
    dg_text_free(&all);
}

static bool has(const char *name, const char *const *list, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(list[i], name) == 0) return true;
    return false;
}

/* `data.inputs` serves all entries, so a name has to be an argument of one of them. */
static void check_inputs(dg_job *j, const dg_entry_info *entries, int n, dg_arena *a)
{
    const dg_nameds *inputs = &j->config->inputs;
    int count = 0, room = 0;
    for (int i = 0; i < n; i++) room += entries[i].n_formals;
    const char **names = DG_NEW_ARRAY(a, const char *, room + 1);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < entries[i].n_formals; k++)
            if (!has(entries[i].formals[k].name, names, count))
                names[count++] = entries[i].formals[k].name;
    for (int i = 0; i < inputs->n; i++)
        if (!has(inputs->at[i].name, names, count))
            unknown(j, inputs->at[i].span, "entry argument", inputs->at[i].name, names, count);
}

static void check_names(dg_job *j, dg_front *f, dg_arena *a)
{
    const dg_config *c = j->config;
    const char *const *names;
    int n_configs = dg_front_config_names(f, &names);
    for (int i = 0; i < c->values.n; i++) {
        const dg_named *v = &c->values.at[i];
        if (v->span.file >= 0 && !has(v->name, names, n_configs))
            unknown(j, v->span, "config value", v->name, names, n_configs);
    }
    const dg_entry_info *entries;
    int n = dg_front_entries(f, &entries), n_entries = 0;
    const char **list = DG_NEW_ARRAY(a, const char *, n + 1);
    for (int i = 0; i < n; i++)
        if (entries[i].kind != DG_TEST) list[n_entries++] = entries[i].name;
    if (!c->eval_entry)
        j->config->eval_entry =
            !has("eval", list, n_entries) && has("nll", list, n_entries) ? "nll" : "eval";
    const struct {
        const char *name, *usual;
        dg_span span;
        bool *found;
    } wanted[] = {
        {c->train_entry, NULL, c->train_span, NULL},
        {c->sample_entry, "sample", c->sample_span, &j->has_sample},
        {c->eval_entry, c->eval_span.file < 0 ? c->eval_entry : "eval", c->eval_span, &j->has_eval},
        {c->judge_entry, "judge", c->judge_span, NULL},
        {c->real_entry, "real", c->real_span, NULL}};
    for (int i = 0; i < 5; i++) {
        bool found = has(wanted[i].name, list, n_entries), named = wanted[i].span.file >= 0;
        if (wanted[i].found) *wanted[i].found = found;
        /* The usual entries may be missing, but for the one to be trained. */
        bool may_miss = wanted[i].usual && strcmp(wanted[i].usual, wanted[i].name) == 0;
        if (!found && !may_miss)
            unknown(j, named ? wanted[i].span : c->graph_span, "entry", wanted[i].name, list,
                    n_entries);
    }
    check_inputs(j, entries, n, a);
    for (int i = 0; i < n; i++)
        if (strcmp(entries[i].name, c->train_entry) == 0 && entries[i].kind == DG_ENTRY)
            dg_error(j->diag, "E131", c->train_span.file >= 0 ? c->train_span : c->graph_span,
                     "'%s' is an entry, training needs one that is declared with 'train'",
                     c->train_entry);
}

/* Before the config values are applied, since unknown ones are reported here, with the run file's
 * line. */
static bool check_program(dg_job *j)
{
    dg_front *f = dg_program_read(j->program);
    if (!f) return false;
    dg_arena *a = dg_arena_new();
    check_names(j, f, a);
    dg_arena_free(a);
    return dg_diag_errors(j->diag) == 0;
}

/* ---- opening ---- */

static void take_runtime(dg_job *j, const char *path)
{
    dg_context *c = j->context;
    j->threads = c->threads;
    j->memory = c->options.memory;
    j->reference = c->reference;
    j->bf16 = c->bf16;
    if (j->config->threads > 0 && c->options.threads <= 0) {
        c->threads = (int)j->config->threads;
        if (c->pool && dg_pool_threads(c->pool) != c->threads) {
            dg_pool_free(c->pool);
            c->pool = NULL;
        }
    }
    if (c->options.memory == 0) c->options.memory = (uint64_t)j->config->memory;
    if (!c->options.precision) dg_context_set_precision(c, j->diag, path, j->config->precision);
}

bool dg_job_open(dg_context *c, dg_job *j, const char *path, const char *const *set,
                 const dg_arg_text *defs, int n_defs, const char *lib)
{
    *j = (dg_job){.context = c,
                  .threads = c->threads,
                  .memory = c->options.memory,
                  .reference = c->reference,
                  .bf16 = c->bf16};
    j->arena = dg_arena_new();
    j->diag = dg_context_diag(c, j->arena, dg_sources_new(j->arena));
    j->config = dg_config_read(j->diag, j->arena, path, set);
    bool ok = j->config != NULL;
    for (int i = 0; ok && i < n_defs; i++) {
        const char *text;
        ok = dg_setting_text(c, j->arena, j->diag, &defs[i], &text);
        const char *place =
            defs[i].place ? defs[i].place : dg_arena_printf(j->arena, "-D %s", defs[i].name);
        if (ok) dg_named_set(j->arena, &j->config->values, defs[i].name, text, place);
    }
    if (ok) {
        take_runtime(j, path);
        const dg_nameds *values = &j->config->values;
        /* By its absolute path the graph of a run folder has the same name in the plan wherever the
         * folder lies. */
        char *real = lib ? realpath(j->config->graph, NULL) : NULL;
        j->program = dg_program_open_with(c, real ? real : j->config->graph,
                                          dg_args_of(j->arena, values), values->n, lib);
        free(real);
        ok = j->program && check_program(j);
    }
    dg_job_flush(j);
    return ok;
}

void dg_job_close(dg_job *j)
{
    dg_context *c = j->context;
    dg_program_free(j->program);
    if (c->pool && dg_pool_threads(c->pool) != j->threads) {
        dg_pool_free(c->pool);
        c->pool = NULL;
    }
    c->threads = j->threads;
    c->options.memory = j->memory;
    c->reference = j->reference;
    c->bf16 = j->bf16;
    dg_arena_free(j->arena);
}

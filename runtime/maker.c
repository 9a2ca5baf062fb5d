/* maker.c: opens a run folder or a .dg file, and loads weights.
 *
 * In     paths, arguments, settings.
 * Out    a program, a store and the facts of both.
 * Keeps  what repeats a picture compares the facts before anything runs. */
#include "runtime/maker.h"

#include "compiler/base/os.h"
#include "runtime/checkpoint.h"
#include "runtime/run_folder.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

/* Calls `visit` with each entry until it says true. */
static bool any_entry(dg_maker *m, bool (*visit)(const dg_entry_info *e, const void *ctx),
                      const void *ctx)
{
    dg_front *f = dg_program_front(m->program);
    const dg_entry_info *list = NULL;
    int n = f ? dg_front_entries(f, &list) : 0;
    bool found = false;
    for (int i = 0; i < n && !found; i++) found = list[i].kind != DG_TEST && visit(&list[i], ctx);
    return found;
}

static bool is_named(const dg_entry_info *e, const void *ctx)
{
    return strcmp(e->name, ctx) == 0;
}

bool dg_maker_has_entry(dg_maker *m, const char *entry)
{
    return any_entry(m, is_named, entry);
}

static bool takes(const dg_entry_info *e, const void *ctx)
{
    const char *const *names = ctx;
    if (strcmp(e->name, names[0]) != 0) return false;
    for (int i = 0; i < e->n_formals; i++)
        if (strcmp(e->formals[i].name, names[1]) == 0) return true;
    return false;
}

bool dg_maker_has_argument(dg_maker *m, const char *entry, const char *argument)
{
    const char *names[] = {entry, argument};
    return any_entry(m, takes, names);
}

bool dg_maker_want_entry(dg_maker *m, const char *entry, const char *verb, const char *form)
{
    if (dg_maker_has_entry(m, entry)) return true;
    if (dg_context_status(m->context) != DG_OK) return false; /* the file itself is wrong */
    dg_message *e = dg_error_at(m->diag, "E131", m->o.from,
                                "the graph has no entry '%s', which dg %s runs", entry, verb);
    dg_help_add(m->diag, e, "write one: %s", form);
    dg_help_add(m->diag, e, "or name another with --entry; dg help %s and docs/cli.md say more",
                verb);
    dg_context_flush(m->context, m->diag);
    return false;
}

void dg_maker_default(dg_maker *m, const char *argument, const char *value)
{
    if (!dg_named_get(&m->args, argument)) dg_named_set(m->arena, &m->args, argument, value, NULL);
}

/* ---- opening ---- */

static int classes_of(dg_maker *m)
{
    dg_front *f = dg_program_front(m->program);
    const dg_config_info *list;
    int n = f ? dg_front_configs(f, &list) : 0;
    int64_t classes = 0;
    for (int i = 0; i < n; i++)
        if (strcmp(list[i].name, "classes") == 0 && list[i].text)
            dg_parse_int(list[i].text, strlen(list[i].text), &classes);
    return classes > 0 && classes < 1 << 20 ? (int)classes : 0;
}

/* Values from @FILE are written out, so that the picture's text needs no such file. */
static bool take_args(dg_maker *m)
{
    const dg_maker_options *o = &m->o;
    for (int i = 0; i < o->n_args; i++) {
        const char *text = o->args[i].value;
        if (text[0] == '@' && !dg_setting_text(m->context, m->arena, m->diag, &o->args[i], &text))
            return false;
        dg_named_set(m->arena, &m->args, o->args[i].name, text, o->args[i].place);
    }
    dg_arg_text *defs = DG_NEW_ARRAY(m->arena, dg_arg_text, o->n_defs + 1);
    for (int i = 0; i < o->n_defs; i++) {
        defs[i] = o->defs[i];
        if (defs[i].value[0] == '@' &&
            !dg_setting_text(m->context, m->arena, m->diag, &o->defs[i], &defs[i].value))
            return false;
    }
    m->o.defs = defs;
    return true;
}

static bool open_run(dg_maker *m)
{
    dg_context *c = m->context;
    const char *from = m->o.from;
    if (!dg_job_open(c, &m->job, dg_path_join(m->arena, from, DG_RUN_FULL), NULL, m->o.defs,
                     m->o.n_defs, dg_path_join(m->arena, from, DG_RUN_LIB)))
        return false;
    m->config = m->job.config;
    m->program = m->job.program;
    memcpy(m->range, m->config->data.range, sizeof m->range);
    m->classes = dg_run_classes(from);
    m->seed = m->o.has_seed ? m->o.seed : (uint64_t)m->config->seed;
    return true;
}

static bool open_file(dg_maker *m)
{
    m->program = dg_program_open(m->context, m->o.from, m->o.defs, m->o.n_defs);
    if (!m->program) return false;
    m->range[0] = -1.0;
    m->range[1] = 1.0;
    m->classes = classes_of(m);
    m->seed = m->o.has_seed ? m->o.seed : 0;
    return true;
}

/* ---- loading ---- */

/* A load of weights, perhaps on a thread of its own: it shares nothing with the caller but the
 * store, and the settings of the context, which both only read. */
typedef struct dg_loading {
    dg_maker *maker;
    dg_arena *arena;
    dg_diag *diag;
    pthread_t thread;
    bool ok;
} dg_loading;

static void *load(void *ctx)
{
    dg_loading *l = ctx;
    const dg_maker *m = l->maker;
    const dg_made *again = m->o.again;
    if (m->o.weights)
        l->ok = dg_weights_load(m->store, l->diag, m->o.weights, NULL);
    else if (again)
        l->ok = dg_checkpoint_load(m->store, l->diag, m->o.from, again->step,
                                   &(dg_checkpoint_facts){0});
    else
        l->ok = dg_weights_load(m->store, l->diag, m->o.from, NULL);
    return NULL;
}

static dg_loading *new_loading(dg_maker *m)
{
    dg_arena *a = dg_arena_new();
    dg_loading *l = DG_NEW(a, dg_loading);
    *l = (dg_loading){.maker = m, .arena = a};
    l->diag = dg_context_diag(m->context, a, NULL);
    return l;
}

static void free_loading(dg_loading *l)
{
    if (l) dg_arena_free(l->arena);
}

/* A signal to the process is for the thread that waits for it, so this one takes none. */
static bool start_thread(dg_loading *l)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    bool ok = pthread_create(&l->thread, NULL, load, l) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

void dg_maker_load_ahead(dg_maker *m)
{
    if (m->context->threads < 2 || (!m->is_run && !m->o.weights)) return;
    m->loading = new_loading(m);
    if (start_thread(m->loading)) return;
    free_loading(m->loading);
    m->loading = NULL;
}

/* The load that was begun, when it is done; else NULL. */
static dg_loading *loaded_ahead(dg_maker *m)
{
    dg_loading *l = m->loading;
    m->loading = NULL;
    if (l) pthread_join(l->thread, NULL);
    return l;
}

/* ---- opening and closing ---- */

bool dg_maker_open(dg_context *c, dg_maker *m, const dg_maker_options *o)
{
    *m = (dg_maker){.context = c, .o = *o};
    m->arena = dg_arena_new();
    m->diag = dg_context_diag(c, m->arena, dg_sources_new(m->arena));
    m->store = dg_store_new(c);
    m->store->lazy = true;
    m->is_run = dg_path_is_folder(o->from);
    bool ok = true;
    if (m->is_run && !dg_path_exists(dg_path_join(m->arena, o->from, DG_RUN_FULL)))
        ok = dg_error_at(m->diag, "E501", o->from, "is no run folder: it has no " DG_RUN_FULL) ==
             NULL;
    else if (!m->is_run && o->run_only && dg_path_exists(o->from))
        ok = dg_error_at(m->diag, "E501", o->from, "is no run folder, which this verb needs") ==
             NULL;
    else if (!m->is_run && o->run_only)
        ok = dg_error_at(m->diag, "E501", o->from, "there is no such run folder") == NULL;
    ok = ok && take_args(m);
    dg_context_flush(c, m->diag);
    return ok && (m->is_run ? open_run(m) : open_file(m));
}

void dg_maker_close(dg_maker *m)
{
    dg_context_flush(m->context, m->diag);
    free_loading(loaded_ahead(m));
    dg_store_free(m->store);
    if (m->is_run && m->job.arena)
        dg_job_close(&m->job);
    else
        dg_program_free(m->program);
    dg_arena_free(m->arena);
}

/* ---- data ---- */

dg_dataset *dg_maker_data(dg_maker *m, const char *other, const char *split, const char **part)
{
    dg_data_spec spec = m->config->data;
    if (other) { /* read as the run's own: the same padding, range and size */
        bool generated = dg_data_kind_generated(other) && !dg_path_exists(other);
        spec.path = generated ? NULL : other;
        spec.kind = generated ? other : "auto";
        spec.train_part = 1;
        spec.valid_part = 0;
    }
    spec.flip = false; /* what is measured is the data as it is */
    dg_dataset *data = dg_dataset_open(m->diag, m->arena, &spec, (uint64_t)m->config->seed);
    dg_context_flush(m->context, m->diag);
    if (!data) return NULL;
    bool valid = !other && (data->n_valid > 0 || data->reader.count == 0);
    *part = split ? split : valid ? "valid" : "all";
    return data;
}

/* ---- weights and facts ---- */

bool dg_maker_load(dg_maker *m)
{
    if (!m->is_run && !m->o.weights) {
        dg_say(m->context, "sample", "no --weights: the parameters are fresh ones");
        return true;
    }
    dg_loading *l = loaded_ahead(m);
    if (!l) load(l = new_loading(m));
    bool ok = l->ok;
    dg_context_flush(m->context, l->diag);
    free_loading(l);
    return ok;
}

bool dg_maker_facts(dg_maker *m, const dg_plan *p, const char *entry, dg_made *out)
{
    const dg_made *again = m->o.again;
    out->file = again ? again->file : m->is_run ? NULL : m->o.from;
    out->weights = again ? again->weights : m->o.weights;
    out->entry = entry;
    out->args = dg_args_of(m->arena, &m->args);
    out->n_args = m->args.n;
    out->defs = m->o.defs;
    out->n_defs = m->o.n_defs;
    out->seed = m->seed;
    dg_made_take_plan(out, m->arena, p);
    if (!again) return true;
    if (again->graph == out->graph) {
        *m->o.met = DG_MET_GRAPH;
        return true;
    }
    dg_error_at(m->diag, "E435", m->o.from,
                "the graph or its config values are not those of the picture: hash %016" PRIx64
                ", in the picture %016" PRIx64,
                out->graph, again->graph);
    dg_context_flush(m->context, m->diag);
    return false;
}

bool dg_maker_weights(dg_maker *m, const dg_plan *p, dg_made *out)
{
    const dg_made *again = m->o.again;
    out->step = m->store->step;
    out->weights_hash = dg_places_hash(p, m->store);
    if (!again) return true;
    *m->o.met = again->weights_hash == out->weights_hash ? DG_MET_ALL : DG_MET_STEP;
    if (*m->o.met == DG_MET_ALL) return true;
    dg_error_at(m->diag, "E435", m->o.weights ? m->o.weights : m->o.from,
                "the weights of step %" PRId64 " are not those of the picture: checksum %016" PRIx64
                ", in the picture %016" PRIx64 " at step %" PRId64,
                out->step, out->weights_hash, again->weights_hash, again->step);
    dg_context_flush(m->context, m->diag);
    return false;
}

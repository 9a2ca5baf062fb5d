/* train.c: dg_train and dg_resume. A new run is checked whole against its own files, then its
 * folder is made, and from there on it is a run to be resumed at step 0: what is trained is always
 * what the folder holds.
 *
 * In     a run file, or a run folder.
 * Out    the run folder, up to its last step or to where it was stopped. */
#include "runtime/trainer.h"

#include "compiler/base/os.h"
#include "ops/ops.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- messages, also into log.txt ---- */

typedef struct tee {
    dg_options given; /* the context's own */
    dg_log log;
} tee;

static void log_text(tee *t, const char *kind, const char *text)
{
    char now[32];
    dg_text line = {0};
    size_t n = strlen(text);
    while (n && text[n - 1] == '\n') n--;
    dg_utc_now(now);
    dg_text_add(&line, "%s %s %.*s", now, kind, (int)n, text);
    dg_arena *a = dg_arena_new();
    dg_log_line(dg_diag_new(a, NULL), &t->log, line.at, line.n);
    dg_arena_free(a);
    dg_text_free(&line);
}

static void tee_message(void *user, const dg_report *r)
{
    tee *t = user;
    log_text(t, r->error ? "error" : "warning", r->text);
    if (t->given.message) t->given.message(t->given.user, r);
}

static void tee_progress(void *user, const dg_progress *p)
{
    tee *t = user;
    if (p->event) log_text(t, p->verb, p->event);
    if (t->given.progress) t->given.progress(t->given.user, p);
}

static bool start_tee(dg_context *c, dg_diag *d, tee *t, const char *path)
{
    t->given = c->options;
    if (!dg_log_open(d, path, &t->log)) return false;
    c->options.message = tee_message;
    c->options.progress = tee_progress;
    c->options.user = t;
    return true;
}

static void end_tee(dg_context *c, tee *t)
{
    if (c->options.user == t) {
        c->options.message = t->given.message;
        c->options.progress = t->given.progress;
        c->options.user = t->given.user;
    }
    dg_log_close(&t->log);
}

/* ---- data and plan ---- */

/* Images smaller than the input by the same even number of pixels on both axes want padding. */
static void suggest_pad(dg_job *j, dg_message *m, const dg_session *s, const dg_dataset *data)
{
    const dg_shape *have = &data->shape;
    for (int i = 0; i < s->plan->n_inputs && data->reader.image; i++) {
        const dg_shape *want = &s->plan->inputs[i].type.shape;
        if (want->rank != 4 || want->dim[1] != have->dim[0]) continue;
        int64_t more = want->dim[2] - have->dim[1] + 2 * j->config->data.pad;
        bool both = want->dim[3] - want->dim[2] == have->dim[2] - have->dim[1];
        if (both && more > 0 && more % 2 == 0)
            dg_help_add(j->diag, m, "data.pad: %" PRId64 " would make the images fit", more / 2);
    }
}

/* What does not fit is a mistake of the run file: said at its `data` section. */
static bool bind_data(dg_job *j, dg_session *s, const dg_dataset *data, dg_binding *b)
{
    const dg_config *c = j->config;
    dg_diag *d = dg_diag_new(j->arena, NULL);
    int n;
    dg_arg_text *map = dg_inputs_map(j->arena, c, s->plan, &n);
    if (dg_bind_inputs(d, s, data, map, n, NULL, b)) return true;
    dg_span span = c->size_span.file >= 0 ? c->size_span : c->data_span;
    if (span.file < 0) span = c->graph_span;
    const dg_message *m = dg_diag_count(d) ? dg_diag_at(d, 0) : NULL;
    dg_message *own = dg_error(j->diag, "E132", span, "%s: %s", m && m->place ? m->place : "data",
                               m ? m->what : "inputs do not fit");
    for (int i = 0; m && i < m->n_notes; i++)
        (m->notes[i].help ? dg_help_add : dg_note_add)(j->diag, own, "%s", m->notes[i].text);
    suggest_pad(j, own, s, data);
    return false;
}

/* A path that leads nowhere is said at its line; all else is the reader's to say. */
static dg_dataset *open_data(dg_job *j)
{
    dg_config *c = j->config;
    if (!c->data.path || dg_path_exists(c->data.path))
        return dg_dataset_open(j->diag, j->arena, &c->data, (uint64_t)c->seed);
    dg_message *m = dg_error(j->diag, "E501", c->path_span, "there is no '%s'", c->data.path);
    dg_help_add(
        j->diag, m,
        "paths are relative to the run file; data can also be generated, as kind: sketch_digits");
    return NULL;
}

static void say_plan(dg_job *j, dg_plan *plan, const dg_dataset *data)
{
    dg_plan_figures f;
    char arena[32];
    int64_t values = 0;
    dg_plan_figures_of(plan, &f);
    for (int i = 0; i < plan->n_places; i++)
        if (plan->places[i].trained) values += dg_shape_count(&plan->places[i].type.shape);
    dg_say(j->context, "train",
           "plan: %" PRId64 " steps, %" PRId64 " parameters, arena %s; data: %s", f.steps, values,
           dg_bytes_text((uint64_t)f.arena, arena), data->kind);
}

/* What is evaluated in training is the valid part. */
static bool has_valid(dg_job *j, const dg_dataset *data)
{
    const dg_config *c = j->config;
    if (!j->has_eval || c->eval_every == 0 || data->reader.count == 0 || data->n_valid > 0)
        return true;
    dg_span span = c->data_span.file >= 0 ? c->data_span : c->graph_span;
    dg_message *m = dg_error(j->diag, "E106", span,
                             "'log.eval_every' is set, but 'data.split' leaves no valid part");
    dg_help_add(j->diag, m, "as in    data: {split: {train: 0.98, valid: 0.02}}");
    return false;
}

/* Everything that can be wrong is found before a folder is made or a step is run. */
static bool preflight(dg_job *j, dg_dataset *data)
{
    const dg_config *c = j->config;
    if (!has_valid(j, data)) return false;
    dg_plan *plan = dg_plan_compile(j->program, c->train_entry, NULL, 0);
    if (!plan) return false;
    dg_store *store = dg_store_new(j->context);
    dg_session *s = dg_session_new(plan, store);
    dg_binding b;
    bool ok = s && bind_data(j, s, data, &b);
    if (ok) say_plan(j, plan, data);
    dg_session_free(s);
    dg_store_free(store);
    dg_plan_close(plan);
    if (!ok || !j->has_sample || c->samples_every == 0) return ok;
    dg_sampler_options o = {.entry = c->sample_entry,
                            .args = dg_args_of(j->arena, &c->sample_args),
                            .n_args = c->sample_args.n};
    dg_sampler *sampler = dg_sampler_new(j->program, &o);
    dg_sampler_free(sampler);
    return sampler != NULL;
}

/* ---- a run folder's trainer ---- */

static void list_numbers(dg_trainer *t)
{
    const dg_plan *p = t->plan;
    size_t room = (size_t)p->n_outputs + 1;
    t->names = DG_NEW_ARRAY(t->arena, const char *, room);
    t->ports = DG_NEW_ARRAY(t->arena, const dg_plan_port *, room);
    t->last = DG_NEW_ARRAY(t->arena, double, room);
    t->sums = DG_NEW_ARRAY(t->arena, double, room);
    for (int reports = 0; reports < 2; reports++)
        for (int i = 0; i < p->n_outputs; i++) {
            if (p->outputs[i].report != (reports == 1) || p->outputs[i].type.shape.rank != 0)
                continue;
            t->names[t->n_numbers] = t->n_numbers == 0 && !reports ? "loss" : p->outputs[i].name;
            t->ports[t->n_numbers++] = &p->outputs[i];
        }
}

typedef struct start {
    int64_t at;              /* -1: latest */
    const char *const *init; /* SCOPE=FILE */
    const char *const *allow;
    bool new_graph;
} start;

static bool listed(const char *const *list, const char *name)
{
    for (int i = 0; list && list[i]; i++)
        if (strcmp(list[i], name) == 0) return true;
    return false;
}

/* Equal bits need the same plan, the same kernels, and the same OpenBLAS where they call it. */
static bool compare_plans(dg_trainer *t, const dg_checkpoint_facts *f, const start *s)
{
    const dg_plan *p = t->plan;
    const char *isa = dg_isa_name(p->isa);
    bool other_core = dg_plan_calls_lapack(p) && strcmp(f->blas_core, p->blas_core) != 0,
         moved = strcmp(f->isa, isa) != 0 || strcmp(f->build, dg_version()) != 0 || other_core;
    if (moved)
        dg_warning_at(t->diag, "W434", t->run,
                      "was trained with ISA %s, OpenBLAS core %s, dg %s; here they are %s, %s, %s: "
                      "results will differ in rounding",
                      f->isa, f->blas_core, f->build, isa, p->blas_core, dg_version());
    if (moved || f->plan_hash == dg_plan_hash(p) || s->new_graph || listed(s->allow, "plan"))
        return true;
    dg_message *m = dg_error_at(t->diag, "E434", t->run,
                                "its graph or settings are not those of the checkpoint (plan "
                                "%016" PRIx64 ", here %016" PRIx64 ")",
                                f->plan_hash, dg_plan_hash(p));
    dg_help_add(t->diag, m, "to go on with the changed ones: --allow-change plan");
    return false;
}

static bool any_checkpoint(dg_arena *a, const char *run)
{
    return dg_path_exists(dg_path_join(a, dg_path_join(a, run, "checkpoints"), "latest"));
}

/* Another graph: places of the same path and type keep their values, the others start anew. */
static bool keep_what_fits(dg_trainer *t, const start *s)
{
    dg_store *old = dg_store_new(t->context);
    dg_text changed = {0};
    int kept = 0, fresh = 0;
    bool ok = dg_checkpoint_load(old, t->diag, t->run, s->at, NULL);
    for (int i = 0; ok && i < t->plan->n_places; i++) {
        const dg_plan_place *p = &t->plan->places[i];
        const dg_tensor *from = dg_store_find(old, p->path);
        if (from && from->filled && dg_type_equal(&from->type, &p->type)) {
            dg_tensor *to = dg_store_add(t->store, t->diag, p->path, p->type, p->trained);
            ok = to != NULL;
            if (ok) memcpy(to->data, from->data, (size_t)dg_type_bytes(&p->type));
            if (ok) to->filled = true;
            kept++;
        } else {
            if (fresh++ < 20)
                dg_text_add(&changed, "\n  %s %s", from ? "other shape" : "new        ", p->path);
        }
    }
    t->store->step = old->step;
    if (ok)
        dg_say(t->context, "resume", "kept %d places of the checkpoint, %d start anew%s", kept,
               fresh, changed.at ? changed.at : "");
    dg_text_free(&changed);
    dg_store_free(old);
    return ok;
}

static bool load_init(dg_trainer *t, const char *const *init)
{
    for (int i = 0; init && init[i]; i++) {
        size_t n = strcspn(init[i], "=");
        if (!init[i][n]) {
            dg_error_at(t->diag, "E214", "--init", "'%s' is not SCOPE=FILE", init[i]);
            return false;
        }
        const char *scope = n ? dg_arena_text(t->arena, init[i], n) : NULL;
        if (!dg_weights_load(t->store, t->diag, init[i] + n + 1, scope)) return false;
    }
    return true;
}

static bool load_state(dg_trainer *t, const start *s)
{
    dg_checkpoint_facts f = {0};
    if (!any_checkpoint(t->arena, t->run)) {
        t->save_first = s->init && s->init[0];
        return load_init(t, s->init);
    }
    if (s->new_graph) return keep_what_fits(t, s);
    if (!dg_checkpoint_load(t->store, t->diag, t->run, s->at, &f)) return false;
    dg_train_take_extra(t, f.extra);
    t->saved_step = t->store->step;
    if (!compare_plans(t, &f, s)) return false;
    if (s->at >= 0) dg_checkpoint_forget(t->diag, t->run, s->at);
    return true;
}

static bool open_trainer(dg_trainer *t, const start *s)
{
    const dg_config *c = t->config;
    t->plan = dg_plan_compile(t->job->program, c->train_entry, NULL, 0);
    if (!t->plan) return false;
    t->diag = dg_plan_diag(t->plan, t->arena);
    t->store = dg_store_new(t->context);
    list_numbers(t);
    if (!load_state(t, s)) return false;
    t->session = dg_session_new(t->plan, t->store);
    if (!t->session || !bind_data(t->job, t->session, t->data, &t->binding)) return false;
    t->session->seed = (uint64_t)c->seed;
    t->session->exec.cancelled = NULL; /* a step once begun is finished */
    if (!dg_session_ready(t->session, t->diag)) return false;
    if (t->binding.batch)
        t->prefetch = dg_prefetch_new(t->data, t->window, t->store->step * t->binding.batch,
                                      t->binding.batch);
    char *metrics = dg_path_join(t->arena, t->run, DG_RUN_METRICS);
    return dg_metrics_cut(t->diag, metrics, t->store->step, &t->evaluated) &&
           dg_log_open(t->diag, metrics, &t->metrics);
}

static void close_trainer(dg_trainer *t)
{
    dg_prefetch_free(t->prefetch);
    dg_sampler_free(t->sampler);
    dg_session_free(t->session);
    dg_store_free(t->store);
    dg_plan_close(t->plan);
    dg_log_close(&t->metrics);
    free(t->snapshot);
}

static bool write_plan(dg_trainer *t)
{
    char *json = dg_plan_show(t->plan, &(dg_plan_view){.format = "json", .canonical = true});
    bool ok = json && dg_file_replace(t->diag, dg_path_join(t->arena, t->run, "plan.json"), json,
                                      strlen(json));
    dg_free(json);
    return ok;
}

static bool write_facts(dg_trainer *t, const char *status)
{
    dg_run_facts f = {.status = status,
                      .step = t->store->step,
                      .steps = t->steps,
                      .seed = (uint64_t)t->config->seed,
                      .plan_hash = dg_plan_hash(t->plan),
                      .data = t->data};
    return dg_run_write_facts(t->context, t->diag, t->run, &f);
}

static const char *status_text(dg_status s)
{
    switch (s) {
    case DG_OK:
        return "done";
    case DG_CANCELLED:
        return "stopped";
    case DG_DIVERGED:
        return "diverged";
    default:
        return "failed";
    }
}

/* From what the folder holds to its last step. */
static dg_status train_folder(dg_job *j, const char *run, dg_dataset *data, const start *s)
{
    dg_trainer t = {.context = j->context,
                    .job = j,
                    .config = j->config,
                    .arena = j->arena,
                    .run = run,
                    .steps = j->config->steps,
                    .data = data,
                    .diag = j->diag,
                    .metrics = {.fd = -1},
                    .start = dg_clock()};
    dg_status status;
    bool ok = open_trainer(&t, s) && write_plan(&t) && write_facts(&t, "running");
    if (ok) {
        t.first_step = t.store->step;
        dg_say(j->context, "train",
               t.first_step ? "going on from step %" PRId64 " of %" PRId64 " in %s"
                            : "from step %" PRId64 " to %" PRId64 " in %s",
               t.first_step, t.steps, run);
        dg_job_flush(j);
        dg_train_flush(&t);
        status = dg_train_loop(&t);
        write_facts(&t, status_text(status));
        dg_train_flush(&t);
    } else {
        if (t.diag != j->diag) dg_train_flush(&t);
        dg_job_flush(j);
        status = dg_context_status(j->context);
        if (status == DG_OK) status = DG_CANCELLED;
    }
    close_trainer(&t);
    return status;
}

/* ---- public ---- */

typedef struct folder_options {
    start start;
    int64_t steps;     /* 0: as the folder says */
    const char *graph; /* another one, or NULL */
    dg_dataset *data;  /* open already, or NULL */
} folder_options;

static bool take_graph(dg_context *c, dg_diag *d, const char *run, const char *graph)
{
    dg_program *p = dg_program_open(c, graph, NULL, 0);
    bool ok = p && dg_run_copy_graph(d, p, run);
    dg_program_free(p);
    return ok;
}

static dg_status resume_folder(dg_context *c, const char *run, const folder_options *o)
{
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_context_diag(c, a, NULL);
    dg_job j;
    tee t = {.log = {.fd = -1}};
    int lock = -1;
    char *config = dg_path_join(a, run, DG_RUN_FULL);
    bool there = dg_path_exists(config);
    if (!there) dg_error_at(d, "E501", run, "is no run folder: it has no " DG_RUN_FULL);
    bool ok = there && dg_run_lock(d, run, &lock) &&
              start_tee(c, d, &t, dg_path_join(a, run, DG_RUN_LOG)) &&
              (!o->graph || take_graph(c, d, run, o->graph));
    dg_context_flush(c, d);
    dg_status status = dg_context_status(c);
    if (ok) {
        ok = dg_job_open(c, &j, config, NULL, NULL, 0, dg_path_join(a, run, DG_RUN_LIB));
        if (ok && o->steps > 0) {
            j.config->steps = o->steps;
            ok = dg_run_write_config(j.diag, j.config, run);
        }
        dg_dataset *data = ok && !o->data ? open_data(&j) : NULL;
        ok = ok && (o->data || data);
        dg_job_flush(&j);
        status = dg_context_status(c);
        if (ok) status = train_folder(&j, run, o->data ? o->data : data, &o->start);
        dg_dataset_close(data);
        dg_job_close(&j);
    }
    end_tee(c, &t);
    if (lock >= 0) close(lock);
    dg_arena_free(a);
    return status;
}

dg_status dg_resume(dg_context *c, const dg_resume_options *o)
{
    folder_options f = {.start = {.at = o->at, .allow = o->allow, .new_graph = o->graph != NULL},
                        .steps = o->steps,
                        .graph = o->graph};
    return resume_folder(c, o->run, &f);
}

static bool new_run(dg_job *j, const dg_train_options *o, char **run, dg_dataset **data)
{
    dg_config *c = j->config;
    if (o->steps > 0) c->steps = o->steps;
    if (o->has_seed) c->seed = (int64_t)o->seed;
    *data = open_data(j);
    if (!*data || !preflight(j, *data)) return false;
    if (o->dry_run) return true;
    *run = dg_run_path(j->arena, c, o->out, o->name);
    return dg_run_make(j, *run);
}

dg_status dg_train(dg_context *c, const dg_train_options *o)
{
    dg_job j;
    dg_dataset *data = NULL;
    char *run = NULL;
    dg_arena *a = dg_arena_new();
    if (o->resume_if_exists && o->out && dg_path_exists(dg_path_join(a, o->out, DG_RUN_FULL))) {
        folder_options f = {.start = {.at = -1}, .steps = o->steps};
        dg_status status = resume_folder(c, o->out, &f);
        dg_arena_free(a);
        return status;
    }
    bool ok = dg_job_open(c, &j, o->config, o->set, o->defs, o->n_defs, NULL) &&
              new_run(&j, o, &run, &data);
    dg_job_flush(&j);
    dg_status status = dg_context_status(c);
    if (ok && run) {
        folder_options f = {.start = {.at = -1, .init = o->init}, .data = data};
        status = resume_folder(c, run, &f);
    }
    dg_dataset_close(data);
    dg_job_close(&j);
    dg_arena_free(a);
    return status;
}

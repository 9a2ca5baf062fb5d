/* program.c: programs and plans as the public interface shows them: thin over compile.h. */
#include "runtime/session.h"

#include "compiler/base/os.h"
#include "ops/ops.h"

#include <stdlib.h>
#include <string.h>

static void release(dg_reading *r)
{
    if (r && --r->users == 0) dg_arena_free(r->arena);
}

static void forget(dg_program *p)
{
    release(p->reading);
    p->reading = NULL;
    p->configured = false;
}

static dg_program *open_program(dg_context *c, const char *path, const char *text, size_t length,
                                const dg_arg_text *config, int n)
{
    dg_program *p = calloc(1, sizeof *p);
    if (!p) dg_out_of_memory();
    p->context = c;
    p->arena = dg_arena_new();
    dg_diag *d = dg_context_diag(c, p->arena, NULL);
    p->source.path = dg_arena_text(p->arena, path, strlen(path));
    p->source.lib = c->lib;
    bool ok = dg_settings_of(c, p->arena, d, config, n, &p->config);
    p->n_config = n;
    if (ok && text) {
        p->source.text = dg_arena_text(p->arena, text, length);
        p->source.length = length;
    }
    dg_context_flush(c, d);
    if (ok) return p;
    dg_program_free(p);
    return NULL;
}

dg_program *dg_program_open(dg_context *c, const char *path, const dg_arg_text *config,
                            int n_config)
{
    return open_program(c, path, NULL, 0, config, n_config);
}

dg_program *dg_program_open_text(dg_context *c, const char *name, const char *text, size_t length,
                                 const dg_arg_text *config, int n_config)
{
    return open_program(c, name, text, length, config, n_config);
}

void dg_program_free(dg_program *p)
{
    if (!p) return;
    forget(p);
    dg_arena_free(p->arena);
    free(p);
}

/* ---- reading ---- */

dg_front *dg_program_read(dg_program *p)
{
    if (p->reading) return p->reading->front;
    dg_arena *a = dg_arena_new();
    dg_reading *r = p->reading = DG_NEW(a, dg_reading);
    *r = (dg_reading){.arena = a, .sources = dg_sources_new(a), .users = 1};
    dg_diag *d = dg_context_diag(p->context, a, r->sources);
    r->front = dg_front_open(a, d, &p->source);
    dg_context_flush(p->context, d);
    return r->front;
}

dg_front *dg_program_front(dg_program *p)
{
    dg_front *f = dg_program_read(p);
    if (!f || p->configured) return f;
    p->configured = true;
    dg_reading *r = p->reading;
    dg_diag *d = dg_context_diag(p->context, r->arena, r->sources);
    dg_front_report_to(f, d);
    if (!dg_front_configure(f, p->config, p->n_config)) r->front = NULL;
    dg_context_flush(p->context, d);
    return r->front;
}

/* ---- questions ---- */

int dg_program_entries(dg_program *p, const dg_entry **out)
{
    *out = p->entries;
    if (p->entries) return p->n_entries;
    dg_front *f = dg_program_front(p);
    if (!f) return -1;
    const dg_entry_info *info;
    int n = dg_front_entries(f, &info);
    dg_entry *list = DG_NEW_ARRAY(p->arena, dg_entry, n + 1);
    for (int i = 0; i < n; i++) {
        list[i].name = dg_arena_text(p->arena, info[i].name, strlen(info[i].name));
        list[i].doc =
            info[i].doc ? dg_arena_text(p->arena, info[i].doc, strlen(info[i].doc)) : NULL;
        list[i].kind = info[i].kind == DG_TEST    ? DG_KIND_TEST
                       : info[i].kind == DG_TRAIN ? DG_KIND_TRAIN
                                                  : DG_KIND_ENTRY;
        list[i].in_main = info[i].in_main;
    }
    p->entries = *out = list;
    return p->n_entries = n;
}

/* Entries with tensor or static arguments that have no default are checked with what their defaults
 * give; one that needs a value is checked by name with arguments only. */
static bool needs_arguments(const dg_entry_info *e)
{
    for (int i = 0; i < e->n_formals; i++) {
        const dg_formal *f = &e->formals[i];
        bool tensor = f->type && f->type->kind == DG_Y_TENSOR &&
                      (f->type->brackets || f->type->dtype != DG_BOOL);
        if (!tensor && !f->fallback) return true;
    }
    return false;
}

dg_status dg_program_check(dg_program *p, const char *entry)
{
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_context_diag(p->context, a, dg_sources_new(a));
    dg_front_options source = p->source;
    source.config = p->config;
    source.n_config = p->n_config;
    dg_front *f = dg_front_open(a, d, &source);
    if (f && dg_front_check(f, a)) {
        const dg_entry_info *list;
        int n = dg_front_entries(f, &list);
        bool found = !entry;
        for (int i = 0; i < n; i++) {
            bool wanted = entry ? strcmp(list[i].name, entry) == 0
                                : list[i].in_main && !needs_arguments(&list[i]);
            if (!wanted) continue;
            found = true;
            dg_arena *own = dg_arena_new();
            dg_module_free(dg_front_elaborate(f, own, &list[i], NULL, 0, dg_op_find));
            dg_arena_free(own);
        }
        if (!found)
            dg_error_at(d, "E216", "--entry", "'%s' has no entry '%s'", p->source.path, entry);
    }
    dg_status status = dg_context_flush(p->context, d);
    dg_arena_free(a);
    return status;
}

char *dg_format_text(dg_context *c, const char *name, const char *text, size_t length)
{
    dg_arena *a = dg_arena_new();
    dg_sources *s = dg_sources_new(a);
    dg_diag *d = dg_context_diag(c, a, s);
    dg_tree *t = dg_parse(a, dg_strings_new(a), d, dg_sources_add(s, name, NULL, text, length));
    dg_text out = {0};
    if (t->ok) {
        dg_format(s, t, &out);
        if (!out.at) out.at = calloc(1, 1); /* an empty file is a file */
    }
    dg_context_flush(c, d);
    dg_arena_free(a);
    return out.at;
}

/* ---- plans ---- */

typedef struct job {
    dg_context *context;
    dg_program *program; /* or NULL */
    dg_arena *arena;
    dg_sources *sources;
    dg_diag *diag;
    dg_compile_options options;
} job;

static const char *loaded_core(void)
{
    dg_blas_load(NULL); /* a machine without it can still look at plans: "none" */
    return dg_blas_core();
}

/* Of a program, or with NULL of what the caller sets. False after reporting. */
static bool start_job(dg_context *c, dg_program *p, job *j, const dg_arg_text *args, int n_args)
{
    double begun = dg_clock();
    *j = (job){.context = c, .program = p};
    if (p && p->reading && !p->reading->front) forget(p); /* it may have been mended since */
    if (p && !dg_program_front(p)) return false;
    j->arena = dg_arena_new();
    j->sources = p ? p->reading->sources : dg_sources_new(j->arena);
    j->diag = dg_context_diag(c, j->arena, j->sources);
    dg_setting_in *list;
    bool ok = dg_settings_of(c, j->arena, j->diag, args, n_args, &list);
    j->options = (dg_compile_options){.front = p ? p->reading->front : NULL,
                                      .args = list,
                                      .n_args = n_args,
                                      .passes = dg_context_passes(c),
                                      .blas_core = loaded_core,
                                      .begun = begun};
    return ok;
}

/* True when nothing was reported. */
static bool end_job(job *j)
{
    if (!j->arena) return false;
    bool ok = dg_context_flush(j->context, j->diag) == DG_OK;
    if (!ok && j->program) forget(j->program);
    dg_arena_free(j->arena);
    return ok;
}

static dg_plan *finish_job(job *j)
{
    dg_compilation *made = dg_compile(j->diag, &j->options);
    dg_plan *plan = made ? dg_compilation_plan(made) : NULL;
    if (!plan) {
        dg_compilation_free(made);
        end_job(j);
        return NULL;
    }
    dg_context_flush(j->context, j->diag);
    dg_plan_owner *owner = DG_NEW(j->arena, dg_plan_owner);
    dg_reading *r = j->program ? j->program->reading : NULL;
    if (r) r->users++;
    *owner = (dg_plan_owner){j->context, j->arena, j->sources, r, made};
    plan->owner = owner;
    return plan;
}

dg_plan *dg_plan_compile(dg_program *p, const char *entry, const dg_arg_text *args, int n_args)
{
    job j;
    if (!start_job(p->context, p, &j, args, n_args)) {
        end_job(&j);
        return NULL;
    }
    j.options.entry = entry;
    return finish_job(&j);
}

dg_plan *dg_plan_from_ir(dg_context *c, const char *name, const char *text, size_t length)
{
    job j;
    if (!start_job(c, NULL, &j, NULL, 0)) return NULL;
    j.options.from = text;
    j.options.from_name = name;
    j.options.from_length = length;
    return finish_job(&j);
}

char *dg_plan_dump(dg_program *p, const char *entry, const dg_arg_text *args, int n_args,
                   const char *stage)
{
    job j;
    dg_text out = {0};
    if (start_job(p->context, p, &j, args, n_args)) {
        j.options.entry = entry;
        j.options.dump = stage;
        j.options.dump_text = &out;
        dg_compilation_free(dg_compile(j.diag, &j.options));
    }
    if (end_job(&j)) return out.at ? out.at : calloc(1, 1);
    dg_text_free(&out);
    return NULL;
}

void dg_plan_close(dg_plan *p)
{
    if (!p) return;
    dg_plan_owner *owner = p->owner;
    dg_plan_free(p);
    if (!owner) return;
    dg_compilation_free(owner->compilation);
    release(owner->reading);
    dg_arena_free(owner->arena);
}

/* --why; false after reporting that the plan has no such value or step. */
static bool answered(dg_plan *p, const char *why, bool json, dg_text *out)
{
    const char *close;
    if (dg_explain_why(p, why, json, out, &close)) return true;
    const dg_plan_owner *owner = p->owner;
    dg_diag *d = dg_context_diag(owner->context, owner->arena, NULL);
    dg_message *m = dg_error_at(d, "E227", "--why", "the plan has no value or step '%s'", why);
    dg_text steps = {0};
    dg_why_steps_of(p, why, &steps);
    if (steps.n > 0) dg_note_add(d, m, "it may be a part of these steps: %s", steps.at);
    dg_text_free(&steps);
    if (close) dg_help_add(d, m, "did you mean '%s'?", close);
    dg_help_add(d, m, "values are named by path or as %%7, steps as @12");
    dg_context_flush(owner->context, d);
    return false;
}

char *dg_plan_show(dg_plan *p, const dg_plan_view *v)
{
    const dg_plan_owner *owner = p->owner;
    dg_explain_options o = {.width = v->width ? v->width : 110,
                            .summary_only = v->summary,
                            .canonical = v->canonical,
                            .stages = v->stages,
                            .depth = v->depth,
                            .threads = owner->context->threads};
    dg_text out = {0};
    const char *format = v->format ? v->format : "text";
    if (v->why) {
        if (!answered(p, v->why, strcmp(format, "json") == 0, &out)) {
            dg_text_free(&out);
            return NULL;
        }
    } else if (v->peak && strcmp(format, "json") == 0)
        dg_explain_peak_json(p, &o, &out);
    else if (v->peak)
        dg_explain_peak(p, &o, &out);
    else if (strcmp(format, "json") == 0)
        dg_explain_json(p, &o, &out);
    else if (strcmp(format, "csv") == 0)
        dg_explain_csv(p, &out);
    else if (strcmp(format, "trace") == 0)
        dg_explain_trace(p, NULL, &out);
    else if (strcmp(format, "dot") == 0)
        dg_explain_dot(p, &o, &out);
    else if (strcmp(format, "text") == 0)
        dg_explain_text(p, &o, &out);
    else {
        dg_diag *d = dg_context_diag(owner->context, owner->arena, NULL);
        dg_error_at(d, "E222", "--format", "'%s' is not one of text, json, dot, csv, trace",
                    format);
        dg_context_flush(owner->context, d);
        return NULL;
    }
    return out.at;
}

dg_status dg_plan_compare(dg_context *c, dg_plan_comparison *x)
{
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_context_diag(c, a, dg_sources_new(a));
    dg_text out = {0};
    dg_plan_difference found = {0};
    dg_plan_text one = {x->name[0], x->json[0], x->length[0]},
                 two = {x->name[1], x->json[1], x->length[1]};
    if (dg_plan_diff(d, &one, &two, &found, &out)) {
        x->text = out.at;
        x->differences = found.n;
        x->peak[0] = found.peak_before;
        x->peak[1] = found.peak_after;
        x->ms[0] = found.ms_before;
        x->ms[1] = found.ms_after;
    } else {
        dg_text_free(&out);
    }
    dg_status status = dg_context_flush(c, d);
    dg_arena_free(a);
    return status;
}

static int ports_of(dg_plan *p, const dg_plan_port *ports, int n, const dg_tensor_info **out)
{
    const dg_plan_owner *owner = p->owner;
    dg_tensor_info *list = DG_NEW_ARRAY(owner->arena, dg_tensor_info, n + 1);
    for (int i = 0; i < n; i++) {
        list[i] = dg_tensor_info_of(ports[i].name, &ports[i].type);
        list[i].report = ports[i].report;
    }
    *out = list;
    return n;
}

int dg_plan_inputs(dg_plan *p, const dg_tensor_info **out)
{
    return ports_of(p, p->inputs, p->n_inputs, out);
}

int dg_plan_outputs(dg_plan *p, const dg_tensor_info **out)
{
    return ports_of(p, p->outputs, p->n_outputs, out);
}

int dg_plan_places(dg_plan *p, const dg_tensor_info **out)
{
    const dg_plan_owner *owner = p->owner;
    dg_tensor_info *list = DG_NEW_ARRAY(owner->arena, dg_tensor_info, p->n_places + 1);
    for (int i = 0; i < p->n_places; i++) {
        list[i] = dg_tensor_info_of(p->places[i].path, &p->places[i].type);
        list[i].trained = p->places[i].trained;
        list[i].source = p->places[i].src;
        list[i].init = p->places[i].init;
    }
    *out = list;
    return p->n_places;
}

void dg_plan_figures_of(dg_plan *p, dg_plan_figures *out)
{
    const dg_plan_owner *owner = p->owner;
    double flops = 0;
    for (int i = 0; i < p->n_steps; i++) {
        double times = 1;
        for (int32_t l = p->steps[i].loop; l >= 0; l = p->loops[l].parent)
            times *= (double)p->loops[l].trips;
        flops += times * p->steps[i].flops;
    }
    int64_t scratch = p->scratch * owner->context->threads;
    *out = (dg_plan_figures){.steps = p->n_steps,
                             .values = p->n_values,
                             .nodes = p->nodes,
                             .flops = (int64_t)flops,
                             .weights = p->weights,
                             .grads = p->grads,
                             .state = p->state,
                             .consts = p->consts,
                             .io = p->io,
                             .arena = p->arena_bytes,
                             .workspace = p->workspace_peak,
                             .bound = p->bound,
                             .naive = p->naive,
                             .total = p->weights + p->state + p->consts + p->io + p->arena_bytes +
                                      scratch,
                             .seconds = p->seconds};
}

/* sample.c: dg_sample: samples from a run folder or from a .dg file with weights, into pictures or
 * arrays. */
#include "runtime/sampler.h"

#include "compiler/base/os.h"
#include "runtime/checkpoint.h"
#include "runtime/job.h"
#include "runtime/run_folder.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct source { /* what to sample from */
    dg_program *program;
    const char *entry, *weights;
    dg_nameds args; /* of the run file, then those given */
    const dg_nameds *inputs;
    double range[2];
    int classes;
    uint64_t seed;
} source;

/* Without a run: labels go up to the graph's own `classes`, when it has such a config value. */
static int classes_of(dg_context *c, dg_program *p)
{
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_context_diag(c, a, dg_sources_new(a));
    dg_front *f = dg_front_open(a, d, &p->source);
    const dg_config_info *list;
    int n = f ? dg_front_configs(f, &list) : 0;
    int64_t classes = 0;
    for (int i = 0; i < n; i++)
        if (strcmp(list[i].name, "classes") == 0 && list[i].text)
            dg_parse_int(list[i].text, strlen(list[i].text), &classes);
    dg_arena_free(a);
    return classes > 0 && classes < 1 << 20 ? (int)classes : 0;
}

static dg_status make(dg_context *c, dg_arena *a, dg_diag *d, source *s, const dg_sample_options *o)
{
    for (int i = 0; i < o->n_args; i++)
        dg_named_set(a, &s->args, o->args[i].name, o->args[i].value, o->args[i].place);
    dg_sampler_options options = {.entry = s->entry,
                                  .args = dg_args_of(a, &s->args),
                                  .n_args = s->args.n,
                                  .files = o->inputs,
                                  .n_files = o->n_inputs,
                                  .inputs = s->inputs,
                                  .classes = s->classes,
                                  .n = o->n,
                                  .sample0 = o->sample0,
                                  .rows = o->grid_rows,
                                  .columns = o->grid_cols,
                                  .seed = s->seed};
    dg_sampler *sampler = dg_sampler_new(s->program, &options);
    if (!sampler) return dg_context_status(c);
    dg_store *store = dg_store_new(c);
    bool ok = !s->weights || dg_weights_load(store, d, s->weights, NULL);
    if (!s->weights) dg_say(c, "sample", "no --weights: the parameters are fresh ones");
    dg_context_flush(c, d);
    dg_samples made = {0};
    bool cancelled = false;
    if (ok) {
        ok = dg_sampler_run(sampler, store, &made);
        cancelled = !ok && dg_context_status(c) == DG_OK;
    }
    const char *out = o->out ? o->out : "samples.png";
    ok = ok && dg_samples_write(d, out, &made, s->range);
    if (ok) dg_say(c, "sample", "wrote %s", out);
    dg_context_flush(c, d);
    free(made.data);
    dg_store_free(store);
    dg_sampler_free(sampler);
    return cancelled ? DG_CANCELLED : dg_context_status(c);
}

static dg_status from_run(dg_context *c, dg_arena *a, dg_diag *d, const dg_sample_options *o)
{
    dg_job j;
    char *config = dg_path_join(a, o->from, DG_RUN_FULL);
    dg_status status;
    if (dg_job_open(c, &j, config, NULL, o->defs, o->n_defs,
                    dg_path_join(a, o->from, DG_RUN_LIB))) {
        const dg_config *f = j.config;
        source s = {.program = j.program,
                    .entry = o->entry ? o->entry : f->sample_entry,
                    .weights = o->weights ? o->weights : o->from,
                    .inputs = &f->inputs,
                    .range = {f->data.range[0], f->data.range[1]},
                    .classes = dg_run_classes(o->from),
                    .seed = o->has_seed ? o->seed : (uint64_t)f->seed};
        /* The run file's arguments are those of its own sample entry. */
        if (strcmp(s.entry, f->sample_entry) == 0) s.args = f->sample_args;
        dg_sample_options own = *o;
        if (own.n == 0 && own.grid_rows == 0) own.n = f->sample_n;
        status = make(c, a, d, &s, &own);
    } else {
        status = dg_context_status(c);
    }
    dg_job_close(&j);
    return status;
}

static dg_status from_file(dg_context *c, dg_arena *a, dg_diag *d, const dg_sample_options *o)
{
    dg_program *p = dg_program_open(c, o->from, o->defs, o->n_defs);
    if (!p) return dg_context_status(c);
    source s = {.program = p,
                .entry = o->entry ? o->entry : "sample",
                .weights = o->weights,
                .range = {-1.0, 1.0},
                .classes = classes_of(c, p),
                .seed = o->has_seed ? o->seed : 0};
    dg_status status = make(c, a, d, &s, o);
    dg_program_free(p);
    return status;
}

dg_status dg_sample(dg_context *c, const dg_sample_options *o)
{
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_context_diag(c, a, dg_sources_new(a));
    dg_status status;
    bool folder = dg_path_is_folder(o->from);
    if (folder && !dg_path_exists(dg_path_join(a, o->from, DG_RUN_FULL))) {
        dg_error_at(d, "E501", o->from, "is no run folder: it has no " DG_RUN_FULL);
        status = dg_context_flush(c, d);
    } else {
        status = folder ? from_run(c, a, d, o) : from_file(c, a, d, o);
    }
    dg_arena_free(a);
    return status;
}

/* sample.c: dg_sample: samples from a run folder or from a .dg file with weights, into pictures or
 * arrays; and the same again for dg_replay. */
#include "runtime/sampler.h"

#include "compiler/base/json.h"
#include "compiler/base/os.h"
#include "runtime/image.h"
#include "runtime/maker.h"
#include "runtime/replay.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Where the samples go: to `out`, or into memory as one picture. */
typedef struct target {
    const char *out;
    dg_text *png;
} target;

static void say_result(dg_maker *m, const char *out, const dg_samples *s, const dg_made *made)
{
    dg_context *c = m->context;
    dg_json_writer w = {0};
    dg_json_open(&w, '{');
    dg_json_int_field(&w, "v", 1);
    const char *const texts[][2] = {
        {"event", "end"}, {"verb", "sample"}, {"out", out}, {"entry", made->entry}};
    for (int i = 0; i < 4; i++) {
        dg_json_string_field(&w, texts[i][0], texts[i][1]);
    }
    dg_json_int_field(&w, "exit", 0);
    dg_json_int_field(&w, "n", s->type.shape.dim[0]);
    dg_json_int_field(&w, "sample0", s->sample0);
    dg_json_string_field(&w, "seed", dg_arena_printf(m->arena, "%" PRIu64, made->seed));
    dg_json_int_field(&w, "step", made->step);
    dg_json_close(&w, '}');
    dg_progress p = {.verb = "sample",
                     .next_save = -1,
                     .event = dg_arena_printf(m->arena, "wrote %s", out),
                     .json = w.text.at};
    if (c->options.progress) c->options.progress(c->options.user, &p);
    dg_text_free(&w.text);
}

static bool write_samples(dg_maker *m, const dg_samples *s, dg_made *made, const target *t)
{
    if (t->out) return dg_samples_write(m->diag, t->out, s, m->range, made);
    dg_png_text text = {0};
    dg_made_take_samples(made, s);
    dg_made_write(made, m->arena, &text);
    return dg_image_encode(m->diag, m->o.from, &s->type, s->data, m->range, s->columns, &text,
                           t->png);
}

static bool sample_with(dg_maker *m, dg_sampler *sampler, const char *entry,
                        const dg_sample_options *o, const target *t)
{
    dg_made made = {.verb = "sample",
                    .inputs = m->o.again ? m->o.again->inputs : o->inputs,
                    .n_inputs = o->n_inputs};
    const dg_plan *plan = dg_sampler_plan(sampler);
    dg_samples s;
    if (!dg_maker_facts(m, plan, entry, &made) || !dg_maker_load(m) ||
        !dg_sampler_ready(sampler, m->store) || !dg_maker_weights(m, plan, &made) ||
        !dg_sampler_run(sampler, m->store, &s))
        return false;
    bool ok = write_samples(m, &s, &made, t);
    if (ok && t->out) say_result(m, t->out, &s, &made);
    dg_samples_free(&s);
    return ok;
}

static bool sample(dg_maker *m, const dg_sample_options *o, const target *t)
{
    const dg_config *f = m->config;
    const dg_made *again = m->o.again;
    const char *entry = o->entry ? o->entry : f ? f->sample_entry : "sample";
    int64_t n = o->n;
    /* The run file's arguments and number are those of its own sample entry. */
    if (f && !again && strcmp(entry, f->sample_entry) == 0) {
        if (n == 0 && o->grid_rows == 0) n = f->sample_n;
        for (int i = 0; i < f->sample_args.n; i++)
            dg_maker_default(m, f->sample_args.at[i].name, f->sample_args.at[i].text);
    }
    dg_sampler_options options = {.entry = entry,
                                  .args = dg_args_of(m->arena, &m->args),
                                  .n_args = m->args.n,
                                  .files = o->inputs,
                                  .n_files = o->n_inputs,
                                  .inputs = f ? &f->inputs : NULL,
                                  .classes = m->classes,
                                  .n = n,
                                  .sample0 = o->sample0,
                                  .rows = o->grid_rows,
                                  .columns = o->grid_cols,
                                  .seed = m->seed};
    dg_maker_load_ahead(m);
    dg_sampler *sampler = dg_sampler_new(m->program, &options);
    if (!sampler) return false;
    bool ok = sample_with(m, sampler, entry, o, t);
    dg_sampler_free(sampler);
    return ok;
}

static dg_status run(dg_context *c, const dg_sample_options *o, const dg_made *again, dg_met *met,
                     const target *t)
{
    dg_maker m;
    dg_maker_options from = {.from = o->from,
                             .weights = o->weights,
                             .args = o->args,
                             .n_args = o->n_args,
                             .defs = o->defs,
                             .n_defs = o->n_defs,
                             .has_seed = o->has_seed,
                             .seed = o->seed,
                             .again = again,
                             .met = met};
    bool ok = dg_maker_open(c, &m, &from) && sample(&m, o, t);
    dg_maker_close(&m);
    dg_status status = dg_context_status(c);
    return status == DG_OK && !ok ? DG_CANCELLED : status;
}

dg_status dg_sample(dg_context *c, const dg_sample_options *o)
{
    target t = {.out = o->out ? o->out : "samples.png"};
    return run(c, o, NULL, NULL, &t);
}

dg_status dg_sample_again(dg_context *c, const dg_made *made, dg_again *where, dg_text *png)
{
    dg_sample_options o = {.from = where->from,
                           .entry = made->entry,
                           .weights = where->weights,
                           .args = made->args,
                           .n_args = made->n_args,
                           .defs = made->defs,
                           .n_defs = made->n_defs,
                           .inputs = where->inputs,
                           .n_inputs = made->n_inputs,
                           .n = made->n,
                           .sample0 = made->sample0,
                           .grid_rows = (int)made->rows,
                           .grid_cols = (int)made->columns,
                           .has_seed = true,
                           .seed = made->seed};
    target t = {.png = png};
    return run(c, &o, made, &where->met, &t);
}

/* train_loop.c: one step after the other: batch, run, numbers, metrics, samples, checkpoint.
 *
 * In     a trainer at some step.
 * Out    the trainer at its last step, or stopped with its state saved.
 * Keeps  the order of what follows a step: metrics, evaluation, samples, checkpoint. A run stopped
 * in between makes up for the missing part when it is resumed, so that interruptions leave no trace
 * in any file but for clocks. */
#include "runtime/trainer.h"

#include "compiler/base/json.h"
#include "compiler/base/os.h"
#include "ops/ops.h"
#include "runtime/evaluate.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

dg_status dg_train_flush(dg_trainer *t)
{
    return dg_context_flush(t->context, t->diag);
}

/* ---- a step ---- */

void dg_train_feed(dg_trainer *t)
{
    if (!t->prefetch) return;
    dg_prefetch_next(t->prefetch, &t->binding.x, &t->binding.y);
    dg_put_inputs(t->session, t->data, &t->binding);
}

static double scalar(const dg_type *type, const void *data)
{
    switch (type->dtype) {
    case DG_F32:
        return (double)*(const float *)data;
    case DG_F64:
        return *(const double *)data;
    case DG_I32:
        return *(const int32_t *)data;
    default:
        return *(const uint8_t *)data;
    }
}

bool dg_train_read_numbers(dg_trainer *t)
{
    bool finite = true;
    for (int i = 0; i < t->n_numbers; i++) {
        const dg_plan_port *p = t->ports[i];
        t->last[i] = scalar(&p->type, dg_exec_data(&t->session->exec, p->value));
        finite = finite && isfinite(t->last[i]);
    }
    return finite;
}

static int by_value(const void *pa, const void *pb)
{
    double a = *(const double *)pa, b = *(const double *)pb;
    return a < b ? -1 : a > b;
}

static double median_seconds(const dg_trainer *t)
{
    double sorted[DG_STEP_TIMES];
    size_t n = t->timed < DG_STEP_TIMES ? (size_t)t->timed : DG_STEP_TIMES;
    if (n == 0) return 0;
    memcpy(sorted, t->step_seconds, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    return sorted[n / 2];
}

/* How often `every` comes in (from, to]. */
static double times_in(int64_t from, int64_t to, int64_t every)
{
    return every > 0 ? (double)(to / every - from / every) : 0;
}

static void show(dg_trainer *t, const char *event, const char *json)
{
    dg_context *c = t->context;
    if (!c->options.progress) return;
    int64_t step = t->store->step, every = t->config->save_every;
    double median = median_seconds(t);
    dg_progress p = {.verb = "train",
                     .done = step,
                     .total = t->steps,
                     .seconds = dg_clock() - t->start,
                     .rate = median > 0 ? 1.0 / median : 0,
                     .n = t->timed ? t->n_numbers : 0,
                     .names = t->names,
                     .values = t->last,
                     .next_save = (step / every + 1) * every < t->steps ? (step / every + 1) * every
                                                                        : t->steps,
                     .event = event,
                     .json = json};
    p.eta = median * (double)(t->steps - step) + t->save_seconds * times_in(step, t->steps, every) +
            t->sample_seconds * times_in(step, t->steps, t->config->samples_every);
    c->options.progress(c->options.user, &p);
}

__attribute__((format(printf, 2, 3))) static void say(dg_trainer *t, const char *format, ...)
{
    dg_arena *a = dg_arena_new();
    va_list args;
    va_start(args, format);
    show(t, dg_arena_vprintf(a, format, args), NULL);
    va_end(args);
    dg_arena_free(a);
}

/* ---- metrics ---- */

/* Everything that depends on the clock or the machine stands under this one key. */
static void add_clock(const dg_trainer *t, dg_json_writer *w)
{
    char now[32];
    dg_utc_now(now);
    dg_json_key(w, "clock");
    dg_json_open(w, '{');
    dg_json_string_field(w, "time", now);
    dg_json_double_field(w, "seconds", floor((dg_clock() - t->start) * 1000) / 1000);
    dg_json_key(w, "step_s");
    double median = median_seconds(t);
    dg_json_double(w, median > 0 ? floor(1e4 / median) / 1e4 : 0);
    dg_json_int_field(w, "rss_mb", (int64_t)(dg_rss_bytes() >> 20));
    dg_json_close(w, '}');
}

static void begin_line(const dg_trainer *t, dg_json_writer *w)
{
    dg_json_open(w, '{');
    dg_json_int_field(w, "step", t->store->step);
}

static bool end_line(dg_trainer *t, dg_json_writer *w)
{
    add_clock(t, w);
    dg_json_close(w, '}');
    bool ok = dg_log_line(t->diag, &t->metrics, w->text.at, w->text.n);
    show(t, NULL, w->text.at);
    dg_text_free(&w->text);
    return ok;
}

bool dg_train_log_event(dg_trainer *t, const char *event, const char *text)
{
    dg_json_writer w = {0};
    begin_line(t, &w);
    dg_json_string_field(&w, "event", event);
    dg_json_string_field(&w, "text", text);
    return end_line(t, &w);
}

/* Means since the line before. */
static bool log_means(dg_trainer *t)
{
    dg_json_writer w = {0};
    begin_line(t, &w);
    for (int i = 0; i < t->n_numbers; i++) {
        dg_json_double_field(&w, t->names[i],
                             t->summed ? t->sums[i] / (double)t->summed : t->last[i]);
        t->sums[i] = 0;
    }
    t->summed = 0;
    return end_line(t, &w);
}

/* ---- evaluation ---- */

/* The eval entry over the valid part: the mean of its result, and its reports. */
static bool evaluate(dg_trainer *t)
{
    const dg_config *c = t->config;
    dg_arena *a = dg_arena_new();
    dg_evaluate_options o = {.verb = "train",
                             .entry = c->eval_entry,
                             .part = DG_PART_VALID,
                             .seed = (uint64_t)c->seed,
                             .whole_batches = true,
                             .keep = t->plan};
    dg_evaluation e;
    bool ok =
        dg_evaluate(t->job, a, dg_context_diag(t->context, a, NULL), t->store, t->data, &o, &e);
    dg_json_writer w = {0};
    begin_line(t, &w);
    dg_json_key(&w, "eval");
    dg_json_open(&w, '{');
    if (ok && e.n_values) {
        dg_json_double_field(&w, c->eval_entry, e.mean);
    }
    for (int i = 0; ok && i < e.n_numbers; i++) {
        if (!e.numbers[i].report || e.numbers[i].shape.rank != 0) continue;
        dg_json_double_field(&w, e.numbers[i].name, e.numbers[i].at[0]);
    }
    dg_json_close(&w, '}');
    if (ok)
        ok = end_line(t, &w);
    else
        dg_text_free(&w.text);
    dg_arena_free(a);
    t->evaluated = t->store->step;
    return ok;
}

/* ---- samples ---- */

static char *sample_path(const dg_trainer *t, dg_arena *a, const char *end)
{
    char *folder = dg_path_join(a, t->run, "samples");
    return dg_path_join(a, folder, dg_arena_printf(a, "step-%07" PRId64 "%s", t->store->step, end));
}

static bool samples_there(const dg_trainer *t)
{
    dg_arena *a = dg_arena_new();
    bool there =
        dg_path_exists(sample_path(t, a, ".png")) || dg_path_exists(sample_path(t, a, ".npy"));
    dg_arena_free(a);
    return there;
}

static bool make_samples(dg_trainer *t)
{
    const dg_config *c = t->config;
    if (!t->sampler) {
        dg_sampler_options o = {.entry = c->sample_entry,
                                .args = dg_args_of(t->arena, &c->sample_args),
                                .n_args = c->sample_args.n,
                                .inputs = &c->inputs,
                                .classes = t->data->classes,
                                .n = c->sample_n,
                                .seed = (uint64_t)c->seed};
        t->sampler = dg_sampler_new(t->job->program, &o);
        if (!t->sampler) return false;
    }
    double start = dg_clock();
    dg_samples s;
    if (!dg_sampler_ready(t->sampler, t->store)) return false;
    const dg_plan *plan = dg_sampler_plan(t->sampler);
    dg_made made = {.verb = "sample",
                    .entry = c->sample_entry,
                    .args = dg_args_of(t->arena, &c->sample_args),
                    .n_args = c->sample_args.n,
                    .seed = (uint64_t)c->seed,
                    .step = t->store->step,
                    .weights_hash = dg_places_hash(plan, t->store)};
    if (!dg_sampler_run(t->sampler, t->store, &s)) return dg_context_status(t->context) == DG_OK;
    dg_arena *a = dg_arena_new();
    dg_made_take_plan(&made, a, plan);
    char *path = sample_path(t, a, dg_look_of(&s.type) == DG_LOOK_NONE ? ".npy" : ".png");
    bool ok = dg_samples_write(t->diag, path, &s, c->data.range, &made);
    if (ok) say(t, "wrote %s", path);
    dg_samples_free(&s);
    dg_arena_free(a);
    t->sample_seconds = dg_clock() - start;
    return ok;
}

/* ---- checkpoints ---- */

bool dg_train_store_finite(const dg_store *s, const char **path)
{
    for (size_t i = 0; i < s->tensors.n; i++) {
        const dg_tensor *t = &s->tensors.at[i];
        int64_t n = dg_shape_count(&t->type.shape);
        bool finite = true;
        /* The product with zero is zero for every finite number and NaN for all others. */
        float sum = 0;
        double wide = 0;
        if (t->type.dtype == DG_F32)
            for (int64_t k = 0; k < n; k++) sum += ((const float *)t->data)[k] * 0.0F;
        else if (t->type.dtype == DG_F64)
            for (int64_t k = 0; k < n; k++) wide += ((const double *)t->data)[k] * 0.0;
        finite = sum == 0.0F && wide == 0.0;
        if (finite || !t->filled) continue;
        *path = t->path;
        return false;
    }
    return true;
}

char *dg_train_extra(const dg_trainer *t, dg_arena *a)
{
    dg_json_writer w = {0};
    dg_json_open(&w, '{');
    dg_json_int_field(&w, "window", (int64_t)t->window);
    dg_json_int_field(&w, "mishaps", t->mishaps);
    dg_json_int_field(&w, "summed", t->summed);
    dg_json_key(&w, "sums");
    dg_json_open(&w, '{');
    for (int i = 0; i < t->n_numbers; i++) {
        dg_json_double_field(&w, t->names[i], t->sums[i]);
    }
    dg_json_close(&w, '}');
    dg_json_close(&w, '}');
    char *text = dg_arena_text(a, w.text.at, w.text.n);
    dg_text_free(&w.text);
    return text;
}

void dg_train_take_extra(dg_trainer *t, const char *extra)
{
    t->window = 0;
    t->mishaps = t->summed = 0;
    for (int i = 0; i < t->n_numbers; i++) t->sums[i] = 0;
    if (!extra || !*extra) return;
    json_t *j = dg_json_read(dg_diag_new(t->arena, NULL), "E430", "", extra, strlen(extra));
    t->window = (uint64_t)json_integer_value(json_object_get(j, "window"));
    t->mishaps = json_integer_value(json_object_get(j, "mishaps"));
    t->summed = json_integer_value(json_object_get(j, "summed"));
    json_t *sums = json_object_get(j, "sums");
    for (int i = 0; i < t->n_numbers; i++)
        t->sums[i] = json_number_value(json_object_get(sums, t->names[i]));
    json_decref(j);
}

static bool save(dg_trainer *t)
{
    const dg_config *c = t->config;
    double start = dg_clock();
    dg_arena *a = dg_arena_new();
    dg_checkpoint_facts f = {.seed = (uint64_t)c->seed,
                             .plan_hash = dg_plan_hash(t->plan),
                             .isa = dg_isa_name(t->plan->isa),
                             .blas_core = t->plan->blas_core,
                             .build = dg_version(),
                             .extra = dg_train_extra(t, a)};
    bool ok = dg_checkpoint_save(t->store, t->diag, t->run, &f, (int)c->keep_last, c->keep_every);
    dg_arena_free(a);
    if (!ok) {
        if (t->saved_step > 0) {
            dg_message *m = dg_error_at(t->diag, "E503", t->run,
                                        "step %" PRId64 " could not be saved, training stopped",
                                        t->store->step);
            dg_help_add(t->diag, m, "step %" PRId64 " is intact; go on with: dg resume %s",
                        t->saved_step, t->run);
        }
        return false;
    }
    t->saved_step = t->store->step;
    t->saved_at = dg_clock();
    t->save_seconds = t->saved_at - start;
    return true;
}

/* ---- the loop ---- */

static bool stopping(const dg_trainer *t)
{
    return atomic_load(&t->context->cancelled) != 0;
}

static bool due(int64_t step, int64_t every)
{
    return every > 0 && step % every == 0;
}

/* What follows a step beyond its line of metrics; also what an interruption left out. */
static bool duties(dg_trainer *t)
{
    const dg_config *c = t->config;
    int64_t step = t->store->step;
    if (t->job->has_eval && due(step, c->eval_every) && t->evaluated < step && !stopping(t) &&
        !evaluate(t) && !stopping(t))
        return false;
    bool last = step == t->steps;
    if (t->job->has_sample && c->samples_every > 0 && (due(step, c->samples_every) || last) &&
        !stopping(t) && !samples_there(t))
        return make_samples(t);
    return true;
}

static bool save_due(dg_trainer *t, bool stop)
{
    const dg_config *c = t->config;
    int64_t step = t->store->step;
    bool asked = atomic_exchange(&t->context->save_now, false);
    bool late = c->save_minutes > 0 && dg_clock() - t->saved_at > 60 * c->save_minutes;
    return asked || late || due(step, c->save_every) || step == t->steps || stop;
}

typedef enum outcome { GOES_ON, FAILED, NOT_FINITE } outcome;

static outcome one_step(dg_trainer *t, const char **what)
{
    double start = dg_clock();
    dg_train_snapshot(t);
    dg_train_feed(t);
    t->session->sample0 = 0;
    if (!dg_session_run_diag(t->session, t->diag)) return FAILED;
    if (!dg_train_read_numbers(t)) {
        for (int i = t->n_numbers; i-- > 0;)
            if (!isfinite(t->last[i])) *what = t->names[i];
        return NOT_FINITE;
    }
    for (int i = 0; i < t->n_numbers; i++) t->sums[i] += t->last[i];
    t->summed++;
    if (t->snapshot) t->mishaps = 0; /* skips in a row; rollbacks count until the next checkpoint */
    t->step_seconds[t->timed++ % DG_STEP_TIMES] = dg_clock() - start;
    if (due(t->store->step, t->config->log_every) || t->store->step == t->steps) {
        if (!log_means(t)) return FAILED;
    } else {
        show(t, NULL, NULL);
    }
    return GOES_ON;
}

/* A checkpoint never holds a number that is not finite. */
static outcome save_checked(dg_trainer *t, const char **what)
{
    if (!dg_train_store_finite(t->store, what)) return NOT_FINITE;
    t->mishaps = 0;
    return save(t) ? GOES_ON : FAILED;
}

static dg_status stopped(dg_trainer *t)
{
    say(t, "saved %s at step %" PRId64 "; go on with: dg resume %s", t->run, t->store->step,
        t->run);
    return DG_CANCELLED;
}

dg_status dg_train_loop(dg_trainer *t)
{
    const char *what = NULL;
    t->saved_at = dg_clock();
    if (t->save_first && !save(t)) return dg_train_flush(t);
    if (t->store->step > 0 && !stopping(t) && !duties(t)) return dg_train_flush(t);
    while (t->store->step < t->steps) {
        outcome o = one_step(t, &what);
        if (o == GOES_ON && !duties(t)) o = FAILED;
        /* Asked once: a signal that comes during the save waits for the next step. */
        bool stop = stopping(t);
        if (o == GOES_ON && save_due(t, stop)) o = save_checked(t, &what);
        if (o == NOT_FINITE && dg_train_rescue(t, what) == DG_RESCUE_CONTINUE) continue;
        dg_status status = dg_train_flush(t);
        if (o != GOES_ON) return status ? status : dg_context_status(t->context);
        if (stop) return stopped(t);
    }
    say(t, "done: %s at step %" PRId64, t->run, t->store->step);
    return DG_OK;
}

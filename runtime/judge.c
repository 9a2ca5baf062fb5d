/* judge.c: samples of a run, or of files, judged by the run of a classifier.
 *
 * In     a run whose sample entry takes labels, or a data set with labels; the judge's run.
 * Out    what the judge's entries report: agreement with the labels, distance to real samples, with
 *        the numbers of both.
 * How    the judge's entry `real` runs over real samples and leaves its sums in the store; `judge`
 *        runs over the samples and reads them. All formulas are these entries'. Sample i has the
 *        label i % classes and the draws of its index, so numbers do not depend on batches.
 * Keeps  as many real samples as judged ones, unless all real ones are asked for: the distance is
 *        biased by both numbers, so both always stand beside it. */
#include "runtime/judge.h"

#include "compiler/base/json.h"
#include "compiler/base/os.h"
#include "runtime/data/npy.h"
#include "runtime/evaluate.h"
#include "runtime/maker.h"
#include "runtime/run_folder.h"
#include "runtime/sampler.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { USUAL = 1000 }; /* samples, where nobody says how many */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

typedef struct judged {
    const dg_eval_options *o;
    dg_maker judge;
    dg_dataset *real;
    const char *split;  /* of the real data */
    int64_t real_there; /* samples of that part; 0: endless */
    int64_t n, n_real;
    /* a run's samples */
    bool from_run;
    dg_maker maker;
    const char *entry;
    dg_sampler *sampler;
    dg_samples samples;
    float scale, shift; /* from the run's range to the judge's */
    /* samples that are there already */
    dg_dataset *files;
    dg_evaluation result;
} judged;

__attribute__((format(printf, 4, 5))) static dg_message *
refuse(dg_maker *m, const char *id, const char *place, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    dg_message *e = dg_error_at(m->diag, id, place, "%s", dg_arena_vprintf(m->arena, format, args));
    va_end(args);
    return e;
}

static bool flush(dg_maker *m)
{
    return dg_context_flush(m->context, m->diag) == DG_OK;
}

/* ---- the judge and its real samples ---- */

static const char judge_form[] = "entry judge(x: f32[batch, C, H, W], y: i32[batch]) -> f64 { ... "
                                 "}, which reports agreement and "
                                 "frechet, as examples/digit_classifier has it";
static const char real_form[] =
    "entry real(x: f32[batch, C, H, W], y: i32[batch]) -> f64 { ... }, which gathers "
    "moments@real(features) of \"eval/frechet.dg\"";

static bool want_entry(judged *g, const char *entry, const char *key, const char *form)
{
    dg_maker *m = &g->judge;
    if (dg_maker_has_entry(m, entry)) return true;
    if (dg_context_status(m->context) != DG_OK) return false; /* the file itself is wrong */
    dg_message *e =
        refuse(m, "E131", g->o->judge,
               "the judge's graph has no entry '%s', which dg eval --judge runs", entry);
    dg_help_add(m->diag, e, "write one: %s", form);
    dg_help_add(m->diag, e, "or name another in the judge's run file: entries: {%s: NAME}", key);
    return flush(m);
}

static bool open_judge(dg_context *c, judged *g)
{
    dg_maker *m = &g->judge;
    dg_maker_options from = {.from = g->o->judge, .run_only = true};
    if (!dg_maker_open(c, m, &from)) return false;
    if (!want_entry(g, m->config->judge_entry, "judge", judge_form) ||
        !want_entry(g, m->config->real_entry, "real", real_form))
        return false;
    g->real = dg_maker_data(m, g->o->data, g->o->split, &g->split);
    if (!g->real) return false;
    dg_part part = dg_part_named(g->split);
    g->real_there = g->real->reader.count == 0 ? 0
                    : part == DG_PART_TRAIN    ? g->real->n_train
                    : part == DG_PART_VALID    ? g->real->n_valid
                                               : g->real->reader.count;
    return dg_maker_load(m);
}

/* ---- samples ---- */

static bool same_shape(judged *g, const dg_shape *made, const char *place)
{
    if (dg_shape_equal(made, &g->real->shape)) return true;
    dg_text a = {0}, b = {0};
    dg_shape_text(made, &a);
    dg_shape_text(&g->real->shape, &b);
    dg_message *e =
        refuse(&g->judge, "E440", place, "samples are %s, the judge's images %s", a.at, b.at);
    dg_help_add(g->judge.diag, e,
                "judge with a classifier that was trained on images of the model's size");
    dg_text_free(&a);
    dg_text_free(&b);
    return false;
}

static bool open_sampler(dg_context *c, judged *g)
{
    const dg_eval_options *o = g->o;
    dg_maker *m = &g->maker;
    dg_maker_options from = {.from = o->run,
                             .weights = o->weights,
                             .args = o->args,
                             .n_args = o->n_args,
                             .defs = o->defs,
                             .n_defs = o->n_defs,
                             .has_seed = o->has_seed,
                             .seed = o->seed,
                             .run_only = true};
    static const char form[] = "entry sample(y: i32[n], n: int = 16) -> f32[n, C, H, W] { ... }";
    if (!dg_maker_open(c, m, &from)) return false;
    g->entry = o->entry ? o->entry : m->config->sample_entry;
    if (!dg_maker_want_entry(m, g->entry, "eval --judge", form)) return false;
    if (strcmp(g->entry, m->config->sample_entry) == 0)
        for (int i = 0; i < m->config->sample_args.n; i++)
            dg_maker_default(m, m->config->sample_args.at[i].name,
                             m->config->sample_args.at[i].text);
    dg_sampler_options options = {.entry = g->entry,
                                  .args = dg_args_of(m->arena, &m->args),
                                  .n_args = m->args.n,
                                  .inputs = &m->config->inputs,
                                  .classes = m->classes,
                                  .n = g->n,
                                  .seed = m->seed};
    g->sampler = dg_sampler_new(m->program, &options);
    const dg_type *type = g->sampler ? dg_sampler_type(g->sampler) : NULL;
    if (!type) return false;
    if (!dg_sampler_has_labels(g->sampler)) {
        dg_message *e = refuse(m, "E440", g->entry,
                               "the entry takes no label for each sample, so there is nothing to "
                               "agree with");
        dg_help_add(m->diag, e,
                    "a class-conditional model has one: entry %s(y: i32[n], n: int = "
                    "16, ...), or another input that data.inputs of the run file calls labels",
                    g->entry);
        return flush(m);
    }
    if (type->dtype != DG_F32 && type->dtype != DG_F64) {
        refuse(m, "E217", g->entry, "the entry returns whole numbers, no images");
        return flush(m);
    }
    double to = g->judge.range[1] - g->judge.range[0], from_span = m->range[1] - m->range[0];
    g->scale = (float)(to / from_span);
    g->shift = (float)(g->judge.range[0] - m->range[0] * (to / from_span));
    dg_shape one = {type->shape.rank - 1, {0}};
    memcpy(one.dim, type->shape.dim + 1, sizeof *one.dim * (size_t)one.rank);
    return same_shape(g, &one, g->entry) && dg_maker_load(m);
}

static bool open_samples(dg_context *c, judged *g)
{
    const dg_eval_options *o = g->o;
    g->from_run = dg_path_is_folder(o->run) &&
                  dg_path_exists(dg_path_join(g->judge.arena, o->run, DG_RUN_FULL));
    int64_t there = g->real_there, usual = there > 0 && there < USUAL ? there : USUAL;
    g->n = o->n ? o->n : usual;
    if (g->from_run) return open_sampler(c, g);
    const char *all;
    if (o->entry || o->n_args || o->n_defs || o->weights) {
        refuse(&g->judge, "E223", o->run,
               "arguments, -D, --entry and --weights are of a run that makes samples, and this is "
               "no run folder");
        return false;
    }
    g->files = dg_maker_data(&g->judge, o->run, "all", &all);
    if (!g->files) return false;
    if (!g->files->classes) {
        dg_message *e = refuse(&g->judge, "E440", o->run,
                               "the samples have no labels, so there is nothing to agree with");
        dg_help_add(g->judge.diag, e,
                    "a .npy file has them beside it in NAME-labels.npy, a folder of pictures has a "
                    "folder for each class");
        return false;
    }
    int64_t count = g->files->reader.count;
    if (!o->n && count > 0) g->n = count;
    if (count > 0 && g->n > count) {
        refuse(&g->judge, "E213", "--n", "%" PRId64 " samples, and %s has %" PRId64, g->n, o->run,
               count);
        return false;
    }
    return same_shape(g, &g->files->shape, o->run);
}

static bool make_samples(judged *g)
{
    if (!g->from_run) return true;
    if (!dg_sampler_run(g->sampler, g->maker.store, &g->samples)) return false;
    for (int64_t i = 0; i < g->n; i++) {
        int32_t y = g->samples.labels[i];
        if (y >= 0 && (g->judge.classes == 0 || y < g->judge.classes)) continue;
        dg_message *e = refuse(&g->judge, "E444", g->entry,
                               "sample %" PRId64 " was asked for class %d, the judge knows %d", i,
                               y, g->judge.classes);
        dg_help_add(g->judge.diag, e, "name classes that it knows: y=[0, 1, ...]");
        return false;
    }
    return true;
}

/* As a data set, so that the judge's entry runs over them as over any other. */
static void fetch_sample(const void *self, uint64_t seed, int64_t i, float *out, int32_t *label)
{
    const judged *g = self;
    (void)seed;
    int64_t each = dg_shape_count(&g->real->shape);
    for (int64_t k = 0; k < each; k++) {
        float v = g->samples.type.dtype == DG_F64
                      ? (float)((const double *)g->samples.data)[i * each + k]
                      : ((const float *)g->samples.data)[i * each + k];
        out[k] = g->shift + g->scale * v;
    }
    *label = g->samples.labels[i];
}

static dg_dataset as_data(const judged *g)
{
    dg_dataset d = {.kind = "samples", .shape = g->real->shape, .classes = g->judge.classes};
    d.reader = (dg_reader){.count = g->n,
                           .shape = g->real->shape,
                           .classes = g->judge.classes,
                           .fetch = fetch_sample,
                           .self = g};
    return d;
}

/* Of a whole set, samples from all over it: files may be sorted. */
typedef struct thinned {
    const dg_reader *of;
    int64_t n;
} thinned;

static void fetch_thinned(const void *self, uint64_t seed, int64_t i, float *out, int32_t *label)
{
    const thinned *t = self;
    t->of->fetch(t->of->self, seed, i * t->of->count / t->n, out, label);
}

/* ---- judging ---- */

/* How many real samples; false after reporting. */
static bool equal_numbers(judged *g)
{
    int64_t there = g->real_there;
    g->n_real = g->n;
    if (g->o->real_all && there == 0)
        refuse(&g->judge, "E222", "--real", "%s is endless: there is no whole of it",
               g->real->kind);
    else if (g->o->real_all)
        g->n_real = there;
    else if (g->real->reader.count > 0 && there < g->n) {
        const char *place = g->real->spec.path ? g->real->spec.path : g->real->kind;
        dg_message *e = refuse(&g->judge, "E440", place,
                               "%" PRId64 " samples to be judged, and %" PRId64
                               " real ones in the %s part: only equal numbers are compared",
                               g->n, there, g->split);
        dg_help_add(g->judge.diag, e,
                    "-n %" PRId64
                    " judges as many; --data and --split name other real ones, --real "
                    "all takes all there are, for distances to this one set",
                    there);
    }
    return flush(&g->judge);
}

static bool run_entry(judged *g, const char *entry, const char *verb, const dg_dataset *data,
                      dg_part part, int64_t n, bool leave, dg_evaluation *out)
{
    dg_maker *m = &g->judge;
    dg_evaluate_options e = {.verb = verb,
                             .entry = entry,
                             .part = part,
                             .n = n,
                             .seed = m->seed,
                             .progress = true,
                             .leave = leave};
    if (!dg_evaluate(&m->job, m->arena, m->diag, m->store, data, &e, out)) return false;
    if (out->n == n) return true;
    dg_message *x =
        refuse(m, "E440", entry,
               "the entry took %" PRId64 " of %" PRId64 " samples: its batch is no config value",
               out->n, n);
    dg_help_add(m->diag, x,
                "make the batch a config value of the judge's graph: config batch = 64");
    return flush(m);
}

/* The entry's own counts have to be those that were fed to it. */
static bool counts_right(judged *g)
{
    const struct {
        const char *name;
        int64_t n;
    } counts[] = {{"n", g->n}, {"n_real", g->n_real}};
    for (int i = 0; i < 2; i++) {
        const dg_outcome *own = dg_evaluation_find(&g->result, counts[i].name);
        if (!own || own->shape.rank != 0 || own->at[0] == (double)counts[i].n) continue;
        dg_message *e = refuse(&g->judge, "E440", g->judge.config->judge_entry,
                               "the entry counts %s = %g, and was given %" PRId64, counts[i].name,
                               own->at[0], counts[i].n);
        dg_help_add(g->judge.diag, e,
                    "a config value `total` or the path of the moments is wrong: 0 counts every "
                    "sample, and both entries read moments@real");
    }
    const char *const wanted[] = {"agreement", "frechet"};
    for (int i = 0; i < 2; i++) {
        const dg_outcome *r = dg_evaluation_find(&g->result, wanted[i]);
        if (r && r->shape.rank == 0) continue;
        dg_message *e = refuse(&g->judge, "E217", g->judge.config->judge_entry,
                               "the entry reports no number '%s'", wanted[i]);
        dg_help_add(g->judge.diag, e, "write one: %s", judge_form);
    }
    return flush(&g->judge);
}

static bool judge(judged *g)
{
    const dg_config *f = g->judge.config;
    dg_evaluation real;
    dg_part part = dg_part_named(g->split);
    dg_dataset seen = *g->real;
    thinned few = {&g->real->reader, g->n_real};
    if (part == DG_PART_ALL && g->real_there > g->n_real) {
        seen.reader.self = &few;
        seen.reader.fetch = fetch_thinned;
        seen.reader.count = g->n_real;
    }
    if (!run_entry(g, f->real_entry, "real", &seen, part, g->n_real, true, &real)) return false;
    bool ok = make_samples(g);
    if (!flush(&g->judge) || !ok) return false;
    dg_dataset made = as_data(g);
    return run_entry(g, f->judge_entry, "judge", g->from_run ? &made : g->files, DG_PART_ALL, g->n,
                     false, &g->result) &&
           counts_right(g);
}

/* ---- what is said ---- */

static bool is_own(const dg_outcome *n)
{
    return n->report && n->shape.rank == 0 && strcmp(n->name, "n") != 0 &&
           strcmp(n->name, "n_real") != 0;
}

static void as_json(const judged *g, dg_text *out)
{
    dg_json_writer w = {0};
    dg_json_open(&w, '{');
    dg_json_int_field(&w, "v", 1);
    dg_json_string_field(&w, "event", "end");
    dg_json_string_field(&w, "verb", "eval");
    dg_json_int_field(&w, "exit", 0);
    if (g->from_run) {
        dg_json_string_field(&w, "entry", g->entry);
        dg_json_int_field(&w, "step", g->maker.store->step);
        dg_json_string_field(&w, "seed",
                             dg_arena_printf(g->judge.arena, "%" PRIu64, g->maker.seed));
    }
    dg_json_string_field(&w, "judge", g->judge.config->judge_entry);
    dg_json_int_field(&w, "judge_step", g->judge.store->step);
    dg_json_string_field(&w, "data", g->real->kind);
    dg_json_string_field(&w, "split", g->split);
    dg_json_int_field(&w, "n", g->n);
    dg_json_int_field(&w, "n_real", g->n_real);
    for (int i = 0; i < g->result.n_numbers; i++) {
        const dg_outcome *n = &g->result.numbers[i];
        if (!is_own(n)) continue;
        dg_json_double_field(&w, n->name, n->at[0]);
    }
    dg_json_close(&w, '}');
    dg_text_addn(&w.text, "\n", 1);
    *out = w.text;
}

static void as_text(const judged *g, dg_text *out)
{
    double agreement = dg_evaluation_find(&g->result, "agreement")->at[0];
    double frechet = dg_evaluation_find(&g->result, "frechet")->at[0];
    dg_text_add(out,
                "agreement %.4f, Frechet distance %.5g, of %" PRId64 " samples against %" PRId64
                " real ones (%s, %s)",
                agreement, frechet, g->n, g->n_real, g->real->kind, g->split);
    if (g->from_run) dg_text_add(out, ", step %" PRId64, g->maker.store->step);
    dg_text_add(out, "\n");
    for (int i = 0; i < g->result.n_numbers; i++) {
        const dg_outcome *n = &g->result.numbers[i];
        if (is_own(n) && strcmp(n->name, "agreement") != 0 && strcmp(n->name, "frechet") != 0)
            dg_text_add(out, "  %-16s %.6g\n", n->name, n->at[0]);
    }
}

/* The samples with their labels beside them, as a data set. */
static bool write_samples(judged *g, const char *path)
{
    dg_maker *m = &g->judge;
    dg_type labels = {DG_I32, {1, {g->n}}};
    char *beside = dg_arena_printf(m->arena, "%.*s-labels.npy", (int)(strlen(path) - 4), path);
    return dg_npy_write(m->diag, path, &g->samples.type, g->samples.data) &&
           dg_npy_write(m->diag, beside, &labels, g->samples.labels);
}

static bool out_known(judged *g)
{
    const char *out = g->o->out;
    if (!out || ends_with(out, ".json") || (ends_with(out, ".npy") && g->from_run)) return true;
    dg_message *e =
        refuse(&g->judge, "E222", "--out", "'%s' has no ending that says what to write", out);
    dg_help_add(g->judge.diag, e,
                g->from_run ? ".json the result, .npy the samples, with their labels beside them"
                            : ".json the result; the samples are there already");
    return flush(&g->judge);
}

static bool write_result(judged *g)
{
    const char *out = g->o->out;
    if (!out) return true;
    dg_text t = {0};
    if (ends_with(out, ".json")) as_json(g, &t);
    bool ok = t.at ? dg_file_replace(g->judge.diag, out, t.at, t.n) : write_samples(g, out);
    dg_text_free(&t);
    if (ok) dg_say(g->judge.context, "eval", "wrote %s", out);
    return flush(&g->judge) && ok;
}

dg_status dg_eval_judged(dg_context *c, dg_eval_options *o)
{
    judged g = {.o = o};
    dg_text text = {0};
    o->text = NULL;
    bool ok = open_judge(c, &g) && open_samples(c, &g) && out_known(&g) && equal_numbers(&g) &&
              judge(&g) && write_result(&g);
    if (ok) (o->json ? as_json : as_text)(&g, &text);
    if (ok) o->text = text.at;
    dg_samples_free(&g.samples);
    dg_sampler_free(g.sampler);
    if (g.maker.arena) dg_maker_close(&g.maker);
    dg_dataset_close(g.files);
    dg_dataset_close(g.real);
    dg_maker_close(&g.judge);
    dg_status status = dg_context_status(c);
    return status == DG_OK && !ok ? DG_CANCELLED : status;
}

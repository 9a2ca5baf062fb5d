/* eval.c: dg_eval and dg_curve: what an entry says of a data set, as text, JSON, CSV, NPY or SVG.
 *
 * In     a run; a part of its data, or another data set.
 * Out    bits per dimension with parts and standard error; rate against distortion. */
#include "compiler/base/json.h"
#include "compiler/base/os.h"
#include "runtime/chart.h"
#include "runtime/data/npy.h"
#include "runtime/evaluate.h"
#include "runtime/judge.h"
#include "runtime/maker.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

/* ---- what is measured ---- */

typedef struct measure {
    dg_maker maker;
    dg_dataset *data;
    const char *entry, *split;
    dg_evaluation result;
    const dg_outcome *curve; /* of dg curve: [points, 2] */
} measure;

/* An entry of the run file, else the usual name. */
static const char *choose_entry(measure *m, const dg_eval_options *o, const char *usual)
{
    if (o->entry) return o->entry;
    const char *own = m->maker.config->eval_entry;
    bool eval = strcmp(usual, "eval") == 0 && own;
    return eval && dg_maker_has_entry(&m->maker, own) ? own : usual;
}

/* --every T: which terms are taken is the entry's business. */
static bool take_every(measure *m, int64_t every)
{
    dg_maker *k = &m->maker;
    if (dg_maker_has_argument(k, m->entry, "every")) {
        dg_maker_default(k, "every", dg_arena_printf(k->arena, "%" PRId64, every));
        return true;
    }
    dg_message *e =
        dg_error_at(k->diag, "E217", "--every",
                    "entry '%s' has no argument `every`, which this option sets", m->entry);
    dg_help_add(k->diag, e,
                "write entry %s(x: f32[batch, C, H, W], every: int = 1), and pass it on to "
                "bound(..., every=every)",
                m->entry);
    dg_context_flush(k->context, k->diag);
    return false;
}

static bool measure_all(measure *m, const dg_eval_options *o, const char *verb, const char *form)
{
    dg_maker *k = &m->maker;
    m->entry = choose_entry(m, o, verb);
    if (!dg_maker_want_entry(k, m->entry, verb, form)) return false;
    if (o->every && !take_every(m, o->every)) return false;
    m->data = dg_maker_data(k, o->data, o->split, &m->split);
    if (!m->data || !dg_maker_load(k)) return false;
    dg_evaluate_options e = {.verb = verb,
                             .entry = m->entry,
                             .args = dg_args_of(k->arena, &k->args),
                             .n_args = k->args.n,
                             .part = dg_part_named(m->split),
                             .n = o->n,
                             .seed = k->seed,
                             .progress = true};
    if (!dg_evaluate(&k->job, k->arena, k->diag, k->store, m->data, &e, &m->result)) return false;
    if (m->result.left_out)
        dg_say(k->context, verb,
               "%" PRId64 " samples at the end were left out: the entry's batch is no config value",
               m->result.left_out);
    return true;
}

/* ---- numbers as text and JSON ---- */

/* The result stands under its own name; the entry's reports of the same are not said twice. */
static bool is_part(const dg_outcome *n)
{
    static const char *const own[] = {"bits_per_dim", "stderr", "count"};
    for (int i = 0; i < 3; i++)
        if (strcmp(n->name, own[i]) == 0) return false;
    return n->report;
}

static void text_line(dg_text *t, const char *name, double value)
{
    dg_text_add(t, "  %-16s %.6g\n", name, value);
}

static void begin_object(const measure *m, const char *verb, dg_json_writer *w)
{
    dg_json_open(w, '{');
    dg_json_int_field(w, "v", 1);
    dg_json_string_field(w, "event", "end");
    dg_json_string_field(w, "verb", verb);
    dg_json_int_field(w, "exit", 0);
    dg_json_string_field(w, "entry", m->entry);
    dg_json_string_field(w, "data", m->data->kind);
    dg_json_string_field(w, "split", m->split);
    dg_json_int_field(w, "n", m->result.n);
    dg_json_int_field(w, "step", m->maker.store->step);
}

static void end_object(dg_json_writer *w)
{
    dg_json_close(w, '}');
    dg_text_addn(&w->text, "\n", 1);
}

/* Rank 0 under its name; of others the number of elements, and the elements under `parts`. */
static void add_parts(const measure *m, dg_json_writer *w)
{
    const dg_evaluation *e = &m->result;
    for (int i = 0; i < e->n_numbers; i++) {
        const dg_outcome *n = &e->numbers[i];
        if (!is_part(n)) continue;
        if (n->shape.rank == 0)
            dg_json_double_field(w, n->name, n->at[0]);
        else
            dg_json_int_field(w, n->name, dg_shape_count(&n->shape));
    }
    dg_json_key(w, "parts");
    dg_json_open(w, '{');
    for (int i = 0; i < e->n_numbers; i++) {
        const dg_outcome *n = &e->numbers[i];
        if (!is_part(n) || n->shape.rank != 1) continue;
        dg_json_key(w, n->name);
        dg_json_open(w, '[');
        for (int64_t k = 0; k < n->shape.dim[0]; k++) dg_json_double(w, n->at[k]);
        dg_json_close(w, ']');
    }
    dg_json_close(w, '}');
}

static void eval_json(const measure *m, dg_text *out)
{
    dg_json_writer w = {0};
    begin_object(m, "eval", &w);
    dg_json_double_field(&w, "bits_per_dim", m->result.mean);
    dg_json_double_field(&w, "se", m->result.error);
    add_parts(m, &w);
    end_object(&w);
    *out = w.text;
}

static void eval_text(const measure *m, dg_text *out)
{
    const dg_evaluation *e = &m->result;
    dg_text_add(out,
                "%.5f bits/dim, standard error %.5f, of %" PRId64 " samples (%s, %s), step %" PRId64
                "\n",
                e->mean, e->error, e->n, m->data->kind, m->split, m->maker.store->step);
    for (int i = 0; i < e->n_numbers; i++) {
        const dg_outcome *n = &e->numbers[i];
        int64_t count = dg_shape_count(&n->shape);
        if (!is_part(n)) continue;
        if (count == 1) {
            text_line(out, n->name, n->at[0]);
            continue;
        }
        dg_text_add(out, "  %-16s", n->name);
        for (int64_t k = 0; k < count && k < 4; k++) dg_text_add(out, " %.4g", n->at[k]);
        dg_text_add(out, count > 4 ? " ... %.4g  (%" PRId64 ")\n" : "\n", n->at[count - 1], count);
    }
}

/* ---- files ---- */

static bool put_file(measure *m, const char *path, dg_text *t)
{
    bool ok = dg_file_replace(m->maker.diag, path, t->at ? t->at : "", t->n);
    if (ok) dg_say(m->maker.context, "eval", "wrote %s", path);
    return ok;
}

static void add_cell(dg_text *t, double v)
{
    char buffer[32];
    dg_text_add(t, ",%s", dg_double_text(v, buffer));
}

/* A row for each term, a column for each report of that many. */
static void terms_csv(const measure *m, dg_text *t)
{
    const dg_evaluation *e = &m->result;
    int64_t rows = 0;
    for (int i = 0; i < e->n_numbers; i++)
        if (is_part(&e->numbers[i]) && e->numbers[i].shape.rank == 1 &&
            e->numbers[i].shape.dim[0] > rows)
            rows = e->numbers[i].shape.dim[0];
    for (int64_t r = -1; r < rows; r++) {
        if (r < 0)
            dg_text_add(t, "term");
        else
            dg_text_add(t, "%" PRId64, r);
        for (int i = 0; i < e->n_numbers; i++) {
            const dg_outcome *n = &e->numbers[i];
            if (!is_part(n) || n->shape.rank != 1 || n->shape.dim[0] != rows) continue;
            if (r < 0)
                dg_text_add(t, ",%s", n->name);
            else
                add_cell(t, n->at[r]);
        }
        dg_text_add(t, "\n");
    }
}

static bool out_known(dg_diag *d, const char *flag, const char *out, const char *const *ends,
                      const char *help)
{
    for (int i = 0; out && ends[i]; i++)
        if (ends_with(out, ends[i])) return true;
    if (!out) return true;
    dg_message *m = dg_error_at(d, "E222", flag, "'%s' has no ending that says what to write", out);
    dg_help_add(d, m, "%s", help);
    return false;
}

static bool write_eval(measure *m, const char *out)
{
    const dg_evaluation *e = &m->result;
    if (!out) return true;
    if (ends_with(out, ".npy")) {
        dg_type t = {DG_F64, {1, {e->n_values}}};
        bool ok = dg_npy_write(m->maker.diag, out, &t, e->values);
        if (ok) dg_say(m->maker.context, "eval", "wrote %s", out);
        return ok;
    }
    dg_text t = {0};
    if (ends_with(out, ".csv"))
        terms_csv(m, &t);
    else
        eval_json(m, &t);
    bool ok = put_file(m, out, &t);
    dg_text_free(&t);
    return ok;
}

/* ---- rate and distortion ---- */

static bool take_curve(measure *m)
{
    const dg_evaluation *e = &m->result;
    for (int i = 0; i < e->n_numbers && !m->curve; i++)
        if (!e->numbers[i].report) m->curve = &e->numbers[i];
    const dg_shape *s = m->curve ? &m->curve->shape : NULL;
    if (s && s->rank == 2 && s->dim[1] == 2) return true;
    dg_error_at(m->maker.diag, "E217", m->entry,
                "dg curve wants a result of [steps, 2]: rate in bits per dimension and distortion");
    return false;
}

typedef struct points {
    int64_t n;
    double *sent, *rate, *distortion; /* terms of the chain that have been sent; after them */
} points;

/* Evenly spaced rows, both ends among them; 0: all. */
static points points_of(measure *m, int64_t wanted)
{
    int64_t all = m->curve->shape.dim[0], n = wanted && wanted < all ? wanted : all;
    dg_arena *a = m->maker.arena;
    points p = {n, DG_NEW_ARRAY(a, double, n), DG_NEW_ARRAY(a, double, n),
                DG_NEW_ARRAY(a, double, n)};
    for (int64_t i = 0; i < n; i++) {
        int64_t row = n > 1 ? (i * (all - 1) + (n - 1) / 2) / (n - 1) : all - 1;
        p.sent[i] = (double)row;
        p.rate[i] = m->curve->at[2 * row];
        p.distortion[i] = m->curve->at[2 * row + 1];
    }
    return p;
}

static void curve_csv(const points *p, dg_text *t)
{
    dg_text_add(t, "sent,rate,distortion\n");
    for (int64_t i = 0; i < p->n; i++) {
        dg_text_add(t, "%.0f", p->sent[i]);
        add_cell(t, p->rate[i]);
        add_cell(t, p->distortion[i]);
        dg_text_add(t, "\n");
    }
}

static void curve_svg(measure *m, const points *p, dg_text *t)
{
    static const char rate[] = "rate (bits/dim)", rmse[] = "distortion (RMSE)",
                      sent[] = "terms sent, noise first";
    const dg_panel panels[] = {
        {"Distortion against rate", rate, rmse, p->rate, p->distortion, p->n},
        {"Distortion over the chain", sent, rmse, p->sent, p->distortion, p->n},
        {"Rate over the chain", sent, rate, p->sent, p->rate, p->n}};
    const char *title = dg_arena_printf(
        m->maker.arena, "Progressive coding: %s, %" PRId64 " samples of %s, step %" PRId64,
        dg_path_base(m->maker.o.from), m->result.n, m->data->kind, m->maker.store->step);
    dg_chart_svg(t, title, panels, 3);
}

static void curve_json(const measure *m, const points *p, dg_text *out)
{
    const char *const names[] = {"sent", "rate", "distortion"};
    const double *const lists[] = {p->sent, p->rate, p->distortion};
    dg_json_writer w = {0};
    begin_object(m, "curve", &w);
    const char *const own[] = {"bits_per_dim", "stderr"}, *const as[] = {"bits_per_dim", "se"};
    for (int i = 0; i < 2; i++) {
        const dg_outcome *n = dg_evaluation_find(&m->result, own[i]);
        if (n && n->shape.rank == 0) dg_json_double_field(&w, as[i], n->at[0]);
    }
    for (int k = 0; k < 3; k++) {
        dg_json_key(&w, names[k]);
        dg_json_open(&w, '[');
        for (int64_t i = 0; i < p->n; i++)
            if (k)
                dg_json_double(&w, lists[k][i]);
            else
                dg_json_int(&w, (int64_t)lists[k][i]);
        dg_json_close(&w, ']');
    }
    end_object(&w);
    *out = w.text;
}

static bool write_curve(measure *m, const dg_eval_options *o, dg_text *shown)
{
    if (!take_curve(m)) return false;
    points p = points_of(m, o->points);
    dg_text t = {0};
    bool ok = true;
    if (o->out && ends_with(o->out, ".svg"))
        curve_svg(m, &p, &t);
    else if (o->out)
        curve_csv(&p, &t);
    if (o->out) ok = put_file(m, o->out, &t);
    if (o->json)
        curve_json(m, &p, shown);
    else if (!o->out)
        curve_csv(&p, shown);
    dg_text_free(&t);
    return ok;
}

/* ---- public ---- */

static bool open_measure(dg_context *c, measure *m, const dg_eval_options *o)
{
    dg_maker_options from = {.from = o->run,
                             .weights = o->weights,
                             .args = o->args,
                             .n_args = o->n_args,
                             .defs = o->defs,
                             .n_defs = o->n_defs,
                             .has_seed = o->has_seed,
                             .seed = o->seed,
                             .run_only = true};
    return dg_maker_open(c, &m->maker, &from);
}

static dg_status close_measure(dg_context *c, measure *m, bool ok)
{
    dg_dataset_close(m->data);
    dg_maker_close(&m->maker);
    dg_status status = dg_context_status(c);
    return status == DG_OK && !ok ? DG_CANCELLED : status;
}

dg_status dg_eval(dg_context *c, dg_eval_options *o)
{
    static const char form[] =
        "entry eval(x: f32[batch, C, H, W]) -> f32[batch] { ... }, bits per "
        "dimension of each sample, as bound() of \"eval/bound.dg\" gives them";
    static const char *const ends[] = {".json", ".csv", ".npy", NULL};
    measure m = {0};
    dg_text text = {0};
    o->text = NULL;
    if (o->judge) return dg_eval_judged(c, o);
    bool ok = open_measure(c, &m, o);
    if (ok)
        ok = out_known(m.maker.diag, "--out", o->out, ends,
                       ".json the result, .csv its terms, .npy the number of each sample") &&
             measure_all(&m, o, "eval", form);
    if (ok && !m.result.n_values) {
        dg_error_at(m.maker.diag, "E217", m.entry,
                    "dg eval wants a result of [batch]: bits per dimension of each sample");
        ok = false;
    }
    if (ok && write_eval(&m, o->out))
        (o->json ? eval_json : eval_text)(&m, &text);
    else
        ok = false;
    o->text = text.at;
    return close_measure(c, &m, ok);
}

dg_status dg_curve(dg_context *c, dg_eval_options *o)
{
    static const char form[] =
        "entry curve(x: f32[batch, C, H, W], steps: int = T) -> f32[steps, 2] { ... }, rate and "
        "distortion, as rate_distortion() of \"eval/bound.dg\" gives them";
    static const char *const ends[] = {".csv", ".svg", NULL};
    measure m = {0};
    dg_text text = {0};
    o->text = NULL;
    bool ok = open_measure(c, &m, o);
    ok = ok &&
         out_known(m.maker.diag, "--output", o->out, ends, ".csv the points, .svg their picture") &&
         measure_all(&m, o, "curve", form) && write_curve(&m, o, &text);
    o->text = text.at;
    return close_measure(c, &m, ok);
}

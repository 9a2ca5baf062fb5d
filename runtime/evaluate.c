/* evaluate.c: see evaluate.h. */
#include "runtime/evaluate.h"

#include "compiler/base/os.h"
#include "runtime/run_folder.h"
#include "runtime/trips.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ENDLESS_BATCHES = 16 };

typedef struct evaluate {
    dg_job *job;
    dg_arena *arena;
    dg_diag *diag;
    dg_store *store;
    const dg_dataset *data;
    const dg_evaluate_options *o;
    dg_evaluation *out;
    dg_trips trips;
    bool keeps_totals; /* the entry writes states */
    bool table;        /* the result is one for all the data */
    int result;        /* index of the first output that is no report, -1 */
} evaluate;

/* ---- plans ---- */

typedef struct runner { /* one size of batch */
    dg_program *own;    /* opened for it; NULL: the job's */
    dg_plan *plan;
    dg_session *session;
    dg_binding bind;
} runner;

static void end_runner(runner *r)
{
    dg_session_free(r->session);
    dg_plan_close(r->plan);
    dg_program_free(r->own);
}

static bool start_runner(evaluate *e, dg_program *p, runner *r)
{
    r->plan = dg_plan_compile(p, e->o->entry, e->o->args, e->o->n_args);
    r->session = r->plan ? dg_session_new(r->plan, e->store) : NULL;
    if (!r->session) return false;
    int n;
    dg_arg_text *map = dg_inputs_map(e->arena, e->job->config, r->plan, &n);
    if (!dg_bind_inputs(e->diag, r->session, e->data, map, n, NULL, &r->bind)) return false;
    if (r->bind.batch == 0) {
        dg_error_at(e->diag, "E440", e->o->entry, "the entry takes no data: it has no input x");
        return false;
    }
    r->session->seed = e->o->seed;
    return true;
}

static bool has_batch(evaluate *e)
{
    dg_front *f = dg_program_front(e->job->program);
    const dg_config_info *list;
    int n = f ? dg_front_configs(f, &list) : 0;
    bool has = false;
    for (int i = 0; i < n && !has; i++) has = strcmp(list[i].name, "batch") == 0;
    return has;
}

/* The same program with another batch. An entry that does not take its batch from there keeps its
 * own. */
static bool start_smaller(evaluate *e, int64_t batch, runner *r)
{
    const dg_program *p = e->job->program;
    dg_nameds values = e->job->config->values;
    dg_named *copy = DG_NEW_ARRAY(e->arena, dg_named, values.n + 1);
    if (values.n) memcpy(copy, values.at, sizeof *copy * (size_t)values.n);
    values.at = copy;
    dg_named_set(e->arena, &values, "batch", dg_arena_printf(e->arena, "%" PRId64, batch), NULL);
    r->own =
        dg_program_open(e->job->context, p->source.path, dg_args_of(e->arena, &values), values.n);
    if (!r->own) return false;
    r->own->source.lib = p->source.lib;
    return start_runner(e, r->own, r);
}

/* Totals begin fresh, whatever the weights hold. */
static void reset_states(evaluate *e, const dg_plan *p)
{
    for (int i = 0; i < p->n_places; i++) {
        bool kept = false;
        for (int k = 0; e->o->keep && k < e->o->keep->n_places && !kept; k++)
            kept = strcmp(e->o->keep->places[k].path, p->places[i].path) == 0;
        if (!p->places[i].written || kept) continue;
        e->keeps_totals = true;
        dg_tensor *t = dg_store_find(e->store, p->places[i].path);
        if (t) t->filled = false;
    }
}

/* ---- results ---- */

static double number_at(const dg_type *t, const void *data, int64_t i)
{
    switch (t->dtype) {
    case DG_F32:
        return (double)((const float *)data)[i];
    case DG_F64:
        return ((const double *)data)[i];
    case DG_I32:
        return ((const int32_t *)data)[i];
    default:
        return ((const uint8_t *)data)[i];
    }
}

static void list_numbers(evaluate *e, const dg_plan *p)
{
    dg_evaluation *out = e->out;
    out->numbers = DG_NEW_ARRAY(e->arena, dg_outcome, p->n_outputs + 1);
    for (int i = 0; i < p->n_outputs; i++) {
        const dg_plan_port *port = &p->outputs[i];
        int64_t n = dg_shape_count(&port->type.shape);
        out->numbers[out->n_numbers++] =
            (dg_outcome){dg_arena_text(e->arena, port->name, strlen(port->name)), port->report,
                         port->type.shape, DG_NEW_ARRAY(e->arena, double, n + 1)};
    }
}

/* The result of each sample or of the batch, after `out->values`. */
static void take_values(evaluate *e, const dg_outcome *first, const double *x, int64_t batch)
{
    dg_evaluation *out = e->out;
    int64_t count = dg_shape_count(&first->shape), each = out->each ? count / batch : 1,
            n = out->each ? batch : 1;
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t k = 0; k < each; k++) sum += x[i * each + k];
        out->values[out->n_values++] = sum / (double)each;
    }
}

/* Averages, or the last values where the entry keeps totals itself or the shape is the batch's. */
static void take_numbers(evaluate *e, const runner *r)
{
    const dg_plan *p = r->plan;
    dg_arena *a = dg_arena_new();
    double before = (double)e->out->n, now = (double)r->bind.batch;
    for (int i = 0; i < p->n_outputs; i++) {
        const dg_plan_port *port = &p->outputs[i];
        dg_outcome *to = &e->out->numbers[i];
        int64_t n = dg_shape_count(&port->type.shape);
        void *packed = dg_arena_alloc(a, (size_t)dg_type_bytes(&port->type) + 1);
        double *wide = DG_NEW_ARRAY(a, double, n + 1);
        dg_exec_read(&r->session->exec, port->value, packed);
        for (int64_t k = 0; k < n; k++) wide[k] = number_at(&port->type, packed, k);
        bool same = dg_shape_equal(&to->shape, &port->type.shape);
        if (i == e->result && !e->table) {
            dg_outcome here = {.shape = port->type.shape};
            take_values(e, &here, wide, r->bind.batch);
        }
        if (!same) { /* a smaller last batch */
            to->shape = port->type.shape;
            memcpy(to->at, wide, sizeof *wide * (size_t)n);
            continue;
        }
        for (int64_t k = 0; k < n; k++)
            to->at[k] = e->keeps_totals || before == 0
                            ? wide[k]
                            : (to->at[k] * before + wide[k] * now) / (before + now);
    }
    dg_arena_free(a);
}

/* Two-pass variance; n - 1, since the mean is estimated. */
static void finish(dg_evaluation *out)
{
    if (!out->n_values) return;
    double sum = 0, squares = 0, n = (double)out->n_values;
    for (int64_t i = 0; i < out->n_values; i++) sum += out->values[i];
    out->mean = sum / n;
    for (int64_t i = 0; i < out->n_values; i++)
        squares += (out->values[i] - out->mean) * (out->values[i] - out->mean);
    out->error = out->n_values > 1 ? sqrt(squares / (n - 1) / n) : 0;
}

const dg_outcome *dg_evaluation_find(const dg_evaluation *e, const char *name)
{
    for (int i = 0; i < e->n_numbers; i++)
        if (e->numbers[i].report && strcmp(e->numbers[i].name, name) == 0) return &e->numbers[i];
    return NULL;
}

/* ---- the data ---- */

static const char *const part_names[] = {
    [DG_PART_TRAIN] = "train", [DG_PART_VALID] = "valid", [DG_PART_ALL] = "all"};

dg_part dg_part_named(const char *split)
{
    return strcmp(split, "train") == 0   ? DG_PART_TRAIN
           : strcmp(split, "valid") == 0 ? DG_PART_VALID
                                         : DG_PART_ALL;
}

/* How many samples to take; 0 after reporting. */
static int64_t samples(evaluate *e, int64_t batch)
{
    const dg_dataset *s = e->data;
    int64_t there = s->reader.count == 0          ? 0
                    : e->o->part == DG_PART_TRAIN ? s->n_train
                    : e->o->part == DG_PART_VALID ? s->n_valid
                                                  : s->reader.count;
    if (s->reader.count == 0) return e->o->n ? e->o->n : ENDLESS_BATCHES * batch;
    if (there == 0) {
        dg_message *m = dg_error_at(e->diag, "E440", part_names[e->o->part],
                                    "this part of the data holds no samples");
        dg_help_add(e->diag, m, "the run file sets data.split; --split all takes every sample");
        return 0;
    }
    if (e->o->n <= there) return e->o->n ? e->o->n : there;
    dg_error_at(e->diag, "E213", "--n", "%" PRId64 " samples of the %s part, which has %" PRId64,
                e->o->n, part_names[e->o->part], there);
    return 0;
}

static bool run_one(evaluate *e, runner *r)
{
    dg_session *s = r->session;
    s->sample0 = e->out->n;
    dg_trips_watch(s, &e->trips);
    if (!e->o->progress) s->exec.trip = NULL;
    dg_fill_inputs(s, e->data, e->o->part, 0, e->out->n, &r->bind);
    dg_diag *d = dg_plan_diag(r->plan, e->arena);
    bool ok = dg_session_run_diag(s, d);
    dg_context_flush(e->job->context, d);
    if (!ok) return false;
    take_numbers(e, r);
    e->out->n += r->bind.batch;
    e->out->batches++;
    e->trips.done++;
    if (e->o->progress) dg_trips_show(&e->trips);
    return true;
}

static bool run_whole(evaluate *e, runner *main, int64_t n)
{
    while (e->out->n + main->bind.batch <= n)
        if (!run_one(e, main)) return false;
    return true;
}

/* What is left after the whole batches. */
static bool run_rest(evaluate *e, int64_t rest)
{
    runner small = {0};
    bool ok = start_smaller(e, rest, &small);
    dg_context_flush(e->job->context, e->diag);
    if (ok && small.bind.batch == rest)
        ok = run_one(e, &small);
    else
        e->out->left_out = rest;
    end_runner(&small);
    return ok;
}

static bool run_all(evaluate *e, runner *main)
{
    dg_evaluation *out = e->out;
    int64_t batch = main->bind.batch, n = samples(e, batch);
    if (n == 0) return false;
    if (n < batch && e->o->whole_batches) n = batch; /* the part is read round and round */
    const dg_plan *p = main->plan;
    reset_states(e, p);
    list_numbers(e, p);
    for (int i = p->n_outputs; i-- > 0;)
        if (!p->outputs[i].report) e->result = i;
    const dg_shape *first = e->result < 0 ? NULL : &p->outputs[e->result].type.shape;
    out->each = first && first->rank > 0 && first->dim[0] == batch && !e->table;
    e->table = e->table || !first || (first->rank > 0 && !out->each);
    if (!e->table)
        out->values = DG_NEW_ARRAY(e->arena, double, (out->each ? n : n / batch + 1) + 1);
    e->trips.of = (n + batch - 1) / batch;
    if (!run_whole(e, main, n)) return false;
    if (out->n == n || e->o->whole_batches) return true;
    if (!has_batch(e))
        out->left_out = n - out->n;
    else if (!run_rest(e, n - out->n))
        return false;
    if (out->n > 0) return true;
    dg_message *m =
        dg_error_at(e->diag, "E440", e->o->entry,
                    "a batch of the entry is %" PRId64 " samples, there are %" PRId64, batch, n);
    dg_help_add(e->diag, m, "make the batch a config value of the graph: config batch = %" PRId64,
                batch);
    return false;
}

bool dg_evaluate(dg_job *j, dg_arena *a, dg_diag *d, dg_store *store, const dg_dataset *data,
                 const dg_evaluate_options *o, dg_evaluation *out)
{
    evaluate e = {.job = j,
                  .arena = a,
                  .diag = d,
                  .store = store,
                  .data = data,
                  .o = o,
                  .out = out,
                  .table = strcmp(o->verb, "curve") == 0,
                  .result = -1,
                  .trips = {.context = j->context, .verb = o->verb, .of = 1, .start = dg_clock()}};
    *out = (dg_evaluation){0};
    runner main = {0};
    bool ok = start_runner(&e, j->program, &main) && run_all(&e, &main);
    if (ok) finish(out);
    /* What the entry summed is of this evaluation alone: no checkpoint holds it. */
    if (main.plan && !o->leave) reset_states(&e, main.plan);
    end_runner(&main);
    return dg_context_flush(j->context, d) == DG_OK && ok;
}

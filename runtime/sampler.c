/* sampler.c: n samples from an entry that makes n_entry of them: runs with `sample0` advancing, so
 * that the draws are those of one long batch.
 *
 * In     a program, the entry's arguments, a store.
 * Out    the entry's first result for all samples, one after the other.
 * Labels an input that the run file calls labels, or `y`, is filled with 0 .. classes - 1 in turn,
 * unless it is given; like draws they belong to the sample's index, so sample i has the label
 * i % classes however many are asked for. */
#include "runtime/sampler.h"

#include "compiler/base/os.h"
#include "runtime/data/npy.h"
#include "runtime/image.h"
#include "runtime/inputs.h"
#include "runtime/trips.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dg_sampler {
    dg_context *context;
    dg_arena *arena;
    dg_plan *plan;
    dg_sampler_options o;
    int n_given; /* arguments that name tensor inputs */
    dg_arg_text *given;
    dg_session *session; /* ready on a store, until it has run */
};

/* ---- arguments ---- */

/* Arguments that name a tensor input are values for it; the others are static. */
static bool split_arguments(dg_sampler *s, dg_program *p, dg_arg_text *fixed, int *n_fixed)
{
    dg_front *f = dg_program_front(p);
    if (!f) return false;
    const dg_entry_info *entries, *entry = NULL;
    int n = dg_front_entries(f, &entries);
    for (int i = 0; i < n; i++)
        if (strcmp(entries[i].name, s->o.entry) == 0) entry = &entries[i];
    for (int i = 0; i < s->o.n_args; i++) {
        bool tensor = false;
        for (int k = 0; entry && k < entry->n_formals; k++) {
            const dg_formal *g = &entry->formals[k];
            if (strcmp(g->name, s->o.args[i].name) == 0 && g->type)
                tensor = g->type->kind == DG_Y_TENSOR &&
                         (g->type->brackets || g->type->dtype != DG_BOOL);
        }
        if (tensor)
            s->given[s->n_given++] = s->o.args[i];
        else
            fixed[(*n_fixed)++] = s->o.args[i];
    }
    return true;
}

dg_sampler *dg_sampler_new(dg_program *p, const dg_sampler_options *o)
{
    dg_arena *a = dg_arena_new();
    dg_sampler *s = DG_NEW(a, dg_sampler);
    s->context = p->context;
    s->arena = a;
    s->o = *o;
    s->given = DG_NEW_ARRAY(a, dg_arg_text, o->n_args + 1);
    dg_arg_text *fixed = DG_NEW_ARRAY(a, dg_arg_text, o->n_args + 1);
    int n_fixed = 0;
    if (split_arguments(s, p, fixed, &n_fixed))
        s->plan = dg_plan_compile(p, o->entry, fixed, n_fixed);
    if (s->plan) return s;
    dg_sampler_free(s);
    return NULL;
}

void dg_sampler_free(dg_sampler *s)
{
    if (!s) return;
    dg_session_free(s->session);
    dg_plan_close(s->plan);
    dg_arena_free(s->arena);
}

const dg_plan *dg_sampler_plan(const dg_sampler *s)
{
    return s->plan;
}

/* ---- inputs ---- */

/* "3" or "[0, 1, 2]": repeated to fill the input. */
static bool parse_labels(dg_diag *d, dg_arena *a, const dg_arg_text *arg, int64_t **out, int64_t *n)
{
    const char *at = arg->value + strspn(arg->value, "[ ");
    *out = DG_NEW_ARRAY(a, int64_t, strlen(at) + 1);
    *n = 0;
    while (*at && *at != ']') {
        size_t length = strcspn(at, ",] ");
        if (!dg_parse_int(at, length, &(*out)[*n]) || (*out)[*n] < INT32_MIN ||
            (*out)[*n] > INT32_MAX) {
            dg_text q = {0};
            dg_text_quote(&q, arg->value, strlen(arg->value));
            dg_error_at(d, "E213", arg->place ? arg->place : arg->name,
                        "'%s' is no whole number or list of them, as [0, 1, 2]", q.at);
            dg_text_free(&q);
            return false;
        }
        ++*n;
        at += length;
        at += strspn(at, ", ");
    }
    if (*n == 0) dg_error_at(d, "E213", arg->name, "an empty list fills nothing");
    return *n > 0;
}

static const dg_arg_text *find_arg(const dg_arg_text *list, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(list[i].name, name) == 0) return &list[i];
    return NULL;
}

static bool takes_labels(const dg_sampler *s, const char *input)
{
    const char *fill = s->o.inputs ? dg_named_get(s->o.inputs, input) : NULL;
    return fill ? strcmp(fill, "labels") == 0 : strcmp(input, "y") == 0;
}

/* Values for samples [first, first + n) of an integer input. */
static bool fill_whole(dg_sampler *s, dg_session *run, dg_diag *d, int input, int64_t first)
{
    const dg_plan_port *p = &s->plan->inputs[input];
    const dg_arg_text *arg = find_arg(s->given, s->n_given, p->name);
    int64_t *list = NULL, n = 0, count = dg_shape_count(&p->type.shape);
    int32_t *out = dg_session_input(run, input);
    if (arg && !parse_labels(d, run->arena, arg, &list, &n)) return false;
    for (int64_t i = 0; i < count; i++)
        out[i] = (int32_t)(arg ? list[(first + i) % n] : (first + i) % s->o.classes);
    return true;
}

static bool fill_inputs(dg_sampler *s, dg_session *run, dg_diag *d, int64_t first)
{
    if (!dg_inputs_from_files(d, run, s->o.files, s->o.n_files)) return false;
    for (int i = 0; i < s->plan->n_inputs; i++) {
        const dg_plan_port *p = &s->plan->inputs[i];
        bool given = find_arg(s->given, s->n_given, p->name) != NULL;
        if (find_arg(s->o.files, s->o.n_files, p->name)) continue;
        bool whole = p->type.dtype == DG_I32;
        if (whole && (given || (takes_labels(s, p->name) && s->o.classes > 0))) {
            if (!fill_whole(s, run, d, i, first)) return false;
            continue;
        }
        dg_message *m =
            dg_error_at(d, "E219", p->name, "entry '%s' takes %s here, and nothing gives it",
                        s->o.entry, dg_type_name(run->arena, &p->type));
        if (whole)
            dg_help_add(d, m, "give numbers: %s=3 or %s=[0, 1, 2], or a file: --in %s=FILE.npy",
                        p->name, p->name, p->name);
        else
            dg_help_add(d, m, "give a file: --in %s=FILE.npy", p->name);
        return false;
    }
    return true;
}

/* ---- running ---- */

static const dg_plan_port *result_of(const dg_plan *p)
{
    for (int i = 0; i < p->n_outputs; i++)
        if (!p->outputs[i].report) return &p->outputs[i];
    return NULL;
}

/* Samples in the plan's own batch; 0 when the entry makes no samples. */
static int64_t own_batch(const dg_sampler *s, dg_diag *d)
{
    const dg_plan_port *p = result_of(s->plan);
    if (p && p->type.shape.rank > 0) return p->type.shape.dim[0];
    dg_error_at(d, "E217", s->o.entry,
                "the entry returns no tensor whose first axis counts samples");
    return 0;
}

const dg_type *dg_sampler_type(dg_sampler *s)
{
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_plan_diag(s->plan, a);
    bool ok = own_batch(s, d) > 0;
    dg_context_flush(s->context, d);
    dg_arena_free(a);
    return ok ? &result_of(s->plan)->type : NULL;
}

/* The input with one label for each sample of a run, -1: none. */
static int label_input(const dg_sampler *s)
{
    const dg_plan_port *made = result_of(s->plan);
    for (int i = 0; made && i < s->plan->n_inputs; i++) {
        const dg_plan_port *p = &s->plan->inputs[i];
        if (takes_labels(s, p->name) && p->type.dtype == DG_I32 && p->type.shape.rank == 1 &&
            made->type.shape.rank > 0 && p->type.shape.dim[0] == made->type.shape.dim[0])
            return i;
    }
    return -1;
}

bool dg_sampler_has_labels(const dg_sampler *s)
{
    return label_input(s) >= 0;
}

/* Labels that change from sample to sample stand in columns of the grid, where two rows fill. */
static int64_t columns_of(const dg_sampler *s, int64_t n)
{
    int label = label_input(s), classes = s->o.classes;
    bool ours = label >= 0 && !find_arg(s->given, s->n_given, s->plan->inputs[label].name) &&
                !find_arg(s->o.files, s->o.n_files, s->plan->inputs[label].name);
    if (s->o.columns > 0) return s->o.columns;
    return ours && classes > 0 && n >= 2 * (int64_t)classes ? classes : dg_grid_columns(n);
}

/* Room for n samples of `each` bytes and their labels; false after reporting. */
static bool make_room(dg_diag *d, const dg_sampler *s, size_t each, int64_t n, dg_samples *out)
{
    out->data = malloc(each * (size_t)n + 1);
    bool labels = label_input(s) >= 0;
    if (labels) out->labels = malloc(sizeof *out->labels * (size_t)n + 1);
    if (out->data && (out->labels || !labels)) return true;
    dg_error_at(d, "E601", s->o.entry, "no memory for %lld samples", (long long)n);
    return false;
}

static bool run_all(dg_sampler *s, dg_session *run, dg_diag *d, dg_samples *out)
{
    const dg_plan_port *port = result_of(s->plan);
    int64_t batch = own_batch(s, d), n = s->o.n, begin = s->o.sample0;
    int label = label_input(s);
    if (batch == 0) return false;
    if (n == 0 && s->o.rows > 0) n = (int64_t)s->o.rows * s->o.columns;
    if (n == 0) n = batch;
    if (begin > INT64_MAX / 2 - n) {
        dg_error_at(d, "E213", "--sample0", "%lld is too large an index", (long long)begin);
        return false;
    }
    size_t each = (size_t)dg_type_bytes(&port->type) / (size_t)batch;
    out->type = port->type;
    out->type.shape.dim[0] = n;
    out->sample0 = begin;
    out->columns = columns_of(s, n);
    if (!make_room(d, s, each, n, out)) return false;
    int64_t end = begin + n, first = begin / batch * batch;
    dg_trips *trips = DG_NEW(run->arena, dg_trips);
    *trips = (dg_trips){.context = s->context,
                        .verb = "sample",
                        .of = (end - first + batch - 1) / batch,
                        .start = dg_clock()};
    dg_trips_watch(run, trips);
    char *packed = dg_arena_alloc(run->arena, each * (size_t)batch + 1);
    for (; first < end; first += batch, trips->done++) {
        run->sample0 = first;
        if (!fill_inputs(s, run, d, first) || !dg_session_run_diag(run, d)) return false;
        dg_exec_read(&run->exec, port->value, packed);
        int64_t from = first < begin ? begin : first,
                to = first + batch < end ? first + batch : end;
        memcpy((char *)out->data + each * (size_t)(from - begin),
               packed + each * (size_t)(from - first), each * (size_t)(to - from));
        if (label >= 0)
            memcpy(out->labels + (from - begin),
                   (const int32_t *)dg_session_input(run, label) + (from - first),
                   sizeof *out->labels * (size_t)(to - from));
    }
    return true;
}

bool dg_sampler_ready(dg_sampler *s, dg_store *store)
{
    if (!s->session) s->session = dg_session_new(s->plan, store);
    if (!s->session) return false;
    s->session->seed = s->o.seed;
    dg_diag *d = dg_plan_diag(s->plan, s->session->arena);
    bool ok = dg_session_ready(s->session, d);
    return dg_context_flush(s->context, d) == DG_OK && ok;
}

bool dg_sampler_run(dg_sampler *s, dg_store *store, dg_samples *out)
{
    *out = (dg_samples){0};
    bool ok = dg_sampler_ready(s, store);
    if (ok) {
        dg_diag *d = dg_plan_diag(s->plan, s->session->arena);
        ok = run_all(s, s->session, d, out);
        ok = dg_context_flush(s->context, d) == DG_OK && ok;
    }
    dg_session_free(s->session);
    s->session = NULL;
    if (ok) return true;
    dg_samples_free(out);
    return false;
}

void dg_samples_free(dg_samples *s)
{
    free(s->data);
    free(s->labels);
    s->data = NULL;
    s->labels = NULL;
}

/* ---- files ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

void dg_made_take_samples(dg_made *m, const dg_samples *s)
{
    m->sample0 = s->sample0;
    m->n = s->type.shape.dim[0];
    m->columns = s->columns;
    m->rows = (m->n + s->columns - 1) / s->columns;
}

static bool write_png(dg_diag *d, dg_arena *a, const char *path, const dg_samples *s,
                      const double range[2], const dg_made *made)
{
    dg_png_text text = {0};
    if (made) {
        dg_made facts = *made;
        dg_made_take_samples(&facts, s);
        dg_made_write(&facts, a, &text);
    }
    return dg_image_write(d, path, &s->type, s->data, range, s->columns, &text);
}

static bool write_each(dg_diag *d, dg_arena *a, const char *folder, const dg_samples *s,
                       const double range[2], const dg_made *made)
{
    dg_samples one = *s;
    one.type.shape.dim[0] = 1;
    one.columns = 1;
    size_t each = (size_t)dg_type_bytes(&one.type);
    for (int64_t i = 0; i < s->type.shape.dim[0]; i++) {
        char *path = dg_path_join(a, folder, dg_arena_printf(a, "%05lld.png", (long long)i));
        one.sample0 = s->sample0 + i;
        one.data = (char *)s->data + each * (size_t)i;
        if (!write_png(d, a, path, &one, range, made)) return false;
    }
    return true;
}

bool dg_samples_write(dg_diag *d, const char *path, const dg_samples *s, const double range[2],
                      const dg_made *made)
{
    if (ends_with(path, ".npy")) return dg_npy_write(d, path, &s->type, s->data);
    dg_arena *a = dg_arena_new();
    bool ok;
    if (ends_with(path, ".png"))
        ok = write_png(d, a, path, s, range, made);
    else if (!dg_make_folders(d, path))
        ok = false;
    else if (dg_look_of(&s->type) == DG_LOOK_IMAGES)
        ok = write_each(d, a, path, s, range, made);
    else
        ok = dg_npy_write(d, dg_path_join(a, path, "samples.npy"), &s->type, s->data);
    dg_arena_free(a);
    return ok;
}

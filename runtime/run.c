/* run.c: dg_run_entry and dg_test: one entry from files to files. In: names of files. Out: results
 * as text, .npy or .png. */
#include "runtime/session.h"

#include "compiler/base/json.h"
#include "compiler/base/os.h"
#include "runtime/checkpoint.h"
#include "runtime/config.h"
#include "runtime/data/dataset.h"
#include "runtime/data/npy.h"
#include "runtime/image.h"
#include "runtime/inputs.h"
#include "runtime/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 64 }; /* numbers of a result that are printed */

/* ---- results ---- */

static void add_number(dg_text *t, const dg_type *type, const void *data, int64_t i)
{
    char number[32];
    switch (type->dtype) {
    case DG_F32:
        dg_text_add(t, "%s", dg_float_text(((const float *)data)[i], number));
        break;
    case DG_F64:
        dg_text_add(t, "%s", dg_double_text(((const double *)data)[i], number));
        break;
    case DG_I32:
        dg_text_add(t, "%d", ((const int32_t *)data)[i]);
        break;
    case DG_U8:
        dg_text_add(t, "%d", ((const uint8_t *)data)[i]);
        break;
    default:
        dg_text_add(t, "%s", ((const uint8_t *)data)[i] ? "true" : "false");
        break;
    }
}

static void add_result(dg_text *t, const dg_plan_port *p, const void *data)
{
    dg_text_add(t, "%s: ", p->name);
    dg_type_text(&p->type, t);
    int64_t n = dg_shape_count(&p->type.shape);
    dg_text_add(t, n == 1 ? " = " : " = [");
    for (int64_t i = 0; i < n && i < SHOWN; i++) {
        if (i) dg_text_add(t, ", ");
        add_number(t, &p->type, data, i);
    }
    dg_text_add(t, n == 1 ? "\n" : n > SHOWN ? ", ...]  (-o FILE.npy writes all)\n" : "]\n");
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

static bool write_one(dg_diag *d, const char *path, const dg_plan_port *p, const void *data)
{
    if (ends_with(path, ".png")) return dg_image_write(d, path, &p->type, data, NULL, 0, NULL);
    return dg_npy_write(d, path, &p->type, data);
}

static void json_number(dg_json_writer *w, const dg_type *type, const void *data, int64_t i)
{
    switch (type->dtype) {
    case DG_F32:
        dg_json_double(w, (double)((const float *)data)[i]);
        break;
    case DG_F64:
        dg_json_double(w, ((const double *)data)[i]);
        break;
    case DG_I32:
        dg_json_int(w, ((const int32_t *)data)[i]);
        break;
    default:
        dg_json_int(w, ((const uint8_t *)data)[i]);
        break;
    }
}

/* One object: rank 0 as a number, the elements of small results in order, of large ones the type
 * alone. */
static void json_results(const dg_session *s, const dg_run_options *o, void *const *results,
                         dg_text *out)
{
    dg_json_writer w = {0};
    const char *const texts[][2] = {{"event", "end"}, {"verb", "run"}, {"entry", o->entry}};
    dg_json_open(&w, '{');
    dg_json_int_field(&w, "v", 1);
    for (int i = 0; i < 3; i++) {
        dg_json_string_field(&w, texts[i][0], texts[i][1]);
    }
    dg_json_int_field(&w, "exit", 0);
    if (o->out) {
        dg_json_string_field(&w, "out", o->out);
    }
    dg_json_key(&w, "results");
    dg_json_open(&w, '{');
    for (int i = 0; i < s->plan->n_outputs; i++) {
        const dg_plan_port *p = &s->plan->outputs[i];
        int64_t n = dg_shape_count(&p->type.shape);
        dg_json_key(&w, p->name);
        dg_json_open(&w, '{');
        dg_json_string_field(&w, "type", dg_type_name(s->arena, &p->type));
        if (n <= SHOWN) dg_json_key(&w, p->type.shape.rank ? "values" : "value");
        if (n <= SHOWN && p->type.shape.rank) dg_json_open(&w, '[');
        for (int64_t k = 0; n <= SHOWN && k < n; k++) json_number(&w, &p->type, results[i], k);
        if (n <= SHOWN && p->type.shape.rank) dg_json_close(&w, ']');
        dg_json_close(&w, '}');
    }
    dg_json_close(&w, '}');
    dg_json_close(&w, '}');
    dg_text_addn(&w.text, "\n", 1);
    *out = w.text;
}

/* Every output packed, in the session's arena: good after another plan has run. */
static void **results_of(dg_session *s)
{
    const dg_plan *p = s->plan;
    void **out = DG_NEW_ARRAY(s->arena, void *, p->n_outputs + 1);
    for (int i = 0; i < p->n_outputs; i++) {
        out[i] = dg_arena_alloc(s->arena, (size_t)dg_type_bytes(&p->outputs[i].type) + 1);
        dg_exec_read(&s->exec, p->outputs[i].value, out[i]);
    }
    return out;
}

static bool write_results(dg_session *s, dg_diag *d, dg_run_options *o, void *const *results)
{
    const dg_plan *p = s->plan;
    dg_text text = {0};
    bool ok = true, folder = o->out && !ends_with(o->out, ".npy") && !ends_with(o->out, ".png");
    if (folder) ok = dg_make_folders(d, o->out);
    for (int i = 0; i < p->n_outputs && ok; i++) {
        const dg_plan_port *port = &p->outputs[i];
        const char *name = dg_arena_printf(s->arena, "%s.npy", port->name);
        if (folder)
            ok = dg_npy_write(d, dg_path_join(s->arena, o->out, name), &port->type, results[i]);
        else if (o->out && i == 0)
            ok = write_one(d, o->out, port, results[i]);
        if (!o->json && (!o->out || (port->report && port->type.shape.rank == 0)))
            add_result(&text, port, results[i]);
    }
    if (o->json && ok) json_results(s, o, results, &text);
    o->text = text.at;
    return ok;
}

/* ---- runs ---- */

static bool load_inits(dg_store *store, dg_diag *d, const char *const *init)
{
    for (int i = 0; init && init[i]; i++) {
        size_t n = strcspn(init[i], "=");
        if (!init[i][n])
            return dg_error_at(d, "E223", "--init", "'%s' is not SCOPE=FILE", init[i]) == NULL;
        if (!dg_weights_load(store, d, init[i] + n + 1, dg_arena_text(store->arena, init[i], n)))
            return false;
    }
    return true;
}

/* Every batch of a data set by index, the last one padded with the first samples; `sample0` is the
 * batch's first index. */
static bool run_over_data(dg_session *s, dg_diag *d, const dg_dataset *data,
                          const dg_run_options *o)
{
    dg_binding bind;
    if (!dg_bind_inputs(d, s, data, NULL, 0, NULL, &bind)) return false;
    int64_t n = data->reader.count ? data->reader.count : bind.batch; /* endless: one batch */
    for (int64_t first = 0; first < n; first += bind.batch) {
        dg_fill_inputs(s, data, DG_PART_ALL, 0, first, &bind);
        s->sample0 = o->sample0 + first;
        if (!dg_session_run_diag(s, d)) return false;
    }
    return true;
}

/* One plan from files to results: a store of its own, filled, and a session that has run. */
typedef struct outcome {
    dg_store *store;
    dg_session *session;
    void **results;
} outcome;

static bool execute(dg_context *c, dg_plan *plan, dg_diag *d, const dg_run_options *o, outcome *out)
{
    dg_store *store = out->store = dg_store_new(c);
    if (o->weights && !dg_weights_load(store, d, o->weights, NULL)) return false;
    if (!load_inits(store, d, o->init)) return false;
    dg_session *s = out->session = dg_session_new(plan, store);
    if (!s) return false;
    s->seed = o->has_seed ? o->seed : 0;
    s->sample0 = o->sample0;
    if (!dg_inputs_from_files(d, s, o->inputs, o->n_inputs)) return false;
    bool ok;
    if (o->data) {
        dg_data_spec spec;
        const dg_dataset *data = dg_data_spec_of_text(d, s->arena, o->data, o->data_options, &spec)
                                     ? dg_dataset_open(d, s->arena, &spec, s->seed)
                                     : NULL;
        ok = data && run_over_data(s, d, data, o);
    } else {
        ok = dg_session_run_diag(s, d);
    }
    if (ok) out->results = results_of(s);
    return ok;
}

static void end(outcome *o)
{
    dg_session_free(o->session);
    dg_store_free(o->store);
}

/* --check=naive: the same graph with one buffer for each value, from the same beginning. Another
 * place in memory must not change a bit of any result or place. */
static bool same_as_naive(dg_context *c, dg_program *program, dg_diag *d, const dg_run_options *o,
                          const outcome *planned)
{
    c->naive = true;
    dg_plan *plan = dg_plan_compile(program, o->entry, o->args, o->n_args);
    c->naive = false;
    if (!plan) return false;
    outcome naive = {0};
    bool ok = execute(c, plan, d, o, &naive);
    for (int i = 0; ok && i < plan->n_outputs; i++) {
        const dg_plan_port *p = &plan->outputs[i];
        if (memcmp(naive.results[i], planned->results[i], (size_t)dg_type_bytes(&p->type)) != 0)
            ok = dg_error_at(d, "E805", p->name,
                             "differs between the plan and one buffer for each value") == NULL;
    }
    for (size_t i = 0; ok && i < naive.store->tensors.n; i++) {
        const dg_tensor *t = &naive.store->tensors.at[i];
        const dg_tensor *u = dg_store_find(planned->store, t->path);
        if (!u || memcmp(t->data, u->data, (size_t)dg_type_bytes(&t->type)) != 0)
            ok = dg_error_at(d, "E805", t->path,
                             "differs between the plan and one buffer for each value") == NULL;
    }
    end(&naive);
    dg_plan_close(plan);
    return ok;
}

dg_status dg_run_entry(dg_context *c, dg_run_options *o)
{
    o->text = NULL;
    dg_program *program = dg_program_open(c, o->file, o->defs, o->n_defs);
    dg_plan *plan = program ? dg_plan_compile(program, o->entry, o->args, o->n_args) : NULL;
    if (!plan) {
        dg_program_free(program);
        return dg_context_status(c);
    }
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_plan_diag(plan, a);
    outcome out = {0};
    bool naive = c->options.check && strcmp(c->options.check, "naive") == 0;
    bool ok = execute(c, plan, d, o, &out) && (!naive || same_as_naive(c, program, d, o, &out)) &&
              write_results(out.session, d, o, out.results) &&
              (!o->save || dg_weights_save(out.store, d, o->save, false));
    end(&out);
    dg_status status = dg_context_flush(c, d);
    dg_arena_free(a);
    dg_plan_close(plan);
    dg_program_free(program);
    return status == DG_OK && !ok ? DG_CANCELLED : status;
}

/* ---- tests ---- */

static bool run_test(dg_program *p, const char *title, dg_test_result *r)
{
    dg_context *c = p->context;
    const char *check = c->options.check;
    double start = dg_clock();
    dg_plan *plan = dg_plan_compile(p, title, NULL, 0);
    if (plan) {
        if (!check) c->options.check = "asserts"; /* graph asserts are what a test is for */
        dg_store *store = dg_store_new(c);
        dg_session *s = dg_session_new(plan, store);
        r->passed = s && dg_session_run(s) == DG_OK;
        dg_session_free(s);
        dg_store_free(store);
        c->options.check = check;
        dg_plan_close(plan);
    }
    r->seconds = dg_clock() - start;
    r->why = r->passed ? NULL : "see the message above";
    return r->passed;
}

dg_status dg_test(dg_context *c, const char *file, const dg_arg_text *defs, int n_defs,
                  const char *filter, void (*done)(void *user, const dg_test_result *r), void *user)
{
    dg_program *p = dg_program_open(c, file, defs, n_defs);
    if (!p) return dg_context_status(c);
    const dg_entry *entries;
    int n = dg_program_entries(p, &entries);
    bool all = true;
    for (int i = 0; i < n; i++) {
        if (entries[i].kind != DG_KIND_TEST || !entries[i].in_main ||
            (filter && !strstr(entries[i].name, filter)))
            continue;
        dg_test_result r = {.title = entries[i].name};
        all = run_test(p, entries[i].name, &r) && all;
        done(user, &r);
    }
    dg_program_free(p);
    dg_status status = dg_context_status(c);
    if (n < 0) return status;
    return all ? DG_OK : status ? status : DG_CHECK;
}

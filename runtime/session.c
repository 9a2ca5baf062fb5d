/* session.c: a plan and its mutable state: inputs bound, places found or initialised, an entry run,
 * results read. */
#include "runtime/session.h"

#include "compiler/base/os.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

dg_diag *dg_plan_diag(const dg_plan *p, dg_arena *a)
{
    const dg_plan_owner *owner = p->owner;
    return dg_context_diag(owner->context, a, owner->sources);
}

dg_session *dg_session_new(dg_plan *p, dg_store *store)
{
    const dg_plan_owner *owner = p->owner;
    dg_session *s = calloc(1, sizeof *s);
    if (!s) dg_out_of_memory();
    s->context = owner->context;
    s->plan = p;
    s->store = store;
    s->arena = dg_arena_new();
    s->bound = DG_NEW_ARRAY(s->arena, bool, p->n_inputs + 1);
    s->exec = (dg_exec){.plan = p,
                        .places = DG_NEW_ARRAY(s->arena, void *, p->n_places + 1),
                        .ports = DG_NEW_ARRAY(s->arena, void *, p->n_inputs + 1),
                        .cancelled = &owner->context->cancelled};
    dg_exec_prepare(&s->exec, s->arena);
    dg_diag *d = dg_plan_diag(p, s->arena);
    bool ok = true;
    for (int i = 0; i < p->n_inputs && ok; i++) {
        int64_t bytes = dg_type_bytes(&p->inputs[i].type);
        s->exec.ports[i] = dg_large_alloc((size_t)(bytes ? bytes : 1));
        s->ports_bytes += bytes;
        if (!s->exec.ports[i])
            ok = dg_error_at(d, "E601", p->inputs[i].name, "no memory for this input") == NULL;
    }
    dg_context_flush(s->context, d);
    if (ok) return s;
    dg_session_free(s);
    return NULL;
}

void dg_session_free(dg_session *s)
{
    if (!s) return;
    for (int i = 0; i < s->plan->n_inputs; i++)
        if (s->exec.ports[i])
            dg_large_free(s->exec.ports[i], (size_t)dg_type_bytes(&s->plan->inputs[i].type));
    dg_arena_free(s->arena);
    free(s);
}

void dg_session_seed(dg_session *s, uint64_t seed)
{
    s->seed = seed;
}

void dg_session_sample0(dg_session *s, int64_t first)
{
    s->sample0 = first;
}

int64_t dg_session_step(const dg_session *s)
{
    return s->store->step;
}

size_t dg_session_arena_used(const dg_session *s)
{
    return s->exec.arena_used;
}

/* ---- places ---- */

static dg_exec_check check_of(const dg_context *c)
{
    const char *name = c->options.check;
    if (!name) return DG_CHECK_NONE;
    return strcmp(name, "finite") == 0   ? DG_CHECK_FINITE
           : strcmp(name, "poison") == 0 ? DG_CHECK_POISON
                                         : DG_CHECK_ASSERTS;
}

static bool run_plan(dg_session *s, dg_exec *e, dg_diag *d)
{
    dg_context *c = s->context;
    if (dg_plan_calls_lapack(e->plan) && !dg_context_blas(c, d)) return false;
    e->pool = dg_context_pool(c);
    if (!dg_pool_reserve(e->pool, e->plan->scratch)) {
        char text[32];
        dg_error_at(d, "E601", "plan", "no memory for scratch of %s on each thread",
                    dg_bytes_text((uint64_t)e->plan->scratch, text));
        return false;
    }
    e->arena = dg_context_arena(c, d, e->plan->arena_bytes);
    if (!e->arena) return false;
    if (e->check == DG_CHECK_NONE) e->check = check_of(c);
    if (e->check == DG_CHECK_POISON) memset(e->arena, 0xFF, (size_t)e->plan->arena_bytes);
    return dg_exec_run(e, d);
}

/* Runs the initialisers of the places that are not filled. The plan's table is the same for both
 * plans. */
static bool initialise(dg_session *s, dg_diag *d)
{
    const dg_plan *p = s->plan;
    const dg_plan_owner *owner = p->owner;
    bool *present = DG_NEW_ARRAY(s->arena, bool, p->n_places + 1), all = true;
    for (int i = 0; i < p->n_places; i++) {
        present[i] = dg_store_find(s->store, p->places[i].path)->filled;
        all = all && present[i];
    }
    if (all) return true;
    dg_plan *init = dg_compile_init(owner->compilation, d, present);
    if (!init) return dg_diag_errors(d) == 0;
    dg_exec e = {.plan = init, .places = s->exec.places, .seed = s->seed};
    dg_exec_prepare(&e, s->arena);
    bool ok = run_plan(s, &e, d);
    dg_plan_free(init);
    for (int i = 0; ok && i < p->n_places; i++)
        dg_store_find(s->store, p->places[i].path)->filled = true;
    return ok;
}

/* All places of one swap(net, "ema") are there, or none: then the parameters themselves are read.
 */
static bool swaps_whole(dg_session *s, dg_diag *d)
{
    const dg_plan *p = s->plan;
    for (int i = 0; i < p->n_places; i++) {
        const char *name = p->places[i].swap;
        bool first = name != NULL;
        for (int j = 0; first && j < i; j++)
            first = !p->places[j].swap || strcmp(p->places[j].swap, name) != 0;
        if (!first) continue;
        int there = 0, missing = -1, n = 0;
        for (int j = i; j < p->n_places; j++) {
            if (!p->places[j].swap || strcmp(p->places[j].swap, name) != 0) continue;
            const dg_tensor *t = dg_store_find(s->store, p->places[j].path);
            n++;
            if (t && t->filled)
                there++;
            else if (missing < 0)
                missing = j;
        }
        if (there == n) continue;
        if (there > 0) {
            dg_error_at(
                d, "E422", p->places[missing].path,
                "the weights hold %d of the %d states that swap(..., \"%s\") reads, not this one",
                there, n, name);
            return false;
        }
        if (s->store->step > 0 || s->store->tensors.n > 0)
            dg_warning_at(d, "W422", name,
                          "the weights hold no '%s' states: the parameters themselves are used",
                          name);
    }
    return true;
}

bool dg_session_ready(dg_session *s, dg_diag *d)
{
    if (s->ready) return true;
    const dg_plan *p = s->plan;
    if (!swaps_whole(s, d)) return false;
    for (int i = 0; i < p->n_places; i++) {
        const dg_plan_place *place = &p->places[i];
        dg_tensor *t = dg_store_find(s->store, place->path);
        if (!t) t = dg_store_add(s->store, d, place->path, place->type, place->trained);
        if (!t) return false;
        if (!dg_type_equal(&t->type, &place->type)) {
            dg_text have = {0}, want = {0};
            dg_type_text(&t->type, &have);
            dg_type_text(&place->type, &want);
            dg_error_at(d, "E423", place->path, "the weights hold %s, the graph declares %s at %s",
                        have.at, want.at, place->src);
            dg_text_free(&have);
            dg_text_free(&want);
            return false;
        }
        t->trained = place->trained;
        s->exec.places[i] = t->data;
    }
    s->ready = initialise(s, d);
    return s->ready;
}

/* ---- binding, running, reading ---- */

int dg_session_input_index(const dg_session *s, const char *name)
{
    for (int i = 0; i < s->plan->n_inputs; i++)
        if (strcmp(s->plan->inputs[i].name, name) == 0) return i;
    return -1;
}

void *dg_session_input(dg_session *s, int index)
{
    s->bound[index] = true;
    return s->exec.ports[index];
}

const dg_plan_port *dg_session_output(const dg_session *s, const char *name)
{
    for (int i = 0; i < s->plan->n_outputs; i++)
        if (strcmp(s->plan->outputs[i].name, name) == 0) return &s->plan->outputs[i];
    return NULL;
}

static dg_status fail(dg_session *s, const char *id, const char *place, const char *what)
{
    dg_diag *d = dg_context_diag(s->context, s->arena, NULL);
    dg_error_at(d, id, place, "%s", what);
    return dg_context_flush(s->context, d);
}

dg_status dg_session_bind(dg_session *s, const char *input, const void *data, size_t bytes)
{
    int i = dg_session_input_index(s, input);
    if (i < 0) return fail(s, "E217", input, "the entry has no tensor argument of this name");
    size_t want = (size_t)dg_type_bytes(&s->plan->inputs[i].type);
    if (bytes != want)
        return fail(
            s, "E218", input,
            dg_arena_printf(s->arena, "%zu bytes were given, the input takes %zu", bytes, want));
    memcpy(dg_session_input(s, i), data, bytes);
    return DG_OK;
}

dg_status dg_session_read(dg_session *s, const char *output, void *data, size_t bytes)
{
    const dg_plan_port *p = dg_session_output(s, output);
    if (!p) return fail(s, "E217", output, "the entry has no result of this name");
    size_t have = (size_t)dg_type_bytes(&p->type);
    if (bytes != have)
        return fail(
            s, "E218", output,
            dg_arena_printf(s->arena, "%zu bytes were asked for, the result has %zu", bytes, have));
    if (!s->results) return fail(s, "E219", output, "the entry has not run yet");
    memcpy(data, s->results[p - s->plan->outputs], bytes);
    return DG_OK;
}

bool dg_session_run_diag(dg_session *s, dg_diag *d)
{
    if (!dg_session_ready(s, d)) return false;
    for (int i = 0; i < s->plan->n_inputs; i++)
        if (!s->bound[i]) {
            dg_error_at(d, "E219", s->plan->inputs[i].name, "this input has no data");
            return false;
        }
    s->exec.seed = s->seed;
    s->exec.sample0 = s->sample0;
    s->exec.step = s->plan->train ? (uint32_t)s->store->step : 0;
    if (!run_plan(s, &s->exec, d)) return false;
    if (s->plan->train) s->store->step++;
    return true;
}

/* The arena is shared by the sessions of a context, so what a caller may read later is copied out
 * of it. */
static void keep_results(dg_session *s)
{
    const dg_plan *p = s->plan;
    if (!s->results) {
        s->results = DG_NEW_ARRAY(s->arena, void *, p->n_outputs + 1);
        for (int i = 0; i < p->n_outputs; i++)
            s->results[i] =
                dg_arena_alloc(s->arena, (size_t)dg_type_bytes(&p->outputs[i].type) + 1);
    }
    for (int i = 0; i < p->n_outputs; i++)
        dg_exec_read(&s->exec, p->outputs[i].value, s->results[i]);
}

dg_status dg_session_run(dg_session *s)
{
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_plan_diag(s->plan, a);
    bool ok = dg_session_run_diag(s, d);
    if (ok) keep_results(s);
    dg_status status = dg_context_flush(s->context, d);
    dg_arena_free(a);
    if (status == DG_OK && !ok) return DG_CANCELLED;
    return status;
}

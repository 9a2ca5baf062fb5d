/* train_rescue.c: what happens when the loss, or any number that a step reports, is not finite.
 *
 * stop      the run goes back to its last checkpoint and is replayed with every result checked, to
 *           name the first operation whose result is not finite; what it was is kept in crash/.
 * skip      the step's update is undone from a copy of the store made before every step. The copy
 *           costs a pass over the weights and states each step, under this policy only.
 * rollback  back to the last checkpoint, with other data from there on.
 *
 * Keeps  no checkpoint ever holds a number that is not finite. */
#include "runtime/trainer.h"

#include "compiler/base/json.h"
#include "compiler/base/os.h"
#include "runtime/data/npy.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- snapshots ---- */

static bool policy_is(const dg_trainer *t, const char *name)
{
    return strcmp(t->config->policy, name) == 0;
}

void dg_train_snapshot(dg_trainer *t)
{
    if (!policy_is(t, "skip") || !t->session->ready) return;
    if (!t->snapshot) t->snapshot = malloc((size_t)t->store->bytes + 1);
    if (!t->snapshot) dg_out_of_memory();
    char *to = t->snapshot;
    for (size_t i = 0; i < t->store->tensors.n; i++) {
        const dg_tensor *x = &t->store->tensors.at[i];
        size_t n = (size_t)dg_type_bytes(&x->type);
        memcpy(to, x->data, n);
        to += n;
    }
}

static bool undo_step(dg_trainer *t)
{
    if (!t->snapshot) return false;
    const char *from = t->snapshot;
    for (size_t i = 0; i < t->store->tensors.n; i++) {
        const dg_tensor *x = &t->store->tensors.at[i];
        size_t n = (size_t)dg_type_bytes(&x->type);
        memcpy(x->data, from, n);
        from += n;
    }
    return true;
}

/* ---- back to a checkpoint ---- */

static bool any_checkpoint(const dg_trainer *t)
{
    dg_arena *a = dg_arena_new();
    bool there = dg_path_exists(dg_path_join(a, dg_path_join(a, t->run, "checkpoints"), "latest"));
    dg_arena_free(a);
    return there;
}

static void restart_data(dg_trainer *t)
{
    dg_prefetch_free(t->prefetch);
    t->prefetch = NULL;
    if (t->binding.batch)
        t->prefetch = dg_prefetch_new(t->data, t->window, t->store->step * t->binding.batch,
                                      t->binding.batch);
}

bool dg_train_restart(dg_trainer *t)
{
    for (size_t i = 0; i < t->store->tensors.n; i++) t->store->tensors.at[i].filled = false;
    t->store->step = 0;
    dg_checkpoint_facts f = {0};
    if (any_checkpoint(t) && !dg_checkpoint_load(t->store, t->diag, t->run, -1, &f)) return false;
    dg_train_take_extra(t, f.extra);
    t->session->ready = false; /* what the checkpoint lacks is initialised again */
    restart_data(t);
    return dg_session_ready(t->session, t->diag);
}

/* ---- stop ---- */

/* Steps again up to the bad one, every result checked. Where the first bad one was made, or NULL.
 */
static const char *find_culprit(dg_trainer *t, int64_t until, int64_t *at)
{
    dg_exec *e = &t->session->exec;
    dg_exec_check before = e->check;
    const char *found = NULL;
    if (!dg_train_restart(t)) return NULL;
    e->check = DG_CHECK_FINITE;
    dg_diag *d = dg_plan_diag(t->plan, t->arena);
    while (t->store->step < until && !found) {
        int64_t step = t->store->step + 1;
        dg_train_feed(t);
        bool ran = dg_session_run_diag(t->session, d);
        if (dg_diag_count(d) > 0) {
            const dg_message *m = dg_diag_at(d, 0);
            const char *where = m->place ? m->place : "";
            if (m->span.file >= 0) {
                const dg_source *s = dg_source_at(dg_diag_sources(d), m->span.file);
                where = dg_arena_printf(t->arena, "%s:%d", s->name,
                                        dg_source_position(s, m->span.begin).line);
            }
            found = dg_arena_printf(t->arena, "%s (%s)", m->what, where);
            *at = step;
        }
        if (!ran) break;
    }
    e->check = before;
    return found;
}

static bool write_crash(dg_trainer *t, int64_t step, const char *what, double value,
                        const char *culprit)
{
    dg_arena *a = t->arena;
    char *folder = dg_path_join(a, t->run, "crash");
    char number[32];
    bool ok = dg_make_folders(t->diag, folder);
    const dg_plan *p = t->plan;
    for (int i = 0; ok && i < p->n_inputs; i++) {
        char *path = dg_path_join(a, folder, dg_arena_printf(a, "%s.npy", p->inputs[i].name));
        ok = dg_npy_write(t->diag, path, &p->inputs[i].type, t->session->exec.ports[i]);
    }
    dg_json_writer w = {.pretty = true};
    dg_json_open(&w, '{');
    dg_json_int_field(&w, "step", step);
    dg_json_int_field(&w, "seed", t->config->seed);
    dg_json_int_field(&w, "window", (int64_t)t->window);
    dg_json_string_field(&w, "what", what);
    dg_json_string_field(&w, "value", dg_double_text(value, number));
    dg_json_string_field(&w, "first", culprit ? culprit : "");
    dg_json_close(&w, '}');
    dg_text_addn(&w.text, "\n", 1);
    ok = ok && dg_file_replace(t->diag, dg_path_join(a, folder, "crash.json"), w.text.at, w.text.n);
    dg_text_free(&w.text);
    return ok;
}

static double value_of(const dg_trainer *t, const char *what)
{
    for (int i = 0; i < t->n_numbers; i++)
        if (strcmp(t->names[i], what) == 0) return t->last[i];
    return NAN; /* a weight or state */
}

static void stop(dg_trainer *t, const char *what)
{
    int64_t step = t->store->step, at = step, from = t->saved_step;
    double value = value_of(t, what);
    char number[32];
    dg_double_text(value, number);
    const char *culprit = find_culprit(t, step, &at);
    write_crash(t, step, what, value, culprit);
    dg_message *m =
        dg_error_at(t->diag, "E701", t->run, "%s is %s at step %" PRId64, what, number, step);
    if (culprit) dg_note_add(t->diag, m, "first at step %" PRId64 ": %s", at, culprit);
    dg_note_add(t->diag, m,
                "the last checkpoint, of step %" PRId64 ", is whole; the batch is in %s/crash",
                from, t->run);
    dg_help_add(
        t->diag, m,
        "a smaller learning rate or clipping helps most often; see also train.on_nonfinite");
}

dg_rescue dg_train_rescue(dg_trainer *t, const char *what)
{
    int64_t step = t->store->step;
    bool left = ++t->mishaps <= t->config->limit;
    int64_t mishaps = t->mishaps;
    const char *text = dg_arena_printf(t->arena, "%s is not finite at step %" PRId64, what, step);
    if (policy_is(t, "skip") && left && undo_step(t)) {
        dg_train_log_event(t, "skipped", text);
        return DG_RESCUE_CONTINUE;
    }
    if (policy_is(t, "rollback") && left) {
        uint64_t window = t->window + 1;
        if (!dg_train_restart(t)) return DG_RESCUE_STOP;
        t->window = window;
        t->mishaps = mishaps;
        restart_data(t);
        dg_train_log_event(t, "rolled back", text);
        return DG_RESCUE_CONTINUE;
    }
    stop(t, what);
    return DG_RESCUE_STOP;
}

/* exec.c: runs a plan. In: addresses of the arena, the places and the inputs. Out: places updated,
 * outputs in their planned bytes. Nothing is allocated here and no system call is made but parking
 * (pool.c). */
#include "runtime/exec.h"

#include "compiler/base/os.h"
#include "ops/support/copy.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

typedef struct failure { /* the first message of a step; pieces race for it */
    pthread_mutex_t mutex;
    bool set;
    char text[240];
} failure;

static void note_failure(void *ctx, const dg_call *k, const char *message)
{
    (void)k;
    failure *f = ctx;
    pthread_mutex_lock(&f->mutex);
    /* Of several the smallest text: the same whatever thread came first. */
    if (!f->set || strcmp(message, f->text) < 0) snprintf(f->text, sizeof f->text, "%s", message);
    f->set = true;
    pthread_mutex_unlock(&f->mutex);
}

static bool owns_arena_bytes(const dg_plan_value *v, int32_t id)
{
    return v->home == DG_HOME_ARENA && v->base == id && v->bytes > 0;
}

void dg_exec_prepare(dg_exec *e, dg_arena *a)
{
    const dg_plan *p = e->plan;
    size_t n = 0;
    e->base = DG_NEW_ARRAY(a, void *, p->n_values);
    e->first_view = DG_NEW_ARRAY(a, size_t, p->n_steps + 1);
    for (int s = 0; s < p->n_steps; s++) {
        e->first_view[s] = n;
        n += (size_t)(p->steps[s].n_in + p->steps[s].n_out);
    }
    e->views = DG_NEW_ARRAY(a, dg_view, n + 1);
    for (int s = 0; s < p->n_steps; s++) {
        const dg_plan_step *step = &p->steps[s];
        for (int i = 0; i < step->n_in + step->n_out; i++) {
            const dg_plan_value *v =
                &p->values[i < step->n_in ? step->in[i] : step->out[i - step->n_in]];
            dg_view *view = &e->views[e->first_view[s] + (size_t)i];
            view->dtype = v->type->dtype;
            view->shape = v->type->shape;
            memcpy(view->stride, v->stride, sizeof view->stride);
        }
        if (step->prologue)
            e->views[e->first_view[s] + (size_t)step->prologue->operand].shape =
                step->prologue->shape;
    }
    e->last_of_base = DG_NEW_ARRAY(a, int32_t, p->n_values + 1);
    for (int32_t v = 0; v < p->n_values; v++) {
        int32_t *last = &e->last_of_base[p->values[v].base];
        if (p->values[v].last > *last) *last = p->values[v].last;
    }
    for (int32_t v = 0; v < p->n_values; v++) {
        if (!owns_arena_bytes(&p->values[v], v)) continue;
        size_t end = (size_t)(p->values[v].offset + dg_align(p->values[v].bytes));
        if (end > e->arena_used) e->arena_used = end;
    }
    for (int s = 0; s < p->n_steps; s++) {
        size_t end = (size_t)(p->steps[s].workspace + dg_align(p->steps[s].workspace_bytes));
        if (p->steps[s].workspace >= 0 && end > e->arena_used) e->arena_used = end;
    }
}

static dg_view view_of(const dg_exec *e, int32_t value)
{
    const dg_plan_value *v = &e->plan->values[value];
    dg_view view = {.data = dg_exec_data(e, value), .dtype = v->type->dtype, .shape = v->type->shape};
    memcpy(view.stride, v->stride, sizeof view.stride);
    return view;
}

void dg_exec_read(const dg_exec *e, int32_t value, void *packed)
{
    dg_view from = view_of(e, value), to = from;
    to.data = packed;
    dg_view_pack(&to);
    dg_copy_serial(&from, &to);
}

/* Places and buffers where they are planned; swapped carries start from their own bytes again. */
static void set_bases(dg_exec *e)
{
    const dg_plan *p = e->plan;
    for (int32_t i = 0; i < p->n_values; i++) {
        const dg_plan_value *v = &p->values[i];
        switch (v->home) {
        case DG_HOME_ARENA:
            e->base[i] = e->arena + v->offset;
            break;
        case DG_HOME_PARAM:
        case DG_HOME_STATE:
            e->base[i] = e->places[v->offset];
            break;
        case DG_HOME_IO:
            e->base[i] = e->ports[v->offset];
            break;
        case DG_HOME_CONST:
            e->base[i] = (void *)(uintptr_t)v->data;
            break;
        case DG_HOME_NONE:
            e->base[i] = NULL;
            break;
        }
    }
}

void *dg_exec_data(const dg_exec *e, int32_t value)
{
    const dg_plan_value *v = &e->plan->values[value];
    return (uint8_t *)e->base[v->base] + v->shift;
}

static bool all_finite(const dg_view *v)
{
    int64_t n = dg_shape_count(&v->shape);
    bool good = true;
    if (v->dtype == DG_F32)
        for (int64_t i = 0; i < n; i++) good = good && isfinite(((const float *)v->data)[i]);
    else if (v->dtype == DG_F64)
        for (int64_t i = 0; i < n; i++) good = good && isfinite(((const double *)v->data)[i]);
    return good;
}

static void add_chain(dg_diag *d, dg_message *m, const dg_plan_step *s)
{
    for (const dg_origin *o = s->origin; o && o->what; o = o->outer)
        dg_note_add(d, m, "in %s", o->what);
}

static dg_message *report_step(dg_diag *d, const char *id, const dg_plan_step *s, const char *what)
{
    dg_message *m;
    if (s->origin && s->origin->span.file >= 0 && dg_diag_sources(d))
        m = dg_error(d, id, s->origin->span, "%s: %s", s->op->name, what);
    else
        m = dg_error_at(d, id, s->src ? s->src : "plan", "%s: %s", s->op->name, what);
    add_chain(d, m, s);
    return m;
}

static double scalar(const dg_view *v)
{
    switch (v->dtype) {
    case DG_F32:
        return (double)*(const float *)v->data;
    case DG_F64:
        return *(const double *)v->data;
    case DG_I32:
        return *(const int32_t *)v->data;
    default:
        return *(const uint8_t *)v->data;
    }
}

static bool run_check(dg_exec *e, dg_diag *d, const dg_plan_step *s, const dg_view *in)
{
    if (e->check == DG_CHECK_NONE || *(const uint8_t *)in[0].data) return true;
    const dg_attr *text = dg_attr_find(&s->attrs, "text");
    dg_message *m =
        report_step(d, "E802", s, text && text->v.str[0] ? text->v.str : "assertion does not hold");
    for (int i = 1; i < s->n_in; i++) {
        char number[32];
        if (in[i].shape.rank == 0)
            dg_note_add(d, m, "%s is %s", i == 1 ? "left side" : "right side",
                        dg_double_text(scalar(&in[i]), number));
    }
    return false;
}

static void resolve(dg_exec *e, int index, dg_view *views)
{
    const dg_plan_step *s = &e->plan->steps[index];
    for (int i = 0; i < s->n_in; i++) views[i].data = dg_exec_data(e, s->in[i]);
    for (int i = 0; i < s->n_out; i++) views[s->n_in + i].data = dg_exec_data(e, s->out[i]);
}

static bool run_kernel(dg_exec *e, dg_diag *d, const dg_run *run, failure *f, int index)
{
    const dg_plan_step *s = &e->plan->steps[index];
    dg_view *views = &e->views[e->first_view[index]];
    resolve(e, index, views);
    if (s->kind == DG_STEP_CHECK) return run_check(e, d, s, views);
    if (s->kind == DG_STEP_COPY) {
        if (views[0].data != views[1].data) dg_copy_serial(&views[0], &views[1]);
        return true;
    }
    dg_call call = {.in = views,
                    .out = views + s->n_in,
                    .n_in = s->n_in,
                    .n_out = s->n_out,
                    .n_own = s->n_own,
                    .attrs = &s->attrs,
                    .strip = s->strip,
                    .prologue = s->prologue,
                    .run = run,
                    .workspace = s->workspace >= 0 ? e->arena + s->workspace : NULL};
    (s->kernel ? s->kernel->run : s->op->ref)(&call);
    if (f->set) {
        report_step(d, "E803", s, f->text);
        return false;
    }
    for (int i = 0; e->check == DG_CHECK_FINITE && i < s->n_out; i++)
        if (!all_finite(&call.out[i])) {
            dg_message *m = report_step(d, "E701", s, "its result is not finite");
            dg_note_add(d, m, "value %s, step %d of the plan", e->plan->values[s->out[i]].path,
                        index);
            return false;
        }
    return true;
}

/* Dead bytes become signalling NaNs, so that a late read is seen at once. Bytes are dead when every
 * value that shares them is. */
static void poison_dead(dg_exec *e, int index)
{
    const dg_plan *p = e->plan;
    for (int32_t v = 0; v < p->n_values; v++)
        if (e->last_of_base[v] == index && owns_arena_bytes(&p->values[v], v)) {
            uint32_t *w = e->base[v];
            for (int64_t i = 0; i < p->values[v].bytes / 4; i++) w[i] = 0x7FA00000U;
        }
}

static void begin_loop(dg_exec *e, const dg_plan_loop *l)
{
    for (int i = 0; i < l->n_carries; i++) {
        const dg_plan_carry *c = &l->carries[i];
        if (!c->copy_in) continue;
        dg_view from = view_of(e, c->init), to = view_of(e, c->arg);
        dg_copy_serial(&from, &to);
    }
    if (l->trip >= 0) *(int32_t *)dg_exec_data(e, l->trip) = 0;
}

/* Swaps in the order of the carries do what their parallel assignment says (plan.h). Views follow,
 * since they name their base. */
static void end_trip(dg_exec *e, const dg_plan_loop *l)
{
    for (int i = 0; i < l->n_carries; i++) {
        const dg_plan_carry *c = &l->carries[i];
        if (c->how != 1) continue;
        int32_t a = e->plan->values[c->arg].base, b = e->plan->values[c->next].base;
        void *t = e->base[a];
        e->base[a] = e->base[b];
        e->base[b] = t;
    }
}

/* Steps [from, to); returns false when the run must stop. */
static bool run_range(dg_exec *e, dg_diag *d, const dg_run *run, failure *f, int from, int to);

static bool run_loop(dg_exec *e, dg_diag *d, const dg_run *run, failure *f, const dg_plan_loop *l)
{
    begin_loop(e, l);
    for (int64_t trip = 0; trip < l->trips; trip++) {
        if (l->trip >= 0) *(int32_t *)dg_exec_data(e, l->trip) = (int32_t)trip;
        if (!run_range(e, d, run, f, l->begin + 1, l->end)) return false;
        bool stop = l->stop >= 0 && *(const uint8_t *)dg_exec_data(e, l->stop);
        end_trip(e, l);
        if (stop) break;
        if (l->parent < 0 && e->trip) e->trip(e->trip_ctx, trip + 1, l->trips);
        if (e->cancelled && atomic_load(e->cancelled)) return false;
    }
    return true;
}

static const dg_plan_loop *loop_at(const dg_plan *p, int step)
{
    for (int i = 0; i < p->n_loops; i++)
        if (p->loops[i].begin == step) return &p->loops[i];
    return NULL;
}

static bool run_range(dg_exec *e, dg_diag *d, const dg_run *run, failure *f, int from, int to)
{
    const dg_plan *p = e->plan;
    for (int s = from; s < to; s++) {
        double start = e->seconds ? dg_clock() : 0;
        if (p->steps[s].kind == DG_STEP_LOOP) {
            const dg_plan_loop *l = loop_at(p, s);
            if (!run_loop(e, d, run, f, l)) return false;
            s = l->end;
        } else if (p->steps[s].kind != DG_STEP_LOOP_END && !run_kernel(e, d, run, f, s)) {
            return false;
        }
        if (e->seconds) e->seconds[s] += dg_clock() - start;
        if (e->check == DG_CHECK_POISON && p->steps[s].loop < 0) poison_dead(e, s);
    }
    return true;
}

bool dg_exec_run(dg_exec *e, dg_diag *d)
{
    failure f = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    dg_run run = {.seed = e->seed,
                  .step = e->step,
                  .sample0 = e->sample0,
                  .isa = e->plan->isa,
                  .parallel = e->pool ? dg_pool_run : NULL,
                  .pool = e->pool,
                  .fail = note_failure,
                  .fail_ctx = &f};
    set_bases(e);
    bool ok = run_range(e, d, &run, &f, 0, e->plan->n_steps);
    pthread_mutex_destroy(&f.mutex);
    return ok;
}

/* explain_trace.c: a plan as a run would look in Chrome's trace viewer (chrome://tracing,
 * Perfetto).
 *
 * In     a plan, and how long each step took, or the estimate.
 * Out    one JSON object: a slice for each step, one after the other from 0, in microseconds;
 * bodies of loops as slices for their first 20 trips and one for the rest; a counter of the bytes
 *        taken in the arena. */
#include "compiler/base/json.h"
#include "compiler/plan/explain.h"

#include <stdio.h>
#include <string.h>

enum { TRIPS = 20 };

typedef struct tracer {
    const dg_plan *p;
    const double *ns;
    const int64_t *live;
    dg_json_writer w;
    double at; /* microseconds */
} tracer;

static void slice(tracer *t, const char *name, const char *category, double micros, int row)
{
    dg_json_open(&t->w, '{');
    dg_json_string_field(&t->w, "name", name);
    dg_json_string_field(&t->w, "cat", category);
    dg_json_string_field(&t->w, "ph", "X");
    dg_json_double_field(&t->w, "ts", t->at);
    dg_json_double_field(&t->w, "dur", micros);
    dg_json_int_field(&t->w, "pid", 0);
    dg_json_int_field(&t->w, "tid", row);
    dg_json_close(&t->w, '}');
}

static void counter(tracer *t, int64_t bytes)
{
    dg_json_open(&t->w, '{');
    dg_json_string_field(&t->w, "name", "live bytes");
    dg_json_string_field(&t->w, "ph", "C");
    dg_json_double_field(&t->w, "ts", t->at);
    dg_json_int_field(&t->w, "pid", 0);
    dg_json_key(&t->w, "args");
    dg_json_open(&t->w, '{');
    dg_json_int_field(&t->w, "bytes", bytes);
    dg_json_close(&t->w, '}');
    dg_json_close(&t->w, '}');
}

/* Of one run of it. */
static double micros_of(const tracer *t, int32_t s)
{
    double trips = dg_step_trips(t->p, s);
    double ns = t->ns ? t->ns[s] / (trips > 0 ? trips : 1) : dg_step_ns(t->p, s);
    return ns / 1e3;
}

static void trace_steps(tracer *t, int32_t begin, int32_t end);

/* Microseconds of the steps begin .. end - 1, inner loops as often as they turn. */
static double sum_of(const tracer *t, int32_t begin, int32_t end)
{
    double sum = 0, outer = dg_step_trips(t->p, begin);
    for (int32_t s = begin; s < end; s++)
        sum += micros_of(t, s) * dg_step_trips(t->p, s) / (outer > 0 ? outer : 1);
    return sum;
}

static void trace_loop(tracer *t, int32_t l)
{
    const dg_plan_loop *loop = &t->p->loops[l];
    char name[64];
    for (int64_t trip = 0; trip < loop->trips && trip < TRIPS; trip++)
        trace_steps(t, loop->begin + 1, loop->end);
    if (loop->trips <= TRIPS) return;
    double rest = sum_of(t, loop->begin + 1, loop->end) * (double)(loop->trips - TRIPS);
    snprintf(name, sizeof name, "trips %d to %lld of loop %d", TRIPS, (long long)loop->trips - 1,
             l);
    slice(t, name, "loop", rest, 0);
    t->at += rest;
}

static void trace_steps(tracer *t, int32_t begin, int32_t end)
{
    for (int32_t s = begin; s < end; s++) {
        const dg_plan_step *i = &t->p->steps[s];
        if (i->kind == DG_STEP_LOOP) {
            int32_t l = dg_step_loop(t->p, s);
            trace_loop(t, l);
            s = t->p->loops[l].end;
            continue;
        }
        double micros = micros_of(t, s);
        const char *path = i->n_out > 0 ? t->p->values[i->out[0]].path : "";
        counter(t, t->live[s]);
        slice(t, *path ? path : i->label, i->label, micros, 0);
        t->at += micros;
    }
}

void dg_explain_trace(const dg_plan *p, const double *ns, dg_text *out)
{
    dg_arena *a = dg_arena_new();
    tracer t = {.p = p, .ns = ns, .live = dg_plan_live(p, a), .w = {.text = *out, .pretty = true}};
    dg_json_open(&t.w, '{');
    dg_json_string_field(&t.w, "displayTimeUnit", "ms");
    dg_json_key(&t.w, "traceEvents");
    dg_json_open(&t.w, '[');
    trace_steps(&t, 0, p->n_steps);
    dg_json_close(&t.w, ']');
    dg_json_close(&t.w, '}');
    dg_text_addn(&t.w.text, "\n", 1);
    *out = t.w.text;
    dg_arena_free(a);
}

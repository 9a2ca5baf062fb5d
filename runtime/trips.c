/* trips.c: trips of the outermost loop, of all runs together, to the progress callback. */
#include "runtime/trips.h"

#include "compiler/base/os.h"

static void show(const dg_trips *t, int64_t done, int64_t total)
{
    dg_context *c = t->context;
    if (!c->options.progress) return;
    double seconds = dg_clock() - t->start;
    dg_progress p = {
        .verb = t->verb, .done = done, .total = total, .seconds = seconds, .next_save = -1};
    p.rate = seconds > 0 ? (double)done / seconds : 0;
    p.eta = p.rate > 0 ? (double)(total - done) / p.rate : 0;
    c->options.progress(c->options.user, &p);
}

static void on_trip(void *ctx, int64_t done, int64_t total)
{
    dg_trips *t = ctx;
    t->within = total;
    show(t, t->done * total + done, t->of * total);
}

void dg_trips_watch(dg_session *s, dg_trips *t)
{
    s->exec.trip = on_trip;
    s->exec.trip_ctx = t;
}

void dg_trips_show(const dg_trips *t)
{
    if (!t->within) show(t, t->done, t->of);
}

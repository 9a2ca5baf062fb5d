/* trips.h: progress of runs whose time goes into a loop of the graph: sampling, bounds. */
#ifndef DG_RUNTIME_TRIPS_H
#define DG_RUNTIME_TRIPS_H

#include "runtime/session.h"

typedef struct dg_trips {
    dg_context *context;
    const char *verb;
    int64_t done, of; /* runs; the caller counts */
    double start;
    int64_t within; /* trips of a run; 0: there was none so far */
} dg_trips;

/* Begins to count; `t` must live as long as the session runs. */
void dg_trips_watch(dg_session *s, dg_trips *t);
/* After a run, for entries without a loop: `t->done` runs of `t->of` are over. */
void dg_trips_show(const dg_trips *t);

#endif

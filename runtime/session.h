/* session.h: what a plan handle and a session are made of; shared by the drivers (train.c,
 * sample.c, run.c). */
#ifndef DG_RUNTIME_SESSION_H
#define DG_RUNTIME_SESSION_H

#include "runtime/context.h"
#include "runtime/exec.h"
#include "runtime/store.h"

/* A program's files, read and parsed: what the program and all plans made from it share. It goes
 * with the last of them, since plans may outlive the program. */
typedef struct dg_reading {
    dg_arena *arena;
    dg_sources *sources;
    dg_front *front; /* NULL: they cannot be read, which was reported */
    int users;
} dg_reading;

/* The public dg_program. */
struct dg_program {
    dg_context *context;
    dg_arena *arena;
    dg_front_options source; /* without config values */
    dg_setting_in *config;
    int n_config;
    dg_reading *reading; /* NULL: not asked for so far, or a compilation failed */
    bool configured;     /* the reading has the config values */
    const dg_entry *entries;
    int n_entries;
};
/* What the program declares: read once, and reported about then; NULL: it cannot be read. */
dg_front *dg_program_front(dg_program *p);
/* Likewise, without the config values: so that names can be looked up before these are applied. */
dg_front *dg_program_read(dg_program *p);

typedef struct dg_plan_owner { /* dg_plan.owner: kept for the initialisers */
    dg_context *context;
    dg_arena *arena;
    dg_sources *sources;
    dg_reading *reading; /* NULL: made from a dump */
    dg_compilation *compilation;
} dg_plan_owner;

/* The public dg_session. */
struct dg_session {
    dg_context *context;
    const dg_plan *plan;
    struct dg_store *store;
    dg_arena *arena;
    dg_exec exec;
    uint64_t seed;
    int64_t sample0;
    bool ready;     /* places exist and are initialised */
    void **results; /* by output: packed copies of the last public run, which other plans do not
                       touch */
    bool *bound;    /* by input */
    int64_t ports_bytes;
};

/* Places found or made in the store, missing ones initialised by the plan's initialisers with step
 * 0. */
bool dg_session_ready(struct dg_session *s, dg_diag *d);
/* The input's own bytes, to be filled in place; index in plan->inputs. Counts as bound. */
void *dg_session_input(struct dg_session *s, int index);
int dg_session_input_index(const struct dg_session *s, const char *name); /* -1: none */
const dg_plan_port *dg_session_output(const struct dg_session *s,
                                      const char *name); /* NULL: none */
bool dg_session_run_diag(struct dg_session *s, dg_diag *d);
dg_diag *dg_plan_diag(const dg_plan *p,
                      dg_arena *a); /* a collector that shows this plan's sources */

#endif

/* maker.h: a program with weights, to make or measure something with: a run folder, or a .dg file
 * and a file of weights. What dg sample, interp, eval and curve begin with. */
#ifndef DG_RUNTIME_MAKER_H
#define DG_RUNTIME_MAKER_H

#include "runtime/job.h"
#include "runtime/made.h"

typedef struct dg_maker_options {
    const char *from, *weights;
    const dg_arg_text *args, *defs;
    int n_args, n_defs;
    bool has_seed, run_only; /* run_only: a .dg file will not do */
    uint64_t seed;
    const dg_made *again; /* facts that have to be met again; NULL */
    dg_met *met;          /* how far they were; NULL with `again` */
} dg_maker_options;

typedef struct dg_maker {
    dg_context *context;
    dg_arena *arena;
    dg_diag *diag;
    dg_maker_options o;
    bool is_run;
    dg_job job;              /* of a run */
    const dg_config *config; /* of a run; else NULL */
    dg_program *program;
    dg_nameds args;  /* those given, without @FILE */
    double range[2]; /* of images */
    int classes;     /* 0: unknown */
    uint64_t seed;
    dg_store *store;
    struct dg_loading *loading; /* of dg_maker_load_ahead; NULL */
} dg_maker;

/* False after reporting; close in any case. */
bool dg_maker_open(dg_context *c, dg_maker *m, const dg_maker_options *o);
void dg_maker_close(dg_maker *m);

/* Whether the program has an entry, and the entry an argument. */
bool dg_maker_has_entry(dg_maker *m, const char *entry);
bool dg_maker_has_argument(dg_maker *m, const char *entry, const char *argument);
/* As has_entry, and reports E131 with what to write: `form` in the language. */
bool dg_maker_want_entry(dg_maker *m, const char *entry, const char *verb, const char *form);
/* An argument of the entry that was not given gets this value. */
void dg_maker_default(dg_maker *m, const char *argument, const char *value);

/* What is measured: the run's data, or `other` (a path or a generated kind) read with the run's
 * settings; never mirrored. `split`: the part asked for, NULL: the valid one where there is one, else
 * all of it; `part` says which. NULL after reporting; the caller closes it. */
dg_dataset *dg_maker_data(dg_maker *m, const char *other, const char *split, const char **part);

/* The weights into the store: the file given apart, the run's, or none. Before the places are
 * there. */
bool dg_maker_load(dg_maker *m);
/* Begins to load a run's weights on a thread of its own, while the caller compiles; where there is
 * one thread alone, nothing. dg_maker_load waits for it; the store is not touched before. */
void dg_maker_load_ahead(dg_maker *m);
/* Facts that are known before a run, for the picture's text. Reports E435 where `again` says the
 * graph was another one. */
bool dg_maker_facts(dg_maker *m, const dg_plan *p, const char *entry, dg_made *out);
/* The checksum of the places into the facts. Reports E435 where it was another one. */
bool dg_maker_weights(dg_maker *m, const dg_plan *p, dg_made *out);

#endif

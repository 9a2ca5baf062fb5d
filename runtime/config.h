/* config.h: run files: what to run, on what data, how long and where (docs/runs.md).
 * Losses, samplers and optimisers are the graph's business. */
#ifndef DG_RUNTIME_CONFIG_H
#define DG_RUNTIME_CONFIG_H

#include "compiler/base/diag.h"
#include "runtime/data/dataset.h"

typedef struct dg_named { /* one pair of `config`, `data.inputs` or `sample.args` */
    const char *name;
    const char *text;  /* the value in the language: 64, 1e-4, [1, 2], "cosine" */
    const char *place; /* "run.yaml:3:12" */
    dg_span span;
} dg_named;

typedef struct dg_nameds {
    int n;
    dg_named *at;
} dg_nameds;

typedef struct dg_config {
    dg_arena *arena;
    dg_diag *diag; /* shows the run file */
    const char *path, *folder;
    const char *graph; /* as opened: beside the run file */
    dg_span graph_span;
    const char *train_entry, *sample_entry;
    const char *eval_entry;               /* NULL: not given; dg_job_open then takes eval, or nll */
    const char *judge_entry, *real_entry; /* of dg eval --judge */
    dg_span train_span, sample_span, eval_span, judge_span, real_span, data_span, size_span,
        path_span;
    dg_nameds values; /* `config` */
    dg_nameds inputs; /* what fills which input: "data" or "labels" */
    dg_data_spec data;
    int64_t steps, seed;
    const char *policy; /* stop, skip, rollback */
    int64_t limit;
    int64_t sample_n; /* 0: the entry's own */
    dg_nameds sample_args;
    int64_t log_every, samples_every, eval_every;
    int64_t save_every, keep_last, keep_every;
    double save_minutes;
    int64_t threads, memory; /* 0: not given */
    const char *precision;
    const char *out;
} dg_config;

/* Reads, checks and completes a run file; `set`: KEY=VALUE texts that win, NULL-ended, may be NULL.
 * NULL after reporting to `d`, whose sources get the file. Lives in `a`. */
dg_config *dg_config_read(dg_diag *d, dg_arena *a, const char *path, const char *const *set);
/* The same from memory; `path` names it. */
dg_config *dg_config_parse(dg_diag *d, dg_arena *a, const char *path, const char *text,
                           size_t length, const char *const *set);
/* A data set named on the command line: a path or a generated kind, and the text of a `data`
 * section with options (YAML, may be NULL). Relative paths are the current folder's. */
bool dg_data_spec_of_text(dg_diag *d, dg_arena *a, const char *name, const char *options,
                          dg_data_spec *out);

void dg_named_set(dg_arena *a, dg_nameds *list, const char *name, const char *text,
                  const char *place);
const char *dg_named_get(const dg_nameds *list, const char *name); /* NULL: none */

/* A whole run file with every default, `graph`, `data.path` and `out` as they stand in `c`. */
void dg_config_write(const dg_config *c, dg_text *out);

#endif

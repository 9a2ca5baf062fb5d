/* job.h: a run file and the program it names, checked against each other: what training and
 * sampling start from. */
#ifndef DG_RUNTIME_JOB_H
#define DG_RUNTIME_JOB_H

#include "runtime/config.h"
#include "runtime/session.h"

typedef struct dg_job {
    dg_context *context;
    dg_arena *arena;
    dg_diag *diag; /* shows the run file */
    dg_config *config;
    dg_program *program;
    bool has_sample, has_eval; /* the entries exist */
    /* The context's own settings, put back by dg_job_close. */
    int threads;
    uint64_t memory;
    bool reference, bf16;
} dg_job;

/* Reads the run file, takes over `defs`, opens the program (`lib`: one more library folder,
 * searched first; NULL) and checks names of config values and entries (E131). The run file's
 * `runtime` holds where the context's options say nothing. False after reporting; close in any
 * case. */
bool dg_job_open(dg_context *c, dg_job *j, const char *path, const char *const *set,
                 const dg_arg_text *defs, int n_defs, const char *lib);
void dg_job_close(dg_job *j);
dg_status dg_job_flush(dg_job *j);

dg_arg_text *dg_args_of(dg_arena *a, const dg_nameds *list); /* n as the list's */
/* Those pairs of `data.inputs` that name inputs of this plan. */
dg_arg_text *dg_inputs_map(dg_arena *a, const dg_config *c, const dg_plan *p, int *n);
/* A static value as text that a run file can hold: values read from @FILE are written out. */
bool dg_setting_text(dg_context *c, dg_arena *a, dg_diag *d, const dg_arg_text *arg,
                     const char **out);
/* A program from a file, with one more library folder searched first. NULL after reporting. */
dg_program *dg_program_open_with(dg_context *c, const char *path, const dg_arg_text *config, int n,
                                 const char *lib);

/* Reports through the context's progress callback, if any. */
void dg_say(dg_context *c, const char *verb, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

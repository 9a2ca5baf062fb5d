/* run_folder.h: the folder of a run (docs/runs.md): made once, self-contained, one writer at a
 * time. */
#ifndef DG_RUNTIME_RUN_FOLDER_H
#define DG_RUNTIME_RUN_FOLDER_H

#include "runtime/job.h"

/* Files of a run folder. */
#define DG_RUN_CONFIG "config.yaml"
#define DG_RUN_FULL "config.full.yaml"
#define DG_RUN_GRAPH "graph.dg"
#define DG_RUN_LIB "lib"
#define DG_RUN_FACTS "run.json"
#define DG_RUN_METRICS "metrics.jsonl"
#define DG_RUN_LOG "log.txt"

/* Where a new run goes: `out` as given, or the run file's `out`/name-NNNN with the next number. */
char *dg_run_path(dg_arena *a, const dg_config *c, const char *out, const char *name);

/* `path` as seen from `folder`: both made absolute, what they share dropped. NULL when either
 * cannot be resolved. */
char *dg_path_relative(dg_arena *a, const char *folder, const char *path);

/* Makes the folder and everything in it that is there before the first step: the run file as given
 * and completed, the graph with its imports. False after reporting. */
bool dg_run_make(dg_job *j, const char *run);
/* The graph and its imports alone, over what is there (resume with another graph). */
bool dg_run_copy_graph(dg_diag *d, dg_program *p, const char *run);
/* The completed run file again (after a change of `steps`). */
bool dg_run_write_config(dg_diag *d, const dg_config *c, const char *run);

/* Lock of the calling process, released when the file is closed; reports E512. */
bool dg_run_lock(dg_diag *d, const char *run, int *fd);

typedef struct dg_run_facts { /* run.json */
    const char *status;       /* "running", "stopped", "done", "diverged", "failed" */
    int64_t step, steps;
    uint64_t seed, plan_hash;
    const dg_dataset *data;
} dg_run_facts;
bool dg_run_write_facts(dg_context *c, dg_diag *d, const char *run, const dg_run_facts *f);
/* Classes of the data, 0 when unknown. */
int dg_run_classes(const char *run);

#endif

/* checkpoint.h: store <-> files. A checkpoint is a folder with weights.safetensors (parameters),
 * state.safetensors (states) and manifest.json, which is written last and holds the checksums;
 * `latest` beside it names the newest, replaced atomically. Whole or absent at any instant; resumes
 * bit for bit (reliability: docs/runs.md). */
#ifndef DG_RUNTIME_CHECKPOINT_H
#define DG_RUNTIME_CHECKPOINT_H

#include "runtime/store.h"

typedef struct dg_checkpoint_facts { /* beside the tensors; nothing that clock, host or thread count
                                        could change */
    uint64_t seed;
    uint64_t plan_hash;
    const char *isa, *blas_core, *build;
    const char *extra; /* the driver's own JSON object (data position, policy counters), or NULL */
} dg_checkpoint_facts;

/* RUN/checkpoints/step-0001000, then RUN/checkpoints/latest, then old ones go: the `keep_last`
 * newest stay (at least 2) and every one whose step is a multiple of `keep_every` (0: none). */
bool dg_checkpoint_save(struct dg_store *s, dg_diag *d, const char *run,
                        const dg_checkpoint_facts *f, int keep_last, int64_t keep_every);
/* The newest whole one (a damaged newest is reported as a warning and the one before is used), or
 * the one of `at` >= 0. The facts' texts live in the store's arena. */
bool dg_checkpoint_load(struct dg_store *s, dg_diag *d, const char *run, int64_t at,
                        dg_checkpoint_facts *f);

/* Whether there is one of this step; it may be damaged. */
bool dg_checkpoint_exists(const char *run, int64_t step);

/* Removes the checkpoints after `step`: a run that goes on from an earlier one takes another way.
 */
void dg_checkpoint_forget(dg_diag *d, const char *run, int64_t step);

/* Any source of weights: a safetensors file, a checkpoint folder, a run folder. Only paths in or
 * below `scope` when given. */
bool dg_weights_load(struct dg_store *s, dg_diag *d, const char *path, const char *scope);
bool dg_weights_save(struct dg_store *s, dg_diag *d, const char *path, bool trained_only);
bool dg_is_run_folder(const char *path);

#endif

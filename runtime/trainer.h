/* trainer.h: a run in progress: what train.c opens, train_loop.c drives and train_rescue.c mends.
 */
#ifndef DG_RUNTIME_TRAINER_H
#define DG_RUNTIME_TRAINER_H

#include "runtime/checkpoint.h"
#include "runtime/data/prefetch.h"
#include "runtime/image.h"
#include "runtime/inputs.h"
#include "runtime/job.h"
#include "runtime/log.h"
#include "runtime/run_folder.h"
#include "runtime/sampler.h"

enum { DG_STEP_TIMES = 50 };

typedef struct dg_trainer {
    dg_context *context;
    dg_job *job;
    const dg_config *config; /* the job's */
    dg_arena *arena;
    const char *run;
    int64_t steps; /* to reach */
    dg_dataset *data;
    dg_plan *plan;
    dg_store *store;
    dg_session *session;
    dg_diag *diag; /* shows the plan's sources */
    dg_binding binding;
    dg_prefetch *prefetch;
    dg_sampler *sampler; /* made when first needed */
    dg_log metrics;
    /* results of rank 0: the loss first, then reports */
    int n_numbers;
    const char **names;
    const dg_plan_port **ports;
    double *last, *sums; /* of the last step; since the last line of metrics */
    int64_t summed;
    /* policy */
    uint64_t window; /* shifts the data after a rollback */
    int64_t mishaps; /* in a row */
    bool save_first; /* weights came from elsewhere: they are saved before the first step */
    void *snapshot;  /* of the store before each step, for `skip`; NULL: none is kept */
    /* time */
    double start, saved_at, step_seconds[DG_STEP_TIMES], save_seconds, sample_seconds;
    int64_t timed, first_step, saved_step, evaluated;
} dg_trainer;

/* The loop: from the store's step to t->steps. DG_OK, DG_CANCELLED, or what was reported. */
dg_status dg_train_loop(dg_trainer *t);

/* Steps of the loop that the rescue needs too. */
void dg_train_feed(dg_trainer *t);         /* the next batch into the inputs */
bool dg_train_read_numbers(dg_trainer *t); /* false: one of them is not finite */
bool dg_train_restart(dg_trainer *t);      /* back to the last checkpoint, or to step 0 */
bool dg_train_store_finite(const dg_store *s, const char **path);
bool dg_train_log_event(dg_trainer *t, const char *event, const char *text);
dg_status dg_train_flush(dg_trainer *t);
/* The driver's own part of a checkpoint, as JSON; and back. */
char *dg_train_extra(const dg_trainer *t, dg_arena *a);
void dg_train_take_extra(dg_trainer *t, const char *extra);

/* After a step whose numbers are not finite. CONTINUE: mended, the loop goes on. */
typedef enum dg_rescue { DG_RESCUE_CONTINUE, DG_RESCUE_STOP } dg_rescue;
dg_rescue dg_train_rescue(dg_trainer *t, const char *what);
void dg_train_snapshot(dg_trainer *t); /* before a step, where the policy needs it */

#endif

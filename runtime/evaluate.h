/* evaluate.h: an entry run once for each batch of a data set, and what its results say of the
 * whole.
 *
 * The entry takes a batch as training does. Its first result holds a number for each sample
 * ([batch], or [batch, ...] whose other axes are averaged), or one for the batch (rank 0), or a
 * table for all the data so far. Its reports are read after the last batch when the entry keeps
 * totals in states, which begin fresh; else they are averaged over the samples.
 *
 * A last batch that is smaller runs as a plan of its own with -D batch=REST on the same states;
 * where the graph has no config value `batch` it is left out. */
#ifndef DG_RUNTIME_EVALUATE_H
#define DG_RUNTIME_EVALUATE_H

#include "runtime/inputs.h"
#include "runtime/job.h"

typedef struct dg_evaluate_options {
    const char *verb, *entry;
    const dg_arg_text *args;
    int n_args;
    dg_part part;
    int64_t n; /* samples; 0: the whole part, or 16 batches of an endless one */
    uint64_t seed;
    bool whole_batches; /* no second plan: the rest is left out, a part of less than one batch read
                           round and round */
    bool progress;
    const dg_plan *keep; /* states of this plan are not reset; NULL */
    bool leave;          /* what the entry summed stays in the store, for another entry to read */
} dg_evaluate_options;

typedef struct dg_outcome { /* a result or report, wide */
    const char *name;
    bool report;
    dg_shape shape;
    double *at;
} dg_outcome;

typedef struct dg_evaluation {
    int64_t n, left_out; /* samples taken; of those asked for, left out for want of a plan */
    int64_t batches;
    bool each; /* `values` holds one number a sample, else one a batch */
    int64_t n_values;
    double *values;     /* of the first result; NULL when it is a table for all the data */
    double mean, error; /* of `values`: mean and its standard error */
    int n_numbers;
    dg_outcome *numbers; /* every result and report */
} dg_evaluation;

dg_part dg_part_named(const char *split); /* "train" "valid", else all */

/* Lives in `a`. False after reporting to `d` or the context, or when cancelled. */
bool dg_evaluate(dg_job *j, dg_arena *a, dg_diag *d, dg_store *store, const dg_dataset *data,
                 const dg_evaluate_options *o, dg_evaluation *out);
const dg_outcome *dg_evaluation_find(const dg_evaluation *e,
                                     const char *name); /* a report or NULL */

#endif

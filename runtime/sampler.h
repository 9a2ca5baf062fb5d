/* sampler.h: an entry that makes samples: compiled once, run as often as it takes to make n of
 * them, its label inputs filled. Used during training and by dg sample.
 *
 * Sample i lies at row i % batch of run i / batch, wherever a request begins: its draws depend on
 * its index alone, and its bits on the plan and the index, not on how many samples are asked for.
 */
#ifndef DG_RUNTIME_SAMPLER_H
#define DG_RUNTIME_SAMPLER_H

#include "runtime/config.h"
#include "runtime/made.h"
#include "runtime/session.h"

typedef struct dg_sampler_options {
    const char *entry;
    const dg_arg_text *args; /* static arguments, and labels: y=3, y=[0, 1] */
    int n_args;
    const dg_arg_text *files; /* NAME=FILE for tensor inputs */
    int n_files;
    const dg_nameds *inputs; /* the run file's map: which input takes labels; may be NULL */
    int classes;             /* 0: unknown */
    int64_t n, sample0;      /* n 0: the entry's own */
    int rows, columns;       /* of the grid; 0: near square */
    uint64_t seed;
} dg_sampler_options;

typedef struct dg_sampler dg_sampler;

/* NULL after reporting through the context. The options' texts must outlive the sampler. */
dg_sampler *dg_sampler_new(dg_program *p, const dg_sampler_options *o);
void dg_sampler_free(dg_sampler *s);

const dg_plan *dg_sampler_plan(const dg_sampler *s);
/* The result's type, [batch, ...]; NULL after reporting that the entry makes no samples. */
const dg_type *dg_sampler_type(dg_sampler *s);
/* Whether the entry takes a label for each sample. */
bool dg_sampler_has_labels(const dg_sampler *s);

typedef struct dg_samples {
    dg_type type;    /* [n, ...] */
    void *data;      /* malloc'd */
    int64_t sample0; /* index of the first */
    int64_t columns; /* of the grid */
    int32_t *labels; /* [n], malloc'd: what each was asked for; NULL: the entry takes none */
} dg_samples;
/* Places found in the store or initialised, so that their checksum can be taken; dg_sampler_run
 * does it, too. */
bool dg_sampler_ready(dg_sampler *s, dg_store *store);
/* False after reporting to the context, or when cancelled: then dg_context_status is DG_OK. */
bool dg_sampler_run(dg_sampler *s, dg_store *store, dg_samples *out);
void dg_samples_free(dg_samples *s);

/* The layout of samples into the facts of their picture. */
void dg_made_take_samples(dg_made *m, const dg_samples *s);
/* To a .png, a .npy, or a folder (one picture each, or samples.npy). `range` of images; `made`:
 * what the pictures' text says, may be NULL. */
bool dg_samples_write(dg_diag *d, const char *path, const dg_samples *s, const double range[2],
                      const dg_made *made);

#endif

/* prefetch.h: the next batch is made while the present one is used, by one thread of its own.
 * What it makes depends on positions alone, so it changes no number. */
#ifndef DG_RUNTIME_DATA_PREFETCH_H
#define DG_RUNTIME_DATA_PREFETCH_H

#include "runtime/data/dataset.h"

typedef struct dg_prefetch dg_prefetch;

/* Batches of the TRAIN part from position `first` on. Without a thread to be had it works in turn.
 */
dg_prefetch *dg_prefetch_new(const dg_dataset *s, uint64_t window, int64_t first, int64_t batch);
void dg_prefetch_free(dg_prefetch *p); /* NULL is allowed */
/* The next batch; good until the next call. */
void dg_prefetch_next(dg_prefetch *p, float **x, int32_t **labels);

#endif

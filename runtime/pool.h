/* pool.h: worker threads that run the pieces of one kernel at a time. */
#ifndef DG_RUNTIME_POOL_H
#define DG_RUNTIME_POOL_H

#include "compiler/ir/kernel.h"

typedef struct dg_pool dg_pool;

/* `threads` counts the caller: 1 makes no thread. NULL when no thread could be made at all. */
dg_pool *dg_pool_new(int threads);
void dg_pool_free(dg_pool *p);
int dg_pool_threads(const dg_pool *p);
/* At least `bytes` of scratch for each worker; false when memory is refused. Not while pieces run.
 */
bool dg_pool_reserve(dg_pool *p, int64_t bytes);
int64_t dg_pool_scratch(const dg_pool *p); /* bytes reserved per worker */

/* dg_run.parallel: `pool` is a dg_pool. */
void dg_pool_run(void *pool, const dg_call *k, int64_t count, dg_piece_fn *piece);

#endif

/* roof.h: what this machine can do at most, measured: the yardstick of dg bench and of
 * dg plan --analyze. */
#ifndef DG_RUNTIME_ROOF_H
#define DG_RUNTIME_ROOF_H

#include "runtime/pool.h"

typedef struct dg_roof {
    dg_isa isa;
    int threads;
    double gflops_one, gflops; /* 1e9 multiplications and additions of f32 a second, of one thread
                                  and of all */
    double gbytes_one, gbytes; /* 1e9 bytes a second, read and written by a copy in main memory */
} dg_roof;

/* Takes about half a second. The best of several trials, since other work only lowers them. */
dg_roof dg_roof_measure(dg_pool *pool, dg_isa isa);

#endif

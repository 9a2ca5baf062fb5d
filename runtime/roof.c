/* roof.c: see roof.h. Products: independent sums of whole vectors in registers, as many as hide the
 * latency of a multiply-add. Bytes: a copy between arrays far larger than the caches. */
#include "runtime/roof.h"

#include "compiler/base/os.h"
#include "ops/ops.h"

#include <string.h>

enum {
    ROUNDS = 1 << 17,
    TRIALS = 5,
    CHUNK = 1 << 20 /* bytes of a piece of the copy */
};
static const int64_t COPIED = (int64_t)128 << 20; /* bytes */

typedef float v4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef float v8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float v16 __attribute__((vector_size(64), aligned(4), may_alias));

/* `sums` vectors of V floats: a multiplication and an addition for each of them in each round. */
#define PRODUCTS(name, target, vec, V, sums)                                                       \
    target static float name(float start)                                                          \
    {                                                                                              \
        vec sum[sums], factor = start - (vec){0}, term = factor * 1e-3F;                           \
        for (int i = 0; i < (sums); i++) sum[i] = factor + (float)i;                               \
        for (int r = 0; r < ROUNDS; r++) {                                                         \
            _Pragma("GCC unroll 16") for (int i = 0; i < (sums); i++) sum[i] =                     \
                sum[i] * factor + term;                                                            \
        }                                                                                          \
        float total = 0;                                                                           \
        for (int i = 0; i < (sums); i++)                                                           \
            for (int l = 0; l < (V); l++) total += sum[i][l];                                      \
        return total;                                                                              \
    }

PRODUCTS(products_generic, , v4, 4, 12)
PRODUCTS(products_avx2, DG_TARGET_AVX2, v8, 8, 12)
PRODUCTS(products_avx512, DG_TARGET_AVX512, v16, 16, 16)

static const struct {
    float (*run)(float start);
    int multiply_adds; /* of a round */
} products[DG_ISAS] = {
    {products_generic, 4 * 12}, {products_avx2, 8 * 12}, {products_avx512, 16 * 16}};

typedef struct job {
    float *sums; /* by piece: so that nothing is thrown away */
    uint8_t *from, *to;
} job;

static void products_piece(const dg_call *k, int64_t i)
{
    const job *j = k->arg;
    j->sums[i] = products[dg_isa_of(k)].run(0.999F);
}

static void copy_piece(const dg_call *k, int64_t i)
{
    const job *j = k->arg;
    memcpy(j->to + i * CHUNK, j->from + i * CHUNK, CHUNK);
}

/* Pieces a second, the best of the trials. */
static double rate(dg_call *k, bool all, int64_t pieces, dg_piece_fn *piece)
{
    double best = 0;
    dg_run alone = *k->run;
    alone.parallel = NULL;
    const dg_run *run = k->run;
    if (!all) k->run = &alone;
    for (int t = 0; t < TRIALS; t++) {
        double start = dg_clock();
        dg_parallel_with(k, pieces, piece, k->arg);
        double now = (double)pieces / (dg_clock() - start);
        if (now > best) best = now;
    }
    k->run = run;
    return best;
}

dg_roof dg_roof_measure(dg_pool *pool, dg_isa isa)
{
    enum { MOST = 1024 };
    dg_roof roof = {.isa = isa, .threads = dg_pool_threads(pool)};
    float sums[MOST];
    job j = {.sums = sums};
    dg_run run = {.isa = isa, .parallel = dg_pool_run, .pool = pool};
    dg_call k = {.run = &run, .arg = &j};
    int64_t pieces = 4 * (int64_t)roof.threads;
    if (pieces > MOST) pieces = MOST;
    double flops = 2.0 * products[isa].multiply_adds * ROUNDS / 1e9;
    roof.gflops_one = flops * rate(&k, false, 4, products_piece);
    roof.gflops = flops * rate(&k, true, pieces, products_piece);
    j.from = dg_large_alloc((size_t)COPIED);
    j.to = dg_large_alloc((size_t)COPIED);
    if (j.from && j.to) {
        memset(j.from, 1, (size_t)COPIED); /* real pages on both sides */
        memset(j.to, 2, (size_t)COPIED);
        double bytes = 2.0 * CHUNK / 1e9;
        roof.gbytes_one = bytes * rate(&k, false, COPIED / CHUNK, copy_piece);
        roof.gbytes = bytes * rate(&k, true, COPIED / CHUNK, copy_piece);
    }
    if (j.from) dg_large_free(j.from, (size_t)COPIED);
    if (j.to) dg_large_free(j.to, (size_t)COPIED);
    return roof;
}

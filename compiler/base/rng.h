/* rng.h: counter-based random numbers. Philox 4x32-10 (Salmon et al. 2011, "Parallel random
 * numbers: as easy as 1, 2, 3"). A draw is a pure function of (seed, stream, element, trip, step),
 * so results depend on no order and no thread.
 *
 * The law is part of the language (dg-language section 8) and has golden values in the tests:
 *   key      = seed XOR stream, low word first
 *   counter  = (block low, block high, trip, step), block = element / 4
 *   word i of the block serves element 4 * block + i
 *   rand     = (word >> 8) * 2^-24                                        in [0, 1)
 *   randn    = Box-Muller on the pairs (0,1) and (2,3) of a block:
 *              r = sqrt(-2 log(u1)), u1 = ((word0 >> 8) + 1) * 2^-24,
 *              angle = 2 pi (word1 >> 8) 2^-24;
 *              even element r cos, odd element r sin; log, sin, cos by the fixed polynomials of
 *              rng.c in float, without fused multiply-add, so that every ISA gives the same bits
 *   randint  = lo + floor(word * (hi - lo) / 2^32)  (the high word of a 32x32 product) */
#ifndef DG_BASE_RNG_H
#define DG_BASE_RNG_H

#include <stdbool.h>
#include <stdint.h>

typedef struct dg_rng {
    uint64_t key;        /* seed ^ stream */
    uint32_t trip, step;
} dg_rng;

void dg_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Elements [first, first + n) of a draw. */
void dg_rng_words(const dg_rng *r, uint64_t first, int64_t n, uint32_t *out);
void dg_rng_uniform(const dg_rng *r, uint64_t first, int64_t n, float *out);
void dg_rng_normal(const dg_rng *r, uint64_t first, int64_t n, float *out);
void dg_rng_int(const dg_rng *r, uint64_t first, int64_t n, int32_t lo, int32_t hi, int32_t *out);

/* The same on a named variant ("generic", "avx2", "avx512"), for the test that all give the same
 * bits; false when the machine or the build lacks it. `out` takes n words, or n floats. */
typedef enum dg_rng_kind { DG_RNG_WORDS, DG_RNG_UNIFORM, DG_RNG_NORMAL } dg_rng_kind;
bool dg_rng_draw_on(const char *variant, dg_rng_kind kind, const dg_rng *r, uint64_t first,
                    int64_t n, void *out);

/* The i-th of n in a pseudo-random order given by key: a bijection on [0, n) (Feistel network with
 * cycle walking), for data order. */
uint64_t dg_rng_permute(uint64_t key, uint64_t i, uint64_t n);

#endif

/* rng.c: Philox 4x32-10 and the laws of rng.h.
 *
 * In     a key, a trip and a step; a range of elements.
 * Out    words, uniform or normal floats, whole numbers; a pseudo-random permutation.
 * Keeps  the same bits on every machine: integers, and floats through +, -, * and sqrt, each
 * rounded once. The file is compiled without contraction (-ffp-contract=off), so no variant fuses a
 * multiplication with an addition.
 * Method LANES blocks side by side; the same source is compiled for three instruction sets and
 * chosen when called. */
#include "compiler/base/rng.h"

#include <math.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

enum { LANES = 16, GROUP = 4 * LANES }; /* blocks and elements made at once */

#define INLINE static inline __attribute__((always_inline))

/* Multipliers and key increments of the paper (table 2). */
#define M0 UINT32_C(0xd2511f53)
#define M1 UINT32_C(0xcd9e8d57)
#define W0 UINT32_C(0x9e3779b9)
#define W1 UINT32_C(0xbb67ae85)

INLINE void philox_round(uint32_t x[4], uint32_t k0, uint32_t k1)
{
    uint64_t p0 = (uint64_t)M0 * x[0], p1 = (uint64_t)M1 * x[2];
    uint32_t y0 = (uint32_t)(p1 >> 32) ^ x[1] ^ k0, y2 = (uint32_t)(p0 >> 32) ^ x[3] ^ k1;
    x[1] = (uint32_t)p1;
    x[3] = (uint32_t)p0;
    x[0] = y0;
    x[2] = y2;
}

void dg_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    memcpy(out, counter, 4 * sizeof *out);
    for (uint32_t i = 0; i < 10; i++) philox_round(out, key[0] + i * W0, key[1] + i * W1);
}

/* LANES blocks one behind the other: 64 words. One such function for each instruction set. */
#if defined(__x86_64__)

/* Words stand in the low halves of 64-bit lanes, since that is what the vector multiplication reads
 * (pmuludq); the high halves hold leftovers that nothing reads. Of two neighbouring lanes the
 * second has a block half a vector further on, so that putting the four words of a block side by
 * side leaves the blocks in order. Two vectors go through the rounds together, since one would wait
 * for its multiplications. */
#define PHILOX(name, vector, per_vector, mm, si, set1, high_half, ...)                             \
    __VA_ARGS__ INLINE void philox_##name(const dg_rng *r, uint64_t block, uint32_t *restrict y)   \
    {                                                                                              \
        static const uint64_t order[] = {ORDER_##per_vector};                                      \
        const vector m0 = set1(M0), m1 = set1(M1), low = set1(UINT32_MAX);                         \
        for (uint32_t b = 0; b < LANES; b += 2 * per_vector) {                                     \
            vector x[2][4], k0 = set1((uint32_t)r->key), k1 = set1(r->key >> 32);                  \
            for (uint32_t v = 0; v < 2; v++) {                                                     \
                x[v][0] = mm##_add_epi64(set1(block + b + v * per_vector),                         \
                                         mm##_loadu_##si((const void *)order));                    \
                x[v][1] = mm##_srli_epi64(x[v][0], 32);                                            \
                x[v][2] = set1(r->trip);                                                           \
                x[v][3] = set1(r->step);                                                           \
            }                                                                                      \
            for (int i = 0; i < 10; i++) {                                                         \
                for (int v = 0; v < 2; v++) {                                                      \
                    vector p0 = mm##_mul_epu32(m0, x[v][0]), p1 = mm##_mul_epu32(m1, x[v][2]);     \
                    x[v][0] = mm##_xor_##si(mm##_xor_##si(high_half(p1), x[v][1]), k0);            \
                    x[v][2] = mm##_xor_##si(mm##_xor_##si(high_half(p0), x[v][3]), k1);            \
                    x[v][1] = p1;                                                                  \
                    x[v][3] = p0;                                                                  \
                }                                                                                  \
                k0 = mm##_add_epi64(k0, set1(W0));                                                 \
                k1 = mm##_add_epi64(k1, set1(W1));                                                 \
            }                                                                                      \
            for (int v = 0; v < 2; v++, y += 4 * per_vector) {                                     \
                vector w01 = mm##_or_##si(mm##_and_##si(x[v][0], low),                             \
                                          mm##_slli_epi64(x[v][1], 32)),                           \
                       w23 = mm##_or_##si(mm##_and_##si(x[v][2], low),                             \
                                          mm##_slli_epi64(x[v][3], 32));                           \
                mm##_storeu_##si((void *)y, mm##_unpacklo_epi64(w01, w23));                        \
                mm##_storeu_##si((void *)(y + 2 * per_vector), mm##_unpackhi_epi64(w01, w23));     \
            }                                                                                      \
        }                                                                                          \
    }
#define ORDER_2 0, 1
#define ORDER_4 0, 2, 1, 3
#define ORDER_8 0, 4, 1, 5, 2, 6, 3, 7

/* The unsigned words come in as signed arguments of set1, with the same bits. */
#define SET_SSE2(x) _mm_set1_epi64x((int64_t)(uint64_t)(x))
#define SET_AVX2(x) _mm256_set1_epi64x((int64_t)(uint64_t)(x))
#define SET_AVX512(x) _mm512_set1_epi64((int64_t)(uint64_t)(x))
#define HIGH_SSE2(x) _mm_srli_epi64(x, 32)
#define HIGH_AVX2(x) _mm256_srli_epi64(x, 32)
#define HIGH_AVX512(x) _mm512_shuffle_epi32(x, _MM_PERM_DDBB) /* not where it multiplies */
#define TARGET_AVX2 __attribute__((target("avx2")))
#define TARGET_AVX512 __attribute__((target("avx512f,avx512dq")))
PHILOX(generic, __m128i, 2, _mm, si128, SET_SSE2, HIGH_SSE2)
PHILOX(avx2, __m256i, 4, _mm256, si256, SET_AVX2, HIGH_AVX2, TARGET_AVX2)
PHILOX(avx512, __m512i, 8, _mm512, si512, SET_AVX512, HIGH_AVX512, TARGET_AVX512)

#else

static void philox_generic(const dg_rng *r, uint64_t block, uint32_t *restrict y)
{
    const uint32_t key[2] = {(uint32_t)r->key, (uint32_t)(r->key >> 32)};
    for (uint64_t b = block; b < block + LANES; b++, y += 4) {
        uint32_t counter[4] = {(uint32_t)b, (uint32_t)(b >> 32), r->trip, r->step};
        dg_philox(counter, key, y);
    }
}

#endif

INLINE float bits_float(uint32_t u)
{
    union {
        uint32_t u;
        float f;
    } c = {.u = u};
    return c.f;
}

INLINE uint32_t float_bits(float f)
{
    union {
        float f;
        uint32_t u;
    } c = {.f = f};
    return c.u;
}

/* log x for normal x in (0, 1]: x = 2^e (1 + f) with 1 + f in [sqrt 1/2, sqrt 2), and log(1 + f) =
 * f - f^2/2 + f^3 P(f), P interpolated at the Chebyshev nodes (relative error 4e-9, far below the
 * rounding). log 2 comes in two parts, so that e times the first is exact. */
INLINE float law_log(float x)
{
    uint32_t bits = float_bits(x);
    int32_t e = (int32_t)(bits - UINT32_C(0x3f3504f3)) >> 23;
    float f = bits_float(bits - ((uint32_t)e << 23)) - 1.0f, k = (float)e;
    float p = 0.06971611827611923f;
    p = p * f - 0.11479733884334564f;
    p = p * f + 0.11685419827699661f;
    p = p * f - 0.12425687164068222f;
    p = p * f + 0.14249058067798615f;
    p = p * f - 0.1666780263185501f;
    p = p * f + 0.20000715553760529f;
    p = p * f - 0.2499999701976776f;
    p = p * f + 0.3333333134651184f;
    float z = f * f, tail = z * f * p + k * -2.12194440e-4f - 0.5f * z;
    return k * 0.693359375f + (f + tail);
}

/* cos and sin of a turns 2^-24. The nearest quarter turn is taken off in integers, exactly; what
 * remains is x in [-1/8, 1/8] turns, where sin(2 pi x) / x and cos(2 pi x) are polynomials in x^2,
 * interpolated at the Chebyshev nodes. */
INLINE void law_turn(uint32_t a, float *cosine, float *sine)
{
    uint32_t quarter = (a + (UINT32_C(1) << 21)) >> 22;
    float x = (float)((int32_t)a - (int32_t)(quarter << 22)) * 0x1p-24f, z = x * x;
    float s = 41.47283172607422f;
    s = s * z - 76.69786834716797f;
    s = s * z + 81.6052017211914f;
    s = s * z - 41.34170150756836f;
    s = (s * z + 6.2831854820251465f) * x;
    float c = 59.42410659790039f;
    c = c * z - 85.44882202148438f;
    c = c * z + 64.93936920166016f;
    c = c * z - 19.739208221435547f;
    c = c * z + 1.0f;
    uint32_t cs = float_bits(c), sn = float_bits(s), swap = 0u - (quarter & 1u);
    uint32_t first = (cs & ~swap) | (sn & swap), second = (sn & ~swap) | (cs & swap);
    *cosine = bits_float(first ^ ((quarter + 1u) & 2u) << 30); /* negative in quarters 1 and 2 */
    *sine = bits_float(second ^ (quarter & 2u) << 30);         /* negative in quarters 2 and 3 */
}

INLINE void to_uniform(uint32_t *restrict y)
{
    for (int i = 0; i < GROUP; i++) y[i] = float_bits((float)(int32_t)(y[i] >> 8) * 0x1p-24f);
}

INLINE void to_normal(uint32_t *restrict y)
{
    for (int i = 0; i < GROUP; i += 2) {
        float u = (float)(int32_t)((y[i] >> 8) + 1) * 0x1p-24f, c, s;
        float radius = sqrtf(-2.0f * law_log(u));
        law_turn(y[i + 1] >> 8, &c, &s);
        y[i] = float_bits(radius * c);
        y[i + 1] = float_bits(radius * s);
    }
}

/* One group of a draw, as bits. */
typedef void fill_group(const dg_rng *r, uint64_t block, uint32_t *restrict out);

typedef struct variant {
    const char *name;
    fill_group *fill[3]; /* by dg_rng_kind */
} variant;

#define VARIANT(name, ...)                                                                         \
    __VA_ARGS__ static void words_##name(const dg_rng *r, uint64_t block, uint32_t *restrict out)  \
    {                                                                                              \
        philox_##name(r, block, out);                                                              \
    }                                                                                              \
    __VA_ARGS__ static void uniform_##name(const dg_rng *r, uint64_t block,                        \
                                           uint32_t *restrict out)                                 \
    {                                                                                              \
        philox_##name(r, block, out);                                                              \
        to_uniform(out);                                                                           \
    }                                                                                              \
    __VA_ARGS__ static void normal_##name(const dg_rng *r, uint64_t block, uint32_t *restrict out) \
    {                                                                                              \
        philox_##name(r, block, out);                                                              \
        to_normal(out);                                                                            \
    }                                                                                              \
    static const variant on_##name = {#name, {words_##name, uniform_##name, normal_##name}};

VARIANT(generic)
#if defined(__x86_64__)
VARIANT(avx2, TARGET_AVX2)
VARIANT(avx512, TARGET_AVX512)
#endif

static const variant *best(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) return &on_avx512;
    if (__builtin_cpu_supports("avx2")) return &on_avx2;
#endif
    return &on_generic;
}

/* All elements are four bytes wide; a range that begins or ends within a group is cut out of a
 * whole one. */
static void draw(fill_group *fill, const dg_rng *r, uint64_t first, int64_t n, void *out)
{
    unsigned char *y = out;
    uint64_t block = first / 4;
    size_t skip = (size_t)(first % 4);
    while (n > 0) {
        int64_t part = GROUP - (int64_t)skip;
        if (skip == 0 && n >= part) {
            fill(r, block, (uint32_t *)(void *)y);
        } else {
            uint32_t whole[GROUP];
            if (part > n) part = n;
            fill(r, block, whole);
            memcpy(y, whole + skip, 4 * (size_t)part);
        }
        y += 4 * part;
        n -= part;
        block += LANES;
        skip = 0;
    }
}

void dg_rng_words(const dg_rng *r, uint64_t first, int64_t n, uint32_t *out)
{
    draw(best()->fill[DG_RNG_WORDS], r, first, n, out);
}

void dg_rng_uniform(const dg_rng *r, uint64_t first, int64_t n, float *out)
{
    draw(best()->fill[DG_RNG_UNIFORM], r, first, n, out);
}

void dg_rng_normal(const dg_rng *r, uint64_t first, int64_t n, float *out)
{
    draw(best()->fill[DG_RNG_NORMAL], r, first, n, out);
}

void dg_rng_int(const dg_rng *r, uint64_t first, int64_t n, int32_t lo, int32_t hi, int32_t *out)
{
    uint64_t range = hi > lo ? (uint64_t)((int64_t)hi - lo) : 0; /* an empty range gives lo */
    uint32_t words[GROUP];
    for (int64_t i = 0; i < n; i += GROUP) {
        int64_t part = n - i < GROUP ? n - i : GROUP;
        dg_rng_words(r, first + (uint64_t)i, part, words);
        for (int64_t k = 0; k < part; k++)
            out[i + k] = (int32_t)(lo + (int64_t)(words[k] * range >> 32));
    }
}

bool dg_rng_draw_on(const char *name, dg_rng_kind kind, const dg_rng *r, uint64_t first, int64_t n,
                    void *out)
{
    const variant *v = NULL;
    if (strcmp(name, "generic") == 0) v = &on_generic;
#if defined(__x86_64__)
    if (strcmp(name, "avx2") == 0 && __builtin_cpu_supports("avx2")) v = &on_avx2;
    if (strcmp(name, "avx512") == 0 && best() == &on_avx512) v = &on_avx512;
#endif
    if (!v) return false;
    draw(v->fill[kind], r, first, n, out);
    return true;
}

/* A balanced Feistel network on the smallest 4^k >= n; what falls outside [0, n) goes through
 * again, fewer than four times on average. Its round function is one Philox block, so eight rounds
 * are more than enough. */
uint64_t dg_rng_permute(uint64_t key, uint64_t i, uint64_t n)
{
    if (n < 2 || i >= n) return i;
    uint32_t half = (uint32_t)(64 - __builtin_clzll(n - 1) + 1) / 2;
    uint64_t mask = (UINT64_C(1) << half) - 1;
    const uint32_t k[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    do {
        uint64_t left = i >> half, right = i & mask;
        for (uint32_t round = 0; round < 8; round++) {
            uint32_t counter[4] = {(uint32_t)right, round, half, 0}, out[4];
            dg_philox(counter, k, out);
            uint64_t next = left ^ (out[0] & mask);
            left = right;
            right = next;
        }
        i = left << half | right;
    } while (i >= n);
    return i;
}

/* rng.c: Philox 4x32-10 and the laws of rng.h.
 *
 * In     a key, a trip and a step; a range of elements.
 * Out    words, uniform or normal floats, whole numbers; a pseudo-random permutation.
 * Keeps  the same bits on every machine: integers, and floats through +, -, * and sqrt, each
 * rounded once. The file is compiled without contraction (-ffp-contract=off), so no variant fuses a
 * multiplication with an addition. Method LANES blocks side by side, in loops that the compiler
 * turns into vectors; the same source is compiled for three instruction sets and chosen when
 * called. */
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

/* LANES blocks, word by word: w[i][lane]. One such function for each instruction set. */
#if defined(__x86_64__)

/* Words stand in the low halves of 64-bit lanes, since that is what the vector multiplication reads
 * (pmuludq); the high halves hold leftovers that nothing reads. */
#define PHILOX(name, vector, per_vector, set1, multiply, exclusive_or, shift_right, load, store,   \
               ...)                                                                                \
    __VA_ARGS__ static inline void philox_##name(const dg_rng *r, uint64_t block,                  \
                                                 uint32_t w[4][LANES])                             \
    {                                                                                              \
        uint64_t x[4][LANES];                                                                      \
        for (uint32_t lane = 0; lane < LANES; lane++) {                                            \
            x[0][lane] = block + lane;                                                             \
            x[1][lane] = (block + lane) >> 32;                                                     \
            x[2][lane] = r->trip;                                                                  \
            x[3][lane] = r->step;                                                                  \
        }                                                                                          \
        const vector m0 = set1(M0), m1 = set1(M1);                                                 \
        for (uint32_t v = 0; v < LANES; v += per_vector) {                                         \
            vector x0 = load((const void *)&x[0][v]), x1 = load((const void *)&x[1][v]);           \
            vector x2 = load((const void *)&x[2][v]), x3 = load((const void *)&x[3][v]);           \
            uint32_t k0 = (uint32_t)r->key, k1 = (uint32_t)(r->key >> 32);                         \
            for (uint32_t i = 0; i < 10; i++, k0 += W0, k1 += W1) {                                \
                vector p0 = multiply(m0, x0), p1 = multiply(m1, x2);                               \
                x0 = exclusive_or(exclusive_or(shift_right(p1, 32), x1), set1(k0));                \
                x2 = exclusive_or(exclusive_or(shift_right(p0, 32), x3), set1(k1));                \
                x1 = p1;                                                                           \
                x3 = p0;                                                                           \
            }                                                                                      \
            store((void *)&x[0][v], x0), store((void *)&x[1][v], x1);                              \
            store((void *)&x[2][v], x2), store((void *)&x[3][v], x3);                              \
        }                                                                                          \
        for (int i = 0; i < 4; i++)                                                                \
            for (int lane = 0; lane < LANES; lane++) w[i][lane] = (uint32_t)x[i][lane];            \
    }

/* The unsigned increments come in as signed arguments of set1, with the same bits. */
#define SET_SSE2(x) _mm_set1_epi64x((int64_t)(uint64_t)(x))
#define SET_AVX2(x) _mm256_set1_epi64x((int64_t)(uint64_t)(x))
#define SET_AVX512(x) _mm512_set1_epi64((int64_t)(uint64_t)(x))
#define TARGET_AVX2 __attribute__((target("avx2")))
#define TARGET_AVX512 __attribute__((target("avx512f,avx512dq")))
PHILOX(generic, __m128i, 2, SET_SSE2, _mm_mul_epu32, _mm_xor_si128, _mm_srli_epi64, _mm_loadu_si128,
       _mm_storeu_si128)
PHILOX(avx2, __m256i, 4, SET_AVX2, _mm256_mul_epu32, _mm256_xor_si256, _mm256_srli_epi64,
       _mm256_loadu_si256, _mm256_storeu_si256, TARGET_AVX2)
PHILOX(avx512, __m512i, 8, SET_AVX512, _mm512_mul_epu32, _mm512_xor_si512, _mm512_srli_epi64,
       _mm512_loadu_si512, _mm512_storeu_si512, TARGET_AVX512)

#else

static void philox_generic(const dg_rng *r, uint64_t block, uint32_t w[4][LANES])
{
    const uint32_t key[2] = {(uint32_t)r->key, (uint32_t)(r->key >> 32)};
    for (uint32_t lane = 0; lane < LANES; lane++) {
        uint64_t b = block + lane;
        uint32_t counter[4] = {(uint32_t)b, (uint32_t)(b >> 32), r->trip, r->step}, out[4];
        dg_philox(counter, key, out);
        for (int i = 0; i < 4; i++) w[i][lane] = out[i];
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

INLINE void interleave(const uint32_t w[4][LANES], uint32_t *restrict y)
{
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < 4; i++) y[4 * lane + i] = w[i][lane];
}

INLINE void to_uniform(uint32_t w[4][LANES])
{
    for (int i = 0; i < 4; i++)
        for (int lane = 0; lane < LANES; lane++)
            w[i][lane] = float_bits((float)(int32_t)(w[i][lane] >> 8) * 0x1p-24f);
}

INLINE void to_normal(uint32_t w[4][LANES])
{
    for (int pair = 0; pair < 4; pair += 2) {
        for (int lane = 0; lane < LANES; lane++) {
            float u = (float)(int32_t)((w[pair][lane] >> 8) + 1) * 0x1p-24f, c, s;
            float radius = sqrtf(-2.0f * law_log(u));
            law_turn(w[pair + 1][lane] >> 8, &c, &s);
            w[pair][lane] = float_bits(radius * c);
            w[pair + 1][lane] = float_bits(radius * s);
        }
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
        uint32_t w[4][LANES];                                                                      \
        philox_##name(r, block, w);                                                                \
        interleave(w, out);                                                                        \
    }                                                                                              \
    __VA_ARGS__ static void uniform_##name(const dg_rng *r, uint64_t block,                        \
                                           uint32_t *restrict out)                                 \
    {                                                                                              \
        uint32_t w[4][LANES];                                                                      \
        philox_##name(r, block, w);                                                                \
        to_uniform(w);                                                                             \
        interleave(w, out);                                                                        \
    }                                                                                              \
    __VA_ARGS__ static void normal_##name(const dg_rng *r, uint64_t block, uint32_t *restrict out) \
    {                                                                                              \
        uint32_t w[4][LANES];                                                                      \
        philox_##name(r, block, w);                                                                \
        to_normal(w);                                                                              \
        interleave(w, out);                                                                        \
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

/* chain.c: see chain.h. A tile is eight vectors wide, so that reading a step costs little beside
 * doing it; the end of a row is done by tiles of four, two and one vectors and of one float. Rows
 * of a few KiB that lie apart are more than a CPU foresees by itself, so the next ones are fetched
 * ahead. */
#include "ops/support/chain.h"

#include "ops/ops.h"

/* Without contraction: a product and a sum round one after the other, as separate ops do. */
#define TARGET_GENERIC
#if defined(__x86_64__)
#define TARGET_AVX2 __attribute__((target("avx2")))
#define TARGET_AVX512 __attribute__((target("avx512f,avx512vl")))
#else
#define TARGET_AVX2
#define TARGET_AVX512
#endif
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
typedef float eight __attribute__((vector_size(32), aligned(4), may_alias));
typedef float sixteen __attribute__((vector_size(64), aligned(4), may_alias));

#define EACH _Pragma("GCC unroll 8") for (int j = 0; j < count; j++)
#define FETCH EACH __builtin_prefetch((float *)(x + j) + s->ahead)

/* One tile of `count` vectors, `at` elements behind the start of the row. */
#define TILE(name, vector, count_, TARGET)                                                         \
    TARGET static void name(const dg_chain_step *s, int64_t at)                                    \
    {                                                                                              \
        enum { count = count_ };                                                                   \
        vector a[count];                                                                           \
        EACH a[j] = (vector){0};                                                                   \
        for (;; s++) {                                                                             \
            vector *x = (vector *)(void *)(s->x + at);                                             \
            switch (s->op) {                                                                       \
            case DG_CHAIN_LOAD:                                                                    \
                FETCH;                                                                             \
                EACH a[j] = x[j];                                                                  \
                break;                                                                             \
            case DG_CHAIN_LOAD_ONE:                                                                \
                EACH a[j] = *s->x - (vector){0}; /* keeps -0 */                                    \
                break;                                                                             \
            case DG_CHAIN_ADD:                                                                     \
                FETCH;                                                                             \
                EACH a[j] = a[j] + x[j];                                                           \
                break;                                                                             \
            case DG_CHAIN_ADD_ONE:                                                                 \
                EACH a[j] = a[j] + *s->x;                                                          \
                break;                                                                             \
            case DG_CHAIN_SUB:                                                                     \
                FETCH;                                                                             \
                EACH a[j] = a[j] - x[j];                                                           \
                break;                                                                             \
            case DG_CHAIN_SUB_ONE:                                                                 \
                EACH a[j] = a[j] - *s->x;                                                          \
                break;                                                                             \
            case DG_CHAIN_FROM:                                                                    \
                FETCH;                                                                             \
                EACH a[j] = x[j] - a[j];                                                           \
                break;                                                                             \
            case DG_CHAIN_FROM_ONE:                                                                \
                EACH a[j] = *s->x - a[j];                                                          \
                break;                                                                             \
            case DG_CHAIN_MUL:                                                                     \
                FETCH;                                                                             \
                EACH a[j] = a[j] * x[j];                                                           \
                break;                                                                             \
            case DG_CHAIN_MUL_ONE:                                                                 \
                EACH a[j] = a[j] * *s->x;                                                          \
                break;                                                                             \
            case DG_CHAIN_DIV:                                                                     \
                FETCH;                                                                             \
                EACH a[j] = a[j] / x[j];                                                           \
                break;                                                                             \
            case DG_CHAIN_DIV_ONE:                                                                 \
                EACH a[j] = a[j] / *s->x;                                                          \
                break;                                                                             \
            case DG_CHAIN_UNDER:                                                                   \
                FETCH;                                                                             \
                EACH a[j] = x[j] / a[j];                                                           \
                break;                                                                             \
            case DG_CHAIN_UNDER_ONE:                                                               \
                EACH a[j] = *s->x / a[j];                                                          \
                break;                                                                             \
            case DG_CHAIN_NEG:                                                                     \
                EACH a[j] = -a[j];                                                                 \
                break;                                                                             \
            case DG_CHAIN_SQUARE:                                                                  \
                EACH a[j] = a[j] * a[j];                                                           \
                break;                                                                             \
            case DG_CHAIN_STORE:                                                                   \
                EACH x[j] = a[j];                                                                  \
                break;                                                                             \
            case DG_CHAIN_END:                                                                     \
                return;                                                                            \
            }                                                                                      \
        }                                                                                          \
    }

#define ROW(name, vector, lanes, TARGET)                                                           \
    TILE(name##_tile8, vector, 8, TARGET)                                                          \
    TILE(name##_tile4, vector, 4, TARGET)                                                          \
    TILE(name##_tile2, vector, 2, TARGET)                                                          \
    TILE(name##_tile1, vector, 1, TARGET)                                                          \
    static void name(const dg_chain_step *s, int64_t n)                                            \
    {                                                                                              \
        int64_t at = 0;                                                                            \
        for (; at + 8 * lanes <= n; at += 8 * lanes) name##_tile8(s, at);                          \
        for (; at + 4 * lanes <= n; at += 4 * lanes) name##_tile4(s, at);                          \
        for (; at + 2 * lanes <= n; at += 2 * lanes) name##_tile2(s, at);                          \
        for (; at + lanes <= n; at += lanes) name##_tile1(s, at);                                  \
        for (; at < n; at++) single(s, at);                                                        \
    }

typedef float one __attribute__((vector_size(4), aligned(4), may_alias));
TILE(single, one, 1, TARGET_GENERIC)
ROW(row_generic, four, 4, TARGET_GENERIC)
ROW(row_avx2, eight, 8, TARGET_AVX2)
ROW(row_avx512, sixteen, 16, TARGET_AVX512)

void dg_chain_run(dg_isa isa, dg_chain_step *steps, int64_t rows, int64_t columns)
{
    static void (*const row[DG_ISAS])(const dg_chain_step *s, int64_t n) = {row_generic, row_avx2,
                                                                            row_avx512};
    for (int64_t r = 0; r < rows; r++) {
        row[isa](steps, columns);
        for (dg_chain_step *s = steps; s->op != DG_CHAIN_END; s++) s->x += s->row;
    }
}

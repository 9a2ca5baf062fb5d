/* winograd_product.c: see winograd_product.h. Up to 8 rows by 32 columns of c are kept in registers
 * while k runs: per step two vectors of b and one broadcast of a for each row. With 512-bit
 * registers that is the whole tile at once; narrower ones take it in parts. */
#include "ops/support/winograd_product.h"

#include "ops/ops.h"

enum { LANES = DG_WINOGRAD_LANES, PANEL = DG_WINOGRAD_PANEL };

typedef float v4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef float v8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float v16 __attribute__((vector_size(64), aligned(4), may_alias));

typedef void tile_fn(int64_t k, const float *a, int64_t apart, const float *b, bool add, float *c);

#define STEP(vec, V, HIGH, BY_ROW, at)                                                             \
    {                                                                                              \
        vec x = *(const vec *)right, y = *(const vec *)(right + V);                                \
        _Pragma("GCC unroll 8") for (int r = 0; r < HIGH; r++)                                     \
        {                                                                                          \
            sum[r][0] += x * left[r * BY_ROW + (at)];                                              \
            sum[r][1] += y * left[r * BY_ROW + (at)];                                              \
        }                                                                                          \
    }

/* ROWS rows, HIGH of them and two vectors of V floats at a time. Row i of a lies i * BY_ROW floats
 * behind the first, step p of sixteen p * BY_STEP. */
#define TILE(name, target, vec, V, ROWS, HIGH, BY_ROW, BY_STEP)                                    \
    target static void name(int64_t k, const float *a, int64_t apart, const float *b, bool add,    \
                            float *c)                                                              \
    {                                                                                              \
        for (int j = 0; j < PANEL; j += 2 * V) {                                                   \
            for (int i = 0; i < ROWS; i += HIGH) {                                                 \
                vec sum[HIGH][2];                                                                  \
                const float *left = a + i * BY_ROW, *right = b + j;                                \
                _Pragma("GCC unroll 8") for (int r = 0; r < HIGH; r++) sum[r][0] = sum[r][1] =     \
                    (vec){0};                                                                      \
                int64_t p = 0;                                                                     \
                for (; p + LANES <= k; p += LANES, left += apart)                                  \
                    _Pragma("GCC unroll 4") for (int s = 0; s < LANES; s++, right += PANEL)        \
                        STEP(vec, V, HIGH, BY_ROW, s *BY_STEP) for (int s = 0; p < k;              \
                                                                    p++, s++, right += PANEL)      \
                            STEP(vec, V, HIGH, BY_ROW, s *BY_STEP)                                 \
                                _Pragma("GCC unroll 8") for (int r = 0; r < HIGH; r++)             \
                    {                                                                              \
                        vec *to = (vec *)(c + (i + r) * PANEL + j),                                \
                            *next = (vec *)(c + (i + r) * PANEL + j + V);                          \
                        if (add) {                                                                 \
                            sum[r][0] += *to;                                                      \
                            sum[r][1] += *next;                                                    \
                        }                                                                          \
                        *to = sum[r][0];                                                           \
                        *next = sum[r][1];                                                         \
                    }                                                                              \
            }                                                                                      \
        }                                                                                          \
    }

/* Kernels of 8, 4, 2 and 1 rows. */
#define TILES(name, target, vec, V, MOST, BY_ROW, BY_STEP)                                         \
    TILE(name##_8, target, vec, V, 8, MOST, BY_ROW, BY_STEP)                                       \
    TILE(name##_4, target, vec, V, 4, 4, BY_ROW, BY_STEP)                                          \
    TILE(name##_2, target, vec, V, 2, 2, BY_ROW, BY_STEP)                                          \
    TILE(name##_1, target, vec, V, 1, 1, BY_ROW, BY_STEP)
#define TILES_OF(name)                                                                             \
    {                                                                                              \
        name##_8, name##_4, name##_2, name##_1                                                     \
    }

TILES(plain_generic, , v4, 4, 4, LANES, 1)
TILES(plain_avx2, DG_TARGET_AVX2, v8, 8, 4, LANES, 1)
TILES(plain_avx512, DG_TARGET_AVX512, v16, 16, 8, LANES, 1)
TILES(turned_generic, , v4, 4, 4, 1, LANES)
TILES(turned_avx2, DG_TARGET_AVX2, v8, 8, 4, 1, LANES)
TILES(turned_avx512, DG_TARGET_AVX512, v16, 16, 8, 1, LANES)

static tile_fn *const plain[DG_ISAS][4] = {TILES_OF(plain_generic), TILES_OF(plain_avx2),
                                           TILES_OF(plain_avx512)};
static tile_fn *const turned[DG_ISAS][4] = {TILES_OF(turned_generic), TILES_OF(turned_avx2),
                                            TILES_OF(turned_avx512)};

void dg_winograd_product(dg_isa isa, int64_t m, int64_t k, const float *a, int64_t apart,
                         const float *b, bool add, float *c)
{
    int64_t i = 0;
    for (int size = 0, rows = 8; size < 4; size++, rows /= 2)
        for (; i + rows <= m; i += rows)
            plain[isa][size](k, a + i * LANES, apart, b, add, c + i * PANEL);
}

void dg_winograd_product_turned(dg_isa isa, int64_t m, int64_t k, const float *a, const float *b,
                                bool add, float *c)
{
    int64_t i = 0;
    for (int size = 0, rows = 8; size < 4; size++, rows /= 2)
        for (; i + rows <= m; i += rows)
            turned[isa][size](k, a + i, LANES * LANES, b, add, c + i * PANEL);
}

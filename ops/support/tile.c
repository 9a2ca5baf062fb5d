/* tile.c: see tile.h. A tile of C, 8 by 32, is kept in registers while k runs: per step two vectors
 * of B and one broadcast of A for each row. With 512-bit registers that is the whole tile at once;
 * narrower ones take it in parts. */
#include "ops/support/tile.h"

#include "ops/ops.h"

enum { ROWS = 8, COLUMNS = DG_TILE_COLUMNS };

typedef float v4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef float v8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float v16 __attribute__((vector_size(64), aligned(4), may_alias));

/* a[r][p * step] is element p of row r. */
typedef void tile_fn(int64_t k, const float *const *a, int64_t step, const float *b, int64_t ldb,
                     bool add, float *c, int64_t ldc);

/* HIGH rows and two vectors of V at a time: as many sums as the registers hold, and enough to hide
 * the latency of their additions. */
#define TILE(name, target, vec, V, HIGH)                                                           \
    target static void name(int64_t k, const float *const *a, int64_t step, const float *b,        \
                            int64_t ldb, bool add, float *c, int64_t ldc)                          \
    {                                                                                              \
        for (int j = 0; j < COLUMNS; j += 2 * V) {                                                 \
            for (int i = 0; i < ROWS; i += HIGH) {                                                 \
                vec sum[HIGH][2];                                                                  \
                const float *row[HIGH], *right = b + j;                                            \
                _Pragma("GCC unroll 8") for (int r = 0; r < HIGH; r++)                             \
                {                                                                                  \
                    row[r] = a[i + r];                                                             \
                    sum[r][0] = sum[r][1] = (vec){0};                                              \
                }                                                                                  \
                for (int64_t p = 0, at = 0; p < k; p++, at += step, right += ldb) {                \
                    vec x = *(const vec *)right, y = *(const vec *)(right + V);                    \
                    _Pragma("GCC unroll 8") for (int r = 0; r < HIGH; r++)                         \
                    {                                                                              \
                        sum[r][0] += x * row[r][at];                                               \
                        sum[r][1] += y * row[r][at];                                               \
                    }                                                                              \
                }                                                                                  \
                _Pragma("GCC unroll 8") for (int r = 0; r < HIGH; r++)                             \
                {                                                                                  \
                    vec *to = (vec *)(c + (i + r) * ldc + j),                                      \
                        *next = (vec *)(c + (i + r) * ldc + j + V);                                \
                    if (add) {                                                                     \
                        sum[r][0] += *to;                                                          \
                        sum[r][1] += *next;                                                        \
                    }                                                                              \
                    *to = sum[r][0];                                                               \
                    *next = sum[r][1];                                                             \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }

TILE(tile_generic, , v4, 4, 4)
TILE(tile_avx2, DG_TARGET_AVX2, v8, 8, 4)
TILE(tile_avx512, DG_TARGET_AVX512, v16, 16, 8)

static tile_fn *const tiles[DG_ISAS] = {tile_generic, tile_avx2, tile_avx512};

static void product(dg_isa isa, int64_t m, int64_t n, int64_t k, const float *a, int64_t by_row,
                    int64_t step, const float *b, int64_t ldb, bool add, float *c, int64_t ldc)
{
    for (int64_t j = 0; j < n; j += COLUMNS) {
        int64_t cols = n - j < COLUMNS ? n - j : COLUMNS;
        for (int64_t i = 0; i < m; i += ROWS) {
            int64_t rows = m - i < ROWS ? m - i : ROWS;
            const float *row[ROWS];
            for (int r = 0; r < ROWS; r++)
                row[r] = a + (i + (r < rows ? r : 0)) * by_row; /* rows too many repeat the first */
            float *to = c + i * ldc + j;
            if (rows == ROWS && cols == COLUMNS) {
                tiles[isa](k, row, step, b + j, ldb, add, to, ldc);
                continue;
            }
            float edge[ROWS * COLUMNS];
            tiles[isa](k, row, step, b + j, ldb, false, edge, COLUMNS);
            for (int64_t r = 0; r < rows; r++)
                for (int64_t e = 0; e < cols; e++)
                    to[r * ldc + e] =
                        add ? to[r * ldc + e] + edge[r * COLUMNS + e] : edge[r * COLUMNS + e];
        }
    }
}

void dg_tile_product(dg_isa isa, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                     const float *b, int64_t ldb, bool add, float *c, int64_t ldc)
{
    product(isa, m, n, k, a, lda, 1, b, ldb, add, c, ldc);
}

void dg_tile_product_turned(dg_isa isa, int64_t m, int64_t n, int64_t k, const float *a,
                            int64_t lda, const float *b, int64_t ldb, bool add, float *c,
                            int64_t ldc)
{
    product(isa, m, n, k, a, 1, lda, b, ldb, add, c, ldc);
}

/* ---- transposes: 8 by 8 in three rounds of shuffles ---- */

#define MIX(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#define PAIRS_LOW(x, y) MIX(x, y, 0, 8, 1, 9, 4, 12, 5, 13)
#define PAIRS_HIGH(x, y) MIX(x, y, 2, 10, 3, 11, 6, 14, 7, 15)
#define TWOS_LOW(x, y) MIX(x, y, 0, 1, 8, 9, 4, 5, 12, 13)
#define TWOS_HIGH(x, y) MIX(x, y, 2, 3, 10, 11, 6, 7, 14, 15)
#define HALVES_LOW(x, y) MIX(x, y, 0, 1, 2, 3, 8, 9, 10, 11)
#define HALVES_HIGH(x, y) MIX(x, y, 4, 5, 6, 7, 12, 13, 14, 15)
#define ROW(i) (*(const v8 *)(from + (i)*ldf))
#define COLUMN(j) (*(v8 *)(to + (j)*ldt))

static inline __attribute__((always_inline)) void transpose_8x8(const float *from, int64_t ldf,
                                                                float *to, int64_t ldt)
{
    v8 a = PAIRS_LOW(ROW(0), ROW(1)), b = PAIRS_HIGH(ROW(0), ROW(1)), c = PAIRS_LOW(ROW(2), ROW(3)),
       d = PAIRS_HIGH(ROW(2), ROW(3));
    v8 e = PAIRS_LOW(ROW(4), ROW(5)), f = PAIRS_HIGH(ROW(4), ROW(5)), g = PAIRS_LOW(ROW(6), ROW(7)),
       h = PAIRS_HIGH(ROW(6), ROW(7));
    v8 top0 = TWOS_LOW(a, c), top1 = TWOS_HIGH(a, c), top2 = TWOS_LOW(b, d), top3 = TWOS_HIGH(b, d);
    v8 low0 = TWOS_LOW(e, g), low1 = TWOS_HIGH(e, g), low2 = TWOS_LOW(f, h), low3 = TWOS_HIGH(f, h);
    COLUMN(0) = HALVES_LOW(top0, low0);
    COLUMN(1) = HALVES_LOW(top1, low1);
    COLUMN(2) = HALVES_LOW(top2, low2);
    COLUMN(3) = HALVES_LOW(top3, low3);
    COLUMN(4) = HALVES_HIGH(top0, low0);
    COLUMN(5) = HALVES_HIGH(top1, low1);
    COLUMN(6) = HALVES_HIGH(top2, low2);
    COLUMN(7) = HALVES_HIGH(top3, low3);
}

DG_VARIANTS(void, transpose,
            (int64_t rows, int64_t cols, const float *from, int64_t ldf, float *to, int64_t ldt),
            (rows, cols, from, ldf, to, ldt), {
                for (int64_t j = 0; j < cols; j += 8) {
                    for (int64_t i = 0; i < rows; i += 8) {
                        if (j + 8 <= cols && i + 8 <= rows) {
                            transpose_8x8(from + i * ldf + j, ldf, to + j * ldt + i, ldt);
                            continue;
                        }
                        for (int64_t r = i; r < rows && r < i + 8; r++)
                            for (int64_t c = j; c < cols && c < j + 8; c++)
                                to[c * ldt + r] = from[r * ldf + c];
                    }
                }
            })

void dg_tile_transpose(dg_isa isa, int64_t rows, int64_t cols, const float *from, int64_t ldf,
                       float *to, int64_t ldt)
{
    transpose[isa](rows, cols, from, ldf, to, ldt);
}

/* tile.c: see tile.h. A tile of C, some rows of 32 columns, stays in registers while k runs: per
 * step two vectors of B, and for each row one element of A, spread over a vector and used twice.
 * With AVX-512, 14 rows take 28 of the 32 registers, which leaves two for B and one for A: 28
 * multiply-adds for 16 loads, so that the processor waits for nothing but the multiply-adds. Of 16
 * registers, 6 rows of two vectors take 12, and the columns are taken in parts.
 *
 * m rows are cut into tiles of nearly equal height (64 = 13 + 13 + 13 + 13 + 12), for a tile of few
 * rows waits for its own sums. */
#include "ops/support/tile.h"

#include "ops/ops.h"

enum { COLUMNS = DG_TILE_COLUMNS, HIGHEST = 14, BLOCK = 16 };

typedef float v4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef float v8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float v16 __attribute__((vector_size(64), aligned(4), may_alias));

/* C[rows, COLUMNS] = or += A[rows, k] B[k, COLUMNS]; of A, rows or columns are lda apart. */
typedef void tile_fn(int rows, int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb,
                     bool add, float *c, int64_t ldc);

/* Element p of row r of A is a[r * row + p * step]. Inlined where `rows` and one of `row` and
 * `step` are numbers, so that the loops over rows unroll and the sums are registers. */
#define TILE(name, vec, V)                                                                         \
    static inline __attribute__((always_inline)) void name(                                        \
        int rows, int64_t k, const float *a, int64_t row, int64_t step, const float *b,            \
        int64_t ldb, bool add, float *c, int64_t ldc)                                              \
    {                                                                                              \
        for (int j = 0; j < COLUMNS; j += 2 * V) {                                                 \
            const float *left = a, *right = b + j;                                                 \
            vec sum[HIGHEST][2];                                                                   \
            _Pragma("GCC unroll 16") for (int r = 0; r < rows; r++)                                \
            {                                                                                      \
                sum[r][0] = sum[r][1] = (vec){0};                                                  \
                __builtin_prefetch(c + r * ldc + j, 1);                                            \
                __builtin_prefetch(c + r * ldc + j + 2 * V - 1, 1);                                \
            }                                                                                      \
            for (int64_t p = 0; p < k; p++, left += step, right += ldb) {                          \
                vec x = *(const vec *)right, y = *(const vec *)(right + V);                        \
                _Pragma("GCC unroll 16") for (int r = 0; r < rows; r++)                            \
                {                                                                                  \
                    sum[r][0] += x * left[r * row];                                                \
                    sum[r][1] += y * left[r * row];                                                \
                }                                                                                  \
            }                                                                                      \
            _Pragma("GCC unroll 16") for (int r = 0; r < rows; r++)                                \
            {                                                                                      \
                vec *to = (vec *)(c + r * ldc + j), *next = (vec *)(c + r * ldc + j + V);          \
                if (add) {                                                                         \
                    sum[r][0] += *to;                                                              \
                    sum[r][1] += *next;                                                            \
                }                                                                                  \
                *to = sum[r][0];                                                                   \
                *next = sum[r][1];                                                                 \
            }                                                                                      \
        }                                                                                          \
    }
TILE(tile_4, v4, 4)
TILE(tile_8, v8, 8)
TILE(tile_16, v16, 16)

#define CASE(tile, n, row, step)                                                                   \
    case n:                                                                                        \
        tile(n, k, a, row, step, b, ldb, add, c, ldc);                                             \
        return;
#define CASES_6(tile, row, step)                                                                   \
    CASE(tile, 1, row, step)                                                                       \
    CASE(tile, 2, row, step)                                                                       \
    CASE(tile, 3, row, step)                                                                       \
    CASE(tile, 4, row, step)                                                                       \
    CASE(tile, 5, row, step)                                                                       \
    CASE(tile, 6, row, step)
#define CASES_14(tile, row, step)                                                                  \
    CASES_6(tile, row, step)                                                                       \
    CASE(tile, 7, row, step)                                                                       \
    CASE(tile, 8, row, step)                                                                       \
    CASE(tile, 9, row, step)                                                                       \
    CASE(tile, 10, row, step)                                                                      \
    CASE(tile, 11, row, step)                                                                      \
    CASE(tile, 12, row, step)                                                                      \
    CASE(tile, 13, row, step)                                                                      \
    CASE(tile, 14, row, step)
#define TILES(name, target, cases, tile, row, step)                                                \
    target static void name(int rows, int64_t k, const float *a, int64_t lda, const float *b,      \
                            int64_t ldb, bool add, float *c, int64_t ldc)                          \
    {                                                                                              \
        switch (rows) {                                                                            \
            cases(tile, row, step)                                                                 \
        }                                                                                          \
    }
TILES(rows_generic, , CASES_6, tile_4, lda, 1)
TILES(rows_avx2, DG_TARGET_AVX2, CASES_6, tile_8, lda, 1)
TILES(rows_avx512, DG_TARGET_AVX512, CASES_14, tile_16, lda, 1)
TILES(turned_generic, , CASES_6, tile_4, 1, lda)
TILES(turned_avx2, DG_TARGET_AVX2, CASES_6, tile_8, 1, lda)
TILES(turned_avx512, DG_TARGET_AVX512, CASES_14, tile_16, 1, lda)

static tile_fn *const by_rows[DG_ISAS] = {rows_generic, rows_avx2, rows_avx512},
                      *const turned[DG_ISAS] = {turned_generic, turned_avx2, turned_avx512};
static const int highest[DG_ISAS] = {6, 6, HIGHEST};

int dg_tile_high(dg_isa isa)
{
    return highest[isa];
}

static void product(dg_isa isa, tile_fn *tile, int64_t m, int64_t n, int64_t k, const float *a,
                    int64_t row, int64_t lda, const float *b, int64_t ldb, bool add, float *c,
                    int64_t ldc)
{
    int64_t count = (m + highest[isa] - 1) / highest[isa];
    for (int64_t j = 0; j < n; j += COLUMNS) {
        int64_t cols = n - j < COLUMNS ? n - j : COLUMNS;
        for (int64_t t = 0, i = 0; t < count; t++) {
            int rows = (int)((m - i) / (count - t));
            float *to = c + i * ldc + j, edge[HIGHEST * COLUMNS];
            tile(rows, k, a + i * row, lda, b + j, ldb, add && cols == COLUMNS,
                 cols == COLUMNS ? to : edge, cols == COLUMNS ? ldc : COLUMNS);
            for (int64_t r = 0; cols < COLUMNS && r < rows; r++)
                for (int64_t e = 0; e < cols; e++)
                    to[r * ldc + e] =
                        add ? to[r * ldc + e] + edge[r * COLUMNS + e] : edge[r * COLUMNS + e];
            i += rows;
        }
    }
}

void dg_tile_product(dg_isa isa, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                     const float *b, int64_t ldb, bool add, float *c, int64_t ldc)
{
    product(isa, by_rows[isa], m, n, k, a, lda, lda, b, ldb, add, c, ldc);
}

void dg_tile_product_turned(dg_isa isa, int64_t m, int64_t n, int64_t k, const float *a,
                            int64_t lda, const float *b, int64_t ldb, bool add, float *c,
                            int64_t ldc)
{
    product(isa, turned[isa], m, n, k, a, 1, lda, b, ldb, add, c, ldc);
}

/* ---- transposes ----
 *
 * Blocks of 16 by 16, so that each line of 64 bytes is read and written once and whole, however far
 * apart rows lie: a step of 4 KiB puts all of them into one set of the first cache, where they
 * would not stay. What is left at the edges goes by 8 by 8, and that by elements. */

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

/* The same with quarters of vectors instead of halves, each of four columns of four rows. */
#define PAIRS16(x, y, n)                                                                           \
    MIX(x, y, n, 16 + n, 1 + n, 17 + n, 4 + n, 20 + n, 5 + n, 21 + n, 8 + n, 24 + n, 9 + n,        \
        25 + n, 12 + n, 28 + n, 13 + n, 29 + n)
#define TWOS16(x, y, n)                                                                            \
    MIX(x, y, n, 1 + n, 16 + n, 17 + n, 4 + n, 5 + n, 20 + n, 21 + n, 8 + n, 9 + n, 24 + n,        \
        25 + n, 12 + n, 13 + n, 28 + n, 29 + n)
#define QUARTERS16(x, y, n)                                                                        \
    MIX(x, y, n, 1 + n, 2 + n, 3 + n, 8 + n, 9 + n, 10 + n, 11 + n, 16 + n, 17 + n, 18 + n,        \
        19 + n, 24 + n, 25 + n, 26 + n, 27 + n)

DG_TARGET_AVX512 static void transpose_16x16(const float *from, int64_t ldf, float *to, int64_t ldt)
{
    v16 q[4][4]; /* q[g][c]: column 4 i + c of the rows 4 g .. 4 g + 3 in its quarter i */
    _Pragma("GCC unroll 4") for (int g = 0; g < 4; g++, from += 4 * ldf)
    {
        v16 r0 = *(const v16 *)from, r1 = *(const v16 *)(from + ldf),
            r2 = *(const v16 *)(from + 2 * ldf), r3 = *(const v16 *)(from + 3 * ldf);
        v16 a = PAIRS16(r0, r1, 0), b = PAIRS16(r0, r1, 2), c = PAIRS16(r2, r3, 0),
            d = PAIRS16(r2, r3, 2);
        q[g][0] = TWOS16(a, c, 0);
        q[g][1] = TWOS16(a, c, 2);
        q[g][2] = TWOS16(b, d, 0);
        q[g][3] = TWOS16(b, d, 2);
    }
    _Pragma("GCC unroll 4") for (int c = 0; c < 4; c++, to += ldt)
    {
        v16 even = QUARTERS16(q[0][c], q[1][c], 0), odd = QUARTERS16(q[0][c], q[1][c], 4),
            even2 = QUARTERS16(q[2][c], q[3][c], 0), odd2 = QUARTERS16(q[2][c], q[3][c], 4);
        *(v16 *)to = QUARTERS16(even, even2, 0);
        *(v16 *)(to + 4 * ldt) = QUARTERS16(odd, odd2, 0);
        *(v16 *)(to + 8 * ldt) = QUARTERS16(even, even2, 4);
        *(v16 *)(to + 12 * ldt) = QUARTERS16(odd, odd2, 4);
    }
}

/* What is not 16 by 16, or has no registers for it. */
DG_VARIANTS(void, transpose_less,
            (int64_t rows, int64_t cols, const float *from, int64_t ldf, float *to, int64_t ldt),
            (rows, cols, from, ldf, to, ldt), {
                for (int64_t b = 0; b < cols; b += BLOCK) {
                    for (int64_t i = 0; i < rows; i += 8) {
                        for (int64_t j = b; j < cols && j < b + BLOCK; j += 8) {
                            if (j + 8 <= cols && i + 8 <= rows) {
                                transpose_8x8(from + i * ldf + j, ldf, to + j * ldt + i, ldt);
                                continue;
                            }
                            for (int64_t r = i; r < rows && r < i + 8; r++)
                                for (int64_t c = j; c < cols && c < j + 8; c++)
                                    to[c * ldt + r] = from[r * ldf + c];
                        }
                    }
                }
            })

void dg_tile_transpose(dg_isa isa, int64_t rows, int64_t cols, const float *from, int64_t ldf,
                       float *to, int64_t ldt)
{
    int64_t high = isa == DG_AVX512 ? rows / BLOCK * BLOCK : 0,
            wide = isa == DG_AVX512 ? cols / BLOCK * BLOCK : 0;
    for (int64_t j = 0; j < wide; j += BLOCK)
        for (int64_t i = 0; i < high; i += BLOCK)
            transpose_16x16(from + i * ldf + j, ldf, to + j * ldt + i, ldt);
    if (high < rows) transpose_less[isa](rows - high, wide, from + high * ldf, ldf, to + high, ldt);
    if (wide < cols) transpose_less[isa](rows, cols - wide, from + wide, ldf, to + wide * ldt, ldt);
}

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

enum { COLUMNS = DG_TILE_COLUMNS, BLOCK = DG_TILE_GROUP, HIGHEST = 14 };

typedef float v4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef float v8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float v16 __attribute__((vector_size(64), aligned(4), may_alias));

/* C[m, COLUMNS] = or += A[m, k] B[k, COLUMNS], or some rows of it. */
typedef struct operands {
    int64_t k;
    const float *a; /* element p of row r is a[p / 16 * group + p % 16 * step + r * row] */
    int64_t row, step, group;
    const float *b;
    int64_t ldb;
    float *c;
    int64_t ldc;
    bool add;
    /* What the product after this one reads: each step of a tile brings a line of either operand
     * into the second cache and goes on by so many bytes. */
    const char *next_a, *next_b;
    int64_t a_step, b_step;
} operands;

typedef void tile_fn(int rows, const operands *x);

/* One step of k, with row 0's element at `a`. */
#define STEP(vec, V)                                                                               \
    {                                                                                              \
        vec left = *(const vec *)b, right = *(const vec *)(b + V);                                 \
        __builtin_prefetch(next_a, 0, 2);                                                          \
        __builtin_prefetch(next_b, 0, 2);                                                          \
        _Pragma("GCC unroll 16") for (int r = 0; r < rows; r++)                                    \
        {                                                                                          \
            sum[r][0] += left * a[r * row];                                                        \
            sum[r][1] += right * a[r * row];                                                       \
        }                                                                                          \
        a += step;                                                                                 \
        b += x->ldb;                                                                               \
        next_a += x->a_step;                                                                       \
        next_b += x->b_step;                                                                       \
    }

/* Inlined where `rows` and some strides are numbers, so that the loops over rows unroll, the sums
 * are registers, and few addresses have to be. */
#define TILE(name, vec, V)                                                                         \
    static inline __attribute__((always_inline)) void name(int rows, const operands *x,            \
                                                           int64_t row, int64_t step)              \
    {                                                                                              \
        int64_t ldc = x->ldc;                                                                      \
        const bool add = x->add;                                                                   \
        for (int j = 0; j < COLUMNS; j += 2 * V) {                                                 \
            const float *a = x->a, *b = x->b + j, *group = a;                                      \
            const char *next_a = x->next_a, *next_b = x->next_b;                                   \
            float *c = x->c + j;                                                                   \
            vec sum[HIGHEST][2];                                                                   \
            _Pragma("GCC unroll 16") for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] =        \
                (vec){0};                                                                          \
            for (int64_t n = x->k / BLOCK; n > 0; n--, a = group += x->group)                      \
                _Pragma("GCC unroll 4") for (int s = 0; s < BLOCK; s++)                            \
                    STEP(vec, V) for (int64_t n = x->k % BLOCK; n > 0; n--) STEP(vec, V)           \
                        _Pragma("GCC unroll 16") for (int r = 0; r < rows; r++)                    \
                {                                                                                  \
                    vec *to = (vec *)(c + r * ldc), *beside = (vec *)(c + r * ldc + V);            \
                    if (add) {                                                                     \
                        sum[r][0] += *to;                                                          \
                        sum[r][1] += *beside;                                                      \
                    }                                                                              \
                    *to = sum[r][0];                                                               \
                    *beside = sum[r][1];                                                           \
                }                                                                                  \
        }                                                                                          \
    }
TILE(tile_4, v4, 4)
TILE(tile_8, v8, 8)
TILE(tile_16, v16, 16)

#define CASE(tile, n, row, step)                                                                   \
    case n:                                                                                        \
        tile(n, x, row, step);                                                                     \
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
    target static void name(int rows, const operands *x)                                           \
    {                                                                                              \
        switch (rows) {                                                                            \
            cases(tile, row, step)                                                                 \
        }                                                                                          \
    }
TILES(rows_generic, , CASES_6, tile_4, x->row, 1)
TILES(rows_avx2, DG_TARGET_AVX2, CASES_6, tile_8, x->row, 1)
TILES(rows_avx512, DG_TARGET_AVX512, CASES_14, tile_16, x->row, 1)
TILES(groups_generic, , CASES_6, tile_4, BLOCK, 1)
TILES(groups_avx2, DG_TARGET_AVX2, CASES_6, tile_8, BLOCK, 1)
TILES(groups_avx512, DG_TARGET_AVX512, CASES_14, tile_16, BLOCK, 1)
TILES(turned_generic, , CASES_6, tile_4, 1, x->step)
TILES(turned_avx2, DG_TARGET_AVX2, CASES_6, tile_8, 1, x->step)
TILES(turned_avx512, DG_TARGET_AVX512, CASES_14, tile_16, 1, x->step)

static tile_fn *const by_rows[DG_ISAS] = {rows_generic, rows_avx2, rows_avx512},
                      *const groups[DG_ISAS] = {groups_generic, groups_avx2, groups_avx512},
                      *const turned[DG_ISAS] = {turned_generic, turned_avx2, turned_avx512};
static const int highest[DG_ISAS] = {6, 6, HIGHEST};

int dg_tile_high(dg_isa isa)
{
    return highest[isa];
}

/* Columns [0, cols) of a tile that was computed beside C. */
static void copy_edge(int rows, int64_t cols, const float *edge, bool add, float *c, int64_t ldc)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < cols; j++) {
            float x = edge[r * COLUMNS + j];
            c[r * ldc + j] = add ? c[r * ldc + j] + x : x;
        }
}

/* All of C[m, n]. If not NULL, what lies at next_a and next_b is read next, as much as of A and of
 * 32 columns of B. */
static void product(dg_isa isa, tile_fn *tile, int64_t m, int64_t n, operands x,
                    const float *next_a, const float *next_b)
{
    unsigned count = (unsigned)(m + highest[isa] - 1) / (unsigned)highest[isa],
             low = (unsigned)m / count, higher = (unsigned)m % count; /* so many by a row */
    const operands all = x;
    float edge[HIGHEST * COLUMNS];
    x.a_step = next_a ? (int64_t)sizeof(float) * (low + 1) : 0;
    x.b_step = next_b ? (int64_t)(sizeof(float) * COLUMNS / count) : 0;
    x.next_a = (const char *)(next_a ? next_a : all.a);
    x.next_b = (const char *)(next_b ? next_b : all.b);
    for (int64_t j = 0; j < n; j += COLUMNS, x.b += COLUMNS) {
        bool whole = n - j >= COLUMNS;
        float *to = all.c + j;
        x.a = all.a;
        for (unsigned t = 0; t < count; t++) {
            int rows = (int)(t < count - higher ? low : low + 1);
            x.c = whole ? to : edge;
            x.ldc = whole ? all.ldc : COLUMNS;
            x.add = all.add && whole;
            for (int r = 0; r < rows; r++) {
                __builtin_prefetch(x.c + r * x.ldc, 1);
                __builtin_prefetch(x.c + r * x.ldc + COLUMNS - 1, 1);
            }
            tile(rows, &x);
            if (!whole) copy_edge(rows, n - j, edge, all.add, to, all.ldc);
            x.next_a += x.a_step * x.k;
            x.next_b += x.b_step * x.k;
            x.a += rows * x.row;
            to += rows * all.ldc;
        }
    }
}

void dg_tile_product(dg_isa isa, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                     const float *b, int64_t ldb, bool add, float *c, int64_t ldc)
{
    operands x = {k, a, lda, 1, BLOCK, b, ldb, c, ldc, .add = add};
    product(isa, by_rows[isa], m, n, x, NULL, NULL);
}

void dg_tile_product_turned(dg_isa isa, int64_t m, int64_t n, int64_t k, const float *a,
                            int64_t lda, const float *b, int64_t ldb, bool add, float *c,
                            int64_t ldc, const float *next_a, const float *next_b)
{
    operands x = {k, a, 1, lda, BLOCK * lda, b, ldb, c, ldc, .add = add};
    product(isa, turned[isa], m, n, x, next_a, next_b);
}

void dg_tile_product_groups(dg_isa isa, int64_t m, int64_t k, const float *a, int64_t apart,
                            const float *b, bool add, float *c, const float *next_a,
                            const float *next_b)
{
    operands x = {k, a, BLOCK, 1, apart, b, COLUMNS, c, COLUMNS, .add = add};
    product(isa, groups[isa], m, COLUMNS, x, next_a, next_b);
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

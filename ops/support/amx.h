/* amx.h: products of bf16 numbers with sums in f32 in the tile registers of AMX, and what brings
 * floats into the layout of tiles.
 *
 * A step multiplies 16 rows of 32 numbers (left) by 32 rows of 16 (right) and adds to 16x16 sums. A
 * left tile has a row of 32 bf16 in each of its 16 rows; a right tile has 16 rows of 16 pairs: the
 * numbers 2k and 2k+1 of a column stand side by side in row k. A pair is a 32-bit word, the first
 * number in its low half.
 *
 * Numbers are rounded to the nearest bf16, ties to even; what is denormal there counts as zero. */
#ifndef DG_OPS_AMX_H
#define DG_OPS_AMX_H

#include "compiler/ir/kernel.h"

enum {
    DG_AMX_SIDE = 16,   /* rows of a tile; columns of the sums */
    DG_AMX_DEPTH = 32,  /* numbers that a step sums over */
    DG_AMX_BYTES = 1024 /* of a tile without gaps */
};

/* Whether this CPU has AMX with bf16 and the system lets the process use it. Asked once. */
bool dg_amx_ready(void);

/* A piece that multiplies tiles stands between these two: they set the shape of the thread's tile
 * registers and give them back. */
void dg_amx_begin(void);
void dg_amx_end(void);

/* One or two tiles beside or below each other: step s reads from tile[i] + at[s], rows `stride`
 * bytes apart. */
typedef struct dg_amx_operand {
    const void *tile[2];
    const int32_t *at; /* [steps], bytes */
    int64_t stride;
    int n; /* 1 or 2 */
} dg_amx_operand;

/* Sums [16 a->n][16 b->n], rows ldc apart: c[j] is the top left corner of column block j. They
 * replace what stands there, or are added to it with `add`, which then counts as the sum so far. At
 * least one step. The left operand is fetched ahead, behind its end from its start again: it is the
 * one that may lie in the second cache, while several products in a row use the same right one. */
void dg_amx_product(int64_t steps, const dg_amx_operand *a, const dg_amx_operand *b, bool add,
                    float *const *c, int64_t ldc);

/* to[i] = bf16(x[i]). */
void dg_bf16_row(const float *x, int64_t n, uint16_t *to);
/* to[i] = the pair x[i], y[i]; y NULL: zeros. */
void dg_bf16_pairs(const float *x, const float *y, int64_t n, uint32_t *to);

/* Rows of n numbers each, with zeros before and behind them. */
typedef struct dg_bf16_frame {
    int64_t rows, n;
    int64_t before; /* zeros */
    int64_t ldx;    /* from a row of x to the next */
    int64_t ldt;    /* numbers or pairs in a row of `to`: before + n + zeros behind */
    int64_t ahead;  /* when a number is read, the one so far behind it is fetched */
} dg_bf16_frame;

void dg_bf16_rows(const dg_bf16_frame *f, const float *x, uint16_t *to);
void dg_bf16_pair_rows(const dg_bf16_frame *f, const float *x, const float *y, uint32_t *to);

/* to[tap][i] = bf16(x[i * taps + tap]) for i in [0, 32), rows of `to` ldt apart: 32 small kernels
 * that lie one behind the other, tap by tap. */
void dg_bf16_deal(const float *x, int64_t taps, uint16_t *to, int64_t ldt);
/* to[i] = the pair x[i], y[i] of numbers that are bf16 already. */
void dg_bf16_mix(const uint16_t *x, const uint16_t *y, int64_t n, uint32_t *to);
/* to[j][i] = from[i][j] for i in [0, rows), j in [0, cols): words. */
void dg_bf16_turn(int64_t rows, int64_t cols, const uint32_t *from, int64_t ldf, uint32_t *to,
                  int64_t ldt);

/* The same for one number, in portable code: what references round by. */
double dg_bf16_round(double x);
static inline uint16_t dg_bf16_bits(float x)
{
    uint32_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40); /* NaN, quiet */
    if ((bits & 0x7f800000) == 0) return (uint16_t)((bits & 0x80000000) >> 16);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
static inline float dg_bf16_value(uint16_t b)
{
    uint32_t bits = (uint32_t)b << 16;
    float x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

#endif

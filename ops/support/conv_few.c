/* conv_few.c: see conv_few.h. Some channels at a time, as many as stay in the first cache, are
 * copied with zeros around them; each vector of results then adds up the taps of a channel, and
 * these sums from channel to channel, which rounds less than one long sum. */
#include "ops/support/conv_few.h"

#include "ops/support/prologue.h"

#include <string.h>

enum { LANES = 16, WIDE = 32, CHANNELS = 16 };

bool dg_conv_few_fits(const dg_conv *g)
{
    return g->G == 1 && g->O <= DG_CONV_FEW_OUTS && g->sh == 1 && g->sw == 1 && g->dh == 1 &&
           g->dw == 1 && g->kh * g->kw > 1 && g->Wo >= LANES;
}

/* Sums are as long as whole pairs of vectors; what stands behind y's columns is left behind. */
static int64_t wide(const dg_conv *g)
{
    return (g->Wo + WIDE - 1) / WIDE * WIDE;
}

static int64_t row_floats(const dg_conv *g)
{
    return wide(g) + g->kw - 1;
}

int64_t dg_conv_few_floats(const dg_conv *g)
{
    return CHANNELS * (DG_CONV_FEW_ROWS + g->kh - 1) * row_floats(g) +
           DG_CONV_FEW_OUTS * DG_CONV_FEW_ROWS * wide(g);
}

/* Rows [r0, r0 + rows) of a channel, columns from -left on: zeros outside. */
static void stage(const dg_conv *g, const float *x, int64_t r0, int64_t rows, float *to)
{
    int64_t ld = row_floats(g), lo = g->left > 0 ? g->left : 0,
            hi = g->W + g->left < ld ? g->W + g->left : ld;
    for (int64_t r = r0; r < r0 + rows; r++, to += ld) {
        if (r < 0 || r >= g->H || lo >= hi) {
            memset(to, 0, sizeof *to * (size_t)ld);
            continue;
        }
        memset(to, 0, sizeof *to * (size_t)lo);
        memcpy(to + lo, x + r * g->W + lo - g->left, sizeof *to * (size_t)(hi - lo));
        memset(to + hi, 0, sizeof *to * (size_t)(ld - hi));
    }
}

/* One row of one output: what `channels` give, added to sums[0, n) if `add`. Row i of channel c is
 * at x + c * apart + i * ld, its weights at w + c * kh * kw. */
typedef void row_fn(const float *x, int64_t apart, int64_t ld, const float *w, int64_t channels,
                    int64_t kh, int64_t kw, bool add, int64_t n, float *sums);

typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
typedef float eight __attribute__((vector_size(32), aligned(4), may_alias));
typedef float sixteen __attribute__((vector_size(64), aligned(4), may_alias));

#define EACH _Pragma("GCC unroll 8") for (int v = 0; v < count; v++)
#define ROW(name, vector, TARGET)                                                                  \
    TARGET static void name(const float *x, int64_t apart, int64_t ld, const float *w,             \
                            int64_t channels, int64_t kh, int64_t kw, bool add, int64_t n,         \
                            float *sums)                                                           \
    {                                                                                              \
        enum { count = WIDE * sizeof(float) / sizeof(vector) };                                    \
        for (int64_t j = 0; j < n; j += WIDE) {                                                    \
            vector *to = (vector *)(void *)(sums + j), all[count];                                 \
            EACH all[v] = add ? to[v] : (vector){0};                                               \
            const float *tap = w;                                                                  \
            for (int64_t c = 0; c < channels; c++) {                                               \
                vector s[count];                                                                   \
                EACH s[v] = (vector){0};                                                           \
                for (int64_t i = 0; i < kh; i++)                                                   \
                    for (int64_t e = 0; e < kw; e++, tap++) {                                      \
                        const vector *from =                                                       \
                            (const vector *)(const void *)(x + c * apart + i * ld + j + e);        \
                        EACH s[v] += from[v] * *tap;                                               \
                    }                                                                              \
                EACH all[v] += s[v];                                                               \
            }                                                                                      \
            EACH to[v] = all[v];                                                                   \
        }                                                                                          \
    }

#define TARGET_GENERIC
ROW(row_generic, four, TARGET_GENERIC)
ROW(row_avx2, eight, DG_TARGET_AVX2)
ROW(row_avx512, sixteen, DG_TARGET_AVX512)

void dg_conv_few(const dg_call *k, const dg_conv *g, int x, const float *w, int64_t n, int64_t y0,
                 int64_t rows, float *y, float *room)
{
    static row_fn *const sum_row[DG_ISAS] = DG_VARIANTS_OF(row);
    int64_t high = rows + g->kh - 1, ld = row_floats(g), taps = g->kh * g->kw, one;
    float *sums = room + CHANNELS * high * ld;
    for (int64_t c0 = 0; c0 < g->C; c0 += CHANNELS) {
        int64_t channels = g->C - c0 < CHANNELS ? g->C - c0 : CHANNELS;
        for (int64_t c = 0; c < channels; c++)
            stage(g, dg_channels(k, x, n, c0 + c, 1, &one), y0 - g->top, high,
                  room + c * high * ld);
        for (int64_t i = 0; i < g->O * rows; i++)
            sum_row[dg_isa_of(k)](room + i % rows * ld, high * ld, ld,
                                  w + (i / rows * g->C + c0) * taps, channels, g->kh, g->kw, c0 > 0,
                                  wide(g), sums + i * wide(g));
    }
    for (int64_t i = 0; i < g->O * rows; i++)
        memcpy(y + ((n * g->O + i / rows) * g->Ho + y0 + i % rows) * g->Wo, sums + i * wide(g),
               sizeof *y * (size_t)g->Wo);
}

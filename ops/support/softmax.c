/* softmax.c: softmax, its logarithm and logsumexp along one axis.
 *
 * In     x as [outer, n, inner], packed, f32.
 * Out    with m the largest of a line: exp(x - m) / sum, x - m - log(sum), or m + log(sum); sums in
 *        double.
 * Method lines along the last axis are worked on one by one, others as many columns at a time. */
#include "ops/support/reduce.h"
#include "ops/support/sums.h"
#include "ops/support/vmath.h"

enum { PIECE = 16384, COLUMNS = 128, CHUNK = 512 };

#define LARGER(a, x) ((((x) > (a)) | ((x) != (x))) ? (x) : (a))

/* ---- lines along the last axis ---- */

static inline __attribute__((always_inline)) float largest_of(const float *x, int64_t n)
{
    float lane[32], best = -INFINITY;
    for (int j = 0; j < 32; j++) lane[j] = -INFINITY;
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) {
        for (int j = 0; j < 32; j++) lane[j] = LARGER(lane[j], x[i + j]);
    }
    for (; i < n; i++) best = LARGER(best, x[i]);
    for (int j = 0; j < 32; j++) best = LARGER(best, lane[j]);
    return best;
}

/* e = exp(x - m) */
static inline __attribute__((always_inline)) void exp_less(const float *x, float m, float *e,
                                                           int64_t n)
{
    for (int64_t i = 0; i < n; i++) e[i] = dg_expf(x[i] - m);
}

DG_VARIANTS(void, softmax_line, (const float *x, float *restrict y, int64_t n, dg_isa isa),
            (x, y, n, isa), {
                exp_less(x, largest_of(x, n), y, n);
                float scale = (float)(1 / dg_sum_f32(isa, y, n));
                for (int64_t i = 0; i < n; i++) y[i] *= scale;
            })

/* m and sum of exp(x - m), nothing stored. */
DG_VARIANTS(double, line_sum, (const float *x, int64_t n, float *m, dg_isa isa), (x, n, m, isa), {
    float e[CHUNK];
    double sum = 0;
    *m = largest_of(x, n);
    for (int64_t i = 0; i < n; i += CHUNK) {
        int64_t part = n - i < CHUNK ? n - i : CHUNK;
        exp_less(x + i, *m, e, part);
        sum += dg_sum_f32(isa, e, part);
    }
    return sum;
})

DG_VARIANTS(void, log_softmax_line,
            (const float *x, float *restrict y, int64_t n, float m, float log), (x, y, n, m, log), {
                for (int64_t i = 0; i < n; i++) y[i] = (x[i] - m) - log;
            })

static float log_of_sum(float m, double sum)
{
    return isinf(m) ? m
                    : (float)((double)m + log(sum)); /* all -inf, or one inf: x - m would be NaN */
}

/* ---- columns: n numbers `inner` apart, `w` lines side by side ---- */

DG_VARIANTS(void, column_largest,
            (const float *x, int64_t n, int64_t inner, int64_t w, float *restrict m),
            (x, n, inner, w, m), {
                for (int64_t j = 0; j < w; j++) m[j] = -INFINITY;
                for (int64_t i = 0; i < n; i++) {
                    const float *row = x + i * inner;
                    for (int64_t j = 0; j < w; j++) m[j] = LARGER(m[j], row[j]);
                }
            })

DG_VARIANTS(void, column_sums,
            (const float *x, int64_t n, int64_t inner, int64_t w, const float *restrict m,
             double *restrict sum),
            (x, n, inner, w, m, sum), {
                for (int64_t j = 0; j < w; j++) sum[j] = 0;
                for (int64_t i = 0; i < n; i++) {
                    const float *row = x + i * inner;
                    for (int64_t j = 0; j < w; j++) sum[j] += (double)dg_expf(row[j] - m[j]);
                }
            })

DG_VARIANTS(void, column_results,
            (const float *x, float *restrict y, int64_t n, int64_t inner, int64_t w,
             const float *restrict m, const float *restrict s, bool logs),
            (x, y, n, inner, w, m, s, logs), {
                for (int64_t i = 0; i < n; i++) {
                    const float *row = x + i * inner;
                    float *to = y + i * inner;
                    if (logs) {
                        for (int64_t j = 0; j < w; j++) to[j] = (row[j] - m[j]) - s[j];
                    } else {
                        for (int64_t j = 0; j < w; j++) to[j] = dg_expf(row[j] - m[j]) * s[j];
                    }
                }
            })

/* ---- pieces ---- */

typedef struct softmax {
    dg_softmax_kind kind;
    dg_lines lines;
    int64_t group, across; /* lines of a piece; columns: blocks of one outer index */
} softmax;

static void line_piece(const dg_call *k, int64_t piece)
{
    const softmax *s = k->arg;
    dg_isa isa = dg_isa_of(k);
    int64_t n = s->lines.n,
            end = (piece + 1) * s->group < s->lines.outer ? (piece + 1) * s->group : s->lines.outer;
    for (int64_t i = piece * s->group; i < end; i++) {
        const float *x = (const float *)k->in[0].data + i * n;
        float *y = k->out[0].data, m;
        if (s->kind == DG_SOFTMAX) {
            softmax_line[isa](x, y + i * n, n, isa);
            continue;
        }
        double sum = line_sum[isa](x, n, &m, isa);
        if (s->kind == DG_LOG_SOFTMAX)
            log_softmax_line[isa](x, y + i * n, n, m, (float)log(sum));
        else
            y[i] = log_of_sum(m, sum);
    }
}

static void column_piece(const dg_call *k, int64_t piece)
{
    const softmax *s = k->arg;
    dg_isa isa = dg_isa_of(k);
    int64_t n = s->lines.n, inner = s->lines.inner, outer = piece / s->across,
            first = piece % s->across * COLUMNS;
    int64_t w = inner - first < COLUMNS ? inner - first : COLUMNS;
    const float *x = (const float *)k->in[0].data + outer * n * inner + first;
    float *y = k->out[0].data, m[COLUMNS], scale[COLUMNS];
    double sum[COLUMNS];
    column_largest[isa](x, n, inner, w, m);
    column_sums[isa](x, n, inner, w, m, sum);
    if (s->kind == DG_LOGSUMEXP) {
        for (int64_t j = 0; j < w; j++) y[outer * inner + first + j] = log_of_sum(m[j], sum[j]);
        return;
    }
    for (int64_t j = 0; j < w; j++)
        scale[j] = (float)(s->kind == DG_SOFTMAX ? 1 / sum[j] : log(sum[j]));
    column_results[isa](x, y + outer * n * inner + first, n, inner, w, m, scale,
                        s->kind == DG_LOG_SOFTMAX);
}

void dg_softmax_run(const dg_call *k, dg_softmax_kind kind)
{
    softmax s = {.kind = kind, .lines = dg_lines_of(k->attrs, &k->in[0].shape)};
    if (s.lines.outer * s.lines.n * s.lines.inner == 0) return;
    if (s.lines.inner == 1) {
        s.group = s.lines.n >= PIECE ? 1 : PIECE / s.lines.n;
        dg_parallel_with(k, (s.lines.outer + s.group - 1) / s.group, line_piece, &s);
    } else {
        s.across = (s.lines.inner + COLUMNS - 1) / COLUMNS;
        dg_parallel_with(k, s.lines.outer * s.across, column_piece, &s);
    }
}

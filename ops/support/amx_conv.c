/* amx_conv.c: see amx_conv.h. */
#include "ops/support/amx_conv.h"

#include <string.h>

static int64_t at_least(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

dg_amx_taps dg_amx_taps_of(const dg_conv *g, int64_t up)
{
    dg_amx_taps t = {.g = *g, .h = (g->H - 1) / up + 1, .w = (g->W - 1) / up + 1, .up = up};
    int64_t reach = g->dh * (g->kh - 1);
    t.phases = at_most(g->sh, reach + 1);
    t.copies = t.phases * g->kw;
    t.below = reach / g->sh;
    return t;
}

int64_t dg_amx_taps_room(const dg_amx_taps *t)
{
    return 2 * t->g.Wo;
}

/* Outputs [*lo, *hi) of a row that find column j * sw + shift inside. */
static void inside(const dg_conv *g, int64_t shift, int64_t *lo, int64_t *hi)
{
    *lo = shift >= 0 ? 0 : (-shift + g->sw - 1) / g->sw;
    *hi = g->W - 1 - shift < 0 ? 0 : (g->W - 1 - shift) / g->sw + 1;
    *lo = at_most(*lo, g->Wo);
    *hi = at_least(at_most(*hi, g->Wo), *lo);
}

/* The numbers [lo, hi) of one row: where they lie, or gathered in `room`. */
static const float *numbers(const dg_amx_taps *t, const float *row, int64_t shift, int64_t lo,
                            int64_t hi, float *room)
{
    const dg_conv *g = &t->g;
    if (g->sw == 1 && t->up == 1) return row + lo + shift;
    for (int64_t j = lo; j < hi; j++) {
        int64_t q = j * g->sw + shift;
        room[j - lo] = q % t->up == 0 ? row[q / t->up] : 0;
    }
    return room;
}

/* Row i of a copy: x's row, -1 where there is none. */
static int64_t row_of(const dg_amx_taps *t, int64_t i, int64_t copy)
{
    int64_t r = i * t->g.sh + copy / t->g.kw - t->g.top;
    return r >= 0 && r < t->g.H && r % t->up == 0 ? r / t->up : -1;
}

/* Of a plain copy (steps of one, maps of one width), x's rows [*first, *end) follow each other from
 * row *at of the copy on. */
static bool plain(const dg_amx_taps *t, int64_t y0, int64_t rows, int64_t *at, int64_t *first,
                  int64_t *end)
{
    const dg_conv *g = &t->g;
    if (g->sh != 1 || g->sw != 1 || t->up != 1 || g->Wo != g->W) return false;
    *first = at_least(y0 - g->top, 0);
    *end = at_least(at_most(y0 - g->top + rows, g->H), *first);
    *at = *first - (y0 - g->top);
    return true;
}

/* Where a copy comes from and goes to: rows of one channel, or of two as pairs. */
typedef struct staging {
    const float *x, *y;
    int64_t r0; /* x's row that stands there */
    bool pairs;
    char *to;
    int64_t size; /* bytes of what is made of one column */
} staging;

static void clear(const staging *s, int64_t at, int64_t n)
{
    memset(s->to + at * s->size, 0, (size_t)(n * s->size));
}

static void convert(const staging *s, const float *x, const float *y, int64_t n, int64_t at)
{
    if (s->pairs)
        dg_bf16_pairs(x, y, n, (uint32_t *)(void *)s->to + at);
    else
        dg_bf16_row(x, n, (uint16_t *)(void *)s->to + at);
}

/* n columns from `at` on, in each of some rows. */
static void clear_columns(const staging *s, int64_t rows, int64_t W, int64_t at, int64_t n)
{
    uint32_t *pairs = (uint32_t *)(void *)s->to + at;
    uint16_t *single = (uint16_t *)(void *)s->to + at;
    for (int64_t j = 0; j < n; j++) {
        for (int64_t i = 0; s->pairs && i < rows; i++) pairs[i * W + j] = 0;
        for (int64_t i = 0; !s->pairs && i < rows; i++) single[i * W + j] = 0;
    }
}

/* In one go, and then the columns are cleared that the shift brought in from neighbouring rows. */
static void stage_plain(const staging *s, int64_t W, int64_t shift, int64_t at, int64_t first,
                        int64_t end)
{
    int64_t cut = shift < 0 ? -shift : shift, n = (end - first) * W - cut;
    int64_t from = (first - s->r0) * W + (shift > 0 ? cut : 0);
    convert(s, s->x + from, s->y ? s->y + from : NULL, n, at * W + (shift < 0 ? cut : 0));
    clear_columns(s, end - first, W, at * W + (shift < 0 ? 0 : W - cut), cut);
}

static void stage(const dg_amx_taps *t, const staging *s, int64_t y0, int64_t rows, int64_t copy,
                  float *room)
{
    const dg_conv *g = &t->g;
    int64_t shift = copy % g->kw * g->dw - g->left, W = g->Wo, lo, hi, at, first, end;
    inside(g, shift, &lo, &hi);
    if (plain(t, y0, rows, &at, &first, &end) && hi > lo && end > first) {
        clear(s, 0, at * W);
        stage_plain(s, W, shift, at, first, end);
        clear(s, (at + end - first) * W, (rows - at - end + first) * W);
        return;
    }
    for (int64_t i = 0; i < rows; i++) {
        int64_t r = row_of(t, y0 + i, copy);
        if (r < 0 || hi == lo) {
            clear(s, i * W, W);
            continue;
        }
        const float *x = numbers(t, s->x + (r - s->r0) * t->w, shift, lo, hi, room), *y = NULL;
        if (s->y) y = numbers(t, s->y + (r - s->r0) * t->w, shift, lo, hi, room + W);
        clear(s, i * W, lo);
        convert(s, x, y, hi - lo, i * W + lo);
        clear(s, i * W + hi, W - hi);
    }
}

void dg_amx_stage_reads(const dg_amx_taps *t, int64_t y0, int64_t rows, int64_t *r0, int64_t *r1)
{
    const dg_conv *g = &t->g;
    int64_t first = y0 * g->sh - g->top,
            last = (y0 + rows - 1) * g->sh - g->top + g->dh * (g->kh - 1);
    *r0 = at_least(first, 0) / t->up;
    *r1 = last < 0 ? *r0 : at_least(at_most(last, g->H - 1) / t->up + 1, *r0);
}

void dg_amx_stage_row(const dg_amx_taps *t, const float *x, int64_t r0, int64_t y0, int64_t rows,
                      int64_t copy, float *room, uint16_t *to)
{
    stage(t, &(staging){x, NULL, r0, false, (char *)to, 2}, y0, rows, copy, room);
}

void dg_amx_stage_pair(const dg_amx_taps *t, const float *x, const float *y, int64_t r0, int64_t y0,
                       int64_t rows, int64_t copy, float *room, uint32_t *to)
{
    stage(t, &(staging){x, y, r0, true, (char *)to, 4}, y0, rows, copy, room);
}

/* ---- in the graph ---- */

bool dg_amx_conv_pays(const dg_conv *g)
{
    enum { CHANNELS = 16, OUTPUTS = 64 };
    const int64_t work = INT64_C(1) << 20; /* multiplications: what a call of a kernel costs */
    return g->G == 1 && g->C >= CHANNELS && g->O >= CHANNELS && g->top >= 0 && g->bottom >= 0 &&
           g->left >= 0 && g->right >= 0 && g->N * g->Ho * g->Wo >= OUTPUTS &&
           g->N * g->Ho * g->Wo * g->C * g->O * g->kh * g->kw >= work;
}

dg_value dg_amx_conv_build(dg_build *b, const dg_conv *g, int64_t up, dg_value x, dg_value w,
                           bool turned)
{
    dg_arena *arena = b->graph->arena;
    dg_attr turn = dg_attr_of_int("turned", turned);
    dg_value packed = dg_emit(b, "bf16_weights", &turn, 1, &w, 1);
    dg_attr a[] = {
        dg_attr_of_ints(arena, "stride", (int64_t[]){g->sh, g->sw}, 2),
        dg_attr_of_ints(arena, "pad", (int64_t[]){g->top, g->bottom, g->left, g->right}, 4),
        dg_attr_of_ints(arena, "dilation", (int64_t[]){g->dh, g->dw}, 2),
        dg_attr_of_int("up", up),
        dg_attr_of_int("outs", g->O),
        dg_attr_of_int("kh", g->kh),
        dg_attr_of_int("kw", g->kw)};
    return dg_emit(b, "conv2d_bf16", a, (int)(sizeof a / sizeof *a), (dg_value[]){x, packed}, 2);
}

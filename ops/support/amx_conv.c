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

dg_amx_taps dg_amx_taps_of(const dg_conv *g, int64_t up, int64_t together)
{
    dg_amx_taps t = {.g = *g, .h = (g->H - 1) / up + 1, .w = (g->W - 1) / up + 1, .up = up};
    int64_t reach = g->dh * (g->kh - 1);
    t.shared = together && g->sw == 1 && up == 1 && g->kw > 1 && g->Wo % together == 0;
    t.phases = at_most(g->sh, reach + 1);
    t.copies = t.shared ? t.phases : t.phases * g->kw;
    t.pitch = t.shared ? g->Wo + g->dw * (g->kw - 1) : g->Wo;
    t.below = reach / g->sh;
    return t;
}

int64_t dg_amx_taps_room(const dg_amx_taps *t)
{
    return 2 * t->pitch;
}

int64_t dg_amx_taps_channels(const dg_amx_taps *t, int64_t rows, int64_t *floats)
{
    enum { FLOATS = 12288 };
    int64_t high = (rows + t->below) * t->g.sh / t->up + t->phases + 1,
            plane = at_most(high, t->h) * t->w, channels = DG_AMX_DEPTH;
    while (channels > 2 && channels * plane > FLOATS) channels /= 2;
    *floats = channels * plane;
    return channels;
}

/* Numbers [*lo, *hi) of a copy's row find column j * sw + shift inside. */
static void inside(const dg_amx_taps *t, int64_t shift, int64_t *lo, int64_t *hi)
{
    const dg_conv *g = &t->g;
    *lo = shift >= 0 ? 0 : (-shift + g->sw - 1) / g->sw;
    *hi = g->W - 1 - shift < 0 ? 0 : (g->W - 1 - shift) / g->sw + 1;
    *lo = at_most(*lo, t->pitch);
    *hi = at_least(at_most(*hi, t->pitch), *lo);
}

/* The numbers [lo, hi) of one row: where they lie, or gathered in `room`. */
static const float *numbers(const dg_amx_taps *t, const float *row, int64_t shift, int64_t lo,
                            int64_t hi, float *room)
{
    int64_t sw = t->g.sw, up = t->up;
    if (sw == 1 && up == 1) return row + lo + shift;
    if (up == 1) {
        for (int64_t j = lo; j < hi; j++) room[j - lo] = row[j * sw + shift];
        return room;
    }
    memset(room, 0, sizeof *room * (size_t)(hi - lo));
    int64_t j = lo, step = 1; /* the first that stands there; from one to the next */
    while (j < hi && (j * sw + shift) % up != 0) j++;
    while (step * sw % up != 0) step++;
    const float *x = row + (j * sw + shift) / up;
    for (; j < hi; j += step, x += step * sw / up) room[j - lo] = *x;
    return room;
}

/* Rows of a copy, with a line for each channel or each pair of channels. */
typedef struct staging {
    const dg_amx_taps *t;
    const dg_amx_source *from;
    bool pairs;
    char *to;
    int64_t line;  /* bytes from line to line */
    int64_t lines; /* in use */
    float *room;
} staging;

static void clear(const staging *s, int64_t first, int64_t rows)
{
    int64_t size = (s->pairs ? 4 : 2) * s->t->pitch;
    if (rows <= 0) return;
    for (int64_t i = 0; i < s->lines; i++)
        memset(s->to + i * s->line + first * size, 0, (size_t)(rows * size));
}

/* The first of the channels of a line, and the second one; NULL: there is none. */
static const float *first_of(const staging *s, int64_t line)
{
    return s->from->x + (s->pairs ? 2 * line : line) * s->from->plane;
}

static const float *second_of(const staging *s, int64_t line)
{
    if (!s->pairs || 2 * line + 1 == s->from->channels) return NULL;
    return s->from->x + (2 * line + 1) * s->from->plane;
}

/* Rows of a line from `first` on: n numbers behind `lo` zeros, and zeros behind them. */
static void convert(const staging *s, int64_t line, const float *x, const float *y, int64_t n,
                    int64_t first, int64_t rows, int64_t lo)
{
    const dg_amx_taps *t = s->t;
    char *to = s->to + line * s->line + (s->pairs ? 4 : 2) * first * t->pitch;
    int64_t ahead = (s->pairs ? 2 : 1) * s->from->plane; /* the next line */
    dg_bf16_frame f = {
        .rows = rows, .n = n, .before = lo, .ldx = t->w, .ldt = t->pitch, .ahead = ahead};
    if (n == t->w && n == t->pitch) /* rows follow each other */
        f = (dg_bf16_frame){.rows = 1, .n = rows * n, .ldt = rows * n, .ahead = ahead};
    if (s->pairs)
        dg_bf16_pair_rows(&f, x, y, (uint32_t *)(void *)to);
    else
        dg_bf16_rows(&f, x, (uint16_t *)(void *)to);
}

/* Steps of one: all rows of a line in one go. Copy's row 0 is x's row r. */
static void stage_plain(const staging *s, int64_t r, int64_t rows, int64_t shift, int64_t lo,
                        int64_t hi)
{
    int64_t H = s->t->h, first = at_least(r, 0), end = at_least(at_most(r + rows, H), first),
            at = at_most(first - r, rows), behind = at + end - first,
            from = (first - s->from->r0) * s->t->w + lo + shift;
    clear(s, 0, at);
    for (int64_t i = 0; i < s->lines && end > first; i++) {
        const float *x = first_of(s, i), *y = second_of(s, i);
        convert(s, i, x + from, y ? y + from : NULL, hi - lo, at, end - first, lo);
    }
    clear(s, behind, rows - behind);
}

static void stage(const staging *s, int64_t y0, int64_t rows, int64_t copy)
{
    const dg_amx_taps *t = s->t;
    const dg_conv *g = &t->g;
    int64_t shift = (t->shared ? 0 : copy % g->kw * g->dw) - g->left,
            phase = copy * t->phases / t->copies, r = y0 * g->sh + phase - g->top, lo, hi;
    inside(t, shift, &lo, &hi);
    if (hi == lo) {
        clear(s, 0, rows);
        return;
    }
    if (g->sh == 1 && g->sw == 1 && t->up == 1) {
        stage_plain(s, r, rows, shift, lo, hi);
        return;
    }
    for (int64_t i = 0; i < rows; i++, r += g->sh) {
        if (r < 0 || r >= g->H || r % t->up != 0) {
            clear(s, i, 1);
            continue;
        }
        int64_t from = (r / t->up - s->from->r0) * t->w;
        for (int64_t l = 0; l < s->lines; l++) {
            const float *x = first_of(s, l), *y = second_of(s, l);
            x = numbers(t, x + from, shift, lo, hi, s->room);
            if (y) y = numbers(t, y + from, shift, lo, hi, s->room + t->pitch);
            convert(s, l, x, y, hi - lo, i, 1, lo);
        }
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

void dg_amx_stage_rows(const dg_amx_taps *t, const dg_amx_source *x, int64_t y0, int64_t rows,
                       int64_t copy, float *room, uint16_t *to, int64_t ldt)
{
    stage(&(staging){t, x, false, (char *)to, 2 * ldt, x->channels, room}, y0, rows, copy);
}

void dg_amx_stage_pairs(const dg_amx_taps *t, const dg_amx_source *x, int64_t y0, int64_t rows,
                        int64_t copy, float *room, uint32_t *to, int64_t ldt)
{
    stage(&(staging){t, x, true, (char *)to, 4 * ldt, (x->channels + 1) / 2, room}, y0, rows, copy);
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

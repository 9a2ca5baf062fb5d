/* memplan_lines.c: offsets for buffers, from the bottom up.
 *
 * In     slots: first and last step, size.
 * Out    an offset for each, and the end of the highest.
 * Method best fit by lines (Sekiyama, Imai, Negishi & Kawachiya 2018, arXiv:1804.10001). A line is
 *        a run of steps above which nothing lies yet, as high at each. The lowest line gets, of the
 *        slots that live within it, the one of longest life, or the one that takes most bytes x
 *        steps; where there is none, it is raised to the lower of its neighbours. Train steps are
 *        nested lives, forward to backward, which this stacks without gaps. */
#include "compiler/passes/memplan.h"

#include <string.h>

typedef struct line {
    int32_t first, last;
    int64_t height;
} line;

typedef struct pile {
    const dg_slot *slots;
    bool area;
    int32_t *begin; /* by step: its first in `by_first`; steps + 1 numbers */
    int32_t *by_first;
    bool *placed;
    line *lines; /* in order of steps, neighbours of different heights */
    int n_lines;
} pile;

/* The slots in order of their first step. */
static int32_t tabulate(pile *p, int n, dg_arena *a)
{
    int32_t steps = 0;
    for (int i = 0; i < n; i++)
        if (p->slots[i].last >= steps) steps = p->slots[i].last + 1;
    p->begin = DG_NEW_ARRAY(a, int32_t, steps + 2);
    p->by_first = DG_NEW_ARRAY(a, int32_t, n);
    for (int i = 0; i < n; i++) p->begin[p->slots[i].first + 2]++;
    for (int32_t t = 1; t <= steps; t++) p->begin[t + 1] += p->begin[t];
    for (int i = 0; i < n; i++) p->by_first[p->begin[p->slots[i].first + 1]++] = i;
    return steps;
}

/* What a slot is chosen by: life in steps, or bytes x steps. */
static int64_t weight(const pile *p, const dg_slot *s)
{
    int64_t life = (int64_t)s->last - s->first + 1;
    if (!p->area) return life;
    return s->size > INT64_MAX / life ? INT64_MAX : s->size * life;
}

/* The slot that a line gets, -1: none. Ties: the larger, then the first. */
static int32_t fits_best(const pile *p, const line *l)
{
    int32_t best = -1;
    int64_t most = -1;
    for (int32_t k = p->begin[l->first]; k < p->begin[l->last + 1]; k++) {
        int32_t i = p->by_first[k];
        const dg_slot *s = &p->slots[i];
        if (p->placed[i] || s->last > l->last) continue;
        int64_t w = weight(p, s);
        if (w < most || (w == most && s->size <= p->slots[best].size)) continue;
        best = i;
        most = w;
    }
    return best;
}

/* Line `at` and its neighbours of the same height become one. */
static void join(pile *p, int at)
{
    int from = at > 0 && p->lines[at - 1].height == p->lines[at].height ? at - 1 : at, to = at;
    if (at + 1 < p->n_lines && p->lines[at + 1].height == p->lines[at].height) to = at + 1;
    if (from == to) return;
    p->lines[from].last = p->lines[to].last;
    memmove(&p->lines[from + 1], &p->lines[to + 1],
            (size_t)(p->n_lines - 1 - to) * sizeof *p->lines);
    p->n_lines -= to - from;
}

static void raise_line(pile *p, int at)
{
    int64_t low = INT64_MAX;
    if (at > 0) low = p->lines[at - 1].height;
    if (at + 1 < p->n_lines && p->lines[at + 1].height < low) low = p->lines[at + 1].height;
    p->lines[at].height = low;
    join(p, at);
}

/* Lays a slot on line `at`, of which up to two pieces remain. */
static void lay(pile *p, int at, const dg_slot *s)
{
    line whole = p->lines[at], pieces[3];
    int n = 0, middle = 0;
    if (whole.first < s->first) pieces[n++] = (line){whole.first, s->first - 1, whole.height};
    middle = n;
    pieces[n++] = (line){s->first, s->last, whole.height + s->size};
    if (s->last < whole.last) pieces[n++] = (line){s->last + 1, whole.last, whole.height};
    memmove(&p->lines[at + n], &p->lines[at + 1], (size_t)(p->n_lines - 1 - at) * sizeof *p->lines);
    memcpy(&p->lines[at], pieces, (size_t)n * sizeof *pieces);
    p->n_lines += n - 1;
    join(p, at + middle);
}

int64_t dg_slots_by_lines(const dg_slot *s, int n, bool area, dg_arena *a, int64_t *offset)
{
    pile p = {.slots = s, .area = area, .placed = DG_NEW_ARRAY(a, bool, n)};
    int32_t steps = tabulate(&p, n, a);
    p.lines = DG_NEW_ARRAY(a, line, steps + 2); /* two more while a slot is laid */
    p.lines[p.n_lines++] = (line){0, steps - 1, 0};
    int64_t top = 0;
    for (int left = n; left > 0;) {
        int low = 0;
        for (int k = 1; k < p.n_lines; k++)
            if (p.lines[k].height < p.lines[low].height) low = k;
        int32_t i = fits_best(&p, &p.lines[low]);
        if (i < 0) {
            raise_line(&p, low);
            continue;
        }
        offset[i] = p.lines[low].height;
        if (offset[i] + s[i].size > top) top = offset[i] + s[i].size;
        p.placed[i] = true;
        left--;
        lay(&p, low, &s[i]);
    }
    return top;
}

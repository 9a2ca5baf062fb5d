/* memplan_lines.c: offsets for buffers, from the bottom up.
 *
 * In     slots: first and last step, size.
 * Out    an offset for each, and the end of the highest.
 * Method best fit by lines (Sekiyama, Imai, Negishi & Kawachiya 2018, arXiv:1804.10001). A line is
 *        a run of steps above which nothing lies yet, as high at each. The lowest line gets, of the
 *        slots that live within it, the heaviest; where there is none, it is raised to the lower of
 *        its neighbours. By life, or by bytes x steps, train steps, which are nested lives, forward
 *        to backward, are stacked without gaps.
 *        Where that leaves gaps, rounds: what ends too high grows heavier, so that it comes sooner
 *        (squeaky wheel optimization, Joslin & Clements 1999). */
#include "compiler/passes/memplan.h"

#include <string.h>

typedef struct line {
    int32_t first, last; /* steps */
} line;

typedef struct pile {
    int n;
    int32_t steps;
    dg_slot *slots; /* in order of first steps, with the offsets of the stack made last */
    int32_t *id;    /* of each: whose it is */
    int64_t *weight;
    int32_t *begin;  /* by step: its first slot; steps + 1 numbers */
    int32_t *near;   /* by slot: itself, or one before the next that has no place; n + 1 numbers */
    int32_t *next, *prev; /* by slot without a place: its neighbours of that kind; likewise */
    line *lines;     /* in order of steps, neighbours of different heights */
    int64_t *height; /* of each */
    int n_lines;
    int64_t work; /* comparisons left */
} pile;

static pile pile_of(const dg_slot *s, int n, dg_arena *a)
{
    pile p = {.n = n,
              .slots = DG_NEW_ARRAY(a, dg_slot, n),
              .id = DG_NEW_ARRAY(a, int32_t, n),
              .weight = DG_NEW_ARRAY(a, int64_t, n),
              .near = DG_NEW_ARRAY(a, int32_t, n + 1),
              .next = DG_NEW_ARRAY(a, int32_t, n + 1),
              .prev = DG_NEW_ARRAY(a, int32_t, n + 1)};
    for (int i = 0; i < n; i++)
        if (s[i].last >= p.steps) p.steps = s[i].last + 1;
    p.lines = DG_NEW_ARRAY(a, line, p.steps + 2); /* two more while a slot is laid */
    p.height = DG_NEW_ARRAY(a, int64_t, p.steps + 2);
    p.begin = DG_NEW_ARRAY(a, int32_t, p.steps + 2);
    for (int i = 0; i < n; i++) p.begin[s[i].first + 2]++;
    for (int32_t t = 1; t <= p.steps; t++) p.begin[t + 1] += p.begin[t];
    for (int i = 0; i < n; i++) p.id[p.begin[s[i].first + 1]++] = i;
    for (int k = 0; k < n; k++) p.slots[k] = s[p.id[k]];
    return p;
}

/* The first slot from k on that has no place, or n. */
static int32_t unplaced(pile *p, int32_t k)
{
    while (p->near[k] != k) k = p->near[k] = p->near[p->near[k]];
    return k;
}

static void leave(pile *p, int32_t k)
{
    p->near[k] = k + 1;
    p->prev[p->next[k]] = p->prev[k];
    if (p->prev[k] >= 0) p->next[p->prev[k]] = p->next[k];
}

/* The slot that a line gets, -1: none. Ties: the larger, then the first. */
static int32_t fits_best(pile *p, const line *l)
{
    int32_t best = -1, end = p->begin[l->last + 1];
    int64_t most = -1;
    for (int32_t k = unplaced(p, p->begin[l->first]); k < end; k = p->next[k]) {
        p->work--;
        if (p->slots[k].last > l->last) continue;
        int64_t weight = p->weight[k];
        if (weight < most || (weight == most && p->slots[k].size <= p->slots[best].size)) continue;
        most = weight;
        best = k;
    }
    return best;
}

/* `take` lines from `at` on make room for `give`, whose steps and heights the caller sets. */
static void replace(pile *p, int at, int take, int give)
{
    size_t rest = (size_t)(p->n_lines - at - take);
    memmove(&p->lines[at + give], &p->lines[at + take], rest * sizeof *p->lines);
    memmove(&p->height[at + give], &p->height[at + take], rest * sizeof *p->height);
    p->n_lines += give - take;
}

/* Line `at` and its neighbours of the same height become one. */
static void join(pile *p, int at)
{
    const int64_t *h = p->height;
    int from = at > 0 && h[at - 1] == h[at] ? at - 1 : at, to = at;
    if (at + 1 < p->n_lines && h[at + 1] == h[at]) to = at + 1;
    if (from == to) return;
    p->lines[from].last = p->lines[to].last;
    replace(p, from + 1, to - from, 0);
}

static int lowest(const pile *p)
{
    int at = 0;
    int64_t low = p->height[0];
    for (int k = 1; k < p->n_lines; k++)
        if (p->height[k] < low) low = p->height[k], at = k;
    return at;
}

static void raise_line(pile *p, int at)
{
    int64_t low = INT64_MAX;
    if (at > 0) low = p->height[at - 1];
    if (at + 1 < p->n_lines && p->height[at + 1] < low) low = p->height[at + 1];
    p->height[at] = low;
    join(p, at);
}

/* Lays a slot on line `at`, of which up to two pieces remain. */
static void lay(pile *p, int at, const dg_slot *s)
{
    line whole = p->lines[at];
    int64_t height = p->height[at];
    int before = whole.first < s->first, behind = s->last < whole.last;
    replace(p, at, 1, before + 1 + behind);
    if (before) p->lines[at] = (line){whole.first, s->first - 1}, p->height[at] = height;
    at += before;
    p->lines[at] = (line){s->first, s->last};
    p->height[at] = height + s->size;
    if (behind) p->lines[at + 1] = (line){s->last + 1, whole.last}, p->height[at + 1] = height;
    join(p, at);
}

/* The end of the highest. */
static int64_t stack(pile *p)
{
    int64_t top = 0;
    for (int32_t k = 0; k <= p->n; k++) p->near[k] = k, p->next[k] = k + 1, p->prev[k] = k - 1;
    p->lines[0] = (line){0, p->steps - 1};
    p->height[0] = 0;
    p->n_lines = 1;
    for (int left = p->n; left > 0;) {
        int low = lowest(p);
        p->work -= p->n_lines / 2;
        int32_t k = fits_best(p, &p->lines[low]);
        if (k < 0) {
            raise_line(p, low);
            continue;
        }
        dg_slot *s = &p->slots[k];
        s->offset = p->height[low];
        if (s->offset + s->size > top) top = s->offset + s->size;
        leave(p, k);
        left--;
        lay(p, low, s);
    }
    return top;
}

static void give_offsets(const pile *p, int64_t *offset)
{
    for (int k = 0; k < p->n; k++) offset[p->id[k]] = p->slots[k].offset;
}

int64_t dg_slots_by_lines(const dg_slot *s, int n, bool area, dg_arena *a, int64_t *offset)
{
    pile p = pile_of(s, n, a);
    for (int k = 0; k < n; k++) {
        int64_t life = (int64_t)p.slots[k].last - p.slots[k].first + 1, size = p.slots[k].size;
        p.weight[k] = !area ? life : size > INT64_MAX / life ? INT64_MAX : size * life;
    }
    int64_t top = stack(&p);
    give_offsets(&p, offset);
    return top;
}

/* ---- rounds ---- */

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

enum { ONE = 1024, AGAIN = 16 }; /* a factor of 1; rounds from one best weights */
#define MOST ((int64_t)1 << 48)  /* weights stay below */

static int64_t times(int64_t weight, int64_t factor)
{
    int64_t w = weight / ONE * factor + weight % ONE * factor / ONE;
    return w < 1 ? 1 : w > MOST ? MOST : w;
}

/* What ends above the target grows heavier, by up to 4; now and then something else changes. */
static void weigh(pile *p, int64_t target, uint64_t *seed)
{
    for (int k = 0; k < p->n; k++) {
        int64_t part = (int64_t)(next_random(seed) % ONE);
        if (p->slots[k].offset + p->slots[k].size > target)
            p->weight[k] = times(p->weight[k], ONE + 3 * part * part / ONE);
        else if (next_random(seed) % 32 == 0)
            p->weight[k] = times(p->weight[k], ONE * 2 / 5 + part * 4 / 5);
    }
}

void dg_slots_by_rounds(const dg_slot *s, int n, int64_t work, dg_arena *a, int64_t *offset,
                        bool (*enough)(void *to, int64_t top), void *to)
{
    pile p = pile_of(s, n, a);
    int64_t *weight = DG_NEW_ARRAY(a, int64_t, n), best = INT64_MAX;
    size_t bytes = (size_t)n * sizeof *weight;
    uint64_t seed = 1;
    int32_t step;
    int64_t low = dg_slots_bound(s, n, &step);
    for (int k = 0; k < n; k++)
        p.weight[k] = (p.slots[k].last - p.slots[k].first + 1) * (int64_t)ONE;
    for (p.work = work; best > low && p.work > 0;) {
        for (int round = 0; round < AGAIN && best > low && p.work > 0; round++) {
            int64_t top = stack(&p);
            if (top <= best) memcpy(weight, p.weight, bytes);
            if (top < best) {
                best = top;
                give_offsets(&p, offset);
                if (enough(to, top)) best = low;
            }
            weigh(&p, low + (best - low) * (round % 4) / 4, &seed);
        }
        memcpy(p.weight, weight, bytes);
    }
}

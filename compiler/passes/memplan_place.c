/* memplan_place.c: offsets for buffers whose lives are known.
 *
 * In     slots: first and last step, size.
 * Out    an offset for each, and the end of the highest.
 * Keeps  slots taken at one step share no byte. Nothing depends on time, addresses or threads:
 *        limits count comparisons.
 * Method greedy in several orders, each with first and best fit (Pisarchyk & Lee 2020,
 *        arXiv:2001.03288); then the best order is improved by moving a slot from the top of the
 *        arena, or one that stands in its way, to an earlier turn. */
#include "compiler/passes/memplan.h"

#include "compiler/base/os.h"

#include <stdlib.h>
#include <string.h>

int64_t dg_slots_bound(const dg_slot *s, int n, int32_t *step)
{
    int32_t steps = 0;
    for (int i = 0; i < n; i++) {
        if (s[i].last >= steps) steps = s[i].last + 1;
    }
    int64_t *change = calloc((size_t)steps + 1, sizeof *change);
    if (!change) dg_out_of_memory();
    for (int i = 0; i < n; i++) {
        change[s[i].first] += s[i].size;
        change[s[i].last + 1] -= s[i].size;
    }
    int64_t live = 0, most = 0;
    *step = 0;
    for (int32_t t = 0; t < steps; t++) {
        live += change[t];
        if (live > most) most = live, *step = t;
    }
    free(change);
    return most;
}

typedef struct spot { /* a slot that has its place; held in order of offsets */
    int32_t first, last;
    int64_t offset, end;
} spot;

typedef struct placer {
    const dg_slot *slots;
    int n;
    spot *spots;
    int64_t *offset; /* by slot, of the placement made last */
    int64_t work;    /* comparisons left */
} placer;

/* Places the slots in the order given; the end of the highest, or INT64_MAX once that is not below
 * `limit`. */
static int64_t place(placer *p, const int32_t *order, bool best_fit, int64_t limit)
{
    int64_t top = 0;
    int n = 0;
    for (int k = 0; k < p->n; k++) {
        const dg_slot *s = &p->slots[order[k]];
        int64_t low = 0, found = -1, slack = INT64_MAX;
        int i = 0, at = -1;
        for (; i < n; i++) {
            const spot *o = &p->spots[i];
            if (o->last < s->first || o->first > s->last) continue;
            int64_t gap = o->offset - low;
            if (gap >= s->size && gap - s->size < slack) {
                found = low;
                at = i;
                slack = gap - s->size;
                if (!best_fit || slack == 0) break;
            }
            if (o->end > low) low = o->end;
        }
        p->work -= i;
        if (found < 0) found = low, at = n;
        while (at > 0 && p->spots[at - 1].offset > found) at--;
        if (found + s->size >= limit) return INT64_MAX;
        memmove(&p->spots[at + 1], &p->spots[at], (size_t)(n - at) * sizeof *p->spots);
        p->spots[at] = (spot){s->first, s->last, found, found + s->size};
        n++;
        p->offset[order[k]] = found;
        if (found + s->size > top) top = found + s->size;
    }
    return top;
}

/* Sort keys: larger first, then earlier, then lower id. */
typedef struct key {
    int64_t by, then;
    int32_t id;
} key;

static int by_key(const void *pa, const void *pb)
{
    const key *a = pa, *b = pb;
    if (a->by != b->by) return a->by > b->by ? -1 : 1;
    if (a->then != b->then) return a->then > b->then ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

enum { BY_SIZE, BY_AREA, BY_LIFE, BY_FIRST, ORDERS };
static const char *const order_names[ORDERS][2] = {
    {"size, first fit", "size, best fit"},
    {"area, first fit", "area, best fit"},
    {"life, first fit", "life, best fit"},
    {"start, first fit", "start, best fit"},
};

static void sort_slots(const dg_slot *s, int n, int how, key *keys, int32_t *order)
{
    for (int i = 0; i < n; i++) {
        int64_t life = (int64_t)s[i].last - s[i].first + 1;
        keys[i] = (key){.id = i, .then = s[i].size};
        switch (how) {
        case BY_SIZE:
            keys[i].by = s[i].size, keys[i].then = life;
            break;
        case BY_AREA:
            keys[i].by = s[i].size > INT64_MAX / life ? INT64_MAX : s[i].size * life;
            break;
        case BY_LIFE:
            keys[i].by = life;
            break;
        default:
            keys[i].by = -s[i].first;
            break;
        }
    }
    qsort(keys, (size_t)n, sizeof *keys, by_key);
    for (int i = 0; i < n; i++) order[i] = keys[i].id;
}

/* Moves the element at `from` to the earlier turn `to`, the others keeping their order. */
static void move(int32_t *order, int from, int to)
{
    int32_t moved = order[from];
    memmove(&order[to + 1], &order[to], (size_t)(from - to) * sizeof *order);
    order[to] = moved;
}

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* One of the first n of an order, taken at a step at which `id` is taken too, if a few draws find
 * one. */
static int32_t meets(const placer *p, const int32_t *order, int n, int32_t id, uint64_t *seed)
{
    const dg_slot *a = &p->slots[id];
    for (int tries = 0;; tries++) {
        int32_t other = order[next_random(seed) % (uint64_t)n];
        const dg_slot *b = &p->slots[other];
        if ((a->first <= b->last && b->first <= a->last) || tries == 12) return other;
    }
}

/* The search, with first fit: each trial moves one slot before another that it meets; what is not
 * worse is kept. The slot is one that ends at the top, or now and then one that meets such a one.
 */
static int64_t search(placer *p, int32_t *order, int64_t enough)
{
    uint64_t seed = 0x6467;
    int n = p->n;
    int32_t *trial = malloc((size_t)n * 3 * sizeof *trial);
    int64_t *offset = malloc((size_t)n * sizeof *offset); /* of the order that stands */
    if (!trial || !offset) dg_out_of_memory();
    int32_t *high = trial + n, *position = high + n;
    int64_t top = place(p, order, false, INT64_MAX);
    memcpy(offset, p->offset, (size_t)n * sizeof *offset);
    while (p->work > 0 && top > enough) {
        int n_high = 0;
        for (int k = 0; k < n; k++) {
            int32_t id = order[k];
            position[id] = k;
            if (offset[id] + p->slots[id].size == top) high[n_high++] = id;
        }
        p->work -= n;
        int32_t chosen = high[next_random(&seed) % (uint64_t)n_high];
        if (next_random(&seed) % 4 == 0) chosen = meets(p, order, n, chosen, &seed);
        if (position[chosen] == 0) continue;
        int32_t before = meets(p, order, position[chosen], chosen, &seed);
        memcpy(trial, order, (size_t)n * sizeof *trial);
        move(trial, position[chosen], position[before]);
        int64_t got = place(p, trial, false, top + 1);
        if (got > top) continue;
        memcpy(order, trial, (size_t)n * sizeof *order);
        memcpy(offset, p->offset, (size_t)n * sizeof *offset);
        top = got;
    }
    memcpy(p->offset, offset, (size_t)n * sizeof *offset);
    free(trial);
    free(offset);
    return top;
}

int64_t dg_slots_place(dg_slot *s, int n, int64_t bound, int64_t work, dg_arena *a,
                       dg_heuristic *tried, int *n_tried)
{
    *n_tried = 0;
    if (n == 0) return 0;
    placer p = {s, n, DG_NEW_ARRAY(a, spot, n), DG_NEW_ARRAY(a, int64_t, n), work};
    key *keys = DG_NEW_ARRAY(a, key, n);
    int32_t *order = DG_NEW_ARRAY(a, int32_t, n), *best_order = DG_NEW_ARRAY(a, int32_t, n);
    int64_t *best_offset = DG_NEW_ARRAY(a, int64_t, n), best = INT64_MAX;
    int64_t near = bound + bound / 2048; /* what is left to win is not worth another order */
    for (int how = 0; how < ORDERS && best > near; how++) {
        sort_slots(s, n, how, keys, order);
        for (int fit = 0; fit < 2 && best > near; fit++) {
            int64_t top = place(&p, order, fit == 1, INT64_MAX);
            tried[(*n_tried)++] = (dg_heuristic){order_names[how][fit], top};
            if (top >= best) continue;
            best = top;
            memcpy(best_order, order, (size_t)n * sizeof *order);
            memcpy(best_offset, p.offset, (size_t)n * sizeof *best_offset);
        }
    }
    int64_t enough = bound + bound / 200;
    if (best > enough) {
        int64_t top = search(&p, best_order, enough);
        tried[(*n_tried)++] = (dg_heuristic){"search", top};
        if (top < best) {
            best = top;
            memcpy(best_offset, p.offset, (size_t)n * sizeof *best_offset);
        }
    }
    for (int i = 0; i < n; i++) s[i].offset = best_offset[i];
    return best;
}

/* memplan_place.c: offsets for buffers whose lives are known.
 *
 * In     slots: first and last step, size.
 * Out    an offset for each, and the end of the highest.
 * Keeps  slots taken at one step share no byte. Nothing depends on time, addresses or threads:
 *        limits count comparisons.
 * Method by lines (memplan_lines.c), which for most graphs is all it takes. Then greedy, each slot
 *        into the lowest gap that holds it (Pisarchyk & Lee 2020, arXiv:2001.03288), in several
 *        orders. Slots that are taken where the arena is fullest come
 *        first, since there they must lie without gaps; for most graphs that is all it takes. Else
 *        what counts in an order are the large slots; what is large is varied, and the small ones
 *        follow by size. Where that is not enough, slots that end too high get earlier turns, all
 * at once (squeeze), at last single ones or those that stand in their way (search). The more there
 *        is to win, the longer that goes on. */
#include "compiler/passes/memplan.h"

#include "compiler/base/os.h"

#include <stdlib.h>
#include <string.h>

/* Bytes taken at each step, `*steps` + 1 numbers; the caller's, by free. */
static int64_t *live_bytes(const dg_slot *s, int n, int32_t *steps)
{
    *steps = 0;
    for (int i = 0; i < n; i++) {
        if (s[i].last >= *steps) *steps = s[i].last + 1;
    }
    int64_t *live = calloc((size_t)*steps + 1, sizeof *live);
    if (!live) dg_out_of_memory();
    for (int i = 0; i < n; i++) {
        live[s[i].first] += s[i].size;
        live[s[i].last + 1] -= s[i].size;
    }
    for (int32_t t = 1; t <= *steps; t++) live[t] += live[t - 1];
    return live;
}

int64_t dg_slots_bound(const dg_slot *s, int n, int32_t *step)
{
    int32_t steps;
    int64_t *live = live_bytes(s, n, &steps), most = 0;
    *step = 0;
    for (int32_t t = 0; t < steps; t++) {
        if (live[t] > most) most = live[t], *step = t;
    }
    free(live);
    return most;
}

/* ---- one placement ---- */

typedef struct spots { /* slots that have their place, in order of offsets; arrays, to be scanned */
    int n;
    int32_t *first, *last, *turn;
    int64_t *offset, *end;
} spots;

typedef struct placer {
    const dg_slot *slots;
    int n;
    int64_t *offset; /* by slot, of the placement made last */
    int64_t work;    /* comparisons left */
} placer;

static void insert(spots *s, int at, const dg_slot *slot, int32_t turn, int64_t offset)
{
    size_t rest = (size_t)(s->n - at);
#define INSERT(field, value)                                                                       \
    memmove(&s->field[at + 1], &s->field[at], rest * sizeof *s->field);                            \
    s->field[at] = value
    INSERT(first, slot->first);
    INSERT(last, slot->last);
    INSERT(turn, turn);
    INSERT(offset, offset);
    INSERT(end, offset + slot->size);
#undef INSERT
    s->n++;
}

/* Those of `from` that had their turn before `turn`. */
static void keep_first(spots *to, const spots *from, int32_t turn)
{
    int n = 0;
    for (int i = 0; i < from->n; i++) {
        to->first[n] = from->first[i];
        to->last[n] = from->last[i];
        to->turn[n] = from->turn[i];
        to->offset[n] = from->offset[i];
        to->end[n] = from->end[i];
        n += from->turn[i] < turn;
    }
    to->n = n;
}

/* The lowest offset at which a slot meets none of the spots of its time. Spots are looked at in
 * runs, each first without branches and then by those that count: this is where the time goes, and
 * small slots find their gap early. */
static int64_t lowest_gap(const spots *s, const dg_slot *slot, int64_t *work)
{
    enum { RUN = 64, WORD = sizeof(uint64_t) };
    _Alignas(WORD) uint8_t met[RUN] = {0};
    int64_t low = 0;
    for (int begin = 0; begin < s->n; begin += RUN) {
        const int32_t *first = s->first + begin, *last = s->last + begin;
        int run = s->n - begin < RUN ? s->n - begin : RUN;
        for (int i = 0; i < run; i++) met[i] = (last[i] >= slot->first) & (first[i] <= slot->last);
        *work -= run / 4 + 1;
        for (int word = 0; word < run; word += WORD) { /* most words are empty */
            uint64_t any;
            memcpy(&any, met + word, sizeof any);
            if (any == 0) continue;
            int end = word + WORD < run ? word + WORD : run;
            for (int i = word; i < end; i++) {
                if (!met[i]) continue;
                int m = begin + i;
                if (s->offset[m] - low >= slot->size) return low;
                if (s->end[m] > low) low = s->end[m];
                --*work;
            }
        }
    }
    return low;
}

/* Places the slots order[begin] .. order[end - 1] beside those that have their place already; the
 * end of the highest of all, or INT64_MAX once that is not below `limit`. */
static int64_t place(placer *p, spots *s, const int32_t *order, int begin, int end, int64_t limit)
{
    int64_t top = 0;
    for (int i = 0; i < s->n; i++) top = s->end[i] > top ? s->end[i] : top;
    if (top >= limit) return INT64_MAX;
    for (int k = begin; k < end; k++) {
        const dg_slot *slot = &p->slots[order[k]];
        int64_t low = lowest_gap(s, slot, &p->work), high = low + slot->size;
        if (high >= limit) return INT64_MAX;
        int at = 0;
        for (int step = s->n; step > 0;) { /* the first spot that is not below */
            int half = step / 2;
            if (s->offset[at + half] < low) {
                at += half + 1;
                step -= half + 1;
            } else {
                step = half;
            }
        }
        insert(s, at, slot, k, low);
        p->offset[order[k]] = low;
        if (high > top) top = high;
    }
    return top;
}

/* ---- orders ---- */

/* Sort keys: larger first, then lower id. */
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

/* `lines`: as memplan_lines.c stacks them, by life or by area. `peak`: first what is taken where
 * the bound is reached, by the rest of the name, then the others by size. `full`: first by how full
 * the arena is where a slot is taken, in 32 steps. */
enum {
    LINES_LIFE,
    LINES_AREA,
    PEAK_LIFE,
    PEAK_LAST,
    PEAK_FIRST,
    SIZE,
    FULL_LAST,
    FULL_LIFE,
    FULL_FIRST,
    FULL_SIZE,
    LIFE,
    FIRST,
    AREA,
    ORDERS
};
static const char *const order_names[ORDERS] = {
    "lines, life", "lines, area", "peak, life", "peak, last", "peak, first", "size", "full, last",
    "full, life",  "full, first", "full, size", "life",       "first",       "area"};
/* Large is what takes at least this part of the bound. */
enum { PARTS = 3 };
static const int64_t parts[PARTS] = {64, 128, 512};

/* What the keys are made of. */
typedef struct facts {
    const dg_slot *slots;
    int n;
    int64_t bound, *full; /* by slot: the most bytes taken while it lives */
    int64_t *lines[2];    /* by slot: offsets found by lines */
} facts;

/* The key of slot i among the large ones. */
static key key_of(const facts *f, int i, int how)
{
    const dg_slot *s = f->slots;
    const int64_t *full = f->full, bound = f->bound;
    int64_t life = (int64_t)s[i].last - s[i].first + 1, size = s[i].size,
            fill = bound > 0 ? full[i] / (bound / 32 + 1) : 0;
    bool at_peak = full[i] >= bound;
    switch (how) {
    case LINES_LIFE:
    case LINES_AREA:
        return (key){-f->lines[how][i], size, i};
    case PEAK_LIFE:
        return at_peak ? (key){INT64_MAX, life, i} : (key){size, life, i};
    case PEAK_LAST:
        return at_peak ? (key){INT64_MAX, s[i].last, i} : (key){size, life, i};
    case PEAK_FIRST:
        return at_peak ? (key){INT64_MAX, -(int64_t)s[i].first, i} : (key){size, life, i};
    case FULL_LAST:
        return (key){fill, s[i].last, i};
    case FULL_LIFE:
        return (key){fill, life, i};
    case FULL_FIRST:
        return (key){fill, -(int64_t)s[i].first, i};
    case FULL_SIZE:
        return (key){fill, size, i};
    case LIFE:
        return (key){life, size, i};
    case FIRST:
        return (key){-(int64_t)s[i].first, size, i};
    case AREA:
        return (key){size > INT64_MAX / life ? INT64_MAX : size * life, size, i};
    default:
        return (key){size, life, i};
    }
}

/* Large ones in the order asked for, then the others by size; how many are large. What is taken at
 * the peak is large in the orders that begin with it. */
static int sort_slots(const facts *f, int how, int64_t part, key *keys, int32_t *order)
{
    int n = f->n, large = 0, small = n;
    bool peak = how >= PEAK_LIFE && how <= PEAK_FIRST;
    for (int i = 0; i < n; i++) {
        if (f->slots[i].size >= f->bound / part || (peak && f->full[i] >= f->bound))
            keys[large++] = key_of(f, i, how);
        else
            keys[--small] = key_of(f, i, SIZE);
    }
    qsort(keys, (size_t)large, sizeof *keys, by_key);
    qsort(keys + large, (size_t)(n - large), sizeof *keys, by_key);
    for (int i = 0; i < n; i++) order[i] = keys[i].id;
    return large;
}

/* The most bytes taken at any step of each slot's life: from the maxima of runs of 2^k steps. */
static int64_t *fullest(const dg_slot *s, int n, dg_arena *a)
{
    int32_t steps;
    int64_t *live = live_bytes(s, n, &steps), *full = DG_NEW_ARRAY(a, int64_t, n);
    for (int32_t run = 1; run <= steps; run *= 2) {
        for (int i = 0; i < n; i++) {
            int32_t life = s[i].last - s[i].first + 1;
            if (life < run || life >= 2 * run) continue;
            int64_t x = live[s[i].first], y = live[s[i].last - run + 1];
            full[i] = x > y ? x : y;
        }
        for (int32_t t = 0; t + run < steps; t++)
            if (live[t + run] > live[t]) live[t] = live[t + run];
    }
    free(live);
    return full;
}

/* ---- the search ---- */

/* The largest sum of the large ones at one step. */
static int64_t bound_of_large(const placer *p, const int32_t *order, int large, dg_arena *a)
{
    dg_slot *s = DG_NEW_ARRAY(a, dg_slot, large);
    int32_t step;
    for (int k = 0; k < large; k++) s[k] = p->slots[order[k]];
    return dg_slots_bound(s, large, &step);
}

/* Comparisons: what is spent at least, and where a tenth of the bound may be won. */
#define LEAST_WORK ((int64_t)1 << 18)
#define MOST_WORK ((int64_t)1 << 23)
#define SEED UINT64_C(0x64670001)
#define SQUEEZE_WORK ((int64_t)1 << 17) /* before other slots are taken for large */

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
 * one; its turn. */
static int meets(const placer *p, const int32_t *order, int n, int32_t id, uint64_t *seed)
{
    const dg_slot *a = &p->slots[id];
    for (int tries = 0;; tries++) {
        int turn = (int)(next_random(seed) % (uint64_t)n);
        const dg_slot *b = &p->slots[order[turn]];
        if ((a->first <= b->last && b->first <= a->last) || tries == 12) return turn;
    }
}

static spots new_spots(dg_arena *a, int n)
{
    return (spots){0,
                   DG_NEW_ARRAY(a, int32_t, n),
                   DG_NEW_ARRAY(a, int32_t, n),
                   DG_NEW_ARRAY(a, int32_t, n),
                   DG_NEW_ARRAY(a, int64_t, n),
                   DG_NEW_ARRAY(a, int64_t, n)};
}

typedef struct best { /* the placement to beat */
    int64_t top;
    int64_t *offset;
} best;

static void note(const placer *p, best *b, int64_t top)
{
    if (top >= b->top) return;
    b->top = top;
    memcpy(b->offset, p->offset, (size_t)p->n * sizeof *b->offset);
}

/* The placement of the large slots that is made last, completed by the small ones. */
static void complete(placer *p, spots *s, const int32_t *order, int large, best *b)
{
    note(p, b, place(p, s, order, large, p->n, b->top));
}

/* Rounds: slots that end above a target get an earlier turn, by a random part of theirs, and now
 * and then another slot some other turn; every 16 rounds from the best order so far. Quick where a
 * few slots are in the way of each other. Leaves the best order of the large ones. */
static void squeeze(placer *p, int32_t *order, int large, int64_t enough, best *b, dg_arena *a)
{
    enum { AGAIN = 16 };
    uint64_t seed = SEED;
    spots all = new_spots(a, p->n);
    int32_t *trial = DG_NEW_ARRAY(a, int32_t, p->n);
    key *keys = DG_NEW_ARRAY(a, key, large);
    int64_t top = INT64_MAX, low = bound_of_large(p, order, large, a);
    memcpy(trial, order, (size_t)p->n * sizeof *trial);
    for (int round = 0; p->work > 0 && b->top > enough && top > low; round++) {
        all.n = 0;
        int64_t got = place(p, &all, trial, 0, large, INT64_MAX);
        if (got < top) {
            top = got;
            memcpy(order, trial, (size_t)large * sizeof *order);
            if (top < b->top) complete(p, &all, trial, large, b);
        } else if (round % AGAIN == AGAIN - 1) {
            memcpy(trial, order, (size_t)large * sizeof *trial);
            all.n = 0;
            place(p, &all, trial, 0, large, INT64_MAX);
        }
        int64_t target = low + (top - low) * (round % 4) / 4;
        for (int k = 0; k < large; k++) {
            const dg_slot *s = &p->slots[trial[k]];
            int64_t turn = (int64_t)k * 1024, part = (int64_t)(next_random(&seed) % 1024);
            if (p->offset[trial[k]] + s->size > target)
                turn = turn / 1024 * (205 + part * 3 / 4);
            else if (next_random(&seed) % 32 == 0)
                turn = turn / 1024 * (717 + part * 5 / 8);
            keys[k] = (key){-turn, -k, trial[k]};
        }
        qsort(keys, (size_t)large, sizeof *keys, by_key);
        for (int k = 0; k < large; k++) trial[k] = keys[k].id;
        p->work -= 2 * large;
    }
}

/* Each trial moves one large slot before another that it meets; what is not worse is kept. The slot
 * is one that ends at the top, or now and then one that meets such a one. Slots before the turn
 * changed keep their places. A placement of the large ones that is lower than all before gets the
 * small ones, too. */
static void search(placer *p, int32_t *order, int large, int64_t enough, best *b, dg_arena *a)
{
    uint64_t seed = SEED;
    spots now = new_spots(a, p->n), next = new_spots(a, p->n);
    int32_t *trial = DG_NEW_ARRAY(a, int32_t, large), *high = DG_NEW_ARRAY(a, int32_t, large);
    int64_t top = place(p, &now, order, 0, large, INT64_MAX);
    while (p->work > 0 && b->top > enough) {
        int n_high = 0;
        for (int i = 0; i < now.n; i++)
            if (now.end[i] == top) high[n_high++] = now.turn[i];
        p->work -= now.n + large / 8;
        int from = high[next_random(&seed) % (uint64_t)n_high];
        if (next_random(&seed) % 4 == 0) from = meets(p, order, large, order[from], &seed);
        if (from == 0) continue;
        int to = meets(p, order, from, order[from], &seed);
        memcpy(trial, order, (size_t)large * sizeof *trial);
        move(trial, from, to);
        keep_first(&next, &now, to);
        int64_t got = place(p, &next, trial, to, large, top + 1);
        if (got > top) continue;
        memcpy(order, trial, (size_t)large * sizeof *order);
        spots t = now;
        now = next;
        next = t;
        if (got == top) continue;
        top = got;
        if (top >= b->top) continue;
        keep_first(&next, &now, p->n);
        for (int i = 0; i < now.n; i++) p->offset[order[now.turn[i]]] = now.offset[i];
        complete(p, &next, order, large, b);
    }
}

/* An order by its number: which slots are large, and how they are sorted. */
typedef struct start {
    int64_t top;
    int part, how;
} start;

static int by_top(const void *pa, const void *pb)
{
    const start *a = pa, *b = pb;
    return a->top != b->top ? (a->top > b->top ? 1 : -1) : a->how - b->how;
}

/* What all attempts share. */
typedef struct attempts {
    facts f;
    placer p;
    best b;
    spots all;
    key *keys;
    int32_t *order;
    start starts[ORDERS]; /* the best of each, so that searches begin at places far apart */
    int64_t near, enough; /* what is left to win below is not worth another order, or a search */
    dg_heuristic *tried;
    int *n_tried;
} attempts;

static void note_as(attempts *t, const char *name, int64_t top)
{
    if (top >= t->b.top) return;
    t->tried[(*t->n_tried)++] = (dg_heuristic){name, top};
    note(&t->p, &t->b, top);
}

static void try_lines(attempts *t, dg_arena *a)
{
    for (int how = LINES_LIFE; how <= LINES_AREA && t->b.top > t->near; how++) {
        int64_t top = dg_slots_by_lines(t->f.slots, t->f.n, how == LINES_AREA, a, t->p.offset);
        t->f.lines[how] = dg_arena_copy(a, t->p.offset, (size_t)t->f.n * sizeof *t->p.offset);
        t->starts[how] = (start){top, 0, how};
        note_as(t, order_names[how], top);
    }
}

/* All orders with what is large at `part`; the best one at which a search may begin: those by the
 * peak leave little room for turns. */
static start try_orders(attempts *t, int part, int64_t *lowest)
{
    start best_of_part = {INT64_MAX, part, 0};
    for (int how = part == 0 ? PEAK_LIFE : SIZE; how < ORDERS && t->b.top > t->near; how++) {
        sort_slots(&t->f, how, parts[part], t->keys, t->order);
        t->all.n = 0;
        bool begins = how > PEAK_FIRST;
        int64_t limit = begins ? *lowest : t->b.top;
        if (begins && limit < INT64_MAX / 2) limit += limit / 32;
        int64_t top = place(&t->p, &t->all, t->order, 0, t->f.n, limit);
        if (begins && top < t->starts[how].top) t->starts[how] = (start){top, part, how};
        if (begins && top < *lowest) *lowest = top;
        if (begins && top < best_of_part.top) best_of_part = (start){top, part, how};
        note_as(t, order_names[how], top);
    }
    return best_of_part;
}

/* The long search, from the best starts. */
static void try_searches(attempts *t, dg_arena *a)
{
    int64_t bound = t->f.bound;
    double excess = bound > 0 ? (double)(t->b.top - bound) / (double)bound * 10 : 0;
    enum { NEAR = 8, FAR = 4 }; /* starts: far from the bound fewer, but longer */
    int tries = excess < 1 ? NEAR : FAR;
    int64_t work = LEAST_WORK + (int64_t)((excess < 1 ? excess : 1) * MOST_WORK);
    qsort(t->starts, ORDERS, sizeof *t->starts, by_top);
    for (int i = 0; i < tries && t->starts[i].top < INT64_MAX; i++) {
        const start *from = &t->starts[i];
        int large = sort_slots(&t->f, from->how, parts[from->part], t->keys, t->order);
        if (large < 2) continue;
        t->p.work = work / tries / 2;
        squeeze(&t->p, t->order, large, t->enough, &t->b, a);
        t->p.work = work / tries / 2;
        search(&t->p, t->order, large, t->enough, &t->b, a);
    }
}

int64_t dg_slots_place(dg_slot *s, int n, int64_t bound, dg_arena *a, dg_heuristic *tried,
                       int *n_tried)
{
    *n_tried = 0;
    if (n == 0) return 0;
    attempts t = {.f = {.slots = s, .n = n, .bound = bound},
                  .p = {s, n, DG_NEW_ARRAY(a, int64_t, n), 0},
                  .b = {INT64_MAX, DG_NEW_ARRAY(a, int64_t, n)},
                  .near = bound + bound / 2048,
                  .enough = bound + bound / 100,
                  .tried = tried,
                  .n_tried = n_tried};
    for (int i = 0; i < ORDERS; i++) t.starts[i] = (start){INT64_MAX, 0, i};
    try_lines(&t, a);
    bool searched = false;
    if (t.b.top > t.near) {
        t.f.full = fullest(s, n, a);
        t.all = new_spots(a, n);
        t.keys = DG_NEW_ARRAY(a, key, n);
        t.order = DG_NEW_ARRAY(a, int32_t, n);
    }
    int64_t lowest = INT64_MAX;
    for (int part = 0; part < PARTS && t.b.top > (part == 0 ? t.near : t.enough); part++) {
        start from = try_orders(&t, part, &lowest);
        if (t.b.top <= t.enough || from.top == INT64_MAX) continue;
        int large = sort_slots(&t.f, from.how, parts[part], t.keys, t.order);
        t.p.work = SQUEEZE_WORK;
        if (large > 1) squeeze(&t.p, t.order, large, t.enough, &t.b, a);
        searched = true;
    }
    if (t.b.top > t.enough) try_searches(&t, a);
    if (searched) tried[(*n_tried)++] = (dg_heuristic){"search", t.b.top};
    for (int i = 0; i < n; i++) s[i].offset = t.b.offset[i];
    return t.b.top;
}

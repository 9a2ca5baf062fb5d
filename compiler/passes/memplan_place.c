/* memplan_place.c: offsets for buffers whose lives are known.
 *
 * In     slots: first and last step, size.
 * Out    an offset for each, and the end of the highest.
 * Keeps  slots taken at one step share no byte. Nothing depends on time, addresses or threads:
 *        limits count comparisons.
 * Method by lines (memplan_lines.c), which for most graphs is all it takes. Else greedy, each slot
 *        into the lowest gap that holds it (Pisarchyk & Lee 2020, arXiv:2001.03288), those that
 *        are taken where the arena is fullest first, since there they must lie without gaps. Then
 *        some rounds of lines, of what is large, the small ones following into the gaps. Where that
 *        is not enough, greedy by other orders of the large ones, and what is large is varied; at
 *        last many rounds. */
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
    int32_t *first, *last;
    int64_t *offset, *end;
} spots;

typedef struct placer {
    const dg_slot *slots;
    int64_t *offset; /* by slot, of the placement made last */
} placer;

static void insert(spots *s, int at, const dg_slot *slot, int64_t offset)
{
    size_t rest = (size_t)(s->n - at);
#define INSERT(field, value)                                                                       \
    memmove(&s->field[at + 1], &s->field[at], rest * sizeof *s->field);                            \
    s->field[at] = value
    INSERT(first, slot->first);
    INSERT(last, slot->last);
    INSERT(offset, offset);
    INSERT(end, offset + slot->size);
#undef INSERT
    s->n++;
}

/* The lowest offset at which a slot meets none of the spots of its time. Spots are looked at in
 * runs, each first without branches and then by those that count: this is where the time goes, and
 * small slots find their gap early. */
static int64_t lowest_gap(const spots *s, const dg_slot *slot)
{
    enum { RUN = 64, WORD = sizeof(uint64_t) };
    _Alignas(WORD) uint8_t met[RUN] = {0};
    int64_t low = 0;
    for (int begin = 0; begin < s->n; begin += RUN) {
        const int32_t *first = s->first + begin, *last = s->last + begin;
        int run = s->n - begin < RUN ? s->n - begin : RUN;
        for (int i = 0; i < run; i++) met[i] = (last[i] >= slot->first) & (first[i] <= slot->last);
        memset(met + run, 0, (size_t)(-run & (WORD - 1)));
        for (int word = 0; word < run; word += WORD) { /* most words are empty */
            uint64_t any;
            memcpy(&any, met + word, sizeof any);
            for (; any != 0; any &= any - 1) {
                int m = begin + word + __builtin_ctzll(any) / 8;
                if (s->offset[m] - low >= slot->size) return low;
                if (s->end[m] > low) low = s->end[m];
            }
        }
    }
    return low;
}

/* A slot gets its place among the spots. */
static void put(placer *p, spots *s, int32_t id, int64_t offset)
{
    int at = 0;
    for (int step = s->n; step > 0;) { /* the first spot that is not below */
        int half = step / 2;
        if (s->offset[at + half] < offset) {
            at += half + 1;
            step -= half + 1;
        } else {
            step = half;
        }
    }
    insert(s, at, &p->slots[id], offset);
    p->offset[id] = offset;
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
        int64_t low = lowest_gap(s, slot), high = low + slot->size;
        if (high >= limit) return INT64_MAX;
        put(p, s, order[k], low);
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

/* `peak`: first what is taken where the bound is reached, by the rest of the name, then the others
 * by size. `full`: first by how full the arena is where a slot is taken, in 32 steps. */
enum {
    PEAK_FIRST,
    PEAK_LAST,
    PEAK_LIFE,
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
    "peak, first", "peak, last", "peak, life", "size",  "full, last", "full, life",
    "full, first", "full, size", "life",       "first", "area"};
/* Large is what takes at least this part of the bound. */
enum { PARTS = 3 };
static const int64_t parts[PARTS] = {64, 128, 512};

/* What the keys are made of. */
typedef struct facts {
    const dg_slot *slots;
    int n;
    int64_t bound, *full; /* by slot: the most bytes taken while it lives */
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
    bool peak = how <= PEAK_LIFE;
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

/* ---- attempts ---- */

/* Comparisons of rounds: before orders are tried, and after, where a tenth of the bound may be won.
 * What takes at least this part of the bound is large to them. */
#define FEW_ROUNDS ((int64_t)1 << 19)
#define MANY_ROUNDS ((int64_t)1 << 23)
enum { ROUNDS_PART = 512 };

static spots new_spots(dg_arena *a, int n)
{
    return (spots){0, DG_NEW_ARRAY(a, int32_t, n), DG_NEW_ARRAY(a, int32_t, n),
                   DG_NEW_ARRAY(a, int64_t, n), DG_NEW_ARRAY(a, int64_t, n)};
}

/* What all attempts share. */
typedef struct attempts {
    facts f;
    placer p;
    int64_t top, *offset; /* of the best placement */
    spots all;
    key *keys;
    int32_t *order;
    int64_t near, enough; /* what is left to win below is not worth a round, or another order */
    dg_heuristic *tried;
    int *n_tried;
} attempts;

static void note(attempts *t, const char *name, int64_t top)
{
    if (top >= t->top) return;
    if (*t->n_tried == 0 || t->tried[*t->n_tried - 1].name != name) ++*t->n_tried;
    t->tried[*t->n_tried - 1] = (dg_heuristic){name, top};
    t->top = top;
    memcpy(t->offset, t->p.offset, (size_t)t->f.n * sizeof *t->offset);
}

static void try_lines(attempts *t, dg_arena *a)
{
    static const char *const names[] = {"lines, life", "lines, area"};
    for (int area = 0; area < 2 && t->top > t->near; area++)
        note(t, names[area], dg_slots_by_lines(t->f.slots, t->f.n, area, a, t->p.offset));
}

typedef struct rounds { /* of the large ones, as slots of their own */
    attempts *t;
    const char *name;
    int large;
    int64_t enough, *offset;
} rounds;

/* The smaller ones into the gaps that the large ones leave. */
static bool fill_gaps(void *to, int64_t top)
{
    const rounds *r = to;
    attempts *t = r->t;
    if (top >= t->top) return false;
    t->all.n = 0;
    for (int k = 0; k < r->large; k++) put(&t->p, &t->all, t->order[k], r->offset[k]);
    note(t, r->name, place(&t->p, &t->all, t->order, r->large, t->f.n, t->top));
    return t->top <= r->enough;
}

static void try_rounds(attempts *t, const char *name, int64_t work, int64_t enough, dg_arena *a)
{
    dg_slot *s = DG_NEW_ARRAY(a, dg_slot, t->f.n);
    int large = sort_slots(&t->f, SIZE, ROUNDS_PART, t->keys, t->order);
    rounds r = {t, name, large, enough, DG_NEW_ARRAY(a, int64_t, large)};
    for (int k = 0; k < large; k++) s[k] = t->f.slots[t->order[k]];
    dg_slots_by_rounds(s, large, work, a, r.offset, fill_gaps, &r);
}

static void try_orders(attempts *t, int first, int last, int part, int64_t enough)
{
    for (int how = first; how <= last && t->top > enough; how++) {
        sort_slots(&t->f, how, parts[part], t->keys, t->order);
        t->all.n = 0;
        note(t, order_names[how], place(&t->p, &t->all, t->order, 0, t->f.n, t->top));
    }
}

int64_t dg_slots_place(dg_slot *s, int n, int64_t bound, dg_arena *a, dg_heuristic *tried,
                       int *n_tried)
{
    *n_tried = 0;
    if (n == 0) return 0;
    attempts t = {.f = {.slots = s, .n = n, .bound = bound},
                  .p = {s, DG_NEW_ARRAY(a, int64_t, n)},
                  .top = INT64_MAX,
                  .offset = DG_NEW_ARRAY(a, int64_t, n),
                  .near = bound + bound / 2048,
                  .enough = bound + bound / 100,
                  .tried = tried,
                  .n_tried = n_tried};
    try_lines(&t, a);
    if (t.top > t.near) {
        t.f.full = fullest(s, n, a);
        t.all = new_spots(a, n);
        t.keys = DG_NEW_ARRAY(a, key, n);
        t.order = DG_NEW_ARRAY(a, int32_t, n);
        try_orders(&t, PEAK_FIRST, PEAK_LIFE, 0, t.near);
    }
    if (t.top > t.near) try_rounds(&t, "few rounds", FEW_ROUNDS, t.near, a);
    for (int part = 0; part < PARTS; part++) try_orders(&t, SIZE, AREA, part, t.enough);
    if (t.top > t.enough) {
        double tenths = (double)(t.top - bound) / (double)bound * 10;
        int64_t work = (int64_t)((tenths < 1 ? tenths : 1) * MANY_ROUNDS);
        try_rounds(&t, "rounds", work, t.enough, a);
    }
    for (int i = 0; i < n; i++) s[i].offset = t.offset[i];
    return t.top;
}

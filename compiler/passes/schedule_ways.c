/* schedule_ways.c: a region's items ordered in several ways, and the best of them.
 *
 * In     items, buffers and edges (dg_sched), and an order that keeps the edges.
 * Out    the best order by (peak, bytes x steps).
 * Method by the order given, which is the source's; depth first from the results; backward in
 *        reverse of forward; each plainly and with items that free bytes drawn forward; and
 *        greedily by (does the peak grow, net change of live bytes, source position). The best then
 *        gets its growing items moved as late as they may be.
 * Cost   near linear, but for the greedy way: items times those that are ready at once. */
#include "compiler/passes/schedule.h"

#include <assert.h>
#include <string.h>

typedef struct heap { /* of ranks: the lowest first */
    int32_t *at;
    int n;
} heap;

static void heap_push(heap *h, int32_t rank)
{
    int i = h->n++;
    for (; i > 0 && h->at[(i - 1) / 2] > rank; i = (i - 1) / 2) h->at[i] = h->at[(i - 1) / 2];
    h->at[i] = rank;
}

static int32_t heap_pop(heap *h)
{
    int32_t top = h->at[0], last = h->at[--h->n];
    int i = 0;
    for (int k; (k = 2 * i + 1) < h->n; i = k) {
        if (k + 1 < h->n && h->at[k + 1] < h->at[k]) k++;
        if (h->at[k] >= last) break;
        h->at[i] = h->at[k];
    }
    h->at[i] = last;
    return top;
}

/* Bytes that change hands when an item runs now, from `left` readers of each buffer. */
typedef struct change {
    int64_t grows; /* from before it runs to while it runs */
    int64_t net;   /* from before to after */
} change;

static change change_of(const dg_sched *s, const dg_sched_item *i)
{
    int64_t made = 0, kept = 0, freed = 0;
    for (int32_t k = 0; k < i->n_makes; k++) {
        const dg_sched_buffer *b = &s->buffers[s->pool.at[i->makes + k]];
        made += b->bytes;
        if (b->n_readers > 0 || b->pinned) kept += b->bytes;
    }
    for (int32_t k = 0; k < i->n_frees; k++) {
        int32_t b = s->pool.at[i->frees + k];
        if (s->left[b] == 1 && !s->buffers[b].pinned) freed += s->buffers[b].bytes;
    }
    int64_t reused = 0;
    for (int32_t k = 0, last = -1; k < i->n_over; k++) {
        int32_t over = s->pool.at[i->over + 2 * k], read = s->pool.at[i->over + 2 * k + 1];
        if (over == last || s->left[read] != 1) continue;
        reused += s->buffers[read].bytes;
        last = over;
    }
    if (reused > freed) reused = freed;
    return (change){made - reused + i->extra, kept - freed};
}

typedef struct dg_score {
    int64_t peak, area;
} dg_score;

static bool better(dg_score a, dg_score b)
{
    return a.peak != b.peak ? a.peak < b.peak : a.area < b.area;
}

/* The part of a run that all ways share: an item has its turn. */
typedef struct tally {
    int64_t live, peak, area;
} tally;

static void take(dg_sched *s, int32_t id, tally *t)
{
    const dg_sched_item *i = &s->items[id];
    change c = change_of(s, i);
    if (t->live + c.grows > t->peak) t->peak = t->live + c.grows;
    t->live += c.net;
    t->area += t->live >> 6; /* in units of the alignment: no overflow */
    for (int32_t k = 0; k < i->n_frees; k++) s->left[s->pool.at[i->frees + k]]--;
    s->done[id] = true;
}

static void begin(dg_sched *s)
{
    for (int b = 0; b < s->n_buffers; b++) s->left[b] = s->buffers[b].n_readers;
    for (int i = 0; i < s->n_items; i++) s->wait[i] = s->items[i].n_pred;
    memset(s->done, 0, (size_t)s->n_items * sizeof *s->done);
}

static dg_score judge(dg_sched *s, const int32_t *order)
{
    tally t = {0};
    begin(s);
    for (int k = 0; k < s->n_items; k++) take(s, order[k], &t);
    return (dg_score){t.peak, t.area};
}

/* Lowest rank first among what is ready; with `eager`, first whatever then leaves no more bytes
 * live than before. */
static int run_ranked(dg_sched *s, const int32_t *rank, const int32_t *by_rank, bool eager,
                      int32_t *order, dg_score *out)
{
    heap ready = {s->heap, 0}, first = {s->eager, 0};
    tally t = {0};
    int n = 0;
    begin(s);
    for (int i = 0; i < s->n_items; i++) {
        if (s->wait[i] > 0) continue;
        heap_push(&ready, rank[i]);
        if (eager && change_of(s, &s->items[i]).net <= 0) heap_push(&first, rank[i]);
    }
    while (ready.n > 0 || first.n > 0) {
        int32_t id = by_rank[first.n > 0 ? heap_pop(&first) : heap_pop(&ready)];
        if (s->done[id]) continue;
        take(s, id, &t);
        order[n++] = id;
        for (int32_t e = s->items[id].edge; e >= 0; e = s->edges.at[e].next) {
            int32_t to = s->edges.at[e].to;
            if (--s->wait[to] > 0) continue;
            heap_push(&ready, rank[to]);
            if (eager && change_of(s, &s->items[to]).net <= 0) heap_push(&first, rank[to]);
        }
        if (!eager) continue;
        for (int32_t k = 0; k < s->items[id].n_frees;
             k++) { /* a buffer's last reader may have become worth drawing forward */
            const dg_sched_buffer *b = &s->buffers[s->pool.at[s->items[id].frees + k]];
            if (s->left[b - s->buffers] != 1) continue;
            for (int32_t j = 0; j < b->n_readers; j++) {
                int32_t reader = s->readers_pool[b->readers + j];
                if (!s->done[reader] && s->wait[reader] == 0 &&
                    change_of(s, &s->items[reader]).net <= 0)
                    heap_push(&first, rank[reader]);
            }
        }
    }
    *out = (dg_score){t.peak, t.area};
    return n;
}

/* Each time the item that raises the peak least, then leaves least behind, then stands first. */
static void run_greedy(dg_sched *s, const int32_t *rank, int32_t *order, dg_score *out)
{
    tally t = {0};
    int n = 0, n_ready = 0;
    int32_t *ready = s->heap;
    begin(s);
    for (int i = 0; i < s->n_items; i++) {
        if (s->wait[i] == 0) ready[n_ready++] = i;
    }
    while (n_ready > 0) {
        int best = 0;
        int64_t best_over = 0, best_net = 0;
        for (int k = 0; k < n_ready; k++) {
            change c = change_of(s, &s->items[ready[k]]);
            int64_t over = t.live + c.grows > t.peak ? t.live + c.grows - t.peak : 0;
            bool wins = over != best_over   ? over < best_over
                        : c.net != best_net ? c.net < best_net
                                            : rank[ready[k]] < rank[ready[best]];
            if (k == 0 || wins) best = k, best_over = over, best_net = c.net;
        }
        int32_t id = ready[best];
        ready[best] = ready[--n_ready];
        take(s, id, &t);
        order[n++] = id;
        for (int32_t e = s->items[id].edge; e >= 0; e = s->edges.at[e].next) {
            if (--s->wait[s->edges.at[e].to] == 0) ready[n_ready++] = s->edges.at[e].to;
        }
    }
    assert(n == s->n_items);
    *out = (dg_score){t.peak, t.area};
}

/* Items that leave more bytes than they found, moved to just before the first that needs them. */
static void move_late(dg_sched *s, int32_t *order)
{
    int32_t *at = s->heap; /* position of each dg_sched_item */
    for (int k = 0; k < s->n_items; k++) at[order[k]] = k;
    for (int k = s->n_items - 1; k >= 0; k--) {
        int32_t id = order[k];
        const dg_sched_item *i = &s->items[id];
        int64_t made = 0, read = 0;
        for (int32_t j = 0; j < i->n_makes; j++) made += s->buffers[s->pool.at[i->makes + j]].bytes;
        for (int32_t j = 0; j < i->n_reads; j++) {
            const dg_sched_buffer *b = &s->buffers[s->pool.at[i->reads + j]];
            bool last = b->bytes > 0 && !b->pinned;
            for (int32_t q = 0; last && q < b->n_readers; q++)
                last = at[s->readers_pool[b->readers + q]] <= k;
            if (last) read += b->bytes;
        }
        int to = s->n_items;
        for (int32_t e = i->edge; e >= 0; e = s->edges.at[e].next) {
            if (at[s->edges.at[e].to] < to) to = at[s->edges.at[e].to];
        }
        if (made <= read || to == s->n_items || to == k + 1) continue;
        memmove(&order[k], &order[k + 1], (size_t)(to - 1 - k) * sizeof *order);
        order[to - 1] = id;
        for (int j = k; j < to; j++) at[order[j]] = j;
    }
}

/* ---- ranks ---- */

/* Depth first: what a result needs just before the result. */
static void depth_first(dg_sched *s, const int32_t *sinks, int n_sinks, int32_t *order)
{
    typedef struct frame {
        int32_t id, next;
    } frame;
    frame *stack = DG_NEW_ARRAY(s->a, frame, s->n_items + 1);
    bool *seen = s->done;
    memset(seen, 0, (size_t)s->n_items * sizeof *seen);
    int n = 0;
    for (int k = 0; k < n_sinks + s->n_items; k++) {
        int32_t root = k < n_sinks ? sinks[k] : k - n_sinks;
        if (seen[root]) continue;
        int top = 0;
        stack[top++] = (frame){root, 0};
        seen[root] = true;
        while (top > 0) {
            frame *f = &stack[top - 1];
            const dg_sched_item *i = &s->items[f->id];
            if (f->next == i->n_reads) {
                order[n++] = f->id;
                top--;
                continue;
            }
            int32_t maker = s->buffers[s->pool.at[i->reads + f->next++]].maker;
            if (maker < 0 || seen[maker]) continue;
            seen[maker] = true;
            stack[top++] = (frame){maker, 0};
        }
    }
}

/* Forward as it stands; backward in reverse of the forward items whose results it reads, updates
 * after what they read. */
static void mirrored(dg_sched *s, const int32_t *source, int32_t *order)
{
    int64_t *by = DG_NEW_ARRAY(s->a, int64_t, s->n_items);
    int64_t n = s->n_items;
    for (int k = 0; k < n; k++) {
        int32_t id = source[k];
        const dg_sched_item *i = &s->items[id];
        if (dg_node_of(s->g, i->node)->phase == DG_FORWARD) {
            by[id] = k;
            continue;
        }
        int64_t deepest = -1, before = 0;
        for (int32_t j = 0; j < i->n_reads; j++) {
            int32_t maker = s->buffers[s->pool.at[i->reads + j]].maker;
            if (maker < 0) continue;
            if (by[maker] >= n)
                before = by[maker] > before ? by[maker] : before;
            else if (by[maker] > deepest)
                deepest = by[maker];
        }
        by[id] = deepest < 0 ? (before ? before : 2 * n) : 2 * n - deepest;
        if (by[id] < before) by[id] = before;
    }
    /* counting sort, stable by source position */
    int32_t *count = DG_NEW_ARRAY(s->a, int32_t, 3 * n + 3);
    for (int k = 0; k < n; k++) count[by[k] + 1]++;
    for (int64_t k = 0; k < 3 * n + 1; k++) count[k + 1] += count[k];
    for (int k = 0; k < n; k++) order[count[by[source[k]]]++] = source[k];
}

/* ---- the ways ---- */

void dg_sched_by_id(dg_sched *s, int32_t *order)
{
    int32_t *id = DG_NEW_ARRAY(s->a, int32_t, s->n_items);
    dg_score ignored;
    for (int i = 0; i < s->n_items; i++) id[i] = i;
    int n = run_ranked(s, id, id, false, order, &ignored);
    assert(n == s->n_items);
    (void)n;
}

/* Results of the region first, then writes and checks. */
static int find_sinks(const dg_sched *s, int32_t *sinks)
{
    int n = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < s->n_items; i++) {
            bool pinned = false;
            for (int32_t k = 0; k < s->items[i].n_makes; k++)
                pinned |= s->buffers[s->pool.at[s->items[i].makes + k]].pinned;
            if (pinned ? pass == 0 : pass == 1 && s->items[i].edge < 0) sinks[n++] = i;
        }
    }
    return n;
}

enum { SOURCE, SOURCE_EAGER, DEPTH, DEPTH_EAGER, MIRROR, MIRROR_EAGER, GREEDY, LATE, WAYS };

static const char *const names[WAYS] = {"order:source",      "order:source, frees first",
                                        "order:depth first", "order:depth first, frees first",
                                        "order:mirrored",    "order:mirrored, frees first",
                                        "order:greedy",      "order:moved late"};

static dg_score try_way(dg_sched *s, int way, const int32_t *source, int32_t *order)
{
    int32_t *by_rank = DG_NEW_ARRAY(s->a, int32_t, s->n_items),
            *rank = DG_NEW_ARRAY(s->a, int32_t, s->n_items);
    memcpy(by_rank, source, (size_t)s->n_items * sizeof *by_rank);
    if (way == DEPTH || way == DEPTH_EAGER) {
        int32_t *sinks = DG_NEW_ARRAY(s->a, int32_t, s->n_items);
        depth_first(s, sinks, find_sinks(s, sinks), by_rank);
    } else if (way == MIRROR || way == MIRROR_EAGER) {
        mirrored(s, source, by_rank);
    }
    for (int k = 0; k < s->n_items; k++) rank[by_rank[k]] = k;
    dg_score got;
    bool eager = way == SOURCE_EAGER || way == DEPTH_EAGER || way == MIRROR_EAGER;
    if (way == GREEDY)
        run_greedy(s, rank, order, &got);
    else
        run_ranked(s, rank, by_rank, eager, order, &got);
    return got;
}

int64_t dg_sched_best(dg_sched *s, int32_t *order, bool told)
{
    int32_t *orders[WAYS];
    dg_score got[WAYS];
    int best = SOURCE;
    orders[SOURCE] = order;
    got[SOURCE] = judge(s, order);
    for (int w = SOURCE_EAGER; w < WAYS; w++) {
        orders[w] = DG_NEW_ARRAY(s->a, int32_t, s->n_items);
        if (w == LATE) {
            memcpy(orders[w], orders[best], (size_t)s->n_items * sizeof *order);
            move_late(s, orders[w]);
            got[w] = judge(s, orders[w]);
        } else {
            got[w] = try_way(s, w, order, orders[w]);
        }
        if (better(got[w], got[best])) best = w;
    }
    for (int w = 0; told && w < WAYS; w++)
        dg_vec_push(&s->m->decisions,
                    (dg_decision){"order", DG_NONE, DG_NONE, w == best ? "yes" : "no", names[w],
                                  got[w].peak});
    if (best != SOURCE) memcpy(order, orders[best], (size_t)s->n_items * sizeof *order);
    return got[best].peak;
}

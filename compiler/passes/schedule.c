/* schedule: the order in which nodes run, chosen for a low peak of live bytes.
 *
 * In     kernels chosen, copies for strided operands inserted.
 * Out    the nodes of each region in a new order: leaves, then each node that runs, followed by the
 *        views of its results; results of the entry last.
 * Keeps  data flow. Readers of a place stand before the node that makes its new value, and readers
 *        of a carry before the node that makes the next one, wherever no cycle forbids it, so that
 *        memplan can compute the new value in the old one's bytes.
 * Method each region is ordered several times: by source position, depth first from the results,
 *        backward in reverse of forward; each plainly and with nodes that free bytes drawn
 *        forward; and greedily by (does the peak grow, net change of live bytes, source
 *        position). The best by (peak, bytes x steps) then gets its growing nodes moved as late
 *        as they may be. Bodies come before the regions that hold them, so that a loop counts
 *        with its body's peak. */
#include "compiler/passes/memplan.h"

#include <assert.h>
#include <string.h>

typedef struct item { /* a node that runs, or that consumes: write, check */
    dg_node node;
    int32_t reads, n_reads; /* buffers, in `pool` */
    int32_t frees, n_frees; /* those of them whose bytes count */
    int32_t makes, n_makes;
    int32_t over, n_over; /* pairs (made, read): the first may lie in the second's bytes */
    int32_t edge;         /* first of its edges, -1 */
    int32_t n_pred;
    int64_t extra; /* bytes taken while it runs: workspace, a body's peak */
} item;

typedef struct buffer {
    dg_value base;
    int64_t bytes; /* that count: 0 for places, constants, inputs, and what is computed in their
                      bytes */
    int32_t maker; /* item, -1: there from the start */
    int32_t readers, n_readers; /* items, in `readers_pool` */
    bool pinned;                /* read at the end of the region */
} buffer;

typedef struct edge {
    int32_t to, next;
} edge;

typedef struct sched {
    dg_module *m;
    dg_graph *g;
    const dg_pass_options *o;
    dg_arena *a;
    dg_bytes *bytes;
    dg_effects fx;
    int64_t *body_peak;  /* by node */
    dg_value **captured; /* by node: bases read in its body and made outside of it */
    int32_t *n_captured;
    int32_t *item_of;   /* by node, of the region at hand; -1 */
    int32_t *buffer_of; /* by value */
    /* the region at hand */
    int n_items, n_buffers;
    item *items;
    buffer *buffers;
    DG_VEC(int32_t) pool;
    DG_VEC(edge) edges;
    int32_t *readers_pool;
    int32_t *position; /* by item: a topological order of all edges */
    /* of one run */
    int32_t *wait, *left, *heap, *eager;
    bool *done;
} sched;

/* ---- one region as items and buffers ---- */

static bool is_leaf(const sched *s, dg_value base)
{
    dg_node def = dg_value_of(s->g, base)->def;
    return def != DG_NONE && dg_node_of(s->g, def)->op->traits & DG_LEAF;
}

static void add_edge(sched *s, int32_t from, int32_t to)
{
    dg_vec_push(&s->edges, (edge){to, s->items[from].edge});
    s->items[from].edge = (int32_t)s->edges.n - 1;
    s->items[to].n_pred++;
}

static int32_t buffer_of(sched *s, dg_value base)
{
    if (s->buffer_of[base] >= 0) return s->buffer_of[base];
    int64_t bytes = is_leaf(s, base) || dg_value_of(s->g, base)->def == DG_NONE
                        ? 0
                        : dg_align(dg_type_bytes(dg_type_of(s->g, base)));
    s->buffers[s->n_buffers] = (buffer){.base = base, .bytes = bytes, .maker = -1};
    return s->buffer_of[base] = s->n_buffers++;
}

/* Adds a buffer to an item's reads, once. */
static void add_read(sched *s, item *i, dg_value base)
{
    int32_t b = buffer_of(s, base);
    for (int32_t k = 0; k < i->n_reads; k++) {
        if (s->pool.at[i->reads + k] == b) return;
    }
    dg_vec_push(&s->pool, b);
    i->n_reads++;
}

static void describe(sched *s, dg_region r, int32_t id)
{
    item *i = &s->items[id];
    const dg_node_info *n = dg_node_of(s->g, i->node);
    i->edge = -1;
    i->reads = (int32_t)s->pool.n;
    for (int k = 0; k < n->n_in; k++) {
        dg_value base = s->bytes[n->in[k]].base;
        if (dg_value_of(s->g, base)->region == r) add_read(s, i, base);
    }
    for (int32_t k = 0; k < s->n_captured[i->node]; k++) {
        dg_value base = s->captured[i->node][k];
        if (dg_value_of(s->g, base)->region == r) add_read(s, i, base);
    }
    i->makes = (int32_t)s->pool.n;
    for (int k = 0; k < n->n_out; k++) {
        int32_t b = buffer_of(s, n->out[k]);
        s->buffers[b].maker = id;
        dg_vec_push(&s->pool, b);
        i->n_makes++;
    }
    i->extra = s->body_peak[i->node];
    if (n->kernel && n->kernel->workspace) {
        dg_infer t = dg_types_of(s->g, i->node);
        i->extra += dg_align(n->kernel->workspace(&t, n->strip));
    }
}

/* After all buffers are known, and what they count: which are freed by their last reader, and which
 * results may lie over which operands. */
static void describe_bytes(sched *s, int32_t id)
{
    item *i = &s->items[id];
    const dg_node_info *n = dg_node_of(s->g, i->node);
    i->frees = (int32_t)s->pool.n;
    for (int32_t j = 0; j < i->n_reads; j++) {
        int32_t read = s->pool.at[i->reads + j];
        if (s->buffers[read].bytes > 0) dg_vec_push(&s->pool, read);
    }
    i->n_frees = (int32_t)s->pool.n - i->frees;
    i->over = (int32_t)s->pool.n;
    for (int k = 0; k < n->n_out; k++) {
        int32_t made = s->buffer_of[n->out[k]];
        for (int32_t j = 0; j < i->n_reads; j++) {
            int32_t read = s->pool.at[i->reads + j];
            const buffer *b = &s->buffers[read];
            if (b->bytes == 0 || b->pinned || b->bytes != s->buffers[made].bytes) continue;
            bool carried = n->body != DG_NONE && s->bytes[n->in[k]].base == b->base &&
                           s->bytes[n->in[k]].whole;
            if (!carried && !dg_may_overwrite(s->g, s->bytes, i->node, k, b->base)) continue;
            dg_vec_push(&s->pool, made);
            dg_vec_push(&s->pool, read);
            i->n_over++;
        }
    }
}

/* ---- orders ---- */

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

static change change_of(const sched *s, const item *i)
{
    int64_t made = 0, kept = 0, freed = 0;
    for (int32_t k = 0; k < i->n_makes; k++) {
        const buffer *b = &s->buffers[s->pool.at[i->makes + k]];
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

typedef struct score {
    int64_t peak, area;
} score;

static bool better(score a, score b)
{
    return a.peak != b.peak ? a.peak < b.peak : a.area < b.area;
}

/* The part of a run that all ways share: an item has its turn. */
typedef struct tally {
    int64_t live, peak, area;
} tally;

static void take(sched *s, int32_t id, tally *t)
{
    const item *i = &s->items[id];
    change c = change_of(s, i);
    if (t->live + c.grows > t->peak) t->peak = t->live + c.grows;
    t->live += c.net;
    t->area += t->live >> 6; /* in units of the alignment: no overflow */
    for (int32_t k = 0; k < i->n_frees; k++) s->left[s->pool.at[i->frees + k]]--;
    s->done[id] = true;
}

static void begin(sched *s)
{
    for (int b = 0; b < s->n_buffers; b++) s->left[b] = s->buffers[b].n_readers;
    for (int i = 0; i < s->n_items; i++) s->wait[i] = s->items[i].n_pred;
    memset(s->done, 0, (size_t)s->n_items * sizeof *s->done);
}

static score judge(sched *s, const int32_t *order)
{
    tally t = {0};
    begin(s);
    for (int k = 0; k < s->n_items; k++) take(s, order[k], &t);
    return (score){t.peak, t.area};
}

/* Lowest rank first among what is ready; with `eager`, first whatever then leaves no more bytes
 * live than before. */
static int run_ranked(sched *s, const int32_t *rank, const int32_t *by_rank, bool eager,
                      int32_t *order, score *out)
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
            const buffer *b = &s->buffers[s->pool.at[s->items[id].frees + k]];
            if (s->left[b - s->buffers] != 1) continue;
            for (int32_t j = 0; j < b->n_readers; j++) {
                int32_t reader = s->readers_pool[b->readers + j];
                if (!s->done[reader] && s->wait[reader] == 0 &&
                    change_of(s, &s->items[reader]).net <= 0)
                    heap_push(&first, rank[reader]);
            }
        }
    }
    *out = (score){t.peak, t.area};
    return n;
}

/* Each time the item that raises the peak least, then leaves least behind, then stands first. */
static void run_greedy(sched *s, const int32_t *rank, int32_t *order, score *out)
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
    *out = (score){t.peak, t.area};
}

/* Items that leave more bytes than they found, moved to just before the first that needs them. */
static void move_late(sched *s, int32_t *order)
{
    int32_t *at = s->heap; /* position of each item */
    for (int k = 0; k < s->n_items; k++) at[order[k]] = k;
    for (int k = s->n_items - 1; k >= 0; k--) {
        int32_t id = order[k];
        const item *i = &s->items[id];
        int64_t made = 0, read = 0;
        for (int32_t j = 0; j < i->n_makes; j++) made += s->buffers[s->pool.at[i->makes + j]].bytes;
        for (int32_t j = 0; j < i->n_reads; j++) {
            const buffer *b = &s->buffers[s->pool.at[i->reads + j]];
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

static void rank_of_order(const sched *s, const int32_t *order, int32_t *rank)
{
    for (int k = 0; k < s->n_items; k++) rank[order[k]] = k;
}

/* Depth first: what a result needs just before the result. */
static void depth_first(sched *s, const int32_t *sinks, int n_sinks, int32_t *order)
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
            const item *i = &s->items[f->id];
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
static void mirrored(sched *s, const int32_t *source, int32_t *order)
{
    int64_t *by = DG_NEW_ARRAY(s->a, int64_t, s->n_items);
    int64_t n = s->n_items;
    for (int k = 0; k < n; k++) {
        int32_t id = source[k];
        const item *i = &s->items[id];
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

/* ---- what should stand before what, beyond data flow ---- */

/* A topological order of the edges as they are, by source position. */
static void order_again(sched *s, int32_t *order)
{
    int32_t *id = DG_NEW_ARRAY(s->a, int32_t, s->n_items);
    score ignored;
    for (int i = 0; i < s->n_items; i++) id[i] = i;
    int n = run_ranked(s, id, id, false, order, &ignored);
    assert(n == s->n_items);
    (void)n;
    rank_of_order(s, order, s->position);
}

static bool reaches(const sched *s, int32_t from, int32_t limit, bool *seen, const bool *wanted)
{
    int32_t *stack = s->heap;
    int top = 0;
    memset(seen, 0, (size_t)s->n_items * sizeof *seen);
    stack[top++] = from;
    seen[from] = true;
    while (top > 0) {
        for (int32_t e = s->items[stack[--top]].edge; e >= 0; e = s->edges.at[e].next) {
            int32_t to = s->edges.at[e].to;
            if (wanted[to]) return true;
            if (seen[to] || s->position[to] > limit) continue;
            seen[to] = true;
            stack[top++] = to;
        }
    }
    return false;
}

/* All readers of a buffer before item `target`, unless that would make a cycle. */
static bool fence(sched *s, int32_t buffer_id, int32_t target, int32_t *order)
{
    const buffer *b = &s->buffers[buffer_id];
    int32_t limit = -1;
    for (int32_t k = 0; k < b->n_readers; k++) {
        int32_t reader = s->readers_pool[b->readers + k];
        if (reader != target && s->position[reader] > limit) limit = s->position[reader];
    }
    bool late = limit > s->position[target];
    if (late) {
        bool *wanted = DG_NEW_ARRAY(s->a, bool, s->n_items);
        for (int32_t k = 0; k < b->n_readers; k++) wanted[s->readers_pool[b->readers + k]] = true;
        wanted[target] = false;
        if (reaches(s, target, limit, s->done, wanted)) return false;
    }
    for (int32_t k = 0; k < b->n_readers; k++) {
        int32_t reader = s->readers_pool[b->readers + k];
        if (reader != target) add_edge(s, reader, target);
    }
    if (late) order_again(s, order);
    return true;
}

static bool reads(const sched *s, int32_t id, int32_t buffer_id)
{
    for (int32_t k = 0; k < s->items[id].n_reads; k++) {
        if (s->pool.at[s->items[id].reads + k] == buffer_id) return true;
    }
    return false;
}

/* The value that will stand in the bytes of `old` (a place, or a carry): its maker comes after the
 * readers of `old`, and it takes no bytes of its own if the maker may overwrite what it reads. */
static void succeed(sched *s, dg_region r, dg_value old, dg_value next, int32_t *order)
{
    const dg_bytes *b = &s->bytes[next];
    int32_t made = s->buffer_of[b->base];
    if (!b->whole || made < 0 || dg_value_of(s->g, b->base)->region != r ||
        s->buffers[made].maker < 0)
        return;
    int32_t maker = s->buffers[made].maker, before = old == DG_NONE ? -1 : s->buffer_of[old];
    if (before >= 0) {
        if (!fence(s, before, maker, order)) return;
        const dg_node_info *n = dg_node_of(s->g, s->items[maker].node);
        bool may = dg_may_overwrite(s->g, s->bytes, s->items[maker].node,
                                    dg_value_of(s->g, b->base)->index, old);
        if (n->body != DG_NONE)
            may = s->bytes[n->in[dg_value_of(s->g, b->base)->index]].base == old;
        if (reads(s, maker, before) && !may) return;
    }
    s->buffers[made].bytes = 0;
}

static void add_fences(sched *s, dg_region r, int32_t *order)
{
    const dg_region_info *region = dg_region_of(s->g, r);
    if (region->owner != DG_NONE) {
        for (int j = 0; j < dg_node_of(s->g, region->owner)->n_out; j++)
            succeed(s, r, region->args.at[j + 1], region->results.at[j], order);
        return;
    }
    dg_value *place = DG_NEW_ARRAY(s->a, dg_value, s->m->places.n);
    for (size_t i = 0; i < s->m->places.n; i++) place[i] = DG_NONE;
    DG_EACH_NODE(s->g, r, n) {
        const dg_node_info *info = dg_node_of(s->g, n);
        if (info->op == s->fx.place) place[dg_attr_int(&info->attrs, "index")] = info->out[0];
    }
    for (int32_t i = 0; i < s->n_items; i++) {
        const dg_node_info *info = dg_node_of(s->g, s->items[i].node);
        if (info->op != s->fx.write) continue;
        dg_value old = place[dg_attr_int(&info->attrs, "index")];
        int32_t before = old == DG_NONE ? -1 : s->buffer_of[old];
        if (before >= 0 && !fence(s, before, i, order))
            assert(false); /* nothing comes after a write */
        succeed(s, r, old, info->in[0], order);
    }
}

/* ---- a region ---- */

static void link_readers(sched *s)
{
    for (int b = 0; b < s->n_buffers; b++) s->buffers[b].n_readers = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < s->n_items; i++) {
            for (int32_t k = 0; k < s->items[i].n_reads; k++) {
                buffer *b = &s->buffers[s->pool.at[s->items[i].reads + k]];
                if (pass == 1) s->readers_pool[b->readers + b->n_readers] = i;
                b->n_readers++;
            }
        }
        if (pass == 1) return;
        int32_t total = 0;
        for (int b = 0; b < s->n_buffers; b++) {
            s->buffers[b].readers = total;
            total += s->buffers[b].n_readers;
            s->buffers[b].n_readers = 0;
        }
        s->readers_pool = DG_NEW_ARRAY(s->a, int32_t, total);
    }
}

/* What the body of a loop reads from outside, for the regions around it. */
static void note_captured(sched *s, dg_region r)
{
    dg_node owner = dg_region_of(s->g, r)->owner;
    if (owner == DG_NONE) return;
    DG_VEC(dg_value) found = {0};
    bool *seen = DG_NEW_ARRAY(s->a, bool, s->g->values.n);
#define NOTE(v)                                                                                    \
    do {                                                                                           \
        dg_value base_ = (v);                                                                      \
        if (!seen[base_] && dg_value_of(s->g, base_)->region != r) dg_vec_push(&found, base_);     \
        seen[base_] = true;                                                                        \
    } while (0)
    DG_EACH_NODE(s->g, r, n) {
        const dg_node_info *info = dg_node_of(s->g, n);
        for (int k = 0; k < info->n_in; k++) NOTE(s->bytes[info->in[k]].base);
        for (int32_t k = 0; k < s->n_captured[n]; k++) NOTE(s->captured[n][k]);
    }
    for (size_t k = 0; k < dg_region_of(s->g, r)->results.n; k++)
        NOTE(s->bytes[dg_region_of(s->g, r)->results.at[k]].base);
#undef NOTE
    s->n_captured[owner] = (int32_t)found.n;
    dg_vec_seal(&found, s->a, s->captured[owner]);
}

static bool runs(const sched *s, dg_node n)
{
    const dg_node_info *info = dg_node_of(s->g, n);
    return !(info->op->traits & DG_LEAF) && !(info->n_out > 0 && s->bytes[info->out[0]].view) &&
           info->op != s->fx.output;
}

static bool is_effect(const sched *s, dg_node n)
{
    const dg_op *op = dg_node_of(s->g, n)->op;
    return op == s->fx.write || op == s->fx.check;
}

/* The order found, written into the region's list. */
static void relink(sched *s, dg_region r, const int32_t *order)
{
    int n_nodes = 0;
    DG_EACH_NODE(s->g, r, n) n_nodes++;
    dg_node *all = DG_NEW_ARRAY(s->a, dg_node, n_nodes);
    int32_t *next = DG_NEW_ARRAY(s->a, int32_t, n_nodes),
            *head = DG_NEW_ARRAY(s->a, int32_t, s->n_items + 3),
            *tail = DG_NEW_ARRAY(s->a, int32_t, s->n_items + 3);
    int k = 0;
    for (int i = 0; i < s->n_items + 3; i++) head[i] = tail[i] = -1;
    enum { LEAVES, VIEWS, OUTPUTS };
    DG_EACH_NODE(s->g, r, n) {
        const dg_node_info *info = dg_node_of(s->g, n);
        int list;
        if (s->item_of[n] >= 0)
            list = s->item_of[n];
        else if (info->op->traits & DG_LEAF)
            list = s->n_items + LEAVES;
        else if (info->op == s->fx.output)
            list = s->n_items + OUTPUTS;
        else {
            dg_value base = s->bytes[info->out[0]].base;
            int32_t maker = dg_value_of(s->g, base)->region == r && s->buffer_of[base] >= 0
                                ? s->buffers[s->buffer_of[base]].maker
                                : -1;
            list = maker >= 0 ? maker : s->n_items + VIEWS;
        }
        all[k] = n;
        next[k] = -1;
        if (head[list] < 0)
            head[list] = k;
        else
            next[tail[list]] = k;
        tail[list] = k++;
    }
    for (int i = -2; i <= s->n_items; i++) {
        int list = i < 0            ? s->n_items + LEAVES + (i + 2)
                   : i < s->n_items ? order[i]
                                    : s->n_items + OUTPUTS;
        for (int32_t at = head[list]; at >= 0; at = next[at])
            dg_graph_move(s->g, all[at], DG_NONE, r);
    }
}

static void decide(sched *s, const char *reason, score got, bool chosen)
{
    dg_vec_push(&s->m->decisions,
                (dg_decision){"order", DG_NONE, DG_NONE, chosen ? "yes" : "no", reason, got.peak});
}

/* Orders region r, the bodies in it first; returns the peak of what its nodes make. */
static int64_t order_region(sched *s, dg_region r)
{
    DG_EACH_NODE(s->g, r, n) {
        if (dg_node_of(s->g, n)->body != DG_NONE)
            s->body_peak[n] = order_region(s, dg_node_of(s->g, n)->body);
    }
    note_captured(s, r);
    s->n_items = s->n_buffers = 0;
    s->pool.n = s->edges.n = 0;
    memset(s->item_of, -1, s->g->nodes.n * sizeof *s->item_of);
    memset(s->buffer_of, -1, s->g->values.n * sizeof *s->buffer_of);
    DG_EACH_NODE(s->g, r, n) {
        if (!is_effect(s, n) && !runs(s, n)) continue;
        s->item_of[n] = s->n_items;
        s->items[s->n_items++] = (item){.node = n};
    }
    for (int32_t i = 0; i < s->n_items; i++) describe(s, r, i);
    link_readers(s);
    s->eager = DG_NEW_ARRAY(s->a, int32_t, s->pool.n + (size_t)s->n_items + 1);
    for (size_t k = 0; k < dg_region_of(s->g, r)->results.n; k++) {
        int32_t b = s->buffer_of[s->bytes[dg_region_of(s->g, r)->results.at[k]].base];
        if (b >= 0) s->buffers[b].pinned = true;
    }
    DG_EACH_NODE(s->g, r, n) {
        if (dg_node_of(s->g, n)->op != s->fx.output) continue;
        int32_t b = s->buffer_of[s->bytes[dg_node_of(s->g, n)->in[0]].base];
        if (b >= 0) s->buffers[b].pinned = true;
    }
    for (int32_t i = 0; i < s->n_items; i++) {
        for (int32_t k = 0; k < s->items[i].n_reads; k++) {
            int32_t maker = s->buffers[s->pool.at[s->items[i].reads + k]].maker;
            if (maker >= 0) add_edge(s, maker, i);
        }
        s->position[i] = i;
    }
    enum { SOURCE, SOURCE_EAGER, DEPTH, DEPTH_EAGER, MIRROR, MIRROR_EAGER, GREEDY, WAYS };
    static const char *const names[WAYS] = {"order:source",      "order:source, frees first",
                                            "order:depth first", "order:depth first, frees first",
                                            "order:mirrored",    "order:mirrored, frees first",
                                            "order:greedy"};
    int32_t *order[WAYS], *sinks = DG_NEW_ARRAY(s->a, int32_t, s->n_items),
                          *rank = DG_NEW_ARRAY(s->a, int32_t, s->n_items);
    for (int w = 0; w < WAYS; w++) order[w] = DG_NEW_ARRAY(s->a, int32_t, s->n_items);
    for (int i = 0; i < s->n_items; i++) order[SOURCE][i] = i;
    add_fences(s, r, order[SOURCE]);
    order_again(s, order[SOURCE]);
    for (int32_t i = 0; i < s->n_items; i++) describe_bytes(s, i);

    score got[WAYS];
    int best = SOURCE, n_sinks = 0;
    got[SOURCE] = judge(s, order[SOURCE]);
    for (int pass = 0; pass < 2; pass++) { /* results first, then writes and checks */
        for (int i = 0; i < s->n_items; i++) {
            bool pinned = false;
            for (int32_t k = 0; k < s->items[i].n_makes; k++)
                pinned |= s->buffers[s->pool.at[s->items[i].makes + k]].pinned;
            if (pinned ? pass == 0 : pass == 1 && s->items[i].edge < 0) sinks[n_sinks++] = i;
        }
    }
    for (int w = SOURCE_EAGER; w < WAYS; w++) {
        int32_t *by_rank = DG_NEW_ARRAY(s->a, int32_t, s->n_items);
        if (w == DEPTH || w == DEPTH_EAGER)
            depth_first(s, sinks, n_sinks, by_rank);
        else if (w == MIRROR || w == MIRROR_EAGER)
            mirrored(s, order[SOURCE], by_rank);
        else
            memcpy(by_rank, order[SOURCE], (size_t)s->n_items * sizeof *by_rank);
        rank_of_order(s, by_rank, rank);
        if (w == GREEDY)
            run_greedy(s, rank, order[w], &got[w]);
        else
            run_ranked(s, rank, by_rank, w == SOURCE_EAGER || w == DEPTH_EAGER || w == MIRROR_EAGER,
                       order[w], &got[w]);
        if (better(got[w], got[best])) best = w;
    }
    int32_t *late = DG_NEW_ARRAY(s->a, int32_t, s->n_items);
    memcpy(late, order[best], (size_t)s->n_items * sizeof *late);
    move_late(s, late);
    score moved = judge(s, late);
    bool use_late = better(moved, got[best]);
    if (r == 0) {
        for (int w = 0; w < WAYS; w++) decide(s, names[w], got[w], w == best && !use_late);
        decide(s, "order:moved late", moved, use_late);
    }
    relink(s, r, use_late ? late : order[best]);
    return use_late ? moved.peak : got[best].peak;
}

bool dg_pass_schedule(dg_module *m, const dg_pass_options *o)
{
    dg_graph *g = m->graph;
    sched s = {.m = m, .g = g, .o = o, .a = dg_arena_new(), .fx = dg_effects_of(g)};
    s.bytes = dg_bytes_of(g, s.a);
    size_t nodes = g->nodes.n, values = g->values.n;
    s.body_peak = DG_NEW_ARRAY(s.a, int64_t, nodes);
    s.captured = DG_NEW_ARRAY(s.a, dg_value *, nodes);
    s.n_captured = DG_NEW_ARRAY(s.a, int32_t, nodes);
    s.item_of = DG_NEW_ARRAY(s.a, int32_t, nodes);
    s.buffer_of = DG_NEW_ARRAY(s.a, int32_t, values);
    s.items = DG_NEW_ARRAY(s.a, item, nodes);
    s.buffers = DG_NEW_ARRAY(s.a, buffer, values);
    s.position = DG_NEW_ARRAY(s.a, int32_t, nodes);
    s.wait = DG_NEW_ARRAY(s.a, int32_t, nodes);
    s.left = DG_NEW_ARRAY(s.a, int32_t, values);
    s.heap = DG_NEW_ARRAY(s.a, int32_t, nodes + values + 1);
    s.done = DG_NEW_ARRAY(s.a, bool, nodes);
    order_region(&s, 0);
    dg_vec_free(&s.pool);
    dg_vec_free(&s.edges);
    dg_arena_free(s.a);
    return true;
}

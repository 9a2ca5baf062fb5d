/* schedule: the order in which nodes run, chosen for a low peak of live bytes.
 *
 * In     kernels chosen, copies for strided operands inserted.
 * Out    the nodes of each region in a new order: leaves, then each node that runs, followed by the
 *        views of its results; results of the entry last.
 * Keeps  data flow. Readers of a place stand before the node that makes its new value, and readers
 *        of a carry before the node that makes the next one, wherever no cycle forbids it, so that
 *        memplan can compute the new value in the old one's bytes.
 * Method each region becomes items and buffers, which schedule_ways.c orders. Bodies come before
 *        the regions that hold them, so that a loop counts with its body's peak. A write whose
 *        value can have the place's bytes goes where its maker goes, as views do; one that copies
 *        is an item. */
#include "compiler/passes/schedule.h"

#include <assert.h>
#include <string.h>

/* ---- one region as items and buffers ---- */

static bool is_leaf(const dg_sched *s, dg_value base)
{
    dg_node def = dg_value_of(s->g, base)->def;
    return def != DG_NONE && dg_node_of(s->g, def)->op->traits & DG_LEAF;
}

static void add_edge(dg_sched *s, int32_t from, int32_t to)
{
    dg_vec_push(&s->edges, (dg_sched_edge){to, s->items[from].edge});
    s->items[from].edge = (int32_t)s->edges.n - 1;
    s->items[to].n_pred++;
}

static int32_t buffer_of(dg_sched *s, dg_value base)
{
    if (s->buffer_of[base] >= 0) return s->buffer_of[base];
    int64_t bytes = is_leaf(s, base) || dg_value_of(s->g, base)->def == DG_NONE
                        ? 0
                        : dg_align(dg_type_bytes(dg_type_of(s->g, base)));
    s->buffers[s->n_buffers] = (dg_sched_buffer){.base = base, .bytes = bytes, .maker = -1};
    return s->buffer_of[base] = s->n_buffers++;
}

/* Adds a buffer to an item's reads, once. */
static void add_read(dg_sched *s, dg_sched_item *i, dg_value base)
{
    int32_t b = buffer_of(s, base);
    for (int32_t k = 0; k < i->n_reads; k++) {
        if (s->pool.at[i->reads + k] == b) return;
    }
    dg_vec_push(&s->pool, b);
    i->n_reads++;
}

static void describe(dg_sched *s, dg_region r, int32_t id)
{
    dg_sched_item *i = &s->items[id];
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
static void describe_bytes(dg_sched *s, int32_t id)
{
    dg_sched_item *i = &s->items[id];
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
            const dg_sched_buffer *b = &s->buffers[read];
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

/* ---- what should stand before what, beyond data flow ---- */

static void order_again(dg_sched *s, int32_t *order)
{
    dg_sched_by_id(s, order);
    for (int k = 0; k < s->n_items; k++) s->position[order[k]] = k;
}

static bool reaches(const dg_sched *s, int32_t from, int32_t limit, bool *seen, const bool *wanted)
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
static bool fence(dg_sched *s, int32_t buffer_id, int32_t target, int32_t *order)
{
    const dg_sched_buffer *b = &s->buffers[buffer_id];
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

static bool reads(const dg_sched *s, int32_t id, int32_t buffer_id)
{
    for (int32_t k = 0; k < s->items[id].n_reads; k++) {
        if (s->pool.at[s->items[id].reads + k] == buffer_id) return true;
    }
    return false;
}

/* The value that will stand in the bytes of `old` (a place, or a carry): its maker comes after the
 * readers of `old`, and it takes no bytes of its own if the maker may overwrite what it reads. False
 * when its maker does not, or cannot, stand there. */
static bool succeed(dg_sched *s, dg_region r, dg_value old, dg_value next, int32_t *order)
{
    const dg_bytes *b = &s->bytes[next];
    int32_t made = s->buffer_of[b->base];
    if (!b->whole || made < 0 || dg_value_of(s->g, b->base)->region != r ||
        s->buffers[made].maker < 0)
        return false;
    int32_t maker = s->buffers[made].maker, before = old == DG_NONE ? -1 : s->buffer_of[old];
    if (before >= 0) {
        if (!fence(s, before, maker, order)) return false;
        const dg_node_info *n = dg_node_of(s->g, s->items[maker].node);
        bool may = dg_may_overwrite(s->g, s->bytes, s->items[maker].node,
                                    dg_value_of(s->g, b->base)->index, old);
        if (n->body != DG_NONE)
            may = s->bytes[n->in[dg_value_of(s->g, b->base)->index]].base == old;
        if (reads(s, maker, before) && !may) return true;
    }
    s->buffers[made].bytes = 0;
    return true;
}

/* The readers of a place before what is written there. False: a write that should have gone where
 * its maker goes stands by itself now. */
static bool fence_writes(dg_sched *s, dg_region r, int32_t *order)
{
    bool good = true;
    dg_value *place = DG_NEW_ARRAY(s->a, dg_value, s->m->places.n);
    for (size_t i = 0; i < s->m->places.n; i++) place[i] = DG_NONE;
    DG_EACH_NODE(s->g, r, n) {
        const dg_node_info *info = dg_node_of(s->g, n);
        if (info->op == s->fx.place) place[dg_attr_int(&info->attrs, "index")] = info->out[0];
    }
    DG_EACH_NODE(s->g, r, n) {
        const dg_node_info *info = dg_node_of(s->g, n);
        if (info->op != s->fx.write) continue;
        dg_value old = place[dg_attr_int(&info->attrs, "index")];
        int32_t before = old == DG_NONE ? -1 : s->buffer_of[old], item = s->item_of[n];
        if (item >= 0 && before >= 0 && !fence(s, before, item, order))
            assert(false); /* nothing comes after a write */
        if (succeed(s, r, old, info->in[0], order) || item >= 0) continue;
        s->alone[n] = true;
        good = false;
    }
    return good;
}

static bool add_fences(dg_sched *s, dg_region r, int32_t *order)
{
    const dg_region_info *region = dg_region_of(s->g, r);
    if (region->owner == DG_NONE) return fence_writes(s, r, order);
    for (int j = 0; j < dg_node_of(s->g, region->owner)->n_out; j++)
        succeed(s, r, region->args.at[j + 1], region->results.at[j], order);
    return true;
}

/* ---- a region ---- */

static void link_readers(dg_sched *s)
{
    for (int b = 0; b < s->n_buffers; b++) s->buffers[b].n_readers = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < s->n_items; i++) {
            for (int32_t k = 0; k < s->items[i].n_reads; k++) {
                dg_sched_buffer *b = &s->buffers[s->pool.at[s->items[i].reads + k]];
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
static void note_captured(dg_sched *s, dg_region r)
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

static bool runs(const dg_sched *s, dg_node n)
{
    const dg_node_info *info = dg_node_of(s->g, n);
    return !(info->op->traits & DG_LEAF) && !(info->n_out > 0 && s->bytes[info->out[0]].view) &&
           info->op != s->fx.output;
}

/* The write goes where the maker of its value goes. */
static bool follows(const dg_sched *s, dg_region r, dg_node write)
{
    const dg_bytes *b = &s->bytes[dg_node_of(s->g, write)->in[0]];
    const dg_value_info *v = dg_value_of(s->g, b->base);
    return !s->alone[write] && b->whole && v->region == r && v->def != DG_NONE && runs(s, v->def);
}

static bool is_item(const dg_sched *s, dg_region r, dg_node n)
{
    return dg_node_of(s->g, n)->op == s->fx.write ? !follows(s, r, n) : runs(s, n);
}

/* The order found, written into the region's list. */
static void relink(dg_sched *s, dg_region r, const int32_t *order)
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
            dg_value base = s->bytes[info->n_out > 0 ? info->out[0] : info->in[0]].base;
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

/* Items and buffers of region r, before it is known which bytes count. */
static void gather(dg_sched *s, dg_region r)
{
    s->n_items = s->n_buffers = 0;
    s->pool.n = s->edges.n = 0;
    memset(s->item_of, -1, s->g->nodes.n * sizeof *s->item_of);
    memset(s->buffer_of, -1, s->g->values.n * sizeof *s->buffer_of);
    DG_EACH_NODE(s->g, r, n) {
        if (!is_item(s, r, n)) continue;
        s->item_of[n] = s->n_items;
        s->items[s->n_items++] = (dg_sched_item){.node = n};
    }
    for (int32_t i = 0; i < s->n_items; i++) describe(s, r, i);
    link_readers(s);
    s->eager = DG_NEW_ARRAY(s->a, int32_t, s->pool.n + (size_t)s->n_items + 1);
}

static void pin(dg_sched *s, dg_value v)
{
    int32_t b = s->buffer_of[s->bytes[v].base];
    if (b >= 0) s->buffers[b].pinned = true;
}

/* What is read when the region ends: its results, and those of the entry. */
static void pin_results(dg_sched *s, dg_region r)
{
    const dg_region_info *region = dg_region_of(s->g, r);
    for (size_t k = 0; k < region->results.n; k++) pin(s, region->results.at[k]);
    DG_EACH_NODE(s->g, r, n) {
        if (dg_node_of(s->g, n)->op == s->fx.output) pin(s, dg_node_of(s->g, n)->in[0]);
    }
}

static void add_data_edges(dg_sched *s)
{
    for (int32_t i = 0; i < s->n_items; i++) {
        for (int32_t k = 0; k < s->items[i].n_reads; k++) {
            int32_t maker = s->buffers[s->pool.at[s->items[i].reads + k]].maker;
            if (maker >= 0) add_edge(s, maker, i);
        }
        s->position[i] = i;
    }
}

/* Orders region r, the bodies in it first; returns the peak of what its nodes make. */
static int64_t order_region(dg_sched *s, dg_region r)
{
    DG_EACH_NODE(s->g, r, n) {
        if (dg_node_of(s->g, n)->body != DG_NONE)
            s->body_peak[n] = order_region(s, dg_node_of(s->g, n)->body);
    }
    note_captured(s, r);
    int32_t *order;
    do {
        gather(s, r);
        pin_results(s, r);
        add_data_edges(s);
        order = DG_NEW_ARRAY(s->a, int32_t, s->n_items);
        for (int i = 0; i < s->n_items; i++) order[i] = i;
    } while (!add_fences(s, r, order));
    order_again(s, order);
    for (int32_t i = 0; i < s->n_items; i++) describe_bytes(s, i);
    int64_t peak = dg_sched_best(s, order, r == 0);
    relink(s, r, order);
    return peak;
}

bool dg_pass_schedule(dg_module *m, const dg_pass_options *o)
{
    dg_graph *g = m->graph;
    (void)o;
    dg_sched s = {.m = m, .g = g, .a = dg_arena_new(), .fx = dg_effects_of(g)};
    s.bytes = dg_bytes_of(g, s.a);
    size_t nodes = g->nodes.n, values = g->values.n;
    s.body_peak = DG_NEW_ARRAY(s.a, int64_t, nodes);
    s.captured = DG_NEW_ARRAY(s.a, dg_value *, nodes);
    s.n_captured = DG_NEW_ARRAY(s.a, int32_t, nodes);
    s.alone = DG_NEW_ARRAY(s.a, bool, nodes);
    s.item_of = DG_NEW_ARRAY(s.a, int32_t, nodes);
    s.buffer_of = DG_NEW_ARRAY(s.a, int32_t, values);
    s.items = DG_NEW_ARRAY(s.a, dg_sched_item, nodes);
    s.buffers = DG_NEW_ARRAY(s.a, dg_sched_buffer, values);
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

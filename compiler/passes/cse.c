/* cse.c: one node for one computation.
 *
 * In     any graph.
 * Out    of nodes with equal op, attributes, inputs and result types the first remains. A node in a
 * loop's body may give way to one before the loop, never the other way round. Effects and loops
 * stay. Random draws are pure functions of key and trip, so equal ones are one. Cost   one walk
 * with a hash table; entries of a body are taken back when the walk leaves it. */
#include "compiler/passes/passes.h"

typedef struct entry {
    uint64_t hash;
    dg_node node;
    int32_t under; /* what the head was before */
} entry;

typedef struct table {
    dg_graph *g;
    int32_t *head; /* by hash: entry + 1 */
    uint64_t mask;
    DG_VEC(entry) entries; /* a stack */
    dg_value *map;
} table;

static uint64_t node_hash(const table *t, dg_node n)
{
    const dg_node_info *i = dg_node_of(t->g, n);
    uint64_t h = dg_hash_add(i->op->traits, dg_attrs_hash(&i->attrs));
    for (int k = 0; k < i->n_in; k++) h = dg_hash_add(h, (uint64_t)i->in[k]);
    if (i->strip) h = dg_hash_add(h, dg_strip_hash(i->strip));
    return i->prologue && i->prologue->strip ? dg_hash_add(h, dg_strip_hash(i->prologue->strip))
                                             : h;
}

static bool same(const table *t, dg_node a, dg_node b)
{
    const dg_node_info *x = dg_node_of(t->g, a), *y = dg_node_of(t->g, b);
    if (x->op != y->op || x->n_in != y->n_in || x->n_out != y->n_out || x->n_own != y->n_own ||
        x->kernel != y->kernel)
        return false;
    for (int k = 0; k < x->n_in; k++) {
        if (x->in[k] != y->in[k]) return false;
    }
    for (int k = 0; k < x->n_out; k++) {
        if (!dg_type_equal(dg_type_of(t->g, x->out[k]), dg_type_of(t->g, y->out[k]))) return false;
    }
    if ((x->strip || y->strip) && !dg_strip_equal(x->strip, y->strip)) return false;
    return dg_prologue_equal(x->prologue, y->prologue) && dg_attrs_equal(&x->attrs, &y->attrs);
}

static dg_node find_or_add(table *t, dg_node n)
{
    uint64_t h = node_hash(t, n);
    int32_t *head = &t->head[h & t->mask];
    const entry *e;
    for (int32_t at = *head; at; at = e->under) {
        e = &t->entries.at[at - 1];
        if (e->hash == h && same(t, e->node, n)) return e->node;
    }
    dg_vec_push(&t->entries, (entry){h, n, *head});
    *head = (int32_t)t->entries.n;
    return n;
}

static void merge_region(table *t, dg_region r)
{
    size_t mark = t->entries.n;
    DG_EACH_NODE(t->g, r, n) {
        dg_node_info *i = dg_node_of(t->g, n);
        for (int k = 0; k < i->n_in; k++) i->in[k] = t->map[i->in[k]];
        if (i->body != DG_NONE) {
            merge_region(t, i->body);
            continue;
        }
        if (i->op->traits & (DG_EFFECT | DG_CONTROL)) continue;
        dg_node first = find_or_add(t, n);
        if (first == n) continue;
        for (int k = 0; k < i->n_out; k++) t->map[i->out[k]] = dg_node_of(t->g, first)->out[k];
        dg_graph_unlink(t->g, n);
    }
    dg_region_info *region = dg_region_of(t->g, r);
    for (size_t k = 0; k < region->results.n; k++)
        region->results.at[k] = t->map[region->results.at[k]];
    while (t->entries.n > mark) {
        entry last = dg_vec_pop(&t->entries);
        t->head[last.hash & t->mask] = last.under;
    }
}

bool dg_pass_cse(dg_module *m, const dg_pass_options *o)
{
    (void)o;
    dg_graph *g = m->graph;
    dg_arena *scratch = dg_arena_new();
    uint64_t size = 64;
    while (size < g->nodes.n * 2) size *= 2;
    table t = {.g = g,
               .mask = size - 1,
               .head = DG_NEW_ARRAY(scratch, int32_t, size),
               .map = DG_NEW_ARRAY(scratch, dg_value, g->values.n)};
    for (size_t v = 0; v < g->values.n; v++) t.map[v] = (dg_value)v;
    merge_region(&t, 0);
    dg_vec_free(&t.entries);
    dg_drop_dead(g, scratch);
    dg_arena_free(scratch);
    return true;
}

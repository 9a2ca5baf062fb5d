/* rewrite.c: what passes do to a graph as a whole: find uses, replace values, drop what nobody
 * reads, copy regions, renumber.
 *
 * In     a graph, well formed.
 * Out    the same graph, still well formed; each function is one sweep over nodes and values. */
#include "compiler/ir/rewrite.h"

#include "compiler/base/os.h"

#include <stdlib.h>
#include <string.h>

/* ---- uses ---- */

/* Calls `at` for every use in program order: a node's inputs, then its body, then the body's
 * results. */
static void each_use(const dg_graph *g, dg_region r, void (*at)(void *ctx, dg_value v, dg_use use),
                     void *ctx)
{
    DG_EACH_NODE(g, r, n) {
        const dg_node_info *i = dg_node_of(g, n);
        for (int k = 0; k < i->n_in; k++) at(ctx, i->in[k], (dg_use){n, k});
        if (i->body == DG_NONE) continue;
        each_use(g, i->body, at, ctx);
        const dg_region_info *body = dg_region_of(g, i->body);
        for (size_t k = 0; k < body->results.n; k++)
            at(ctx, body->results.at[k], (dg_use){n, -1 - (int)k});
    }
}

typedef struct use_table {
    int32_t *first;
    dg_use *at;
} use_table;

static void count_use(void *ctx, dg_value v, dg_use use)
{
    (void)use;
    ((use_table *)ctx)->first[v + 1]++;
}

static void put_use(void *ctx, dg_value v, dg_use use)
{
    use_table *t = ctx;
    t->at[t->first[v]++] = use;
}

dg_uses dg_uses_of(const dg_graph *g, dg_arena *a)
{
    size_t n = g->values.n;
    use_table t = {.first = DG_NEW_ARRAY(a, int32_t, n + 2)};
    each_use(g, 0, count_use, &t);
    for (size_t v = 0; v < n; v++) t.first[v + 1] += t.first[v];
    t.at = DG_ROOM(a, dg_use, t.first[n]);
    each_use(g, 0, put_use, &t); /* moves first[v] to the end of v's uses: one place too far */
    memmove(t.first + 1, t.first, sizeof *t.first * n);
    t.first[0] = 0;
    return (dg_uses){t.at, t.first};
}

int32_t *dg_use_counts(const dg_graph *g, dg_arena *a)
{
    use_table t = {.first = DG_NEW_ARRAY(a, int32_t, g->values.n + 1)};
    each_use(g, 0, count_use, &t);
    return t.first + 1;
}

/* ---- replacing ---- */

static dg_value follow(dg_value *map, dg_value v)
{
    dg_value end = v;
    while (map[end] != end) end = map[end];
    while (map[v] != end) { /* shorten the chain for the next one */
        dg_value next = map[v];
        map[v] = end;
        v = next;
    }
    return end;
}

void dg_apply_map(dg_graph *g, dg_value *map)
{
    for (size_t n = 0; n < g->nodes.n; n++) {
        dg_node_info *i = &g->nodes.at[n];
        if (!i->op) continue;
        for (int k = 0; k < i->n_in; k++) i->in[k] = follow(map, i->in[k]);
    }
    for (size_t r = 0; r < g->regions.n; r++) {
        dg_region_info *i = &g->regions.at[r];
        for (size_t k = 0; k < i->results.n; k++) i->results.at[k] = follow(map, i->results.at[k]);
    }
}

void dg_replace_uses(dg_graph *g, dg_value from, dg_value to)
{
    for (size_t n = 0; n < g->nodes.n; n++) {
        dg_node_info *i = &g->nodes.at[n];
        if (!i->op) continue;
        for (int k = 0; k < i->n_in; k++) {
            if (i->in[k] == from) i->in[k] = to;
        }
    }
    for (size_t r = 0; r < g->regions.n; r++) {
        dg_region_info *i = &g->regions.at[r];
        for (size_t k = 0; k < i->results.n; k++) {
            if (i->results.at[k] == from) i->results.at[k] = to;
        }
    }
}

/* ---- the dead ---- */

typedef struct liveness {
    dg_graph *g;
    bool *value;
    int gone;
} liveness;

static void walk_back(liveness *l, dg_region r, bool drop);

static bool holds_effect(const dg_graph *g, dg_region r)
{
    DG_EACH_NODE(g, r, n) {
        const dg_node_info *i = dg_node_of(g, n);
        if (i->op->traits & DG_EFFECT || (i->body != DG_NONE && holds_effect(g, i->body)))
            return true;
    }
    return false;
}

/* A carry lives when the loop's result or the body's argument is read; then so does what it begins
 * with and what the body makes of it. True when that was not known of all carries. */
static bool find_carries(liveness *l, const dg_node_info *loop, const dg_region_info *body)
{
    bool found = false;
    for (int k = 0; k < loop->n_in; k++) {
        bool *out = &l->value[loop->out[k]], *arg = &l->value[body->args.at[k + 1]];
        bool *init = &l->value[loop->in[k]], *next = &l->value[body->results.at[k]];
        if ((!*out && !*arg) || (*out && *arg && *init && *next)) continue;
        *out = *arg = *init = *next = found = true;
    }
    return found;
}

/* A loop lives when one of its results is read, or its body has an effect. It keeps its stop flag,
 * and each carry is decided by itself. */
static bool loop_lives(liveness *l, dg_node n)
{
    const dg_node_info *i = dg_node_of(l->g, n);
    const dg_region_info *body = dg_region_of(l->g, i->body);
    bool lives = holds_effect(l->g, i->body);
    for (int k = 0; k < i->n_out && !lives; k++) lives = l->value[i->out[k]];
    if (!lives) return false;
    for (size_t k = (size_t)i->n_in; k < body->results.n; k++) l->value[body->results.at[k]] = true;
    do {
        find_carries(l, i, body);
        walk_back(l, i->body, false);
    } while (find_carries(l, i, body));
    return true;
}

static bool node_lives(const liveness *l, const dg_node_info *i)
{
    if (i->op->traits & DG_EFFECT) return true;
    for (int k = 0; k < i->n_out; k++) {
        if (l->value[i->out[k]]) return true;
    }
    return false;
}

static void drop_carries(dg_graph *g, const liveness *l, dg_node loop)
{
    dg_node_info *i = dg_node_of(g, loop);
    dg_region_info *body = dg_region_of(g, i->body);
    int kept = 0, n = i->n_in;
    for (int k = 0; k < n; k++) {
        if (!l->value[i->out[k]]) continue;
        i->in[kept] = i->in[k];
        i->out[kept] = i->out[k];
        body->args.at[kept + 1] = body->args.at[k + 1];
        body->results.at[kept] = body->results.at[k];
        dg_value_of(g, i->out[kept])->index = kept;
        dg_value_of(g, body->args.at[kept + 1])->index = kept + 1;
        kept++;
    }
    if (kept == n) return;
    if (body->results.n > (size_t)n)
        body->results.at[kept] = body->results.at[n]; /* the stop flag */
    body->results.n -= (size_t)(n - kept);
    body->args.n = (size_t)kept + 1;
    i->n_in = i->n_out = i->n_own = kept;
}

/* Readers stand behind what they read, so that going backwards one walk tells what lives, and may
 * drop the rest at once; a body is walked until no further carry lives before it is known what to
 * drop of it. */
static void walk_back(liveness *l, dg_region r, bool drop)
{
    for (dg_node n = dg_region_of(l->g, r)->last, before; n != DG_NONE; n = before) {
        const dg_node_info *i = dg_node_of(l->g, n);
        before = i->prev;
        bool loop = i->body != DG_NONE, lives = loop ? loop_lives(l, n) : node_lives(l, i);
        for (int k = 0; lives && !loop && k < i->n_in; k++) l->value[i->in[k]] = true;
        if (!drop) continue;
        if (loop) walk_back(l, i->body, true);
        if (!lives) {
            dg_graph_unlink(l->g, n);
            l->gone++;
        } else if (loop) {
            drop_carries(l->g, l, n);
        }
    }
}

int dg_drop_dead(dg_graph *g, dg_arena *scratch)
{
    liveness l = {.g = g, .value = DG_NEW_ARRAY(scratch, bool, g->values.n)};
    walk_back(&l, 0, true);
    return l.gone;
}

/* ---- nodes computed in another way ---- */

dg_build dg_build_before(dg_graph *g, dg_node n)
{
    const dg_node_info *i = dg_node_of(g, n);
    return (dg_build){.graph = g,
                      .region = i->region,
                      .before = n,
                      .scope = i->scope,
                      .origin = i->origin,
                      .phase = i->phase,
                      .remat = i->remat};
}

typedef struct remaker {
    dg_module *m;
    const char *what;
    bool (*can)(const dg_op *op);
    dg_remake_fn *make;
    void *ctx;
    dg_node at;
    DG_VEC(dg_value) map; /* identity but for replaced outputs */
} remaker;

static void say_refused(void *ctx, const dg_infer *t)
{
    remaker *r = ctx;
    const dg_origin *o = dg_node_of(r->m->graph, r->at)->origin;
    dg_error(r->m->diag, "E901", o ? o->span : DG_NOWHERE, "%s was refused by %s: %s", r->what,
             t->op->name, t->what ? t->what : "?");
}

static void fill_map(remaker *r)
{
    for (size_t v = r->map.n; v < r->m->graph->values.n; v++) dg_vec_push(&r->map, (dg_value)v);
}

static void remake_node(remaker *r, dg_node n)
{
    dg_graph *g = r->m->graph;
    dg_node_info i = *dg_node_of(g, n); /* by value: adding moves the array */
    dg_build b = dg_build_before(g, n);
    b.refused = say_refused;
    b.ctx = r;
    r->at = n;
    dg_value *out = DG_NEW_ARRAY(g->arena, dg_value, i.n_out), fresh = (dg_value)g->values.n;
    for (int k = 0; k < i.n_out; k++) out[k] = DG_NONE;
    if (!r->make(r->ctx, &b, &i, out)) return;
    fill_map(r);
    for (int k = 0; k < i.n_out; k++) {
        if (out[k] == DG_NONE) continue;
        if (out[k] >= fresh) dg_value_of(g, out[k])->path = dg_value_of(g, i.out[k])->path;
        r->map.at[i.out[k]] = out[k];
    }
    dg_graph_unlink(g, n);
}

static void remake_region(remaker *r, dg_region region)
{
    DG_EACH_NODE(r->m->graph, region, n) {
        const dg_node_info *i = dg_node_of(r->m->graph, n);
        if (i->body != DG_NONE)
            remake_region(r, i->body);
        else if (!i->strip && r->can(i->op))
            remake_node(r, n);
    }
}

bool dg_remake_nodes(dg_module *m, const char *what, bool (*can)(const dg_op *op),
                     dg_remake_fn *make, void *ctx)
{
    remaker r = {.m = m, .what = what, .can = can, .make = make, .ctx = ctx};
    int errors = dg_diag_errors(m->diag);
    remake_region(&r, 0);
    if (r.map.n > 0) { /* something was made */
        fill_map(&r);
        dg_apply_map(m->graph, r.map.at);
    }
    dg_vec_free(&r.map);
    return dg_diag_errors(m->diag) == errors;
}

/* ---- copying ---- */

static dg_value mapped(const dg_value *map, dg_value v)
{
    return map[v] == DG_NONE ? v : map[v];
}

dg_node dg_copy_node(dg_graph *g, dg_node n, dg_region r, dg_node before, const dg_value *in)
{
    dg_node_info i = *dg_node_of(g, n); /* by value: adding moves the array */
    dg_type *types = DG_NEW_ARRAY(g->arena, dg_type, i.n_out);
    for (int k = 0; k < i.n_out; k++) types[k] = *dg_type_of(g, i.out[k]);
    dg_node copy = dg_graph_add(g, r, before, i.op, i.attrs, in, i.n_in, types, i.n_out);
    dg_node_info *c = dg_node_of(g, copy);
    c->scope = i.scope;
    c->origin = i.origin;
    c->phase = i.phase;
    c->remat = i.remat;
    c->strip = i.strip;
    c->prologue = i.prologue;
    c->n_own = i.n_own;
    c->kernel = i.kernel;
    return copy;
}

static void clone_region(dg_graph *g, dg_region from, dg_region to, dg_node before, dg_value *map)
{
    for (dg_node n = dg_region_of(g, from)->first; n != DG_NONE; n = dg_node_of(g, n)->next) {
        dg_node_info i = *dg_node_of(g, n); /* by value: adding moves the array */
        dg_value *in = DG_NEW_ARRAY(g->arena, dg_value, i.n_in);
        for (int k = 0; k < i.n_in; k++) in[k] = mapped(map, i.in[k]);
        dg_node copy = dg_copy_node(g, n, to, before, in);
        const dg_node_info *c = dg_node_of(g, copy);
        for (int k = 0; k < i.n_out; k++) {
            map[i.out[k]] = c->out[k];
            dg_value_of(g, c->out[k])->path = dg_value_of(g, i.out[k])->path;
        }
        if (i.body == DG_NONE) continue;
        dg_region body = dg_graph_add_region(g, copy);
        for (size_t k = 0; k < dg_region_of(g, i.body)->args.n; k++) {
            dg_value arg = dg_region_of(g, i.body)->args.at[k];
            dg_value_info info = *dg_value_of(g, arg);
            map[arg] = dg_graph_add_arg(g, body, *info.type, dg_path_text(g, info.path));
        }
        clone_region(g, i.body, body, DG_NONE, map);
        for (size_t k = 0; k < dg_region_of(g, i.body)->results.n; k++) {
            dg_value result = mapped(map, dg_region_of(g, i.body)->results.at[k]);
            dg_vec_push(&dg_region_of(g, body)->results, result);
        }
    }
}

void dg_clone_nodes(dg_build *b, dg_region from, dg_value *map)
{
    clone_region(b->graph, from, b->region, b->before, map);
}

/* ---- renumbering ---- */

typedef struct renumbering {
    dg_graph *g;
    dg_value *value; /* old -> new, DG_NONE: gone */
    dg_node *node;
    dg_region *region;
    dg_value n_values;
    dg_node n_nodes;
    dg_region n_regions;
    int n_operands; /* inputs and outputs of all nodes */
    bool moved;     /* some id is another one */
} renumbering;

static void number_value(renumbering *c, dg_value v)
{
    c->moved |= v != c->n_values;
    c->value[v] = c->n_values++;
}

static void number_region(renumbering *c, dg_region r)
{
    dg_graph *g = c->g;
    c->moved |= r != c->n_regions;
    c->region[r] = c->n_regions++;
    const dg_region_info *region = dg_region_of(g, r);
    for (size_t k = 0; k < region->args.n; k++) number_value(c, region->args.at[k]);
    DG_EACH_NODE(g, r, n) {
        const dg_node_info *i = dg_node_of(g, n);
        c->moved |= n != c->n_nodes;
        c->node[n] = c->n_nodes++;
        c->n_operands += i->n_in + i->n_out;
        for (int k = 0; k < i->n_out; k++) number_value(c, i->out[k]);
        if (i->body != DG_NONE) number_region(c, i->body);
    }
}

#define RENUMBER(map, id) ((id) = (id) == DG_NONE ? DG_NONE : (map)[id])

static void *filled(size_t n)
{
    int32_t *p = malloc(sizeof(int32_t) * (n + 1));
    if (!p) dg_out_of_memory();
    memset(p, 0xff, sizeof(int32_t) * (n + 1)); /* DG_NONE */
    return p;
}

static void *room_for(size_t n, size_t element)
{
    void *p = malloc(element * n);
    if (!p) dg_out_of_memory();
    return p;
}

/* With room for what the next pass adds, which would else move all of it. */
#define FRESH(vec, count)                                                                          \
    ((vec)->n = (size_t)(count), (vec)->room = (vec)->n + (vec)->n / 8 + 8,                        \
     (vec)->at = room_for((vec)->room, sizeof *(vec)->at))

/* A list of values in their new numbers, at *room, which moves on. */
static dg_value *renumbered(const renumbering *c, const dg_value *v, int n, dg_value **room)
{
    dg_value *list = *room;
    for (int k = 0; k < n; k++) list[k] = c->value[v[k]];
    *room += n;
    return list;
}

static void renumber(renumbering *c)
{
    dg_graph *g = c->g;
    dg_graph old = *g;
    FRESH(&g->values, c->n_values);
    FRESH(&g->nodes, c->n_nodes);
    FRESH(&g->regions, c->n_regions);

    for (size_t v = 0; v < old.values.n; v++) {
        if (c->value[v] == DG_NONE) continue;
        dg_value_info *i = &g->values.at[c->value[v]];
        *i = old.values.at[v];
        RENUMBER(c->node, i->def);
        RENUMBER(c->region, i->region);
    }
    /* side by side, in the order in which passes go through them */
    dg_value *operand = DG_NEW_ARRAY(g->arena, dg_value, c->n_operands);
    for (size_t n = 0; n < old.nodes.n; n++) {
        if (c->node[n] == DG_NONE) continue;
        dg_node_info *i = &g->nodes.at[c->node[n]];
        *i = old.nodes.at[n];
        i->in = renumbered(c, i->in, i->n_in, &operand);
        i->out = renumbered(c, i->out, i->n_out, &operand);
        RENUMBER(c->region, i->region);
        RENUMBER(c->region, i->body);
        RENUMBER(c->node, i->prev);
        RENUMBER(c->node, i->next);
    }
    for (size_t r = 0; r < old.regions.n; r++) {
        dg_region_info i = old.regions.at[r];
        if (c->region[r] == DG_NONE) {
            dg_vec_free(&i.args);
            dg_vec_free(&i.results);
            continue;
        }
        RENUMBER(c->node, i.owner);
        RENUMBER(c->node, i.first);
        RENUMBER(c->node, i.last);
        for (size_t k = 0; k < i.args.n; k++) i.args.at[k] = c->value[i.args.at[k]];
        for (size_t k = 0; k < i.results.n; k++) i.results.at[k] = c->value[i.results.at[k]];
        g->regions.at[c->region[r]] = i;
    }
    dg_vec_free(&old.values);
    dg_vec_free(&old.nodes);
    dg_vec_free(&old.regions);
}

/* The new ids, in c. False: they are the old ones; so most often after a pass that found little to
 * do. The caller forgets the maps. */
static bool compact(dg_graph *g, renumbering *c)
{
    *c = (renumbering){.g = g,
                       .value = filled(g->values.n),
                       .node = filled(g->nodes.n),
                       .region = filled(g->regions.n)};
    number_region(c, 0);
    bool other = c->moved || (size_t)c->n_values < g->values.n || (size_t)c->n_nodes < g->nodes.n ||
                 (size_t)c->n_regions < g->regions.n;
    if (other) renumber(c);
    return other;
}

static void forget(renumbering *c)
{
    free(c->value);
    free(c->node);
    free(c->region);
}

void dg_graph_compact(dg_graph *g)
{
    renumbering c;
    compact(g, &c);
    forget(&c);
}

void dg_module_compact(dg_module *m)
{
    renumbering c;
    bool other = compact(m->graph, &c);
    for (size_t i = 0; other && i < m->decisions.n; i++) {
        RENUMBER(c.node, m->decisions.at[i].node);
        RENUMBER(c.value, m->decisions.at[i].value);
    }
    forget(&c);
}

void dg_module_tidy_init(dg_module *m)
{
    if (!m->init) return;
    dg_arena *scratch = dg_arena_new();
    dg_drop_dead(m->init, scratch);
    dg_arena_free(scratch);
    dg_graph_compact(m->init);
}

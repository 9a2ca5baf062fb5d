/* graph.c: the flat arrays of values, nodes and regions, and the list of nodes in each region.
 *
 * In     low-level requests: add, unlink, move.
 * Out    ids, handed out in order; none is used twice.
 * Keeps  lists doubly linked and closed; a removed node keeps its slot with op NULL. */
#include "compiler/ir/graph.h"

#include <string.h>

dg_graph *dg_graph_new(dg_arena *a, dg_strings *s, const struct dg_op *(*find)(const char *name))
{
    dg_graph *g = DG_NEW(a, dg_graph);
    g->arena = a;
    g->strings = s;
    g->nowhere = dg_intern(s, "", 0);
    g->unnamed = dg_path_of_text(g, g->nowhere);
    g->types = dg_map64_new(a);
    g->asked = DG_NEW(a, dg_type_room);
    g->find = find;
    dg_graph_add_region(g, DG_NONE);
    return g;
}

void dg_type_room_free(dg_type_room *r)
{
    dg_vec_free(&r->in);
    dg_vec_free(&r->out);
}

void dg_graph_free(dg_graph *g)
{
    if (!g) return;
    for (size_t i = 0; i < g->regions.n; i++) {
        dg_vec_free(&g->regions.at[i].args);
        dg_vec_free(&g->regions.at[i].results);
    }
    dg_type_room_free(g->asked);
    dg_vec_free(&g->values);
    dg_vec_free(&g->nodes);
    dg_vec_free(&g->regions);
}

void dg_module_free(dg_module *m)
{
    if (!m) return;
    dg_graph_free(m->graph);
    dg_graph_free(m->init);
    dg_vec_free(&m->places);
    dg_vec_free(&m->inputs);
    dg_vec_free(&m->outputs);
    dg_vec_free(&m->config);
    dg_vec_free(&m->args);
    dg_vec_free(&m->decisions);
}

/* ---- paths ---- */

/* A scope has many values of one name: the last ones made are kept. */
dg_path *dg_path_of_parts(dg_graph *g, dg_str before, dg_str scope, dg_str name)
{
    size_t hash = ((uintptr_t)scope >> 4) * 7 + ((uintptr_t)name >> 3) + (before ? 64 : 0);
    dg_path **known = &g->paths[hash % (sizeof g->paths / sizeof *g->paths)];
    const dg_path *p = *known;
    if (p && p->part[2] == name && p->part[1] == scope && p->part[0] == before) return *known;
    *known = dg_arena_copy(g->arena, &(dg_path){{before, scope, name}, NULL}, sizeof **known);
    return *known;
}

dg_path *dg_path_of_text(dg_graph *g, const char *text)
{
    return dg_arena_copy(g->arena, &(dg_path){.text = text}, sizeof(dg_path));
}

dg_path *dg_path_before(dg_graph *g, dg_str part, dg_path *p)
{
    if (p->part[2] && !p->part[0]) return dg_path_of_parts(g, part, p->part[1], p->part[2]);
    return dg_path_of_parts(g, NULL, part, dg_path_text(g, p));
}

dg_path *dg_path_behind(dg_graph *g, dg_path *p, dg_str part)
{
    return dg_path_of_parts(g, NULL, dg_path_text(g, p), part);
}

const char *dg_path_text(const dg_graph *g, dg_path *p)
{
    if (!p->text) p->text = dg_arena_joined(dg_strings_arena(g->strings), p->part, 3);
    return p->text;
}

/* ---- types ---- */

const dg_type *dg_shared_type(dg_graph *g, const dg_type *t)
{
    uint64_t known, key = dg_type_hash(t);
    for (; dg_map64_get(g->types, key, &known); key++) { /* on, where another has this hash */
        const dg_type *type = (const dg_type *)(uintptr_t)known;
        if (dg_type_equal(type, t)) return type;
    }
    const dg_type *type = dg_arena_copy(g->arena, t, sizeof *t);
    dg_map64_set(g->types, key, (uint64_t)(uintptr_t)type);
    return type;
}

/* Most results are like an operand. */
static const dg_type *result_type(dg_graph *g, const dg_type *t, const dg_value *in, int n_in)
{
    for (int i = 0; i < n_in && i < 2; i++)
        if (dg_type_equal(dg_type_of(g, in[i]), t)) return dg_type_of(g, in[i]);
    return dg_shared_type(g, t);
}

static void link_before(dg_graph *g, dg_node n, dg_node before, dg_region r)
{
    dg_node_info *i = dg_node_of(g, n);
    dg_region_info *region = dg_region_of(g, r);
    assert(before == DG_NONE || dg_node_of(g, before)->region == r);
    i->region = r;
    i->next = before;
    i->prev = before == DG_NONE ? region->last : dg_node_of(g, before)->prev;
    if (i->prev == DG_NONE)
        region->first = n;
    else
        dg_node_of(g, i->prev)->next = n;
    if (i->next == DG_NONE)
        region->last = n;
    else
        dg_node_of(g, i->next)->prev = n;
}

static void unlink_node(dg_graph *g, dg_node n)
{
    dg_node_info *i = dg_node_of(g, n);
    dg_region_info *region = dg_region_of(g, i->region);
    if (i->prev == DG_NONE)
        region->first = i->next;
    else
        dg_node_of(g, i->prev)->next = i->next;
    if (i->next == DG_NONE)
        region->last = i->prev;
    else
        dg_node_of(g, i->next)->prev = i->prev;
    i->prev = i->next = DG_NONE;
}

dg_node dg_graph_add(dg_graph *g, dg_region r, dg_node before, const struct dg_op *op,
                     dg_attrs attrs, const dg_value *in, int n_in, const dg_type *out, int n_out)
{
    dg_node n = (dg_node)g->nodes.n;
    dg_value *values = DG_NEW_ARRAY(g->arena, dg_value, n_in + n_out);
    if (n_in > 0) memcpy(values, in, sizeof *in * (size_t)n_in);
    for (int i = 0; i < n_out; i++) {
        values[n_in + i] = (dg_value)g->values.n;
        dg_vec_push(&g->values, (dg_value_info){.type = result_type(g, &out[i], in, n_in),
                                                .def = n,
                                                .index = i,
                                                .region = r,
                                                .path = g->unnamed});
    }
    dg_vec_push(&g->nodes, (dg_node_info){.op = op,
                                          .attrs = attrs,
                                          .n_in = n_in,
                                          .n_own = n_in,
                                          .n_out = n_out,
                                          .in = values,
                                          .out = values + n_in,
                                          .region = r,
                                          .body = DG_NONE,
                                          .prev = DG_NONE,
                                          .next = DG_NONE,
                                          .scope = g->nowhere});
    link_before(g, n, before, r);
    return n;
}

dg_value dg_graph_add_result(dg_graph *g, dg_node n, dg_type type, const char *path)
{
    dg_node_info *i = dg_node_of(g, n);
    dg_value v = (dg_value)g->values.n, *out = DG_NEW_ARRAY(g->arena, dg_value, i->n_out + 1);
    memcpy(out, i->out, sizeof *out * (size_t)i->n_out);
    out[i->n_out] = v;
    i->out = out;
    dg_value_info info = {.type = dg_shared_type(g, &type),
                          .def = n,
                          .index = i->n_out++,
                          .region = i->region,
                          .path = dg_path_of_text(g, path)};
    dg_vec_push(&g->values, info);
    return v;
}

dg_region dg_graph_add_region(dg_graph *g, dg_node owner)
{
    dg_region r = (dg_region)g->regions.n;
    dg_region_info info = {.owner = owner, .first = DG_NONE, .last = DG_NONE};
    dg_vec_push(&g->regions, info);
    if (owner != DG_NONE) dg_node_of(g, owner)->body = r;
    return r;
}

dg_value dg_graph_add_arg(dg_graph *g, dg_region r, dg_type t, const char *path)
{
    dg_value v = (dg_value)g->values.n;
    dg_region_info *region = dg_region_of(g, r);
    dg_vec_push(&g->values, (dg_value_info){.type = dg_shared_type(g, &t),
                                            .def = DG_NONE,
                                            .index = (int)region->args.n,
                                            .region = r,
                                            .path = dg_path_of_text(g, path)});
    dg_vec_push(&region->args, v);
    return v;
}

void dg_graph_unlink(dg_graph *g, dg_node n)
{
    unlink_node(g, n);
    dg_node_of(g, n)->op = NULL;
}

void dg_graph_move(dg_graph *g, dg_node n, dg_node before, dg_region r)
{
    if (before == n) return;
    dg_node_info *i = dg_node_of(g, n);
    unlink_node(g, n);
    link_before(g, n, before, r);
    for (int k = 0; k < i->n_out; k++) dg_value_of(g, i->out[k])->region = r;
}

bool dg_region_inside(const dg_graph *g, dg_region inner, dg_region outer)
{
    while (inner != outer) {
        dg_node owner = dg_region_of(g, inner)->owner;
        if (owner == DG_NONE) return false;
        inner = dg_node_of(g, owner)->region;
    }
    return true;
}

void dg_origin_note(dg_diag *d, dg_message *m, const dg_origin *o)
{
    enum { LINKS = 12 };
    o = o ? o->outer : NULL; /* the node's own origin has a span, its call begins the chain */
    if (!o || !o->what) return;
    dg_text t = {0};
    dg_text_add(&t, "in %s", o->what);
    int n = 0;
    for (; o->outer && n < LINKS; o = o->outer, n++) {
        const dg_source *s = dg_source_at(dg_diag_sources(d), o->span.file);
        if (!o->outer->what || !s) continue;
        dg_text_add(&t, " <- %s, %s:%d", o->outer->what, s->name,
                    dg_source_position(s, o->span.begin).line);
    }
    if (o->outer) dg_text_add(&t, " <- ...");
    dg_note_add(d, m, "%s", t.at);
    dg_text_free(&t);
}

/* expand.c: lets ops that know how rewrite themselves in simpler ones: group_norm becomes
 * statistics and arithmetic, which then fuses with the affine and the activation behind it.
 *
 * In     a graph after `grad`: rules of gradients are written for the whole op, and read its
 * outputs. Out    the same values by other nodes; scope, origin, phase and remat as before. */
#include "compiler/passes/passes.h"

typedef struct expander {
    dg_module *m;
    dg_node at;
} expander;

static void refused(void *ctx, const dg_infer *t)
{
    expander *e = ctx;
    const dg_origin *o = dg_node_of(e->m->graph, e->at)->origin;
    dg_error(e->m->diag, "E901", o ? o->span : DG_NOWHERE, "an expansion was refused by %s: %s",
             t->op->name, t->what ? t->what : "?");
}

typedef DG_VEC(dg_value) value_map; /* identity but for replaced outputs */

static void fill(value_map *map, const dg_graph *g)
{
    for (size_t v = map->n; v < g->values.n; v++) dg_vec_push(map, (dg_value)v);
}

static void expand_node(expander *e, dg_node n, value_map *map)
{
    dg_graph *g = e->m->graph;
    dg_node_info i = *dg_node_of(g, n);
    e->at = n;
    dg_build b = {.graph = g,
                  .region = i.region,
                  .before = n,
                  .scope = i.scope,
                  .origin = i.origin,
                  .phase = i.phase,
                  .remat = i.remat,
                  .refused = refused,
                  .ctx = e};
    dg_value *out = DG_NEW_ARRAY(g->arena, dg_value, i.n_out);
    for (int k = 0; k < i.n_out; k++) out[k] = DG_NONE;
    dg_value fresh = (dg_value)g->values.n;
    dg_grad rule = {
        .build = &b, .attrs = &i.attrs, .n_in = i.n_in, .n_out = i.n_out, .in = i.in, .out = i.out};
    if (!i.op->expand(&rule, out)) return;
    fill(map, g);
    for (int k = 0; k < i.n_out; k++) {
        if (out[k] == DG_NONE) continue;
        if (out[k] >= fresh) dg_value_of(g, out[k])->path = dg_value_of(g, i.out[k])->path;
        map->at[i.out[k]] = out[k];
    }
    dg_graph_unlink(g, n);
}

static void expand_region(expander *e, dg_region r, value_map *map)
{
    DG_EACH_NODE(e->m->graph, r, n) {
        const dg_node_info *i = dg_node_of(e->m->graph, n);
        if (i->body != DG_NONE)
            expand_region(e, i->body, map);
        else if (i->op->expand && !i->strip)
            expand_node(e, n, map);
    }
}

bool dg_pass_expand(dg_module *m, const dg_pass_options *o)
{
    (void)o;
    expander e = {.m = m};
    value_map map = {0};
    int errors = dg_diag_errors(m->diag);
    expand_region(&e, 0, &map);
    fill(&map, m->graph);
    dg_apply_map(m->graph, map.at);
    dg_vec_free(&map);
    return dg_diag_errors(m->diag) == errors;
}

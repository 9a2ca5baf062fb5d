/* prepare.c: lets ops that know cheaper ways to compute a node take them. A convolution becomes one
 * by Winograd's transforms, whose weights are laid out beforehand by a node of its own.
 *
 * In     a graph after `simplify`.
 * Out    nodes whose op has a `prepare` (op.h) are replaced by what it builds; scope, origin, phase
 *        and remat as before. The op's estimate of the costs is a decision, `prepare`.
 * Keeps  the values, but for rounding. What prepares an operand stands just before its reader:
 *        `hoist` moves it out of loops, `cse` shares it, and memplan counts its bytes. */
#include "compiler/passes/passes.h"

typedef struct preparer {
    dg_module *m;
    const dg_pass_options *o;
    dg_node at;
} preparer;

static void refused(void *ctx, const dg_infer *t)
{
    preparer *p = ctx;
    const dg_origin *o = dg_node_of(p->m->graph, p->at)->origin;
    dg_error(p->m->diag, "E901", o ? o->span : DG_NOWHERE, "a preparation was refused by %s: %s",
             t->op->name, t->what ? t->what : "?");
}

typedef DG_VEC(dg_value) value_map; /* identity but for replaced outputs */

static void fill(value_map *map, const dg_graph *g)
{
    for (size_t v = map->n; v < g->values.n; v++) dg_vec_push(map, (dg_value)v);
}

static void prepare_node(preparer *p, dg_node n, value_map *map)
{
    dg_graph *g = p->m->graph;
    dg_node_info i = *dg_node_of(g, n);
    p->at = n;
    dg_build b = {.graph = g,
                  .region = i.region,
                  .before = n,
                  .scope = i.scope,
                  .origin = i.origin,
                  .phase = i.phase,
                  .remat = i.remat,
                  .refused = refused,
                  .ctx = p};
    bool *once = DG_NEW_ARRAY(g->arena, bool, i.n_in);
    for (int k = 0; k < i.n_in; k++)
        once[k] = !dg_region_inside(g, dg_value_of(g, i.in[k])->region, i.region);
    dg_value *out = DG_NEW_ARRAY(g->arena, dg_value, i.n_out), fresh = (dg_value)g->values.n;
    for (int k = 0; k < i.n_out; k++) out[k] = DG_NONE;
    dg_prepare rule = {.build = &b,
                       .attrs = &i.attrs,
                       .n_in = i.n_in,
                       .in = i.in,
                       .once = once,
                       .isa = p->o->isa,
                       .conv = p->o->conv};
    bool yes = i.op->prepare(&rule, out);
    if (rule.reason)
        dg_vec_push(&p->m->decisions, (dg_decision){.kind = "prepare",
                                                    .node = n,
                                                    .value = yes ? out[0] : i.out[0],
                                                    .outcome = rule.outcome,
                                                    .reason = rule.reason});
    if (!yes) return;
    fill(map, g);
    for (int k = 0; k < i.n_out; k++) {
        if (out[k] == DG_NONE) continue;
        if (out[k] >= fresh) dg_value_of(g, out[k])->path = dg_value_of(g, i.out[k])->path;
        map->at[i.out[k]] = out[k];
    }
    dg_graph_unlink(g, n);
}

static void prepare_region(preparer *p, dg_region r, value_map *map)
{
    DG_EACH_NODE(p->m->graph, r, n) {
        const dg_node_info *i = dg_node_of(p->m->graph, n);
        if (i->body != DG_NONE)
            prepare_region(p, i->body, map);
        else if (i->op->prepare && !i->strip)
            prepare_node(p, n, map);
    }
}

bool dg_pass_prepare(dg_module *m, const dg_pass_options *o)
{
    preparer p = {.m = m, .o = o};
    value_map map = {0};
    int errors = dg_diag_errors(m->diag);
    prepare_region(&p, 0, &map);
    fill(&map, m->graph);
    dg_apply_map(m->graph, map.at);
    dg_vec_free(&map);
    return dg_diag_errors(m->diag) == errors;
}

/* bf16.c: under --precision bf16, products of operands rounded to bf16.
 *
 * In     a graph after simplification; every value f32.
 * Out    products and convolutions that say how (op->narrow) are other ops, which round what they
 *        read and sum in f32; weights are laid out for them by nodes of their own, which `hoist`
 *        takes out of loops and `cse` shares. Values stay f32, so norms, softmax, losses, sampler
 *        arithmetic, master weights and their update are as before.
 * Keeps  a product of little work, which is not worth the rounding, stays as it is. */
#include "compiler/passes/passes.h"

typedef struct narrowing {
    dg_module *m;
    DG_VEC(dg_value) map; /* identity but for replaced results */
} narrowing;

static void fill(narrowing *s)
{
    for (size_t v = s->map.n; v < s->m->graph->values.n; v++) dg_vec_push(&s->map, (dg_value)v);
}

static void narrow_node(narrowing *s, dg_node n)
{
    dg_graph *g = s->m->graph;
    dg_node_info i = *dg_node_of(g, n);
    dg_value old = i.out[0];
    dg_value_info info = *dg_value_of(g, old);
    if (info.type.dtype != DG_F32) return;
    dg_build b = {.graph = g,
                  .region = i.region,
                  .before = n,
                  .scope = i.scope,
                  .origin = i.origin,
                  .phase = i.phase,
                  .remat = i.remat};
    dg_value made = i.op->narrow(&b, &i.attrs, i.in, &info.type);
    dg_vec_push(&s->m->decisions,
                (dg_decision){"bf16", made == DG_NONE ? n : dg_value_of(g, made)->def, old,
                              made == DG_NONE ? "no" : "yes",
                              made == DG_NONE ? "bf16.no:little-work" : "bf16.yes:tiles", 0});
    if (made == DG_NONE) return;
    dg_value_of(g, made)->path = info.path;
    fill(s);
    s->map.at[old] = made;
    dg_graph_unlink(g, n);
}

static void narrow_region(narrowing *s, dg_region r)
{
    DG_EACH_NODE(s->m->graph, r, n) {
        const dg_node_info *i = dg_node_of(s->m->graph, n);
        if (i->body != DG_NONE)
            narrow_region(s, i->body);
        else if (i->op->narrow && !i->strip)
            narrow_node(s, n);
    }
}

bool dg_pass_bf16(dg_module *m, const dg_pass_options *o)
{
    if (!o->bf16) return true;
    narrowing s = {.m = m};
    narrow_region(&s, 0);
    fill(&s);
    dg_apply_map(m->graph, s.map.at);
    dg_vec_free(&s.map);
    return true;
}

/* memplan_bytes.c: whose bytes a value has, and who may write over them.
 *
 * In     a graph with kernels and copies chosen.
 * Out    base, shift and strides of every value; answers about single nodes. The graph is
 *        untouched. */
#include "compiler/passes/memplan.h"
#include "compiler/passes/views.h"

#include <string.h>

dg_effects dg_effects_of(const dg_graph *g)
{
    return (dg_effects){g->find("input"), g->find("place"),  g->find("constant"),
                        g->find("write"), g->find("output"), g->find("check")};
}

dg_bytes *dg_bytes_of(const dg_graph *g, dg_arena *a)
{
    dg_bytes *all = DG_NEW_ARRAY(a, dg_bytes, g->values.n);
    for (dg_value v = 0; (size_t)v < g->values.n; v++) {
        dg_bytes *b = &all[v];
        dg_view view;
        b->view = dg_value_strides(g, v, &b->base, &b->shift, &view);
        memcpy(b->stride, view.stride, sizeof b->stride);
        b->whole =
            !b->view || (b->shift == 0 && dg_view_contiguous(&view) &&
                         dg_type_bytes(dg_type_of(g, v)) == dg_type_bytes(dg_type_of(g, b->base)));
    }
    return all;
}

/* A strip loads and stores an element of its space at the same instant, so any result may lie over
 * any operand that has the whole space; in an epilogue the op's own result is written before the
 * strip's operands are read, so none of those may be lost. */
static bool strip_permits(const dg_node_info *n, int out, int in, const dg_type *type)
{
    if (!n->strip || n->op->epilogue) return false;
    return dg_strip_stores(&n->strip->out[out]) && in < n->strip->n_in &&
           dg_shape_equal(&type->shape, &n->strip->space);
}

bool dg_may_overwrite(const dg_graph *g, const dg_bytes *bytes, dg_node node, int out,
                      dg_value base)
{
    const dg_node_info *n = dg_node_of(g, node);
    const dg_type *result = dg_type_of(g, n->out[out]);
    bool reads = false;
    if (n->body != DG_NONE) return false;
    for (int i = 0; i < n->n_in; i++) {
        if (bytes[n->in[i]].base != base) continue;
        const dg_type *type = dg_type_of(g, n->in[i]);
        bool named = out == 0 && i < n->n_own && i < 32 && (n->op->in_place >> i & 1);
        if (!bytes[n->in[i]].whole || !dg_type_equal(type, result)) return false;
        if (!named && !strip_permits(n, out, i, type)) return false;
        reads = true;
    }
    return reads;
}

dg_node dg_lift(const dg_graph *g, dg_node n, dg_region r)
{
    while (n != DG_NONE && dg_node_of(g, n)->region != r)
        n = dg_region_of(g, dg_node_of(g, n)->region)->owner;
    return n;
}

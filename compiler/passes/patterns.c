/* patterns.c: what several nodes compute together becomes one node of an op made for it: attention
 * without its matrix.
 *
 * In     a graph after gradients and cse, where equal nodes are one and dead ones are gone.
 * Out    the same results; what only the replaced nodes needed is dropped.
 * Keeps  a pattern is replaced where nobody else reads what it no longer makes.
 * Method the op in the middle of a pattern knows it (`pattern` of dg_op), and what it costs. */
#include "compiler/passes/passes.h"

#include <string.h>

bool dg_pass_patterns(dg_module *m, const dg_pass_options *o)
{
    (void)o;
    dg_graph *g = m->graph;
    dg_arena *scratch = dg_arena_new();
    dg_uses uses = dg_uses_of(g, scratch);
    size_t n_values = g->values.n, n_nodes = g->nodes.n;
    dg_value *map = DG_NEW_ARRAY(scratch, dg_value, n_values);
    for (size_t v = 0; v < n_values; v++) map[v] = (dg_value)v;
    bool any = false;
    for (size_t n = 0; n < n_nodes; n++) {
        const dg_node_info *node = dg_node_of(g, (dg_node)n);
        if (!node->op || !node->op->pattern) continue;
        dg_build b = {.graph = g, .region = node->region};
        int64_t bytes = dg_type_bytes(dg_type_of(g, node->out[0]));
        dg_value subject = node->out[0];
        const char *why = node->op->pattern(&b, (dg_node)n, &uses, map, &subject);
        if (!why) continue;
        bool yes = subject != dg_node_of(g, (dg_node)n)->out[0];
        any |= yes;
        dg_vec_push(&m->decisions, (dg_decision){"pattern", dg_value_of(g, subject)->def, subject,
                                                 yes ? "yes" : "no", why, bytes});
    }
    if (any) {
        dg_value *whole = DG_NEW_ARRAY(scratch, dg_value, g->values.n);
        for (size_t v = 0; v < g->values.n; v++) whole[v] = v < n_values ? map[v] : (dg_value)v;
        dg_apply_map(g, whole);
        dg_drop_dead(g, scratch);
    }
    dg_arena_free(scratch);
    return true;
}

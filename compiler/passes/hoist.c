/* hoist.c: moves what does not change out of loops.
 *
 * In     any graph. Loops of no trips are left alone: nothing of theirs may run.
 * Out    nodes of a body whose inputs are all made outside stand before the loop; inner loops
 * first, so that a node can leave several. Keeps  memory: a moved result lives through the whole
 * loop, so only constants, views, prepared operands, results of at most 1 MiB, and results that
 * cost much to compute for their size are moved. */
#include "compiler/passes/passes.h"

#define SMALL_BYTES (INT64_C(1) << 20)
#define DEAR_FLOPS_PER_BYTE 16.0

static bool inputs_outside(const dg_graph *g, const dg_node_info *i, dg_region body)
{
    for (int k = 0; k < i->n_in; k++) {
        if (dg_region_inside(g, dg_value_of(g, i->in[k])->region, body)) return false;
    }
    return true;
}

static bool worth_it(const dg_graph *g, dg_node n, int64_t *bytes)
{
    const dg_node_info *i = dg_node_of(g, n);
    *bytes = 0;
    if (i->op->traits & (DG_VIEW | DG_LEAF)) return true;
    for (int k = 0; k < i->n_out; k++) *bytes += dg_type_bytes(dg_type_of(g, i->out[k]));
    if (*bytes <= SMALL_BYTES || i->op->traits & DG_PREPARES) return true;
    if (!i->op->flops) return false;
    dg_infer t = dg_types_of(g, n);
    return i->op->flops(&t) > DEAR_FLOPS_PER_BYTE * (double)*bytes;
}

static void hoist_loop(dg_module *m, dg_node loop)
{
    dg_graph *g = m->graph;
    dg_region body = dg_node_of(g, loop)->body, around = dg_node_of(g, loop)->region;
    DG_EACH_NODE(g, body, n) {
        if (dg_node_of(g, n)->body != DG_NONE) hoist_loop(m, n);
    }
    const dg_attr *trips = dg_attr_find(&dg_node_of(g, loop)->attrs, "trips");
    if (!trips || trips->v.i < 1) return;
    DG_EACH_NODE(g, body, n) {
        const dg_node_info *i = dg_node_of(g, n);
        if (i->op->traits & (DG_EFFECT | DG_CONTROL) || i->n_out == 0 ||
            !inputs_outside(g, i, body))
            continue;
        int64_t bytes;
        bool yes = worth_it(g, n, &bytes);
        if (bytes > 0)
            dg_vec_push(&m->decisions, (dg_decision){.kind = "hoist",
                                                     .node = n,
                                                     .value = i->out[0],
                                                     .outcome = yes ? "yes" : "no",
                                                     .reason = yes ? "hoist.yes:does-not-change"
                                                                   : "hoist.no:large-and-cheap",
                                                     .bytes = bytes});
        if (yes) dg_graph_move(g, n, loop, around);
    }
}

bool dg_pass_hoist(dg_module *m, const dg_pass_options *o)
{
    (void)o;
    if (m->graph->regions.n == 1) return true; /* no loops */
    DG_EACH_NODE(m->graph, 0, n) {
        if (dg_node_of(m->graph, n)->body != DG_NONE) hoist_loop(m, n);
    }
    return true;
}

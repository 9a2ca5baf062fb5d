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
} preparer;

static bool prepares(const dg_op *op)
{
    return op->prepare != NULL;
}

static bool prepare(void *ctx, dg_build *b, const dg_node_info *n, dg_value *out)
{
    preparer *p = ctx;
    dg_graph *g = b->graph;
    bool *once = DG_NEW_ARRAY(g->arena, bool, n->n_in);
    for (int k = 0; k < n->n_in; k++)
        once[k] = !dg_region_inside(g, dg_value_of(g, n->in[k])->region, n->region);
    dg_prepare rule = {.build = b,
                       .attrs = &n->attrs,
                       .n_in = n->n_in,
                       .in = n->in,
                       .once = once,
                       .isa = p->o->isa,
                       .conv = p->o->conv};
    bool yes = n->op->prepare(&rule, out);
    if (rule.reason)
        dg_vec_push(&p->m->decisions, (dg_decision){.kind = "prepare",
                                                    .node = b->before,
                                                    .value = yes ? out[0] : n->out[0],
                                                    .outcome = rule.outcome,
                                                    .reason = rule.reason});
    return yes;
}

bool dg_pass_prepare(dg_module *m, const dg_pass_options *o)
{
    preparer p = {.m = m, .o = o};
    return dg_remake_nodes(m, "a preparation", prepares, prepare, &p);
}

/* bf16.c: under --precision bf16, products of operands rounded to bf16.
 *
 * In     a graph after simplification; every value f32.
 * Out    products and convolutions that say how (op->narrow) are other ops, which round what they
 *        read and sum in f32; weights are laid out for them by nodes of their own, which `hoist`
 *        takes out of loops and `cse` shares. Values stay f32, so norms, softmax, losses, sampler
 *        arithmetic, master weights and their update are as before.
 * Keeps  a product of little work, which is not worth the rounding, stays as it is. */
#include "compiler/passes/passes.h"

static bool narrows(const dg_op *op)
{
    return op->narrow != NULL;
}

static bool narrow(void *ctx, dg_build *b, const dg_node_info *n, dg_value *out)
{
    dg_module *m = ctx;
    dg_graph *g = b->graph;
    dg_value old = n->out[0];
    dg_type type = *dg_type_of(g, old);
    if (type.dtype != DG_F32) return false;
    out[0] = n->op->narrow(b, &n->attrs, n->in, &type);
    bool yes = out[0] != DG_NONE;
    dg_vec_push(&m->decisions, (dg_decision){"bf16", yes ? dg_value_of(g, out[0])->def : b->before,
                                             old, yes ? "yes" : "no",
                                             yes ? "bf16.yes:tiles" : "bf16.no:little-work", 0});
    return yes;
}

bool dg_pass_bf16(dg_module *m, const dg_pass_options *o)
{
    return !o->bf16 || dg_remake_nodes(m, "rounding to bf16", narrows, narrow, m);
}

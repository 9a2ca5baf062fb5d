/* expand.c: lets ops that know how rewrite themselves in simpler ones: group_norm becomes
 * statistics and arithmetic, which then fuses with the affine and the activation behind it.
 *
 * In     a graph after `grad`: rules of gradients are written for the whole op, and read its
 * outputs. Out    the same values by other nodes; scope, origin, phase and remat as before. */
#include "compiler/passes/passes.h"

static bool expands(const dg_op *op)
{
    return op->expand != NULL;
}

static bool expand(void *ctx, dg_build *b, const dg_node_info *n, dg_value *out)
{
    (void)ctx;
    dg_grad rule = {.build = b,
                    .attrs = &n->attrs,
                    .n_in = n->n_in,
                    .n_out = n->n_out,
                    .in = n->in,
                    .out = n->out};
    return n->op->expand(&rule, out);
}

bool dg_pass_expand(dg_module *m, const dg_pass_options *o)
{
    (void)o;
    return dg_remake_nodes(m, "an expansion", expands, expand, NULL);
}

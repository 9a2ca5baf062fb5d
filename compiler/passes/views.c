/* views.c: strides of views, followed through their chain to the packed value at its end.
 *
 * In     a graph.
 * Out    base, shift and strides of one value; the graph is untouched.
 * Cost   the length of the chain of views, a few nodes in practice. */
#include "compiler/passes/views.h"

bool dg_value_strides(const dg_graph *g, dg_value v, dg_value *base, int64_t *shift, dg_view *out)
{
    const dg_value_info *info = dg_value_of(g, v);
    *out = (dg_view){.dtype = info->type->dtype, .shape = info->type->shape};
    *base = v;
    *shift = 0;

    const dg_node_info *n = info->def == DG_NONE ? NULL : dg_node_of(g, info->def);
    if (n && n->op && n->op->traits & DG_VIEW && n->op->view && info->index == 0) {
        dg_view in;
        dg_value in_base;
        int64_t in_shift;
        dg_value_strides(g, n->in[0], &in_base, &in_shift, &in);
        if (n->op->view(&n->attrs, &in, out)) {
            *base = in_base;
            *shift = in_shift + (int64_t)(intptr_t)out->data;
            out->data = NULL;
            return true;
        }
        out->data = NULL;
    }
    dg_view_pack(out);
    return false;
}

bool dg_node_is_view(const dg_graph *g, dg_node n)
{
    const dg_node_info *info = dg_node_of(g, n);
    if (!info->op || !(info->op->traits & DG_VIEW)) return false;
    dg_view view;
    dg_value base;
    int64_t shift;
    return dg_value_strides(g, info->out[0], &base, &shift, &view);
}

bool dg_value_packed(const dg_graph *g, dg_value v)
{
    dg_view view;
    dg_value base;
    int64_t shift;
    return !dg_value_strides(g, v, &base, &shift, &view) || dg_view_contiguous(&view);
}

bool dg_takes_strides(const dg_node_info *n, int input)
{
    if (input >= n->n_own) return true; /* read by a strip */
    if (n->prologue && n->prologue->operand == input) return true;
    if (!n->kernel) return false;
    if (n->kernel->strided >> 31) return true;
    return input < 31 && n->kernel->strided >> input & 1;
}

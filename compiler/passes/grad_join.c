/* grad_join.c: the adjoint of a value that is only cut into slices.
 *
 * In     the sum of the slices' adjoints, each with zeros around it (pad) to the size of the whole.
 * Out    where the slices fill the whole along one axis: their adjoints one behind the other. The
 *        sum and its pads are dead.
 * Keeps  every number: the sum adds nothing but zeros. */
#include "compiler/passes/grad_loop.h"

#include "compiler/ir/rewrite.h"

enum { MOST = 64 };

typedef struct piece {
    dg_value v;
    int64_t at, size; /* along the axis */
} piece;

typedef struct joiner {
    const dg_graph *g;
    const dg_op *add, *pad;
    int axis; /* -1: not known yet */
    int n;
    piece at[MOST];
} joiner;

/* The zeros of the pad stand before and behind, on one axis, that of the others. */
static bool take_piece(joiner *j, const dg_node_info *pad)
{
    const int64_t *before = dg_attr_ints(&pad->attrs, "before", NULL),
                  *after = dg_attr_ints(&pad->attrs, "after", NULL),
                  *inner = dg_attr_ints(&pad->attrs, "inner", NULL);
    const dg_shape *s = &dg_type_of(j->g, pad->in[0])->shape;
    if (j->n == MOST) return false;
    for (int a = 0; a < s->rank; a++) {
        if (inner[a] != 0) return false;
        if (before[a] == 0 && after[a] == 0) continue;
        if (j->axis < 0) j->axis = a;
        if (j->axis != a) return false;
    }
    if (j->axis < 0) return false;
    int at = j->n++;
    for (; at > 0 && j->at[at - 1].at > before[j->axis]; at--) j->at[at] = j->at[at - 1];
    j->at[at] = (piece){pad->in[0], before[j->axis], s->dim[j->axis]};
    return true;
}

static bool collect(joiner *j, dg_value v)
{
    dg_node def = dg_value_of(j->g, v)->def;
    if (def == DG_NONE) return false;
    const dg_node_info *n = dg_node_of(j->g, def);
    if (n->op == j->pad) return take_piece(j, n);
    /* the term added last first: most sums end here */
    return n->op == j->add && collect(j, n->in[1]) && collect(j, n->in[0]);
}

dg_value dg_grad_join(dg_build *b, dg_value sum)
{
    joiner j = {
        .g = b->graph, .add = b->graph->find("add"), .pad = b->graph->find("pad"), .axis = -1};
    dg_value parts[MOST];
    int64_t end = 0;
    if (!collect(&j, sum)) return DG_NONE;
    for (int i = 0; i < j.n; i++) {
        if (j.at[i].at != end) return DG_NONE;
        end += j.at[i].size;
        parts[i] = j.at[i].v;
    }
    return end == dg_shape_of(b, sum).dim[j.axis] ? dg_concat(b, parts, j.n, j.axis) : DG_NONE;
}

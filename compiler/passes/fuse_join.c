/* fuse_join.c: two values made of a kernel's result, which nobody else reads, are made by its
 * epilogue.
 *
 * In     a graph whose elementwise nodes are fused nodes and epilogues.
 * Out    such a fused node is gone: its first value has the place of the kernel's result, the
 *        second is a further result of the kernel.
 * Keeps  the bits: the instructions are the same, one strip behind the other.
 * Cost   linear. */
#include "compiler/passes/fuse.h"

#include <string.h>

enum { CODES = 24, LOADS = 16, OUTS = 2 };

typedef struct joiner {
    dg_module *m;
    dg_graph *g;
    const int32_t *uses; /* by value: how many */
    int32_t *pos;        /* by node: its place in the region */
    dg_value *map;
} joiner;

static bool stands_before(const joiner *j, dg_value v, dg_node n)
{
    const dg_value_info *info = dg_value_of(j->g, v);
    if (info->def == DG_NONE || info->region != dg_node_of(j->g, n)->region) return true;
    return j->pos[info->def] < j->pos[n] || dg_node_of(j->g, info->def)->op->traits & DG_LEAF;
}

/* The node whose epilogue can do what fused node n does to its load k; DG_NONE. */
static dg_node producer(const joiner *j, const dg_node_info *n, int k)
{
    dg_value x = n->in[k];
    dg_node def = dg_value_of(j->g, x)->def;
    if (def == DG_NONE || j->uses[x] != 1) return DG_NONE;
    const dg_node_info *p = dg_node_of(j->g, def);
    const dg_type *type = dg_type_of(j->g, x);
    if (!p->op || !p->op->epilogue || !p->op->kernels || p->n_out != 1 || type->dtype != DG_F32 ||
        p->region != n->region || p->phase != n->phase || p->remat != n->remat)
        return DG_NONE;
    for (int i = 0; i < n->n_out; i++)
        if (!dg_strip_stores(&n->strip->out[i]) ||
            !dg_type_equal(dg_type_of(j->g, n->out[i]), type))
            return DG_NONE;
    for (int i = 0; i < n->n_in; i++)
        if (i != k && !stands_before(j, n->in[i], def)) return DG_NONE;
    int codes = n->strip->n_code + (p->strip ? p->strip->n_code : 0),
        loads = n->n_in + (p->strip ? p->strip->n_in : 1) - 1;
    return codes <= CODES && loads <= LOADS ? def : DG_NONE;
}

/* Registers of two strips in that of both: the loads of the first, those of the second but for load
 * k, which the first makes; then the instructions. */
static dg_strip *both(dg_arena *a, const dg_strip *first, const dg_strip *second, int k)
{
    int n_in = first->n_in + second->n_in - 1, n_code = first->n_code + second->n_code;
    dg_dtype *dtype = DG_NEW_ARRAY(a, dg_dtype, n_in);
    dg_strip_code *code = DG_NEW_ARRAY(a, dg_strip_code, n_code);
    dg_strip_out *out = DG_NEW_ARRAY(a, dg_strip_out, second->n_out);
    int *of_first = DG_NEW_ARRAY(a, int, first->n_in + first->n_code),
        *of_second = DG_NEW_ARRAY(a, int, second->n_in + second->n_code);
    for (int r = 0; r < first->n_in + first->n_code; r++)
        of_first[r] = r < first->n_in ? r : r + second->n_in - 1;
    for (int r = 0; r < second->n_in + second->n_code; r++)
        of_second[r] = r == k             ? of_first[first->out[0].reg]
                       : r < second->n_in ? first->n_in + r - (r > k)
                                          : r - second->n_in + n_in + first->n_code;
    for (int r = 0; r < first->n_in; r++) dtype[r] = first->in_dtype[r];
    for (int r = 0; r < second->n_in; r++)
        if (r != k) dtype[of_second[r]] = second->in_dtype[r];
    for (int i = 0; i < n_code; i++) {
        const int *now = i < first->n_code ? of_first : of_second;
        code[i] = i < first->n_code ? first->code[i] : second->code[i - first->n_code];
        for (int o = 0; o < code[i].n_in; o++) code[i].in[o] = now[code[i].in[o]];
    }
    for (int o = 0; o < second->n_out; o++)
        out[o] = (dg_strip_out){of_second[second->out[o].reg], 0, 0};
    dg_strip *s = DG_NEW(a, dg_strip);
    *s = (dg_strip){second->space, n_in, n_code, second->n_out, dtype, code, out};
    return s;
}

/* Inputs of the producer: its own, its epilogue's, those of n but for k, its prologue's. */
static void join_inputs(joiner *j, dg_node_info *p, const dg_node_info *n, int k)
{
    int before = dg_prologue_inputs(p->n_own, p->strip), at = before;
    dg_value *in = DG_NEW_ARRAY(j->g->arena, dg_value, p->n_in + n->n_in - 1);
    memcpy(in, p->in, sizeof *in * (size_t)before);
    for (int i = 0; i < n->n_in; i++)
        if (i != k) in[at++] = n->in[i];
    memcpy(in + at, p->in + before, sizeof *in * (size_t)(p->n_in - before));
    p->in = in;
    p->n_in += n->n_in - 1;
}

static void join(joiner *j, dg_node n, dg_node into, int k)
{
    static const dg_dtype f32 = DG_F32;
    static const dg_strip_out whole;
    dg_graph *g = j->g;
    const dg_node_info *old = dg_node_of(g, n);
    dg_node_info *p = dg_node_of(g, into);
    dg_strip plain = {old->strip->space, 1, 0, 1, &f32, NULL, &whole};
    for (int i = 0; i < old->n_in; i++) {
        dg_node def = dg_value_of(g, old->in[i])->def;
        if (i != k && def != DG_NONE && dg_node_of(g, def)->region == p->region &&
            j->pos[def] > j->pos[into])
            dg_graph_move(g, def, into, p->region); /* a leaf */
    }
    join_inputs(j, p, old, k);
    p->strip = both(g->arena, p->strip ? p->strip : &plain, old->strip, k);
    for (int o = 0; o < old->n_out; o++) {
        dg_value v = old->out[o];
        if (o > 0) dg_graph_add_result(g, into, *dg_type_of(g, v), g->nowhere);
        j->map[v] = dg_node_of(g, into)->out[o];
        dg_value_of(g, j->map[v])->path = dg_value_of(g, v)->path;
    }
    for (size_t d = 0; d < j->m->decisions.n; d++) {
        dg_decision *one = &j->m->decisions.at[d];
        if (one->node == n) one->node = into;
    }
    dg_graph_unlink(g, n);
}

void dg_fuse_join(dg_module *m)
{
    dg_graph *g = m->graph;
    dg_arena *scratch = dg_arena_new();
    joiner j = {.m = m, .g = g, .uses = dg_use_counts(g, scratch)};
    size_t n_values = g->values.n, n_nodes = g->nodes.n;
    j.pos = DG_NEW_ARRAY(scratch, int32_t, n_nodes);
    j.map = DG_NEW_ARRAY(scratch, dg_value, n_values);
    for (size_t v = 0; v < n_values; v++) j.map[v] = (dg_value)v;
    for (size_t r = 0; r < g->regions.n; r++) {
        int32_t at = 0;
        DG_EACH_NODE(g, (dg_region)r, n) j.pos[n] = at++;
    }
    for (size_t n = 0; n < n_nodes; n++) {
        const dg_node_info *node = dg_node_of(g, (dg_node)n);
        if (!node->op || !node->strip || node->op->epilogue || node->prologue ||
            node->n_out != OUTS)
            continue;
        dg_node into = DG_NONE;
        int k = 0;
        while (k < node->n_in && (into = producer(&j, node, k)) == DG_NONE) k++;
        if (into != DG_NONE) join(&j, (dg_node)n, into, k);
    }
    dg_value *whole = DG_NEW_ARRAY(scratch, dg_value, g->values.n);
    for (size_t v = 0; v < g->values.n; v++) whole[v] = v < n_values ? j.map[v] : (dg_value)v;
    dg_apply_map(g, whole);
    for (size_t d = 0; d < m->decisions.n; d++) {
        dg_value *v = &m->decisions.at[d].value;
        if (*v != DG_NONE) *v = whole[*v];
    }
    dg_arena_free(scratch);
}

/* fuse_strip.c: bodies of fused nodes, and strips made of them.
 *
 * In     results to make, and which values are stored by whom (dg_fuse).
 * Out    the codes in order of their operands, and the values to load, in order of first use. */
#include "compiler/passes/fuse.h"

bool dg_node_has_lanes(const dg_graph *g, dg_node n)
{
    const dg_node_info *i = dg_node_of(g, n);
    if (!i->op || !(i->op->traits & DG_ELEMENTWISE) || i->n_out != 1 || i->n_in < 1 || i->n_in > 3)
        return false;
    dg_dtype in[3];
    for (int k = 0; k < i->n_in; k++) in[k] = dg_type_of(g, i->in[k])->dtype;
    return dg_lanes_find(i->op, dg_type_of(g, i->out[0])->dtype, in, i->n_in) != NULL;
}

bool dg_node_draws(const dg_graph *g, dg_node n)
{
    const dg_node_info *i = dg_node_of(g, n);
    if (!i->op || !(i->op->traits & DG_RANDOM) || i->n_out != 1 || i->n_in != 1) return false;
    dg_dtype in = dg_type_of(g, i->in[0])->dtype;
    return dg_lanes_find(i->op, dg_type_of(g, i->out[0])->dtype, &in, 1) != NULL;
}

static dg_strip_code code_of(const dg_graph *g, const dg_node_info *n, const int *registers)
{
    dg_strip_code code = {.op = n->op, .attrs = n->attrs, .in = {-1, -1, -1}, .n_in = n->n_in};
    dg_dtype in[3];
    for (int k = 0; k < n->n_in; k++) {
        in[k] = dg_type_of(g, n->in[k])->dtype;
        code.in[k] = registers[k];
    }
    code.dtype = dg_type_of(g, n->out[0])->dtype;
    code.lanes = dg_lanes_find(n->op, code.dtype, in, n->n_in);
    return code;
}

void dg_body_begin(dg_fuse *f, dg_body *b, dg_value first)
{
    f->epoch++;
    b->n_load = b->n_code = 0;
    if (first == DG_NONE) return;
    f->mark[first] = f->epoch;
    b->load[b->n_load++] = first;
}

bool dg_body_add(dg_fuse *f, dg_body *b, dg_value v, int32_t unit, bool make)
{
    if (f->mark[v] == f->epoch) return true;
    f->mark[v] = f->epoch;
    bool inner = make || (f->fusible[v] && (!f->root[v] || (unit >= 0 && f->owner[v] == unit)));
    if (!inner) {
        if (b->n_load == DG_FUSE_LOADS) return false;
        b->load[b->n_load++] = v;
        return true;
    }
    const dg_node_info *n = dg_node_of(f->g, dg_value_of(f->g, v)->def);
    for (int i = 0; i < n->n_in; i++)
        if (!dg_body_add(f, b, n->in[i], unit, false)) return false;
    if (b->n_code == DG_FUSE_CODES) return false;
    b->code[b->n_code++] = v;
    return true;
}

static int register_of(const dg_body *b, dg_value v)
{
    for (int i = 0; i < b->n_load; i++)
        if (b->load[i] == v) return i;
    for (int i = b->n_code - 1; i >= 0; i--)
        if (b->code[i] == v) return b->n_load + i;
    return -1;
}

const dg_strip *dg_body_strip(dg_fuse *f, const dg_body *b, dg_shape space, const dg_fuse_out *out,
                              int n_out)
{
    dg_arena *arena = f->g->arena;
    dg_dtype *in_dtype = DG_NEW_ARRAY(arena, dg_dtype, b->n_load);
    dg_strip_code *code = DG_NEW_ARRAY(arena, dg_strip_code, b->n_code);
    dg_strip_out *outs = DG_NEW_ARRAY(arena, dg_strip_out, n_out);
    for (int i = 0; i < b->n_load; i++) in_dtype[i] = dg_type_of(f->g, b->load[i])->dtype;
    for (int i = 0; i < b->n_code; i++) {
        const dg_node_info *n = dg_node_of(f->g, dg_value_of(f->g, b->code[i])->def);
        int registers[3] = {-1, -1, -1};
        for (int k = 0; k < n->n_in; k++) registers[k] = register_of(b, n->in[k]);
        code[i] = code_of(f->g, n, registers);
    }
    for (int i = 0; i < n_out; i++)
        outs[i] = (dg_strip_out){register_of(b, out[i].source), out[i].reduce, 0};
    dg_strip *s = DG_NEW(arena, dg_strip);
    *s = (dg_strip){.space = space,
                    .n_in = b->n_load,
                    .n_code = b->n_code,
                    .n_out = n_out,
                    .in_dtype = in_dtype,
                    .code = code,
                    .out = outs};
    return s;
}

dg_node dg_fuse_single(dg_graph *g, dg_node n, dg_value *new_value)
{
    const dg_op *fused = g->find("fused");
    if (!fused || !dg_node_has_lanes(g, n)) return DG_NONE;
    const dg_node_info *old = dg_node_of(g, n);
    dg_value loads[3];
    int registers[3], n_load = 0;
    for (int k = 0; k < old->n_in; k++) {
        int r = 0;
        while (r < n_load && loads[r] != old->in[k]) r++;
        if (r == n_load) loads[n_load++] = old->in[k];
        registers[k] = r;
    }
    dg_dtype *in_dtype = DG_NEW_ARRAY(g->arena, dg_dtype, n_load);
    for (int i = 0; i < n_load; i++) in_dtype[i] = dg_type_of(g, loads[i])->dtype;
    dg_strip_code *code = DG_NEW(g->arena, dg_strip_code);
    *code = code_of(g, old, registers);
    dg_strip_out *out = DG_NEW(g->arena, dg_strip_out);
    *out = (dg_strip_out){n_load, 0, 0};
    dg_strip *s = DG_NEW(g->arena, dg_strip);
    *s = (dg_strip){.space = dg_type_of(g, old->out[0])->shape,
                    .n_in = n_load,
                    .n_code = 1,
                    .n_out = 1,
                    .in_dtype = in_dtype,
                    .code = code,
                    .out = out};

    dg_type type = *dg_type_of(g, old->out[0]);
    dg_node made =
        dg_graph_add(g, old->region, n, fused, (dg_attrs){0, NULL}, loads, n_load, &type, 1);
    old = dg_node_of(g, n); /* the append may have moved it */
    dg_node_info *info = dg_node_of(g, made);
    info->strip = s;
    info->scope = old->scope;
    info->origin = old->origin;
    info->phase = old->phase;
    info->remat = old->remat;
    dg_value_of(g, info->out[0])->path = dg_value_of(g, old->out[0])->path;
    *new_value = info->out[0];
    return made;
}

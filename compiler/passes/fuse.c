/* fuse.c: elementwise nodes become `fused` nodes, epilogues and prologues, whose bodies are strips.
 *
 * In     a graph after expand, so that norms are statistics and arithmetic; sums over mixed axes
 *        are first cut into two steps.
 * Out    no elementwise node with lanes is left: each stored value is a result of a fused node, or
 *        of a kernel's epilogue; what kernels alone read may be computed by their prologues.
 * Keeps  every stored value has the bits that its own node would have given: a strip calls the same
 *        lanes, one op at a time. Only sums that join a strip may round differently.
 * Cost   near linear: each step looks at one body, which is bounded. */
#include "compiler/passes/fuse.h"

#include <stdlib.h>
#include <string.h>

/* ---- order within a region ---- */

void dg_fuse_label(dg_fuse *f, dg_region r)
{
    double label = 0;
    DG_EACH_NODE(f->g, r, n) {
        f->label[n] = label++;
    }
}

void dg_fuse_move(dg_fuse *f, dg_node n, dg_node before)
{
    dg_region r = dg_node_of(f->g, n)->region;
    dg_graph_move(f->g, n, before, r);
    dg_node prev = dg_node_of(f->g, n)->prev;
    f->label[n] = prev == DG_NONE ? f->label[before] - 1 : (f->label[prev] + f->label[before]) / 2;
    bool distinct =
        (prev == DG_NONE || f->label[n] > f->label[prev]) && f->label[n] < f->label[before];
    if (!distinct) dg_fuse_label(f, r); /* the gap is used up */
}

dg_value dg_fuse_base(const dg_fuse *f, dg_value v)
{
    for (;;) {
        const dg_value_info *info = dg_value_of(f->g, v);
        if (info->def == DG_NONE || !(dg_node_of(f->g, info->def)->op->traits & DG_VIEW)) return v;
        v = dg_node_of(f->g, info->def)->in[0];
    }
}

int64_t dg_fuse_bytes(const dg_fuse *f, dg_value v)
{
    dg_value base = dg_fuse_base(f, v);
    int64_t own = dg_type_bytes(dg_type_of(f->g, v));
    if (base == v) return own;
    int64_t shown = dg_type_bytes(dg_type_of(f->g, base));
    return own < shown ? own : shown;
}

void dg_fuse_decide(dg_fuse *f, dg_node n, dg_value v, bool yes, const char *reason, int64_t bytes)
{
    dg_vec_push(&f->m->decisions, (dg_decision){"fuse", n, v, yes ? "yes" : "no", reason, bytes});
}

/* ---- preparation ---- */

/* A sum over trailing and other axes of an elementwise value: the trailing ones first, where a
 * strip can do it, so that the summed value need not be stored. So with the sum of everything,
 * whose rows can then be cut into pieces. */
static void split_sum(dg_graph *g, dg_node n)
{
    enum { ROW = 1024, LARGE = 64 * 1024 };
    dg_node_info node = *dg_node_of(g, n);
    if (!node.op->row_sum || node.n_in != 1) return;
    const dg_type *in = dg_type_of(g, node.in[0]);
    const dg_attr *axes = dg_attr_find(&node.attrs, "axes");
    dg_node def = dg_value_of(g, node.in[0])->def;
    if (in->dtype != DG_F32 || !axes || axes->kind != DG_INTS || def == DG_NONE ||
        !dg_node_has_lanes(g, def))
        return;

    dg_shape shape = in->shape;
    int trailing = 0; /* summed axes at the end */
    int64_t row = 1, all = dg_shape_count(&shape);
    bool whole = axes->n == shape.rank;
    while (trailing < axes->n &&
           axes->v.ints[axes->n - 1 - trailing] == shape.rank - 1 - trailing) {
        if (whole && row >= ROW) break;
        row *= shape.dim[shape.rank - 1 - trailing++];
    }
    if (trailing == 0 || trailing == axes->n || (whole && all < LARGE) || row == 1) return;

    dg_build b = dg_build_before(g, n);
    b.name = "rows";
    dg_axes list = {.n = trailing};
    for (int i = 0; i < trailing; i++) list.axis[i] = shape.rank - trailing + i;
    dg_value rows = dg_sum_keep(&b, node.in[0], list);
    dg_node_of(g, n)->in[0] = rows; /* over the axes that remain, and those of size 1 */
}

/* Gradients are taken: what stops them is the identity from here on. */
static void drop_stops(dg_graph *g)
{
    dg_arena *scratch = dg_arena_new();
    dg_value *map = DG_NEW_ARRAY(scratch, dg_value, g->values.n);
    for (size_t v = 0; v < g->values.n; v++) map[v] = (dg_value)v;
    bool any = false;
    for (size_t i = 0; i < g->nodes.n; i++) {
        const dg_node_info *n = dg_node_of(g, (dg_node)i);
        if (!n->op || !(n->op->traits & DG_STOPS_GRADIENT) || !(n->op->traits & DG_VIEW) ||
            n->n_in != 1 || n->n_out != 1)
            continue;
        if (!dg_type_equal(dg_type_of(g, n->in[0]), dg_type_of(g, n->out[0]))) continue;
        map[n->out[0]] = n->in[0];
        any = true;
    }
    if (any) {
        dg_apply_map(g, map);
        dg_drop_dead(g, scratch);
    }
    dg_arena_free(scratch);
}

static void prepare(dg_module *m)
{
    dg_graph *g = m->graph;
    drop_stops(g);
    dg_fuse_split(m);
    size_t n_nodes = g->nodes.n;
    for (size_t n = 0; n < n_nodes; n++)
        if (dg_node_of(g, (dg_node)n)->op) split_sum(g, (dg_node)n);
}

static void begin(dg_fuse *f)
{
    dg_graph *g = f->g;
    f->n_values = (int)g->values.n;
    f->n_nodes = (int)g->nodes.n;
    f->uses = dg_uses_of(g, f->arena);
    f->fusible = DG_NEW_ARRAY(f->arena, bool, f->n_values);
    f->root = DG_NEW_ARRAY(f->arena, const char *, f->n_values);
    f->owner = DG_NEW_ARRAY(f->arena, int32_t, f->n_values);
    f->claimed = DG_NEW_ARRAY(f->arena, bool, f->n_values);
    f->mark = DG_NEW_ARRAY(f->arena, int32_t, f->n_values);
    f->unit = DG_NEW_ARRAY(f->arena, int32_t, f->n_nodes);
    f->row_sum = DG_NEW_ARRAY(f->arena, int, f->n_nodes);
    f->chain = DG_NEW_ARRAY(f->arena, dg_value, f->n_nodes);
    f->pos = DG_NEW_ARRAY(f->arena, int32_t, f->n_nodes);
    f->kernels = DG_NEW_ARRAY(f->arena, int32_t, f->n_nodes);
    f->label = DG_NEW_ARRAY(f->arena, double, f->n_nodes);
    f->seen = DG_NEW_ARRAY(f->arena, int32_t, f->n_nodes);
    for (int v = 0; v < f->n_values; v++) f->owner[v] = -1;
    for (int i = 0; i < f->n_nodes; i++) {
        const dg_node_info *n = dg_node_of(g, i);
        f->unit[i] = -1;
        f->chain[i] = DG_NONE;
        if (!n->op) continue;
        if (dg_node_has_lanes(g, i) || dg_node_draws(g, i)) f->fusible[n->out[0]] = true;
        if (!n->op->row_sum || n->n_in != 1 || n->n_out != 1) continue;
        const dg_type *in = dg_type_of(g, n->in[0]), *out = dg_type_of(g, n->out[0]);
        if (in->dtype == DG_F32 && out->dtype == DG_F32)
            f->row_sum[i] = n->op->row_sum(&n->attrs, &in->shape);
    }
}

/* ---- writing back ---- */

/* Some node that stays, or another unit's body, reads v: it has to be stored. */
static bool read_outside(const dg_fuse *f, dg_value v, const bool *loaded)
{
    if (loaded[v]) return true;
    dg_region r = dg_value_of(f->g, v)->region;
    for (int32_t k = f->uses.first[v]; k < f->uses.first[v + 1]; k++) {
        dg_use use = f->uses.at[k];
        const dg_node_info *n = dg_node_of(f->g, use.node);
        bool dissolves = use.input >= 0 && n->region == r && n->n_out == 1 &&
                         (f->fusible[n->out[0]] || f->row_sum[use.node] > 0);
        if (!dissolves) return true;
    }
    return false;
}

static int by_place(const void *pa, const void *pb)
{
    const dg_fuse_out *a = pa, *b = pb;
    return (a->value > b->value) - (a->value < b->value);
}

/* A group of one result that its own node makes best, a sum or a draw: that node stays. */
static void keep_node(dg_fuse *f, const dg_unit *unit)
{
    dg_value v = unit->out[0].value;
    dg_node n = dg_value_of(f->g, v)->def;
    f->row_sum[n] = 0;
    f->fusible[v] = false;
    if (n != unit->anchor) dg_fuse_move(f, n, unit->anchor);
}

static void emit_group(dg_fuse *f, int32_t u, const bool *loaded, dg_value *map)
{
    dg_graph *g = f->g;
    dg_unit *unit = &f->units.at[u];
    int n_out = 0;
    for (int i = 0; i < unit->n_out; i++)
        if (read_outside(f, unit->out[i].value, loaded)) unit->out[n_out++] = unit->out[i];
    if (n_out == 0) return;
    qsort(unit->out, (size_t)n_out, sizeof *unit->out, by_place);

    dg_body body;
    dg_body_begin(f, &body, DG_NONE);
    for (int i = 0; i < n_out; i++) dg_body_add(f, &body, unit->out[i].source, u, false);
    bool sum = body.n_code == 0, draw = body.n_code == 1 && unit->out[0].reduce == 0 &&
                                        dg_node_draws(g, dg_value_of(g, body.code[0])->def);
    if (n_out == 1 && (sum || draw)) {
        keep_node(f, unit);
        return;
    }
    dg_type types[DG_FUSE_OUTS];
    for (int i = 0; i < n_out; i++) types[i] = *dg_type_of(g, unit->out[i].value);
    dg_shape space = dg_type_of(g, unit->out[0].source)->shape;
    const dg_strip *strip = dg_body_strip(f, &body, space, unit->out, n_out);
    dg_node made =
        dg_graph_add(g, dg_node_of(g, unit->anchor)->region, unit->anchor, g->find("fused"),
                     (dg_attrs){0, NULL}, body.load, body.n_load, types, n_out);
    const dg_node_info *from = dg_node_of(g, dg_value_of(g, unit->out[n_out - 1].value)->def);
    dg_node_info *node = dg_node_of(g, made);
    node->strip = strip;
    node->scope = from->scope;
    node->origin = from->origin;
    node->phase = from->phase;
    node->remat = from->remat;
    for (int i = 0; i < n_out; i++) {
        dg_value old = unit->out[i].value;
        map[old] = node->out[i];
        dg_value_of(g, node->out[i])->path = dg_value_of(g, old)->path;
        int64_t bytes = dg_type_bytes(dg_type_of(g, old));
        dg_fuse_decide(f, made, old, true,
                       unit->out[i].reduce > 0 ? "fuse.yes:row-sum" : "fuse.yes:group", bytes);
        if (f->root[old]) dg_fuse_decide(f, made, old, false, f->root[old], bytes);
    }
}

static void emit_epilogue(dg_fuse *f, int32_t u, dg_value *map)
{
    dg_graph *g = f->g;
    dg_unit *unit = &f->units.at[u];
    dg_node_info *node = dg_node_of(g, unit->anchor);
    dg_value y = node->out[0], end = unit->epilogue;
    dg_body body;
    dg_body_begin(f, &body, y);
    dg_body_add(f, &body, end, -1, true);
    dg_fuse_out out = {end, end, 0};
    node->strip = dg_body_strip(f, &body, dg_type_of(g, y)->shape, &out, 1);
    dg_value *in = DG_NEW_ARRAY(g->arena, dg_value, node->n_in + body.n_load - 1);
    memcpy(in, node->in, sizeof *in * (size_t)node->n_in);
    memcpy(in + node->n_in, body.load + 1, sizeof *in * (size_t)(body.n_load - 1));
    node->n_own = node->n_in;
    node->in = in;
    node->n_in += body.n_load - 1;
    map[end] = y;
    dg_value_of(g, y)->path = dg_value_of(g, end)->path;
    dg_fuse_decide(f, unit->anchor, end, true, "fuse.yes:epilogue",
                   dg_type_bytes(dg_type_of(g, y)));
}

/* After the epilogue, whose inputs stand before those of the prologue. */
static void emit_prologue(dg_fuse *f, int32_t u)
{
    dg_graph *g = f->g;
    dg_unit *unit = &f->units.at[u];
    dg_value v = unit->prologue;
    dg_body body;
    dg_body_begin(f, &body, DG_NONE);
    dg_body_add(f, &body, v, -1, true);
    dg_value main = dg_fuse_main_load(f, &body, v);
    dg_body_begin(f, &body, main);
    dg_body_add(f, &body, v, -1, true);
    dg_fuse_out out = {v, v, 0};
    dg_shape shape = dg_type_of(g, v)->shape;
    dg_prologue p = {unit->operand, dg_body_strip(f, &body, shape, &out, 1), shape, 1, 1};

    dg_node_info *node = dg_node_of(g, unit->anchor);
    dg_value *in = DG_NEW_ARRAY(g->arena, dg_value, node->n_in + body.n_load - 1);
    memcpy(in, node->in, sizeof *in * (size_t)node->n_in);
    memcpy(in + node->n_in, body.load + 1, sizeof *in * (size_t)(body.n_load - 1));
    in[unit->operand] = main;
    node->in = in;
    node->n_in += body.n_load - 1;
    node->prologue = dg_arena_copy(g->arena, &p, sizeof p);
    dg_fuse_decide(f, unit->anchor, main, true, "fuse.yes:prologue",
                   dg_type_bytes(dg_type_of(g, v)));
}

static void emit(dg_fuse *f, dg_value *map)
{
    bool *loaded = DG_NEW_ARRAY(f->arena, bool, f->n_values);
    for (size_t u = 0; u < f->units.n; u++) {
        const dg_unit *unit = &f->units.at[u];
        if (unit->parent != (int32_t)u) continue;
        for (int i = 0; i < unit->n_load; i++) loaded[unit->load[i]] = true;
    }
    for (size_t u = 0; u < f->units.n; u++) {
        const dg_unit *unit = &f->units.at[u];
        if (unit->parent != (int32_t)u) continue;
        if (unit->group)
            emit_group(f, (int32_t)u, loaded, map);
        else if (unit->epilogue != DG_NONE)
            emit_epilogue(f, (int32_t)u, map);
        if (unit->prologue != DG_NONE) emit_prologue(f, (int32_t)u);
    }
    /* what was computed by nodes of its own is computed in strips now */
    for (dg_node n = 0; n < f->n_nodes; n++) {
        const dg_node_info *node = dg_node_of(f->g, n);
        if (node->op && node->n_out == 1 && (f->fusible[node->out[0]] || f->row_sum[n] > 0))
            dg_graph_unlink(f->g, n);
    }
}

/* ---- entry point ---- */

bool dg_pass_fuse(dg_module *m, const dg_pass_options *o)
{
    if (!m->graph->find("fused")) return true;
    size_t decided = m->decisions.n;
    prepare(m);
    dg_fuse f = {
        .m = m, .g = m->graph, .arena = dg_arena_new(), .prologues = !dg_left_out(o, "prologue")};
    begin(&f);
    for (size_t r = 0; r < f.g->regions.n; r++) {
        dg_fuse_roots(&f, (dg_region)r);
        dg_fuse_groups(&f, (dg_region)r);
    }
    dg_value *map = DG_NEW_ARRAY(f.arena, dg_value, f.n_values);
    for (int v = 0; v < f.n_values; v++) map[v] = v;
    emit(&f, map);

    dg_value *whole = DG_NEW_ARRAY(f.arena, dg_value, f.g->values.n);
    for (size_t v = 0; v < f.g->values.n; v++)
        whole[v] = v < (size_t)f.n_values ? map[v] : (dg_value)v;
    dg_apply_map(f.g, whole);
    size_t kept = decided; /* decisions about values that still exist */
    for (size_t i = decided; i < m->decisions.n; i++) {
        dg_decision d = m->decisions.at[i];
        d.value = whole[d.value];
        if (d.node == DG_NONE) d.node = dg_value_of(f.g, d.value)->def;
        if (dg_node_of(f.g, d.node)->op) m->decisions.at[kept++] = d;
    }
    m->decisions.n = kept;
    dg_vec_free(&f.units);
    dg_arena_free(f.arena);
    dg_fuse_join(m);
    return true;
}

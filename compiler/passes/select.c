/* select.c: a kernel for every node, and packed copies for operands that a kernel cannot read as
 * they lie.
 *
 * In     a graph after fusion.
 * Out    node->kernel: the first of the op's kernels whose dtype, ISA and shapes fit; NULL: the
 *        op's ref, or no step at all (views, leaves, effects, loops). `copy` nodes. Elementwise
 *        nodes without a kernel that fusion left alone (--skip=fuse) become strips of one op.
 * Keeps  a view that can be expressed stays a view. One copy serves all readers of a value: it
 *        stands behind the value's node, outside of the loops that only read it. */
#include "compiler/passes/fuse.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/views.h"

typedef struct selection {
    dg_module *m;
    dg_graph *g;
    const dg_pass_options *o;
    const dg_op *copy;
    dg_arena *arena;         /* scratch */
    DG_VEC(dg_value) packed; /* by value: its packed copy, or DG_NONE */
} selection;

/* ---- kernels ---- */

/* Nodes for which no kernel runs: they name bytes, or the executor knows them. */
static bool runs_nothing(const dg_graph *g, dg_node n)
{
    return dg_node_of(g, n)->op->traits & (DG_LEAF | DG_EFFECT | DG_CONTROL) ||
           dg_node_is_view(g, n);
}

static const dg_kernel *first_fit(selection *s, dg_node n)
{
    const dg_node_info *node = dg_node_of(s->g, n);
    if (!node->op->kernels) return NULL;
    dg_value typed = node->n_in > 0 ? node->in[0] : node->out[0];
    dg_dtype dtype = dg_type_of(s->g, typed)->dtype;
    for (const dg_kernel *k = node->op->kernels; k->run; k++) {
        if (!k->any_dtype && k->dtype != dtype) continue;
        if (k->least_isa > s->o->isa) continue;
        if (k->fits) {
            dg_infer types = dg_types_of(s->g, n);
            if (!k->fits(&types)) continue;
        }
        return k;
    }
    return NULL;
}

/* Refs know floats as doubles only. */
static bool ref_can_run(const dg_graph *g, dg_node n)
{
    const dg_node_info *node = dg_node_of(g, n);
    for (int i = 0; i < node->n_in; i++)
        if (dg_type_of(g, node->in[i])->dtype == DG_F32) return false;
    for (int i = 0; i < node->n_out; i++)
        if (dg_type_of(g, node->out[i])->dtype == DG_F32) return false;
    return node->op->ref != NULL;
}

/* The operand that n's kernel cannot compute by itself is stored for it, just before. */
static void store_operand(selection *s, dg_node n)
{
    dg_node_info node = *dg_node_of(s->g, n);
    const dg_strip *strip = node.prologue->strip;
    int operand = node.prologue->operand, first = dg_prologue_inputs(node.n_own, node.strip);
    dg_value *loads = DG_NEW_ARRAY(s->arena, dg_value, strip->n_in);
    loads[0] = node.in[operand];
    for (int i = 1; i < strip->n_in; i++) loads[i] = node.in[first + i - 1];
    dg_type type = *dg_type_of(s->g, node.in[operand]);
    dg_node made = dg_graph_add(s->g, node.region, n, s->g->find("fused"), (dg_attrs){0, NULL},
                                loads, strip->n_in, &type, 1);
    dg_node_info *to = dg_node_of(s->g, made);
    to->strip = strip;
    to->scope = node.scope;
    to->origin = node.origin;
    to->phase = node.phase;
    to->remat = node.remat;
    to->kernel = first_fit(s, made);
    dg_value v = to->out[0];
    dg_value_of(s->g, v)->path =
        dg_path_behind(s->g, dg_value_of(s->g, node.out[0])->path, "operand");
    dg_node_info *from = dg_node_of(s->g, n);
    from->in[operand] = v;
    from->n_in = first;
    from->prologue = NULL;
    dg_vec_push(&s->m->decisions,
                (dg_decision){"select", made, v, "no", "fuse.no:kernel-reads-stored",
                              dg_type_bytes(&type)});
}

static bool choose(selection *s, dg_node n)
{
    dg_node_info *node = dg_node_of(s->g, n);
    if (s->o->reference && !node->strip) return true;
    node->kernel = first_fit(s, n);
    if (node->prologue &&
        !(node->kernel && node->kernel->prologue >> node->prologue->operand & 1)) {
        store_operand(s, n);
        node = dg_node_of(s->g, n);
    }
    if (node->kernel || ref_can_run(s->g, n)) return true;
    dg_span span = node->origin ? node->origin->span : DG_NOWHERE;
    const dg_type *type = dg_type_of(s->g, node->n_in > 0 ? node->in[0] : node->out[0]);
    if (span.file >= 0)
        dg_error(s->m->diag, "E901", span, "no kernel of %s takes %s", node->op->name,
                 dg_type_name(s->arena, type));
    else
        dg_error_at(s->m->diag, "E901", "select", "no kernel of %s takes %s", node->op->name,
                    dg_type_name(s->arena, type));
    return false;
}

/* ---- operands ---- */

static dg_value packed_copy(selection *s, dg_value v)
{
    while (s->packed.n < s->g->values.n) dg_vec_push(&s->packed, DG_NONE);
    if (s->packed.at[v] != DG_NONE) return s->packed.at[v];
    dg_value_info info = *dg_value_of(s->g, v);
    dg_node def = info.def; /* a view: arguments and results of kernels are packed */
    dg_node n = dg_graph_add(s->g, info.region, dg_node_of(s->g, def)->next, s->copy,
                             (dg_attrs){0, NULL}, &v, 1, info.type, 1);
    const dg_node_info *from = dg_node_of(s->g, def);
    dg_node_info *node = dg_node_of(s->g, n);
    node->scope = from->scope;
    node->origin = from->origin;
    node->phase = from->phase;
    node->remat = from->remat;
    node->kernel = first_fit(
        s, n); /* also under the reference: the ref of copy takes packed operands, like all */
    dg_value copy = node->out[0];
    dg_value_of(s->g, copy)->path = dg_path_behind(s->g, info.path, "packed");
    dg_vec_push(&s->m->decisions,
                (dg_decision){"select", n, copy, "yes", "select.copy:kernel-wants-packed",
                              dg_type_bytes(info.type)});
    s->packed.at[v] = copy;
    return copy;
}

/* Initial values are packed as they are stored in their carries. A copy made before is worth it
 * only where it dies there, and so lies in the carry's bytes: not of what comes from outside of a
 * body. */
static bool comes_from_outside(const dg_graph *g, const dg_node_info *node, dg_value v)
{
    return node->body != DG_NONE && dg_value_of(g, v)->region != node->region;
}

static void pack_operands(selection *s, dg_node n)
{
    const dg_node_info *node = dg_node_of(s->g, n);
    for (int i = 0; i < node->n_in; i++) {
        if (dg_takes_strides(node, i) || dg_value_packed(s->g, node->in[i]) ||
            comes_from_outside(s->g, node, node->in[i]))
            continue;
        dg_value copy = packed_copy(s, node->in[i]);
        node = dg_node_of(s->g, n);
        node->in[i] = copy;
    }
}

static bool select_node(selection *s, dg_node n)
{
    const dg_op *op = dg_node_of(s->g, n)->op;
    if (op->traits & DG_VIEW && op->view && !dg_node_is_view(s->g, n)) {
        /* as a view of a packed copy it costs the same, and others may share the copy */
        if (!dg_value_packed(s->g, dg_node_of(s->g, n)->in[0])) {
            dg_value copy = packed_copy(s, dg_node_of(s->g, n)->in[0]);
            dg_node_of(s->g, n)->in[0] = copy;
        }
    }
    if (dg_node_is_view(s->g, n)) return true;
    if (!runs_nothing(s->g, n) && !choose(s, n)) return false;
    if (!(op->traits & DG_LEAF)) pack_operands(s, n);
    return true;
}

/* ---- entry point ---- */

/* Elementwise nodes without a kernel of their own run as strips of one op. */
static void wrap_single(selection *s)
{
    dg_graph *g = s->g;
    size_t n_nodes = g->nodes.n, n_values = g->values.n;
    dg_value *map = DG_NEW_ARRAY(s->arena, dg_value, n_values + n_nodes);
    for (size_t v = 0; v < n_values + n_nodes; v++) map[v] = (dg_value)v;
    bool any = false;
    for (size_t n = 0; n < n_nodes; n++) {
        const dg_node_info *node = dg_node_of(g, (dg_node)n);
        if (!node->op || node->strip || !dg_node_has_lanes(g, (dg_node)n) ||
            first_fit(s, (dg_node)n))
            continue;
        dg_value old = node->out[0];
        if (dg_fuse_single(g, (dg_node)n, &map[old]) == DG_NONE) continue;
        dg_graph_unlink(g, (dg_node)n);
        any = true;
    }
    if (any) dg_apply_map(g, map);
}

bool dg_pass_select(dg_module *m, const dg_pass_options *o)
{
    selection s = {
        .m = m, .g = m->graph, .o = o, .copy = m->graph->find("copy"), .arena = dg_arena_new()};
    bool good = true;
    if (!o->reference) wrap_single(&s);
    for (size_t r = 0; good && r < s.g->regions.n; r++) {
        if (r > 0 && !dg_node_of(s.g, dg_region_of(s.g, (dg_region)r)->owner)->op) continue;
        DG_EACH_NODE(s.g, (dg_region)r, n) {
            if (good) good = select_node(&s, n);
        }
        dg_region_info *region = dg_region_of(s.g, (dg_region)r);
        for (size_t i = 0; good && i < region->results.n; i++)
            if (!dg_value_packed(s.g, region->results.at[i]))
                region->results.at[i] = packed_copy(&s, region->results.at[i]);
    }
    dg_vec_free(&s.packed);
    dg_arena_free(s.arena);
    return good;
}

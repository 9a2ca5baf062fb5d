/* parts.c: what kernels can read in parts, or smaller, is not put together.
 *
 * In     a graph with kernels and copies chosen.
 * Out    values that are only other values one behind the other, or repeated (dg_op.gathers:
 *        concat, upsample), are gone where all readers' kernels take them as a source (strip.h,
 *        dg_prologue): each reads the parts, which become inputs of its own.
 * Keeps  every bit: the same kernels on the same numbers.
 * Price  read in segments, nothing is moved, and at no step more bytes are taken than with a copy:
 *        parts that die at the copy live on in its stead, others are there anyway. So there is only
 *        the question who can; where one reader cannot, the whole is stored for all.
 * Cost   linear. */
#include "compiler/passes/passes.h"
#include "compiler/passes/views.h"

#include <string.h>

typedef struct gathering {
    dg_module *m;
    dg_graph *g;
    dg_uses uses; /* of the graph as it was */
} gathering;

/* The node's kernel can read this input from a source: as an operand of its own, or as a load of
 * the epilogue. */
static bool takes(const dg_node_info *n, int input, int grow)
{
    if (!n->kernel) return false;
    if (input >= n->n_own)
        return grow == 1 && n->op->epilogue && input < dg_prologue_inputs(n->n_own, n->strip);
    uint32_t bits = n->kernel->prologue | (grow > 1 ? 0 : n->kernel->parts);
    return input < 32 && bits >> input & 1;
}

/* Why the value that `use` reads has to be stored for it; NULL: it has not. */
static const char *refusal(const gathering *a, dg_use use, dg_value v, int grow)
{
    if (use.input < 0) return "result-of-loop";
    const dg_node_info *n = dg_node_of(a->g, use.node);
    if (n->region != dg_value_of(a->g, v)->region) return "consumer-in-loop";
    if (!takes(n, use.input, grow)) return "consumer-reads-whole";
    if (n->strip && (use.input >= n->n_own || !n->op->epilogue) &&
        !dg_shape_equal(&dg_type_of(a->g, v)->shape, &n->strip->space))
        return "consumer-reads-other-shape";
    if (n->prologue && (n->prologue->operand != use.input || dg_prologue_gathers(n->prologue)))
        return "consumer-gathers-another";
    for (int i = 0; i < n->n_in; i++)
        if (i != use.input && n->in[i] == v) return "consumer-reads-it-twice";
    return NULL;
}

/* Its bytes lie as a kernel wants them, and keeping them keeps no others. */
static const char *part_refusal(const gathering *a, dg_value part)
{
    dg_view view;
    dg_value base;
    int64_t shift;
    dg_value_strides(a->g, part, &base, &shift, &view);
    if (!dg_view_contiguous(&view)) return "part-is-strided";
    return dg_type_bytes(dg_type_of(a->g, base)) > dg_type_bytes(dg_type_of(a->g, part))
               ? "part-of-larger"
               : NULL;
}

/* The same for all readers of node n's result, and its parts. */
static const char *stored(const gathering *a, dg_node n, int grow)
{
    const dg_node_info *node = dg_node_of(a->g, n);
    dg_value v = node->out[0];
    if (dg_type_of(a->g, v)->dtype != DG_F32) return "not-f32";
    if (node->n_in > DG_MOST_PARTS) return "many-parts";
    for (int i = 0; i < node->n_in; i++) {
        const char *why = part_refusal(a, node->in[i]);
        if (why) return why;
    }
    for (int32_t u = a->uses.first[v]; u < a->uses.first[v + 1]; u++) {
        const char *why = refusal(a, a->uses.at[u], v, grow);
        if (why) return why;
    }
    return NULL;
}

/* Input `operand` of node n becomes the parts. */
static void give_parts(dg_graph *g, dg_node n, int operand, const dg_node_info *from, int grow)
{
    dg_node_info *node = dg_node_of(g, n);
    dg_prologue p = {.operand = operand};
    if (node->prologue) p = *node->prologue;
    p.shape = dg_type_of(g, from->out[0])->shape;
    p.parts = from->n_in;
    p.grow = grow;
    dg_value *in = DG_NEW_ARRAY(g->arena, dg_value, node->n_in + p.parts - 1);
    memcpy(in, node->in, sizeof *in * (size_t)node->n_in);
    memcpy(in + node->n_in, from->in + 1, sizeof *in * (size_t)(p.parts - 1));
    in[operand] = from->in[0];
    node->in = in;
    node->n_in += p.parts - 1;
    node->prologue = dg_arena_copy(g->arena, &p, sizeof p);
}

static void gather(gathering *a, dg_node n)
{
    const dg_node_info *node = dg_node_of(a->g, n);
    int grow = 1;
    if (!node->op->gathers) return;
    dg_value v = node->out[0];
    const dg_type *type = dg_type_of(a->g, v);
    const char *name = node->op->name, *why = node->op->gathers(&node->attrs, type, &grow)
                                                  ? stored(a, n, grow)
                                                  : "along-another-axis";
    dg_decision d = {name, n, v, why ? "copy" : "segments", NULL, dg_type_bytes(type)};
    if (why) {
        d.reason = dg_arena_printf(a->m->arena, "%s.copy:%s", name, why);
        dg_vec_push(&a->m->decisions, d);
        return;
    }
    d.reason = dg_arena_printf(a->m->arena, "%s.segments", name);
    for (int32_t u = a->uses.first[v]; u < a->uses.first[v + 1]; u++) {
        dg_use use = a->uses.at[u];
        give_parts(a->g, use.node, use.input, node, grow);
        d.node = use.node;
        d.value = node->in[0];
        if (u == a->uses.first[v]) dg_vec_push(&a->m->decisions, d);
    }
}

bool dg_pass_parts(dg_module *m, const dg_pass_options *o)
{
    (void)o;
    dg_arena *scratch = dg_arena_new();
    gathering a = {.m = m, .g = m->graph, .uses = dg_uses_of(m->graph, scratch)};
    for (size_t r = 0; r < a.g->regions.n; r++) {
        if (r > 0 && !dg_node_of(a.g, dg_region_of(a.g, (dg_region)r)->owner)->op) continue;
        DG_EACH_NODE(a.g, (dg_region)r, n) {
            gather(&a, n);
        }
    }
    dg_drop_dead(a.g, scratch);
    dg_arena_free(scratch);
    return true;
}

/* memplan_bytes.c: whose bytes a value has, and who may write over them.
 *
 * In     a graph with kernels and copies chosen.
 * Out    base, shift and strides of every value; answers about single nodes. The graph is
 *        untouched. */
#include "compiler/passes/memplan.h"

#include <string.h>

dg_effects dg_effects_of(const dg_graph *g)
{
    return (dg_effects){g->find("input"), g->find("place"),  g->find("constant"),
                        g->find("write"), g->find("output"), g->find("check")};
}

/* ---- results that are stored by the steps of their parts ---- */

dg_view dg_slot_of(const dg_graph *g, const dg_node_info *n, int i, const dg_view *whole)
{
    dg_view slot = *whole;
    int64_t before = 0;
    slot.shape = dg_type_of(g, n->in[i])->shape;
    for (int a = 0; a < slot.shape.rank; a++) {
        if (slot.shape.dim[a] == whole->shape.dim[a]) continue;
        for (int k = 0; k < i; k++) before += dg_type_of(g, n->in[k])->shape.dim[a];
        slot.data =
            (char *)slot.data + before * whole->stride[a] * (int64_t)dg_dtype_size(whole->dtype);
        break;
    }
    return slot;
}

static const dg_node_info *turned_round(const dg_graph *g, dg_value v)
{
    dg_node def = dg_value_of(g, v)->def;
    const dg_node_info *n = def == DG_NONE ? NULL : dg_node_of(g, def);
    return n && n->op && n->op->unview ? n : NULL;
}

dg_value dg_laid_value(const dg_graph *g, dg_value v)
{
    for (const dg_node_info *n; (n = turned_round(g, v)) != NULL;) v = n->in[0];
    return v;
}

bool dg_laid_strides(const dg_graph *g, dg_value v, const dg_view *as, dg_view *out)
{
    *out = *as;
    for (const dg_node_info *n; (n = turned_round(g, v)) != NULL; v = n->in[0]) {
        dg_view in = {.dtype = as->dtype, .shape = dg_type_of(g, n->in[0])->shape};
        if (!n->op->unview(&n->attrs, out, &in)) return false;
        *out = in;
    }
    return true;
}

/* ---- all values ---- */

typedef struct finder {
    const dg_graph *g;
    dg_arena *a;
    dg_bytes *all;
    bool *known;
    dg_use *into; /* by value: the operand that it is the end of, node DG_NONE; NULL: there are
                     none */
} finder;

static void find(finder *f, dg_value v);

static dg_view view_of(const finder *f, dg_value v)
{
    dg_view view = {.data = (void *)(intptr_t)f->all[v].shift,
                    .dtype = dg_type_of(f->g, v)->dtype,
                    .shape = dg_type_of(f->g, v)->shape};
    if (f->all[v].stride)
        memcpy(view.stride, f->all[v].stride, sizeof view.stride);
    else
        dg_view_pack(&view);
    return view;
}

static bool find_view(finder *f, const dg_value_info *info, dg_bytes *b, dg_view *out)
{
    const dg_node_info *n = info->def == DG_NONE ? NULL : dg_node_of(f->g, info->def);
    if (!n || !n->op || !(n->op->traits & DG_VIEW) || !n->op->view || info->index != 0)
        return false;
    find(f, n->in[0]);
    dg_view in = view_of(f, n->in[0]);
    *out = (dg_view){.dtype = info->type->dtype, .shape = info->type->shape};
    if (!n->op->view(&n->attrs, &in, out)) return false;
    b->base = f->all[n->in[0]].base;
    b->shown = f->all[n->in[0]].shown;
    return true;
}

static bool find_part(finder *f, dg_value v, dg_bytes *b, dg_view *out)
{
    if (!f->into || f->into[v].node == DG_NONE) return false;
    dg_use into = f->into[v];
    const dg_node_info *n = dg_node_of(f->g, into.node);
    find(f, n->out[0]);
    dg_view whole = view_of(f, n->out[0]), slot = dg_slot_of(f->g, n, into.input, &whole);
    b->base = f->all[n->out[0]].base;
    return dg_laid_strides(f->g, n->in[into.input], &slot, out);
}

static void find(finder *f, dg_value v)
{
    if (f->known[v]) return;
    f->known[v] = true;
    const dg_value_info *info = dg_value_of(f->g, v);
    dg_bytes *b = &f->all[v];
    dg_view view;
    b->base = b->shown = v;
    b->view = find_view(f, info, b, &view);
    b->part = !b->view && find_part(f, v, b, &view);
    if (!b->view && !b->part) {
        b->whole = true;
        return;
    }
    b->shift = (int64_t)(intptr_t)view.data;
    b->stride = dg_arena_copy(f->a, view.stride, sizeof view.stride);
    b->whole = b->view && b->shift == 0 && dg_view_contiguous(&view) &&
               dg_type_bytes(info->type) == dg_type_bytes(dg_type_of(f->g, b->base));
}

dg_bytes *dg_bytes_of(const dg_graph *g, dg_arena *a)
{
    finder f = {.g = g,
                .a = a,
                .all = DG_NEW_ARRAY(a, dg_bytes, g->values.n),
                .known = DG_NEW_ARRAY(a, bool, g->values.n)};
    for (dg_node n = 0; (size_t)n < g->nodes.n; n++) {
        const dg_node_info *info = dg_node_of(g, n);
        if (!info->op || !info->kernel || !info->kernel->into) continue;
        if (!f.into) {
            f.into = DG_NEW_ARRAY(a, dg_use, g->values.n);
            for (size_t v = 0; v < g->values.n; v++) f.into[v].node = DG_NONE;
        }
        for (int i = 0; i < info->n_in; i++) f.into[dg_laid_value(g, info->in[i])] = (dg_use){n, i};
    }
    for (dg_value v = 0; (size_t)v < g->values.n; v++) find(&f, v);
    return f.all;
}

/* ---- who may write over what ---- */

/* A strip loads and stores an element of its space at the same instant, so any result may lie over
 * any operand that has the whole space; in an epilogue the op's own result is written before the
 * strip's operands are read, so none of those may be lost. */
static bool strip_permits(const dg_node_info *n, int out, int in, const dg_type *type)
{
    if (!n->strip || n->op->epilogue) return false;
    return dg_strip_stores(&n->strip->out[out]) && in < n->strip->n_in &&
           dg_shape_equal(&type->shape, &n->strip->space);
}

/* The kernel reads all of its source at a place before it stores anything there. */
static bool source_permits(const dg_graph *g, dg_node node, int out, int in)
{
    const dg_node_info *n = dg_node_of(g, node);
    if (out != 0 || !n->kernel || !n->kernel->over) return false;
    int operand = dg_prologue_source(n->prologue, n->n_own, n->n_in, in);
    if (operand < 0 || operand >= 32 || !(n->kernel->parts >> operand & 1)) return false;
    dg_infer types = dg_types_of(g, node);
    return n->kernel->over(&types);
}

bool dg_may_overwrite(const dg_graph *g, const dg_bytes *bytes, dg_node node, int out,
                      dg_value base)
{
    const dg_node_info *n = dg_node_of(g, node);
    const dg_type *result = dg_type_of(g, n->out[out]); /* equal types are one */
    bool reads = false;
    if (n->body != DG_NONE) return false;
    for (int i = 0; i < n->n_in; i++) {
        if (bytes[n->in[i]].base != base) continue;
        const dg_type *type = dg_type_of(g, n->in[i]);
        bool named = out == 0 && i < n->n_own && i < 32 && (n->op->in_place >> i & 1);
        if (!bytes[n->in[i]].whole || type != result) return false;
        if (!named && !strip_permits(n, out, i, type) && !source_permits(g, node, out, i))
            return false;
        reads = true;
    }
    return reads;
}

dg_node dg_lift(const dg_graph *g, dg_node n, dg_region r)
{
    while (n != DG_NONE && dg_node_of(g, n)->region != r)
        n = dg_region_of(g, dg_node_of(g, n)->region)->owner;
    return n;
}

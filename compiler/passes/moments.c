/* moments.c: statistics of a norm come from whoever makes the map, while it is in the caches.
 *
 * In     a graph after fusion, before kernels are chosen.
 * Out    a convolution whose result a norm reads writes its moments besides (strip.h), and the
 *        statistics of the norm are made of these (dg_op.from_moments). A map put together of parts
 *        has the moments of its parts. Each is written once, for all norms that read the map.
 * Keeps  the statistics, but for rounding: sums run over other pieces, which shapes alone fix.
 * Price  the bytes of the map that are not read again, less those of the moments, written and read.
 *        The sums cost the same in either place. A map that the second caches of two cores keep
 *        stays as it is: its norm reads it there, and so brings it near to who reads it next.
 * Cost   linear. */
#include "compiler/passes/passes.h"

enum { LEAST = 3 << 20 }; /* bytes that pay */

typedef struct writer {
    dg_module *m;
    dg_graph *g;
    dg_arena *scratch;
} writer;

/* Where a producer hands over `*span` elements of a channel at a time; else why it does not. */
static const char *refusal(const writer *w, dg_value v, int64_t *span)
{
    dg_node def = dg_value_of(w->g, v)->def;
    if (def == DG_NONE) return "argument";
    const dg_node_info *n = dg_node_of(w->g, def);
    bool two = n->strip && n->strip->n_out > 1 && n->strip->out[1].span == 0;
    if (!n->op->span || !n->op->epilogue || two) return "producer";
    dg_infer types = dg_types_of(w->g, def);
    *span = n->op->span(&types);
    return NULL;
}

/* The moments of v as its producer writes them, by now at the latest. */
static dg_value moments_of(const writer *w, dg_value v, int64_t span)
{
    dg_graph *g = w->g;
    const dg_type *type = dg_type_of(g, v);
    dg_node n = dg_value_of(g, v)->def;
    dg_node_info *node = dg_node_of(g, n);
    if (node->strip && node->strip->n_out > 1) return node->out[1];
    static const dg_dtype f32 = DG_F32;
    dg_strip s = {.space = type->shape, .n_in = 1, .in_dtype = &f32};
    if (node->strip) s = *node->strip;
    dg_strip_out out[2] = {{0, 0, 0}};
    if (node->strip) out[0] = s.out[0];
    out[1] = (dg_strip_out){out[0].reg, 0, span};
    s.in_dtype = dg_arena_copy(g->arena, s.in_dtype, sizeof *s.in_dtype * (size_t)s.n_in);
    s.out = dg_arena_copy(g->arena, out, sizeof out);
    s.n_out = 2;
    node->strip = dg_arena_copy(g->arena, &s, sizeof s);
    const char *path = dg_path_text(g, dg_path_behind(g, dg_value_of(g, v)->path, "moments"));
    dg_shape shape = dg_moments_shape(&type->shape, span);
    return dg_graph_add_result(g, n, (dg_type){DG_F32, shape}, path);
}

typedef struct parts {
    const dg_value *at;
    int n;
} parts;

static parts parts_of(const writer *w, const dg_value *v)
{
    dg_node def = dg_value_of(w->g, *v)->def;
    int grow = 1;
    if (def == DG_NONE) return (parts){v, 1};
    const dg_node_info *n = dg_node_of(w->g, def);
    if (!n->op->gathers || !n->op->gathers(&n->attrs, dg_type_of(w->g, *v), &grow) || grow > 1)
        return (parts){v, 1};
    return (parts){n->in, n->n_in};
}

/* NULL: the norm can have the moments of these parts, and `*saved` bytes are not read again. */
static const char *why_not(const writer *w, const dg_node_info *norm, parts from, int64_t *spans,
                           int64_t *saved)
{
    const dg_type *type = dg_type_of(w->g, norm->in[0]);
    *saved = dg_type_bytes(type);
    if (type->dtype != DG_F32 ||
        !norm->op->from_moments(NULL, &norm->attrs, &type->shape, NULL, NULL, 0, NULL))
        return "norm";
    for (int i = 0; i < from.n; i++) {
        const char *why = refusal(w, from.at[i], &spans[i]);
        if (why) return why;
        dg_type part = *dg_type_of(w->g, from.at[i]);
        part.shape = dg_moments_shape(&part.shape, spans[i]);
        *saved -= 2 * dg_type_bytes(&part);
    }
    return *saved < LEAST ? "small" : NULL;
}

static bool takes_moments(const dg_op *op)
{
    return op->from_moments != NULL;
}

static bool remake(void *ctx, dg_build *b, const dg_node_info *n, dg_value *out)
{
    writer *w = ctx;
    dg_value v = n->in[0];
    parts from = parts_of(w, &v);
    int64_t saved, *spans = DG_NEW_ARRAY(w->scratch, int64_t, from.n);
    const char *why = why_not(w, n, from, spans, &saved);
    dg_decision d = {"moments", b->before, n->out[0], "no", NULL, saved};
    if (why) {
        d.reason = dg_arena_printf(w->m->arena, "moments.no:%s", why);
        dg_vec_push(&w->m->decisions, d);
        return false;
    }
    dg_value *moments = DG_NEW_ARRAY(w->scratch, dg_value, from.n);
    for (int i = 0; i < from.n; i++) moments[i] = moments_of(w, from.at[i], spans[i]);
    dg_shape shape = dg_type_of(w->g, v)->shape;
    if (!n->op->from_moments(b, &n->attrs, &shape, moments, spans, from.n, out)) return false;
    d.node = dg_value_of(w->g, out[0])->def;
    d.value = out[0];
    d.outcome = "yes";
    d.reason = "moments.yes:producer";
    dg_vec_push(&w->m->decisions, d);
    return true;
}

bool dg_pass_moments(dg_module *m, const dg_pass_options *o)
{
    (void)o;
    writer w = {m, m->graph, dg_arena_new()};
    bool good = dg_remake_nodes(m, "statistics of moments", takes_moments, remake, &w);
    if (good) dg_drop_dead(m->graph, w.scratch);
    dg_arena_free(w.scratch);
    return good;
}

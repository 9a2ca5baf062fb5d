/* fuse_split.c: what is only cut into parts is computed in parts.
 *
 * In     a graph before fusion: an elementwise value whose readers are all slices of it, which do
 *        not overlap: the gradient of a concat, of which each part goes its own way.
 * Out    for each slice the same operations on slices of the operands, as far back as elementwise
 *        values of this shape go. The whole value is gone, no part is a strided view that a kernel
 *        wants packed, and each part's bytes are free when its own readers are done.
 * Keeps  every element: a slice of a result is the result of slices.
 * Cost   linear: each slice computes at most CODES operations anew. */
#include "compiler/passes/fuse.h"

#include <string.h>

enum {
    LARGE = 64 * 1024, /* bytes of the whole; below, a copy costs nothing */
    CODES = 40,        /* operations computed anew for a slice: room is left in a strip */
    PARTS = 8
};

typedef struct splitter {
    dg_module *m;
    dg_graph *g;
    const dg_op *slice;
    dg_arena *arena;
    dg_uses uses;
    dg_value *map; /* by value of the beginning: what replaces it */
    int n_values;  /* then */
    int32_t *mark; /* by value: == epoch when `part` is the part at hand of it */
    dg_value *part;
    int32_t epoch;
    int codes;
} splitter;

static int readers(const splitter *s, dg_value v)
{
    return s->uses.first[v + 1] - s->uses.first[v];
}

/* Made by lanes, of this shape, and not what an epilogue will make: the kernel that makes its
 * operand stores it whole. */
static bool computed(const splitter *s, dg_value v, const dg_shape *shape)
{
    const dg_value_info *info = dg_value_of(s->g, v);
    if (info->def == DG_NONE || !dg_node_has_lanes(s->g, info->def) ||
        !dg_shape_equal(&info->type->shape, shape))
        return false;
    const dg_node_info *n = dg_node_of(s->g, info->def);
    for (int i = 0; i < n->n_in; i++) {
        dg_node def = dg_value_of(s->g, n->in[i])->def;
        if (def != DG_NONE && dg_node_of(s->g, def)->op->epilogue && readers(s, n->in[i]) == 1)
            return false;
    }
    return true;
}

/* How many operations a slice of v takes; `first` ones are counted whatever makes their operands.
 */
static void count(splitter *s, dg_value v, const dg_shape *shape, dg_region r, bool first)
{
    if (s->mark[v] == s->epoch || s->codes > CODES) return;
    s->mark[v] = s->epoch;
    if (dg_value_of(s->g, v)->region != r || !(first || computed(s, v, shape))) return;
    s->codes++;
    const dg_node_info *n = dg_node_of(s->g, dg_value_of(s->g, v)->def);
    for (int i = 0; i < n->n_in; i++) count(s, n->in[i], shape, r, false);
}

typedef struct cut {
    dg_build b;
    dg_shape shape; /* of the whole */
    dg_region region;
    const int64_t *start, *stop, *step;
} cut;

/* Axes of size 1 are repeated along the whole, so also along the part. */
static dg_value slice_of(cut *c, dg_value v)
{
    dg_shape s = dg_shape_of(&c->b, v);
    int64_t start[DG_MAX_RANK], stop[DG_MAX_RANK], step[DG_MAX_RANK];
    bool whole = true;
    for (int a = 0; a < s.rank; a++) {
        bool repeated = s.dim[a] == 1;
        start[a] = repeated ? 0 : c->start[a];
        stop[a] = repeated ? 1 : c->stop[a];
        step[a] = repeated ? 1 : c->step[a];
        whole = whole && stop[a] - start[a] == s.dim[a];
    }
    if (whole) return v;
    dg_value made = dg_slice(&c->b, v, start, stop, step);
    const dg_node_info *n = dg_node_of(c->b.graph, dg_value_of(c->b.graph, made)->def);
    if (!n->op->simplify) return made;
    dg_type type = *dg_type_of(c->b.graph, made);
    dg_attrs attrs = n->attrs; /* of a concat: the part */
    dg_value simple = n->op->simplify(&c->b, &attrs, &v, 1, &type);
    return simple == DG_NONE ? made : simple;
}

static dg_value part_of(splitter *s, cut *c, dg_value v, bool first)
{
    if (s->mark[v] == s->epoch) return s->part[v];
    dg_value made;
    dg_value_info info = *dg_value_of(s->g, v);
    if (info.region != c->region || !(first || computed(s, v, &c->shape))) {
        made = slice_of(c, v);
    } else {
        dg_node_info n = *dg_node_of(s->g, info.def);
        dg_value in[3];
        for (int i = 0; i < n.n_in; i++) in[i] = part_of(s, c, n.in[i], false);
        made = dg_emit(&c->b, n.op->name, n.attrs.at, n.attrs.n, in, n.n_in);
        dg_value_of(s->g, made)->path = info.path;
    }
    s->mark[v] = s->epoch;
    s->part[v] = made;
    return made;
}

/* All readers of v are slices in its region, and no two have an element in common. */
static bool only_cut(const splitter *s, dg_value v)
{
    int n = readers(s, v);
    if (n < 2 || n > PARTS) return false;
    const dg_use *use = s->uses.at + s->uses.first[v];
    int rank = dg_type_of(s->g, v)->shape.rank;
    const int64_t *start[PARTS], *stop[PARTS];
    for (int i = 0; i < n; i++) {
        if (use[i].input < 0) return false;
        const dg_node_info *node = dg_node_of(s->g, use[i].node);
        if (node->op != s->slice || node->region != dg_value_of(s->g, v)->region) return false;
        start[i] = dg_attr_ints(&node->attrs, "start", NULL);
        stop[i] = dg_attr_ints(&node->attrs, "stop", NULL);
        const int64_t *step = dg_attr_ints(&node->attrs, "step", NULL);
        for (int a = 0; a < rank; a++)
            if (step[a] != 1) return false;
        for (int k = 0; k < i; k++) {
            bool apart = false;
            for (int a = 0; a < rank; a++)
                apart |= stop[k][a] <= start[i][a] || stop[i][a] <= start[k][a];
            if (!apart) return false;
        }
    }
    return true;
}

static void split(splitter *s, dg_value v)
{
    dg_shape shape = dg_type_of(s->g, v)->shape;
    dg_region r = dg_value_of(s->g, v)->region;
    s->epoch++;
    s->codes = 0;
    count(s, v, &shape, r, true);
    if (s->codes > CODES) {
        dg_vec_push(&s->m->decisions,
                    (dg_decision){"split", dg_value_of(s->g, v)->def, v, "whole",
                                  "split.no:too-long", dg_type_bytes(dg_type_of(s->g, v))});
        return;
    }
    for (int32_t u = s->uses.first[v]; u < s->uses.first[v + 1]; u++) {
        dg_node n = s->uses.at[u].node;
        const dg_node_info *node = dg_node_of(s->g, n);
        dg_value old = node->out[0];
        cut c = {.b = dg_build_before(s->g, n),
                 .shape = shape,
                 .region = r,
                 .start = dg_attr_ints(&node->attrs, "start", NULL),
                 .stop = dg_attr_ints(&node->attrs, "stop", NULL),
                 .step = dg_attr_ints(&node->attrs, "step", NULL)};
        c.b.name = "";
        s->epoch++;
        dg_value made = part_of(s, &c, v, true);
        dg_value_of(s->g, made)->path = dg_value_of(s->g, old)->path;
        s->map[old] = made;
        dg_vec_push(&s->m->decisions, (dg_decision){"split", dg_value_of(s->g, made)->def, made,
                                                    "parts", "split.yes:computed-in-parts",
                                                    dg_type_bytes(dg_type_of(s->g, made))});
    }
}

/* Readers of the slices read the parts; the wholes are gone. */
static void replace_split(splitter *s)
{
    dg_graph *g = s->g;
    dg_value *whole = DG_NEW_ARRAY(s->arena, dg_value, g->values.n);
    for (size_t v = 0; v < g->values.n; v++)
        whole[v] = v < (size_t)s->n_values ? s->map[v] : (dg_value)v;
    dg_apply_map(g, whole);
    dg_drop_dead(g, s->arena);
}

void dg_fuse_split(dg_module *m)
{
    dg_graph *g = m->graph;
    const dg_op *slice = g->find("slice");
    if (!slice) return;
    splitter s = {.m = m, .g = g, .slice = slice, .arena = dg_arena_new()};
    s.uses = dg_uses_of(g, s.arena);
    s.n_values = (int)g->values.n;
    s.map = DG_NEW_ARRAY(s.arena, dg_value, s.n_values);
    s.mark = DG_NEW_ARRAY(s.arena, int32_t, s.n_values);
    s.part = DG_NEW_ARRAY(s.arena, dg_value, s.n_values);
    for (int v = 0; v < s.n_values; v++) s.map[v] = v;
    bool any = false;
    for (dg_value v = 0; v < s.n_values; v++) {
        if (!only_cut(&s, v)) continue;
        const dg_value_info *info = dg_value_of(g, v);
        if (info->def == DG_NONE || dg_type_bytes(info->type) < LARGE ||
            !dg_node_has_lanes(g, info->def))
            continue;
        split(&s, v);
        any = true;
    }
    if (any) replace_split(&s);
    dg_arena_free(s.arena);
}

/* explain_dot.c: the plan as a picture: boxes are steps inside the clusters of their scopes, edges
 * are values with their bytes.
 *
 * In     a plan; how many levels of scopes to show: what lies deeper is one box per scope. 0 shows
 *        every step.
 * Out    DOT text. Edges to a result computed in the operand's bytes are bold. */
#include "compiler/plan/explain.h"

#include <stdlib.h>
#include <string.h>

typedef struct box {
    const char *scope; /* of the first step, `length` characters of it */
    int length, steps;
    int32_t first; /* step */
} box;

typedef struct picture {
    const dg_plan *p;
    box *boxes;
    int n_boxes;
    int32_t *box_of; /* by step */
} picture;

/* Characters of the first `depth` names of a scope; *deeper: it has more. */
static int cut(const char *scope, int depth, bool *deeper)
{
    int n = 0;
    *deeper = false;
    for (; scope[n]; n++) {
        if (scope[n] == '.' && --depth == 0) {
            *deeper = true;
            break;
        }
    }
    return n;
}

static void make_boxes(picture *d, int depth, dg_arena *a)
{
    const dg_plan *p = d->p;
    dg_map *known = dg_map_new(a);
    dg_strings *names = dg_strings_new(a);
    d->boxes = DG_NEW_ARRAY(a, box, p->n_steps);
    d->box_of = DG_NEW_ARRAY(a, int32_t, p->n_steps);
    for (int32_t s = 0; s < p->n_steps; s++) {
        const char *scope = p->steps[s].scope ? p->steps[s].scope : "";
        bool deeper = false;
        int length = depth > 0 ? cut(scope, depth, &deeper) : (int)strlen(scope);
        if (deeper) { /* one box for all steps of a scope in one phase of one loop */
            dg_str key = dg_intern_printf(names, "%.*s %d %d", length, scope,
                                          (int)p->steps[s].phase, p->steps[s].loop);
            box *b = dg_map_get(known, key);
            if (!b) {
                b = &d->boxes[d->n_boxes++];
                *b = (box){scope, length, 0, s};
                dg_map_set(known, key, b);
            }
            b->steps++;
            d->box_of[s] = (int32_t)(b - d->boxes);
            continue;
        }
        d->boxes[d->n_boxes] = (box){scope, length, 1, s};
        d->box_of[s] = d->n_boxes++;
    }
}

static void quoted(dg_text *t, const char *s, int n)
{
    for (int i = 0; i < n && s[i]; i++) {
        if (s[i] == '"' || s[i] == '\\') dg_text_addn(t, "\\", 1);
        dg_text_addn(t, s + i, 1);
    }
}

static void draw_box(const picture *d, int32_t id, dg_text *t)
{
    const box *b = &d->boxes[id];
    const dg_plan_step *s = &d->p->steps[b->first];
    dg_text_add(t, "s%d [label=\"", b->first);
    if (b->steps > 1) {
        quoted(t, b->scope, b->length);
        dg_text_add(t, "\\n%d steps\"];\n", b->steps);
        return;
    }
    dg_text_add(t, "%d ", b->first);
    quoted(t, s->label, (int)strlen(s->label));
    dg_text_add(t, "\\n");
    if (s->n_out > 0) quoted(t, d->p->values[s->out[0]].path, 1 << 20);
    dg_text_add(t, "\"];\n");
}

typedef struct key {
    const char *scope;
    int length;
    int32_t id; /* box */
} key;

static int by_scope(const void *pa, const void *pb)
{
    const key *a = pa, *b = pb;
    int c = strncmp(a->scope, b->scope, (size_t)(a->length < b->length ? a->length : b->length));
    if (c != 0) return c;
    if (a->length != b->length) return a->length < b->length ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

/* Boxes in order of scopes, so that each cluster opens once. */
static void draw_clusters(const picture *d, dg_arena *a, dg_text *t)
{
    key *keys = DG_NEW_ARRAY(a, key, d->n_boxes);
    for (int32_t i = 0; i < d->n_boxes; i++)
        keys[i] = (key){d->boxes[i].scope, d->boxes[i].length, i};
    qsort(keys, (size_t)d->n_boxes, sizeof *keys, by_scope);
    const char *open = ""; /* the scope whose clusters are open */
    int length = 0, clusters = 0;
    for (int i = 0; i <= d->n_boxes; i++) {
        const key *k = &keys[i];
        int n = i < d->n_boxes ? k->length : 0, same = 0;
        for (int c = 0; c <= length && c <= n; c++) { /* whole names that both begin with */
            bool ends = (c == length || open[c] == '.') && (c == n || k->scope[c] == '.');
            if (ends) same = c;
            if (c == length || c == n || open[c] != k->scope[c]) break;
        }
        for (int c = length; c > same; c--) {
            if (c == length || open[c] == '.') dg_text_add(t, "}\n");
        }
        if (i == d->n_boxes) break;
        for (int begin = same == 0 ? 0 : same + 1; begin < n;) {
            int end = begin;
            while (end < n && k->scope[end] != '.') end++;
            dg_text_add(t, "subgraph cluster_%d { label=\"", clusters++);
            quoted(t, k->scope + begin, end - begin);
            dg_text_add(t, "\";\n");
            begin = end + 1;
        }
        open = k->scope;
        length = n;
        draw_box(d, k->id, t);
    }
}

static void draw_edges(const picture *d, dg_arena *a, dg_text *t)
{
    const dg_plan *p = d->p;
    dg_map64 *drawn = dg_map64_new(a);
    char bytes[32];
    for (int32_t s = 0; s < p->n_steps; s++) {
        const dg_plan_step *step = &p->steps[s];
        for (int i = 0; i < step->n_in; i++) {
            const dg_plan_value *v = &p->values[step->in[i]];
            if (v->producer < 0) continue;
            int32_t from = d->box_of[v->producer], to = d->box_of[s];
            uint64_t once;
            uint64_t name = (uint64_t)v->of << 32 | (uint64_t)(uint32_t)to;
            if (from == to || dg_map64_get(drawn, name, &once)) continue;
            dg_map64_set(drawn, name, 1);
            bool over = false;
            for (int k = 0; k < step->n_out; k++) over |= p->values[step->out[k]].base == v->base;
            dg_text_add(t, "s%d -> s%d [label=\"%s\"%s];\n", d->boxes[from].first,
                        d->boxes[to].first, dg_bytes_text((uint64_t)p->values[v->of].bytes, bytes),
                        over ? " style=bold" : "");
        }
    }
    for (int l = 0; l < p->n_loops; l++)
        dg_text_add(t, "s%d -> s%d [style=dotted label=\"x%lld\" constraint=false];\n",
                    d->boxes[d->box_of[p->loops[l].end]].first,
                    d->boxes[d->box_of[p->loops[l].begin]].first, (long long)p->loops[l].trips);
}

void dg_explain_dot(const dg_plan *p, const dg_explain_options *o, dg_text *out)
{
    dg_arena *a = dg_arena_new();
    picture d = {.p = p};
    make_boxes(&d, o->depth, a);
    dg_text_add(out, "digraph \"");
    quoted(out, p->entry, (int)strlen(p->entry));
    dg_text_add(out, "\" {\nnode [shape=box fontname=monospace fontsize=10]; edge "
                     "[fontname=monospace fontsize=8];\n");
    draw_clusters(&d, a, out);
    draw_edges(&d, a, out);
    dg_text_add(out, "}\n");
    dg_arena_free(a);
}

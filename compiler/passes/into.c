/* into.c: what is only put together from results is stored by the steps that make them.
 *
 * In     a graph in its final order: concats that are stored, copies that pack a view.
 * Out    such a node has the kernel `into`, which does nothing: its operands are views of results
 *        that their own steps store at their place in the whole (dg_bytes, `part`). The whole's
 *        bytes are taken from the first part on.
 * Keeps  every bit: the same kernels on the same numbers, stored elsewhere.
 * Price  nothing is moved, and the step that copied, where parts and whole were taken at once, is
 *        gone; but where parts are made far apart, the whole is taken early. So it is done where no
 *        step takes more bytes than the plan's peak, judged by the lives before. What can be read
 *        in segments (pass `parts`) is not stored at all by now.
 * Cost   linear in the readers of the parts. */
#include "compiler/passes/memplan.h"
#include "compiler/passes/views.h"

#include <string.h>

enum { NOTHING = 2000 }; /* that part of the peak: no more than a placement may lose */

typedef struct laying {
    dg_module *m;
    dg_graph *g;
    dg_arena *a;
    dg_uses uses;
    dg_node *laid;  /* by value: the node in whose result it is stored, or DG_NONE */
    dg_lives lives; /* before the first; `live` is kept up to date */
    int64_t peak;
    DG_VEC(dg_node) asked, done; /* whose operands might be stored in their results, and are */
    int32_t *said;               /* by node asked: the decision about it, or -1 */
} laying;

/* What the node's kernel becomes if its operands can be stored in its result; NULL: none. */
static const dg_kernel *kernel_into(const dg_node_info *n)
{
    if (!n->op || !n->kernel || n->kernel->into) return NULL;
    for (const dg_kernel *k = n->op->kernels; k && k->run; k++)
        if (k->into) return k;
    return NULL;
}

/* ---- readers ---- */

/* A source in parts, or enlarged, is read where it lies, without gaps. */
static bool gathers(const dg_node_info *n, int input)
{
    return n->prologue && dg_prologue_gathers(n->prologue) &&
           (input == n->prologue->operand || input > n->n_in - n->prologue->parts);
}

/* Why v, under these strides, cannot be read by all its readers but `whole`; NULL: it can. */
static const char *reader_refusal(const laying *l, dg_value v, const dg_view *as, dg_node whole)
{
    for (int32_t u = l->uses.first[v]; u < l->uses.first[v + 1]; u++) {
        dg_use use = l->uses.at[u];
        if (use.input < 0) return "part-is-carried";
        if (use.node == whole) continue;
        const dg_node_info *n = dg_node_of(l->g, use.node);
        if (n->op->traits & DG_VIEW && n->op->view) {
            dg_view shown = {.dtype = as->dtype, .shape = dg_type_of(l->g, n->out[0])->shape};
            if (!n->op->view(&n->attrs, as, &shown)) return "part-is-reshaped";
            const char *why = reader_refusal(l, n->out[0], &shown, whole);
            if (why) return why;
        } else if (n->op->traits & (DG_EFFECT | DG_CONTROL)) {
            return "part-is-kept"; /* in a place, a carry, an output */
        } else if (gathers(n, use.input) ||
                   !(dg_takes_strides(n, use.input) || dg_view_contiguous(as))) {
            return "part-has-another-reader";
        }
    }
    return NULL;
}

/* ---- parts ---- */

/* The last axis that there is steps 1. */
static bool rows_lie(const dg_view *v)
{
    int a = v->shape.rank - 1;
    while (a >= 0 && v->shape.dim[a] == 1) a--;
    return a < 0 || v->stride[a] == 1;
}

static bool writes_strides(const dg_node_info *n, int out)
{
    if (!n->kernel || out > 31 || !(n->kernel->writes >> out & 1)) return false;
    return !n->strip || n->op->epilogue || n->strip->out[out].reduce == 0;
}

static const char *node_refusal(laying *l, dg_node n, const dg_view *whole);

/* Why value p cannot be stored under these strides for node `into`; NULL: it can. */
static const char *part_refusal(laying *l, dg_node into, dg_value p, const dg_view *as)
{
    const dg_value_info *v = dg_value_of(l->g, p);
    if (v->def == DG_NONE || dg_node_of(l->g, v->def)->op->traits & (DG_LEAF | DG_CONTROL))
        return "part-is-not-computed";
    const dg_node_info *n = dg_node_of(l->g, v->def);
    if (n->op->traits & DG_VIEW) return "part-is-repeated-or-cut";
    if (n->region != dg_node_of(l->g, into)->region) return "part-of-another-loop";
    if (l->laid[p] != DG_NONE && l->laid[p] != into) return "part-of-another";
    if (dg_type_bytes(v->type) == 0) return "part-is-empty";
    if (!rows_lie(as)) return "part-is-turned";
    if (n->kernel && n->kernel->into) {
        const char *why = node_refusal(l, v->def, as);
        if (why) return why;
    } else if (!writes_strides(n, v->index) &&
               (!dg_view_contiguous(as) || (intptr_t)as->data % DG_ALIGN != 0)) {
        return "kernel-writes-packed";
    }
    return reader_refusal(l, p, as, into);
}

/* The same for all operands of n, whose result lies as given. */
static const char *node_refusal(laying *l, dg_node n, const dg_view *whole)
{
    const dg_node_info *node = dg_node_of(l->g, n);
    for (int i = 0; i < node->n_in; i++) {
        dg_view slot = dg_slot_of(l->g, node, i, whole), as;
        dg_value p = dg_laid_value(l->g, node->in[i]);
        for (int k = 0; k < i; k++)
            if (dg_laid_value(l->g, node->in[k]) == p) return "part-comes-twice";
        if (!dg_laid_strides(l->g, node->in[i], &slot, &as)) return "part-is-reshaped";
        const char *why = part_refusal(l, n, p, &as);
        if (why) return why;
    }
    return NULL;
}

/* ---- the price ---- */

/* Value p could have the bytes of an operand of its node. */
static bool may_take_over(const laying *l, dg_value p)
{
    const dg_value_info *v = dg_value_of(l->g, p);
    const dg_node_info *n = dg_node_of(l->g, v->def);
    const dg_bytes *bytes = l->lives.bytes;
    for (int i = 0; i < n->n_in; i++)
        if (dg_may_overwrite(l->g, bytes, v->def, v->index, bytes[n->in[i]].base)) return true;
    return false;
}

/* What step t takes more when the whole is there from its first part on. */
static int64_t more_at(const laying *l, const dg_node_info *n, int32_t t)
{
    int64_t more = dg_align(dg_type_bytes(dg_type_of(l->g, n->out[0])));
    for (int i = 0; i < n->n_in; i++) {
        dg_value p = dg_laid_value(l->g, n->in[i]);
        int32_t made = l->lives.begin[dg_value_of(l->g, p)->def];
        if (made < t || (made == t && !may_take_over(l, p)))
            more -= dg_align(dg_type_bytes(dg_type_of(l->g, p)));
    }
    return more;
}

static int32_t first_part(const laying *l, const dg_node_info *n, dg_node at)
{
    int32_t first = l->lives.begin[at];
    for (int i = 0; i < n->n_in; i++) {
        dg_node def = dg_value_of(l->g, dg_laid_value(l->g, n->in[i]))->def;
        if (l->lives.begin[def] < first) first = l->lives.begin[def];
    }
    return first;
}

static bool raises_peak(const laying *l, dg_node at)
{
    const dg_node_info *n = dg_node_of(l->g, at);
    for (int32_t t = first_part(l, n, at); t < l->lives.begin[at]; t++)
        if (l->lives.live[t] + more_at(l, n, t) > l->peak + l->peak / NOTHING) return true;
    return false;
}

/* ---- one node ---- */

static void decide(laying *l, dg_node at, const char *why)
{
    const dg_node_info *n = dg_node_of(l->g, at);
    const char *kind = n->op->name;
    dg_decision d = {kind,      at,
                     n->out[0], why ? "copy" : "into",
                     NULL,      dg_type_bytes(dg_type_of(l->g, n->out[0]))};
    d.reason = why ? dg_arena_printf(l->m->arena, "%s.copy:%s", kind, why)
                   : dg_arena_printf(l->m->arena, "%s.into", kind);
    if (l->said[at] < 0) {
        l->said[at] = (int32_t)l->m->decisions.n;
        dg_vec_push(&l->m->decisions, d);
        return;
    }
    dg_decision *before = &l->m->decisions.at[l->said[at]];
    if (why && strcmp(before->outcome, d.outcome) == 0)
        d.reason = dg_arena_printf(l->m->arena, "%s,%s", before->reason, why);
    *before = d;
}

/* Of a concat `parts` has said why not. */
static void find_said(laying *l)
{
    bool *asked = DG_NEW_ARRAY(l->a, bool, l->g->nodes.n);
    l->said = DG_NEW_ARRAY(l->a, int32_t, l->g->nodes.n);
    for (size_t i = 0; i < l->asked.n; i++) {
        asked[l->asked.at[i]] = true;
        l->said[l->asked.at[i]] = -1;
    }
    for (size_t i = 0; i < l->m->decisions.n; i++) {
        const dg_decision *d = &l->m->decisions.at[i];
        if (d->node == DG_NONE || !asked[d->node] || l->said[d->node] >= 0) continue;
        if (strcmp(d->kind, dg_node_of(l->g, d->node)->op->name) == 0)
            l->said[d->node] = (int32_t)i;
    }
}

static void lay(laying *l, dg_node at)
{
    dg_node_info *n = dg_node_of(l->g, at);
    dg_view whole = {.dtype = dg_type_of(l->g, n->out[0])->dtype,
                     .shape = dg_type_of(l->g, n->out[0])->shape};
    dg_view_pack(&whole);
    const char *why = node_refusal(l, at, &whole);
    if (!why && raises_peak(l, at)) why = "raises-peak";
    decide(l, at, why);
    if (why) return;
    for (int32_t t = first_part(l, n, at); t < l->lives.begin[at]; t++)
        l->lives.live[t] += more_at(l, n, t);
    for (int i = 0; i < n->n_in; i++) l->laid[dg_laid_value(l->g, n->in[i])] = at;
    n->kernel = kernel_into(n);
    dg_vec_push(&l->done, at);
}

static void set_kernels(laying *l, bool stored)
{
    for (size_t i = 0; i < l->done.n; i++) {
        dg_node_info *n = dg_node_of(l->g, l->done.at[i]);
        n->kernel = stored ? kernel_into(n) : n->op->kernels;
    }
}

/* The choices do not foresee how well buffers can be placed. Where no way keeps the budget, the
 * message names what the better one takes. */
static void keep_budget(laying *l, const dg_pass_options *o)
{
    int64_t stored = o->memory > 0 ? dg_arena_needed(l->m, o) : 0;
    if ((uint64_t)stored <= o->memory) return;
    set_kernels(l, false);
    int64_t copied = dg_arena_needed(l->m, o);
    if ((uint64_t)copied > o->memory && copied >= stored) {
        set_kernels(l, true);
        return;
    }
    for (size_t i = 0; i < l->done.n; i++) decide(l, l->done.at[i], "raises-peak");
}

bool dg_pass_into(dg_module *m, const dg_pass_options *o)
{
    if (o->naive) return true; /* a buffer for each value */
    laying l = {.m = m, .g = m->graph};
    for (dg_node n = 0; (size_t)n < l.g->nodes.n; n++) /* in program order: ids are dense */
        if (kernel_into(dg_node_of(l.g, n))) dg_vec_push(&l.asked, n);
    if (l.asked.n == 0) return true;
    l.a = dg_arena_new();
    find_said(&l);
    l.uses = dg_uses_of(l.g, l.a);
    l.laid = DG_NEW_ARRAY(l.a, dg_node, l.g->values.n);
    for (size_t v = 0; v < l.g->values.n; v++) l.laid[v] = DG_NONE;
    dg_lives_of(m, o, &l.lives, l.a);
    for (int32_t t = 0; t < l.lives.steps; t++)
        if (l.lives.live[t] > l.peak) l.peak = l.lives.live[t];
    for (size_t i = 0; i < l.asked.n; i++) lay(&l, l.asked.at[i]);
    if (l.done.n > 0) keep_budget(&l, o);
    dg_vec_free(&l.asked);
    dg_vec_free(&l.done);
    dg_arena_free(l.a);
    return true;
}

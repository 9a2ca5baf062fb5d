/* grad.c: replaces each node `grad` (y, xs -> dy/dxs) by adjoint nodes: reverse mode, graph to
 * graph.
 *
 * In     a graph with `grad` nodes, in loop bodies too.
 * Out    none of them; adjoints stand where the `grad` stood, with scope and origin of the forward
 * node they belong to, phase backward, and paths "d.<path>" ("grad.<path>" for what was asked for).
 * Keeps  in program order, so that a later `grad` differentiates the adjoints of an earlier one:
 * that is how gradients nest. A path through a whole loop is a loop of its own (grad_loop.c); one
 * that runs round the loop in whose body the `grad` stands is refused. Method the
 * nodes between xs and y are collected backwards from y, no further than the first of the xs;
 * adjoints then flow through them in reverse order, and only to inputs that depend on an x. Work is
 * proportional to that stretch. */
#include "compiler/passes/grad_loop.h"
#include "compiler/passes/passes.h"

#include "compiler/base/os.h"
#include "compiler/ir/rewrite.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* What is known of a value during one `grad`; cleared afterwards. */
typedef struct value_state {
    dg_value adjoint; /* 0: none, else id + 1 */
    bool visited;     /* y depends on it */
    bool depends;     /* it depends on an x, or is one */
    bool wanted;      /* it is an x */
} value_state;

typedef struct item { /* of the stretch: a node, or an argument of a loop's body */
    int64_t rank;
    dg_node node;
    dg_value arg; /* DG_NONE for nodes */
} item;

/* Bytes of a loop's carries that may be kept without a budget before only every k-th trip's are. */
#define MOST_KEPT ((int64_t)1 << 30)

typedef struct differ {
    dg_module *m;
    dg_graph *g;
    const dg_op *grad;
    int64_t most_kept;
    dg_node at;                /* the `grad` being replaced */
    DG_VEC(value_state) state; /* by value */
    DG_VEC(int64_t) rank; /* by node: place in program order; adjoints share that of their `grad` */
    DG_VEC(uint8_t) reached;  /* by node: in `items` */
    DG_VEC(dg_value) touched; /* values whose state is not clear */
    DG_VEC(dg_value) work;
    DG_VEC(item) items;
    bool loops;                 /* the stretch runs round a loop */
    DG_VEC(dg_loop_grad) inner; /* backward loops: the `grad` nodes in them come next */
    DG_VEC(dg_value) renamed;   /* pairs: outputs of loops that were replaced, and the new ones */
} differ;

/* ---- bookkeeping ---- */

static void rank_region(differ *d, dg_region r, int64_t *next)
{
    DG_EACH_NODE(d->g, r, n) {
        d->rank.at[n] = (*next)++;
        if (dg_node_of(d->g, n)->body != DG_NONE) rank_region(d, dg_node_of(d->g, n)->body, next);
    }
}

/* Nodes and values made since the last call. */
static void grow(differ *d, int64_t rank)
{
    while (d->state.n < d->g->values.n) dg_vec_push(&d->state, (value_state){0});
    while (d->rank.n < d->g->nodes.n) dg_vec_push(&d->rank, rank);
    while (d->reached.n < d->g->nodes.n) dg_vec_push(&d->reached, 0);
}

static int64_t value_rank(const differ *d, dg_value v)
{
    const dg_value_info *i = dg_value_of(d->g, v);
    dg_node n = i->def != DG_NONE ? i->def : dg_region_of(d->g, i->region)->owner;
    return n == DG_NONE ? -1 : d->rank.at[n];
}

__attribute__((format(printf, 3, 4))) static dg_message *report(differ *d, const char *id,
                                                                const char *format, ...)
{
    const dg_origin *o = dg_node_of(d->g, d->at)->origin;
    va_list args;
    va_start(args, format);
    const char *what = dg_arena_vprintf(d->g->arena, format, args);
    va_end(args);
    dg_message *m = o && o->span.file >= 0 ? dg_error(d->m->diag, id, o->span, "%s", what)
                                           : dg_error_at(d->m->diag, id, "grad", "%s", what);
    dg_origin_note(d->m->diag, m, o);
    return m;
}

static void refused(void *ctx, const dg_infer *t)
{
    differ *d = ctx;
    report(d, "E901", "an adjoint was refused by %s: %s", t->op->name, t->what ? t->what : "?");
}

/* ---- the stretch between xs and y ---- */

static void visit(differ *d, dg_value v, int64_t first)
{
    value_state *s = &d->state.at[v];
    if (s->visited || value_rank(d, v) < first) return;
    s->visited = true;
    dg_vec_push(&d->touched, v);
    dg_vec_push(&d->work, v);
}

/* Everything a node's body reads from outside of it. */
static void visit_captured(differ *d, dg_region body, dg_region r, int64_t first)
{
    DG_EACH_NODE(d->g, r, n) {
        const dg_node_info *i = dg_node_of(d->g, n);
        for (int k = 0; k < i->n_in; k++) {
            if (!dg_region_inside(d->g, dg_value_of(d->g, i->in[k])->region, body))
                visit(d, i->in[k], first);
        }
        if (i->body != DG_NONE) visit_captured(d, body, i->body, first);
    }
    const dg_region_info *info = dg_region_of(d->g, r);
    for (size_t k = 0; k < info->results.n; k++) {
        if (!dg_region_inside(d->g, dg_value_of(d->g, info->results.at[k])->region, body))
            visit(d, info->results.at[k], first);
    }
}

static void collect(differ *d, dg_value y, int64_t first)
{
    visit(d, y, first);
    while (d->work.n > 0) {
        dg_value v = dg_vec_pop(&d->work);
        const dg_value_info *i = dg_value_of(d->g, v);
        if (i->def == DG_NONE) {
            dg_node owner = dg_region_of(d->g, i->region)->owner;
            if (owner == DG_NONE || i->index == 0) continue; /* poison, or a trip */
            d->loops = true;
            dg_vec_push(&d->items, (item){d->rank.at[owner], owner, v});
            visit(d, dg_node_of(d->g, owner)->in[i->index - 1], first);
            visit(d, dg_region_of(d->g, i->region)->results.at[i->index - 1], first);
            continue;
        }
        if (d->reached.at[i->def]) continue;
        d->reached.at[i->def] = 1;
        const dg_node_info *n = dg_node_of(d->g, i->def);
        dg_vec_push(&d->items, (item){d->rank.at[i->def], i->def, DG_NONE});
        for (int k = 0; k < n->n_in; k++) visit(d, n->in[k], first);
        if (n->body != DG_NONE) visit_captured(d, n->body, n->body, first);
    }
}

/* Program order; ranks are shared by an argument and its loop, and by the adjoints of one `grad`,
 * whose ids are in order. */
static int by_rank(const void *pa, const void *pb)
{
    const item *a = pa, *b = pb;
    if (a->rank != b->rank) return a->rank < b->rank ? -1 : 1;
    if (a->node != b->node) return a->node < b->node ? -1 : 1;
    return (a->arg > b->arg) - (a->arg < b->arg);
}

/* ---- what depends on the xs ---- */

static bool captures_dependent(const differ *d, dg_region r)
{
    DG_EACH_NODE(d->g, r, n) {
        const dg_node_info *i = dg_node_of(d->g, n);
        for (int k = 0; k < i->n_in; k++) {
            if (d->state.at[i->in[k]].depends) return true;
        }
        if (i->body != DG_NONE && captures_dependent(d, i->body)) return true;
    }
    const dg_region_info *info = dg_region_of(d->g, r);
    for (size_t k = 0; k < info->results.n; k++) {
        if (d->state.at[info->results.at[k]].depends) return true;
    }
    return false;
}

static bool depends_now(const differ *d, const item *it)
{
    const dg_node_info *n = dg_node_of(d->g, it->node);
    if (it->arg != DG_NONE) {
        const dg_value_info *a = dg_value_of(d->g, it->arg);
        return d->state.at[n->in[a->index - 1]].depends ||
               d->state.at[dg_region_of(d->g, a->region)->results.at[a->index - 1]].depends;
    }
    for (int k = 0; k < n->n_in; k++) {
        if (d->state.at[n->in[k]].depends) return true;
    }
    return n->body != DG_NONE && captures_dependent(d, n->body);
}

static bool set_depends(differ *d, dg_value v)
{
    value_state *s = &d->state.at[v];
    if (s->depends) return false;
    s->depends = true;
    dg_vec_push(&d->touched, v);
    return true;
}

/* One sweep in program order; round loops until nothing changes. */
static void spread(differ *d)
{
    bool changed = true;
    while (changed) {
        changed = false;
        for (size_t k = 0; k < d->items.n; k++) {
            const item *it = &d->items.at[k];
            if (!depends_now(d, it)) continue;
            if (it->arg != DG_NONE) {
                changed |= set_depends(d, it->arg);
                continue;
            }
            const dg_node_info *n = dg_node_of(d->g, it->node);
            for (int o = 0; o < n->n_out; o++) changed |= set_depends(d, n->out[o]);
        }
        changed &= d->loops;
    }
}

/* ---- adjoints ---- */

static bool round_loop(differ *d)
{
    dg_message *m = report(d, "E052",
                           "the gradient would run back through earlier trips of the `loop` it "
                           "stands in");
    dg_help_add(d->m->diag, m,
                "take it behind the loop, unroll the loop with `for`, or cut the path with "
                "stop_gradient");
    return false;
}

static void name_adjoint(differ *d, dg_value adjoint, const char *prefix, dg_value of)
{
    dg_value_of(d->g, adjoint)->path = dg_path_before(d->g, prefix, dg_value_of(d->g, of)->path);
}

/* `fresh`: ids from here on were made for this adjoint, so that it may be named after `v`. */
static void add_adjoint(differ *d, dg_build *b, dg_value v, dg_value adjoint, dg_value fresh)
{
    value_state *s = &d->state.at[v];
    if (s->adjoint) {
        adjoint = dg_add(b, s->adjoint - 1, adjoint);
        dg_value joined = dg_grad_join(b, adjoint);
        if (joined != DG_NONE) adjoint = joined;
        name_adjoint(d, adjoint, "d", v);
    } else {
        dg_vec_push(&d->touched, v);
        if (adjoint >= fresh) name_adjoint(d, adjoint, "d", v);
    }
    grow(d, d->rank.at[d->at]);
    d->state.at[v].adjoint = adjoint + 1;
}

static bool check_rule(differ *d, const dg_node_info *n, int k, dg_value adjoint)
{
    const dg_type *want = dg_type_of(d->g, n->in[k]), *have = dg_type_of(d->g, adjoint);
    if (have->dtype == DG_POISON) return false; /* reported by `refused` */
    if (dg_type_equal(want, have)) return true;
    report(d, "E901", "the gradient rule of %s gives %s for an input of %s", n->op->name,
           dg_type_name(d->g->arena, have), dg_type_name(d->g->arena, want));
    return false;
}

static bool depends_on_xs(const void *ctx, dg_value v)
{
    const differ *d = ctx;
    return (size_t)v < d->state.n && d->state.at[v].depends;
}

/* Through a loop as a whole: it is run again, keeping its carries, and unwound. */
static void pull_through(differ *d, dg_build *b, dg_node n, const dg_value *dout)
{
    dg_loop_grad l = {.build = b,
                      .loop = n,
                      .dout = dout,
                      .depends = depends_on_xs,
                      .ctx = d,
                      .most = d->most_kept};
    struct dg_loop_plan *plan;
    dg_node_info i = *dg_node_of(d->g, n);
    b->scope = i.scope;
    b->origin = i.origin;
    dg_grad_keep(&l, &plan);
    grow(d, d->rank.at[n]); /* in program order they stand where the loop stood */
    for (int k = 0; k < i.n_out; k++) {
        dg_vec_push(&d->renamed, i.out[k]);
        dg_vec_push(&d->renamed, dg_node_of(d->g, l.kept)->out[k]);
    }
    if (l.every > 1)
        dg_vec_push(
            &d->m->decisions,
            (dg_decision){"loop", l.kept, DG_NONE, "every",
                          dg_arena_printf(d->m->arena, "grad.kept-every:%lld", (long long)l.every),
                          l.kept_bytes});
    dg_grad_unwind(&l, plan);
    grow(d, d->rank.at[d->at]);
    if (l.inner != DG_NONE) dg_vec_push(&d->inner, l);
    for (int k = 0; k < i.n_in; k++)
        if (l.din[k] != DG_NONE && d->state.at[i.in[k]].depends &&
            dg_dtype_is_float(dg_type_of(d->g, i.in[k])->dtype))
            add_adjoint(d, b, i.in[k], l.din[k], (dg_value)d->g->values.n);
    for (int c = 0; c < l.n_captured; c++)
        add_adjoint(d, b, l.captured[c], l.dcaptured[c], (dg_value)d->g->values.n);
}

/* From the adjoints of a node's outputs to those of its inputs. */
static bool pull_back(differ *d, dg_build *b, dg_node n)
{
    enum { FEW = 16 };
    dg_node_info i = *dg_node_of(d->g, n); /* by value: adding moves the array */
    bool any = false, few_want[FEW];
    dg_value few_dout[FEW], few_din[FEW];
    dg_arena *a = d->g->arena;
    dg_value *dout = i.n_out <= FEW ? few_dout : DG_NEW_ARRAY(a, dg_value, i.n_out);
    dg_value *din = i.n_in <= FEW ? few_din : DG_NEW_ARRAY(a, dg_value, i.n_in);
    bool *want = i.n_in <= FEW ? few_want : DG_NEW_ARRAY(a, bool, i.n_in);
    for (int k = 0; k < i.n_out; k++) {
        dout[k] = d->state.at[i.out[k]].adjoint - 1; /* DG_NONE: zero */
        any |= dout[k] != DG_NONE;
    }
    if (!any || !d->state.at[i.out[0]].depends) return true;
    if (i.body != DG_NONE) {
        pull_through(d, b, n, dout);
        return true;
    }
    if (i.op->traits & DG_STOPS_GRADIENT || !i.op->grad) return true;
    any = false;
    for (int k = 0; k < i.n_in; k++) {
        din[k] = DG_NONE;
        want[k] =
            d->state.at[i.in[k]].depends && dg_dtype_is_float(dg_type_of(d->g, i.in[k])->dtype);
        any |= want[k];
    }
    if (!any) return true;

    b->scope = i.scope;
    b->origin = i.origin;
    dg_value fresh = (dg_value)d->g->values.n;
    dg_grad rule = {.build = b,
                    .attrs = &i.attrs,
                    .n_in = i.n_in,
                    .n_out = i.n_out,
                    .in = i.in,
                    .out = i.out,
                    .dout = dout,
                    .want = want,
                    .din = din};
    i.op->grad(&rule);
    grow(d, d->rank.at[d->at]);
    for (int k = 0; k < i.n_in; k++) {
        if (!want[k] || din[k] == DG_NONE) continue;
        if (!check_rule(d, &i, k, din[k])) return false;
        add_adjoint(d, b, i.in[k], din[k], fresh);
    }
    return true;
}

/* An argument of a body is as far as adjoints go; if anything asked for lies behind it, they would
 * have to go on. */
static bool stays_in_body(const differ *d)
{
    for (size_t k = 0; k < d->items.n; k++) {
        dg_value arg = d->items.at[k].arg;
        if (arg != DG_NONE && d->state.at[arg].depends && !d->state.at[arg].wanted &&
            d->state.at[arg].adjoint)
            return false;
    }
    return true;
}

/* ---- one `grad` ---- */

static bool check_asked(differ *d, const dg_node_info *grad)
{
    bool good = true;
    for (int k = 1; k < grad->n_in; k++) {
        if (d->state.at[grad->in[k]].visited) continue;
        const char *x = dg_path_of(d->g, grad->in[k]);
        dg_message *m = report(d, "E051", "grad: the value does not depend on `%s`", x);
        dg_help_add(
            d->m->diag, m,
            "leave it out, or use it: a gradient that is always zero is taken for a mistake");
        good = false;
        break; /* one cause, one error */
    }
    return good;
}

/* An x that is a carry stops the walk there; another x further out must not be behind that carry.
 */
static bool check_behind_carries(differ *d, const dg_node_info *grad)
{
    bool carries = false, others = false;
    for (int k = 1; k < grad->n_in; k++) {
        bool arg = dg_value_of(d->g, grad->in[k])->def == DG_NONE;
        carries |= arg;
        others |= !arg;
    }
    if (!carries || !others) return true;
    for (size_t k = 0; k < d->touched.n; k++) d->state.at[d->touched.at[k]].depends = false;
    for (int k = 1; k < grad->n_in; k++) {
        if (dg_value_of(d->g, grad->in[k])->def != DG_NONE) set_depends(d, grad->in[k]);
    }
    spread(d);
    for (int k = 1; k < grad->n_in; k++) {
        dg_value x = grad->in[k];
        if (dg_value_of(d->g, x)->def == DG_NONE && d->state.at[x].depends &&
            d->state.at[x].adjoint)
            return round_loop(d);
    }
    return true;
}

static void clear(differ *d)
{
    for (size_t k = 0; k < d->touched.n; k++) d->state.at[d->touched.at[k]] = (value_state){0};
    for (size_t k = 0; k < d->items.n; k++) d->reached.at[d->items.at[k].node] = 0;
    d->touched.n = d->items.n = d->work.n = d->renamed.n = 0;
    d->loops = false;
}

static bool replace_grad(differ *d, dg_node at)
{
    dg_graph *g = d->g;
    dg_node_info grad = *dg_node_of(g, at);
    dg_value y = grad.in[0];
    d->at = at;
    grow(d, d->rank.at[at]);
    int64_t first = INT64_MAX, rank = d->rank.at[at];
    for (int k = 1; k < grad.n_in; k++) {
        int64_t r = value_rank(d, grad.in[k]);
        if (r < first) first = r;
    }
    collect(d, y, first);
    if (d->items.n > 0) qsort(d->items.at, d->items.n, sizeof *d->items.at, by_rank);
    if (!check_asked(d, &grad)) return false;
    for (int k = 1; k < grad.n_in; k++) {
        d->state.at[grad.in[k]].wanted = true;
        set_depends(d, grad.in[k]);
    }
    spread(d);

    dg_build b = {.graph = g,
                  .region = grad.region,
                  .before = at,
                  .scope = grad.scope,
                  .origin = grad.origin,
                  .phase = DG_BACKWARD,
                  .refused = refused,
                  .ctx = d};
    dg_value fresh = (dg_value)g->values.n;
    add_adjoint(d, &b, y, dg_full_like(&b, y, 1), fresh);
    for (size_t k = d->items.n; k-- > 0;) {
        if (d->items.at[k].arg == DG_NONE && !pull_back(d, &b, d->items.at[k].node)) return false;
    }
    if (!stays_in_body(d)) return round_loop(d);

    b.scope = grad.scope;
    b.origin = grad.origin;
    dg_value *result = DG_NEW_ARRAY(g->arena, dg_value, grad.n_out);
    for (int k = 0; k < grad.n_out; k++) {
        dg_value x = grad.in[k + 1];
        dg_value adjoint = d->state.at[x].adjoint - 1;
        result[k] = adjoint == DG_NONE ? dg_full_like(&b, x, 0) : adjoint;
        if (result[k] >= fresh && result[k] != y) name_adjoint(d, result[k], "grad", x);
    }
    if (!check_behind_carries(d, &grad)) return false;
    grow(d, rank);

    dg_value *map = malloc(sizeof *map * g->values.n);
    if (!map) dg_out_of_memory();
    for (size_t v = 0; v < g->values.n; v++) map[v] = (dg_value)v;
    for (int k = 0; k < grad.n_out; k++) map[grad.out[k]] = result[k];
    for (size_t k = 0; k < d->renamed.n; k += 2) map[d->renamed.at[k]] = d->renamed.at[k + 1];
    dg_graph_unlink(g, at);
    dg_apply_map(g, map);
    free(map);
    clear(d);
    return true;
}

/* The derivative of a loop's body, and of loops in it. */
static bool replace_inner(differ *d)
{
    while (d->inner.n > 0) {
        dg_loop_grad l = dg_vec_pop(&d->inner);
        if (!replace_grad(d, l.inner)) return false;
        for (int k = 0; k < l.n_cuts; k++) {
            const dg_node_info *cut = dg_node_of(d->g, l.cuts[k]);
            dg_replace_uses(d->g, cut->out[0], cut->in[0]);
            dg_graph_unlink(d->g, l.cuts[k]);
        }
        dg_grad_sum_on(d->g, &l);
    }
    return true;
}

static bool replace_all(differ *d, dg_region r)
{
    DG_EACH_NODE(d->g, r, n) {
        dg_region body = dg_node_of(d->g, n)->body;
        if (body != DG_NONE && !replace_all(d, body)) return false;
        if (dg_node_of(d->g, n)->op != d->grad) continue;
        if (!replace_grad(d, n) || !replace_inner(d)) return false;
    }
    return true;
}

bool dg_pass_grad(dg_module *m, const dg_pass_options *o)
{
    dg_graph *g = m->graph;
    differ d = {.m = m, .g = g, .grad = g->find("grad"), .most_kept = MOST_KEPT};
    if (o->memory > 0) d.most_kept = o->few_carries ? 0 : (int64_t)(o->memory / 4);
    int64_t next = 0;
    int errors = dg_diag_errors(m->diag);
    grow(&d, 0);
    rank_region(&d, 0, &next);
    bool good = replace_all(&d, 0) && dg_diag_errors(m->diag) == errors;
    dg_vec_free(&d.state);
    dg_vec_free(&d.rank);
    dg_vec_free(&d.reached);
    dg_vec_free(&d.touched);
    dg_vec_free(&d.work);
    dg_vec_free(&d.items);
    dg_vec_free(&d.inner);
    dg_vec_free(&d.renamed);
    return good;
}

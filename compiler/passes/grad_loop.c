/* grad_loop.c: see grad_loop.h.
 *
 * Where that would be too much, only every k-th trip's carries are kept, and both runs turn in
 * loops of k trips: the backward run runs such a stretch once more, keeping its carries, and
 * unwinds it.
 *
 * Three questions are answered on the body first: which of its values depend on what is
 * differentiated by; to which carries an adjoint can come, from the outputs or by way of later
 * trips; and what must be known to compute those carries' next values once more. Only that is kept.
 */
#include "compiler/passes/grad_loop.h"

#include "compiler/base/os.h"
#include "compiler/ir/op.h"
#include "compiler/ir/rewrite.h"

#include <stdlib.h>
#include <string.h>

typedef struct dg_loop_plan {
    dg_graph *g;
    dg_arena *arena;
    dg_region body;
    int n;          /* carries */
    dg_value known; /* values of the graph before the loop that keeps: the tables have so many */
    int64_t trips;
    int64_t every; /* carries are kept once in so many trips, which divides `trips` */
    bool stops;
    uint8_t *dep;   /* by value: of the body, depends */
    uint8_t *read;  /* by value: needed to compute the active carries once more */
    bool *active;   /* by carry: may have an adjoint */
    dg_value *kept; /* by carry: its stack, DG_NONE: not needed */
    dg_value count; /* trips made, where the loop may stop early */
} plan;

/* ---- what depends, what is reached ---- */

static bool inside(const plan *p, dg_value v)
{
    return dg_region_inside(p->g, dg_value_of(p->g, v)->region, p->body);
}

static bool depends(const dg_loop_grad *l, const plan *p, dg_value v)
{
    return inside(p, v) ? p->dep[v] : l->depends(l->ctx, v);
}

/* Marks the outputs of nodes with a dependent operand; a nested loop is one node. */
static bool reads_dependent(const dg_loop_grad *l, const plan *p, dg_node n)
{
    const dg_node_info *i = dg_node_of(p->g, n);
    for (int k = 0; k < i->n_in; k++)
        if (depends(l, p, i->in[k])) return true;
    if (i->body == DG_NONE) return false;
    DG_EACH_NODE(p->g, i->body, m) {
        if (reads_dependent(l, p, m)) return true;
    }
    const dg_region_info *r = dg_region_of(p->g, i->body);
    for (size_t k = 0; k < r->results.n; k++)
        if (depends(l, p, r->results.at[k])) return true;
    return false;
}

static void spread_body(const dg_loop_grad *l, plan *p)
{
    const dg_region_info *r = dg_region_of(p->g, p->body);
    const dg_node_info *loop = dg_node_of(p->g, l->loop);
    for (bool changed = true; changed;) {
        changed = false;
        for (int k = 0; k < p->n; k++) {
            uint8_t *arg = &p->dep[r->args.at[k + 1]];
            if (*arg || !(depends(l, p, loop->in[k]) || depends(l, p, r->results.at[k]))) continue;
            *arg = 1;
            changed = true;
        }
        DG_EACH_NODE(p->g, p->body, n) {
            const dg_node_info *i = dg_node_of(p->g, n);
            if (i->n_out == 0 || p->dep[i->out[0]] || !reads_dependent(l, p, n)) continue;
            for (int o = 0; o < i->n_out; o++) p->dep[i->out[o]] = 1;
            changed = true;
        }
    }
}

typedef DG_VEC(dg_value) value_vec;

static void reach(plan *p, value_vec *work, dg_value v)
{
    if (p->read[v]) return;
    p->read[v] = 1;
    dg_vec_push(work, v);
}

static void reach_node(plan *p, value_vec *work, dg_node n)
{
    const dg_node_info *i = dg_node_of(p->g, n);
    for (int k = 0; k < i->n_in; k++) reach(p, work, i->in[k]);
    if (i->body == DG_NONE) return;
    DG_EACH_NODE(p->g, i->body, m) reach_node(p, work, m);
    const dg_region_info *r = dg_region_of(p->g, i->body);
    for (size_t k = 0; k < r->results.n; k++) reach(p, work, r->results.at[k]);
}

/* What the body reads to give result k; stops at its arguments and outside of it. */
static void reach_result(plan *p, int k)
{
    value_vec work = {0};
    reach(p, &work, dg_region_of(p->g, p->body)->results.at[k]);
    while (work.n > 0) {
        dg_value v = dg_vec_pop(&work);
        const dg_value_info *i = dg_value_of(p->g, v);
        if (i->def != DG_NONE && inside(p, v)) reach_node(p, &work, i->def);
    }
    dg_vec_free(&work);
}

static bool is_float(const plan *p, dg_value v)
{
    return dg_dtype_is_float(dg_type_of(p->g, v)->dtype);
}

/* An adjoint of a carry's next value gives adjoints to the carries that the body reads for it. */
static void find_active(const dg_loop_grad *l, plan *p)
{
    const dg_region_info *r = dg_region_of(p->g, p->body);
    for (int k = 0; k < p->n; k++)
        p->active[k] = l->dout[k] != DG_NONE && p->dep[r->args.at[k + 1]];
    bool *done = DG_NEW_ARRAY(p->arena, bool, p->n + 1);
    for (bool changed = true; changed;) {
        changed = false;
        for (int k = 0; k < p->n; k++) {
            if (!p->active[k] || done[k]) continue;
            done[k] = changed = true;
            reach_result(p, k);
        }
        for (int k = 0; k < p->n; k++) {
            dg_value arg = r->args.at[k + 1];
            p->active[k] |= p->read[arg] && p->dep[arg] && is_float(p, arg);
        }
    }
}

/* ---- the forward loop, keeping ---- */

static dg_value image(const dg_value *map, dg_value v)
{
    return map[v] == DG_NONE ? v : map[v];
}

static dg_type stack_type(dg_type t, int64_t trips)
{
    dg_type s = {.dtype = t.dtype, .shape = {.rank = t.shape.rank + 1}};
    s.shape.dim[0] = trips;
    for (int i = 0; i < t.shape.rank; i++) s.shape.dim[i + 1] = t.shape.dim[i];
    return s;
}

/* A loop of these initial values with a body whose arguments have their types. */
static dg_node open_loop(dg_build *b, dg_node like, int64_t trips, const dg_value *in, int n,
                         const char *trip, dg_build *inner)
{
    dg_graph *g = b->graph;
    dg_type *types = DG_NEW_ARRAY(g->arena, dg_type, n + 1);
    for (int k = 0; k < n; k++) types[k] = *dg_type_of(g, in[k]);
    dg_node_info old = *dg_node_of(g, like);
    dg_attrs attrs = dg_attrs_copy(g->arena, &old.attrs);
    for (int k = 0; k < attrs.n; k++)
        if (strcmp(attrs.at[k].name, "trips") == 0) ((dg_attr *)attrs.at)[k].v.i = trips;
    dg_node node = dg_graph_add(g, b->region, b->before, old.op, attrs, in, n, types, n);
    dg_node_info *i = dg_node_of(g, node);
    i->scope = b->scope;
    i->origin = b->origin;
    i->phase = b->phase;
    i->remat = b->remat;
    dg_region body = dg_graph_add_region(g, node);
    dg_graph_add_arg(g, body, (dg_type){DG_I32, DG_SCALAR}, trip);
    for (int k = 0; k < n; k++)
        dg_graph_add_arg(g, body, types[k], dg_path_of(g, dg_node_of(g, node)->out[k]));
    *inner = *b;
    inner->region = body;
    inner->before = DG_NONE;
    return node;
}

static dg_value arg_of(const dg_graph *g, dg_node loop, int k)
{
    return dg_region_of(g, dg_node_of(g, loop)->body)->args.at[k];
}

static void add_result(dg_graph *g, dg_node loop, dg_value v)
{
    dg_vec_push(&dg_region_of(g, dg_node_of(g, loop)->body)->results, v);
}

static void name_output(dg_graph *g, dg_node loop, int k, dg_path *path)
{
    dg_value_of(g, dg_node_of(g, loop)->out[k])->path = path;
    dg_value_of(g, arg_of(g, loop, k + 1))->path = path;
}

static dg_path *adjoint_path(dg_graph *g, dg_value of)
{
    return dg_path_before(g, "d", dg_value_of(g, of)->path);
}

/* The body's arguments as these values; what is not in the map stands for itself. */
static dg_value *body_map(const plan *p, dg_value trip, const dg_value *carries)
{
    dg_value *map = malloc(sizeof *map * (p->g->values.n + 1));
    if (!map) dg_out_of_memory();
    memset(map, 0xff, sizeof *map * (p->g->values.n + 1)); /* DG_NONE */
    const dg_region_info *r = dg_region_of(p->g, p->body);
    map[r->args.at[0]] = trip;
    for (int k = 0; k < p->n; k++) map[r->args.at[k + 1]] = carries[k];
    return map;
}

/* A copy of the body, whose results are next[]. leaves[c] stands for l->captured[c], where there
 * are any. DG_NONE among the carries: nothing that counts reads it. */
static void copy_body(dg_loop_grad *l, plan *p, dg_build *b, dg_value trip, const dg_value *carries,
                      const dg_value *leaves, dg_value *next)
{
    const dg_region_info *r = dg_region_of(p->g, p->body);
    dg_value *map = body_map(p, trip, carries);
    for (int c = 0; leaves && c < l->n_captured; c++) map[l->captured[c]] = leaves[c];
    dg_clone_nodes(b, p->body, map);
    r = dg_region_of(p->g, p->body);
    for (size_t k = 0; k < r->results.n; k++) next[k] = image(map, r->results.at[k]);
    free(map);
}

/* As many trips as are made between two rows of the stacks: the body itself, or a loop of it, which
 * the pass then differentiates in turn. */
static void copy_trips(dg_loop_grad *l, plan *p, dg_build *b, dg_value row, const dg_value *carries,
                       const dg_value *leaves, dg_value *next)
{
    if (p->every == 1) {
        copy_body(l, p, b, row, carries, leaves, next);
        return;
    }
    dg_graph *g = p->g;
    dg_value *in = DG_NEW_ARRAY(p->arena, dg_value, p->n + 1),
             *inner_carries = DG_NEW_ARRAY(p->arena, dg_value, p->n + 1),
             *results = DG_NEW_ARRAY(p->arena, dg_value, p->n + 2);
    int *slot = DG_NEW_ARRAY(p->arena, int, p->n + 1), n = 0;
    for (int k = 0; k < p->n; k++) {
        dg_value arg = dg_region_of(g, p->body)->args.at[k + 1];
        slot[k] = carries[k] != DG_NONE || p->active[k] ? n : -1;
        if (slot[k] < 0) continue;
        in[n++] = carries[k] != DG_NONE ? carries[k] : dg_full_like(b, arg, 0);
    }
    dg_build inner;
    dg_node loop = open_loop(b, l->loop, p->every, in, n,
                             dg_path_of(g, dg_region_of(g, p->body)->args.at[0]), &inner);
    for (int k = 0; k < p->n; k++)
        inner_carries[k] = slot[k] < 0 ? DG_NONE : arg_of(g, loop, slot[k] + 1);
    dg_value every = dg_full(&inner, DG_I32, DG_SCALAR, (double)p->every),
             trip = dg_add(&inner, dg_mul(&inner, row, every), arg_of(g, loop, 0));
    copy_body(l, p, &inner, trip, inner_carries, leaves, results);
    for (int k = 0; k < p->n; k++) {
        next[k] = DG_NONE;
        if (slot[k] < 0) continue;
        add_result(g, loop, results[k]);
        next[k] = dg_node_of(g, loop)->out[slot[k]];
        dg_value arg = dg_region_of(g, p->body)->args.at[k + 1];
        name_output(g, loop, slot[k], dg_value_of(g, arg)->path);
    }
}

/* ---- how many rows ---- */

/* Bytes of one trip's carries that the backward run needs. */
static int64_t row_bytes(const plan *p)
{
    int64_t bytes = 0;
    for (int k = 0; k < p->n; k++) {
        dg_value arg = dg_region_of(p->g, p->body)->args.at[k + 1];
        if (p->read[arg]) bytes += dg_type_bytes(dg_type_of(p->g, arg));
    }
    return bytes;
}

/* All trips' carries are kept unless that takes more than `most`; then one in k, for the divisor of
 * the trips that needs the fewest rows together with the k of a stretch, which is run once more.
 * That costs as much again as the loop itself, whatever k is. */
static int64_t choose_every(const plan *p, int64_t most)
{
    int64_t best = 1, rows = p->trips;
    if (p->stops || p->trips < 4 || row_bytes(p) <= most / p->trips) return 1;
    for (int64_t k = 2; k < p->trips; k++) {
        if (p->trips % k != 0 || p->trips / k + k >= rows) continue;
        best = k;
        rows = p->trips / k + k;
    }
    return best;
}

void dg_grad_keep(dg_loop_grad *l, plan **out)
{
    dg_graph *g = l->build->graph;
    dg_node_info old = *dg_node_of(g, l->loop);
    dg_arena *a = g->arena;
    plan *p = *out = DG_NEW(a, plan);
    *p = (plan){.g = g,
                .arena = a,
                .body = old.body,
                .n = old.n_in,
                .known = (dg_value)g->values.n,
                .trips = dg_attr_int(&old.attrs, "trips"),
                .stops = dg_attr_int(&old.attrs, "stop") != 0,
                .dep = DG_NEW_ARRAY(a, uint8_t, g->values.n + 1),
                .read = DG_NEW_ARRAY(a, uint8_t, g->values.n + 1),
                .active = DG_NEW_ARRAY(a, bool, old.n_in + 1),
                .kept = DG_NEW_ARRAY(a, dg_value, old.n_in + 1),
                .count = DG_NONE};
    spread_body(l, p);
    find_active(l, p);
    p->every = choose_every(p, l->most);
    int64_t rows = p->trips / p->every;
    l->every = p->every;
    l->kept_bytes = row_bytes(p) * rows;

    dg_build b = *l->build;
    b.region = old.region;
    b.before = l->loop;
    b.scope = old.scope;
    b.origin = old.origin;
    b.phase = old.phase;
    b.remat = old.remat;
    dg_value *in = DG_NEW_ARRAY(a, dg_value, 2 * p->n + 1);
    int *slot = DG_NEW_ARRAY(a, int, p->n + 1), n = p->n;
    memcpy(in, old.in, sizeof *in * (size_t)p->n);
    for (int k = 0; k < p->n; k++) {
        dg_value arg = dg_region_of(g, old.body)->args.at[k + 1];
        slot[k] = p->read[arg] ? n++ : -1;
        if (slot[k] < 0) continue;
        dg_type t = stack_type(*dg_type_of(g, arg), rows);
        in[slot[k]] = dg_full(&b, t.dtype, t.shape, 0);
    }
    int counter = p->stops ? n++ : -1;
    if (p->stops) in[counter] = dg_full(&b, DG_I32, DG_SCALAR, 0);

    dg_build inner;
    l->kept = open_loop(&b, l->loop, rows, in, n,
                        dg_path_of(g, dg_region_of(g, old.body)->args.at[0]), &inner);
    dg_value trip = arg_of(g, l->kept, 0);
    for (int k = 0; k < p->n; k++) {
        dg_path *path = dg_value_of(g, old.out[k])->path;
        name_output(g, l->kept, k, path);
        if (slot[k] >= 0) name_output(g, l->kept, slot[k], dg_path_behind(g, path, "kept"));
    }
    dg_value *carries = DG_NEW_ARRAY(a, dg_value, p->n + 1);
    for (int k = 0; k < p->n; k++) carries[k] = arg_of(g, l->kept, k + 1);
    dg_value *next = DG_NEW_ARRAY(a, dg_value, p->n + 2);
    copy_trips(l, p, &inner, trip, carries, NULL, next);
    for (int k = 0; k < p->n; k++) add_result(g, l->kept, next[k]);
    for (int k = 0; k < p->n; k++) {
        if (slot[k] < 0) continue;
        dg_value stack = arg_of(g, l->kept, slot[k] + 1);
        add_result(g, l->kept,
                   dg_emit(&inner, "update", NULL, 0, (dg_value[]){stack, trip, carries[k]}, 3));
        p->kept[k] = dg_node_of(g, l->kept)->out[slot[k]];
    }
    for (int k = 0; k < p->n; k++)
        if (slot[k] < 0) p->kept[k] = DG_NONE;
    if (p->stops) {
        add_result(g, l->kept, dg_shift(&inner, trip, 1));
        p->count = dg_node_of(g, l->kept)->out[counter];
        add_result(g, l->kept, next[p->n]);
    }
}

/* ---- the backward loop ---- */

/* What the body reads from outside, depends and is a float: its adjoint is summed over the trips.
 */
static void find_captured(dg_loop_grad *l, const plan *p)
{
    for (int pass = 0; pass < 2; pass++) {
        l->n_captured = 0;
        for (dg_value v = 0; v < p->known; v++) {
            if (!p->read[v] || inside(p, v) || !l->depends(l->ctx, v) || !is_float(p, v)) continue;
            if (pass == 1) l->captured[l->n_captured] = v;
            l->n_captured++;
        }
        if (pass == 0) l->captured = DG_NEW_ARRAY(p->arena, dg_value, l->n_captured + 1);
    }
    l->dcaptured = DG_NEW_ARRAY(p->arena, dg_value, l->n_captured + 1);
}

/* sum of next * adjoint over all active carries: its derivative is the product with the body's
 * Jacobian. */
static dg_value inner_product(dg_build *b, const plan *p, const dg_value *next,
                              const dg_value *adjoint)
{
    const dg_graph *g = p->g;
    dg_value y = DG_NONE;
    bool wide = false;
    for (int k = 0; k < p->n; k++)
        wide |= p->active[k] && dg_type_of(g, adjoint[k])->dtype == DG_F64;
    for (int k = 0; k < p->n; k++) {
        if (!p->active[k]) continue;
        dg_value term = dg_mul(b, next[k], adjoint[k]);
        dg_axes all = {0};
        for (int i = 0; i < dg_shape_of(b, term).rank; i++) all.axis[all.n++] = i;
        if (all.n > 0) term = dg_sum(b, term, all);
        if (wide) term = dg_cast(b, term, DG_F64);
        y = y == DG_NONE ? term : dg_add(b, y, term);
    }
    return y;
}

/* `v` as a leaf for the `grad` in this body: the derivative is that of the body alone. A later
 * derivative must not stop here, so these nodes go with that `grad`. */
static dg_value leaf(dg_loop_grad *l, dg_build *b, dg_value v)
{
    dg_value cut = dg_unary(b, "stop_gradient", v);
    l->cuts[l->n_cuts++] = dg_value_of(b->graph, cut)->def;
    return cut;
}

void dg_grad_unwind(dg_loop_grad *l, plan *p)
{
    dg_graph *g = p->g;
    dg_build *b = l->build;
    dg_arena *a = p->arena;
    l->din = DG_NEW_ARRAY(a, dg_value, p->n + 1);
    l->inner = DG_NONE;
    for (int k = 0; k < p->n; k++) l->din[k] = l->dout[k];
    find_captured(l, p);
    int n_active = 0, n = 0;
    for (int k = 0; k < p->n; k++) n_active += p->active[k];
    if (n_active == 0) {
        l->n_captured = 0;
        return;
    }
    dg_value *in = DG_NEW_ARRAY(a, dg_value, n_active + l->n_captured + 1);
    for (int k = 0; k < p->n; k++) {
        if (!p->active[k]) continue;
        dg_value like = dg_node_of(g, l->kept)->out[k];
        in[n++] = l->dout[k] == DG_NONE ? dg_full_like(b, like, 0) : l->dout[k];
    }
    for (int c = 0; c < l->n_captured; c++) in[n++] = dg_full_like(b, l->captured[c], 0);

    dg_build inner;
    dg_node back = open_loop(b, l->loop, p->trips / p->every, in, n,
                             dg_path_of(g, dg_region_of(g, p->body)->args.at[0]), &inner);
    l->back = back;
    dg_value trip = arg_of(g, back, 0), last;
    if (p->stops)
        last = dg_shift(&inner, p->count, -1);
    else
        last = dg_full(&inner, DG_I32, DG_SCALAR, (double)(p->trips / p->every - 1));
    dg_value at = dg_sub(&inner, last, trip);

    l->n_cuts = 0;
    l->cuts = DG_NEW_ARRAY(a, dg_node, n + 1);
    dg_attr axis = dg_attr_of_int("axis", 0);
    dg_value *carries = DG_NEW_ARRAY(a, dg_value, p->n + 1),
             *adjoint = DG_NEW_ARRAY(a, dg_value, p->n + 1),
             *xs = DG_NEW_ARRAY(a, dg_value, n_active + l->n_captured + 2);
    int n_xs = 1, carry = 0;
    for (int k = 0; k < p->n; k++) {
        carries[k] = p->kept[k] == DG_NONE
                         ? DG_NONE
                         : dg_emit(&inner, "gather", &axis, 1, (dg_value[]){p->kept[k], at}, 2);
        if (!p->active[k]) continue;
        adjoint[k] = leaf(l, &inner, arg_of(g, back, ++carry));
    }
    dg_value *leaves = DG_NEW_ARRAY(a, dg_value, l->n_captured + 1),
             *next = DG_NEW_ARRAY(a, dg_value, p->n + 2);
    for (int c = 0; c < l->n_captured; c++) leaves[c] = leaf(l, &inner, l->captured[c]);
    for (int k = 0; k < p->n; k++)
        if (p->active[k] && p->kept[k] != DG_NONE) xs[n_xs++] = carries[k];
    for (int c = 0; c < l->n_captured; c++) xs[n_xs++] = leaves[c];
    copy_trips(l, p, &inner, at, carries, leaves, next);
    xs[0] = inner_product(&inner, p, next, adjoint);
    dg_node grad = DG_NONE;
    if (n_xs > 1) grad = dg_build_node(&inner, g->find("grad"), NULL, 0, xs, n_xs);
    l->inner = grad;
    int x = 0;
    carry = 0;
    for (int k = 0; k < p->n; k++) {
        if (!p->active[k]) continue;
        l->din[k] = dg_node_of(g, back)->out[carry];
        name_output(g, back, carry++, adjoint_path(g, dg_node_of(g, l->kept)->out[k]));
        /* a carry that the body does not read has an adjoint in its last trip only */
        add_result(g, back,
                   p->kept[k] != DG_NONE ? dg_node_of(g, grad)->out[x++]
                                         : dg_full_like(&inner, adjoint[k], 0));
    }
    for (int c = 0; c < l->n_captured; c++, carry++) {
        dg_value sum = arg_of(g, back, carry + 1);
        l->dcaptured[c] = dg_node_of(g, back)->out[carry];
        name_output(g, back, carry, adjoint_path(g, l->captured[c]));
        add_result(g, back, dg_add(&inner, sum, dg_node_of(g, grad)->out[x++]));
    }
    if (p->stops) {
        dg_value zero = dg_full(&inner, DG_I32, DG_SCALAR, 0);
        add_result(g, back, dg_compare(&inner, "le", at, zero));
    }
}

static int uses_in(const dg_graph *g, dg_region r, dg_value v)
{
    const dg_region_info *info = dg_region_of(g, r);
    int n = 0;
    for (size_t k = 0; k < info->results.n; k++) n += info->results.at[k] == v;
    DG_EACH_NODE(g, r, node) {
        const dg_node_info *i = dg_node_of(g, node);
        for (int k = 0; k < i->n_in; k++) n += i->in[k] == v;
        if (i->body != DG_NONE) n += uses_in(g, i->body, v);
    }
    return n;
}

/* What a stretch sums up from zero is added to the sum of those before it. It goes on from that sum
 * instead, trip by trip: in the order, and with the bits, that sums have where all carries are
 * kept. */
void dg_grad_sum_on(dg_graph *g, const dg_loop_grad *l)
{
    if (l->every == 1) return;
    dg_build b = {.graph = g};
    dg_region body = dg_node_of(g, l->back)->body;
    size_t first = dg_region_of(g, body)->results.n - (size_t)l->n_captured;
    for (int c = 0; c < l->n_captured; c++) {
        dg_value *result = &dg_region_of(g, body)->results.at[first + (size_t)c];
        const dg_node_info *add = dg_node_of(g, dg_value_of(g, *result)->def);
        const dg_value_info *part = dg_value_of(g, add->in[1]);
        double zero;
        if (part->def == DG_NONE || part->region != body) continue;
        dg_node_info *stretch = dg_node_of(g, part->def);
        if (stretch->body == DG_NONE || uses_in(g, body, add->in[1]) != 1 ||
            !dg_known_number(&b, stretch->in[part->index], &zero) || zero != 0)
            continue;
        stretch->in[part->index] = add->in[0];
        *result = add->in[1];
    }
}

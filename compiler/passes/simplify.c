/* simplify.c: constants folded, identities removed, views merged.
 *
 * In     a graph after `grad`.
 * Out    fewer and cheaper nodes with the same results. What is done:
 *        - a node whose inputs are all constants is computed here, by its op's ref in double, each
 * result narrowed to its dtype. For + - * / sqrt, comparisons, casts and everything that moves
 * elements that is the very number the kernel would give; exp and its like, and sums, may differ
 * from the f32 kernel in the last place, being better. Results are at most 64 KiB, or no larger
 * than the inputs and at most 4 MiB.
 *        - op->simplify: identities that are exact in floating point (x * 1, reshape of reshape,
 * ...), one op's own knowledge.
 *        - an operand that was only repeated (`expand`) before an elementwise op goes in as it was;
 * if all were, the op runs on the small ones and its result is repeated.
 *        - stop_gradient, which has done its work, goes.
 *        - a loop of no trips is its initial values; a loop of one trip is its body; a carry that
 * the body passes on unchanged is the initial value. Method one walk in program order; nodes made
 * by a rule are walked too. */
#include "compiler/passes/passes.h"

#include <string.h>

#define FOLD_BYTES (INT64_C(64) << 10)
#define FOLD_MOST_BYTES (INT64_C(4) << 20)
#define FOLD_FLOPS 1e7

typedef struct simplifier {
    dg_module *m;
    dg_graph *g;
    const dg_op *expand;
    dg_arena *scratch;
    DG_VEC(dg_value) map; /* what stands for a value now */
    size_t visits; /* left before no more rules are tried: a guard against rules that undo each
                      other */
} simplifier;

static dg_value current(simplifier *s, dg_value v)
{
    for (size_t k = s->map.n; k < s->g->values.n; k++) dg_vec_push(&s->map, (dg_value)k);
    while (s->map.at[v] != v) v = s->map.at[v];
    return v;
}

static void replace(simplifier *s, dg_value from, dg_value to)
{
    current(s, to); /* the map covers every id now */
    s->map.at[from] = to;
}

static void refused(void *ctx, const dg_infer *t)
{
    simplifier *s = ctx;
    dg_error_at(s->m->diag, "E901", "simplify", "%s was refused: %s", t->op->name,
                t->what ? t->what : "?");
}

static dg_build builder(simplifier *s, dg_node n)
{
    dg_build b = dg_build_before(s->g, n);
    b.refused = refused;
    b.ctx = s;
    return b;
}

/* ---- constants ---- */

static const dg_attr *constant_data(const dg_graph *g, dg_value v)
{
    dg_node def = dg_value_of(g, v)->def;
    if (def == DG_NONE || !(dg_node_of(g, def)->op->traits & DG_LEAF)) return NULL;
    const dg_attr *data = dg_attr_find(&dg_node_of(g, def)->attrs, "data");
    return data && data->kind == DG_DATA ? data : NULL;
}

static size_t ref_size(dg_dtype t)
{
    return dg_dtype_is_float(t) ? sizeof(double) : dg_dtype_size(t);
}

/* Ref kernels know floats as f64 only. */
static dg_dtype ref_dtype(dg_dtype t)
{
    return dg_dtype_is_float(t) ? DG_F64 : t;
}

/* A packed operand as ref kernels want it: doubles, int32 or bytes; floats rounded to their dtype
 * first. */
static dg_view operand(simplifier *s, dg_value v)
{
    const dg_type *t = dg_type_of(s->g, v);
    const dg_attr *data = constant_data(s->g, v);
    dg_view view = {.dtype = ref_dtype(t->dtype), .shape = t->shape};
    bool floats = dg_dtype_is_float(t->dtype);
    int64_t n = dg_shape_count(&t->shape),
            have = data->n / (int64_t)(floats ? sizeof(double) : sizeof(int32_t));
    view.data = dg_arena_alloc(s->scratch, (size_t)n * ref_size(t->dtype));
    for (int64_t i = 0; i < n; i++) {
        int64_t k = have == 1 ? 0 : i;
        if (floats) {
            double x = ((const double *)data->v.data)[k];
            ((double *)view.data)[i] = t->dtype == DG_F32 ? (double)(float)x : x;
        } else if (t->dtype == DG_I32) {
            ((int32_t *)view.data)[i] = ((const int32_t *)data->v.data)[k];
        } else {
            ((uint8_t *)view.data)[i] = (uint8_t)((const int32_t *)data->v.data)[k];
        }
    }
    dg_view_pack(&view);
    return view;
}

static dg_value result(simplifier *s, dg_build *b, const dg_view *v, dg_dtype dtype)
{
    int64_t n = dg_shape_count(&v->shape);
    double *values = DG_NEW_ARRAY(s->scratch, double, n);
    for (int64_t i = 0; i < n; i++) {
        if (dtype == DG_F64)
            values[i] = ((const double *)v->data)[i];
        else if (dtype == DG_F32)
            values[i] = (float)((const double *)v->data)[i];
        else if (dtype == DG_I32)
            values[i] = ((const int32_t *)v->data)[i];
        else
            values[i] = ((const uint8_t *)v->data)[i];
    }
    return dg_const(b, dtype, v->shape, values);
}

static void fold_failed(void *ctx, const dg_call *k, const char *message)
{
    (void)k;
    (void)message;
    *(bool *)ctx = true; /* an index out of range: left for the run, which names the line */
}

static bool foldable(simplifier *s, dg_node n)
{
    const dg_node_info *i = dg_node_of(s->g, n);
    if (i->op->traits & (DG_RANDOM | DG_EFFECT | DG_LEAF | DG_CONTROL | DG_NOT_FOLDED))
        return false;
    if (!i->op->ref || i->n_in == 0 || i->strip) return false;
    int64_t in = 0, out = 0;
    for (int k = 0; k < i->n_in; k++) {
        if (!constant_data(s->g, i->in[k])) return false;
        in += dg_type_bytes(dg_type_of(s->g, i->in[k]));
    }
    for (int k = 0; k < i->n_out; k++) out += dg_type_bytes(dg_type_of(s->g, i->out[k]));
    if (i->op->traits & DG_VIEW && out > in) return false; /* repeated bytes are better as a view */
    if (in > FOLD_MOST_BYTES || out > (in > FOLD_BYTES ? in : FOLD_BYTES)) return false;
    if (!i->op->flops) return true;
    dg_infer t = dg_types_of(s->g, n);
    return i->op->flops(&t) <= FOLD_FLOPS;
}

static bool fold(simplifier *s, dg_node n)
{
    if (!foldable(s, n)) return false;
    dg_node_info i = *dg_node_of(s->g, n);
    dg_view *in = DG_NEW_ARRAY(s->scratch, dg_view, i.n_in),
            *out = DG_NEW_ARRAY(s->scratch, dg_view, i.n_out);
    for (int k = 0; k < i.n_in; k++) in[k] = operand(s, i.in[k]);
    for (int k = 0; k < i.n_out; k++) {
        const dg_type *t = dg_type_of(s->g, i.out[k]);
        out[k] = (dg_view){.dtype = ref_dtype(t->dtype), .shape = t->shape};
        out[k].data =
            dg_arena_alloc(s->scratch, (size_t)dg_shape_count(&t->shape) * ref_size(t->dtype));
        dg_view_pack(&out[k]);
    }
    bool failed = false;
    dg_run run = {.isa = DG_GENERIC, .fail = fold_failed, .fail_ctx = &failed};
    dg_call call = {.in = in,
                    .out = out,
                    .n_in = i.n_in,
                    .n_out = i.n_out,
                    .n_own = i.n_in,
                    .attrs = &i.attrs,
                    .run = &run};
    i.op->ref(&call);
    if (failed) return false;
    dg_build b = builder(s, n);
    for (int k = 0; k < i.n_out; k++) {
        dg_value v = result(s, &b, &out[k], dg_type_of(s->g, i.out[k])->dtype);
        dg_value_of(s->g, v)->path = dg_value_of(s->g, i.out[k])->path;
        replace(s, i.out[k], v);
    }
    return true;
}

/* ---- rules ---- */

static bool replace_all_outputs(simplifier *s, dg_node n, dg_value by, dg_value fresh)
{
    const dg_node_info *i = dg_node_of(s->g, n);
    dg_value_info *v = dg_value_of(s->g, by);
    if (i->n_out != 1 || !dg_type_equal(v->type, dg_type_of(s->g, i->out[0]))) return false;
    if (by >= fresh) v->path = dg_value_of(s->g, i->out[0])->path;
    replace(s, i->out[0], by);
    return true;
}

static bool own_rule(simplifier *s, dg_node n)
{
    const dg_node_info *node = dg_node_of(s->g, n);
    if (!node->op->simplify || node->strip || node->n_out != 1) return false;
    dg_node_info i = *node; /* by value: adding moves the array */
    dg_build b = builder(s, n);
    dg_type out = *dg_type_of(s->g, i.out[0]);
    dg_value fresh = (dg_value)s->g->values.n;
    dg_value v = i.op->simplify(&b, &i.attrs, i.in, i.n_in, &out);
    return v != DG_NONE && replace_all_outputs(s, n, v, fresh);
}

static bool stopped(simplifier *s, dg_node n)
{
    const dg_node_info *i = dg_node_of(s->g, n);
    if (!(i->op->traits & DG_STOPS_GRADIENT) || i->n_in != 1) return false;
    return replace_all_outputs(s, n, i->in[0], (dg_value)s->g->values.n);
}

/* The value that `v` repeats, or v. */
static dg_value unrepeated(const simplifier *s, dg_value v)
{
    dg_node def = dg_value_of(s->g, v)->def;
    if (def == DG_NONE || dg_node_of(s->g, def)->op != s->expand) return v;
    return dg_node_of(s->g, def)->in[0];
}

static bool elementwise(simplifier *s, dg_node n)
{
    const dg_node_info *node = dg_node_of(s->g, n);
    if (!(node->op->traits & DG_ELEMENTWISE) || node->strip || node->n_out != 1 || node->n_in > 3)
        return false;
    dg_value in[3];
    bool any = false;
    for (int k = 0; k < node->n_in; k++) {
        in[k] = unrepeated(s, node->in[k]);
        any |= in[k] != node->in[k];
    }
    if (!any) return false;
    dg_node_info i = *node; /* by value: adding moves the array */
    dg_type out = *dg_type_of(s->g, i.out[0]);
    dg_shape all = DG_SCALAR;
    for (int k = 0; k < i.n_in; k++)
        if (!dg_broadcast(&all, &dg_type_of(s->g, in[k])->shape, &all, NULL)) return false;
    dg_build b = builder(s, n);
    dg_value fresh = (dg_value)s->g->values.n;
    if (dg_shape_equal(&all, &out.shape)) { /* the others have the full shape */
        for (int k = 0; k < i.n_in; k++) dg_node_of(s->g, n)->in[k] = in[k];
        return false; /* the same node, further rules may follow */
    }
    if (all.rank != 0 && all.rank != out.shape.rank) return false;
    dg_node small = dg_build_node(&b, i.op, i.attrs.at, i.attrs.n, in, i.n_in);
    if (small == DG_NONE) return false;
    return replace_all_outputs(s, n, dg_expand(&b, dg_node_of(s->g, small)->out[0], out.shape),
                               fresh);
}

/* ---- loops ---- */

static bool short_loop(simplifier *s, dg_node n)
{
    dg_graph *g = s->g;
    dg_node_info i = *dg_node_of(g, n);
    int64_t trips = dg_attr_int(&i.attrs, "trips");
    if (trips > 1) return false;
    if (trips == 1) {
        dg_build b = builder(s, n);
        double zero = 0;
        replace(s, dg_region_of(g, i.body)->args.at[0], dg_const(&b, DG_I32, DG_SCALAR, &zero));
        for (int k = 0; k < i.n_in; k++)
            replace(s, dg_region_of(g, i.body)->args.at[k + 1], i.in[k]);
        DG_EACH_NODE(g, i.body, inner) dg_graph_move(g, inner, n, i.region);
    }
    for (int k = 0; k < i.n_out; k++)
        replace(s, i.out[k], trips == 1 ? dg_region_of(g, i.body)->results.at[k] : i.in[k]);
    return true;
}

static void constant_carries(simplifier *s, dg_node n)
{
    const dg_node_info *i = dg_node_of(s->g, n);
    const dg_region_info *body = dg_region_of(s->g, i->body);
    for (int k = 0; k < i->n_in; k++) {
        if (body->results.at[k] != body->args.at[k + 1]) continue;
        replace(s, body->args.at[k + 1], i->in[k]);
        replace(s, i->out[k], i->in[k]);
    }
}

/* ---- the walk ---- */

static bool any_rule(simplifier *s, dg_node n)
{
    if (dg_node_of(s->g, n)->body != DG_NONE) return short_loop(s, n);
    return stopped(s, n) || elementwise(s, n) || fold(s, n) || own_rule(s, n);
}

static void simplify_region(simplifier *s, dg_region r)
{
    dg_graph *g = s->g;
    dg_node n = dg_region_of(g, r)->first;
    while (n != DG_NONE) {
        for (int k = 0; k < dg_node_of(g, n)->n_in; k++) {
            dg_value v = current(s, dg_node_of(g, n)->in[k]);
            dg_node_of(g, n)->in[k] = v;
        }
        dg_node before = dg_node_of(g, n)->prev;
        if (s->visits > 0) {
            s->visits--;
            if (any_rule(s, n)) { /* continue with the first node that the rule put before n */
                dg_graph_unlink(g, n);
                n = before == DG_NONE ? dg_region_of(g, r)->first : dg_node_of(g, before)->next;
                continue;
            }
        }
        dg_region body = dg_node_of(g, n)->body;
        if (body != DG_NONE) {
            constant_carries(s, n);
            simplify_region(s, body);
        }
        n = dg_node_of(g, n)->next;
    }
    for (size_t k = 0; k < dg_region_of(g, r)->results.n; k++) {
        dg_value v = current(s, dg_region_of(g, r)->results.at[k]);
        dg_region_of(g, r)->results.at[k] = v;
    }
}

bool dg_pass_simplify(dg_module *m, const dg_pass_options *o)
{
    (void)o;
    simplifier s = {.m = m,
                    .g = m->graph,
                    .expand = m->graph->find("expand"),
                    .scratch = dg_arena_new(),
                    .visits = 16 * m->graph->nodes.n + 1024};
    int errors = dg_diag_errors(m->diag);
    simplify_region(&s, 0);
    dg_vec_free(&s.map);
    dg_drop_dead(s.g, s.scratch);
    dg_arena_free(s.scratch);
    return dg_diag_errors(m->diag) == errors;
}

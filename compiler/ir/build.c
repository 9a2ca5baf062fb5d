/* build.c: appends nodes whose result types are inferred at once, and the words that gradients and
 * passes are written in.
 *
 * In     an op, attributes in any order, inputs.
 * Out    a node with attributes in table order and fallbacks filled in; its values have types and
 * paths. Keeps  a failed value is poison: what is built upon it is poison too, without a second
 * message. */
#include "compiler/ir/build.h"

#include "compiler/ir/op.h"

#include <assert.h>
#include <string.h>

/* ---- nodes ---- */

/* Names in op->outputs; a repeated one ("ys...") counts none: its shape rule says how many there
 * are. */
static int fixed_outputs(const dg_op *op, bool *repeats)
{
    int n = 0;
    *repeats = false;
    for (const char *at = op->outputs ? op->outputs : ""; *at; at++) {
        if (*at == ' ' || (at[1] != ' ' && at[1] != '\0')) continue; /* not a name's last letter */
        if (*at == '.')
            *repeats = true;
        else
            n++;
    }
    return n;
}

/* Few ops make most of a graph. The slot may still be another's. */
static dg_known_op *slot_of(dg_graph *g, const char *name)
{
    size_t hash = 0;
    for (int i = 0; i < 3 && name[i]; i++) hash = 5 * hash + (unsigned char)name[i];
    return &g->known[hash % (sizeof g->known / sizeof *g->known)];
}

static const dg_known_op *known_op(dg_graph *g, const dg_op *op)
{
    dg_known_op *k = slot_of(g, op->name);
    if (k->op == op) return k;
    k->op = op;
    k->outputs = fixed_outputs(op, &k->repeats);
    dg_op_arity(op, &k->least, &k->most);
    return k;
}

const dg_op *dg_op_named(dg_graph *g, const char *name)
{
    const dg_op *op = slot_of(g, name)->op;
    return op && (op->name == name || strcmp(op->name, name) == 0) ? op : g->find(name);
}

static bool same_name(const char *a, const char *b)
{
    return a == b || (*a == *b && strcmp(a, b) == 0);
}

static bool takes(const dg_op *op, const char *attr)
{
    for (const dg_attr_spec *s = op->attrs; s && s->name; s++)
        if (same_name(s->name, attr)) return true;
    return false;
}

/* Mostly the one at `likely`, since they come in the table's order. */
static const dg_attr *attr_of(const char *name, const dg_attr *given, int n, int likely)
{
    if (likely < n && same_name(given[likely].name, name)) return &given[likely];
    for (int i = 0; i < n; i++)
        if (same_name(given[i].name, name)) return &given[i];
    return NULL;
}

/* Attributes in table order, fallbacks filled in; false after a refusal. */
static bool order_attrs(dg_infer *t, const dg_attr *given, int n_given, dg_attrs *out)
{
    int n_specs = 0, n = 0, used = 0;
    if (!t->op->attrs && n_given == 0) return true; /* *out is empty already */
    if (t->op->attrs)
        while (t->op->attrs[n_specs].name) n_specs++;
    for (int i = 0; i < n_given; i++)
        if (!takes(t->op, given[i].name))
            return dg_reject(t, "there is no argument `%s`", given[i].name);
    dg_attr *at = DG_NEW_ARRAY(t->arena, dg_attr, n_specs);
    for (int k = 0; k < n_specs; k++) {
        const dg_attr_spec *spec = &t->op->attrs[k];
        const dg_attr *found = attr_of(spec->name, given, n_given, used);
        if (found) {
            used++;
            at[n] = *found;
            if (spec->kind == DG_FLOAT && found->kind == DG_INT)
                at[n] = dg_attr_of_float(spec->name, (double)found->v.i);
            if (at[n].kind != spec->kind)
                return dg_reject_attr(t, spec->name, "`%s` has the wrong kind", spec->name);
        } else if (spec->required) {
            return dg_reject(t, "the argument `%s` is missing", spec->name);
        } else if (spec->kind == DG_INT) {
            at[n] = dg_attr_of_int(spec->name, (int64_t)spec->fallback);
        } else if (spec->kind == DG_FLOAT) {
            at[n] = dg_attr_of_float(spec->name, spec->fallback);
        } else {
            continue; /* lists and texts have no fallback: absent is a value of its own */
        }
        at[n++].name = spec->name;
    }
    *out = (dg_attrs){n, at};
    return true;
}

/* "stats.rstd": further outputs have their own names behind the node's, or their numbers. */
static dg_str output_name(const dg_build *b, const dg_op *op, dg_str name, int output)
{
    const char *at = op->outputs ? op->outputs : "";
    for (int i = 0; i < output && *at; i++) {
        at += strcspn(at, " ");
        at += strspn(at, " ");
    }
    int length = (int)strcspn(at, " .");
    if (length == 0 || at[length] == '.')
        return dg_intern_printf(b->graph->strings, "%s.%d", name, output);
    return dg_intern_printf(b->graph->strings, "%s.%.*s", name, length, at);
}

/* "net.unet.stem.out". Adjoints say that they are ones: "d.net.unet.stem.out". */
static dg_path *result_path(const dg_build *b, const dg_op *op, int output)
{
    dg_str name = b->name ? b->name : op->name;
    if (output > 0) name = output_name(b, op, name, output);
    return dg_path_of_parts(b->graph, b->phase == DG_BACKWARD ? "d" : NULL, b->scope, name);
}

const dg_origin *dg_build_origin(dg_build *b)
{
    if (!b->origin && b->outer)
        b->origin = dg_arena_copy(b->graph->arena, &(dg_origin){.span = b->span, .outer = b->outer},
                                  sizeof *b->origin);
    return b->origin;
}

static dg_node append(dg_build *b, const dg_op *op, dg_attrs attrs, const dg_value *in, int n_in,
                      const dg_type *out, int n_out)
{
    dg_graph *g = b->graph;
    dg_node n = dg_graph_add(g, b->region, b->before, op, attrs, in, n_in, out, n_out);
    dg_node_info *info = dg_node_of(g, n);
    if (b->scope) info->scope = b->scope;
    info->origin = dg_build_origin(b);
    info->phase = b->phase;
    info->remat = b->remat;
    for (int i = 0; i < n_out; i++) dg_value_of(g, info->out[i])->path = result_path(b, op, i);
    return n;
}

dg_node dg_build_node(dg_build *b, const struct dg_op *op, const dg_attr *attrs, int n_attrs,
                      const dg_value *in, int n_in)
{
    enum { FEW = 16 };
    dg_graph *g = b->graph;
    const dg_type *few_in[FEW], **types = few_in;
    if (n_in > FEW) types = DG_NEW_ARRAY(g->arena, const dg_type *, n_in);
    dg_type few_out[FEW + 16];
    dg_type *out = n_in <= FEW ? few_out : DG_NEW_ARRAY(g->arena, dg_type, n_in + 16);
    const dg_known_op *known = known_op(g, op);
    int n_out = known->outputs, least = known->least, most = known->most;
    bool poison = false;
    for (int i = 0; i < n_in; i++) {
        types[i] = dg_type_of(g, in[i]);
        poison |= types[i]->dtype == DG_POISON;
    }
    dg_attrs none = {0, NULL}, ordered = none;
    dg_infer t = {.op = op,
                  .attrs = &ordered,
                  .n_in = n_in,
                  .in = types,
                  .out = out,
                  .n_out = n_out,
                  .id = "E018",
                  .input = {-1, -1},
                  .arena = g->arena};
    if (poison) {
        if (known->repeats) n_out = n_in; /* at least as many as there could be */
        for (int i = 0; i < n_out; i++) out[i] = (dg_type){.dtype = DG_POISON};
        return append(b, op, none, in, n_in, out, n_out);
    }
    bool good = n_in >= least && n_in <= most;
    if (!good) {
        if (least == most)
            dg_reject(&t, "%d operands are wanted, not %d", least, n_in);
        else
            dg_reject(&t, "%d operands are too %s", n_in, n_in < least ? "few" : "many");
    }
    good = good && order_attrs(&t, attrs, n_attrs, &ordered) && op->infer(&t);
    if (!good) {
        if (b->refused) b->refused(b->ctx, &t);
        return DG_NONE;
    }
    return append(b, op, ordered, in, n_in, out, t.n_out);
}

dg_value dg_poison(dg_build *b)
{
    dg_value v = (dg_value)b->graph->values.n;
    dg_path *path = dg_path_of_text(b->graph, "poison");
    const dg_type *type = dg_shared_type(b->graph, &(dg_type){.dtype = DG_POISON});
    dg_vec_push(&b->graph->values,
                (dg_value_info){.type = type, .path = path, .def = DG_NONE, .region = b->region});
    return v;
}

dg_value dg_emit(dg_build *b, const char *op, const dg_attr *attrs, int n_attrs, const dg_value *in,
                 int n_in)
{
    const dg_op *found = dg_op_named(b->graph, op);
    assert(found);
    if (!found) return dg_poison(b);
    dg_node n = dg_build_node(b, found, attrs, n_attrs, in, n_in);
    return n == DG_NONE ? dg_poison(b) : dg_node_of(b->graph, n)->out[0];
}

dg_shape dg_shape_of(const dg_build *b, dg_value v)
{
    return dg_type_of(b->graph, v)->shape;
}

dg_dtype dg_dtype_of(const dg_build *b, dg_value v)
{
    return dg_type_of(b->graph, v)->dtype;
}

/* ---- constants ---- */

static dg_value constant(dg_build *b, dg_dtype t, dg_shape s, const double *values, int64_t n)
{
    dg_arena *a = b->graph->arena;
    dg_attr data = {.name = "data", .kind = DG_DATA};
    if (dg_dtype_is_float(t)) {
        data.n = (int)(n * (int64_t)sizeof(double));
        data.v.data = dg_arena_copy(a, values, (size_t)data.n);
    } else {
        int32_t *ints = DG_NEW_ARRAY(a, int32_t, n);
        for (int64_t i = 0; i < n; i++) ints[i] = (int32_t)values[i];
        data.n = (int)(n * (int64_t)sizeof(int32_t));
        data.v.data = ints;
    }
    dg_attr attrs[] = {dg_attr_of_int("dtype", t), dg_attr_of_ints(a, "shape", s.dim, s.rank),
                       data};
    return dg_emit(b, "constant", attrs, 3, NULL, 0);
}

dg_value dg_const(dg_build *b, dg_dtype t, dg_shape s, const double *values)
{
    return constant(b, t, s, values, dg_shape_count(&s));
}

dg_value dg_full(dg_build *b, dg_dtype t, dg_shape s, double value)
{
    return dg_expand(b, constant(b, t, DG_SCALAR, &value, 1), s);
}

dg_value dg_full_like(dg_build *b, dg_value like, double value)
{
    if (dg_dtype_of(b, like) == DG_POISON) return like;
    return dg_full(b, dg_dtype_of(b, like), dg_shape_of(b, like), value);
}

dg_value dg_number(dg_build *b, dg_value like, double value)
{
    if (dg_dtype_of(b, like) == DG_POISON) return like;
    return constant(b, dg_dtype_of(b, like), DG_SCALAR, &value, 1);
}

bool dg_known_number(const dg_build *b, dg_value v, double *out)
{
    for (;;) {
        dg_node def = dg_value_of(b->graph, v)->def;
        if (def == DG_NONE) return false;
        const dg_node_info *i = dg_node_of(b->graph, def);
        const dg_attr *data = dg_attr_find(&i->attrs, "data");
        if (data && data->kind == DG_DATA) {
            bool floats = dg_dtype_is_float(dg_type_of(b->graph, v)->dtype);
            if (data->n != (int)(floats ? sizeof(double) : sizeof(int32_t))) return false;
            *out = floats ? *(const double *)data->v.data : *(const int32_t *)data->v.data;
            if (dg_type_of(b->graph, v)->dtype == DG_F32) *out = (float)*out;
            return true;
        }
        if (!(i->op->traits & DG_VIEW)) return false;
        v = i->in[0];
    }
}

dg_value dg_operand_of(const dg_build *b, dg_value v, const char *op)
{
    dg_node def = dg_value_of(b->graph, v)->def;
    if (def == DG_NONE) return DG_NONE;
    const dg_node_info *i = dg_node_of(b->graph, def);
    return i->n_in == 1 && strcmp(i->op->name, op) == 0 ? i->in[0] : DG_NONE;
}

/* ---- arithmetic ---- */

static dg_value binary(dg_build *b, const char *op, dg_value x, dg_value y)
{
    return dg_emit(b, op, NULL, 0, (dg_value[]){x, y}, 2);
}

dg_value dg_add(dg_build *b, dg_value x, dg_value y)
{
    return binary(b, "add", x, y);
}

dg_value dg_sub(dg_build *b, dg_value x, dg_value y)
{
    return binary(b, "sub", x, y);
}

dg_value dg_mul(dg_build *b, dg_value x, dg_value y)
{
    return binary(b, "mul", x, y);
}

dg_value dg_div(dg_build *b, dg_value x, dg_value y)
{
    return binary(b, "div", x, y);
}

dg_value dg_neg(dg_build *b, dg_value x)
{
    return dg_unary(b, "neg", x);
}

dg_value dg_scale(dg_build *b, dg_value x, double by)
{
    return by == 1 ? x : dg_mul(b, x, dg_number(b, x, by));
}

dg_value dg_shift(dg_build *b, dg_value x, double by)
{
    return dg_add(b, x, dg_number(b, x, by));
}

dg_value dg_unary(dg_build *b, const char *op, dg_value x)
{
    return dg_emit(b, op, NULL, 0, &x, 1);
}

dg_value dg_compare(dg_build *b, const char *op, dg_value x, dg_value y)
{
    return binary(b, op, x, y);
}

dg_value dg_where(dg_build *b, dg_value c, dg_value x, dg_value y)
{
    return dg_emit(b, "where", NULL, 0, (dg_value[]){c, x, y}, 3);
}

dg_value dg_cast(dg_build *b, dg_value x, dg_dtype t)
{
    if (dg_dtype_of(b, x) == t) return x;
    dg_attr to = dg_attr_of_int("to", t);
    return dg_emit(b, "cast", &to, 1, &x, 1);
}

/* ---- sums ---- */

static dg_value reduce(dg_build *b, const char *op, dg_value x, dg_axes axes, bool keep)
{
    int64_t list[DG_MAX_RANK];
    for (int i = 0; i < axes.n; i++) list[i] = axes.axis[i];
    dg_attr attrs[] = {dg_attr_of_ints(b->graph->arena, "axes", list, axes.n),
                       dg_attr_of_int("keep", keep)};
    return dg_emit(b, op, attrs, 2, &x, 1);
}

dg_value dg_sum(dg_build *b, dg_value x, dg_axes axes)
{
    return axes.n == 0 ? x : reduce(b, "sum", x, axes, false);
}

dg_value dg_sum_keep(dg_build *b, dg_value x, dg_axes axes)
{
    return axes.n == 0 ? x : reduce(b, "sum", x, axes, true);
}

dg_value dg_mean_keep(dg_build *b, dg_value x, dg_axes axes)
{
    return axes.n == 0 ? x : reduce(b, "mean", x, axes, true);
}

/* ---- shapes: a node is made only where it changes something ---- */

dg_value dg_reshape(dg_build *b, dg_value x, dg_shape s)
{
    dg_shape have = dg_shape_of(b, x);
    if (dg_dtype_of(b, x) == DG_POISON || dg_shape_equal(&have, &s)) return x;
    dg_attr shape = dg_attr_of_ints(b->graph->arena, "shape", s.dim, s.rank);
    return dg_emit(b, "reshape", &shape, 1, &x, 1);
}

dg_value dg_transpose(dg_build *b, dg_value x, const int *perm)
{
    int rank = dg_shape_of(b, x).rank;
    int64_t list[DG_MAX_RANK];
    bool moves = false;
    for (int i = 0; i < rank; i++) {
        list[i] = perm[i];
        moves |= perm[i] != i;
    }
    if (dg_dtype_of(b, x) == DG_POISON || !moves) return x;
    dg_attr attr = dg_attr_of_ints(b->graph->arena, "perm", list, rank);
    return dg_emit(b, "transpose", &attr, 1, &x, 1);
}

dg_value dg_expand(dg_build *b, dg_value x, dg_shape s)
{
    dg_shape have = dg_shape_of(b, x);
    if (dg_dtype_of(b, x) == DG_POISON || dg_shape_equal(&have, &s)) return x;
    dg_attr shape = dg_attr_of_ints(b->graph->arena, "shape", s.dim, s.rank);
    return dg_emit(b, "expand", &shape, 1, &x, 1);
}

dg_value dg_slice(dg_build *b, dg_value x, const int64_t *start, const int64_t *stop,
                  const int64_t *step)
{
    dg_shape s = dg_shape_of(b, x);
    bool all = true;
    for (int i = 0; i < s.rank; i++) all &= start[i] == 0 && stop[i] >= s.dim[i] && step[i] == 1;
    if (dg_dtype_of(b, x) == DG_POISON || all) return x;
    dg_arena *a = b->graph->arena;
    dg_attr attrs[] = {dg_attr_of_ints(a, "start", start, s.rank),
                       dg_attr_of_ints(a, "stop", stop, s.rank),
                       dg_attr_of_ints(a, "step", step, s.rank)};
    return dg_emit(b, "slice", attrs, 3, &x, 1);
}

dg_value dg_pad(dg_build *b, dg_value x, const int64_t *before, const int64_t *after,
                const int64_t *inner)
{
    dg_shape s = dg_shape_of(b, x);
    bool none = true;
    for (int i = 0; i < s.rank; i++)
        none &= before[i] == 0 && after[i] == 0 && (inner[i] == 0 || s.dim[i] < 2);
    if (dg_dtype_of(b, x) == DG_POISON || none) return x;
    dg_arena *a = b->graph->arena;
    dg_attr attrs[] = {dg_attr_of_ints(a, "before", before, s.rank),
                       dg_attr_of_ints(a, "after", after, s.rank),
                       dg_attr_of_ints(a, "inner", inner, s.rank)};
    return dg_emit(b, "pad", attrs, 3, &x, 1);
}

dg_value dg_concat(dg_build *b, const dg_value *xs, int n, int axis)
{
    if (n == 1) return xs[0];
    dg_attr attr = dg_attr_of_int("axis", axis);
    return dg_emit(b, "concat", &attr, 1, xs, n);
}

dg_value dg_matmul(dg_build *b, dg_value x, dg_value y, bool tx, bool ty)
{
    dg_attr attrs[] = {dg_attr_of_int("tx", tx), dg_attr_of_int("ty", ty)};
    return dg_emit(b, "matmul", attrs, 2, (dg_value[]){x, y}, 2);
}

dg_value dg_loop_trip(dg_build *b)
{
    const dg_region_info *r = dg_region_of(b->graph, b->region);
    if (r->owner != DG_NONE && r->args.n > 0) return r->args.at[0];
    double zero = 0;
    return constant(b, DG_I32, DG_SCALAR, &zero, 1);
}

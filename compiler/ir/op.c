/* op.c: what ops' files are written with: refusals in the user's numbers, the elementwise rule,
 * attributes, the sum that undoes broadcasting in gradients, and look-ups in an op's tables. */
#include "compiler/ir/op.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

/* ---- shape rules ---- */

dg_shape dg_in_shape(const dg_infer *t, int input)
{
    assert(input < t->n_in);
    return t->in[input]->shape;
}

dg_dtype dg_in_dtype(const dg_infer *t, int input)
{
    assert(input < t->n_in);
    return t->in[input]->dtype;
}

const char *dg_input_name(const dg_infer *t, int input)
{
    const char *at = t->op->inputs ? t->op->inputs : "", *word = at;
    size_t n = 0;
    for (int i = 0; i <= input; i++) {
        at += strspn(at, " ");
        if (*at == '\0') break;
        word = at;
        n = strcspn(at, " ?.");
        at += strcspn(at, " ");
    }
    return dg_arena_text(t->arena, word, n);
}

__attribute__((format(printf, 6, 0))) static bool refuse(dg_infer *t, const char *id,
                                                         const char *attr, int a, int b,
                                                         const char *format, va_list args)
{
    t->id = id;
    t->what = dg_arena_vprintf(t->arena, format, args);
    t->attr = attr;
    t->input[0] = a;
    t->input[1] = b;
    return false;
}

bool dg_reject(dg_infer *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    refuse(t, "E018", NULL, -1, -1, format, args);
    va_end(args);
    return false;
}

bool dg_reject_attr(dg_infer *t, const char *attr, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    refuse(t, "E018", attr, -1, -1, format, args);
    va_end(args);
    return false;
}

bool dg_reject_input(dg_infer *t, int input, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    refuse(t, "E018", NULL, input, -1, format, args);
    va_end(args);
    return false;
}

bool dg_reject_inputs(dg_infer *t, const char *id, int a, int b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    refuse(t, id, NULL, a, b, format, args);
    va_end(args);
    return false;
}

bool dg_help(dg_infer *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    t->help = dg_arena_vprintf(t->arena, format, args);
    va_end(args);
    return false;
}

bool dg_want_rank(dg_infer *t, int input, int rank)
{
    int have = dg_in_shape(t, input).rank;
    if (have == rank) return true;
    return dg_reject_input(t, input, "`%s` has rank %d, wanted is rank %d", dg_input_name(t, input),
                           have, rank);
}

bool dg_want_rank_from(dg_infer *t, int input, int least, int most)
{
    int have = dg_in_shape(t, input).rank;
    if (have >= least && have <= most) return true;
    if (most >= DG_MAX_RANK)
        return dg_reject_input(t, input, "`%s` has rank %d, wanted is rank %d at least",
                               dg_input_name(t, input), have, least);
    return dg_reject_input(t, input, "`%s` has rank %d, wanted is rank %d to %d",
                           dg_input_name(t, input), have, least, most);
}

bool dg_want_shape(dg_infer *t, int input, dg_shape shape)
{
    if (dg_shape_equal(&t->in[input]->shape, &shape)) return true;
    dg_type want = {t->in[input]->dtype, shape};
    return dg_reject_input(t, input, "`%s` is %s, wanted is %s", dg_input_name(t, input),
                           dg_type_name(t->arena, t->in[input]), dg_type_name(t->arena, &want));
}

bool dg_want_float(dg_infer *t, int input)
{
    dg_dtype have = dg_in_dtype(t, input);
    if (dg_dtype_is_float(have)) return true;
    dg_reject_input(t, input, "`%s` is %s, wanted are floats", dg_input_name(t, input),
                    dg_type_name(t->arena, t->in[input]));
    return have == DG_POISON ? false : dg_help(t, "convert it with f32(...)");
}

bool dg_want_dtype(dg_infer *t, int input, dg_dtype dtype)
{
    if (dg_in_dtype(t, input) == dtype) return true;
    return dg_reject_input(t, input, "`%s` is %s, wanted is %s", dg_input_name(t, input),
                           dg_type_name(t->arena, t->in[input]), dg_dtype_name(dtype));
}

bool dg_want_same_dtype(dg_infer *t, int a, int b)
{
    dg_dtype x = dg_in_dtype(t, a), y = dg_in_dtype(t, b);
    if (x == y) return true;
    dg_reject_inputs(t, "E018", a, b, "dtypes differ: %s and %s", dg_dtype_name(x),
                     dg_dtype_name(y));
    dg_dtype to = dg_dtype_is_float(y) && !dg_dtype_is_float(x) ? y : x;
    return dg_help(t, "nothing converts by itself: write %s(...) around the other",
                   dg_dtype_name(to));
}

bool dg_give_typed(dg_infer *t, int output, dg_dtype dtype, dg_shape shape)
{
    if (!dg_shape_fits(&shape, dtype)) {
        if (shape.rank > DG_MAX_RANK || shape.rank < 0)
            return dg_reject(t, "the result would have rank %d, more than %d", shape.rank,
                             DG_MAX_RANK);
        dg_type type = {dtype, shape};
        return dg_reject(t, "the result would be %s, which is too large",
                         dg_type_name(t->arena, &type));
    }
    t->out[output] = (dg_type){dtype, shape};
    if (t->n_out <= output) t->n_out = output + 1;
    return true;
}

bool dg_give(dg_infer *t, int output, dg_shape shape)
{
    return dg_give_typed(t, output, t->in[0]->dtype, shape);
}

bool dg_infer_broadcast(dg_infer *t, dg_shape *out)
{
    dg_shape s = t->in[0]->shape;
    int shaped = 0; /* the input whose rank `s` has */
    for (int i = 1; i < t->n_in; i++) {
        dg_shape other = t->in[i]->shape;
        int axis;
        if (dg_broadcast(&s, &other, &s, &axis)) {
            if (t->in[shaped]->shape.rank == 0) shaped = i;
            continue;
        }
        if (axis >= 0)
            return dg_reject_inputs(t, "E020", shaped, i,
                                    "operands differ on axis %d: %lld and %lld", axis,
                                    (long long)s.dim[axis], (long long)other.dim[axis]);
        int small = s.rank < other.rank ? shaped : i, large = small == i ? shaped : i;
        const char *a = dg_input_name(t, small), *b = dg_input_name(t, large);
        dg_reject_inputs(t, "E020", shaped, i, "rank %d against rank %d", s.rank, other.rank);
        return dg_help(t, "lead(%s, %s) aligns the first axes, trail(%s, %s) the last ones", a, b,
                       a, b);
    }
    *out = s;
    return true;
}

bool dg_infer_elementwise(dg_infer *t, dg_dtype out)
{
    for (int i = 1; i < t->n_in; i++) {
        if (!dg_want_same_dtype(t, 0, i)) return false;
    }
    dg_shape s;
    return dg_infer_broadcast(t, &s) &&
           dg_give_typed(t, 0, out == DG_POISON ? t->in[0]->dtype : out, s);
}

/* ---- gradients ---- */

dg_value dg_grad_to(dg_build *b, dg_value d, dg_value like)
{
    dg_shape have = dg_shape_of(b, d), want = dg_shape_of(b, like);
    if (dg_dtype_of(b, d) == DG_POISON || dg_dtype_of(b, like) == DG_POISON ||
        dg_shape_equal(&have, &want))
        return d;
    dg_axes axes = {0};
    if (want.rank == 0) {
        for (int i = 0; i < have.rank; i++) axes.axis[axes.n++] = i;
        return dg_sum(b, d, axes);
    }
    if (have.rank == want.rank) {
        for (int i = 0; i < have.rank; i++) {
            if (want.dim[i] == 1 && have.dim[i] != 1) axes.axis[axes.n++] = i;
        }
        d = dg_sum_keep(b, d, axes);
    }
    return dg_expand(b, d, want);
}

/* ---- tables ---- */

dg_infer dg_types_of(const dg_graph *g, dg_node n)
{
    const dg_node_info *i = dg_node_of(g, n);
    dg_type_room *room = g->asked;
    room->in.n = room->out.n = 0;
    for (int k = 0; k < i->n_in; k++) dg_vec_push(&room->in, dg_type_of(g, i->in[k]));
    for (int k = 0; k < i->n_out; k++) dg_vec_push(&room->out, *dg_type_of(g, i->out[k]));
    if (i->prologue) {
        const dg_type **operand = &room->in.at[i->prologue->operand];
        room->made = (dg_type){(*operand)->dtype, i->prologue->shape};
        *operand = &room->made;
    }
    return (dg_infer){.op = i->op,
                      .attrs = &i->attrs,
                      .n_in = i->n_own,
                      .in = room->in.at,
                      .out = room->out.at,
                      .n_out = i->n_out,
                      .input = {-1, -1},
                      .prologue = i->prologue};
}

bool dg_op_takes_prologue(const dg_op *op, int input)
{
    for (const dg_kernel *k = op->kernels; k && k->run && input < 32; k++) {
        if (k->dtype == DG_F32 && !k->any_dtype && k->prologue >> input & 1) return true;
    }
    return false;
}

const dg_lanes *dg_lanes_find(const dg_op *op, dg_dtype out, const dg_dtype *in, int n_in)
{
    if (!op->lanes || n_in > 3) return NULL;
    for (const dg_lanes *l = op->lanes; l->fn[DG_GENERIC] || l->draw; l++) {
        bool same = l->out == out;
        for (int i = 0; same && i < n_in; i++) same = l->in[i] == in[i];
        if (same) return l;
    }
    return NULL;
}

void dg_op_arity(const dg_op *op, int *least, int *most)
{
    *least = *most = 0;
    for (const char *at = op->inputs ? op->inputs : ""; *at; at++) {
        if (*at == ' ' || (at[1] != ' ' && at[1] != '\0')) continue; /* not a name's last letter */
        if (*at == '.')
            *most = INT32_MAX;
        else if (*at == '?')
            ++*most;
        else
            ++*least, ++*most;
    }
}

/* ---- attributes ---- */

static const dg_attr *present(const dg_attrs *a, const char *name, dg_attr_kind kind)
{
    const dg_attr *found = dg_attr_find(a, name);
    assert(found && found->kind == kind);
    (void)kind;
    return found;
}

int64_t dg_attr_int(const dg_attrs *a, const char *name)
{
    return present(a, name, DG_INT)->v.i;
}

double dg_attr_float(const dg_attrs *a, const char *name)
{
    return present(a, name, DG_FLOAT)->v.f;
}

const int64_t *dg_attr_ints(const dg_attrs *a, const char *name, int *n)
{
    const dg_attr *found = present(a, name, DG_INTS);
    if (n) *n = found->n;
    return found->v.ints;
}

const double *dg_attr_floats(const dg_attrs *a, const char *name, int *n)
{
    const dg_attr *found = present(a, name, DG_FLOATS);
    if (n) *n = found->n;
    return found->v.floats;
}

const char *dg_attr_str(const dg_attrs *a, const char *name)
{
    return present(a, name, DG_STR)->v.str;
}

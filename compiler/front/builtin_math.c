/* builtin_math.c: functions of numbers and tensors: elementwise ones, reductions, products, norms.
 *
 * In     static numbers and lists, computed at once; or tensors.
 * Out    a number, or a node of the op of the same name. Ints stay ints where the function allows
 *        it. */
#include "compiler/front/lower.h"

#include "compiler/front/patterns.h"

#include <math.h>
#include <string.h>

static const char *op_of(const dg_bound *c)
{
    return c->f->op ? c->f->op : c->f->name;
}

/* A binary node that the text does not write: `sum` of a list, `max` of two. */
static dg_expr between(const dg_bound *c, dg_binop op)
{
    dg_expr *arg = c->e->args[0].value;
    return (dg_expr){.kind = DG_E_BINARY,
                     .op = (uint8_t)op,
                     .span = c->e->span,
                     .op_span = c->e->span,
                     .a = arg,
                     .b = arg};
}

static dg_sv no_lists(dg_bound *c, const dg_actual *a)
{
    if (a->v.kind == DG_SV_LIST) {
        dg_message *m = dg_complain(c->L, "E021", a->span, "%s does not take a list", c->f->name);
        dg_help_add(c->L->diag, m, "[%s(x) for x in %s] keeps doubles; f32(%s) makes a tensor",
                    c->f->name, dg_source_of(c->L, a->span), dg_source_of(c->L, a->span));
        return dg_sv_poison;
    }
    return dg_spoil(c->L, "E021", a->span, "%s: a number or a tensor is wanted, not %s", c->f->name,
                    dg_sv_kind_text(c->L, a->v));
}

/* ---- one number ---- */

static dg_sv static_int_unary(dg_bound *c, int64_t x, bool *known)
{
    *known = true;
    int64_t r;
    if (strcmp(c->f->name, "abs") == 0 && x != INT64_MIN) return dg_sv_of_int(x < 0 ? -x : x);
    if (strcmp(c->f->name, "sign") == 0) return dg_sv_of_int((x > 0) - (x < 0));
    if (strcmp(c->f->name, "square") == 0 && !__builtin_mul_overflow(x, x, &r))
        return dg_sv_of_int(r);
    if (strcmp(c->f->name, "square") == 0 || strcmp(c->f->name, "abs") == 0)
        return dg_spoil(c->L, "E022", c->e->span, "%s of %lld overflows a 64-bit int", c->f->name,
                        (long long)x);
    *known = false;
    return dg_sv_poison;
}

static dg_sv run_unary(dg_bound *c)
{
    dg_sv v = c->p[0]->v;
    double r;
    if (v.kind == DG_SV_INT) {
        bool known = false;
        dg_sv i = static_int_unary(c, v.i, &known);
        if (known) return i;
    }
    if (dg_sv_is_number(v) && dg_static_unary(c->L, c->f->name, dg_sv_number(v), &r)) {
        double x = dg_sv_number(v);
        char text[32];
        return isfinite(r) || !isfinite(x)
                   ? dg_sv_of_float(r)
                   : dg_spoil(c->L, "E022", c->e->span, "%s(%s) %s", c->f->name,
                              dg_double_text(x, text),
                              isnan(r) ? "has no real value" : "is not finite");
    }
    if (!dg_sv_is_graph(v) && !dg_sv_is_number(v)) return no_lists(c, c->p[0]);
    dg_value x;
    return dg_arg_tensor(c, 0, &x) ? dg_give_op(c, op_of(c), NULL, 0, &x, 1) : dg_sv_poison;
}

/* Static floor and round give an int. */
static dg_sv run_round(dg_bound *c)
{
    dg_sv v = c->p[0]->v;
    if (v.kind == DG_SV_INT) return v;
    if (v.kind != DG_SV_FLOAT) return run_unary(c);
    double r = strcmp(c->f->name, "floor") == 0 ? floor(v.f) : nearbyint(v.f);
    char text[32];
    if (!(r >= -9223372036854775808.0 && r < 9223372036854775808.0))
        return dg_spoil(c->L, "E022", c->e->span, "%s(%s) does not fit in a 64-bit int", c->f->name,
                        dg_double_text(v.f, text));
    return dg_sv_of_int((int64_t)r);
}

/* ---- axes ---- */

static bool axes_of(dg_bound *c, int p, int rank, int64_t *axes, int *n)
{
    *n = 0;
    if (!c->p[p]) {
        while (*n < rank) axes[*n] = *n, ++*n;
        return true;
    }
    dg_sv v = c->p[p]->v;
    int64_t count = v.kind == DG_SV_LIST ? v.list->n : 1;
    bool seen[DG_MAX_RANK] = {false};
    for (int64_t i = 0; i < count; i++) {
        int64_t axis;
        if (!dg_static_int(c->L, v.kind == DG_SV_LIST ? v.list->at[i] : v, c->p[p]->span, "axes",
                           &axis))
            return false;
        if (axis < -rank || axis >= rank) {
            dg_complain(c->L, "E018", c->p[p]->span, "%s: axis %lld of a tensor of rank %d",
                        c->f->name, (long long)axis, rank);
            return false;
        }
        axis = axis < 0 ? axis + rank : axis;
        if (seen[axis]) {
            dg_complain(c->L, "E018", c->p[p]->span, "%s: axis %lld stands twice", c->f->name,
                        (long long)axis);
            return false;
        }
        seen[axis] = true;
    }
    for (int i = 0; i < rank; i++) {
        if (seen[i]) axes[(*n)++] = i;
    }
    return true;
}

static dg_sv reduce(dg_bound *c, int p_axes, int p_keep)
{
    dg_value x;
    bool keep;
    int64_t axes[DG_MAX_RANK];
    int n;
    if (!dg_arg_tensor(c, 0, &x) || !dg_arg_bool(c, p_keep, false, &keep)) return dg_sv_poison;
    if (!axes_of(c, p_axes, dg_shape_of(c->L->b, x).rank, axes, &n)) return dg_sv_poison;
    if (n == 0) return dg_give_value(c, x);
    dg_attr attrs[] = {dg_attr_of_ints(c->L->arena, "axes", axes, n), dg_attr_of_int("keep", keep)};
    return dg_give_op(c, op_of(c), attrs, 2, &x, 1);
}

/* ---- lists folded: sum prod min max mean any all ---- */

static dg_sv two_least(dg_bound *c, dg_sv a, dg_sv b, bool least)
{
    dg_lower *L = c->L;
    if (dg_sv_is_number(a) && dg_sv_is_number(b)) {
        bool first =
            least ? dg_sv_number(a) <= dg_sv_number(b) : dg_sv_number(a) >= dg_sv_number(b);
        bool floats = a.kind != b.kind;
        dg_sv r = first ? a : b;
        return floats ? dg_sv_of_float(dg_sv_number(r)) : r;
    }
    bool fine =
        (dg_sv_is_graph(a) || dg_sv_is_number(a)) && (dg_sv_is_graph(b) || dg_sv_is_number(b));
    if (!fine) {
        dg_sv wrong = dg_sv_is_graph(a) || dg_sv_is_number(a) ? b : a;
        return dg_spoil(L, "E021", c->e->span, "%s: numbers or tensors are wanted, not %s",
                        c->f->name, dg_sv_kind_text(L, wrong));
    }
    dg_dtype like = dg_graph_type(L, dg_sv_is_graph(a) ? a : b)->dtype;
    dg_value in[2];
    in[0] = dg_tensor_of(L, a, dg_sv_is_graph(a) ? DG_POISON : like, c->e->span, c->f->name);
    in[1] = dg_tensor_of(L, b, dg_sv_is_graph(b) ? DG_POISON : like, c->e->span, c->f->name);
    if (!L->b) return dg_sv_poison;
    return dg_give_op(c, least ? "minimum" : "maximum", NULL, 0, in, 2);
}

static dg_sv fold(dg_bound *c, dg_sv list, dg_binop op, bool least, bool order)
{
    int64_t n = list.list->n;
    dg_expr e = between(c, op);
    if (n == 0 && order)
        return dg_spoil(c->L, "E021", c->p[0]->span, "%s of an empty list", c->f->name);
    if (n == 0) return dg_sv_of_int(op == DG_B_MUL);
    dg_sv v = dg_settle(c->L, list.list->at[0]);
    if (n == 1 && !dg_sv_is_graph(v) && !dg_sv_is_number(v))
        return dg_spoil(c->L, "E021", c->p[0]->span,
                        "%s: a list of numbers or tensors is wanted, element 0 is %s", c->f->name,
                        dg_sv_kind_text(c->L, v));
    for (int64_t i = 1; i < n && v.kind != DG_SV_POISON; i++) {
        if (!dg_tick(c->L, 0, c->e->span)) return dg_sv_poison;
        dg_sv x = dg_settle(c->L, list.list->at[i]);
        v = order ? two_least(c, v, x, least) : dg_apply_binary(c->L, &e, v, x);
    }
    return v;
}

static dg_sv run_sum(dg_bound *c)
{
    dg_sv v = c->p[0]->v;
    if (v.kind == DG_SV_LIST)
        return fold(c, v, strcmp(c->f->name, "prod") == 0 ? DG_B_MUL : DG_B_ADD, false, false);
    return dg_sv_is_graph(v) ? reduce(c, 1, 2) : no_lists(c, c->p[0]);
}

static dg_sv run_mean(dg_bound *c)
{
    dg_sv v = c->p[0]->v;
    if (v.kind != DG_SV_LIST) return dg_sv_is_graph(v) ? reduce(c, 1, 2) : no_lists(c, c->p[0]);
    if (v.list->n == 0) return dg_spoil(c->L, "E021", c->p[0]->span, "mean of an empty list");
    dg_expr over = between(c, DG_B_DIV);
    dg_sv total = fold(c, v, DG_B_ADD, false, false);
    return total.kind == DG_SV_POISON
               ? total
               : dg_apply_binary(c->L, &over, total, dg_sv_of_int(v.list->n));
}

static dg_sv run_min_max(dg_bound *c)
{
    bool least = strcmp(c->f->name, "min") == 0;
    dg_sv a = dg_settle(c->L, c->p[0]->v);
    if (c->p[1]) return two_least(c, a, dg_settle(c->L, c->p[1]->v), least);
    if (a.kind == DG_SV_LIST) return fold(c, a, DG_B_ADD, least, true);
    return dg_sv_is_graph(a) ? reduce(c, 2, 3) : no_lists(c, c->p[0]);
}

static dg_sv run_any_all(dg_bound *c)
{
    dg_sv v = c->p[0]->v;
    bool any = strcmp(c->f->name, "any") == 0;
    if (dg_sv_is_graph(v)) return reduce(c, 1, 2);
    if (v.kind != DG_SV_LIST) return no_lists(c, c->p[0]);
    bool result = !any;
    for (int64_t i = 0; i < v.list->n; i++) {
        bool b;
        if (!dg_static_bool(c->L, dg_settle(c->L, v.list->at[i]), c->p[0]->span, c->f->name, &b))
            return dg_sv_poison;
        result = any ? result || b : result && b;
    }
    return dg_sv_of_bool(result);
}

/* ---- one axis ---- */

static int by_number(dg_sv a, dg_sv b)
{
    double x = dg_sv_number(a), y = dg_sv_number(b);
    return x < y ? -1 : x > y;
}

static void merge_sort(dg_sv *at, dg_sv *room, int64_t n)
{
    if (n < 2) return;
    int64_t half = n / 2, i = 0, k = half, out = 0;
    merge_sort(at, room, half);
    merge_sort(at + half, room, n - half);
    while (i < half && k < n) room[out++] = by_number(at[k], at[i]) < 0 ? at[k++] : at[i++];
    while (i < half) room[out++] = at[i++];
    while (k < n) room[out++] = at[k++];
    memcpy(at, room, sizeof *at * (size_t)n);
}

static dg_sv sorted(dg_bound *c, dg_sv list)
{
    for (int64_t i = 0; i < list.list->n; i++) {
        if (!dg_sv_is_number(list.list->at[i]))
            return dg_spoil(c->L, "E021", c->p[0]->span,
                            "sort: a list of numbers is wanted, element %lld is %s", (long long)i,
                            dg_sv_kind_text(c->L, list.list->at[i]));
    }
    if (!dg_tick(c->L, list.list->n, c->e->span)) return dg_sv_poison;
    dg_sv out = dg_list_copy(c->L, DG_SV_LIST, list.list->at, list.list->n);
    merge_sort(out.list->at, DG_NEW_ARRAY(c->L->arena, dg_sv, list.list->n), list.list->n);
    return out;
}

static dg_sv summed(dg_bound *c, dg_sv list)
{
    dg_expr plus = between(c, DG_B_ADD);
    if (!dg_tick(c->L, list.list->n, c->e->span)) return dg_sv_poison;
    dg_sv out = dg_list_new(c->L, DG_SV_LIST, list.list->n);
    for (int64_t i = 0; i < list.list->n; i++) {
        out.list->at[i] = i == 0 ? dg_settle(c->L, list.list->at[0])
                                 : dg_apply_binary(c->L, &plus, out.list->at[i - 1],
                                                   dg_settle(c->L, list.list->at[i]));
        if (out.list->at[i].kind == DG_SV_POISON) return dg_sv_poison;
    }
    return out;
}

/* softmax log_softmax cumsum argmax sort argsort: the last axis unless `axis` says otherwise. */
static dg_sv run_axis(dg_bound *c)
{
    dg_sv v = c->p[0]->v;
    if (v.kind == DG_SV_LIST && strcmp(c->f->name, "sort") == 0) return sorted(c, v);
    if (v.kind == DG_SV_LIST && strcmp(c->f->name, "cumsum") == 0) return summed(c, v);
    dg_value x;
    int axis;
    if (!dg_sv_is_graph(v)) return no_lists(c, c->p[0]);
    if (!dg_arg_tensor(c, 0, &x)) return dg_sv_poison;
    if (!dg_arg_axis(c, 1, dg_shape_of(c->L->b, x).rank, -1, &axis)) return dg_sv_poison;
    dg_attr attr = dg_attr_of_int("axis", axis);
    return dg_give_op(c, op_of(c), &attr, 1, &x, 1);
}

static dg_sv run_logsumexp(dg_bound *c)
{
    dg_value x;
    int axis;
    bool keep;
    if (!dg_arg_tensor(c, 0, &x) || !dg_arg_bool(c, 2, false, &keep)) return dg_sv_poison;
    if (!dg_arg_axis(c, 1, dg_shape_of(c->L->b, x).rank, -1, &axis)) return dg_sv_poison;
    dg_attr attrs[] = {dg_attr_of_int("axis", axis), dg_attr_of_int("keep", keep)};
    return dg_give_op(c, "logsumexp", attrs, 2, &x, 1);
}

/* ---- three operands ---- */

static dg_sv run_where(dg_bound *c)
{
    dg_lower *L = c->L;
    if (c->p[0]->v.kind == DG_SV_BOOL) return c->p[0]->v.b ? c->p[1]->v : c->p[2]->v;
    dg_dtype like = dg_common_dtype(L, (const dg_actual *const *)&c->p[1], 2);
    dg_value in[3];
    if (like == DG_POISON && dg_sv_is_number(c->p[1]->v) && dg_sv_is_number(c->p[2]->v) &&
        c->p[1]->v.kind != c->p[2]->v.kind)
        like = DG_F32;
    if (!dg_arg_tensor(c, 0, &in[0]) || !dg_arg_tensor_like(c, 1, like, &in[1]) ||
        !dg_arg_tensor_like(c, 2, like, &in[2]))
        return dg_sv_poison;
    return dg_give_op(c, "where", NULL, 0, in, 3);
}

static dg_sv run_clip(dg_bound *c)
{
    dg_sv x = c->p[0]->v, lo = c->p[1]->v, hi = c->p[2]->v;
    if (dg_sv_is_number(x) && dg_sv_is_number(lo) && dg_sv_is_number(hi))
        return two_least(c, two_least(c, x, lo, false), hi, true);
    dg_dtype like = dg_common_dtype(c->L, (const dg_actual *const *)c->p, 3);
    dg_value in[3];
    for (int i = 0; i < 3; i++) {
        if (c->p[i]->v.kind == DG_SV_LIST) return no_lists(c, c->p[i]);
        if (!dg_arg_tensor_like(c, i, like, &in[i])) return dg_sv_poison;
    }
    return dg_give_op(c, "clip", NULL, 0, in, 3);
}

/* ---- products ---- */

static dg_sv run_matmul(dg_bound *c)
{
    dg_dtype like = dg_common_dtype(c->L, (const dg_actual *const *)c->p, 2);
    dg_value in[2];
    if (!dg_arg_tensor_like(c, 0, like, &in[0]) || !dg_arg_tensor_like(c, 1, like, &in[1]))
        return dg_sv_poison;
    return dg_give_op(c, "matmul", NULL, 0, in, 2);
}

/* (w, v) = eigh(x) */
static dg_sv run_eigh(dg_bound *c)
{
    dg_lower *L = c->L;
    dg_value x;
    if (!dg_arg_tensor(c, 0, &x)) return dg_sv_poison;
    dg_at(L, c->e->span);
    dg_node node = dg_build_node(L->b, L->find("eigh"), NULL, 0, &x, 1);
    if (node == DG_NONE) return dg_sv_poison;
    dg_sv out = dg_list_new(L, DG_SV_TUPLE, 2);
    for (int i = 0; i < 2; i++)
        out.list->at[i] = dg_sv_of_tensor(L, dg_node_of(L->b->graph, node)->out[i]);
    return out;
}

static dg_sv run_einsum(dg_bound *c)
{
    dg_lower *L = c->L;
    dg_str pattern;
    int n = c->n_all - 1;
    if (!dg_arg_str(c, 0, &pattern)) return dg_sv_poison;
    dg_value *xs = DG_NEW_ARRAY(L->arena, dg_value, n);
    dg_dtype like = DG_POISON;
    for (int i = 0; i < n && like == DG_POISON; i++)
        if (dg_sv_is_graph(c->all[i + 1].v)) like = dg_graph_type(L, c->all[i + 1].v)->dtype;
    for (int i = 0; i < n; i++) {
        xs[i] = dg_tensor_of(L, c->all[i + 1].v, dg_sv_is_graph(c->all[i + 1].v) ? DG_POISON : like,
                             c->all[i + 1].span, "einsum");
        if (!L->b || dg_dtype_of(L->b, xs[i]) == DG_POISON) return dg_sv_poison;
    }
    dg_pattern_error err = {0};
    int before = dg_diag_errors(L->diag);
    dg_at(L, c->e->span);
    L->site.n = 0; /* the nodes' operands are not those of the call */
    dg_value v = dg_einsum(L->b, pattern, xs, n, &err);
    if (dg_diag_errors(L->diag) == before) dg_pattern_refused(L, c->p[0]->span, "einsum", err.text);
    return dg_give_value(c, v);
}

/* An int, or a list of `n` of them. */
static bool ints_of(dg_bound *c, int p, int64_t fallback, int n, int64_t *out)
{
    for (int i = 0; i < n; i++) out[i] = fallback;
    if (!c->p[p]) return true;
    dg_sv v = c->p[p]->v;
    if (v.kind != DG_SV_LIST) {
        int64_t one;
        if (!dg_arg_int(c, p, 0, &one)) return false;
        for (int i = 0; i < n; i++) out[i] = one;
        return true;
    }
    if (v.list->n != n) {
        dg_complain(c->L, "E018", c->p[p]->span, "conv2d: one int or %d of them, not %lld", n,
                    (long long)v.list->n);
        return false;
    }
    for (int i = 0; i < n; i++) {
        if (!dg_static_int(c->L, v.list->at[i], c->p[p]->span, "conv2d", &out[i])) return false;
    }
    return true;
}

static dg_sv run_conv2d(dg_bound *c)
{
    int64_t stride[2], pad[4], dilation[2], groups;
    dg_value in[2];
    if (!dg_arg_tensor(c, 0, &in[0]) || !dg_arg_tensor(c, 1, &in[1])) return dg_sv_poison;
    if (!ints_of(c, 2, 1, 2, stride) || !ints_of(c, 3, 0, 4, pad) ||
        !ints_of(c, 4, 1, 2, dilation) || !dg_arg_int(c, 5, 1, &groups))
        return dg_sv_poison;
    dg_arena *a = c->L->arena;
    dg_attr attrs[] = {dg_attr_of_ints(a, "stride", stride, 2), dg_attr_of_ints(a, "pad", pad, 4),
                       dg_attr_of_ints(a, "dilation", dilation, 2),
                       dg_attr_of_int("groups", groups)};
    return dg_give_op(c, "conv2d", attrs, 4, in, 2);
}

/* ---- norms, resampling ---- */

static dg_sv run_group_norm(dg_bound *c)
{
    dg_value x;
    int64_t groups;
    double eps;
    if (!dg_arg_tensor(c, 0, &x) || !dg_arg_int(c, 1, 0, &groups) ||
        !dg_arg_float(c, 2, 1e-5, &eps))
        return dg_sv_poison;
    dg_attr attrs[] = {dg_attr_of_int("groups", groups), dg_attr_of_float("eps", eps)};
    return dg_give_op(c, "group_norm", attrs, 2, &x, 1);
}

static dg_sv run_layer_norm(dg_bound *c)
{
    dg_value x;
    double eps;
    if (!dg_arg_tensor(c, 0, &x) || !dg_arg_float(c, 1, 1e-5, &eps)) return dg_sv_poison;
    dg_attr attr = dg_attr_of_float("eps", eps);
    return dg_give_op(c, "layer_norm", &attr, 1, &x, 1);
}

static dg_sv run_resample(dg_bound *c)
{
    dg_value x;
    int64_t k;
    if (!dg_arg_tensor(c, 0, &x) || !dg_arg_int(c, 1, 2, &k)) return dg_sv_poison;
    dg_attr attr = dg_attr_of_int("k", k);
    return dg_give_op(c, c->f->name, &attr, 1, &x, 1);
}

const dg_builtin dg_builtins_math[] = {
    {"abs", "x", run_unary, NULL},
    {"sign", "x", run_unary, NULL},
    {"sqrt", "x", run_unary, NULL},
    {"square", "x", run_unary, NULL},
    {"exp", "x", run_unary, NULL},
    {"log", "x", run_unary, NULL},
    {"expm1", "x", run_unary, NULL},
    {"log1p", "x", run_unary, NULL},
    {"sin", "x", run_unary, NULL},
    {"cos", "x", run_unary, NULL},
    {"tanh", "x", run_unary, NULL},
    {"acos", "x", run_unary, NULL},
    {"erf", "x", run_unary, NULL},
    {"log_ndtr", "x", run_unary, NULL},
    {"sigmoid", "x", run_unary, NULL},
    {"softplus", "x", run_unary, NULL},
    {"silu", "x", run_unary, NULL},
    {"gelu", "x", run_unary, NULL},
    {"relu", "x", run_unary, NULL},
    {"floor", "x", run_round, NULL},
    {"round", "x", run_round, NULL},
    {"clip", "x lo hi", run_clip, NULL},
    {"where", "c a b", run_where, NULL},
    {"sum", "x axes? keep?", run_sum, NULL},
    {"prod", "x axes? keep?", run_sum, NULL},
    {"mean", "x axes? keep?", run_mean, NULL},
    {"min", "a b? axes? keep?", run_min_max, NULL},
    {"max", "a b? axes? keep?", run_min_max, NULL},
    {"any", "x axes? keep?", run_any_all, NULL},
    {"all", "x axes? keep?", run_any_all, NULL},
    {"softmax", "x axis?", run_axis, NULL},
    {"log_softmax", "x axis?", run_axis, NULL},
    {"logsumexp", "x axis? keep?", run_logsumexp, NULL},
    {"cumsum", "x axis?", run_axis, NULL},
    {"argmax", "x axis?", run_axis, NULL},
    {"sort", "x axis?", run_axis, NULL},
    {"argsort", "x axis?", run_axis, NULL},
    {"matmul", "x y", run_matmul, NULL},
    {"eigh", "x", run_eigh, NULL},
    {"einsum", "pattern xs...", run_einsum, NULL},
    {"conv2d", "x w stride? pad? dilation? groups?", run_conv2d, NULL},
    {"group_norm", "x groups eps?", run_group_norm, NULL},
    {"layer_norm", "x eps?", run_layer_norm, NULL},
    {"upsample", "x k", run_resample, NULL},
    {"avgpool", "x k", run_resample, NULL},
    {0},
};

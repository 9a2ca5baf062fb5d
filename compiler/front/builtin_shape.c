/* builtin_shape.c: functions that make, move and pick elements: shapes, indices, filled tensors. */
#include "compiler/front/lower.h"

#include "compiler/front/patterns.h"

#include <string.h>

/* ---- static facts of a tensor ---- */

static bool shape_of_arg(dg_bound *c, dg_shape *out)
{
    dg_sv v = c->p[0]->v;
    dg_dtype t;
    if (dg_sv_is_graph(v)) {
        dg_type type = *dg_graph_type(c->L, v);
        *out = type.shape;
        return type.dtype != DG_POISON;
    }
    if (dg_sv_is_number(v)) {
        *out = DG_SCALAR;
        return true;
    }
    if (v.kind == DG_SV_LIST && dg_table_shape(v, out, &t)) return true;
    dg_message *m = dg_complain(c->L, "E021", c->p[0]->span, "%s: a tensor is wanted, not %s",
                                c->f->name, dg_sv_kind_text(c->L, v));
    if (v.kind == DG_SV_LIST) dg_help_add(c->L->diag, m, "len(...) is the length of a list");
    return false;
}

static dg_sv run_shape(dg_bound *c)
{
    dg_shape s;
    return shape_of_arg(c, &s) ? dg_ints(c->L, s.dim, s.rank) : dg_sv_poison;
}

static dg_sv run_dim(dg_bound *c)
{
    dg_shape s;
    int axis;
    return shape_of_arg(c, &s) && dg_arg_axis(c, 1, s.rank, 0, &axis) ? dg_sv_of_int(s.dim[axis])
                                                                      : dg_sv_poison;
}

/* ---- filled ---- */

static dg_sv run_filled(dg_bound *c)
{
    dg_shape s;
    if (!dg_graph_wanted(c->L, c->e->span, c->f->name) || !dg_arg_shape(c, 0, &s, false))
        return dg_sv_poison;
    double x = strcmp(c->f->name, "ones") == 0;
    bool own = c->L->graph == 0; /* it may be differentiated by, but not in an initialiser */
    return dg_give_value(c, own ? dg_full(c->L->b, DG_F32, s, x)
                                : dg_expand(c->L->b, dg_number_value(c->L, x, DG_F32), s));
}

static dg_sv run_full(dg_bound *c)
{
    dg_shape s;
    dg_value v;
    if (!dg_graph_wanted(c->L, c->e->span, c->f->name) || !dg_arg_shape(c, 0, &s, false))
        return dg_sv_poison;
    dg_sv x = c->p[1]->v;
    if (dg_sv_is_number(x)) { /* a constant of its own: it may be differentiated by */
        dg_value ranged =
            dg_tensor_of(c->L, x, DG_POISON, c->p[1]->span, "full"); /* refuses what does not fit */
        dg_dtype t = dg_dtype_of(c->L->b, ranged);
        return dg_give_value(c, t == DG_POISON ? ranged : dg_full(c->L->b, t, s, dg_sv_number(x)));
    }
    if (!dg_arg_tensor(c, 1, &v)) return dg_sv_poison;
    if (dg_shape_of(c->L->b, v).rank != 0)
        return dg_spoil(c->L, "E018", c->p[1]->span, "full: one number is wanted, not %s",
                        dg_tensor_text(c->L, x));
    return dg_give_value(c, dg_expand(c->L->b, v, s));
}

/* ---- views ---- */

static dg_sv run_reshape(dg_bound *c)
{
    dg_lower *L = c->L;
    dg_value x;
    dg_shape s;
    if (!dg_arg_tensor(c, 0, &x) || !dg_arg_shape(c, 1, &s, true)) return dg_sv_poison;
    dg_shape have = dg_shape_of(L->b, x);
    int64_t count = dg_shape_count(&have), rest = 1;
    int open = -1;
    for (int i = 0; i < s.rank; i++) {
        if (s.dim[i] == -1)
            open = i;
        else if (rest <= count)
            rest *= s.dim[i];
    }
    if (open >= 0 && count % rest != 0) {
        dg_message *m =
            dg_complain(L, "E018", c->p[1]->span, "reshape: %lld elements do not divide by %lld",
                        (long long)count, (long long)rest);
        dg_beside_set(L->diag, m, "%s is %s", dg_source_of(L, c->p[0]->span),
                      dg_tensor_text(L, c->p[0]->v));
        return dg_sv_poison;
    }
    if (open >= 0) s.dim[open] = count / rest;
    return dg_give_value(c, dg_reshape(L->b, x, s));
}

static dg_sv run_expand(dg_bound *c)
{
    dg_value x;
    dg_shape s;
    if (!dg_arg_tensor(c, 0, &x) || !dg_arg_shape(c, 1, &s, false)) return dg_sv_poison;
    return dg_give_value(c, dg_expand(c->L->b, x, s));
}

static dg_sv run_rearrange(dg_bound *c)
{
    dg_lower *L = c->L;
    enum { MOST = 16 };
    const char *names[MOST];
    int64_t sizes[MOST];
    int n = 0;
    dg_value x;
    dg_str pattern;
    if (!dg_arg_tensor(c, 0, &x) || !dg_arg_str(c, 1, &pattern)) return dg_sv_poison;
    for (int i = 0; i < c->n_all; i++) {
        const dg_actual *a = &c->all[i];
        if (!a->name || a == c->p[0] || a == c->p[1]) continue;
        if (n == MOST || !dg_static_int(L, a->v, a->span, a->name, &sizes[n])) return dg_sv_poison;
        names[n++] = a->name;
    }
    dg_pattern_error err = {0};
    int before = dg_diag_errors(L->diag);
    L->site.n = 1;
    dg_value v = dg_rearrange(L->b, pattern, x, names, sizes, n, &err);
    if (dg_diag_errors(L->diag) == before)
        dg_pattern_refused(L, c->p[1]->span, "rearrange", err.text);
    return dg_give_value(c, v);
}

/* lead(a, x): a's axes first, then 1s up to x's rank; trail: 1s first. */
static dg_sv run_lead(dg_bound *c)
{
    dg_lower *L = c->L;
    bool first = strcmp(c->f->name, "lead") == 0;
    dg_shape like;
    if (dg_sv_is_number(c->p[0]->v)) return c->p[0]->v;
    dg_value a;
    dg_type t = *dg_graph_type(L, c->p[1]->v);
    like = t.shape;
    if (!dg_sv_is_graph(c->p[1]->v) && !dg_sv_is_number(c->p[1]->v))
        return dg_spoil(L, "E021", c->p[1]->span, "%s: a tensor is wanted, not %s", c->f->name,
                        dg_sv_kind_text(L, c->p[1]->v));
    if (!dg_arg_tensor(c, 0, &a)) return dg_sv_poison;
    if (dg_sv_is_graph(c->p[1]->v) && t.dtype == DG_POISON) return dg_sv_poison;
    dg_shape have = dg_shape_of(L->b, a), s = {.rank = like.rank};
    if (have.rank == 0) return dg_give_value(c, a);
    if (have.rank > like.rank) {
        dg_message *m =
            dg_complain(L, "E018", c->p[0]->span, "%s: rank %d does not fit into rank %d",
                        c->f->name, have.rank, like.rank);
        dg_beside_set(L->diag, m, "%s and %s", dg_tensor_text(L, c->p[0]->v),
                      dg_sv_kind_text(L, c->p[1]->v));
        return dg_sv_poison;
    }
    for (int i = 0; i < s.rank; i++) s.dim[i] = 1;
    for (int i = 0; i < have.rank; i++) s.dim[first ? i : s.rank - have.rank + i] = have.dim[i];
    return dg_give_value(c, dg_reshape(L->b, a, s));
}

/* ---- joined and cut ---- */

static dg_sv run_concat(dg_bound *c)
{
    dg_lower *L = c->L;
    dg_sv list;
    if (!dg_arg_list(c, 0, &list) || !dg_graph_wanted(L, c->e->span, "concat")) return dg_sv_poison;
    int64_t n = list.list->n;
    if (n == 0) return dg_spoil(L, "E018", c->p[0]->span, "concat: the list is empty");
    if (!dg_tick(L, n, c->e->span)) return dg_sv_poison;
    dg_value *in = DG_NEW_ARRAY(L->arena, dg_value, n);
    dg_dtype like = DG_POISON;
    for (int64_t i = 0; i < n && like == DG_POISON; i++)
        like = dg_graph_type(L, list.list->at[i])->dtype;
    for (int64_t i = 0; i < n; i++) {
        dg_sv v = list.list->at[i];
        if (v.kind == DG_SV_POISON) return v;
        in[i] = dg_tensor_of(L, v, dg_sv_is_graph(v) ? DG_POISON : like, c->p[0]->span, "concat");
        if (dg_dtype_of(L->b, in[i]) == DG_POISON) return dg_sv_poison;
    }
    int axis;
    if (!dg_arg_axis(c, 1, dg_shape_of(L->b, in[0]).rank, 0, &axis)) return dg_sv_poison;
    dg_at(L, c->e->span);
    const dg_expr *e = c->p[0]->e; /* carets at the elements where they are written out */
    L->site.n = 0;
    if (e && e->kind == DG_E_LIST && e->n == n) {
        L->site.n = n < 8 ? (int)n : 8;
        for (int i = 0; i < L->site.n; i++) L->site.in[i] = e->items[i];
    } else if (e) {
        for (L->site.n = 0; L->site.n < 8; L->site.n++) L->site.in[L->site.n] = e;
    }
    return dg_give_value(c, dg_concat(L->b, in, (int)n, axis));
}

static bool split_sizes(dg_bound *c, int64_t size, int64_t *n, int64_t **sizes)
{
    dg_lower *L = c->L;
    dg_sv v = c->p[1]->v;
    if (v.kind != DG_SV_LIST) {
        if (!dg_arg_int(c, 1, 1, n)) return false;
        if (*n < 1 || size % *n != 0) {
            dg_message *m =
                dg_complain(L, "E018", c->p[1]->span, "split: %lld does not divide into %lld parts",
                            (long long)size, (long long)*n);
            dg_beside_set(L->diag, m, "%s is %s", dg_source_of(L, c->p[0]->span),
                          dg_tensor_text(L, c->p[0]->v));
            return false;
        }
        *sizes = DG_NEW_ARRAY(L->arena, int64_t, *n);
        for (int64_t i = 0; i < *n; i++) (*sizes)[i] = size / *n;
        return true;
    }
    *n = v.list->n;
    *sizes = DG_NEW_ARRAY(L->arena, int64_t, *n);
    int64_t total = 0;
    for (int64_t i = 0; i < *n; i++) {
        if (!dg_static_int(L, v.list->at[i], c->p[1]->span, "split", &(*sizes)[i])) return false;
        if ((*sizes)[i] < 1 || (*sizes)[i] > size) {
            dg_complain(L, "E018", c->p[1]->span, "split: a part of %lld out of %lld",
                        (long long)(*sizes)[i], (long long)size);
            return false;
        }
        total += (*sizes)[i];
    }
    if (total == size) return true;
    dg_complain(L, "E018", c->p[1]->span, "split: the parts make %lld, the axis has %lld",
                (long long)total, (long long)size);
    return false;
}

static dg_sv run_split(dg_bound *c)
{
    dg_lower *L = c->L;
    dg_value x;
    int axis;
    int64_t n, *sizes;
    if (!dg_arg_tensor(c, 0, &x)) return dg_sv_poison;
    dg_shape s = dg_shape_of(L->b, x);
    if (!dg_arg_axis(c, 2, s.rank, 0, &axis) || !split_sizes(c, s.dim[axis], &n, &sizes) ||
        !dg_tick(L, n, c->e->span))
        return dg_sv_poison;
    dg_sv out = dg_list_new(L, DG_SV_TUPLE, n);
    int64_t start[DG_MAX_RANK] = {0}, stop[DG_MAX_RANK], step[DG_MAX_RANK];
    for (int i = 0; i < s.rank; i++) {
        stop[i] = s.dim[i];
        step[i] = 1;
    }
    stop[axis] = 0;
    for (int64_t i = 0; i < n; i++) {
        start[axis] = stop[axis];
        stop[axis] += sizes[i];
        out.list->at[i] = dg_sv_of_tensor(L, dg_slice(L->b, x, start, stop, step));
    }
    return out;
}

/* ---- elements ---- */

static bool index_arg(dg_bound *c, int p, dg_value *out)
{
    if (!dg_arg_tensor_like(c, p, DG_I32, out)) return false;
    if (dg_dtype_of(c->L->b, *out) == DG_I32) return true;
    dg_message *m = dg_complain(c->L, "E024", c->p[p]->span, "%s: an index is i32, not %s",
                                c->f->name, dg_dtype_name(dg_dtype_of(c->L->b, *out)));
    dg_help_add(c->L->diag, m, "convert it: i32(%s)", dg_source_of(c->L, c->p[p]->span));
    return false;
}

static dg_sv run_take(dg_bound *c)
{
    dg_value in[2];
    int axis;
    if (!dg_arg_tensor(c, 0, &in[0]) || !index_arg(c, 1, &in[1])) return dg_sv_poison;
    if (!dg_arg_axis(c, 2, dg_shape_of(c->L->b, in[0]).rank, 0, &axis)) return dg_sv_poison;
    dg_attr attr = dg_attr_of_int("axis", axis);
    return dg_give_op(c, "take", &attr, 1, in, 2);
}

static dg_sv run_scatter_add(dg_bound *c)
{
    dg_value in[3];
    if (!dg_arg_tensor(c, 0, &in[0]) || !index_arg(c, 1, &in[1]) ||
        !dg_arg_tensor_like(c, 2, dg_dtype_of(c->L->b, in[0]), &in[2]))
        return dg_sv_poison;
    dg_shape x = dg_shape_of(c->L->b, in[0]), i = dg_shape_of(c->L->b, in[1]),
             v = dg_shape_of(c->L->b, in[2]);
    if (v.rank == 0 && x.rank + i.rank - 1 > 0 &&
        x.rank + i.rank - 1 <= DG_MAX_RANK) { /* one number for all */
        dg_shape all = {.rank = x.rank + i.rank - 1};
        for (int k = 0; k < i.rank; k++) all.dim[k] = i.dim[k];
        for (int k = 1; k < x.rank; k++) all.dim[i.rank + k - 1] = x.dim[k];
        in[2] = dg_expand(c->L->b, in[2], all);
    }
    dg_attr attr = dg_attr_of_int("axis", 0);
    return dg_give_op(c, "scatter_add", &attr, 1, in, 3);
}

static dg_sv run_update(dg_bound *c)
{
    dg_value in[3];
    if (!dg_arg_tensor(c, 0, &in[0]) || !index_arg(c, 1, &in[1]) ||
        !dg_arg_tensor_like(c, 2, dg_dtype_of(c->L->b, in[0]), &in[2]))
        return dg_sv_poison;
    dg_shape x = dg_shape_of(c->L->b, in[0]), v = dg_shape_of(c->L->b, in[2]);
    if (v.rank == 0 && x.rank > 1) {
        dg_shape row = {.rank = x.rank - 1};
        for (int k = 1; k < x.rank; k++) row.dim[k - 1] = x.dim[k];
        in[2] = dg_expand(c->L->b, in[2], row);
    }
    return dg_give_op(c, "update", NULL, 0, in, 3);
}

/* x[b, i[b]]: a take along axis 1. */
static dg_sv run_pick(dg_bound *c)
{
    dg_lower *L = c->L;
    dg_value in[2];
    if (!dg_arg_tensor(c, 0, &in[0]) || !index_arg(c, 1, &in[1])) return dg_sv_poison;
    dg_shape x = dg_shape_of(L->b, in[0]), i = dg_shape_of(L->b, in[1]);
    if (x.rank != 2 || i.rank != 1 || i.dim[0] != x.dim[0]) {
        dg_message *m = dg_complain(L, "E018", c->p[1]->span,
                                    "pick(x, i) is x[b, i[b]]: x of rank 2, an index for each row");
        dg_beside_set(L->diag, m, "%s and %s", dg_tensor_text(L, c->p[0]->v),
                      dg_tensor_text(L, c->p[1]->v));
        return dg_sv_poison;
    }
    in[1] = dg_reshape(L->b, in[1], DG_SHAPE(i.dim[0], 1));
    dg_attr axis = dg_attr_of_int("axis", 1);
    return dg_give_value(c, dg_reshape(L->b, dg_emit(L->b, "take", &axis, 1, in, 2), i));
}

/* 1.0 where the last, new axis is the index. */
static dg_sv run_one_hot(dg_bound *c)
{
    dg_lower *L = c->L;
    dg_value i;
    int64_t n;
    if (!index_arg(c, 0, &i) || !dg_arg_int(c, 1, 1, &n)) return dg_sv_poison;
    dg_shape s = dg_shape_of(L->b, i);
    if (n < 1 || n > DG_BUDGET_LIST || s.rank == DG_MAX_RANK || !dg_tick(L, n / 16, c->e->span))
        return dg_spoil(L, "E018", c->p[1]->span, "one_hot: %lld classes for an index of rank %d",
                        (long long)n, s.rank);
    double *at = DG_NEW_ARRAY(L->arena, double, n);
    for (int64_t k = 0; k < n; k++) at[k] = (double)k;
    dg_shape row = s, axis = s;
    row.dim[row.rank++] = 1;
    for (int k = 0; k < s.rank; k++) axis.dim[k] = 1;
    axis.dim[axis.rank++] = n;
    dg_value classes = dg_const(L->b, DG_I32, axis, at);
    return dg_give_value(
        c, dg_cast(L->b, dg_compare(L->b, "eq", dg_reshape(L->b, i, row), classes), DG_F32));
}

const dg_builtin dg_builtins_shape[] = {
    {"shape", "x", run_shape, NULL},           {"dim", "x axis", run_dim, NULL},
    {"zeros", "dims", run_filled, NULL},       {"ones", "dims", run_filled, NULL},
    {"full", "dims value", run_full, NULL},    {"reshape", "x dims", run_reshape, NULL},
    {"expand", "x dims", run_expand, NULL},    {"rearrange", "x pattern *", run_rearrange, NULL},
    {"lead", "a x", run_lead, NULL},           {"trail", "a x", run_lead, NULL},
    {"concat", "list axis", run_concat, NULL}, {"split", "x parts axis?", run_split, NULL},
    {"take", "x i axis", run_take, NULL},      {"scatter_add", "x i v", run_scatter_add, NULL},
    {"update", "x i v", run_update, NULL},     {"pick", "x i", run_pick, NULL},
    {"one_hot", "i n", run_one_hot, NULL},     {0},
};

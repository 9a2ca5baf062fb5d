/* builtin_static.c: functions of lists and texts, and the constants pi, inf, training. */
#include "compiler/front/lower.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static dg_sv run_pi(dg_bound *c)
{
    (void)c;
    return dg_sv_of_float(3.14159265358979323846);
}

static dg_sv run_inf(dg_bound *c)
{
    (void)c;
    return dg_sv_of_float(INFINITY);
}

static dg_sv run_training(dg_bound *c)
{
    return dg_sv_of_bool(c->L->training);
}

static dg_sv run_len(dg_bound *c)
{
    dg_sv v = c->p[0]->v;
    if (v.kind == DG_SV_LIST || v.kind == DG_SV_TUPLE) return dg_sv_of_int(v.list->n);
    if (v.kind == DG_SV_STR) return dg_sv_of_int((int64_t)strlen(v.s));
    dg_message *m =
        dg_complain(c->L, "E021", c->p[0]->span, "len: a list or a text is wanted, not %s",
                    dg_sv_kind_text(c->L, v));
    if (dg_sv_is_graph(v))
        dg_help_add(c->L->diag, m, "dim(%s, 0) is the size of an axis",
                    dg_source_of(c->L, c->p[0]->span));
    return dg_sv_poison;
}

static dg_sv run_zip(dg_bound *c)
{
    int64_t n = 0;
    for (int i = 0; i < c->n_all; i++) {
        const dg_actual *a = &c->all[i];
        if (a->v.kind != DG_SV_LIST)
            return dg_spoil(c->L, "E021", a->span, "zip: a list is wanted, not %s",
                            dg_sv_kind_text(c->L, a->v));
        if (i > 0 && a->v.list->n != n) {
            dg_message *m = dg_complain(c->L, "E021", a->span, "zip: lists of %lld and %lld",
                                        (long long)n, (long long)a->v.list->n);
            dg_help_add(c->L->diag, m, "cut the longer one with a slice");
            return dg_sv_poison;
        }
        n = a->v.list->n;
    }
    if (!dg_tick(c->L, n / 4, c->e->span)) return dg_sv_poison;
    dg_sv out = dg_list_new(c->L, DG_SV_LIST, n);
    for (int64_t k = 0; k < n; k++) {
        dg_sv t = dg_list_new(c->L, DG_SV_TUPLE, c->n_all);
        for (int i = 0; i < c->n_all; i++) t.list->at[i] = c->all[i].v.list->at[k];
        out.list->at[k] = dg_list_nest(c->L, t, c->e->span);
        if (out.list->at[k].kind == DG_SV_POISON) return dg_sv_poison;
    }
    return dg_list_nest(c->L, out, c->e->span);
}

static dg_sv run_enumerate(dg_bound *c)
{
    dg_sv v;
    if (!dg_arg_list(c, 0, &v) || !dg_tick(c->L, v.list->n / 4, c->e->span)) return dg_sv_poison;
    dg_sv out = dg_list_new(c->L, DG_SV_LIST, v.list->n);
    for (int64_t k = 0; k < v.list->n; k++) {
        dg_sv pair[2] = {dg_sv_of_int(k), v.list->at[k]};
        out.list->at[k] = dg_list_nest(c->L, dg_list_copy(c->L, DG_SV_TUPLE, pair, 2), c->e->span);
        if (out.list->at[k].kind == DG_SV_POISON) return dg_sv_poison;
    }
    return dg_list_nest(c->L, out, c->e->span);
}

static dg_sv run_reverse(dg_bound *c)
{
    dg_sv v = c->p[0]->v;
    if (dg_sv_is_graph(v)) {
        dg_message *m =
            dg_complain(c->L, "E021", c->p[0]->span, "reverse: a list is wanted, not a tensor");
        dg_help_add(c->L->diag, m, "x[i32(reverse(0..n))] mirrors an axis");
        return dg_sv_poison;
    }
    if (!dg_arg_list(c, 0, &v) || !dg_tick(c->L, v.list->n / 16, c->e->span)) return dg_sv_poison;
    dg_sv out = dg_list_new(c->L, DG_SV_LIST, v.list->n);
    for (int64_t k = 0; k < v.list->n; k++) out.list->at[k] = v.list->at[v.list->n - 1 - k];
    out.list->depth = v.list->depth;
    return out;
}

static dg_sv run_range(dg_bound *c)
{
    int64_t from = 0, to, step;
    if (!dg_arg_int(c, 0, 0, &to) || !dg_arg_int(c, 2, 1, &step)) return dg_sv_poison;
    if (c->p[1]) {
        from = to;
        if (!dg_arg_int(c, 1, 0, &to)) return dg_sv_poison;
    }
    if (step == 0) return dg_spoil(c->L, "E022", c->p[2]->span, "range: the step is zero");
    bool empty = step > 0 ? to <= from : to >= from;
    uint64_t width = empty      ? 0
                     : step > 0 ? (uint64_t)to - (uint64_t)from
                                : (uint64_t)from - (uint64_t)to;
    uint64_t stride = step > 0 ? (uint64_t)step : (uint64_t)0 - (uint64_t)step,
             n = empty ? 0 : (width - 1) / stride + 1;
    if (n > DG_BUDGET_LIST)
        return dg_spoil(c->L, "E035", c->e->span, "the range has more than %d elements",
                        DG_BUDGET_LIST);
    if (!dg_tick(c->L, (int64_t)n / 16, c->e->span)) return dg_sv_poison;
    dg_sv out = dg_list_new(c->L, DG_SV_LIST, (int64_t)n);
    for (int64_t k = 0; k < (int64_t)n; k++) out.list->at[k] = dg_sv_of_int(from + k * step);
    return out;
}

static dg_sv run_contains(dg_bound *c)
{
    dg_sv v = c->p[0]->v, x = c->p[1]->v;
    if (v.kind == DG_SV_STR && x.kind == DG_SV_STR) return dg_sv_of_bool(strstr(v.s, x.s) != NULL);
    if (!dg_arg_list(c, 0, &v) || !dg_tick(c->L, v.list->n / 16, c->e->span)) return dg_sv_poison;
    for (int64_t k = 0; k < v.list->n; k++) {
        if (dg_sv_equal(v.list->at[k], x)) return dg_sv_of_bool(true);
    }
    return dg_sv_of_bool(false);
}

/* ---- folds that only lists have ---- */

static dg_sv run_cumprod(dg_bound *c)
{
    dg_sv v;
    if (dg_sv_is_graph(c->p[0]->v)) {
        dg_message *m = dg_complain(c->L, "E021", c->p[0]->span,
                                    "cumprod: a list of numbers is wanted, not a tensor");
        dg_help_add(c->L->diag, m, "exp(cumsum(log(x))), or a loop");
        return dg_sv_poison;
    }
    if (!dg_arg_list(c, 0, &v) || !dg_tick(c->L, v.list->n, c->e->span)) return dg_sv_poison;
    dg_sv out = dg_list_new(c->L, DG_SV_LIST, v.list->n);
    dg_expr times = {.kind = DG_E_BINARY,
                     .op = DG_B_MUL,
                     .span = c->e->span,
                     .op_span = c->e->span,
                     .a = c->e->args[0].value,
                     .b = c->e->args[0].value};
    for (int64_t k = 0; k < v.list->n; k++) {
        if (!dg_sv_is_number(v.list->at[k]))
            return dg_spoil(c->L, "E021", c->p[0]->span,
                            "cumprod: a list of numbers is wanted, element %lld is %s",
                            (long long)k, dg_sv_kind_text(c->L, v.list->at[k]));
        out.list->at[k] = k == 0
                              ? v.list->at[0]
                              : dg_static_binary(c->L, &times, out.list->at[k - 1], v.list->at[k]);
        if (out.list->at[k].kind == DG_SV_POISON) return dg_sv_poison;
    }
    return out;
}

const dg_builtin dg_builtins_static[] = {
    {"pi", NULL, run_pi, NULL},
    {"inf", NULL, run_inf, NULL},
    {"training", NULL, run_training, NULL},
    {"len", "x", run_len, NULL},
    {"zip", "lists...", run_zip, NULL},
    {"enumerate", "list", run_enumerate, NULL},
    {"reverse", "list", run_reverse, NULL},
    {"range", "a b? step?", run_range, NULL},
    {"contains", "list x", run_contains, NULL},
    {"cumprod", "list", run_cumprod, NULL},
    {0},
};

/* builtin_place.c: functions of models, places and derivatives: params name grad swap frozen
 * stop_gradient report stop. */
#include "compiler/front/lower.h"

#include <string.h>

static dg_model *model_of(const dg_fn *fn)
{
    while (fn->kind == DG_FN_SWAP || fn->kind == DG_FN_FROZEN) fn = fn->inner;
    return fn->kind == DG_FN_MODEL ? fn->model : NULL;
}

/* ---- params and name ---- */

static bool add_params(dg_bound *c, dg_sv v, dg_sv *out)
{
    dg_lower *L = c->L;
    if (v.kind == DG_SV_PLACE) {
        *out = dg_list_concat(L, *out, dg_list_copy(L, DG_SV_LIST, &v, 1));
        return true;
    }
    if (v.kind == DG_SV_LIST) {
        for (int64_t i = 0; i < v.list->n; i++) {
            if (!add_params(c, v.list->at[i], out)) return false;
        }
        return true;
    }
    dg_model *m = v.kind == DG_SV_FN ? model_of(v.fn) : NULL;
    if (m) {
        *out = dg_list_concat(L, *out, dg_params_of(L, m));
        return true;
    }
    if (v.kind == DG_SV_POISON) return false;
    dg_message *x = dg_complain(L, "E050", c->p[0]->span,
                                "params: a model, or a list of models and places is wanted, not %s",
                                dg_sv_kind_text(L, v));
    if (v.kind == DG_SV_FN) dg_help_add(L->diag, x, "only a `model` owns places: model net = ...");
    return false;
}

static dg_sv run_params(dg_bound *c)
{
    if (!dg_graph_wanted(c->L, c->e->span, "params")) return dg_sv_poison;
    dg_sv out = dg_list_new(c->L, DG_SV_LIST, 0);
    return add_params(c, c->p[0]->v, &out) ? out : dg_sv_poison;
}

static dg_sv run_name(dg_bound *c)
{
    dg_sv v = c->p[0]->v;
    if (v.kind == DG_SV_PLACE) return dg_sv_of_str(v.spot->path);
    dg_model *m = v.kind == DG_SV_FN ? model_of(v.fn) : NULL;
    if (m) return dg_sv_of_str(m->path);
    dg_message *x = dg_complain(c->L, "E050", c->p[0]->span, "name: a place is wanted, not %s",
                                dg_sv_kind_text(c->L, v));
    dg_help_add(c->L->diag, x,
                "`q = p` copies the value; formals, lists and `for` targets hold the place");
    return dg_sv_poison;
}

/* ---- wrappers of models ---- */

static dg_fn *wrap(dg_bound *c, dg_fn_kind kind)
{
    dg_sv v = c->p[0]->v;
    if (v.kind != DG_SV_FN || (kind == DG_FN_SWAP && !model_of(v.fn))) {
        dg_complain(c->L, "E050", c->p[0]->span, "%s: a model is wanted, not %s", c->f->name,
                    v.kind == DG_SV_FN ? "a function without parameters of its own"
                                       : dg_sv_kind_text(c->L, v));
        return NULL;
    }
    dg_fn *fn = DG_NEW(c->L->arena, dg_fn);
    fn->kind = kind;
    fn->inner = v.fn;
    return fn;
}

static dg_sv run_swap(dg_bound *c)
{
    dg_str scope;
    dg_fn *fn = wrap(c, DG_FN_SWAP);
    if (!fn || !dg_arg_str(c, 1, &scope)) return dg_sv_poison;
    if (!*scope)
        return dg_spoil(c->L, "E042", c->p[1]->span, "swap: the scope of the states is empty");
    fn->swap = scope;
    return dg_sv_of_fn(fn);
}

static dg_sv run_frozen(dg_bound *c)
{
    dg_fn *fn = wrap(c, DG_FN_FROZEN);
    return fn ? dg_sv_of_fn(fn) : dg_sv_poison;
}

/* ---- derivatives ---- */

static bool add_variable(dg_bound *c, dg_sv v, dg_value *out)
{
    dg_lower *L = c->L;
    if (v.kind == DG_SV_PLACE && v.spot->written) {
        dg_message *m = dg_complain(L, "E047", c->p[1]->span,
                                    "grad: the place %s is written before", v.spot->path);
        dg_help_add(L->diag, m, "take the gradient first, then write");
        return false;
    }
    if (dg_sv_is_graph(v)) {
        *out = dg_tensor_in(L, v);
        dg_dtype t = dg_dtype_of(L->b, *out);
        if (dg_dtype_is_float(t)) return true;
        if (t != DG_POISON)
            dg_complain(L, "E047", c->p[1]->span, "grad: by a float, not by %s",
                        dg_tensor_text(L, v));
        return false;
    }
    if (v.kind == DG_SV_POISON) return false;
    dg_message *m =
        dg_complain(L, "E047", c->p[1]->span, "grad: by a tensor that was bound before, not by %s",
                    dg_sv_kind_text(L, v));
    if (v.kind == DG_SV_FN && model_of(v.fn))
        dg_help_add(L->diag, m, "params(%s) lists its parameters", dg_source_of(L, c->p[1]->span));
    return false;
}

static dg_sv run_grad(dg_bound *c)
{
    dg_lower *L = c->L;
    dg_value y;
    if (!dg_graph_wanted(L, c->e->span, "grad") || !dg_arg_tensor(c, 0, &y)) return dg_sv_poison;
    dg_type t = *dg_type_of(L->b->graph, y);
    if (t.shape.rank != 0 || !dg_dtype_is_float(t.dtype)) {
        dg_message *m = dg_complain(L, "E047", c->p[0]->span,
                                    "grad: the derivative of one float is wanted, not of %s",
                                    dg_type_name(L->arena, &t));
        if (t.shape.rank > 0) dg_help_add(L->diag, m, "sum(...) or mean(...) makes it one number");
        return dg_sv_poison;
    }
    dg_sv xs = c->p[1]->v;
    bool list = xs.kind == DG_SV_LIST;
    int64_t n = list ? xs.list->n : 1;
    if (n == 0) return dg_list_new(L, DG_SV_LIST, 0);
    dg_value *in = DG_NEW_ARRAY(L->arena, dg_value, n + 1);
    in[0] = y;
    for (int64_t i = 0; i < n; i++) {
        if (!add_variable(c, list ? xs.list->at[i] : xs, &in[i + 1])) return dg_sv_poison;
    }
    dg_at(L, c->e->span);
    dg_node node = dg_build_node(L->b, L->find("grad"), NULL, 0, in, (int)n + 1);
    if (node == DG_NONE) return dg_sv_poison;
    if (!list) return dg_give_value(c, dg_node_of(L->b->graph, node)->out[0]);
    dg_sv out = dg_list_new(L, DG_SV_LIST, n);
    for (int64_t i = 0; i < n; i++)
        out.list->at[i] = dg_sv_of_tensor(L, dg_node_of(L->b->graph, node)->out[i]);
    return out;
}

static dg_sv run_stop_gradient(dg_bound *c)
{
    dg_value x;
    if (dg_sv_is_number(c->p[0]->v)) return c->p[0]->v;
    return dg_arg_tensor(c, 0, &x) ? dg_give_op(c, "stop_gradient", NULL, 0, &x, 1) : dg_sv_poison;
}

/* ---- reports and stops ---- */

static dg_sv run_report(dg_bound *c)
{
    dg_lower *L = c->L;
    dg_str name;
    dg_value x;
    if (!dg_arg_str(c, 0, &name)) return dg_sv_poison;
    dg_dtype like = c->p[1]->v.kind == DG_SV_INT ? DG_I32 : DG_F32;
    if (!dg_arg_tensor_like(c, 1, like, &x)) return dg_sv_poison;
    if (L->graph == 1) return dg_spoil(L, "E045", c->e->span, "an initialiser cannot report");
    if (dg_map_has(L->reports, name))
        return dg_spoil(L, "E049", c->p[0]->span, "the report \"%s\" is made twice", name);
    dg_map_set(L->reports, name, (void *)name);
    dg_at(L, c->e->span);
    dg_report_value(L, name, x, c->p[0]->span);
    return dg_give_value(c, x);
}

static dg_sv run_stop(dg_bound *c)
{
    dg_lower *L = c->L;
    dg_value x;
    if (!dg_arg_tensor(c, 0, &x)) return dg_sv_poison;
    if (!L->loop) {
        dg_message *m = dg_complain(L, "E033", c->e->span, "`stop` stands outside of a loop");
        dg_help_add(
            L->diag, m,
            "it ends the innermost `loop` after this trip; a `for` is unrolled while compiling");
        return dg_sv_poison;
    }
    dg_type t = *dg_type_of(L->b->graph, x);
    if (t.dtype != DG_BOOL || t.shape.rank != 0) {
        dg_message *m = dg_complain(L, "E033", c->p[0]->span, "stop: one bool is wanted, not %s",
                                    dg_type_name(L->arena, &t));
        if (t.dtype == DG_BOOL) dg_help_add(L->diag, m, "all(...) or any(...) makes it one");
        return dg_sv_poison;
    }
    L->loop->stop = L->loop->stop == DG_NONE
                        ? x
                        : dg_emit(L->b, "or", NULL, 0, (dg_value[]){L->loop->stop, x}, 2);
    return dg_sv_none;
}

const dg_builtin dg_builtins_place[] = {
    {"params", "net", run_params, NULL},
    {"name", "place", run_name, NULL},
    {"swap", "net scope", run_swap, NULL},
    {"frozen", "net", run_frozen, NULL},
    {"grad", "y xs", run_grad, NULL},
    {"stop_gradient", "x", run_stop_gradient, NULL},
    {"report", "name x", run_report, NULL},
    {"stop", "c", run_stop, NULL},
    {0},
};

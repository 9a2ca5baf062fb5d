/* lower_call.c: calls. A block is elaborated anew at each call, in a scope of its own; a model in
 * the one scope it has; an `fn` where it stands.
 *
 * In     a function value, arguments as given, a label.
 * Out    the result; what the body made is in the graph.
 * Keeps  no recursion: a block or model that is being elaborated is not entered again, and calls
 *        nest 200 deep at most. */
#include "compiler/front/lower.h"

#include <stdio.h>
#include <string.h>

const char *dg_callee_text(const dg_fn *fn)
{
    while (fn->kind == DG_FN_SWAP || fn->kind == DG_FN_FROZEN) fn = fn->inner;
    switch (fn->kind) {
    case DG_FN_BLOCK:
        return fn->block->name;
    case DG_FN_MODEL:
        return fn->model->path;
    case DG_FN_BUILTIN:
        return fn->builtin->name;
    default:
        return "fn";
    }
}

/* ---- arguments ---- */

static const char *formals_text(dg_lower *L, const dg_formal *f, int n)
{
    dg_text t = {0};
    for (int i = 0; i < n; i++)
        dg_text_add(&t, "%s%s%s", i ? ", " : "", f[i].name, f[i].fallback ? "=..." : "");
    char *text = dg_arena_text(L->arena, t.at ? t.at : "", t.n);
    dg_text_free(&t);
    return text;
}

static bool bad_arguments(dg_lower *L, dg_span span, const char *callee, const dg_formal *f, int n,
                          const char *what)
{
    dg_message *m = dg_complain(L, "E010", span, "%s: %s", callee, what);
    dg_help_add(L->diag, m, "it takes (%s)", formals_text(L, f, n));
    return false;
}

/* Which argument each formal gets; NULL: its default. */
static bool match_formals(dg_lower *L, const char *callee, const dg_formal *f, int n, dg_actual *a,
                          int n_actuals, dg_span span, dg_actual **out)
{
    int position = 0;
    for (int i = 0; i < n_actuals; i++) {
        int k = position;
        if (a[i].name) {
            for (k = 0; k < n && f[k].name != a[i].name; k++) {
            }
            if (k == n) {
                dg_message *m = dg_complain(L, "E010", a[i].span, "%s: there is no argument `%s`",
                                            callee, a[i].name);
                dg_str best = NULL;
                for (int j = 0, least = 3; j < n; j++) {
                    int d = dg_edit_distance(f[j].name, a[i].name, least);
                    if (d <= least && d < 3) best = f[j].name, least = d - 1;
                }
                if (best)
                    dg_help_add(L->diag, m, "did you mean `%s`?", best);
                else
                    dg_help_add(L->diag, m, "it takes (%s)", formals_text(L, f, n));
                return false;
            }
            if (out[k])
                return bad_arguments(L, a[i].span, callee, f, n,
                                     dg_arena_printf(L->arena, "`%s` is given twice", a[i].name));
        } else {
            if (i > position)
                return bad_arguments(L, a[i].span, callee, f, n,
                                     "an argument by position follows one by name");
            if (position++ >= n)
                return bad_arguments(
                    L, a[i].span, callee, f, n,
                    dg_arena_printf(L->arena, "%d arguments, it takes %d", n_actuals, n));
        }
        out[k] = &a[i];
    }
    for (int k = 0; k < n; k++) {
        if (!out[k] && !f[k].fallback)
            return bad_arguments(
                L, span, callee, f, n,
                dg_arena_printf(L->arena, "the argument `%s` is missing", f[k].name));
    }
    return true;
}

/* "linear: x", for messages; made for every typed argument, so without printf. */
static const char *argument_text(dg_lower *L, const char *callee, const char *name)
{
    size_t n = strlen(callee), m = strlen(name);
    char *text = dg_arena_alloc(L->arena, n + m + 3);
    memcpy(text, callee, n);
    memcpy(text + n, ": ", 2);
    memcpy(text + n + 2, name, m);
    return text;
}

/* A formal holds what it is given, also a place; the declared type is checked, and what it
 * allows is converted. */
static bool bind_formal(dg_lower *L, const char *callee, const dg_formal *f, const dg_actual *given)
{
    dg_sv v = given ? given->v : dg_eval_expr(L, f->fallback);
    dg_span span = given ? given->span : f->fallback->span;
    if (f->type && v.kind != DG_SV_POISON) {
        bool none = v.kind == DG_SV_NONE && f->fallback && f->fallback->kind == DG_E_NONE;
        if (!none) v = dg_fit(L, f->type, v, span, argument_text(L, callee, f->name));
    }
    const dg_binding *known = dg_binding_local(L, f->name);
    if (known && known->v.kind == DG_SV_INT && v.kind != DG_SV_POISON &&
        !dg_sv_equal(known->v, v)) {
        dg_complain(L, "E017", span, "%s: the size `%s` is %lld, the argument of that name %s",
                    callee, f->name, (long long)known->v.i, dg_sv_show(L, v));
        v = dg_sv_poison;
    }
    dg_bind_new(L, f->name, v, f->span);
    return v.kind != DG_SV_POISON;
}

/* ---- blocks and fns ---- */

static bool may_enter(dg_lower *L, const dg_decl *block, dg_span span)
{
    if (L->depth >= DG_CALL_DEPTH) {
        if (!L->halted)
            dg_complain(L, "E038", span, "calls are nested more than %d deep", DG_CALL_DEPTH);
        dg_halt(L);
        return false;
    }
    if (!block) return true;
    for (const dg_frame *f = L->frame; f; f = f->caller) {
        if (f->block != block) continue;
        dg_message *m = dg_complain(L, "E038", span, "`%s` calls itself", block->name);
        dg_help_add(L->diag, m, "blocks cannot recurse; a static `for` or a `loop` repeats");
        return false;
    }
    return true;
}

typedef struct entered {
    dg_scope *scope;
    dg_str b_scope, b_name;
} entered;

static entered enter_scope(dg_lower *L, dg_scope *s)
{
    entered e = {L->scope, L->b ? L->b->scope : NULL, L->b ? L->b->name : NULL};
    L->scope = s;
    if (L->b) {
        L->b->scope = s->path;
        L->b->name = NULL;
    }
    return e;
}

static void leave_scope(dg_lower *L, entered e)
{
    L->scope = e.scope;
    if (L->b) {
        L->b->scope = e.b_scope;
        L->b->name = e.b_name;
    }
}

/* The result as declared; `out` in dumps. */
static dg_sv finish_result(dg_lower *L, const dg_texpr *type, dg_frame *f, const char *callee)
{
    dg_sv v = f->result;
    if (!type || v.kind == DG_SV_POISON) return v;
    if (!f->returned)
        return dg_spoil(L, "E054", f->call, "%s: a result is declared, but no `return` was reached",
                        callee);
    return dg_fit(L, type, v, f->result_span, argument_text(L, callee, "the result"));
}

static dg_sv call_text(dg_lower *L, dg_fn *fn, const dg_expr *e, dg_str label, dg_actual *a, int n,
                       const char *what)
{
    const dg_decl *block = fn->kind == DG_FN_BLOCK ? fn->block : NULL;
    const dg_formal *f = block ? block->formals : fn->e->formals;
    int n_formals = block ? block->n_formals : fn->e->n;
    const char *callee = block ? block->name : what;
    dg_actual *few[16] = {0},
              **given = n_formals <= 16 ? few : DG_NEW_ARRAY(L->arena, dg_actual *, n_formals);
    if (!may_enter(L, block, e->span) ||
        !match_formals(L, callee, f, n_formals, a, n, e->span, given))
        return dg_sv_poison;

    dg_str name = label ? label : block ? block->name : NULL;
    dg_scope *scope = name ? dg_scope_new(L, L->scope, name, e->span, e) : L->scope;
    dg_frame frame = {.what = what,
                      .block = block,
                      .unit = fn->unit,
                      .env = block ? NULL : fn->env,
                      .call = e->span,
                      .expression = !block};
    if (L->frame) frame.outer = dg_frame_origin(L, L->frame);
    entered before = enter_scope(L, scope);
    dg_frame_enter(L, &frame);
    bool good = true; /* a body whose arguments failed would only repeat that */
    const dg_actual *bad = NULL;
    for (int i = 0; i < n_formals && good; i++) {
        good = bind_formal(L, callee, &f[i], given[i]);
        if (!good) bad = given[i];
    }
    dg_sv v = dg_sv_poison;
    if (!good) {
        frame.returned = true;
    } else if (block) {
        dg_exec(L, block->body);
        v = finish_result(L, block->type, &frame, callee);
    } else {
        v = dg_settle(L, dg_eval_expr(L, fn->e->a));
    }
    dg_frame_leave(L, &frame);
    leave_scope(L, before);
    if (bad && bad->e->kind == DG_E_NAME && bad->v.kind == DG_SV_TENSOR &&
        L->frame) { /* told once */
        dg_binding *b = dg_binding_local(L, bad->e->text);
        if (b) b->v = dg_sv_poison;
    }
    return v;
}

/* ---- models ---- */

static dg_sv call_fn(dg_lower *L, dg_fn *fn, const dg_expr *e, dg_str label, dg_actual *a, int n);

static dg_sv call_model(dg_lower *L, dg_model *m, const dg_expr *e, dg_str label, dg_actual *a,
                        int n)
{
    if (m->active) {
        dg_message *x = dg_complain(L, "E038", e->span, "the model `%s` calls itself", m->path);
        dg_help_add(L->diag, x, "models cannot recurse");
        return dg_sv_poison;
    }
    dg_model_call *call = DG_NEW(L->arena, dg_model_call);
    *call = (dg_model_call){.model = m, .outer = L->scope->in, .id = ++L->model_calls};
    call->number = label ? dg_arena_printf(L->arena, "@%s", label)
                         : dg_arena_printf(L->arena, "%d", m->calls++);
    dg_scope *s = DG_NEW(L->arena, dg_scope);
    s->path = m->path;
    s->in = call;
    s->span = e->span;
    if (m->declared_in) { /* owns count where the model is declared */
        s->parent = m->declared_in;
        s->name = m->path + (*m->declared_in->path ? strlen(m->declared_in->path) + 1 : 0);
        s->name = dg_intern_z(L->strings, s->name);
        for (dg_owned *o = m->declared_in->owned; o; o = o->next)
            s->owns |= o->name == s->name; /* by an earlier call */
    }
    entered before = enter_scope(L, s);
    m->active = true;
    const char *what = dg_arena_printf(L->arena, "model %s", m->path);
    dg_sv v = m->body->kind == DG_FN_CLOSURE ? call_text(L, m->body, e, NULL, a, n, what)
                                             : call_fn(L, m->body, e, NULL, a, n);
    m->active = false;
    leave_scope(L, before);
    return v;
}

static dg_str model_path(const dg_fn *fn)
{
    while (fn->kind == DG_FN_SWAP || fn->kind == DG_FN_FROZEN) fn = fn->inner;
    return fn->kind == DG_FN_MODEL ? fn->model->path : NULL;
}

static dg_sv cut(dg_lower *L, dg_sv v)
{
    if (v.kind == DG_SV_TENSOR) {
        dg_value x = dg_tensor_in(L, v);
        return dg_emit_at(L, "stop_gradient", NULL, 0, &x, 1);
    }
    if (v.kind != DG_SV_TUPLE && v.kind != DG_SV_LIST) return v;
    dg_sv copy = dg_list_copy(L, (dg_sv_kind)v.kind, v.list->at, v.list->n);
    copy.list->depth = v.list->depth;
    for (int64_t i = 0; i < v.list->n; i++) copy.list->at[i] = cut(L, dg_settle(L, v.list->at[i]));
    return copy;
}

static dg_sv call_fn(dg_lower *L, dg_fn *fn, const dg_expr *e, dg_str label, dg_actual *a, int n)
{
    if (!dg_stack_left(L, e->span)) return dg_sv_poison;
    switch (fn->kind) {
    case DG_FN_BLOCK:
    case DG_FN_CLOSURE:
        return call_text(L, fn, e, label, a, n, dg_callee_text(fn));
    case DG_FN_BUILTIN:
        return dg_call_builtin(L, fn->builtin, e, label, a, n);
    case DG_FN_MODEL:
        if (!dg_graph_wanted(L, e->span, "a model's result")) return dg_sv_poison;
        return call_model(L, fn->model, e, label, a, n);
    case DG_FN_SWAP: {
        dg_swapped s = {model_path(fn->inner), fn->swap, L->swaps};
        L->swaps = &s;
        dg_sv v = call_fn(L, fn->inner, e, label, a, n);
        L->swaps = s.outer;
        return v;
    }
    case DG_FN_FROZEN: {
        bool training = L->training;
        L->training = false;
        dg_sv v = call_fn(L, fn->inner, e, label, a, n);
        L->training = training;
        if (L->b) dg_at(L, e->span);
        return cut(L, v);
    }
    }
    return dg_sv_poison;
}

/* ---- the expression ---- */

/* A built-in that nothing hides, without making a function value of it. */
static const dg_builtin *plain_builtin(dg_lower *L, const dg_expr *callee)
{
    if (callee->kind != DG_E_NAME) return NULL;
    const dg_builtin *f = dg_map_get(L->front->builtins, callee->text);
    if (!f || !f->params || dg_binding_find(L, callee->text)) return NULL;
    dg_symbol *other;
    return dg_symbol_find(L->front, L->frame->unit, callee->text, &other) ? NULL : f;
}

dg_sv dg_eval_call(dg_lower *L, const dg_expr *e)
{
    const dg_builtin *f = plain_builtin(L, e->a);
    dg_sv callee = f ? dg_sv_none : dg_eval_expr(L, e->a);
    dg_actual few[8], *a = e->n <= 8 ? few : DG_NEW_ARRAY(L->arena, dg_actual, e->n);
    for (int i = 0; i < e->n; i++) {
        const dg_arg *x = &e->args[i];
        a[i] = (dg_actual){dg_eval_expr(L, x->value), x->name, x->value,
                           x->name ? x->span : x->value->span};
    }
    dg_str label = NULL;
    if (e->label) {
        label = dg_label(L, e->label);
        if (!label) return dg_sv_poison;
    }
    if (L->halted) return dg_sv_poison;
    if (f) return dg_call_builtin(L, f, e, label, a, e->n);
    if (callee.kind == DG_SV_POISON) return callee;
    if (callee.kind != DG_SV_FN)
        return dg_spoil(L, "E010", e->a->span, "`%s` is %s, not a function",
                        dg_source_of(L, e->a->span), dg_sv_kind_text(L, callee));
    dg_sv v = call_fn(L, callee.fn, e, label, a, e->n);
    if (L->b) dg_at(L, e->span);
    return v;
}

/* lower_stmt.c: statements of a body. `for` and `if` run while compiling and open no scope of
 * names.
 *
 * In     a body, the frame it runs in.
 * Out    bindings, nodes, a result in the frame. After a failed statement the next one is tried:
 *        its names are poison. */
#include "compiler/front/lower.h"

#include <string.h>

/* ---- binding ---- */

/* A value made for `name` in this scope is called so in dumps; what a block returned keeps its
 * own name. */
static void name_value(dg_lower *L, dg_sv v, size_t mark, dg_str name)
{
    if (v.kind != DG_SV_TENSOR || v.graph != L->graph || !L->b || (size_t)v.v < mark) return;
    dg_graph *g = L->b->graph;
    dg_value_info *info = dg_value_of(g, v.v);
    if (info->def == DG_NONE || info->index != 0) return;
    const dg_node_info *n = dg_node_of(g, info->def);
    if (n->scope != L->scope->path || n->op->traits & DG_NOT_FOLDED)
        return; /* places, inputs and streams have names */
    info->path = dg_path_of_parts(g, NULL, L->scope->path, name);
}

static size_t value_mark(const dg_lower *L)
{
    return L->b ? L->b->graph->values.n : 0;
}

static void bind_poison(dg_lower *L, const dg_expr *target)
{
    for (int i = 0; i < (target->kind == DG_E_TUPLE ? target->n : 1); i++) {
        const dg_expr *e = target->kind == DG_E_TUPLE ? target->items[i] : target;
        if (e->kind == DG_E_NAME) dg_bind(L, e->text, dg_sv_poison, e->span);
    }
}

static bool parts(dg_lower *L, dg_sv v, int n, dg_span span, dg_span whole)
{
    if (v.kind == DG_SV_POISON) return false;
    if (v.kind != DG_SV_LIST && v.kind != DG_SV_TUPLE) {
        dg_complain(L, "E021", whole, "%d names, but %s has no parts", n, dg_sv_kind_text(L, v));
        return false;
    }
    if (v.list->n == n) return true;
    dg_complain(L, "E021", span, "%d names for %s", n, dg_sv_kind_text(L, v));
    return false;
}

static void assign(dg_lower *L, const dg_expr *target, dg_sv v, size_t mark, dg_span whole)
{
    if (target->kind == DG_E_NAME) {
        dg_warn_hidden(L, target->text, target->span);
        const dg_binding *b = dg_binding_local(L, target->text);
        if (b && b->v.kind == DG_SV_PLACE)
            dg_warning(
                L->diag, "W003", target->span,
                "`%s` was the place %s; `=` binds the name anew and writes nothing, `:=` writes",
                target->text, b->v.spot->path);
        v = dg_settle(L, v);
        dg_bind(L, target->text, v, target->span);
        name_value(L, v, mark, target->text);
        return;
    }
    v = dg_settle(L, v);
    if (!parts(L, v, target->n, target->span, whole)) {
        bind_poison(L, target);
        return;
    }
    for (int i = 0; i < target->n; i++) {
        if (target->items[i]->kind == DG_E_NAME)
            assign(L, target->items[i], v.list->at[i], mark, whole);
    }
}

bool dg_targets_bind(dg_lower *L, const dg_target *t, dg_sv v, bool report)
{
    if (!t->tuple) {
        dg_bind_new(L, t->names[0], v, t->span)->target = true;
        return true;
    }
    if (!report ? v.kind != DG_SV_POISON : parts(L, v, t->n, t->span, t->span)) {
        for (int i = 0; i < t->n; i++)
            dg_bind_new(L, t->names[i], v.list->at[i], t->span)->target = true;
        return true;
    }
    for (int i = 0; i < t->n; i++)
        dg_bind_new(L, t->names[i], dg_sv_poison, t->span)->target = true;
    return false;
}

/* ---- statements ---- */

static void exec_assign(dg_lower *L, const dg_stmt *s)
{
    size_t mark = value_mark(L);
    dg_sv v = dg_eval_expr(L, s->b);
    dg_at(L, s->span);
    if (s->kind == DG_S_BIND && v.kind != DG_SV_POISON)
        dg_annotate(L, s->type, &v, s->b->span, s->a->text);
    assign(L, s->a, v, mark, s->b->span);
}

static void exec_update(dg_lower *L, const dg_stmt *s)
{
    if (!dg_graph_wanted(L, s->span, "`:=`")) return;
    dg_sv p = dg_eval_expr(L, s->a), v = dg_settle(L, dg_eval_expr(L, s->b));
    if (p.kind == DG_SV_POISON || v.kind == DG_SV_POISON) return;
    if (p.kind != DG_SV_PLACE) {
        dg_message *m =
            dg_complain(L, "E043", s->a->span, "`:=` writes a param or a state, and this is %s",
                        dg_sv_kind_text(L, p));
        dg_help_add(L->diag, m, "a value is bound to a name with `=`");
        return;
    }
    dg_spot *spot = p.spot;
    if (L->graph == 1) {
        dg_complain(L, "E045", s->span, "an initialiser cannot write the place %s", spot->path);
        return;
    }
    dg_at(L, s->span);
    dg_value x = dg_tensor_of(L, v, spot->type.dtype, s->b->span, "`:=`");
    dg_type have = *dg_type_of(L->b->graph, x);
    if (have.dtype == DG_POISON || spot->type.dtype == DG_POISON) return;
    if (have.dtype == spot->type.dtype && have.shape.rank == 0) {
        x = dg_expand(L->b, x, spot->type.shape);
    } else if (!dg_type_equal(&have, &spot->type)) {
        dg_message *m = dg_complain(L, "E048", s->b->span, "the place `%s` keeps its type",
                                    dg_source_of(L, s->a->span));
        dg_beside_set(L->diag, m, "%s, the place is %s", dg_type_name(L->arena, &have),
                      dg_type_name(L->arena, &spot->type));
        if (have.dtype != spot->type.dtype)
            dg_help_add(L->diag, m, "convert it: %s(...)", dg_dtype_name(spot->type.dtype));
        dg_note_before(L, m, "%s is declared at %s", spot->path, dg_where_text(L, spot->span));
        return;
    }
    dg_spot_write(L, spot, x);
}

static void exec_place(dg_lower *L, const dg_stmt *s)
{
    dg_sv v = dg_sv_poison;
    const char *what = s->kind == DG_S_PARAM ? "param" : "state";
    if (L->frame->expression) {
        dg_complain(L, "E044", s->span, "an fn declares no %s", what);
    } else if (L->loop != L->frame->loop) {
        dg_message *m =
            dg_complain(L, "E032", s->span, "a %s is not declared in the body of a loop", what);
        dg_help_add(L->diag, m,
                    "declare it before the loop, or in a block or model that the body calls");
    } else if (L->graph == 1) {
        dg_complain(L, "E045", s->span, "an initialiser cannot declare a %s", what);
    } else {
        dg_spot *p = dg_spot_declare(L, s);
        if (p) v = (dg_sv){.kind = DG_SV_PLACE, .spot = p};
    }
    dg_bind(L, s->name, v, s->name_span);
}

static void exec_model(dg_lower *L, const dg_stmt *s)
{
    dg_sv v = dg_eval_expr(L, s->b);
    if (v.kind != DG_SV_FN) {
        if (v.kind != DG_SV_POISON)
            dg_complain(L, "E010", s->b->span, "a model is a function, not %s",
                        dg_sv_kind_text(L, v));
        dg_bind(L, s->name, dg_sv_poison, s->name_span);
        return;
    }
    dg_str path = dg_path_join_names(L, L->scope->path, s->name);
    dg_model *m = dg_map_get(L->models, path);
    if (m && m->decl != s) {
        dg_message *x = dg_complain(L, "E041", s->name_span, "two models have the path %s", path);
        dg_note_before(L, x, "the other one is declared at %s", dg_where_text(L, m->span));
        dg_bind(L, s->name, dg_sv_poison, s->name_span);
        return;
    }
    int calls = m ? m->calls : 0; /* of one model, whose caller is elaborated again */
    m = DG_NEW(L->arena, dg_model);
    *m = (dg_model){.path = path,
                    .decl = s,
                    .span = s->name_span,
                    .body = v.fn,
                    .calls = calls,
                    .declared_in = L->scope};
    dg_map_set(L->models, path, m);
    dg_fn *fn = DG_NEW(L->arena, dg_fn);
    fn->kind = DG_FN_MODEL;
    fn->model = m;
    dg_bind(L, s->name, dg_sv_of_fn(fn), s->name_span);
}

static void exec_return(dg_lower *L, const dg_stmt *s)
{
    if (L->loop != L->frame->loop) {
        dg_complain(L, "E032", s->span, "`return` cannot leave the body of a loop");
        return;
    }
    size_t mark = value_mark(L);
    dg_sv v = dg_settle(L, dg_eval_expr(L, s->b));
    L->frame->returned = true;
    L->frame->result = v;
    L->frame->result_span = s->b->span;
    if (s->b->kind != DG_E_NAME) name_value(L, v, mark, dg_intern_z(L->strings, "out"));
}

/* A target pushes its index on the chain that messages show. */
static const dg_iter *push_iter(dg_lower *L, const dg_iter *outer, dg_str name, dg_sv v)
{
    dg_iter *i = DG_NEW(L->arena, dg_iter);
    *i = (dg_iter){name, v, outer};
    return i;
}

static void exec_for(dg_lower *L, const dg_stmt *s)
{
    dg_sv list = dg_eval_expr(L, s->b);
    if (list.kind != DG_SV_LIST) dg_skip(L, s->body);
    if (list.kind == DG_SV_POISON) return;
    if (list.kind != DG_SV_LIST) {
        dg_message *m = dg_complain(L, "E021", s->b->span, "`for` runs over a list, not %s",
                                    dg_sv_kind_text(L, list));
        if (list.kind == DG_SV_INT)
            dg_help_add(L->diag, m, "for %s in 0..%s", s->target.names[0],
                        dg_source_of(L, s->b->span));
        else if (dg_sv_is_graph(list))
            dg_help_add(L->diag, m, "for i in 0..dim(%s, 0), and index with [i]",
                        dg_source_of(L, s->b->span));
        return;
    }
    const dg_iter *outer = L->frame->iter;
    for (int64_t i = 0; i < list.list->n && !L->frame->returned && dg_tick(L, 0, s->span); i++) {
        size_t mark = L->stack.n;
        dg_targets_bind(L, &s->target, list.list->at[i], true);
        size_t n = L->stack.n;
        const dg_iter *inner = outer;
        for (size_t k = mark; k < n; k++)
            inner = push_iter(L, inner, L->stack.at[k].name, L->stack.at[k].v);
        L->frame->iter = inner;
        L->frame->origin = NULL;
        dg_exec(L, s->body);
        for (size_t k = mark; k < n && k < L->stack.n; k++) L->stack.at[k].name = NULL;
        if (L->stack.n == n) L->stack.n = mark; /* nothing else was bound */
    }
    L->frame->iter = outer;
    L->frame->origin = NULL;
}

static void exec_if(dg_lower *L, const dg_stmt *s)
{
    bool c;
    dg_sv v = dg_settle(L, dg_eval_expr(L, s->b));
    if (!dg_static_bool(L, v, s->b->span, "`if`", &c)) {
        dg_skip(L, s->body);
        if (s->otherwise) dg_skip(L, s->otherwise);
        return;
    }
    if (c)
        dg_exec(L, s->body);
    else if (s->otherwise)
        dg_exec(L, s->otherwise);
}

/* ---- assert ---- */

static const dg_expr *compared(const dg_expr *e)
{
    return e->kind == DG_E_BINARY && e->op >= DG_B_EQ && e->op <= DG_B_GE ? e : NULL;
}

static void assert_static(dg_lower *L, const dg_expr *e, dg_str why, dg_sv v, dg_sv a, dg_sv b)
{
    if (v.b) return;
    dg_message *m =
        why ? dg_complain(L, "E026", e->span, "assertion failed: %s", why)
            : dg_complain(L, "E026", e->span, "assertion failed: %s", dg_source_of(L, e->span));
    if (compared(e)) dg_beside_set(L->diag, m, "%s and %s", dg_sv_show(L, a), dg_sv_show(L, b));
    dg_frame *f = L->frame;
    if (!f || !f->block || L->loop != f->loop) return;
    f->returned = true; /* what follows relies on it and would only repeat the mistake */
    f->result = dg_sv_poison;
}

static bool rank_0(const dg_lower *L, dg_sv v)
{
    return v.kind != DG_SV_TENSOR ? dg_sv_is_number(v) : dg_graph_type(L, v)->shape.rank == 0;
}

static void assert_graph(dg_lower *L, const dg_expr *e, dg_str why, dg_sv v, dg_sv a, dg_sv b)
{
    dg_type t = *dg_graph_type(L, v);
    if (t.dtype == DG_POISON) return;
    if (t.dtype != DG_BOOL || t.shape.rank != 0) {
        dg_message *m = dg_complain(L, "E025", e->span, "`assert` takes one bool, not %s",
                                    dg_type_name(L->arena, &t));
        if (t.dtype == DG_BOOL) dg_help_add(L->diag, m, "all(...) or any(...) makes it one");
        return;
    }
    dg_at(L, e->span);
    dg_value in[3] = {dg_tensor_in(L, v)};
    int n = 1;
    if (compared(e) && rank_0(L, a) && rank_0(L, b) &&
        dg_sv_has_graph(a) + dg_sv_has_graph(b) > 0) {
        dg_dtype like = dg_graph_type(L, dg_sv_is_graph(a) ? a : b)->dtype;
        in[n++] = dg_tensor_of(L, a, like, e->a->span, "`assert`");
        in[n++] = dg_tensor_of(L, b, like, e->b->span, "`assert`");
    }
    dg_attr text = dg_attr_of_str(L->arena, "text", why ? why : dg_source_of(L, e->span));
    L->site = (dg_site){.e = e, .name = "assert", .n = 1, .in = {e}};
    dg_build_node(L->b, L->find("check"), &text, 1, in, n);
}

void dg_exec_assert(dg_lower *L, const dg_expr *e, const dg_expr *message, dg_span span)
{
    const dg_expr *c = compared(e);
    dg_sv a = dg_sv_none, b = dg_sv_none, v;
    dg_str why = message ? dg_eval_text(L, message) : NULL;
    if (c) { /* both sides are kept for the message */
        a = dg_settle(L, dg_eval_expr(L, c->a));
        b = dg_settle(L, dg_eval_expr(L, c->b));
        if (a.kind == DG_SV_POISON || b.kind == DG_SV_POISON) return;
        v = dg_apply_binary(L, c, a, b);
    } else {
        v = dg_settle(L, dg_eval_expr(L, e));
    }
    if (v.kind == DG_SV_BOOL)
        assert_static(L, e, why, v, a, b);
    else if (v.kind == DG_SV_TENSOR)
        assert_graph(L, e, why, v, a, b);
    else if (v.kind != DG_SV_POISON)
        dg_complain(L, "E021", span, "`assert` takes a bool, not %s", dg_sv_kind_text(L, v));
}

/* ---- the walk ---- */

static void exec_one(dg_lower *L, const dg_stmt *s)
{
    switch (s->kind) {
    case DG_S_EXPR:
        dg_eval_expr(L, s->a);
        return;
    case DG_S_ASSIGN:
    case DG_S_BIND:
        exec_assign(L, s);
        return;
    case DG_S_UPDATE:
        exec_update(L, s);
        return;
    case DG_S_PARAM:
    case DG_S_STATE:
        exec_place(L, s);
        return;
    case DG_S_MODEL:
        exec_model(L, s);
        return;
    case DG_S_RETURN:
        exec_return(L, s);
        return;
    case DG_S_FOR:
        exec_for(L, s);
        return;
    case DG_S_LOOP:
        dg_exec_loop(L, s);
        return;
    case DG_S_IF:
        exec_if(L, s);
        return;
    case DG_S_ASSERT:
        dg_exec_assert(L, s->b, s->message, s->span);
        return;
    }
}

void dg_exec(dg_lower *L, const dg_block_ast *b)
{
    for (int i = 0; i < b->n && !L->frame->returned; i++) {
        if (!dg_tick(L, 0, b->at[i]->span)) return;
        exec_one(L, b->at[i]);
    }
}

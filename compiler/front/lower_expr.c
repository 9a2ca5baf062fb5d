/* lower_expr.c: expressions. What is known while compiling is computed, what is not becomes nodes.
 *
 * In     a tree, the bindings in force.
 * Out    a static value or a tensor; poison after reporting, so that one mistake gives one error.
 * Keeps  the C stack shallow: every level asks whether there is room, and the steps of an
 *        elaboration are counted. */
#include "compiler/front/lower.h"

#include <stdio.h>
#include <string.h>

/* ---- budgets ---- */

static bool halt(dg_lower *L, const char *id, dg_span span, const char *what)
{
    if (L->halted) return false;
    dg_message *m = dg_complain(L, id, span, "%s", what);
    dg_help_add(L->diag, m, "long tables and searches belong in the graph: f32(0..n), loop");
    dg_halt(L);
    return false;
}

void dg_halt(dg_lower *L)
{
    L->halted = true;
    L->next_look = 0;
}

bool dg_budget_left(dg_lower *L, dg_span span)
{
    enum { LOOK = 1024 }; /* steps from one look to the next */
    if (L->halted) return false;
    if (L->steps > DG_BUDGET_STEPS)
        return halt(L, "E035", span, "the budget of 2 million static steps is used up");
    L->next_look = L->steps - L->steps % LOOK + LOOK;
    if (L->next_look > DG_BUDGET_STEPS) L->next_look = DG_BUDGET_STEPS + 1;
    if (dg_arena_used(L->arena) - L->bytes_at_start > DG_BUDGET_BYTES)
        return halt(L, "E037", span, "elaboration needs more than 1 GB of memory");
    if (L->graphs[0].graph && L->graphs[0].graph->nodes.n > DG_BUDGET_NODES)
        return halt(L, "E036", span, "the graph has more than 200 000 nodes");
    return true;
}

bool dg_graph_wanted(dg_lower *L, dg_span span, const char *what)
{
    if (L->b) return true;
    dg_message *m = dg_complain(
        L, "E025", span, "%s is made at run time, but a static value is computed here", what);
    dg_help_add(L->diag, m,
                "const, config, the arguments of an entry and the value of a model are static");
    return false;
}

/* ---- emitting ---- */

void dg_at(dg_lower *L, dg_span span)
{
    const dg_span *s = &L->origin_span;
    if (L->origin_frame == L->frame && L->origin_iter == L->frame->iter && s->begin == span.begin &&
        s->end == span.end && s->file == span.file)
        return;
    L->origin_span = span;
    L->origin_frame = L->frame;
    L->origin_iter = L->frame->iter;
    if (!L->b) return;
    L->b->origin = NULL;
    L->b->span = span;
    L->b->outer = dg_frame_origin(L, L->frame);
}

dg_sv dg_emit_at(dg_lower *L, const char *op, const dg_attr *attrs, int n_attrs, const dg_value *in,
                 int n_in)
{
    return dg_sv_of_tensor(L, dg_emit(L->b, op, attrs, n_attrs, in, n_in));
}

/* ---- parts ---- */

static void add_shown(dg_lower *L, dg_sv v, dg_text *out)
{
    if (v.kind == DG_SV_STR)
        dg_text_addn(out, v.s, strlen(v.s));
    else
        dg_sv_text(L, v, out);
}

dg_str dg_eval_text(dg_lower *L, const dg_expr *e)
{
    enum { LONGEST = 65536 };
    if (e->n == 0) return e->text ? e->text : dg_intern(L->strings, "", 0);
    dg_text t = {0};
    bool good = true;
    for (int i = 0; i < e->n && good; i++) {
        const dg_expr *part = e->items[i];
        if (i % 2 == 0) { /* text and expressions stand in turn */
            dg_text_addn(&t, part->text, strlen(part->text));
            continue;
        }
        dg_sv v = dg_eval_expr(L, part);
        good = v.kind != DG_SV_POISON;
        if (dg_sv_is_graph(v) || v.kind == DG_SV_FN) {
            dg_message *m = dg_complain(L, "E025", part->span, "a text takes static values, not %s",
                                        dg_sv_kind_text(L, v));
            if (v.kind == DG_SV_PLACE)
                dg_help_add(L->diag, m, "name(%s) is the place's path",
                            dg_source_of(L, part->span));
            good = false;
        }
        if (good) add_shown(L, v, &t);
        if (t.n > LONGEST) {
            dg_complain(L, "E035", e->span, "the text is longer than %d bytes", LONGEST);
            good = false;
        }
    }
    dg_str s = good ? dg_intern(L->strings, t.at ? t.at : "", t.n) : NULL;
    dg_text_free(&t);
    return s;
}

static dg_sv eval_list(dg_lower *L, const dg_expr *e)
{
    dg_sv v = dg_list_new(L, e->kind == DG_E_LIST ? DG_SV_LIST : DG_SV_TUPLE, e->n);
    for (int i = 0; i < e->n; i++) v.list->at[i] = dg_eval_expr(L, e->items[i]);
    return dg_list_nest(L, v, e->span);
}

static dg_sv eval_comprehension(dg_lower *L, const dg_expr *e)
{
    dg_sv source = dg_eval_expr(L, e->b);
    if (source.kind == DG_SV_POISON) return source;
    if (source.kind != DG_SV_LIST)
        return dg_spoil(L, "E021", e->b->span, "a comprehension runs over a list, not %s",
                        dg_sv_kind_text(L, source));
    dg_sv out = dg_list_new(L, DG_SV_LIST, source.list->n);
    int64_t n = 0;
    size_t mark = L->stack.n;
    for (int64_t i = 0; i < source.list->n; i++) {
        if (!dg_tick(L, 0, e->span)) return dg_sv_poison;
        L->stack.n = mark;
        if (!dg_targets_bind(L, e->target, source.list->at[i], true)) return dg_sv_poison;
        if (e->c) {
            bool keep;
            dg_sv c = dg_settle(L, dg_eval_expr(L, e->c));
            if (!dg_static_bool(L, c, e->c->span, "the filter", &keep)) {
                L->stack.n = mark;
                return dg_sv_poison;
            }
            if (!keep) continue;
        }
        dg_sv v = dg_eval_expr(L, e->a);
        if (v.kind == DG_SV_POISON) {
            L->stack.n = mark;
            return v;
        }
        out.list->at[n++] = v;
    }
    L->stack.n = mark;
    out.list->n = n;
    return dg_list_nest(L, out, e->span);
}

/* ---- operators ---- */

static bool comparison(dg_binop op)
{
    return op >= DG_B_EQ && op <= DG_B_GE;
}

static dg_sv graph_binary(dg_lower *L, const dg_expr *e, const char *op, dg_sv a, dg_sv b)
{
    const char *name = dg_binop_quoted(e->op);
    if (!dg_graph_wanted(L, e->op_span, name)) return dg_sv_poison;
    dg_dtype like = dg_graph_type(L, dg_sv_is_graph(a) ? a : b)->dtype;
    if (like == DG_POISON) return dg_sv_of_tensor(L, dg_poison_value(L));
    dg_at(L, e->op_span);
    dg_value in[2];
    in[0] = dg_tensor_of(L, a, dg_sv_is_graph(a) ? DG_POISON : like, e->a->span, name);
    in[1] = dg_tensor_of(L, b, dg_sv_is_graph(b) ? DG_POISON : like, e->b->span, name);
    dg_at(L, e->op_span);
    if (e->op == DG_B_DIV && dg_dtype_of(L->b, in[0]) == DG_I32 &&
        dg_dtype_of(L->b, in[1]) == DG_I32) {
        dg_message *m =
            dg_complain(L, "E023", e->op_span, "`/` divides floats, both operands are i32");
        dg_help_add(L->diag, m, "f32(...) converts, `//` divides whole numbers");
        return dg_sv_poison;
    }
    L->site = (dg_site){.e = e, .name = name, .n = 2, .in = {e->a, e->b}};
    return dg_emit_at(L, op, NULL, 0, in, 2);
}

/* The left side decides alone where it can, so that the other one need not have a value. */
static dg_sv eval_logic(dg_lower *L, const dg_expr *e)
{
    dg_sv a = dg_settle(L, dg_eval_expr(L, e->a));
    if (a.kind == DG_SV_POISON) return a;
    bool is_and = e->op == DG_B_AND;
    if (a.kind == DG_SV_BOOL && a.b != is_and) return a;
    dg_sv b = dg_settle(L, dg_eval_expr(L, e->b));
    if (b.kind == DG_SV_POISON) return b;
    if (a.kind == DG_SV_BOOL && (b.kind == DG_SV_BOOL || b.kind == DG_SV_TENSOR)) return b;
    if (b.kind == DG_SV_BOOL && a.kind == DG_SV_TENSOR && b.b == is_and) return a;
    if (dg_sv_is_graph(a) && (dg_sv_is_graph(b) || b.kind == DG_SV_BOOL))
        return graph_binary(L, e, dg_binop_name(e->op), a, b);
    dg_sv wrong = a.kind == DG_SV_BOOL ? b : a;
    return dg_spoil(L, "E021", (a.kind == DG_SV_BOOL ? e->b : e->a)->span,
                    "`%s` takes bools, not %s", dg_binop_text(e->op), dg_sv_kind_text(L, wrong));
}

dg_sv dg_apply_binary(dg_lower *L, const dg_expr *e, dg_sv a, dg_sv b)
{
    if (a.kind == DG_SV_POISON || b.kind == DG_SV_POISON) return dg_sv_poison;
    bool graph_a = dg_sv_is_graph(a), graph_b = dg_sv_is_graph(b);
    if (!graph_a && !graph_b) return dg_static_binary(L, e, a, b);
    if (comparison(e->op) && (a.kind == DG_SV_NONE || b.kind == DG_SV_NONE))
        return dg_sv_of_bool(e->op == DG_B_NE);
    if (e->op == DG_B_RANGE) {
        dg_message *m =
            dg_complain(L, "E025", e->op_span,
                        "the bounds of a range are known while compiling, but one is a tensor");
        dg_help_add(L->diag, m, "stop(c) ends a loop early");
        return dg_sv_poison;
    }
    dg_sv other = graph_a ? b : a;
    dg_shape s;
    dg_dtype t;
    bool table = other.kind == DG_SV_LIST && dg_table_shape(other, &s, &t);
    if (!dg_sv_is_graph(other) && !dg_sv_is_number(other) && other.kind != DG_SV_BOOL && !table)
        return dg_static_binary(L, e, a, b); /* reports */
    return graph_binary(L, e, dg_binop_name(e->op), a, b);
}

static dg_sv eval_binary(dg_lower *L, const dg_expr *e)
{
    if (e->op == DG_B_AND || e->op == DG_B_OR) return eval_logic(L, e);
    dg_sv a = dg_eval_expr(L, e->a), b = dg_eval_expr(L, e->b);
    if (dg_sv_is_number(a) && dg_sv_is_number(b) && e->op != DG_B_RANGE)
        return dg_static_numbers(L, e, a, b);
    return dg_apply_binary(L, e, a, b);
}

static dg_sv eval_remat(dg_lower *L, const dg_expr *e)
{
    if (e->a->kind != DG_E_CALL)
        return dg_spoil(L, "E010", e->span, "`remat` stands before a call");
    if (!L->b) return dg_eval_expr(L, e->a);
    dg_build *b = L->b;
    int before = b->remat;
    b->remat = ++L->remats;
    dg_sv v = dg_eval_expr(L, e->a);
    b->remat = before;
    return v;
}

static dg_sv eval_unary(dg_lower *L, const dg_expr *e)
{
    if (e->op == DG_U_REMAT) return eval_remat(L, e);
    dg_sv a = dg_settle(L, dg_eval_expr(L, e->a));
    if (a.kind == DG_SV_POISON) return a;
    bool negate = e->op == DG_U_NEG;
    if (a.kind == DG_SV_TENSOR) {
        dg_at(L, e->span);
        L->site = (dg_site){.e = e, .name = negate ? "`-`" : "`not`", .n = 1, .in = {e->a}};
        dg_value x = dg_tensor_in(L, a);
        return dg_emit_at(L, negate ? "neg" : "not", NULL, 0, &x, 1);
    }
    if (negate) return dg_static_negate(L, e, a);
    bool b;
    return dg_static_bool(L, a, e->a->span, "`not`", &b) ? dg_sv_of_bool(!b) : dg_sv_poison;
}

static dg_sv eval_if(dg_lower *L, const dg_expr *e)
{
    bool c;
    dg_sv v = dg_settle(L, dg_eval_expr(L, e->a));
    if (!dg_static_bool(L, v, e->a->span, "`if`", &c)) return dg_sv_poison;
    return dg_eval_expr(L, c ? e->b : e->c);
}

static dg_sv eval_cast(dg_lower *L, const dg_expr *e)
{
    dg_sv v = dg_eval_expr(L, e->a);
    if (v.kind == DG_SV_POISON) return v;
    const char *name = dg_dtype_name(e->dtype);
    if (!dg_graph_wanted(L, e->span, name)) return dg_sv_poison;
    dg_at(L, e->span);
    if (v.kind == DG_SV_LIST) {
        dg_shape s;
        dg_dtype own;
        if (!dg_table_shape(v, &s, &own))
            return dg_sv_of_tensor(L, dg_table_value(L, v, e->dtype, e->span)); /* reports */
        bool direct = own == e->dtype || (dg_dtype_is_float(e->dtype) && own != DG_BOOL);
        if (direct) return dg_sv_of_tensor(L, dg_table_value(L, v, e->dtype, e->span));
        return dg_sv_of_tensor(L, dg_cast(L->b, dg_table_value(L, v, own, e->span), e->dtype));
    }
    if (dg_sv_is_number(v) && dg_dtype_is_float(e->dtype))
        return dg_sv_of_tensor(L, dg_fresh_number(L, dg_sv_number(v), e->dtype));
    dg_value x = dg_tensor_of(L, v, DG_POISON, e->a->span, name);
    dg_at(L, e->span);
    L->site = (dg_site){.e = e, .name = name, .n = 1, .in = {e->a}};
    return dg_sv_of_tensor(L, dg_dtype_of(L->b, x) == DG_POISON ? x : dg_cast(L->b, x, e->dtype));
}

static dg_sv eval_closure(dg_lower *L, const dg_expr *e)
{
    dg_fn *fn = DG_NEW(L->arena, dg_fn);
    fn->kind = DG_FN_CLOSURE;
    fn->e = e;
    fn->unit = L->frame->unit;
    fn->env = dg_env_capture(L);
    return dg_sv_of_fn(fn);
}

/* ---- the walk ---- */

bool dg_stack_left(dg_lower *L, dg_span span)
{
    char here;
    if (&here >= L->stack_low) return true;
    if (!L->halted) dg_complain(L, "E038", span, "calls and expressions are nested too deeply");
    dg_halt(L);
    return false;
}

/* Kept apart from the leaves, which are most of all expressions and need none of its stack. */
__attribute__((noinline)) static dg_sv eval_inner(dg_lower *L, const dg_expr *e)
{
    if (!dg_stack_left(L, e->span)) return dg_sv_poison;
    switch (e->kind) {
    case DG_E_STRING: {
        dg_str s = dg_eval_text(L, e);
        return s ? dg_sv_of_str(s) : dg_sv_poison;
    }
    case DG_E_LIST:
    case DG_E_TUPLE:
        return eval_list(L, e);
    case DG_E_COMPREHENSION:
        return eval_comprehension(L, e);
    case DG_E_IF:
        return eval_if(L, e);
    case DG_E_FN:
        return eval_closure(L, e);
    case DG_E_BINARY:
        return eval_binary(L, e);
    case DG_E_UNARY:
        return eval_unary(L, e);
    case DG_E_CALL:
        return dg_eval_call(L, e);
    case DG_E_INDEX:
        return dg_eval_index(L, e);
    case DG_E_CAST:
        return eval_cast(L, e);
    default:
        return dg_sv_poison;
    }
}

static inline dg_sv eval_any(dg_lower *L, const dg_expr *e)
{
    switch (e->kind) {
    case DG_E_NAME: {
        dg_binding *b = dg_binding_local(L, e->text);
        if (!b) return dg_name_value(L, e->text, e->span);
        b->used = true;
        return b->v;
    }
    case DG_E_INT:
        return dg_sv_of_int(e->i);
    case DG_E_FLOAT:
        return dg_sv_of_float(e->f);
    case DG_E_TRUE:
        return dg_sv_of_bool(true);
    case DG_E_FALSE:
        return dg_sv_of_bool(false);
    case DG_E_NONE:
        return dg_sv_none;
    default:
        return eval_inner(L, e);
    }
}

__attribute__((noinline)) static dg_sv eval_if_allowed(dg_lower *L, const dg_expr *e)
{
    return dg_budget_left(L, e->span) ? eval_any(L, e) : dg_sv_poison;
}

/* Only calls at its end, so that nothing is kept across them. */
dg_sv dg_eval_expr(dg_lower *L, const dg_expr *e)
{
    L->steps++;
    return L->steps < L->next_look ? eval_any(L, e) : eval_if_allowed(L, e);
}

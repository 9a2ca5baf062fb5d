/* static.c: static values: made, joined, cut, compared, shown.
 *
 * In     numbers, texts, lists of the language.
 * Keeps  values never change; lists share their elements, and appending to the newest list of a
 *        chain copies nothing. */
#include "compiler/front/lower.h"

#include <math.h>
#include <string.h>

const dg_sv dg_sv_poison = {.kind = DG_SV_POISON};
const dg_sv dg_sv_none = {.kind = DG_SV_NONE};

dg_sv dg_sv_of_str(dg_str s)
{
    return (dg_sv){.kind = DG_SV_STR, .s = s};
}

dg_sv dg_sv_of_tensor(const dg_lower *L, dg_value v)
{
    return (dg_sv){.kind = DG_SV_TENSOR, .graph = (uint8_t)L->graph, .v = v};
}

dg_sv dg_sv_of_fn(dg_fn *fn)
{
    return (dg_sv){.kind = DG_SV_FN, .fn = fn};
}

bool dg_sv_has_graph(dg_sv v)
{
    if (v.kind != DG_SV_LIST && v.kind != DG_SV_TUPLE) return dg_sv_is_graph(v);
    if (v.list->range) return false;
    for (int64_t i = 0; i < v.list->n; i++) {
        if (dg_sv_has_graph(v.list->at[i])) return true;
    }
    return false;
}

/* ---- lists ---- */

static dg_sv list_value(dg_sv_kind kind, dg_list *list)
{
    return (dg_sv){.kind = (uint8_t)kind, .list = list};
}

dg_sv dg_list_new(dg_lower *L, dg_sv_kind kind, int64_t n)
{
    dg_list *list = DG_NEW(L->arena, dg_list);
    list->n = n;
    list->at = DG_NEW_ARRAY(L->arena, dg_sv, n);
    return list_value(kind, list);
}

dg_sv dg_list_nest(dg_lower *L, dg_sv list, dg_span span)
{
    enum { DEEPEST = 64 }; /* lists are walked by recursion */
    int depth = 0;
    for (int64_t i = 0; i < list.list->n; i++) {
        dg_sv v = list.list->at[i];
        bool inner = v.kind == DG_SV_LIST || v.kind == DG_SV_TUPLE;
        if (inner && v.list->depth >= depth) depth = v.list->depth + 1;
    }
    list.list->depth = depth;
    return depth <= DEEPEST
               ? list
               : dg_spoil(L, "E035", span, "lists are nested more than %d deep", DEEPEST);
}

dg_sv dg_list_copy(dg_lower *L, dg_sv_kind kind, const dg_sv *at, int64_t n)
{
    dg_sv v = dg_list_new(L, kind, n);
    if (n > 0) memcpy(v.list->at, at, sizeof *at * (size_t)n);
    return v;
}

dg_sv dg_list_slice(dg_lower *L, dg_sv list, int64_t from, int64_t n, int64_t step)
{
    if (step == 1) {
        dg_list *part = DG_NEW(L->arena, dg_list);
        part->n = n;
        part->at = list.list->at + from;
        part->store = list.list->store;
        part->depth = list.list->depth;
        return list_value(DG_SV_LIST, part);
    }
    dg_sv v = dg_list_new(L, DG_SV_LIST, n);
    for (int64_t i = 0; i < n; i++) v.list->at[i] = list.list->at[from + i * step];
    v.list->depth = list.list->depth;
    return v;
}

dg_sv dg_list_concat(dg_lower *L, dg_sv a, dg_sv b)
{
    const dg_list *x = a.list, *y = b.list;
    dg_list *out = DG_NEW(L->arena, dg_list);
    dg_list_room *store = x->store;
    out->n = x->n + y->n;
    if (store && x->at + x->n == store->at + store->used && store->used + y->n <= store->room) {
        out->at = x->at;
    } else {
        store = DG_NEW(L->arena, dg_list_room);
        store->room = 2 * out->n + 4;
        store->used = x->n;
        store->at = DG_NEW_ARRAY(L->arena, dg_sv, store->room);
        if (x->n > 0) memcpy(store->at, x->at, sizeof *x->at * (size_t)x->n);
        out->at = store->at;
    }
    if (y->n > 0) memmove(out->at + x->n, y->at, sizeof *y->at * (size_t)y->n);
    store->used += y->n;
    out->store = store;
    out->depth = x->depth > y->depth ? x->depth : y->depth;
    return list_value(DG_SV_LIST, out);
}

dg_sv dg_ints(dg_lower *L, const int64_t *at, int n)
{
    dg_sv v = dg_list_new(L, DG_SV_LIST, n);
    for (int i = 0; i < n; i++) v.list->at[i] = dg_sv_of_int(at[i]);
    return v;
}

/* ---- equality ---- */

static bool same_function(const dg_fn *a, const dg_fn *b)
{
    return a == b || (a->kind == b->kind && a->kind == DG_FN_BLOCK && a->block == b->block) ||
           (a->kind == b->kind && a->kind == DG_FN_MODEL && a->model == b->model) ||
           (a->kind == b->kind && a->kind == DG_FN_BUILTIN && a->builtin == b->builtin);
}

bool dg_sv_equal(dg_sv a, dg_sv b)
{
    if (dg_sv_is_number(a) && dg_sv_is_number(b)) {
        if (a.kind == DG_SV_INT && b.kind == DG_SV_INT) return a.i == b.i;
        return dg_sv_number(a) == dg_sv_number(b);
    }
    if (a.kind != b.kind) return false;
    switch ((dg_sv_kind)a.kind) {
    case DG_SV_BOOL:
        return a.b == b.b;
    case DG_SV_STR:
        return a.s == b.s;
    case DG_SV_FN:
        return same_function(a.fn, b.fn);
    case DG_SV_TENSOR:
        return a.v == b.v;
    case DG_SV_PLACE:
        return a.spot == b.spot;
    case DG_SV_LIST:
    case DG_SV_TUPLE:
        if (a.list->n != b.list->n) return false;
        for (int64_t i = 0; i < a.list->n; i++) {
            if (!dg_sv_equal(a.list->at[i], b.list->at[i])) return false;
        }
        return true;
    default:
        return true;
    }
}

/* ---- texts ---- */

static void quoted(const char *s, dg_text *out)
{
    dg_text_addn(out, "\"", 1);
    for (; *s; s++) {
        const char *mark = *s == '\n'   ? "\\n"
                           : *s == '\t' ? "\\t"
                           : *s == '"'  ? "\\\""
                           : *s == '\\' ? "\\\\"
                           : *s == '{'  ? "{{"
                           : *s == '}'  ? "}}"
                                        : NULL;
        if (mark)
            dg_text_addn(out, mark, 2);
        else
            dg_text_addn(out, s, 1);
    }
    dg_text_addn(out, "\"", 1);
}

void dg_sv_text(const dg_lower *L, dg_sv v, dg_text *out)
{
    char number[32];
    switch ((dg_sv_kind)v.kind) {
    case DG_SV_POISON:
        dg_text_add(out, "?");
        return;
    case DG_SV_NONE:
        dg_text_add(out, "none");
        return;
    case DG_SV_BOOL:
        dg_text_add(out, v.b ? "true" : "false");
        return;
    case DG_SV_INT:
        dg_text_add(out, "%lld", (long long)v.i);
        return;
    case DG_SV_FLOAT:
        dg_text_add(out, "%s", dg_double_text(v.f, number));
        return;
    case DG_SV_STR:
        quoted(v.s, out);
        return;
    case DG_SV_FN:
        dg_text_add(out, "%s", dg_callee_text(v.fn));
        return;
    case DG_SV_TENSOR:
    case DG_SV_PLACE:
        dg_text_add(out, "%s", dg_tensor_text(L, v));
        return;
    case DG_SV_LIST:
    case DG_SV_TUPLE:
        dg_text_add(out, v.kind == DG_SV_LIST ? "[" : "(");
        for (int64_t i = 0; i < v.list->n; i++) {
            if (i > 0) dg_text_add(out, ", ");
            dg_sv_text(L, v.list->at[i], out);
            if (out->n > 1u << 20) break; /* of a list of lists without end */
        }
        dg_text_add(out, v.kind == DG_SV_LIST ? "]" : ")");
        return;
    }
}

const char *dg_sv_show(const dg_lower *L, dg_sv v)
{
    enum { COLUMNS = 60 };
    if ((v.kind == DG_SV_LIST || v.kind == DG_SV_TUPLE) && v.list->n > 12)
        return dg_sv_kind_text(L, v);
    dg_text t = {0}, cut = {0};
    dg_sv_text(L, v, &t);
    dg_text_escape(&cut, t.at ? t.at : "", t.n, COLUMNS);
    char *copy = dg_arena_text(L->arena, cut.at ? cut.at : "", cut.n);
    dg_text_free(&t);
    dg_text_free(&cut);
    return copy;
}

const char *dg_sv_kind_text(const dg_lower *L, dg_sv v)
{
    switch ((dg_sv_kind)v.kind) {
    case DG_SV_POISON:
        return "a failed value";
    case DG_SV_NONE:
        return "none";
    case DG_SV_BOOL:
        return "a bool";
    case DG_SV_INT:
        return "an int";
    case DG_SV_FLOAT:
        return "a float";
    case DG_SV_STR:
        return "a str";
    case DG_SV_FN:
        return "a function";
    case DG_SV_TENSOR:
        return dg_tensor_text(L, v);
    case DG_SV_PLACE:
        return dg_arena_printf(L->arena, "the place %s", v.spot->path);
    case DG_SV_LIST:
        return dg_arena_printf(L->arena, "a list of %lld", (long long)v.list->n);
    case DG_SV_TUPLE:
        return dg_arena_printf(L->arena, "a tuple of %lld", (long long)v.list->n);
    }
    return "?";
}

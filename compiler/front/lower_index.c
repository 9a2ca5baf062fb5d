/* lower_index.c: x[...] on static lists, texts of index items, and tensors.
 *
 * In     a base and its items; static ints and slices, `_`, `...`, i32 tensors.
 * Out    an element or a part of a list; for tensors what index.c makes. A list indexed by a tensor
 *        becomes a table first. */
#include "compiler/front/lower.h"

#include "compiler/front/patterns.h"

#include <string.h>

static bool bound(dg_lower *L, const dg_expr *e, int64_t *out, bool *has)
{
    *has = e != NULL;
    if (!e) return true;
    return dg_static_int(L, dg_settle(L, dg_eval_expr(L, e)), e->span, "a slice", out);
}

static int64_t clamp(int64_t i, int64_t n)
{
    if (i < 0) i = i < -n ? 0 : i + n;
    return i > n ? n : i;
}

static dg_sv list_slice(dg_lower *L, const dg_index *x, dg_sv list)
{
    int64_t n = list.list->n, from = 0, to = n, step = 1;
    bool has_from, has_to, has_step;
    if (!bound(L, x->a, &from, &has_from) || !bound(L, x->b, &to, &has_to) ||
        !bound(L, x->c, &step, &has_step))
        return dg_sv_poison;
    if (step < 1)
        return dg_spoil(L, "E024", x->c->span, "the step of a slice is positive, not %lld",
                        (long long)step);
    from = has_from ? clamp(from, n) : 0;
    to = has_to ? clamp(to, n) : n;
    int64_t count = to > from ? (to - from - 1) / step + 1 : 0;
    return dg_tick(L, step == 1 ? 0 : count / 16, x->span)
               ? dg_list_slice(L, list, from, count, step)
               : dg_sv_poison;
}

static dg_sv list_element(dg_lower *L, const dg_expr *e, dg_sv list, int64_t i, dg_span span)
{
    int64_t n = list.list->n;
    if (i >= -n && i < n) return list.list->at[i < 0 ? i + n : i];
    dg_message *m =
        n == 0 ? dg_complain(L, "E024", span, "index %lld of an empty list", (long long)i)
               : dg_complain(L, "E024", span, "index %lld is outside a list of %lld elements",
                             (long long)i, (long long)n);
    dg_note_bound(L, m, e->a);
    return dg_sv_poison;
}

/* ---- tensors ---- */

static bool make_item(dg_lower *L, const dg_index *x, dg_sv v, dg_index_item *out)
{
    *out = (dg_index_item){.step = 1};
    switch (x->kind) {
    case DG_I_NEW_AXIS:
        out->kind = DG_IX_NEW;
        return true;
    case DG_I_REST:
        out->kind = DG_IX_REST;
        return true;
    case DG_I_SLICE: {
        bool has_step;
        out->kind = DG_IX_SLICE;
        if (!bound(L, x->a, &out->a, &out->has_a) || !bound(L, x->b, &out->b, &out->has_b) ||
            !bound(L, x->c, &out->step, &has_step))
            return false;
        if (out->step >= 1) return true;
        dg_complain(L, "E024", x->c->span, "the step of a slice is positive, not %lld",
                    (long long)out->step);
        return false;
    }
    case DG_I_EXPR:
        break;
    }
    if (v.kind == DG_SV_INT) {
        out->kind = DG_IX_INT;
        out->a = v.i;
        return true;
    }
    out->kind = DG_IX_TENSOR;
    if (v.kind == DG_SV_LIST) {
        out->tensor = dg_table_value(L, v, DG_I32, x->span);
        return dg_dtype_of(L->b, out->tensor) != DG_POISON;
    }
    if (v.kind == DG_SV_POISON) return false;
    if (v.kind == DG_SV_TENSOR) {
        out->tensor = dg_tensor_in(L, v);
        dg_dtype t = dg_dtype_of(L->b, out->tensor);
        if (t == DG_I32) return true;
        if (t == DG_POISON) return false;
        dg_message *m =
            dg_complain(L, "E024", x->span, "an index is i32, not %s", dg_dtype_name(t));
        dg_help_add(L->diag, m, "convert it: i32(%s)", dg_source_of(L, x->span));
        return false;
    }
    dg_complain(L, "E024", x->span,
                "an index is an int, a slice, `_`, `...` or an i32 tensor, not %s",
                dg_sv_kind_text(L, v));
    return false;
}

static dg_sv tensor_index(dg_lower *L, const dg_expr *e, dg_sv base, const dg_sv *values)
{
    enum { MOST = 32 };
    dg_index_item items[MOST];
    if (e->n > MOST)
        return dg_spoil(L, "E024", e->span, "%d indices for a tensor of %d axes at most", e->n,
                        DG_MAX_RANK);
    if (!dg_graph_wanted(L, e->span, "an element of a tensor")) return dg_sv_poison;
    dg_value x = base.kind == DG_SV_LIST ? dg_table_value(L, base, DG_POISON, e->a->span)
                                         : dg_tensor_in(L, base);
    for (int i = 0; i < e->n; i++) {
        if (!make_item(L, &e->indices[i], values[i], &items[i])) return dg_sv_poison;
    }
    if (dg_dtype_of(L->b, x) == DG_POISON) return dg_sv_poison;
    dg_at(L, e->span);
    L->site = (dg_site){.e = e, .name = "[]", .n = 1, .in = {e->a}};
    dg_pattern_error err = {0};
    int before = dg_diag_errors(L->diag);
    dg_value v = dg_index_value(L->b, x, items, e->n, &err);
    if (err.text[0] && dg_diag_errors(L->diag) == before) {
        bool item = err.offset >= 0 && err.offset < e->n;
        dg_type t = *dg_type_of(L->b->graph, x);
        dg_message *m =
            dg_complain(L, "E024", item ? e->indices[err.offset].span : e->span, "%s", err.text);
        dg_beside_set(L->diag, m, "%s is %s", dg_source_of(L, e->a->span),
                      dg_type_name(L->arena, &t));
        dg_note_bound(L, m, e->a);
    }
    return dg_sv_of_tensor(L, v);
}

/* ---- */

/* Items from `at` on, of nested lists: c[i][j] may be written c[i, j]. */
static dg_sv list_index(dg_lower *L, const dg_expr *e, dg_sv base, const dg_sv *values)
{
    dg_sv v = base;
    for (int i = 0; i < e->n; i++) {
        const dg_index *x = &e->indices[i];
        if (v.kind == DG_SV_POISON) return v;
        bool list = v.kind == DG_SV_LIST || v.kind == DG_SV_TUPLE;
        if (!list) return dg_spoil(L, "E024", x->span, "%s has no elements", dg_sv_kind_text(L, v));
        if (x->kind == DG_I_SLICE) {
            if (i + 1 < e->n) return tensor_index(L, e, base, values);
            return list_slice(L, x, v);
        }
        int64_t k;
        if (!dg_static_int(L, values[i], x->span, "the index of a list", &k)) return dg_sv_poison;
        v = list_element(L, e, v, k, x->span);
    }
    return v;
}

dg_sv dg_eval_index(dg_lower *L, const dg_expr *e)
{
    dg_sv base = dg_settle(L, dg_eval_expr(L, e->a));
    dg_sv few[8], *values = e->n <= 8 ? few : DG_NEW_ARRAY(L->arena, dg_sv, e->n);
    bool graph = base.kind == DG_SV_TENSOR, poison = base.kind == DG_SV_POISON;
    for (int i = 0; i < e->n; i++) {
        values[i] = dg_sv_none;
        if (e->indices[i].kind != DG_I_EXPR) {
            graph |= e->indices[i].kind != DG_I_SLICE;
            continue;
        }
        values[i] = dg_settle(L, dg_eval_expr(L, e->indices[i].a));
        poison |= values[i].kind == DG_SV_POISON;
        graph |= values[i].kind == DG_SV_TENSOR || values[i].kind == DG_SV_LIST;
    }
    if (poison) return dg_sv_poison;
    if (base.kind != DG_SV_TENSOR && base.kind != DG_SV_LIST && base.kind != DG_SV_TUPLE)
        return dg_spoil(L, "E024", e->a->span, "%s has no elements", dg_sv_kind_text(L, base));
    if (graph && base.kind == DG_SV_TUPLE)
        return dg_spoil(L, "E024", e->span, "a tuple is indexed by an int known while compiling");
    if (graph && base.kind == DG_SV_LIST && dg_sv_has_graph(base)) {
        dg_message *m = dg_complain(L, "E025", e->span,
                                    "a list of tensors is indexed by an int known while compiling");
        dg_help_add(L->diag, m, "concat the elements along a new axis and index the tensor");
        return dg_sv_poison;
    }
    return graph ? tensor_index(L, e, base, values) : list_index(L, e, base, values);
}

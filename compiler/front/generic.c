/* generic.c: declared types: what fits them, which dims they bind, what they convert.
 *
 * In     a type as written, a value, the frame whose names the dims are.
 * Out    the value as the type wants it: numbers and lists become constants, rank 0 is repeated;
 *        dims bound by size. E017 where sizes disagree, E023 for dtypes, E021 for kinds. */
#include "compiler/front/lower.h"

#include <string.h>

bool dg_texpr_is_tensor(const dg_texpr *t)
{
    return t->kind == DG_Y_TENSOR && (t->dtype != DG_BOOL || t->brackets);
}

const char *dg_texpr_text(dg_lower *L, const dg_texpr *t)
{
    return dg_source_of(L, t->span);
}

/* ---- shapes ---- */

bool dg_dims_of(dg_lower *L, dg_sv v, dg_span span, const char *what, dg_shape *out, bool open)
{
    *out = DG_SCALAR;
    if (v.kind == DG_SV_POISON) return false;
    if (v.kind == DG_SV_INT) {
        dg_message *m = dg_complain(L, "E027", span, "%s: dims are a list", what);
        dg_help_add(L->diag, m, "[%lld]", (long long)v.i);
        return false;
    }
    if (v.kind != DG_SV_LIST) {
        dg_complain(L, dg_sv_is_graph(v) ? "E025" : "E027", span,
                    "%s: dims are a list of ints known while compiling, not %s", what,
                    dg_sv_kind_text(L, v));
        return false;
    }
    if (v.list->n > DG_MAX_RANK) {
        dg_complain(L, "E027", span, "%s: %lld axes, at most %d are possible", what,
                    (long long)v.list->n, DG_MAX_RANK);
        return false;
    }
    int unknown = 0;
    for (int64_t i = 0; i < v.list->n; i++) {
        dg_sv d = v.list->at[i];
        int64_t n;
        if (d.kind == DG_SV_PLACE || !dg_static_int(L, d, span, what, &n)) return false;
        unknown += n == -1;
        if (n < 1 && !(open && n == -1 && unknown == 1)) {
            dg_complain(L, "E027", span, "%s: the size %lld of axis %lld is not positive", what,
                        (long long)n, (long long)i);
            return false;
        }
        out->dim[out->rank++] = n;
    }
    if (!unknown && !dg_shape_fits(out, DG_F32)) {
        dg_complain(L, "E027", span, "%s: the tensor %s is too large", what, dg_sv_show(L, v));
        return false;
    }
    return true;
}

bool dg_shape_declared(dg_lower *L, const dg_texpr *t, dg_shape *out)
{
    *out = DG_SCALAR;
    if (t->n > DG_MAX_RANK) {
        dg_complain(L, "E027", t->span, "%d axes, at most %d are possible", t->n, DG_MAX_RANK);
        return false;
    }
    for (int i = 0; i < t->n; i++) {
        const dg_dim *d = &t->dims[i];
        if (d->kind != DG_D_EXPR) {
            dg_complain(L, "E027", d->span, "the size of this axis has to be known here");
            return false;
        }
        int64_t n;
        dg_sv v = dg_settle(L, dg_eval_expr(L, d->e));
        if (!dg_static_int(L, v, d->span, "a dim", &n)) return false;
        if (n < 1) {
            dg_complain(L, "E027", d->span, "the size %lld is not positive", (long long)n);
            return false;
        }
        out->dim[out->rank++] = n;
    }
    if (dg_shape_fits(out, t->dtype)) return true;
    dg_complain(L, "E027", t->span, "the tensor %s is too large", dg_texpr_text(L, t));
    return false;
}

static bool all_bound(dg_lower *L, const dg_texpr *t, const dg_dim **unbound)
{
    for (int i = 0; i < t->n; i++) {
        const dg_dim *d = &t->dims[i];
        *unbound = d;
        if (d->kind != DG_D_EXPR) return false;
        if (d->e->kind == DG_E_NAME && !dg_binding_find(L, d->e->text) &&
            !dg_static_symbol(L, d->e->text))
            return false;
    }
    return true;
}

/* ---- matching sizes ---- */

static void mismatch(dg_lower *L, const dg_texpr *t, const dg_dim *d, int axis, int64_t have,
                     int64_t want, dg_sv v, dg_span span, const char *whose)
{
    dg_message *m;
    const char *text = dg_source_of(L, d->span);
    if (d->e->kind == DG_E_INT)
        m = dg_complain(L, "E017", span, "%s: axis %d has %lld, %lld is wanted", whose, axis,
                        (long long)have, (long long)want);
    else
        m = dg_complain(L, "E017", span, "%s: axis %d has %lld, where %s is %lld", whose, axis,
                        (long long)have, text, (long long)want);
    dg_beside_set(L->diag, m, "%s, declared %s", dg_tensor_text(L, v), dg_texpr_text(L, t));
    if (d->e->kind != DG_E_NAME) return;
    const dg_binding *b = dg_binding_find(L, d->e->text);
    const dg_symbol *s = b ? NULL : dg_static_symbol(L, d->e->text);
    if (b && b->span.file >= 0)
        dg_note_before(L, m, "`%s` was bound at %s", text, dg_where_text(L, b->span));
    if (s) dg_note_before(L, m, "`%s` is declared at %s", text, dg_where_text(L, s->d->name_span));
}

static bool match_dim(dg_lower *L, const dg_texpr *t, const dg_dim *d, int axis, int64_t have,
                      dg_sv v, dg_span span, const char *whose)
{
    if (d->kind != DG_D_EXPR) return true;
    dg_sv want;
    if (d->e->kind == DG_E_NAME) {
        const dg_binding *b = dg_binding_find(L, d->e->text);
        dg_symbol *s = b ? NULL : dg_static_symbol(L, d->e->text);
        if (!b && !s) {
            dg_bind_new(L, d->e->text, dg_sv_of_int(have), d->span);
            return true;
        }
        want = b ? b->v : dg_symbol_value(L, s, d->span);
    } else {
        want = dg_eval_expr(L, d->e);
    }
    int64_t n;
    if (!dg_static_int(L, dg_settle(L, want), d->span, "a dim", &n)) return false;
    if (n == have) return true;
    mismatch(L, t, d, axis, have, n, v, span, whose);
    return false;
}

static bool match_shape(dg_lower *L, const dg_texpr *t, const dg_shape *s, dg_sv v, dg_span span,
                        const char *whose)
{
    int rest = -1;
    for (int i = 0; i < t->n; i++) {
        if (t->dims[i].kind == DG_D_REST) rest = i; /* the parser allows one */
    }
    int named = t->n - (rest >= 0);
    if (rest < 0 ? s->rank != named : s->rank < named) {
        dg_message *m = dg_complain(L, "E017", span, "%s: rank %d, where %s%d is declared", whose,
                                    s->rank, rest >= 0 ? "at least " : "", named);
        dg_beside_set(L->diag, m, "%s, declared %s", dg_tensor_text(L, v), dg_texpr_text(L, t));
        if (t->n == 0) dg_help_add(L->diag, m, "mean(...) or sum(...) makes one number");
        return false;
    }
    for (int i = 0; i < t->n; i++) {
        int axis = rest < 0 || i < rest ? i : s->rank - (t->n - i);
        if (i == rest) continue;
        if (!match_dim(L, t, &t->dims[i], axis, s->dim[axis], v, span, whose)) return false;
    }
    return true;
}

/* ---- tensors ---- */

static dg_sv repeat(dg_lower *L, const dg_texpr *t, dg_value x, dg_sv v, dg_span span,
                    const char *whose)
{
    dg_shape s;
    const dg_dim *unbound;
    if (!all_bound(L, t, &unbound)) {
        dg_message *m =
            dg_complain(L, "E017", span,
                        "%s: one number is repeated only where the size is known, and %s is not",
                        whose, dg_source_of(L, unbound->span));
        dg_beside_set(L->diag, m, "%s, declared %s", dg_sv_kind_text(L, v), dg_texpr_text(L, t));
        return dg_sv_poison;
    }
    if (!dg_shape_declared(L, t, &s)) return dg_sv_poison;
    dg_at(L, span);
    return dg_sv_of_tensor(L, dg_expand(L->b, x, s));
}

static dg_sv fit_tensor(dg_lower *L, const dg_texpr *t, dg_sv v, dg_span span, const char *whose)
{
    if (!dg_sv_is_graph(v)) {
        bool fine = dg_sv_is_number(v) || v.kind == DG_SV_BOOL || v.kind == DG_SV_LIST;
        if (!fine)
            return dg_spoil(L, "E021", span, "%s: %s is declared, not %s", whose,
                            dg_texpr_text(L, t), dg_sv_kind_text(L, v));
        v = dg_sv_of_tensor(L, dg_tensor_of(L, v, t->dtype, span, whose));
    }
    dg_type have = *dg_graph_type(L, v);
    if (have.dtype == DG_POISON) return dg_sv_poison;
    if (have.dtype != t->dtype) {
        dg_message *m = dg_complain(L, "E023", span, "%s: %s is declared, the value is %s", whose,
                                    dg_dtype_name(t->dtype), dg_dtype_name(have.dtype));
        dg_beside_set(L->diag, m, "%s, declared %s", dg_type_name(L->arena, &have),
                      dg_texpr_text(L, t));
        dg_help_add(L->diag, m, "convert it: %s(%s)", dg_dtype_name(t->dtype),
                    dg_source_of(L, span));
        return dg_sv_poison;
    }
    int least = t->n;
    for (int i = 0; i < t->n; i++) least -= t->dims[i].kind == DG_D_REST;
    if (have.shape.rank == 0 && least > 0) return repeat(L, t, dg_tensor_in(L, v), v, span, whose);
    return match_shape(L, t, &have.shape, v, span, whose) ? v : dg_sv_poison;
}

/* ---- static types ---- */

static dg_sv wrong(dg_lower *L, const dg_texpr *t, dg_sv v, dg_span span, const char *whose)
{
    dg_message *m = dg_complain(L, dg_sv_is_graph(v) ? "E025" : "E021", span,
                                "%s: %s is declared, the value is %s", whose, dg_texpr_text(L, t),
                                dg_sv_kind_text(L, v));
    if (t->kind == DG_Y_FN && dg_sv_is_number(v))
        dg_help_add(L->diag, m, "a function is wanted: fn(k) => %s", dg_source_of(L, span));
    if (v.kind == DG_SV_FLOAT && t->kind == DG_Y_NAME && strcmp(t->name, "int") == 0)
        dg_help_add(L->diag, m, "floor(x) and round(x) make an int");
    return dg_sv_poison;
}

static dg_sv fit_named(dg_lower *L, const dg_texpr *t, const char *name, dg_sv v, dg_span span,
                       const char *whose)
{
    if (strcmp(name, "int") == 0) return v.kind == DG_SV_INT ? v : wrong(L, t, v, span, whose);
    if (strcmp(name, "float") == 0)
        return dg_sv_is_number(v) ? dg_sv_of_float(dg_sv_number(v)) : wrong(L, t, v, span, whose);
    if (strcmp(name, "bool") == 0) return v.kind == DG_SV_BOOL ? v : wrong(L, t, v, span, whose);
    if (strcmp(name, "str") == 0) return v.kind == DG_SV_STR ? v : wrong(L, t, v, span, whose);
    dg_message *m = dg_complain(L, "E010", t->span, "there is no type `%s`", name);
    dg_help_add(L->diag, m,
                "types are f32 f64 i32 u8 bool with dims in brackets, int float bool str fn, [T] "
                "and (T, U)");
    return dg_sv_poison;
}

static dg_sv fit_list(dg_lower *L, const dg_texpr *t, dg_sv v, dg_span span, const char *whose)
{
    if (v.kind != DG_SV_LIST) return wrong(L, t, v, span, whose);
    const dg_texpr *element = t->items[0];
    bool floats = element->kind == DG_Y_NAME && strcmp(element->name, "float") == 0;
    dg_sv *at = v.list->at;
    int64_t n = v.list->n, same = 0;
    if (floats) {
        while (same < n && at[same].kind == DG_SV_FLOAT) same++;
    } else if (element->kind == DG_Y_NAME && strcmp(element->name, "int") == 0) {
        while (same < n && at[same].kind == DG_SV_INT) same++;
    }
    if (same == n) return v;
    if (!dg_tick(L, n / 16, span)) return dg_sv_poison;
    dg_sv out = dg_list_copy(L, DG_SV_LIST, at, n);
    out.list->depth = v.list->depth;
    bool changed = false;
    for (int64_t i = same; i < n; i++) {
        dg_sv x = dg_fit(L, element, at[i], span,
                         dg_arena_printf(L->arena, "%s[%lld]", whose, (long long)i));
        if (x.kind == DG_SV_POISON) return x;
        changed |= x.kind != at[i].kind || x.i != at[i].i;
        out.list->at[i] = x;
    }
    return changed ? out : v;
}

static dg_sv fit_tuple(dg_lower *L, const dg_texpr *t, dg_sv v, dg_span span, const char *whose)
{
    if ((v.kind != DG_SV_TUPLE && v.kind != DG_SV_LIST) || v.list->n != t->n)
        return wrong(L, t, v, span, whose);
    dg_sv out = dg_list_new(L, DG_SV_TUPLE, t->n);
    for (int i = 0; i < t->n; i++) {
        out.list->at[i] = dg_fit(L, t->items[i], v.list->at[i], span,
                                 dg_arena_printf(L->arena, "%s, part %d", whose, i + 1));
        if (out.list->at[i].kind == DG_SV_POISON) return dg_sv_poison;
    }
    return out;
}

dg_sv dg_fit(dg_lower *L, const dg_texpr *t, dg_sv v, dg_span span, const char *whose)
{
    if (v.kind == DG_SV_POISON) return v;
    switch (t->kind) {
    case DG_Y_TENSOR:
        if (!dg_texpr_is_tensor(t)) return fit_named(L, t, "bool", v, span, whose);
        return fit_tensor(L, t, v, span, whose);
    case DG_Y_NAME:
        return fit_named(L, t, t->name, v, span, whose);
    case DG_Y_FN:
        return v.kind == DG_SV_FN ? v : wrong(L, t, v, span, whose);
    case DG_Y_LIST:
        return fit_list(L, t, v, span, whose);
    case DG_Y_TUPLE:
        return fit_tuple(L, t, v, span, whose);
    }
    return v;
}

bool dg_annotate(dg_lower *L, const dg_texpr *t, dg_sv *v, dg_span span, dg_str name)
{
    size_t mark = L->stack.n;
    *v = dg_fit(L, t, dg_settle(L, *v), span, name);
    for (size_t i = mark; i < L->stack.n; i++) L->stack.at[i].dim_of_annotation = true;
    return v->kind != DG_SV_POISON;
}

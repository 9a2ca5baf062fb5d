/* setting.c: values from outside: -D, the run file's config, arguments of an entry, numbers read
 * from @FILE.
 *
 * In     a text in the language or a list of numbers; the type or the default that it stands for.
 * Out    a static value of that type; E106 at the place where the value was given. */
#include "compiler/front/lower.h"

#include <ctype.h>
#include <string.h>

dg_message *dg_setting_error(dg_lower *L, const dg_setting_in *in, const char *id, const char *text)
{
    if (in->span.file >= 0) return dg_error(L->diag, id, in->span, "%s", text);
    return dg_error_at(L->diag, id, in->place ? in->place : in->name, "%s", text);
}

static bool bare_word(const char *s)
{
    if (!*s || (!isalpha((unsigned char)*s) && *s != '_')) return false;
    for (; *s; s++) {
        if (!isalnum((unsigned char)*s) && !strchr("_-./", *s)) return false;
    }
    return true;
}

/* ---- numbers of a file ---- */

static dg_sv number(const dg_setting_in *in, double x)
{
    return in->ints ? dg_sv_of_int((int64_t)x) : dg_sv_of_float(x);
}

static dg_sv from_list(dg_lower *L, const dg_setting_in *in)
{
    if (in->n < 0) return number(in, in->list[0]);
    int64_t columns = in->dims[1] > 0 ? in->dims[1] : 0, rows = columns ? in->n / columns : in->n;
    dg_sv v = dg_list_new(L, DG_SV_LIST, rows);
    for (int64_t i = 0; i < rows; i++) {
        if (!columns) {
            v.list->at[i] = number(in, in->list[i]);
            continue;
        }
        dg_sv row = dg_list_new(L, DG_SV_LIST, columns);
        for (int64_t k = 0; k < columns; k++)
            row.list->at[k] = number(in, in->list[i * columns + k]);
        v.list->at[i] = row;
    }
    return v;
}

/* ---- text ---- */

static const char *quoted(dg_lower *L, const char *text)
{
    dg_text t = {0};
    dg_text_quote(&t, text, strlen(text));
    char *copy = dg_arena_text(L->arena, t.at ? t.at : "", t.n);
    dg_text_free(&t);
    return copy;
}

/* The text as an expression of the main file. Its own errors are told in one sentence at the
 * place of the setting. */
static bool from_text(dg_lower *L, const dg_setting_in *in, dg_sv *out)
{
    size_t mark = dg_diag_mark(L->diag);
    int before = dg_diag_errors(L->diag);
    const char *text = dg_arena_printf(L->front->arena, "const value =\n%s\n", in->text);
    int32_t file = dg_sources_add(dg_diag_sources(L->diag), in->place ? in->place : in->name, NULL,
                                  text, strlen(text));
    dg_tree *tree = dg_parse(L->front->arena, L->strings, L->diag, file);
    *out = dg_sv_poison;
    bool one = tree->ok && tree->n == 1 && tree->decls[0]->kind == DG_C_CONST &&
               dg_diag_errors(L->diag) == before;
    if (one) {
        dg_frame frame = {.unit = L->front->units.at[0], .call = DG_NOWHERE};
        dg_build *b = L->b;
        L->b = NULL;
        dg_frame_enter(L, &frame);
        *out = dg_eval_expr(L, tree->decls[0]->value);
        dg_frame_leave(L, &frame);
        L->b = b;
    }
    if (dg_diag_errors(L->diag) == before && out->kind != DG_SV_POISON) return true;
    const char *why = "it is not an expression";
    for (size_t i = 0; i < dg_diag_count(L->diag); i++) {
        const dg_message *m = dg_diag_at(L->diag, i);
        if (one && m->span.file == file && m->severity == DG_ERROR) why = m->what;
    }
    why = dg_arena_printf(L->arena, "%s has no value: %s", quoted(L, in->text), why);
    dg_diag_rewind(L->diag, mark);
    dg_setting_error(L, in, "E106", why);
    return false;
}

/* ---- types ---- */

static bool like_type(const dg_texpr *t, dg_sv *v);
static bool like_value(dg_sv want, dg_sv *v);

static bool like_name(const char *name, dg_sv *v)
{
    if (strcmp(name, "int") == 0) return v->kind == DG_SV_INT;
    if (strcmp(name, "bool") == 0) return v->kind == DG_SV_BOOL;
    if (strcmp(name, "str") == 0) return v->kind == DG_SV_STR;
    if (strcmp(name, "float") != 0 || !dg_sv_is_number(*v)) return false;
    *v = dg_sv_of_float(dg_sv_number(*v));
    return true;
}

static bool like_type(const dg_texpr *t, dg_sv *v)
{
    switch (t->kind) {
    case DG_Y_TENSOR:
        return !dg_texpr_is_tensor(t) && v->kind == DG_SV_BOOL;
    case DG_Y_NAME:
        return like_name(t->name, v);
    case DG_Y_FN:
        return false;
    case DG_Y_LIST:
        for (int64_t i = 0; v->kind == DG_SV_LIST && i < v->list->n; i++) {
            if (!like_type(t->items[0], &v->list->at[i])) return false;
        }
        return v->kind == DG_SV_LIST;
    case DG_Y_TUPLE:
        if ((v->kind != DG_SV_TUPLE && v->kind != DG_SV_LIST) || v->list->n != t->n) return false;
        for (int i = 0; i < t->n; i++) {
            if (!like_type(t->items[i], &v->list->at[i])) return false;
        }
        v->kind = DG_SV_TUPLE;
        return true;
    }
    return false;
}

/* Of the default's type; an empty list and none say nothing about theirs. */
static bool like_value(dg_sv want, dg_sv *v)
{
    if (want.kind == DG_SV_NONE) return true;
    if (want.kind == DG_SV_FLOAT) return like_name("float", v);
    if (want.kind != v->kind) return false;
    if (want.kind != DG_SV_LIST || want.list->n == 0) return true;
    for (int64_t i = 0; i < v->list->n; i++) {
        if (!like_value(want.list->at[0], &v->list->at[i])) return false;
    }
    return true;
}

static bool wants_text(const dg_texpr *type, dg_sv fallback)
{
    return type ? type->kind == DG_Y_NAME && strcmp(type->name, "str") == 0
                : fallback.kind == DG_SV_STR;
}

bool dg_setting_value(dg_lower *L, const dg_setting_in *in, const dg_texpr *type, dg_sv fallback,
                      bool has_fallback, dg_sv *out)
{
    bool text = in->text && wants_text(type, fallback) && bare_word(in->text);
    if (text)
        *out = dg_sv_of_str(dg_intern_z(L->strings, in->text));
    else if (!in->text)
        *out = from_list(L, in);
    else if (!from_text(L, in, out))
        return false;

    dg_sv copy = *out; /* conversion writes into lists: they may be a const's */
    if (copy.kind == DG_SV_LIST) copy = dg_list_copy(L, DG_SV_LIST, out->list->at, out->list->n);
    *out = copy;
    if (type ? like_type(type, out) : !has_fallback || like_value(fallback, out)) return true;
    const char *want = type ? dg_texpr_text(L, type) : dg_sv_kind_text(L, fallback);
    if (!type && fallback.kind == DG_SV_LIST)
        want = dg_arena_printf(L->arena, "a list like %s", dg_sv_show(L, fallback));
    dg_setting_error(L, in, "E106",
                     dg_arena_printf(L->arena, "`%s` wants %s, found %s", in->name, want,
                                     in->text ? quoted(L, in->text) : dg_sv_kind_text(L, *out)));
    return false;
}

/* builtin.c: the built-in functions: found by name, arguments matched to parameters, converted for
 * the handlers.
 *
 * In     the tables of the builtin_*.c files; a call.
 * Out    what the handler makes; E010 for arguments that do not match. A poison argument gives
 *        poison without the handler. */
#include "compiler/front/lower.h"

#include <string.h>

static const dg_builtin *const *builtin_tables(void)
{
    static const dg_builtin *const tables[] = {dg_builtins_static, dg_builtins_math,
                                               dg_builtins_shape,  dg_builtins_draw,
                                               dg_builtins_place,  NULL};
    return tables;
}

dg_map *dg_builtins_new(dg_arena *a, dg_strings *s)
{
    dg_map *m = dg_map_new(a);
    for (const dg_builtin *const *t = builtin_tables(); *t; t++) {
        for (const dg_builtin *f = *t; f->name; f++)
            dg_map_set(m, dg_intern_z(s, f->name), (void *)f);
    }
    return m;
}

/* ---- matching ---- */

typedef struct param {
    const char *name;
    size_t length;
    bool optional, many, any_keyword;
} param;

static int params_of(const dg_builtin *f, param *out)
{
    int n = 0;
    for (const char *at = f->params; *at && n < DG_PARAMS; n++) {
        const char *name = at;
        while (*at && *at != ' ' && *at != '?' && *at != '.') at++;
        out[n] = (param){.name = name,
                         .length = (size_t)(at - name),
                         .optional = *at == '?',
                         .many = *at == '.',
                         .any_keyword = *name == '*'};
        while (*at && *at != ' ') at++;
        while (*at == ' ') at++;
    }
    return n;
}

static bool refuse(dg_bound *c, dg_span span, const char *what)
{
    dg_message *m = dg_complain(c->L, "E010", span, "%s: %s", c->f->name, what);
    dg_text t = {0};
    param p[DG_PARAMS];
    int n = params_of(c->f, p);
    for (int i = 0; i < n; i++) {
        if (p[i].any_keyword)
            dg_text_add(&t, ", NAME=size");
        else
            dg_text_add(&t, "%s%.*s%s", i ? ", " : "", (int)p[i].length, p[i].name,
                        p[i].optional ? "=..."
                        : p[i].many   ? ", ..."
                                      : "");
    }
    dg_help_add(c->L->diag, m, "it takes (%s)", t.at ? t.at : "");
    dg_text_free(&t);
    return false;
}

static bool match(dg_bound *c)
{
    param p[DG_PARAMS];
    int n = params_of(c->f, p);
    bool many = n > 0 && p[n - 1].many, keywords = n > 0 && p[n - 1].any_keyword;
    int named = keywords ? n - 1 : n;
    for (int i = 0; i < c->n_all; i++) {
        dg_actual *a = &c->all[i];
        if (!a->name) {
            if (i > c->n) return refuse(c, a->span, "an argument by position follows one by name");
            c->n++;
            if (i < named)
                c->p[i] = a;
            else if (!many)
                return refuse(c, a->span, "too many arguments");
            continue;
        }
        size_t length = strlen(a->name);
        int k = 0;
        while (k < named && !(p[k].length == length && memcmp(p[k].name, a->name, length) == 0))
            k++;
        if (k == named) {
            if (keywords) continue;
            return refuse(c, a->span,
                          dg_arena_printf(c->L->arena, "there is no argument `%s`", a->name));
        }
        if (c->p[k])
            return refuse(c, a->span, dg_arena_printf(c->L->arena, "`%s` is given twice", a->name));
        c->p[k] = a;
    }
    for (int k = 0; k < named; k++) {
        if (!c->p[k] && !p[k].optional && !(p[k].many && c->n >= k))
            return refuse(c, c->e->span,
                          dg_arena_printf(c->L->arena, "the argument `%.*s` is missing",
                                          (int)p[k].length, p[k].name));
    }
    return true;
}

static bool is_poison(const dg_bound *c)
{
    for (int i = 0; i < c->n_all; i++) {
        if (c->all[i].v.kind == DG_SV_POISON) return true;
    }
    return false;
}

dg_sv dg_call_builtin(dg_lower *L, const dg_builtin *f, const dg_expr *e, dg_str label,
                      dg_actual *a, int n)
{
    dg_bound c = {.L = L, .f = f, .e = e, .label = label, .all = a, .n_all = n};
    if (!match(&c) || is_poison(&c)) return dg_sv_poison;
    if (L->b) {
        dg_at(L, e->span);
        L->site = (dg_site){.e = e, .name = f->name, .n = n < 8 ? n : 8, .bound = &c};
        for (int i = 0; i < L->site.n; i++) L->site.in[i] = a[i].e;
    }
    dg_sv v = f->run(&c);
    L->site = (dg_site){0};
    return v;
}

/* ---- arguments for handlers ---- */

bool dg_arg_tensor_like(dg_bound *c, int p, dg_dtype t, dg_value *out)
{
    dg_lower *L = c->L;
    *out = dg_tensor_of(L, c->p[p]->v, dg_sv_is_graph(c->p[p]->v) ? DG_POISON : t, c->p[p]->span,
                        c->f->name);
    return L->b && dg_dtype_of(L->b, *out) != DG_POISON;
}

bool dg_arg_tensor(dg_bound *c, int p, dg_value *out)
{
    return dg_arg_tensor_like(c, p, DG_POISON, out);
}

static const char *arg_text(const dg_bound *c, int p)
{
    param list[DG_PARAMS];
    params_of(c->f, list);
    return dg_arena_printf(c->L->arena, "%s: %.*s", c->f->name, (int)list[p].length, list[p].name);
}

bool dg_arg_int(dg_bound *c, int p, int64_t fallback, int64_t *out)
{
    *out = fallback;
    if (!c->p[p]) return true;
    dg_sv v = dg_settle(c->L, c->p[p]->v);
    if (v.kind != DG_SV_INT) return dg_static_int(c->L, v, c->p[p]->span, arg_text(c, p), out);
    *out = v.i;
    return true;
}

bool dg_arg_float(dg_bound *c, int p, double fallback, double *out)
{
    *out = fallback;
    if (!c->p[p]) return true;
    dg_sv v = c->p[p]->v;
    if (dg_sv_is_number(v)) {
        *out = dg_sv_number(v);
        return true;
    }
    dg_complain(c->L, dg_sv_is_graph(v) ? "E025" : "E021", c->p[p]->span,
                "%s: a number known while compiling is wanted, not %s", arg_text(c, p),
                dg_sv_kind_text(c->L, v));
    return false;
}

bool dg_arg_bool(dg_bound *c, int p, bool fallback, bool *out)
{
    *out = fallback;
    return !c->p[p] || dg_static_bool(c->L, c->p[p]->v, c->p[p]->span, arg_text(c, p), out);
}

bool dg_arg_str(dg_bound *c, int p, dg_str *out)
{
    if (c->p[p]->v.kind == DG_SV_STR) {
        *out = c->p[p]->v.s;
        return true;
    }
    dg_complain(c->L, "E021", c->p[p]->span, "%s: a str is wanted, not %s", arg_text(c, p),
                dg_sv_kind_text(c->L, c->p[p]->v));
    return false;
}

bool dg_arg_axis(dg_bound *c, int p, int rank, int64_t fallback, int *out)
{
    int64_t axis;
    if (!dg_arg_int(c, p, fallback, &axis)) return false;
    if (axis < -rank || axis >= rank) {
        dg_span span = c->p[p] ? c->p[p]->span : c->e->span;
        dg_complain(c->L, "E018", span, "%s: axis %lld of a tensor of rank %d", c->f->name,
                    (long long)axis, rank);
        return false;
    }
    *out = (int)(axis < 0 ? axis + rank : axis);
    return true;
}

bool dg_arg_list(dg_bound *c, int p, dg_sv *out)
{
    *out = c->p[p]->v;
    if (out->kind == DG_SV_LIST) return true;
    dg_complain(c->L, "E021", c->p[p]->span, "%s: a list is wanted, not %s", arg_text(c, p),
                dg_sv_kind_text(c->L, *out));
    return false;
}

bool dg_arg_shape(dg_bound *c, int p, dg_shape *out, bool open)
{
    return dg_dims_of(c->L, c->p[p]->v, c->p[p]->span, arg_text(c, p), out, open);
}

dg_sv dg_give_value(dg_bound *c, dg_value v)
{
    return dg_sv_of_tensor(c->L, v);
}

dg_sv dg_give_op(dg_bound *c, const char *op, const dg_attr *attrs, int n_attrs, const dg_value *in,
                 int n_in)
{
    dg_at(c->L, c->e->span);
    return dg_emit_at(c->L, op, attrs, n_attrs, in, n_in);
}

dg_dtype dg_common_dtype(const dg_lower *L, const dg_actual *const *a, int n)
{
    for (int i = 0; i < n; i++) {
        if (a[i] && dg_sv_is_graph(a[i]->v)) return dg_graph_type(L, a[i]->v)->dtype;
    }
    return DG_POISON;
}

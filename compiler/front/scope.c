/* scope.c: what a name means: a local binding, a captured one, a declaration of the file or its
 * imports, a built-in.
 *
 * In     names, interned, as they stand in the text.
 * Out    values; const and config are computed when first needed. E008 with "did you mean" for
 *        names nobody knows.
 * Keeps  bindings of all frames stand in one stack; a frame sees its own part of it. */
#include "compiler/front/lower.h"

#include <string.h>

/* ---- bindings ---- */

static const dg_binding *captured(const dg_lower *L, dg_str name)
{
    for (const dg_env *e = L->frame ? L->frame->env : NULL; e; e = e->outer) {
        for (int i = e->n; i > 0; i--) {
            if (e->at[i - 1].name == name) return &e->at[i - 1];
        }
    }
    return NULL;
}

const dg_binding *dg_binding_find(dg_lower *L, dg_str name)
{
    dg_binding *b = dg_binding_local(L, name);
    if (b) {
        b->used = true;
        return b;
    }
    return captured(L, name);
}

dg_binding *dg_bind_new(dg_lower *L, dg_str name, dg_sv v, dg_span span)
{
    dg_vec_push(&L->stack,
                (dg_binding){.name = name, .v = v, .span = span, .iter = L->frame->iter});
    return &dg_vec_last(&L->stack);
}

dg_binding *dg_bind(dg_lower *L, dg_str name, dg_sv v, dg_span span)
{
    dg_binding *b = dg_binding_local(L, name);
    if (!b) return dg_bind_new(L, name, v, span);
    b->v = v;
    b->span = span;
    b->iter = L->frame->iter;
    return b;
}

const dg_env *dg_env_capture(dg_lower *L)
{
    size_t base = L->frame->base, n = 0;
    dg_binding *at = DG_NEW_ARRAY(L->arena, dg_binding, L->stack.n - base);
    for (size_t i = base; i < L->stack.n; i++) {
        if (!L->stack.at[i].name) continue;
        L->stack.at[i].used = true;
        at[n++] = L->stack.at[i];
    }
    dg_env *e = DG_NEW(L->arena, dg_env);
    e->n = (int)n;
    e->at = at;
    e->outer = L->frame->env;
    return e;
}

void dg_frame_enter(dg_lower *L, dg_frame *f)
{
    f->caller = L->frame;
    f->base = L->stack.n;
    f->loop = L->loop;
    f->scope = L->scope;
    f->result = dg_sv_none;
    L->frame = f;
    L->depth++;
}

void dg_frame_leave(dg_lower *L, dg_frame *f)
{
    for (size_t i = f->base; i < L->stack.n; i++) {
        const dg_binding *b = &L->stack.at[i];
        if (b->name && b->dim_of_annotation && !b->used)
            dg_warning(L->diag, "W002", b->span,
                       "the dim `%s` is bound here and used nowhere: write `_`", b->name);
    }
    L->stack.n = f->base;
    L->frame = f->caller;
    L->depth--;
}

/* ---- names of files ---- */

dg_symbol *dg_symbol_find(dg_front *f, dg_unit *u, dg_str name, dg_symbol **other)
{
    static dg_symbol nobody; /* looked for in vain */
    (void)f;
    *other = NULL;
    dg_symbol *s = dg_map_get(u->visible, name);
    if (s) return s == &nobody ? NULL : s;
    s = dg_map_get(u->names, name);
    bool own = s || name[0] == '_';
    for (size_t i = 0; i < u->imports.n && !own; i++) {
        dg_symbol *found = dg_map_get(u->imports.at[i]->names, name);
        if (!found || found == s) continue;
        if (s) {
            *other = found;
            return s;
        }
        s = found;
    }
    dg_map_set(u->visible, name, s ? s : &nobody);
    return s;
}

static const char *kind_of(const dg_decl *d)
{
    static const char *const kinds[] = {"import", "config",      "const", "model", "block",
                                        "entry",  "train entry", "test",  "assert"};
    return kinds[d->kind];
}

typedef struct needed {
    dg_front *front;
    dg_unit *unit;
    dg_map *symbols;
} needed;

/* Syntax alone: the names a static declaration needs at once, so that a chain of thousands of
 * them needs no deep stack. */
static void needs(void *ctx, const dg_expr *e)
{
    needed *n = ctx;
    if (e->kind == DG_E_FN) return;
    if (e->kind != DG_E_NAME) {
        dg_expr_parts(e, needs, n);
        return;
    }
    dg_symbol *other, *s = dg_symbol_find(n->front, n->unit, e->text, &other);
    if (s && s->state == DG_SYM_NEW && (s->d->kind == DG_C_CONST || s->d->kind == DG_C_CONFIG))
        dg_map_set(n->symbols, s, s);
}

/* Everything below `first`, the deepest first. What forms a circle is left to the evaluation,
 * which names it. */
static void compute_below(dg_lower *L, dg_symbol *first)
{
    DG_VEC(dg_symbol *) work = {0};
    dg_map *entered = dg_map_new(L->arena);
    dg_vec_push(&work, first);
    while (work.n > 0 && !L->halted) {
        dg_symbol *s = dg_vec_last(&work);
        if (dg_map_has(entered, s)) {
            (void)dg_vec_pop(&work);
            if (s != first) dg_symbol_value(L, s, s->d->name_span);
            continue;
        }
        dg_map_set(entered, s, s);
        dg_map *below = dg_map_new(L->arena);
        needs(&(needed){L->front, s->unit, below}, s->d->value);
        for (size_t i = 0; i < dg_map_count(below); i++) {
            dg_symbol *k = dg_map_value(below, i);
            if (!dg_map_has(entered, k)) dg_vec_push(&work, k);
        }
    }
    dg_vec_free(&work);
}

static void circle(dg_lower *L, dg_symbol *s, dg_span span)
{
    dg_message *m = dg_complain(L, "E039", span, "`%s` needs itself", s->d->name);
    dg_help_add(L->diag, m,
                "const and config may use each other in any order, but not in a circle");
}

/* A const or config, outside of every frame: nothing of the caller is seen, and no tensor can
 * be made. */
static dg_sv compute(dg_lower *L, dg_symbol *s, dg_span used)
{
    dg_arena *arena = L->arena;
    dg_build *b = L->b;
    dg_loop *loop = L->loop;
    bool training = L->training;
    dg_frame frame = {.what = dg_arena_printf(L->front->arena, "%s %s", kind_of(s->d), s->d->name),
                      .unit = s->unit,
                      .call = used};
    L->arena = L->front->arena; /* the value outlives this elaboration */
    L->b = NULL;
    L->loop = NULL;
    L->training = false;
    frame.outer = L->frame ? dg_frame_origin(L, L->frame) : NULL;
    dg_frame_enter(L, &frame);

    dg_sv v;
    bool whole = true;
    if (s->override) {
        bool has = s->d->value != NULL;
        int before = dg_diag_errors(L->diag);
        dg_sv fallback = has ? dg_eval_expr(L, s->d->value) : dg_sv_none;
        whole = dg_diag_errors(L->diag) == before &&
                dg_setting_value(L, s->override, s->d->type, fallback, true, &v);
        if (!whole) v = dg_sv_poison;
    } else {
        v = dg_eval_expr(L, s->d->value);
        if (s->d->type && v.kind != DG_SV_POISON)
            v = dg_fit(L, s->d->type, v, s->d->value->span, s->d->name);
    }
    dg_frame_leave(L, &frame);
    L->arena = arena;
    L->b = b;
    L->loop = loop;
    L->training = training;
    return v;
}

static dg_model *symbol_model(dg_lower *L, dg_symbol *s);

dg_sv dg_symbol_value(dg_lower *L, dg_symbol *s, dg_span span)
{
    if (s->state == DG_SYM_DONE && !(s->failed && s->pass != L->front->pass)) return s->v;
    switch (s->d->kind) {
    case DG_C_CONFIG:
    case DG_C_CONST:
        if (s->state == DG_SYM_BUSY) {
            circle(L, s, span);
            return dg_sv_poison;
        }
        if (!dg_tick(L, 1, span)) return dg_sv_poison;
        s->state = DG_SYM_BUSY;
        enum { DEEP = 100 };
        if (L->depth > DEEP) {
            s->state = DG_SYM_NEW;
            int depth = L->depth;
            L->depth = 0; /* the chain below is walked without recursion */
            compute_below(L, s);
            L->depth = depth;
            s->state = DG_SYM_BUSY;
        }
        s->v = compute(L, s, span);
        s->failed = dg_diag_errors(L->diag) > L->errors_at_start;
        s->pass = L->front->pass;
        s->state = L->halted ? DG_SYM_NEW : DG_SYM_DONE;
        return s->v;
    case DG_C_MODEL: {
        dg_model *m = symbol_model(L, s);
        if (!m) return dg_sv_poison;
        dg_fn *fn = DG_NEW(L->arena, dg_fn);
        fn->kind = DG_FN_MODEL;
        fn->model = m;
        return dg_sv_of_fn(fn);
    }
    case DG_C_BLOCK: {
        dg_fn *fn = DG_NEW(L->front->arena, dg_fn);
        fn->kind = DG_FN_BLOCK;
        fn->block = s->d;
        fn->unit = s->unit;
        s->v = dg_sv_of_fn(fn);
        s->state = DG_SYM_DONE;
        return s->v;
    }
    default:
        return dg_spoil(L, "E010", span, "`%s` is an %s, not a value or a function", s->d->name,
                        kind_of(s->d));
    }
}

static dg_model *symbol_model(dg_lower *L, dg_symbol *s)
{
    if (s->pass == L->front->pass) return s->model;
    s->pass = L->front->pass;
    s->model = NULL;
    dg_model *clash = dg_map_get(L->models, s->d->name);
    if (clash) {
        dg_message *m =
            dg_complain(L, "E041", s->d->name_span, "two models have the path %s", s->d->name);
        dg_note_before(L, m, "the other one is declared at %s", dg_where_text(L, clash->span));
        return NULL;
    }
    dg_build *b = L->b;
    dg_frame frame = {.what = dg_arena_printf(L->arena, "model %s", s->d->name),
                      .unit = s->unit,
                      .call = s->d->name_span};
    frame.outer = L->frame ? dg_frame_origin(L, L->frame) : NULL;
    L->b = NULL;
    dg_frame_enter(L, &frame);
    dg_sv v = dg_eval_expr(L, s->d->value);
    dg_frame_leave(L, &frame);
    L->b = b;
    if (v.kind == DG_SV_POISON) return NULL;
    if (v.kind != DG_SV_FN) {
        dg_complain(L, "E010", s->d->value->span, "a model is a function, not %s",
                    dg_sv_kind_text(L, v));
        return NULL;
    }
    dg_model *m = DG_NEW(L->arena, dg_model);
    m->path = s->d->name;
    m->decl = s->d;
    m->span = s->d->name_span;
    m->body = v.fn;
    dg_map_set(L->models, m->path, m);
    return s->model = m;
}

dg_symbol *dg_static_symbol(dg_lower *L, dg_str name)
{
    dg_symbol *other, *s = L->frame ? dg_symbol_find(L->front, L->frame->unit, name, &other) : NULL;
    return s && (s->d->kind == DG_C_CONST || s->d->kind == DG_C_CONFIG) ? s : NULL;
}

/* ---- what a name means ---- */

typedef struct guess {
    dg_str best;
    int distance;
} guess;

static void consider(guess *g, dg_str candidate, dg_str name)
{
    int d = candidate && candidate != name ? dg_edit_distance(candidate, name, g->distance - 1)
                                           : g->distance;
    if (d >= g->distance) return;
    g->best = candidate;
    g->distance = d;
}

static void suggest(dg_lower *L, dg_message *m, dg_str name)
{
    size_t n = strlen(name);
    if (n > 64) return;
    guess g = {NULL, n < 2   ? 1
                     : n < 3 ? 2
                     : n < 6 ? 3
                             : 4}; /* one more than the distance that still counts */
    if (L->frame) {
        for (size_t i = L->frame->base; i < L->stack.n; i++)
            consider(&g, L->stack.at[i].name, name);
        for (const dg_env *e = L->frame->env; e; e = e->outer)
            for (int i = 0; i < e->n; i++) consider(&g, e->at[i].name, name);
        dg_unit *u = L->frame->unit;
        for (size_t i = 0; i < dg_map_count(u->names); i++)
            consider(&g, dg_map_key(u->names, i), name);
        for (size_t k = 0; k < u->imports.n; k++) {
            const dg_map *names = u->imports.at[k]->names;
            for (size_t i = 0; i < dg_map_count(names); i++)
                consider(&g, dg_map_key(names, i), name);
        }
    }
    for (size_t i = 0; i < dg_map_count(L->front->builtins); i++)
        consider(&g, dg_map_key(L->front->builtins, i), name);
    for (size_t k = 0; k < L->front->units.n; k++) {
        const dg_unit *u = L->front->units.at[k];
        dg_symbol *s = dg_map_get(u->names, name);
        if (!s || name[0] == '_') continue;
        dg_help_add(L->diag, m, "%s declares it: import that file here",
                    dg_source_at(dg_diag_sources(L->diag), u->file)->name);
        return;
    }
    if (g.best) dg_help_add(L->diag, m, "did you mean `%s`?", g.best);
}

static const char *shown(const dg_lower *L, dg_str name)
{
    dg_text t = {0};
    dg_text_quote(&t, name, strlen(name));
    char *text = dg_arena_text(L->arena, t.at ? t.at : "", t.n);
    dg_text_free(&t);
    return text;
}

dg_sv dg_name_value(dg_lower *L, dg_str name, dg_span span)
{
    const dg_binding *b = dg_binding_find(L, name);
    if (b) return b->v;
    dg_symbol *other, *s = dg_symbol_find(L->front, L->frame->unit, name, &other);
    if (other) {
        dg_message *m = dg_complain(L, "E009", span, "`%s` comes from two imports", name);
        dg_note_before(L, m, "one is declared at %s", dg_where_text(L, s->d->name_span));
        dg_note_before(L, m, "the other at %s", dg_where_text(L, other->d->name_span));
        return dg_sv_poison;
    }
    if (s) return dg_symbol_value(L, s, span);
    const dg_builtin *f = dg_map_get(L->front->builtins, name);
    if (f && !f->params) return f->run(&(dg_bound){.L = L, .f = f});
    if (f) {
        dg_fn *fn = DG_NEW(L->arena, dg_fn);
        fn->kind = DG_FN_BUILTIN;
        fn->builtin = f;
        return dg_sv_of_fn(fn);
    }
    dg_message *m = dg_complain(L, "E008", span, "the name %s is not known here", shown(L, name));
    suggest(L, m, name);
    return dg_sv_poison;
}

void dg_warn_hidden(dg_lower *L, dg_str name, dg_span span)
{
    if (dg_map_has(L->front->builtins, name))
        dg_warning(L->diag, "W001", span, "`%s` hides the built-in function of that name", name);
}

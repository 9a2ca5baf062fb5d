/* names.c: every name in the bodies of a file is known to somebody: what `dg check` finds without
 * elaborating.
 *
 * In     the tree of a file.
 * Out    E008 for names that nothing binds, E009 for names of two imports.
 * Keeps  it asks for less than the elaboration: a name bound anywhere in a body counts as bound in
 *        all of it. */
#include "compiler/front/lower.h"

typedef struct names {
    dg_lower *L;
    dg_unit *unit;
    dg_map *known; /* in this body; NULL value: no longer */
    DG_VEC(dg_str) local;
} names;

static void expr(names *n, const dg_expr *e);
static void type(names *n, const dg_texpr *t);

static void bind(names *n, dg_str name)
{
    dg_vec_push(&n->local, name);
}

static bool is_local(const names *n, dg_str name)
{
    for (size_t i = n->local.n; i > 0; i--) {
        if (n->local.at[i - 1] == name) return true;
    }
    return false;
}

static void use(names *n, dg_str name, dg_span span)
{
    if (is_local(n, name) || dg_map_has(n->known, name)) return;
    dg_symbol *other, *s = dg_symbol_find(n->L->front, n->unit, name, &other);
    if (s && !other) return;
    if (!s && dg_map_has(n->L->front->builtins, name)) return;
    dg_name_value(n->L, name, span); /* reports */
}

static void formals(names *n, const dg_formal *f, int count)
{
    for (int i = 0; i < count; i++) {
        if (f[i].type) type(n, f[i].type);
        if (f[i].fallback) expr(n, f[i].fallback);
        bind(n, f[i].name);
    }
}

/* A bare name in a signature may be bound by it. */
static void type(names *n, const dg_texpr *t)
{
    for (int i = 0; i < t->n && t->dims; i++) {
        const dg_dim *d = &t->dims[i];
        if (d->kind != DG_D_EXPR) continue;
        if (d->e->kind == DG_E_NAME)
            bind(n, d->e->text);
        else
            expr(n, d->e);
    }
    for (int i = 0; i < t->n && t->items; i++) type(n, t->items[i]);
}

static void part(void *ctx, const dg_expr *e)
{
    expr(ctx, e);
}

static void expr(names *n, const dg_expr *e)
{
    if (!e) return;
    size_t mark = n->local.n;
    switch (e->kind) {
    case DG_E_NAME:
        use(n, e->text, e->span);
        return;
    case DG_E_FN:
        formals(n, e->formals, e->n);
        expr(n, e->a);
        n->local.n = mark;
        return;
    case DG_E_COMPREHENSION:
        expr(n, e->b);
        for (int i = 0; i < e->target->n; i++) bind(n, e->target->names[i]);
        expr(n, e->c);
        expr(n, e->a);
        n->local.n = mark;
        return;
    default:
        break;
    }
    dg_expr_parts(e, part, n);
    if (e->kind == DG_E_CALL && e->label && e->label->kind == DG_E_STRING) expr(n, e->label);
}

static void bind_left(names *n, const dg_expr *e)
{
    if (e->kind == DG_E_NAME) bind(n, e->text);
    for (int i = 0; e->kind == DG_E_TUPLE && i < e->n; i++) bind_left(n, e->items[i]);
}

/* First all that a body binds, then all that it uses. */
static void bindings(names *n, const dg_block_ast *b)
{
    for (int i = 0; i < b->n; i++) {
        const dg_stmt *s = b->at[i];
        if (s->kind == DG_S_ASSIGN || s->kind == DG_S_BIND) bind_left(n, s->a);
        if (s->kind == DG_S_PARAM || s->kind == DG_S_STATE || s->kind == DG_S_MODEL)
            bind(n, s->name);
        for (int k = 0; k < s->target.n; k++) bind(n, s->target.names[k]);
        if (s->type) type(n, s->type);
        if (s->body) bindings(n, s->body);
        if (s->otherwise) bindings(n, s->otherwise);
    }
}

static void uses(names *n, const dg_block_ast *b)
{
    for (int i = 0; i < b->n; i++) {
        const dg_stmt *s = b->at[i];
        bool place = s->kind == DG_S_PARAM || s->kind == DG_S_STATE;
        if (s->kind == DG_S_EXPR || s->kind == DG_S_UPDATE) expr(n, s->a);
        if (s->label && s->label->kind == DG_E_STRING) expr(n, s->label);
        size_t mark = n->local.n;
        if (place) bind(n, dg_intern_z(n->L->strings, "dims"));
        expr(n, s->b);
        n->local.n = mark;
        if (s->message) expr(n, s->message);
        if (s->body) uses(n, s->body);
        if (s->otherwise) uses(n, s->otherwise);
    }
}

bool dg_names_check(dg_lower *L, dg_unit *u)
{
    int before = dg_diag_errors(L->diag);
    names n = {.L = L, .unit = u};
    dg_frame frame = {.unit = u, .call = DG_NOWHERE};
    dg_frame_enter(L, &frame);
    for (int i = 0; i < u->tree->n; i++) {
        const dg_decl *d = u->tree->decls[i];
        n.local.n = 0;
        n.known = dg_map_new(L->arena);
        /* An entry's static arguments are bound before any tensor type is read. */
        bool entry = d->kind == DG_C_ENTRY || d->kind == DG_C_TRAIN;
        for (int k = 0; entry && k < d->n_formals; k++) bind(&n, d->formals[k].name);
        formals(&n, d->formals, d->n_formals);
        if (d->kind == DG_C_MODEL) expr(&n, d->value);
        if (!d->body) continue;
        for (int k = 0; k < d->n_formals; k++) {
            if (d->formals[k].type) type(&n, d->formals[k].type);
        }
        if (d->type) type(&n, d->type);
        bindings(&n, d->body);
        for (size_t k = 0; k < n.local.n; k++)
            dg_map_set(n.known, n.local.at[k], (void *)n.local.at[k]);
        n.local.n = 0;
        uses(&n, d->body);
    }
    dg_frame_leave(L, &frame);
    dg_vec_free(&n.local);
    return dg_diag_errors(L->diag) == before;
}

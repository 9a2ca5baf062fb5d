/* ast.c: makes the nodes of the tree.
 *
 * In     spans and children, from the grammar's actions.
 * Out    nodes in the compilation's arena, with the depth of the tree below each.
 * Keeps  no tree deeper than DG_MAX_DEPTH: left recursion (1 + 1 + 1 ...) builds trees as deep as
 *        the source is long, and every later walk is recursive. What the grammar lets pass and the
 *        language does not is reported here: left sides, values that nobody uses, positional after
 *        named arguments, `...` given twice. */
#include "compiler/front/parse.h"

#include <string.h>

/* What stands behind the list's end is left of lists that an error broke off. */
void dg_items_add(dg_parser *p, dg_items *list, void *item, int depth)
{
    if (list->n == 0) list->first = (int)p->items.n;
    p->items.n = (size_t)(list->first + list->n++);
    dg_vec_push(&p->items, item);
    if (depth > list->depth) list->depth = depth;
}

dg_items dg_items_before(dg_parser *p, void *first, int depth, const dg_items *rest)
{
    dg_items list = *rest;
    dg_items_add(p, &list, first, depth);
    void **at = p->items.at + list.first;
    memmove(at + 1, at, sizeof *at * (size_t)rest->n);
    at[0] = first;
    return list;
}

static void *item_at(const dg_parser *p, const dg_items *list, int i)
{
    return p->items.at[list->first + i];
}

/* The list as an array of pointers. */
static void **seal(dg_parser *p, const dg_items *list)
{
    return dg_arena_copy(p->arena, p->items.at + (list->n ? list->first : 0),
                         sizeof(void *) * (size_t)list->n);
}

static int deeper(int depth, int other)
{
    return depth > other ? depth : other;
}

static int depth_of(const dg_expr *e)
{
    return e ? e->depth : 0;
}

static int depth_of_type(const dg_texpr *t)
{
    return t ? t->depth : 0;
}

static int depth_of_body(const dg_block_ast *b)
{
    return b ? b->depth : 0;
}

/* One level above children of `below`; reports once, for the parser stops then. */
static int level(dg_parser *p, dg_span span, int below)
{
    if (below >= DG_MAX_DEPTH) dg_parse_too_deep(p, span);
    return below + 1;
}

/* ---- expressions ---- */

static dg_expr *new_expr(dg_parser *p, dg_expr_kind kind, dg_span span, int below)
{
    dg_expr *e = DG_NEW(p->arena, dg_expr);
    e->kind = (uint8_t)kind;
    e->span = span;
    e->depth = (uint16_t)level(p, span, below);
    return e;
}

dg_expr *dg_ast_expr(dg_parser *p, dg_expr_kind kind, dg_span span, dg_expr *a, dg_expr *b,
                     dg_expr *c)
{
    dg_expr *e = new_expr(p, kind, span, deeper(depth_of(a), deeper(depth_of(b), depth_of(c))));
    e->a = a;
    e->b = b;
    e->c = c;
    return e;
}

dg_expr *dg_ast_name(dg_parser *p, dg_span span, dg_str text)
{
    dg_expr *e = new_expr(p, DG_E_NAME, span, 0);
    e->text = text;
    return e;
}

dg_expr *dg_ast_text(dg_parser *p, dg_span span, dg_str text)
{
    dg_expr *e = new_expr(p, DG_E_STRING, span, 0);
    e->text = text;
    return e;
}

dg_expr *dg_ast_binary(dg_parser *p, dg_binop op, dg_span span, dg_span op_span, dg_expr *a,
                       dg_expr *b)
{
    dg_expr *e = dg_ast_expr(p, DG_E_BINARY, span, a, b, NULL);
    e->op = (uint8_t)op;
    e->op_span = op_span;
    return e;
}

dg_expr *dg_ast_unary(dg_parser *p, dg_binop op, dg_span span, dg_span op_span, dg_expr *a)
{
    dg_expr *e = dg_ast_expr(p, DG_E_UNARY, span, a, NULL, NULL);
    e->op = (uint8_t)op;
    e->op_span = op_span;
    return e;
}

dg_expr *dg_ast_items(dg_parser *p, dg_expr_kind kind, dg_span span, const dg_items *items)
{
    dg_expr *e = new_expr(p, kind, span, items->depth);
    e->n = items->n;
    e->items = (dg_expr **)seal(p, items);
    return e;
}

dg_expr *dg_ast_comprehension(dg_parser *p, dg_span span, dg_expr *element, dg_target *target,
                              dg_expr *source, dg_expr *filter)
{
    dg_expr *e = dg_ast_expr(p, DG_E_COMPREHENSION, span, element, source, filter);
    e->target = target;
    return e;
}

static int depth_of_formals(const dg_parser *p, const dg_items *formals)
{
    int depth = 0;
    for (int i = 0; i < formals->n; i++) {
        const dg_formal *f = item_at(p, formals, i);
        depth = deeper(depth, deeper(depth_of(f->fallback), depth_of_type(f->type)));
    }
    return depth;
}

static dg_formal *seal_formals(dg_parser *p, const dg_items *formals)
{
    dg_formal *at = DG_NEW_ARRAY(p->arena, dg_formal, formals->n);
    for (int i = 0; i < formals->n; i++) at[i] = *(const dg_formal *)item_at(p, formals, i);
    return at;
}

dg_expr *dg_ast_fn(dg_parser *p, dg_span span, const dg_items *formals, dg_expr *body)
{
    dg_expr *e = new_expr(p, DG_E_FN, span, deeper(depth_of(body), depth_of_formals(p, formals)));
    e->a = body;
    e->n = formals->n;
    e->formals = seal_formals(p, formals);
    return e;
}

dg_expr *dg_ast_call(dg_parser *p, dg_span span, dg_expr *callee, dg_expr *label,
                     const dg_items *args)
{
    dg_expr *e = new_expr(p, DG_E_CALL, span,
                          deeper(deeper(depth_of(callee), depth_of(label)), args->depth));
    e->a = callee;
    e->label = label;
    e->n = args->n;
    e->args = DG_NEW_ARRAY(p->arena, dg_arg, args->n);
    bool named = false;
    for (int i = 0; i < args->n; i++) {
        e->args[i] = *(const dg_arg *)item_at(p, args, i);
        if (e->args[i].name) named = true;
        else if (named)
            dg_parse_error(p, "E003", e->args[i].span,
                           "a positional argument stands after a named one");
    }
    return e;
}

static int depth_of_indices(const dg_parser *p, const dg_items *indices)
{
    int depth = 0;
    for (int i = 0; i < indices->n; i++) {
        const dg_index *x = item_at(p, indices, i);
        depth = deeper(depth, deeper(depth_of(x->a), deeper(depth_of(x->b), depth_of(x->c))));
    }
    return depth;
}

dg_expr *dg_ast_index(dg_parser *p, dg_span span, dg_expr *base, const dg_items *indices)
{
    dg_expr *e = new_expr(p, DG_E_INDEX, span, deeper(depth_of(base), depth_of_indices(p, indices)));
    e->a = base;
    e->n = indices->n;
    e->indices = DG_NEW_ARRAY(p->arena, dg_index, indices->n);
    int rests = 0;
    for (int i = 0; i < indices->n; i++) {
        e->indices[i] = *(const dg_index *)item_at(p, indices, i);
        if (e->indices[i].kind == DG_I_REST && rests++ == 1)
            dg_parse_error(p, "E003", e->indices[i].span,
                           "'...' stands twice in one index; it may stand once");
    }
    return e;
}

dg_expr *dg_ast_cast(dg_parser *p, dg_span span, dg_dtype dtype, dg_expr *a)
{
    dg_expr *e = dg_ast_expr(p, DG_E_CAST, span, a, NULL, NULL);
    e->dtype = (uint8_t)dtype;
    return e;
}

dg_arg *dg_ast_arg(dg_parser *p, dg_span span, dg_str name, dg_expr *value)
{
    dg_arg arg = {name, value, span};
    return dg_arena_copy(p->arena, &arg, sizeof arg);
}

dg_index *dg_ast_index_item(dg_parser *p, dg_index_kind kind, dg_span span, dg_expr *a, dg_expr *b,
                            dg_expr *c)
{
    dg_index item = {kind, a, b, c, span};
    return dg_arena_copy(p->arena, &item, sizeof item);
}

dg_formal *dg_ast_formal(dg_parser *p, dg_span span, dg_str name, dg_texpr *type, dg_expr *fallback)
{
    dg_formal formal = {name, type, fallback, span};
    return dg_arena_copy(p->arena, &formal, sizeof formal);
}

/* ---- types ---- */

dg_dim *dg_ast_dim(dg_parser *p, dg_dim_kind kind, dg_span span, dg_expr *e)
{
    dg_dim dim = {kind, e, span};
    return dg_arena_copy(p->arena, &dim, sizeof dim);
}

dg_texpr *dg_ast_type(dg_parser *p, dg_texpr_kind kind, dg_span span)
{
    dg_texpr *t = DG_NEW(p->arena, dg_texpr);
    t->kind = kind;
    t->span = span;
    t->depth = 1;
    return t;
}

dg_texpr *dg_ast_tensor(dg_parser *p, dg_span span, dg_dtype dtype, bool brackets,
                        const dg_items *dims)
{
    dg_texpr *t = dg_ast_type(p, DG_Y_TENSOR, span);
    t->dtype = dtype;
    t->brackets = brackets;
    t->depth = level(p, span, dims->depth);
    t->n = dims->n;
    t->dims = DG_NEW_ARRAY(p->arena, dg_dim, dims->n);
    int rests = 0;
    for (int i = 0; i < dims->n; i++) {
        t->dims[i] = *(const dg_dim *)item_at(p, dims, i);
        if (t->dims[i].kind == DG_D_REST && rests++ == 1)
            dg_parse_error(p, "E003", t->dims[i].span,
                           "'...' stands twice in one type; it may stand once");
    }
    return t;
}

dg_texpr *dg_ast_type_items(dg_parser *p, dg_texpr_kind kind, dg_span span, const dg_items *items)
{
    dg_texpr *t = dg_ast_type(p, kind, span);
    t->depth = level(p, span, items->depth);
    t->n = items->n;
    t->items = (dg_texpr **)seal(p, items);
    return t;
}

dg_target *dg_ast_target(dg_parser *p, dg_span span, const dg_items *names, bool tuple)
{
    dg_target target = {names->n, (dg_str *)seal(p, names), tuple, span};
    return dg_arena_copy(p->arena, &target, sizeof target);
}

/* ---- statements ---- */

dg_block_ast *dg_ast_body(dg_parser *p, dg_span span, const dg_items *stmts)
{
    dg_block_ast *b = DG_NEW(p->arena, dg_block_ast);
    b->n = stmts->n;
    b->at = (dg_stmt **)seal(p, stmts);
    b->span = span;
    b->depth = stmts->depth;
    return b;
}

static dg_stmt *new_stmt(dg_parser *p, dg_stmt_kind kind, dg_span span, int below)
{
    dg_stmt *s = DG_NEW(p->arena, dg_stmt);
    s->kind = kind;
    s->span = span;
    s->name_span = DG_NOWHERE;
    s->target.span = DG_NOWHERE;
    s->depth = level(p, span, below);
    return s;
}

dg_stmt *dg_ast_stmt(dg_parser *p, dg_stmt_kind kind, dg_span span, dg_expr *a, dg_expr *b)
{
    dg_stmt *s = new_stmt(p, kind, span, deeper(depth_of(a), depth_of(b)));
    s->a = a;
    s->b = b;
    return s;
}

dg_stmt *dg_ast_call_stmt(dg_parser *p, dg_span span, dg_expr *e)
{
    const dg_expr *inner = e;
    while (inner->kind == DG_E_UNARY && inner->op == DG_U_REMAT) inner = inner->a;
    if (inner->kind != DG_E_CALL) {
        dg_message *m =
            dg_parse_error(p, "E003", e->span, "the value of this expression is not used");
        if (e->kind == DG_E_BINARY && e->op == DG_B_EQ && e->a->kind == DG_E_NAME)
            dg_help_add(p->diag, m, "'==' compares; to bind a name, write '%s = ...'", e->a->text);
        else if (e->kind == DG_E_UNARY && e->op == DG_U_NEG)
            dg_help_add(p->diag, m,
                        "if the line goes on with the one before, end that line with the '-'");
        else
            dg_help_add(p->diag, m,
                        "bind it, 'name = ...', or 'return' it; only a call may stand alone");
    }
    return dg_ast_stmt(p, DG_S_EXPR, span, e, NULL);
}

/* What may stand left of '=': a name, or a tuple of names, which becomes the target. */
static bool as_target(dg_parser *p, const dg_expr *e, dg_target *out)
{
    out->span = e->span;
    out->n = e->kind == DG_E_TUPLE ? e->n : 1;
    out->tuple = e->kind == DG_E_TUPLE;
    out->names = DG_NEW_ARRAY(p->arena, dg_str, out->n);
    for (int i = 0; i < out->n; i++) {
        const dg_expr *name = out->tuple ? e->items[i] : e;
        if (name->kind != DG_E_NAME) return false;
        out->names[i] = name->text;
    }
    return true;
}

static const dg_expr *innermost_base(const dg_expr *e)
{
    while (e->kind == DG_E_INDEX) e = e->a;
    return e;
}

dg_stmt *dg_ast_assign(dg_parser *p, dg_span span, dg_expr *a, dg_expr *b)
{
    dg_stmt *s = dg_ast_stmt(p, DG_S_ASSIGN, span, a, b);
    if (!as_target(p, a, &s->target)) {
        dg_message *m = dg_parse_error(p, "E006", a->span,
                                       "the left side of '=' is not a name or a tuple of names");
        const dg_expr *base = innermost_base(a);
        if (a->kind == DG_E_INDEX && base->kind == DG_E_NAME)
            dg_help_add(p->diag, m, "values are not changed in place: write %s = update(%s, i, v)",
                        base->text, base->text);
        else if (a->kind == DG_E_TUPLE || a->kind == DG_E_LIST)
            dg_help_add(p->diag, m, "write (a, b) = ..., each of them a name");
    }
    return s;
}

dg_stmt *dg_ast_bind(dg_parser *p, dg_span span, dg_expr *a, dg_texpr *type, dg_expr *b)
{
    if (a->kind != DG_E_NAME)
        dg_parse_error(p, "E006", a->span, "the left side of ':' is not a name");
    dg_stmt *s = new_stmt(p, DG_S_BIND, span, deeper(depth_of(b), depth_of_type(type)));
    s->a = a;
    s->b = b;
    s->type = type;
    return s;
}

dg_stmt *dg_ast_update(dg_parser *p, dg_span span, dg_expr *a, dg_expr *b)
{
    if (a->kind != DG_E_NAME && a->kind != DG_E_INDEX) {
        dg_message *m =
            dg_parse_error(p, "E006", a->span, "the left side of ':=' is not a parameter or state");
        if (a->kind == DG_E_TUPLE) dg_help_add(p->diag, m, "write one ':=' for each of them");
    }
    return dg_ast_stmt(p, DG_S_UPDATE, span, a, b);
}

dg_stmt *dg_ast_place(dg_parser *p, dg_stmt_kind kind, dg_span span, dg_str name, dg_span name_span,
                      dg_expr *label, dg_texpr *type, dg_expr *b)
{
    dg_stmt *s =
        new_stmt(p, kind, span, deeper(deeper(depth_of(label), depth_of(b)), depth_of_type(type)));
    s->name = name;
    s->name_span = name_span;
    s->label = label;
    s->type = type;
    s->b = b;
    return s;
}

dg_stmt *dg_ast_repeat(dg_parser *p, dg_stmt_kind kind, dg_span span, const dg_target *target,
                       dg_expr *source, dg_block_ast *body)
{
    dg_stmt *s = new_stmt(p, kind, span, deeper(depth_of(source), depth_of_body(body)));
    s->target = *target;
    s->b = source;
    s->body = body;
    return s;
}

dg_stmt *dg_ast_if(dg_parser *p, dg_span span, dg_expr *condition, dg_block_ast *body,
                   dg_block_ast *otherwise, bool else_if)
{
    dg_stmt *s = new_stmt(
        p, DG_S_IF, span,
        deeper(depth_of(condition), deeper(depth_of_body(body), depth_of_body(otherwise))));
    s->b = condition;
    s->body = body;
    s->otherwise = otherwise;
    s->else_if = else_if;
    return s;
}

dg_stmt *dg_ast_assert(dg_parser *p, dg_span span, dg_expr *condition, dg_expr *message)
{
    dg_stmt *s = new_stmt(p, DG_S_ASSERT, span, deeper(depth_of(condition), depth_of(message)));
    s->b = condition;
    s->message = message;
    return s;
}

dg_block_ast *dg_ast_else_if(dg_parser *p, dg_stmt *s)
{
    dg_items one = {0};
    dg_items_add(p, &one, s, s->depth);
    return dg_ast_body(p, s->span, &one);
}

/* ---- declarations ---- */

dg_decl *dg_ast_decl(dg_parser *p, dg_decl_kind kind, dg_span span, dg_str name, dg_span name_span)
{
    dg_decl *d = DG_NEW(p->arena, dg_decl);
    d->kind = kind;
    d->span = span;
    d->name = name;
    d->name_span = name_span;
    return d;
}

dg_decl *dg_ast_routine(dg_parser *p, dg_decl_kind kind, dg_span span, dg_str name,
                        dg_span name_span, const dg_signature *s, dg_block_ast *body)
{
    dg_decl *d = dg_ast_decl(p, kind, span, name, name_span);
    d->n_formals = s->formals.n;
    d->formals = seal_formals(p, &s->formals);
    d->type = s->result;
    d->body = body;
    return d;
}

dg_str dg_ast_plain_text(dg_parser *p, dg_expr *string, const char *what)
{
    if (string->n == 0) return string->text;
    dg_message *m = dg_parse_error(p, "E003", string->items[1]->span,
                                   "%s is plain text: '{...}' has no meaning in it", what);
    dg_help_add(p->diag, m, "for a brace write '{{'");
    return string->items[0]->text;
}

void dg_ast_finish(dg_parser *p, dg_tree *t)
{
    t->n = p->decls.n;
    t->decls = (dg_decl **)seal(p, &p->decls);
    t->n_comments = (int)p->comments.n;
    dg_vec_seal(&p->comments, p->arena, t->comments);
}

/* ---- walks ---- */

void dg_expr_parts(const dg_expr *e, void (*visit)(void *ctx, const dg_expr *part), void *ctx)
{
    if (e->a) visit(ctx, e->a);
    if (e->b) visit(ctx, e->b);
    if (e->c) visit(ctx, e->c);
    for (int i = 0; i < e->n; i++) {
        switch (e->kind) {
        case DG_E_STRING:
        case DG_E_LIST:
        case DG_E_TUPLE: visit(ctx, e->items[i]); break;
        case DG_E_CALL: visit(ctx, e->args[i].value); break;
        case DG_E_INDEX: {
            const dg_index *x = &e->indices[i];
            if (x->a) visit(ctx, x->a);
            if (x->b) visit(ctx, x->b);
            if (x->c) visit(ctx, x->c);
            break;
        }
        default: break;
        }
    }
}

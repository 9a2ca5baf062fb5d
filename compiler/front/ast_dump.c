/* ast_dump.c: the tree as an indented outline, for --dump=ast and for comparing two trees.
 *
 * In     a tree.
 * Out    one node a line, children two columns further in. No positions and no comments, so that
 *        two texts with the same meaning to the parser give the same outline. */
#include "compiler/front/ast.h"

#include <inttypes.h>

/* clang-format off */
static const char *const expr_names[] = {
    [DG_E_NAME] = "name", [DG_E_INT] = "int", [DG_E_FLOAT] = "float", [DG_E_STRING] = "string",
    [DG_E_TRUE] = "true", [DG_E_FALSE] = "false", [DG_E_NONE] = "none", [DG_E_LIST] = "list",
    [DG_E_TUPLE] = "tuple", [DG_E_COMPREHENSION] = "comprehension", [DG_E_IF] = "if",
    [DG_E_FN] = "fn",
    [DG_E_BINARY] = "binary", [DG_E_UNARY] = "unary", [DG_E_CALL] = "call", [DG_E_INDEX] = "index",
    [DG_E_CAST] = "cast",
};
/* clang-format on */
static const char *const op_names[] = {
    [DG_B_OR] = "or",    [DG_B_AND] = "and", [DG_B_EQ] = "==",       [DG_B_NE] = "!=",
    [DG_B_LT] = "<",     [DG_B_LE] = "<=",   [DG_B_GT] = ">",        [DG_B_GE] = ">=",
    [DG_B_RANGE] = "..", [DG_B_ADD] = "+",   [DG_B_SUB] = "-",       [DG_B_MUL] = "*",
    [DG_B_DIV] = "/",    [DG_B_IDIV] = "//", [DG_B_MOD] = "%",       [DG_B_POW] = "**",
    [DG_U_NEG] = "-",    [DG_U_NOT] = "not", [DG_U_REMAT] = "remat",
};
static const char *const type_names[] = {
    [DG_Y_TENSOR] = "tensor", [DG_Y_NAME] = "type",      [DG_Y_FN] = "fn",
    [DG_Y_LIST] = "list of",  [DG_Y_TUPLE] = "tuple of",
};
static const char *const stmt_names[] = {
    [DG_S_EXPR] = "call statement", [DG_S_ASSIGN] = "assign", [DG_S_BIND] = "bind",
    [DG_S_UPDATE] = "update",       [DG_S_PARAM] = "param",   [DG_S_STATE] = "state",
    [DG_S_MODEL] = "model",         [DG_S_RETURN] = "return", [DG_S_FOR] = "for",
    [DG_S_LOOP] = "loop",           [DG_S_IF] = "if",         [DG_S_ASSERT] = "assert",
};
static const char *const decl_names[] = {
    [DG_C_IMPORT] = "import", [DG_C_CONFIG] = "config", [DG_C_CONST] = "const",
    [DG_C_MODEL] = "model",   [DG_C_BLOCK] = "block",   [DG_C_ENTRY] = "entry",
    [DG_C_TRAIN] = "train",   [DG_C_TEST] = "test",     [DG_C_ASSERT] = "assert",
};

static void dump_expr(dg_text *o, int depth, const char *role, const dg_expr *e);
static void dump_type(dg_text *o, int depth, const dg_texpr *t);

static void head(dg_text *o, int depth, const char *role, const char *what)
{
    dg_text_add(o, "%*s%s%s%s", 2 * depth, "", role ? role : "", role ? ": " : "", what);
}

static void quoted(dg_text *o, const char *text)
{
    dg_text_add(o, " \"");
    for (; *text; text++) {
        if (*text == '\n') dg_text_add(o, "\\n");
        else if (*text == '"' || *text == '\\') dg_text_add(o, "\\%c", *text);
        else dg_text_addn(o, text, 1);
    }
    dg_text_add(o, "\"");
}

static void dump_target(dg_text *o, const dg_target *t)
{
    dg_text_add(o, t->tuple ? " (" : " ");
    for (int i = 0; i < t->n; i++) dg_text_add(o, "%s%s", i ? ", " : "", t->names[i]);
    dg_text_add(o, t->tuple ? ")" : "");
}

static void dump_formals(dg_text *o, int depth, const dg_formal *formals, int n)
{
    for (int i = 0; i < n; i++) {
        head(o, depth, "formal", formals[i].name);
        dg_text_add(o, "\n");
        dump_type(o, depth + 1, formals[i].type);
        dump_expr(o, depth + 1, "default", formals[i].fallback);
    }
}

static void dump_index(dg_text *o, int depth, const dg_index *x)
{
    switch (x->kind) {
    case DG_I_EXPR: dump_expr(o, depth, "at", x->a); break;
    case DG_I_NEW_AXIS: head(o, depth, NULL, "new axis\n"); break;
    case DG_I_REST: head(o, depth, NULL, "rest\n"); break;
    case DG_I_SLICE:
        head(o, depth, NULL, "slice\n");
        dump_expr(o, depth + 1, "from", x->a);
        dump_expr(o, depth + 1, "to", x->b);
        dump_expr(o, depth + 1, "step", x->c);
        break;
    }
}

static void dump_expr(dg_text *o, int depth, const char *role, const dg_expr *e)
{
    if (!e) return;
    head(o, depth, role, expr_names[e->kind]);
    char number[32];
    if (e->kind == DG_E_NAME) dg_text_add(o, " %s", e->text);
    if (e->kind == DG_E_INT) dg_text_add(o, " %" PRId64, e->i);
    if (e->kind == DG_E_FLOAT) dg_text_add(o, " %s (%s)", dg_double_text(e->f, number), e->text);
    if (e->kind == DG_E_STRING && e->n == 0) quoted(o, e->text);
    if (e->kind == DG_E_BINARY || e->kind == DG_E_UNARY) dg_text_add(o, " %s", op_names[e->op]);
    if (e->kind == DG_E_CAST) dg_text_add(o, " %s", dg_dtype_name(e->dtype));
    if (e->kind == DG_E_COMPREHENSION) dump_target(o, e->target);
    dg_text_add(o, e->parenthesised ? " in parentheses\n" : "\n");

    depth++;
    if (e->kind == DG_E_FN) dump_formals(o, depth, e->formals, e->n);
    dump_expr(o, depth, NULL, e->a);
    if (e->kind == DG_E_CALL) dump_expr(o, depth, "label", e->label);
    dump_expr(o, depth, NULL, e->b);
    dump_expr(o, depth, NULL, e->c);
    for (int i = 0; i < e->n; i++) {
        switch (e->kind) {
        case DG_E_STRING:
        case DG_E_LIST:
        case DG_E_TUPLE: dump_expr(o, depth, NULL, e->items[i]); break;
        case DG_E_CALL: dump_expr(o, depth, e->args[i].name ? e->args[i].name : "argument", e->args[i].value); break;
        case DG_E_INDEX: dump_index(o, depth, &e->indices[i]); break;
        default: break;
        }
    }
}

static void dump_type(dg_text *o, int depth, const dg_texpr *t)
{
    if (!t) return;
    head(o, depth, "type", type_names[t->kind]);
    if (t->kind == DG_Y_TENSOR)
        dg_text_add(o, " %s%s", dg_dtype_name(t->dtype), t->brackets ? "[]" : "");
    if (t->kind == DG_Y_NAME) dg_text_add(o, " %s", t->name);
    dg_text_add(o, "\n");
    for (int i = 0; i < t->n; i++) {
        if (t->items) dump_type(o, depth + 1, t->items[i]);
        else if (t->dims[i].kind == DG_D_EXPR) dump_expr(o, depth + 1, "dim", t->dims[i].e);
        else head(o, depth + 1, "dim", t->dims[i].kind == DG_D_ANY ? "_\n" : "...\n");
    }
}

static void dump_body(dg_text *o, int depth, const char *role, const dg_block_ast *b);

static void dump_stmt(dg_text *o, int depth, const dg_stmt *s)
{
    head(o, depth, NULL, stmt_names[s->kind]);
    if (s->name) dg_text_add(o, " %s", s->name);
    if (s->kind == DG_S_FOR || s->kind == DG_S_LOOP) dump_target(o, &s->target);
    dg_text_add(o, "\n");
    depth++;
    dump_expr(o, depth, NULL, s->a);
    dump_expr(o, depth, "label", s->label);
    dump_type(o, depth, s->type);
    dump_expr(o, depth, NULL, s->b);
    dump_expr(o, depth, "message", s->message);
    dump_body(o, depth, "body", s->body);
    dump_body(o, depth, s->else_if ? "else if" : "else", s->otherwise);
}

static void dump_body(dg_text *o, int depth, const char *role, const dg_block_ast *b)
{
    if (!b) return;
    head(o, depth, NULL, role);
    dg_text_add(o, "\n");
    for (int i = 0; i < b->n; i++) dump_stmt(o, depth + 1, b->at[i]);
}

void dg_tree_dump(const dg_sources *s, const dg_tree *t, dg_text *out)
{
    (void)s; /* the outline shows no text of the source; other dumps do */
    for (int i = 0; i < t->n; i++) {
        const dg_decl *d = t->decls[i];
        head(out, 0, NULL, decl_names[d->kind]);
        if (d->kind == DG_C_IMPORT || d->kind == DG_C_TEST) quoted(out, d->name);
        else if (d->name) dg_text_add(out, " %s", d->name);
        dg_text_add(out, "\n");
        if (d->doc) {
            head(out, 1, NULL, "doc");
            quoted(out, d->doc);
            dg_text_add(out, "\n");
        }
        dump_formals(out, 1, d->formals, d->n_formals);
        dump_type(out, 1, d->type);
        dump_expr(out, 1, NULL, d->value);
        dump_expr(out, 1, "message", d->message);
        dump_body(out, 1, "body", d->body);
    }
}

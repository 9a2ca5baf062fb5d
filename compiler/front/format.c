/* format.c: the tree as canonical text (`dg fmt`).
 *
 * In     a tree without errors, its comments, and the source, which is asked for line numbers and
 *        comment texts only.
 * Out    two columns of indentation, one statement a line, lines of at most 100 columns where they
 *        can be broken. A body that stood on one line stays on one if it fits. At most one blank
 *        line is kept between two things. A comment alone on its line stays so, one behind a
 *        statement stays behind it.
 * Keeps  formatting the result gives the same bytes, and its tree is equal: what decides about the
 *        layout (one line or more, blank lines, comments alone or behind) reads the same in the
 *        result.
 * Method each statement, or the head of one with a body, becomes a list of pieces: texts, possible
 *        breaks, groups. A group that fits into the rest of the line is printed flat; in another
 *        one each break is taken where what follows it up to the next does not fit (Oppen 1980,
 *        "Prettyprinting", with inconsistent breaks), or every one of them. Breaks stand where a
 *        newline does not end a statement: inside brackets, after operators, =>, then, else. */
#include "compiler/front/ast.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    WIDTH = 100,
    STEP = 2,        /* columns of indentation */
    FAR = 60,        /* a group that begins behind this column is not aligned with its begin */
    TOO_WIDE = 10000 /* what a line break that must stand counts for */
};

typedef enum piece_kind { P_TEXT, P_BREAK, P_HARD, P_OPEN, P_CLOSE, P_COMMENT } piece_kind;
typedef enum group_kind {
    G_FILL,   /* aligned with what follows the bracket; breaks where needed */
    G_ALL,    /* aligned; all breaks or none */
    G_HANGING /* two columns further in than the line */
} group_kind;

typedef struct piece {
    piece_kind kind;
    group_kind group;
    bool blank;   /* break: a space when not taken */
    size_t at, n; /* text: bytes in formatter.text */
    int width;    /* text: columns */
    /* Open: of the group. Break: up to the next one of its group. With what follows and cannot be
     * broken. */
    int64_t size;
} piece;

typedef struct formatter {
    const dg_source *source;
    const dg_tree *tree;
    dg_text *out;
    int next; /* first comment not yet written */
    int indent;
    uint32_t
        previous; /* source line on which the last thing ended; 0: nothing before in this body */
    int rigid;    /* inside a string: no breaks, no comments */
    dg_text text;
    DG_VEC(piece) pieces;
} formatter;

/* ---- pieces ---- */

static int columns(const char *s, size_t n)
{
    int width = 0;
    for (size_t i = 0; i < n; i++) width += ((unsigned char)s[i] & 0xc0) != 0x80;
    return width;
}

static void put_n(formatter *f, piece_kind kind, const char *s, size_t n)
{
    if (n == 0) return;
    piece p = {
        .kind = kind, .at = f->text.n, .n = n, .width = kind == P_COMMENT ? 0 : columns(s, n)};
    dg_text_addn(&f->text, s, n);
    dg_vec_push(&f->pieces, p);
}

static void put(formatter *f, const char *s)
{
    put_n(f, P_TEXT, s, strlen(s));
}

static void may_break(formatter *f, bool blank)
{
    if (!f->rigid) dg_vec_push(&f->pieces, (piece){.kind = P_BREAK, .blank = blank});
    else if (blank) put(f, " ");
}

static void hard_break(formatter *f)
{
    dg_vec_push(&f->pieces, (piece){.kind = P_HARD});
}

static void open_group(formatter *f, group_kind kind)
{
    dg_vec_push(&f->pieces, (piece){.kind = P_OPEN, .group = kind});
}

static void close_group(formatter *f)
{
    dg_vec_push(&f->pieces, (piece){.kind = P_CLOSE});
}

static const dg_comment *pending(const formatter *f, uint32_t before)
{
    if (f->next >= f->tree->n_comments) return NULL;
    const dg_comment *c = &f->tree->comments[f->next];
    return c->span.begin < before ? c : NULL;
}

/* Comments inside an expression: each ends its line. Called where a newline ends no statement. */
static void comments_here(formatter *f, uint32_t before)
{
    const dg_comment *c;
    while (!f->rigid && (c = pending(f, before))) {
        if (c->alone) hard_break(f);
        else put_n(f, P_COMMENT, "  ", 2);
        put_n(f, P_COMMENT, f->source->text + c->span.begin, c->span.end - c->span.begin);
        hard_break(f);
        f->next++;
    }
}

/* ---- layout ---- */

typedef struct frame {
    group_kind kind;
    bool flat;
    int indent;
} frame;

typedef struct level {
    int64_t group_end, chunk_end;
} level;

/* Sizes of groups and of what follows breaks, from behind. */
static void measure(formatter *f)
{
    DG_VEC(level) levels = {0};
    int64_t at = 0;   /* columns from here to the end if all were flat */
    int64_t tail = 0; /* columns up to the next break */
    dg_vec_push(&levels, (level){0, 0});
    for (size_t i = f->pieces.n; i-- > 0;) {
        piece *p = &f->pieces.at[i];
        switch (p->kind) {
        case P_TEXT:
        case P_COMMENT:
            at += p->width;
            tail += p->width;
            break;
        case P_HARD:
            at += TOO_WIDE;
            tail = 0;
            dg_vec_last(&levels).chunk_end = at;
            break;
        case P_BREAK:
            p->size = at - dg_vec_last(&levels).chunk_end;
            at += p->blank;
            tail = 0;
            dg_vec_last(&levels).chunk_end = at;
            break;
        case P_CLOSE: dg_vec_push(&levels, (level){at - tail, at - tail}); break;
        case P_OPEN:
            p->size = at - dg_vec_last(&levels).group_end;
            (void)dg_vec_pop(&levels);
            break;
        }
    }
    dg_vec_free(&levels);
}

/* Writes the pieces, beginning at f->indent; the line is left open. */
static void lay_out(formatter *f)
{
    measure(f);
    DG_VEC(frame) frames = {0};
    dg_vec_push(&frames, (frame){G_FILL, false, f->indent + 2 * STEP});
    int column = f->indent, line_indent = f->indent;
    bool fresh = true; /* nothing on the line yet */
    dg_text_add(f->out, "%*s", f->indent, "");
    for (size_t i = 0; i < f->pieces.n; i++) {
        const piece *p = &f->pieces.at[i];
        frame top = dg_vec_last(&frames);
        bool newline = false;
        switch (p->kind) {
        case P_TEXT:
        case P_COMMENT:
            dg_text_addn(f->out, f->text.at + p->at, p->n);
            column += p->width;
            fresh = false;
            break;
        case P_HARD: newline = !fresh; break;
        case P_BREAK:
            if (fresh) break;
            newline = !top.flat && (top.kind == G_ALL || column + p->blank + p->size > WIDTH);
            if (!newline && p->blank) {
                dg_text_add(f->out, " ");
                column++;
            }
            break;
        case P_OPEN: {
            bool flat = top.flat || column + p->size <= WIDTH;
            int indent = p->group == G_HANGING || column > FAR ? line_indent + STEP : column;
            if (p->group != G_HANGING && column > FAR) indent += STEP;
            dg_vec_push(&frames, (frame){p->group, flat, indent});
            break;
        }
        case P_CLOSE: frames.n--; break;
        }
        if (newline) {
            dg_text_add(f->out, "\n%*s", top.indent, "");
            column = line_indent = top.indent;
            fresh = true;
        }
    }
    dg_vec_free(&frames);
    f->pieces.n = 0;
    f->text.n = 0;
}

static int64_t flat_width(const formatter *f)
{
    int64_t width = 0;
    for (size_t i = 0; i < f->pieces.n; i++) {
        const piece *p = &f->pieces.at[i];
        width += p->kind == P_BREAK ? p->blank : p->width;
    }
    return width;
}

/* ---- expressions ---- */

static void put_expr(formatter *f, const dg_expr *e);
static void put_type(formatter *f, const dg_texpr *t);

/* Between two items: the comma, comments behind it, a break. */
static void comma(formatter *f, uint32_t next)
{
    put(f, ",");
    comments_here(f, next);
    may_break(f, true);
}

static const char *escape_of(char c)
{
    switch (c) {
    case '\n': return "\\n";
    case '\t': return "\\t";
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '{': return "{{";
    default: return NULL;
    }
}

static void put_escaped(formatter *f, const char *s)
{
    size_t plain = 0;
    for (; s[plain]; plain++) {
        const char *escape = escape_of(s[plain]);
        if (!escape) continue;
        put_n(f, P_TEXT, s, plain);
        put(f, escape);
        s += plain + 1;
        plain = (size_t)-1;
    }
    put_n(f, P_TEXT, s, plain);
}

static void put_string(formatter *f, const dg_expr *e)
{
    f->rigid++;
    put(f, "\"");
    if (e->n == 0) put_escaped(f, e->text);
    for (int i = 0; i < e->n; i++) {
        if (i % 2 == 0) {
            put_escaped(f, e->items[i]->text);
        } else {
            put(f, "{");
            put_expr(f, e->items[i]);
            put(f, "}");
        }
    }
    put(f, "\"");
    f->rigid--;
}

static void put_target(formatter *f, const dg_target *t)
{
    if (t->tuple) put(f, "(");
    for (int i = 0; i < t->n; i++) {
        if (i > 0) put(f, ", ");
        put(f, t->names[i]);
    }
    if (!t->tuple) return;
    comments_here(f, t->span.end - 1);
    put(f, ")");
}

/* Where the parenthesis after the last formal is: only blanks, comments and a comma stand before
 * it. */
static uint32_t closing_parenthesis(const formatter *f, uint32_t from)
{
    const char *text = f->source->text;
    for (;;) {
        from += (uint32_t)strspn(text + from, " \t\r\n,(");
        if (text[from] != '#') return from;
        from += (uint32_t)strcspn(text + from, "\n");
    }
}

/* `after`: the end of what stands before the parenthesis. */
static void put_formals(formatter *f, const dg_formal *formals, int n, uint32_t after)
{
    put(f, "(");
    open_group(f, G_FILL);
    for (int i = 0; i < n; i++) {
        if (i > 0) comma(f, formals[i].span.begin);
        comments_here(f, formals[i].span.begin);
        put(f, formals[i].name);
        if (formals[i].type) {
            put(f, ": ");
            put_type(f, formals[i].type);
        }
        if (formals[i].fallback) {
            put(f, " = ");
            put_expr(f, formals[i].fallback);
        }
    }
    comments_here(f, closing_parenthesis(f, n > 0 ? formals[n - 1].span.end : after));
    close_group(f);
    put(f, ")");
}

static int precedence(dg_binop op)
{
    /* clang-format off */
    static const int levels[] = {
        [DG_B_OR] = 0,    [DG_B_AND] = 1, [DG_B_EQ] = 2,  [DG_B_NE] = 2,  [DG_B_LT] = 2,
        [DG_B_LE] = 2,    [DG_B_GT] = 2,  [DG_B_GE] = 2,  [DG_B_RANGE] = 3, [DG_B_ADD] = 4,
        [DG_B_SUB] = 4,   [DG_B_MUL] = 5, [DG_B_DIV] = 5, [DG_B_IDIV] = 5, [DG_B_MOD] = 5,
        [DG_B_POW] = 6,
    };
    /* clang-format on */
    return levels[op];
}

static const char *op_text(dg_binop op)
{
    /* clang-format off */
    static const char *const texts[] = {
        [DG_B_OR] = " or",   [DG_B_AND] = " and", [DG_B_EQ] = " ==",    [DG_B_NE] = " !=",
        [DG_B_LT] = " <",    [DG_B_LE] = " <=",   [DG_B_GT] = " >",     [DG_B_GE] = " >=",
        [DG_B_RANGE] = "..", [DG_B_ADD] = " +",   [DG_B_SUB] = " -",    [DG_B_MUL] = " *",
        [DG_B_DIV] = " /",   [DG_B_IDIV] = " //", [DG_B_MOD] = " %",    [DG_B_POW] = " **",
        [DG_U_NEG] = "-",    [DG_U_NOT] = "not ", [DG_U_REMAT] = "remat ",
    };
    /* clang-format on */
    return texts[op];
}

/* a + b - c is one group: operands of the same level follow each other. */
static void put_chain(formatter *f, const dg_expr *e)
{
    if (e->a->kind == DG_E_BINARY && !e->a->parenthesised &&
        precedence(e->a->op) == precedence(e->op))
        put_chain(f, e->a);
    else put_expr(f, e->a);
    put(f, op_text(e->op));
    comments_here(f, e->b->span.begin);
    may_break(f, e->op != DG_B_RANGE);
    put_expr(f, e->b);
}

static void put_index(formatter *f, const dg_index *x)
{
    comments_here(f, x->span.begin);
    switch (x->kind) {
    case DG_I_EXPR: put_expr(f, x->a); break;
    case DG_I_NEW_AXIS: put(f, "_"); break;
    case DG_I_REST: put(f, "..."); break;
    case DG_I_SLICE:
        if (x->a) put_expr(f, x->a);
        put(f, ":");
        if (x->b) put_expr(f, x->b);
        if (x->c) {
            put(f, ":");
            put_expr(f, x->c);
        }
        break;
    }
}

static void put_label(formatter *f, const dg_expr *label)
{
    f->rigid++;
    put(f, "@");
    put_expr(f, label);
    f->rigid--;
}

static void put_args(formatter *f, const dg_expr *e)
{
    put(f, "(");
    open_group(f, G_FILL);
    for (int i = 0; i < e->n; i++) {
        const dg_arg *arg = &e->args[i];
        if (i > 0) comma(f, arg->span.begin);
        comments_here(f, arg->span.begin);
        if (arg->name) {
            put(f, arg->name);
            put(f, "=");
        }
        put_expr(f, arg->value);
    }
    comments_here(f, e->span.end - 1);
    close_group(f);
    put(f, ")");
}

static void put_items(formatter *f, const dg_expr *e)
{
    put(f, e->kind == DG_E_LIST ? "[" : "(");
    open_group(f, G_FILL);
    for (int i = 0; i < e->n; i++) {
        if (i > 0) comma(f, e->items[i]->span.begin);
        put_expr(f, e->items[i]);
    }
    comments_here(f, e->span.end - 1);
    close_group(f);
    put(f, e->kind == DG_E_LIST ? "]" : ")");
}

static void put_comprehension(formatter *f, const dg_expr *e)
{
    put(f, "[");
    open_group(f, G_ALL);
    put_expr(f, e->a);
    comments_here(f, e->target->span.begin);
    may_break(f, true);
    put(f, "for ");
    put_target(f, e->target);
    put(f, " in ");
    put_expr(f, e->b);
    if (e->c) {
        comments_here(f, e->c->span.begin);
        may_break(f, true);
        put(f, "if ");
        put_expr(f, e->c);
    }
    comments_here(f, e->span.end - 1);
    close_group(f);
    put(f, "]");
}

static void put_bare(formatter *f, const dg_expr *e)
{
    char number[32];
    switch (e->kind) {
    case DG_E_NAME: put(f, e->text); break;
    case DG_E_INT:
        snprintf(number, sizeof number, "%" PRId64, e->i);
        put(f, number);
        break;
    case DG_E_FLOAT: put(f, e->text); break;
    case DG_E_STRING: put_string(f, e); break;
    case DG_E_TRUE: put(f, "true"); break;
    case DG_E_FALSE: put(f, "false"); break;
    case DG_E_NONE: put(f, "none"); break;
    case DG_E_LIST:
    case DG_E_TUPLE: put_items(f, e); break;
    case DG_E_COMPREHENSION: put_comprehension(f, e); break;
    case DG_E_IF:
        open_group(f, G_FILL);
        put(f, "if ");
        put_expr(f, e->a);
        put(f, " then");
        comments_here(f, e->b->span.begin);
        may_break(f, true);
        put_expr(f, e->b);
        put(f, " else");
        comments_here(f, e->c->span.begin);
        may_break(f, true);
        put_expr(f, e->c);
        close_group(f);
        break;
    case DG_E_FN:
        put(f, "fn");
        put_formals(f, e->formals, e->n, e->span.begin + 2);
        put(f, " =>");
        open_group(f, G_HANGING);
        comments_here(f, e->a->span.begin);
        may_break(f, true);
        put_expr(f, e->a);
        close_group(f);
        break;
    case DG_E_BINARY:
        open_group(f, G_FILL);
        put_chain(f, e);
        close_group(f);
        break;
    case DG_E_UNARY:
        put(f, op_text(e->op));
        put_expr(f, e->a);
        break;
    case DG_E_CALL:
        put_expr(f, e->a);
        if (e->label) put_label(f, e->label);
        put_args(f, e);
        break;
    case DG_E_INDEX:
        put_expr(f, e->a);
        put(f, "[");
        open_group(f, G_FILL);
        for (int i = 0; i < e->n; i++) {
            if (i > 0) comma(f, e->indices[i].span.begin);
            put_index(f, &e->indices[i]);
        }
        comments_here(f, e->span.end - 1);
        close_group(f);
        put(f, "]");
        break;
    case DG_E_CAST:
        put(f, dg_dtype_name(e->dtype));
        put(f, "(");
        open_group(f, G_FILL);
        put_expr(f, e->a);
        comments_here(f, e->span.end - 1);
        close_group(f);
        put(f, ")");
        break;
    }
}

/* A comment before the first token goes inside the parentheses, where a newline is always allowed.
 */
static void put_expr(formatter *f, const dg_expr *e)
{
    if (e->parenthesised) {
        put(f, "(");
        open_group(f, G_FILL);
    }
    comments_here(f, e->span.begin);
    put_bare(f, e);
    if (e->parenthesised) {
        comments_here(f, e->paren_span.end - 1);
        close_group(f);
        put(f, ")");
    }
}

static void put_type(formatter *f, const dg_texpr *t)
{
    comments_here(f, t->span.begin);
    switch (t->kind) {
    case DG_Y_NAME: put(f, t->name); return;
    case DG_Y_FN: put(f, "fn"); return;
    case DG_Y_TENSOR:
        put(f, dg_dtype_name(t->dtype));
        if (!t->brackets) return;
        put(f, "[");
        for (int i = 0; i < t->n; i++) {
            const dg_dim *d = &t->dims[i];
            if (i > 0) put(f, ", ");
            comments_here(f, d->span.begin);
            if (d->kind == DG_D_EXPR) put_expr(f, d->e);
            else put(f, d->kind == DG_D_ANY ? "_" : "...");
        }
        comments_here(f, t->span.end - 1);
        put(f, "]");
        return;
    case DG_Y_LIST:
    case DG_Y_TUPLE:
        put(f, t->kind == DG_Y_LIST ? "[" : "(");
        for (int i = 0; i < t->n; i++) {
            if (i > 0) put(f, ", ");
            put_type(f, t->items[i]);
        }
        comments_here(f, t->span.end - 1);
        put(f, t->kind == DG_Y_LIST ? "]" : ")");
        return;
    }
}

/* ---- statements ---- */

static uint32_t line_of(const formatter *f, uint32_t offset)
{
    return dg_source_line_number(f->source, offset);
}

static bool on_one_line(const formatter *f, dg_span span)
{
    return line_of(f, span.begin) == line_of(f, span.end);
}

static void newline(formatter *f)
{
    dg_text_add(f->out, "\n");
}

static void keep_blank_line(formatter *f, uint32_t begin)
{
    if (f->previous && line_of(f, begin) > f->previous + 1) newline(f);
}

/* Comments on lines of their own before `begin`. */
static void comments_above(formatter *f, uint32_t begin)
{
    const dg_comment *c;
    while ((c = pending(f, begin))) {
        keep_blank_line(f, c->span.begin);
        dg_text_add(f->out, "%*s", f->indent, "");
        dg_text_addn(f->out, f->source->text + c->span.begin, c->span.end - c->span.begin);
        newline(f);
        f->previous = line_of(f, c->span.end);
        f->next++;
    }
}

/* Ends the line of something that ended at `end` in the source, with the comment behind it. */
static void end_line(formatter *f, uint32_t end, uint32_t next)
{
    f->previous = line_of(f, end);
    const dg_comment *c = pending(f, next);
    if (c && !c->alone) {
        dg_text_add(f->out, "  ");
        dg_text_addn(f->out, f->source->text + c->span.begin, c->span.end - c->span.begin);
        f->previous = line_of(f, c->span.end);
        f->next++;
    }
    newline(f);
}

static void put_assertion(formatter *f, const dg_expr *condition, const dg_expr *message)
{
    put(f, "assert ");
    open_group(f, G_FILL);
    put_expr(f, condition);
    if (message) {
        comma(f, message->span.begin);
        put_expr(f, message);
    }
    close_group(f);
}

static void put_compact_body(formatter *f, const dg_block_ast *b);

/* All of a statement but its bodies; with `compact` those too, on the same line. */
static void put_stmt(formatter *f, const dg_stmt *s, bool compact)
{
    switch (s->kind) {
    case DG_S_EXPR: put_expr(f, s->a); break;
    case DG_S_ASSIGN:
    case DG_S_UPDATE:
        put_expr(f, s->a);
        put(f, s->kind == DG_S_ASSIGN ? " = " : " := ");
        put_expr(f, s->b);
        break;
    case DG_S_BIND:
        put_expr(f, s->a);
        put(f, " : ");
        put_type(f, s->type);
        put(f, " = ");
        put_expr(f, s->b);
        break;
    case DG_S_PARAM:
    case DG_S_STATE:
    case DG_S_MODEL:
        put(f, s->kind == DG_S_PARAM ? "param " : s->kind == DG_S_STATE ? "state " : "model ");
        put(f, s->name);
        if (s->label) put_label(f, s->label);
        if (s->type) {
            put(f, " : ");
            put_type(f, s->type);
        }
        put(f, " = ");
        put_expr(f, s->b);
        break;
    case DG_S_RETURN:
        put(f, "return ");
        put_expr(f, s->b);
        break;
    case DG_S_FOR:
    case DG_S_LOOP:
        put(f, s->kind == DG_S_FOR ? "for " : "loop ");
        put_target(f, &s->target);
        put(f, " in ");
        put_expr(f, s->b);
        if (compact) put_compact_body(f, s->body);
        break;
    case DG_S_IF:
        put(f, "if ");
        put_expr(f, s->b);
        if (!compact) break;
        put_compact_body(f, s->body);
        if (!s->otherwise) break;
        put(f, " else");
        if (s->else_if) {
            put(f, " ");
            put_stmt(f, s->otherwise->at[0], true);
        } else {
            put_compact_body(f, s->otherwise);
        }
        break;
    case DG_S_ASSERT: put_assertion(f, s->b, s->message); break;
    }
}

static void put_compact_body(formatter *f, const dg_block_ast *b)
{
    put(f, " { ");
    for (int i = 0; i < b->n; i++) {
        if (i > 0) put(f, "; ");
        put_stmt(f, b->at[i], true);
    }
    put(f, b->n > 0 ? " }" : "}");
}

/* What stood on one line stays there if it fits. True when the pieces are laid out. */
static bool lay_out_if_it_fits(formatter *f)
{
    if (f->indent + flat_width(f) <= WIDTH) {
        lay_out(f);
        return true;
    }
    f->pieces.n = 0;
    f->text.n = 0;
    return false;
}

static void write_stmt(formatter *f, const dg_stmt *s, uint32_t next);

/* Behind the pieces of a head: its brace and the statements on lines of their own. Leaves the
 * closing brace as a piece, so that `else` can follow it. */
static void write_body(formatter *f, const dg_block_ast *b)
{
    uint32_t close = b->span.end - 1;
    if (b->n == 0 && !pending(f, close)) {
        put(f, " { }");
        return;
    }
    put(f, " {");
    lay_out(f);
    end_line(f, b->span.begin, b->n > 0 ? b->at[0]->span.begin : close);
    f->previous = 0;
    f->indent += STEP;
    for (int i = 0; i < b->n; i++)
        write_stmt(f, b->at[i], i + 1 < b->n ? b->at[i + 1]->span.begin : close);
    comments_above(f, close);
    f->indent -= STEP;
    put(f, "}");
}

static void write_bodies(formatter *f, const dg_stmt *s)
{
    write_body(f, s->body);
    for (; s->otherwise && s->else_if; s = s->otherwise->at[0]) {
        put(f, " else if ");
        put_expr(f, s->otherwise->at[0]->b);
        write_body(f, s->otherwise->at[0]->body);
    }
    if (!s->otherwise) return;
    put(f, " else");
    write_body(f, s->otherwise);
}

static void write_stmt(formatter *f, const dg_stmt *s, uint32_t next)
{
    comments_above(f, s->span.begin);
    keep_blank_line(f, s->span.begin);
    bool done = false;
    if (s->body && on_one_line(f, s->span)) {
        put_stmt(f, s, true);
        done = lay_out_if_it_fits(f);
    }
    if (!done) {
        put_stmt(f, s, false);
        if (s->body) write_bodies(f, s);
        lay_out(f);
    }
    end_line(f, s->span.end, next);
}

/* ---- declarations ---- */

static void put_decl(formatter *f, const dg_decl *d)
{
    /* clang-format off */
    static const char *const words[] = {
        [DG_C_IMPORT] = "import ", [DG_C_CONFIG] = "config ", [DG_C_CONST] = "const ",
        [DG_C_MODEL] = "model ",
        [DG_C_BLOCK] = "block ", [DG_C_ENTRY] = "entry ", [DG_C_TRAIN] = "train ",
        [DG_C_TEST] = "test ",
        [DG_C_ASSERT] = "",
    };
    /* clang-format on */
    put(f, words[d->kind]);
    switch (d->kind) {
    case DG_C_IMPORT:
    case DG_C_TEST:
        put(f, "\"");
        put_escaped(f, d->name);
        put(f, "\"");
        break;
    case DG_C_CONFIG:
    case DG_C_CONST:
    case DG_C_MODEL:
        put(f, d->name);
        if (d->type) {
            put(f, " : ");
            put_type(f, d->type);
        }
        put(f, " = ");
        put_expr(f, d->value);
        break;
    case DG_C_BLOCK:
    case DG_C_ENTRY:
    case DG_C_TRAIN:
        put(f, d->name);
        put_formals(f, d->formals, d->n_formals, d->name_span.end);
        if (d->type) {
            put(f, " -> ");
            put_type(f, d->type);
        }
        break;
    case DG_C_ASSERT: put_assertion(f, d->value, d->message); break;
    }
}

static void write_decl(formatter *f, const dg_decl *d, uint32_t next)
{
    comments_above(f, d->span.begin);
    keep_blank_line(f, d->span.begin);
    bool done = false;
    if (d->body && on_one_line(f, d->span)) {
        put_decl(f, d);
        put_compact_body(f, d->body);
        done = lay_out_if_it_fits(f);
    }
    if (!done) {
        put_decl(f, d);
        if (d->body) write_body(f, d->body);
        lay_out(f);
    }
    end_line(f, d->span.end, next);
}

void dg_format(const dg_sources *s, const dg_tree *t, dg_text *out)
{
    formatter f = {.source = dg_source_at(s, t->file), .tree = t, .out = out};
    for (int i = 0; i < t->n; i++)
        write_decl(&f, t->decls[i], i + 1 < t->n ? t->decls[i + 1]->span.begin : f.source->length);
    comments_above(&f, f.source->length + 1);
    dg_text_free(&f.text);
    dg_vec_free(&f.pieces);
}

/* parse.h: what scanner, grammar and tree building share while one file is parsed; private to
 * compiler/front.
 *
 *     parse.c   checks the bytes, runs the parser, attaches the documentation comments
 *     lexer.l   bytes -> tokens, newlines and brackets decided there
 *     parser.y  tokens -> tree
 *     ast.c     makes nodes; refuses left sides and trees that the grammar alone lets pass
 *     syntax_error.c  words what the parser could not go on with */
#ifndef DG_FRONT_PARSE_H
#define DG_FRONT_PARSE_H

#include "compiler/front/ast.h"

enum {
    DG_MAX_FILE = 16 << 20, /* bytes */
    DG_MAX_NAME = 4096,     /* also numbers */
    DG_MAX_TEXT = 65536,
    DG_MAX_DEPTH = 256, /* of brackets, and of the tree */
    DG_MAX_ERRORS = 8
};

typedef enum dg_bracket_kind {
    DG_OPEN_ROUND,
    DG_OPEN_SQUARE,
    DG_OPEN_CURLY,
    DG_OPEN_TEXT
} dg_bracket_kind;

typedef struct dg_bracket {
    dg_bracket_kind kind;
    dg_span span;
    dg_span text;       /* DG_OPEN_TEXT, a `{` inside a string: the string's first quote */
    size_t text_length; /* and how much of the string was read so far */
} dg_bracket;

/* A list under construction: n items from `first` on of the parser's stack of items. The grammar is
 * left-recursive, so they are appended; lists nest, so the innermost one ends the stack. Sealed to
 * an array by ast.c. */
typedef struct dg_items {
    int first, n, depth; /* depth: of the deepest item */
} dg_items;

typedef struct dg_signature {
    dg_items formals;
    dg_texpr *result;
} dg_signature;

typedef struct dg_parser {
    dg_arena *arena;
    dg_strings *strings;
    dg_diag *diag;
    int32_t file;
    const dg_source *source;
    void *scanner;

    uint32_t begin, end; /* the bytes that the scanner matched last */
    dg_text piece;       /* of a string: decoded so far */
    uint32_t piece_begin;
    dg_span text_open; /* first quote of the string being read */
    size_t text_length;
    bool text_resumed; /* the piece follows an interpolated expression */
    DG_VEC(dg_bracket) brackets;
    DG_VEC(dg_comment) comments;

    int last; /* the token given last, and the one before; 0 at the start */
    int before_last;
    dg_span last_span, before_span;
    dg_bracket suspect; /* a `{` whose `}` stands further left than its line: perhaps another's */
    dg_span suspect_close;
    uint32_t joined; /* newlines before this offset were reported and do not count */
    int held;        /* a token to be looked at again; 0: none */
    dg_span held_span;
    bool unwinding;  /* closing what is open, before the held token */
    bool skip_body;  /* the `{` given last was refused: its body is skipped */
    bool recovering; /* the parser drops tokens up to a newline */
    bool quiet;      /* the scanner reported: the parser's own complaint would be a second one */
    bool stop;       /* no further tokens */
    int errors;

    DG_VEC(void *) items; /* of the lists under construction */
    dg_items decls;
} dg_parser;

/* lexer.l */
bool dg_scanner_open(dg_parser *p);
void dg_scanner_close(dg_parser *p);

/* parse.c: errors of this file, counted; at the eighth the parser stops. */
__attribute__((format(printf, 4, 5))) dg_message *
dg_parse_error(dg_parser *p, const char *id, dg_span span, const char *format, ...);
/* A note that names where something stands: "'(' was opened at unet.dg:3:7". */
void dg_parse_note_at(dg_parser *p, dg_message *m, const char *what, dg_span span);
void dg_parse_too_deep(dg_parser *p, dg_span span);

/* ast.c */
void dg_items_add(dg_parser *p, dg_items *list, void *item, int depth);
/* A list of one `first`, then of what is in `rest`, the newest list. */
dg_items dg_items_before(dg_parser *p, void *first, int depth, const dg_items *rest);
dg_expr *dg_ast_expr(dg_parser *p, dg_expr_kind kind, dg_span span, dg_expr *a, dg_expr *b,
                     dg_expr *c);
dg_expr *dg_ast_name(dg_parser *p, dg_span span, dg_str text);
dg_expr *dg_ast_text(dg_parser *p, dg_span span, dg_str text);
dg_expr *dg_ast_binary(dg_parser *p, dg_binop op, dg_span span, dg_span op_span, dg_expr *a,
                       dg_expr *b);
dg_expr *dg_ast_unary(dg_parser *p, dg_binop op, dg_span span, dg_span op_span, dg_expr *a);
dg_expr *dg_ast_items(dg_parser *p, dg_expr_kind kind, dg_span span, const dg_items *items);
dg_expr *dg_ast_comprehension(dg_parser *p, dg_span span, dg_expr *element, dg_target *target,
                              dg_expr *source, dg_expr *filter);
dg_expr *dg_ast_fn(dg_parser *p, dg_span span, const dg_items *formals, dg_expr *body);
dg_expr *dg_ast_call(dg_parser *p, dg_span span, dg_expr *callee, dg_expr *label,
                     const dg_items *args);
dg_expr *dg_ast_index(dg_parser *p, dg_span span, dg_expr *base, const dg_items *indices);
dg_expr *dg_ast_cast(dg_parser *p, dg_span span, dg_dtype dtype, dg_expr *a);
dg_arg *dg_ast_arg(dg_parser *p, dg_span span, dg_str name, dg_expr *value);
dg_index *dg_ast_index_item(dg_parser *p, dg_index_kind kind, dg_span span, dg_expr *a, dg_expr *b,
                            dg_expr *c);
dg_formal *dg_ast_formal(dg_parser *p, dg_span span, dg_str name, dg_texpr *type,
                         dg_expr *fallback);
dg_dim *dg_ast_dim(dg_parser *p, dg_dim_kind kind, dg_span span, dg_expr *e);
dg_texpr *dg_ast_type(dg_parser *p, dg_texpr_kind kind, dg_span span);
dg_texpr *dg_ast_tensor(dg_parser *p, dg_span span, dg_dtype dtype, bool brackets,
                        const dg_items *dims);
dg_texpr *dg_ast_type_items(dg_parser *p, dg_texpr_kind kind, dg_span span, const dg_items *items);
dg_target *dg_ast_target(dg_parser *p, dg_span span, const dg_items *names, bool tuple);
dg_block_ast *dg_ast_body(dg_parser *p, dg_span span, const dg_items *stmts);

dg_stmt *dg_ast_stmt(dg_parser *p, dg_stmt_kind kind, dg_span span, dg_expr *a, dg_expr *b);
dg_stmt *dg_ast_call_stmt(dg_parser *p, dg_span span, dg_expr *e);
dg_stmt *dg_ast_assign(dg_parser *p, dg_span span, dg_expr *a, dg_expr *b);
dg_stmt *dg_ast_bind(dg_parser *p, dg_span span, dg_expr *a, dg_texpr *type, dg_expr *b);
dg_stmt *dg_ast_update(dg_parser *p, dg_span span, dg_expr *a, dg_expr *b);
dg_stmt *dg_ast_place(dg_parser *p, dg_stmt_kind kind, dg_span span, dg_str name, dg_span name_span,
                      dg_expr *label, dg_texpr *type, dg_expr *b);
dg_stmt *dg_ast_repeat(dg_parser *p, dg_stmt_kind kind, dg_span span, const dg_target *target,
                       dg_expr *source, dg_block_ast *body);
dg_stmt *dg_ast_if(dg_parser *p, dg_span span, dg_expr *condition, dg_block_ast *body,
                   dg_block_ast *otherwise, bool else_if);
dg_stmt *dg_ast_assert(dg_parser *p, dg_span span, dg_expr *condition, dg_expr *message);
dg_block_ast *dg_ast_else_if(dg_parser *p, dg_stmt *s);

dg_decl *dg_ast_decl(dg_parser *p, dg_decl_kind kind, dg_span span, dg_str name, dg_span name_span);
dg_decl *dg_ast_routine(dg_parser *p, dg_decl_kind kind, dg_span span, dg_str name,
                        dg_span name_span, const dg_signature *s, dg_block_ast *body);
/* The text of a string that may not hold `{expr}`: an import's path, a test's title. */
dg_str dg_ast_plain_text(dg_parser *p, dg_expr *string, const char *what);
void dg_ast_finish(dg_parser *p, dg_tree *t);

#endif

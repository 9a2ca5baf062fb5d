/* ast.h: the tree of one source file, as the parser leaves it. Nodes live in the compilation's
 * arena and are never changed afterwards. Comments are kept beside the tree (dg_tree.comments) so
 * that the formatter can put them back. */
#ifndef DG_FRONT_AST_H
#define DG_FRONT_AST_H

#include "compiler/base/diag.h"
#include "compiler/base/vec.h"
#include "compiler/ir/type.h"

typedef struct dg_expr dg_expr;
typedef struct dg_stmt dg_stmt;
typedef struct dg_decl dg_decl;
typedef struct dg_texpr dg_texpr;

typedef enum dg_expr_kind {
    DG_E_NAME,    /* text */
    DG_E_INT,     /* i */
    DG_E_FLOAT,   /* f; text is as written */
    DG_E_STRING,  /* plain: n = 0, text; else parts in items, pieces of text and expressions in
                   * turn, a piece first and last, maybe empty ("a{x}": "a", x, "") */
    DG_E_TRUE, DG_E_FALSE, DG_E_NONE,
    DG_E_LIST,    /* items */
    DG_E_TUPLE,   /* items, two or more */
    DG_E_COMPREHENSION, /* a: element, target, b: source, c: filter or NULL */
    DG_E_IF,      /* a: condition, b, c */
    DG_E_FN,      /* formals, a: body */
    DG_E_BINARY,  /* op, a, b. op: DG_T_... below */
    DG_E_UNARY,   /* op: '-' or not or remat; a */
    DG_E_CALL,    /* a: callee, label or NULL, args */
    DG_E_INDEX,   /* a: base, indices */
    DG_E_CAST     /* dtype, a: f32(x) */
} dg_expr_kind;

typedef enum dg_binop {
    DG_B_OR, DG_B_AND, DG_B_EQ, DG_B_NE, DG_B_LT, DG_B_LE, DG_B_GT, DG_B_GE, DG_B_RANGE,
    DG_B_ADD, DG_B_SUB, DG_B_MUL, DG_B_DIV, DG_B_IDIV, DG_B_MOD, DG_B_POW,
    DG_U_NEG, DG_U_NOT, DG_U_REMAT
} dg_binop;

typedef struct dg_target { /* NAME or (NAME, ...) */
    int n;
    dg_str *names;
    bool tuple;
    dg_span span;
} dg_target;

typedef struct dg_arg {
    dg_str name; /* NULL: positional */
    dg_expr *value;
    dg_span span;
} dg_arg;

typedef enum dg_index_kind { DG_I_EXPR, DG_I_NEW_AXIS, DG_I_REST, DG_I_SLICE } dg_index_kind;
typedef struct dg_index {
    dg_index_kind kind;
    dg_expr *a, *b, *c; /* expr: a; slice: a start, b stop, c step, each may be NULL */
    dg_span span;
} dg_index;

typedef struct dg_formal {
    dg_str name;
    dg_texpr *type;    /* may be NULL */
    dg_expr *fallback; /* may be NULL */
    dg_span span;
} dg_formal;

/* Most of a tree, and read again at each call and for each element of a comprehension: kept small.
 * What only one kind has shares its bytes with what only others have. */
struct dg_expr {
    uint8_t kind;       /* dg_expr_kind */
    uint8_t op;         /* dg_binop: binary, unary */
    uint8_t dtype;      /* dg_dtype: cast */
    bool parenthesised; /* written with parentheses of its own: for the formatter */
    uint16_t depth;     /* of the tree below: the parser refuses more than 256 (E007) */
    int n;              /* of the list that this kind has */
    dg_span span;
    dg_span paren_span; /* parenthesised: from ( to ), the outermost ones; `span` is without them */
    dg_expr *a, *b, *c;
    union {
        struct {
            dg_str text; /* name, float, string of n = 0 */
            union {
                int64_t i;
                double f;
            };
        };
        dg_span op_span;     /* binary, unary */
        dg_expr **items;     /* list, tuple, string of n > 0 */
        dg_formal *formals;  /* fn */
        dg_index *indices;   /* index */
        dg_target *target;   /* comprehension */
        struct {             /* call */
            dg_arg *args;
            dg_expr *label;  /* NAME or STRING as an expression; NULL: none */
        };
    };
};

typedef enum dg_texpr_kind { DG_Y_TENSOR, DG_Y_NAME, DG_Y_FN, DG_Y_LIST, DG_Y_TUPLE } dg_texpr_kind;
typedef enum dg_dim_kind { DG_D_EXPR, DG_D_ANY, DG_D_REST } dg_dim_kind;
typedef struct dg_dim {
    dg_dim_kind kind;
    dg_expr *e;
    dg_span span;
} dg_dim;
struct dg_texpr {
    dg_texpr_kind kind;
    dg_span span;
    dg_dtype dtype;   /* tensor */
    bool brackets;    /* "bool" is the static type, "bool[]" the tensor; "f32" alone is rank 0 */
    int n;
    dg_dim *dims;     /* tensor */
    dg_str name;      /* int float bool str (checked by the lowering) */
    dg_texpr **items; /* list: one; tuple: n */
    int depth;
};

typedef enum dg_stmt_kind {
    DG_S_EXPR,   /* a: checked to be a call, also a `remat` one */
    DG_S_ASSIGN, /* a = b: a checked to be a name, a tuple of names; also in target */
    DG_S_BIND,   /* a : type = b: a checked to be a name */
    DG_S_UPDATE, /* a := b: a checked to be a name or an indexed value */
    DG_S_PARAM, DG_S_STATE, /* name, label, type (state: may be NULL), b */
    DG_S_MODEL,  /* name, b */
    DG_S_RETURN, /* b */
    DG_S_FOR, DG_S_LOOP, /* target, b: source, body */
    DG_S_IF,     /* b: condition, body, otherwise or NULL; an `else if` is one DG_S_IF in it */
    DG_S_ASSERT  /* b, message (may be NULL) */
} dg_stmt_kind;

typedef struct dg_block_ast {
    int n;
    dg_stmt **at;
    dg_span span; /* from { to } */
    int depth;
} dg_block_ast;

struct dg_stmt {
    dg_stmt_kind kind;
    dg_span span;
    dg_expr *a, *b;
    dg_str name;
    dg_span name_span;
    dg_expr *label;
    dg_texpr *type;
    dg_target target;
    dg_block_ast *body, *otherwise;
    bool else_if; /* otherwise came as `else if` */
    dg_expr *message;
    int depth;    /* of the tree below; at most 256 like that of expressions */
};

typedef enum dg_decl_kind {
    DG_C_IMPORT, DG_C_CONFIG, DG_C_CONST, DG_C_MODEL, DG_C_BLOCK, DG_C_ENTRY, DG_C_TRAIN,
    DG_C_TEST, DG_C_ASSERT
} dg_decl_kind;

struct dg_decl {
    dg_decl_kind kind;
    dg_span span;
    dg_str name;        /* import: the path; test: the title */
    dg_span name_span;
    dg_texpr *type;     /* config, const: declared; block, entry, train: result; may be NULL */
    dg_expr *value;     /* config, const, model, assert */
    dg_expr *message;   /* assert */
    int n_formals;
    dg_formal *formals;
    dg_block_ast *body;
    const char *doc;    /* text of its ## lines, joined by newlines; NULL */
};

typedef struct dg_comment {
    dg_span span;       /* from # to the line's end */
    bool alone;         /* nothing before it on its line */
} dg_comment;

typedef struct dg_tree {
    int32_t file;
    int n;
    dg_decl **decls;
    int n_comments;
    dg_comment *comments;
    bool ok;            /* no syntax error was reported */
} dg_tree;

/* Parses source `file` of the diag's sources. Checks first: at most 16 MB, UTF-8, no NUL, no BOM
 * (E001), no control characters (E002); names at most 4 KB, strings at most 64 KB, ints in 64 bits
 * (E004); brackets (E005); left sides (E006); brackets and tree at most 256 deep (E007). Recovers
 * at ';', newline and '}'; stops at the eighth error. Never NULL; look at ok. */
dg_tree *dg_parse(dg_arena *a, dg_strings *s, dg_diag *d, int32_t file);

/* Calls `visit` for the expressions right below `e`, in the order in which they are evaluated; not
 * for a call's label, nor for the arguments of an `fn`. */
void dg_expr_parts(const dg_expr *e, void (*visit)(void *ctx, const dg_expr *part), void *ctx);

/* The tree as canonical text with its comments: idempotent; parsing the result gives an equal
 * tree. */
void dg_format(const dg_sources *s, const dg_tree *t, dg_text *out);
/* The tree as an indented outline, for --dump=ast. */
void dg_tree_dump(const dg_sources *s, const dg_tree *t, dg_text *out);

#endif

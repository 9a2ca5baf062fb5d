/* lower.h: what the files of the elaborator share. The elaborator walks the tree of one entry:
 * static values are computed at once, tensors become nodes of the module's graphs. front.h is what
 * others see.
 *
 *     static.c      static values: lists, texts, equality   consteval.c  operators on them
 *     scope.c       names, local bindings, frames           complain.c   messages, chain and notes
 *     generic.c     declared types, binding of dims         convert.c    static value -> tensor
 *     setting.c     values from outside                     lower.c      the driver of one entry
 *     lower_*.c     the walk: expr, index, stmt, call, loop names.c      what dg check finds
 *     place.c       parameters and states                   path.c       scopes, labels, streams
 *     builtin*.c    the built-in functions: static, math, shape, draw, place */
#ifndef DG_FRONT_LOWER_H
#define DG_FRONT_LOWER_H

#include "compiler/front/front.h"

typedef struct dg_lower dg_lower;
struct dg_iter;
struct dg_scope;
struct dg_unit;
struct dg_model;
struct dg_loop;
struct dg_bound;
struct dg_builtin;

/* ---- static values ------------------------------------------------------------------- */

typedef enum dg_sv_kind {
    DG_SV_POISON, /* of something that failed: accepted everywhere in silence */
    DG_SV_NONE,
    DG_SV_BOOL,
    DG_SV_INT,
    DG_SV_FLOAT,
    DG_SV_STR,
    DG_SV_LIST,
    DG_SV_TUPLE,
    DG_SV_FN,
    DG_SV_TENSOR,
    DG_SV_PLACE
} dg_sv_kind;

typedef struct dg_list dg_list;
typedef struct dg_fn dg_fn;
typedef struct dg_spot dg_spot;

typedef struct dg_sv {
    uint8_t kind;
    uint8_t graph; /* tensors: 0 of the entry's graph, 1 of the initialisers' */
    union {
        bool b;
        int64_t i;
        double f;
        dg_str s;
        dg_list *list; /* lists and tuples */
        dg_fn *fn;
        dg_value v;
        dg_spot *spot;
    };
} dg_sv;

/* Lists are values, but `a + b` may grow into free room behind a, which nobody else sees:
 * appending costs what is appended. */
typedef struct dg_list_room {
    int64_t used, room;
    dg_sv *at;
} dg_list_room;
struct dg_list {
    int64_t n;
    dg_sv *at;
    dg_list_room *store; /* NULL: not growable */
    int depth;           /* of lists in it */
    bool range;          /* written a..b */
};

typedef struct dg_binding {
    dg_str name; /* NULL: no longer visible */
    dg_sv v;
    dg_span span;
    const struct dg_iter *iter; /* the `for` indices when it was bound */
    bool used, dim_of_annotation, target;
} dg_binding;

/* What a function value saw when it was made. */
typedef struct dg_env {
    int n;
    const dg_binding *at;
    const struct dg_env *outer;
} dg_env;

typedef enum dg_fn_kind {
    DG_FN_BLOCK,
    DG_FN_CLOSURE,
    DG_FN_MODEL,
    DG_FN_BUILTIN,
    DG_FN_SWAP,
    DG_FN_FROZEN
} dg_fn_kind;
struct dg_fn {
    dg_fn_kind kind;
    const dg_decl *block;             /* BLOCK */
    const dg_expr *e;                 /* CLOSURE */
    struct dg_unit *unit;             /* where its text stands: BLOCK, CLOSURE */
    const dg_env *env;                /* CLOSURE */
    struct dg_model *model;           /* MODEL */
    const struct dg_builtin *builtin; /* BUILTIN */
    dg_fn *inner;                     /* SWAP, FROZEN */
    dg_str swap;                      /* SWAP: scope of the states */
};

/* A model: a function value with a scope of its own. One for each path and elaboration. */
typedef struct dg_model {
    dg_str path;
    const void *decl; /* dg_decl or dg_stmt that declares it */
    dg_span span;
    dg_fn *body;
    int calls;                    /* without a label, so far */
    bool active;                  /* being elaborated */
    struct dg_scope *declared_in; /* NULL: by a file */
} dg_model;

/* ---- files and names ----------------------------------------------------------------- */

typedef struct dg_symbol {
    const dg_decl *d;
    struct dg_unit *unit;
    enum { DG_SYM_NEW, DG_SYM_BUSY, DG_SYM_DONE } state;
    dg_sv v; /* DONE: of const, config, block */
    const dg_setting_in *override;
    dg_model *model; /* of the elaboration `pass` */
    int pass;
    bool failed; /* v, of the elaboration `pass`: another one reports again */
} dg_symbol;

typedef struct dg_unit { /* one file */
    int32_t file;
    const char *path; /* as opened */
    const char *real; /* the one spelling by which it is known */
    const char *folder, *root;
    dg_tree *tree;
    dg_map *names;   /* of its own: dg_symbol */
    dg_map *visible; /* asked for before: name -> dg_symbol; also what nobody declares */
    DG_VEC(struct dg_unit *) imports;
    bool busy; /* being loaded */
} dg_unit;

struct dg_front {
    dg_arena *arena;
    dg_strings *strings;
    dg_diag *diag;
    const dg_front_options *o;
    DG_VEC(dg_unit *) units; /* main file first */
    DG_VEC(dg_entry_info) entries;
    DG_VEC(dg_config_info) configs;
    DG_VEC(int32_t) files;
    dg_map *builtins;       /* name -> dg_builtin */
    dg_map *folders;        /* path -> resolved, of those that files were read from */
    const char **lib_roots; /* o->lib resolved, where that has been asked for */
    int pass;               /* number of the running elaboration, never repeated */
};

bool dg_import_main(dg_front *f); /* import.c: loads the main file and all it imports */
/* The symbol that `name` has in a file: its own, else of its imports. NULL: none; *other is set
 * when two imports clash. */
dg_symbol *dg_symbol_find(dg_front *f, dg_unit *u, dg_str name, dg_symbol **other);

/* ---- paths --------------------------------------------------------------------------- */

typedef struct dg_model_call { /* one call of a model, while it is elaborated */
    dg_model *model;
    const struct dg_model_call *outer;
    const char *number; /* "0" or "@label" */
    int id;             /* from 1 */
} dg_model_call;

typedef struct dg_owned {
    dg_str name;
    dg_span span;
    struct dg_owned *next;
} dg_owned;

typedef struct dg_scope { /* one call that may own places and streams */
    dg_str path;
    struct dg_scope
        *parent; /* that what it owns counts for; NULL: the entry, a model's call, an initialiser */
    dg_str name; /* in the parent */
    dg_span span; /* of the call */
    const dg_expr *call;
    const dg_model_call *in;
    bool owns, bad; /* bad: a repeated name was reported */
    int n_owned;
    dg_owned *owned;
    dg_map *index; /* of owned, once there are many */
} dg_scope;

dg_scope *dg_scope_new(dg_lower *L, dg_scope *parent, dg_str name, dg_span span,
                       const dg_expr *call);
dg_str dg_path_join_names(dg_lower *L, dg_str scope, dg_str name);
/* `name` becomes a thing that the scope owns. False after E041, or when one was reported for a
 * scope around it. */
bool dg_scope_own(dg_lower *L, dg_scope *s, dg_str name, dg_span span, const char *what);
/* The label of a call or place, evaluated; NULL after reporting. */
dg_str dg_label(dg_lower *L, const dg_expr *label);
uint64_t dg_stream_key(dg_lower *L, dg_str path);

/* ---- places -------------------------------------------------------------------------- */

typedef struct dg_spot_value { /* the value a place has, for each loop that is open */
    dg_value v;
    struct dg_loop *loop;
    struct dg_spot_value *outer;
    bool touched; /* in the loop's list */
} dg_spot_value;

struct dg_spot { /* a param or a state */
    dg_str path;
    dg_type type;
    bool trained, declared, written;
    dg_str swap; /* made by swap(net, scope) and not declared: the scope */
    int index, order;
    int model_call; /* id of the model call that declared it last */
    dg_span span;
    const dg_origin *origin, *write_origin; /* of the declaration, of the last write */
    const char *init;
    dg_spot_value *now;  /* NULL: not read yet */
    dg_value entry_read; /* the `place` node's value, or DG_NONE */
    dg_value init_read, init_value;
    dg_node init_write;
};

typedef struct dg_known_place { /* of the elaboration before */
    dg_str path;
    dg_type type;
    bool trained;
} dg_known_place;

typedef struct dg_params_query {
    dg_str model;
    int n;
    dg_str *paths;
} dg_params_query;

typedef struct dg_swapped {
    dg_str model, scope;
    const struct dg_swapped *outer;
} dg_swapped;

dg_spot *dg_spot_declare(dg_lower *L, const dg_stmt *s); /* param or state; NULL after reporting */
dg_value dg_spot_read(dg_lower *L, dg_spot *p);
void dg_spot_write(dg_lower *L, dg_spot *p, dg_value v);
dg_sv dg_params_of(dg_lower *L, dg_model *m);
bool dg_places_settled(dg_lower *L); /* every params() gave what is there at the end */
void dg_places_finish(dg_lower *L);  /* writes, numbering, the module's table */

/* ---- loops --------------------------------------------------------------------------- */

typedef struct dg_carry {
    dg_value init, arg, next;
    dg_spot *spot; /* of a place; else NULL */
    dg_str report; /* of a stacked report; else NULL */
    dg_span span;
} dg_carry;

typedef struct dg_loop {
    struct dg_loop *outer;
    dg_region region;
    int graph;
    int64_t trips;
    dg_value trip,
        flat;      /* flat: counted row by row through the loops around; DG_NONE until asked for */
    dg_value stop; /* or DG_NONE */
    DG_VEC(dg_carry) carries;
    dg_span span;
} dg_loop;

/* ---- the elaborator ------------------------------------------------------------------ */

typedef struct dg_iter { /* a `for` index in force */
    dg_str name;
    dg_sv v;
    const struct dg_iter *outer;
} dg_iter;

typedef struct dg_frame { /* a function being elaborated */
    struct dg_frame *caller;
    const char *what;     /* "unet", "model net", "train step" */
    const dg_decl *block; /* for the check against recursion */
    dg_unit *unit;
    const dg_env *env;
    size_t base; /* first of its bindings */
    const dg_iter *iter;
    dg_span call;            /* where the caller calls it */
    const dg_origin *outer;  /* origin of that call */
    const dg_origin *origin; /* of `what` with `iter`; NULL: to be made */
    dg_loop *loop;           /* innermost when it was entered */
    dg_scope *scope;
    bool returned, expression; /* expression: an `fn` */
    dg_sv result;
    dg_span result_span;
} dg_frame;

typedef struct dg_actual { /* an argument as given */
    dg_sv v;
    dg_str name;
    const dg_expr *e;
    dg_span span;
} dg_actual;

typedef struct dg_site { /* what is being emitted, for the messages of shape rules */
    const dg_expr *e;
    const char *name; /* "concat", "`*`" */
    int n;
    const dg_expr *in[8];         /* expression of each input; NULL unknown */
    const struct dg_bound *bound; /* arguments by parameter, or NULL */
} dg_site;

enum {
    DG_BUDGET_STEPS = 2000000,
    DG_BUDGET_NODES = 200000,
    DG_BUDGET_LIST = 1 << 21,
    DG_CALL_DEPTH = 200
};
#define DG_BUDGET_BYTES ((size_t)1 << 30)

typedef struct dg_table { /* a static list that became a constant of region 0 */
    const dg_sv *at;
    int64_t n;
    dg_dtype dtype;
    dg_value v;
} dg_table;

struct dg_lower {
    dg_front *front;
    dg_arena *arena;
    dg_strings *strings;
    dg_diag *diag;
    dg_module *module;
    const dg_op *(*find)(const char *name);
    const dg_entry_info *entry;
    dg_build graphs[2]; /* 0 the entry, 1 the initialisers */
    dg_build *b;        /* the one in use; NULL while a const is computed */
    int graph;          /* which */
    dg_frame *frame;
    DG_VEC(dg_binding) stack;
    dg_scope *scope, root;
    dg_loop *loop;
    int depth;       /* of calls */
    char *stack_low; /* C stack may grow down to here */
    int64_t steps, next_look; /* next_look: at that many steps the budgets are looked at */
    size_t bytes_at_start;
    int errors_at_start;
    bool halted; /* a budget is used up: everything is poison */
    bool training;
    int remats, model_calls;
    dg_site site;
    dg_span origin_span;
    const dg_frame *origin_frame;
    const dg_iter *origin_iter;

    DG_VEC(dg_spot *) spots; /* in order of creation */
    dg_map *spot_by_path;
    int declared;
    dg_str dims;                 /* its name in initialisers */
    dg_map *init_texts;          /* statement -> source of its initialiser */
    const dg_known_place *known; /* of the pass before */
    int n_known;
    DG_VEC(dg_params_query) queries;
    const dg_swapped *swaps;
    dg_map *models;                  /* path -> dg_model */
    dg_map *reports;                 /* name -> itself */
    dg_node first_state;             /* initialisers of parameters stand before it */
    bool state_init;                 /* a state is being initialised: its section of the graph */
    DG_VEC(dg_table) tables[3];      /* entry, parameters' initialisers, states' */
    dg_map64 *numbers[3][DG_DTYPES]; /* as those; bits of a number -> its constant */
    dg_map64 *
        imported[2]; /* value of the entry -> value of the initialisers; of parameters, of states */
    DG_VEC(dg_port) reported; /* ports behind the results */
    DG_VEC(dg_value) reported_value;
};

/* static.c */
extern const dg_sv dg_sv_poison, dg_sv_none;
static inline dg_sv dg_sv_of_int(int64_t i)
{
    return (dg_sv){.kind = DG_SV_INT, .i = i};
}
static inline dg_sv dg_sv_of_float(double f)
{
    return (dg_sv){.kind = DG_SV_FLOAT, .f = f};
}
static inline dg_sv dg_sv_of_bool(bool b)
{
    return (dg_sv){.kind = DG_SV_BOOL, .b = b};
}
dg_sv dg_sv_of_str(dg_str s);
dg_sv dg_sv_of_tensor(const dg_lower *L, dg_value v);
dg_sv dg_sv_of_fn(dg_fn *fn);
static inline bool dg_sv_is_number(dg_sv v)
{
    return v.kind == DG_SV_INT || v.kind == DG_SV_FLOAT;
}
static inline double dg_sv_number(dg_sv v) /* of one that is */
{
    return v.kind == DG_SV_INT ? (double)v.i : v.f;
}
static inline bool dg_sv_is_graph(dg_sv v)
{
    return v.kind == DG_SV_TENSOR || v.kind == DG_SV_PLACE;
}
bool dg_sv_has_graph(dg_sv v); /* or is a list with one in it */
dg_sv dg_list_new(dg_lower *L, dg_sv_kind kind,
                  int64_t n); /* elements to be filled in by the caller */
dg_sv dg_list_nest(dg_lower *L, dg_sv list,
                   dg_span span); /* all elements are there: refuses lists nested too deeply */
dg_sv dg_list_copy(dg_lower *L, dg_sv_kind kind, const dg_sv *at, int64_t n);
dg_sv dg_list_slice(dg_lower *L, dg_sv list, int64_t from, int64_t n, int64_t step);
dg_sv dg_list_concat(dg_lower *L, dg_sv a, dg_sv b);
dg_sv dg_ints(dg_lower *L, const int64_t *at, int n);
bool dg_sv_equal(dg_sv a, dg_sv b);
void dg_sv_text(const dg_lower *L, dg_sv v,
                dg_text *out);                      /* as the language writes it; tensors by type */
const char *dg_sv_show(const dg_lower *L, dg_sv v); /* the same, in the arena, cut to a line */
const char *dg_sv_kind_text(const dg_lower *L, dg_sv v); /* "a list of 3", "f32[2]" */

/* consteval.c */
dg_sv dg_static_binary(dg_lower *L, const dg_expr *e, dg_sv a, dg_sv b);
dg_sv dg_static_numbers(dg_lower *L, const dg_expr *e, dg_sv a,
                        dg_sv b); /* two ints or floats; not for `..` */
dg_sv dg_static_negate(dg_lower *L, const dg_expr *e, dg_sv a);
bool dg_static_unary(dg_lower *L, const char *name, double x,
                     double *out);        /* sqrt exp ...; false: no such function */
const char *dg_binop_text(dg_binop op);   /* "+" */
const char *dg_binop_quoted(dg_binop op); /* "`+`" */
const char *dg_binop_name(dg_binop op);   /* name of the IR's op, NULL: none */

/* scope.c */
static inline dg_binding *dg_binding_local(dg_lower *L, dg_str name) /* of this frame; NULL */
{
    size_t base = L->frame ? L->frame->base : 0;
    for (size_t i = L->stack.n; i > base; i--) {
        if (L->stack.at[i - 1].name == name) return &L->stack.at[i - 1];
    }
    return NULL;
}
const dg_binding *dg_binding_find(dg_lower *L, dg_str name);          /* also captured */
dg_binding *dg_bind(dg_lower *L, dg_str name, dg_sv v, dg_span span); /* overwrites or makes */
dg_binding *dg_bind_new(dg_lower *L, dg_str name, dg_sv v, dg_span span);
const dg_env *dg_env_capture(dg_lower *L);
dg_sv dg_name_value(dg_lower *L, dg_str name, dg_span span); /* reports E008 */
dg_sv dg_symbol_value(dg_lower *L, dg_symbol *s, dg_span span);
dg_symbol *dg_static_symbol(dg_lower *L,
                            dg_str name); /* a const or config that the frame's file sees */
void dg_warn_hidden(dg_lower *L, dg_str name, dg_span span);
void dg_frame_enter(dg_lower *L, dg_frame *f);
void dg_frame_leave(dg_lower *L, dg_frame *f);
bool dg_names_check(dg_lower *L, dg_unit *u); /* names.c: every name in a file's bodies is known */

/* complain.c */
__attribute__((format(printf, 4, 5))) dg_message *
dg_complain(dg_lower *L, const char *id, dg_span span, const char *format, ...);
__attribute__((format(printf, 4, 5))) dg_sv dg_spoil(dg_lower *L, const char *id, dg_span span,
                                                     const char *format, ...);
void dg_note_bound(dg_lower *L, dg_message *m, const dg_expr *e); /* "`h` was bound at ..." */
__attribute__((format(printf, 3, 4))) void dg_note_before(dg_lower *L, dg_message *m,
                                                          const char *format, ...);
const char *dg_where_text(const dg_lower *L, dg_span span); /* "unet.dg:50" */
const char *dg_source_of(const dg_lower *L, dg_span span);  /* the text, on one line, cut */
const dg_origin *dg_frame_origin_new(dg_lower *L, dg_frame *f);
static inline const dg_origin *dg_frame_origin(dg_lower *L, dg_frame *f)
{
    return f->origin ? f->origin : dg_frame_origin_new(L, f);
}
void dg_refused(void *L, const dg_infer *t); /* dg_build.refused */
void dg_pattern_refused(dg_lower *L, dg_span span, const char *name, const char *text);
const char *dg_tensor_text(const dg_lower *L, dg_sv v); /* "f32[2, 3]" */

/* generic.c */
const char *dg_texpr_text(dg_lower *L, const dg_texpr *t);
bool dg_dims_of(dg_lower *L, dg_sv v, dg_span span, const char *what, dg_shape *out,
                bool open); /* a list as a shape; open: -1 allowed */
/* The value of a formal or result that is declared to be `t`; binds dims in the frame; poison
 * after reporting. */
dg_sv dg_fit(dg_lower *L, const dg_texpr *t, dg_sv v, dg_span span, const char *whose);
bool dg_shape_declared(dg_lower *L, const dg_texpr *t,
                       dg_shape *out); /* all dims from what is bound */
bool dg_texpr_is_tensor(const dg_texpr *t);
bool dg_annotate(dg_lower *L, const dg_texpr *t, dg_sv *v, dg_span span, dg_str name);

/* convert.c */
dg_value dg_poison_value(dg_lower *L);
dg_sv dg_settle_places(dg_lower *L, dg_sv v);
static inline dg_sv dg_settle(dg_lower *L, dg_sv v) /* a place becomes its value, also in tuples */
{
    return v.kind == DG_SV_PLACE || v.kind == DG_SV_TUPLE ? dg_settle_places(L, v) : v;
}
dg_value dg_tensor_of(dg_lower *L, dg_sv v, dg_dtype like, dg_span span,
                      const char *what); /* like: dtype for static numbers, DG_POISON: their own */
dg_value dg_tensor_in(dg_lower *L,
                      dg_sv v); /* of a tensor or place, brought into the graph in use */
dg_value dg_number_value(dg_lower *L, double x, dg_dtype t);
dg_value dg_fresh_number(dg_lower *L, double x, dg_dtype t);
bool dg_table_shape(dg_sv list, dg_shape *s, dg_dtype *t); /* false: not a table */
dg_value dg_table_value(dg_lower *L, dg_sv list, dg_dtype t, dg_span span);
const dg_type *dg_graph_type(const dg_lower *L, dg_sv v); /* of a tensor or place */
bool dg_static_int(dg_lower *L, dg_sv v, dg_span span, const char *what, int64_t *out);
bool dg_static_bool(dg_lower *L, dg_sv v, dg_span span, const char *what, bool *out);

/* setting.c */
bool dg_setting_value(dg_lower *L, const dg_setting_in *in, const dg_texpr *type, dg_sv fallback,
                      bool has_fallback, dg_sv *out);
dg_message *dg_setting_error(dg_lower *L, const dg_setting_in *in, const char *id,
                             const char *text);

/* lower.c */
void dg_lower_open(dg_lower *L, dg_front *f, dg_arena *a);
void dg_lower_close(dg_lower *L);
void dg_check_static(dg_lower *L); /* asserts of the files */

/* lower_*.c */
bool dg_budget_left(dg_lower *L, dg_span span); /* looks at all of them */
static inline bool dg_tick(dg_lower *L, int64_t steps, dg_span span) /* false: one is used up */
{
    L->steps += 1 + steps;
    return L->steps < L->next_look || dg_budget_left(L, span);
}
void dg_halt(dg_lower *L); /* from now on everything is poison */
bool dg_stack_left(dg_lower *L, dg_span span);          /* false: the C stack is nearly used up */
bool dg_graph_wanted(dg_lower *L, dg_span span,
                     const char *what); /* false in a const, after reporting */
void dg_at(dg_lower *L, dg_span span);  /* nodes made next come from here */
dg_sv dg_emit_at(dg_lower *L, const char *op, const dg_attr *attrs, int n_attrs, const dg_value *in,
                 int n_in);
dg_sv dg_eval_expr(dg_lower *L, const dg_expr *e);
dg_sv dg_apply_binary(dg_lower *L, const dg_expr *e, dg_sv a, dg_sv b); /* not for `and`, `or` */
dg_sv dg_eval_index(dg_lower *L, const dg_expr *e);
dg_str dg_eval_text(dg_lower *L,
                    const dg_expr *e); /* a string with its {parts}; NULL after reporting */
dg_sv dg_eval_call(dg_lower *L, const dg_expr *e);
void dg_exec(dg_lower *L, const dg_block_ast *b);
void dg_skip(dg_lower *L,
             const dg_block_ast *b); /* a body that could not run: what it would bind is poison */
void dg_exec_loop(dg_lower *L, const dg_stmt *s);
bool dg_targets_bind(dg_lower *L, const dg_target *t, dg_sv v, bool report);
void dg_exec_assert(dg_lower *L, const dg_expr *e, const dg_expr *message, dg_span span);
dg_value dg_flat_trip(dg_lower *L);
void dg_report_value(dg_lower *L, dg_str name, dg_value v,
                     dg_span span); /* stacks through the loops that are open */
const char *dg_callee_text(const dg_fn *fn);

/* ---- built-in functions -------------------------------------------------------------- */

enum { DG_PARAMS = 8 };
typedef struct dg_bound { /* a call of a built-in, arguments by parameter */
    dg_lower *L;
    const struct dg_builtin *f;
    const dg_expr *e;
    dg_str label;
    int n; /* given by position */
    dg_actual *all;
    int n_all;
    dg_actual *p[DG_PARAMS]; /* NULL: not given */
} dg_bound;

typedef struct dg_builtin {
    const char *name;
    const char *params; /* "x axes? keep?"; "xs..." takes all that come; NULL: not a function */
    dg_sv (*run)(dg_bound *c);
    const char *op; /* for handlers that several share */
} dg_builtin;

dg_map *dg_builtins_new(dg_arena *a, dg_strings *s);
dg_sv dg_call_builtin(dg_lower *L, const dg_builtin *f, const dg_expr *e, dg_str label,
                      dg_actual *a, int n);
extern const dg_builtin dg_builtins_static[], dg_builtins_math[], dg_builtins_shape[],
    dg_builtins_draw[], dg_builtins_place[];

/* Helpers of the handlers. They report and return false. */
bool dg_arg_tensor(dg_bound *c, int p, dg_value *out);
bool dg_arg_tensor_like(dg_bound *c, int p, dg_dtype t, dg_value *out);
bool dg_arg_int(dg_bound *c, int p, int64_t fallback, int64_t *out);
bool dg_arg_float(dg_bound *c, int p, double fallback, double *out);
bool dg_arg_bool(dg_bound *c, int p, bool fallback, bool *out);
bool dg_arg_str(dg_bound *c, int p, dg_str *out);
bool dg_arg_axis(dg_bound *c, int p, int rank, int64_t fallback, int *out);
bool dg_arg_list(dg_bound *c, int p, dg_sv *out);
bool dg_arg_shape(dg_bound *c, int p, dg_shape *out, bool open);
dg_sv dg_give_value(dg_bound *c, dg_value v);
dg_sv dg_give_op(dg_bound *c, const char *op, const dg_attr *attrs, int n_attrs, const dg_value *in,
                 int n_in);
dg_dtype dg_common_dtype(const dg_lower *L, const dg_actual *const *a,
                         int n); /* of the first tensor; DG_POISON: none */

#endif

/* front.h: from source texts to the typed IR of one entry.
 *
 *     import.c    finds and loads each file once; names cycles        scope.c     name ->
 * declaration; "did you mean" consteval.c static values and their operators generic.c   binding of
 * dims, defaults, overrides lower*.c    statements and expressions -> IR */
#ifndef DG_FRONT_FRONT_H
#define DG_FRONT_FRONT_H

#include "compiler/front/ast.h"
#include "compiler/ir/graph.h"
#include "compiler/ir/op.h"

/* A static value from outside: -D NAME=VALUE, an entry's argument, the run file's config. Either
 * text in the language (a static expression: 64, 1e-4, true, [1, 2], "cosine", a bare word for a
 * str), or numbers read from @FILE. */
typedef struct dg_setting_in {
    const char *name;
    const char *text; /* NULL: use list */
    const double *list;
    int64_t n;         /* of the list; a rank-0 file gives n = -1 and one number */
    int64_t dims[2];   /* rank 2: rows and columns; dims[1] = 0: rank 1 */
    bool ints;         /* every number is whole and was stored so */
    const char *place; /* for messages: "-D ch", "run.yaml:3:12", "argument n" */
    dg_span span;      /* or where it stands in a run file; DG_NOWHERE */
} dg_setting_in;

typedef struct dg_front dg_front; /* a main file with its imports, parsed */

typedef struct dg_front_options {
    const char *path; /* of the main file */
    const char *text; /* or from memory: then `path` is only its name */
    size_t length;
    const char *const *lib;      /* folders searched after the importing file's: --lib, DG_PATH, the
                                    installed graphs/; NULL-ended */
    const dg_setting_in *config; /* -D and the run file's config */
    int n_config;
} dg_front_options;

/* NULL after reporting. */
dg_front *dg_front_open(dg_arena *a, dg_diag *d, const dg_front_options *o);
/* Further config values, before anything is elaborated. The list outlives the front's use. */
bool dg_front_configure(dg_front *f, const dg_setting_in *config, int n);
/* Where messages go from now on, of the same sources; the result is where they went before. */
dg_diag *dg_front_report_to(dg_front *f, dg_diag *d);

typedef enum dg_entry_kind { DG_ENTRY, DG_TRAIN, DG_TEST } dg_entry_kind;
typedef struct dg_entry_info {
    dg_str name; /* test: its title */
    dg_entry_kind kind;
    dg_span span;
    const char *doc;
    int n_formals;
    const dg_formal *formals;
    bool in_main; /* of the named file, not of an import */
} dg_entry_info;
int dg_front_entries(const dg_front *f,
                     const dg_entry_info **out); /* main file's first, in source order */
typedef struct dg_config_info {
    dg_str name;
    const char *text; /* value in force */
    const char *doc;
    dg_span span;
} dg_config_info;
int dg_front_configs(dg_front *f, const dg_config_info **out);
/* Their names alone, which needs no value; from the front's arena. */
int dg_front_config_names(dg_front *f, const dg_str **out);
const dg_tree *dg_front_tree(const dg_front *f);
dg_str dg_front_doc(const dg_front *f);
/* Every source loaded: name and text, main file first (for run folders and the plan's header). */
int dg_front_files(const dg_front *f, const int32_t **files);

/* Elaborates one entry into a module, or reports and returns NULL. `find` is the op
 * registry. */
dg_module *dg_front_elaborate(dg_front *f, dg_arena *a, const dg_entry_info *entry,
                              const dg_setting_in *args, int n_args,
                              const dg_op *(*find)(const char *name));
/* Checks what can be checked without an entry: names, const values, unused imports' clashes,
 * top-level asserts. */
bool dg_front_check(dg_front *f, dg_arena *a);

#endif

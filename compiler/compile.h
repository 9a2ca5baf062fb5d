/* compile.h: the driver: front, passes, plan. */
#ifndef DG_COMPILE_H
#define DG_COMPILE_H

#include "compiler/front/front.h"
#include "compiler/plan/plan.h"

typedef struct dg_compile_options {
    const dg_front_options *source;
    const char *entry;
    const dg_setting_in *args;
    int n_args;
    dg_pass_options passes;
    const char *blas_core;
    const char *dump;      /* stage whose IR is wanted: "ast", "graph", or a pass; NULL: none */
    dg_text *dump_text;
    const char *from;      /* text of a dump to continue from instead of source; with its name */
    const char *from_name;
    size_t from_length;
} dg_compile_options;


/* NULL plan after reporting. `dg_compile_init` makes the initialiser plan for the places for which present[i] is false (i in
 * the plan's order of places); NULL when there is nothing to do or after reporting (look at dg_diag_errors). */
typedef struct dg_compilation dg_compilation; /* keeps the front and the module, for the initialisers and for further entries */
dg_compilation *dg_compile(dg_diag *d, const dg_compile_options *o);
dg_plan *dg_compilation_plan(dg_compilation *c); /* NULL when a dump was asked for */
dg_plan *dg_compile_init(dg_compilation *c, dg_diag *d, const bool *present);
void dg_compilation_free(dg_compilation *c); /* not the plans */

#endif

/* compile.h: the driver: front, passes, plan. */
#ifndef DG_COMPILE_H
#define DG_COMPILE_H

#include "compiler/front/front.h"
#include "compiler/plan/plan.h"

typedef struct dg_compile_options {
    dg_front *front; /* a program already opened, which outlives the compilation, of the sources
                        of the diag. NULL: `source` */
    const dg_front_options *source;
    const char *entry; /* NULL: the only one of the main file */
    const dg_setting_in *args;
    int n_args;
    dg_pass_options passes;
    const char *(*blas_core)(void); /* of dg_plan_options */
    const char *dump; /* stage wanted: "ast", "graph", a pass, "memplan" or "plan"; NULL: none */
    dg_text *dump_text;
    const char *from; /* text of a dump to continue from instead of source; with its name */
    const char *from_name;
    size_t from_length;
    double begun; /* by dg_clock(), where the caller opened the program for it; 0: now */
} dg_compile_options;

/* A compilation keeps the front and the module, for the initialisers. NULL after reporting. What
 * `o` points to need not outlive the call, but for `front` and the strings of `passes.skip`. */
typedef struct dg_compilation dg_compilation;
dg_compilation *dg_compile(dg_diag *d, const dg_compile_options *o);
/* The caller's from then on; NULL when a dump of a stage before "memplan" was asked for. */
dg_plan *dg_compilation_plan(dg_compilation *c);
/* Makes the initialiser plan for the places for which present[i] is false (i in the plan's order of
 * places); NULL when there is nothing to do or after reporting (look at dg_diag_errors). May be
 * called several times. */
dg_plan *dg_compile_init(dg_compilation *c, dg_diag *d, const bool *present);
void dg_compilation_free(dg_compilation *c); /* not the plans */

#endif

/* op_check_parts.h: what the files of op_check share.
 *
 *     op_check.c          a case from its beginning to its end, and cmocka
 *     op_check_case.c     a case as a graph of one node, with values
 *     op_check_kernel.c   kernels and views against ref
 *     op_check_rule.c     gradients, and other rewritings of the node, against ref */
#ifndef DG_TESTS_SUPPORT_OP_CHECK_PARTS_H
#define DG_TESTS_SUPPORT_OP_CHECK_PARTS_H

#include "tests/support/graph_run.h"
#include "tests/support/op_check.h"

#include <stdatomic.h>

enum { OP_MOST = 16 };

typedef struct op_checked {
    const dg_op *op;
    const op_case *c;
    dg_arena *arena;
    const char *wrong; /* the first thing that is */
    dg_module *m;
    dg_build b;
    int n_in, n_out;
    dg_type in[OP_MOST], out[OP_MOST];
    const dg_type *given[OP_MOST]; /* `in`, as kernels are told */
    dg_attrs attrs;
    double *value[OP_MOST]; /* of the inputs; ints as doubles */
} op_checked;

/* Notes the first thing that is wrong; false. */
__attribute__((format(printf, 2, 3))) bool op_wrong(op_checked *k, const char *format, ...);

/* ---- op_check_case.c ---- */

/* Builds the node; the inputs are places 0 .. n_in-1. DG_NONE after a refusal. */
dg_node op_case_build(op_checked *k, bool as_double, dg_value *in);
/* The same in every run; another `salt`, other values. */
void op_case_fill(op_checked *k, int salt, double **value);
double op_uniform(uint64_t *state); /* in [0, 1): the same numbers everywhere */

/* ---- op_check_kernel.c ---- */

typedef struct op_failure {
    atomic_int any;
    char text[256];
} op_failure;

void op_put(void *at, dg_dtype t, int64_t i, double v);
double op_get(const void *at, dg_dtype t, int64_t i);
dg_dtype op_widened(dg_dtype t); /* floats as ref knows them */
/* Calls ref on `value`; results as doubles in out[] (arena). */
void op_run_reference(op_checked *k, double *const *value, double **out, op_failure *f);
bool op_check_kernels(op_checked *k, double *const *want);
bool op_check_view(op_checked *k, double *const *want);

/* ---- op_check_rule.c ---- */

bool op_check_gradient(op_checked *k, bool second);
bool op_check_rewrites(op_checked *k); /* expand() and simplify(): other nodes, the same numbers */
bool op_check_stack(op_checked *k);    /* stack(): several at once, each as by itself */

#endif

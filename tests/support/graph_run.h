/* graph_run.h: modules made by hand, and graphs run node by node with each op's ref in double: what
 * a pass may not change. */
#ifndef DG_TESTS_SUPPORT_GRAPH_RUN_H
#define DG_TESTS_SUPPORT_GRAPH_RUN_H

#include "compiler/ir/build.h"
#include "compiler/ir/op.h"

/* A module with an empty graph, its own diag and sources; freed whole. */
dg_module *test_module_new(void);
void test_module_free(dg_module *m);

/* A builder at the end of region 0. */
dg_build test_builder(dg_module *m);
/* A trained place of this type and its value; path "p0", "p1", ... */
dg_value test_place(dg_build *b, dg_module *m, dg_dtype t, dg_shape s);
/* An output node; outputs are numbered in order. */
void test_output(dg_build *b, dg_module *m, dg_value v);
dg_value test_grad(dg_build *b, dg_value y, const dg_value *xs, int n, dg_value *out);

/* Runs the graph. places[i]: doubles (int32 for ints, bytes for bool and u8) of place i. Outputs
 * are copied to out[i]. False when an op failed. Floats are doubles whatever their dtype, nothing
 * is rounded. */
bool test_run(const dg_module *m, const void *const *places, void *const *out);

/* Any messages of the module's diag, for assertions: "E051 grad: ..." or "". */
const char *test_messages(const dg_module *m);

#endif

/* random_graph.h: small random graphs over values of [3, 4], the same on every machine. */
#ifndef DG_TESTS_SUPPORT_RANDOM_GRAPH_H
#define DG_TESTS_SUPPORT_RANDOM_GRAPH_H

#include "compiler/ir/build.h"

enum { RANDOM_N = 3, RANDOM_M = 4 };

extern uint64_t random_seed;
uint32_t random_draw(uint32_t n); /* below n */
double random_uniform(void);      /* in [-0.5, 0.5) */

/* A new value of the same shape out of two, by smooth ops: elementwise, broadcasting, views, products, sums. */
dg_value random_step(dg_build *b, dg_value x, dg_value y);

#endif

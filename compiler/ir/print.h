/* print.h: the IR as text, one statement per node, and the text read back. Scope paths stand as comments.
 *
 *     entry step train
 *     place %0 param f32[128, 3, 3, 3] "net.unet.stem.w"
 *     input @0 f32[32, 3, 32, 32] "x"
 *     %7: f32[32, 128, 32, 32] = conv2d(%3, %5) {stride = [1, 1], pad = [1, 1, 1, 1], ...}   # net.unet.stem.out unet.dg:32
 *     %9, %10 = loop(%1, %2) {trips = 50} (%t, %a, %b) { ... yield %c, %d }                                          */
#ifndef DG_IR_PRINT_H
#define DG_IR_PRINT_H

#include "compiler/ir/op.h"

void dg_print_module(const dg_module *m, dg_text *out);
void dg_print_node(const dg_graph *g, dg_node n, dg_text *out);
/* Reads what dg_print_module wrote; printing it again gives the same text. Reports E070 with line and column. */
dg_module *dg_read_module(dg_arena *a, dg_diag *d, const char *name, const char *text, size_t length,
                          const struct dg_op *(*find)(const char *name));

#endif

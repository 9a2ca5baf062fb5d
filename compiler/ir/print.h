/* print.h: the IR as text, one statement per node, and the text read back (read.c). Values are
 * numbered in the order in which nodes make them, whatever their ids. Paths, scope and source line
 * stand behind `#` and are read back too.
 *
 *     train "step"
 *     config "ch" = "64"
 *     place @0 param f32[128, 3, 3, 3] "net.unet.stem.w" init "..."
 *     input @0 f32[32, 3, 32, 32] "x"
 *     report @0 f32 "loss"
 *     graph {
 *       %7: f32[32, 128, 32, 32] = conv2d(%3, %5) {stride = [1, 1], pad = [1, 1, 1, 1], ...}  #
 * net.unet.stem.out | net.unet.stem | unet.dg:32 %9: f32, %10: i32 = loop(%1, %2) {trips = 50, stop
 * = 0} (%11: i32, %12: f32, %13: i32) {  # ...
 *         ...
 *         yield %20, %21
 *       }
 *     }
 *     init {
 *       ...
 *     }
 *
 * A node with a strip (strip.h) has, behind its attributes, `strip [8, 16] (f32, f32) {$2: f32 =
 * add($0, $1); out $2}`; then follow, where they apply, `own 2` (inputs that are the op's own),
 * `kernel NAME`, `backward` or `update`, `remat 3`. */
#ifndef DG_IR_PRINT_H
#define DG_IR_PRINT_H

#include "compiler/ir/op.h"

void dg_print_module(const dg_module *m, dg_text *out);
/* One node under its real ids, without comment and body: for messages. */
void dg_print_node(const dg_graph *g, dg_node n, dg_text *out);
/* Reads what dg_print_module wrote; printing it again gives the same text. Reports E070 with line
 * and column. The module is as good as the text: dg_verify says whether it is well formed. */
dg_module *dg_read_module(dg_arena *a, dg_diag *d, const char *name, const char *text,
                          size_t length, const struct dg_op *(*find)(const char *name));

/* Attributes that hold a dtype are written by its name. */
bool dg_attr_is_dtype(const char *name);

#endif

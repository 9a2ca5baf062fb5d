/* rewrite.h: replace uses, clone a region, drop the dead. */
#ifndef DG_IR_REWRITE_H
#define DG_IR_REWRITE_H

#include "compiler/ir/op.h"

/* Who uses what: built once per pass from the graph as it stands, in order of nodes. A use is
 * (node, input); region results count as uses by the region's owner with input = -1 - index. */
typedef struct dg_use {
    dg_node node;
    int input;
} dg_use;
typedef struct dg_uses {
    const dg_use *at;
    const int32_t *first; /* uses of value v: at[first[v]] .. at[first[v + 1] - 1] */
} dg_uses;
dg_uses dg_uses_of(const dg_graph *g, dg_arena *a);

/* Every use of `from` (inputs and region results) becomes `to`. For many at once: fill a map of
 * size values.n with ids (identity where unchanged; chains are followed) and apply it in one sweep.
 */
void dg_replace_uses(dg_graph *g, dg_value from, dg_value to);
void dg_apply_map(dg_graph *g, dg_value *map);

/* Unlinks nodes whose results nobody reads (but effects), in all regions, to a fixed point; drops
 * carries that nobody reads. Returns how many nodes went. */
int dg_drop_dead(dg_graph *g, dg_arena *scratch);

/* Copies the nodes of `from` to the builder's place; map (size values.n at call, DG_NONE = itself)
 * takes old values to new. */
void dg_clone_nodes(dg_build *b, dg_region from, dg_value *map);

/* Values in the order in which nodes make them; ids renumbered densely so that dumps and hashes do
 * not depend on the history. */
void dg_graph_compact(dg_graph *g);
/* Both graphs of a module, and the ids in its decisions (DG_NONE where the thing is gone). */
void dg_module_compact(dg_module *m);

#endif

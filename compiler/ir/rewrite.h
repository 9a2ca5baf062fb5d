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
/* By value: how many uses it has. */
int32_t *dg_use_counts(const dg_graph *g, dg_arena *a);

/* Every use of `from` (inputs and region results) becomes `to`. For many at once: fill a map of
 * size values.n with ids (identity where unchanged; chains are followed) and apply it in one sweep.
 */
void dg_replace_uses(dg_graph *g, dg_value from, dg_value to);
void dg_apply_map(dg_graph *g, dg_value *map);

/* A builder that puts nodes before n and gives them its scope, origin, phase and remat. */
dg_build dg_build_before(dg_graph *g, dg_node n);

/* Nodes computed in another way. `make` is asked about each node whose op `can` takes, but loops,
 * and what it makes is not asked about: it builds before n and gives what stands for n's outputs,
 * DG_NONE where the old one was not read, or says that n stays as it is. A value that is new takes
 * over the path. False after reporting E901: a shape rule refused what was built, `what` says by
 * whom ("an expansion").
 */
typedef bool dg_remake_fn(void *ctx, dg_build *b, const dg_node_info *n, dg_value *out);
bool dg_remake_nodes(dg_module *m, const char *what, bool (*can)(const dg_op *op),
                     dg_remake_fn *make, void *ctx);

/* A node like n but for what it reads, with n's kernel, scope, origin, phase and remat; its outputs
 * have no path. n has no body. */
dg_node dg_copy_node(dg_graph *g, dg_node n, dg_region r, dg_node before, const dg_value *in);

/* Unlinks nodes whose results nobody reads (but effects), in all regions, to a fixed point; drops
 * carries that nobody reads. Returns how many nodes went. */
int dg_drop_dead(dg_graph *g, dg_arena *scratch);

/* Copies the nodes of `from` to the builder's place; map (size values.n at call, DG_NONE = itself)
 * takes old values to new. */
void dg_clone_nodes(dg_build *b, dg_region from, dg_value *map);

/* Values in the order in which nodes make them; ids renumbered densely so that dumps and hashes do
 * not depend on the history. */
void dg_graph_compact(dg_graph *g);
/* The graph of a module, and the ids in its decisions (DG_NONE where the thing is gone). */
void dg_module_compact(dg_module *m);

/* The graph of the initialisers without what is dead and with dense ids: for print. The front end
 * leaves it as it was built, since most compiles never use it. */
void dg_module_tidy_init(dg_module *m);

#endif

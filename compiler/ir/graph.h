/* graph.h: the IR. A graph is flat arrays of values, nodes and regions, named by ids.
 *
 * Region 0 is the entry's body. A node that repeats (op `loop`) owns a region. Nodes of a region
 * stand in a doubly linked list in an order in which every value is made before it is used; a body
 * may use values of the regions around it directly.
 *
 * Effects are nodes, so that nothing else needs to know of them: `input` and `place` make values,
 * `write`, `output` and `check` consume them. Places are pure: `place` is what a parameter or state
 * held when the entry began, `write` says what it holds when the entry ends (at most one of each
 * per place, both in region 0). Order between them is data flow alone; that a new value may be
 * computed in the old one's bytes is decided by memplan.
 *
 * Loop node: inputs = initial values of the carries; region args = (trip: i32 rank 0, then the
 * carries); region results = next values of the carries, then the stop flag (bool rank 0) if attr
 * "stop" is 1; outputs = final carries. Attrs: trips (int), stop. */
#ifndef DG_IR_GRAPH_H
#define DG_IR_GRAPH_H

#include "compiler/base/diag.h"
#include "compiler/base/map.h"
#include "compiler/base/vec.h"
#include "compiler/ir/attr.h"

#include <assert.h>

typedef int32_t dg_value;  /* id of a value */
typedef int32_t dg_node;   /* id of a node */
typedef int32_t dg_region; /* id of a region */
#define DG_NONE (-1)

struct dg_op;    /* op.h */
struct dg_strip; /* strip.h */
struct dg_prologue;
struct dg_kernel;

typedef enum dg_phase { DG_FORWARD, DG_BACKWARD, DG_UPDATE } dg_phase;

/* Where a node comes from: the chain of calls, innermost first. Shared by nodes; for messages and
 * the plan's `src`. */
typedef struct dg_origin {
    dg_span span;
    const char *what; /* "resblock with i = 2, j = 0", "model net"; NULL at the innermost */
    const struct dg_origin *outer; /* NULL at the entry */
} dg_origin;

/* Adds the note "in resblock <- unet, unet.dg:77 <- model net, unet.dg:61" to a message about a
 * node of this origin. */
void dg_origin_note(dg_diag *d, dg_message *m, const dg_origin *o);

/* What a value is called: "net.unet.down.0.1.conv1.out". Few are ever asked for it, so it stays in
 * parts until then. Values may share one, also those of a copy of the graph: its text lives as long
 * as the names do. */
typedef struct dg_path {
    dg_str part[3];   /* for dg_arena_joined */
    const char *text; /* of all, not interned; NULL: nobody asked for it yet */
} dg_path;

typedef struct dg_value_info {
    const dg_type *type; /* of dg_shared_type: one for all values of the graph that have it */
    dg_path *path;       /* never NULL */
    dg_node def;         /* the node that makes it, or DG_NONE for a region's argument */
    int index;           /* which output of it, or which argument */
    dg_region region;    /* where it is made */
} dg_value_info;

typedef struct dg_node_info {
    const struct dg_op *op; /* NULL: the node was removed */
    dg_attrs attrs;
    int n_in, n_out;
    dg_value *in, *out;
    dg_region region;   /* that holds it */
    dg_region body;     /* that it owns, or DG_NONE */
    dg_node prev, next; /* in its region; DG_NONE at the ends */
    dg_str scope;       /* "net.unet.down.0.1": clusters of dumps */
    const dg_origin *origin;
    dg_phase phase;
    int remat;                    /* id of the `remat` call it stands in, 0: none */
    const struct dg_strip *strip; /* op `fused`: its body; a node with an epilogue: the epilogue
                                     (strip.h). NULL otherwise */
    const struct dg_prologue *prologue; /* what makes an operand that is not stored; NULL: none */
    int n_own; /* inputs that are the op's own; the epilogue's further inputs follow, then the
                  prologue's */
    const struct dg_kernel *kernel; /* chosen by select; NULL: the op's ref */
} dg_node_info;

typedef struct dg_region_info {
    dg_node owner; /* DG_NONE for region 0 */
    dg_node first, last;
    DG_VEC(dg_value) args, results;
} dg_region_info;

/* Types told one answer after the other: each is good until the next. */
typedef struct dg_type_room {
    DG_VEC(const dg_type *) in;
    DG_VEC(dg_type) out;
    dg_type made; /* what a prologue makes of its operand */
} dg_type_room;
void dg_type_room_free(dg_type_room *r);

/* What builders ask about an op, read from its declaration once. */
typedef struct dg_known_op {
    const struct dg_op *op; /* NULL: none */
    int least, most;        /* operands */
    int outputs;            /* that have names of their own */
    bool repeats;           /* there may be more */
} dg_known_op;

typedef struct dg_graph {
    dg_arena *arena;
    dg_strings *strings;
    dg_str nowhere; /* the empty name: the scope of nodes that nobody put into one */
    DG_VEC(dg_value_info) values;
    DG_VEC(dg_node_info) nodes;
    DG_VEC(dg_region_info) regions;
    dg_map64 *types;     /* by hash */
    dg_type_room *asked; /* what dg_types_of told last */
    const struct dg_op *(*find)(
        const char *name); /* the registry, handed in so that the IR does not depend on ops/ */
    dg_known_op known[64]; /* used before, by a hash of the name */
    dg_path *unnamed;      /* "" */
    dg_path *paths[128];   /* made before, by a hash of their parts; NULL: free */
} dg_graph;

dg_graph *dg_graph_new(dg_arena *a, dg_strings *s, const struct dg_op *(*find)(const char *name));
void dg_graph_free(dg_graph *g); /* the vectors; the arena is the caller's */

/* The accessors' pointers are good until the next append. Inline, since passes do little else. */
static inline dg_value_info *dg_value_of(const dg_graph *g, dg_value v)
{
    assert(v >= 0 && (size_t)v < g->values.n);
    return &g->values.at[v];
}

static inline dg_node_info *dg_node_of(const dg_graph *g, dg_node n)
{
    assert(n >= 0 && (size_t)n < g->nodes.n);
    return &g->nodes.at[n];
}

static inline dg_region_info *dg_region_of(const dg_graph *g, dg_region r)
{
    assert(r >= 0 && (size_t)r < g->regions.n);
    return &g->regions.at[r];
}

static inline const dg_type *dg_type_of(const dg_graph *g, dg_value v)
{
    return dg_value_of(g, v)->type;
}

dg_path *dg_path_of_parts(dg_graph *g, dg_str before, dg_str scope, dg_str name);
dg_path *dg_path_of_text(dg_graph *g, const char *text);
dg_path *dg_path_before(dg_graph *g, dg_str part, dg_path *path); /* "d.net.out" of "net.out" */
dg_path *dg_path_behind(dg_graph *g, dg_path *path, dg_str part); /* "net.out.again" of it */
const char *dg_path_text(const dg_graph *g, dg_path *path);
static inline const char *dg_path_of(const dg_graph *g, dg_value v)
{
    return dg_path_text(g, dg_value_of(g, v)->path);
}

/* The graph's own copy of a type, equal types being one. */
const dg_type *dg_shared_type(dg_graph *g, const dg_type *t);

/* Low-level: build.h makes nodes with inferred results; passes that know the types may append
 * directly. Inserted before `before` (DG_NONE: at the region's end). Results get fresh values of
 * the given types. */
dg_node dg_graph_add(dg_graph *g, dg_region r, dg_node before, const struct dg_op *op,
                     dg_attrs attrs, const dg_value *in, int n_in, const dg_type *out, int n_out);
/* A further result of n, behind the others. */
dg_value dg_graph_add_result(dg_graph *g, dg_node n, dg_type type, const char *path);
dg_region dg_graph_add_region(dg_graph *g, dg_node owner);
dg_value dg_graph_add_arg(dg_graph *g, dg_region r, dg_type t, const char *path);
void dg_graph_unlink(dg_graph *g, dg_node n); /* out of its region's list; op becomes NULL */
void dg_graph_move(dg_graph *g, dg_node n, dg_node before, dg_region r); /* to another place */
bool dg_region_inside(const dg_graph *g, dg_region inner,
                      dg_region outer); /* inner == outer counts */

#define DG_EACH_NODE(g, r, n)                                                                      \
    for (dg_node n = dg_region_of(g, r)->first,                                                    \
                 n##_next = n == DG_NONE ? DG_NONE : dg_node_of(g, n)->next;                       \
         n != DG_NONE; n = n##_next, n##_next = n == DG_NONE ? DG_NONE : dg_node_of(g, n)->next)

/* A parameter or a state. One table per module, numbered in order of creation. */
typedef struct dg_place {
    dg_str path;
    dg_type type;
    bool trained; /* param, else state */
    const dg_origin *origin;
    const char *init; /* source text of the initialiser, for `dg params` */
    dg_str swap; /* made by swap(net, "ema"): "ema"; NULL otherwise. A store that has none of one
                    swap's places gives the parameters themselves and a warning, one that has only
                    some is an error */
} dg_place;

typedef struct dg_port { /* a tensor input or a named result of the entry */
    dg_str name; /* inputs: the argument; outputs: "result", "result.1", ...; reports: their name */
    dg_type type;
    bool report;
    dg_span span;
} dg_port;

typedef struct dg_setting { /* a config value or static argument, for the plan's header */
    dg_str name, text;
} dg_setting;

/* What a pass decided about a node or a value, for the plan and `--why`. Ids are those of the graph
 * after the pass. */
typedef struct dg_decision {
    const char *kind; /* "fuse" "inplace" "concat" "select" "hoist"; static, as the outcome */
    dg_node node;
    dg_value value;
    const char *outcome; /* "yes" "no" ... */
    const char *reason;  /* enumerated: "fuse.no:consumer-reads-other-shape" */
    int64_t bytes;
} dg_decision;

/* One entry, compiled: what the passes work on. All of it lives in `arena`. */
typedef struct dg_module {
    dg_arena *arena;
    dg_strings *strings;
    dg_diag *diag;
    dg_graph *graph; /* the entry. Effect nodes: input{index}, place{index}, write{index},
                        output{index}, check{text} */
    dg_graph *init;  /* initialisers: for each place, in order, a `write`; `place` reads what was
                        written before or loaded */
    DG_VEC(dg_place) places;
    DG_VEC(dg_port) inputs, outputs;
    DG_VEC(dg_setting) config, args;
    DG_VEC(dg_decision) decisions; /* of the graph passes; those of memplan are in its layout */
    dg_str entry;
    int n_nodes; /* of the graph before fuse: those that the source and the passes named */
    bool train;  /* a `train` entry: the step counts */
    bool is_test;
} dg_module;

void dg_module_free(dg_module *m); /* the vectors; the arena is the caller's. NULL is allowed */

#endif

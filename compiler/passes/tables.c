/* tables.c: what a loop's body computes from the trip alone becomes a table, made before the loop
 * for all trips at once.
 *
 * In     a graph after `hoist`: what does not depend on the trip either has left the body.
 * Out    before the loop, the same nodes over a further leading axis of one row to a trip
 *        (op->stack; elementwise ones by broadcasting); in the body, a row of the table. In a
 * sampler that is the time embedding with its layers, and each block's projection of it: one
 * product of fifty rows in place of fifty products that read all their weights for one row each.
 * Keeps  memory: tables are small and few. A row computed among others may be rounded otherwise
 *        than alone, as products of other sizes may. Only chains with a product are worth a table;
 *        others fuse into what reads them. */
#include "compiler/passes/passes.h"

enum { MOST_TRIPS = 1 << 16 };
#define TABLE_BYTES (INT64_C(4) << 20)   /* of one table */
#define TABLES_BYTES (INT64_C(32) << 20) /* of all tables of a loop */

typedef struct tabler {
    dg_module *m;
    dg_graph *g;
    dg_arena *scratch;
    dg_node loop;
    dg_region body;
    int64_t trips;
    size_t n_values; /* when this loop was begun */
    bool *stackable; /* by value: made of the trip and outer values by nodes that can be stacked */
    bool *product;   /* by value: one of these nodes is a product */
    dg_value *table; /* by value: with all trips, or DG_NONE */
    dg_value *row;   /* by value: what stands for it in the body, or DG_NONE */
} tabler;

static void refused(void *ctx, const dg_infer *t)
{
    const tabler *w = ctx;
    dg_error_at(w->m->diag, "E901", "tables", "%s was refused: %s", t->op->name,
                t->what ? t->what : "?");
}

static dg_build builder(tabler *w, dg_node like, dg_node before, dg_region region)
{
    const dg_node_info *i = dg_node_of(w->g, like);
    return (dg_build){.graph = w->g,
                      .region = region,
                      .before = before,
                      .scope = i->scope,
                      .origin = i->origin,
                      .phase = i->phase,
                      .refused = refused,
                      .ctx = w};
}

/* ---- which ---- */

static bool outside(const tabler *w, dg_value v)
{
    return !dg_region_inside(w->g, dg_value_of(w->g, v)->region, w->body);
}

static bool can_stack(const tabler *w, dg_node n)
{
    const dg_node_info *i = dg_node_of(w->g, n);
    if (i->op->traits & (DG_EFFECT | DG_CONTROL | DG_RANDOM | DG_LEAF) || i->n_out != 1 ||
        i->n_in == 0 || dg_type_of(w->g, i->out[0])->shape.rank == DG_MAX_RANK)
        return false;
    if (!(i->op->traits & DG_ELEMENTWISE) && !i->op->stack) return false;
    bool any = false;
    int64_t most = 0; /* bytes of an operand behind a product */
    for (int k = 0; k < i->n_in; k++) {
        if (outside(w, i->in[k])) continue;
        if (!w->stackable[i->in[k]]) return false;
        any = true;
        int64_t bytes = dg_type_bytes(dg_type_of(w->g, i->in[k]));
        if (w->product[i->in[k]] && bytes > most) most = bytes;
    }
    /* What only grows behind the last product is better computed where it is read. */
    bool grows = most > 0 && !(i->op->traits & DG_GEMM_LIKE) &&
                 dg_type_bytes(dg_type_of(w->g, i->out[0])) > most;
    return any && !grows;
}

static void mark(tabler *w)
{
    w->stackable[dg_region_of(w->g, w->body)->args.at[0]] = true;
    DG_EACH_NODE(w->g, w->body, n) {
        if (!can_stack(w, n)) continue;
        const dg_node_info *i = dg_node_of(w->g, n);
        bool product = (i->op->traits & DG_GEMM_LIKE) != 0;
        for (int k = 0; k < i->n_in; k++)
            product = product || (!outside(w, i->in[k]) && w->product[i->in[k]]);
        w->stackable[i->out[0]] = true;
        w->product[i->out[0]] = product;
    }
}

/* ---- tables ---- */

static dg_value table_of(tabler *w, dg_value v);

/* Operands get the leading axis, those from outside as one of size 1; numbers stay numbers. */
static dg_value stack_elementwise(tabler *w, dg_build *b, const dg_node_info *i, const dg_value *in,
                                  const bool *stacked)
{
    enum { MOST = 3 };
    dg_value operand[MOST];
    int rank = dg_type_of(w->g, i->out[0])->shape.rank;
    if (i->n_in > MOST) return DG_NONE;
    for (int k = 0; k < i->n_in; k++) {
        dg_shape s = dg_shape_of(b, in[k]);
        operand[k] = in[k];
        if (!stacked[k] && s.rank == 0) continue;
        if (!stacked[k])
            s = dg_shape_stacked(s, 1);
        else
            while (s.rank < rank + 1) s.dim[s.rank++] = 1; /* one number to a trip */
        operand[k] = dg_reshape(b, in[k], s);
    }
    dg_node n = dg_build_node(b, i->op, i->attrs.at, i->attrs.n, operand, i->n_in);
    return n == DG_NONE ? DG_NONE : dg_node_of(w->g, n)->out[0];
}

static dg_value trips_table(tabler *w)
{
    dg_build b = builder(w, w->loop, w->loop, dg_node_of(w->g, w->loop)->region);
    double *numbers = DG_NEW_ARRAY(w->scratch, double, w->trips);
    for (int64_t t = 0; t < w->trips; t++) numbers[t] = (double)t;
    return dg_const(&b, DG_I32, DG_SHAPE(w->trips), numbers);
}

static dg_value build_table(tabler *w, dg_value v)
{
    dg_node def = dg_value_of(w->g, v)->def;
    if (def == DG_NONE) return trips_table(w);
    dg_node_info i = *dg_node_of(w->g, def);
    dg_value *in = DG_NEW_ARRAY(w->scratch, dg_value, i.n_in);
    bool *stacked = DG_NEW_ARRAY(w->scratch, bool, i.n_in);
    for (int k = 0; k < i.n_in; k++) {
        stacked[k] = !outside(w, i.in[k]);
        in[k] = stacked[k] ? table_of(w, i.in[k]) : i.in[k];
        if (in[k] == DG_NONE) return DG_NONE;
    }
    dg_build b = builder(w, def, w->loop, dg_node_of(w->g, w->loop)->region);
    dg_type out = *dg_type_of(w->g, v);
    dg_value t = i.op->stack ? i.op->stack(&b, &i.attrs, in, stacked, i.n_in, w->trips, &out)
                             : stack_elementwise(w, &b, &i, in, stacked);
    if (t != DG_NONE)
        dg_value_of(w->g, t)->path = dg_path_behind(w->g, dg_value_of(w->g, v)->path, "table");
    return t;
}

static dg_value table_of(tabler *w, dg_value v)
{
    if (w->table[v] == DG_NONE) w->table[v] = build_table(w, v);
    return w->table[v];
}

/* The row of this trip, in front of `before`. */
static dg_value row_of(tabler *w, dg_value v)
{
    if (w->row[v] != DG_NONE) return w->row[v];
    dg_value table = table_of(w, v);
    if (table == DG_NONE) return DG_NONE;
    dg_node def = dg_value_of(w->g, v)->def;
    dg_build b = builder(w, def, def, w->body);
    dg_attr axis = dg_attr_of_int("axis", 0);
    dg_value operands[] = {table, dg_region_of(w->g, w->body)->args.at[0]};
    w->row[v] = dg_emit(&b, "gather", &axis, 1, operands, 2);
    dg_value_of(w->g, w->row[v])->path = dg_value_of(w->g, v)->path;
    return w->row[v];
}

/* ---- one loop ---- */

static void decide(tabler *w, dg_value v, bool yes, int64_t bytes)
{
    dg_vec_push(&w->m->decisions, (dg_decision){.kind = "tables",
                                                .node = dg_value_of(w->g, v)->def,
                                                .value = v,
                                                .outcome = yes ? "yes" : "no",
                                                .reason = yes ? "tables.yes:depends-on-trip-alone"
                                                              : "tables.no:large",
                                                .bytes = bytes});
}

/* Values that something outside of the chain reads are worth a table; those in between are not
 * computed in the body any more. */
static void replace(tabler *w)
{
    dg_uses uses = dg_uses_of(w->g, w->scratch);
    int64_t left = TABLES_BYTES;
    dg_value *map = DG_NEW_ARRAY(w->scratch, dg_value, w->n_values);
    DG_VEC(dg_value) tabled = {0};
    for (size_t v = 0; v < w->n_values; v++) {
        map[v] = (dg_value)v;
        if (!w->product[v]) continue;
        bool read = false;
        for (int32_t u = uses.first[v]; u < uses.first[v + 1]; u++) {
            const dg_node_info *by = dg_node_of(w->g, uses.at[u].node);
            read = read || uses.at[u].input < 0 || by->n_out != 1 || !w->stackable[by->out[0]];
        }
        if (!read) continue;
        int64_t bytes = dg_type_bytes(dg_type_of(w->g, (dg_value)v)) * w->trips;
        bool fits = bytes <= TABLE_BYTES && bytes <= left;
        if (fits) dg_vec_push(&tabled, (dg_value)v);
        if (fits) left -= bytes;
        decide(w, (dg_value)v, fits, bytes);
    }
    for (size_t k = 0; k < tabled.n; k++) {
        dg_value row = row_of(w, tabled.at[k]);
        if (row != DG_NONE) map[tabled.at[k]] = row;
    }
    for (size_t k = 0; k < tabled.n; k++)
        if (map[tabled.at[k]] != tabled.at[k])
            dg_replace_uses(w->g, tabled.at[k], map[tabled.at[k]]);
    dg_vec_free(&tabled);
}

static void table_loop(dg_module *m, dg_node loop, dg_arena *scratch)
{
    dg_graph *g = m->graph;
    int64_t trips = dg_attr_int(&dg_node_of(g, loop)->attrs, "trips");
    if (trips >= 2 && trips <= MOST_TRIPS) {
        size_t n = g->values.n;
        tabler w = {.m = m,
                    .g = g,
                    .scratch = scratch,
                    .loop = loop,
                    .body = dg_node_of(g, loop)->body,
                    .trips = trips,
                    .n_values = n,
                    .stackable = DG_NEW_ARRAY(scratch, bool, n),
                    .product = DG_NEW_ARRAY(scratch, bool, n),
                    .table = DG_NEW_ARRAY(scratch, dg_value, n),
                    .row = DG_NEW_ARRAY(scratch, dg_value, n)};
        for (size_t v = 0; v < n; v++) w.table[v] = w.row[v] = DG_NONE;
        mark(&w);
        replace(&w);
    }
    DG_EACH_NODE(g, dg_node_of(g, loop)->body, n) {
        if (dg_node_of(g, n)->body != DG_NONE) table_loop(m, n, scratch);
    }
}

bool dg_pass_tables(dg_module *m, const dg_pass_options *o)
{
    (void)o;
    if (m->graph->regions.n == 1) return true; /* no loops */
    int errors = dg_diag_errors(m->diag);
    dg_arena *scratch = dg_arena_new();
    DG_EACH_NODE(m->graph, 0, n) {
        if (dg_node_of(m->graph, n)->body != DG_NONE) table_loop(m, n, scratch);
    }
    dg_drop_dead(m->graph, scratch);
    dg_arena_free(scratch);
    return dg_diag_errors(m->diag) == errors;
}

/* keep: copies of values that would be overwritten before they are read, so that schedule and
 * memplan may go by data flow alone.
 *
 * In     kernels chosen.
 * Out    a copy for each carried result of a body that is not a packed value of that body (or one
 *        of its arguments), each once; a copy, at the beginning, of each old value of a place that
 *        is shown at the end or goes to another place, where the entry overwrites it. Writes stand
 *        at the end of the entry, then outputs: every reader of an old value comes before.
 * Keeps  everything else. */
#include "compiler/passes/memplan.h"

#include <assert.h>

typedef struct keeper {
    dg_module *m;
    dg_graph *g;
    const dg_pass_options *o;
    dg_arena *a;
    dg_bytes *bytes;
    dg_effects fx;
} keeper;

static const dg_kernel *kernel_for(const dg_op *op, const dg_pass_options *o)
{
    for (const dg_kernel *k = op->kernels; k && k->run; k++) {
        if (k->any_dtype && k->least_isa <= o->isa) return k;
    }
    return NULL;
}

static dg_value copy_of(keeper *s, dg_value v, dg_region r, dg_node before,
                        const dg_node_info *like)
{
    dg_build b = {.graph = s->g,
                  .region = r,
                  .before = before,
                  .scope = like->scope,
                  .origin = like->origin,
                  .phase = like->phase};
    dg_node n = dg_build_node(&b, s->g->find("copy"), NULL, 0, &v, 1);
    assert(n != DG_NONE);
    dg_node_info *info = dg_node_of(s->g, n);
    info->kernel = kernel_for(info->op, s->o);
    dg_value_of(s->g, info->out[0])->path =
        dg_path_behind(s->g, dg_value_of(s->g, v)->path, "copy");
    return info->out[0];
}

/* Inner loops first. */
static void own_results(keeper *s, dg_region r)
{
    DG_EACH_NODE(s->g, r, n) {
        if (dg_node_of(s->g, n)->body != DG_NONE) own_results(s, dg_node_of(s->g, n)->body);
    }
    if (r == 0) return;
    const dg_node_info owner = *dg_node_of(s->g, dg_region_of(s->g, r)->owner);
    bool *taken = DG_NEW_ARRAY(s->a, bool, s->g->values.n);
    for (int j = 0; j < owner.n_out; j++) {
        dg_value v = dg_region_of(s->g, r)->results.at[j];
        const dg_bytes *b = &s->bytes[v];
        const dg_value_info *base = dg_value_of(s->g, b->base);
        bool here = base->region == r &&
                    (base->def == DG_NONE ? base->index > 0
                                          : !(dg_node_of(s->g, base->def)->op->traits & DG_LEAF));
        if (here && b->whole && !taken[b->base]) {
            taken[b->base] = true;
            continue;
        }
        dg_value copy = copy_of(s, v, r, DG_NONE, &owner);
        dg_region_of(s->g, r)->results.at[j] = copy;
    }
}

/* The place whose old bytes a value shows, or -1. */
static int64_t place_shown(const keeper *s, dg_value v)
{
    dg_node def = dg_value_of(s->g, s->bytes[v].base)->def;
    if (def == DG_NONE || dg_node_of(s->g, def)->op != s->fx.place) return -1;
    return dg_attr_int(&dg_node_of(s->g, def)->attrs, "index");
}

static void keep_old_values(keeper *s)
{
    bool *written = DG_NEW_ARRAY(s->a, bool, s->m->places.n);
    DG_EACH_NODE(s->g, 0, n) {
        const dg_node_info *info = dg_node_of(s->g, n);
        if (info->op == s->fx.write) written[dg_attr_int(&info->attrs, "index")] = true;
    }
    DG_EACH_NODE(s->g, 0, n) {
        const dg_node_info *info = dg_node_of(s->g, n);
        if (info->op != s->fx.write && info->op != s->fx.output) continue;
        dg_value v = info->in[0];
        int64_t place = place_shown(s, v);
        if (place < 0 || !written[place]) continue;
        if (info->op == s->fx.write && place == dg_attr_int(&info->attrs, "index") &&
            s->bytes[v].whole)
            continue; /* unchanged */
        dg_value copy = copy_of(s, v, 0, dg_node_of(s->g, dg_value_of(s->g, v)->def)->next, info);
        dg_node_of(s->g, n)->in[0] = copy;
    }
}

static void move_last(keeper *s, const dg_op *op)
{
    DG_VEC(dg_node) found = {0};
    DG_EACH_NODE(s->g, 0, n) {
        if (dg_node_of(s->g, n)->op == op) dg_vec_push(&found, n);
    }
    for (size_t i = 0; i < found.n; i++) dg_graph_move(s->g, found.at[i], DG_NONE, 0);
    dg_vec_free(&found);
}

bool dg_pass_keep(dg_module *m, const dg_pass_options *o)
{
    keeper s = {.m = m, .g = m->graph, .o = o, .a = dg_arena_new(), .fx = dg_effects_of(m->graph)};
    s.bytes = dg_bytes_of(s.g, s.a);
    keep_old_values(&s);
    own_results(&s, 0);
    move_last(&s, s.fx.write);
    move_last(&s, s.fx.output);
    dg_arena_free(s.a);
    return true;
}

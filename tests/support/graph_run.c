/* graph_run.c: a walk over the IR that calls each op's ref. It knows the few nodes that have no
 * kernel, and loops. */
#include "tests/support/graph_run.h"

#include "ops/ops.h"

#include <stdlib.h>
#include <string.h>

dg_module *test_module_new(void)
{
    dg_arena *a = dg_arena_new();
    dg_module *m = DG_NEW(a, dg_module);
    m->arena = a;
    m->strings = dg_strings_new(a);
    m->diag = dg_diag_new(a, dg_sources_new(a));
    m->graph = dg_graph_new(a, m->strings, dg_op_find);
    m->entry = dg_intern_z(m->strings, "main");
    return m;
}

void test_module_free(dg_module *m)
{
    dg_module_free(m);
    dg_arena_free(m->arena);
}

static void refused(void *ctx, const dg_infer *t)
{
    dg_module *m = ctx;
    dg_error_at(m->diag, t->id, t->op->name, "%s", t->what);
}

dg_build test_builder(dg_module *m)
{
    return (dg_build){.graph = m->graph,
                      .before = DG_NONE,
                      .scope = dg_intern_z(m->strings, "t"),
                      .refused = refused,
                      .ctx = m};
}

dg_value test_place(dg_build *b, dg_module *m, dg_dtype t, dg_shape s)
{
    int index = (int)m->places.n;
    dg_str path = dg_intern_printf(m->strings, "p%d", index);
    dg_vec_push(&m->places, (dg_place){.path = path, .type = {t, s}, .trained = true});
    dg_attr attrs[] = {dg_attr_of_int("index", index), dg_attr_of_int("dtype", t),
                       dg_attr_of_ints(m->arena, "shape", s.dim, s.rank)};
    dg_value v = dg_emit(b, "place", attrs, 3, NULL, 0);
    dg_value_of(b->graph, v)->path = dg_path_of_text(b->graph, path);
    return v;
}

void test_output(dg_build *b, dg_module *m, dg_value v)
{
    int index = (int)m->outputs.n;
    dg_vec_push(&m->outputs, (dg_port){.name = dg_intern_printf(m->strings, "o%d", index),
                                       .type = *dg_type_of(b->graph, v),
                                       .span = DG_NOWHERE});
    dg_attr attr = dg_attr_of_int("index", index);
    dg_build_node(b, dg_op_find("output"), &attr, 1, &v, 1);
}

dg_value test_grad(dg_build *b, dg_value y, const dg_value *xs, int n, dg_value *out)
{
    dg_value in[17] = {y};
    for (int i = 0; i < n; i++) in[i + 1] = xs[i];
    dg_node node = dg_build_node(b, dg_op_find("grad"), NULL, 0, in, n + 1);
    for (int i = 0; out && i < n; i++) out[i] = dg_node_of(b->graph, node)->out[i];
    return dg_node_of(b->graph, node)->out[0];
}

typedef struct runner {
    const dg_module *m;
    const dg_graph *g;
    dg_arena *arena;
    void **data; /* by value */
    const void *const *places;
    void *const *out;
    bool failed;
} runner;

static size_t element(dg_dtype t)
{
    return dg_dtype_is_float(t) ? sizeof(double) : dg_dtype_size(t);
}

static size_t bytes_of(const runner *r, dg_value v)
{
    const dg_type *t = dg_type_of(r->g, v);
    return (size_t)dg_shape_count(&t->shape) * element(t->dtype);
}

static dg_view view_of(const runner *r, dg_value v)
{
    const dg_type *t = dg_type_of(r->g, v);
    dg_view view = {.data = r->data[v],
                    .dtype = dg_dtype_is_float(t->dtype) ? DG_F64 : t->dtype,
                    .shape = t->shape};
    dg_view_pack(&view);
    return view;
}

static void failed(void *ctx, const dg_call *k, const char *message)
{
    (void)k;
    (void)message;
    ((runner *)ctx)->failed = true;
}

static void constant(runner *r, const dg_node_info *i)
{
    const dg_type *t = dg_type_of(r->g, i->out[0]);
    const dg_attr *a = dg_attr_find(&i->attrs, "data");
    bool floats = dg_dtype_is_float(t->dtype);
    int64_t n = dg_shape_count(&t->shape), have = a->n / (floats ? 8 : 4);
    for (int64_t k = 0; k < n; k++) {
        int64_t at = have == 1 ? 0 : k;
        if (floats)
            ((double *)r->data[i->out[0]])[k] = ((const double *)a->v.data)[at];
        else if (t->dtype == DG_I32)
            ((int32_t *)r->data[i->out[0]])[k] = ((const int32_t *)a->v.data)[at];
        else
            ((uint8_t *)r->data[i->out[0]])[k] = (uint8_t)((const int32_t *)a->v.data)[at];
    }
}

static void run_region(runner *r, dg_region region);

static void run_loop(runner *r, const dg_node_info *i)
{
    const dg_region_info *body = dg_region_of(r->g, i->body);
    int64_t trips = dg_attr_int(&i->attrs, "trips");
    for (size_t k = 0; k < body->args.n; k++)
        r->data[body->args.at[k]] = dg_arena_alloc(r->arena, bytes_of(r, body->args.at[k]));
    for (int k = 0; k < i->n_in; k++)
        memcpy(r->data[body->args.at[k + 1]], r->data[i->in[k]], bytes_of(r, i->in[k]));
    for (int64_t trip = 0; trip < trips; trip++) {
        *(int32_t *)r->data[body->args.at[0]] = (int32_t)trip;
        run_region(r, i->body);
        void **next = DG_NEW_ARRAY(r->arena, void *, i->n_in);
        for (int k = 0; k < i->n_in; k++)
            next[k] = dg_arena_copy(r->arena, r->data[body->results.at[k]], bytes_of(r, i->in[k]));
        bool stop =
            dg_attr_int(&i->attrs, "stop") && *(uint8_t *)r->data[body->results.at[i->n_in]];
        for (int k = 0; k < i->n_in; k++)
            memcpy(r->data[body->args.at[k + 1]], next[k], bytes_of(r, i->in[k]));
        if (stop) break;
    }
    for (int k = 0; k < i->n_out; k++)
        memcpy(r->data[i->out[k]], r->data[body->args.at[k + 1]], bytes_of(r, i->out[k]));
}

static void run_node(runner *r, dg_node n)
{
    const dg_node_info *i = dg_node_of(r->g, n);
    for (int k = 0; k < i->n_out; k++)
        r->data[i->out[k]] = dg_arena_alloc(r->arena, bytes_of(r, i->out[k]));
    if (i->body != DG_NONE) {
        run_loop(r, i);
    } else if (strcmp(i->op->name, "place") == 0) {
        memcpy(r->data[i->out[0]], r->places[dg_attr_int(&i->attrs, "index")],
               bytes_of(r, i->out[0]));
    } else if (strcmp(i->op->name, "output") == 0) {
        memcpy(r->out[dg_attr_int(&i->attrs, "index")], r->data[i->in[0]], bytes_of(r, i->in[0]));
    } else if (dg_attr_find(&i->attrs, "data")) {
        constant(r, i);
    } else {
        dg_view *in = DG_NEW_ARRAY(r->arena, dg_view, i->n_in),
                *out = DG_NEW_ARRAY(r->arena, dg_view, i->n_out);
        for (int k = 0; k < i->n_in; k++) in[k] = view_of(r, i->in[k]);
        for (int k = 0; k < i->n_out; k++) out[k] = view_of(r, i->out[k]);
        dg_run run = {.seed = 7, .fail = failed, .fail_ctx = r};
        dg_call call = {.in = in,
                        .out = out,
                        .n_in = i->n_in,
                        .n_out = i->n_out,
                        .n_own = i->n_own,
                        .attrs = &i->attrs,
                        .strip = i->strip,
                        .run = &run};
        i->op->ref(&call);
    }
}

static void run_region(runner *r, dg_region region)
{
    DG_EACH_NODE(r->g, region, n) run_node(r, n);
}

bool test_run(const dg_module *m, const void *const *places, void *const *out)
{
    runner r = {.m = m, .g = m->graph, .arena = dg_arena_new(), .places = places, .out = out};
    r.data = DG_NEW_ARRAY(r.arena, void *, m->graph->values.n);
    run_region(&r, 0);
    dg_arena_free(r.arena);
    return !r.failed;
}

const char *test_messages(const dg_module *m)
{
    dg_text t = {0};
    for (size_t i = 0; i < dg_diag_count(m->diag); i++) {
        const dg_message *e = dg_diag_at(m->diag, i);
        dg_text_add(&t, "%s%s %s", i ? "; " : "", e->id, e->what);
        for (int k = 0; k < e->n_notes; k++) dg_text_add(&t, " [%s]", e->notes[k].text);
    }
    const char *s = dg_arena_text(m->arena, t.at ? t.at : "", t.n);
    dg_text_free(&t);
    return s;
}

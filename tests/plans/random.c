/* Random graphs with places, views, products, nested loops and carries in every relation: whatever
 * the passes and the planner make of
 * them, the checker must accept; and an order never costs more than one buffer for each value. */
#include "tests/plans/plan_of.h"
#include "tests/support/graph_run.h"

typedef struct maker {
    dg_module *m;
    dg_build b;
    uint64_t seed;
    dg_value seen[512]; /* values of type f32[8, 8] in sight */
    int n_seen;
    int nodes;
} maker;

static uint32_t below(maker *k, uint32_t n)
{
    k->seed = k->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(k->seed >> 33) % n;
}

static dg_value any(maker *k)
{
    /* recent values more often, so that graphs are deep */
    int back = (int)below(k, below(k, 2) ? 4 : 64);
    return k->seen[back < k->n_seen ? k->n_seen - 1 - back : (int)below(k, (uint32_t)k->n_seen)];
}

static void see(maker *k, dg_value v)
{
    k->seen[k->n_seen++] = v;
    k->nodes++;
}

static void some_nodes(maker *k, int count, int depth);

static void add_loop(maker *k, int depth)
{
    dg_build *b = &k->b;
    int n = 1 + (int)below(k, 4), seen = k->n_seen;
    dg_value init[4], results[8], outs[4];
    dg_type type = *dg_type_of(b->graph, k->seen[0]);
    for (int i = 0; i < n; i++) init[i] = any(k);
    dg_attr attrs[2] = {dg_attr_of_int("trips", (int64_t)below(k, 5)), dg_attr_of_int("stop", 0)};
    dg_type types[4] = {type, type, type, type};
    dg_attr *kept = dg_arena_copy(b->graph->arena, attrs, sizeof attrs);
    const dg_op *loop = dg_op_find("loop");
    dg_node node =
        dg_graph_add(b->graph, b->region, DG_NONE, loop, (dg_attrs){2, kept}, init, n, types, n);
    dg_region r = dg_graph_add_region(b->graph, node), outer = b->region;
    dg_str path = dg_intern_z(b->graph->strings, "arg");
    dg_graph_add_arg(b->graph, r, (dg_type){DG_I32, DG_SCALAR}, path);
    for (int i = 0; i < n; i++) see(k, results[i + 4] = dg_graph_add_arg(b->graph, r, type, path));
    b->region = r;
    some_nodes(k, 3 + (int)below(k, 6), depth + 1);
    for (int i = 0; i < n; i++) {
        results[i] = below(k, 3) ? any(k) : results[4 + (int)below(k, (uint32_t)n)];
        dg_vec_push(&dg_region_of(b->graph, r)->results, results[i]);
    }
    b->region = outer;
    k->n_seen = seen;
    for (int i = 0; i < n; i++) outs[i] = dg_node_of(b->graph, node)->out[i];
    for (int i = 0; i < n; i++) {
        dg_value_of(b->graph, outs[i])->path = path;
        see(k, outs[i]);
    }
}

static void some_nodes(maker *k, int count, int depth)
{
    dg_build *b = &k->b;
    for (int i = 0; i < count && k->n_seen < 500; i++) {
        dg_value x = any(k), y = any(k);
        switch (below(k, depth < 2 ? 10 : 9)) {
        case 0:
            see(k, dg_add(b, x, y));
            break;
        case 1:
            see(k, dg_mul(b, x, y));
            break;
        case 2:
            see(k, dg_unary(b, "sin", x));
            break;
        case 3:
            see(k, dg_unary(b, "silu", x));
            break;
        case 4:
            see(k, dg_matmul(b, x, y, false, below(k, 2) != 0));
            break;
        case 5:
            see(k, dg_transpose(b, x, (int[]){1, 0}));
            break;
        case 6:
            see(k, dg_reshape(b, dg_reshape(b, x, DG_SHAPE(4, 16)), DG_SHAPE(8, 8)));
            break;
        case 7: { /* a row of x, and x summed */
            dg_value row = dg_slice(b, x, (int64_t[]){3, 0}, (int64_t[]){4, 8}, (int64_t[]){1, 1});
            see(k, dg_mul(b, dg_sum_keep(b, y, DG_AXES(1)), row));
            break;
        }
        case 8: {
            dg_value half[2] = {
                dg_slice(b, x, (int64_t[]){0, 0}, (int64_t[]){4, 8}, (int64_t[]){1, 1}),
                dg_slice(b, y, (int64_t[]){0, 0}, (int64_t[]){8, 8}, (int64_t[]){2, 1})};
            see(k, dg_concat(b, half, 2, 0));
            break;
        }
        default:
            add_loop(k, depth);
            break;
        }
    }
}

static void write_place(maker *k, dg_value v, int index)
{
    dg_attr attr = dg_attr_of_int("index", index);
    dg_build_node(&k->b, dg_op_find("write"), &attr, 1, &v, 1);
}

static void random_graphs(void **state)
{
    (void)state;
    const char *const none[] = {NULL}, *const no_schedule[] = {"schedule", NULL},
                      *const no_fuse[] = {"fuse", "simplify", NULL}, *const nothing[] = {"expand",
                                                                                         "simplify",
                                                                                         "cse",
                                                                                         "hoist",
                                                                                         "fuse",
                                                                                         "schedule",
                                                                                         NULL};
    const char *const *skips[] = {none, no_schedule, no_fuse, nothing};
    const char *count = getenv("DG_GRAPHS");
    int graphs = count ? atoi(count) : 300;
    for (int i = 0; i < graphs; i++) {
        maker k = {.m = test_module_new(), .seed = (uint64_t)i * 7919 + 1};
        k.b = test_builder(k.m);
        int places = 1 + (int)below(&k, 4);
        for (int p = 0; p < places; p++) see(&k, test_place(&k.b, k.m, DG_F32, DG_SHAPE(8, 8)));
        some_nodes(&k, 4 + (int)below(&k, 20), 0);
        for (int p = 0; p < places; p++) {
            if (below(&k, 3)) write_place(&k, any(&k), p);
        }
        for (int o = 1 + (int)below(&k, 3); o > 0; o--) test_output(&k.b, k.m, any(&k));
        dg_text text = {0};
        dg_print_module(k.m, &text);
        char name[32];
        snprintf(name, sizeof name, "graph %d", i);
        if (getenv("DG_SHOW") && atoi(getenv("DG_SHOW")) == i) fputs(text.at, stdout);
        for (size_t s = 0; s < sizeof skips / sizeof *skips; s++) {
            plan_text t = plan_of(name, text.at, skips[s], false);
            assert_true(t.plan->arena_bytes <= t.plan->naive);
            plan_text_free(&t);
        }
        plan_text t = plan_of(name, text.at, NULL, true);
        plan_text_free(&t);
        dg_text_free(&text);
        test_module_free(k.m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_graphs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

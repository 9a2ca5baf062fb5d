/* Random graphs with places, views, products, nested loops and carries in every relation: whatever
 * the passes and the planner make of them, the checker must accept, an order never costs more than
 * one buffer for each value, and all plans compute what the reference computes, with the bytes of
 * dead values poisoned; under a budget they keep it, and the bits stay the same; so they do where
 * parts of a value are copied and not stored in it. */
#include "runtime/exec.h"
#include "tests/plans/plan_of.h"
#include "tests/support/graph_run.h"

#include <math.h>

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
        dg_value_of(b->graph, outs[i])->path = dg_path_of_text(b->graph, path);
        see(k, outs[i]);
    }
}

static dg_value columns(dg_build *b, dg_value x, int64_t from, int64_t to)
{
    return dg_slice(b, x, (int64_t[]){0, from}, (int64_t[]){8, to}, (int64_t[]){1, 1});
}

static void some_nodes(maker *k, int count, int depth)
{
    dg_build *b = &k->b;
    for (int i = 0; i < count && k->n_seen < 500; i++) {
        dg_value x = any(k), y = any(k);
        switch (below(k, depth < 2 ? 12 : 11)) {
        case 0:
            see(k, dg_unary(b, "tanh", dg_add(b, x, y))); /* numbers stay small */
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
            see(k, dg_unary(b, "tanh", dg_matmul(b, x, y, false, below(k, 2) != 0)));
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
        case 9: { /* columns and rows that are made to lie beside each other; a part that others
                     read */
            int64_t at = 1 + (int64_t)below(k, 7);
            dg_value left = columns(b, y, 0, at), part[2] = {dg_matmul(b, x, left, false, false)};
            part[1] = below(k, 2) ? dg_mul(b, columns(b, x, at, 8), columns(b, y, at, 8))
                                  : dg_matmul(b, y, columns(b, x, at, 8), false, false);
            if (below(k, 2)) see(k, dg_matmul(b, part[0], left, false, true));
            see(k, dg_unary(b, "tanh", dg_concat(b, part, 2, 1)));
            break;
        }
        case 10: { /* one above the other, turned, and packed again */
            dg_value part[2], upper = dg_transpose(b, columns(b, x, 0, 4), (int[]){1, 0});
            part[0] = dg_matmul(b, upper, y, false, false);
            part[1] = dg_unary(b, "tanh", dg_transpose(b, columns(b, y, 4, 8), (int[]){1, 0}));
            dg_value turned = dg_transpose(b, dg_concat(b, part, 2, 0), (int[]){1, 0});
            dg_value flat = dg_reshape(b, turned, DG_SHAPE(2, 32));
            see(k, dg_reshape(b, dg_unary(b, "tanh", flat), DG_SHAPE(8, 8)));
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

enum { MOST = 8 * 64 }; /* elements of all places and outputs */

typedef struct results {
    int n;
    double at[MOST];
} results;

/* Runs a plan over places that begin with fixed numbers; what places and outputs hold afterwards.
 */
static results run_plan(plan_text *t)
{
    const dg_plan *p = t->plan;
    dg_arena *a = dg_arena_new();
    dg_exec e = {.plan = p, .check = DG_CHECK_POISON, .places = DG_NEW_ARRAY(a, void *, 8)};
    e.arena = dg_large_alloc((size_t)p->arena_bytes + 64);
    e.pool = dg_pool_new(1);
    assert_true(dg_pool_reserve(e.pool, p->scratch));
    dg_dtype dtype = p->places[0].type.dtype;
    for (int i = 0; i < p->n_places; i++) {
        double *wide = DG_NEW_ARRAY(a, double, 64);
        float *narrow = DG_NEW_ARRAY(a, float, 64);
        for (int k = 0; k < 64; k++) narrow[k] = (float)(wide[k] = (float)sin(i * 7 + k) * 0.5f);
        e.places[i] = dtype == DG_F64 ? (void *)wide : narrow;
    }
    dg_exec_prepare(&e, a);
    if (!dg_exec_run(&e, t->diag)) fail_msg("%s", plan_messages(t));
    assert_int_equal(e.arena_used, p->arena_bytes);
    results r = {0};
    for (int i = 0; i < p->n_places + p->n_outputs; i++) {
        double packed[64];
        void *from = packed;
        if (i < p->n_places)
            from = e.places[i];
        else
            dg_exec_read(&e, p->outputs[i - p->n_places].value, packed);
        for (int k = 0; k < 64; k++)
            r.at[r.n++] = dtype == DG_F64 ? ((double *)from)[k] : (double)((float *)from)[k];
    }
    dg_pool_free(e.pool);
    dg_large_free(e.arena, (size_t)p->arena_bytes + 64);
    dg_arena_free(a);
    return r;
}

/* The graph with every float a double. */
static char *widened(dg_arena *a, const char *text)
{
    char *wide = dg_arena_text(a, text, strlen(text));
    for (char *at = wide; (at = strstr(at, "f32")); at++) memcpy(at, "f64", 3);
    return wide;
}

static void make_graph(maker *k, int number)
{
    *k = (maker){.m = test_module_new(), .seed = (uint64_t)number * 7919 + 1};
    k->b = test_builder(k->m);
    int places = 1 + (int)below(k, 4);
    for (int p = 0; p < places; p++) see(k, test_place(&k->b, k->m, DG_F32, DG_SHAPE(8, 8)));
    some_nodes(k, 4 + (int)below(k, 20), 0);
    for (int p = 0; p < places; p++) {
        if (below(k, 3)) write_place(k, any(k), p);
    }
    for (int o = 1 + (int)below(k, 3); o > 0; o--) test_output(&k->b, k->m, any(k));
}

static void same_bits(const char *name, const char *what, const results *got, const results *want)
{
    assert_int_equal(got->n, want->n);
    if (memcmp(got->at, want->at, (size_t)got->n * sizeof *got->at) != 0)
        fail_msg("%s %s: other bits", name, what);
}

/* Whatever is stored by the steps of its parts has the bits of what is copied. */
static void stored(const char *name, const char *text, const char *const *skip, const results *want)
{
    const char *more[10] = {"into"};
    for (int i = 0; skip[i]; i++) more[i + 1] = skip[i];
    plan_text t = plan_of(name, text, more, false);
    results got = run_plan(&t);
    same_bits(name, "with copies", &got, want);
    plan_text_free(&t);
}

/* Under every budget the same bits as without, in no more than the budget, or a refusal. */
static void budgets(const char *name, const char *text, const char *const *skip, int64_t arena,
                    const results *want)
{
    for (int tenths = 9; tenths > 4; tenths -= 2) {
        uint64_t memory = (uint64_t)(arena * tenths / 10);
        if (memory == 0) return;
        plan_text t = plan_within(name, text, skip, false, memory);
        if (t.plan) {
            assert_true((uint64_t)t.plan->arena_bytes <= memory);
            results got = run_plan(&t);
            char within[32];
            snprintf(within, sizeof within, "within %llu", (unsigned long long)memory);
            same_bits(name, within, &got, want);
        }
        plan_text_free(&t);
    }
}

static void random_graphs(void **state)
{
    (void)state;
    /* clang-format off */
    static const char *const skips[][8] = {
        {NULL}, {"schedule"}, {"fuse", "simplify"}, {"expand", "simplify", "cse", "hoist", "fuse", "schedule"},
    };
    /* clang-format on */
    const char *count = getenv("DG_GRAPHS"), *show = getenv("DG_SHOW");
    int graphs = count ? atoi(count) : 300;
    for (int i = 0; i < graphs; i++) {
        maker k;
        make_graph(&k, i);
        dg_text text = {0};
        dg_print_module(k.m, &text);
        char name[32];
        snprintf(name, sizeof name, "graph %d", i);
        if (show && atoi(show) == i) fputs(text.at, stdout);
        plan_text reference = plan_of(name, widened(k.m->arena, text.at), NULL, true);
        results want = run_plan(&reference);
        for (size_t s = 0; s < sizeof skips / sizeof *skips; s++) {
            plan_text t = plan_of(name, text.at, skips[s], false);
            assert_true(t.plan->arena_bytes <= t.plan->naive);
            results got = run_plan(&t);
            assert_int_equal(got.n, want.n);
            for (int e = 0; e < got.n; e++) {
                if (!(fabs(got.at[e] - want.at[e]) <= 1e-3 * (1 + fabs(want.at[e]))))
                    fail_msg("%s, way %d: element %d is %g, not %g", name, (int)s, e, got.at[e],
                             want.at[e]);
            }
            stored(name, text.at, skips[s], &got);
            budgets(name, text.at, skips[s], t.plan->arena_bytes, &got);
            plan_text_free(&t);
        }
        plan_text_free(&reference);
        dg_text_free(&text);
        test_module_free(k.m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_graphs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

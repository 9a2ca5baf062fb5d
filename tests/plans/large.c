/* Graphs of some 5,000 nodes are planned and pass the checker: one that is deep, with all that was
 * made read again on the way back, and one that is wide, whose updates all wait for one number.
 * With DG_LARGE=FOLDER they are written there, so that
 *
 *     dg plan --from FOLDER/deep.ir -q -v
 *
 * tells where the time goes; it is to stay below a second (tests measure no time). */
#include "tests/plans/plan_of.h"

enum { NODES = 5000, SIDE = 16 };

/* A node's line but for its op. */
static void line(dg_text *t, int v)
{
    dg_text_add(t, "  %%%d: f32[%d, %d] = ", v, SIDE, SIDE);
}

/* h = softmax(h @ w) + h; then g = silu(g @ h^T) * h, backwards. */
static void deep(dg_text *t)
{
    int h[NODES], n = 0, v = 2;
    dg_text_add(t,
                "train \"deep\"\nplace @0 param f32[%d, %d] \"w\"\ninput @0 f32[%d, %d] \"x\"\n"
                "output @0 f32[%d, %d] \"result\"\ngraph {\n",
                SIDE, SIDE, SIDE, SIDE, SIDE, SIDE);
    line(t, 0);
    dg_text_add(t, "place {index = 0, dtype = f32, shape = [%d, %d]}\n", SIDE, SIDE);
    line(t, 1);
    dg_text_add(t, "input {index = 0, dtype = f32, shape = [%d, %d]}\n", SIDE, SIDE);
    for (h[n++] = 1; v < NODES / 2; v += 3, h[n++] = v - 1) {
        line(t, v);
        dg_text_add(t, "matmul(%%%d, %%0) {tx = 0, ty = 0}\n", v - 1);
        line(t, v + 1);
        dg_text_add(t, "softmax(%%%d) {axis = 1}\n", v);
        line(t, v + 2);
        dg_text_add(t, "add(%%%d, %%%d)\n", v + 1, h[n - 1]);
    }
    for (; n > 1; v += 3, n--) {
        line(t, v);
        dg_text_add(t, "matmul(%%%d, %%%d) {tx = 0, ty = 1}\n", v - 1, h[n - 1]);
        line(t, v + 1);
        dg_text_add(t, "silu(%%%d)\n", v);
        line(t, v + 2);
        dg_text_add(t, "mul(%%%d, %%%d)\n", v + 1, h[n - 2]);
    }
    dg_text_add(t, "  output(%%%d) {index = 0}\n}\n", v - 1);
}

/* Each place times the sum over all places of what is computed of them. */
static void wide(dg_text *t)
{
    enum { PLACES = NODES / 5 };
    dg_text_add(t, "train \"wide\"\n");
    for (int i = 0; i < PLACES; i++)
        dg_text_add(t, "place @%d param f32[%d, %d] \"w%d\"\n", i, SIDE, SIDE, i);
    dg_text_add(t, "input @0 f32[] \"x\"\ngraph {\n");
    for (int i = 0; i < PLACES; i++) {
        line(t, i);
        dg_text_add(t, "place {index = %d, dtype = f32, shape = [%d, %d]}\n", i, SIDE, SIDE);
    }
    int v = PLACES, total = v;
    dg_text_add(t, "  %%%d: f32 = input {index = 0, dtype = f32, shape = []}\n", v++);
    for (int i = 0; i < PLACES; i++, v += 3) {
        line(t, v);
        dg_text_add(t, "softmax(%%%d) {axis = 1}\n", i);
        dg_text_add(t, "  %%%d: f32 = sum(%%%d) {axes = [0, 1], keep = 0}\n", v + 1, v);
        dg_text_add(t, "  %%%d: f32 = add(%%%d, %%%d)\n", v + 2, total, v + 1);
        total = v + 2;
    }
    for (int i = 0; i < PLACES; i++) {
        line(t, v);
        dg_text_add(t, "mul(%%%d, %%%d)\n", PLACES + 1 + 3 * i, total);
        dg_text_add(t, "  write(%%%d) {index = %d}\n", v++, i);
    }
    dg_text_add(t, "}\n");
}

static void planned(const char *name, void (*make)(dg_text *t))
{
    dg_text text = {0};
    make(&text);
    if (getenv("DG_LARGE")) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s.ir", getenv("DG_LARGE"), name);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fwrite(text.at, 1, text.n, f);
        assert_int_equal(fclose(f), 0);
    }
    plan_text t = plan_of(name, text.at, NULL, false);
    assert_true(t.plan->nodes >= NODES);
    assert_true((double)t.plan->arena_bytes <= 1.01 * (double)t.plan->bound);
    assert_true(t.plan->arena_bytes < t.plan->naive);
    plan_text_free(&t);
    dg_text_free(&text);
}

static void large_graphs(void **state)
{
    (void)state;
    planned("deep", deep);
    planned("wide", wide);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(large_graphs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

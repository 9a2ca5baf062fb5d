/* tests/lang/patterns.c: einsum, rearrange and indexing against sums and copies over all index
 * tuples, and what they refuse. */
#include "compiler/front/patterns.h"
#include "tests/support/graph_run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 4096, MOST = 4 };

typedef struct bench {
    dg_module *m;
    dg_build b;
    dg_value x[MOST];
    dg_shape shape[MOST];
    double data[MOST][ROOM];
    int n;
} bench;

/* Operands "2 3|3 4" (dims of each, as digits) with distinct small numbers. */
static bench *open_bench(const char *shapes)
{
    static bench store;
    bench *t = &store;
    memset(t, 0, sizeof *t);
    t->m = test_module_new();
    t->b = test_builder(t->m);
    t->n = 1;
    for (const char *at = shapes; *at; at++) {
        if (*at == '|') t->n++;
        if (*at >= '0' && *at <= '9') t->shape[t->n - 1].dim[t->shape[t->n - 1].rank++] = *at - '0';
    }
    for (int i = 0; i < t->n; i++) {
        t->x[i] = test_place(&t->b, t->m, DG_F64, t->shape[i]);
        for (int64_t e = 0; e < dg_shape_count(&t->shape[i]); e++)
            t->data[i][e] = (double)((e * 7 + i * 3) % 11) - 4.5;
    }
    return t;
}

/* The value of v; its shape in *s. */
static void evaluate(bench *t, dg_value v, dg_shape *s, double *out)
{
    const void *places[MOST] = {t->data[0], t->data[1], t->data[2], t->data[3]};
    void *outs[] = {out};
    *s = dg_shape_of(&t->b, v);
    assert_true(dg_shape_count(s) <= ROOM);
    test_output(&t->b, t->m, v);
    if (!test_run(t->m, places, outs)) fail_msg("%s", test_messages(t->m));
}

static int64_t count_ops(const dg_module *m, const char *name)
{
    int64_t n = 0;
    DG_EACH_NODE(m->graph, 0, i) n += strcmp(dg_node_of(m->graph, i)->op->name, name) == 0;
    return n;
}

/* ---- einsum: axes are single letters, so that this reading of a pattern shares nothing with the
 * real one ---- */

static void check_einsum(const char *pattern, const char *shapes)
{
    bench *t = open_bench(shapes);
    dg_pattern_error err;
    dg_value v = dg_einsum(&t->b, pattern, t->x, t->n, &err);
    if (dg_dtype_of(&t->b, v) == DG_POISON) fail_msg("%s: %s", pattern, err.text);
    static double got[ROOM], want[ROOM];
    dg_shape s;
    evaluate(t, v, &s, got);

    char list[MOST + 1][16] = {{0}};
    int part = 0;
    int64_t size[128] = {0}, at[128] = {0};
    for (const char *c = pattern; *c; c++) {
        if (*c == ',') part++;
        if (*c == '>') part = MOST;
        if (*c >= 'a' && *c <= 'z') list[part][strlen(list[part])] = *c;
    }
    char all[64] = "";
    for (int i = 0; i < t->n; i++) {
        for (size_t k = 0; k < strlen(list[i]); k++) {
            size[(int)list[i][k]] = t->shape[i].dim[k];
            if (!strchr(all, list[i][k])) all[strlen(all)] = list[i][k];
        }
    }
    assert_int_equal(s.rank, strlen(list[MOST]));
    for (int k = 0; k < s.rank; k++) assert_int_equal(s.dim[k], size[(int)list[MOST][k]]);
    memset(want, 0, sizeof want);
    for (;;) {
        double product = 1;
        int64_t to = 0;
        for (int i = 0; i < t->n; i++) {
            int64_t from = 0;
            for (const char *c = list[i]; *c; c++) from = from * size[(int)*c] + at[(int)*c];
            product *= t->data[i][from];
        }
        for (const char *c = list[MOST]; *c; c++) to = to * size[(int)*c] + at[(int)*c];
        want[to] += product;
        int k = (int)strlen(all) - 1;
        for (; k >= 0 && ++at[(int)all[k]] == size[(int)all[k]]; k--) at[(int)all[k]] = 0;
        if (k < 0) break;
    }
    for (int64_t e = 0; e < dg_shape_count(&s); e++) {
        if (fabs(got[e] - want[e]) > 1e-9 * (1 + fabs(want[e])))
            fail_msg("%s at %lld: %g, not %g", pattern, (long long)e, got[e], want[e]);
    }
    test_module_free(t->m);
}

static void einsum_values(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a b, b c -> a c", "2 3|3 4"},
        {"b a, b c -> a c", "3 2|3 4"},
        {"a b, c b -> c a", "2 3|4 3"},
        {"b i d, b j d -> b i j", "2 3 4|2 5 4"},
        {"b h i d, b h j d -> b h i j", "2 3 4 5|2 3 6 5"},
        {"b h i j, b h j d -> b h i d", "2 3 4 5|2 3 5 6"},
        {"n c, k c -> n k", "3 4|5 4"},
        {"b i, b j -> i j", "3 2|3 4"},
        {"a, b -> a b", "2|3"},
        {"a, b -> b a", "2|3"},
        {"a b -> b a", "2 3"},
        {"a b c -> c", "2 3 4"},
        {"a b ->", "2 3"},
        {"a, a ->", "4|4"},
        {"a b, a b -> a b", "2 3|2 3"},
        {"a b, a b -> b", "2 3|2 3"},
        {"b c y x, i y, j x -> b c i j", "2 2 3 4|5 3|2 4"},
        {"a b, b c, c d -> a d", "2 3|3 4|4 2"},
        {"a b, c -> a", "2 3|4"},
        {", a -> a", "|3"},
        {"a b c d, d c b e -> a e", "2 3 2 4|4 2 3 2"},
        {"a b c, c -> b a", "2 3 4|4"},
        {"c a b, c -> a b", "4 2 3|4"},
        {"a b c d, e d -> a b c e", "2 2 3 4|5 4"},
        {"p a q b, q c -> c b a p", "2 3 4 2|4 3"},
        {"a b, b -> a", "2 3|3"},
        {"b, a b -> a", "3|2 3"},
        {"i a j, k b j -> i k a b", "2 3 2|3 2 2"},
        {"a b c d e f g, g -> a b c d e f", "1 2 1 2 1 2 3|3"},
        {"a b c d e f g h, a b c d e f g i -> a b c d e f i h", "1 2 1 2 1 2 3 2|1 2 1 2 1 2 3 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_einsum(cases[i][0], cases[i][1]);
}

/* Attention's products copy nothing: an operand that stands transposed is read so. */
static void einsum_nodes(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *shapes;
        int transposes;
    } cases[] = {
        {"b h i d, b h j d -> b h i j", "2 3 4 5|2 3 6 5", 0},
        {"b h i j, b h j d -> b h i d", "2 3 4 5|2 3 5 6", 0},
        {"n c, k c -> n k", "3 4|5 4", 0},
        {"b i, b j -> i j", "3 2|3 4", 0},
        {"b n d, d k -> b n k", "2 3 4|4 5", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench *t = open_bench(cases[i].shapes);
        dg_pattern_error err;
        dg_einsum(&t->b, cases[i].pattern, t->x, t->n, &err);
        assert_int_equal(count_ops(t->m, "matmul"), 1);
        assert_int_equal(count_ops(t->m, "transpose"), cases[i].transposes);
        assert_int_equal(count_ops(t->m, "reshape"), 0);
        test_module_free(t->m);
    }
}

static void einsum_refusals(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"a b, b c -> a c", "2 3|4 2", "axis `b` is 3 in operand 1 and 4 in operand 2"},
        {"a b, b c -> a c", "2 3", "the pattern names 2 operands, 1 is given"},
        {"a b -> a", "2 3 4", "operand 1 has rank 3, the pattern names 2 axes for it"},
        {"a a -> a", "2 2", "axis `a` stands twice in one list"},
        {"a b -> c", "2 3", "axis `c` of the result is in no operand"},
        {"a b", "2 3", "the pattern lacks `->`"},
        {"a b -> a -> b", "2 3", "the pattern goes on after the axes of the result"},
        {"a * b -> a", "2 3", "unexpected `*`"},
        {"a b c d e, f g h i -> a b c d e f g h i", "1 1 1 1 1|1 1 1 1", "more than 8 axes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench *t = open_bench(cases[i][1]);
        dg_pattern_error err;
        assert_int_equal(dg_dtype_of(&t->b, dg_einsum(&t->b, cases[i][0], t->x, t->n, &err)),
                         DG_POISON);
        if (!strstr(err.text, cases[i][2])) fail_msg("%s: %s", cases[i][0], err.text);
        test_module_free(t->m);
    }
    bench *t = open_bench("2 3");
    dg_pattern_error err;
    dg_value bad = dg_poison(&t->b);
    assert_int_equal(dg_dtype_of(&t->b, dg_einsum(&t->b, "a b -> b a", &bad, 1, &err)), DG_POISON);
    assert_string_equal(err.text, "");
    test_module_free(t->m);
}

/* ---- rearrange ---- */

static void rearrange_values(void **state)
{
    (void)state;
    /* left and right as lists of factors: element numbers must agree when both are read in the
     * order of the left's factors */
    static const struct {
        const char *pattern, *shape;
        int n;
        const char *names[3];
        int64_t sizes[3];
        const char *left, *right; /* factors, as letters */
        int64_t size[8];          /* of the left's factors */
        const char *dims;         /* of the result */
    } cases[] = {
        {"a b -> b a", "2 3", 0, {0}, {0}, "ab", "ba", {2, 3}, "3 2"},
        {"b (h d) n -> b h n d", "2 6 3", 1, {"h"}, {2}, "bhdn", "bhnd", {2, 2, 3, 3}, "2 2 3 3"},
        {"b c (h p) (w q) -> b (h w) (p q c)",
         "1 2 4 4",
         2,
         {"p", "q"},
         {2, 2},
         "bchpwq",
         "bhwpqc",
         {1, 2, 2, 2, 2, 2},
         "1 4 8"},
        {"b (y x) c -> b c y x", "2 6 3", 1, {"y"}, {2}, "byxc", "bcyx", {2, 2, 3, 3}, "2 3 2 3"},
        {"(b y x) c -> b c y x",
         "8 3",
         2,
         {"b", "y"},
         {2, 2},
         "byxc",
         "bcyx",
         {2, 2, 2, 3},
         "2 3 2 2"},
        {"a b -> (a b)", "2 3", 0, {0}, {0}, "ab", "ab", {2, 3}, "6"},
        {"(a b) -> a b", "6", 1, {"b"}, {3}, "ab", "ab", {2, 3}, "2 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench *t = open_bench(cases[i].shape);
        int64_t sizes[3];
        memcpy(sizes, cases[i].sizes, sizeof sizes);
        dg_pattern_error err;
        dg_value v =
            dg_rearrange(&t->b, cases[i].pattern, t->x[0], cases[i].names, sizes, cases[i].n, &err);
        if (dg_dtype_of(&t->b, v) == DG_POISON) fail_msg("%s: %s", cases[i].pattern, err.text);
        static double got[ROOM];
        dg_shape s;
        evaluate(t, v, &s, got);
        int rank = 0;
        for (const char *c = cases[i].dims; *c; c++) {
            if (*c != ' ') assert_int_equal(s.dim[rank++], *c - '0');
        }
        assert_int_equal(rank, s.rank);
        const char *left = cases[i].left, *right = cases[i].right;
        int n = (int)strlen(left);
        int64_t at[8] = {0};
        for (int64_t e = 0;; e++) {
            int64_t to = 0;
            for (int k = 0; k < n; k++) {
                int f = (int)(strchr(left, right[k]) - left);
                to = to * cases[i].size[f] + at[f];
            }
            assert_true(got[to] == t->data[0][e]);
            int k = n - 1;
            for (; k >= 0 && ++at[k] == cases[i].size[k]; k--) at[k] = 0;
            if (k < 0) break;
        }
        test_module_free(t->m);
    }
}

static void rearrange_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *shape;
        int n;
        const char *names[2];
        int64_t sizes[2];
        const char *text;
    } cases[] = {
        {"a b -> b", "2 3", 0, {0}, {0}, "axis `a` is missing on the right"},
        {"a -> a b", "2", 0, {0}, {0}, "axis `b` is missing on the left"},
        {"a b -> b a",
         "2 3 4",
         0,
         {0},
         {0},
         "the operand has rank 3, the left of the pattern 2 axes"},
        {"(a b) -> a b", "6", 0, {0}, {0}, "the sizes of both `a` and `b` are unknown"},
        {"(a b) -> a b",
         "6",
         1,
         {"a"},
         {4},
         "axis 0 has size 6, which does not split into parts of 4"},
        {"(a b) -> a b",
         "6",
         2,
         {"a", "b"},
         {2, 4},
         "axis 0 has size 6, which does not split into 8"},
        {"(a b) -> a b", "6", 1, {"c"}, {4}, "the pattern has no axis `c`"},
        {"(a b) -> a b", "6", 1, {"a"}, {INT64_MAX}, "does not fit into axis 0"},
        {"a b -> b a", "2 3", 1, {"b"}, {2}, "axis `b` has size 3, 2 was given"},
        {"a (b -> a b", "2 3", 0, {0}, {0}, "is not closed"},
        {"a a -> a a", "2 3", 0, {0}, {0}, "axis `a` stands twice"},
        {"a b", "2 3", 0, {0}, {0}, "lacks `->`"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench *t = open_bench(cases[i].shape);
        dg_pattern_error err;
        dg_value v = dg_rearrange(&t->b, cases[i].pattern, t->x[0], cases[i].names, cases[i].sizes,
                                  cases[i].n, &err);
        assert_int_equal(dg_dtype_of(&t->b, v), DG_POISON);
        if (!strstr(err.text, cases[i].text)) fail_msg("%s: %s", cases[i].pattern, err.text);
        test_module_free(t->m);
    }
}

/* ---- indexing ---- */

#define INT_(i)                                                                                    \
    {                                                                                              \
        .kind = DG_IX_INT, .a = (i)                                                                \
    }
#define CUT_(x, y, s)                                                                              \
    {                                                                                              \
        .kind = DG_IX_SLICE, .a = (x), .b = (y), .step = (s), .has_a = true, .has_b = true         \
    }
#define FROM_(x)                                                                                   \
    {                                                                                              \
        .kind = DG_IX_SLICE, .a = (x), .has_a = true                                               \
    }
#define EVERY_(s)                                                                                  \
    {                                                                                              \
        .kind = DG_IX_SLICE, .step = (s)                                                           \
    }
#define NEW_                                                                                       \
    {                                                                                              \
        .kind = DG_IX_NEW                                                                          \
    }
#define REST_                                                                                      \
    {                                                                                              \
        .kind = DG_IX_REST                                                                         \
    }
#define LOOK_                                                                                      \
    {                                                                                              \
        .kind = DG_IX_TENSOR                                                                       \
    }

/* x has shape [3, 4, 5]; the tensor is i32[2] = {2, 0}. `dims` of the result, then its first and
 * last element's numbers in x. */
static void index_values(void **state)
{
    (void)state;
    static const struct {
        dg_index_item items[5];
        int n;
        const char *dims;
        int64_t first, last;
    } cases[] = {
        {{INT_(1)}, 1, "4 5", 20, 39},
        {{INT_(-1)}, 1, "4 5", 40, 59},
        {{INT_(-3), INT_(3), INT_(4)}, 3, "", 19, 19},
        {{REST_, INT_(2)}, 2, "3 4", 2, 57},
        {{CUT_(1, 3, 1)}, 1, "2 4 5", 20, 59},
        {{CUT_(-2, 100, 1), EVERY_(3)}, 2, "2 2 5", 20, 59},
        {{CUT_(0, -1, 2)}, 1, "1 4 5", 0, 19},
        {{EVERY_(9)}, 1, "1 4 5", 0, 19},
        {{NEW_, REST_, NEW_, FROM_(3)}, 4, "1 3 4 1 2", 3, 59},
        {{INT_(0), NEW_}, 2, "1 4 5", 0, 19},
        {{REST_}, 1, "3 4 5", 0, 59},
        {{LOOK_}, 1, "2 4 5", 40, 19},
        {{LOOK_, INT_(1), LOOK_}, 3, "2 2", 47, 5},
        {{REST_, LOOK_, NEW_}, 3, "3 4 2 1", 2, 55},
        {{INT_(1), REST_, LOOK_}, 3, "4 2", 22, 35},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench *t = open_bench("3 4 5");
        dg_value at = test_place(&t->b, t->m, DG_I32, DG_SHAPE(2));
        memcpy(t->data[1], (const int32_t[]){2, 0}, 8);
        for (int e = 0; e < 60; e++) t->data[0][e] = e;
        dg_index_item items[5];
        memcpy(items, cases[i].items, sizeof items);
        for (int k = 0; k < 5; k++) items[k].tensor = at;
        dg_pattern_error err;
        dg_value v = dg_index_value(&t->b, t->x[0], items, cases[i].n, &err);
        if (dg_dtype_of(&t->b, v) == DG_POISON) fail_msg("case %zu: %s", i, err.text);
        static double got[ROOM];
        dg_shape s;
        evaluate(t, v, &s, got);
        int rank = 0;
        for (const char *c = cases[i].dims; *c; c++) {
            if (*c != ' ') assert_int_equal(s.dim[rank++], *c - '0');
        }
        assert_int_equal(rank, s.rank);
        assert_true(got[0] == (double)cases[i].first);
        assert_true(got[dg_shape_count(&s) - 1] == (double)cases[i].last);
        test_module_free(t->m);
    }
}

static void index_refusals(void **state)
{
    (void)state;
    static const struct {
        dg_index_item items[5];
        int n;
        const char *text;
    } cases[] = {
        {{INT_(3)}, 1, "index 3 is outside axis 0 of size 3"},
        {{REST_, INT_(-6)}, 2, "index -6 is outside axis 2 of size 5"},
        {{INT_(0), INT_(0), INT_(0), INT_(0)}, 4, "4 indices for a value of rank 3"},
        {{REST_, REST_}, 2, "`...` may stand once"},
        {{CUT_(2, 2, 1)}, 1, "the slice 2:2 of axis 0 of size 3 is empty"},
        {{FROM_(7)}, 1, "the slice 7: of axis 0 of size 3 is empty"},
        {{CUT_(0, 2, -1)}, 1, "must be positive, this one is -1"},
        {{LOOK_}, 1, "an index must be i32, this one is f64"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench *t = open_bench("3 4 5");
        dg_index_item items[5];
        memcpy(items, cases[i].items, sizeof items);
        for (int k = 0; k < 5; k++) items[k].tensor = t->x[0];
        dg_pattern_error err;
        assert_int_equal(
            dg_dtype_of(&t->b, dg_index_value(&t->b, t->x[0], items, cases[i].n, &err)), DG_POISON);
        if (!strstr(err.text, cases[i].text)) fail_msg("case %zu: %s", i, err.text);
        test_module_free(t->m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(einsum_values),      cmocka_unit_test(einsum_nodes),
        cmocka_unit_test(einsum_refusals),    cmocka_unit_test(rearrange_values),
        cmocka_unit_test(rearrange_refusals), cmocka_unit_test(index_values),
        cmocka_unit_test(index_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

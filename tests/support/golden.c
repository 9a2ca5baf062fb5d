/* golden.c: see golden.h. Failures are cmocka's, so that a report names case and precision. */
#include "tests/support/golden.h"

#include "compiler/base/os.h"
#include "compiler/base/str.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifndef DG_SHARED_DIR
#define DG_SHARED_DIR "../shared"
#endif

enum { MOST_SETTINGS = 32 };

typedef struct bound {
    const char *input;
    const double *values;
    int64_t n;
} bound;

struct golden {
    dg_arena *arena;
    dg_diag *diag;
    dg_context *context;
    dg_st_file file;
    const char *path, *graph, *precision;
    dg_arg_text config[MOST_SETTINGS], args[MOST_SETTINGS];
    int n_config, n_args, n_bound;
    bound inputs[MOST_SETTINGS];
    dg_program *program;
    dg_plan *plan;
    dg_store *store;
    dg_session *session;
    const char *entry;
};

typedef struct job {
    const char *path, *graph, *precision;
    const golden_case *what;
} job;

static void show(void *user, const dg_report *r)
{
    (void)user;
    print_error("%s", r->text);
}

static golden *open_golden(const job *j)
{
    dg_arena *a = dg_arena_new();
    golden *g = DG_NEW(a, golden);
    memset(g, 0, sizeof *g);
    g->arena = a;
    g->path = j->path;
    g->graph = j->graph;
    g->precision = j->precision;
    g->diag = dg_diag_new(a, NULL);
    assert_true(dg_st_open(g->diag, a, j->path, &g->file));
    g->context = dg_context_new(&(dg_options){.message = show, .precision = j->precision});
    assert_non_null(g->context);
    return g;
}

static void end_run(golden *g)
{
    if (g->session) dg_session_free(g->session);
    if (g->store) dg_store_free(g->store);
    if (g->plan) dg_plan_close(g->plan);
    if (g->program) dg_program_free(g->program);
    g->session = NULL;
    g->store = NULL;
    g->plan = NULL;
    g->program = NULL;
}

static void run_case(void **state)
{
    const job *j = *state;
    golden *g = open_golden(j);
    j->what->run(g);
    end_run(g);
    dg_context_free(g->context);
    dg_st_close(&g->file);
    dg_arena_free(g->arena);
}

int golden_main(const char *file, const char *graph, const golden_case *cases, int n)
{
    dg_arena *a = dg_arena_new();
    const char *path = dg_arena_printf(a, "%s/golden/%s", DG_SHARED_DIR, file);
    if (!dg_path_exists(path)) {
        printf("skipped: %s is not there\n", path);
        dg_arena_free(a);
        return 77;
    }
    static const char *precisions[] = {"f32", "f64"};
    job *jobs = DG_NEW_ARRAY(a, job, 2 * n);
    struct CMUnitTest *tests = DG_NEW_ARRAY(a, struct CMUnitTest, 2 * n);
    for (int i = 0; i < 2 * n; i++) {
        jobs[i] = (job){path, graph, precisions[i % 2], &cases[i / 2]};
        tests[i] = (struct CMUnitTest){
            .name = dg_arena_printf(a, "%s, %s", cases[i / 2].name, precisions[i % 2]),
            .test_func = run_case,
            .initial_state = &jobs[i]};
    }
    int failed = _cmocka_run_group_tests(file, tests, (size_t)(2 * n), NULL, NULL);
    dg_arena_free(a);
    return failed;
}

/* ---- what the file holds ---- */

bool golden_f64(const golden *g)
{
    return strcmp(g->precision, "f64") == 0;
}

const dg_st_file *golden_file(const golden *g)
{
    return &g->file;
}

dg_arena *golden_arena(golden *g)
{
    return g->arena;
}

const char *golden_name(golden *g, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *name = dg_arena_vprintf(g->arena, format, args);
    va_end(args);
    return name;
}

static const dg_st_tensor *find(const golden *g, const char *key)
{
    const dg_st_tensor *t = dg_st_find(&g->file, key);
    if (!t) print_error("the golden file has no %s\n", key);
    assert_non_null(t);
    return t;
}

bool golden_has(const golden *g, const char *key)
{
    return dg_st_find(&g->file, key) != NULL;
}

const char *golden_meta(const golden *g, const char *key)
{
    const char *text = dg_st_meta(&g->file, key);
    if (!text) print_error("the golden file's metadata has no %s\n", key);
    assert_non_null(text);
    return text;
}

static const double *values_of(golden *g, const dg_st_tensor *t, int64_t *n)
{
    int64_t count = dg_shape_count(&t->shape), bad;
    double *out = DG_NEW_ARRAY(g->arena, double, count + 1);
    if (t->dtype <= DG_ST_BF16) {
        assert_true(dg_st_convert(t, DG_F64, out, &bad));
    } else {
        int32_t *whole = DG_NEW_ARRAY(g->arena, int32_t, count + 1);
        assert_true(dg_st_convert(t, DG_I32, whole, &bad));
        for (int64_t i = 0; i < count; i++) out[i] = whole[i];
    }
    if (n) *n = count;
    return out;
}

const double *golden_values(golden *g, const char *key, int64_t *n)
{
    return values_of(g, find(g, key), n);
}

double golden_number(golden *g, const char *key)
{
    return golden_values(g, key, NULL)[0];
}

int64_t golden_dim(const golden *g, const char *key, int axis)
{
    const dg_st_tensor *t = find(g, key);
    assert_true(axis < t->shape.rank);
    return t->shape.dim[axis];
}

const char *golden_list_of(golden *g, const double *values, int64_t n)
{
    dg_text text = {0};
    dg_text_add(&text, "[");
    for (int64_t i = 0; i < n; i++) {
        char number[32];
        dg_text_add(&text, "%s%s", i ? ", " : "", dg_double_text(values[i], number));
    }
    dg_text_add(&text, "]");
    const char *list = dg_arena_text(g->arena, text.at, text.n);
    dg_text_free(&text);
    return list;
}

const char *golden_list(golden *g, const char *key)
{
    const dg_st_tensor *t = find(g, key);
    int64_t n;
    const double *values = golden_values(g, key, &n);
    if (t->dtype <= DG_ST_BF16) return golden_list_of(g, values, n);
    dg_text text = {0};
    dg_text_add(&text, "[");
    for (int64_t i = 0; i < n; i++) dg_text_add(&text, "%s%.0f", i ? ", " : "", values[i]);
    dg_text_add(&text, "]");
    const char *list = dg_arena_text(g->arena, text.at, text.n);
    dg_text_free(&text);
    return list;
}

/* ---- one run ---- */

void golden_config(golden *g, const char *name, const char *format, ...)
{
    assert_true(g->n_config < MOST_SETTINGS);
    va_list args;
    va_start(args, format);
    g->config[g->n_config++] =
        (dg_arg_text){.name = name, .value = dg_arena_vprintf(g->arena, format, args)};
    va_end(args);
}

void golden_arg(golden *g, const char *name, const char *format, ...)
{
    assert_true(g->n_args < MOST_SETTINGS);
    va_list args;
    va_start(args, format);
    g->args[g->n_args++] =
        (dg_arg_text){.name = name, .value = dg_arena_vprintf(g->arena, format, args)};
    va_end(args);
}

void golden_dims(golden *g, const char *key, const char *names)
{
    char *words = dg_arena_text(g->arena, names, strlen(names)), *rest;
    int axis = 0;
    for (char *w = strtok_r(words, " ", &rest); w; w = strtok_r(NULL, " ", &rest), axis++)
        if (strcmp(w, "_") != 0) golden_config(g, w, "%lld", (long long)golden_dim(g, key, axis));
    assert_int_equal(axis, find(g, key)->shape.rank);
}

void golden_bind_values(golden *g, const char *input, const double *values, int64_t n)
{
    assert_true(g->n_bound < MOST_SETTINGS);
    g->inputs[g->n_bound++] = (bound){input, values, n};
}

void golden_bind(golden *g, const char *input, const char *key)
{
    int64_t n;
    const double *values = golden_values(g, key, &n);
    golden_bind_values(g, input, values, n);
}

void golden_bind_rows(golden *g, const char *input, const char *key, int64_t first, int64_t count)
{
    int64_t n, rows = golden_dim(g, key, 0);
    const double *values = golden_values(g, key, &n);
    assert_true(first >= 0 && first + count <= rows);
    golden_bind_values(g, input, values + first * (n / rows), count * (n / rows));
}

void golden_mixture(golden *g)
{
    static const char *const inputs[] = {"weights", "means", "stds"};
    dg_st_file other = {0}, *from = &g->file;
    if (!golden_has(g, "gmm/means")) {
        from = &other;
        int folder = (int)(strrchr(g->path, '/') - g->path);
        const char *beside = golden_name(g, "%.*s/gmm.safetensors", folder, g->path);
        assert_true(dg_st_open(g->diag, g->arena, beside, from));
    }
    for (int i = 0; i < 3; i++) {
        const char *key = golden_name(g, "%s%s", from == &other ? "" : "gmm/", inputs[i]);
        const dg_st_tensor *t = dg_st_find(from, key);
        if (!t) print_error("the mixture has no %s\n", key);
        assert_non_null(t);
        int64_t n;
        const double *values = values_of(g, t, &n);
        golden_bind_values(g, inputs[i], values, n);
        if (i != 1) continue;
        golden_config(g, "K", "%lld", (long long)t->shape.dim[0]);
        golden_config(g, "D", "%lld", (long long)t->shape.dim[1]);
    }
    if (from == &other) dg_st_close(from);
}

static const dg_tensor_info *info_of(const dg_tensor_info *list, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(list[i].name, name) == 0) return &list[i];
    return NULL;
}

static int64_t count_of(const dg_tensor_info *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= t->dims[i];
    return n;
}

static void bind_input(golden *g, const bound *b)
{
    const dg_tensor_info *list;
    const dg_tensor_info *t = info_of(list, dg_plan_inputs(g->plan, &list), b->input);
    if (!t) print_error("entry %s has no input %s\n", g->entry, b->input);
    assert_non_null(t);
    if (count_of(t) != b->n)
        print_error("input %s takes %lld values, bound are %lld\n", b->input,
                    (long long)count_of(t), (long long)b->n);
    assert_int_equal(count_of(t), b->n);
    uint8_t *data = dg_arena_alloc(g->arena, t->bytes);
    for (int64_t i = 0; i < b->n; i++) {
        if (strcmp(t->dtype, "f64") == 0)
            ((double *)(void *)data)[i] = b->values[i];
        else if (strcmp(t->dtype, "f32") == 0)
            ((float *)(void *)data)[i] = (float)b->values[i];
        else if (strcmp(t->dtype, "i32") == 0)
            ((int32_t *)(void *)data)[i] = (int32_t)b->values[i];
        else
            data[i] = (uint8_t)b->values[i];
    }
    assert_int_equal(dg_session_bind(g->session, b->input, data, t->bytes), DG_OK);
}

void golden_run(golden *g, const char *entry)
{
    end_run(g);
    g->entry = entry;
    g->program = dg_program_open(g->context, g->graph, g->config, g->n_config);
    assert_non_null(g->program);
    g->plan = dg_plan_compile(g->program, entry, g->args, g->n_args);
    assert_non_null(g->plan);
    g->store = dg_store_new(g->context);
    g->session = dg_session_new(g->plan, g->store);
    assert_non_null(g->session);
    for (int i = 0; i < g->n_bound; i++) bind_input(g, &g->inputs[i]);
    assert_int_equal(dg_session_run(g->session), DG_OK);
    g->n_config = g->n_args = g->n_bound = 0;
}

const double *golden_result(golden *g, const char *output, int64_t *n)
{
    const dg_tensor_info *list;
    const dg_tensor_info *t = info_of(list, dg_plan_outputs(g->plan, &list), output);
    if (!t) print_error("entry %s has no output %s\n", g->entry, output);
    assert_non_null(t);
    int64_t count = count_of(t);
    uint8_t *data = dg_arena_alloc(g->arena, t->bytes);
    assert_int_equal(dg_session_read(g->session, output, data, t->bytes), DG_OK);
    double *out = DG_NEW_ARRAY(g->arena, double, count + 1);
    for (int64_t i = 0; i < count; i++) {
        if (strcmp(t->dtype, "f64") == 0)
            out[i] = ((const double *)(const void *)data)[i];
        else if (strcmp(t->dtype, "f32") == 0)
            out[i] = (double)((const float *)(const void *)data)[i];
        else if (strcmp(t->dtype, "i32") == 0)
            out[i] = ((const int32_t *)(const void *)data)[i];
        else
            out[i] = data[i];
    }
    if (n) *n = count;
    return out;
}

static void compare(golden *g, const char *what, const double *have, const double *want, int64_t n,
                    double largest, golden_tol tol)
{
    /* 1e-15: the stored number may itself be a difference of numbers of size 1, as a divergence of
     * two nearly equal Gaussians is */
    double allowed = golden_f64(g) ? fmax(1e-9 * largest, 1e-15) : tol.abs + tol.rel * largest;
    double worst = 0;
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++) {
        if (have[i] == want[i]) continue;
        double off = fabs(have[i] - want[i]);
        if (!isfinite(off)) off = INFINITY;
        if (off > worst) {
            worst = off;
            at = i;
        }
    }
    if (worst > allowed)
        print_error("%s, %s: off by %.3g at element %lld (%.9g for %.9g), allowed %.3g\n", what,
                    g->precision, worst, (long long)at, have[at], want[at], allowed);
    assert_true(worst <= allowed);
}

static double largest_of(const double *x, int64_t n)
{
    double m = 0;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(x[i])) m = fmax(m, fabs(x[i]));
    return m;
}

static const double *result_of_size(golden *g, const char *output, const char *key, int64_t n)
{
    int64_t have_n;
    const double *have = golden_result(g, output, &have_n);
    if (have_n != n)
        print_error("%s has %lld values, %s has %lld\n", output, (long long)have_n, key,
                    (long long)n);
    assert_int_equal(have_n, n);
    return have;
}

void golden_expect_values(golden *g, const char *output, const double *want, int64_t n,
                          golden_tol tol)
{
    const double *have = result_of_size(g, output, "the wanted list", n);
    compare(g, output, have, want, n, largest_of(want, n), tol);
}

void golden_expect(golden *g, const char *output, const char *key, golden_tol tol)
{
    int64_t n;
    const double *want = golden_values(g, key, &n);
    compare(g, key, result_of_size(g, output, key, n), want, n, largest_of(want, n), tol);
}

void golden_expect_rows(golden *g, const char *output, const char *key, int64_t first,
                        int64_t count, golden_tol tol)
{
    int64_t n, rows = golden_dim(g, key, 0);
    const double *want = golden_values(g, key, &n);
    assert_true(first >= 0 && first + count <= rows);
    int64_t row = n / rows;
    compare(g, key, result_of_size(g, output, key, count * row), want + first * row, count * row,
            largest_of(want + first * row, count * row), tol);
}

void golden_expect_path(golden *g, const char *output, const char *key, golden_tol tol,
                        golden_tol last)
{
    int64_t n, rows = golden_dim(g, key, 0);
    const double *want = golden_values(g, key, &n), *have = result_of_size(g, output, key, n);
    int64_t row = n / rows;
    compare(g, key, have, want, n, largest_of(want, n), tol);
    const double *end = want + n - row;
    compare(g, golden_name(g, "%s, the end", key), have + n - row, end, row, largest_of(end, row),
            last);
}

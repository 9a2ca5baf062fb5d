/* 08_dpmsolver.c: DPM-Solver and DPM-Solver++. Each key names its configuration. */
#include "tests/golden/process.h"

typedef struct configuration {
    int order, n;
    const char *grid, *method, *algorithm, *solver;
    bool denoise;
} configuration;

/* Takes the word of the list that `at` begins with, and a '_' behind it. Longer words come first.
 */
static const char *word(const char **at, const char *const *words)
{
    for (int i = 0; words[i]; i++) {
        size_t n = strlen(words[i]);
        if (strncmp(*at, words[i], n) != 0 || ((*at)[n] && (*at)[n] != '_')) continue;
        *at += n + ((*at)[n] == '_');
        return words[i];
    }
    return NULL;
}

static bool parse(const char *key, configuration *c)
{
    static const char *const grids[] = {"time_uniform", "time_quadratic", "logSNR", NULL};
    static const char *const methods[] = {"multistep", "singlestep_fixed", "singlestep", NULL};
    static const char *const algorithms[] = {"dpmsolver++", "dpmsolver", NULL};
    static const char *const solvers[] = {"dpmsolver", "taylor", NULL};
    static const char *const ends[] = {"denoise0", NULL};
    int used = 0;
    if (sscanf(key, "o%d_n%d_%n", &c->order, &c->n, &used) != 2 || used == 0) return false;
    const char *at = key + used;
    c->grid = word(&at, grids);
    c->method = word(&at, methods);
    c->algorithm = word(&at, algorithms);
    c->solver = word(&at, solvers);
    c->denoise = word(&at, ends) != NULL;
    return *at == '\0' && c->grid && c->method && c->algorithm && c->solver;
}

/* Calls made by each outer step; how many outer steps there are. */
static int orders_of(const configuration *c, int *orders)
{
    int n = 0;
    for (int left = c->n; left > 0;) {
        int p = strcmp(c->method, "multistep") == 0 ? 1 : c->order;
        if (strcmp(c->method, "singlestep") == 0) {
            if (p > left) p = left;
            if (c->order == 3 && left == 3) p = 2; /* the last three calls: orders 2 and 1 */
        } else if (p > left) {
            break;
        }
        orders[n++] = p;
        left -= p;
    }
    if (c->denoise) orders[n++] = 1;
    return n;
}

static void configure(golden *g)
{
    process_config(g, golden_meta(g, "betas"));
    golden_dims(g, "x_T", "B C H W");
    golden_dims(g, "gmm/means", "K D");
}

/* predicts: what the denoiser is asked for. Of eps float32 keeps too few digits where a long step
 * begins in almost pure noise, and x0 is as good a question. */
static void run_one(golden *g, const char *key, const configuration *c, const char *predicts)
{
    configure(g);
    golden_config(g, "n", "%d", c->n);
    golden_config(g, "order", "%d", c->order);
    golden_config(g, "grid", "%s", c->grid);
    golden_config(g, "method", "%s", c->method);
    golden_config(g, "algorithm_type", "\"%s\"", c->algorithm);
    golden_config(g, "solver_type", "%s", c->solver);
    golden_config(g, "predicts", "%s", predicts);
    golden_config(g, "denoise", "%s", c->denoise ? "true" : "false");
    golden_bind(g, "x", "x_T");
    golden_bind(g, "weights", "gmm/weights");
    golden_bind(g, "means", "gmm/means");
    golden_bind(g, "stds", "gmm/stds");
    golden_run(g, "solve_ode");

    int *orders = malloc(((size_t)c->n + 1) * sizeof *orders);
    assert_non_null(orders);
    int outer = orders_of(c, orders);
    int64_t calls, n, row;
    const double *path = golden_result(g, "path", &calls), *want = golden_values(g, key, &n);
    golden_values(g, "x_T", &row);
    if (n != outer * row) print_error("%s: %d outer steps were expected\n", key, outer);
    assert_int_equal(n, outer * row);
    /* the file has no points inside a step: there the path is its own measure */
    double *ends = malloc((size_t)calls * sizeof *ends);
    assert_non_null(ends);
    memcpy(ends, path, (size_t)calls * sizeof *ends);
    for (int i = 0, call = 0; i < outer; i++) {
        call += orders[i];
        assert_true(call * row <= calls);
        memcpy(ends + (call - 1) * row, want + i * row, (size_t)row * sizeof *ends);
    }
    golden_expect_values(g, "path", ends, calls, GOLDEN_ABS(1e-4));
    free(ends);
    free(orders);
}

static void solvers(golden *g)
{
    const dg_st_file *f = golden_file(g);
    int found = 0;
    for (int i = 0; i < f->n; i++) {
        const char *key = f->tensors[i].name;
        configuration c;
        if (key[0] != 'o' || !strchr("0123456789", key[1])) continue;
        if (!parse(key, &c)) print_error("%s names no configuration\n", key);
        assert_true(parse(key, &c));
        run_one(g, key, &c, "x0");
        if (golden_f64(g)) run_one(g, key, &c, "eps");
        found++;
    }
    assert_true(found > 0);
}

static void schedule(golden *g)
{
    configure(g);
    golden_arg(g, "t", "%s", golden_list(g, "schedule/t"));
    golden_run(g, "schedule");
    golden_expect(g, "result", "schedule/log_alpha_every_50th", GOLDEN_REL(2e-5));
    golden_expect(g, "result.1", "schedule/lambda", GOLDEN_REL(2e-5));
    golden_expect(g, "result.2", "schedule/inverse_lambda_of_lambda", GOLDEN_REL(2e-5));
    golden_expect(g, "result.3", "schedule/n_after_clip", GOLDEN_REL(0));
}

int main(void)
{
    static const golden_case cases[] = {{"schedule in continuous time", schedule},
                                        {"every configuration", solvers}};
    return golden_main("08_dpmsolver.safetensors", "tests/golden/08_dpmsolver.dg", cases, 2);
}

/* 13_likelihood.c: the probability-flow ODE and its log-likelihood. The solvers and their steps are
 * read from the keys, <solver>_log_sigma_n<n>/... */
#include "tests/support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const golden_tol single = {0, 2e-5};

static void oracle(golden *g)
{
    golden_bind(g, "weights", "gmm/weights");
    golden_bind(g, "means", "gmm/means");
    golden_bind(g, "stds", "gmm/stds");
    golden_dims(g, "gmm/means", "K D");
    golden_dims(g, "x", "B C H W");
    golden_bind(g, "x", "x");
    golden_config(g, "lo", "%#.17g", strtod(golden_meta(g, "sigma_min"), NULL));
    golden_config(g, "hi", "%#.17g", strtod(golden_meta(g, "sigma_max"), NULL));
}

static void exact(golden *g)
{
    oracle(g);
    golden_run(g, "exact");
    golden_expect(g, "result", "exact_logp_at_sigma_min", single);
}

static void drift(golden *g)
{
    const dg_st_file *file = golden_file(g);
    oracle(g);
    golden_bind(g, "v", "hutchinson_rademacher");
    golden_run(g, "drift");
    golden_expect(g, "result", "drift_at_sigma_min", single);
    golden_expect(g, "divergence", "divergence_at_sigma_min", single);
    int found = 0;
    for (int i = 0; i < file->n; i++) { /* by central differences, which agree to 1e-11 */
        if (strncmp(file->tensors[i].name, "hutchinson_at_sigma_min", 23) != 0) continue;
        golden_expect(g, "estimate", file->tensors[i].name, single);
        found++;
    }
    assert_true(found > 0);
}

static void solve(golden *g)
{
    const dg_st_file *file = golden_file(g);
    int found = 0;
    for (int i = 0; i < file->n; i++) {
        char solver[16];
        int n, end = 0;
        if (sscanf(file->tensors[i].name, "%15[^_]_log_sigma_n%d/latent%n", solver, &n, &end) !=
                2 ||
            !end)
            continue;
        const char *folder = golden_name(g, "%s_log_sigma_n%d", solver, n);
        oracle(g);
        golden_arg(g, "solver", "%s", solver);
        golden_arg(g, "n", "%d", n);
        golden_run(g, "solve");
        golden_expect(g, "result", golden_name(g, "%s/latent", folder), single);
        golden_expect(g, "delta", golden_name(g, "%s/delta_logp", folder), single);
        golden_expect(g, "exact_prior", golden_name(g, "%s/logp_exact_prior", folder), single);
        golden_expect(g, "gaussian_prior", golden_name(g, "%s/logp_gaussian_prior", folder),
                      single);
        found++;
    }
    assert_true(found > 0);
}

int main(void)
{
    static const golden_case cases[] = {
        {"exact density", exact}, {"drift and divergence", drift}, {"solves", solve}};
    return golden_main("13_likelihood.safetensors", "tests/golden/13_likelihood.dg", cases,
                       sizeof cases / sizeof *cases);
}

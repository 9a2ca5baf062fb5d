/* 12_dpm2015.c: the diffusion of 2015: bits by exact enumeration, and the Gaussian code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/golden.h"

static void expect_all(golden *g, const char *const wanted[][2], int n)
{
    for (int i = 0; i < n; i++) golden_expect(g, wanted[i][0], wanted[i][1], GOLDEN_REL(2e-5));
}
#define EXPECT_ALL(g, wanted) expect_all(g, wanted, (int)(sizeof(wanted) / sizeof *(wanted)))

static void schedule(golden *g, const char *betas)
{
    golden_config(g, "betas", "%s", golden_list(g, betas));
    golden_config(g, "T", "%lld", (long long)golden_dim(g, betas, 0));
}

static void chain(golden *g)
{
    static const char *const wanted[][2] = {
        {"result", "bin/kl_t2..T"},        {"result.1", "bin/H_xT_given_x0"},
        {"result.2", "bin/H_x1_given_x0"}, {"result.3", "bin/H_p_xT"},
        {"result.4", "bin/K_nats"},        {"result.5", "bin/K_bits"},
        {"result.6", "bin/alpha_bar"},
    };
    schedule(g, "bin/betas");
    golden_dims(g, "bin/x0", "B n");
    golden_bind(g, "x0", "bin/x0");
    golden_bind(g, "W", "bin/W");
    golden_bind(g, "b_t", "bin/b_t");
    golden_run(g, "chain");
    EXPECT_ALL(g, wanted);
}

/* The keys name the step, counted from 1: reverse_prob_t3. */
static void posterior(golden *g)
{
    static const char start[] = "bin/reverse_prob_t";
    const dg_st_file *f = golden_file(g);
    int found = 0;
    for (int i = 0; i < f->n; i++) {
        const char *key = f->tensors[i].name;
        if (strncmp(key, start, sizeof start - 1) != 0) continue;
        long t = strtol(key + sizeof start - 1, NULL, 10);
        schedule(g, "bin/betas");
        golden_dims(g, "bin/posterior/x_t", "S n");
        golden_bind_rows(g, "x0", "bin/x0", 0, 1);
        golden_bind(g, "x", "bin/posterior/x_t");
        golden_bind(g, "W", "bin/W");
        golden_bind(g, "b_t", "bin/b_t");
        golden_arg(g, "t", "%ld", t - 1);
        golden_run(g, "reverse_of");
        golden_expect(g, "result", golden_name(g, "bin/posterior/q_prob_t%ld_first_x0", t),
                      GOLDEN_REL(2e-5));
        golden_expect(g, "result.1", key, GOLDEN_REL(2e-5));
        found++;
    }
    assert_true(found > 0);
}

static void published_schedule(golden *g)
{
    static const char *const wanted[][2] = {
        {"result", "gauss/beta_baseline"},
        {"result.1", "gauss/beta"},
        {"result.2", "gauss/temporal_basis_T_by_nb"},
    };
    golden_dims(g, "gauss/temporal_basis_T_by_nb", "T bumps");
    golden_run(g, "published");
    EXPECT_ALL(g, wanted);
}

static void gauss(golden *g)
{
    static const char *const wanted[][2] = {
        {"result", "gauss/x_noisy"},
        {"result.1", "gauss/mu_posterior"},
        {"result.2", "gauss/sigma_posterior"},
        {"result.3", "gauss/mu"},
        {"result.4", "gauss/sigma"},
        {"result.5", "gauss/KL"},
        {"result.6", "gauss/negL_minus_gaussian_bits_mean"},
    };
    schedule(g, "gauss/beta");
    golden_dims(g, "gauss/x0", "B D");
    golden_bind(g, "x0", "gauss/x0");
    golden_bind(g, "noise", "gauss/noise");
    golden_bind(g, "mu_coeff", "gauss/mu_coeff");
    golden_bind(g, "beta_coeff", "gauss/beta_coeff");
    golden_arg(g, "t", "%.0f", golden_number(g, "gauss/t_index"));
    golden_run(g, "gauss");
    EXPECT_ALL(g, wanted);
}

int main(void)
{
    static const golden_case cases[] = {{"chain of bits", chain},
                                        {"one step of it", posterior},
                                        {"published schedule", published_schedule},
                                        {"Gaussian step", gauss}};
    return golden_main("12_dpm2015.safetensors", "tests/golden/12_dpm2015.dg", cases, 4);
}

/* 13_likelihood.c: the probability-flow ODE and its log-likelihood. */
#include "tests/support/golden.h"

static void oracle(golden *g)
{
    golden_bind(g, "weights", "gmm/weights");
    golden_bind(g, "means", "gmm/means");
    golden_bind(g, "stds", "gmm/stds");
    golden_dims(g, "gmm/means", "K D");
}

static void exact(golden *g)
{
    oracle(g);
    golden_dims(g, "x", "B C H W");
    golden_bind(g, "x", "x");
    golden_arg(g, "sigma", "%s", golden_meta(g, "sigma_min"));
    golden_run(g, "exact");
    golden_expect(g, "result", "exact_logp_at_sigma_min", GOLDEN_REL(2e-5));
}

int main(void)
{
    static const golden_case cases[] = {{"exact density", exact}};
    return golden_main("13_likelihood.safetensors", "tests/golden/13_likelihood.dg", cases, 1);
}

/* 11_ncsn.c: the ladder of levels, annealed Langevin dynamics with stored noise, and the loss of
 * denoising score matching with its gradient. */
#include "tests/support/golden.h"

#include <stdlib.h>

static const golden_tol single = {0, 2e-5};

static void ladder(golden *g)
{
    golden_config(g, "sigmas", "%s", golden_list(g, "sigmas"));
    golden_config(g, "lr", "%#.17g", strtod(golden_meta(g, "step_lr"), NULL));
}

static void levels(golden *g)
{
    int64_t n;
    const double *sigmas = golden_values(g, "sigmas", &n);
    ladder(g);
    golden_config(g, "L", "%lld", (long long)n);
    golden_arg(g, "hi", "%#.17g", sigmas[0]);
    golden_arg(g, "lo", "%#.17g", sigmas[n - 1]);
    golden_run(g, "levels");
    golden_expect(g, "result", "sigmas", single);
    golden_expect(g, "steps", "ald/step_sizes", single);
}

static void langevin(golden *g)
{
    ladder(g);
    golden_dims(g, "noise", "L R B C H W");
    golden_dims(g, "gmm/means", "K D");
    golden_bind(g, "weights", "gmm/weights");
    golden_bind(g, "means", "gmm/means");
    golden_bind(g, "stds", "gmm/stds");
    golden_bind(g, "x", "x_init");
    golden_bind(g, "noise", "noise");
    golden_run(g, "sample");
    golden_expect_path(g, "path", "ald/x_after_each_level", GOLDEN_REL(5e-5), single);
    golden_expect(g, "result", "ald/final_denoised", single);
}

static void loss(golden *g)
{
    ladder(g);
    golden_dims(g, "dsm/x", "N C H W");
    golden_bind(g, "x0", "dsm/x");
    golden_bind(g, "label", "dsm/labels");
    golden_bind(g, "z", "dsm/noise");
    golden_bind(g, "scores", "dsm/scores");
    golden_run(g, "loss");
    golden_expect(g, "perturbed", "dsm/perturbed", single);
    golden_expect(g, "target", "dsm/target", single);
    golden_expect(g, "each", "dsm/loss_per_sample", single);
    golden_expect(g, "result", "dsm/loss", single);
    golden_expect(g, "grad", "dsm/grad_scores", single);
}

int main(void)
{
    static const golden_case cases[] = {
        {"levels", levels}, {"annealed Langevin dynamics", langevin}, {"loss", loss}};
    return golden_main("11_ncsn.safetensors", "tests/golden/11_ncsn.dg", cases,
                       sizeof cases / sizeof *cases);
}

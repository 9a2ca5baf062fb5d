/* 04_ancestral.c: ancestral sampling over some steps of a schedule with each kind of variance, and
 * the bound by terms. */
#include "tests/golden/process.h"

/* The least abar of the chain. */
static double least(golden *g)
{
    int64_t n;
    const double *betas = golden_values(g, "betas_respaced", &n);
    double a = 1;
    for (int64_t i = 0; i < n; i++) a *= 1 - betas[i];
    return a;
}

static void configure(golden *g)
{
    process_config(g, golden_meta(g, "sched"));
    golden_config(g, "betas_respaced", "%s", golden_list(g, "betas_respaced"));
    golden_config(g, "steps", "%s", golden_list(g, "use_timesteps"));
    bool clips = strcmp(golden_meta(g, "clip_denoised"), "True") == 0;
    golden_arg(g, "clip_x0", "%s", clips ? "true" : "false");
    golden_mixture(g);
}

static void sample(golden *g)
{
    static const char *const kinds[][2] = {
        {"fixed_small", "small"}, {"fixed_large", "large"}, {"learned_range", "learned_range"}};
    int found = 0;
    for (int i = 0; i < 3; i++) {
        const char *x = golden_name(g, "%s/x", kinds[i][0]);
        if (!golden_has(g, x)) continue;
        configure(g);
        golden_dims(g, x, "S B C H W");
        golden_arg(g, "variance", "%s", kinds[i][1]);
        golden_bind(g, "x", "x_T");
        golden_bind(g, "z", "noise");
        golden_run(g, "sample");
        /* README: where abar is tiny, the first estimates of x0 have few digits in float32 */
        bool steep = least(g) < 1e-6;
        golden_tol on_path = GOLDEN_ABS(steep ? 2e-2 : 1e-4);
        golden_tol last = GOLDEN_ABS(steep ? 2e-4 : 2e-5);
        golden_expect_path(g, "x", x, on_path, last);
        golden_expect_path(g, "pred_xstart", golden_name(g, "%s/pred_xstart", kinds[i][0]), on_path,
                           last);
        found++;
    }
    assert_true(found > 0);
}

static void bound(golden *g)
{
    /* README as above: the root mean square error of x0 is off by no more than x0 is. */
    double x0 = least(g) < 1e-6 ? 2e-2 : 0;
    struct {
        const char *output, *key;
        double abs;
    } wanted[] = {
        {"result", "bpd/vb", 0},
        {"result.1", "bpd/xstart_mse", 2 * x0},
        {"result.2", "bpd/eps_mse", 0},
        {"result.3", "bpd/prior", 0},
        {"result.4", "bpd/total", 0},
        {"result.5", "bpd/rate_cumulative_bits_per_dim", 0},
        {"result.6", "bpd/distortion_rmse_0_255", 127.5 * x0},
    };
    configure(g);
    golden_dims(g, "bpd/noise", "S B C H W");
    golden_arg(g, "variance", "small");
    golden_bind(g, "x0", "bpd/x0");
    golden_bind(g, "z", "bpd/noise");
    golden_run(g, "terms");
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        golden_expect(g, wanted[i].output, wanted[i].key, (golden_tol){wanted[i].abs, 2e-5});
}

int main(void)
{
    static const golden_case cases[] = {{"samples", sample}, {"terms of the bound", bound}};
    return golden_main("04_ancestral.safetensors", "tests/golden/04_ancestral.dg", cases, 2);
}

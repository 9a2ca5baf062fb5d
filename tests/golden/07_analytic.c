/* 07_analytic.c: Analytic-DPM and its heads: Gamma, variances, trajectories, samples, bounds. Which
 * kinds, numbers of steps and values of eta there are is read off the keys of the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/golden.h"

/* The rest of the i-th key that begins with `start`; NULL where it does not. */
static const char *after(golden *g, int i, const char *start)
{
    const char *key = golden_file(g)->tensors[i].name;
    size_t n = strlen(start);
    return strncmp(key, start, n) == 0 ? key + n : NULL;
}

static bool ends(const char *text, const char *with)
{
    size_t n = strlen(text), m = strlen(with);
    return n >= m && strcmp(text + n - m, with) == 0;
}

static void schedule(golden *g, const char *betas)
{
    golden_config(g, "betas", "%s", golden_list(g, betas));
    golden_config(g, "N", "%lld", (long long)golden_dim(g, betas, 0));
}

/* Data of `x0`, the mixture, and the bias of the NPR case from its text in the metadata. */
static void oracle(golden *g, const char *input, const char *x0)
{
    double bias, pitch;
    assert_int_equal(sscanf(golden_meta(g, "npr_bias"), "%lf*sin(%lf*x)", &bias, &pitch), 2);
    golden_config(g, "bias", "%.17g", bias);
    golden_config(g, "pitch", "%.17g", pitch);
    golden_dims(g, x0, "B C H W");
    golden_dims(g, "gmm/means", "K D");
    golden_bind(g, input, x0);
    golden_bind(g, "weights", "gmm/weights");
    golden_bind(g, "means", "gmm/means");
    golden_bind(g, "stds", "gmm/stds");
}

static void estimate(golden *g)
{
    schedule(g, "betas");
    oracle(g, "x0", "x0");
    golden_bind(g, "z", "noise");
    golden_run(g, "estimate");
    golden_expect(g, "result", "gamma", GOLDEN_REL(2e-5));
}

static void variances(golden *g)
{
    schedule(g, "betas");
    golden_config(g, "gamma", "%s", golden_list(g, "gamma"));
    golden_run(g, "variances");
    golden_expect(g, "result",
                  "opt_var/[sigma2, lower_lambda2, upper_cov_eps_max, beta_over_alpha]",
                  GOLDEN_REL(2e-5));
}

static void trajectories(golden *g)
{
    int found = 0;
    for (int i = 0; i < golden_file(g)->n; i++) {
        const char *n = after(g, i, "traj/dp_seg/K"), *even = after(g, i, "traj/linear/K");
        if (!n && !even) continue;
        schedule(g, "betas");
        golden_config(g, "gamma", "%s", golden_list(g, "traj/gamma"));
        golden_arg(g, "n", "%s", n ? n : even);
        golden_run(g, n ? "chosen" : "even");
        golden_expect(g, "result", golden_file(g)->tensors[i].name, GOLDEN_ABS(0));
        found++;
    }
    assert_true(found > 0);
    schedule(g, "betas");
    golden_config(g, "gamma", "%s", golden_list(g, "traj/gamma"));
    golden_run(g, "segments");
    golden_expect(g, "result", "traj/cost_finite", GOLDEN_REL(2e-5));
}

/* "ddpm/big/x", "ddim/npr_eta0.5/x": form, kind, eta. The README's classes: chains of the cosine
 * schedule begin at an abar so small that float32 has few digits of x0. */
static void samples(golden *g)
{
    int found = 0;
    for (int i = 0; i < golden_file(g)->n; i++) {
        char form[8], kind[16];
        const char *rest = after(g, i, "sample/"), *name = golden_file(g)->tensors[i].name;
        if (!rest || !ends(rest, "/x")) continue;
        assert_int_equal(sscanf(rest, "%7[a-z]/%15[a-z]", form, kind), 2);
        const char *eta = strstr(rest, "_eta");
        schedule(g, "betas");
        golden_config(g, "gamma", "%s", golden_list(g, "gamma"));
        golden_config(g, "steps", "%s", golden_list(g, "steps"));
        golden_config(g, "S", "%lld", (long long)golden_dim(g, "steps", 0));
        oracle(g, "x", "x_T");
        golden_bind(g, "z", "step_noise");
        golden_arg(g, "form", "%s", form);
        golden_arg(g, "kind", "%s", kind);
        golden_arg(g, "eta", "%.17g", eta ? strtod(eta + 4, NULL) : 1.0);
        golden_arg(g, "pixel", "%s", golden_meta(g, "clip_pixel"));
        golden_arg(g, "jumps", "%s", golden_meta(g, "clip_sigma_idx"));
        golden_run(g, "sample");
        const char *sigma2 = golden_name(g, "%.*ssigma2", (int)strlen(name) - 1, name);
        bool steep = strcmp(golden_meta(g, "sched"), "cosine") == 0;
        golden_tol on_path = GOLDEN_ABS(steep ? 2e-2 : 1e-4);
        golden_tol last = steep ? GOLDEN_ABS(2e-4) : GOLDEN_REL(2e-5);
        golden_expect_path(g, "x", name, on_path, last);
        golden_expect_path(g, "v", sigma2, on_path, last);
        found++;
    }
    assert_true(found > 0);
}

static void bound_terms(golden *g)
{
    int found = 0;
    for (int i = 0; i < golden_file(g)->n; i++) {
        char kind[16];
        const char *rest = after(g, i, "nelbo/"), *name = golden_file(g)->tensors[i].name;
        if (!rest || !ends(rest, "/total")) continue;
        assert_int_equal(sscanf(rest, "%15[a-z]", kind), 1);
        schedule(g, "betas");
        golden_config(g, "gamma", "%s", golden_list(g, "gamma"));
        golden_config(g, "steps", "%s", golden_list(g, "steps"));
        golden_config(g, "S", "%lld", (long long)golden_dim(g, "steps", 0));
        oracle(g, "x0", "nelbo/x0");
        golden_bind(g, "z", "nelbo/noise");
        golden_arg(g, "kind", "%s", kind);
        golden_run(g, "terms");
        golden_expect(g, "result", golden_name(g, "nelbo/%s/terms_from_T_to_0", kind),
                      GOLDEN_REL(2e-5));
        golden_expect(g, "result.1", name, GOLDEN_REL(2e-5));
        found++;
    }
    assert_true(found > 0);
}

/* dp_vb/F_big_finite_upper is the table of one kind of variance; the paths belong to it. */
static void jumps(golden *g)
{
    char kind[16] = "";
    for (int i = 0; i < golden_file(g)->n; i++) {
        const char *rest = after(g, i, "dp_vb/F_");
        if (rest) assert_int_equal(sscanf(rest, "%15[a-z]", kind), 1);
    }
    for (int i = 0; i < golden_file(g)->n; i++) {
        const char *edges = after(g, i, "dp_vb/path/K"), *table = after(g, i, "dp_vb/F_");
        if (!edges && !table) continue;
        schedule(g, "dp_vb/betas");
        oracle(g, "x0", "nelbo/x0");
        golden_bind(g, "z", "dp_vb/noise");
        golden_arg(g, "kind", "%s", kind);
        if (edges) golden_arg(g, "edges", "%s", edges);
        golden_run(g, edges ? "best" : "costs");
        golden_expect(g, "result", golden_file(g)->tensors[i].name,
                      edges ? GOLDEN_ABS(0) : GOLDEN_REL(2e-5));
    }
    assert_true(kind[0]);
}

int main(void)
{
    static const golden_case cases[] = {
        {"Gamma", estimate},
        {"variances", variances},
        {"trajectories", trajectories},
        {"samples", samples},
        {"terms of the bound", bound_terms},
        {"cost of jumps", jumps},
    };
    return golden_main("07_analytic.safetensors", "tests/golden/07_analytic.dg", cases,
                       (int)(sizeof cases / sizeof *cases));
}

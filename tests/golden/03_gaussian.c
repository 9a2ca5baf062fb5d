/* 03_gaussian.c: marginals, posterior and reverse step of the Gaussian process, terms of the bound,
 * the decoder, losses and their gradients. Kinds of prediction and of variance are read from the
 * keys. */
#include "tests/support/golden.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const golden_tol single = {0, 2e-5};

static const char *const predictions[][2] = {
    {"eps", "eps"}, {"x0", "x0"}, {"v", "v"}, {"xprev", "mean"}};
static const char *const variances[][2] = {{"fixed_small", "small"},
                                           {"fixed_large", "large"},
                                           {"learned", "learned"},
                                           {"learned_range", "learned_range"}};

/* The library's name of what the keys call `name`. */
static const char *called(const char *const (*names)[2], int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(names[i][0], name) == 0) return names[i][1];
    fail_msg("the library has no name for %s", name);
    return NULL;
}

static void predicts(golden *g, const char *name)
{
    golden_arg(g, "predicts", "%s", called(predictions, 4, name));
}

static void variance(golden *g, const char *name)
{
    golden_arg(g, "variance", "%s", called(variances, 4, name));
}

static void configure(golden *g)
{
    golden_config(g, "betas", "%s", golden_list(g, "betas"));
    golden_dims(g, "x0", "B C H W");
}

static void bind(golden *g, const char *const (*names)[2], int n)
{
    configure(g);
    for (int i = 0; i < n; i++) golden_bind(g, names[i][0], names[i][1]);
}
#define BIND(g, ...)                                                                               \
    bind(g, (const char *const[][2]){__VA_ARGS__},                                                 \
         (int)(sizeof((const char *const[][2]){__VA_ARGS__}) / sizeof(char *[2])))

static void forward(golden *g)
{
    BIND(g, {"u", "x0_uint8"});
    golden_run(g, "scaled");
    golden_expect(g, "result", "x0", single);
    BIND(g, {"x0", "x0"}, {"noise", "noise"}, {"t", "t"});
    golden_run(g, "forward");
    golden_expect(g, "result", "x_t", single);
    golden_expect(g, "result.1", "q_mean", single);
    golden_expect(g, "result.2", "q_log_variance_clipped", single);
    golden_expect(g, "result.3", "prior_bpd", single);
}

static void reverse(golden *g)
{
    const dg_st_file *file = golden_file(g);
    int means = 0, kinds = 0;
    for (int i = 0; i < file->n; i++) {
        char name[32];
        int clip, end = 0;
        if (sscanf(file->tensors[i].name, "p/%31[^/]/clip%d/mean%n", name, &clip, &end) == 2 &&
            end) {
            BIND(g, {"x", "x_t"}, {"out", "model_out"}, {"t", "t"});
            predicts(g, name);
            golden_arg(g, "clip_x0", "%s", clip ? "true" : "false");
            golden_run(g, "reverse_mean");
            golden_expect(g, "result", file->tensors[i].name, single);
            golden_expect(g, "result.1", golden_name(g, "p/%s/clip%d/pred_xstart", name, clip),
                          single);
            means++;
        }
        end = 0;
        if (sscanf(file->tensors[i].name, "p_var/%31[^/]/variance%n", name, &end) == 1 && end) {
            BIND(g, {"x", "x_t"}, {"v", "model_var_out"}, {"t", "t"});
            variance(g, name);
            golden_run(g, "reverse_variance");
            golden_expect(g, "result", file->tensors[i].name, single);
            golden_expect(g, "result.1", golden_name(g, "p_var/%s/log_variance", name), single);
            kinds++;
        }
    }
    assert_true(means > 0 && kinds > 0);
}

static void terms(golden *g)
{
    const dg_st_file *file = golden_file(g);
    int found = 0;
    for (int i = 0; i < file->n; i++) {
        char prediction[32], kind[32];
        int clip;
        if (sscanf(file->tensors[i].name, "vb_bpd/%31[^/]/clip%d/%31s", prediction, &clip, kind) !=
            3)
            continue;
        BIND(g, {"x0", "x0"}, {"x", "x_t"}, {"out", "model_out"}, {"v", "model_var_out"},
             {"t", "t"});
        predicts(g, prediction);
        variance(g, kind);
        golden_arg(g, "clip_x0", "%s", clip ? "true" : "false");
        golden_run(g, "term");
        golden_expect(g, "result", file->tensors[i].name, single);
        found++;
    }
    assert_true(found > 0);
}

/* The reference subtracts two values of 1 / 2 + tanh / 2, each rounded to a multiple of 1.1e-16:
 * where the probability p is small, its logarithm is uncertain by some 1e-16 / p. README: 1e-4. */
static void near_clamp(golden *g, const char *output, const char *key)
{
    int64_t n, m;
    const double *want = golden_values(g, key, &n), *got = golden_result(g, output, &m);
    double largest = 0;
    assert_int_equal(n, m);
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(want[i]));
    for (int64_t i = 0; i < n; i++) {
        double bound = largest * (golden_f64(g) ? 1e-9 : single.rel);
        bound += fmin(1e-4, 2.3e-16 * exp(-want[i]));
        if (!(fabs(got[i] - want[i]) <= bound))
            fail_msg("%s [%lld]: %.12g, wanted %.12g", key, (long long)i, got[i], want[i]);
    }
}

static void decoder(golden *g)
{
    const dg_st_file *file = golden_file(g);
    static const char prefix[] = "disc_ll/logp_exact_erf_floor";
    int found = 0;
    for (int i = 0; i < file->n; i++) {
        const char *key = file->tensors[i].name;
        if (strncmp(key, prefix, sizeof prefix - 1) != 0) continue;
        BIND(g, {"x", "disc_ll/x"}, {"mean", "disc_ll/mean"}, {"log_sd", "disc_ll/log_sd"});
        golden_dims(g, "disc_ll/x", "G");
        golden_arg(g, "least", "%s", key + sizeof prefix - 1);
        golden_run(g, "decoder");
        near_clamp(g, "result", "disc_ll/logp_tanh_cdf");
        golden_expect(g, "result.1", key, single);
        found++;
    }
    assert_true(found > 0);
}

static void simple(golden *g)
{
    const dg_st_file *file = golden_file(g);
    int found = 0;
    for (int i = 0; i < file->n; i++) {
        char name[32], gamma[32];
        const char *key = file->tensors[i].name;
        if (sscanf(key, "loss/%31[^/]/min_snr%31s", name, gamma) != 2) continue;
        BIND(g, {"x0", "x0"}, {"noise", "noise"}, {"out", "model_out"}, {"t", "t"});
        predicts(g, name);
        golden_arg(g, "gamma", "%#.17g", strtod(gamma, NULL));
        golden_run(g, "simple");
        golden_expect(g, "result", golden_name(g, "loss/%s/mse", name), single);
        golden_expect(g, "result.1", golden_name(g, "loss/%s/grad", name), single);
        golden_expect(g, "result.2", key, single);
        found++;
    }
    assert_true(found > 0);
}

static void hybrid(golden *g)
{
    static const char *const forms[] = {"hybrid_rescaled", "hybrid_raw"};
    int found = 0;
    for (int i = 0; i < 2; i++) {
        if (!golden_has(g, golden_name(g, "loss/%s/vb", forms[i]))) continue;
        BIND(g, {"x0", "x0"}, {"noise", "noise"}, {"out", "model_out"}, {"v", "model_var_out"},
             {"t", "t"});
        golden_arg(g, "rescaled", "%s", i == 0 ? "true" : "false");
        golden_run(g, "hybrid");
        golden_expect(g, "result", golden_name(g, "loss/%s/vb", forms[i]), single);
        golden_expect(g, "result.1", golden_name(g, "loss/%s/loss", forms[i]), single);
        golden_expect(g, "result.2", golden_name(g, "loss/%s/grad_mean_out", forms[i]), single);
        golden_expect(g, "result.3", golden_name(g, "loss/%s/grad_var_out", forms[i]), single);
        found++;
    }
    assert_true(found > 0);
}

int main(void)
{
    static const golden_case cases[] = {
        {"marginals and posterior", forward}, {"the reverse step", reverse},
        {"terms of the bound", terms},        {"the decoder", decoder},
        {"squared errors", simple},           {"hybrid loss", hybrid}};
    return golden_main("03_gaussian.safetensors", "tests/golden/03_gaussian.dg", cases,
                       sizeof cases / sizeof *cases);
}

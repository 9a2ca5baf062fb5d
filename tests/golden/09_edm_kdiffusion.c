/* 09_edm_kdiffusion.c: grids of sigma, the scalings and training levels of EDM, and every sampler
 * in sigma with stored noise. Which grids, deviations and samplers there are is read from the keys.
 */
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

static double meta_number(golden *g, const char *key)
{
    return strtod(golden_meta(g, key), NULL);
}

/* sigmas/<karras|exponential|vp|polyexponential_rho<r>>/n<n> */
static void grids(golden *g)
{
    const dg_st_file *file = golden_file(g);
    int found = 0;
    for (int i = 0; i < file->n; i++) {
        const char *key = file->tensors[i].name;
        char name[64];
        int n;
        if (sscanf(key, "sigmas/%63[^/]/n%d", name, &n) != 2) continue;
        char *rho = strstr(name, "_rho");
        if (rho) {
            golden_config(g, "rho", "%#.17g", strtod(rho + 4, NULL));
            *rho = 0;
        }
        golden_config(g, "lo", "%#.17g", meta_number(g, "sigma_min"));
        golden_config(g, "hi", "%#.17g", meta_number(g, "sigma_max"));
        golden_arg(g, "name", "%s", name);
        golden_arg(g, "n", "%d", n);
        golden_run(g, "grid");
        golden_expect(g, "result", key, single);
        found++;
    }
    assert_true(found > 0);
}

/* sigmas/iddpm_u_every_<k>th of 1000 levels */
static void iddpm(golden *g)
{
    const dg_st_file *file = golden_file(g);
    int found = 0;
    for (int i = 0; i < file->n; i++) {
        int every;
        if (sscanf(file->tensors[i].name, "sigmas/iddpm_u_every_%d", &every) != 1) continue;
        golden_arg(g, "every", "%d", every);
        golden_run(g, "levels");
        golden_expect(g, "result", file->tensors[i].name, single);
        found++;
    }
    assert_true(found > 0);
}

/* precond/sd<sd>/..., and c_noise, which all of them share */
static void scalings(golden *g)
{
    const dg_st_file *file = golden_file(g);
    int found = 0;
    for (int i = 0; i < file->n; i++) {
        const char *key = file->tensors[i].name;
        double sd;
        int end = 0;
        if (sscanf(key, "precond/sd%lf/c_skip%n", &sd, &end) != 1 || !end) continue;
        const char *folder = golden_name(g, "%.*s", end - (int)strlen("c_skip"), key);
        golden_dims(g, "precond/sigma", "N");
        golden_config(g, "sd", "%#.17g", sd);
        golden_bind(g, "sigma", "precond/sigma");
        golden_run(g, "scalings");
        golden_expect(g, "c_skip", golden_name(g, "%sc_skip", folder), single);
        golden_expect(g, "c_out", golden_name(g, "%sc_out", folder), single);
        golden_expect(g, "c_in", golden_name(g, "%sc_in", folder), single);
        golden_expect(g, "result", golden_name(g, "%sloss_weight", folder), single);
        golden_expect(g, "c_noise", "precond/c_noise", single);
        found++;
    }
    assert_true(found > 0);
}

/* train/sigma_Pm<mean>_Ps<deviation> */
static void training(golden *g)
{
    const dg_st_file *file = golden_file(g);
    int found = 0;
    for (int i = 0; i < file->n; i++) {
        double mean, deviation;
        if (sscanf(file->tensors[i].name, "train/sigma_Pm%lf_Ps%lf", &mean, &deviation) != 2)
            continue;
        golden_dims(g, "train/rnd_normal", "N");
        golden_bind(g, "z", "train/rnd_normal");
        golden_arg(g, "mean", "%#.17g", mean);
        golden_arg(g, "deviation", "%#.17g", deviation);
        golden_run(g, "train_sigma");
        golden_expect(g, "result", file->tensors[i].name, single);
        found++;
    }
    assert_true(found > 0);
}

/* "S_churn=5 S_tmin=0.05 S_tmax=50 S_noise=1.003" */
static void set_churn(golden *g, const char *settings)
{
    static const struct {
        const char *theirs, *ours;
    } names[] = {{"S_churn", "churn"},
                 {"S_tmin", "churn_lo"},
                 {"S_tmax", "churn_hi"},
                 {"S_noise", "s_noise"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *at = strstr(settings, names[i].theirs);
        if (at) golden_config(g, names[i].ours, "%#.17g", strtod(strchr(at, '=') + 1, NULL));
    }
}

/* <sampler>[_eta<eta>]/x */
static void samplers(golden *g)
{
    const dg_st_file *file = golden_file(g);
    int found = 0;
    for (int i = 0; i < file->n; i++) {
        const char *key = file->tensors[i].name;
        char name[64];
        int end = 0;
        if (sscanf(key, "%63[^/]/x%n", name, &end) != 1 || end != (int)strlen(key)) continue;
        char *eta = strstr(name, "_eta");
        if (eta) {
            golden_config(g, "eta", "%#.17g", strtod(eta + 4, NULL));
            *eta = 0;
        }
        if (strstr(name, "_churn")) set_churn(g, golden_meta(g, name));
        golden_config(g, "sigmas", "%s", golden_list(g, "sigmas"));
        golden_dims(g, "noise", "S B C H W");
        golden_dims(g, "gmm/means", "K D");
        golden_bind(g, "weights", "gmm/weights");
        golden_bind(g, "means", "gmm/means");
        golden_bind(g, "stds", "gmm/stds");
        golden_bind(g, "latents", "latents");
        golden_bind(g, "noise", "noise");
        golden_arg(g, "name", "%s", name);
        golden_run(g, "sample");
        golden_expect_path(g, "path", key, GOLDEN_REL(5e-5), single);
        found++;
    }
    assert_true(found > 0);
}

int main(void)
{
    static const golden_case cases[] = {{"grids", grids},
                                        {"levels of iDDPM", iddpm},
                                        {"scalings", scalings},
                                        {"training levels", training},
                                        {"samplers", samplers}};
    return golden_main("09_edm_kdiffusion.safetensors", "tests/golden/09_edm_kdiffusion.dg", cases,
                       sizeof cases / sizeof *cases);
}

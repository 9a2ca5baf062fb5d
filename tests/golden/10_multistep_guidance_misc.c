/* 10_multistep_guidance_misc.c: solvers, guidance, flow matching, editing, distillation. Sizes,
 * steps and options are read from the keys and their tensors. */
#include "tests/golden/process.h"

#define TOL GOLDEN_ABS(1e-4)
#define SINGLE GOLDEN_REL(2e-5)

static void mixture(golden *g)
{
    process_config(g, golden_meta(g, "betas"));
    golden_dims(g, "x_T", "B C H W");
    golden_dims(g, "gmm/means", "K D");
    golden_bind(g, "weights", "gmm/weights");
    golden_bind(g, "means", "gmm/means");
    golden_bind(g, "stds", "gmm/stds");
}

/* The distinct steps of a list, ascending, as the config `steps`; how many they are. */
static int use_steps(golden *g, const double *t, int64_t n)
{
    double *up = malloc((size_t)n * sizeof *up);
    assert_non_null(up);
    int count = 0;
    for (int64_t i = 0; i < n; i++) {
        int at = 0;
        while (at < count && up[at] < t[i]) at++;
        if (at < count && up[at] == t[i]) continue;
        memmove(up + at + 1, up + at, (size_t)(count - at) * sizeof *up);
        up[at] = t[i];
        count++;
    }
    dg_text text = {0};
    for (int i = 0; i < count; i++) dg_text_add(&text, "%s%.0f", i ? ", " : "[", up[i]);
    golden_config(g, "steps", "%s]", text.at);
    dg_text_free(&text);
    free(up);
    return count;
}

static void use_steps_of(golden *g, const char *key)
{
    int64_t n;
    const double *t = golden_values(g, key, &n);
    use_steps(g, t, n);
}

/* The n steps 0, T / n, 2 (T / n), ... of "leading" spacing. */
static void use_leading(golden *g)
{
    int n = atoi(golden_meta(g, "n")), T = atoi(golden_meta(g, "T"));
    double *t = malloc((size_t)n * sizeof *t);
    assert_non_null(t);
    for (int i = 0; i < n; i++) t[i] = i * (T / n);
    use_steps(g, t, n);
    free(t);
}

/* The next key from *at on that begins with `start`; what follows is in *rest. */
static const char *next_key(golden *g, int *at, const char *start, const char **rest)
{
    const dg_st_file *f = golden_file(g);
    for (; *at < f->n; ++*at) {
        const char *key = f->tensors[*at].name;
        if (strncmp(key, start, strlen(start)) != 0) continue;
        *rest = key + strlen(start);
        ++*at;
        return key;
    }
    return NULL;
}

static void plms(golden *g)
{
    mixture(g);
    use_steps_of(g, "plms/timesteps");
    golden_bind(g, "x", "x_T");
    golden_run(g, "plms_path");
    golden_expect(g, "path", "plms/x", TOL);
}

static void pndm(golden *g)
{
    int64_t n;
    const double *t = golden_values(g, "pndm/timesteps", &n);
    double *whole = malloc((size_t)n * sizeof *whole); /* without the points half way */
    assert_non_null(whole);
    assert_true(n > 12);
    for (int i = 0; i < 3; i++) whole[i] = t[4 * i];
    memcpy(whole + 3, t + 12, (size_t)(n - 12) * sizeof *whole);
    mixture(g);
    use_steps(g, whole, n - 9);
    free(whole);
    golden_bind(g, "x", "x_T");
    golden_run(g, "pndm_path");
    golden_expect(g, "path", "pndm/x", TOL);
}

static void unipc(golden *g)
{
    int found = 0, at = 0;
    const char *rest;
    for (const char *key; (key = next_key(g, &at, "unipc/order", &rest)); found++) {
        char variant[8];
        int order;
        assert_int_equal(sscanf(rest, "%d_%7[^/]/x", &order, variant), 2);
        mixture(g);
        use_steps_of(g, "unipc/timesteps");
        golden_bind(g, "x", "x_T");
        golden_arg(g, "order", "%d", order);
        golden_arg(g, "variant", "%s", variant);
        golden_run(g, "unipc_path");
        golden_expect(g, "path", key, TOL);
    }
    assert_true(found > 0);
}

static void dpmpp(golden *g)
{
    int found = 0, at = 0;
    const char *rest;
    for (const char *key; (key = next_key(g, &at, "vp_dpmpp_", &rest)); found++) {
        mixture(g);
        use_steps_of(g, "unipc/timesteps");
        golden_bind(g, "x", "x_T");
        golden_arg(g, "order", "%d", atoi(rest));
        golden_run(g, "dpmpp_path");
        golden_expect(g, "path", key, TOL);
    }
    assert_true(found > 0);
    process_config(g, golden_meta(g, "betas"));
    use_steps_of(g, "unipc/timesteps");
    golden_run(g, "levels");
    golden_expect(g, "result", "unipc/sigmas", SINGLE);
}

static void zero_snr(golden *g)
{
    mixture(g);
    use_steps_of(g, "zsnr_v_ddim_trailing/timesteps");
    golden_bind(g, "x", "x_T");
    golden_run(g, "zero_snr_path");
    golden_expect(g, "path", "zsnr_v_ddim_trailing/x", TOL);
}

/* The file's w is 1 for no guidance. */
static void free_guidance(golden *g)
{
    mixture(g);
    use_leading(g);
    golden_bind(g, "x", "x_T");
    golden_arg(g, "w", "%.17g", golden_number(g, "cfg/w") - 1);
    golden_arg(g, "k", "%.0f", golden_number(g, "cfg/component"));
    golden_run(g, "cfg_path");
    golden_expect(g, "path", "cfg/ddim_x", TOL);
}

static void by_classifier(golden *g, const char *entry)
{
    mixture(g);
    use_leading(g);
    golden_bind(g, "x", "x_T");
    golden_arg(g, "scale", "%.17g", golden_number(g, "cfg/w"));
    golden_arg(g, "k", "%.0f", golden_number(g, "cfg/component"));
    if (strcmp(entry, "ancestral_path") == 0) {
        golden_bind(g, "z", "classifier/ddpm_noise");
        golden_config(g, "S", "%d", (int)golden_dim(g, "classifier/ddpm_noise", 0));
    }
    golden_run(g, entry);
}

static void classifier(golden *g)
{
    by_classifier(g, "classifier_path");
    golden_expect(g, "path", "classifier/ddim_x", TOL);
    by_classifier(g, "ancestral_path");
    golden_expect(g, "path", "classifier/ddpm_fixed_small_x", TOL);
}

static void combination(golden *g)
{
    int found = 0, at = 0;
    double w = 0;
    const char *rest;
    for (const char *key; (key = next_key(g, &at, "cfg_combine/w", &rest)); found++) {
        w = strtod(rest, NULL);
        golden_dims(g, "cfg_combine/cond", "B C H W");
        golden_bind(g, "cond", "cfg_combine/cond");
        golden_bind(g, "uncond", "cfg_combine/uncond");
        golden_arg(g, "w", "%.17g", w - 1);
        golden_run(g, "combine");
        golden_expect(g, "result", key, SINGLE);
    }
    assert_true(found > 0);
    at = 0;
    for (const char *key; (key = next_key(g, &at, "cfg_combine/rescale_phi", &rest));) {
        golden_dims(g, "cfg_combine/cond", "B C H W");
        golden_bind(g, "cond", "cfg_combine/cond");
        golden_bind(g, "uncond", "cfg_combine/uncond");
        golden_arg(g, "w", "%.17g", w - 1);
        golden_arg(g, "rescale", "%.17g", strtod(rest, NULL));
        golden_run(g, "combine");
        golden_expect(g, "result", key, SINGLE);
    }
}

static void thresholds(golden *g)
{
    int found = 0, at = 0;
    const char *rest;
    for (const char *key; (key = next_key(g, &at, "threshold/dynamic_p", &rest)); found++) {
        golden_dims(g, "threshold/x0", "B C H W");
        golden_bind(g, "x0", "threshold/x0");
        golden_arg(g, "p", "%s", rest);
        golden_run(g, "thresholded");
        golden_expect(g, "result", key, SINGLE);
        golden_expect(g, "result.1", golden_name(g, "threshold/s_p%s", rest), SINGLE);
    }
    assert_true(found > 0);
}

static void flow(golden *g)
{
    int found = 0, at = 0;
    const char *rest;
    for (const char *key; (key = next_key(g, &at, "flow/shift", &rest));) {
        const char *slash = strchr(rest, '/');
        if (!slash || strcmp(slash, "/x") != 0) continue;
        const char *times = golden_name(g, "flow/shift%.*s/sigmas", (int)(slash - rest), rest);
        mixture(g);
        golden_config(g, "times", "%s", golden_list(g, times));
        golden_bind(g, "x", "x_T");
        golden_run(g, "flow_path");
        golden_expect(g, "path", key, TOL);
        golden_arg(g, "n", "%d", (int)golden_dim(g, times, 0) - 1);
        golden_arg(g, "shift", "%.17g", strtod(rest, NULL));
        golden_arg(g, "T", "%s", golden_meta(g, "T"));
        golden_run(g, "flow_grid");
        golden_expect(g, "result", times, SINGLE);
        found++;
    }
    assert_true(found > 0);

    golden_dims(g, "flow/train/x0", "B C H W");
    golden_bind(g, "x0", "flow/train/x0");
    golden_bind(g, "e", "flow/train/noise");
    golden_bind(g, "t", "flow/train/t");
    golden_run(g, "flow_training");
    golden_expect(g, "result", "flow/train/x_t", SINGLE);
    int64_t n, batch;
    const double *target = golden_values(g, "flow/train/target", &n);
    golden_values(g, "flow/train/t", &batch);
    double *loss = calloc((size_t)batch, sizeof *loss);
    assert_non_null(loss);
    for (int64_t i = 0; i < n; i++)
        loss[i / (n / batch)] += target[i] * target[i] / (double)(n / batch);
    golden_expect_values(g, "result.1", loss, batch, SINGLE);
    free(loss);
}

/* The library's path has the states after each move down; those after moves up enter them. */
static void repaint(golden *g)
{
    int64_t n, size, row;
    const double *walk = golden_values(g, "repaint/timesteps", &n);
    const double *want = golden_values(g, "repaint/x", &size);
    row = size / n;
    double *downs = malloc((size_t)size * sizeof *downs);
    assert_non_null(downs);
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        if (i == 0 || walk[i] < walk[i - 1])
            memcpy(downs + row * count++, want + row * i, (size_t)row * sizeof *downs);
    mixture(g);
    golden_config(g, "walk", "%s", golden_list(g, "repaint/timesteps"));
    golden_config(g, "S", "%lld", (long long)golden_dim(g, "repaint/noise", 0));
    golden_bind(g, "x", "x_T");
    golden_bind(g, "known", "repaint/image");
    golden_bind(g, "mask", "repaint/mask_keep");
    golden_bind(g, "z", "repaint/noise");
    golden_run(g, "repaint_path");
    golden_expect_values(g, "path", downs, count * row, TOL);
    free(downs);
}

static void sdedit(golden *g)
{
    mixture(g);
    use_leading(g);
    golden_arg(g, "start", "%.0f", golden_number(g, "sdedit/start_index"));
    golden_bind(g, "known", "repaint/image");
    golden_bind(g, "z", "flow/train/noise");
    golden_run(g, "sdedit_path");
    golden_expect_rows(g, "result", "sdedit/x", 0, 1, SINGLE);
    golden_expect_rows(g, "path", "sdedit/x", 1, golden_dim(g, "sdedit/x", 0) - 1, TOL);
}

static void distillation(golden *g)
{
    int found = 0, at = 0;
    const char *rest;
    for (const char *key; (key = next_key(g, &at, "distill/i", &rest));) {
        int i, N, used = 0;
        if (sscanf(rest, "%d_of_%d/z_t%n", &i, &N, &used) != 2 || used == 0 || rest[used]) continue;
        const char *base = golden_name(g, "distill/i%d_of_%d", i, N);
        int64_t batch = golden_dim(g, key, 0);
        double *u = malloc((size_t)batch * sizeof *u);
        assert_non_null(u);
        for (int64_t b = 0; b < batch; b++) u[b] = (double)i / N;
        mixture(g);
        golden_bind(g, "z", key);
        golden_bind_values(g, "u", u, batch);
        golden_arg(g, "N", "%d", N);
        golden_run(g, "distil");
        golden_expect(g, "result", golden_name(g, "%s/z_t2", base), TOL);
        golden_expect(g, "result.1", golden_name(g, "%s/x_target", base), TOL);
        static const char *const weights[] = {"w_trunc_snr", "w_snr_plus1"};
        for (int k = 0; k < 2; k++) {
            double w = golden_number(g, golden_name(g, "%s/%s", base, weights[k]));
            for (int64_t b = 0; b < batch; b++) u[b] = w;
            golden_expect_values(g, k ? "result.3" : "result.2", u, batch, SINGLE);
        }
        free(u);
        found++;
    }
    assert_true(found > 0);
}

static void consistency(golden *g)
{
    static const char *const parts[][2] = {{"result", "consistency/c_skip"},
                                           {"result.1", "consistency/c_out"},
                                           {"result.2", "consistency/c_in"},
                                           {"result.3", "consistency/c_noise"}};
    golden_dims(g, "consistency/sigma", "S");
    golden_bind(g, "s", "consistency/sigma");
    golden_run(g, "scalings");
    for (int i = 0; i < 4; i++) golden_expect(g, parts[i][0], parts[i][1], SINGLE);
}

int main(void)
{
    static const golden_case cases[] = {{"plms", plms},
                                        {"pndm", pndm},
                                        {"unipc", unipc},
                                        {"dpm++ on the schedule's steps", dpmpp},
                                        {"zero terminal SNR", zero_snr},
                                        {"classifier-free guidance", free_guidance},
                                        {"classifier guidance", classifier},
                                        {"combination and rescale", combination},
                                        {"dynamic thresholding", thresholds},
                                        {"flow matching", flow},
                                        {"repaint", repaint},
                                        {"sdedit", sdedit},
                                        {"progressive distillation", distillation},
                                        {"consistency scalings", consistency}};
    return golden_main("10_multistep_guidance_misc.safetensors",
                       "tests/golden/10_multistep_guidance_misc.dg", cases,
                       sizeof cases / sizeof *cases);
}

/* 05_ddim.c: DDIM over the subsequences of the file with each eta, encoding and decoding,
 * interpolation, and the weights gamma. */
#include "compiler/base/str.h"
#include "tests/support/golden.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void configure(golden *g)
{
    golden_config(g, "betas", "%s", golden_list(g, "betas"));
    golden_mixture(g);
}

/* README: where abar is tiny, the first estimates of x0 have few digits in float32. */
static bool steep(golden *g, const char *steps)
{
    const double *betas = golden_values(g, "betas", NULL);
    const char *comma = strrchr(steps, ',');
    long last = strtol(comma ? comma + 1 : steps + 1, NULL, 10);
    double a = 1;
    for (long n = 0; n <= last; n++) a *= 1 - betas[n];
    return a < 1e-6;
}

static void expect_paths(golden *g, const char *steps, const char *x, const char *x0)
{
    golden_tol on_path = GOLDEN_ABS(steep(g, steps) ? 2e-2 : 1e-4);
    golden_tol end = GOLDEN_ABS(steep(g, steps) ? 2e-4 : 2e-5);
    golden_expect_path(g, "x", x, on_path, end);
    if (x0) golden_expect_path(g, "x0_preds", x0, on_path, end);
}

/* "quad/eta_0.5/x": list, kind, value of eta. */
static void samples(golden *g)
{
    int found = 0;
    for (int i = 0; i < golden_file(g)->n; i++) {
        char list[16], kind[16];
        int used = 0;
        const char *key = golden_file(g)->tensors[i].name;
        if (sscanf(key, "%15[a-z]/%15[a-z_]%n", list, kind, &used) != 2) continue;
        const char *seq = golden_name(g, "%s/seq", list), *rest = key + used;
        if (!golden_has(g, seq) || strcmp(key + strlen(key) - 2, "/x") != 0) continue;
        bool family = strcmp(kind, "eta_") == 0;
        if (family) golden_arg(g, "eta", "%.17g", strtod(rest, NULL));
        golden_arg(g, "kind", "%s", family ? "eta" : kind);
        configure(g);
        golden_config(g, "steps", "%s", golden_list(g, seq));
        golden_dims(g, key, "S B C H W");
        golden_bind(g, "x", "x_T");
        golden_bind(g, "z", golden_name(g, "%s/noise", list));
        golden_run(g, "sample");
        const char *x0 = golden_name(g, "%.*sx0_preds", (int)strlen(key) - 1, key);
        expect_paths(g, golden_list(g, seq), key, golden_has(g, x0) ? x0 : NULL);
        found++;
    }
    assert_true(found > 0);
}

/* Steps of the chain of "10,20" (so many of each section of the T steps) or "ddim25" (the smallest
 * stride that takes so many): README of 02. */
static int spaced(const char *spec, int T, double *steps)
{
    int n = 0, want = 0, sections = 1, stride = 1, at = 0;
    if (sscanf(spec, "ddim%d", &want) == 1) {
        while (stride < T && (T + stride - 1) / stride != want) stride++;
        for (; at < T; at += stride) steps[n++] = at;
        return n;
    }
    for (const char *c = spec; *c; c++) sections += *c == ',';
    for (int i = 0; i < sections; i++) {
        char *end;
        long count = strtol(spec, &end, 10);
        spec = end + (*end == ',');
        int size = T / sections + (i < T % sections);
        double from = 0, by = count > 1 ? (size - 1) / (double)(count - 1) : 1;
        assert_true(count > 0 && count <= size);
        for (long k = 0; k < count; k++, from += by) steps[n++] = at + rint(from);
        at += size;
    }
    return n;
}

static const char *chain(golden *g)
{
    configure(g);
    int T = atoi(golden_meta(g, "T"));
    double *steps = malloc((size_t)T * sizeof *steps);
    assert_non_null(steps);
    int n = spaced(golden_meta(g, "encode_spec"), T, steps);
    dg_text list = {0};
    for (int i = 0; i < n; i++) dg_text_add(&list, "%s%.0f", i ? ", " : "[", steps[i]);
    const char *text = golden_name(g, "%s]", list.at);
    dg_text_free(&list);
    free(steps);
    golden_config(g, "steps", "%s", text);
    bool clips = strcmp(golden_meta(g, "encode_clip"), "True") == 0;
    golden_arg(g, "clip_x0", "%s", clips ? "true" : "false");
    return text;
}

static void encoding(golden *g)
{
    const char *steps = chain(g);
    golden_dims(g, "encode/x", "S B C H W");
    golden_bind(g, "x", "encode/x0");
    golden_run(g, "encode");
    expect_paths(g, steps, "encode/x", NULL);
}

/* Decoding starts from the state before the last: the last holds eps alone. */
static void decoding(golden *g)
{
    const char *steps = chain(g);
    golden_dims(g, "decode/x", "S B C H W");
    golden_bind_rows(g, "x", "encode/x", golden_dim(g, "encode/x", 0) - 2, 1);
    golden_bind(g, "x0", "encode/x0");
    golden_run(g, "decode");
    expect_paths(g, steps, "decode/x", NULL);
    /* the last state is off by 2e-4 at most, its mean square by so much times twice its root */
    int64_t n;
    const double *mse = golden_values(g, "decode/mse_per_dim_vs_x0", &n);
    double largest = 0;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, mse[i]);
    golden_tol tol = {steep(g, steps) ? 2 * sqrt(largest) * 2e-4 : 0, 2e-5};
    golden_expect(g, "result.1", "decode/mse_per_dim_vs_x0", tol);
}

static void latents(golden *g)
{
    golden_config(g, "betas", "%s", golden_list(g, "betas"));
    golden_dims(g, "slerp/z", "N C H W");
    golden_bind(g, "a", "slerp/z1");
    golden_bind(g, "b", "slerp/z2");
    golden_bind(g, "u", "slerp/alpha");
    golden_run(g, "latents");
    golden_expect(g, "result", "slerp/z", GOLDEN_REL(2e-5));
    golden_expect(g, "result.1", "cos_sin_interp/z", GOLDEN_REL(2e-5));
}

static void stochastic(golden *g)
{
    chain(g);
    golden_dims(g, "interp/noise", "S N C H W");
    golden_arg(g, "at", "%.0f", golden_number(g, "interp/k"));
    golden_bind(g, "a", "interp/x0_a");
    golden_bind(g, "b", "interp/x0_b");
    golden_bind(g, "za", "interp/noise_a");
    golden_bind(g, "zb", "interp/noise_b");
    golden_bind(g, "u", "interp/lambda");
    golden_bind(g, "z", "interp/noise");
    golden_run(g, "diffused");
    golden_expect(g, "result", "interp/x_k", GOLDEN_REL(2e-5));
    golden_expect(g, "result.1", "interp/x_0", GOLDEN_ABS(2e-5));
}

static void weights(golden *g)
{
    golden_config(g, "betas", "%s", golden_list(g, "betas"));
    golden_run(g, "weights");
    golden_expect(g, "result", "gamma/eta1_t2..T", GOLDEN_REL(2e-5));
    golden_expect(g, "result", "gamma/closed_form_t2..T", GOLDEN_REL(2e-5));
}

int main(void)
{
    static const golden_case cases[] = {
        {"samples", samples},
        {"encoding", encoding},
        {"decoding", decoding},
        {"latents", latents},
        {"stochastic encoder", stochastic},
        {"gamma", weights},
    };
    return golden_main("05_ddim.safetensors", "tests/golden/05_ddim.dg", cases,
                       (int)(sizeof cases / sizeof *cases));
}

/* 14_ops_embeddings_optim.c: layers with their gradients, embeddings of time, quantisation and KL,
 * optimisers, clipping, rates of moving averages. What a key is a case of, and its parameters, is
 * read from the key. */
#include "tests/support/golden.h"

#include "compiler/base/os.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const golden_tol single = GOLDEN_REL(2e-5);

/* ---- keys ---- */

/* What follows `prefix` in s; NULL where s begins otherwise. */
static const char *after(const char *s, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

/* The number behind `word` in a name, 1e-05 behind "_eps" in group_norm_g4_eps1e-05; `otherwise`
 * where the word stands before no number. */
static double number_behind(const char *name, const char *word, double otherwise)
{
    size_t n = strlen(word);
    for (const char *at = strstr(name, word); at; at = strstr(at + 1, word))
        if (at[n] >= '0' && at[n] <= '9') return strtod(at + n, NULL);
    return otherwise;
}

static int whole_behind(const char *name, const char *word, int otherwise)
{
    return (int)number_behind(name, word, otherwise);
}

/* Each key of the file under `folder`, without it: called once for each. */
static int each_key(golden *g, const char *folder, void (*take)(golden *g, const char *rest))
{
    const dg_st_file *f = golden_file(g);
    int n = 0;
    for (int i = 0; i < f->n; i++) {
        const char *rest = after(f->tensors[i].name, folder);
        if (!rest) continue;
        take(g, rest);
        n++;
    }
    return n;
}

static const char *dims_of(golden *g, const char *key)
{
    const dg_st_tensor *t = dg_st_find(golden_file(g), key);
    assert_non_null(t);
    dg_text text = {0};
    for (int i = 0; i < t->shape.rank; i++)
        dg_text_add(&text, "%s%lld", i ? ", " : "", (long long)t->shape.dim[i]);
    const char *list = dg_arena_text(golden_arena(g), text.at, text.n);
    dg_text_free(&text);
    return list;
}

static void config_dims(golden *g, const char *name, const char *key)
{
    golden_config(g, name, "[%s]", dims_of(g, key));
}

/* The same of a tensor seen as rows along its last axis. */
static void config_rows(golden *g, const char *name, const char *key)
{
    const dg_st_tensor *t = dg_st_find(golden_file(g), key);
    assert_non_null(t);
    assert_true(t->shape.rank > 0);
    int64_t last = t->shape.dim[t->shape.rank - 1];
    golden_config(g, name, "[%lld, %lld]", (long long)(dg_shape_count(&t->shape) / last),
                  (long long)last);
}

/* ---- layers: <op>/in/, /out, /cotangent, /grad/ ---- */

static void conv_options(golden *g, const char *op)
{
    const char *w = golden_name(g, "%s/in/w", op);
    int side = (int)golden_dim(g, w, 3), pad = side / 2;
    golden_config(g, "k", "%d", side);
    golden_config(g, "stride", "%d", whole_behind(op, "_stride", 1));
    if (strstr(op, "asym_pad_right_bottom")) {
        golden_config(g, "pad", "[0, 1, 0, 1]");
        return;
    }
    pad = whole_behind(op, "_pad", pad);
    golden_config(g, "pad", "[%d, %d, %d, %d]", pad, pad, pad, pad);
}

static const char *other(golden *g, const char *op, const char *what)
{
    return golden_name(g, "%s/%s", op, what);
}

/* Sets the options of the operation and says which entry has it. */
static const char *prepare(golden *g, const char *op)
{
    int heads = atoi(golden_meta(g, "heads"));
    if (after(op, "group_norm") || after(op, "scale_shift_norm")) {
        golden_config(g, "groups", "%d", whole_behind(op, "_g", 4));
        golden_config(g, "eps", "%.17g", number_behind(op, "_eps", 1e-5));
        return after(op, "group_norm") ? "group_norm_op" : "scale_shift_op";
    }
    if (after(op, "layer_norm")) {
        golden_config(g, "eps", "%.17g", number_behind(op, "_eps", 1e-5));
        return "layer_norm_op";
    }
    if (after(op, "rms_norm")) return "rms_norm_op";
    if (after(op, "conv")) {
        conv_options(g, op);
        return after(op, "conv_transpose") ? "conv_transpose_op" : "conv_op";
    }
    if (after(op, "attention_")) {
        golden_config(g, "heads", "%d", heads);
        golden_config(g, "layout",
                      strstr(op, "legacy") ? "\"legacy\""
                      : strstr(op, "edm")  ? "\"edm\""
                                           : "\"new\"");
        return "attention_op";
    }
    if (after(op, "cross_attention")) {
        config_dims(g, "Z", other(g, op, "in/ctx"));
        golden_config(g, "heads", "%d", heads);
        golden_config(g, "width", "%d", (int)golden_dim(g, other(g, op, "in/wq"), 0) / heads);
        return "cross_attention_op";
    }
    if (after(op, "linear_attention")) return "linear_attention_op";
    if (after(op, "linear")) return "linear_op";
    if (after(op, "embedding")) return "embedding_op";

    static const char *const maps[][2] = {
        {"upsample_nearest", "nearest"},      {"avg_pool", "mean"},
        {"bilinear_align_false", "bilinear"}, {"bilinear_align_true", "corners"},
        {"pixel_unshuffle", "unshuffle"},     {"pixel_shuffle", "shuffle"}};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
        if (!after(op, maps[i][0])) continue;
        int64_t in = golden_dim(g, other(g, op, "in/x"), 2),
                out = golden_dim(g, other(g, op, "out"), 2);
        golden_config(g, "k", "%d", (int)(in > out ? in / out : out / in));
        golden_arg(g, "how", "%s", maps[i][1]);
        return "map_op";
    }
    static const char *const rows[] = {"silu", "gelu_erf", "gelu_tanh", "geglu", "softmax"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!after(op, rows[i])) continue;
        golden_arg(g, "f", "%s", rows[i]);
        return "row_op";
    }
    fail_msg("no entry for the operation %s", op);
    return NULL;
}

static void operation(golden *g, const char *op)
{
    const dg_st_file *f = golden_file(g);
    const char *entry = prepare(g, op), *in = golden_name(g, "%s/in/", op),
               *grads = golden_name(g, "%s/grad/", op);
    const char *first = NULL;
    for (int i = 0; i < f->n; i++) {
        const char *input = after(f->tensors[i].name, in);
        if (!input) continue;
        /* x where there is one, else q, qkv, or the table of an embedding */
        if (!first || strcmp(input, "x") == 0 || strcmp(input, "q") == 0) first = input;
        golden_bind(g, input, f->tensors[i].name);
    }
    assert_non_null(first);
    if (golden_has(g, golden_name(g, "%sqkv", in))) first = "qkv";
    if (after(op, "embedding")) first = "w";
    static const char *const by_rows[] = {"row_op", "layer_norm_op", "linear_op", "embedding_op"};
    void (*dims)(golden *, const char *, const char *) = config_dims;
    for (size_t i = 0; i < sizeof by_rows / sizeof *by_rows; i++)
        if (strcmp(entry, by_rows[i]) == 0) dims = config_rows;
    dims(g, "X", golden_name(g, "%s%s", in, first));
    dims(g, "Y", other(g, op, "out"));
    golden_bind(g, "G", other(g, op, "cotangent"));
    golden_run(g, entry);
    golden_expect(g, "result", other(g, op, "out"), single);
    int n = 0;
    for (int i = 0; i < f->n; i++) {
        const char *by = after(f->tensors[i].name, grads);
        if (!by) continue;
        golden_expect(g, golden_name(g, "grad.%s", by), f->tensors[i].name, single);
        n++;
    }
    assert_true(n > 0);
}

static void operations(golden *g)
{
    const dg_st_file *f = golden_file(g);
    int n = 0;
    for (int i = 0; i < f->n; i++) {
        const char *name = f->tensors[i].name, *end = strstr(name, "/out");
        if (!end || strcmp(end, "/out") != 0) continue;
        operation(g, dg_arena_text(golden_arena(g), name, (size_t)(end - name)));
        n++;
    }
    assert_true(n > 0);
}

/* ---- embeddings of time ---- */

static void embedding_of(golden *g, const char *name)
{
    if (strcmp(name, "t") == 0 || strcmp(name, "fourier_freqs") == 0 ||
        strcmp(name, "fourier_in") == 0)
        return;
    const char *key = golden_name(g, "temb/%s", name);
    if (after(name, "fourier")) {
        golden_config(g, "n", "%d", (int)golden_dim(g, "temb/fourier_in", 0));
        golden_config(g, "k", "%d", (int)golden_dim(g, "temb/fourier_freqs", 0));
        golden_bind(g, "t", "temb/fourier_in");
        golden_bind(g, "freq", "temb/fourier_freqs");
        golden_run(g, "fourier");
    } else {
        golden_config(g, "n", "%d", (int)golden_dim(g, "temb/t", 0));
        golden_bind(g, "t", "temb/t");
        golden_arg(g, "ch", "%d", whole_behind(name, "_d", 0));
        golden_arg(g, "order", strstr(name, "sin_cos") ? "sin_cos" : "cos_sin");
        bool last = strstr(name, "half_minus1") || whole_behind(name, "endpoint", 0) == 1;
        golden_arg(g, "last", last ? "true" : "false");
        golden_run(g, "features");
    }
    golden_expect(g, "result", key, single);
}

static void embeddings(golden *g)
{
    assert_true(each_key(g, "temb/", embedding_of) > 0);
}

/* ---- autoencoders ---- */

static void quantisation(golden *g, const char *name)
{
    if (!after(name, "loss")) return;
    config_dims(g, "X", "vq/z");
    golden_config(g, "k", "%d", (int)golden_dim(g, "vq/codebook", 0));
    golden_arg(g, "beta", "%.17g", number_behind(name, "beta", 0.25));
    golden_arg(g, "legacy", strstr(name, "legacy") ? "true" : "false");
    golden_bind(g, "z", "vq/z");
    golden_bind(g, "codebook", "vq/codebook");
    golden_bind(g, "G", "vq/cotangent");
    golden_run(g, "quantise");
    golden_expect(g, "index", "vq/index", GOLDEN_ABS(0));
    golden_expect(g, "loss", golden_name(g, "vq/%s", name), single);
    golden_expect(g, "grad.z", "vq/grad_z", single);
    golden_expect(g, "grad.codebook", "vq/grad_codebook", single);
}

static void autoencoders(golden *g)
{
    assert_true(each_key(g, "vq/", quantisation) > 0);
    config_dims(g, "X", "kl_posterior/moments");
    config_dims(g, "Y", "kl_posterior/noise");
    golden_bind(g, "moments", "kl_posterior/moments");
    golden_bind(g, "z", "kl_posterior/noise");
    golden_run(g, "posterior_op");
    golden_expect(g, "result", "kl_posterior/sample", single);
    golden_expect(g, "kl", "kl_posterior/kl_per_sample", single);
}

/* ---- optimisers ---- */

static void run_optimiser(golden *g, const char *name)
{
    golden_config(g, "p0", "%s", golden_list(g, "optim/p0"));
    golden_config(g, "n", "%d", (int)golden_dim(g, "optim/grads", 0));
    golden_config(g, "lr", "%.17g", number_behind(name, "_lr", 0));
    golden_bind(g, "g", "optim/grads");
    golden_arg(g, "how",
               after(name, "adam")   ? "adam"
               : after(name, "sgd")  ? "sgd"
               : after(name, "lion") ? "lion"
                                     : "rmsprop");
    const char *betas = strstr(name, "_b");
    if (betas) {
        char *end;
        golden_arg(g, "b1", "%.17g", strtod(betas + 2, &end));
        golden_arg(g, "b2", "%.17g", strtod(end + 1, NULL));
    }
    golden_arg(g, "wd", "%.17g", number_behind(name, "_wd", 0));
    golden_arg(g, "small", "%.17g", number_behind(name, "_eps", 1e-8));
    golden_arg(g, "alpha", "%.17g", number_behind(name, "_alpha", 0.99));
    golden_arg(g, "momentum", "%.17g", number_behind(name, "_mom", 0));
    golden_arg(g, "nesterov", strstr(name, "nesterov") ? "true" : "false");
}

static void optimiser(golden *g, const char *name)
{
    if (strcmp(name, "p0") == 0 || strcmp(name, "grads") == 0) return;
    assert_true(after(name, "adam") || after(name, "sgd") || after(name, "rmsprop") ||
                after(name, "lion"));
    run_optimiser(g, name);
    golden_run(g, "optimise");
    golden_expect(g, "result", golden_name(g, "optim/%s", name), single);
}

static void clipping(golden *g, const char *name)
{
    const char *form = after(name, "torch_max") ? "torch" : after(name, "tf_max") ? "tf" : NULL;
    if (!form) return;
    golden_config(g, "n", "%d", (int)golden_dim(g, "optim/grads", 1));
    golden_bind_rows(g, "g", "optim/grads", 0, 1);
    golden_arg(g, "most", "%.17g", number_behind(name, "_max", 1));
    golden_arg(g, "form", "%s", form);
    golden_run(g, "clipped");
    golden_expect(g, "norm", "clip/global_norm", single);
    golden_expect(g, "result", golden_name(g, "clip/%s", name), single);
}

static void optimisers(golden *g)
{
    assert_true(each_key(g, "optim/", optimiser) > 2);
    assert_true(each_key(g, "clip/", clipping) > 1);
}

/* ---- rates of moving averages ---- */

static void average_of(golden *g, const char *optim)
{
    const dg_st_file *f = golden_file(g);
    const char *want = golden_name(g, "optim/%s", optim); /* the first such optimiser */
    for (int i = 0; i < f->n; i++) {
        if (!after(f->tensors[i].name, want)) continue;
        run_optimiser(g, f->tensors[i].name + strlen("optim/"));
        return;
    }
    fail_msg("no optimiser %s", optim);
}

static void bind_counts(golden *g, const char *input, int64_t n)
{
    double *k = DG_NEW_ARRAY(golden_arena(g), double, n);
    for (int64_t i = 0; i < n; i++) k[i] = (double)i;
    golden_bind_values(g, input, k, n);
    golden_config(g, "n", "%d", (int)n);
}

static void rate(golden *g, const char *name)
{
    const char *key = golden_name(g, "ema/%s", name), *of = strstr(name, "_of_");
    const dg_st_tensor *t = dg_st_find(golden_file(g), key);
    int64_t n = dg_shape_count(&t->shape);
    if (of) {
        golden_config(g, "rate", "%.17g", number_behind(name, "rate", 0));
        average_of(g, of + strlen("_of_"));
        golden_run(g, "optimise");
        golden_expect(g, "ema", key, single);
        return;
    }
    if (after(name, "tf_num_updates")) {
        bind_counts(g, "k", n);
        golden_arg(g, "most", "%.17g", number_behind(name, "decay", 0));
        golden_run(g, "warmup_rate");
    } else if (after(name, "kdiffusion")) {
        bind_counts(g, "k", n);
        golden_arg(g, "gamma", "%.17g", number_behind(name, "invgamma", 1));
        const char *power = strstr(name, "power"), *over = power ? strchr(power, '/') : NULL;
        double p = number_behind(name, "power", 1);
        golden_arg(g, "power", "%.17g", over ? p / strtod(over + 1, NULL) : p);
        golden_run(g, "inverse_rate");
    } else {
        assert_non_null(after(name, "edm_halflife"));
        double *images = DG_NEW_ARRAY(golden_arena(g), double, n);
        const char *list = strstr(name, "_at_kimg");
        assert_non_null(list);
        list += strlen("_at_kimg");
        for (int64_t i = 0; i < n; i++) {
            char *end;
            images[i] = 1000 * strtod(list + 1, &end);
            list = end;
        }
        golden_bind_values(g, "images", images, n);
        golden_config(g, "n", "%d", (int)n);
        golden_arg(g, "half_life", "%.17g", 1000 * number_behind(name, "halflife", 0));
        golden_arg(g, "ramp", "%.17g", number_behind(name, "rampup", 0));
        golden_arg(g, "batch", "%d", whole_behind(name, "batch", 0));
        golden_run(g, "half_life_rate");
    }
    golden_expect(g, "result", key, single);
}

static void averages(golden *g)
{
    assert_true(each_key(g, "ema/", rate) > 0);
}

int main(void)
{
    static const golden_case cases[] = {{"layers", operations},
                                        {"embeddings of time", embeddings},
                                        {"autoencoders", autoencoders},
                                        {"optimisers", optimisers},
                                        {"moving averages", averages}};
    return golden_main("14_ops_embeddings_optim.safetensors",
                       "tests/golden/14_ops_embeddings_optim.dg", cases, 5);
}

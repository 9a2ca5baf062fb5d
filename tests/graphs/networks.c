/* tests/graphs/networks.c: random networks computed in every way there is. Forward, training's
 * gradients, a gradient through a loop, an optimiser's step and a sampler have the same bits on any
 * number of threads, under any budget, with the bytes of dead values poisoned, and without the
 * passes that only move bytes; in all other ways they are those of the double-precision reference
 * but for rounding.
 *
 * DG_NETWORKS=FIRST,COUNT tries others than those of every day; DG_SHOW=1 prints their text. */
#include "include/dg/dg.h"
#include "tests/support/random_network.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ENTRIES = 5, OF_LARGE = 2, MOST_TENSORS = 512, EVERY_DAY = 6 };

/* The step comes last: an optimiser makes much of little, so that only its bits can be compared. */
static const char *const entries[ENTRIES] = {"forward", "grads", "unrolled", "sample", "step"};

/* ---- ways ---- */

typedef struct way {
    const char *name;
    dg_options options;
    double budget;    /* part of the arena that is taken without one; 0: none */
    double tolerance; /* 0: the bits of the plain way */
    int same_as;      /* with a tolerance: the bits of so many ways before, too */
} way;

#define SKIP(...) ((const char *const[]){__VA_ARGS__, NULL})
#define F4 1e-3 /* F(4x4) everywhere */
#define BF16 0.1

static const way reference = {"f64", {.precision = "f64", .threads = 2}, 0, 0, 0};
static const way plain = {"plain", {.verify = true, .threads = 1}, 0, 1e-3, 0};
static const way ways[] = {
    {"2 threads", {.threads = 2}, 0, 0, 0},
    {"8 threads", {.threads = 8}, 0, 0, 0},
    {"poison", {.check = "poison"}, 0, 0, 0},
    {"naive", {.check = "naive"}, 0, 0, 0},
    {"no order", {.skip = SKIP("schedule")}, 0, 0, 0},
    {"no into", {.skip = SKIP("into")}, 0, 0, 0},
    {"no parts", {.skip = SKIP("parts")}, 0, 0, 0},
    {"no parts, into", {.skip = SKIP("parts", "into")}, 0, 0, 0},
    {"no recompute", {.skip = SKIP("recompute")}, 0, 0, 0},
    {"no prologue", {.skip = SKIP("prologue")}, 0, 0, 0},
    {"no prologue, recompute", {.skip = SKIP("prologue", "recompute")}, 0, 0, 0},
    {"0.95 of the arena", {.threads = 2}, 0.95, 0, 0},
    {"0.8 of the arena, poison", {.check = "poison"}, 0.8, 0, 0},
    {"0.65 of the arena", {.threads = 3}, 0.65, 0, 0},
    {"half the arena", {.threads = 1}, 0.5, 0, 0},
    {"no expand", {.skip = SKIP("expand")}, 0, 1e-4, 0},
    {"no simplify", {.skip = SKIP("simplify")}, 0, 1e-4, 0},
    {"no prepare", {.skip = SKIP("prepare")}, 0, 1e-4, 0},
    {"no hoist", {.skip = SKIP("hoist")}, 0, 1e-4, 0},
    {"no tables", {.skip = SKIP("tables")}, 0, 1e-4, 0},
    {"no cse", {.skip = SKIP("cse")}, 0, 1e-4, 0},
    {"no patterns", {.skip = SKIP("patterns")}, 0, 1e-4, 0},
    {"no fuse", {.skip = SKIP("fuse")}, 0, 1e-4, 0},
    {"no moments", {.skip = SKIP("moments")}, 0, 1e-4, 0},
    {"no pass",
     {.skip = SKIP("expand", "simplify", "prepare", "hoist", "tables", "cse", "patterns", "fuse",
                   "moments", "parts", "schedule", "recompute", "into")},
     0,
     1e-4,
     0},
    {"avx2", {.isa = "avx2"}, 0, 1e-4, 0},
    {"avx2, 3 threads", {.isa = "avx2", .threads = 3}, 0, 1e-4, 1},
    {"generic", {.isa = "generic"}, 0, 1e-4, 0},
    {"generic, 3 threads", {.isa = "generic", .threads = 3}, 0, 1e-4, 1},
    {"direct", {.conv = "direct"}, 0, 1e-4, 0},
    {"F(2x2)", {.conv = "winograd2"}, 0, 1e-4, 0},
    {"F(4x4)", {.conv = "winograd4"}, 0, F4, 0},
    {"F(4x4), avx2", {.conv = "winograd4", .isa = "avx2"}, 0, F4, 0},
    {"F(4x4), generic", {.conv = "winograd4", .isa = "generic"}, 0, F4, 0},
    {"bf16", {.precision = "bf16"}, 0, BF16, 0},
    {"bf16, 3 threads", {.precision = "bf16", .threads = 3, .check = "poison"}, 0, BF16, 1},
    {"bf16, no parts, into, recompute",
     {.precision = "bf16", .skip = SKIP("parts", "into", "recompute")},
     0,
     BF16,
     2},
};
enum { WAYS = sizeof ways / sizeof *ways };

/* ---- results ---- */

typedef struct tensor {
    char name[128];
    int64_t n;
    double *at;
} tensor;

typedef struct results { /* of an entry */
    int n;
    tensor *of;
    int64_t arena;
    char error[400];
} results;

static void hear(void *user, const dg_report *r)
{
    results *to = user;
    if (r->error && !*to->error) snprintf(to->error, sizeof to->error, "%s", r->text);
}

static void keep(results *r, const void *data, const dg_tensor_info *info)
{
    assert_true(r->n < MOST_TENSORS && data);
    tensor *t = &r->of[r->n++];
    snprintf(t->name, sizeof t->name, "%s", info->name);
    bool f64 = strcmp(info->dtype, "f64") == 0;
    if (!f64 && strcmp(info->dtype, "f32") != 0) return;
    t->n = (int64_t)(info->bytes / (f64 ? sizeof(double) : sizeof(float)));
    t->at = malloc((size_t)t->n * sizeof(double));
    for (int64_t i = 0; i < t->n; i++)
        t->at[i] = f64 ? ((const double *)data)[i] : (double)((const float *)data)[i];
}

static void keep_all(results *r, dg_session *s, dg_plan *p, dg_store *store, const char *entry)
{
    const dg_tensor_info *info;
    for (int i = 0, n = dg_plan_outputs(p, &info); i < n; i++) {
        void *data = malloc(info[i].bytes);
        assert_int_equal(dg_session_read(s, info[i].name, data, info[i].bytes), DG_OK);
        keep(r, data, &info[i]);
        free(data);
    }
    bool step = strcmp(entry, "step") == 0;
    for (int i = 0, n = dg_store_tensors(store, &info); i < n; i++)
        if (step || strstr(info[i].name, "g.net"))
            keep(r, dg_store_data(store, info[i].name), &info[i]);
}

static void results_free(results *r)
{
    for (int i = 0; i < r->n; i++) free(r->of[i].at);
    free(r->of);
    *r = (results){0};
}

/* ---- one way ---- */

static void bind_inputs(dg_session *s, const random_network *n, bool f64)
{
    size_t count = (size_t)n->batch * (size_t)n->channels * (size_t)n->height * (size_t)n->width;
    double *wide = malloc(count * sizeof *wide);
    float *narrow = malloc(count * sizeof *narrow);
    int32_t t[8];
    for (size_t i = 0; i < count; i++) {
        narrow[i] = (float)sin((double)i * 12.9898 + 1) + 0.1f * (float)(i % 7);
        wide[i] = (double)narrow[i];
    }
    for (int i = 0; i < n->batch; i++) t[i] = i * 37 % 100;
    assert_int_equal(dg_session_bind(s, "x", f64 ? (void *)wide : narrow, count * (f64 ? 8 : 4)),
                     DG_OK);
    assert_int_equal(dg_session_bind(s, "t", t, (size_t)n->batch * sizeof *t), DG_OK);
    free(wide);
    free(narrow);
}

static bool run(const dg_options *o, const random_network *n, dg_store *store, const char *entry,
                results *to)
{
    dg_context *c = dg_context_new(o);
    assert_non_null(c);
    dg_program *p = dg_program_open_text(c, "network.dg", n->text.at, n->text.n, NULL, 0);
    dg_plan *plan = p ? dg_plan_compile(p, entry, NULL, 0) : NULL;
    bool good = false;
    if (plan) {
        dg_plan_figures figures;
        dg_plan_figures_of(plan, &figures);
        to->arena = figures.arena;
        dg_session *s = dg_session_new(plan, store);
        dg_session_seed(s, 5);
        bind_inputs(s, n, o->precision && strcmp(o->precision, "f64") == 0);
        good = dg_session_run(s) == DG_OK;
        if (good && to->of) keep_all(to, s, plan, store, entry);
        dg_session_free(s);
        dg_plan_close(plan);
    }
    dg_program_free(p);
    dg_context_free(c);
    return good;
}

/* An entry on fresh parameters that have been shaken, since layers begin with zeros and ones. */
static bool run_entry(const way *w, const random_network *n, const char *entry, int64_t arena,
                      results *to)
{
    *to = (results){0};
    dg_options o = w->options;
    if (o.threads == 0) o.threads = 1;
    o.message = hear;
    o.user = to;
    dg_context *c = dg_context_new(&o);
    assert_non_null(c);
    dg_store *store = dg_store_new(c);
    bool good = run(&o, n, store, "shake", to);
    to->of = calloc(MOST_TENSORS, sizeof *to->of);
    o.memory = (uint64_t)((double)arena * w->budget);
    good = good && run(&o, n, store, entry, to);
    dg_store_free(store);
    dg_context_free(c);
    return good;
}

/* ---- comparing ---- */

static bool same_bits(const results *got, const results *want, const char **where)
{
    *where = "their number";
    if (got->n != want->n) return false;
    for (int i = 0; i < want->n; i++) {
        const tensor *g = &got->of[i], *t = &want->of[i];
        *where = t->name;
        if (g->n != t->n || (t->n > 0 && memcmp(g->at, t->at, (size_t)t->n * sizeof *t->at) != 0))
            return false;
    }
    return true;
}

static double rms(const tensor *t)
{
    double sum = 0;
    for (int64_t i = 0; i < t->n; i++) sum += t->at[i] * t->at[i];
    return t->n > 0 ? sqrt(sum / (double)t->n) : 0;
}

/* The largest error of a tensor: the root of mean squares of its differences, in parts of its own
 * or a hundredth of the largest tensor's, since what cancels out is all rounding. */
static double error_of(const results *got, const results *want, const char **where)
{
    double scale = 0, most = 0;
    *where = "their number";
    if (got->n != want->n) return INFINITY;
    for (int i = 0; i < want->n; i++) scale = fmax(scale, rms(&want->of[i]));
    for (int i = 0; i < want->n; i++) {
        const tensor *g = &got->of[i], *t = &want->of[i];
        double sum = 0;
        for (int64_t k = 0; k < t->n; k++) sum += (g->at[k] - t->at[k]) * (g->at[k] - t->at[k]);
        double error = t->n > 0 ? sqrt(sum / (double)t->n) / (rms(t) + 1e-2 * scale + 1e-12) : 0;
        if (error <= most) continue;
        *where = t->name;
        most = isnan(error) ? INFINITY : error;
    }
    return most;
}

/* ---- one network ---- */

typedef struct trial {
    uint32_t number;
    const char *entry;
    results want, base;
    double rounding; /* error of the plain way: how badly f32 does on this network */
    int complaints;
} trial;

static void complain(trial *t, const way *w, const char *what, double error, const char *where)
{
    printf("network %u, %s, %s: %s %g at %s\n", t->number, t->entry, w->name, what, error, where);
    t->complaints++;
}

static void compare(trial *t, const way *w, const results *got, const results *before)
{
    const char *where;
    double error = error_of(got, &t->want, &where);
    bool loose = strcmp(t->entry, "step") == 0;
    /* what f32 rounds badly, bf16 rounds as much worse as it has fewer bits */
    double badly = t->rounding * (w->tolerance == BF16 ? 6 * 65536 : w->tolerance == F4 ? 40 : 4);
    if (w->tolerance > 0 && !loose && !(error <= fmax(w->tolerance, badly)))
        complain(t, w, "error", error, where);
    const results *same = w->tolerance == 0 ? &t->base : w->same_as ? &before[-w->same_as] : NULL;
    if (same && !same_bits(got, same, &where)) complain(t, w, "other bits", error, where);
    if (w->budget > 0 && (double)got->arena > (double)t->base.arena * w->budget)
        complain(t, w, "over its budget", (double)got->arena, "the arena");
}

static void try_entry(trial *t, const random_network *n)
{
    const char *where;
    results got[WAYS];
    if (!run_entry(&reference, n, t->entry, 0, &t->want))
        fail_msg("network %u, %s: %s", t->number, t->entry, t->want.error);
    if (!run_entry(&plain, n, t->entry, 0, &t->base))
        fail_msg("network %u, %s: %s", t->number, t->entry, t->base.error);
    t->rounding = error_of(&t->base, &t->want, &where);
    if (strcmp(t->entry, "step") != 0 && !(t->rounding <= plain.tolerance))
        complain(t, &plain, "error", t->rounding, where);
    for (int k = 0; k < WAYS; k++) {
        const way *w = &ways[k];
        if (run_entry(w, n, t->entry, t->base.arena, &got[k]))
            compare(t, w, &got[k], &got[k]);
        else if (w->budget == 0 || !strstr(got[k].error, "E601"))
            complain(t, w, got[k].error, 0, "all");
    }
    for (int k = 0; k < WAYS; k++) results_free(&got[k]);
    results_free(&t->want);
    results_free(&t->base);
}

static void networks(void **state)
{
    (void)state;
    const char *range = getenv("DG_NETWORKS"), *show = getenv("DG_SHOW");
    unsigned first = 0, count = EVERY_DAY;
    if (range && sscanf(range, "%u,%u", &first, &count) != 2) fail_msg("DG_NETWORKS=FIRST,COUNT");
    int complaints = 0;
    for (unsigned i = first; i < first + count; i++) {
        random_network n;
        random_network_make(&n, i);
        if (show) printf("%s", n.text.at), fflush(stdout);
        for (int e = 0; e < (n.large ? OF_LARGE : ENTRIES); e++) {
            trial t = {.number = i, .entry = entries[e]};
            try_entry(&t, &n);
            complaints += t.complaints;
        }
        random_network_free(&n);
        fflush(stdout);
    }
    assert_int_equal(complaints, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(networks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

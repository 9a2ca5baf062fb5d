/* betas.h: the schedule that a golden file names in its metadata, as "linear 1e-4..2e-2 T=1000". */
#ifndef DG_TESTS_GOLDEN_BETAS_H
#define DG_TESTS_GOLDEN_BETAS_H

#include "tests/support/golden.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static double betas_cosine(double u)
{
    double c = cos((u + 0.008) / 1.008 * 1.57079632679489661923);
    return c * c;
}

static double betas_one(const char *name, double b0, double b1, int i, int T)
{
    double u = T > 1 ? i / (double)(T - 1) : 0;
    if (strcmp(name, "linear") == 0) return b0 + (b1 - b0) * u;
    if (strcmp(name, "linear_scaled") == 0) return (0.1 + 19.9 * u) / T;
    if (strcmp(name, "scaled_linear") == 0 || strcmp(name, "quad") == 0) {
        double r = sqrt(b0) + (sqrt(b1) - sqrt(b0)) * u;
        return r * r;
    }
    if (strcmp(name, "sigmoid") == 0) return (b1 - b0) / (1 + exp(6 - 12 * u)) + b0;
    if (strcmp(name, "cosine") == 0)
        return fmin(1 - betas_cosine((i + 1.0) / T) / betas_cosine((double)i / T), 0.999);
    print_error("the golden file's schedule %s has no formula here\n", name);
    fail();
    return 0;
}

/* Sets config betas. */
static inline void betas_named(golden *g, const char *name, double b0, double b1, int T)
{
    assert_true(T > 1);
    double *betas = malloc((size_t)T * sizeof *betas);
    assert_non_null(betas);
    for (int i = 0; i < T; i++) betas[i] = betas_one(name, b0, b1, i, T);
    golden_config(g, "betas", "%s", golden_list_of(g, betas, T));
    free(betas);
}

/* The schedule of the metadata's `betas`; T stands there, too, or as `T`. Sets config betas. */
static inline void betas_config(golden *g)
{
    const char *text = golden_meta(g, "betas"), *in_text = strstr(text, "T=");
    char name[32] = "";
    double b0 = 1e-4, b1 = 0.02;
    assert_int_equal(sscanf(text, "%31s", name), 1);
    const char *dots = strstr(text, "..");
    if (dots) { /* strtod stops at the second point */
        b0 = strtod(text + strlen(name), NULL);
        b1 = strtod(dots + 2, NULL);
    }
    betas_named(g, name, b0, b1, atoi(in_text ? in_text + 2 : golden_meta(g, "T")));
}

#endif

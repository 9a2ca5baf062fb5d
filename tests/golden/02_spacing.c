/* 02_spacing.c: which steps each published rule takes. The rule and its numbers are read from the
 * keys: <rule>/T<T>/<n>, space/T<T>/<spec>, analytic_<rule>/N<N>/<n>,
 * repaint/T<T>/n<n>_jl<j>_jn<r>. */
#include "tests/support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EXACT GOLDEN_ABS(0)

/* "10,20" or "ddim25" as the arguments of entries space and chain. */
static void use_spec(golden *g, const char *spec)
{
    if (strncmp(spec, "ddim", 4) == 0)
        golden_arg(g, "stride", "%d", atoi(spec + 4));
    else
        golden_arg(g, "counts", "[%s]", spec);
}

static void use_size(golden *g, const char *key, int T)
{
    golden_arg(g, "T", "%d", T);
    golden_arg(g, "count", "%d", (int)golden_dim(g, key, 0));
}

/* A digit or more at the end of a rule's name is a number of it: leading_off1, analytic_power2. */
static void use_rule(golden *g, char *rule)
{
    double number;
    int end = 0;
    if (sscanf(rule, "analytic_power%lf%n", &number, &end) == 1 && !rule[end]) {
        golden_arg(g, "p", "%#.17g", number);
        strcpy(rule, "analytic_power");
    } else if (sscanf(rule, "leading_off%lf%n", &number, &end) == 1 && !rule[end]) {
        golden_arg(g, "offset", "%.0f", number);
        strcpy(rule, "leading");
    }
    golden_arg(g, "rule", "%s", rule);
}

static void rules(golden *g)
{
    const dg_st_file *f = golden_file(g);
    int found = 0;
    for (int i = 0; i < f->n; i++) {
        const char *key = f->tensors[i].name;
        char rule[40];
        int T, n, jump, times, end = 0;
        if (strncmp(key, "respaced/", 9) == 0) continue;
        if (sscanf(key, "%39[^/]/%*[TN]%d/%n", rule, &T, &end) != 2 || !end)
            print_error("%s is not <rule>/T<T>/...\n", key);
        assert_true(end > 0);
        use_size(g, key, T);
        const char *rest = key + end;
        if (strcmp(rule, "space") == 0) {
            use_spec(g, rest);
            golden_run(g, "space");
        } else if (strcmp(rule, "repaint") == 0) {
            assert_int_equal(sscanf(rest, "n%d_jl%d_jn%d", &n, &jump, &times), 3);
            golden_arg(g, "n", "%d", n);
            golden_arg(g, "jump", "%d", jump);
            golden_arg(g, "times", "%d", times);
            golden_run(g, "walk");
        } else {
            use_rule(g, rule);
            golden_arg(g, "n", "%d", atoi(rest));
            golden_run(g, "by_rule");
        }
        golden_expect(g, "result", key, EXACT);
        found++;
    }
    assert_true(found > 0);
}

/* The metadata's respaced_base, "linear T=1000", and respaced_spec. */
static void respaced(golden *g)
{
    char name[40];
    int T;
    assert_int_equal(sscanf(golden_meta(g, "respaced_base"), "%39s T=%d", name, &T), 2);
    const char *spec = golden_meta(g, "respaced_spec");
    use_size(g, "respaced/use_timesteps", T);
    use_spec(g, spec);
    golden_run(g, "space");
    golden_expect(g, "result", "respaced/use_timesteps", EXACT);
    use_size(g, "respaced/betas", T);
    use_spec(g, spec);
    golden_arg(g, "name", "%s", name);
    golden_run(g, "chain");
    golden_expect(g, "result", "respaced/betas", GOLDEN_REL(2e-5));
}

int main(void)
{
    static const golden_case cases[] = {{"rules", rules}, {"respaced betas", respaced}};
    return golden_main("02_spacing.safetensors", "tests/golden/02_spacing.dg", cases,
                       sizeof cases / sizeof *cases);
}

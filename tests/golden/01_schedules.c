/* 01_schedules.c: each schedule of the file by its name, <name>_T<T>/<array>, and the weights of
 * losses on it, weights/<name>_T<T>/<weight>. */
#include "tests/support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SINGLE GOLDEN_REL(2e-5)

typedef struct place {
    char name[64];
    int T;
    const char *array;
} place;

/* "<name>_T<T>/<array>". */
static bool read_place(const char *text, place *p)
{
    const char *slash = strchr(text, '/'), *mark = NULL;
    for (const char *at = text; slash && (at = strstr(at, "_T")) && at < slash; at++) mark = at;
    int end = 0;
    if (!mark || mark - text >= (int)sizeof p->name || sscanf(mark, "_T%d%n", &p->T, &end) != 1 ||
        mark + end != slash)
        return false;
    snprintf(p->name, sizeof p->name, "%.*s", (int)(mark - text), text);
    p->array = slash + 1;
    return true;
}

static void use(golden *g, const place *p)
{
    golden_arg(g, "name", "%s", p->name);
    golden_arg(g, "T", "%d", p->T);
}

static void schedules(golden *g)
{
    const dg_st_file *f = golden_file(g);
    char last[80] = "";
    int found = 0;
    for (int i = 0; i < f->n; i++) {
        const char *key = f->tensors[i].name;
        place p;
        if (strncmp(key, "weights/", 8) == 0 || strncmp(key, "vp_sde/", 7) == 0) continue;
        if (!read_place(key, &p)) print_error("%s names no schedule\n", key);
        assert_true(read_place(key, &p));
        const char *folder = golden_name(g, "%s_T%d", p.name, p.T);
        if (strcmp(folder, last) != 0) {
            use(g, &p);
            golden_run(g, "derived");
            snprintf(last, sizeof last, "%s", folder);
        }
        bool whole = strcmp(p.array, "alphas_cumprod") == 0;
        golden_expect(g, whole ? "result" : p.array, key, SINGLE);
        found++;
    }
    assert_true(found > 0);
}

static void vp(golden *g)
{
    const char *key = "vp_sde/alphas_bar_at_t_over_T";
    golden_arg(g, "N", "%d", (int)golden_dim(g, key, 0) - 1);
    golden_run(g, "vp");
    golden_expect(g, "result", key, SINGLE);
}

/* "min_snr<gamma>_<predicts>", "p2_k<k>_g<gamma>", "vlb_eps_fixed<small|large>". */
static void one_weight(golden *g, const char *key, const place *p)
{
    char predicts[8];
    double gamma, k;
    use(g, p);
    if (sscanf(p->array, "min_snr%lf_%7s", &gamma, predicts) == 2) {
        golden_arg(g, "gamma", "%#.17g", gamma);
        golden_arg(g, "predicts", "%s", predicts);
        golden_run(g, "min_snr");
    } else if (sscanf(p->array, "p2_k%lf_g%lf", &k, &gamma) == 2) {
        golden_arg(g, "k", "%#.17g", k);
        golden_arg(g, "gamma", "%#.17g", gamma);
        golden_run(g, "p2");
    } else if (strncmp(p->array, "vlb_eps_fixed", 13) == 0) {
        golden_arg(g, "variance", "%s", p->array + 13);
        golden_arg(g, "from", "%d", p->T - (int)golden_dim(g, key, 0));
        golden_run(g, "vlb_eps");
    } else {
        print_error("%s is no weight that is known here\n", key);
        fail();
    }
    golden_expect(g, "result", key, SINGLE);
}

static void weights(golden *g)
{
    const dg_st_file *f = golden_file(g);
    int found = 0;
    for (int i = 0; i < f->n; i++) {
        const char *key = f->tensors[i].name;
        place p;
        if (strncmp(key, "weights/", 8) != 0) continue;
        assert_true(read_place(key + 8, &p));
        one_weight(g, key, &p);
        found++;
    }
    assert_true(found > 0);
}

int main(void)
{
    static const golden_case cases[] = {
        {"schedules", schedules}, {"the VP process", vp}, {"weights", weights}};
    return golden_main("01_schedules.safetensors", "tests/golden/01_schedules.dg", cases,
                       sizeof cases / sizeof *cases);
}

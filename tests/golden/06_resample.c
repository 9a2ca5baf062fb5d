/* 06_resample.c: importance sampling of the steps: history, warm-up and probabilities over a
 * sequence of losses. */
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

static void configure(golden *g)
{
    golden_config(g, "T", "%d", atoi(golden_meta(g, "T")));
    golden_config(g, "K", "%d", atoi(golden_meta(g, "history_per_term")));
    golden_config(g, "mix", "%#.17g", strtod(golden_meta(g, "uniform_prob"), NULL));
    golden_dims(g, "t", "N");
    golden_bind(g, "t", "t");
    golden_bind(g, "loss", "loss");
}

/* The file keeps a row in so many updates, starting with the first. */
static void along(golden *g)
{
    int64_t n, rows = golden_dim(g, "weights_after_each", 0);
    int T = atoi(golden_meta(g, "T")), every = 1;
    assert_int_equal(sscanf(golden_meta(g, "weights_after_each"), "every %d", &every), 1);
    const double *got = golden_result(g, "result", &n);
    const double *want = golden_values(g, "weights_after_each", NULL);
    double allowed = golden_f64(g) ? 1e-9 : single.rel;
    assert_true(((rows - 1) * every + 1) * T <= n);
    for (int64_t i = 0; i < rows * T; i++) {
        int64_t update = i / T * every;
        double have = got[update * T + i % T];
        if (!(fabs(have - want[i]) <= allowed * fabs(want[i])))
            fail_msg("update %lld, step %lld: %.9g, wanted %.9g", (long long)update,
                     (long long)(i % T), have, want[i]);
    }
}

static void replay(golden *g)
{
    configure(g);
    golden_run(g, "replay");
    along(g);
    golden_expect(g, "result.1", "warm_after_each", single);
    golden_expect(g, "result.2", "final_weights", single);
    golden_expect(g, "result.3", "history", single);
    golden_expect(g, "result.4", "final_importance_1_over_Tp", single);
}

static void at_once(golden *g)
{
    configure(g);
    golden_run(g, "at_once");
    golden_expect(g, "result", "history", single);
    golden_expect(g, "result.1", "final_weights", single);
}

int main(void)
{
    static const golden_case cases[] = {{"one update after another", replay},
                                        {"all updates at once", at_once}};
    return golden_main("06_resample.safetensors", "tests/golden/06_resample.dg", cases,
                       sizeof cases / sizeof *cases);
}

/* run.c: dg run and dg test. */
#include "runtime/cli/cli.h"

#include <stdlib.h>
#include <string.h>

int cli_run(cli *c)
{
    dg_run_options o = {.weights = c->text[OPT_WEIGHTS],
                        .init = c->list[OPT_INIT].n ? c->list[OPT_INIT].at : NULL,
                        .data = c->text[OPT_DATA],
                        .data_options = c->text[OPT_DATA_OPTIONS],
                        .save = c->text[OPT_SAVE],
                        .out = c->text[OPT_OUTPUT],
                        .sample0 = c->number[OPT_SAMPLE0],
                        .has_seed = c->count[OPT_SEED] > 0,
                        .seed = (uint64_t)c->number[OPT_SEED],
                        .json = c->count[OPT_JSON] > 0};
    dg_arg_text *args, *defs, *inputs;
    if (!cli_arity(c, 2, -1) || !cli_defines(c, &defs, &o.n_defs) ||
        !cli_pairs(c, "argument", c->arguments.at + 2, c->arguments.n - 2, &args) ||
        !cli_pairs(c, "--in", c->list[OPT_IN].at, c->list[OPT_IN].n, &inputs) || !cli_open(c))
        return DG_USAGE;
    o.file = c->arguments.at[0];
    o.entry = c->arguments.at[1];
    o.args = args;
    o.n_args = c->arguments.n - 2;
    o.defs = defs;
    o.inputs = inputs;
    o.n_inputs = c->list[OPT_IN].n;
    int status = dg_run_entry(c->context, &o);
    if (o.text) cli_print(o.text);
    dg_free(o.text);
    return cli_close(c, status);
}

typedef struct tally {
    int passed, failed;
    bool json, quiet;
} tally;

static void on_test(void *user, const dg_test_result *r)
{
    tally *t = user;
    *(r->passed ? &t->passed : &t->failed) += 1;
    if (t->json)
        cli_events_test(r);
    else if (!t->quiet || !r->passed)
        printf("%s  %s (%.2f s)\n", r->passed ? "ok    " : "FAILED", r->title, r->seconds);
}

int cli_test(cli *c)
{
    dg_arg_text *defs;
    int n, status = DG_OK;
    tally t = {.json = c->count[OPT_JSON] > 0, .quiet = c->count[OPT_QUIET] > 0};
    if (c->text[OPT_CHECK] && strcmp(c->text[OPT_CHECK], "naive") == 0) {
        cli_error("E222", "check", true, "naive compares two plans of one entry: use dg run");
        return DG_USAGE;
    }
    if (!cli_arity(c, 1, -1) || !cli_defines(c, &defs, &n) || !cli_open(c)) return DG_USAGE;
    for (int i = 0; i < c->arguments.n; i++) {
        int one =
            dg_test(c->context, c->arguments.at[i], defs, n, c->text[OPT_FILTER], on_test, &t);
        if (status == DG_OK) status = one;
        dg_context_clear(c->context);
    }
    if (!t.json) printf("%d passed, %d failed\n", t.passed, t.failed);
    return cli_close(c, status);
}

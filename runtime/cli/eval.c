/* eval.c: dg eval and dg curve. */
#include "runtime/cli/cli.h"

#include <string.h>

/* Options that only one of both uses of dg eval has. */
static bool judge_options(const cli *c)
{
    if (c->count[OPT_JUDGE] && c->count[OPT_EVERY])
        return cli_error("E223", "every", true,
                         "is of the bound, and --judge measures samples: leave one out");
    if (!c->count[OPT_JUDGE] && c->count[OPT_REAL])
        return cli_error("E223", "real", true,
                         "says which real samples a judge compares with: add --judge RUN");
    return true;
}

static int measure(cli *c, const char *out,
                   dg_status (*run)(dg_context *context, dg_eval_options *o))
{
    dg_eval_options o = {.entry = c->text[OPT_ENTRY],
                         .weights = c->text[OPT_WEIGHTS],
                         .data = c->text[OPT_DATA],
                         .split = c->text[OPT_SPLIT],
                         .n = c->number[OPT_N],
                         .points = c->number[OPT_POINTS],
                         .out = out,
                         .judge = c->text[OPT_JUDGE],
                         .real_all = c->text[OPT_REAL] && strcmp(c->text[OPT_REAL], "all") == 0,
                         .every = c->number[OPT_EVERY],
                         .has_seed = c->count[OPT_SEED] > 0,
                         .seed = (uint64_t)c->number[OPT_SEED],
                         .json = c->count[OPT_JSON] > 0};
    dg_arg_text *args, *defs;
    if (!judge_options(c) || !cli_arity(c, 1, -1) || !cli_defines(c, &defs, &o.n_defs) ||
        !cli_pairs(c, "argument", c->arguments.at + 1, c->arguments.n - 1, &args) || !cli_open(c))
        return DG_USAGE;
    o.run = c->arguments.at[0];
    o.args = args;
    o.n_args = c->arguments.n - 1;
    o.defs = defs;
    int status = run(c->context, &o);
    cli_progress_end();
    if (o.text && status == DG_OK) cli_print(o.text);
    dg_free(o.text);
    return cli_close(c, status);
}

int cli_eval(cli *c)
{
    return measure(c, c->text[OPT_OUT], dg_eval);
}

int cli_curve(cli *c)
{
    return measure(c, c->text[OPT_OUTPUT], dg_curve);
}

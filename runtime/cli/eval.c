/* eval.c: dg eval and dg curve. */
#include "runtime/cli/cli.h"

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
                         .has_seed = c->count[OPT_SEED] > 0,
                         .seed = (uint64_t)c->number[OPT_SEED],
                         .json = c->count[OPT_JSON] > 0};
    dg_arg_text *args, *defs;
    if (!cli_arity(c, 1, -1) || !cli_defines(c, &defs, &o.n_defs) ||
        !cli_pairs(c, "argument", c->arguments.at + 1, c->arguments.n - 1, &args) || !cli_open(c))
        return DG_USAGE;
    o.run = c->arguments.at[0];
    o.args = args;
    o.n_args = c->arguments.n - 1;
    o.defs = defs;
    int status = run(c->context, &o);
    cli_progress_end();
    if (o.text && status == DG_OK) fputs(o.text, stdout);
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

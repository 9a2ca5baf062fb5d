/* sample.c: dg sample, dg interp and dg replay: pictures and what made them. */
#include "runtime/cli/cli.h"

#include <string.h>

/* "4x8": rows, columns. */
static bool grid_of(cli *c, dg_sample_options *o)
{
    const char *text = c->text[OPT_GRID];
    if (!text) return true;
    int64_t rows, cols;
    size_t n = strcspn(text, "x");
    if (!text[n] || !dg_parse_int(text, n, &rows) ||
        !dg_parse_int(text + n + 1, strlen(text + n + 1), &cols) || rows < 1 || cols < 1 ||
        rows > 10000 || cols > 10000)
        return cli_error("E213", "grid", true, "'%s' is not ROWSxCOLUMNS, such as 8x8", text);
    o->grid_rows = (int)rows;
    o->grid_cols = (int)cols;
    return true;
}

int cli_sample(cli *c)
{
    dg_sample_options o = {.entry = c->text[OPT_ENTRY],
                           .weights = c->text[OPT_WEIGHTS],
                           .n = c->number[OPT_N],
                           .sample0 = c->number[OPT_SAMPLE0],
                           .out = c->text[OPT_OUTPUT],
                           .has_seed = c->count[OPT_SEED] > 0,
                           .seed = (uint64_t)c->number[OPT_SEED]};
    dg_arg_text *args, *defs, *inputs;
    if (!cli_arity(c, 1, -1) || !grid_of(c, &o) || !cli_defines(c, &defs, &o.n_defs) ||
        !cli_pairs(c, "argument", c->arguments.at + 1, c->arguments.n - 1, &args) ||
        !cli_pairs(c, "--in", c->list[OPT_IN].at, c->list[OPT_IN].n, &inputs) || !cli_open(c))
        return DG_USAGE;
    o.from = c->arguments.at[0];
    o.args = args;
    o.n_args = c->arguments.n - 1;
    o.defs = defs;
    o.inputs = inputs;
    o.n_inputs = c->list[OPT_IN].n;
    return cli_close(c, dg_sample(c->context, &o));
}

int cli_interp(cli *c)
{
    dg_interp_options o = {.entry = c->text[OPT_ENTRY],
                           .weights = c->text[OPT_WEIGHTS],
                           .from = c->text[OPT_FROM],
                           .to = c->text[OPT_TO],
                           .space = c->text[OPT_SPACE],
                           .frames = c->number[OPT_FRAMES],
                           .out = c->text[OPT_OUTPUT],
                           .has_seed = c->count[OPT_SEED] > 0,
                           .seed = (uint64_t)c->number[OPT_SEED]};
    dg_arg_text *args, *defs;
    if (!cli_arity(c, 1, -1) || !cli_defines(c, &defs, &o.n_defs) ||
        !cli_pairs(c, "argument", c->arguments.at + 1, c->arguments.n - 1, &args) || !cli_open(c))
        return DG_USAGE;
    o.from_run = c->arguments.at[0];
    o.args = args;
    o.n_args = c->arguments.n - 1;
    o.defs = defs;
    return cli_close(c, dg_interp(c->context, &o));
}

int cli_replay(cli *c)
{
    dg_replay_options o = {
        .run = c->text[OPT_RUN], .out = c->text[OPT_OUTPUT], .json = c->count[OPT_JSON] > 0};
    if (!cli_arity(c, 1, 1) || !cli_open(c)) return DG_USAGE;
    o.picture = c->arguments.at[0];
    int status = dg_replay(c->context, &o);
    cli_progress_end();
    if (o.text) cli_print(o.text);
    dg_free(o.text);
    return cli_close(c, status);
}

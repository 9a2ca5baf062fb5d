/* weights.c: dg weights and dg info. */
#include "runtime/cli/cli.h"

int cli_weights(cli *c)
{
    dg_weights_options o = {.into = c->text[OPT_INTO],
                            .entry = c->text[OPT_ENTRY],
                            .map = c->text[OPT_MAP],
                            .like = c->text[OPT_LIKE],
                            .state = c->text[OPT_STATE],
                            .dtype = c->text[OPT_DTYPE],
                            .out = c->text[OPT_OUTPUT],
                            .json = c->count[OPT_JSON] > 0};
    dg_arg_text *defs;
    if (!cli_arity(c, 2, 3) || !cli_defines(c, &defs, &o.n_defs) || !cli_open(c)) return DG_USAGE;
    o.verb = c->arguments.at[0];
    o.from = c->arguments.at[1];
    o.other = c->arguments.n == 3 ? c->arguments.at[2] : NULL;
    o.defs = defs;
    int status = dg_weights(c->context, &o);
    if (o.text) fputs(o.text, stdout);
    dg_free(o.text);
    return cli_close(c, status);
}

int cli_info(cli *c)
{
    if (!cli_arity(c, 1, 1) || !cli_open(c)) return DG_USAGE;
    char *text = dg_info(c->context, c->arguments.at[0], c->count[OPT_JSON] > 0);
    if (text) fputs(text, stdout);
    dg_free(text);
    return cli_close(c, text ? DG_OK : (int)dg_context_status(c->context));
}

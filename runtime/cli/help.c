/* help.c: dg help, dg ops, dg explain: texts from the tables they describe. */
#include "runtime/cli/cli.h"

#include <string.h>

int cli_help(cli *c)
{
    dg_text text = {0};
    if (!cli_arity(c, 0, 1)) return DG_USAGE;
    const cli_verb *v = c->arguments.n ? cli_verb_find(c->arguments.at[0]) : NULL;
    if (c->arguments.n && !v) {
        cli_error("E211", "dg help", false, "unknown verb '%s'; see dg help", c->arguments.at[0]);
        return DG_USAGE;
    }
    if (c->count[OPT_JSON])
        cli_help_json(&text);
    else
        cli_help_text(v, &text);
    fputs(text.at, stdout);
    dg_text_free(&text);
    return DG_OK;
}

static int print(cli *c, char *text)
{
    if (text) fputs(text, stdout);
    int status = text ? DG_OK : (int)dg_context_status(c->context);
    dg_free(text);
    return cli_close(c, status);
}

int cli_ops(cli *c)
{
    if (!cli_arity(c, 0, 1) || !cli_open(c)) return DG_USAGE;
    return print(c, dg_ops_text(c->context, c->arguments.at[0], c->count[OPT_JSON] > 0));
}

int cli_explain(cli *c)
{
    if (!cli_arity(c, 1, 1) || !cli_open(c)) return DG_USAGE;
    return print(c, dg_explain_text_of(c->context, c->arguments.at[0]));
}

/* check.c: dg check: elaborates every entry of each file; says nothing when all is well. */
#include "runtime/cli/cli.h"

int cli_check(cli *c)
{
    dg_arg_text *defs;
    int n, status = DG_OK;
    if (!cli_arity(c, 1, -1) || !cli_defines(c, &defs, &n) || !cli_open(c)) return DG_USAGE;
    for (int i = 0; i < c->arguments.n; i++) {
        dg_program *p = dg_program_open(c->context, c->arguments.at[i], defs, n);
        int one =
            p ? (int)dg_program_check(p, c->text[OPT_ENTRY]) : (int)dg_context_status(c->context);
        if (status == DG_OK) status = one;
        dg_program_free(p);
    }
    return cli_close(c, status);
}

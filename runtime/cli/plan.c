/* plan.c: dg plan: compiles an entry and prints its plan, or the IR after a stage. */
#include "runtime/cli/cli.h"

#include <stdlib.h>
#include <string.h>

static int print(cli *c, char *text)
{
    if (!text) {
        int status = dg_context_status(c->context);
        return status ? status : DG_INTERNAL;
    }
    size_t n = strlen(text);
    bool ok = cli_write(c, c->text[OPT_OUTPUT], text, n) &&
              (n == 0 || text[n - 1] == '\n' || c->text[OPT_OUTPUT] || putchar('\n') == '\n');
    dg_free(text);
    return ok ? DG_OK : DG_IO;
}

static int show(cli *c, dg_plan *p)
{
    if (!p) return dg_context_status(c->context);
    dg_plan_view v = {.format = c->count[OPT_JSON] ? "json" : c->text[OPT_FORMAT],
                      .summary = c->count[OPT_QUIET] > 0,
                      .canonical = c->count[OPT_CANONICAL] > 0,
                      .width = (int)c->number[OPT_WIDTH],
                      .depth = c->text[OPT_DEPTH] ? (int)c->number[OPT_DEPTH] : 2};
    int status = print(c, dg_plan_show(p, &v));
    dg_plan_close(p);
    return status;
}

static int plan_of_dump(cli *c)
{
    size_t length = 0;
    char *text = cli_read(c, c->text[OPT_FROM], &length);
    if (!text) return DG_IO;
    int status = show(c, dg_plan_from_ir(c->context, c->text[OPT_FROM], text, length));
    free(text);
    return status;
}

int cli_plan(cli *c)
{
    dg_arg_text *defs, *args;
    int n, status;
    bool from = c->text[OPT_FROM] != NULL;
    if (!cli_arity(c, from ? 0 : 2, from ? 0 : -1) || !cli_defines(c, &defs, &n) ||
        !cli_pairs(c, "argument", c->arguments.at + 2, from ? 0 : c->arguments.n - 2, &args) ||
        !cli_open(c))
        return DG_USAGE;
    if (from) return cli_close(c, plan_of_dump(c));
    const char *entry = c->arguments.at[1];
    int n_args = c->arguments.n - 2;
    dg_program *p = dg_program_open(c->context, c->arguments.at[0], defs, n);
    if (!p)
        status = dg_context_status(c->context);
    else if (c->text[OPT_DUMP])
        status = print(c, dg_plan_dump(p, entry, args, n_args, c->text[OPT_DUMP]));
    else
        status = show(c, dg_plan_compile(p, entry, args, n_args));
    dg_program_free(p);
    return cli_close(c, status);
}

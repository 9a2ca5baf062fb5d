/* bench.c: dg bench. */
#include "runtime/cli/cli.h"

#include <stdlib.h>
#include <string.h>

static bool is_file(const char *what)
{
    size_t n = strlen(what);
    return n > 3 && strcmp(what + n - 3, ".dg") == 0;
}

int cli_bench(cli *c)
{
    const char *format = c->text[OPT_FORMAT];
    if (format && (strcmp(format, "dot") == 0 || strcmp(format, "trace") == 0)) {
        cli_error("E222", "format", true, "%s is a form of plans: text, md, csv or json", format);
        return DG_USAGE;
    }
    dg_bench_options o = {.repeat = c->number[OPT_REPEAT],
                          .against = c->text[OPT_AGAINST],
                          .format = c->count[OPT_JSON] ? "json" : format,
                          .roof = c->count[OPT_ROOF] > 0,
                          .seed = (uint64_t)c->number[OPT_SEED]};
    dg_arg_text *args, *defs;
    if (!cli_defines(c, &defs, &o.n_defs)) return DG_USAGE;
    /* FILE.dg, then names, then NAME=VALUE */
    int at = 0;
    if (c->arguments.n > 0 && is_file(c->arguments.at[0])) o.file = c->arguments.at[at++];
    o.names = c->arguments.at + at;
    while (at + o.n_names < c->arguments.n && !strchr(o.names[o.n_names], '=')) o.n_names++;
    at += o.n_names;
    o.n_args = c->arguments.n - at;
    if (!cli_pairs(c, "argument", c->arguments.at + at, o.n_args, &args) || !cli_open(c))
        return DG_USAGE;
    o.args = args;
    o.defs = defs;
    int status = dg_bench(c->context, &o);
    cli_progress_end();
    if (o.text && !cli_write(c, c->text[OPT_OUTPUT], o.text, strlen(o.text))) status = DG_IO;
    dg_free(o.text);
    return cli_close(c, status);
}

/* train.c: dg train and dg resume. */
#include "runtime/cli/cli.h"

int cli_train(cli *c)
{
    dg_train_options o = {.out = c->text[OPT_OUT],
                          .name = c->text[OPT_NAME],
                          .steps = c->number[OPT_STEPS],
                          .set = c->list[OPT_SET].n ? c->list[OPT_SET].at : NULL,
                          .init = c->list[OPT_INIT].n ? c->list[OPT_INIT].at : NULL,
                          .dry_run = c->count[OPT_DRY_RUN] > 0,
                          .resume_if_exists = c->count[OPT_RESUME_IF_EXISTS] > 0,
                          .has_seed = c->count[OPT_SEED] > 0,
                          .seed = (uint64_t)c->number[OPT_SEED]};
    dg_arg_text *defs;
    if (!cli_arity(c, 1, 1) || !cli_defines(c, &defs, &o.n_defs) || !cli_open(c)) return DG_USAGE;
    o.config = c->arguments.at[0];
    o.defs = defs;
    return cli_close(c, dg_train(c->context, &o));
}

int cli_resume(cli *c)
{
    dg_resume_options o = {.steps = c->number[OPT_STEPS],
                           .at = c->count[OPT_AT] ? c->number[OPT_AT] : -1,
                           .graph = c->text[OPT_GRAPH],
                           .allow =
                               c->list[OPT_ALLOW_CHANGE].n ? c->list[OPT_ALLOW_CHANGE].at : NULL};
    if (!cli_arity(c, 1, 1) || !cli_open(c)) return DG_USAGE;
    o.run = c->arguments.at[0];
    return cli_close(c, dg_resume(c->context, &o));
}

/* dead.c: drops nodes and loop carries that nobody reads.
 *
 * In     any graph.
 * Out    only what an effect (write, output, check) needs, in loop bodies too. Passes that leave
 * much behind sweep by themselves; this one clears away what the front end and gradients made and
 * nobody asked for. */
#include "compiler/passes/passes.h"

bool dg_pass_dead(dg_module *m, const dg_pass_options *o)
{
    (void)o;
    dg_arena *scratch = dg_arena_new();
    dg_drop_dead(m->graph, scratch);
    dg_arena_free(scratch);
    return true;
}

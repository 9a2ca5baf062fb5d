/* passes.c: runs the graph passes in the order of passes.def.
 *
 * In     a module from the front end or read from a dump.
 * Out    the same module, ready for memplan. Ids are dense and in program order when `fuse` begins
 *        and ends, and from `schedule` on, where choices may go by id; the passes between these
 *        change little and go by order alone.
 * Keeps  with `verify` on, the rules of verify.h hold between any two passes. */
#include "compiler/passes/passes.h"

#include "compiler/ir/verify.h"

#include <string.h>

typedef bool pass_fn(dg_module *m, const dg_pass_options *o);

static const dg_pass_info infos[] = {
#define PASS(name, optional, summary) {#name, summary, optional, false},
#define CHOICE(name, summary) {#name, summary, true, true},
#include "compiler/passes/passes.def"
#undef PASS
    {0},
};

static pass_fn *const functions[] = {
#define PASS(name, optional, summary) dg_pass_##name,
#define CHOICE(name, summary) NULL,
#include "compiler/passes/passes.def"
#undef PASS
};

const dg_pass_info *dg_pass_at(int i)
{
    int n = (int)(sizeof functions / sizeof *functions);
    return i >= 0 && i < n ? &infos[i] : NULL;
}

enum {
#define PASS(name, optional, summary) AT_##name,
#define CHOICE(name, summary) AT_##name,
#include "compiler/passes/passes.def"
#undef PASS
};

bool dg_left_out(const dg_pass_options *o, const char *name)
{
    for (int i = 0; o->skip && o->skip[i]; i++) {
        if (strcmp(o->skip[i], name) == 0) return true;
    }
    return o->reference;
}

bool dg_passes_run(dg_module *m, const dg_pass_options *o)
{
    if (o->verify && !dg_verify(m, "graph")) return false;
    for (int i = 0; infos[i].name; i++) {
        if (i == AT_fuse) { /* the passes before it only know order */
            dg_module_compact(m);
            m->n_nodes = (int)m->graph->nodes.n;
        }
        if (!functions[i]) continue;
        bool runs = !infos[i].optional || !dg_left_out(o, infos[i].name);
        if (runs && !functions[i](m, o)) return false;
        if ((runs && i == AT_fuse) || i >= AT_schedule) dg_module_compact(m);
        if (!runs) continue;
        if (o->verify && !dg_verify(m, infos[i].name)) return false;
        if (o->after) o->after(o->ctx, infos[i].name, m);
    }
    return true;
}

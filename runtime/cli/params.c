/* params.c: dg params: the places of an entry, or of every entry that needs no arguments, each
 * once. */
#include "runtime/cli/cli.h"

#include "compiler/base/map.h"

#include <string.h>

static void print_place(const dg_tensor_info *t)
{
    char dims[128];
    int n = snprintf(dims, sizeof dims, "%s", t->dtype);
    for (int i = 0; i < t->rank && n < (int)sizeof dims - 24; i++)
        n += snprintf(dims + n, sizeof dims - (size_t)n, "%s%lld", i ? ", " : "[",
                      (long long)t->dims[i]);
    if (t->rank) snprintf(dims + n, sizeof dims - (size_t)n, "]");
    printf("%-5s  %-48s  %-24s  %-40s  %s\n", t->trained ? "param" : "state", t->name, dims,
           t->init ? t->init : "", t->source ? t->source : "");
}

typedef struct totals {
    int64_t params, values, states, state_values;
} totals;

static int list_entry(cli *c, dg_program *p, const char *entry, dg_map *seen, dg_strings *strings,
                      totals *sum)
{
    dg_plan *plan = dg_plan_compile(p, entry, NULL, 0);
    if (!plan) return dg_context_status(c->context);
    const dg_tensor_info *list;
    int n = dg_plan_places(plan, &list);
    for (int i = 0; i < n; i++) {
        dg_str name = dg_intern_z(strings, list[i].name);
        if (dg_map_has(seen, name)) continue;
        dg_map_set(seen, name, (void *)(uintptr_t)1);
        int64_t values = 1;
        for (int k = 0; k < list[i].rank; k++) values *= list[i].dims[k];
        *(list[i].trained ? &sum->params : &sum->states) += 1;
        *(list[i].trained ? &sum->values : &sum->state_values) += values;
        print_place(&list[i]);
    }
    dg_plan_close(plan);
    return DG_OK;
}

int cli_params(cli *c)
{
    dg_arg_text *defs;
    int n;
    if (!cli_arity(c, 1, 2) || !cli_defines(c, &defs, &n) || !cli_open(c)) return DG_USAGE;
    dg_program *p = dg_program_open(c->context, c->arguments.at[0], defs, n);
    const dg_entry *entries = NULL;
    int count = p ? dg_program_entries(p, &entries) : -1, status = DG_OK;
    dg_strings *strings = dg_strings_new(c->arena);
    dg_map *seen = dg_map_new(c->arena);
    totals sum = {0};
    if (count >= 0 && c->arguments.n == 2)
        status = list_entry(c, p, c->arguments.at[1], seen, strings, &sum);
    for (int i = 0; i < count && c->arguments.n == 1 && status == DG_OK; i++)
        if (entries[i].in_main && entries[i].kind != DG_KIND_TEST)
            status = list_entry(c, p, entries[i].name, seen, strings, &sum);
    if (count < 0) status = dg_context_status(c->context);
    if (status == DG_OK)
        printf("%lld parameter tensors, %.2f M values; %lld states, %.2f M values\n",
               (long long)sum.params, (double)sum.values / 1e6, (long long)sum.states,
               (double)sum.state_values / 1e6);
    dg_program_free(p);
    return cli_close(c, status);
}

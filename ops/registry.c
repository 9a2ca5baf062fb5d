/* registry.c: the table of ops, made from ops.def.
 *
 * In     ops.def, one line per op, in alphabetical order.
 * Out    find by name, list, and the check that no op is incomplete.
 * Keeps  the table is sorted by name; dg_ops_check refuses a line out of order. */
#include "ops/ops.h"

#include <string.h>

#define OP(folder, name) extern const dg_op dg_op_##name;
#include "ops/ops.def"
#undef OP

static const dg_op *const table[] = {
#define OP(folder, name) &dg_op_##name,
#include "ops/ops.def"
#undef OP
};

static const int count = (int)(sizeof table / sizeof table[0]);

const dg_op *dg_op_find(const char *name)
{
    int low = 0, high = count;
    while (low < high) {
        int middle = (low + high) / 2, order = strcmp(name, table[middle]->name);
        if (order == 0) return table[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const dg_op *dg_op_at(int i)
{
    return i >= 0 && i < count ? table[i] : NULL;
}

/* What an op lacks, NULL when it is complete. */
static const char *lacks(const dg_op *op)
{
    bool control = op->traits & DG_CONTROL; /* the executor and the passes know these */
    if (!op->doc || !*op->doc) return "doc";
    if (!op->infer && !control) return "infer";
    if (!op->ref && !control) return "ref";
    if (!op->grad && !op->no_grad) return "grad, or the reason why there is none";
    if (op->traits & DG_ELEMENTWISE && !op->lanes) return "lanes";
    if (op->traits & DG_VIEW && !op->view) return "view";
    for (const dg_lanes *l = op->lanes; l && l->fn[DG_GENERIC]; l++) {
        if (!l->fn[DG_AVX2] || !l->fn[DG_AVX512]) return "lanes for every ISA";
    }
    return NULL;
}

bool dg_ops_check(dg_diag *d)
{
    bool good = true;
    for (int i = 0; i < count; i++) {
        const char *missing = lacks(table[i]);
        if (missing) {
            dg_error_at(d, "E901", table[i]->name, "the op `%s` has no %s", table[i]->name,
                        missing);
            good = false;
        }
        if (i > 0 && strcmp(table[i - 1]->name, table[i]->name) >= 0) {
            dg_error_at(d, "E901", table[i]->name, "ops.def: `%s` stands out of alphabetical order",
                        table[i]->name);
            good = false;
        }
    }
    return good;
}

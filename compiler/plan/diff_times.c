/* diff_times.c: what takes longer or less in one plan's run than in another's.
 *
 * In     two results of dg plan --analyze --json (runtime/analyze.c).
 * Out    text: the whole run and its memory, then sums by phase, by kernel and by scope, before,
 *        after and the change; the largest changes first.
 * Keeps  what only one of them has: the other's side is empty. */
#include "compiler/plan/diff.h"

#include "compiler/base/os.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 16 }; /* lines of a kind */

bool dg_is_analysis(const json_t *root)
{
    static const char *const lists[] = {"phases", "kernels", "scopes"};
    if (strncmp(dg_json_text_at(root, "format"), "dg-analysis/1.", 14) != 0) return false;
    for (int i = 0; i < 3; i++)
        if (!json_is_array(json_object_get(root, lists[i]))) return false;
    return json_is_number(json_object_get(root, "ms")) &&
           json_is_integer(json_object_get(root, "arena_planned"));
}

static double ms_of(const json_t *o)
{
    return json_number_value(json_object_get(o, "ms"));
}

typedef struct change {
    const char *name;
    const json_t *before, *after; /* NULL: there is none */
    double by;                    /* milliseconds */
} change;

static int by_amount(const void *pa, const void *pb)
{
    const change *a = pa, *b = pb;
    double x = fabs(a->by), y = fabs(b->by);
    return x != y ? (x > y ? -1 : 1) : strcmp(a->name, b->name);
}

static const json_t *named(const json_t *list, const char *name)
{
    size_t i;
    json_t *e;
    json_array_foreach((json_t *)list, i, e)
    {
        if (strcmp(dg_json_text_at(e, "name"), name) == 0) return e;
    }
    return NULL;
}

static void cell(dg_text *t, const json_t *sum)
{
    if (sum)
        dg_text_add(t, "%10.3f  ", ms_of(sum));
    else
        dg_text_add(t, "%10s  ", "-");
}

static void sums(const json_t *a, const json_t *b, const char *key, const char *title, dg_text *t)
{
    json_t *x = json_object_get(a, key), *y = json_object_get(b, key), *e;
    size_t i, n = 0;
    change *all = calloc(json_array_size(x) + json_array_size(y) + 1, sizeof *all);
    if (!all) dg_out_of_memory();
    json_array_foreach(x, i, e)
    {
        const char *name = dg_json_text_at(e, "name");
        const json_t *after = named(y, name);
        all[n++] = (change){name, e, after, (after ? ms_of(after) : 0) - ms_of(e)};
    }
    json_array_foreach(y, i, e)
    {
        const char *name = dg_json_text_at(e, "name");
        if (!named(x, name)) all[n++] = (change){name, NULL, e, ms_of(e)};
    }
    qsort(all, n, sizeof *all, by_amount);
    double rest = 0;
    dg_text_add(t, "\n%10s  %10s  %10s  %s\n", "before ms", "after ms", "change", title);
    for (i = 0; i < n; i++) {
        if (i >= SHOWN) {
            rest += all[i].by;
            continue;
        }
        cell(t, all[i].before);
        cell(t, all[i].after);
        dg_text_add(t, "%+10.3f  %s\n", all[i].by, all[i].name);
    }
    if (n > SHOWN) dg_text_add(t, "%10s  %10s  %+10.3f  others\n", "", "", rest);
    free(all);
}

void dg_diff_times(const json_t *a, const json_t *b, dg_plan_difference *out, dg_text *t)
{
    char before[32], after[32];
    *out =
        (dg_plan_difference){.n = !json_equal((json_t *)a, (json_t *)b),
                             .peak_before = json_integer_value(json_object_get(a, "arena_planned")),
                             .peak_after = json_integer_value(json_object_get(b, "arena_planned")),
                             .ms_before = ms_of(a),
                             .ms_after = ms_of(b)};
    dg_text_add(t, "run: %.3f -> %.3f ms", out->ms_before, out->ms_after);
    if (out->ms_before > 0)
        dg_text_add(t, "  (%+.1f %%)", 100 * (out->ms_after / out->ms_before - 1));
    json_int_t threads[2] = {json_integer_value(json_object_get(a, "threads")),
                             json_integer_value(json_object_get(b, "threads"))};
    if (threads[0] != threads[1])
        dg_text_add(t, "\nthreads: %lld -> %lld", (long long)threads[0], (long long)threads[1]);
    if (out->peak_before != out->peak_after)
        dg_text_add(t, "\narena: %s -> %s", dg_bytes_text((uint64_t)out->peak_before, before),
                    dg_bytes_text((uint64_t)out->peak_after, after));
    dg_text_add(t, "\n");
    sums(a, b, "phases", "phase", t);
    sums(a, b, "kernels", "kernel", t);
    sums(a, b, "scopes", "scope", t);
}

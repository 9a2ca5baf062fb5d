/* diff.c: what differs between two plans, read from their JSON.
 *
 * In     two plans as explain_json.c writes them; results of --analyze go to diff_times.c.
 * Out    text: header, summary, steps, values, decisions and owners of the peak, of each only what
 *        differs. Steps go by the path of what they make, values by their paths, and where several
 *        have one path by their order; so a plan that only got a step more differs in that step.
 * Keeps  nothing of either: ids and step numbers are never compared. */
#include "compiler/plan/diff.h"
#include "compiler/plan/explain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 20 }; /* lines of a kind */

typedef struct side {
    json_t *root, *steps, *values, *summary;
    json_t *step, *value, *decision; /* by name: the element */
    int64_t n_steps;
} side;

typedef struct differ {
    side a, b;
    dg_text *t;
    int found;  /* differences */
    int listed; /* of the kind at hand */
    const char *kind;
} differ;

static json_t *at(const json_t *o, const char *key)
{
    return json_object_get(o, key);
}

static int64_t int_at(const json_t *o, const char *key)
{
    json_t *v = at(o, key);
    return json_is_integer(v) ? json_integer_value(v) : -1;
}

/* ---- lines ---- */

static void begin(differ *d, const char *kind)
{
    d->kind = kind;
    d->listed = 0;
}

/* Whether there is room for one more line of the kind; counts it either way. */
static bool line(differ *d)
{
    if (d->listed == 0) dg_text_add(d->t, "%s\n", d->kind);
    d->found++;
    if (++d->listed == SHOWN + 1) dg_text_add(d->t, "  ...\n");
    return d->listed <= SHOWN;
}

/* ---- names ---- */

/* `name`, or "name #2" for the second of that name. */
static void add_named(json_t *map, const char *name, json_t *element)
{
    dg_text t = {0};
    dg_text_add(&t, "%s", name);
    for (int n = 2; json_object_get(map, t.at); n++) {
        t.n = 0;
        dg_text_add(&t, "%s #%d", name, n);
    }
    json_object_set(map, t.at, element);
    dg_text_free(&t);
}

static const char *path_of(const side *s, int64_t value)
{
    const json_t *v = json_array_get(s->values, (size_t)value);
    return v ? dg_json_text_at(v, "path") : "";
}

static void name_all(side *s)
{
    size_t i;
    json_t *e;
    s->steps = at(s->root, "steps");
    s->values = at(s->root, "values");
    s->summary = at(s->root, "summary");
    s->n_steps = (int64_t)json_array_size(s->steps);
    s->step = json_object();
    s->value = json_object();
    s->decision = json_object();
    json_array_foreach(s->steps, i, e)
    {
        json_t *writes = at(e, "writes");
        const char *path = json_array_size(writes) > 0
                               ? path_of(s, json_integer_value(json_array_get(writes, 0)))
                               : "";
        dg_text t = {0};
        if (*path)
            dg_text_add(&t, "%s", path);
        else
            dg_text_add(&t, "%s in '%s'", dg_json_text_at(e, "kernel"),
                        dg_json_text_at(e, "scope"));
        add_named(s->step, t.at, e);
        dg_text_free(&t);
    }
    json_array_foreach(s->values, i, e)
    {
        if (*dg_json_text_at(e, "path")) add_named(s->value, dg_json_text_at(e, "path"), e);
    }
    json_array_foreach(at(s->root, "decisions"), i, e)
    {
        dg_text t = {0};
        bool order = strcmp(dg_json_text_at(e, "kind"), "order") == 0;
        dg_text_add(&t, "%s of %s", dg_json_text_at(e, "kind"),
                    order ? dg_json_text_at(e, "reason") : path_of(s, int_at(e, "value")));
        add_named(s->decision, t.at, e);
        dg_text_free(&t);
    }
}

/* ---- parts ---- */

static void header(differ *d)
{
    begin(d, "header");
    const char *key;
    json_t *x, *a = at(d->a.root, "header"), *b = at(d->b.root, "header");
    json_object_foreach(a, key, x)
    {
        json_t *y = at(b, key);
        if (json_is_object(x) && json_is_object(y)) { /* config, args */
            const char *name;
            json_t *v;
            json_object_foreach(x, name, v)
            {
                if (!json_equal(v, at(y, name)) && line(d))
                    dg_text_add(d->t, "  %s %s: %s -> %s\n", key, name, json_string_value(v),
                                at(y, name) ? dg_json_text_at(y, name) : "(none)");
            }
            json_object_foreach(y, name, v)
            {
                if (!at(x, name) && line(d))
                    dg_text_add(d->t, "  %s %s: (none) -> %s\n", key, name, json_string_value(v));
            }
        } else if (json_is_array(x)) { /* files */
            size_t i;
            json_t *f;
            json_array_foreach(x, i, f)
            {
                json_t *g = json_array_get(y, i);
                bool named =
                    i == 0 || json_equal(at(f, "name"), at(g, "name")); /* 0: the main file */
                if (!(named && json_equal(at(f, "hash"), at(g, "hash"))) && line(d))
                    dg_text_add(d->t, "  file %s %s\n", dg_json_text_at(f, "name"),
                                named ? "has changed" : "is another");
            }
            if (json_array_size(y) > json_array_size(x) && line(d))
                dg_text_add(d->t, "  %zu files more\n", json_array_size(y) - json_array_size(x));
        } else if (!json_equal(x, y) && line(d)) {
            dg_text_add(d->t, "  %s: %s -> %s\n", key, dg_json_text_at(a, key),
                        dg_json_text_at(b, key));
        }
    }
}

static void amount(dg_text *t, const char *key, int64_t v)
{
    char bytes[32];
    static const char *const counts[] = {"peak_step", "steps",  "values",  "nodes",
                                         "in_place",  "copies", "swapped", "recomputed"};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (strcmp(counts[i], key) != 0) continue;
        dg_text_add(t, "%lld", (long long)v);
        return;
    }
    dg_text_add(t, "%s", v >= 0 ? dg_bytes_text((uint64_t)v, bytes) : "?");
}

static void summary(differ *d)
{
    begin(d, "summary");
    const char *key;
    json_t *x;
    json_object_foreach(d->a.summary, key, x)
    {
        json_t *y = at(d->b.summary, key);
        if (!json_is_integer(x) || !json_is_integer(y) || json_equal(x, y) ||
            strcmp(key, "flops") == 0 || strcmp(key, "seconds") == 0)
            continue;
        int64_t before = json_integer_value(x), after = json_integer_value(y);
        if (!line(d)) continue;
        dg_text_add(d->t, "  %s: ", key);
        amount(d->t, key, before);
        dg_text_add(d->t, " -> ");
        amount(d->t, key, after);
        if (before > 0)
            dg_text_add(d->t, "  (%+.1f %%)", 100 * ((double)after / (double)before - 1));
        dg_text_add(d->t, "\n");
    }
}

static void one_sided(differ *d, json_t *a, json_t *b, const char *sign)
{
    const char *name;
    json_t *e;
    json_object_foreach(a, name, e)
    {
        if (!json_object_get(b, name) && line(d))
            dg_text_add(d->t, "  %s %s  %s\n", sign, name, dg_json_text_at(e, "kernel"));
    }
}

static void steps(differ *d)
{
    begin(d, "steps");
    one_sided(d, d->a.step, d->b.step, "-");
    one_sided(d, d->b.step, d->a.step, "+");
    const char *name;
    json_t *x;
    json_object_foreach(d->a.step, name, x)
    {
        json_t *y = json_object_get(d->b.step, name);
        if (y && strcmp(dg_json_text_at(x, "kernel"), dg_json_text_at(y, "kernel")) != 0 && line(d))
            dg_text_add(d->t, "  ~ %s  %s -> %s\n", name, dg_json_text_at(x, "kernel"),
                        dg_json_text_at(y, "kernel"));
    }
}

/* Part of the plan's steps for which a value is there. */
static double life(const side *s, const json_t *v)
{
    return s->n_steps > 0 ? (double)(int_at(v, "last") - int_at(v, "first")) / (double)s->n_steps
                          : 0;
}

static void values(differ *d)
{
    begin(d, "values");
    const char *name;
    json_t *x;
    json_object_foreach(d->a.value, name, x)
    {
        json_t *y = json_object_get(d->b.value, name);
        if (!y) continue; /* its step is gone, or made part of another */
        if (strcmp(dg_json_text_at(x, "region"), dg_json_text_at(y, "region")) != 0) {
            if (line(d))
                dg_text_add(d->t, "  %s  in %s -> %s\n", name, dg_json_text_at(x, "region"),
                            dg_json_text_at(y, "region"));
        } else if (!json_equal(at(x, "dims"), at(y, "dims"))) {
            if (line(d))
                dg_text_add(d->t, "  %s  %lld -> %lld bytes\n", name, (long long)int_at(x, "bytes"),
                            (long long)int_at(y, "bytes"));
        } else if (fabs(life(&d->a, x) - life(&d->b, y)) > 0.05) {
            if (line(d))
                dg_text_add(d->t, "  %s  there for %.0f %% -> %.0f %% of the steps\n", name,
                            100 * life(&d->a, x), 100 * life(&d->b, y));
        }
    }
}

static void decisions(differ *d)
{
    begin(d, "decisions");
    const char *name;
    json_t *x;
    json_object_foreach(d->a.decision, name, x)
    {
        json_t *y = json_object_get(d->b.decision, name);
        bool flipped =
            y && (strcmp(dg_json_text_at(x, "outcome"), dg_json_text_at(y, "outcome")) != 0 ||
                  strcmp(dg_json_text_at(x, "reason"), dg_json_text_at(y, "reason")) != 0);
        if (flipped && line(d))
            dg_text_add(d->t, "  %s: %s (%s) -> %s (%s)\n", name, dg_json_text_at(x, "outcome"),
                        dg_json_text_at(x, "reason"), dg_json_text_at(y, "outcome"),
                        dg_json_text_at(y, "reason"));
    }
}

typedef struct taken {
    const char *path;
    int64_t bytes;
    size_t id;
} taken;

static int by_bytes(const void *pa, const void *pb)
{
    const taken *a = pa, *b = pb;
    if (a->bytes != b->bytes) return a->bytes > b->bytes ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

/* The largest buffers taken where the arena is fullest. */
static size_t owners(const side *s, taken *list, size_t most)
{
    DG_VEC(taken) all = {0};
    int64_t peak = int_at(s->summary, "peak_step");
    size_t i;
    json_t *v;
    json_array_foreach(s->values, i, v)
    {
        if (strcmp(dg_json_text_at(v, "region"), "arena") == 0 && json_is_null(at(v, "alias")) &&
            int_at(v, "first") <= peak && int_at(v, "last") >= peak)
            dg_vec_push(&all, (taken){dg_json_text_at(v, "path"), int_at(v, "bytes"), i});
    }
    if (all.n > 1) qsort(all.at, all.n, sizeof *all.at, by_bytes);
    size_t n = all.n < most ? all.n : most;
    if (n > 0) memcpy(list, all.at, n * sizeof *list);
    dg_vec_free(&all);
    return n;
}

static void peaks(differ *d)
{
    enum { MOST = 5 };
    taken a[MOST], b[MOST];
    size_t n = owners(&d->a, a, MOST), m = owners(&d->b, b, MOST);
    bool same = n == m;
    for (size_t i = 0; same && i < n; i++)
        same = strcmp(a[i].path, b[i].path) == 0 && a[i].bytes == b[i].bytes;
    if (same) return;
    char bytes[32];
    begin(d, "largest at the peak");
    line(d);
    for (size_t i = 0; i < n; i++)
        dg_text_add(d->t, "  - %s  %s\n", a[i].path, dg_bytes_text((uint64_t)a[i].bytes, bytes));
    for (size_t i = 0; i < m; i++)
        dg_text_add(d->t, "  + %s  %s\n", b[i].path, dg_bytes_text((uint64_t)b[i].bytes, bytes));
}

/* ---- entry point ---- */

static bool is_plan(json_t *root)
{
    return json_is_object(root) &&
           strncmp(dg_json_text_at(root, "format"), "dg-plan/1.", 10) == 0 &&
           json_is_array(at(root, "steps")) && json_is_array(at(root, "values")) &&
           json_is_object(at(root, "summary")) && json_is_object(at(root, "header"));
}

static bool plan_side(side *s, dg_diag *d, const char *name, json_t *root)
{
    if (!is_plan(root)) {
        dg_message *m = dg_error_at(d, "E228", name, "this is no plan");
        dg_help_add(d, m,
                    "dg plan FILE.dg ENTRY --format=json -o %s writes one; --analyze --json writes "
                    "times, which are compared with times",
                    name);
        return false;
    }
    s->root = root;
    name_all(s);
    return true;
}

static void free_side(side *s)
{
    json_decref(s->step);
    json_decref(s->value);
    json_decref(s->decision);
}

static bool diff_plans(dg_diag *diag, const dg_plan_text *a, json_t *root_a, const dg_plan_text *b,
                       json_t *root_b, dg_plan_difference *out, dg_text *t)
{
    differ d = {.t = t};
    bool ok = plan_side(&d.a, diag, a->name, root_a) && plan_side(&d.b, diag, b->name, root_b);
    if (ok) {
        header(&d);
        summary(&d);
        steps(&d);
        values(&d);
        decisions(&d);
        peaks(&d);
        *out = (dg_plan_difference){.n = d.found,
                                    .peak_before = int_at(d.a.summary, "peak"),
                                    .peak_after = int_at(d.b.summary, "peak")};
        if (d.found == 0) dg_text_add(t, "the plans are the same\n");
    }
    free_side(&d.a);
    free_side(&d.b);
    return ok;
}

bool dg_plan_diff(dg_diag *diag, const dg_plan_text *a, const dg_plan_text *b,
                  dg_plan_difference *out, dg_text *t)
{
    json_t *before = dg_json_read(diag, "E228", a->name, a->text, a->length),
           *after = before ? dg_json_read(diag, "E228", b->name, b->text, b->length) : NULL;
    bool ok = before && after;
    if (ok && dg_is_analysis(before) && dg_is_analysis(after))
        dg_diff_times(before, after, out, t);
    else
        ok = ok && diff_plans(diag, a, before, b, after, out, t);
    json_decref(before);
    json_decref(after);
    return ok;
}

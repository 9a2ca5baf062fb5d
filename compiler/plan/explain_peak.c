/* explain_peak.c: who takes the arena where it is fullest, and what would lower that: for people
 * who run out of memory.
 *
 * In     a plan.
 * Out    the buffers taken at the peak, as a tree of scopes with a column for each role; the
 * largest by name; the cheapest ways to free some of them. Text, or one JSON object. */
#include "compiler/base/json.h"
#include "compiler/plan/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKSPACE = DG_ROLES, COLUMNS, SHOWN = 8, WAYS = 5 };

typedef struct owner { /* of bytes taken at the peak */
    int32_t value;     /* a base; -1: the workspace of the step */
    int64_t bytes;
    const char *scope, *path;
    int column; /* role, or WORKSPACE */
} owner;

typedef struct scope {
    const char *path;
    int depth;
    int64_t sum, by[COLUMNS];
} scope;

typedef struct way { /* to free bytes at the peak: make the value again at the step `need` */
    int32_t value, need;
    int64_t bytes;
    double ns;
} way;

typedef struct report {
    const dg_plan *p;
    int32_t step;
    int64_t sum;
    DG_VEC(owner) owners;
    DG_VEC(scope) scopes;
    DG_VEC(way) ways;
} report;

/* ---- what is taken ---- */

static const char *scope_of(const dg_plan *p, int32_t v)
{
    int32_t by = p->values[v].producer;
    return by >= 0 ? p->steps[by].scope : "";
}

static int by_bytes(const void *pa, const void *pb)
{
    const owner *a = pa, *b = pb;
    if (a->bytes != b->bytes) return a->bytes > b->bytes ? -1 : 1;
    return a->value < b->value ? -1 : a->value > b->value;
}

/* Each buffer counts as the value that lies in it then: of those that share it the last one made.
 */
static void find_owners(report *r, dg_arena *a)
{
    const dg_plan *p = r->p;
    int32_t *now = DG_NEW_ARRAY(a, int32_t, p->n_values),
            *from = DG_NEW_ARRAY(a, int32_t, p->n_values),
            *to = DG_NEW_ARRAY(a, int32_t, p->n_values);
    dg_plan_taken(p, from, to, a);
    for (int32_t v = 0; v < p->n_values; v++) now[v] = v;
    for (int32_t v = 0; v < p->n_values; v++) {
        const dg_plan_value *i = &p->values[v];
        if (i->of == v && i->first <= r->step && i->last >= r->step) now[i->base] = v;
    }
    for (int32_t v = 0; v < p->n_values; v++) {
        if (from[v] > r->step || to[v] < r->step) continue;
        dg_vec_push(&r->owners, (owner){now[v], dg_align(p->values[v].bytes), scope_of(p, now[v]),
                                        p->values[now[v]].path, (int)p->values[now[v]].role});
    }
    const dg_plan_step *s = &p->steps[r->step];
    if (s->workspace_bytes > 0)
        dg_vec_push(&r->owners, (owner){-1, dg_align(s->workspace_bytes), s->scope,
                                        "(workspace of the step)", WORKSPACE});
    for (size_t i = 0; i < r->owners.n; i++) r->sum += r->owners.at[i].bytes;
    if (r->owners.n > 1) qsort(r->owners.at, r->owners.n, sizeof *r->owners.at, by_bytes);
}

/* ---- the tree ---- */

/* `inner` is `outer` or lies in it; everything lies in "". */
static bool lies_in(const char *inner, const char *outer)
{
    size_t n = strlen(outer);
    return n == 0 || (strncmp(inner, outer, n) == 0 && (inner[n] == 0 || inner[n] == '.'));
}

static int by_path(const void *pa, const void *pb)
{
    return strcmp(((const scope *)pa)->path, ((const scope *)pb)->path);
}

/* Scopes to a depth, in order of paths, which puts each before those in it. */
static void find_scopes(report *r, int depth, dg_arena *a)
{
    dg_vec_push(&r->scopes, (scope){.path = ""});
    for (size_t i = 0; i < r->owners.n; i++) {
        const char *path = r->owners.at[i].scope;
        size_t end = 0;
        for (int d = 1; d <= depth && path[end]; d++) {
            end += strcspn(path + end + (d > 1), ".") + (d > 1);
            const char *cut = dg_arena_text(a, path, end);
            bool known = false;
            for (size_t k = 0; k < r->scopes.n; k++)
                known |= strcmp(r->scopes.at[k].path, cut) == 0;
            if (!known) dg_vec_push(&r->scopes, (scope){.path = cut, .depth = d});
        }
    }
    qsort(r->scopes.at, r->scopes.n, sizeof *r->scopes.at, by_path);
    for (size_t k = 0; k < r->scopes.n; k++) {
        scope *s = &r->scopes.at[k];
        for (size_t i = 0; i < r->owners.n; i++) {
            if (!lies_in(r->owners.at[i].scope, s->path)) continue;
            s->sum += r->owners.at[i].bytes;
            s->by[r->owners.at[i].column] += r->owners.at[i].bytes;
        }
    }
}

/* ---- ways to lower it ---- */

bool dg_plan_unread(const dg_plan *p, int32_t base, int32_t step, int32_t *from, int32_t *to)
{
    *from = p->values[base].first;
    *to = -1;
    for (int32_t s = 0; s < p->n_steps; s++) {
        const dg_plan_step *i = &p->steps[s];
        bool uses = false;
        for (int k = 0; k < i->n_in; k++) uses |= p->values[i->in[k]].base == base;
        for (int k = 0; k < i->n_out; k++) uses |= p->values[i->out[k]].base == base;
        if (!uses) continue;
        if (s < step) *from = s;
        if (s == step) return false;
        if (s > step) {
            *to = s;
            return true;
        }
    }
    return false;
}

/* Nanoseconds to make a value again at step `need`, with what is gone by then; negative: that
 * cannot be said, or takes more than a few steps. */
static double again_ns(const dg_plan *p, int32_t v, int32_t need, int most)
{
    int32_t by = p->values[v].producer;
    if (by < 0 || most == 0 || p->steps[by].kind != DG_STEP_KERNEL || p->steps[by].loop >= 0)
        return -1;
    double ns = dg_step_ns(p, by);
    for (int k = 0; k < p->steps[by].n_in; k++) {
        const dg_plan_value *x = &p->values[p->values[p->steps[by].in[k]].of];
        if (x->home != DG_HOME_ARENA || x->last >= need) continue;
        double more = again_ns(p, (int32_t)(x - p->values), need, most - 1);
        if (more < 0) return -1;
        ns += more;
    }
    return ns;
}

static int by_price(const void *pa, const void *pb)
{
    const way *a = pa, *b = pb;
    double x = a->ns * (double)b->bytes, y = b->ns * (double)a->bytes;
    if (x != y) return x < y ? -1 : 1;
    return a->value < b->value ? -1 : a->value > b->value;
}

static void find_ways(report *r)
{
    for (size_t i = 0; i < r->owners.n; i++) {
        int32_t v = r->owners.at[i].value, from, need;
        if (v < 0 || r->owners.at[i].bytes * 1000 < r->sum ||
            !dg_plan_unread(r->p, r->p->values[v].base, r->step, &from, &need))
            continue;
        double ns = again_ns(r->p, v, need, 6);
        if (ns > 0) dg_vec_push(&r->ways, (way){v, need, r->owners.at[i].bytes, ns});
    }
    if (r->ways.n > 1) qsort(r->ways.at, r->ways.n, sizeof *r->ways.at, by_price);
    if (r->ways.n > WAYS) r->ways.n = WAYS;
}

static report report_of(const dg_plan *p, int depth, dg_arena *a)
{
    report r = {.p = p, .step = p->peak_step < p->n_steps ? p->peak_step : p->n_steps - 1};
    if (p->n_steps == 0) return r;
    find_owners(&r, a);
    find_scopes(&r, depth > 0 ? depth : 3, a);
    find_ways(&r);
    return r;
}

static void report_free(report *r)
{
    dg_vec_free(&r->owners);
    dg_vec_free(&r->scopes);
    dg_vec_free(&r->ways);
}

static const char *column_name(int c)
{
    return c == WORKSPACE ? "workspace" : dg_role_name((dg_role)c);
}

/* ---- as text ---- */

static double mib(int64_t bytes)
{
    return (double)bytes / 1048576;
}

static void tree(const report *r, dg_text *t)
{
    int columns[COLUMNS], n = 0;
    const scope *all = &r->scopes.at[0];
    for (int c = 0; c < COLUMNS; c++)
        if (all->by[c] * 200 >= all->sum) columns[n++] = c;
    dg_text_add(t, "%10s  %6s", "MiB", "share");
    for (int c = 0; c < n; c++) dg_text_add(t, "  %10s", column_name(columns[c]));
    dg_text_add(t, "  scope\n");
    for (size_t k = 0; k < r->scopes.n; k++) {
        const scope *s = &r->scopes.at[k];
        if (s->sum * 200 < r->sum) continue; /* less than half a percent */
        const char *dot = strrchr(s->path, '.');
        dg_text_add(t, "%10.2f  %5.1f%%", mib(s->sum), 100 * (double)s->sum / (double)r->sum);
        for (int c = 0; c < n; c++) {
            if (s->by[columns[c]] > 0)
                dg_text_add(t, "  %10.2f", mib(s->by[columns[c]]));
            else
                dg_text_add(t, "  %10s", "");
        }
        dg_text_add(t, "  %*s%s\n", 2 * s->depth, "",
                    s->depth == 0 ? "(all)"
                    : dot         ? dot + 1
                                  : s->path);
    }
}

static void largest(const report *r, dg_text *t)
{
    dg_text_add(t, "\nlargest\n");
    for (size_t i = 0; i < r->owners.n && i < SHOWN; i++) {
        const owner *o = &r->owners.at[i];
        dg_text_add(t, "%10.2f  %-10s  %s", mib(o->bytes), column_name(o->column),
                    *o->path ? o->path : "(no name)");
        if (o->value >= 0) {
            const dg_plan_value *v = &r->p->values[o->value];
            dg_text_add(t, "  made at step %d", v->first);
            if (v->last >= r->p->n_steps)
                dg_text_add(t, ", kept to the end");
            else
                dg_text_add(t, ", last read at %d", v->last);
            if (*v->src) dg_text_add(t, "  %s", v->src);
        }
        dg_text_add(t, "\n");
    }
    if (r->owners.n > SHOWN) dg_text_add(t, "%10s  and %zu more\n", "", r->owners.n - SHOWN);
}

static void advice(const report *r, dg_text *t)
{
    const dg_plan *p = r->p;
    char bytes[32];
    dg_text_add(t, "\nwhat would lower it (time: estimate for one thread)\n");
    int64_t sum = 0;
    for (size_t i = 0; i < r->ways.n; i++) {
        const way *w = &r->ways.at[i];
        dg_text_add(t, "%10.2f  +%.2f ms  computing %s again for step %d\n", -mib(w->bytes),
                    w->ns / 1e6, p->values[w->value].path, w->need);
        sum += w->bytes;
    }
    if (r->ways.n > 0)
        dg_text_add(t, "            --memory=%lld does such things until that many bytes (%s) do\n",
                    (long long)(p->peak - sum), dg_bytes_text((uint64_t)(p->peak - sum), bytes));
    for (int i = 0; i < p->n_config + p->n_args; i++) {
        const dg_setting *s = i < p->n_config ? &p->config[i] : &p->args[i - p->n_config];
        long n = strtol(s->text, NULL, 10);
        if (n < 2 || (strcmp(s->name, "batch") != 0 && strcmp(s->name, "n") != 0)) continue;
        dg_text_add(t, "%10.2f  %s=%ld instead of %ld: about half\n", -mib(r->sum / 2), s->name,
                    n / 2, n);
    }
    if (r->ways.n == 0)
        dg_text_add(t, "            no buffer here waits unread for a later step\n");
}

void dg_explain_peak(const dg_plan *p, const dg_explain_options *o, dg_text *t)
{
    dg_arena *a = dg_arena_new();
    report r = report_of(p, o->depth, a);
    if (r.owners.n == 0) {
        dg_text_add(t, "the plan takes no arena\n");
    } else {
        const dg_plan_step *s = &p->steps[r.step];
        char bytes[32];
        dg_text_add(t, "%s are taken at step %d of %d, %s", dg_bytes_text((uint64_t)r.sum, bytes),
                    r.step, p->n_steps, s->label);
        if (s->n_out > 0 && *p->values[s->out[0]].path)
            dg_text_add(t, " %s", p->values[s->out[0]].path);
        if (*s->src) dg_text_add(t, " (%s)", s->src);
        dg_text_add(t, "; the arena is %s\n\n", dg_bytes_text((uint64_t)p->arena_bytes, bytes));
        tree(&r, t);
        largest(&r, t);
        advice(&r, t);
    }
    report_free(&r);
    dg_arena_free(a);
}

/* ---- as JSON ---- */

void dg_explain_peak_json(const dg_plan *p, const dg_explain_options *o, dg_text *out)
{
    dg_arena *a = dg_arena_new();
    report r = report_of(p, o->depth, a);
    dg_json_writer w = {.text = *out, .pretty = true};
    dg_json_open(&w, '{');
    dg_json_string_field(&w, "format", "dg-peak/1.0");
    dg_json_int_field(&w, "step", r.step);
    dg_json_int_field(&w, "bytes", r.sum);
    dg_json_int_field(&w, "arena", p->arena_bytes);
    dg_json_key(&w, "scopes");
    dg_json_open(&w, '[');
    for (size_t k = 0; k < r.scopes.n; k++) {
        dg_json_open(&w, '{');
        dg_json_string_field(&w, "scope", r.scopes.at[k].path);
        dg_json_int_field(&w, "bytes", r.scopes.at[k].sum);
        dg_json_key(&w, "roles");
        dg_json_open(&w, '{');
        for (int c = 0; c < COLUMNS; c++)
            if (r.scopes.at[k].by[c] > 0)
                dg_json_int_field(&w, column_name(c), r.scopes.at[k].by[c]);
        dg_json_close(&w, '}');
        dg_json_close(&w, '}');
    }
    dg_json_close(&w, ']');
    dg_json_key(&w, "owners");
    dg_json_open(&w, '[');
    for (size_t i = 0; i < r.owners.n; i++) {
        dg_json_open(&w, '{');
        dg_json_key(&w, "value");
        if (r.owners.at[i].value >= 0)
            dg_json_int(&w, r.owners.at[i].value);
        else
            dg_json_null(&w);
        dg_json_string_field(&w, "path", r.owners.at[i].path);
        dg_json_string_field(&w, "role", column_name(r.owners.at[i].column));
        dg_json_int_field(&w, "bytes", r.owners.at[i].bytes);
        dg_json_close(&w, '}');
    }
    dg_json_close(&w, ']');
    dg_json_key(&w, "ways");
    dg_json_open(&w, '[');
    for (size_t i = 0; i < r.ways.n; i++) {
        dg_json_open(&w, '{');
        dg_json_int_field(&w, "again", r.ways.at[i].value);
        dg_json_int_field(&w, "for_step", r.ways.at[i].need);
        dg_json_int_field(&w, "bytes", r.ways.at[i].bytes);
        dg_json_int_field(&w, "ns", (int64_t)r.ways.at[i].ns);
        dg_json_close(&w, '}');
    }
    dg_json_close(&w, ']');
    dg_json_close(&w, '}');
    dg_text_addn(&w.text, "\n", 1);
    *out = w.text;
    report_free(&r);
    dg_arena_free(a);
}

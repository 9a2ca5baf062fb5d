/* analyze.c: dg plan --analyze: a plan's steps as they run on this machine, beside what was
 * estimated.
 *
 * In     a plan; how many runs.
 * Out    a row for each step (a body's: for each trip): estimate, median, spread, rates, and its
 * part of what the machine can do; sums by phase, by kernel and by scope; memory as planned and as
 *        measured. Text, JSON or a trace.
 * Keeps  fresh parameters of the context's seed; floats uniform in [-1, 1), whole numbers 0. One
 * run before those that count. */
#include "compiler/base/json.h"
#include "compiler/base/os.h"
#include "compiler/plan/explain.h"
#include "runtime/inputs.h"
#include "runtime/roof.h"
#include "runtime/session.h"

#include <stdlib.h>
#include <string.h>

enum { RUNS = 5, MOST_RUNS = 1000 };
static const double OFF = 3;          /* times the estimate, or a third of it: marked */
static const double UNSEEN_NS = 20e3; /* steps so short are not judged: they wait for threads */

typedef struct row {        /* of one step, all its trips together */
    double est, ns, spread; /* nanoseconds: estimate; median of the runs; half of what the middle
                               half of them spans */
} row;

typedef struct sum {
    const char *name;
    double est, ns;
} sum;

typedef struct analysis {
    dg_plan *plan;
    const dg_analyze_options *o;
    dg_context *context;
    dg_arena *arena;
    int runs, threads;
    row *rows;
    double whole; /* median of a whole run */
    dg_roof roof;
    size_t touched, grown; /* bytes: of the arena; resident, since before the session */
    int64_t planned;       /* what the process reserves by the plan */
} analysis;

/* ---- runs ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of n numbers, which are sorted; *half: half the span of their middle half. */
static double median(double *v, int n, double *half)
{
    qsort(v, (size_t)n, sizeof *v, by_size);
    *half = (v[(3 * n - 1) / 4] - v[(n - 1) / 4]) / 2;
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static bool measure(analysis *x)
{
    size_t before = dg_rss_bytes();
    dg_store *store = dg_store_new(x->context);
    dg_session *s = dg_session_new(x->plan, store);
    int n = x->plan->n_steps;
    double *seconds = DG_NEW_ARRAY(x->arena, double, (size_t)n *(size_t)x->runs),
           *all = DG_NEW_ARRAY(x->arena, double, x->runs),
           *one = DG_NEW_ARRAY(x->arena, double, x->runs), spread;
    bool ok = s != NULL;
    if (ok) {
        dg_inputs_random(s, x->o->seed);
        dg_session_seed(s, x->o->seed);
        ok = dg_session_run(s) == DG_OK;
    }
    for (int r = 0; r < x->runs && ok; r++) {
        s->exec.seconds = seconds + (size_t)r * (size_t)n;
        double start = dg_clock();
        ok = dg_session_run(s) == DG_OK;
        all[r] = (dg_clock() - start) * 1e9;
    }
    if (ok) {
        size_t after = dg_rss_peak_bytes();
        x->touched = s->exec.arena_used;
        x->grown = after > before ? after - before : 0;
        x->whole = median(all, x->runs, &spread);
        for (int i = 0; i < n; i++) {
            for (int r = 0; r < x->runs; r++)
                one[r] = seconds[(size_t)r * (size_t)n + (size_t)i] * 1e9;
            x->rows[i].est = dg_step_ns(x->plan, i) / x->threads * dg_step_trips(x->plan, i);
            x->rows[i].ns = median(one, x->runs, &x->rows[i].spread);
        }
    }
    dg_session_free(s);
    dg_store_free(store);
    return ok;
}

/* ---- what is said ---- */

static bool runs_kernel(const dg_plan *p, int32_t s)
{
    return p->steps[s].kind == DG_STEP_KERNEL || p->steps[s].kind == DG_STEP_COPY;
}

static bool far_off(const row *r)
{
    double most = r->est > r->ns ? r->est : r->ns;
    return most >= UNSEEN_NS && (r->ns > OFF * r->est || r->est > OFF * r->ns);
}

/* The larger part of what the machine can do in arithmetic and in traffic, in per cent. */
static double of_roof(const analysis *x, int32_t s)
{
    const dg_plan_step *i = &x->plan->steps[s];
    double ns = x->rows[s].ns / dg_step_trips(x->plan, s);
    if (ns <= 0) return 0;
    double work = i->flops / ns / x->roof.gflops, moved = (double)i->bytes_rw / ns / x->roof.gbytes;
    return 100 * (work > moved ? work : moved);
}

static const char *name_of(const dg_plan *p, const dg_plan_step *s)
{
    return s->n_out > 0 ? p->values[s->out[0]].path : "";
}

static int by_ns(const void *pa, const void *pb)
{
    const sum *a = pa, *b = pb;
    if (a->ns != b->ns) return a->ns > b->ns ? -1 : 1;
    return strcmp(a->name, b->name);
}

static const char *kernel_of(const analysis *x, int32_t s)
{
    const dg_plan_step *i = &x->plan->steps[s];
    if (!i->op) return i->label;
    return i->kernel ? dg_arena_printf(x->arena, "%s %s", i->op->name, i->kernel->name)
                     : i->op->name;
}

/* The first two parts of the scope's path. */
static const char *scope_of(const analysis *x, int32_t s)
{
    const char *path = x->plan->steps[s].scope;
    size_t end = strcspn(path, ".");
    if (path[end]) end += 1 + strcspn(path + end + 1, ".");
    return end == 0 ? "(entry)" : dg_arena_text(x->arena, path, end);
}

static const char *phase_of(const analysis *x, int32_t s)
{
    return dg_step_again(x->plan, s) ? "computed again" : dg_phase_name(x->plan->steps[s].phase);
}

static int sums_by(const analysis *x, const char *(*name)(const analysis *x, int32_t s), sum **out)
{
    DG_VEC(sum) all = {0};
    for (int32_t s = 0; s < x->plan->n_steps; s++) {
        if (!runs_kernel(x->plan, s)) continue;
        const char *of = name(x, s);
        size_t k = 0;
        while (k < all.n && strcmp(all.at[k].name, of) != 0) k++;
        if (k == all.n) dg_vec_push(&all, (sum){of, 0, 0});
        all.at[k].est += x->rows[s].est;
        all.at[k].ns += x->rows[s].ns;
    }
    if (all.n > 1) qsort(all.at, all.n, sizeof *all.at, by_ns);
    int n = (int)all.n;
    dg_vec_seal(&all, x->arena, *out);
    return n;
}

typedef struct turn {
    int32_t step;
    double ns;
} turn;

static int by_time(const void *pa, const void *pb)
{
    const turn *a = pa, *b = pb;
    if (a->ns != b->ns) return a->ns > b->ns ? -1 : 1;
    return a->step < b->step ? -1 : 1;
}

/* Steps in the order in which they shall be shown. */
static turn *turns(const analysis *x)
{
    turn *t = DG_NEW_ARRAY(x->arena, turn, x->plan->n_steps + 1);
    for (int32_t s = 0; s < x->plan->n_steps; s++) t[s] = (turn){s, x->rows[s].ns};
    if (x->o->by_time && x->plan->n_steps > 1)
        qsort(t, (size_t)x->plan->n_steps, sizeof *t, by_time);
    return t;
}

/* ---- as text ---- */

static void write_rows(const analysis *x, dg_text *t)
{
    const dg_plan *p = x->plan;
    bool roof = x->roof.gflops > 0;
    const turn *order = turns(x);
    dg_text_add(t, "%6s  %9s  %9s  %8s   %9s  %7s%s  kernel, value\n", "step", "est ms", "ms", "+-",
                "GFLOP/s", "GB/s", roof ? "  % roof" : "");
    for (int k = 0; k < p->n_steps; k++) {
        int32_t s = order[k].step;
        const dg_plan_step *i = &p->steps[s];
        const row *r = &x->rows[s];
        if (i->kind == DG_STEP_LOOP)
            dg_text_add(t, "%6d  loop x%.0f; its steps for one trip\n", s,
                        (double)p->loops[dg_step_loop(p, s)].trips);
        if (!runs_kernel(p, s)) continue;
        double trips = dg_step_trips(p, s), ns = r->ns / trips;
        dg_text_add(t, "%6d  %9.4f  %9.4f  %8.4f %c %9.1f  %7.1f", s, r->est / trips / 1e6,
                    ns / 1e6, r->spread / trips / 1e6, far_off(r) ? '*' : ' ',
                    ns > 0 ? i->flops / ns : 0, ns > 0 ? (double)i->bytes_rw / ns : 0);
        if (roof) dg_text_add(t, "  %6.1f", of_roof(x, s));
        dg_text_add(t, "  %s%s%s\n", i->label, *name_of(p, i) ? "  " : "", name_of(p, i));
    }
}

static void write_sums(const analysis *x, dg_text *t, const char *title,
                       const char *(*name)(const analysis *x, int32_t s))
{
    enum { SHOWN = 16 };
    sum *list;
    int n = sums_by(x, name, &list);
    double rest = 0;
    dg_text_add(t, "\n%10s  %10s  %6s  %s\n", "est ms", "ms", "share", title);
    for (int i = 0; i < n; i++) {
        if (i >= SHOWN) {
            rest += list[i].ns;
            continue;
        }
        dg_text_add(t, "%10.3f  %10.3f  %5.1f%%  %s\n", list[i].est / 1e6, list[i].ns / 1e6,
                    100 * list[i].ns / x->whole, list[i].name);
    }
    if (n > SHOWN)
        dg_text_add(t, "%10s  %10.3f  %5.1f%%  others\n", "", rest / 1e6, 100 * rest / x->whole);
}

static void write_text(const analysis *x, dg_text *t)
{
    double steps = 0, est = 0;
    int off = 0;
    for (int32_t s = 0; s < x->plan->n_steps; s++) {
        steps += x->rows[s].ns;
        est += x->rows[s].est;
        off += runs_kernel(x->plan, s) && far_off(&x->rows[s]);
    }
    if (!x->o->summary) write_rows(x, t);
    write_sums(x, t, "phase", phase_of);
    write_sums(x, t, "kernel", kernel_of);
    write_sums(x, t, "scope", scope_of);
    dg_text_add(
        t,
        "\n%.3f ms a run (median of %d, %d threads), %.3f of them in steps, %.3f estimated; "
        "%d step%s over %g times off (*)\n",
        x->whole / 1e6, x->runs, x->threads, steps / 1e6, est / 1e6, off, off == 1 ? "" : "s", OFF);
    char planned[32], touched[32], total[32], grown[32];
    dg_text_add(t, "arena %s planned, %s touched; %s planned in all, resident memory grew by %s\n",
                dg_bytes_text((uint64_t)x->plan->arena_bytes, planned),
                dg_bytes_text(x->touched, touched), dg_bytes_text((uint64_t)x->planned, total),
                dg_bytes_text(x->grown, grown));
    if (x->roof.gflops > 0)
        dg_text_add(t, "roof: %.0f GFLOP/s, %.1f GB/s\n", x->roof.gflops, x->roof.gbytes);
}

/* ---- as JSON ---- */

static void json_sums(const analysis *x, dg_json_writer *w, const char *title,
                      const char *(*name)(const analysis *x, int32_t s))
{
    sum *list;
    int n = sums_by(x, name, &list);
    dg_json_key(w, title);
    dg_json_open(w, '[');
    for (int i = 0; i < n; i++) {
        dg_json_open(w, '{');
        dg_json_string_field(w, "name", list[i].name);
        dg_json_double_field(w, "est_ms", list[i].est / 1e6);
        dg_json_double_field(w, "ms", list[i].ns / 1e6);
        dg_json_close(w, '}');
    }
    dg_json_close(w, ']');
}

static void write_json(const analysis *x, dg_text *t)
{
    dg_json_writer w = {.text = *t, .pretty = true};
    const turn *order = turns(x);
    dg_json_open(&w, '{');
    dg_json_string_field(&w, "format", "dg-analysis/1.0");
    dg_json_int_field(&w, "runs", x->runs);
    dg_json_int_field(&w, "threads", x->threads);
    dg_json_double_field(&w, "ms", x->whole / 1e6);
    dg_json_int_field(&w, "arena_planned", x->plan->arena_bytes);
    dg_json_int_field(&w, "arena_touched", (int64_t)x->touched);
    dg_json_int_field(&w, "planned", x->planned);
    dg_json_int_field(&w, "resident_growth", (int64_t)x->grown);
    dg_json_key(&w, "steps");
    dg_json_open(&w, '[');
    for (int k = 0; k < x->plan->n_steps; k++) {
        int32_t s = order[k].step;
        if (!runs_kernel(x->plan, s)) continue;
        const dg_plan_step *i = &x->plan->steps[s];
        double trips = dg_step_trips(x->plan, s), ns = x->rows[s].ns / trips;
        dg_json_open(&w, '{');
        dg_json_int_field(&w, "id", s);
        dg_json_string_field(&w, "kernel", i->label);
        dg_json_string_field(&w, "path", name_of(x->plan, i));
        dg_json_double_field(&w, "trips", trips);
        dg_json_double_field(&w, "est_ms", x->rows[s].est / trips / 1e6);
        dg_json_double_field(&w, "ms", ns / 1e6);
        dg_json_double_field(&w, "spread_ms", x->rows[s].spread / trips / 1e6);
        dg_json_double_field(&w, "gflops", ns > 0 ? i->flops / ns : 0);
        dg_json_double_field(&w, "gbytes", ns > 0 ? (double)i->bytes_rw / ns : 0);
        if (x->roof.gflops > 0) dg_json_double_field(&w, "of_roof", of_roof(x, s));
        dg_json_close(&w, '}');
    }
    dg_json_close(&w, ']');
    json_sums(x, &w, "phases", phase_of);
    json_sums(x, &w, "kernels", kernel_of);
    json_sums(x, &w, "scopes", scope_of);
    dg_json_close(&w, '}');
    dg_text_addn(&w.text, "\n", 1);
    *t = w.text;
}

char *dg_plan_analyze(dg_plan *p, const dg_analyze_options *o)
{
    const dg_plan_owner *owner = p->owner;
    dg_context *c = owner->context;
    analysis x = {.plan = p, .o = o, .context = c, .arena = dg_arena_new(), .threads = c->threads};
    x.runs = o->runs > 0 ? o->runs : RUNS;
    if (x.runs > MOST_RUNS) x.runs = MOST_RUNS;
    x.rows = DG_NEW_ARRAY(x.arena, row, p->n_steps + 1);
    x.planned = dg_story_of(p, c->threads, x.arena).total;
    dg_text t = {0};
    if (measure(&x)) {
        if (o->roof) x.roof = dg_roof_measure(dg_context_pool(c), c->isa);
        if (o->format && strcmp(o->format, "trace") == 0) {
            double *ns = DG_NEW_ARRAY(x.arena, double, p->n_steps + 1);
            for (int i = 0; i < p->n_steps; i++) ns[i] = x.rows[i].ns;
            dg_explain_trace(p, ns, &t);
        } else if (o->format && strcmp(o->format, "json") == 0) {
            write_json(&x, &t);
        } else {
            write_text(&x, &t);
        }
    }
    dg_arena_free(x.arena);
    return t.at;
}

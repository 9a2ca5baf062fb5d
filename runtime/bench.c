/* bench.c: dg bench: how fast entries run.
 *
 * In     a file of entries without required arguments (the library's bench/ops.dg when only an op
 *        is named), and perhaps the result of an earlier run.
 * Out    times of each entry as text, Markdown, CSV or JSON.
 * How    all entries are compiled, run once to warm up, and then run in turn, round after round: a
 *        shared machine has slow and fast periods, which so fall upon all of them alike. The CPU
 *        time that other processes took meanwhile stands beside the result.
 * Keeps  fresh parameters of the context's seed; floats uniform in [-1, 1), whole numbers 0. */
#include "compiler/base/json.h"
#include "compiler/base/os.h"
#include "runtime/inputs.h"
#include "runtime/roof.h"
#include "runtime/session.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_RUNS = 5, MOST_RUNS = 200 };
static const double WANTED_SECONDS = 2.0; /* of an entry, where nobody says how many runs */
static const double SLOWER = 1.05;        /* than before: the check does not pass */
static const double NOISY = 0.03;         /* of the CPUs, taken by others: said */

typedef struct bench_case {
    const char *name;
    dg_plan *plan;
    dg_store *store;
    dg_session *session;
    double compile, first; /* seconds */
    double *seconds;       /* [n], sorted at the end */
    int64_t n, flops;
    double before; /* median of --against; 0: none */
} bench_case;

typedef struct bench {
    dg_context *context;
    dg_arena *arena;
    dg_diag *diag;
    dg_bench_options *o;
    dg_program *program;
    const char *file;
    bench_case *cases;
    int n;
    dg_roof roof;
    double others; /* share of the CPUs that other processes took */
} bench;

/* ---- what is run ---- */

/* The library's file of single operations; NULL after reporting. */
static const char *library_file(bench *b)
{
    for (const char *const *lib = b->context->lib; *lib; lib++) {
        char *path = dg_path_join(b->arena, *lib, "bench/ops.dg");
        if (dg_path_exists(path)) return path;
    }
    dg_error_at(b->diag, "E501", "bench/ops.dg", "is in none of the library folders");
    return NULL;
}

/* `conv2d` names the entries conv2d and conv2d_...; without a name all are meant. */
static bool named(const bench *b, const char *entry)
{
    if (b->o->n_names == 0) return true;
    for (int i = 0; i < b->o->n_names; i++) {
        size_t n = strlen(b->o->names[i]);
        if (strncmp(entry, b->o->names[i], n) == 0 && (entry[n] == 0 || entry[n] == '_'))
            return true;
    }
    return false;
}

static bool matches(const dg_entry *list, int n, const char *name)
{
    size_t length = strlen(name);
    for (int i = 0; i < n; i++)
        if (strncmp(list[i].name, name, length) == 0 &&
            (list[i].name[length] == 0 || list[i].name[length] == '_'))
            return true;
    return false;
}

static bool choose(bench *b)
{
    const dg_bench_options *o = b->o;
    b->file = o->file ? o->file : library_file(b);
    if (!b->file) return false;
    b->program = dg_program_open(b->context, b->file, o->defs, o->n_defs);
    if (!b->program) return false;
    const dg_entry *list;
    int n = dg_program_entries(b->program, &list);
    if (n < 0) return false;
    for (int i = 0; i < o->n_names; i++)
        if (!matches(list, n, o->names[i])) {
            dg_text all = {0};
            for (int e = 0; e < n; e++)
                if (list[e].kind != DG_KIND_TEST && list[e].in_main)
                    dg_text_add(&all, "%s%s", all.n ? ", " : "", list[e].name);
            dg_note_add(b->diag,
                        dg_error_at(b->diag, "E224", b->file,
                                    "no entry is called %s, nor begins with %s_", o->names[i],
                                    o->names[i]),
                        "there are %s", all.n ? all.at : "none");
            dg_text_free(&all);
            return false;
        }
    b->cases = DG_NEW_ARRAY(b->arena, bench_case, n + 1);
    for (int i = 0; i < n; i++)
        if (list[i].kind != DG_KIND_TEST && list[i].in_main && named(b, list[i].name))
            b->cases[b->n++].name = list[i].name;
    return true;
}

/* ---- runs ---- */

static bool prepare(bench *b, bench_case *x)
{
    dg_context *c = b->context;
    double start = dg_clock();
    x->plan = dg_plan_compile(b->program, x->name, b->o->args, b->o->n_args);
    if (!x->plan) return false;
    x->compile = dg_clock() - start;
    dg_plan_figures figures;
    dg_plan_figures_of(x->plan, &figures);
    x->flops = figures.flops;
    x->store = dg_store_new(c);
    x->session = dg_session_new(x->plan, x->store);
    if (!x->session) return false;
    dg_inputs_random(x->session, b->o->seed);
    dg_session_seed(x->session, b->o->seed);
    start = dg_clock();
    if (dg_session_run(x->session) != DG_OK) return false;
    x->first = dg_clock() - start;
    x->seconds = DG_NEW_ARRAY(b->arena, double, b->o->repeat ? b->o->repeat : MOST_RUNS);
    return true;
}

static bool wants_more(const bench *b, const bench_case *x, double spent)
{
    if (b->o->repeat) return x->n < b->o->repeat;
    return x->n < LEAST_RUNS || (spent < WANTED_SECONDS && x->n < MOST_RUNS);
}

static void show(bench *b, int64_t done, double start)
{
    dg_context *c = b->context;
    if (!c->options.progress) return;
    dg_progress p = {.verb = "bench",
                     .done = done,
                     .total = b->n,
                     .seconds = dg_clock() - start,
                     .next_save = -1};
    c->options.progress(c->options.user, &p);
}

static bool run_all(bench *b)
{
    double start = dg_clock(), *spent = DG_NEW_ARRAY(b->arena, double, b->n + 1);
    for (int64_t left = b->n; left > 0;) {
        left = 0;
        for (int i = 0; i < b->n; i++) {
            bench_case *x = &b->cases[i];
            if (!wants_more(b, x, spent[i])) continue;
            double begin = dg_clock();
            if (dg_session_run(x->session) != DG_OK) return false;
            x->seconds[x->n] = dg_clock() - begin;
            spent[i] += x->seconds[x->n++];
            left++;
        }
        show(b, b->n - left, start);
    }
    return true;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const bench_case *x)
{
    return x->n % 2 ? x->seconds[x->n / 2] : (x->seconds[x->n / 2 - 1] + x->seconds[x->n / 2]) / 2;
}

static double high(const bench_case *x) /* nine in ten are not slower */
{
    return x->seconds[(x->n * 9 - 1) / 10];
}

static bool measure(bench *b)
{
    for (int i = 0; i < b->n; i++) {
        if (!prepare(b, &b->cases[i])) return false;
        show(b, 0, dg_clock());
    }
    dg_cpu_times before, after;
    dg_cpu_times_now(&before);
    if (!run_all(b)) return false;
    dg_cpu_times_now(&after);
    double all = after.all - before.all,
           other = after.busy - before.busy - (after.own - before.own);
    b->others = all > 0 && other > 0 ? other / all : 0;
    for (int i = 0; i < b->n; i++)
        qsort(b->cases[i].seconds, (size_t)b->cases[i].n, sizeof(double), by_size);
    return true;
}

/* ---- the result it is compared with ---- */

static const char *precision(const bench *b)
{
    return b->context->reference ? "f64" : b->context->bf16 ? "bf16" : "f32";
}

/* Times of other kernels, or of another number of threads, are no measure of a change. */
static void warn_of_settings(bench *b, const char *place, const json_t *root)
{
    const char *isa = json_string_value(json_object_get(root, "isa")),
               *numbers = json_string_value(json_object_get(root, "precision"));
    int threads = (int)json_integer_value(json_object_get(root, "threads"));
    if (!isa || !numbers) return;
    if (strcmp(isa, dg_isa_name(b->context->isa)) == 0 && strcmp(numbers, precision(b)) == 0 &&
        threads == b->context->threads)
        return;
    dg_warning_at(b->diag, "W808", place,
                  "was measured with %s, %s, %d thread%s, this with %s, %s, %d", isa, numbers,
                  threads, threads == 1 ? "" : "s", dg_isa_name(b->context->isa), precision(b),
                  b->context->threads);
}

static bool read_before(bench *b)
{
    dg_file f;
    if (!dg_file_read(b->diag, b->o->against, (size_t)1 << 24, &f)) return false;
    json_t *root = dg_json_read(b->diag, "E451", f.path, (const char *)f.bytes, f.length);
    const char *format = json_string_value(json_object_get(root, "format"));
    bool ok = format && strncmp(format, "dg-bench/1", 10) == 0;
    if (root && !ok)
        dg_error_at(b->diag, "E451", f.path, "is not a result of dg bench --format json");
    json_t *list = json_object_get(root, "entries"), *one;
    size_t at;
    for (int i = 0; ok && i < b->n; i++) {
        json_array_foreach(list, at, one)
        {
            const char *name = json_string_value(json_object_get(one, "name"));
            if (name && strcmp(name, b->cases[i].name) == 0)
                b->cases[i].before = json_number_value(json_object_get(one, "median_ms")) / 1e3;
        }
    }
    if (ok) warn_of_settings(b, f.path, root);
    json_decref(root);
    dg_file_close(&f);
    return ok;
}

static void compare(bench *b)
{
    for (int i = 0; i < b->n; i++) {
        const bench_case *x = &b->cases[i];
        if (x->before > 0 && median(x) > SLOWER * x->before)
            dg_error_at(b->diag, "E807", x->name, "takes %.3f ms, %.3f ms in %s: %.0f %% more",
                        median(x) * 1e3, x->before * 1e3, b->o->against,
                        100 * (median(x) / x->before - 1));
    }
}

/* ---- results ---- */

static double gflops(const bench_case *x)
{
    return (double)x->flops / median(x) / 1e9;
}

static void write_json(bench *b, dg_text *out)
{
    dg_json_writer w = {.pretty = true};
    dg_json_open(&w, '{');
    dg_json_string_field(&w, "format", "dg-bench/1.0");
    dg_json_string_field(&w, "version", dg_version());
    dg_json_string_field(&w, "file", dg_path_base(b->file));
    dg_json_string_field(&w, "isa", dg_isa_name(b->context->isa));
    dg_json_string_field(&w, "precision", precision(b));
    dg_json_int_field(&w, "threads", b->context->threads);
    dg_json_double_field(&w, "other_cpu", b->others);
    if (b->o->roof) {
        const struct {
            const char *name;
            double value;
        } roof[] = {{"gflops_one_thread", b->roof.gflops_one},
                    {"gflops", b->roof.gflops},
                    {"gbytes_one_thread", b->roof.gbytes_one},
                    {"gbytes", b->roof.gbytes}};
        dg_json_key(&w, "roof");
        dg_json_open(&w, '{');
        for (int i = 0; i < 4; i++) {
            dg_json_double_field(&w, roof[i].name, roof[i].value);
        }
        dg_json_close(&w, '}');
    }
    dg_json_key(&w, "entries");
    dg_json_open(&w, '[');
    for (int i = 0; i < b->n; i++) {
        const bench_case *x = &b->cases[i];
        const struct {
            const char *name;
            double value;
        } times[] = {{"compile_ms", x->compile},
                     {"first_ms", x->first},
                     {"median_ms", median(x)},
                     {"min_ms", x->seconds[0]},
                     {"p90_ms", high(x)}};
        dg_json_open(&w, '{');
        dg_json_string_field(&w, "name", x->name);
        dg_json_int_field(&w, "runs", x->n);
        for (int t = 0; t < 5; t++) {
            dg_json_double_field(&w, times[t].name, times[t].value * 1e3);
        }
        dg_json_int_field(&w, "flops", x->flops);
        dg_json_double_field(&w, "gflops", gflops(x));
        dg_json_int_field(&w, "arena_bytes", x->plan->arena_bytes);
        if (x->before > 0) {
            dg_json_double_field(&w, "ratio", median(x) / x->before);
        }
        dg_json_close(&w, '}');
    }
    dg_json_close(&w, ']');
    dg_json_int_field(&w, "peak_rss_bytes", (int64_t)dg_rss_peak_bytes());
    dg_json_close(&w, '}');
    dg_text_addn(out, w.text.at, w.text.n);
    dg_text_add(out, "\n");
    dg_text_free(&w.text);
}

static void write_csv(bench *b, dg_text *out)
{
    dg_text_add(out,
                "entry,runs,median_ms,min_ms,p90_ms,gflops,arena_bytes,compile_ms,first_ms%s\n",
                b->o->against ? ",ratio" : "");
    for (int i = 0; i < b->n; i++) {
        const bench_case *x = &b->cases[i];
        dg_text_add(out, "%s,%" PRId64 ",%.4f,%.4f,%.4f,%.2f,%" PRId64 ",%.2f,%.3f", x->name, x->n,
                    median(x) * 1e3, x->seconds[0] * 1e3, high(x) * 1e3, gflops(x),
                    x->plan->arena_bytes, x->compile * 1e3, x->first * 1e3);
        if (b->o->against && x->before > 0) dg_text_add(out, ",%.3f", median(x) / x->before);
        dg_text_add(out, b->o->against && x->before <= 0 ? ",\n" : "\n");
    }
}

static void write_row(const bench *b, dg_text *out, const bench_case *x, int wide, bool markdown)
{
    const char *bar = markdown ? " | " : "  ";
    dg_text_add(out, "%s%-*s%s%4" PRId64 "%s%10.3f%s%10.3f%s%10.3f%s%8.1f", markdown ? "| " : "",
                wide, x->name, bar, x->n, bar, median(x) * 1e3, bar, x->seconds[0] * 1e3, bar,
                high(x) * 1e3, bar, gflops(x));
    if (b->o->roof) dg_text_add(out, "%s%6.1f", bar, 100 * gflops(x) / b->roof.gflops);
    dg_text_add(out, "%s%9.1f%s%10.1f", bar, (double)x->plan->arena_bytes / (1 << 20), bar,
                x->compile * 1e3);
    if (b->o->against && x->before > 0)
        dg_text_add(out, "%s%6.2f", bar, median(x) / x->before);
    else if (b->o->against)
        dg_text_add(out, "%s%6s", bar, "new");
    dg_text_add(out, markdown ? " |\n" : "\n");
}

static void write_table(bench *b, dg_text *out, bool markdown)
{
    int wide = 5;
    for (int i = 0; i < b->n; i++)
        if ((int)strlen(b->cases[i].name) > wide) wide = (int)strlen(b->cases[i].name);
    const char *bar = markdown ? " | " : "  ";
    dg_text_add(out, "%s%-*s%s%4s%s%10s%s%10s%s%10s%s%8s", markdown ? "| " : "", wide, "entry", bar,
                "runs", bar, "median ms", bar, "min", bar, "p90", bar, "GFLOP/s");
    if (b->o->roof) dg_text_add(out, "%s%6s", bar, "% roof");
    dg_text_add(out, "%s%9s%s%10s", bar, "arena MiB", bar, "compile ms");
    if (b->o->against) dg_text_add(out, "%s%6s", bar, "ratio");
    dg_text_add(out, markdown ? " |\n|" : "\n");
    for (int i = 0; markdown && i < 8 + b->o->roof + (b->o->against != NULL); i++)
        dg_text_add(out, i ? "---:|" : "---|");
    if (markdown) dg_text_add(out, "\n");
    for (int i = 0; i < b->n; i++) write_row(b, out, &b->cases[i], wide, markdown);
    if (b->n > 0)
        dg_text_add(out,
                    "%s%s, %s, %d threads, peak %.1f MiB resident, other processes took %.0f %% of "
                    "the CPUs\n",
                    markdown ? "\n" : "", dg_isa_name(b->context->isa), precision(b),
                    b->context->threads, (double)dg_rss_peak_bytes() / (1 << 20), 100 * b->others);
}

static void write_roof(const bench *b, dg_text *out)
{
    dg_text_add(out,
                "roof: %.0f GFLOP/s f32 (%.0f on one thread), %.1f GB/s copied in main memory "
                "(%.1f on one thread)\n",
                b->roof.gflops, b->roof.gflops_one, b->roof.gbytes, b->roof.gbytes_one);
}

static void write_result(bench *b, dg_text *out)
{
    const char *format = b->o->format ? b->o->format : "text";
    if (strcmp(format, "json") == 0) {
        write_json(b, out);
        return;
    }
    if (strcmp(format, "csv") == 0) {
        write_csv(b, out);
        return;
    }
    if (b->o->roof) write_roof(b, out);
    if (b->n > 0) write_table(b, out, strcmp(format, "md") == 0);
}

static void close_all(bench *b)
{
    for (int i = 0; i < b->n; i++) {
        dg_session_free(b->cases[i].session);
        dg_store_free(b->cases[i].store);
        dg_plan_close(b->cases[i].plan);
    }
    dg_program_free(b->program);
}

dg_status dg_bench(dg_context *c, dg_bench_options *o)
{
    o->text = NULL;
    dg_arena *a = dg_arena_new();
    bench b = {.context = c, .arena = a, .diag = dg_context_diag(c, a, dg_sources_new(a)), .o = o};
    dg_text out = {0};
    bool ok = o->roof && !o->file && o->n_names == 0 ? true : choose(&b);
    if (ok && o->against) ok = read_before(&b);
    if (ok && o->roof) b.roof = dg_roof_measure(dg_context_pool(c), c->isa);
    ok = ok && measure(&b);
    if (ok) {
        write_result(&b, &out);
        compare(&b);
        if (b.others > NOISY)
            dg_warning_at(b.diag, "W807", "bench",
                          "other processes took %.0f %% of the CPUs meanwhile: compare nothing but "
                          "ratios of one run",
                          100 * b.others);
        o->text = out.at;
    }
    close_all(&b);
    dg_status status = dg_context_flush(c, b.diag);
    dg_arena_free(a);
    return status == DG_OK && !ok ? dg_context_status(c) : status;
}

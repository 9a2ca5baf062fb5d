/* plan.c: dg plan: compiles an entry and prints its plan, what is asked about it, or the IR after a
 * stage; or compares two plans. */
#include "runtime/cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int print(cli *c, char *text)
{
    if (!text) {
        int status = dg_context_status(c->context);
        return status ? status : DG_INTERNAL;
    }
    size_t n = strlen(text);
    bool ok = cli_write(c, c->text[OPT_OUTPUT], text, n) &&
              (n == 0 || text[n - 1] == '\n' || c->text[OPT_OUTPUT] || putchar('\n') == '\n');
    dg_free(text);
    return ok ? DG_OK : DG_IO;
}

static int analyze(cli *c, dg_plan *p)
{
    dg_analyze_options o = {.runs = (int)c->number[OPT_N],
                            .roof = c->count[OPT_ROOF] > 0,
                            .by_time = c->text[OPT_SORT] && strcmp(c->text[OPT_SORT], "ms") == 0,
                            .summary = c->count[OPT_QUIET] > 0,
                            .format = c->count[OPT_JSON] ? "json" : c->text[OPT_FORMAT]};
    int status = print(c, dg_plan_analyze(p, &o));
    dg_plan_close(p);
    return status;
}

static int show(cli *c, dg_plan *p)
{
    if (!p) return dg_context_status(c->context);
    if (c->count[OPT_ANALYZE]) return analyze(c, p);
    dg_plan_view v = {.format = c->count[OPT_JSON] ? "json" : c->text[OPT_FORMAT],
                      .summary = c->count[OPT_QUIET] > 0,
                      .canonical = c->count[OPT_CANONICAL] > 0,
                      .width = (int)c->number[OPT_WIDTH],
                      .depth = c->text[OPT_DEPTH]   ? (int)c->number[OPT_DEPTH]
                               : c->count[OPT_PEAK] ? 3
                                                    : 2,
                      .peak = c->count[OPT_PEAK] > 0,
                      .why = c->text[OPT_WHY],
                      .stages = c->count[OPT_VERBOSE] > 0};
    int status = print(c, dg_plan_show(p, &v));
    dg_plan_close(p);
    return status;
}

static int plan_of_dump(cli *c)
{
    size_t length = 0;
    char *text = cli_read(c, c->text[OPT_FROM], &length);
    if (!text) return DG_IO;
    int status = show(c, dg_plan_from_ir(c->context, c->text[OPT_FROM], text, length));
    free(text);
    return status;
}

/* ---- two plans ---- */

static bool ends(const char *s, const char *tail)
{
    size_t n = strlen(s), m = strlen(tail);
    return n > m && strcmp(s + n - m, tail) == 0;
}

/* JSON of a plan: of a file as it stands, or of the entry of a .dg file. NULL after reporting. */
static char *plan_json(cli *c, const char *file, const char *entry, const dg_arg_text *args,
                       int n_args, const dg_arg_text *defs, int n_defs, size_t *length)
{
    if (!ends(file, ".dg")) return cli_read(c, file, length);
    char *text = NULL;
    dg_program *program = dg_program_open(c->context, file, defs, n_defs);
    dg_plan *p = program ? dg_plan_compile(program, entry, args, n_args) : NULL;
    if (p) text = dg_plan_show(p, &(dg_plan_view){.format = "json", .canonical = true});
    if (text) *length = strlen(text);
    dg_plan_close(p);
    dg_program_free(program);
    return text;
}

/* What --tolerance allows, in per cent; negative: nothing is said. */
typedef struct limits {
    double peak, ms;
} limits;

/* peak=N%, ms=N%, or both with a comma. False after reporting. */
static bool tolerance(const cli *c, limits *l)
{
    const char *at = c->text[OPT_TOLERANCE];
    *l = (limits){-1, -1};
    if (!at) return true;
    for (;;) {
        bool ms = strncmp(at, "ms=", 3) == 0;
        double *limit = ms ? &l->ms : &l->peak, percent = -1;
        const char *number = at + (ms ? 3 : 5);
        char *end = NULL;
        if (ms || strncmp(at, "peak=", 5) == 0) percent = strtod(number, &end);
        if (!(percent >= 0) || end == number || *end != '%' || *limit >= 0) break;
        *limit = percent;
        if (end[1] == '\0') return true;
        if (end[1] != ',') break;
        at = end + 2;
    }
    cli_error("E222", "tolerance", true,
              "'%s' is not of the form peak=1%%, ms=5%% or peak=1%%,ms=5%%",
              c->text[OPT_TOLERANCE]);
    return false;
}

static bool beyond(double before, double after, double limit)
{
    double change = 100 * (after - before) / (before > 0 ? before : 1);
    return limit >= 0 && (change > limit || change < -limit);
}

static int compare(cli *c, const char *const *files, const char *entry, const dg_arg_text *args,
                   int n_args, const dg_arg_text *defs, int n_defs)
{
    dg_plan_comparison x = {.name = {c->arguments.at[0], c->arguments.at[1]}};
    int status = DG_OK;
    limits allowed;
    if (!tolerance(c, &allowed)) return DG_USAGE;
    for (int i = 0; i < 2 && status == DG_OK; i++) {
        x.json[i] = plan_json(c, files[i], entry, args, n_args, defs, n_defs, &x.length[i]);
        if (x.json[i]) continue;
        status = (int)dg_context_status(c->context);
        if (status == DG_OK) status = DG_IO; /* reported by cli_read */
    }
    if (status == DG_OK) status = (int)dg_plan_compare(c->context, &x);
    if (status == DG_OK && allowed.ms >= 0 && x.ms[0] <= 0) {
        cli_error("E222", "tolerance", true,
                  "plans have no times: ms= wants results of --analyze --json");
        dg_free(x.text);
        status = DG_USAGE;
    }
    if (status == DG_OK) status = print(c, x.text);
    for (int i = 0; i < 2; i++) free((char *)x.json[i]);
    bool differ = x.differences > 0;
    if (allowed.peak >= 0 || allowed.ms >= 0)
        differ = beyond((double)x.peak[0], (double)x.peak[1], allowed.peak) ||
                 beyond(x.ms[0], x.ms[1], allowed.ms);
    return status == DG_OK && c->count[OPT_EXIT_CODE] && differ ? DG_CHECK : status;
}

static int plans_compared(cli *c)
{
    if (c->arguments.n < 2) {
        cli_error("E214", "dg", false,
                  "plan --diff wants: A.json B.json, A.dg B.dg ENTRY, or REVISION A.dg ENTRY");
        return DG_USAGE;
    }
    bool files = c->arguments.n == 2;
    const char *entry = files ? NULL : c->arguments.n > 2 ? c->arguments.at[2] : NULL;
    int n_defs, n_args = files ? 0 : c->arguments.n - 3;
    dg_arg_text *defs, *args;
    if (!cli_defines(c, &defs, &n_defs) ||
        !cli_pairs(c, "argument", c->arguments.at + (files ? 2 : 3), n_args, &args) || !cli_open(c))
        return DG_USAGE;
    const char *paths[2] = {c->arguments.at[0], c->arguments.at[1]};
    cli_revision r = {0};
    if (!files && !ends(paths[0], ".dg") && !ends(paths[0], ".json") &&
        access(paths[0], F_OK) != 0) {
        if (!cli_revision_open(paths[0], paths[1], &r)) return cli_close(c, DG_USAGE);
        paths[0] = r.file;
    }
    int status = compare(c, paths, entry, args, n_args, defs, n_defs);
    cli_revision_drop(&r);
    return cli_close(c, status);
}

int cli_plan(cli *c)
{
    if (c->count[OPT_DIFF]) return plans_compared(c);
    dg_arg_text *defs, *args;
    int n, status;
    bool from = c->text[OPT_FROM] != NULL;
    if (!cli_arity(c, from ? 0 : 2, from ? 0 : -1) || !cli_defines(c, &defs, &n) ||
        !cli_pairs(c, "argument", c->arguments.at + 2, from ? 0 : c->arguments.n - 2, &args) ||
        !cli_open(c))
        return DG_USAGE;
    if (from) return cli_close(c, plan_of_dump(c));
    const char *entry = c->arguments.at[1];
    int n_args = c->arguments.n - 2;
    dg_program *p = dg_program_open(c->context, c->arguments.at[0], defs, n);
    if (!p)
        status = dg_context_status(c->context);
    else if (c->text[OPT_DUMP])
        status = print(c, dg_plan_dump(p, entry, args, n_args, c->text[OPT_DUMP]));
    else
        status = show(c, dg_plan_compile(p, entry, args, n_args));
    dg_program_free(p);
    return cli_close(c, status);
}

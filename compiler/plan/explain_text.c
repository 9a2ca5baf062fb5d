/* explain_text.c: the plan as a table for people: one row a step, loops indented, sums below.
 *
 * In     a plan, a width.
 * Out    text; without times if canonical. */
#include "compiler/plan/explain.h"

#include <stdio.h>
#include <string.h>

enum { STEP = 6, KERNEL = 19, SHAPE = 16, BYTES = 10, LIVE = 7 };

/* The live column is in one unit for all rows, the peak's. */
typedef struct unit {
    const char *name;
    double bytes;
} unit;

static unit unit_of(int64_t peak)
{
    static const unit units[] = {{"B", 1}, {"KiB", 1024}, {"MiB", 1048576}};
    int u = 0;
    while (u < 2 && (double)peak >= units[u + 1].bytes) u++;
    return units[u];
}

/* In MiB also where a GiB is reached, so that sizes can be compared at a glance. */
static const char *bytes_text(int64_t bytes, char text[32])
{
    if (bytes >= (int64_t)1 << 30 && bytes < (int64_t)100 << 30)
        snprintf(text, 32, "%.1f MiB", (double)bytes / 1048576);
    else
        dg_bytes_text((uint64_t)bytes, text);
    return text;
}

static void column(dg_text *t, const char *s, int width)
{
    int n = (int)strlen(s);
    if (n <= width)
        dg_text_add(t, "%-*s  ", width, s);
    else
        dg_text_add(t, "%.*s..  ", width - 2, s);
}

/* What a row is about: of a step that writes places, the first param, else the first of them. */
static int32_t shown_value(const dg_plan *p, const dg_plan_step *s)
{
    int32_t shown = s->n_out > 0 ? s->out[0] : s->n_in > 0 ? s->in[0] : -1;
    for (int i = s->n_out - 1; i >= 0; i--) {
        dg_home home = p->values[s->out[i]].home;
        if (home == DG_HOME_PARAM ||
            (home == DG_HOME_STATE && p->values[shown].home != DG_HOME_PARAM))
            shown = s->out[i];
    }
    return shown;
}

/* A value's own path; the place's where it is a place's new value; its number where it has none. */
static const char *name_of(const dg_plan *p, int32_t id, char number[16])
{
    const dg_plan_value *v = &p->values[id];
    if (v->home == DG_HOME_PARAM || v->home == DG_HOME_STATE) return p->places[v->offset].path;
    if (*v->path) return v->path;
    snprintf(number, 16, "%%%d", id);
    return number;
}

/* Paths tell most at their end. */
static void column_path(dg_text *t, const dg_plan *p, int32_t id, int width)
{
    char number[16];
    const char *s = id >= 0 ? name_of(p, id, number) : "";
    int n = (int)strlen(s);
    if (n <= width)
        dg_text_add(t, "%-*s  ", width, s);
    else
        dg_text_add(t, "..%s  ", s + n - width + 2);
}

static void row(const dg_plan *p, const dg_story *story, unit live, int32_t id, int value_width,
                dg_text *t)
{
    const dg_plan_step *s = &p->steps[id];
    char offset[32] = "", bytes[32] = "", shape[96] = "", more[24] = "";
    int32_t shown = shown_value(p, s);
    if (s->n_out > 0) {
        const dg_plan_value *v = &p->values[shown];
        int64_t sum = 0;
        for (int i = 0; i < s->n_out; i++) sum += p->values[s->out[i]].bytes;
        dg_shape_times(&v->type->shape, shape);
        bytes_text(sum, bytes);
        if (v->home == DG_HOME_ARENA)
            bytes_text(v->offset, offset);
        else
            snprintf(offset, sizeof offset, "%s", dg_home_name(v->home));
        if (s->n_out > 1) snprintf(more, sizeof more, "%s%d values", *s->why ? ", " : "", s->n_out);
    }
    int depth = dg_step_depth(p, id) * 2;
    dg_text_add(t, "%*d  %*s", STEP, id, depth, "");
    column(t, s->label, KERNEL - depth);
    column_path(t, p, shown, value_width);
    column(t, shape, SHAPE);
    dg_text_add(t, "%*s  %*s  %*.1f  %s%s", BYTES, offset, BYTES, bytes, LIVE,
                (double)story->live[id] / live.bytes, s->why, more);
    while (t->n > 0 && t->at[t->n - 1] == ' ') t->at[--t->n] = 0;
    dg_text_add(t, "\n");
}

static void loop_row(const dg_plan *p, int32_t id, dg_text *t)
{
    int32_t l = dg_step_loop(p, id);
    const dg_plan_loop *loop = &p->loops[l];
    dg_text_add(t, "%*d  %*sloop %d x%lld", STEP, id, dg_step_depth(p, id) * 2, "", l,
                (long long)loop->trips);
    for (int c = 0; c < loop->n_carries; c++) {
        char number[16];
        dg_text_add(t, "%s%s (%s%s)", c == 0 ? "  carries " : ", ",
                    name_of(p, loop->carries[c].arg, number), dg_carry_how(p, &loop->carries[c]),
                    loop->carries[c].copy_in ? ", copied in" : "");
    }
    int tables = 0; /* that the body reads by trip: made outside, last read at its end */
    for (int32_t v = 0; v < p->n_values; v++)
        tables += p->values[v].role == DG_ROLE_TABLE && p->values[v].of == v &&
                  p->values[v].last == loop->end;
    if (tables > 0) dg_text_add(t, "  %d table%s", tables, tables == 1 ? "" : "s");
    if (loop->stop >= 0) dg_text_add(t, "  may stop early");
    dg_text_add(t, "\n");
}

static void amount(dg_text *t, const char *name, int64_t bytes)
{
    char text[32];
    dg_text_add(t, "%s %s", name, bytes_text(bytes, text));
}

/* "304 parameter tensors, 35.75 M values   913 states": on a line of its own where there are any.
 */
static void places(const dg_plan *p, dg_text *t)
{
    int params = 0;
    int64_t values = 0;
    for (int i = 0; i < p->n_places; i++) {
        if (!p->places[i].trained) continue;
        params++;
        values += dg_shape_count(&p->places[i].type.shape);
    }
    if (p->n_places == 0) return;
    dg_text_add(t, "\n%d parameter %s, ", params, params == 1 ? "tensor" : "tensors");
    if (values < 1000000)
        dg_text_add(t, "%lld values", (long long)values);
    else
        dg_text_add(t, "%.2f M values", (double)values / 1e6);
    dg_text_add(t, "   %d %s", p->n_places - params,
                p->n_places - params == 1 ? "state" : "states");
}

static void summary(const dg_plan *p, const dg_story *s, const dg_explain_options *o, dg_text *t)
{
    char ratio[32];
    amount(t, "peak", p->peak);
    if (p->peak_step < p->n_steps) {
        const dg_plan_step *at = &p->steps[p->peak_step];
        char number[16];
        const char *path = at->n_out > 0 ? name_of(p, at->out[0], number) : "";
        dg_text_add(t, " at step %d (%s%s%s)", p->peak_step, at->label, *path ? " " : "", path);
    }
    snprintf(ratio, sizeof ratio, "%.4f",
             p->bound > 0 ? (double)p->arena_bytes / (double)p->bound : 1.0);
    amount(t, "   bound", p->bound);
    dg_text_add(t, "   ratio %s", ratio);
    amount(t, "   naive", p->naive);
    amount(t, "\nweights", p->weights);
    amount(t, "  grads", p->grads);
    amount(t, "  state", p->state);
    amount(t, "  consts", p->consts);
    amount(t, "  io", p->io);
    amount(t, "  arena", p->arena_bytes);
    amount(t, " (workspace", p->workspace_peak);
    dg_text_add(t, ")");
    if (p->scratch > 0) {
        amount(t, "  scratch", p->scratch);
        dg_text_add(t, " x %d", o->threads > 0 ? o->threads : 1);
    }
    amount(t, "   total", s->total);
    places(p, t);
    dg_text_add(t, "\n%d steps from %d nodes   %d in place   ", p->n_steps, p->nodes, s->in_place);
    if (s->swaps > 0) dg_text_add(t, "%d carries swapped   ", s->swaps);
    if (s->segments > 0) dg_text_add(t, "%d concat by segments   ", s->segments);
    if (s->into > 0) dg_text_add(t, "%d put together in place   ", s->into);
    dg_text_add(t, "%d %s", s->copies, s->copies == 1 ? "copy" : "copies");
    if (s->again > 0)
        dg_text_add(t, "   %d computed again (+%.1f %% time)", s->again,
                    100 * s->again_ns / (s->ns - s->again_ns));
    if (!o->canonical) dg_text_add(t, "   %.1f ms", p->seconds * 1e3);
    dg_text_add(t, "\n");
}

/* Milliseconds of each stage of compilation. */
static void stages(const dg_plan *p, dg_text *t)
{
    dg_text_add(t, "compiled in %.1f ms:", p->seconds * 1e3);
    for (int i = 0; i < p->n_stages; i++)
        dg_text_add(t, "%s %s %.1f", i > 0 ? "," : "", p->stages[i].stage,
                    p->stages[i].seconds * 1e3);
    dg_text_add(t, "\n");
}

void dg_explain_text(const dg_plan *p, const dg_explain_options *o, dg_text *out)
{
    dg_arena *a = dg_arena_new();
    dg_story story = dg_story_of(p, o->threads, a);
    if (!o->summary_only) {
        int width = o->width > 0 ? o->width : 110,
            fixed = STEP + KERNEL + SHAPE + 2 * BYTES + LIVE + 2 * 7;
        int value_width = width > fixed + 24 ? width - fixed : 24;
        unit live = unit_of(p->bound);
        dg_text_add(out, "%*s  %-*s  %-*s  %-*s  %*s  %*s  %*s  why\n", STEP, "step", KERNEL,
                    "kernel", value_width, "value", SHAPE, "shape", BYTES, "offset", BYTES, "bytes",
                    LIVE, live.name);
        for (int32_t i = 0; i < p->n_steps; i++) {
            if (p->steps[i].kind == DG_STEP_LOOP)
                loop_row(p, i, out);
            else if (p->steps[i].kind == DG_STEP_LOOP_END)
                dg_text_add(out, "%*d  %*send of loop %d\n", STEP, i, dg_step_depth(p, i) * 2, "",
                            dg_step_loop(p, i));
            else
                row(p, &story, live, i, value_width, out);
        }
    }
    summary(p, &story, o, out);
    if (o->stages) stages(p, out);
    dg_arena_free(a);
}

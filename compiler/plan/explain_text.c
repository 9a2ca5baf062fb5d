/* explain_text.c: the plan as a table for people: one row a step, loops indented, sums below.
 *
 * In     a plan, a width.
 * Out    text; without times if canonical. */
#include "compiler/plan/explain.h"

#include <stdio.h>
#include <string.h>

enum { STEP = 6, SHAPE = 18, BYTES = 10, LIVE = 10 };

/* Text in a column: padded, or cut in the middle with dots, since paths tell most at both ends. */
static void column(dg_text *t, const char *s, int width)
{
    int n = (int)strlen(s);
    if (n <= width) {
        dg_text_add(t, "%-*s  ", width, s);
        return;
    }
    int tail = (width - 2) * 2 / 3, head = width - 2 - tail;
    dg_text_add(t, "%.*s..%s  ", head, s, s + n - tail);
}

static void row(const dg_plan *p, const dg_story *story, int32_t id, int kernel_width, int value_width, dg_text *t)
{
    const dg_plan_step *s = &p->steps[id];
    char offset[32] = "", bytes[32] = "", live[32], shape[96] = "", step[16];
    const char *path = "";
    if (s->n_out > 0) {
        const dg_plan_value *v = &p->values[s->out[0]];
        path = v->path;
        dg_shape_times(&v->type.shape, shape);
        dg_bytes_text((uint64_t)v->bytes, bytes);
        if (v->home == DG_HOME_ARENA) dg_bytes_text((uint64_t)v->offset, offset);
        else snprintf(offset, sizeof offset, "%s", dg_home_name(v->home));
    } else if (s->n_in > 0) {
        path = p->values[s->in[0]].path;
    }
    dg_bytes_text((uint64_t)story->live[id], live);
    snprintf(step, sizeof step, "%d", id);
    dg_text_add(t, "%*s  ", STEP, step);
    int depth = dg_step_depth(p, id) * 2;
    dg_text_add(t, "%*s", depth, "");
    column(t, s->label, kernel_width - depth);
    column(t, path, value_width);
    column(t, shape, SHAPE);
    dg_text_add(t, "%*s  %*s  %*s  %s", BYTES, offset, BYTES, bytes, LIVE, live, s->why);
    while (t->n > 0 && t->at[t->n - 1] == ' ') t->at[--t->n] = 0;
    dg_text_add(t, "\n");
}

static void loop_row(const dg_plan *p, int32_t id, dg_text *t)
{
    int32_t l = dg_step_loop(p, id);
    const dg_plan_loop *loop = &p->loops[l];
    dg_text_add(t, "%*d  %*sloop %d x%lld", STEP, id, dg_step_depth(p, id) * 2, "", l, (long long)loop->trips);
    for (int c = 0; c < loop->n_carries; c++) {
        dg_text_add(t, "%s%s (%s%s)", c == 0 ? "  carries " : ", ", p->values[loop->carries[c].arg].path,
                    dg_carry_how(p, &loop->carries[c]), loop->carries[c].copy_in ? ", copied in" : "");
    }
    const char *lead = "  tables ";
    for (int32_t v = 0; v < p->n_values; v++) { /* tables that the body reads by trip: made outside, last read at its end */
        if (p->values[v].role != DG_ROLE_TABLE || p->values[v].of != v || p->values[v].last != loop->end) continue;
        dg_text_add(t, "%s%s", lead, p->values[v].path);
        lead = ",";
    }
    if (loop->stop >= 0) dg_text_add(t, "  until %s", p->values[loop->stop].path);
    dg_text_add(t, "\n");
}

static void amount(dg_text *t, const char *name, int64_t bytes)
{
    char text[32];
    dg_text_add(t, "%s %s", name, dg_bytes_text((uint64_t)bytes, text));
}

static void summary(const dg_plan *p, const dg_story *s, const dg_explain_options *o, dg_text *t)
{
    char ratio[32];
    amount(t, "peak", p->peak);
    if (p->peak_step < p->n_steps) {
        const dg_plan_step *at = &p->steps[p->peak_step];
        dg_text_add(t, " at step %d (%s%s%s)", p->peak_step, at->label, at->n_out > 0 ? " " : "",
                    at->n_out > 0 ? p->values[at->out[0]].path : "");
    }
    snprintf(ratio, sizeof ratio, "%.4f", p->bound > 0 ? (double)p->arena_bytes / (double)p->bound : 1.0);
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
    dg_text_add(t, "\n%d steps from %d nodes   %d in place   ", p->n_steps, p->nodes, s->in_place);
    if (s->swaps > 0) dg_text_add(t, "%d carries swapped   ", s->swaps);
    if (s->segments > 0) dg_text_add(t, "%d concat by segments   ", s->segments);
    dg_text_add(t, "%d copies", s->copies);
    if (!o->canonical) dg_text_add(t, "   %.1f ms", p->seconds * 1e3);
    dg_text_add(t, "\n");
}

void dg_explain_text(const dg_plan *p, const dg_explain_options *o, dg_text *out)
{
    dg_arena *a = dg_arena_new();
    dg_story story = dg_story_of(p, o->threads, a);
    if (!o->summary_only) {
        int width = o->width > 0 ? o->width : 110, fixed = STEP + SHAPE + 2 * BYTES + LIVE + 2 * 7 + 12;
        int rest = width > fixed + 40 ? width - fixed : 40, kernel_width = rest * 2 / 5, value_width = rest - kernel_width;
        dg_text_add(out, "%*s  %-*s  %-*s  %-*s  %*s  %*s  %*s  why\n", STEP, "step", kernel_width, "kernel", value_width, "value",
                    SHAPE, "shape", BYTES, "offset", BYTES, "bytes", LIVE, "live");
        for (int32_t i = 0; i < p->n_steps; i++) {
            if (p->steps[i].kind == DG_STEP_LOOP) loop_row(p, i, out);
            else if (p->steps[i].kind == DG_STEP_LOOP_END) dg_text_add(out, "%*d  %*send of loop %d\n", STEP, i, dg_step_depth(p, i) * 2, "", dg_step_loop(p, i));
            else row(p, &story, i, kernel_width, value_width, out);
        }
    }
    summary(p, &story, o, out);
    dg_arena_free(a);
}

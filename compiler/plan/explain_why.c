/* explain_why.c: why one value lies where it lies and lives as long as it does; or what one step
 * does and why.
 *
 * In     a plan; the path of a value, %ID of one, or @STEP.
 * Out    text: who makes it and from what, who reads it and when, what was decided about it and the
 *        reasons in words. The same as JSON: explain_why_json.c. */
#include "compiler/plan/explain.h"

#include "compiler/base/diag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reasons in words ---- */

typedef struct wording {
    const char *reason, *words;
} wording;

/* By the longest beginning that fits. */
static const wording wordings[] = {
    {"inplace.yes",
     "the operand's bytes are free at this step, and the kernel may write over them"},
    {"inplace.no:value-read-later", "an operand that it could lie over is read again later"},
    {"inplace.no:bytes-taken", "the operand's bytes are needed by a value that shares them"},
    {"inplace.no:not-permitted", "the kernel reads its operand at other places than it writes"},
    {"inplace.no:not-in-the-arena", "the operand is a parameter, an input or a constant"},
    {"inplace.no:sizes-differ", "operand and result differ in size"},
    {"write.in-place", "the place's new value is computed in the place's own bytes"},
    {"write.no", "the place's new value is stored by a copy, since it could not be computed there"},
    {"carry.in-place", "the next value of the carry is computed in the bytes of this one"},
    {"carry.swap", "the next value is made in a second buffer, and the two trade places"},
    {"remat.yes", "computing it again was cheaper than keeping its bytes until here"},
    {"fuse.yes:epilogue", "joined to the product before it, which applies it to each tile"},
    {"fuse.no:consumer-is-kernel", "its reader is a kernel that reads stored operands"},
    {"fuse.no:kernel-reads-stored", "the kernel chosen reads stored operands only"},
    {"fuse.no:raises-peak", "joining them would keep more bytes at the peak"},
    {"fuse.yes:prologue",
     "what is made of it is computed by the kernel that reads that, and not stored"},
    {"fuse.yes:row-sum", "summed by the kernel that computes what is summed"},
    {"fuse.no:consumer-reads-other-shape", "its reader works on another shape"},
    {"fuse.no:consumer-in-loop", "its reader is in a loop, where it would be computed each trip"},
    {"fuse.no:prologues-cost-more",
     "computing it again in each kernel that reads it would cost more than storing it"},
    {"fuse.no:costly", "computing it in each of its readers would cost more than storing it"},
    {"fuse.no:no-operand-of-its-size", "it is made of no stored map of its size and type"},
    {"fuse.no:smaller-than-operands", "it is smaller than what it is made of"},
    {"fuse.no:too-long", "the pass over memory that it would join is as long as can be"},
    {"fuse.no:operand-not-ready", "another operand of its reader is made only later"},
    {"fuse.no:result-of-loop", "it is the result of a loop"},
    {"fuse.no", "not joined"},
    {"fuse.yes", "joined with its neighbours into one pass over memory"},
    {"select.copy:kernel-wants-packed", "the kernel reads packed operands, so a copy was made"},
    {"concat.segments", "its readers read the parts where they lie"},
    {"concat.into", "its parts are stored where they belong by the steps that make them"},
    {"concat.copy", "not every part could be stored where it belongs, so all are copied"},
    {"copy.into", "its operand is stored in this order by the step that makes it"},
    {"moments.yes", "the kernel that makes the map gives its norm the statistics, too"},
    {"moments.no", "the norm reads the map for its statistics"},
    {"hoist.yes", "it does not change from trip to trip, so it is computed once, before the loop"},
    {"hoist.no", "it would lie there as long as the loop runs, and is cheap to compute"},
    {"tables.yes", "of the trip alone, so that all trips' are computed at once, before the loop"},
    {"tables.no", "a table of all trips' would be large"},
    {"split.yes", "only parts of it are read, so parts are computed"},
    {"conv.winograd", "few products, between two transforms"},
    {"conv.direct", "plain products, no transforms"},
    {"bf16.yes", "operands are rounded to bf16, sums are f32"},
    {"bf16.no", "too little work to pay for rounding its operands"},
    {"attention.yes",
     "rows of the matrix of scores are made where they are needed, never the whole"},
    {"attention.no", "the matrix of scores is stored"},
    {"silu.yes", "x times its sigmoid, which the slope wants anyway"},
    {"matmul.yes", "only the columns that are read are computed"},
    {"grad.kept-every", "the backward loop runs the trips between again"},
    {"copy.copy", "its operand could not be stored in this order, so it is copied"},
};

const char *dg_reason_words(const char *reason)
{
    for (size_t i = 0; i < sizeof wordings / sizeof *wordings; i++)
        if (strncmp(reason, wordings[i].reason, strlen(wordings[i].reason)) == 0)
            return wordings[i].words;
    return "";
}

bool dg_decision_about(const dg_decision *d, int32_t step, int32_t value)
{
    return (value >= 0 && d->value == value) || (step >= 0 && d->node == step);
}

const char *dg_value_name(const dg_plan *p, int32_t id)
{
    const dg_plan_value *v = &p->values[id];
    bool stored = v->home == DG_HOME_PARAM || v->home == DG_HOME_STATE;
    return stored ? p->places[v->offset].path : v->path;
}

static const char *name_of(const dg_plan *p, int32_t id, char number[16])
{
    const char *name = dg_value_name(p, id);
    if (*name) return name;
    snprintf(number, 16, "%%%d", id);
    return number;
}

/* `producer`: of the value, whose other decisions are named by their steps. */
static void decisions(const dg_plan *p, int32_t step, int32_t value, int32_t producer, dg_text *t)
{
    bool any = false;
    for (int i = 0; i < p->n_decisions; i++) {
        const dg_decision *d = &p->decisions[i];
        if (!dg_decision_about(d, step, value)) continue;
        if (!any) dg_text_add(t, "decided\n");
        any = true;
        const char *words = dg_reason_words(d->reason);
        char bytes[32], number[16];
        dg_text_add(t, "  %-9s %-8s  %s", d->kind, d->outcome, d->reason);
        if (d->value >= 0 && d->value != value)
            dg_text_add(t, "  %s", name_of(p, d->value, number));
        if (d->bytes > 0) dg_text_add(t, "  %s", dg_bytes_text((uint64_t)d->bytes, bytes));
        if (value >= 0 && d->node >= 0 && d->node != producer) dg_text_add(t, "  at @%d", d->node);
        dg_text_add(t, "\n");
        if (*words) dg_text_add(t, "    %s\n", words);
    }
}

static void step_name(const dg_plan *p, int32_t s, dg_text *t)
{
    const dg_plan_step *i = &p->steps[s];
    char number[16];
    dg_text_add(t, "@%d %s", s, i->label);
    if (i->n_out > 0) dg_text_add(t, " %s", name_of(p, i->out[0], number));
}

/* ---- a value ---- */

static void where_it_lies(const dg_plan *p, int32_t id, dg_text *t)
{
    const dg_plan_value *v = &p->values[id];
    char bytes[32], offset[32], number[16], shape[96];
    dg_shape_times(&v->type->shape, shape);
    dg_text_add(t, "%s  %s %s  %s  %s\n", name_of(p, id, number), dg_dtype_name(v->type->dtype),
                *shape ? shape : "scalar", dg_bytes_text((uint64_t)v->bytes, bytes),
                dg_role_name(v->role));
    if (*v->src) dg_text_add(t, "  from %s\n", v->src);
    if (v->home == DG_HOME_ARENA)
        dg_text_add(t, "  in the arena at %s", dg_bytes_text((uint64_t)v->offset, offset));
    else
        dg_text_add(t, "  in %s", dg_home_name(v->home));
    if (v->alias && v->base != id)
        dg_text_add(t, ", in the bytes of %s (%s)", name_of(p, v->base, number), v->alias);
    dg_text_add(t, "\n");
}

bool dg_step_reads(const dg_plan *p, int32_t step, int32_t value, bool *view)
{
    const dg_plan_step *s = &p->steps[step];
    bool reads = false;
    *view = false;
    for (int k = 0; k < s->n_in; k++) {
        if (p->values[s->in[k]].of != p->values[value].of) continue;
        reads = true;
        *view |= s->in[k] != value;
    }
    return reads;
}

static void who_reads_it(const dg_plan *p, int32_t id, dg_text *t)
{
    enum { MOST = 12 };
    int n = 0;
    for (int32_t s = 0; s < p->n_steps; s++) {
        bool view;
        if (!dg_step_reads(p, s, id, &view)) continue;
        if (n++ == 0) dg_text_add(t, "read by\n");
        if (n > MOST) continue;
        dg_text_add(t, "  ");
        step_name(p, s, t);
        dg_text_add(t, "%s\n", view ? " (as a view)" : "");
    }
    if (n > MOST) dg_text_add(t, "  and %d more\n", n - MOST);
    if (p->values[p->values[id].of].last >= p->n_steps)
        dg_text_add(t, "%s after the run\n", n > 0 ? "and kept" : "kept");
    else if (n == 0)
        dg_text_add(t, "read by nobody\n");
}

void dg_plan_longest_wait(const dg_plan *p, int32_t id, int32_t *from, int32_t *to)
{
    const dg_plan_value *v = &p->values[p->values[id].of];
    int32_t last = *from = *to = v->first;
    for (int32_t s = v->first + 1; s < p->n_steps; s++) {
        const dg_plan_step *i = &p->steps[s];
        bool reads = false;
        for (int k = 0; k < i->n_in; k++) reads |= p->values[i->in[k]].of == p->values[id].of;
        if (!reads) continue;
        if (s - last > *to - *from) *from = last, *to = s;
        last = s;
    }
}

/* The longest time in which the bytes wait, and what they would cost otherwise. */
static void why_kept(const dg_plan *p, int32_t id, dg_text *t)
{
    const dg_plan_value *v = &p->values[p->values[id].of];
    if (v->home != DG_HOME_ARENA || v->producer < 0) return;
    int32_t from, to;
    dg_plan_longest_wait(p, id, &from, &to);
    double ns = dg_step_ns(p, v->producer);
    char bytes[32];
    if (to - from < 8 || ns == 0) return;
    dg_text_add(t, "kept unread from step %d to %d: %s x %d steps\n", from, to,
                dg_bytes_text((uint64_t)v->bytes, bytes), to - from);
    dg_text_add(t, "  its step alone takes %.3g ms again (estimate for one thread), %.2g ns a byte",
                ns / 1e6, ns / (double)(v->bytes > 0 ? v->bytes : 1));
    dg_text_add(
        t, p->peak_step > from && p->peak_step < to
               ? ";\n  it is there at the peak: --memory=N computes it again if N asks for it\n"
               : ";\n  it is not there at the peak: without it the arena is as large\n");
}

static void value_text(const dg_plan *p, int32_t id, dg_text *t)
{
    const dg_plan_value *v = &p->values[id];
    where_it_lies(p, id, t);
    if (v->producer >= 0) {
        const dg_plan_step *s = &p->steps[v->producer];
        char number[16];
        dg_text_add(t, "made by ");
        step_name(p, v->producer, t);
        dg_text_add(t, "\n");
        for (int k = 0; k < s->n_in; k++)
            dg_text_add(t, "  from %s\n", name_of(p, s->in[k], number));
    } else {
        dg_text_add(t, "there before the run\n");
    }
    who_reads_it(p, id, t);
    why_kept(p, id, t);
    decisions(p, -1, id, v->producer, t);
}

/* ---- a step ---- */

static void step_text(const dg_plan *p, int32_t s, dg_text *t)
{
    const dg_plan_step *i = &p->steps[s];
    char bytes[32], number[16], shape[96];
    step_name(p, s, t);
    dg_text_add(t, "\n");
    if (*i->src) dg_text_add(t, "  from %s\n", i->src);
    if (*i->scope) dg_text_add(t, "  in %s\n", i->scope);
    dg_text_add(t, "  %s, %d graph node%s, %.3g MFLOP, %s moved, estimated %.3g ms on one thread\n",
                dg_phase_name(i->phase), i->nodes, i->nodes == 1 ? "" : "s", i->flops / 1e6,
                dg_bytes_text((uint64_t)i->bytes_rw, bytes), dg_step_ns(p, s) / 1e6);
    if (i->workspace_bytes > 0)
        dg_text_add(t, "  workspace %s\n", dg_bytes_text((uint64_t)i->workspace_bytes, bytes));
    if (dg_step_again(p, s)) dg_text_add(t, "  computes again what was not worth keeping\n");
    for (int k = 0; k < i->n_in + i->n_out; k++) {
        int32_t v = k < i->n_in ? i->in[k] : i->out[k - i->n_in];
        dg_shape_times(&p->values[v].type->shape, shape);
        dg_text_add(t, "  %s %s  %s %s", k < i->n_in ? "reads " : "writes", name_of(p, v, number),
                    dg_dtype_name(p->values[v].type->dtype), *shape ? shape : "scalar");
        if (k < i->n_in && p->values[p->values[v].of].last == s)
            dg_text_add(t, "  for the last time");
        if (k >= i->n_in && p->values[v].alias) dg_text_add(t, "  (%s)", p->values[v].alias);
        dg_text_add(t, "\n");
    }
    decisions(p, s, -1, -1, t);
}

/* ---- what is asked about ---- */

/* The number behind @ or %, below `most`; -1: none. */
static int32_t numbered(const char *subject, int most)
{
    char *end;
    long id = strtol(subject + 1, &end, 10);
    return end == subject + 1 || *end || id < 0 || id >= most ? -1 : (int32_t)id;
}

/* The next value from `v` on that is called so: of a place's values the one that was there. */
static int32_t named(const dg_plan *p, int32_t v, const char *subject)
{
    for (; v < p->n_values; v++) {
        bool place = p->values[v].home == DG_HOME_PARAM || p->values[v].home == DG_HOME_STATE;
        if (place && p->values[v].producer >= 0) continue;
        if (*subject && strcmp(dg_value_name(p, v), subject) == 0) return v;
    }
    return -1;
}

static const char *close_name(const dg_plan *p, const char *subject)
{
    const char *close = NULL;
    int best = 4;
    for (int32_t v = 0; v < p->n_values; v++) {
        const char *name = dg_value_name(p, v);
        int distance = *name ? dg_edit_distance(subject, name, best) : best;
        if (distance >= best) continue;
        best = distance;
        close = name;
    }
    return close;
}

void dg_why_steps_of(const dg_plan *p, const char *subject, dg_text *t)
{
    enum { MOST = 4 };
    const char *dot = strrchr(subject, '.');
    int n = 0;
    for (int32_t s = 0; s < p->n_steps && dot; s++) {
        const char *scope = p->steps[s].scope;
        size_t length = strlen(scope);
        bool inside = length == (size_t)(dot - subject) && strncmp(scope, subject, length) == 0;
        if (!inside && strcmp(scope, subject) != 0) continue;
        if (n++ < MOST) {
            dg_text_add(t, n > 1 ? ", " : "");
            step_name(p, s, t);
        }
    }
    if (n > MOST) dg_text_add(t, " and %d more", n - MOST);
}

static void answer_text(const dg_plan *p, const char *subject, int32_t value, int32_t step,
                        dg_text *t)
{
    if (step >= 0) step_text(p, step, t);
    while (value >= 0) {
        value_text(p, value, t);
        value = *subject == '%' ? -1 : named(p, value + 1, subject);
        if (value >= 0) dg_text_add(t, "\n");
    }
}

static void answer_json(const dg_plan *p, const char *subject, int32_t value, int32_t step,
                        dg_text *t)
{
    dg_json_writer w = {.text = *t, .pretty = true};
    dg_json_open(&w, '{');
    dg_json_string_field(&w, "format", "dg-why/1.0");
    dg_json_string_field(&w, "subject", subject);
    dg_json_key(&w, step >= 0 ? "steps" : "values");
    dg_json_open(&w, '[');
    if (step >= 0) dg_why_json(p, -1, step, &w);
    while (value >= 0) {
        dg_why_json(p, value, -1, &w);
        value = *subject == '%' ? -1 : named(p, value + 1, subject);
    }
    dg_json_close(&w, ']');
    dg_json_close(&w, '}');
    dg_text_addn(&w.text, "\n", 1);
    *t = w.text;
}

bool dg_explain_why(const dg_plan *p, const char *subject, bool json, dg_text *t,
                    const char **close)
{
    int32_t step = *subject == '@' ? numbered(subject, p->n_steps) : -1, value = -1;
    if (*subject == '%')
        value = numbered(subject, p->n_values);
    else if (*subject != '@')
        value = named(p, 0, subject);
    *close = NULL;
    if (step < 0 && value < 0) {
        if (*subject != '@' && *subject != '%') *close = close_name(p, subject);
        return false;
    }
    (json ? answer_json : answer_text)(p, subject, value, step, t);
    return true;
}

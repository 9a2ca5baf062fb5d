/* explain_why.c: why one value lies where it lies and lives as long as it does; or what one step
 * does and why.
 *
 * In     a plan; the path of a value, %ID of one, or @STEP.
 * Out    text: who makes it and from what, who reads it and when, what was decided about it and the
 *        reasons in words. */
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
    {"fuse.no", "not joined"},
    {"fuse.yes", "joined with its neighbours into one pass over memory"},
    {"select.copy:kernel-wants-packed", "the kernel reads packed operands, so a copy was made"},
    {"concat.segments", "its readers read the parts where they lie"},
    {"concat.into", "its parts are stored where they belong by the steps that make them"},
    {"concat.copy", "not every part could be stored where it belongs, so all are copied"},
    {"copy.into", "its operand is stored in this order by the step that makes it"},
    {"copy.copy", "its operand could not be stored in this order, so it is copied"},
};

static const char *words_for(const char *reason)
{
    for (size_t i = 0; i < sizeof wordings / sizeof *wordings; i++)
        if (strncmp(reason, wordings[i].reason, strlen(wordings[i].reason)) == 0)
            return wordings[i].words;
    return "";
}

static const char *name_of(const dg_plan *p, int32_t id, char number[16])
{
    const dg_plan_value *v = &p->values[id];
    if (v->home == DG_HOME_PARAM || v->home == DG_HOME_STATE) return p->places[v->offset].path;
    if (*v->path) return v->path;
    snprintf(number, 16, "%%%d", id);
    return number;
}

static void decisions(const dg_plan *p, int32_t step, int32_t value, dg_text *t)
{
    bool any = false;
    for (int i = 0; i < p->n_decisions; i++) {
        const dg_decision *d = &p->decisions[i];
        bool about = (value >= 0 && d->value == value) || (step >= 0 && d->node == step);
        if (!about) continue;
        if (!any) dg_text_add(t, "decided\n");
        any = true;
        const char *words = words_for(d->reason);
        char bytes[32], number[16];
        dg_text_add(t, "  %-9s %-8s  %s", d->kind, d->outcome, d->reason);
        if (d->value >= 0 && d->value != value)
            dg_text_add(t, "  %s", name_of(p, d->value, number));
        if (d->bytes > 0) dg_text_add(t, "  %s", dg_bytes_text((uint64_t)d->bytes, bytes));
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
    dg_shape_times(&v->type.shape, shape);
    dg_text_add(t, "%s  %s %s  %s  %s\n", name_of(p, id, number), dg_dtype_name(v->type.dtype),
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

static void who_reads_it(const dg_plan *p, int32_t id, dg_text *t)
{
    enum { MOST = 12 };
    int32_t of = p->values[id].of;
    int n = 0;
    for (int32_t s = 0; s < p->n_steps; s++) {
        const dg_plan_step *i = &p->steps[s];
        bool reads = false, view = false;
        for (int k = 0; k < i->n_in; k++) {
            if (p->values[i->in[k]].of != of) continue;
            reads = true;
            view |= i->in[k] != id;
        }
        if (!reads) continue;
        if (n++ == 0) dg_text_add(t, "read by\n");
        if (n > MOST) continue;
        dg_text_add(t, "  ");
        step_name(p, s, t);
        dg_text_add(t, "%s\n", view ? " (as a view)" : "");
    }
    if (n > MOST) dg_text_add(t, "  and %d more\n", n - MOST);
    if (p->values[of].last >= p->n_steps)
        dg_text_add(t, "%s after the run\n", n > 0 ? "and kept" : "kept");
    else if (n == 0)
        dg_text_add(t, "read by nobody\n");
}

/* The longest time in which the bytes wait, and what they would cost otherwise. */
static void why_kept(const dg_plan *p, int32_t id, dg_text *t)
{
    const dg_plan_value *v = &p->values[p->values[id].of];
    if (v->home != DG_HOME_ARENA || v->producer < 0) return;
    int32_t from = v->first, longest = 0, since = v->first, until = v->first;
    for (int32_t s = v->first + 1; s < p->n_steps; s++) {
        const dg_plan_step *i = &p->steps[s];
        bool reads = false;
        for (int k = 0; k < i->n_in; k++) reads |= p->values[i->in[k]].of == p->values[id].of;
        if (!reads) continue;
        if (s - from > longest) longest = s - from, since = from, until = s;
        from = s;
    }
    double ns = dg_step_ns(p, v->producer);
    char bytes[32];
    if (longest < 8 || ns == 0) return;
    dg_text_add(t, "kept unread from step %d to %d: %s x %d steps\n", since, until,
                dg_bytes_text((uint64_t)v->bytes, bytes), longest);
    dg_text_add(t, "  its step alone takes %.3g ms again (estimate for one thread), %.2g ns a byte",
                ns / 1e6, ns / (double)(v->bytes > 0 ? v->bytes : 1));
    dg_text_add(
        t, p->peak_step > since && p->peak_step < until
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
    decisions(p, -1, id, t);
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
        dg_shape_times(&p->values[v].type.shape, shape);
        dg_text_add(t, "  %s %s  %s %s", k < i->n_in ? "reads " : "writes", name_of(p, v, number),
                    dg_dtype_name(p->values[v].type.dtype), *shape ? shape : "scalar");
        if (k < i->n_in && p->values[p->values[v].of].last == s)
            dg_text_add(t, "  for the last time");
        if (k >= i->n_in && p->values[v].alias) dg_text_add(t, "  (%s)", p->values[v].alias);
        dg_text_add(t, "\n");
    }
    decisions(p, s, -1, t);
}

bool dg_explain_why(const dg_plan *p, const char *subject, dg_text *t, const char **close)
{
    *close = NULL;
    if (*subject == '@' || *subject == '%') {
        char *end;
        long id = strtol(subject + 1, &end, 10);
        int most = *subject == '@' ? p->n_steps : p->n_values;
        if (end == subject + 1 || *end || id < 0 || id >= most) return false;
        if (*subject == '@')
            step_text(p, (int32_t)id, t);
        else
            value_text(p, (int32_t)id, t);
        return true;
    }
    int best = 4;
    bool found = false;
    for (int32_t v = 0; v < p->n_values; v++) {
        char number[16];
        const char *name = name_of(p, v, number);
        bool place = p->values[v].home == DG_HOME_PARAM || p->values[v].home == DG_HOME_STATE;
        if (strcmp(name, subject) == 0 && (!place || p->values[v].producer < 0)) {
            if (found) dg_text_add(t, "\n");
            value_text(p, v, t);
            found = true;
        }
        int distance = dg_edit_distance(subject, name, best);
        if (distance < best && *p->values[v].path) {
            best = distance;
            *close = name;
        }
    }
    return found;
}

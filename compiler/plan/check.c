/* check.c: the independent checker. It shares no code with the passes and reads nothing but the
 * plan.
 *
 * In     a plan.
 * Out    true, or E903 with the first thing that is wrong.
 * Proves ids, shapes and offsets are sound; steps are given what their programs and kernels ask for
 *        (check_step.c); lives are as stated, and no two buffers taken at one step share a byte;
 *        bound, peak and sums are as stated; and every read finds what was written for it
 *        (check_run.c). */
#include "compiler/plan/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ALIGN 64

typedef dg_checker checker;

bool dg_check_wrong(dg_checker *c, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    dg_error_at(c->d, "E903", "plan", "the plan of `%s` is unsound: %s", c->p->entry, text);
    return false;
}

static int64_t rounded(int64_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

/* ---- what can be seen without running ---- */

/* Bytes from a value's first to its last element. */
static int64_t extent_of(const dg_plan_value *v)
{
    int64_t last = 0;
    for (int i = 0; i < v->type->shape.rank; i++) {
        if (v->type->shape.dim[i] == 0) return 0;
        last += (v->type->shape.dim[i] - 1) * v->stride[i];
    }
    return (last + 1) * (int64_t)dg_dtype_size(v->type->dtype);
}

static bool check_type(checker *c, int32_t id)
{
    const dg_plan_value *v = &c->p->values[id];
    if (v->type->dtype >= DG_DTYPES || v->type->shape.rank < 0 || v->type->shape.rank > DG_MAX_RANK)
        return dg_check_wrong(c, "value %d has no type", id);
    for (int i = 0; i < v->type->shape.rank; i++) {
        if (v->stride[i] < 0) return dg_check_wrong(c, "value %d has a negative stride", id);
    }
    c->extent[id] = extent_of(v);
    return true;
}

static bool check_value(checker *c, int32_t id)
{
    const dg_plan *p = c->p;
    const dg_plan_value *v = &p->values[id];
    if (v->bytes != dg_type_bytes(v->type))
        return dg_check_wrong(c, "value %d says it has %lld bytes", id, (long long)v->bytes);
    if (v->base < 0 || v->base >= p->n_values || v->of < 0 || v->of >= p->n_values)
        return dg_check_wrong(c, "value %d has no base", id);
    const dg_plan_value *base = &p->values[v->base], *of = &p->values[v->of];
    if (base->base != v->base || of->of != v->of || of->base != v->base)
        return dg_check_wrong(c, "value %d and its base disagree", id);
    if (base->home != v->home)
        return dg_check_wrong(c, "value %d and its base %d are in different regions", id, v->base);
    if (v->of == id && c->part[id] < 0 &&
        (v->shift != 0 || !dg_check_packed(v) || rounded(v->bytes) != rounded(base->bytes)))
        return dg_check_wrong(c, "value %d does not fill its buffer", id);
    int64_t end = v->shift + c->extent[id];
    if (v->shift < of->shift || end > of->shift + c->extent[v->of] || end > rounded(base->bytes))
        return dg_check_wrong(c, "value %d reaches past value %d", id, v->of);
    switch (v->home) {
    case DG_HOME_ARENA:
        if (v->base == id && (v->offset < 0 || v->offset % ALIGN != 0))
            return dg_check_wrong(c, "value %d lies at offset %lld", id, (long long)v->offset);
        if (v->base == id && v->offset + rounded(v->bytes) > p->arena_bytes)
            return dg_check_wrong(c, "value %d lies outside of the arena", id);
        if (v->offset != base->offset + v->shift)
            return dg_check_wrong(c, "value %d is not where its base is", id);
        break;
    case DG_HOME_PARAM:
    case DG_HOME_STATE:
        if (v->offset < 0 || v->offset >= p->n_places)
            return dg_check_wrong(c, "value %d names no place", id);
        if (v->offset != base->offset || p->places[v->offset].trained != (v->home == DG_HOME_PARAM))
            return dg_check_wrong(c, "value %d and its place disagree", id);
        if (v->of == id && c->part[id] < 0 && !dg_type_equal(v->type, &p->places[v->offset].type) &&
            v->bytes != dg_type_bytes(&p->places[v->offset].type))
            return dg_check_wrong(c, "value %d has not the type of place %lld", id,
                                  (long long)v->offset);
        break;
    case DG_HOME_IO:
        if (v->offset < 0 || v->offset >= p->n_inputs)
            return dg_check_wrong(c, "value %d names no input", id);
        if (v->of == id && (v->base != id || !dg_type_equal(v->type, &p->inputs[v->offset].type)))
            return dg_check_wrong(c, "value %d has not the type of its input", id);
        break;
    case DG_HOME_CONST:
        if (v->of == id && (v->base != id || !v->data))
            return dg_check_wrong(c, "table %d has no data", id);
        break;
    default:
        return dg_check_wrong(c, "value %d is nowhere", id);
    }
    return true;
}

static bool ids_good(const dg_plan *p, const int32_t *ids, int n)
{
    for (int i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= p->n_values) return false;
    }
    return true;
}

/* Values are parts by what is done with them, whatever the plan calls them. */
static bool find_parts(checker *c)
{
    const dg_plan *p = c->p;
    for (int32_t i = 0; i < p->n_values; i++) c->part[i] = -1;
    for (int32_t s = 0; s < p->n_steps; s++) {
        const dg_plan_step *step = &p->steps[s];
        if (step->kind != DG_STEP_KERNEL || !step->kernel || !step->kernel->into) continue;
        if (!ids_good(p, step->in, step->n_in) || !ids_good(p, step->out, step->n_out) ||
            step->n_in < 1 || step->n_out != 1)
            return dg_check_wrong(c, "step %d puts nothing together", s);
        for (int i = 0; i < step->n_in; i++) {
            int32_t of = p->values[step->in[i]].of;
            if (!ids_good(p, &of, 1) || c->part[of] >= 0 || p->values[of].producer >= s)
                return dg_check_wrong(c, "step %d puts together what is no part of it", s);
            c->part[of] = s;
        }
    }
    return true;
}

static bool check_step(checker *c, int32_t id, int32_t loop)
{
    const dg_plan *p = c->p;
    const dg_plan_step *s = &p->steps[id];
    if (s->n_in < 0 || s->n_out < 0 || !ids_good(p, s->in, s->n_in) ||
        !ids_good(p, s->out, s->n_out))
        return dg_check_wrong(c, "step %d names a value that is not there", id);
    if (s->loop != loop) return dg_check_wrong(c, "step %d says it is in another loop", id);
    for (int i = 0; i < s->n_out; i++) {
        if (p->values[s->out[i]].of != s->out[i])
            return dg_check_wrong(c, "step %d writes the view %d", id, s->out[i]);
    }
    if (s->workspace_bytes < 0 || s->scratch_bytes < 0)
        return dg_check_wrong(c, "step %d has workspace of negative size", id);
    if (s->workspace_bytes > 0 && (s->workspace < 0 || s->workspace % ALIGN != 0 ||
                                   s->workspace + rounded(s->workspace_bytes) > p->arena_bytes))
        return dg_check_wrong(c, "the workspace of step %d lies outside of the arena", id);
    const char *what;
    switch (s->kind) {
    case DG_STEP_KERNEL:
        if (!s->op || (!s->kernel && !s->op->ref))
            return dg_check_wrong(c, "step %d has no kernel", id);
        what = dg_step_wrong(p, s, c->types);
        if (what) return dg_check_wrong(c, "step %d %s", id, what);
        break;
    case DG_STEP_COPY:
        if (s->n_in != 1 || s->n_out != 1 ||
            !dg_type_equal(p->values[s->in[0]].type, p->values[s->out[0]].type))
            return dg_check_wrong(c, "step %d does not copy one value", id);
        if (!dg_check_in_store(&p->values[s->out[0]]))
            return dg_check_wrong(c, "step %d copies to no place", id);
        break;
    case DG_STEP_CHECK:
        if (s->n_in < 1 || s->n_out != 0) return dg_check_wrong(c, "step %d checks nothing", id);
        break;
    default:
        break;
    }
    return true;
}

/* Loops nest, and know their steps and carries. */
static bool check_loops(checker *c)
{
    const dg_plan *p = c->p;
    for (int32_t s = 0; s < p->n_steps; s++) c->opens[s] = -1;
    for (int32_t l = 0; l < p->n_loops; l++) {
        const dg_plan_loop *loop = &p->loops[l];
        if (loop->begin < 0 || loop->end <= loop->begin || loop->end >= p->n_steps ||
            loop->parent >= l || loop->trips < 0)
            return dg_check_wrong(c, "loop %d is no loop", l);
        if (c->opens[loop->begin] >= 0 || c->opens[loop->end] >= 0)
            return dg_check_wrong(c, "loop %d shares its steps", l);
        if (p->steps[loop->begin].kind != DG_STEP_LOOP ||
            p->steps[loop->end].kind != DG_STEP_LOOP_END)
            return dg_check_wrong(c, "loop %d has other steps at its ends", l);
        c->opens[loop->begin] = c->opens[loop->end] = l;
    }
    int32_t open = -1;
    for (int32_t s = 0; s < p->n_steps; s++) {
        const dg_plan_step *step = &p->steps[s];
        int32_t l = c->opens[s];
        if ((l >= 0) != (step->kind == DG_STEP_LOOP || step->kind == DG_STEP_LOOP_END))
            return dg_check_wrong(c, "step %d belongs to no loop", s);
        if (step->kind == DG_STEP_LOOP_END) {
            if (open != l) return dg_check_wrong(c, "loop %d ends inside another", l);
            open = p->loops[l].parent;
        }
        if (!check_step(c, s, open)) return false;
        if (step->kind == DG_STEP_LOOP) {
            if (p->loops[l].parent != open)
                return dg_check_wrong(c, "loop %d has another parent", l);
            open = l;
        }
    }
    if (open >= 0) return dg_check_wrong(c, "loop %d does not end", open);
    for (int32_t l = 0; l < p->n_loops; l++) {
        const dg_plan_loop *loop = &p->loops[l];
        const dg_plan_step *begin = &p->steps[loop->begin], *end = &p->steps[loop->end];
        int stops = loop->stop >= 0;
        if (begin->n_in != loop->n_carries || begin->n_out != loop->n_carries + 1 ||
            end->n_in != loop->n_carries + stops || end->n_out != loop->n_carries ||
            begin->out[0] != loop->trip || (stops && end->in[loop->n_carries] != loop->stop))
            return dg_check_wrong(c, "the steps of loop %d do not fit its carries", l);
        dg_type trip = {DG_I32, {0, {0}}}, flag = {DG_BOOL, {0, {0}}};
        if (!dg_type_equal(p->values[loop->trip].type, &trip) ||
            (stops && !dg_type_equal(p->values[loop->stop].type, &flag)))
            return dg_check_wrong(c, "loop %d counts or stops by a value of another type", l);
        for (int k = 0; k < loop->n_carries; k++) {
            const dg_plan_carry *q = &loop->carries[k];
            if (begin->in[k] != q->init || begin->out[k + 1] != q->arg || end->in[k] != q->next ||
                end->out[k] != q->out)
                return dg_check_wrong(c, "carry %d of loop %d is not that of its steps", k, l);
            const dg_type *t = p->values[q->arg].type;
            if (!dg_type_equal(t, p->values[q->init].type) ||
                !dg_type_equal(t, p->values[q->next].type) ||
                !dg_type_equal(t, p->values[q->out].type))
                return dg_check_wrong(c, "carry %d of loop %d changes type", k, l);
            if (p->values[q->out].base != p->values[q->arg].base)
                return dg_check_wrong(c, "the result of carry %d of loop %d lies elsewhere", k, l);
        }
    }
    return true;
}

/* ---- lives ---- */

/* The step until which a read in loop `from` keeps a value of loop `home`; -2 when that loop is
 * none around it. */
static int32_t reach(const dg_plan *p, int32_t step, int32_t from, int32_t home)
{
    while (from != home) {
        if (from < 0) return -2;
        step = p->loops[from].end;
        from = p->loops[from].parent;
    }
    return step;
}

static bool read_value(checker *c, int32_t id, int32_t step, int32_t from)
{
    int32_t of = c->p->values[id].of;
    if (c->producer[of] < -1)
        return dg_check_wrong(c, "step %d reads value %d, which is made later or never", step, id);
    int32_t until = reach(c->p, step, from, c->home_loop[of]);
    if (until < 0)
        return dg_check_wrong(c, "step %d reads value %d of a loop that is over", step, id);
    if (until > c->last[of]) c->last[of] = until;
    if (until > c->last[id]) c->last[id] = until;
    return true;
}

static bool make_value(checker *c, int32_t id, int32_t step, int32_t loop)
{
    if (c->producer[id] != -2) return dg_check_wrong(c, "value %d is made twice", id);
    c->producer[id] = c->first[id] = step;
    c->home_loop[id] = loop;
    if (step > c->last[id]) c->last[id] = step;
    return true;
}

static bool find_lives(checker *c)
{
    const dg_plan *p = c->p;
    for (int32_t i = 0; i < p->n_values; i++) {
        c->producer[i] = -2;
        c->last[i] = c->home_loop[i] = c->first[i] = -1;
    }
    for (int32_t i = 0; i < p->n_values; i++) { /* what is there before the run */
        const dg_plan_value *v = &p->values[i];
        bool leaf = v->home == DG_HOME_CONST || v->home == DG_HOME_IO ||
                    (dg_check_in_store(v) && p->places[v->offset].value == i);
        if (v->of == i && leaf) c->producer[i] = -1;
    }
    for (int32_t s = 0; s < p->n_steps; s++) {
        const dg_plan_step *step = &p->steps[s];
        bool end = step->kind == DG_STEP_LOOP_END;
        int32_t inside = end || step->kind == DG_STEP_LOOP ? c->opens[s] : step->loop;
        for (int i = 0; i < step->n_in; i++) {
            if (!read_value(c, step->in[i], s, end ? inside : step->loop)) return false;
        }
        if (end && !read_value(c, p->loops[inside].trip, s, inside)) return false;
        for (int i = 0; i < step->n_out; i++) {
            if (!make_value(c, step->out[i], s, end ? step->loop : inside)) return false;
        }
    }
    for (int i = 0; i < p->n_outputs; i++) {
        if (!ids_good(p, &p->outputs[i].value, 1))
            return dg_check_wrong(c, "output %d is no value", i);
        if (!read_value(c, p->outputs[i].value, p->n_steps, -1)) return false;
    }
    for (int i = 0; i < p->n_places; i++) {
        if (!p->places[i].written) continue;
        int32_t v = p->places[i].written_value;
        if (!ids_good(p, &v, 1) || !dg_check_in_store(&p->values[v]) || p->values[v].offset != i ||
            p->values[v].shift != 0 || !dg_check_packed(&p->values[v]))
            return dg_check_wrong(c, "place %d is written by no value of its own", i);
        if (!read_value(c, v, p->n_steps, -1)) return false;
    }
    for (int32_t i = 0; i < p->n_values; i++) {
        const dg_plan_value *v = &p->values[i];
        if (v->of != i) { /* a view is there from its value on */
            c->producer[i] = c->producer[v->of];
            c->first[i] = c->first[v->of];
            if (c->last[i] < c->first[i]) c->last[i] = c->first[i];
            c->home_loop[i] = c->home_loop[v->of];
        }
        if (c->producer[i] == -2) return dg_check_wrong(c, "value %d is never made", i);
        if (v->producer != c->producer[i] || v->first != c->first[i] || v->last != c->last[i] ||
            v->loop != c->home_loop[i])
            return dg_check_wrong(
                c, "value %d is said to live from step %d to %d, and lives from %d to %d", i,
                v->first, v->last, c->first[i], c->last[i]);
    }
    return true;
}

/* ---- buffers ---- */

static int32_t group_of(checker *c, int32_t b)
{
    while (c->group[b] != b) b = c->group[b] = c->group[c->group[b]];
    return b;
}

typedef struct taken { /* a buffer or a workspace */
    int32_t first, last;
    int64_t begin, end;
    int32_t id; /* value, or -1 - step */
} taken;

static int where(const taken *t, int n, int64_t begin)
{
    int low = 0;
    while (low < n) {
        int mid = (low + n) / 2;
        if (t[mid].begin < begin)
            low = mid + 1;
        else
            n = mid;
    }
    return low;
}

/* Sweeps over the steps with the buffers that are taken, held in order of offsets. */
static bool check_overlap(checker *c, const taken *all, int n)
{
    const dg_plan *p = c->p;
    taken *now = DG_NEW_ARRAY(c->a, taken, n);
    /* lists by step: what begins there, and what is taken by now and ends there */
    int32_t *begins = DG_NEW_ARRAY(c->a, int32_t, p->n_steps + 1),
            *ends = DG_NEW_ARRAY(c->a, int32_t, p->n_steps + 1),
            *next = DG_NEW_ARRAY(c->a, int32_t, n), *after = DG_NEW_ARRAY(c->a, int32_t, n);
    for (int s = 0; s <= p->n_steps; s++) begins[s] = ends[s] = -1;
    for (int i = n - 1; i >= 0; i--) {
        next[i] = begins[all[i].first];
        begins[all[i].first] = i;
    }
    int64_t live = 0, most = 0, top = 0;
    int32_t most_at = 0;
    int n_now = 0;
    for (int32_t s = 0; s <= p->n_steps; s++) {
        for (int32_t i = begins[s]; i >= 0; i = next[i]) {
            taken t = all[i];
            int at = where(now, n_now, t.begin);
            const taken *clash = at > 0 && now[at - 1].end > t.begin   ? &now[at - 1]
                                 : at < n_now && now[at].begin < t.end ? &now[at]
                                                                       : NULL;
            if (clash) {
                const taken *value = t.id >= 0 ? &t : clash, *other = value == &t ? clash : &t;
                if (other->id >= 0)
                    return dg_check_wrong(c, "values %d and %d share bytes at step %d", value->id,
                                          other->id, s);
                return dg_check_wrong(c, "value %d and the workspace of step %d share bytes",
                                      value->id, -1 - other->id);
            }
            memmove(&now[at + 1], &now[at], (size_t)(n_now - at) * sizeof *now);
            now[at] = t;
            n_now++;
            live += t.end - t.begin;
            if (t.end > top) top = t.end;
            after[i] = ends[t.last];
            ends[t.last] = i;
        }
        if (live > most) most = live, most_at = s;
        for (int32_t e = ends[s]; e >= 0; e = after[e]) {
            int at = where(now, n_now, all[e].begin);
            memmove(&now[at], &now[at + 1], (size_t)(n_now - at - 1) * sizeof *now);
            n_now--;
            live -= all[e].end - all[e].begin;
        }
    }
    if (most != p->bound || most_at != p->peak_step)
        return dg_check_wrong(c, "the bound is %lld at step %d, not %lld at step %d",
                              (long long)most, most_at, (long long)p->bound, p->peak_step);
    if (top != p->arena_bytes || p->peak != top)
        return dg_check_wrong(c, "the arena needs %lld bytes, not %lld", (long long)top,
                              (long long)p->arena_bytes);
    return true;
}

static bool check_buffers(checker *c)
{
    const dg_plan *p = c->p;
    for (int32_t i = 0; i < p->n_values; i++) c->group[i] = i;
    for (int32_t l = 0; l < p->n_loops; l++) {
        for (int k = 0; k < p->loops[l].n_carries; k++) {
            const dg_plan_carry *q = &p->loops[l].carries[k];
            int32_t a = p->values[q->arg].base, b = p->values[q->next].base;
            if (q->how == 1 && (p->values[a].home != DG_HOME_ARENA ||
                                p->values[b].home != DG_HOME_ARENA || a == b))
                return dg_check_wrong(c, "carry %d of loop %d swaps what cannot be swapped", k, l);
            c->group[group_of(c, a)] = group_of(c, b);
        }
    }
    int32_t *first = DG_NEW_ARRAY(c->a, int32_t, p->n_values),
            *last = DG_NEW_ARRAY(c->a, int32_t, p->n_values);
    for (int32_t i = 0; i < p->n_values; i++) first[i] = INT32_MAX, last[i] = -1;
    for (int32_t i = 0; i < p->n_values; i++) {
        int32_t g = group_of(c, p->values[i].base);
        if (c->first[i] < first[g]) first[g] = c->first[i];
        if (c->last[i] > last[g]) last[g] = c->last[i];
    }
    taken *all = DG_NEW_ARRAY(c->a, taken, p->n_values + p->n_steps);
    int n = 0;
    for (int32_t i = 0; i < p->n_values; i++) {
        const dg_plan_value *v = &p->values[i];
        int32_t g = group_of(c, i);
        if (v->base != i || v->home != DG_HOME_ARENA || v->bytes == 0) continue;
        if (first[g] < 0)
            return dg_check_wrong(c, "value %d trades buffers with what is no buffer", i);
        all[n++] = (taken){first[g], last[g], v->offset, v->offset + rounded(v->bytes), i};
    }
    int64_t workspace = 0, scratch = 0;
    for (int32_t s = 0; s < p->n_steps; s++) {
        int64_t bytes = rounded(p->steps[s].workspace_bytes),
                own = rounded(p->steps[s].scratch_bytes);
        if (bytes > workspace) workspace = bytes;
        if (own > scratch) scratch = own;
        if (bytes > 0)
            all[n++] = (taken){s, s, p->steps[s].workspace, p->steps[s].workspace + bytes, -1 - s};
    }
    if (workspace != p->workspace_peak || scratch != p->scratch)
        return dg_check_wrong(c, "workspace or scratch is not as stated");
    int64_t weights = 0, state = 0, io = 0, consts = 0;
    for (int i = 0; i < p->n_places; i++)
        *(p->places[i].trained ? &weights : &state) += rounded(dg_type_bytes(&p->places[i].type));
    for (int i = 0; i < p->n_inputs; i++) io += rounded(dg_type_bytes(&p->inputs[i].type));
    for (int32_t i = 0; i < p->n_values; i++)
        consts += p->values[i].home == DG_HOME_CONST && p->values[i].base == i
                      ? rounded(p->values[i].bytes)
                      : 0;
    if (weights != p->weights || state != p->state || io != p->io || consts != p->consts)
        return dg_check_wrong(c, "the sums of regions are not as stated");
    return check_overlap(c, all, n);
}

bool dg_plan_check(const dg_plan *p, dg_diag *d)
{
    dg_type_room types = {0};
    checker c = {.p = p, .d = d, .a = dg_arena_new(), .types = &types};
    size_t n = (size_t)p->n_values + 1;
    c.opens = DG_NEW_ARRAY(c.a, int32_t, p->n_steps + 1);
    c.first = DG_NEW_ARRAY(c.a, int32_t, n);
    c.last = DG_NEW_ARRAY(c.a, int32_t, n);
    c.producer = DG_NEW_ARRAY(c.a, int32_t, n);
    c.home_loop = DG_NEW_ARRAY(c.a, int32_t, n);
    c.group = DG_NEW_ARRAY(c.a, int32_t, n);
    c.extent = DG_NEW_ARRAY(c.a, int64_t, n);
    c.part = DG_NEW_ARRAY(c.a, int32_t, n);
    c.frame = DG_NEW_ARRAY(c.a, int32_t, n);
    c.pointer = DG_NEW_ARRAY(c.a, int64_t, n);
    c.token = DG_NEW_ARRAY(c.a, int32_t, n);
    c.place = DG_NEW_ARRAY(c.a, int32_t, p->n_places + 1);
    c.held = DG_NEW_ARRAY(c.a, dg_held, n + (size_t)p->n_steps + 1);
    bool good = find_parts(&c), swaps = false;
    for (int32_t i = 0; i < p->n_values && good; i++) good = check_type(&c, i);
    for (int32_t i = 0; i < p->n_values && good; i++) good = check_value(&c, i);
    good = good && check_loops(&c) && find_lives(&c) && check_buffers(&c) && dg_check_run(&c, 2);
    for (int32_t l = 0; l < p->n_loops; l++) {
        for (int k = 0; k < p->loops[l].n_carries; k++) swaps |= p->loops[l].carries[k].how == 1;
    }
    if (good && swaps) good = dg_check_run(&c, 3);
    dg_type_room_free(&types);
    dg_arena_free(c.a);
    return good;
}

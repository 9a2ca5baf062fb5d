/* check_run.c: a plan run on tokens instead of numbers.
 *
 * In     a plan whose values, steps, lives and buffers have been checked.
 * Out    true, or E903 with the first thing that is wrong.
 * Proves every read finds what the value's producer wrote last, a result lies over an operand only
 *        where the op permits it, workspace is nobody's, carries bring what they claim, places and
 *        outputs hold at the end what they should.
 * Method every write puts a fresh token on the bytes that it covers and drops all tokens that it
 *        touches; a read looks for the token of the value it names. Loops run two trips, and
 *        once more three where buffers are swapped, since then two bring every pointer back. */
#include "compiler/plan/check.h"

#include <string.h>

typedef dg_checker checker;

static int find_held(const checker *c, int64_t begin) /* the first that ends behind `begin` */
{
    int low = 0, high = c->n_held;
    while (low < high) {
        int mid = (low + high) / 2;
        if (c->held[mid].end <= begin)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Puts a token on bytes of the arena; whatever they held, even in part, is lost. Token 0 is
 * nobody's. */
static void put(checker *c, int64_t begin, int64_t end, int32_t token)
{
    if (end <= begin) return;
    int from = find_held(c, begin), to = from;
    while (to < c->n_held && c->held[to].begin < end) to++;
    memmove(&c->held[from + 1], &c->held[to], (size_t)(c->n_held - to) * sizeof *c->held);
    c->held[from] = (dg_held){begin, end, token};
    c->n_held += 1 - (to - from);
}

static bool holds(const checker *c, int32_t of)
{
    const dg_plan_value *v = &c->p->values[of];
    if (dg_check_in_store(v)) return c->place[v->offset] == c->token[of];
    if (v->home != DG_HOME_ARENA || v->bytes == 0) return true;
    int64_t begin = c->pointer[v->base];
    int64_t bytes = c->part[of] >= 0 ? c->p->values[v->base].bytes : v->bytes;
    int at = find_held(c, begin);
    return at < c->n_held && c->held[at].begin == begin && c->held[at].end == begin + bytes &&
           c->held[at].token == c->token[of];
}

static bool see(checker *c, int32_t id, int32_t step)
{
    if (holds(c, c->p->values[id].of)) return true;
    return dg_check_wrong(c, "step %d reads value %d (%s), whose bytes have been written over",
                          step, id, c->p->values[id].path);
}

/* Parts share the token of the whole that they become; the first of them takes its bytes, or its
 * place. */
static void write_part(checker *c, int32_t id)
{
    int32_t base = c->p->values[id].base;
    const dg_plan_value *whole = &c->p->values[base];
    bool stored = dg_check_in_store(whole), open;
    int64_t begin = c->pointer[base], end = begin + whole->bytes;
    if (stored) {
        open = c->place[whole->offset] == c->frame[base];
    } else {
        int at = find_held(c, begin);
        open = at < c->n_held && c->held[at].begin == begin && c->held[at].end == end &&
               c->held[at].token == c->frame[base];
    }
    if (c->frame[base] <= 0 || !open) {
        c->frame[base] = c->next_token++;
        if (stored)
            c->place[whole->offset] = c->frame[base];
        else
            put(c, begin, end, c->frame[base]);
    }
    c->token[id] = c->frame[base];
}

/* The whole is there: a further part belongs to another one, unless this is itself a part. */
static void put_together(checker *c, const dg_plan_step *s)
{
    int32_t whole = s->out[0];
    c->token[whole] = c->token[c->p->values[s->in[0]].of];
    if (c->part[whole] < 0) c->frame[c->p->values[whole].base] = 0;
}

static bool write_value(checker *c, int32_t id, int32_t step)
{
    const dg_plan_value *v = &c->p->values[id];
    if (c->part[id] >= 0 && (v->home == DG_HOME_ARENA || dg_check_in_store(v))) {
        write_part(c, id);
        return true;
    }
    int32_t token = c->token[id] = c->next_token++;
    if (dg_check_in_store(v))
        c->place[v->offset] = token;
    else if (v->home == DG_HOME_ARENA)
        put(c, c->pointer[v->base], c->pointer[v->base] + v->bytes, token);
    else
        return dg_check_wrong(c, "step %d writes value %d, which is no memory of its own", step,
                              id);
    return true;
}

/* The whole that value v is part of, or is. */
static int32_t whole_of(const checker *c, int32_t v)
{
    while (c->part[v] >= 0) v = c->p->steps[c->part[v]].out[0];
    return v;
}

/* That two parts of one whole lie apart has been seen, though their hulls may meet. */
static bool parts_of_one(const checker *c, int32_t x, int32_t y)
{
    return x != y && c->part[x] >= 0 && c->part[y] >= 0 && whole_of(c, x) == whole_of(c, y);
}

/* Do two values share bytes as things stand? Hulls of strided views count. */
static bool share(const checker *c, int32_t x, int32_t y)
{
    const dg_plan_value *a = &c->p->values[x], *b = &c->p->values[y];
    int64_t from = a->shift, to = b->shift;
    if (dg_check_in_store(a) || dg_check_in_store(b)) {
        if (!dg_check_in_store(a) || !dg_check_in_store(b) || a->offset != b->offset) return false;
    } else if (a->home != DG_HOME_ARENA || b->home != DG_HOME_ARENA) {
        if (a->base != b->base) return false;
    } else {
        from += c->pointer[a->base];
        to += c->pointer[b->base];
    }
    return from < to + c->extent[y] && to < from + c->extent[x] && !parts_of_one(c, a->of, b->of);
}

static bool permits(const checker *c, const dg_plan_step *s, int out, int in)
{
    const dg_plan *p = c->p;
    const dg_plan_value *x = &p->values[s->in[in]], *y = &p->values[s->out[out]];
    if (x->shift != 0 || !dg_check_packed(x) || !dg_type_equal(x->type, y->type)) return false;
    if (out == 0 && in < s->n_own && in < 32 && (s->op->in_place >> in & 1)) return true;
    if (dg_step_over_source(p, s, out, in, c->types)) return true;
    if (!s->strip || s->op->epilogue) return false; /* the strip is not the whole step */
    return dg_strip_stores(&s->strip->out[out]) && in < s->strip->n_in &&
           dg_shape_equal(&x->type->shape, &s->strip->space);
}

static bool run_step(checker *c, int32_t id)
{
    const dg_plan *p = c->p;
    const dg_plan_step *s = &p->steps[id];
    for (int i = 0; i < s->n_in; i++) {
        if (!see(c, s->in[i], id)) return false;
    }
    if (s->kernel && s->kernel->into) {
        put_together(c, s);
        return true;
    }
    for (int o = 0; o < s->n_out; o++) {
        for (int i = 0; i < s->n_in; i++) {
            if (!share(c, s->in[i], s->out[o])) continue;
            if (s->kind != DG_STEP_KERNEL || !permits(c, s, o, i))
                return dg_check_wrong(c, "step %d writes value %d over its operand %d", id,
                                      s->out[o], s->in[i]);
        }
        for (int i = 0; i < o; i++) {
            if (share(c, s->out[i], s->out[o]))
                return dg_check_wrong(c, "step %d writes two results to the same bytes", id);
        }
    }
    if (s->workspace_bytes > 0) put(c, s->workspace, s->workspace + s->workspace_bytes, 0);
    for (int o = 0; o < s->n_out; o++) {
        if (!write_value(c, s->out[o], id)) return false;
    }
    for (int o = 0; o < s->n_out; o++) { /* results and workspace did not wipe out each other */
        if (!holds(c, s->out[o]))
            return dg_check_wrong(c, "step %d loses its result %d", id, s->out[o]);
    }
    return true;
}

static bool run_steps(checker *c, int32_t from, int32_t to);

static bool run_loop(checker *c, int32_t id)
{
    const dg_plan *p = c->p;
    const dg_plan_loop *l = &p->loops[id];
    for (int k = 0; k < l->n_carries; k++) {
        const dg_plan_carry *q = &l->carries[k];
        if (!see(c, q->init, l->begin)) return false;
        if (!q->copy_in) {
            if (p->values[q->init].base != p->values[q->arg].base)
                return dg_check_wrong(c, "carry %d of loop %d begins with other bytes", k, id);
            c->token[q->arg] = c->token[p->values[q->init].of];
        } else {
            if (share(c, q->init, q->arg))
                return dg_check_wrong(c, "carry %d of loop %d is copied onto itself", k, id);
            if (!write_value(c, q->arg, l->begin)) return false;
        }
    }
    int32_t *next = DG_NEW_ARRAY(c->a, int32_t, l->n_carries);
    for (int64_t t = 0; t < l->trips && t < c->trips; t++) {
        if (!write_value(c, l->trip, l->begin)) return false;
        for (int k = 0; k < l->n_carries; k++) {
            if (!see(c, l->carries[k].arg, l->begin)) return false;
        }
        if (!run_steps(c, l->begin + 1, l->end)) return false;
        if (!see(c, l->trip, l->end) || (l->stop >= 0 && !see(c, l->stop, l->end))) return false;
        for (int k = 0; k < l->n_carries; k++) {
            const dg_plan_carry *q = &l->carries[k];
            if (!see(c, q->next, l->end)) return false;
            next[k] = c->token[p->values[q->next].of];
        }
        for (int k = 0; k < l->n_carries; k++) {
            const dg_plan_carry *q = &l->carries[k];
            if (q->how != 1) continue;
            int64_t *a = &c->pointer[p->values[q->arg].base],
                    *b = &c->pointer[p->values[q->next].base], was = *a;
            *a = *b;
            *b = was;
        }
        for (int k = 0; k < l->n_carries; k++) c->token[l->carries[k].arg] = next[k];
        for (int k = 0; k < l->n_carries; k++) {
            if (!holds(c, l->carries[k].arg))
                return dg_check_wrong(c, "carry %d of loop %d does not bring its next value", k,
                                      id);
        }
    }
    for (int k = 0; k < l->n_carries; k++)
        c->token[l->carries[k].out] = c->token[l->carries[k].arg];
    return true;
}

static bool run_steps(checker *c, int32_t from, int32_t to)
{
    for (int32_t s = from; s < to; s++) {
        if (c->p->steps[s].kind == DG_STEP_LOOP) {
            if (!run_loop(c, c->opens[s])) return false;
            s = c->p->loops[c->opens[s]].end;
        } else if (!run_step(c, s)) {
            return false;
        }
    }
    return true;
}

bool dg_check_run(dg_checker *c, int64_t trips)
{
    const dg_plan *p = c->p;
    c->trips = trips;
    c->n_held = 0;
    c->next_token = 1;
    for (int32_t i = 0; i < p->n_values; i++) c->frame[i] = 0;
    for (int i = 0; i < p->n_places; i++) c->place[i] = c->next_token++;
    for (int32_t i = 0; i < p->n_values; i++) {
        const dg_plan_value *v = &p->values[i];
        c->pointer[i] = v->offset;
        c->token[i] = -1; /* nowhere */
        if (dg_check_in_store(v) && p->places[v->offset].value == i)
            c->token[i] = c->place[v->offset];
    }
    int32_t before = c->next_token;
    if (!run_steps(c, 0, p->n_steps)) return false;
    for (int i = 0; i < p->n_outputs; i++) {
        if (!holds(c, p->values[p->outputs[i].value].of))
            return dg_check_wrong(c, "output %d has been written over", i);
    }
    for (int i = 0; i < p->n_places; i++) {
        const dg_plan_place *q = &p->places[i];
        if (!q->written && c->place[i] >= before)
            return dg_check_wrong(c, "place %d is written, though nothing writes it", i);
        if (q->written && !holds(c, p->values[q->written_value].of))
            return dg_check_wrong(c, "place %d does not hold its new value at the end", i);
    }
    return true;
}

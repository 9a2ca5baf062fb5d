/* explain.c: what a plan says, once for every format.
 *
 * In     a plan.
 * Out    sums, counts and words. */
#include "compiler/plan/explain.h"

#include "compiler/passes/cost.h"

#include <string.h>

const char *dg_home_name(dg_home h)
{
    static const char *const names[] = {"arena", "weights", "state", "consts", "io", "none"};
    return names[h];
}

const char *dg_phase_name(dg_phase p)
{
    static const char *const names[] = {"forward", "backward", "update"};
    return names[p];
}

const char *dg_carry_how(const dg_plan *p, const dg_plan_carry *c)
{
    if (c->how == 1) return "swapped";
    return p->values[c->next].base == p->values[c->arg].base ? "in place" : "in turn";
}

int dg_step_depth(const dg_plan *p, int32_t step)
{
    int depth = 0;
    for (int32_t l = p->steps[step].loop; l >= 0; l = p->loops[l].parent) depth++;
    return depth;
}

int32_t dg_step_loop(const dg_plan *p, int32_t step)
{
    for (int32_t l = 0; l < p->n_loops; l++) {
        if (p->loops[l].begin == step || p->loops[l].end == step) return l;
    }
    return -1;
}

double dg_step_trips(const dg_plan *p, int32_t step)
{
    double trips = 1;
    for (int32_t l = p->steps[step].loop; l >= 0; l = p->loops[l].parent)
        trips *= (double)p->loops[l].trips;
    return trips;
}

double dg_step_ns(const dg_plan *p, int32_t step)
{
    const dg_plan_step *s = &p->steps[step];
    if (s->kind == DG_STEP_LOOP || s->kind == DG_STEP_LOOP_END || s->kind == DG_STEP_CHECK)
        return 0;
    return dg_cost_ns(p->isa, s->op && s->op->traits & DG_GEMM_LIKE, s->flops, (double)s->bytes_rw);
}

bool dg_step_again(const dg_plan *p, int32_t step)
{
    const dg_plan_step *s = &p->steps[step];
    static const char tail[] = ".again";
    if (s->kind != DG_STEP_KERNEL || s->n_out == 0) return false;
    const char *path = p->values[s->out[0]].path;
    size_t n = strlen(path);
    return n >= sizeof tail && strcmp(path + n - (sizeof tail - 1), tail) == 0;
}

/* A kernel that stores its operands as they are, a concat's one behind the other. */
static bool only_moves(const dg_plan *p, const dg_plan_step *s)
{
    if (s->kind != DG_STEP_KERNEL || !s->kernel || !s->kernel->any_dtype || s->kernel->into ||
        s->strip)
        return false;
    if (s->op->gathers) return true;
    return s->n_in == 1 && s->n_out == 1 &&
           dg_type_equal(p->values[s->in[0]].type, p->values[s->out[0]].type);
}

dg_story dg_story_of(const dg_plan *p, int threads, dg_arena *a)
{
    dg_story s = {.live = dg_plan_live(p, a)};
    s.total = p->weights + p->grads + p->state + p->consts + p->io + p->arena_bytes +
              p->scratch * (threads > 0 ? threads : 1);
    for (int32_t i = 0; i < p->n_values; i++) {
        const dg_plan_value *v = &p->values[i];
        bool written = v->producer >= 0 && p->steps[v->producer].kind == DG_STEP_KERNEL;
        if (written && v->of == i && v->alias && strcmp(v->alias, "concat part") != 0) s.in_place++;
    }
    for (int32_t i = 0; i < p->n_places; i++) { /* a new value without an old one */
        const dg_plan_place *q = &p->places[i];
        if (q->written && q->in_place && q->value < 0 &&
            p->values[q->written_value].base == q->written_value)
            s.in_place++;
    }
    for (int32_t i = 0; i < p->n_loops; i++) {
        for (int k = 0; k < p->loops[i].n_carries; k++) {
            s.swaps += p->loops[i].carries[k].how == 1;
            s.copies += p->loops[i].carries[k].copy_in;
        }
    }
    for (int32_t i = 0; i < p->n_steps; i++) {
        double trips = dg_step_trips(p, i), ns = dg_step_ns(p, i) * trips;
        bool again = dg_step_again(p, i);
        s.flops += p->steps[i].flops * trips;
        s.ns += ns;
        s.again += again;
        s.again_ns += again ? ns : 0;
        s.copies += p->steps[i].kind == DG_STEP_COPY || only_moves(p, &p->steps[i]);
        s.into += p->steps[i].kernel && p->steps[i].kernel->into;
    }
    for (int i = 0; i < p->n_decisions; i++) {
        if (strcmp(p->decisions[i].kind, "concat") != 0) continue;
        s.concats++;
        s.segments += strcmp(p->decisions[i].outcome, "segments") == 0;
    }
    return s;
}

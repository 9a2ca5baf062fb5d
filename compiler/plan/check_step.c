/* check_step.c: what a kernel is given, by the plan alone.
 *
 * In     a KERNEL step whose value ids are sound.
 * Out    NULL, or what is wrong with it.
 * Proves operands are the op's own, then the strip's, then the prologue's, each of the type that
 * its program reads; programs read registers that are written; results are as many as the program
 *        stores; workspace is as large as the kernel asks for. */
#include "compiler/plan/check.h"

/* Loads first, then one register for each instruction; only earlier ones are read. */
static const char *program_wrong(const dg_strip *s)
{
    if (s->n_in < 0 || s->n_code < 0 || s->n_in + s->n_code > DG_STRIP_REGS)
        return "has a program of too many registers";
    for (int i = 0; i < s->n_code; i++) {
        for (int k = 0; k < s->code[i].n_in; k++) {
            if (s->code[i].in[k] < 0 || s->code[i].in[k] >= s->n_in + i)
                return "has a program that reads a register before it is written";
        }
    }
    for (int o = 0; o < s->n_out; o++) {
        if (s->out[o].reg < 0 || s->out[o].reg >= s->n_in + s->n_code)
            return "has a program that stores a register that is not there";
    }
    return NULL;
}

/* Loads `from` .. n_in-1 are the step's operands `at` and on. */
static const char *loads_wrong(const dg_plan *p, const dg_plan_step *s, const dg_strip *strip,
                               int from, int at)
{
    for (int k = from; k < strip->n_in; k++) {
        const dg_type *t = &p->values[s->in[at + k - from]].type;
        if (t->dtype != strip->in_dtype[k]) return "has a program that reads another type";
        if (!dg_broadcasts_to(&t->shape, &strip->space))
            return "has a program over another space than its operand";
    }
    return NULL;
}

static const char *prologue_wrong(const dg_plan *p, const dg_plan_step *s, const dg_strip *epilogue)
{
    const dg_prologue *pro = s->prologue;
    if (!pro) return NULL;
    if (pro->operand < 0 || pro->operand >= s->n_own || !s->kernel || pro->operand >= 32 ||
        !(s->kernel->prologue >> pro->operand & 1))
        return "has a prologue of an operand that its kernel does not compute";
    if (pro->strip->n_out != 1 || pro->strip->out[0].reduce != 0)
        return "has a prologue that does not make its operand";
    if (!dg_shape_equal(&pro->strip->space, &p->values[s->in[pro->operand]].type.shape))
        return "has a prologue over another space than its operand";
    const char *what = program_wrong(pro->strip);
    if (what) return what;
    return loads_wrong(p, s, pro->strip, 1, dg_prologue_inputs(s->n_own, epilogue));
}

static bool has_workspace(const dg_plan *p, const dg_plan_step *s, dg_arena *a)
{
    if (!s->kernel || !s->kernel->workspace) return true;
    dg_type *types = DG_NEW_ARRAY(a, dg_type, s->n_in + s->n_out);
    for (int i = 0; i < s->n_in; i++) types[i] = p->values[s->in[i]].type;
    for (int o = 0; o < s->n_out; o++) types[s->n_in + o] = p->values[s->out[o]].type;
    dg_infer t = {.op = s->op,
                  .attrs = &s->attrs,
                  .n_in = s->n_own,
                  .in = types,
                  .out = types + s->n_in,
                  .n_out = s->n_out,
                  .input = {-1, -1},
                  .arena = a,
                  .prologue = s->prologue};
    return s->workspace_bytes >= s->kernel->workspace(&t, s->strip);
}

const char *dg_step_wrong(const dg_plan *p, const dg_plan_step *s, dg_arena *a)
{
    if (s->n_own < 0 || s->n_own > s->n_in) return "has more operands of its own than it has";
    const dg_strip *epilogue = s->op->epilogue ? s->strip : NULL;
    int n =
        dg_prologue_inputs(s->n_own, epilogue) + (s->prologue ? s->prologue->strip->n_in - 1 : 0);
    if (n != s->n_in) return "has not the operands that its programs read";
    const char *what = s->strip ? program_wrong(s->strip) : NULL;
    if (what) return what;
    if (s->strip && s->strip->n_out != (epilogue ? 1 : s->n_out))
        return "has not the results that its program stores";
    if (s->strip && !epilogue && s->strip->n_in != s->n_own)
        return "has not the operands that its program reads";
    what = !s->strip  ? NULL
           : epilogue ? loads_wrong(p, s, epilogue, 1, s->n_own)
                      : loads_wrong(p, s, s->strip, 0, 0);
    if (!what) what = prologue_wrong(p, s, epilogue);
    if (!what && !has_workspace(p, s, a)) what = "has less workspace than its kernel takes";
    return what;
}

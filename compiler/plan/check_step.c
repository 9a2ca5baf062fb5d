/* check_step.c: what a kernel is given, by the plan alone.
 *
 * In     a KERNEL step whose value ids are sound.
 * Out    NULL, or what is wrong with it.
 * Proves operands are the op's own, then the strip's, then the prologue's, each of the type that
 * its program reads; programs read registers that are written; results are as many as the program
 *        stores; workspace is as large as the kernel asks for. */
#include "compiler/plan/check.h"

#include <string.h>

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

/* As the step's kernel sees operand i: what lies in parts, or is enlarged, as the whole. */
static const dg_shape *shape_of(const dg_plan *p, const dg_plan_step *s, int i)
{
    if (s->prologue && s->prologue->operand == i) return &s->prologue->shape;
    return &p->values[s->in[i]].type->shape;
}

/* Loads `from` .. n_in-1 are the step's operands `at` and on. */
static const char *loads_wrong(const dg_plan *p, const dg_plan_step *s, const dg_strip *strip,
                               int from, int at)
{
    for (int k = from; k < strip->n_in; k++) {
        int i = at + k - from;
        if (p->values[s->in[i]].type->dtype != strip->in_dtype[k])
            return "has a program that reads another type";
        if (!dg_broadcasts_to(shape_of(p, s, i), &strip->space))
            return "has a program over another space than its operand";
    }
    return NULL;
}

static bool packed(const dg_plan_value *v)
{
    dg_view view = {.dtype = v->type->dtype, .shape = v->type->shape};
    memcpy(view.stride, v->stride, sizeof view.stride);
    return dg_view_contiguous(&view);
}

/* The parts are maps without gaps, of one size but for their channels; all of them, enlarged, have
 * the shape that the kernel is told. */
static const char *source_wrong(const dg_plan *p, const dg_plan_step *s)
{
    const dg_prologue *pro = s->prologue;
    dg_shape first = p->values[s->in[pro->operand]].type->shape, all = first;
    if (pro->parts < 1 || pro->grow < 1) return "has a prologue of no source";
    if (!dg_prologue_gathers(pro))
        return dg_shape_equal(&all, &pro->shape) ? NULL : "has a prologue of another shape";
    if (all.rank != 4) return "has a prologue that joins what are no maps";
    for (int k = 0; k < pro->parts; k++) {
        int i = k == 0 ? pro->operand : s->n_in - pro->parts + k;
        const dg_plan_value *v = &p->values[s->in[i]];
        dg_shape same = v->type->shape;
        same.dim[1] = first.dim[1];
        if (v->type->dtype != DG_F32 || !dg_shape_equal(&same, &first) || !packed(v))
            return "has a prologue of parts that do not fit together";
        if (k > 0) all.dim[1] += v->type->shape.dim[1];
    }
    all.dim[2] *= pro->grow;
    all.dim[3] *= pro->grow;
    return dg_shape_equal(&all, &pro->shape) ? NULL : "has a prologue of another shape";
}

/* The kernel reads the operand by its prologue; or the epilogue loads it in parts. */
static bool takes_prologue(const dg_plan_step *s, const dg_strip *epilogue)
{
    const dg_prologue *pro = s->prologue;
    bool parts = !pro->strip && pro->grow == 1;
    if (pro->operand < 0 || !s->kernel) return false;
    if (pro->operand >= s->n_own)
        return parts && pro->operand < dg_prologue_inputs(s->n_own, epilogue);
    uint32_t bits = s->kernel->prologue | (parts ? s->kernel->parts : 0);
    return pro->operand < 32 && bits >> pro->operand & 1;
}

static const char *prologue_wrong(const dg_plan *p, const dg_plan_step *s, const dg_strip *epilogue)
{
    const dg_prologue *pro = s->prologue;
    if (!pro) return NULL;
    if (!takes_prologue(s, epilogue))
        return "has a prologue of an operand that its kernel does not compute";
    const char *wrong = source_wrong(p, s);
    if (wrong || !pro->strip) return wrong;
    if (pro->strip->n_out != 1 || !dg_strip_stores(&pro->strip->out[0]))
        return "has a prologue that does not make its operand";
    if (!dg_shape_equal(&pro->strip->space, &pro->shape))
        return "has a prologue over another space than its operand";
    const char *what = program_wrong(pro->strip);
    if (what) return what;
    return loads_wrong(p, s, pro->strip, 1, dg_prologue_inputs(s->n_own, epilogue));
}

/* What a kernel's callbacks are told. */
static dg_infer types_of(const dg_plan *p, const dg_plan_step *s, dg_type_room *room)
{
    room->in.n = room->out.n = 0;
    for (int i = 0; i < s->n_in; i++) dg_vec_push(&room->in, p->values[s->in[i]].type);
    for (int o = 0; o < s->n_out; o++) dg_vec_push(&room->out, *p->values[s->out[o]].type);
    int made = s->prologue ? s->prologue->operand : -1;
    if (made >= 0 && made < s->n_in) {
        room->made = (dg_type){room->in.at[made]->dtype, s->prologue->shape};
        room->in.at[made] = &room->made;
    }
    return (dg_infer){.op = s->op,
                      .attrs = &s->attrs,
                      .n_in = s->n_own,
                      .in = room->in.at,
                      .out = room->out.at,
                      .n_out = s->n_out,
                      .input = {-1, -1},
                      .prologue = s->prologue};
}

static bool has_workspace(const dg_plan *p, const dg_plan_step *s, dg_type_room *room)
{
    if (!s->kernel || !s->kernel->workspace) return true;
    dg_infer t = types_of(p, s, room);
    return s->workspace_bytes >= s->kernel->workspace(&t, s->strip);
}

/* ---- where results lie ---- */

bool dg_step_over_source(const dg_plan *p, const dg_plan_step *s, int out, int in,
                         dg_type_room *room)
{
    if (out != 0 || !s->kernel || !s->kernel->over) return false;
    int operand = dg_prologue_source(s->prologue, s->n_own, s->n_in, in);
    if (operand < 0 || operand >= 32 || !(s->kernel->parts >> operand & 1)) return false;
    dg_infer t = types_of(p, s, room);
    return s->kernel->over(&t);
}

/* A kernel that does nothing: its operands are in the result's bytes, each behind the one before
 * it along one axis, and fill it. */
static const char *whole_wrong(const dg_plan *p, const dg_plan_step *s)
{
    const dg_plan_value *whole = &p->values[s->out[0]];
    const dg_shape *all = &whole->type->shape;
    int axis = -1;
    int64_t at = 0, size = (int64_t)dg_dtype_size(whole->type->dtype);
    for (int i = 0; i < s->n_in; i++) {
        const dg_plan_value *v = &p->values[s->in[i]];
        const dg_shape *part = &v->type->shape;
        if (v->base != whole->base || v->type->dtype != whole->type->dtype ||
            part->rank != all->rank)
            return "puts together what does not lie in its result";
        for (int a = 0; a < all->rank; a++) {
            if (part->dim[a] != all->dim[a] && axis < 0) axis = a;
            if (part->dim[a] != all->dim[a] && axis != a) return "puts together parts of two axes";
            if (part->dim[a] > 1 && v->stride[a] != whole->stride[a])
                return "puts together what lies otherwise in its result";
        }
        if (v->shift != whole->shift + (axis < 0 ? 0 : at * whole->stride[axis] * size))
            return "puts together parts that are not one behind the other";
        at += axis < 0 ? 0 : part->dim[axis];
    }
    if (axis < 0) return s->n_in == 1 ? NULL : "puts together the same bytes twice";
    return at == all->dim[axis] ? NULL : "does not fill its result";
}

/* Rows of a result may lie apart where the kernel says so. */
static const char *results_wrong(const dg_plan *p, const dg_plan_step *s)
{
    if (s->kernel && s->kernel->into) return whole_wrong(p, s);
    for (int o = 0; o < s->n_out; o++) {
        const dg_plan_value *v = &p->values[s->out[o]];
        bool reduced = s->strip && !s->op->epilogue && s->strip->out[o].reduce > 0;
        bool any = s->kernel && o < 32 && s->kernel->writes >> o & 1 && !reduced;
        if (!any && (!packed(v) || v->shift % DG_ALIGN != 0))
            return "stores a result where its kernel cannot";
        int last = v->type->shape.rank - 1;
        while (last >= 0 && v->type->shape.dim[last] == 1) last--;
        if (last >= 0 && v->stride[last] != 1) return "stores a result whose rows do not lie";
    }
    return NULL;
}

const char *dg_step_wrong(const dg_plan *p, const dg_plan_step *s, dg_type_room *room)
{
    if (s->n_own < 0 || s->n_own > s->n_in) return "has more operands of its own than it has";
    const dg_strip *epilogue = s->op->epilogue ? s->strip : NULL;
    int least, most;
    dg_op_arity(s->op, &least, &most);
    if ((!s->strip || epilogue) && (s->n_own < least || s->n_own > most))
        return "has not the operands that its op takes";
    if (s->n_out < 1 && !(s->op->traits & DG_EFFECT)) return "has no result";
    int n = dg_prologue_inputs(s->n_own, epilogue);
    if (s->prologue)
        n += s->prologue->parts - 1 + (s->prologue->strip ? s->prologue->strip->n_in - 1 : 0);
    if (n != s->n_in) return "has not the operands that its programs read";
    const char *what = s->strip ? program_wrong(s->strip) : NULL;
    if (what) return what;
    if (s->strip && (epilogue ? s->strip->n_out < 1 || s->strip->n_out > s->n_out
                              : s->strip->n_out != s->n_out))
        return "has not the results that its program stores";
    if (s->strip && !epilogue && s->strip->n_in != s->n_own)
        return "has not the operands that its program reads";
    what = !s->strip  ? NULL
           : epilogue ? loads_wrong(p, s, epilogue, 1, s->n_own)
                      : loads_wrong(p, s, s->strip, 0, 0);
    if (!what) what = prologue_wrong(p, s, epilogue);
    if (!what) what = results_wrong(p, s);
    if (!what && !has_workspace(p, s, room)) what = "has less workspace than its kernel takes";
    return what;
}

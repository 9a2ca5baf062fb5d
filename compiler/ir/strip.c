/* strip.c: elementwise programs compared and hashed, so that equal fused nodes can be found. */
#include "compiler/ir/strip.h"

#include "compiler/ir/op.h"

#include <string.h>

dg_shape dg_moments_shape(const dg_shape *space, int64_t span)
{
    int64_t plane = 1;
    for (int a = 2; a < space->rank; a++) plane *= space->dim[a];
    return DG_SHAPE(space->dim[0], space->dim[1], (plane + span - 1) / span, 2);
}

uint64_t dg_strip_hash(const dg_strip *s)
{
    uint64_t h = (uint64_t)s->n_in << 40 ^ (uint64_t)s->n_code << 20 ^ (uint64_t)s->n_out;
    for (int i = 0; i < s->space.rank; i++) {
        uint64_t part[2] = {h, (uint64_t)s->space.dim[i]};
        h = dg_hash(part, sizeof part);
    }
    for (int i = 0; i < s->n_in; i++) h = h * 31 + (uint64_t)s->in_dtype[i];
    for (int i = 0; i < s->n_code; i++) {
        const dg_strip_code *c = &s->code[i];
        uint64_t part[7] = {h, dg_hash(c->op->name, strlen(c->op->name)), dg_attrs_hash(&c->attrs),
                            (uint64_t)c->n_in};
        for (int k = 0; k < c->n_in; k++) part[4 + k] = (uint64_t)c->in[k];
        h = dg_hash(part, sizeof part);
    }
    for (int i = 0; i < s->n_out; i++) {
        uint64_t part[4] = {h, (uint64_t)s->out[i].reg, (uint64_t)s->out[i].reduce,
                            (uint64_t)s->out[i].span};
        h = dg_hash(part, sizeof part);
    }
    return h;
}

static bool code_equal(const dg_strip_code *a, const dg_strip_code *b)
{
    if (a->op != b->op || a->n_in != b->n_in || a->dtype != b->dtype) return false;
    for (int i = 0; i < a->n_in; i++) {
        if (a->in[i] != b->in[i]) return false;
    }
    return dg_attrs_equal(&a->attrs, &b->attrs);
}

bool dg_strip_equal(const dg_strip *a, const dg_strip *b)
{
    if (a == b) return true;
    if (!a || !b) return false;
    if (a->n_in != b->n_in || a->n_code != b->n_code || a->n_out != b->n_out) return false;
    if (!dg_shape_equal(&a->space, &b->space)) return false;
    for (int i = 0; i < a->n_in; i++) {
        if (a->in_dtype[i] != b->in_dtype[i]) return false;
    }
    for (int i = 0; i < a->n_code; i++) {
        if (!code_equal(&a->code[i], &b->code[i])) return false;
    }
    for (int i = 0; i < a->n_out; i++) {
        if (a->out[i].reg != b->out[i].reg || a->out[i].reduce != b->out[i].reduce ||
            a->out[i].span != b->out[i].span)
            return false;
    }
    return true;
}

int dg_prologue_source(const dg_prologue *p, int n_own, int n_in, int i)
{
    bool lies = !p || (!p->strip && p->grow == 1);
    if (i < n_own) return lies || p->operand != i ? i : -1;
    return p && lies && i > n_in - p->parts ? p->operand : -1;
}

bool dg_prologue_equal(const dg_prologue *a, const dg_prologue *b)
{
    if (!a || !b) return a == b;
    return a->operand == b->operand && a->parts == b->parts && a->grow == b->grow &&
           dg_strip_equal(a->strip, b->strip);
}

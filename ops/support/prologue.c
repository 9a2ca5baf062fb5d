/* prologue.c: see prologue.h. */
#include "ops/support/prologue.h"

int64_t dg_strips_bytes(const dg_prologue *p, const dg_strip *epilogue)
{
    int64_t before = dg_epilogue_bytes(p ? p->strip : NULL), behind = dg_epilogue_bytes(epilogue);
    return before > behind ? before : behind;
}

void dg_prologue_box(const dg_call *k, const int64_t *start, const int64_t *extent, float *buffer)
{
    const dg_strip *s = k->prologue->strip;
    dg_view in[DG_STRIP_REGS];
    in[0] = k->in[k->prologue->operand];
    int first = dg_prologue_inputs(k->n_own, k->strip);
    for (int i = 1; i < s->n_in; i++) in[i] = k->in[first + i - 1];

    /* As a view of the whole operand, of which only the box exists. */
    dg_view out = {.dtype = DG_F32, .shape = s->space};
    int64_t step = 1, before = 0;
    for (int a = s->space.rank - 1; a >= 0; a--) {
        out.stride[a] = step;
        if (s->space.dim[a] > 1) before += start[a] * step;
        step *= extent[a];
    }
    out.data = (void *)((uintptr_t)buffer - sizeof(float) * (size_t)before);
    dg_strip_run_box(k, s, in, &out, start, extent, k->scratch);
}

dg_rows dg_prologue_rows(const dg_call *k, int operand, int64_t n, int64_t c0, int64_t c1,
                         int64_t y0, int64_t y1, float *buffer)
{
    const dg_view *x = &k->in[operand];
    int64_t C = x->shape.dim[1], H = x->shape.dim[2], W = x->shape.dim[3];
    if (!dg_has_prologue(k, operand))
        return (dg_rows){(const float *)x->data + ((n * C + c0) * H + y0) * W, H * W};
    int64_t start[4] = {n, c0, y0, 0}, extent[4] = {1, c1 - c0, y1 - y0, W};
    dg_prologue_box(k, start, extent, buffer);
    return (dg_rows){buffer, (y1 - y0) * W};
}

/* prologue.c: see prologue.h. Where the channels asked for lie in one part, they are read there;
 * else the box of the source is gathered in the caller's buffer, and a strip works in place. */
#include "ops/support/prologue.h"

#include <string.h>

int64_t dg_strips_bytes(const dg_prologue *p, const dg_strip *epilogue)
{
    int64_t before = dg_epilogue_bytes(p ? p->strip : NULL), behind = dg_epilogue_bytes(epilogue);
    return before > behind ? before : behind;
}

void dg_grow_row(const float *x, int64_t n, int64_t by, float *y)
{
    if (by == 2)
        for (int64_t j = 0; j < n; j++) y[2 * j] = y[2 * j + 1] = x[j];
    else
        for (int64_t j = 0; j < n; j++)
            for (int64_t b = 0; b < by; b++) y[j * by + b] = x[j];
}

/* ---- the source ---- */

/* The part of the source that has channel c: its first channel, and how many it has. */
typedef struct part {
    const dg_view *view;
    int64_t first, channels;
} part;

static part part_of(const dg_call *k, int64_t c)
{
    const dg_prologue *p = k->prologue;
    const dg_view *others = k->in + k->n_in - p->parts + 1;
    part at = {&k->in[p->operand], 0, p->shape.dim[1]};
    for (int i = 0; i < p->parts - 1; i++) at.channels -= others[i].shape.dim[1];
    for (int i = 0; c >= at.first + at.channels; i++)
        at = (part){&others[i], at.first + at.channels, others[i].shape.dim[1]};
    return at;
}

int64_t dg_source_part(const dg_call *k, int64_t c, dg_view *out)
{
    part at = part_of(k, c);
    *out = *at.view;
    out->shape = k->prologue->shape;
    out->data = (float *)at.view->data - at.first * at.view->stride[1];
    return at.first + at.channels - c;
}

/* Channels [c0, c1) of the source lie in one part as they are: *out is that part. */
static bool lies(const dg_call *k, int64_t c0, int64_t c1, dg_view *out)
{
    const dg_prologue *p = k->prologue;
    *out = k->in[p->operand];
    if (!dg_prologue_gathers(p)) return true;
    return p->grow == 1 && c1 - c0 <= dg_source_part(k, c0, out);
}

/* The box of the source, packed into `to`. All of a part's rows are read from the first column on:
 * boxes of a source that has to be gathered are as wide as the operand. */
static void gather(const dg_call *k, const int64_t *start, const int64_t *extent, float *to)
{
    const dg_prologue *p = k->prologue;
    int64_t by = p->grow, W = p->shape.dim[3], from_row = W / by;
    for (int64_t n = start[0]; n < start[0] + extent[0]; n++)
        for (int64_t c = start[1]; c < start[1] + extent[1]; c++) {
            part at = part_of(k, c);
            const float *map = (const float *)at.view->data + n * at.view->stride[0] +
                               (c - at.first) * at.view->stride[1];
            int64_t y = start[2], end = y + extent[2];
            if (by == 1) {
                memcpy(to, map + y * W, sizeof(float) * (size_t)(extent[2] * W));
                to += extent[2] * W;
                continue;
            }
            for (; y < end; y++, to += W) {
                if (y > start[2] && y % by != 0)
                    memcpy(to, to - W, sizeof(float) * (size_t)W);
                else
                    dg_grow_row(map + y / by * from_row, from_row, by, to);
            }
        }
}

const float *dg_channels(const dg_call *k, int operand, int64_t n, int64_t c, int64_t limit,
                         int64_t *count)
{
    const dg_view *x = &k->in[operand];
    int64_t plane = dg_shape_count(&x->shape) / (x->shape.dim[0] * x->shape.dim[1]);
    part at = dg_has_prologue(k, operand) ? part_of(k, c) : (part){x, 0, x->shape.dim[1]};
    int64_t left = at.first + at.channels - c;
    *count = left < limit ? left : limit;
    return (const float *)at.view->data + (n * at.channels + c - at.first) * plane;
}

/* ---- boxes ---- */

void dg_prologue_box(const dg_call *k, const int64_t *start, const int64_t *extent, float *buffer)
{
    const dg_prologue *p = k->prologue;
    /* As a view of the whole operand, of which only the box exists. */
    dg_view in[DG_STRIP_REGS], out = {.dtype = DG_F32, .shape = p->shape};
    int64_t step = 1, before = 0;
    for (int a = p->shape.rank - 1; a >= 0; a--) {
        out.stride[a] = step;
        if (p->shape.dim[a] > 1) before += start[a] * step;
        step *= extent[a];
    }
    out.data = (void *)((uintptr_t)buffer - sizeof(float) * (size_t)before);

    bool stored = p->strip && lies(k, start[1], start[1] + extent[1], &in[0]);
    if (!stored) {
        gather(k, start, extent, buffer);
        in[0] = out;
    }
    if (!p->strip) return;
    int first = dg_prologue_inputs(k->n_own, k->strip);
    for (int i = 1; i < p->strip->n_in; i++) in[i] = k->in[first + i - 1];
    dg_strip_run_box(k, p->strip, in, &out, start, extent, k->scratch);
}

dg_rows dg_prologue_rows(const dg_call *k, int operand, int64_t n, int64_t c0, int64_t c1,
                         int64_t y0, int64_t y1, float *buffer)
{
    const dg_view *x = &k->in[operand];
    int64_t C = x->shape.dim[1], H = x->shape.dim[2], W = x->shape.dim[3];
    if (!dg_has_prologue(k, operand))
        return (dg_rows){(const float *)x->data + ((n * C + c0) * H + y0) * W, H * W};
    dg_view stored;
    if (!k->prologue->strip && lies(k, c0, c1, &stored))
        return (dg_rows){(const float *)stored.data + n * stored.stride[0] + (c0 * H + y0) * W,
                         H * W};
    int64_t start[4] = {n, c0, y0, 0}, extent[4] = {1, c1 - c0, y1 - y0, W};
    dg_prologue_box(k, start, extent, buffer);
    return (dg_rows){buffer, (y1 - y0) * W};
}

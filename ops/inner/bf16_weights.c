/* ops/inner/bf16_weights.c: weights of a convolution as the left tiles that conv2d_bf16 reads. */
#include "ops/support/amx_conv.h"

#include "ops/support/tile.h"

#include <string.h>

enum { W };

static const char doc[] =
    "w [O, C, kh, kw] rounded to bf16, in tiles of 16 output by 32 input channels:\n"
    "bytes of bf16 [ceil(O/32), ceil(C/32), kh*kw, 32, 32], zero beyond O and C\n"
    "turned: w [C, O, kh, kw] with its kernels upside down, for the derivative by the input";

static const dg_attr_spec attrs[] = {
    {"turned", DG_INT, .fallback = 0, .doc = "1: of the convolution's derivative by its input"},
    {0},
};

/* Of the weights as the product sees them. */
typedef struct weights {
    int64_t O, C, taps;
    bool turned;
    const float *w;
    uint16_t *to;
} weights;

static weights weights_of(const dg_attrs *a, dg_shape w)
{
    bool turned = dg_attr_int(a, "turned") != 0;
    return (weights){.O = w.dim[turned ? 1 : 0],
                     .C = w.dim[turned ? 0 : 1],
                     .taps = w.dim[2] * w.dim[3],
                     .turned = turned};
}

static bool infer(dg_infer *t)
{
    if (!dg_want_float(t, W) || !dg_want_rank(t, W, 4)) return false;
    weights v = weights_of(t->attrs, dg_in_shape(t, W));
    return dg_give_typed(t, 0, DG_U8, DG_SHAPE(dg_amx_weight_bytes(v.O, v.C, v.taps)));
}

static void ref(const dg_call *k)
{
    weights v = weights_of(k->attrs, k->in[W].shape);
    int64_t chunks = dg_amx_chunks(v.C);
    uint8_t *to = k->out[0].data;
    for (int64_t e = 0; e < dg_amx_panels(v.O) * chunks * v.taps * 32 * 32; e++, to += 2) {
        int64_t c = e % 32 + e / (32 * 32 * v.taps) % chunks * 32, tap = e / (32 * 32) % v.taps;
        int64_t o = e / 32 % 32 + e / (32 * 32 * v.taps * chunks) * 32;
        uint16_t bits = 0;
        if (o < v.O && c < v.C) {
            int64_t at =
                v.turned ? (c * v.O + o) * v.taps + v.taps - 1 - tap : (o * v.C + c) * v.taps + tap;
            bits = dg_bf16_bits((float)((const double *)k->in[W].data)[at]);
        }
        to[0] = (uint8_t)bits;
        to[1] = (uint8_t)(bits >> 8);
    }
}

enum { CELL = DG_AMX_PANEL * DG_AMX_DEPTH }; /* output by input channels that one piece takes */

/* One panel and chunk: to [tap][32 o][32 c]. The floats are turned to [.., tap][c] first. */
static void piece(const dg_call *k, int64_t p)
{
    const weights *v = k->arg;
    dg_isa isa = dg_isa_of(k);
    int64_t chunks = dg_amx_chunks(v->C), o0 = p / chunks * 32, c0 = p % chunks * 32;
    int64_t outs = v->O - o0 < 32 ? v->O - o0 : 32, channels = v->C - c0 < 32 ? v->C - c0 : 32;
    uint16_t *to = v->to + p * v->taps * CELL;
    float *rows = k->scratch, *square = rows + v->taps * CELL;
    if (outs < 32 || channels < 32) memset(to, 0, sizeof *to * (size_t)(v->taps * CELL));
    if (!v->turned) {
        for (int64_t o = 0; o < outs; o++) {
            dg_tile_transpose(isa, channels, v->taps, v->w + ((o0 + o) * v->C + c0) * v->taps,
                              v->taps, rows, 32);
            for (int64_t tap = 0; tap < v->taps; tap++)
                dg_bf16_row(rows + tap * 32, channels, to + tap * CELL + o * 32);
        }
        return;
    }
    for (int64_t c = 0; c < channels; c++)
        dg_tile_transpose(isa, outs, v->taps, v->w + ((c0 + c) * v->O + o0) * v->taps, v->taps,
                          rows + c * 32, CELL);
    for (int64_t tap = 0; tap < v->taps; tap++) {
        dg_tile_transpose(isa, channels, outs, rows + (v->taps - 1 - tap) * CELL, 32, square, 32);
        for (int64_t o = 0; o < outs; o++)
            dg_bf16_row(square + o * 32, channels, to + tap * CELL + o * 32);
    }
}

static void amx_f32(const dg_call *k)
{
    weights v = weights_of(k->attrs, k->in[W].shape);
    v.w = k->in[W].data;
    v.to = k->out[0].data;
    dg_parallel_with(k, dg_amx_panels(v.O) * dg_amx_chunks(v.C), piece, &v);
}

static int64_t scratch(const dg_infer *t, const dg_strip *s)
{
    (void)s;
    return (int64_t)sizeof(float) * (t->in[W].shape.dim[2] * t->in[W].shape.dim[3] + 1) * CELL;
}

static bool fits(const dg_infer *t)
{
    (void)t;
    return dg_amx_ready();
}

static const dg_kernel kernels[] = {
    {"amx_f32", amx_f32, .dtype = DG_F32, .least_isa = DG_AVX512, .fits = fits, .scratch = scratch},
    {0},
};

const dg_op dg_op_bf16_weights = {
    .name = "bf16_weights",
    .inputs = "w",
    .outputs = "packed",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_INNER | DG_PREPARES,
    .infer = infer,
    .no_grad = "made when gradients stand",
    .ref = ref,
    .kernels = kernels,
};

/* ops/inner/bf16_weights.c: weights of a convolution as the left tiles that conv2d_bf16 reads. */
#include "ops/support/amx_conv.h"

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

/* 32 kernels of which `n` are there; the others are zeros. */
static const float *whole(const float *x, int64_t n, int64_t taps, float *room)
{
    if (n == 32) return x;
    memcpy(room, x, sizeof *x * (size_t)(n * taps));
    memset(room + n * taps, 0, sizeof *x * (size_t)((32 - n) * taps));
    return room;
}

/* Scratch: 32 kernels, numbers [tap][32 c][32 o], pairs [16][32]. */
typedef struct places {
    float *kernels;
    uint16_t *rows;
    uint32_t *pairs;
} places;

static places places_of(char *at, int64_t taps)
{
    places p = {.kernels = (float *)(void *)at};
    p.rows = (uint16_t *)(void *)(p.kernels + 32 * taps);
    p.pairs = (uint32_t *)(void *)(p.rows + taps * CELL);
    return p;
}

static int64_t scratch(const dg_infer *t, const dg_strip *s)
{
    (void)s;
    int64_t taps = t->in[W]->shape.dim[2] * t->in[W]->shape.dim[3];
    return 4 * 32 * taps + 2 * taps * CELL + 4 * CELL / 2;
}

/* One panel and chunk: to [tap][32 o][32 c]. */
static void plain(const weights *v, const places *at, int64_t o0, int64_t c0, uint16_t *to)
{
    int64_t outs = v->O - o0 < 32 ? v->O - o0 : 32, channels = v->C - c0 < 32 ? v->C - c0 : 32;
    if (outs < 32) memset(to, 0, sizeof *to * (size_t)(v->taps * CELL));
    for (int64_t o = 0; o < outs; o++) {
        const float *w = v->w + ((o0 + o) * v->C + c0) * v->taps;
        dg_bf16_deal(whole(w, channels, v->taps, at->kernels), v->taps, to + o * 32, CELL);
    }
}

static void turned(const weights *v, const places *at, int64_t o0, int64_t c0, uint16_t *to)
{
    int64_t outs = v->O - o0 < 32 ? v->O - o0 : 32, channels = v->C - c0 < 32 ? v->C - c0 : 32;
    if (channels < 32) memset(at->rows, 0, sizeof *to * (size_t)(v->taps * CELL));
    for (int64_t c = 0; c < channels; c++) {
        const float *w = v->w + ((c0 + c) * v->O + o0) * v->taps;
        dg_bf16_deal(whole(w, outs, v->taps, at->kernels), v->taps, at->rows + c * 32, CELL);
    }
    for (int64_t tap = v->taps - 1; tap >= 0; tap--, to += CELL) {
        const uint16_t *rows = at->rows + tap * CELL;
        for (int64_t i = 0; i < 16; i++)
            dg_bf16_mix(rows + 2 * i * 32, rows + (2 * i + 1) * 32, 32, at->pairs + i * 32);
        dg_bf16_turn(16, 32, at->pairs, 32, (uint32_t *)(void *)to, 16);
    }
}

static void piece(const dg_call *k, int64_t p)
{
    const weights *v = k->arg;
    int64_t chunks = dg_amx_chunks(v->C);
    places at = places_of(k->scratch, v->taps);
    (v->turned ? turned : plain)(v, &at, p / chunks * 32, p % chunks * 32,
                                 v->to + p * v->taps * CELL);
}

static void amx_f32(const dg_call *k)
{
    weights v = weights_of(k->attrs, k->in[W].shape);
    v.w = k->in[W].data;
    v.to = k->out[0].data;
    dg_parallel_with(k, dg_amx_panels(v.O) * dg_amx_chunks(v.C), piece, &v);
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

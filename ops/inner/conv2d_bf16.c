/* ops/inner/conv2d_bf16.c: conv2d on operands rounded to bf16, with sums in f32.
 *
 * A block of some rows of y (or of some small images) reads a part of x, laid out as right tiles
 * [image][chunk of 32 channels][copy][16 pairs][numbers] (amx_conv.h). Then come panels of 32
 * output channels by 32 outputs. Tiles of sums have the layout of y, so they go straight to where
 * they belong. A piece is a block with all its panels; where blocks are few, all of x is laid out
 * first, in the workspace, and a piece takes some panels of a block. */
#include "ops/support/amx_conv.h"
#include "ops/support/prologue.h"

#include <string.h>

enum { X, PACKED };

static const char doc[] =
    "y = conv2d(x', w'), x' = x [N,C,H,W] rounded to bf16 and w' [outs,C,kh,kw] as bf16_weights "
    "made "
    "it; sums in f32\n"
    "up > 1: x's elements stand `up` apart, with zeros between; the derivative of a strided "
    "convolution";

static const dg_attr_spec attrs[] = {
    {"stride", DG_INTS, .required = true, .doc = "[y, x]"},
    {"pad", DG_INTS, .required = true, .doc = "zeros around x: [top, bottom, left, right]"},
    {"dilation", DG_INTS, .required = true, .doc = "[y, x]"},
    {"up", DG_INT, .fallback = 1, .doc = "distance of x's elements"},
    {"outs", DG_INT, .required = true, .doc = "output channels"},
    {"kh", DG_INT, .required = true, .doc = "height of the kernel"},
    {"kw", DG_INT, .required = true, .doc = "width of the kernel"},
    {0},
};

static dg_amx_taps taps_of(const dg_attrs *a, dg_shape x)
{
    int64_t up = dg_attr_int(a, "up");
    const int64_t *stride = dg_attr_ints(a, "stride", NULL), *pad = dg_attr_ints(a, "pad", NULL),
                  *dilation = dg_attr_ints(a, "dilation", NULL);
    dg_conv g = {.N = x.dim[0],
                 .C = x.dim[1],
                 .H = (x.dim[2] - 1) * up + 1,
                 .W = (x.dim[3] - 1) * up + 1,
                 .O = dg_attr_int(a, "outs"),
                 .G = 1,
                 .kh = dg_attr_int(a, "kh"),
                 .kw = dg_attr_int(a, "kw"),
                 .sh = stride[0],
                 .sw = stride[1],
                 .dh = dilation[0],
                 .dw = dilation[1],
                 .top = pad[0],
                 .bottom = pad[1],
                 .left = pad[2],
                 .right = pad[3]};
    g.Ho = (g.H + g.top + g.bottom - g.dh * (g.kh - 1) - 1) / g.sh + 1;
    g.Wo = (g.W + g.left + g.right - g.dw * (g.kw - 1) - 1) / g.sw + 1;
    return dg_amx_taps_of(&g, up, DG_AMX_SIDE);
}

static bool infer(dg_infer *t)
{
    if (!dg_want_float(t, X) || !dg_want_rank(t, X, 4) || !dg_want_dtype(t, PACKED, DG_U8))
        return false;
    if (dg_attr_int(t->attrs, "up") < 1)
        return dg_reject_attr(t, "up", "up is %lld, wanted is 1 or more",
                              (long long)dg_attr_int(t->attrs, "up"));
    dg_conv g = taps_of(t->attrs, dg_in_shape(t, X)).g;
    return dg_conv_fits(t, &g, DG_SHAPE(g.O, g.C, g.kh, g.kw)) &&
           dg_want_shape(t, PACKED, DG_SHAPE(dg_amx_weight_bytes(g.O, g.C, g.kh * g.kw))) &&
           dg_give(t, 0, DG_SHAPE(g.N, g.O, g.Ho, g.Wo));
}

/* ---- reference ---- */

static double weight(const dg_call *k, const dg_conv *g, int64_t o, int64_t c, int64_t tap)
{
    int64_t at = (o / 32 * dg_amx_chunks(g->C) + c / 32) * g->kh * g->kw + tap;
    const uint8_t *bits =
        (const uint8_t *)k->in[PACKED].data + 2 * ((at * 32 + o % 32) * 32 + c % 32);
    return (double)dg_bf16_value((uint16_t)(bits[0] | bits[1] << 8));
}

static void ref_map(const dg_call *k, int64_t no)
{
    dg_amx_taps t = taps_of(k->attrs, k->in[X].shape);
    const dg_conv *g = &t.g;
    double *y = (double *)k->out[0].data + no * g->Ho * g->Wo;
    memset(y, 0, sizeof(double) * (size_t)(g->Ho * g->Wo));
    for (int64_t c = 0; c < g->C; c++) {
        const double *x = (const double *)k->in[X].data + (no / g->O * g->C + c) * t.h * t.w;
        for (int64_t tap = 0; tap < g->kh * g->kw; tap++) {
            double w = weight(k, g, no % g->O, c, tap);
            for (int64_t i = 0; i < g->Ho; i++) {
                int64_t r = i * g->sh - g->top + tap / g->kw * g->dh;
                if (r < 0 || r >= g->H || r % t.up) continue;
                for (int64_t j = 0; j < g->Wo; j++) {
                    int64_t q = j * g->sw - g->left + tap % g->kw * g->dw;
                    if (q >= 0 && q < g->W && q % t.up == 0)
                        y[i * g->Wo + j] += w * dg_bf16_round(x[r / t.up * t.w + q / t.up]);
                }
            }
        }
    }
}

static void ref(const dg_call *k)
{
    dg_parallel(k, k->out[0].shape.dim[0] * k->out[0].shape.dim[1], ref_map);
}

/* ---- tiles ---- */

typedef struct cut {
    dg_amx_taps t;
    int64_t images, rows, panels; /* of a piece */
    int64_t nimages, nrows, npanels;
    int64_t steps;       /* chunks by taps */
    int64_t ld;          /* words of a row of pairs */
    int64_t chunk_words; /* of 32 channels of one image as staged */
    int64_t image_words;
    int64_t channels; /* that a prologue makes at a time */
    int64_t read;     /* floats of these */
    uint32_t *staged; /* of all blocks, if they are staged first */
} cut;

static int64_t blocks(int64_t n, int64_t *size)
{
    int64_t count = (n + *size - 1) / *size;
    *size = (n + count - 1) / count;
    return (n + *size - 1) / *size;
}

/* Some hundred outputs in a block, so that what is staged of x stays in the second cache and the
 * rows that neighbours stage too are few. */
static cut cut_of(const dg_amx_taps *t)
{
    enum { OUTPUTS = 512, FEW_OUTPUTS = 64, PIECES = 8, FEW_PANELS = 2 };
    const dg_conv *g = &t->g;
    cut c = {.t = *t, .images = 1, .rows = g->Ho, .panels = dg_amx_panels(g->O)};
    int64_t P = g->Ho * g->Wo;
    if (P < OUTPUTS)
        c.images = OUTPUTS / P < g->N ? OUTPUTS / P : g->N;
    else
        c.rows = g->Wo < OUTPUTS ? OUTPUTS / g->Wo : 1;
    for (;;) {
        c.nimages = blocks(g->N, &c.images);
        c.nrows = blocks(g->Ho, &c.rows);
        c.npanels = blocks(dg_amx_panels(g->O), &c.panels);
        if (c.nimages * c.nrows * c.npanels >= PIECES) break;
        if (c.images > 1 && c.images * P > 4 * FEW_OUTPUTS)
            c.images = (c.images + 1) / 2;
        else if (c.panels > FEW_PANELS)
            c.panels = (c.panels + 1) / 2;
        else if (c.images > 1 && c.images * P > FEW_OUTPUTS)
            c.images = (c.images + 1) / 2;
        else if (c.rows > 1 && c.rows * g->Wo > FEW_OUTPUTS)
            c.rows = (c.rows + 1) / 2;
        else
            break;
    }
    c.steps = dg_amx_chunks(g->C) * g->kh * g->kw;
    c.ld = dg_amx_ld((c.rows + t->below) * t->pitch + DG_AMX_SIDE);
    c.chunk_words = t->copies * DG_AMX_SIDE * c.ld;
    c.image_words = dg_amx_chunks(g->C) * c.chunk_words;
    c.channels = dg_amx_taps_channels(t, c.rows, &c.read);
    return c;
}

static bool first_staged(const cut *c)
{
    return c->npanels > 1;
}

static int64_t block_bytes(const cut *c)
{
    return 4 * c->images * c->image_words;
}

/* Scratch behind the strip's: the room of staging; offsets of steps in both operands; a block of
 * sums that does not fit y; what a prologue makes; x. */
enum { SUMS = DG_AMX_PANEL * DG_AMX_PANEL };

static int64_t line(int64_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static int64_t scratch_bytes(const cut *c)
{
    return line(4 * dg_amx_taps_room(&c->t)) + 2 * line(4 * c->steps) + 4 * SUMS +
           line(4 * c->read) + (first_staged(c) ? 0 : block_bytes(c));
}

typedef struct places {
    float *room, *sums, *rows;
    int32_t *left, *right;
    uint32_t *x;
} places;

static places places_of(const dg_call *k, const cut *c)
{
    char *at = (char *)k->scratch + dg_strips_bytes(k->prologue, k->strip);
    places p = {.room = (float *)(void *)at};
    at += line(4 * dg_amx_taps_room(&c->t));
    p.left = (int32_t *)(void *)at;
    at += line(4 * c->steps);
    p.right = (int32_t *)(void *)at;
    at += line(4 * c->steps);
    p.sums = (float *)(void *)at;
    at += 4 * SUMS;
    p.rows = (float *)(void *)at;
    p.x = (uint32_t *)(void *)(at + line(4 * c->read));
    return p;
}

static void list_steps(const cut *c, const places *at)
{
    const dg_conv *g = &c->t.g;
    int64_t taps = g->kh * g->kw;
    for (int64_t tap = 0; tap < taps; tap++) {
        int64_t a = tap / g->kw, b = tap % g->kw,
                right =
                    dg_amx_tap_copy(&c->t, a, b) * DG_AMX_SIDE * c->ld + dg_amx_tap_at(&c->t, a, b);
        for (int64_t s = tap; s < c->steps; s += taps, right += c->chunk_words) {
            at->left[s] = (int32_t)(s * 2 * DG_AMX_BYTES);
            at->right[s] = (int32_t)(4 * right);
        }
    }
}

/* Images [n, end) and rows [y0, y1) of y. */
typedef struct block {
    int64_t n, end, y0, y1;
} block;

static block block_of(const cut *c, int64_t i)
{
    const dg_conv *g = &c->t.g;
    int64_t n = i / c->nrows * c->images, y0 = i % c->nrows * c->rows;
    return (block){n, n + c->images < g->N ? n + c->images : g->N, y0,
                   y0 + c->rows < g->Ho ? y0 + c->rows : g->Ho};
}

/* What 32 channels of one image give. Numbers behind the last row reach only outputs that are not
 * kept. */
static void stage_chunk(const dg_call *k, const cut *c, const places *at, int64_t n, int64_t c0,
                        const block *b, uint32_t *to)
{
    const dg_conv *g = &c->t.g;
    int64_t channels = g->C - c0 < DG_AMX_DEPTH ? g->C - c0 : DG_AMX_DEPTH, r0, r1;
    dg_amx_stage_reads(&c->t, b->y0, b->y1 - b->y0 + c->t.below, &r0, &r1);
    if (channels < DG_AMX_DEPTH || r1 == r0) memset(to, 0, 4 * (size_t)c->chunk_words);
    for (int64_t i = 0; i < channels && r1 > r0; i += c->channels) {
        int64_t some = channels - i < c->channels ? channels - i : c->channels;
        dg_rows x = dg_prologue_rows(k, X, n, c0 + i, c0 + i + some, r0, r1, at->rows);
        dg_amx_source from = {x.data, x.plane, some, r0};
        for (int64_t copy = 0; copy < c->t.copies; copy++)
            dg_amx_stage_pairs(&c->t, &from, b->y0, b->y1 - b->y0 + c->t.below, copy, at->room,
                               to + (copy * DG_AMX_SIDE + i / 2) * c->ld, c->ld);
    }
}

static void stage(const dg_call *k, const cut *c, const places *at, const block *b, uint32_t *to)
{
    for (int64_t n = b->n; n < b->end; n++)
        for (int64_t c0 = 0; c0 < c->t.g.C; c0 += DG_AMX_DEPTH, to += c->chunk_words)
            stage_chunk(k, c, at, n, c0, b, to);
}

/* One chunk of one image of a block. */
static void stage_piece(const dg_call *k, int64_t p)
{
    const cut *c = k->arg;
    int64_t chunks = dg_amx_chunks(c->t.g.C), chunk = p % chunks, i = p / chunks % c->images,
            blocked = p / chunks / c->images;
    block b = block_of(c, blocked);
    places at = places_of(k, c);
    if (b.n + i < b.end)
        stage_chunk(k, c, &at, b.n + i, chunk * DG_AMX_DEPTH, &b,
                    c->staged + (blocked * c->images + i) * c->image_words +
                        chunk * c->chunk_words);
}

/* Where the outputs of one tile go. */
typedef struct target {
    const uint32_t *x;
    float *y;
    int64_t n; /* of the 16 */
} target;

static void multiply(const cut *c, const places *at, const char *w, int64_t outs, const target *to,
                     int n)
{
    int64_t P = c->t.g.Ho * c->t.g.Wo;
    dg_amx_operand left = {{w, w + DG_AMX_BYTES}, at->left, 64, outs > DG_AMX_SIDE ? 2 : 1};
    dg_amx_operand right = {{to[0].x, to[n - 1].x}, at->right, 4 * c->ld, n};
    bool whole = outs % DG_AMX_SIDE == 0 && to[0].n == DG_AMX_SIDE && to[n - 1].n == DG_AMX_SIDE;
    if (whole) {
        dg_amx_product(c->steps, &left, &right, false, (float *[]){to[0].y, to[n - 1].y}, P);
        return;
    }
    dg_amx_product(c->steps, &left, &right, false, (float *[]){at->sums, at->sums + DG_AMX_SIDE},
                   DG_AMX_PANEL);
    for (int i = 0; i < n; i++)
        for (int64_t o = 0; o < outs; o++)
            memcpy(to[i].y + o * P, at->sums + o * DG_AMX_PANEL + i * DG_AMX_SIDE,
                   4 * (size_t)to[i].n);
}

/* A panel: `outs` output channels from o on, of all outputs of the block. */
static void multiply_panel(const dg_call *k, const cut *c, const places *at, const block *b,
                           const uint32_t *x, int64_t o, int64_t outs)
{
    const dg_conv *g = &c->t.g;
    const char *w =
        (const char *)k->in[PACKED].data + o / DG_AMX_PANEL * c->steps * 2 * DG_AMX_BYTES;
    int64_t P = g->Ho * g->Wo, Q = (b->y1 - b->y0) * g->Wo;
    target pair[2];
    int held = 0;
    for (int64_t n = b->n; n < b->end; n++, x += c->image_words) {
        float *y = (float *)k->out[0].data + (n * g->O + o) * P + b->y0 * g->Wo;
        for (int64_t q = 0; q < Q; q += DG_AMX_SIDE) {
            pair[held++] = (target){.x = x + dg_amx_output_at(&c->t, q),
                                    .y = y + q,
                                    .n = Q - q < DG_AMX_SIDE ? Q - q : DG_AMX_SIDE};
            if (held < 2 && (q + DG_AMX_SIDE < Q || n + 1 < b->end)) continue;
            multiply(c, at, w, outs, pair, held);
            held = 0;
        }
    }
}

static void piece(const dg_call *k, int64_t p)
{
    const cut *c = k->arg;
    const dg_conv *g = &c->t.g;
    block b = block_of(c, p / c->npanels);
    int64_t first = p % c->npanels * c->panels * DG_AMX_PANEL,
            end = first + c->panels * DG_AMX_PANEL < g->O ? first + c->panels * DG_AMX_PANEL : g->O;
    places at = places_of(k, c);
    const uint32_t *x = at.x;
    if (c->staged)
        x = c->staged + p / c->npanels * c->images * c->image_words;
    else
        stage(k, c, &at, &b, at.x);
    list_steps(c, &at);
    dg_amx_begin();
    for (int64_t o = first; o < end; o += DG_AMX_PANEL)
        multiply_panel(k, c, &at, &b, x, o, end - o < DG_AMX_PANEL ? end - o : DG_AMX_PANEL);
    dg_amx_end();
    if (!k->strip) return;
    int64_t start[4] = {b.n, first, b.y0, 0},
            extent[4] = {b.end - b.n, end - first, b.y1 - b.y0, g->Wo};
    dg_epilogue(k, start, extent);
}

static void amx_f32(const dg_call *k)
{
    dg_amx_taps t = taps_of(k->attrs, k->in[X].shape);
    cut c = cut_of(&t);
    int64_t nblocks = c.nimages * c.nrows;
    if (first_staged(&c)) {
        c.staged = k->workspace;
        dg_parallel_with(k, nblocks * c.images * dg_amx_chunks(t.g.C), stage_piece, &c);
    }
    dg_parallel_with(k, nblocks * c.npanels, piece, &c);
}

static int64_t scratch(const dg_infer *t, const dg_strip *s)
{
    dg_amx_taps taps = taps_of(t->attrs, t->in[X]->shape);
    cut c = cut_of(&taps);
    return dg_strips_bytes(t->prologue, s) + scratch_bytes(&c);
}

static int64_t workspace(const dg_infer *t, const dg_strip *s)
{
    (void)s;
    dg_amx_taps taps = taps_of(t->attrs, t->in[X]->shape);
    cut c = cut_of(&taps);
    return first_staged(&c) ? c.nimages * c.nrows * block_bytes(&c) : 0;
}

static bool fits(const dg_infer *t)
{
    dg_amx_taps taps = taps_of(t->attrs, t->in[X]->shape);
    cut c = cut_of(&taps);
    return dg_amx_ready() && 4 * c.image_words <= INT32_MAX &&
           c.steps * 2 * DG_AMX_BYTES <= INT32_MAX;
}

static double flops(const dg_infer *t)
{
    dg_conv g = taps_of(t->attrs, t->in[X]->shape).g;
    return dg_conv_flops(&g);
}

static const dg_kernel kernels[] = {
    {"amx_f32", amx_f32, .dtype = DG_F32, .prologue = 1 << X, .least_isa = DG_AVX512, .fits = fits,
     .workspace = workspace, .scratch = scratch},
    {0},
};

const dg_op dg_op_conv2d_bf16 = {
    .name = "conv2d_bf16",
    .inputs = "x packed",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_INNER | DG_GEMM_LIKE,
    .infer = infer,
    .no_grad = "made when gradients stand",
    .ref = ref,
    .kernels = kernels,
    .epilogue = true,
    .flops = flops,
};

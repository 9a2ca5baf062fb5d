/* ops/inner/conv2d_dw_bf16.c: conv2d_dw on operands rounded to bf16, with sums in f32.
 *
 * dw^T [C, O] of one tap is the product of x [C, positions], shifted by the tap, and dy^T
 * [positions, O]. The positions are taken unit by unit: some rows of one image, or several small
 * images. dy^T of all units is laid out first, as right tiles in the workspace. A piece then has 32
 * channels of x and a slab of units: it lays out x, for every unit, in copies that all its taps
 * read (amx_conv.h; for small images one for each tap, so that images follow each other without a
 * gap), and adds to its own sums. Where channels are few there are several slabs, added up in
 * order. */
#include "ops/support/amx_conv.h"
#include "ops/support/prologue.h"

#include "ops/support/tile.h"

#include <string.h>

enum { X, DY };

static const char doc[] = "dw = conv2d_dw(x', dy'), x', dy' = x, dy rounded to bf16; sums in f32\n"
                          "shapes as in conv2d_dw; one group";

static const dg_attr_spec attrs[] = {
    DG_CONV_ATTRS,
    {"kh", DG_INT, .required = true, .doc = "height of the kernel"},
    {"kw", DG_INT, .required = true, .doc = "width of the kernel"},
    {0},
};

extern const dg_op dg_op_conv2d_dw;

static bool infer(dg_infer *t)
{
    if (dg_attr_int(t->attrs, "groups") != 1)
        return dg_reject_attr(t, "groups", "%lld groups, wanted is one",
                              (long long)dg_attr_int(t->attrs, "groups"));
    return dg_op_conv2d_dw.infer(t);
}

static dg_conv geometry(const dg_attrs *a, dg_shape x, dg_shape dy)
{
    return dg_conv_of(a, x,
                      DG_SHAPE(dy.dim[1], x.dim[1], dg_attr_int(a, "kh"), dg_attr_int(a, "kw")));
}

/* ---- reference ---- */

static void ref_kernel(const dg_call *k, int64_t oc)
{
    dg_conv g = geometry(k->attrs, k->in[X].shape, k->in[DY].shape);
    for (int64_t tap = 0; tap < g.kh * g.kw; tap++) {
        double sum = 0;
        for (int64_t n = 0; n < g.N; n++) {
            const double *x = (const double *)k->in[X].data + (n * g.C + oc % g.C) * g.H * g.W;
            const double *dy = (const double *)k->in[DY].data + (n * g.O + oc / g.C) * g.Ho * g.Wo;
            for (int64_t i = 0; i < g.Ho; i++) {
                int64_t r = i * g.sh - g.top + tap / g.kw * g.dh;
                for (int64_t j = 0; j < g.Wo && r >= 0 && r < g.H; j++) {
                    int64_t q = j * g.sw - g.left + tap % g.kw * g.dw;
                    if (q >= 0 && q < g.W)
                        sum += dg_bf16_round(dy[i * g.Wo + j]) * dg_bf16_round(x[r * g.W + q]);
                }
            }
        }
        ((double *)k->out[0].data)[oc * g.kh * g.kw + tap] = sum;
    }
}

static void ref(const dg_call *k)
{
    dg_parallel(k, k->out[0].shape.dim[0] * k->out[0].shape.dim[1], ref_kernel);
}

/* ---- tiles ---- */

typedef struct cut {
    dg_amx_taps t;
    bool small;             /* units are images, with a copy of x for each tap */
    int64_t images, rows;   /* of a unit */
    int64_t nrows, units;   /* units of an image; all */
    int64_t deep;           /* positions of a unit in whole steps */
    int64_t slab, slabs;    /* units of a piece */
    int64_t blocks, otiles; /* of 32 input, of 16 output channels */
    int64_t copies, lda;    /* of x; numbers in a row of one */
    int64_t channels, read; /* of x that a prologue makes at a time; floats of these */
    const float *dy;
    uint32_t *right; /* dy^T [unit][otiles][deep / 2][16] */
    float *sums;     /* [slabs][dw] */
    float *dw;
} cut;

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

static int64_t blocks(int64_t n, int64_t *size)
{
    int64_t count = (n + *size - 1) / *size;
    *size = (n + count - 1) / count;
    return (n + *size - 1) / *size;
}

static cut cut_of(const dg_conv *g)
{
    enum { SMALL = 256, POSITIONS = 1024, OF_SMALL = 512, PIECES = 8 };
    int64_t P = g->Ho * g->Wo;
    cut c = {.small = P < SMALL, .images = 1, .rows = g->Ho, .nrows = 1};
    c.t = dg_amx_taps_of(g, 1, c.small ? 0 : DG_AMX_DEPTH);
    if (c.small) {
        c.images = at_most(g->N, OF_SMALL / P);
    } else {
        c.rows = g->Wo < POSITIONS ? POSITIONS / g->Wo : 1;
        c.nrows = blocks(g->Ho, &c.rows);
    }
    c.units = blocks(g->N, &c.images) * c.nrows;
    c.deep = up(c.images * c.rows * g->Wo, DG_AMX_DEPTH);
    c.blocks = dg_amx_chunks(g->C);
    c.otiles = 2 * dg_amx_panels(g->O);
    c.slab =
        (c.units + (PIECES + c.blocks - 1) / c.blocks - 1) / ((PIECES + c.blocks - 1) / c.blocks);
    c.slabs = blocks(c.units, &c.slab);
    c.copies = c.small ? g->kh * g->kw : c.t.copies;
    c.channels = dg_amx_taps_channels(&c.t, c.rows, &c.read);
    c.lda = 2 * dg_amx_ld((c.small ? c.deep : (c.rows + c.t.below) * c.t.pitch) / 2 + DG_AMX_PANEL);
    return c;
}

typedef struct unit {
    int64_t n, images, y0, rows;
} unit;

static unit unit_of(const cut *c, int64_t u)
{
    int64_t n = u / c->nrows * c->images, y0 = u % c->nrows * c->rows;
    return (unit){n, at_most(c->images, c->t.g.N - n), y0, at_most(c->rows, c->t.g.Ho - y0)};
}

/* Scratch: room of staging, offsets of steps, x, sums, what a prologue makes. */
typedef struct places {
    float *room, *sums, *rows;
    int32_t *left, *right;
    uint16_t *x;
    int64_t bytes;
} places;

static places places_of(const cut *c, char *at)
{
    const dg_conv *g = &c->t.g;
    int64_t steps = c->deep / DG_AMX_DEPTH;
    int64_t size[] = {4 * dg_amx_taps_room(&c->t),
                      4 * steps,
                      4 * steps,
                      2 * c->copies * DG_AMX_DEPTH * c->lda,
                      4 * c->otiles * DG_AMX_SIDE * g->kh * g->kw * DG_AMX_DEPTH,
                      4 * c->read};
    enum { PARTS = sizeof size / sizeof *size };
    int64_t first[PARTS + 1] = {0};
    for (int i = 0; i < PARTS; i++) first[i + 1] = first[i] + up(size[i], 64);
    places p = {.bytes = first[PARTS]};
    if (!at) return p;
    p.room = (float *)(void *)at;
    p.left = (int32_t *)(void *)(at + first[1]);
    p.right = (int32_t *)(void *)(at + first[2]);
    p.x = (uint16_t *)(void *)(at + first[3]);
    p.sums = (float *)(void *)(at + first[4]);
    p.rows = (float *)(void *)(at + first[5]);
    for (int64_t s = 0; s < steps; s++) {
        p.left[s] = (int32_t)(2 * dg_amx_output_at(&c->t, s * DG_AMX_DEPTH));
        p.right[s] = (int32_t)(s * DG_AMX_BYTES);
    }
    return p;
}

/* One tile row of dy^T: 16 output channels of one unit, a band of [16][deep] numbers turned. */
static void turn_piece(const dg_call *k, int64_t p)
{
    const cut *c = k->arg;
    const dg_conv *g = &c->t.g;
    unit u = unit_of(c, p / c->otiles);
    int64_t o0 = p % c->otiles * DG_AMX_SIDE, P = g->Ho * g->Wo, of_image = u.rows * g->Wo;
    int64_t ld = 2 * dg_amx_ld(c->deep / 2), end = u.images * of_image;
    dg_bf16_frame all = {.rows = 1, .n = of_image, .ldt = of_image, .ahead = P};
    uint16_t *band = k->scratch;
    for (int64_t o = 0; o < DG_AMX_SIDE; o++) {
        uint16_t *to = band + o * ld;
        if (o0 + o >= g->O) {
            memset(to, 0, 2 * (size_t)c->deep);
            continue;
        }
        for (int64_t i = 0; i < u.images; i++)
            dg_bf16_rows(&all, c->dy + ((u.n + i) * g->O + o0 + o) * P + u.y0 * g->Wo,
                         to + i * of_image);
        memset(to + end, 0, 2 * (size_t)(c->deep - end));
    }
    dg_bf16_turn(DG_AMX_SIDE, c->deep / 2, (const uint32_t *)(const void *)band, ld / 2,
                 c->right + p * c->deep / 2 * DG_AMX_SIDE, DG_AMX_SIDE);
}

/* Some channels of one image, in rows i and following of all copies; `done` numbers of each row
 * stand already. */
static void stage_channels(const cut *c, const places *at, const dg_amx_source *x, const unit *u,
                           int64_t i, int64_t done)
{
    const dg_conv *g = &c->t.g;
    for (int64_t copy = 0; copy < c->copies; copy++) {
        uint16_t *to = at->x + (copy * DG_AMX_DEPTH + i) * c->lda + done;
        int64_t a = copy / g->kw;
        if (c->small)
            dg_amx_stage_rows(&c->t, x, dg_amx_tap_row(&c->t, a), g->Ho,
                              dg_amx_tap_copy(&c->t, a, copy % g->kw), at->room, to, c->lda);
        else
            dg_amx_stage_rows(&c->t, x, u->y0, u->rows + c->t.below, copy, at->room, to, c->lda);
    }
}

/* The copies of 32 channels of one image. */
static void stage_image(const dg_call *k, const cut *c, const places *at, int64_t c0, int64_t n,
                        const unit *u, int64_t done)
{
    int64_t channels = at_most(DG_AMX_DEPTH, c->t.g.C - c0), r0, r1;
    dg_amx_stage_reads(&c->t, u->y0, u->rows + c->t.below, &r0, &r1);
    for (int64_t i = 0; i < channels && r1 > r0; i += c->channels) {
        int64_t some = at_most(c->channels, channels - i);
        dg_rows x = dg_prologue_rows(k, X, n, c0 + i, c0 + i + some, r0, r1, at->rows);
        stage_channels(c, at, &(dg_amx_source){x.data, x.plane, some, r0}, u, i, done);
    }
}

static void stage(const dg_call *k, const cut *c, const places *at, int64_t c0, const unit *u)
{
    const dg_conv *g = &c->t.g;
    int64_t channels = at_most(DG_AMX_DEPTH, g->C - c0), r0, r1,
            done = c->small ? u->images * g->Ho * g->Wo : (u->rows + c->t.below) * c->t.pitch;
    for (int64_t n = 0; n < u->images; n++)
        stage_image(k, c, at, c0, u->n + n, u, n * g->Ho * g->Wo);
    dg_amx_stage_reads(&c->t, u->y0, u->rows + c->t.below, &r0, &r1);
    for (int64_t copy = 0; copy < c->copies; copy++)
        for (int64_t i = 0; i < DG_AMX_DEPTH; i++) {
            int64_t stand = i < channels && r1 > r0 ? done : 0;
            memset(at->x + (copy * DG_AMX_DEPTH + i) * c->lda + stand, 0,
                   2 * (size_t)(c->lda - stand));
        }
}

/* The numbers of x that one tap reads, in the first of 32 rows. */
static const uint16_t *tap_of(const cut *c, const places *at, int64_t tap)
{
    int64_t a = tap / c->t.g.kw, b = tap % c->t.g.kw;
    if (c->small) return at->x + tap * DG_AMX_DEPTH * c->lda;
    return at->x + dg_amx_tap_copy(&c->t, a, b) * DG_AMX_DEPTH * c->lda +
           dg_amx_tap_at(&c->t, a, b);
}

static void piece(const dg_call *k, int64_t p)
{
    const cut *c = k->arg;
    const dg_conv *g = &c->t.g;
    int64_t c0 = p % c->blocks * DG_AMX_DEPTH, slab = p / c->blocks, taps = g->kh * g->kw;
    int64_t end = at_most((slab + 1) * c->slab, c->units), channels = at_most(32, g->C - c0);
    places at = places_of(c, (char *)k->scratch + dg_strips_bytes(k->prologue, NULL));
    enum { CELL = DG_AMX_PANEL * DG_AMX_DEPTH };
    dg_amx_begin();
    for (int64_t v = slab * c->slab; v < end; v++) {
        unit u = unit_of(c, v);
        int64_t steps = up(u.images * u.rows * g->Wo, DG_AMX_DEPTH) / DG_AMX_DEPTH;
        stage(k, c, &at, c0, &u);
        for (int64_t o = 0; o < c->otiles; o += 2) {
            const uint32_t *b = c->right + (v * c->otiles + o) * (c->deep / 2) * DG_AMX_SIDE;
            dg_amx_operand right = {{b, b + c->deep / 2 * DG_AMX_SIDE}, at.right, 64, 2};
            if ((o + 1) * DG_AMX_SIDE >= g->O) right.n = 1;
            for (int64_t tap = 0; tap < taps; tap++) {
                const uint16_t *a = tap_of(c, &at, tap);
                float *sum = at.sums + (o / 2 * taps + tap) * CELL;
                dg_amx_operand left = {{a, a + DG_AMX_SIDE * c->lda},
                                       at.left,
                                       2 * c->lda,
                                       channels > DG_AMX_SIDE ? 2 : 1};
                dg_amx_product(steps, &left, &right, v > slab * c->slab,
                               (float *[]){sum, sum + DG_AMX_SIDE}, DG_AMX_PANEL);
            }
        }
    }
    dg_amx_end();
    float *dw = c->slabs > 1 ? c->sums + slab * g->O * g->C * taps : c->dw;
    for (int64_t o0 = 0; o0 < g->O; o0 += DG_AMX_PANEL)
        for (int64_t i = 0; i < channels; i++)
            dg_tile_transpose(dg_isa_of(k), taps, at_most(DG_AMX_PANEL, g->O - o0),
                              at.sums + o0 / DG_AMX_PANEL * taps * CELL + i * DG_AMX_PANEL, CELL,
                              dw + (o0 * g->C + c0 + i) * taps, g->C * taps);
}

enum { SUM_PIECE = 4096 };

static void add_piece(const dg_call *k, int64_t p)
{
    const cut *c = k->arg;
    int64_t all = dg_shape_count(&k->out[0].shape), at = p * SUM_PIECE,
            n = at_most(SUM_PIECE, all - at);
    memcpy(c->dw + at, c->sums + at, sizeof(float) * (size_t)n);
    for (int64_t s = 1; s < c->slabs; s++)
        for (int64_t i = 0; i < n; i++) c->dw[at + i] += c->sums[s * all + at + i];
}

static int64_t right_bytes(const cut *c)
{
    return up(c->units * c->otiles * DG_AMX_SIDE * c->deep * 2, 64);
}

static void amx_f32(const dg_call *k)
{
    dg_conv g = geometry(k->attrs, k->in[X].shape, k->in[DY].shape);
    cut c = cut_of(&g);
    c.dy = k->in[DY].data;
    c.dw = k->out[0].data;
    c.right = k->workspace;
    c.sums = (float *)(void *)((char *)k->workspace + right_bytes(&c));
    dg_parallel_with(k, c.units * c.otiles, turn_piece, &c);
    dg_parallel_with(k, c.blocks * c.slabs, piece, &c);
    if (c.slabs > 1)
        dg_parallel_with(k, (dg_shape_count(&k->out[0].shape) + SUM_PIECE - 1) / SUM_PIECE,
                         add_piece, &c);
}

static int64_t workspace(const dg_infer *t, const dg_strip *s)
{
    (void)s;
    dg_conv g = geometry(t->attrs, t->in[X]->shape, t->in[DY]->shape);
    cut c = cut_of(&g);
    int64_t sums = c.slabs > 1 ? 4 * c.slabs * dg_shape_count(&t->out[0].shape) : 0;
    return right_bytes(&c) + sums;
}

static int64_t scratch(const dg_infer *t, const dg_strip *s)
{
    (void)s;
    dg_conv g = geometry(t->attrs, t->in[X]->shape, t->in[DY]->shape);
    cut c = cut_of(&g);
    int64_t band = 2 * DG_AMX_SIDE * 2 * dg_amx_ld(c.deep / 2), all = places_of(&c, NULL).bytes;
    all += dg_strips_bytes(t->prologue, NULL);
    return band > all ? band : all;
}

static bool fits(const dg_infer *t)
{
    (void)t;
    return dg_amx_ready();
}

static double flops(const dg_infer *t)
{
    return dg_op_conv2d_dw.flops(t);
}

static const dg_kernel kernels[] = {
    {"amx_f32", amx_f32, .dtype = DG_F32, .prologue = 1 << X, .least_isa = DG_AVX512, .fits = fits,
     .workspace = workspace, .scratch = scratch},
    {0},
};

const dg_op dg_op_conv2d_dw_bf16 = {
    .name = "conv2d_dw_bf16",
    .inputs = "x dy",
    .outputs = "dw",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_INNER | DG_GEMM_LIKE,
    .infer = infer,
    .no_grad = "made when gradients stand",
    .ref = ref,
    .kernels = kernels,
    .flops = flops,
};

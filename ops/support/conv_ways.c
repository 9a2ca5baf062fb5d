/* conv_ways.c: see conv_ways.h. The estimate adds up, in cycles of one core:
 *
 *     products        of rows of tiles and panels of 32 outputs, short rows rounded up as the
 *                     kernels take them
 *     transforms      of 16 channels of a patch, 16 outputs of a tile, 16 pairs of a kernel
 *     traffic         bytes that do not stay in the second cache
 *
 * and takes each phase as long as its pieces leave the busier one of two threads. The number of
 * threads that a run will have must not matter to the plan; two is the least that shows that too
 * few pieces cost something. */
#include "ops/support/conv_ways.h"

#include "ops/support/conv_few.h"

#include <string.h>

typedef enum way { DIRECT, TWO, FOUR, WAYS } way;

static const char *const names[WAYS] = {"direct", "winograd2", "winograd4"};

/* Cycles. */
typedef struct costs {
    double product;   /* a row of a left operand by one channel by 32 outputs */
    double patch[2];  /* transform of 16 channels of a patch, F(2x2) and F(4x4), with staging */
    double result[2]; /* of 16 outputs of a tile */
    double kernel[2]; /* of 16 pairs of channels */
    double far;       /* a byte from the third cache */
    double direct[2]; /* a position by one row of columns by 32 outputs; the same for weights */
    double column[2]; /* one element of columns */
    double phase;     /* to begin one and wait for its end */
    double few;       /* a position by one tap by one output, where there are few (conv_few.h) */
} costs;

/* Fitted to the ratios between the ways, over 23 shapes forward and 15 for weights (12 and 8 below
 * AVX-512), from 1x256x4x4 to 64x32x32x32 and down to one channel. The way chosen is within a tenth
 * of the fastest but for convolutions of a few tenths of a millisecond and those with three
 * channels or fewer: there the margin that F(4x4) must win by, for its rounding, may cost half the
 * time. */
static const costs of_isa[DG_ISAS] = {
    [DG_GENERIC] =
        {11, {88, 2070}, {341, 160}, {318, 652}, 0.018, {10.4, 11.3}, {0.57, 0.62}, 3800, 0.60},
    [DG_AVX2] =
        {3.1, {52, 552}, {180, 241}, {76, 202}, 0.021, {3.2, 2.7}, {0.56, 0.32}, 2800, 0.35},
    [DG_AVX512] =
        {2.4, {26, 370}, {108, 180}, {14, 149}, 0.016, {1.85, 1.78}, {0.82, 0.80}, 1300, 0.27},
};

static double threads(double work, double pieces)
{
    double rounds = (double)(int64_t)((pieces + 1) / 2);
    return work * rounds / (pieces > 0 ? pieces : 1);
}

/* Rows as tiles of the products take them: few in a tile wait for their own sums. */
static double rows_cost(int64_t rows)
{
    enum { HIGHEST = 14, FEWEST = 5 };
    int64_t least = (rows + HIGHEST - 1) / HIGHEST * FEWEST;
    return (double)(rows > least ? rows : least);
}

/* One way of Winograd's; `once`: weights prepared before a loop cost nothing in it. */
static double winograd_cost(const costs *c, const dg_winograd *w, bool once)
{
    const dg_conv *g = &w->g;
    const dg_winograd_filter *f = dg_winograd_filter_of(w->tile);
    dg_winograd_cut cut = dg_winograd_cut_of(w);
    int i = w->tile == 4;
    double panels = (double)dg_winograd_panels(g), C = (double)g->C, blocks = (double)cut.blocks,
           groups = (double)((g->C + 15) / 16), tiles = (double)(cut.blocks * cut.tiles);
    double products = f->elements * blocks * rows_cost(cut.tiles) * C * panels * c->product,
           patches = tiles * groups * c->patch[i], results = tiles * 2 * panels * c->result[i],
           kernels = C * 2 * panels * c->kernel[i], u = 4.0 * f->elements * 32 * panels * C,
           v = 4.0 * f->elements * tiles * 16 * groups, cycles = 0;
    if (w->form == DG_WINOGRAD_PREPARED ? !once : cut.by_tiles) /* all of them beforehand */
        cycles += threads(kernels + 2 * u * c->far, panels * groups) + c->phase;
    if (cut.by_tiles)
        return cycles + c->phase +
               threads(patches + products + results + u * blocks * c->far, blocks);
    cycles += 2 * c->phase + threads(patches + v * c->far, blocks * ((groups + 3) / 4));
    double each = w->form == DG_WINOGRAD_PREPARED ? u * blocks * c->far : kernels * blocks;
    return cycles + threads(products + results + each + v * panels * c->far, blocks * panels);
}

static double dw_cost(const costs *c, const dg_winograd *w)
{
    const dg_conv *g = &w->g;
    const dg_winograd_filter *f = dg_winograd_filter_of(w->tile);
    int i = w->tile == 4;
    int64_t across = (g->Wo + w->tile - 1) / w->tile, down = (g->Ho + w->tile - 1) / w->tile;
    double tiles = (double)(g->N * across * down), panels = (double)dg_winograd_panels(g),
           C = (double)g->C, groups = (double)((g->C + 15) / 16),
           parts = (double)((g->C + 63) / 64);
    double products = f->elements * tiles * ((double)(g->C / 16 * 16) + rows_cost(g->C % 16)) *
                      panels * c->product,
           transforms = tiles * (groups * c->patch[i] + 2 * panels * c->result[i]),
           kernels = C * 2 * panels * c->kernel[i], u = 4.0 * f->elements * 32 * panels * C,
           v = 4.0 * f->elements * tiles * 16 * groups, z = 4.0 * f->elements * tiles * 32 * panels;
    if (dg_winograd_dw_is_few(w))
        return 2 * c->phase + (transforms + (v + z) * c->far) / 2 +
               threads(products + kernels + (v * panels + z * parts) * c->far, panels * parts);
    return 3 * c->phase + (transforms + products + kernels + 2 * (u + v + z) * c->far) / 2;
}

static double direct_cost(const costs *c, const dg_conv *g, dg_conv_pass pass)
{
    double columns = (double)(g->C * g->kh * g->kw), positions = (double)(g->N * g->Ho * g->Wo);
    int i = pass == DG_CONV_DW;
    if (!i && dg_conv_few_fits(g))
        return c->phase + positions * columns * (double)g->O * c->few / 2;
    double outs = i ? (double)dg_winograd_panels(g) : (double)g->O / 32;
    return c->phase + positions * columns * (outs * c->direct[i] + c->column[i]) / 2;
}

/* ---- the choice ---- */

typedef struct choice {
    way way;
    bool prepared;
    double cycles[WAYS];
} choice;

/* What pass `hoist` takes out of loops is at most this large. It lives as long as the loop runs, so
 * it must lower the cost to this. */
enum { HOISTED = 1 << 20 };
#define KEPT 0.9

static double cost_of(const dg_prepare *p, const dg_conv *g, dg_conv_pass pass, int tile,
                      bool *prepared)
{
    const costs *c = &of_isa[p->isa];
    dg_winograd w = {*g, tile, pass == DG_CONV_DX ? DG_WINOGRAD_TURNED : DG_WINOGRAD_PLAIN};
    if (pass == DG_CONV_DW) return dw_cost(c, &w);
    double here = winograd_cost(c, &w, false);
    w.form = DG_WINOGRAD_PREPARED;
    bool once = p->once[1] && dg_winograd_prepared_bytes(&w) <= HOISTED;
    double before = winograd_cost(c, &w, once);
    *prepared = before <= (once ? KEPT : 1) * here;
    return *prepared ? before : here;
}

/* F(4x4) rounds some ten times as coarsely: that must buy this much, as a factor and in cycles. */
#define COARSE 0.85
#define SAVED 3e4

static choice choose(const dg_prepare *p, const dg_conv *g, dg_conv_pass pass)
{
    choice best = {.way = DIRECT};
    bool prepared[WAYS] = {false};
    best.cycles[DIRECT] = direct_cost(&of_isa[p->isa], g, pass);
    best.cycles[TWO] = cost_of(p, g, pass, 2, &prepared[TWO]);
    best.cycles[FOUR] = cost_of(p, g, pass, 4, &prepared[FOUR]);
    if (best.cycles[TWO] < best.cycles[DIRECT]) best.way = TWO;
    if (best.cycles[FOUR] < COARSE * best.cycles[best.way] &&
        best.cycles[FOUR] < best.cycles[best.way] - SAVED)
        best.way = FOUR;
    for (way i = DIRECT; i < WAYS && p->conv; i++)
        if (strcmp(p->conv, names[i]) == 0) best.way = i;
    best.prepared = prepared[best.way];
    return best;
}

static void explain(dg_prepare *p, const choice *c)
{
    way other[2] = {(c->way + 1) % WAYS, (c->way + 2) % WAYS};
    p->outcome = names[c->way];
    p->reason = dg_intern_printf(
        p->build->graph->strings, "conv.%s%s(%.2f Mcycles; %s %.2f, %s %.2f)", names[c->way],
        c->prepared ? ".prepared" : "", c->cycles[c->way] * 1e-6, names[other[0]],
        c->cycles[other[0]] * 1e-6, names[other[1]], c->cycles[other[1]] * 1e-6);
}

bool dg_conv_prepare(dg_prepare *p, const dg_conv *g, dg_conv_pass pass, dg_value *out)
{
    if (!dg_winograd_fits(g)) return false;
    choice c = choose(p, g, pass);
    explain(p, &c);
    if (c.way == DIRECT) return false;
    dg_build *b = p->build;
    bool turned = pass == DG_CONV_DX;
    int tile = c.way == FOUR ? 4 : 2;
    int64_t pad[4] = {g->top, g->Ho + 2 - g->H - g->top, g->left, g->Wo + 2 - g->W - g->left};
    dg_attr attrs[] = {dg_attr_of_int("tile", tile),
                       dg_attr_of_ints(b->graph->arena, "pad", pad, 4),
                       dg_attr_of_int("outs", g->O),
                       dg_attr_of_str(b->graph->arena, "weights",
                                      c.prepared ? "prepared"
                                      : turned   ? "turned"
                                                 : "plain")};
    if (pass == DG_CONV_DW) {
        out[0] = dg_emit(b, "winograd_dw", attrs, 2, p->in, 2);
        return true;
    }
    dg_value in[2] = {p->in[0], p->in[1]};
    if (c.prepared) {
        dg_attr how[] = {attrs[0], dg_attr_of_int("turned", turned)};
        in[1] = dg_emit(b, "winograd_w", how, 2, &p->in[1], 1);
        dg_value_of(b->graph, in[1])->path =
            dg_path_behind(b->graph, dg_value_of(b->graph, p->in[1])->path, names[c.way]);
    }
    out[0] = dg_emit(b, "winograd", attrs, 4, in, 2);
    return true;
}

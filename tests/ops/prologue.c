/* tests/ops/prologue.c: kernels that compute an operand by a strip while they read it, or gather it
 * from parts or a smaller map, against the same kernels with the operand stored: the same bits,
 * whatever they ask for. The operand is silu(x * a + b) * c: a and b have one number per channel, c
 * is bool of the operand's shape, as a dropout's mask is; or x itself. x is one map, or several
 * along the channels, or its rows and columns are repeated. */
#include "tests/support/op_check.h"

#include "ops/support/prologue.h"
#include "tests/support/graph_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LOADS = 5, MOST_PARTS = 4 }; /* x, a, b, the mask, zero */

typedef struct example {
    const char *op;
    dg_shape x, other; /* the op's operands; the first has the prologue */
    dg_attr attrs[8];
    int n_attrs;
} example;

typedef struct source { /* of x; all 0 and a strip: x as it lies */
    int parts, grow;
    bool strip;
} source;

/* The first channel of part i: uneven, and rarely a multiple of anything. */
static int64_t seam(int64_t channels, int parts, int i)
{
    return i == 0 ? 0 : i == parts ? channels : (2 * i + 1) * channels / (2 * parts + 1);
}

/* What gives x [N, C, H, W]; from then on x has the numbers of these. */
static void take_apart(dg_view *part, int parts, int grow, const dg_view *x)
{
    dg_shape s = x->shape;
    int64_t h = s.dim[2] / grow, w = s.dim[3] / grow;
    float *whole = x->data;
    for (int i = 0; i < parts; i++) {
        int64_t first = seam(s.dim[1], parts, i), n = seam(s.dim[1], parts, i + 1) - first;
        part[i] = (dg_view){.dtype = DG_F32, .shape = DG_SHAPE(s.dim[0], n, h, w)};
        dg_view_pack(&part[i]);
        float *to = part[i].data = malloc(sizeof(float) * (size_t)(s.dim[0] * n * h * w + 1));
        for (int64_t e = 0; e < s.dim[0] * n * h * w; e++) {
            int64_t map = e / (h * w) / n * s.dim[1] + first + e / (h * w) % n;
            to[e] = whole[(map * s.dim[2] + e / w % h * grow) * s.dim[3] + e % w * grow];
        }
    }
    for (int64_t y = 0; y < dg_shape_count(&s) / s.dim[3]; y++) {
        float *row = whole + y * s.dim[3];
        for (int64_t j = 0; j < s.dim[3]; j++)
            row[j] = row[j / grow * grow - y % s.dim[2] % grow * s.dim[3]];
    }
}

static float *numbers(int64_t n, uint32_t seed)
{
    float *x = malloc(sizeof(float) * (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(seed >> 8) / 16777216.0f - 0.5f;
    }
    return x;
}

static dg_view view_of(dg_dtype t, dg_shape s, void *data)
{
    dg_view v = {.data = data, .dtype = t, .shape = s};
    dg_view_pack(&v);
    return v;
}

typedef struct operand { /* the strip, and what it loads */
    dg_strip_code code[4];
    dg_strip_out out;
    dg_strip strip;
    dg_view load[LOADS];
    float zero;
} operand;

static const dg_dtype dtypes[LOADS] = {DG_F32, DG_F32, DG_F32, DG_BOOL, DG_F32};

static dg_strip_code code_of(const char *op, int a, int b, int c)
{
    dg_strip_code code = {.op = dg_op_find(op), .in = {a, b, c}, .dtype = DG_F32};
    dg_dtype in[3];
    for (int i = 0; i < 3 && code.in[i] >= 0; i++) {
        in[i] = code.in[i] < LOADS ? dtypes[code.in[i]] : DG_F32;
        code.n_in++;
    }
    code.lanes = dg_lanes_find(code.op, DG_F32, in, code.n_in);
    assert_non_null(code.lanes);
    return code;
}

static void operand_of(operand *o, dg_shape x)
{
    dg_shape channel = DG_SHAPE(1, x.dim[1], 1, 1);
    int64_t n = dg_shape_count(&x);
    uint8_t *mask = malloc((size_t)n);
    for (int64_t i = 0; i < n; i++) mask[i] = i * i % 7 != 3;
    o->zero = 0;
    o->load[0] = view_of(DG_F32, x, numbers(n, 1));
    o->load[1] = view_of(DG_F32, channel, numbers(x.dim[1], 2));
    o->load[2] = view_of(DG_F32, channel, numbers(x.dim[1], 3));
    o->load[3] = view_of(DG_BOOL, x, mask);
    o->load[4] = view_of(DG_F32, DG_SCALAR, &o->zero);
    o->code[0] = code_of("mul", 0, 1, -1);
    o->code[1] = code_of("add", 5, 2, -1);
    o->code[2] = code_of("silu", 6, -1, -1);
    o->code[3] = code_of("where", 3, 7, 4);
    o->out = (dg_strip_out){.reg = 8};
    o->strip = (dg_strip){.space = x,
                          .n_in = LOADS,
                          .n_code = 4,
                          .n_out = 1,
                          .in_dtype = dtypes,
                          .code = o->code,
                          .out = &o->out};
}

static void run_kernel(const example *c, const source *from, const dg_kernel *kernel, dg_isa isa,
                       int threads)
{
    dg_arena *arena = dg_arena_new();
    const dg_op *op = dg_op_find(c->op);
    dg_attrs attrs = {c->n_attrs, c->attrs};
    const dg_type given[2] = {{DG_F32, c->x}, {DG_F32, c->other}};
    const dg_type *const in[2] = {&given[0], &given[1]};
    dg_type out[16];
    operand made;
    operand_of(&made, c->x);
    int n_own = c->other.rank > 0 ? 2 : 1, parts = from->parts, loads = from->strip ? LOADS - 1 : 0;
    dg_prologue prologue = {0, from->strip ? &made.strip : NULL, c->x, parts, from->grow};
    dg_infer t = {.op = op,
                  .attrs = &attrs,
                  .n_in = n_own,
                  .in = in,
                  .out = out,
                  .input = {-1, -1},
                  .arena = arena,
                  .prologue = &prologue};
    if (!op->infer(&t)) fail_msg("%s", t.what);
    bool fits = !kernel->fits || kernel->fits(&t);
    dg_shape y = out[0].shape;
    int64_t n = dg_shape_count(&c->x), each = dg_shape_count(&y), n_out = each * t.n_out;

    op_pool pool = {.threads = threads};
    int64_t scratch = fits && kernel->scratch ? kernel->scratch(&t, NULL) : 0,
            least = dg_strip_scratch(&made.strip),
            workspace = fits && kernel->workspace ? kernel->workspace(&t, NULL) : 0;
    if (scratch < least) scratch = least;
    for (int i = 0; i < 8; i++)
        pool.scratch[i] = aligned_alloc(64, (size_t)(scratch + 127) / 64 * 64);
    void *work = aligned_alloc(64, (size_t)(workspace + 127) / 64 * 64);
    dg_run run = {.isa = isa, .parallel = op_pool_run, .pool = &pool};
    float *stored = malloc(sizeof(float) * (size_t)n),
          *other = numbers(dg_shape_count(&c->other), 4),
          *with = malloc(sizeof(float) * (size_t)n_out),
          *without = malloc(sizeof(float) * (size_t)n_out);
    dg_view to_stored = view_of(DG_F32, c->x, stored), part[MOST_PARTS];
    dg_view to[2] = {view_of(DG_F32, y, without), view_of(DG_F32, y, without + each)};
    dg_view views[1 + LOADS + MOST_PARTS] = {to_stored, view_of(DG_F32, c->other, other)};
    take_apart(part, parts, from->grow, &made.load[0]);
    dg_call k = {.in = views,
                 .out = to,
                 .n_in = n_own,
                 .n_out = t.n_out,
                 .n_own = n_own,
                 .attrs = &attrs,
                 .run = &run,
                 .workspace = work,
                 .scratch = pool.scratch[0]};
    static const int64_t origin[DG_MAX_RANK];
    if (from->strip)
        dg_strip_run_box(&k, &made.strip, made.load, &to_stored, origin, c->x.dim, k.scratch);
    else
        memcpy(stored, made.load[0].data, sizeof(float) * (size_t)n);
    if (fits) {
        kernel->run(&k);
        views[0] = part[0];
        views[0].shape = c->x;
        for (int i = 0; i < loads; i++) views[n_own + i] = made.load[1 + i];
        for (int i = 1; i < parts; i++) views[n_own + loads + i - 1] = part[i];
        to[0].data = with;
        to[1].data = with + each;
        k.n_in = n_own + loads + parts - 1;
        k.prologue = &prologue;
        kernel->run(&k);
        if (memcmp(with, without, sizeof(float) * (size_t)n_out) != 0)
            fail_msg("%s %s on %s with %d threads, %d parts, grown by %d", c->op, kernel->name,
                     dg_isa_name(isa), threads, parts, from->grow);
    }
    for (int i = 0; i < parts; i++) free(part[i].data);
    for (int i = 0; i < 8; i++) free(pool.scratch[i]);
    for (int i = 0; i < 4; i++) free(made.load[i].data);
    float *all[] = {stored, other, with, without};
    for (int i = 0; i < 4; i++) free(all[i]);
    free(work);
    dg_arena_free(arena);
}

static int run_case(const example *c, dg_isa isa, int threads)
{
    static const source all[] = {{1, 1, true},  {2, 1, true},  {1, 2, true},  {1, 3, false},
                                 {2, 1, false}, {3, 1, false}, {4, 1, false}, {2, 2, false}};
    int taken = 0;
    for (const dg_kernel *k = dg_op_find(c->op)->kernels; k->run; k++) {
        if (k->least_isa > isa) continue;
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            const source *s = &all[i];
            bool plain = !s->strip && s->grow == 1;
            if (!((k->prologue | (plain ? k->parts : 0)) & 1)) continue;
            if (c->x.dim[2] % s->grow || c->x.dim[3] % s->grow) continue;
            run_kernel(c, s, k, isa, threads);
            taken++;
        }
    }
    return taken;
}

static const int64_t by_1[] = {1, 1}, by_2[] = {2, 2};
static const int64_t border[] = {1, 1, 1, 1}, none[] = {0, 0, 0, 0}, uneven[] = {-1, 2, 3, 0};
#define PAD(pad_)                                                                                  \
    {                                                                                              \
        .name = "pad", .kind = DG_INTS, .n = 4, .v.ints = pad_                                     \
    }
#define TILE(tile_)                                                                                \
    {                                                                                              \
        .name = "tile", .kind = DG_INT, .v.i = tile_                                               \
    }
#define FORWARD(tile_, outs_, x_, pad_)                                                            \
    {                                                                                              \
        .op = "winograd", .x = x_, .other = {.rank = 4, .dim = {outs_, (x_).dim[1], 3, 3}},        \
        .n_attrs = 4, .attrs = {                                                                   \
            TILE(tile_),                                                                           \
            PAD(pad_),                                                                             \
            {.name = "outs", .kind = DG_INT, .v.i = outs_},                                        \
            {.name = "weights", .kind = DG_STR, .v.str = "plain"},                                 \
        }                                                                                          \
    }
#define WEIGHTS(tile_, x_, dy_, pad_)                                                              \
    {                                                                                              \
        .op = "winograd_dw", .x = x_, .other = dy_, .n_attrs = 2, .attrs = {                       \
            TILE(tile_),                                                                           \
            PAD(pad_),                                                                             \
        }                                                                                          \
    }

/* kh and kw are those of a kernel of one element, where the op has these. */
#define PLAIN(op_, x_, other_, pad_, stride_, groups_)                                             \
    {                                                                                              \
        .op = op_, .x = x_, .other = other_, .n_attrs = 6, .attrs = {                              \
            {.name = "stride", .kind = DG_INTS, .n = 2, .v.ints = by_##stride_},                   \
            PAD(pad_),                                                                             \
            {.name = "dilation", .kind = DG_INTS, .n = 2, .v.ints = by_1},                         \
            {.name = "groups", .kind = DG_INT, .v.i = groups_},                                    \
            {.name = "kh", .kind = DG_INT, .v.i = 1},                                              \
            {.name = "kw", .kind = DG_INT, .v.i = 1},                                              \
        }                                                                                          \
    }
#define GROUPS(x_, groups_)                                                                        \
    {                                                                                              \
        .op = "norm_stats", .x = x_, .n_attrs = 2, .attrs = {                                      \
            {.name = "groups", .kind = DG_INT, .v.i = groups_},                                    \
            {.name = "eps", .kind = DG_FLOAT, .v.f = 1e-5},                                        \
        }                                                                                          \
    }

static void kernels_compute_their_operand(void **state)
{
    (void)state;
    const example cases[] = {
        FORWARD(4, 48, DG_SHAPE(2, 32, 32, 32), border), /* blocks of rows */
        FORWARD(2, 48, DG_SHAPE(2, 32, 32, 32), border),
        FORWARD(4, 70, DG_SHAPE(11, 40, 8, 8), border),  /* of images */
        FORWARD(4, 33, DG_SHAPE(3, 21, 17, 30), border), /* ragged */
        FORWARD(4, 16, DG_SHAPE(3, 20, 24, 21), uneven),
        FORWARD(4, 32, DG_SHAPE(60, 32, 32, 32), border), /* many blocks: each has its own pieces */
        FORWARD(2, 40, DG_SHAPE(2, 130, 16, 16), none),
        WEIGHTS(4, DG_SHAPE(4, 32, 32, 32), DG_SHAPE(4, 48, 32, 32), border),
        WEIGHTS(4, DG_SHAPE(11, 40, 8, 8), DG_SHAPE(11, 70, 8, 8), border),
        WEIGHTS(2, DG_SHAPE(3, 21, 17, 30), DG_SHAPE(3, 33, 17, 30), border),
        WEIGHTS(4, DG_SHAPE(3, 20, 24, 21), DG_SHAPE(3, 33, 23, 22), uneven),
        PLAIN("conv2d", DG_SHAPE(3, 40, 12, 9), DG_SHAPE(33, 40, 1, 1), none, 1, 1),
        PLAIN("conv2d", DG_SHAPE(1, 300, 8, 8), DG_SHAPE(70, 300, 1, 1), none, 1, 1),
        PLAIN("conv2d", DG_SHAPE(2, 290, 32, 33), DG_SHAPE(24, 290, 1, 1), none, 1, 1),
        PLAIN("conv2d", DG_SHAPE(2, 20, 12, 9), DG_SHAPE(33, 20, 3, 3), border, 1, 1),
        PLAIN("conv2d", DG_SHAPE(9, 21, 6, 6), DG_SHAPE(9, 7, 3, 3), border, 2, 3),
        PLAIN("conv2d", DG_SHAPE(2, 8, 6, 6), DG_SHAPE(8, 1, 3, 3), border, 1, 8),
        PLAIN("conv2d_dw", DG_SHAPE(3, 40, 12, 9), DG_SHAPE(3, 33, 12, 9), none, 1, 1),
        PLAIN("conv2d_dw", DG_SHAPE(2, 8, 6, 6), DG_SHAPE(2, 8, 6, 6), none, 1, 8),
        GROUPS(DG_SHAPE(3, 12, 7, 9), 4),
        GROUPS(DG_SHAPE(1, 40, 24, 24), 1),
        GROUPS(DG_SHAPE(2, 40, 2, 2), 40),
    };
    int taken = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (dg_isa isa = DG_GENERIC; isa <= dg_isa_of_cpu(); isa++)
            taken += run_case(&cases[i], isa, 0);
        taken += run_case(&cases[i], dg_isa_of_cpu(), 3);
    }
    assert_true(taken > 0);
}

/* Boxes of an operand of any rank, at any place in it. */
static void boxes(void **state)
{
    (void)state;
    dg_shape x = DG_SHAPE(3, 5, 7, 11);
    operand made;
    operand_of(&made, x);
    dg_prologue prologue = {0, &made.strip, x, 1, 1};
    int64_t n = dg_shape_count(&x);
    float *stored = malloc(sizeof(float) * (size_t)n), *box = malloc(sizeof(float) * (size_t)n);
    void *scratch = aligned_alloc(64, (size_t)dg_strips_bytes(&prologue, NULL));
    dg_run run = {.isa = dg_isa_of_cpu()};
    dg_view to = view_of(DG_F32, x, stored);
    dg_call k = {.in = made.load,
                 .n_in = LOADS,
                 .n_own = 1,
                 .prologue = &prologue,
                 .run = &run,
                 .scratch = scratch};
    static const int64_t origin[DG_MAX_RANK];
    dg_strip_run_box(&k, &made.strip, made.load, &to, origin, x.dim, scratch);
    static const int64_t list[][8] = {/* start, extent */
                                      {0, 0, 0, 0, 3, 5, 7, 11},
                                      {1, 2, 3, 4, 2, 3, 4, 7},
                                      {2, 4, 0, 0, 1, 1, 7, 11},
                                      {0, 1, 6, 10, 3, 2, 1, 1}};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        const int64_t *start = list[i], *extent = list[i] + 4;
        dg_prologue_box(&k, start, extent, box);
        int64_t at = 0;
        for (int64_t a = 0; a < extent[0]; a++)
            for (int64_t b = 0; b < extent[1]; b++)
                for (int64_t y = 0; y < extent[2]; y++, at += extent[3]) {
                    const float *want =
                        stored + (((start[0] + a) * 5 + start[1] + b) * 7 + start[2] + y) * 11 +
                        start[3];
                    assert_memory_equal(box + at, want, sizeof(float) * (size_t)extent[3]);
                }
    }
    dg_rows rows = dg_prologue_rows(&k, 0, 1, 2, 4, 3, 6, box);
    assert_ptr_equal(rows.data, box);
    assert_int_equal(rows.plane, 3 * 11);
    assert_memory_equal(rows.data + rows.plane, stored + ((1 * 5 + 3) * 7 + 3) * 11,
                        sizeof(float) * 33);
    k.prologue = NULL;
    rows = dg_prologue_rows(&k, 0, 1, 2, 4, 3, 6, NULL);
    assert_ptr_equal(rows.data, (float *)made.load[0].data + ((1 * 5 + 2) * 7 + 3) * 11);
    assert_int_equal(rows.plane, 7 * 11);
    for (int i = 0; i < 4; i++) free(made.load[i].data);
    free(stored);
    free(box);
    free(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(kernels_compute_their_operand),
                                       cmocka_unit_test(boxes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/ops/moments.c: convolutions write mean and squared differences of what they store, piece by
 * piece, in an epilogue that does something and in one that does not: as said by the stored numbers
 * in double, on every ISA, with the same bits on any number of threads; and a norm makes of them
 * the statistics of the map. */
#include "tests/support/op_check.h"

#include "ops/support/prologue.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct example {
    const char *op;
    dg_shape x, w;
    dg_attr attrs[4];
} example;

static dg_view numbers(dg_shape s, double level)
{
    dg_view v = {.dtype = DG_F32, .shape = s};
    dg_view_pack(&v);
    int64_t n = dg_shape_count(&s);
    float *x = v.data = aligned_alloc(64, ((size_t)n * sizeof *x + 127) / 64 * 64);
    uint32_t seed = 7;
    for (int64_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(level + (double)(seed >> 8) / 16777216.0 - 0.5);
    }
    return v;
}

/* Pieces of the plane against their moments: errors as parts of the deviation. */
static void check(const dg_view *y, const dg_view *m, int64_t span)
{
    int64_t P = y->shape.dim[2] * y->shape.dim[3], pieces = m->shape.dim[2];
    for (int64_t i = 0; i < y->shape.dim[0] * y->shape.dim[1] * pieces; i++) {
        int64_t at = i % pieces * span, n = P - at < span ? P - at : span;
        const float *x = (const float *)y->data + i / pieces * P + at, *pair = m->data;
        double mean = 0, squares = 0;
        for (int64_t e = 0; e < n; e++) mean += (double)x[e] / (double)n;
        for (int64_t e = 0; e < n; e++) squares += ((double)x[e] - mean) * ((double)x[e] - mean);
        double deviation = sqrt(squares / (double)n);
        assert_true(fabs((double)pair[2 * i] - mean) <= 1e-6 * (deviation + fabs(mean)));
        assert_true(fabs((double)pair[2 * i + 1] - squares) <= 1e-5 * squares);
    }
}

/* What the norm of the map makes of its moments, in `groups` of channels, against the map. */
static void check_norm(const dg_view *y, const dg_view *m, int64_t span, int64_t groups, dg_isa isa)
{
    int64_t N = y->shape.dim[0], C = y->shape.dim[1], P = y->shape.dim[2] * y->shape.dim[3],
            each = C / groups, n = each * P;
    dg_attr list[] = {{.name = "eps", .kind = DG_FLOAT, .v.f = 1e-5},
                      {.name = "groups", .kind = DG_INT, .v.i = groups},
                      {.name = "plane", .kind = DG_INT, .v.i = P},
                      {.name = "spans", .kind = DG_INTS, .n = 1, .v.ints = &span}};
    dg_attrs attrs = {4, list};
    dg_view made[2] = {numbers(DG_SHAPE(N, C, 1, 1), 0), numbers(DG_SHAPE(N, C, 1, 1), 0)};
    dg_run run = {.isa = isa};
    dg_call k = {
        .in = m, .out = made, .n_in = 1, .n_out = 2, .n_own = 1, .attrs = &attrs, .run = &run};
    dg_op_find("norm_of_moments")->kernels->run(&k);
    for (int64_t i = 0; i < N * C; i++) {
        const float *x = (const float *)y->data + i / each * n;
        double mean = 0, squares = 0;
        for (int64_t e = 0; e < n; e++) mean += (double)x[e] / (double)n;
        for (int64_t e = 0; e < n; e++) squares += ((double)x[e] - mean) * ((double)x[e] - mean);
        double variance = squares / (double)n, want = 1 / sqrt(variance + 1e-5);
        assert_true(fabs((double)((float *)made[0].data)[i] - mean) <=
                    1e-6 * (sqrt(variance) + fabs(mean)));
        assert_true(fabs((double)((float *)made[1].data)[i] - want) <= 1e-5 * want);
    }
    for (int i = 0; i < 2; i++) free(made[i].data);
}

static void run_case(const example *c, double level, bool adds, dg_isa isa)
{
    dg_arena *arena = dg_arena_new();
    const dg_op *op = dg_op_find(c->op);
    dg_attrs attrs = {4, (dg_attr *)(uintptr_t)c->attrs};
    const dg_type given[2] = {{DG_F32, c->x}, {DG_F32, c->w}};
    const dg_type *const in[2] = {&given[0], &given[1]};
    dg_type out[2];
    dg_infer t = {.op = op,
                  .attrs = &attrs,
                  .n_in = 2,
                  .in = in,
                  .out = out,
                  .input = {-1, -1},
                  .arena = arena};
    if (!op->infer(&t)) fail_msg("%s", t.what);
    dg_shape y = out[0].shape;
    int64_t span = op->span(&t), n = dg_shape_count(&y);
    assert_true(span > 0 && span % y.dim[3] == 0);
    static const dg_dtype floats[2] = {DG_F32, DG_F32};
    dg_strip_code add = {.op = dg_op_find("add"), .in = {0, 1, -1}, .n_in = 2, .dtype = DG_F32};
    add.lanes = dg_lanes_find(add.op, DG_F32, floats, 2);
    int reg = adds ? 2 : 0;
    dg_strip_out outs[2] = {{reg, 0, 0}, {reg, 0, span}};
    dg_strip strip = {y, adds ? 2 : 1, adds, 2, floats, &add, outs};
    const dg_kernel *kernel = op->kernels;
    dg_view views[3] = {numbers(c->x, 0), numbers(c->w, 0),
                        numbers(DG_SHAPE(1, y.dim[1], 1, 1), level)};
    dg_shape pieces = dg_moments_shape(&y, span);
    float *bits[2];
    for (int threads = 0; threads <= 3; threads += 3) {
        op_pool pool = {.threads = threads};
        int64_t scratch = kernel->scratch(&t, &strip),
                workspace = kernel->workspace ? kernel->workspace(&t, &strip) : 0;
        for (int i = 0; i < 8; i++)
            pool.scratch[i] = aligned_alloc(64, (size_t)(scratch + 127) / 64 * 64);
        void *work = aligned_alloc(64, (size_t)(workspace + 127) / 64 * 64);
        dg_run run = {.isa = isa, .parallel = op_pool_run, .pool = &pool};
        dg_view to[2] = {numbers(y, 0), numbers(pieces, 0)};
        dg_call k = {.in = views,
                     .out = to,
                     .n_in = adds ? 3 : 2,
                     .n_out = 2,
                     .n_own = 2,
                     .attrs = &attrs,
                     .strip = &strip,
                     .run = &run,
                     .workspace = work,
                     .scratch = pool.scratch[0]};
        kernel->run(&k);
        check(&to[0], &to[1], span);
        check_norm(&to[0], &to[1], span, y.dim[1], isa);
        check_norm(&to[0], &to[1], span, y.dim[1] % 3 == 0 ? y.dim[1] / 3 : y.dim[1] / 8, isa);
        bits[threads / 3] = to[1].data;
        for (int i = 0; i < 8; i++) free(pool.scratch[i]);
        free(work);
        free(to[0].data);
    }
    size_t bytes = (size_t)dg_shape_count(&pieces) * sizeof(float);
    if (memcmp(bits[0], bits[1], bytes) != 0) fail_msg("%s: %lld elements", c->op, (long long)n);
    for (int i = 0; i < 2; i++) free(bits[i]);
    for (int i = 0; i < 3; i++) free(views[i].data);
    dg_arena_free(arena);
}

static const int64_t by_1[] = {1, 1}, by_2[] = {2, 2}, border[] = {1, 1, 1, 1};
#define WINOGRAD(tile_, outs_, ...)                                                                \
    {                                                                                              \
        "winograd", DG_SHAPE(__VA_ARGS__),                                                         \
            {.rank = 4, .dim = {outs_, (int64_t[]){__VA_ARGS__}[1], 3, 3}},                        \
        {                                                                                          \
            {.name = "tile", .kind = DG_INT, .v.i = tile_},                                        \
                {.name = "pad", .kind = DG_INTS, .n = 4, .v.ints = border},                        \
                {.name = "outs", .kind = DG_INT, .v.i = outs_},                                    \
                {.name = "weights", .kind = DG_STR, .v.str = "plain"},                             \
        }                                                                                          \
    }
#define DIRECT(x_, w_, stride_, groups_)                                                           \
    {                                                                                              \
        "conv2d", x_, w_,                                                                          \
        {                                                                                          \
            {.name = "stride", .kind = DG_INTS, .n = 2, .v.ints = stride_},                        \
                {.name = "pad", .kind = DG_INTS, .n = 4, .v.ints = border},                        \
                {.name = "dilation", .kind = DG_INTS, .n = 2, .v.ints = by_1},                     \
                {.name = "groups", .kind = DG_INT, .v.i = groups_},                                \
        }                                                                                          \
    }

static void what_is_stored(void **state)
{
    (void)state;
    const example cases[] = {
        WINOGRAD(4, 40, 2, 32, 32, 32), /* blocks of rows */
        WINOGRAD(2, 48, 3, 20, 33, 30), /* ragged */
        WINOGRAD(4, 33, 40, 16, 8, 8),  /* of images */
        WINOGRAD(4, 64, 1, 70, 90, 90), /* by panels, and pieces longer than a run */
        DIRECT(DG_SHAPE(2, 20, 40, 36), DG_SHAPE(33, 20, 3, 3), by_2, 1),
        DIRECT(DG_SHAPE(1, 8, 50, 50), DG_SHAPE(24, 8, 3, 3), by_1, 1),
        DIRECT(DG_SHAPE(9, 21, 6, 6), DG_SHAPE(9, 7, 3, 3), by_2, 3),
        DIRECT(DG_SHAPE(2, 8, 70, 66), DG_SHAPE(8, 1, 3, 3), by_1, 8),
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (dg_isa isa = DG_GENERIC; isa <= dg_isa_of_cpu(); isa++) {
            run_case(&cases[i], 0, false, isa);
            run_case(&cases[i], 100, true, isa); /* a mean far from 0 */
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_stored)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/ops/epilogue.c: ops that apply an elementwise strip to each piece of their result, against
 * the op and the strip one after the other: every element must be touched once, whatever boxes the
 * pieces are. */
#include "tests/support/op_check.h"

#include "tests/support/graph_run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct shapes {
    const char *op;
    dg_shape x, w;
    dg_attr attrs[6];
    int n_attrs;
} shapes;

static float *numbers(int64_t n, uint32_t seed)
{
    float *x = malloc(sizeof(float) * (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(seed >> 8) / 16777216.0f - 0.5f;
    }
    return x;
}

static dg_view view_of(dg_shape s, float *data)
{
    dg_view v = {.data = data, .dtype = DG_F32, .shape = s};
    dg_view_pack(&v);
    return v;
}

/* silu(result + a) + b, where a has one number per channel (conv2d) or column (matmul) and b the
 * result's shape. */
static void run_kernel(const shapes *c, const dg_kernel *kernel, dg_isa isa, int threads)
{
    dg_arena *arena = dg_arena_new();
    const dg_op *op = dg_op_find(c->op), *add = dg_op_find("add"), *silu = dg_op_find("silu");
    dg_attrs attrs = {c->n_attrs, c->attrs};
    const dg_type given[2] = {{DG_F32, c->x}, {DG_F32, c->w}};
    const dg_type *const in[2] = {&given[0], &given[1]};
    dg_type out[16];
    dg_infer t = {.op = op,
                  .attrs = &attrs,
                  .n_in = 2,
                  .in = in,
                  .out = out,
                  .input = {-1, -1},
                  .arena = arena};
    if (!op->infer(&t)) fail_msg("%s", t.what);
    if (kernel->dtype != DG_F32 || (kernel->fits && !kernel->fits(&t))) {
        dg_arena_free(arena);
        return;
    }
    dg_shape y = out[0].shape, a = y;
    int axis = strcmp(c->op, "conv2d") == 0 ? 1 : y.rank - 1;
    for (int i = 0; i < y.rank; i++) a.dim[i] = i == axis ? y.dim[i] : 1;
    int64_t n = dg_shape_count(&y);

    const dg_dtype two[] = {DG_F32, DG_F32};
    const dg_lanes *sum = dg_lanes_find(add, DG_F32, two, 2),
                   *act = dg_lanes_find(silu, DG_F32, two, 1);
    const dg_dtype in_dtype[] = {DG_F32, DG_F32, DG_F32};
    const dg_strip_code code[] = {
        {.op = add, .in = {0, 1, -1}, .n_in = 2, .dtype = DG_F32, .lanes = sum},
        {.op = silu, .in = {3, -1, -1}, .n_in = 1, .dtype = DG_F32, .lanes = act},
        {.op = add, .in = {4, 2, -1}, .n_in = 2, .dtype = DG_F32, .lanes = sum},
    };
    const dg_strip_out result = {.reg = 5};
    dg_strip strip = {.space = y,
                      .n_in = 3,
                      .n_code = 3,
                      .n_out = 1,
                      .in_dtype = in_dtype,
                      .code = code,
                      .out = &result};

    op_pool pool = {.threads = threads};
    int64_t scratch = kernel->scratch(&t, &strip),
            workspace = kernel->workspace ? kernel->workspace(&t, &strip) : 0;
    for (int i = 0; i < 8; i++)
        pool.scratch[i] = aligned_alloc(64, (size_t)(scratch + 127) / 64 * 64);
    void *work = aligned_alloc(64, (size_t)(workspace + 127) / 64 * 64);
    dg_run run = {.isa = isa, .parallel = op_pool_run, .pool = &pool};
    float *bias = numbers(dg_shape_count(&a), 3), *residual = numbers(n, 4),
          *x = numbers(dg_shape_count(&c->x), 1), *w = numbers(dg_shape_count(&c->w), 2),
          *plain = malloc(sizeof(float) * (size_t)n), *whole = malloc(sizeof(float) * (size_t)n);
    dg_view views[4] = {view_of(c->x, x), view_of(c->w, w), view_of(a, bias), view_of(y, residual)};
    dg_view to = view_of(y, plain);
    dg_call k = {.in = views,
                 .out = &to,
                 .n_in = 2,
                 .n_out = 1,
                 .n_own = 2,
                 .attrs = &attrs,
                 .run = &run,
                 .workspace = work,
                 .scratch = pool.scratch[0]};
    kernel->run(&k);
    to.data = whole;
    k.n_in = 4;
    k.strip = &strip;
    kernel->run(&k);

    int64_t behind = 1;
    for (int i = axis + 1; i < y.rank; i++) behind *= y.dim[i];
    for (int64_t i = 0; i < n; i++) {
        double v = (double)plain[i] + (double)bias[i / behind % y.dim[axis]];
        v = v / (1 + exp(-v)) + (double)residual[i];
        if (!(fabs(v - (double)whole[i]) <= 1e-5 * (1 + fabs(v)))) {
            dg_type type = {DG_F32, y};
            fail_msg("%s -> %s on %s: element %lld is %g, not %g", c->op,
                     dg_type_name(arena, &type), dg_isa_name(isa), (long long)i, (double)whole[i],
                     v);
        }
    }
    for (int i = 0; i < 8; i++) free(pool.scratch[i]);
    float *all[] = {bias, residual, x, w, plain, whole};
    for (int i = 0; i < 6; i++) free(all[i]);
    free(work);
    dg_arena_free(arena);
}

static void run_case(const shapes *c, dg_isa isa, int threads)
{
    for (const dg_kernel *k = dg_op_find(c->op)->kernels; k->run; k++)
        run_kernel(c, k, isa, threads);
}

static void run_all(const shapes *cases, int n)
{
    for (int i = 0; i < n; i++) {
        for (dg_isa isa = DG_GENERIC; isa <= dg_isa_of_cpu(); isa++) run_case(&cases[i], isa, 0);
        run_case(&cases[i], dg_isa_of_cpu(), 3);
    }
}

static void products(void **state)
{
    (void)state;
#define PRODUCT(x_, w_)                                                                            \
    {                                                                                              \
        .op = "matmul", .x = x_, .w = w_,                                                          \
        .attrs = {{.name = "tx", .kind = DG_INT}, {.name = "ty", .kind = DG_INT}}, .n_attrs = 2    \
    }
    const shapes cases[] = {
        PRODUCT(DG_SHAPE(3, 5), DG_SHAPE(5, 7)),
        PRODUCT(DG_SHAPE(300, 200), DG_SHAPE(200, 310)),
        PRODUCT(DG_SHAPE(4, 3, 5), DG_SHAPE(5, 7)),
        PRODUCT(DG_SHAPE(5, 7, 33, 90),
                DG_SHAPE(90, 300)), /* pieces that begin and end within the leading axes */
        PRODUCT(DG_SHAPE(1000, 1, 80), DG_SHAPE(80, 120)),
        PRODUCT(DG_SHAPE(3, 40, 50), DG_SHAPE(3, 50, 60)),
        PRODUCT(DG_SHAPE(2, 3, 300, 100), DG_SHAPE(2, 3, 100, 270)),
        PRODUCT(DG_SHAPE(50, 4, 5), DG_SHAPE(50, 5, 6)),
    };
    run_all(cases, (int)(sizeof cases / sizeof *cases));
}

static void convolutions(void **state)
{
    (void)state;
    static const int64_t one[] = {1, 1}, two[] = {2, 2}, border[] = {1, 1, 1, 1},
                         none[] = {0, 0, 0, 0};
#define CONVOLUTION(x_, w_, stride_, pad_, groups_)                                                \
    {                                                                                              \
        .op = "conv2d", .x = x_, .w = w_, .n_attrs = 4, .attrs = {                                 \
            {.name = "stride", .kind = DG_INTS, .n = 2, .v.ints = stride_},                        \
            {.name = "pad", .kind = DG_INTS, .n = 4, .v.ints = pad_},                              \
            {.name = "dilation", .kind = DG_INTS, .n = 2, .v.ints = one},                          \
            {.name = "groups", .kind = DG_INT, .v.i = groups_},                                    \
        }                                                                                          \
    }
    const shapes cases[] = {
        CONVOLUTION(DG_SHAPE(2, 3, 5, 6), DG_SHAPE(4, 3, 3, 3), one, border, 1),
        CONVOLUTION(DG_SHAPE(2, 40, 32, 32), DG_SHAPE(130, 40, 3, 3), one, border,
                    1), /* blocks of rows */
        CONVOLUTION(DG_SHAPE(11, 40, 7, 7), DG_SHAPE(70, 40, 3, 3), one, border,
                    1), /* several images in a piece */
        CONVOLUTION(DG_SHAPE(1, 64, 16, 16), DG_SHAPE(256, 64, 3, 3), one, border,
                    1), /* blocks of output channels */
        CONVOLUTION(DG_SHAPE(3, 6, 17, 15), DG_SHAPE(8, 3, 3, 3), two, border, 2),
        CONVOLUTION(DG_SHAPE(2, 5, 9, 9), DG_SHAPE(5, 1, 3, 3), one, border, 5),
        CONVOLUTION(DG_SHAPE(2, 20, 16, 16), DG_SHAPE(33, 20, 1, 1), one, none, 1),
    };
    run_all(cases, (int)(sizeof cases / sizeof *cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(products), cmocka_unit_test(convolutions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

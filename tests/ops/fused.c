/* fused, and strips as such: random programs over random spaces against the reference, which works
 * element by element in double. */
#include "ops/source/draw.h"
#include "tests/support/op_check.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST_IN = 5, MOST_CODE = 14, MOST_OUT = 3, GUARD = 16 };

typedef struct program {
    dg_strip strip;
    dg_dtype in_dtype[MOST_IN];
    dg_strip_code code[MOST_CODE];
    dg_strip_out out[MOST_OUT];
    dg_shape in[MOST_IN];
    dg_type result[MOST_OUT];
    double *value[MOST_IN]; /* packed; bools as bytes in the low bits */
    double *want[MOST_OUT];
} program;

static uint64_t state;

static int below(int n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (int)((state >> 33) % (uint64_t)n);
}

static double uniform(void)
{
    return (double)(float)(below(1 << 20) * 0x1p-19 - 1);
}

static dg_dtype dtype_of(const program *p, int reg)
{
    return reg < p->strip.n_in ? p->in_dtype[reg] : p->code[reg - p->strip.n_in].dtype;
}

/* A register of the dtype, any but -1. */
static int some_reg(const program *p, dg_dtype t, int n)
{
    int found[MOST_IN + MOST_CODE], count = 0;
    for (int r = 0; r < n; r++) {
        if (dtype_of(p, r) == t) found[count++] = r;
    }
    return count > 0 ? found[below(count)] : -1;
}

static void add_code(program *p, const char *name, int n, int a, int b, int c)
{
    dg_strip_code *code = &p->code[p->strip.n_code];
    *code = (dg_strip_code){.op = dg_op_find(name), .in = {a, b, c}, .n_in = n};
    dg_dtype in[3];
    for (int i = 0; i < n; i++) in[i] = dtype_of(p, code->in[i]);
    code->dtype = strcmp(name, "lt") == 0 ? DG_BOOL : DG_F32;
    code->lanes = dg_lanes_find(code->op, code->dtype, in, n);
    assert_non_null(code->lanes);
    p->strip.n_code++;
}

/* Input 0 has the space's shape and input `n_in - 1` is a bool. */
static void make(program *p, dg_arena *a, int64_t most)
{
    static const int64_t sizes[] = {1, 2, 3, 5, 7, 16, 33, 130, 257, 1030};
    memset(p, 0, sizeof *p);
    dg_strip *s = &p->strip;
    s->space.rank = below(5);
    for (int i = 0; i < s->space.rank; i++) {
        do s->space.dim[i] = sizes[below(10)];
        while (dg_shape_count(&(dg_shape){
                   i + 1, {s->space.dim[0], s->space.dim[1], s->space.dim[2], s->space.dim[3]}}) >
               most);
    }
    s->n_in = 2 + below(MOST_IN - 1);
    s->in_dtype = p->in_dtype;
    s->code = p->code;
    s->out = p->out;
    for (int i = 0; i < s->n_in; i++) {
        p->in_dtype[i] = i == s->n_in - 1 ? DG_BOOL : DG_F32;
        p->in[i] = s->space;
        if (i > 0 && below(5) == 0) p->in[i].rank = 0;
        for (int d = 0; i > 0 && d < p->in[i].rank; d++) {
            if (below(2)) p->in[i].dim[d] = 1;
        }
        int64_t n = dg_shape_count(&p->in[i]);
        p->value[i] = dg_arena_alloc(a, (size_t)n * 8);
        for (int64_t j = 0; j < n; j++) {
            if (p->in_dtype[i] == DG_BOOL)
                ((uint8_t *)p->value[i])[j] = (uint8_t)below(2);
            else
                p->value[i][j] = uniform();
        }
    }
    int codes = 1 + below(MOST_CODE);
    static const char *const names[] = {"add",     "sub", "mul",   "maximum", "tanh",
                                        "sigmoid", "neg", "where", "lt"};
    for (int i = 0; i < codes; i++) {
        int n = s->n_in + s->n_code, x = some_reg(p, DG_F32, n), y = some_reg(p, DG_F32, n),
            kind = below(9);
        if (kind < 4)
            add_code(p, names[kind], 2, x, y, -1);
        else if (kind < 7)
            add_code(p, names[kind], 1, x, -1, -1);
        else if (kind == 7)
            add_code(p, "where", 3, some_reg(p, DG_BOOL, n), x, y);
        else
            add_code(p, "lt", 2, some_reg(p, DG_F32, s->n_in), some_reg(p, DG_F32, s->n_in),
                     -1); /* exact on inputs */
        if (kind == 2)
            add_code(p, "tanh", 1, s->n_in + s->n_code - 1, -1, -1); /* keeps products small */
        if (s->n_code >= MOST_CODE - 1) break;
    }
    s->n_out = 1 + below(MOST_OUT);
    for (int o = 0; o < s->n_out; o++) {
        p->out[o].reg =
            below(4) ? some_reg(p, DG_F32, s->n_in + s->n_code) : s->n_in + s->n_code - 1;
        dg_dtype t = dtype_of(p, p->out[o].reg);
        p->out[o].reduce = t == DG_F32 && below(3) == 0 ? below(s->space.rank + 1) : 0;
        p->result[o] = (dg_type){t, s->space};
        p->result[o].shape.rank -= p->out[o].reduce;
        p->want[o] = dg_arena_alloc(a, (size_t)dg_shape_count(&p->result[o].shape) * 8);
    }
    dg_view in[MOST_IN], out[MOST_OUT];
    for (int i = 0; i < s->n_in; i++) {
        in[i] = (dg_view){.data = p->value[i],
                          .dtype = p->in_dtype[i] == DG_F32 ? DG_F64 : p->in_dtype[i],
                          .shape = p->in[i]};
        dg_view_pack(&in[i]);
    }
    for (int o = 0; o < s->n_out; o++) {
        out[o] = (dg_view){.data = p->want[o],
                           .dtype = p->result[o].dtype == DG_F32 ? DG_F64 : p->result[o].dtype,
                           .shape = p->result[o].shape};
        dg_view_pack(&out[o]);
    }
    dg_attrs none = {0, NULL};
    dg_call call = {.in = in,
                    .out = out,
                    .n_in = s->n_in,
                    .n_out = s->n_out,
                    .n_own = s->n_in,
                    .attrs = &none,
                    .strip = s};
    dg_op_find("fused")->ref(&call);
}

/* A view of fresh memory; layout: 0 packed, 1 axes reversed, 2 gaps. */
static dg_view fresh(dg_arena *a, dg_dtype t, dg_shape shape, int layout)
{
    dg_view v = {.dtype = t, .shape = shape};
    int64_t step = 1;
    for (int n = 0; n < shape.rank; n++) {
        int axis = layout == 1 ? n : shape.rank - 1 - n;
        v.stride[axis] = step * (layout == 2 && n == 0 ? 2 : 1);
        step = v.stride[axis] * (shape.dim[axis] + (layout == 2));
    }
    char *all = dg_arena_alloc(a, (size_t)(step + GUARD) * dg_dtype_size(t));
    memset(all, 0xff, (size_t)(step + GUARD) * dg_dtype_size(t));
    v.data = all;
    return v;
}

static char *element(const dg_view *v, int64_t i)
{
    int64_t at = 0;
    for (int a = v->shape.rank - 1; a >= 0; a--) {
        at += i % v->shape.dim[a] * v->stride[a];
        i /= v->shape.dim[a];
    }
    return (char *)v->data + at * (int64_t)dg_dtype_size(v->dtype);
}

static void load_input(const program *p, int i, const dg_view *v)
{
    for (int64_t j = 0; j < dg_shape_count(&v->shape); j++) {
        if (v->dtype == DG_BOOL)
            *(uint8_t *)element(v, j) = ((uint8_t *)p->value[i])[j];
        else
            *(float *)(void *)element(v, j) = (float)p->value[i][j];
    }
}

static void compare(const program *p, int o, const dg_view *v, const char *what)
{
    int64_t n = dg_shape_count(&v->shape), row = dg_shape_count(&p->strip.space) / n;
    double error = 0, size = p->out[o].reduce ? 1e-2 * (double)(n * row)
                                              : 1e-6 * (double)n; /* sums may cancel */
    for (int64_t j = 0; j < n; j++) {
        double x = v->dtype == DG_BOOL ? *(uint8_t *)element(v, j)
                                       : (double)*(float *)(void *)element(v, j);
        double y = v->dtype == DG_BOOL ? ((uint8_t *)p->want[o])[j] : p->want[o][j];
        error += (x - y) * (x - y);
        size += y * y;
    }
    if (!(error <= 1e-11 * size))
        print_error("%s: output %d of %d (reduce %d) is off by %g\n", what, o, p->strip.n_out,
                    p->out[o].reduce, error / size);
    assert_true(error <= 1e-11 * size);
}

static void run(const program *p, dg_arena *a, const dg_view *in, const dg_view *out, dg_isa isa,
                int threads)
{
    const dg_strip *s = &p->strip;
    op_pool pool = {.threads = threads};
    for (int i = 0; i < 4; i++) pool.scratch[i] = dg_arena_alloc(a, (size_t)dg_strip_scratch(s));
    dg_run how = {.isa = isa, .parallel = threads < 0 ? NULL : op_pool_run, .pool = &pool};
    dg_attrs none = {0, NULL};
    dg_call call = {.in = in,
                    .out = out,
                    .n_in = s->n_in,
                    .n_out = s->n_out,
                    .n_own = s->n_in,
                    .attrs = &none,
                    .strip = s,
                    .run = &how,
                    .workspace = dg_arena_alloc(a, (size_t)dg_strip_workspace(NULL, s)),
                    .scratch = pool.scratch[0]};
    dg_strip_run(&call);
}

static void random_strips(int seed, int count, int64_t most)
{
    state = (uint64_t)seed;
    for (int round = 0; round < count; round++) {
        dg_arena *a = dg_arena_new();
        program p;
        make(&p, a, most);
        const dg_strip *s = &p.strip;
        for (dg_isa isa = DG_GENERIC; isa <= dg_isa_of_cpu(); isa++) {
            dg_view in[MOST_IN], out[MOST_OUT], other[MOST_OUT];
            for (int i = 0; i < s->n_in; i++) {
                in[i] = fresh(a, p.in_dtype[i], p.in[i], below(3));
                load_input(&p, i, &in[i]);
            }
            for (int o = 0; o < s->n_out; o++) {
                int layout = p.out[o].reduce ? 0 : below(3);
                out[o] = fresh(a, p.result[o].dtype, p.result[o].shape, layout);
                other[o] = fresh(a, p.result[o].dtype, p.result[o].shape, layout);
            }
            run(&p, a, in, out, isa, -1);
            for (int o = 0; o < s->n_out; o++) compare(&p, o, &out[o], "strip");
            run(&p, a, in, other, isa, below(2) ? 0 : 2 + below(3));
            for (int o = 0; o < s->n_out; o++) {
                for (int64_t j = 0; j < dg_shape_count(&out[o].shape); j++)
                    assert_memory_equal(element(&out[o], j), element(&other[o], j),
                                        dg_dtype_size(out[o].dtype));
            }
            /* stored output 0 over input 0, which has the space's shape */
            if (p.out[0].reduce == 0 && p.result[0].dtype == DG_F32) {
                in[0] = fresh(a, DG_F32, p.in[0], 0);
                load_input(&p, 0, &in[0]);
                other[0] = in[0];
                run(&p, a, in, other, isa, below(2) ? -1 : 2);
                for (int o = 0; o < s->n_out; o++) compare(&p, o, &other[o], "in place");
            }
        }
        dg_arena_free(a);
    }
}

static void small_spaces(void **unused)
{
    (void)unused;
    random_strips(1, 400, 3000);
}

static void large_spaces(void **unused)
{
    (void)unused;
    random_strips(2, 25, 300000);
}

/* Arithmetic alone: bit for bit what each op's lanes give on whole arrays, on every ISA, whatever
 * the operands' layouts and however the program falls into chains. */
static void arithmetic(void **unused)
{
    (void)unused;
    state = 4;
    static const char *const names[] = {"add", "sub", "mul", "div", "neg", "square", "maximum"};
    for (int round = 0; round < 300; round++) {
        dg_arena *a = dg_arena_new();
        program p;
        make(&p, a, 6000);
        dg_strip *s = &p.strip;
        int codes = s->n_code;
        s->n_code = s->n_out = 0;
        for (int i = 0; i < codes; i++) {
            int n = s->n_in + s->n_code, kind = below(7), unary = kind == 4 || kind == 5;
            add_code(&p, names[kind], unary ? 1 : 2, some_reg(&p, DG_F32, n),
                     unary ? -1 : some_reg(&p, DG_F32, n), -1);
        }
        int64_t n = dg_shape_count(&s->space);
        float *reg[MOST_IN + MOST_CODE]; /* each as a whole array */
        dg_view in[MOST_IN], out[MOST_OUT];
        for (int i = 0; i < s->n_in; i++) {
            in[i] = fresh(a, p.in_dtype[i], p.in[i], below(3));
            load_input(&p, i, &in[i]);
            reg[i] = dg_arena_alloc(a, (size_t)n * sizeof(float));
            for (int64_t j = 0; j < n && p.in_dtype[i] == DG_F32; j++) {
                dg_view wide = {.data = in[i].data, .dtype = DG_F32, .shape = s->space};
                for (int d = 0; d < s->space.rank; d++)
                    wide.stride[d] = p.in[i].rank == 0 || p.in[i].dim[d] == 1 ? 0 : in[i].stride[d];
                reg[i][j] = *(float *)(void *)element(&wide, j);
            }
        }
        for (int c = 0; c < s->n_code; c++) {
            reg[s->n_in + c] = dg_arena_alloc(a, (size_t)n * sizeof(float));
            for (int64_t j = 0; j < n; j++) {
                const void *from[3];
                for (int k = 0; k < p.code[c].n_in; k++) from[k] = reg[p.code[c].in[k]] + j;
                p.code[c].lanes->fn[DG_GENERIC](reg[s->n_in + c] + j, from, 1, &p.code[c].attrs);
            }
        }
        s->n_out = 1 + below(MOST_OUT);
        for (int o = 0; o < s->n_out; o++)
            p.out[o] = (dg_strip_out){.reg = o == 0 ? s->n_in + s->n_code - 1
                                                    : some_reg(&p, DG_F32, s->n_in + s->n_code)};
        for (dg_isa isa = DG_GENERIC; isa <= dg_isa_of_cpu(); isa++) {
            for (int o = 0; o < s->n_out; o++) out[o] = fresh(a, DG_F32, s->space, below(3));
            run(&p, a, in, out, isa, 2);
            for (int o = 0; o < s->n_out; o++) {
                for (int64_t j = 0; j < n; j++) {
                    float x = *(float *)(void *)element(&out[o], j), y = reg[p.out[o].reg][j];
                    assert_true(memcmp(&x, &y, sizeof x) == 0 || (isnan(x) && isnan(y)));
                }
            }
        }
        dg_arena_free(a);
    }
}

/* Boxes that tile the space give what the whole gives; nothing else is touched. */
static void boxes(void **unused)
{
    (void)unused;
    state = 3;
    for (int round = 0; round < 200; round++) {
        dg_arena *a = dg_arena_new();
        program p;
        do make(&p, a, 5000);
        while (p.strip.space.rank == 0);
        dg_strip s = p.strip;
        s.n_out = 1;
        p.out[0].reduce = 0;
        p.out[0].reg = s.n_in + s.n_code - 1;
        p.result[0] = (dg_type){dtype_of(&p, p.out[0].reg), s.space};
        dg_view in[MOST_IN], whole = fresh(a, p.result[0].dtype, s.space, 0),
                             tiled = fresh(a, p.result[0].dtype, s.space, 0);
        for (int i = 0; i < s.n_in; i++) {
            in[i] = fresh(a, p.in_dtype[i], p.in[i], below(3));
            load_input(&p, i, &in[i]);
        }
        p.strip = s;
        dg_run how = {.isa = dg_isa_of_cpu()};
        dg_call call = {.run = &how};
        void *scratch = dg_arena_alloc(a, (size_t)dg_strip_scratch(&s));
        int64_t origin[DG_MAX_RANK] = {0};
        dg_strip_run_box(&call, &s, in, &whole, origin, s.space.dim, scratch);
        int axis = below(s.space.rank);
        int64_t step = 1 + below((int)s.space.dim[axis]);
        for (int64_t at = 0; at < s.space.dim[axis]; at += step) {
            int64_t start[DG_MAX_RANK] = {0}, extent[DG_MAX_RANK];
            memcpy(extent, s.space.dim, sizeof extent);
            start[axis] = at;
            extent[axis] = at + step < s.space.dim[axis] ? step : s.space.dim[axis] - at;
            dg_strip_run_box(&call, &s, in, &tiled, start, extent, scratch);
        }
        size_t size = dg_dtype_size(whole.dtype);
        for (int64_t j = 0; j < dg_shape_count(&s.space); j++) {
            /* the run's length may move an element between the vector part and its rest: one
             * unit */
            float x, y;
            if (size != 4) {
                assert_memory_equal(element(&whole, j), element(&tiled, j), size);
                continue;
            }
            memcpy(&x, element(&whole, j), 4);
            memcpy(&y, element(&tiled, j), 4);
            assert_true(fabsf(x - y) <= 1e-6f * (1 + fabsf(x)));
        }
        assert_memory_equal((char *)tiled.data + (size_t)dg_shape_count(&s.space) * size,
                            "\xff\xff\xff\xff", 4);
        dg_arena_free(a);
    }
}

/* i32 sums wrap, also over several pieces. */
static void integer_sums(void **unused)
{
    (void)unused;
    enum { N = 100000 };
    dg_arena *a = dg_arena_new();
    int32_t *x = dg_arena_alloc(a, N * 4), total = 0, want = 0;
    for (int i = 0; i < N; i++) {
        x[i] = (int32_t)((uint32_t)i * 40503u);
        want = (int32_t)((uint32_t)want + 2 * (uint32_t)x[i]);
    }
    program p = {.in_dtype = {DG_I32}, .in = {DG_SHAPE(N)}};
    p.strip = (dg_strip){.space = DG_SHAPE(N),
                         .n_in = 1,
                         .n_out = 1,
                         .in_dtype = p.in_dtype,
                         .code = p.code,
                         .out = p.out};
    dg_dtype both[] = {DG_I32, DG_I32};
    p.code[0] =
        (dg_strip_code){.op = dg_op_find("add"), .in = {0, 0, -1}, .n_in = 2, .dtype = DG_I32};
    p.code[0].lanes = dg_lanes_find(p.code[0].op, DG_I32, both, 2);
    p.strip.n_code = 1;
    p.out[0] = (dg_strip_out){.reg = 1, .reduce = 1};
    dg_view in = {.data = x, .dtype = DG_I32, .shape = DG_SHAPE(N), .stride = {1}},
            out = {.data = &total, .dtype = DG_I32};
    run(&p, a, &in, &out, dg_isa_of_cpu(), 2);
    assert_int_equal(total, want);
    dg_arena_free(a);
}

/* Draws: in a box of any place and size each element has the number that the whole draw gives it,
 * and so has the reference. */
static void draws(void **unused)
{
    (void)unused;
    state = 6;
    for (int round = 0; round < 300; round++) {
        dg_arena *a = dg_arena_new();
        program p;
        do make(&p, a, 5000);
        while (p.strip.space.rank == 0);
        dg_strip *s = &p.strip;
        dg_attr attrs[] = {dg_attr_of_ints(a, "shape", s->space.dim, s->space.rank),
                           dg_attr_of_int("key", 12345 + round)};
        int32_t trip = below(50);
        dg_dtype in_dtype[] = {DG_I32, DG_F32};
        s->in_dtype = in_dtype;
        s->n_in = 2;
        p.in_dtype[0] = DG_I32, p.in_dtype[1] = DG_F32;
        s->n_code = s->n_out = 0;
        add_code(&p, "rand", 1, 0, -1, -1);
        p.code[0].attrs = (dg_attrs){2, attrs};
        add_code(&p, "add", 2, 1, 2, -1);
        p.out[s->n_out++] = (dg_strip_out){.reg = 3};

        int64_t n = dg_shape_count(&s->space), start[DG_MAX_RANK] = {0}, extent[DG_MAX_RANK] = {0};
        dg_run how = {.isa = (dg_isa)below(DG_ISAS), .seed = 99, .step = 4, .sample0 = below(3)};
        if (how.isa > dg_isa_of_cpu()) how.isa = dg_isa_of_cpu();
        dg_call call = {.run = &how, .strip = s};
        dg_view in[] = {{.data = &trip, .dtype = DG_I32}, fresh(a, DG_F32, s->space, below(3))},
                out = fresh(a, DG_F32, s->space, below(3));
        for (int64_t j = 0; j < n; j++) *(float *)(void *)element(&in[1], j) = 0;
        bool all = below(3) == 0; /* one row of all: longer than a run */
        for (int d = 0; d < s->space.rank; d++) {
            start[d] = all ? 0 : below((int)s->space.dim[d]);
            extent[d] = all ? s->space.dim[d] : 1 + below((int)(s->space.dim[d] - start[d]));
        }
        void *scratch = dg_arena_alloc(a, (size_t)dg_strip_scratch(s));
        dg_strip_run_box(&call, s, in, &out, start, extent, scratch);

        float *whole = dg_arena_alloc(a, (size_t)n * 4);
        dg_rng rng = {99 ^ (12345 + (uint64_t)round), (uint32_t)trip, 4};
        dg_rng_uniform(&rng, (uint64_t)(how.sample0 * n / s->space.dim[0]), n, whole);
        for (int64_t j = 0; j < n; j++) {
            bool inside = true;
            int64_t left = j;
            for (int d = s->space.rank - 1; d >= 0; d--) {
                int64_t at = left % s->space.dim[d];
                inside = inside && at >= start[d] && at < start[d] + extent[d];
                left /= s->space.dim[d];
            }
            if (inside) assert_memory_equal(element(&out, j), &whole[j], 4);
        }
        double *wide = dg_arena_alloc(a, (size_t)n * 8), *ones = dg_arena_alloc(a, (size_t)n * 8);
        for (int64_t j = 0; j < n; j++) ones[j] = 1;
        in[1] = (dg_view){.data = ones, .dtype = DG_F32, .shape = s->space};
        out = (dg_view){.data = wide, .dtype = DG_F32, .shape = s->space};
        call.in = in, call.out = &out;
        dg_op_find("fused")->ref(&call);
        for (int64_t j = 0; j < n; j++) assert_true(wide[j] == 1 + (double)whole[j]);
        dg_arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_spaces), cmocka_unit_test(large_spaces),
        cmocka_unit_test(arithmetic),   cmocka_unit_test(boxes),
        cmocka_unit_test(integer_sums), cmocka_unit_test(draws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* op_check.c: the checks of op_check.h, one part below the other: cases as graphs, kernels, views,
 * gradients. */
#include "tests/support/op_check.h"

#include "tests/support/graph_run.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 16 };

/* ---- a case as a graph of one node ---- */

typedef struct check {
    const dg_op *op;
    const op_case *c;
    dg_arena *arena;
    const char *wrong; /* the first thing that is */
    dg_module *m;
    dg_build b;
    int n_in, n_out;
    dg_type in[MOST], out[MOST];
    dg_attrs attrs;
    double *value[MOST]; /* of the inputs; ints as doubles */
} check;

__attribute__((format(printf, 2, 3))) static bool wrong(check *k, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!k->wrong) k->wrong = dg_arena_vprintf(k->arena, format, args);
    va_end(args);
    return false;
}

static dg_dtype dtype_named(const char *at, size_t n)
{
    for (int t = 0; t < DG_DTYPES; t++) {
        if (strlen(dg_dtype_name((dg_dtype)t)) == n &&
            strncmp(at, dg_dtype_name((dg_dtype)t), n) == 0)
            return (dg_dtype)t;
    }
    return DG_POISON;
}

static bool parse_types(check *k, bool as_double)
{
    for (const char *at = k->c->types; *at;) {
        at += strspn(at, " ");
        if (!*at) break;
        size_t n = strcspn(at, "[ ");
        dg_type *t = &k->in[k->n_in++];
        *t = (dg_type){.dtype = dtype_named(at, n)};
        if (t->dtype == DG_POISON || k->n_in == MOST)
            return wrong(k, "the case's types do not read: %s", k->c->types);
        if (as_double && dg_dtype_is_float(t->dtype)) t->dtype = DG_F64;
        at += n;
        if (*at != '[') continue;
        while (*at != ']') {
            char *end;
            t->shape.dim[t->shape.rank++] = strtoll(at + 1, &end, 10);
            at = end;
        }
        at++;
    }
    return true;
}

/* "[1,2]" or "3": at most 64 numbers. */
static int parse_numbers(const char *at, size_t length, double *out)
{
    int n = 0;
    const char *end = at + length;
    if (*at == '[') at++;
    while (at < end && *at != ']') {
        char *after;
        out[n++] = strtod(at, &after);
        at = *after == ',' ? after + 1 : after;
        if (after == end) break;
    }
    return n;
}

static int parse_attrs(check *k, dg_attr *out)
{
    int n = 0;
    dg_dtype data = DG_F32;
    for (const char *at = k->c->attrs; *at;) {
        at += strspn(at, " ");
        if (!*at) break;
        size_t name = strcspn(at, "="), length = strcspn(at + name + 1, " ");
        const char *text = at + name + 1;
        const dg_attr_spec *spec = k->op->attrs;
        while (spec && spec->name &&
               (strlen(spec->name) != name || strncmp(spec->name, at, name) != 0))
            spec++;
        const char *key = dg_arena_text(k->arena, at, name);
        double v[64] = {0};
        int count = spec && spec->name && spec->kind == DG_STR ? 0 : parse_numbers(text, length, v);
        int64_t whole[64];
        for (int i = 0; i < count; i++) whole[i] = (int64_t)v[i];
        dg_attr_kind kind = spec && spec->name ? spec->kind : DG_INT;
        if (kind == DG_INT)
            out[n] = dg_attr_of_int(key, whole[0]);
        else if (kind == DG_FLOAT)
            out[n] = dg_attr_of_float(key, v[0]);
        else if (kind == DG_INTS)
            out[n] = dg_attr_of_ints(k->arena, key, whole, count);
        else if (kind == DG_FLOATS)
            out[n] = dg_attr_of_floats(k->arena, key, v, count);
        else if (kind == DG_STR)
            out[n] = dg_attr_of_str(k->arena, key, dg_arena_text(k->arena, text, length));
        else {
            int32_t *ints = DG_NEW_ARRAY(k->arena, int32_t, count);
            for (int i = 0; i < count; i++) ints[i] = (int32_t)v[i];
            bool floats = dg_dtype_is_float(data);
            out[n] = (dg_attr){.name = key, .kind = DG_DATA, .n = count * (floats ? 8 : 4)};
            out[n].v.data = floats ? dg_arena_copy(k->arena, v, (size_t)count * 8) : (void *)ints;
        }
        if (strcmp(key, "dtype") == 0) data = (dg_dtype)whole[0];
        n++;
        at = text + length;
    }
    return n;
}

static void refused(void *ctx, const dg_infer *t)
{
    check *k = ctx;
    if (!k->wrong) k->wrong = dg_arena_printf(k->arena, "refused: %s", t->what);
}

/* Splitmix: the same numbers everywhere. */
static double uniform(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

static void fill_values(check *k)
{
    const op_case *c = k->c;
    double low = c->low, high = c->high;
    int int_low = c->int_low, int_high = c->int_high;
    if (low == 0 && high == 0) low = -2, high = 2;
    if (int_low == 0 && int_high == 0) int_low = -9, int_high = 10;
    for (int i = 0; i < k->n_in; i++) {
        int64_t n = dg_shape_count(&k->in[i].shape);
        uint64_t state = (uint64_t)i * 1000003 + (uint64_t)n;
        double *v = k->value[i] = DG_NEW_ARRAY(k->arena, double, n);
        for (int64_t j = 0; j < n; j++) {
            double u = uniform(&state);
            switch (k->in[i].dtype) {
            case DG_I32:
                v[j] = int_low + floor(u * ((double)int_high - int_low));
                break;
            case DG_U8:
                v[j] = floor(u * 256);
                break;
            case DG_BOOL:
                v[j] = u < 0.5;
                break;
            default:
                v[j] = (double)(float)(low + u * (high - low));
                break; /* a float holds it */
            }
        }
        if (c->fill) c->fill(i, n, v);
        for (int64_t j = 0; j < n && dg_dtype_is_float(k->in[i].dtype); j++)
            v[j] = (double)(float)v[j];
    }
}

/* Builds the node; the inputs are places 0 .. n_in-1. DG_NONE after a refusal. */
static dg_node build(check *k, bool as_double, dg_value *in)
{
    k->n_in = 0;
    memset(k->in, 0, sizeof k->in);
    if (!parse_types(k, as_double)) return DG_NONE;
    k->m = test_module_new();
    k->b = test_builder(k->m);
    k->b.refused = refused;
    k->b.ctx = k;
    for (int i = 0; i < k->n_in; i++)
        in[i] = test_place(&k->b, k->m, k->in[i].dtype, k->in[i].shape);
    dg_attr given[16];
    int n = parse_attrs(k, given);
    dg_node node = dg_build_node(&k->b, k->op, given, n, in, k->n_in);
    if (node == DG_NONE) return node;
    const dg_node_info *info = dg_node_of(k->m->graph, node);
    k->attrs = dg_attrs_copy(k->arena, &info->attrs);
    k->n_out = info->n_out;
    for (int i = 0; i < info->n_out && i < MOST; i++)
        k->out[i] = *dg_type_of(k->m->graph, info->out[i]);
    return node;
}

/* ---- buffers ---- */

enum { GUARD = 256 };

typedef struct buffer {
    char *all, *data;
    size_t bytes;
} buffer;

/* Filled with 0xff: NaN in floats. */
static buffer buffer_new(size_t bytes)
{
    size_t room = (bytes + 2 * GUARD + 63) / 64 * 64;
    buffer b = {.all = aligned_alloc(64, room), .bytes = bytes};
    if (!b.all) abort();
    memset(b.all, 0x5c, room);
    b.data = b.all + GUARD;
    memset(b.data, 0xff, bytes);
    return b;
}

static bool guards_hold(const buffer *b)
{
    for (int i = 0; i < GUARD; i++) {
        if (b->all[i] != 0x5c || b->data[b->bytes + (size_t)i] != 0x5c) return false;
    }
    return true;
}

static void put(void *at, dg_dtype t, int64_t i, double v)
{
    switch (t) {
    case DG_F32:
        ((float *)at)[i] = (float)v;
        break;
    case DG_F64:
        ((double *)at)[i] = v;
        break;
    case DG_I32:
        ((int32_t *)at)[i] = (int32_t)v;
        break;
    default:
        ((uint8_t *)at)[i] = (uint8_t)v;
        break;
    }
}

static double get(const void *at, dg_dtype t, int64_t i)
{
    switch (t) {
    case DG_F32:
        return (double)((const float *)at)[i];
    case DG_F64:
        return ((const double *)at)[i];
    case DG_I32:
        return ((const int32_t *)at)[i];
    default:
        return ((const uint8_t *)at)[i];
    }
}

static int64_t offset_of(const dg_view *v, int64_t i)
{
    int64_t at = 0;
    for (int a = v->shape.rank - 1; a >= 0; a--) {
        at += i % v->shape.dim[a] * v->stride[a];
        i /= v->shape.dim[a];
    }
    return at;
}

/* ---- reference ---- */

static dg_dtype widened(dg_dtype t)
{
    return t == DG_F32 ? DG_F64 : t;
}

typedef struct failure {
    atomic_int any;
    char text[256];
} failure;

static void note_failure(void *ctx, const dg_call *k, const char *message)
{
    (void)k;
    failure *f = ctx;
    if (!atomic_fetch_add(&f->any, 1)) snprintf(f->text, sizeof f->text, "%s", message);
}

static dg_run a_run(failure *f)
{
    return (dg_run){.seed = 12345, .step = 3, .sample0 = 2, .fail = note_failure, .fail_ctx = f};
}

/* Calls ref on `value`; results as doubles in out[] (arena). */
static void run_reference(check *k, double *const *value, double **out, failure *f)
{
    dg_view in[MOST], to[MOST];
    for (int i = 0; i < k->n_in; i++) {
        int64_t n = dg_shape_count(&k->in[i].shape);
        in[i] = (dg_view){.dtype = widened(k->in[i].dtype), .shape = k->in[i].shape};
        in[i].data = dg_arena_alloc(k->arena, (size_t)n * 8);
        dg_view_pack(&in[i]);
        for (int64_t j = 0; j < n; j++) put(in[i].data, in[i].dtype, j, value[i][j]);
    }
    for (int i = 0; i < k->n_out; i++) {
        to[i] = (dg_view){.dtype = widened(k->out[i].dtype), .shape = k->out[i].shape};
        size_t bytes = (size_t)dg_shape_count(&to[i].shape) * 8;
        to[i].data = dg_arena_alloc(k->arena, bytes);
        memset(to[i].data, 0xff, bytes);
        dg_view_pack(&to[i]);
    }
    dg_run run = a_run(f);
    dg_call call = {.in = in,
                    .out = to,
                    .n_in = k->n_in,
                    .n_out = k->n_out,
                    .n_own = k->n_in,
                    .attrs = &k->attrs,
                    .run = &run};
    k->op->ref(&call);
    for (int i = 0; i < k->n_out; i++) {
        int64_t n = dg_shape_count(&k->out[i].shape);
        out[i] = DG_NEW_ARRAY(k->arena, double, n);
        for (int64_t j = 0; j < n; j++) out[i][j] = get(to[i].data, to[i].dtype, j);
    }
}

/* ---- threads ---- */

typedef struct team {
    const op_pool *pool;
    const dg_call *k;
    int64_t count;
    dg_piece_fn *piece;
    atomic_llong next;
    atomic_int member;
} team;

static void *work(void *arg)
{
    team *t = arg;
    dg_call k = *t->k;
    k.scratch = t->pool->scratch[atomic_fetch_add(&t->member, 1)];
    for (int64_t i; (i = atomic_fetch_add(&t->next, 1)) < t->count;)
        t->piece(&k, t->pool->threads == 0 ? t->count - 1 - i : i);
    return NULL;
}

void op_pool_run(void *pool, const dg_call *k, int64_t count, dg_piece_fn *piece)
{
    team t = {.pool = pool, .k = k, .count = count, .piece = piece};
    pthread_t id[8];
    for (int i = 1; i < t.pool->threads; i++) {
        if (pthread_create(&id[i], NULL, work, &t) != 0) abort();
    }
    work(&t);
    for (int i = 1; i < t.pool->threads; i++) pthread_join(id[i], NULL);
}

/* ---- kernels ---- */

typedef enum layout { PACKED, TRANSPOSED, GAPPED, LAYOUTS } layout;
static const char *const layout_names[] = {"packed", "transposed", "gapped"};

/* Strides of an input stored with its axes in reverse, or with room between rows. Returns the
 * elements it spans. */
static int64_t lay_out(dg_view *v, layout l)
{
    int64_t step = 1;
    for (int n = 0; n < v->shape.rank; n++) {
        int a = l == TRANSPOSED ? n : v->shape.rank - 1 - n;
        v->stride[a] = step * (l == GAPPED && n == 0 ? 2 : 1);
        step = v->stride[a] * (v->shape.dim[a] + (l == GAPPED ? 1 : 0));
    }
    return step;
}

static bool takes_strides(const dg_kernel *kernel, int input)
{
    return kernel->strided >> 31 || (input < 31 && kernel->strided >> input & 1);
}

typedef struct result {
    buffer out[MOST];
} result;

static void result_free(check *k, result *r)
{
    for (int i = 0; i < k->n_out; i++) free(r->out[i].all);
}

static bool same_bytes(check *k, const result *a, const result *b, int *output)
{
    for (int i = 0; i < k->n_out; i++) {
        *output = i;
        if (memcmp(a->out[i].data, b->out[i].data, a->out[i].bytes) != 0) return false;
    }
    return true;
}

/* threads: -1: no pool. over: input whose bytes output 0 takes, -1. */
static bool run_kernel(check *k, const dg_kernel *kernel, dg_isa isa, layout l, int threads,
                       int over, failure *f, result *r)
{
    dg_view in[MOST], out[MOST];
    buffer held[MOST], before[MOST];
    for (int i = 0; i < k->n_in; i++) {
        in[i] = (dg_view){.dtype = k->in[i].dtype, .shape = k->in[i].shape};
        int64_t span = lay_out(&in[i], takes_strides(kernel, i) ? l : PACKED);
        held[i] = buffer_new((size_t)span * dg_dtype_size(in[i].dtype));
        in[i].data = held[i].data;
        for (int64_t j = 0; j < dg_shape_count(&in[i].shape); j++)
            put(in[i].data, in[i].dtype, offset_of(&in[i], j), k->value[i][j]);
        before[i] = buffer_new(held[i].bytes);
        memcpy(before[i].data, held[i].data, held[i].bytes);
    }
    for (int i = 0; i < k->n_out; i++) {
        out[i] = (dg_view){.dtype = k->out[i].dtype, .shape = k->out[i].shape};
        dg_view_pack(&out[i]);
        r->out[i] = buffer_new((size_t)dg_type_bytes(&k->out[i]));
        out[i].data = i == 0 && over >= 0 ? held[over].data : r->out[i].data;
    }
    dg_infer types = {.op = k->op,
                      .attrs = &k->attrs,
                      .n_in = k->n_in,
                      .in = k->in,
                      .out = k->out,
                      .n_out = k->n_out,
                      .input = {-1, -1},
                      .arena = k->arena};
    buffer workspace = buffer_new(kernel->workspace ? (size_t)kernel->workspace(&types, NULL) : 0),
           scratch[8];
    op_pool pool = {.threads = threads};
    int workers = threads > 1 ? threads : 1;
    for (int i = 0; i < workers; i++) {
        scratch[i] = buffer_new(kernel->scratch ? (size_t)kernel->scratch(&types, NULL) : 0);
        pool.scratch[i] = scratch[i].data;
    }
    dg_run run = a_run(f);
    run.isa = isa;
    run.parallel = threads < 0 ? NULL : op_pool_run;
    run.pool = &pool;
    dg_call call = {.in = in,
                    .out = out,
                    .n_in = k->n_in,
                    .n_out = k->n_out,
                    .n_own = k->n_in,
                    .attrs = &k->attrs,
                    .run = &run,
                    .workspace = workspace.data,
                    .scratch = scratch[0].data};
    kernel->run(&call);

    bool good = guards_hold(&workspace);
    for (int i = 0; i < workers; i++) good &= guards_hold(&scratch[i]);
    if (!good) wrong(k, "writes outside of its workspace or scratch");
    for (int i = 0; i < k->n_in; i++) {
        if (!guards_hold(&held[i]) ||
            (i != over && memcmp(held[i].data, before[i].data, held[i].bytes) != 0))
            good = wrong(k, "writes to input %d", i);
    }
    if (over >= 0) memcpy(r->out[0].data, held[over].data, r->out[0].bytes);
    for (int i = 0; i < k->n_out; i++) {
        if (!guards_hold(&r->out[i])) good = wrong(k, "writes outside of output %d", i);
    }
    for (int i = 0; i < k->n_in; i++) {
        free(held[i].all);
        free(before[i].all);
    }
    for (int i = 0; i < workers; i++) free(scratch[i].all);
    free(workspace.all);
    return good;
}

static bool near_reference(check *k, const result *r, double *const *want)
{
    double tolerance = k->c->tolerance > 0            ? k->c->tolerance
                       : k->op->traits & DG_GEMM_LIKE ? 1e-10
                                                      : 1e-12;
    for (int i = 0; i < k->n_out; i++) {
        int64_t n = dg_shape_count(&k->out[i].shape);
        bool floats = dg_dtype_is_float(k->out[i].dtype);
        double error = 0, size = 0;
        for (int64_t j = 0; j < n; j++) {
            double x = get(r->out[i].data, k->out[i].dtype, j), y = want[i][j];
            if (k->out[i].dtype == DG_F32 && fabs(y) > 3.4028235e38)
                y = copysign((double)INFINITY, y);
            bool same = x == y || (isnan(x) && isnan(y));
            if (!same && (!floats || !isfinite(x) || !isfinite(y)))
                return wrong(k, "output %d, element %lld is %.9g and not %.9g", i, (long long)j, x,
                             y);
            if (!isfinite(y)) continue;
            error += (x - y) * (x - y);
            size += y * y;
        }
        if (error > tolerance * size)
            return wrong(k, "output %d is off by %.3g of its mean square", i, error / size);
    }
    return true;
}

/* One kernel on one ISA, all layouts, all ways to run it. */
static bool check_kernel(check *k, const dg_kernel *kernel, dg_isa isa, double *const *want)
{
    failure f = {.any = 0};
    for (layout l = PACKED; l < LAYOUTS; l++) {
        if (l != PACKED && !kernel->strided) break;
        result once, again;
        bool good =
            run_kernel(k, kernel, isa, l, -1, -1, &f, &once) && near_reference(k, &once, want);
        for (int threads = 0; good && threads <= 4; threads++) {
            int output;
            if (threads == 1 || (l == GAPPED && threads > 2)) continue;
            good = run_kernel(k, kernel, isa, l, threads, -1, &f, &again);
            if (good && !same_bytes(k, &once, &again, &output))
                good = threads == 0
                           ? wrong(k, "output %d depends on the order of the pieces", output)
                           : wrong(k, "output %d differs on %d threads", output, threads);
            result_free(k, &again);
        }
        for (int i = 0; good && l == PACKED && i < k->n_in && i < 32; i++) {
            if (!(k->op->in_place >> i & 1) || !dg_type_equal(&k->in[i], &k->out[0])) continue;
            for (int threads = -1; good && threads <= 2; threads += 3) {
                int output;
                good = run_kernel(k, kernel, isa, l, threads, i, &f, &again);
                if (good && !same_bytes(k, &once, &again, &output))
                    good = wrong(k, "output %d differs over input %d", output, i);
                result_free(k, &again);
            }
        }
        result_free(k, &once);
        if (good && f.any) good = wrong(k, "fails: %s", f.text);
        if (!good) {
            k->wrong = dg_arena_printf(k->arena, "kernel %s, %s, %s: %s", kernel->name,
                                       dg_isa_name(isa), layout_names[l], k->wrong);
            return false;
        }
    }
    return true;
}

static bool kernel_fits(check *k, const dg_kernel *kernel)
{
    dg_infer types = {.op = k->op,
                      .attrs = &k->attrs,
                      .n_in = k->n_in,
                      .in = k->in,
                      .out = k->out,
                      .n_out = k->n_out,
                      .input = {-1, -1},
                      .arena = k->arena};
    dg_dtype t = k->n_in > 0 ? k->in[0].dtype : k->out[0].dtype;
    return (kernel->any_dtype || kernel->dtype == t) && (!kernel->fits || kernel->fits(&types));
}

static bool check_kernels(check *k, double *const *want)
{
    dg_isa best = dg_isa_of_cpu();
    for (const dg_kernel *kernel = k->op->kernels; kernel && kernel->run; kernel++) {
        if (!kernel_fits(k, kernel)) continue;
        for (dg_isa isa = kernel->least_isa; isa <= best; isa++) {
            if (k->c->fails) {
                failure f = {.any = 0};
                result r;
                bool good = run_kernel(k, kernel, isa, PACKED, -1, -1, &f, &r);
                result_free(k, &r);
                if (!good) return false;
                if (!f.any || !strstr(f.text, k->c->fails))
                    return wrong(k, "kernel %s does not fail so, but: \"%s\"", kernel->name,
                                 f.text);
            } else if (!check_kernel(k, kernel, isa, want)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- views ---- */

static bool check_view(check *k, double *const *want)
{
    if (!k->op->view) return true;
    for (layout l = PACKED; l < LAYOUTS; l++) {
        dg_view in = {.dtype = k->in[0].dtype, .shape = k->in[0].shape},
                out = {.dtype = k->out[0].dtype, .shape = k->out[0].shape};
        buffer held = buffer_new((size_t)lay_out(&in, l) * dg_dtype_size(in.dtype));
        in.data = held.data;
        out.data = held.data;
        for (int64_t j = 0; j < dg_shape_count(&in.shape); j++)
            put(in.data, in.dtype, offset_of(&in, j), k->value[0][j]);
        bool good = true, given = k->op->view(&k->attrs, &in, &out);
        if (!given && l == PACKED && k->op->traits & DG_VIEW && strcmp(k->op->name, "reshape") == 0)
            good = wrong(k, "a packed value could have been viewed");
        for (int64_t j = 0; good && given && j < dg_shape_count(&out.shape); j++) {
            const char *at =
                (const char *)out.data + offset_of(&out, j) * (int64_t)dg_dtype_size(out.dtype);
            if (at < held.data || at >= held.data + held.bytes)
                good = wrong(k, "%s: the view leaves its input", layout_names[l]);
            else if (get(at, out.dtype, 0) != want[0][j])
                good = wrong(k, "%s: element %lld of the view is %.9g and not %.9g",
                             layout_names[l], (long long)j, get(at, out.dtype, 0), want[0][j]);
        }
        free(held.all);
        if (!good) return false;
    }
    return true;
}

/* ---- gradients ---- */

static bool is_float_value(const dg_build *b, dg_value v)
{
    return dg_dtype_is_float(dg_dtype_of(b, v));
}

/* Adjoints of all values from those of some: every node's grad, last first. `adjoint` holds room
 * for `room` values. */
static bool walk_back(check *k, dg_value *adjoint, dg_value room)
{
    dg_graph *g = k->m->graph;
    dg_arena *a = k->arena;
    DG_VEC(dg_node) order = {0};
    DG_EACH_NODE(g, 0, n) dg_vec_push(&order, n);
    bool good = true;
    for (size_t at = order.n; good && at-- > 0;) {
        dg_node_info i = *dg_node_of(g, order.at[at]);
        bool reached = false;
        for (int o = 0; o < i.n_out; o++)
            reached |= i.out[o] < room && adjoint[i.out[o]] != DG_NONE;
        if (!reached || !i.op->grad || i.op->traits & DG_STOPS_GRADIENT) continue;
        bool *want = DG_NEW_ARRAY(a, bool, i.n_in);
        dg_value *din = DG_NEW_ARRAY(a, dg_value, i.n_in),
                 *dout = DG_NEW_ARRAY(a, dg_value, i.n_out);
        for (int n = 0; n < i.n_in; n++) {
            want[n] = is_float_value(&k->b, i.in[n]);
            din[n] = DG_NONE;
        }
        for (int o = 0; o < i.n_out; o++) dout[o] = adjoint[i.out[o]];
        i.op->grad(&(dg_grad){.build = &k->b,
                              .attrs = &i.attrs,
                              .n_in = i.n_in,
                              .n_out = i.n_out,
                              .in = i.in,
                              .out = i.out,
                              .dout = dout,
                              .want = want,
                              .din = din});
        for (int n = 0; good && n < i.n_in; n++) {
            if (din[n] == DG_NONE || !want[n]) continue;
            if (!dg_type_equal(dg_type_of(g, din[n]), dg_type_of(g, i.in[n])))
                good = wrong(k, "the gradient of %s by input %d is %s and not %s", i.op->name, n,
                             dg_type_name(a, dg_type_of(g, din[n])),
                             dg_type_name(a, dg_type_of(g, i.in[n])));
            if (i.in[n] >= room) continue;
            adjoint[i.in[n]] =
                adjoint[i.in[n]] == DG_NONE ? din[n] : dg_add(&k->b, adjoint[i.in[n]], din[n]);
        }
    }
    dg_vec_free(&order);
    return good;
}

static dg_value *no_adjoints(check *k)
{
    size_t n = k->m->graph->values.n;
    dg_value *adjoint = DG_NEW_ARRAY(k->arena, dg_value, n);
    for (size_t i = 0; i < n; i++) adjoint[i] = DG_NONE;
    return adjoint;
}

/* Data of the module's places, one after the other. */
typedef struct inputs {
    int n;
    void *data[4 * MOST];
    dg_value value[4 * MOST];
} inputs;

static dg_value new_place(check *k, inputs *p, dg_type t, const double *values)
{
    int64_t n = dg_shape_count(&t.shape);
    uint64_t state = 77 + (uint64_t)p->n;
    void *data = p->data[p->n] = dg_arena_alloc(k->arena, (size_t)n * 8);
    for (int64_t j = 0; j < n; j++)
        put(data, t.dtype, j, values ? values[j] : uniform(&state) * 2 - 1);
    dg_value v = test_place(&k->b, k->m, t.dtype, t.shape);
    p->value[p->n++] = v;
    return v;
}

/* <x, y> summed over all elements, f64 whatever theirs is */
static dg_value inner_product(check *k, dg_value x, dg_value y)
{
    dg_axes all = {0};
    for (int a = 0; a < dg_shape_of(&k->b, x).rank; a++) all.axis[all.n++] = a;
    dg_value sum = dg_sum(&k->b, dg_mul(&k->b, x, y), all);
    return dg_dtype_of(&k->b, sum) == DG_F64 ? sum : dg_cast(&k->b, sum, DG_F64);
}

/* The module's first output is a number, the others are its adjoints d[i] by the places: against
 * central differences. */
static bool check_differences(check *k, const inputs *p, const dg_value *d, double rtol,
                              double atol, const char *what)
{
    double value[2], *have[4 * MOST];
    void *out[4 * MOST + 1];
    int outputs = 0;
    out[outputs++] = &value[0];
    for (int i = 0; i < p->n; i++) {
        have[i] = NULL;
        if (d[i] == DG_NONE) continue;
        dg_shape s = dg_shape_of(&k->b, p->value[i]);
        out[outputs++] = have[i] = DG_NEW_ARRAY(k->arena, double, dg_shape_count(&s));
    }
    if (!test_run(k->m, (const void *const *)p->data, out))
        return wrong(k, "%s: the run failed", what);

    /* From here on the number alone is wanted: the list of nodes ends at its output. */
    dg_node last = dg_region_of(k->m->graph, 0)->first;
    while (strcmp(dg_node_of(k->m->graph, last)->op->name, "output") != 0)
        last = dg_node_of(k->m->graph, last)->next;
    dg_node rest = dg_node_of(k->m->graph, last)->next;
    dg_node_of(k->m->graph, last)->next = DG_NONE;
    bool good = true;
    for (int i = 0; good && i < p->n; i++) {
        if (!is_float_value(&k->b, p->value[i])) continue;
        dg_shape s = dg_shape_of(&k->b, p->value[i]);
        int64_t count = dg_shape_count(&s), step = count > 48 ? count / 48 : 1;
        double *x = p->data[i];
        for (int64_t j = 0; good && j < count; j += step) {
            const double h = 1e-5;
            double x0 = x[j];
            for (int side = 0; side < 2; side++) {
                x[j] = side ? x0 - h : x0 + h;
                out[0] = &value[side];
                test_run(k->m, (const void *const *)p->data, out);
            }
            x[j] = x0;
            double want = (value[0] - value[1]) / (2 * h), got = have[i] ? have[i][j] : 0;
            if (!(fabs(got - want) <= atol + rtol * fabs(want)))
                good = wrong(k, "%s by input %d, element %lld: %.9g, differences say %.9g", what, i,
                             (long long)j, got, want);
        }
    }
    dg_node_of(k->m->graph, last)->next = rest;
    return good;
}

/* first: adjoints of <outputs, cotangents>; second: those of <adjoints, further cotangents> by
 * everything. */
static bool check_gradient(check *k, bool second)
{
    dg_value in[MOST], d[4 * MOST];
    dg_node node = build(k, true, in);
    if (node == DG_NONE) {
        k->wrong = NULL; /* not an op of doubles */
        if (k->m) test_module_free(k->m);
        return true;
    }
    inputs p = {.n = 0};
    for (int i = 0; i < k->n_in; i++) {
        p.data[i] = dg_arena_alloc(k->arena, (size_t)dg_shape_count(&k->in[i].shape) * 8);
        p.value[i] = in[i];
        for (int64_t j = 0; j < dg_shape_count(&k->in[i].shape); j++)
            put(p.data[i], k->in[i].dtype, j, k->value[i][j]);
    }
    p.n = k->n_in;
    dg_value loss = DG_NONE;
    for (int o = 0; o < k->n_out; o++) {
        dg_value y = dg_node_of(k->m->graph, node)->out[o];
        if (!is_float_value(&k->b, y)) continue;
        dg_value part = inner_product(k, y, new_place(k, &p, k->out[o], NULL));
        loss = loss == DG_NONE ? part : dg_add(&k->b, loss, part);
    }
    bool good = true;
    for (int order = 1; good && loss != DG_NONE && order <= (second ? 2 : 1); order++) {
        bool checked = order == (second ? 2 : 1);
        if (checked) test_output(&k->b, k->m, loss);
        dg_value *adjoint = no_adjoints(k);
        dg_value room = (dg_value)k->m->graph->values.n;
        adjoint[loss] = dg_number(&k->b, loss, 1);
        good = walk_back(k, adjoint, room);
        dg_value next = DG_NONE;
        int n = p.n;
        for (int i = 0; i < n; i++) d[i] = adjoint[p.value[i]];
        for (int i = 0; good && i < n; i++) {
            if (d[i] == DG_NONE) continue;
            if (checked) {
                test_output(&k->b, k->m, d[i]);
            } else {
                dg_value part =
                    inner_product(k, d[i], new_place(k, &p, *dg_type_of(k->m->graph, d[i]), NULL));
                next = next == DG_NONE ? part : dg_add(&k->b, next, part);
            }
        }
        if (!checked) loss = next;
    }
    good = good && !k->wrong; /* a refusal while the gradient was built */
    if (good && loss != DG_NONE) {
        if (second)
            good = check_differences(k, &p, d, 1e-4, 1e-6, "second gradient");
        else
            good = check_differences(k, &p, d, 1e-5, 1e-7, "gradient");
    }
    test_module_free(k->m);
    k->m = NULL;
    return good;
}

/* expand() and simplify(): other nodes, the same numbers. */
static bool check_rewrites(check *k)
{
    dg_value in[MOST], out[MOST];
    dg_type types[MOST];
    double *want[MOST];
    failure f = {.any = 0};
    if (!k->op->expand && !k->op->simplify) return true;
    if (build(k, true, in) == DG_NONE) {
        k->wrong = NULL;
        if (k->m) test_module_free(k->m);
        return true;
    }
    run_reference(k, k->value, want, &f);
    bool good = true, made = false;
    if (k->op->expand) {
        dg_grad g = {
            .build = &k->b, .attrs = &k->attrs, .n_in = k->n_in, .n_out = k->n_out, .in = in};
        made = k->op->expand(&g, out);
    } else {
        for (int i = 0; i < k->n_out; i++) types[i] = k->out[i];
        out[0] = k->op->simplify(&k->b, &k->attrs, in, k->n_in, types);
        made = out[0] != DG_NONE;
    }
    if (made) {
        int n = k->op->expand ? k->n_out : 1;
        const void *data[MOST];
        void *to[MOST];
        for (int i = 0; i < k->n_in; i++) {
            void *at = dg_arena_alloc(k->arena, (size_t)dg_shape_count(&k->in[i].shape) * 8);
            for (int64_t j = 0; j < dg_shape_count(&k->in[i].shape); j++)
                put(at, k->in[i].dtype, j, k->value[i][j]);
            data[i] = at;
        }
        for (int i = 0; good && i < n; i++) {
            if (!dg_type_equal(dg_type_of(k->m->graph, out[i]), &k->out[i]))
                good = wrong(k, "the rewritten output %d is %s", i,
                             dg_type_name(k->arena, dg_type_of(k->m->graph, out[i])));
            test_output(&k->b, k->m, out[i]);
            to[i] = dg_arena_alloc(k->arena, (size_t)dg_shape_count(&k->out[i].shape) * 8);
        }
        if (good && !test_run(k->m, data, to)) good = wrong(k, "the rewritten nodes fail");
        for (int i = 0; good && i < n; i++) {
            for (int64_t j = 0; good && j < dg_shape_count(&k->out[i].shape); j++) {
                double x = get(to[i], widened(k->out[i].dtype), j), y = want[i][j];
                if (!(fabs(x - y) <= 1e-12 * (1 + fabs(y))) && !(isnan(x) && isnan(y)))
                    good = wrong(k, "rewritten, output %d, element %lld is %.17g and not %.17g", i,
                                 (long long)j, x, y);
            }
        }
    }
    test_module_free(k->m);
    k->m = NULL;
    return good;
}

/* ---- a case ---- */

const char *op_check(const dg_op *op, const op_case *c, dg_arena *arena)
{
    check k = {.op = op, .c = c, .arena = arena};
    dg_value in[MOST];
    double *want[MOST];
    dg_node node = build(&k, false, in);
    if (k.m) test_module_free(k.m);
    k.m = NULL;
    if (c->message) {
        if (node != DG_NONE) return "accepted, though it should be refused";
        if (!strstr(k.wrong, c->message))
            return dg_arena_printf(arena, "the refusal is not \"%s\": %s", c->message, k.wrong);
        return NULL;
    }
    if (node == DG_NONE) return k.wrong;
    if (!op->ref) return NULL; /* the executor's own */
    fill_values(&k);
    failure f = {.any = 0};
    run_reference(&k, k.value, want, &f);
    if (c->fails) {
        if (!f.any || !strstr(f.text, c->fails))
            return dg_arena_printf(arena, "the reference does not fail so, but: \"%s\"", f.text);
        check_kernels(&k, want);
        return k.wrong;
    }
    if (f.any) return dg_arena_printf(arena, "the reference fails: %s", f.text);
    bool good = check_kernels(&k, want) && check_view(&k, want) && check_rewrites(&k);
    if (good && op->grad && !c->no_grad_check && k.n_in > 0) {
        good = check_gradient(&k, false);
        if (good && !c->no_second_check) check_gradient(&k, true);
    }
    return k.wrong;
}

const double *op_reference(const dg_op *op, const op_case *c, dg_arena *arena, int64_t *n)
{
    check k = {.op = op, .c = c, .arena = arena};
    dg_value in[MOST];
    double *out[MOST];
    dg_node node = build(&k, false, in);
    if (k.m) test_module_free(k.m);
    if (node == DG_NONE) return NULL;
    fill_values(&k);
    failure f = {.any = 0};
    run_reference(&k, k.value, out, &f);
    *n = dg_shape_count(&k.out[0].shape);
    return out[0];
}

/* ---- cmocka ---- */

typedef struct job {
    const dg_op *op;
    const op_case *c;
} job;

static void run_job(void **state)
{
    const job *j = *state;
    dg_arena *arena = dg_arena_new();
    const char *text = op_check(j->op, j->c, arena);
    if (text) print_error("%s(%s) {%s}: %s\n", j->op->name, j->c->types, j->c->attrs, text);
    bool good = !text;
    dg_arena_free(arena);
    assert_true(good);
}

int op_test(const char *name, const op_case *cases, int n)
{
    dg_arena *arena = dg_arena_new();
    const dg_op *op = dg_op_find(name);
    if (!op) {
        print_error("there is no op %s\n", name);
        return 1;
    }
    struct CMUnitTest *tests = DG_NEW_ARRAY(arena, struct CMUnitTest, n);
    for (int i = 0; i < n; i++) {
        job *j = DG_NEW(arena, job);
        *j = (job){op, &cases[i]};
        tests[i] = (struct CMUnitTest){.name = dg_arena_printf(arena, "%s %s{%s}",
                                                               cases[i].message ? "BAD" : "OK",
                                                               cases[i].types, cases[i].attrs),
                                       .test_func = run_job,
                                       .initial_state = j};
    }
    int failed = _cmocka_run_group_tests(name, tests, (size_t)n, NULL, NULL);
    dg_arena_free(arena);
    return failed;
}

/* op_check_kernel.c: every kernel that fits, on every ISA, in every layout, over its inputs and on
 * several threads, against ref; and views. */
#include "tests/support/op_check_parts.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void op_put(void *at, dg_dtype t, int64_t i, double v)
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

double op_get(const void *at, dg_dtype t, int64_t i)
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

dg_dtype op_widened(dg_dtype t)
{
    return t == DG_F32 ? DG_F64 : t;
}

static void note_failure(void *ctx, const dg_call *k, const char *message)
{
    (void)k;
    op_failure *f = ctx;
    if (!atomic_fetch_add(&f->any, 1)) snprintf(f->text, sizeof f->text, "%s", message);
}

static dg_run a_run(op_failure *f)
{
    return (dg_run){.seed = 12345, .step = 3, .sample0 = 2, .fail = note_failure, .fail_ctx = f};
}

void op_run_reference(op_checked *k, double *const *value, double **out, op_failure *f)
{
    dg_view in[OP_MOST], to[OP_MOST];
    for (int i = 0; i < k->n_in; i++) {
        int64_t n = dg_shape_count(&k->in[i].shape);
        in[i] = (dg_view){.dtype = op_widened(k->in[i].dtype), .shape = k->in[i].shape};
        in[i].data = dg_arena_alloc(k->arena, (size_t)n * 8);
        dg_view_pack(&in[i]);
        for (int64_t j = 0; j < n; j++) op_put(in[i].data, in[i].dtype, j, value[i][j]);
    }
    for (int i = 0; i < k->n_out; i++) {
        to[i] = (dg_view){.dtype = op_widened(k->out[i].dtype), .shape = k->out[i].shape};
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
        for (int64_t j = 0; j < n; j++) out[i][j] = op_get(to[i].data, to[i].dtype, j);
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

/* Strides of an output whose rows lie apart. */
static int64_t lay_rows(dg_view *v)
{
    int64_t step = 1;
    bool row = false; /* the axis that steps 1 is behind */
    for (int a = v->shape.rank - 1; a >= 0; a--) {
        v->stride[a] = step;
        step *= v->shape.dim[a] + (row && v->shape.dim[a] > 1 ? 1 : 0);
        if (!row && v->shape.dim[a] > 1) {
            row = true;
            step += 3;
        }
    }
    return step;
}

typedef struct result {
    buffer out[OP_MOST];
} result;

static void result_free(op_checked *k, result *r)
{
    for (int i = 0; i < k->n_out; i++) free(r->out[i].all);
}

static bool same_bytes(op_checked *k, const result *a, const result *b, int *output)
{
    for (int i = 0; i < k->n_out; i++) {
        *output = i;
        if (memcmp(a->out[i].data, b->out[i].data, a->out[i].bytes) != 0) return false;
    }
    return true;
}

/* Outputs that may lie apart do so in the gapped layout, one element behind an aligned place. */
static bool lies_apart(const dg_kernel *kernel, layout l, int over, int output)
{
    return l == GAPPED && over < 0 && output < 32 && kernel->writes >> output & 1;
}

/* The results to their packed places; false where anything between the rows was written. */
static bool bring_together(const dg_view *out, const buffer *apart, char *packed)
{
    int64_t n = dg_shape_count(&out->shape), size = (int64_t)dg_dtype_size(out->dtype);
    for (int64_t j = 0; j < n; j++) {
        char *at = (char *)out->data + offset_of(out, j) * size;
        memcpy(packed + j * size, at, (size_t)size);
        memset(at, 0xff, (size_t)size);
    }
    for (size_t i = 0; i < apart->bytes; i++)
        if ((unsigned char)apart->data[i] != 0xff) return false;
    return guards_hold(apart);
}

static dg_infer types_of(op_checked *k)
{
    for (int i = 0; i < k->n_in; i++) k->given[i] = &k->in[i];
    return (dg_infer){.op = k->op,
                      .attrs = &k->attrs,
                      .n_in = k->n_in,
                      .in = k->given,
                      .out = k->out,
                      .n_out = k->n_out,
                      .input = {-1, -1},
                      .arena = k->arena};
}

/* threads: -1: no pool. over: input whose bytes output 0 takes, -1. */
static bool run_kernel(op_checked *k, const dg_kernel *kernel, dg_isa isa, layout l, int threads,
                       int over, op_failure *f, result *r)
{
    dg_view in[OP_MOST], out[OP_MOST];
    buffer held[OP_MOST], before[OP_MOST], apart[OP_MOST];
    for (int i = 0; i < k->n_in; i++) {
        in[i] = (dg_view){.dtype = k->in[i].dtype, .shape = k->in[i].shape};
        int64_t span = lay_out(&in[i], takes_strides(kernel, i) ? l : PACKED);
        held[i] = buffer_new((size_t)span * dg_dtype_size(in[i].dtype));
        in[i].data = held[i].data;
        for (int64_t j = 0; j < dg_shape_count(&in[i].shape); j++)
            op_put(in[i].data, in[i].dtype, offset_of(&in[i], j), k->value[i][j]);
        before[i] = buffer_new(held[i].bytes);
        memcpy(before[i].data, held[i].data, held[i].bytes);
    }
    for (int i = 0; i < k->n_out; i++) {
        out[i] = (dg_view){.dtype = k->out[i].dtype, .shape = k->out[i].shape};
        dg_view_pack(&out[i]);
        r->out[i] = buffer_new((size_t)dg_type_bytes(&k->out[i]));
        out[i].data = i == 0 && over >= 0 ? held[over].data : r->out[i].data;
        if (!lies_apart(kernel, l, over, i)) continue;
        size_t size = dg_dtype_size(out[i].dtype);
        apart[i] = buffer_new((size_t)(lay_rows(&out[i]) + 1) * size);
        out[i].data = apart[i].data + size;
    }
    dg_infer types = types_of(k);
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
    if (!good) op_wrong(k, "writes outside of its workspace or scratch");
    for (int i = 0; i < k->n_in; i++) {
        if (!guards_hold(&held[i]) ||
            (i != over && memcmp(held[i].data, before[i].data, held[i].bytes) != 0))
            good = op_wrong(k, "writes to input %d", i);
    }
    if (over >= 0) memcpy(r->out[0].data, held[over].data, r->out[0].bytes);
    for (int i = 0; i < k->n_out; i++) {
        if (lies_apart(kernel, l, over, i)) {
            if (!bring_together(&out[i], &apart[i], r->out[i].data))
                good = op_wrong(k, "writes between the rows of output %d", i);
            free(apart[i].all);
        }
        if (!guards_hold(&r->out[i])) good = op_wrong(k, "writes outside of output %d", i);
    }
    for (int i = 0; i < k->n_in; i++) {
        free(held[i].all);
        free(before[i].all);
    }
    for (int i = 0; i < workers; i++) free(scratch[i].all);
    free(workspace.all);
    return good;
}

static bool near_reference(op_checked *k, const result *r, double *const *want)
{
    double tolerance = k->c->tolerance > 0            ? k->c->tolerance
                       : k->op->traits & DG_GEMM_LIKE ? 1e-10
                                                      : 1e-12;
    for (int i = 0; i < k->n_out; i++) {
        int64_t n = dg_shape_count(&k->out[i].shape);
        bool floats = dg_dtype_is_float(k->out[i].dtype);
        double error = 0, size = 0;
        for (int64_t j = 0; j < n; j++) {
            double x = op_get(r->out[i].data, k->out[i].dtype, j), y = want[i][j];
            if (k->out[i].dtype == DG_F32 && fabs(y) > 3.4028235e38)
                y = copysign((double)INFINITY, y);
            bool same = x == y || (isnan(x) && isnan(y));
            if (!same && (!floats || !isfinite(x) || !isfinite(y)))
                return op_wrong(k, "output %d, element %lld is %.9g and not %.9g", i, (long long)j,
                                x, y);
            if (!isfinite(y)) continue;
            error += (x - y) * (x - y);
            size += y * y;
        }
        if (error > tolerance * size)
            return op_wrong(k, "output %d is off by %.3g of its mean square", i, error / size);
    }
    return true;
}

/* Output 0 may be written over input i. */
static bool may_overwrite(op_checked *k, const dg_kernel *kernel, int i)
{
    if (!dg_type_equal(&k->in[i], &k->out[0])) return false;
    if (k->op->in_place >> i & 1) return true;
    dg_infer types = types_of(k);
    return kernel->over && kernel->parts >> i & 1 && kernel->over(&types);
}

/* One kernel on one ISA, all layouts, all ways to run it. */
static bool check_kernel(op_checked *k, const dg_kernel *kernel, dg_isa isa, double *const *want)
{
    op_failure f = {.any = 0};
    for (layout l = PACKED; l < LAYOUTS; l++) {
        if (l != PACKED && !kernel->strided && !kernel->writes) break;
        result once, again;
        bool good =
            run_kernel(k, kernel, isa, l, -1, -1, &f, &once) && near_reference(k, &once, want);
        for (int threads = 0; good && threads <= 4; threads++) {
            int output;
            if (threads == 1 || (l == GAPPED && threads > 2)) continue;
            good = run_kernel(k, kernel, isa, l, threads, -1, &f, &again);
            if (good && !same_bytes(k, &once, &again, &output))
                good = threads == 0
                           ? op_wrong(k, "output %d depends on the order of the pieces", output)
                           : op_wrong(k, "output %d differs on %d threads", output, threads);
            result_free(k, &again);
        }
        for (int i = 0; good && l == PACKED && i < k->n_in && i < 32; i++) {
            if (!may_overwrite(k, kernel, i)) continue;
            for (int threads = -1; good && threads <= 2; threads += 3) {
                int output;
                good = run_kernel(k, kernel, isa, l, threads, i, &f, &again);
                if (good && !same_bytes(k, &once, &again, &output))
                    good = op_wrong(k, "output %d differs over input %d", output, i);
                result_free(k, &again);
            }
        }
        result_free(k, &once);
        if (good && f.any) good = op_wrong(k, "fails: %s", f.text);
        if (!good) {
            k->wrong = dg_arena_printf(k->arena, "kernel %s, %s, %s: %s", kernel->name,
                                       dg_isa_name(isa), layout_names[l], k->wrong);
            return false;
        }
    }
    return true;
}

static bool kernel_fits(op_checked *k, const dg_kernel *kernel)
{
    dg_infer types = types_of(k);
    dg_dtype t = k->n_in > 0 ? k->in[0].dtype : k->out[0].dtype;
    return (kernel->any_dtype || kernel->dtype == t) && (!kernel->fits || kernel->fits(&types));
}

bool op_check_kernels(op_checked *k, double *const *want)
{
    dg_isa best = dg_isa_of_cpu();
    for (const dg_kernel *kernel = k->op->kernels; kernel && kernel->run; kernel++) {
        if (kernel->into || !kernel_fits(k, kernel)) continue;
        for (dg_isa isa = kernel->least_isa; isa <= best; isa++) {
            if (k->c->fails) {
                op_failure f = {.any = 0};
                result r;
                bool good = run_kernel(k, kernel, isa, PACKED, -1, -1, &f, &r);
                result_free(k, &r);
                if (!good) return false;
                if (!f.any || !strstr(f.text, k->c->fails))
                    return op_wrong(k, "kernel %s does not fail so, but: \"%s\"", kernel->name,
                                    f.text);
            } else if (!check_kernel(k, kernel, isa, want)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- views ---- */

/* From the result's strides to those of the input. */
static bool turns_round(op_checked *k, const dg_view *in, const dg_view *out)
{
    dg_view back = {.dtype = in->dtype, .shape = in->shape};
    if (!k->op->unview(&k->attrs, out, &back) || back.data != in->data)
        return op_wrong(k, "the view cannot be turned round");
    for (int a = 0; a < in->shape.rank; a++)
        if (in->shape.dim[a] > 1 && back.stride[a] != in->stride[a])
            return op_wrong(k, "turned round, axis %d of the view has another stride", a);
    return true;
}

bool op_check_view(op_checked *k, double *const *want)
{
    if (!k->op->view) return true;
    for (layout l = PACKED; l < LAYOUTS; l++) {
        dg_view in = {.dtype = k->in[0].dtype, .shape = k->in[0].shape},
                out = {.dtype = k->out[0].dtype, .shape = k->out[0].shape};
        buffer held = buffer_new((size_t)lay_out(&in, l) * dg_dtype_size(in.dtype));
        in.data = held.data;
        out.data = held.data;
        for (int64_t j = 0; j < dg_shape_count(&in.shape); j++)
            op_put(in.data, in.dtype, offset_of(&in, j), k->value[0][j]);
        bool good = true, given = k->op->view(&k->attrs, &in, &out);
        if (given && k->op->unview) good = turns_round(k, &in, &out);
        if (!given && l == PACKED && k->op->traits & DG_VIEW && strcmp(k->op->name, "reshape") == 0)
            good = op_wrong(k, "a packed value could have been viewed");
        for (int64_t j = 0; good && given && j < dg_shape_count(&out.shape); j++) {
            const char *at =
                (const char *)out.data + offset_of(&out, j) * (int64_t)dg_dtype_size(out.dtype);
            if (at < held.data || at >= held.data + held.bytes)
                good = op_wrong(k, "%s: the view leaves its input", layout_names[l]);
            else if (op_get(at, out.dtype, 0) != want[0][j])
                good =
                    op_wrong(k, "%s: element %lld of the view is %.9g and not %.9g",
                             layout_names[l], (long long)j, op_get(at, out.dtype, 0), want[0][j]);
        }
        free(held.all);
        if (!good) return false;
    }
    return true;
}

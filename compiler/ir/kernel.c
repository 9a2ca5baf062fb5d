/* kernel.c: views, pieces of work and failures as kernels use them. Threads and messages are handed
 * in by the runtime. */
#include "compiler/ir/kernel.h"

#include <stdarg.h>
#include <stdio.h>

const char *dg_isa_name(dg_isa isa)
{
    static const char *const names[] = {"generic", "avx2", "avx512"};
    return names[isa];
}

dg_isa dg_isa_of_cpu(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                __builtin_cpu_supports("bmi2");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
        return DG_AVX512;
    if (avx2) return DG_AVX2;
#endif
    return DG_GENERIC;
}

bool dg_view_contiguous(const dg_view *v)
{
    int64_t step = 1;
    for (int i = v->shape.rank - 1; i >= 0; i--) {
        if (v->shape.dim[i] == 0) return true;
        if (v->shape.dim[i] != 1 && v->stride[i] != step) return false;
        step *= v->shape.dim[i];
    }
    return true;
}

void dg_shape_pack(const dg_shape *s, int64_t *stride)
{
    int64_t step = 1;
    for (int i = s->rank - 1; i >= 0; i--) {
        stride[i] = step;
        step *= s->dim[i];
    }
}

void dg_view_pack(dg_view *v)
{
    dg_shape_pack(&v->shape, v->stride);
}

void dg_parallel(const dg_call *k, int64_t count, dg_piece_fn *piece)
{
    if (k->run && k->run->parallel) {
        k->run->parallel(k->run->pool, k, count, piece);
        return;
    }
    for (int64_t i = 0; i < count; i++) piece(k, i);
}

void dg_parallel_with(const dg_call *k, int64_t count, dg_piece_fn *piece, const void *arg)
{
    dg_call with = *k;
    with.arg = arg;
    dg_parallel(&with, count, piece);
}

void dg_fail(const dg_call *k, const char *format, ...)
{
    if (!k->run || !k->run->fail) return;
    char message[256];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    k->run->fail(k->run->fail_ctx, k, message);
}

/* ops.h: what an op's file includes. */
#ifndef DG_OPS_OPS_H
#define DG_OPS_OPS_H

#include "compiler/ir/build.h"
#include "compiler/ir/op.h"
#include "ops/support/copy.h"

/* ---- kernels for every ISA out of one body ---- */

/* A body is written once; DG_LANES makes the three variants, and the compiler vectorises each for
 * its ISA. Fused multiply-add is used where the ISA has it, so levels differ in rounding; the
 * plan's header names the level.
 *
 *     DG_LANES(silu_f32, {
 *         const float *x = in[0];
 *         float *y = out;
 *         for (int64_t i = 0; i < n; i++) y[i] = dg_siluf(x[i]);
 *     })
 *     ... .lanes = (const dg_lanes[]){{DG_F32, {DG_F32}, DG_LANES_OF(silu_f32)}, {0}} */
#if defined(__clang__) /* knows neither attribute */
#define DG_TARGET_AVX2 __attribute__((target("avx2,fma,bmi2")))
#define DG_TARGET_AVX512 __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,bmi2")))
#else
#define DG_TARGET_AVX2 __attribute__((target("avx2,fma,bmi2"), optimize("fp-contract=fast")))
#define DG_TARGET_AVX512                                                                           \
    __attribute__((                                                                                \
        target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,bmi2,prefer-vector-width=512"),        \
        optimize("fp-contract=fast")))
#endif
#define DG_LANES(name, ...)                                                                        \
    static inline __attribute__((always_inline)) void name##_body(                                 \
        void *restrict out, const void *const *in, int64_t n, const dg_attrs *attrs)               \
    {                                                                                              \
        (void)attrs;                                                                               \
        __VA_ARGS__                                                                                \
    }                                                                                              \
    static void name##_generic(void *out, const void *const *in, int64_t n, const dg_attrs *attrs) \
    {                                                                                              \
        name##_body(out, in, n, attrs);                                                            \
    }                                                                                              \
    DG_TARGET_AVX2 static void name##_avx2(void *out, const void *const *in, int64_t n,            \
                                           const dg_attrs *attrs)                                  \
    {                                                                                              \
        name##_body(out, in, n, attrs);                                                            \
    }                                                                                              \
    DG_TARGET_AVX512 static void name##_avx512(void *out, const void *const *in, int64_t n,        \
                                               const dg_attrs *attrs)                              \
    {                                                                                              \
        name##_body(out, in, n, attrs);                                                            \
    }
#define DG_VARIANTS_OF(name)                                                                       \
    {                                                                                              \
        name##_generic, name##_avx2, name##_avx512                                                 \
    }
/* The functions of a dg_lanes: those, and no draw. */
#define DG_LANES_OF(name) DG_VARIANTS_OF(name), NULL

/* The same for any function: NAME[isa](...) calls the variant. Helpers that the body calls must be
 * always_inline.
 *
 *     DG_VARIANTS(float, largest, (const float *x, int64_t n), (x, n), { ... return best; })
 *     ... largest[dg_isa_of(k)](row, n) ... */
#define DG_VARIANTS(result, name, params, args, ...)                                               \
    static inline __attribute__((always_inline)) result name##_body params                         \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }                                                                                              \
    static result name##_generic params                                                            \
    {                                                                                              \
        return name##_body args;                                                                   \
    }                                                                                              \
    DG_TARGET_AVX2 static result name##_avx2 params                                                \
    {                                                                                              \
        return name##_body args;                                                                   \
    }                                                                                              \
    DG_TARGET_AVX512 static result name##_avx512 params                                            \
    {                                                                                              \
        return name##_body args;                                                                   \
    }                                                                                              \
    static result (*const name[DG_ISAS]) params = DG_VARIANTS_OF(name);
static inline dg_isa dg_isa_of(const dg_call *k)
{
    return k->run ? k->run->isa : DG_GENERIC;
}

/* ---- the registry ---- */
const dg_op *dg_op_find(const char *name); /* NULL: unknown */
const dg_op *dg_op_at(int i);              /* alphabetical; NULL after the last */
/* Refuses an op without doc, infer, ref, and grad or no_grad: called when the library starts;
 * reports E901. */
bool dg_ops_check(dg_diag *d);

/* ---- strips (support/strip.c) ---- */
/* Runs a strip over the box [start, start + extent) of its space; in[i], out[i] are whole views of
 * the operands. Runs of the inner axes are at most DG_STRIP_RUN long. Reduced outputs are not
 * allowed here: epilogues store. `scratch` holds dg_strip_scratch bytes. */
void dg_strip_run_box(const dg_call *k, const dg_strip *s, const dg_view *in, const dg_view *out,
                      const int64_t *start, const int64_t *extent, void *scratch);
int64_t dg_strip_scratch(const dg_strip *s);
/* Applies the call's epilogue (if any) to a box of output 0 that the kernel has just written; it
 * may be called from several pieces at once. It uses the first dg_strip_scratch(k->strip) bytes of
 * k->scratch: a kernel of an op with an epilogue gives these in its `scratch` callback (0 for a
 * NULL strip) and keeps its own scratch behind them. */
void dg_epilogue(const dg_call *k, const int64_t *start, const int64_t *extent);
static inline int64_t dg_epilogue_bytes(
    const dg_strip *s) /* that share of k->scratch, rounded up to a cache line; 0 for NULL */
{
    return s ? (dg_strip_scratch(s) + 63) / 64 * 64 : 0;
}

/* The whole of op `fused`: stored and summed outputs, in parallel pieces that are fixed by the
 * strip's shape. */
void dg_strip_run(const dg_call *k);
int64_t dg_strip_workspace(const dg_infer *types, const dg_strip *s);
int64_t dg_strip_scratch_of(const dg_infer *types, const dg_strip *s);

/* An elementwise op on its own: a strip of one instruction. */
void dg_elementwise_run(const dg_call *k, const dg_op *op);
int64_t dg_elementwise_scratch(const dg_infer *types, const dg_strip *s);
#define DG_ELEMENTWISE_KERNELS(op)                                                                 \
    extern const dg_op dg_op_##op;                                                                 \
    static void run_alone(const dg_call *k)                                                        \
    {                                                                                              \
        dg_elementwise_run(k, &dg_op_##op);                                                        \
    }                                                                                              \
    static const dg_kernel kernels[] = {{"strip", run_alone, .any_dtype = true,                    \
                                         .strided = 1u << 31, .scratch = dg_elementwise_scratch},  \
                                        {0}};

/* ---- BLAS (support/blas.c: the one file that knows it) ---- */
/* Loads OpenBLAS once, with the core type chosen for this CPU, one thread per call. False with a
 * reason when it cannot be had. */
bool dg_blas_load(const char **why);
const char *
dg_blas_core(void); /* "SkylakeX": what the loaded library runs; "none" before loading */
/* The core type that suits this CPU, for OPENBLAS_CORETYPE; NULL: leave it to the library. OpenBLAS
 * reads the variable while it is loaded and the library never changes the environment, so programs
 * set it before anything else (unless the user did). */
const char *dg_blas_wanted_core(void);
const char *dg_blas_version(void);
/* Eigenvalues w[n], ascending, of the symmetric a[n, n], whose rows become the eigenvectors; all are
 * NaN if it does not converge. room: dg_eigh_bytes(n) bytes, at least n * n doubles. False, with a
 * as it was, where LAPACK cannot be had or n is beyond its ints. Safe from several threads. */
bool dg_eigh(int64_t n, double *a, double *w, double *room);
int64_t dg_eigh_bytes(int64_t n);

#endif

/* op_check.h: what every op's test does with a table of cases.
 *
 *     static const op_case cases[] = {
 *         OK("f32[2,8,3,5]", "groups=4"),
 *         OK("f32[7]", "", .low = 0.1, .high = 3),
 *         BAD("f32[2,96,4,4]", "groups=36", "96 channels do not divide into 36 groups"),
 *     };
 *     OP_TEST(group_norm, cases)
 *
 * For an OK case, with values that are the same in every run: every kernel that fits, on every ISA
 * of this machine, against ref in double (packed, transposed and gapped inputs where the kernel
 * takes strides; over its inputs where the op may; the bits the same on one and several threads;
 * nothing read or written outside); view(), expand(), simplify() and stack() against ref; grad
 * against central differences of ref in double, and the gradient of that again. */
#ifndef DG_TESTS_SUPPORT_OP_CHECK_H
#define DG_TESTS_SUPPORT_OP_CHECK_H

#include "ops/ops.h"

typedef struct op_case {
    const char *types;     /* "f32[2,8,3,5] i32[4] f32": one word for each input */
    const char *attrs;     /* "groups=4 pad=[1,1,0,0]": absent ones get their fallback */
    const char *message;   /* BAD: part of the refusal */
    double low, high;      /* floats are uniform in low .. high; both 0: -2 .. 2 */
    int int_low, int_high; /* ints are uniform in int_low .. int_high - 1; both 0: -9 .. 9 */
    /* Sets the n values of an input that are not to be as above; NULL: none. */
    void (*fill)(int input, int64_t n, double *values);
    const char *fails;  /* the run stops with a message that contains this */
    double tolerance;   /* mean squared error over mean square; 0: 1e-12, or 1e-10 for products */
    bool no_grad_check; /* values at a kink, or too many */
    bool no_second_check;
} op_case;

#define OK(types_, attrs_, ...)                                                                    \
    {                                                                                              \
        .types = types_, .attrs = attrs_, __VA_ARGS__                                              \
    }
#define BAD(types_, attrs_, message_)                                                              \
    {                                                                                              \
        .types = types_, .attrs = attrs_, .message = message_                                      \
    }

/* What is wrong, in `arena`; NULL when nothing is. The op need not be in the registry. */
const char *op_check(const dg_op *op, const op_case *c, dg_arena *arena);
/* What an accepted case computes with ref in double, output 0, in arena; NULL after a refusal. */
const double *op_reference(const dg_op *op, const op_case *c, dg_arena *arena, int64_t *n);

int op_test(const char *name, const op_case *cases, int n);
#define OP_TEST(name, cases)                                                                       \
    int main(void)                                                                                 \
    {                                                                                              \
        return op_test(#name, cases, (int)(sizeof(cases) / sizeof((cases)[0])));                   \
    }

/* A pool of plain threads for dg_run.parallel; scratch for each worker. threads: 0: one, pieces in
 * reverse order. */
typedef struct op_pool {
    int threads;
    char *scratch[8];
} op_pool;
void op_pool_run(void *pool, const dg_call *k, int64_t count, dg_piece_fn *piece);

#endif

/* tests/ops/eigh.c: sizes on both sides of LAPACK's switch to divide and conquer (25), several
 * matrices, x that is not symmetric, eigenvalues that are equal. The sign is compared too. */
#include "tests/support/op_check.h"

#include <math.h>
#include <stdlib.h>

/* diag(1, 1, 2, 2, 3) and zeros: vectors that are known, though the eigenvalues are equal. */
static void diagonal(int input, int64_t n, double *values)
{
    (void)input;
    int64_t side = (int64_t)sqrt((double)n);
    for (int64_t i = 0; i < n; i++)
        values[i] = i % (side + 1) == 0 ? (double)(1 + i / side / 2) : 0;
}

/* Of the second differences, eigenvalues 4 sin^2(pi k / 2 / (side + 1)): vectors with elements that
 * are equal but for their sign. */
static void differences(int input, int64_t n, double *values)
{
    (void)input;
    int64_t side = (int64_t)sqrt((double)n);
    for (int64_t i = 0; i < n; i++) {
        int64_t far = llabs(i / side - i % side);
        values[i] = far == 0 ? 2 : far == 1 ? -1 : 0;
    }
}

static void with_nan(int input, int64_t n, double *values)
{
    (void)input;
    for (int64_t i = 0; i < n; i++) values[i] = i == 5 ? NAN : (double)(i % 7);
}

static const op_case cases[] = {
    OK("f32[1,1]", ""),
    OK("f32[2,2]", ""),
    OK("f32[5,5]", ""),
    OK("f32[3,4,4]", ""),
    OK("f32[2,2,3,3]", ""),
    OK("f64[6,6]", ""),
    OK("f32[24,24]", "", .no_grad_check = true),
    OK("f32[65,65]", "", .no_grad_check = true),
    OK("f64[3,40,40]", "", .no_grad_check = true),
    OK("f32[7,7]", "", .fill = differences),
    OK("f32[30,30]", "", .fill = differences, .no_grad_check = true),
    OK("f32[5,5]", "", .fill = diagonal, .no_grad_check = true),
    OK("f32[2,3,3]", "", .fill = with_nan, .no_grad_check = true), /* the second matrix is finite */
    BAD("f32[3,4]", "", "the last two axes have sizes 3 and 4"),
    BAD("f32[3]", "", "`x` has rank 1"),
    BAD("i32[3,3]", "", "wanted are floats"),
};

OP_TEST(eigh, cases)

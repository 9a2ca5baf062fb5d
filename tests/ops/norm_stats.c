/* tests/ops/norm_stats.c: rows of every length; large values. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[3,7]", ""),
    OK("f32[2,3,5]", "eps=1e-3"),
    OK("f32[9]", ""),
    OK("f32[70,515]", "", .no_grad_check = true),
    OK("f32[3,9000]", "", .low = 99, .high = 101, .no_grad_check = true,
       .tolerance = 1e-10), /* the mean is kept as a float */
    BAD("f32", "", "`x` has rank 0"),
};

OP_TEST(norm_stats, cases)

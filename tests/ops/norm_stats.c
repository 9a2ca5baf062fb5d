/* tests/ops/norm_stats.c: rows of every length, and of groups of channels; large values. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[3,7]", ""),
    OK("f32[2,3,5]", "eps=1e-3"),
    OK("f32[9]", ""),
    OK("f32[70,515]", "", .no_grad_check = true),
    OK("f32[3,9000]", "", .low = 99, .high = 101, .no_grad_check = true,
       .tolerance = 1e-10), /* the mean is kept as a float */
    OK("f32[2,8,3,5]", "groups=4"),
    OK("f32[2,6,3]", "groups=6 eps=1e-3"),
    OK("f32[3,6]", "groups=1"),
    OK("f32[2,64,17,19]", "groups=32", .no_grad_check = true),
    BAD("f32", "", "`x` has rank 0"),
    BAD("f32[6]", "groups=2", "`x` has rank 1"),
    BAD("f32[2,6]", "groups=4", "6 channels do not divide into 4 groups"),
    BAD("f32[2,6]", "groups=-1", "6 channels do not divide into -1 groups"),
};

OP_TEST(norm_stats, cases)

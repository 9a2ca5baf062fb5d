/* tests/ops/group_sum.c: groups of one channel, of some, of all. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[2,8,1,1]", "groups=4"),
    OK("f32[3,6]", "groups=6"),
    OK("f32[2,6,1]", "groups=1"),
    OK("f32[4,384,1,1]", "groups=32", .no_grad_check = true),
    BAD("f32[2,96]", "groups=36", "96 channels do not divide into 36 groups"),
    BAD("f32[2,96]", "groups=0", "96 channels do not divide into 0 groups"),
    BAD("f32[2,4,3]", "groups=2", "wanted is f32[2, 4, 1]"),
    BAD("f32[96]", "groups=2", "`x` has rank 1"),
};

OP_TEST(group_sum, cases)

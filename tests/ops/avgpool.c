/* tests/ops/avgpool.c: means of squares. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[2,3,4,6]", "k=2"),
    OK("f32[1,2,6,3]", "k=3"),
    OK("f32[1,1,5,5]", "k=5"),
    OK("f32[2,1,3,4]", "k=1"),
    OK("f32[3,20,34,38]", "k=2", .no_grad_check = true),
    BAD("f32[1,2,5,4]", "k=2", "5x4 does not divide into squares of side 2"),
    BAD("f32[1,2,4,4]", "k=0", "does not divide into squares of side 0"),
};

OP_TEST(avgpool, cases)

/* tests/ops/upsample.c: repeated rows and columns. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[2,3,4,5]", "k=2"),
    OK("f32[1,2,3,3]", "k=3"),
    OK("f32[1,1,1,1]", "k=5"),
    OK("f32[2,1,3,4]", "k=1"),
    OK("f32[3,20,17,19]", "k=2", .no_grad_check = true),
    BAD("f32[1,2,3,3]", "k=0", "k is 0, wanted is 1 or more"),
    BAD("f32[2,3,3]", "k=2", "`x` has rank 3, wanted is rank 4"),
    BAD("i32[1,2,3,3]", "k=2", "wanted are floats"),
};

OP_TEST(upsample, cases)

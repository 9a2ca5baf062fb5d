/* tests/ops/grad.c: its shape rule; pass grad replaces it. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    BAD("f32[2] f32[2]", "", "`y` has rank 1, wanted is rank 0"),
    BAD("i32 f32", "", "wanted are floats"),
    BAD("f32 i32", "", "`xs` is i32, wanted are floats"),
    BAD("f32", "", "there is nothing to differentiate by"),
};

OP_TEST(grad, cases)

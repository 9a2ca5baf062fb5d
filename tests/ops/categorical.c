/* tests/ops/categorical.c: one row of probabilities and many; some that cannot be. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("i32 f32[5]", "shape=[40] key=5", .low = 0, .high = 1),
    OK("i32 f32[130,3]", "shape=[130] key=5", .low = 0, .high = 2),
    OK("i32 f32[2,3,4]", "shape=[2,3] key=5", .low = 0, .high = 1),
    OK("i32 f32[1]", "shape=[3] key=5", .low = 1, .high = 2),
    OK("i32 f32[4]", "shape=[3] key=5", .low = -2, .high = -1,
       .fails = "is negative or not finite"),
    BAD("i32 f32[4,3]", "shape=[3] key=1", "the probabilities give i32[4], the dims say i32[3]"),
    BAD("i32 f32", "shape=[3] key=1", "`p` has rank 0"),
    BAD("i32 i32[4]", "shape=[3] key=1", "wanted are floats"),
};

OP_TEST(categorical, cases)

/* tests/ops/take.c: indices broadcast against values and the other way; indices outside. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[3,5] i32[3,2]", "axis=1", .int_low = 0, .int_high = 5),
    OK("f32[3,5] i32[4,5]", "axis=0", .int_low = 0, .int_high = 3),
    OK("f32[3,5] i32[3,1]", "axis=1", .int_low = 0, .int_high = 5),
    OK("f32[2,3,6,4] i32[2,1,3,1]", "axis=2", .int_low = 0, .int_high = 6),
    OK("f32[2,3,4,6] i32[2,1,1,3]", "axis=3", .int_low = 0, .int_high = 6),
    OK("f32[1,5] i32[4,2]", "axis=1", .int_low = 0, .int_high = 5),
    OK("f32[5,1] i32[2,3]", "axis=0", .int_low = 0, .int_high = 5),
    OK("f32[7] i32[9]", "axis=0", .int_low = 0, .int_high = 7),
    OK("i32[3,4] i32[3,1]", "axis=1", .int_low = 0, .int_high = 4),
    OK("u8[2,3,4] i32[1,2,1]", "axis=1", .int_low = 0, .int_high = 3),
    OK("f32[3,5] i32[3,2]", "axis=1", .int_low = 5, .int_high = 6,
       .fails = "index 5 at position 0 is outside 0..5"),
    BAD("f32[3,5] i32[3]", "axis=1", "`i` has rank 1, wanted is rank 2"),
    BAD("f32[3,5] i32[2,5]", "axis=1", "operands differ on axis 0: 3 and 2"),
    BAD("f32[3,5] i32[3,1]", "axis=2", "there is no axis 2 in rank 2"),
};

OP_TEST(take, cases)

/* tests/ops/take_add.c: the adjoint of take, with repeated places. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[3,5] i32[3,2] f32[3,2]", "axis=1", .int_low = 0, .int_high = 5),
    OK("f32[3,5] i32[3,1] f32[3,1]", "axis=1", .int_low = 0, .int_high = 5),
    OK("f32[2,3,6,4] i32[2,1,3,1] f32[2,3,3,4]", "axis=2", .int_low = 0, .int_high = 6),
    OK("f32[1,3] i32[4,5] f32[4,5]", "axis=1", .int_low = 0, .int_high = 3),
    OK("f32[3] i32[9] f32[9]", "axis=0", .int_low = 0, .int_high = 3),
    OK("f32[3] i32[9] f32[9]", "axis=0", .int_low = -4, .int_high = -3,
       .fails = "index -4 at position 0 is outside 0..3"),
    BAD("f32[3,5] i32[3,2] f32[3,1]", "axis=1", "wanted is f32[3, 2]"),
    BAD("f32[2,5] i32[3,2] f32[3,2]", "axis=1", "operands differ on axis 0: 2 and 3"),
};

OP_TEST(take_add, cases)

/* tests/ops/gather.c: indices of rank 0 to 2 on every axis; indices outside. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[5,3] i32[4]", "axis=0", .int_low = 0, .int_high = 5),
    OK("f32[5,3] i32[2,3]", "axis=0", .int_low = 0, .int_high = 5),
    OK("f32[5,3] i32", "axis=0", .int_low = 0, .int_high = 5),
    OK("f32[2,6,3] i32[4]", "axis=1", .int_low = 0, .int_high = 6),
    OK("f32[2,3,7] i32[5]", "axis=2", .int_low = 0, .int_high = 7),
    OK("f32[9] i32[20]", "axis=0", .int_low = 0, .int_high = 9),
    OK("f32[9] i32", "axis=0", .int_low = 0, .int_high = 9),
    OK("i32[4,2] i32[3]", "axis=0", .int_low = 0, .int_high = 4),
    OK("u8[4,3] i32[3]", "axis=0", .int_low = 0, .int_high = 4),
    OK("f32[40,500] i32[600]", "axis=0", .int_low = 0, .int_high = 40, .no_grad_check = true),
    OK("f32[5,3] i32[4]", "axis=0", .int_low = 5, .int_high = 6,
       .fails = "index 5 at position 0 is outside 0..5"),
    OK("f32[5,3] i32[4]", "axis=0", .int_low = -1, .int_high = 0,
       .fails = "index -1 at position 0 is outside 0..5"),
    BAD("f32[5,3] f32[4]", "axis=0", "wanted is i32"),
    BAD("f32[5,3] i32[4]", "axis=2", "there is no axis 2 in rank 2"),
    BAD("f32[1,1,1,1,1,1,1,1] i32[1,1]", "axis=0", "the result would have rank 9"),
};

OP_TEST(gather, cases)

/* tests/ops/scatter_add.c: rows named more than once, on every axis; indices outside. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[5,3] i32[4] f32[4,3]", "axis=0", .int_low = 0, .int_high = 5),
    OK("f32[2,3] i32[7] f32[7,3]", "", .int_low = 0, .int_high = 2), /* repeated */
    OK("f32[5,3] i32 f32[3]", "axis=0", .int_low = 0, .int_high = 5),
    OK("f32[2,4,3] i32[2,3] f32[2,2,3,3]", "axis=1", .int_low = 0, .int_high = 4),
    OK("f32[2,3,4] i32[5] f32[2,3,5]", "axis=2", .int_low = 0, .int_high = 4),
    OK("f32[6] i32[9] f32[9]", "axis=0", .int_low = 0, .int_high = 6),
    OK("f32[3,600] i32[8] f32[8,600]", "axis=0", .int_low = 0, .int_high = 3,
       .no_grad_check = true),
    OK("i32[4] i32[6] i32[6]", "axis=0", .int_low = 0, .int_high = 4),
    OK("f32[5,3] i32[4] f32[4,3]", "axis=0", .int_low = 7, .int_high = 8,
       .fails = "index 7 at position 0 is outside 0..5"),
    BAD("f32[5,3] i32[4] f32[4,2]", "axis=0", "`v` is f32[4, 2], wanted is f32[4, 3]"),
    BAD("f32[5,3] i32[4] i32[4,3]", "axis=0", "dtypes differ"),
    BAD("bool[5] i32[4] bool[4]", "axis=0", "wanted is i32"),
    BAD("f32[5] i32[4] f32[4]", "axis=1", "there is no axis 1 in rank 1"),
};

OP_TEST(scatter_add, cases)

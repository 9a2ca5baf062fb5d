/* tests/ops/update.c: one row replaced; an index outside. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[4,3] i32 f32[3]", "", .int_low = 0, .int_high = 4),
    OK("f32[4,2,3] i32 f32[2,3]", "", .int_low = 0, .int_high = 4),
    OK("f32[5] i32 f32", "", .int_low = 0, .int_high = 5),
    OK("i32[5,2] i32 i32[2]", "", .int_low = 0, .int_high = 5),
    OK("bool[3,4] i32 bool[4]", "", .int_low = 0, .int_high = 3),
    OK("f32[4,3] i32 f32[3]", "", .int_low = 4, .int_high = 5,
       .fails = "index 4 at position 0 is outside 0..4"),
    BAD("f32[4,3] i32 f32[2]", "", "`v` is f32[2], wanted is f32[3]"),
    BAD("f32[4,3] i32[1] f32[3]", "", "`i` has rank 1, wanted is rank 0"),
    BAD("f32 i32 f32", "", "`x` has rank 0"),
};

OP_TEST(update, cases)

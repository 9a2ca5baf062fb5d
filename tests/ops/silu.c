/* silu: cases. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[1]", ""),
    OK("f32", ""),
    OK("f32[2,3,5]", ""),
    OK("f32[1031]", "", .low = -6, .high = 6),
    OK("f32[40,1000]", "", .low = -100, .high = 100, .no_grad_check = true),
    OK("f64[17]", ""),
    BAD("i32[3]", "", "wanted are floats"),
};
OP_TEST(silu, cases)

/* cumsum: cases. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[1]", "axis=0"),
    OK("f32[7]", "axis=0"),
    OK("f32[3,5]", "axis=1"),
    OK("f32[3,5]", "axis=0 reverse=1"),
    OK("f32[2,3,4]", "axis=1"),
    OK("f32[2,3000]", "axis=1", .no_grad_check = true),
    OK("f32[100,700]", "axis=0 reverse=1", .no_grad_check = true),
    OK("i32[3,40]", "axis=1"),
    OK("i32[40,3]", "axis=0 reverse=1"),
    OK("f64[5]", "axis=0"),
    BAD("bool[3]", "axis=0", "there is no sum of bool values"),
    BAD("f32[3]", "axis=2", "there is no axis 2"),
};
OP_TEST(cumsum, cases)

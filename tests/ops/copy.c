/* tests/ops/copy.c: strided values packed. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[3,5]", ""), OK("f32[2,3,4,5]", ""), OK("f32", ""),
    OK("i32[7,3]", ""), OK("u8[40,33]", ""),    OK("f32[70,40,30]", "", .no_grad_check = true),
};

OP_TEST(copy, cases)

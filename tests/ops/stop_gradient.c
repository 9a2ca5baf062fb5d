/* tests/ops/stop_gradient.c: the value, without its gradient. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[3,5]", "", .no_grad_check = true),
    OK("i32[4]", ""),
};

OP_TEST(stop_gradient, cases)

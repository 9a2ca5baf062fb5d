/* tests/ops/output.c: its shape rule; what it does is the executor's. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[4]", "index=3"),
    BAD("f32[4]", "", "the argument `index` is missing"),
    BAD("f32 f32", "index=3", "1 operands are wanted, not 2"),
};

OP_TEST(output, cases)

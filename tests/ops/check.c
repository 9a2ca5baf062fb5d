/* tests/ops/check.c: its shape rule; what it does is the executor's. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("bool", ""),
    OK("bool f32[2] f32[2]", "text=why"),
    BAD("f32", "", "`c` is f32, wanted is bool"),
    BAD("bool[2]", "", "`c` has rank 1, wanted is rank 0"),
};

OP_TEST(check, cases)

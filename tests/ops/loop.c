/* tests/ops/loop.c: its shape rule; what it does is the executor's. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[4] i32", "trips=5"),
    BAD("f32[4]", "trips=-1", "-1 trips are not possible"),
    BAD("f32[4]", "", "the argument `trips` is missing"),
};

OP_TEST(loop, cases)

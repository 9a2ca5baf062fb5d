/* tests/ops/input.c: its shape rule; what it does is the executor's. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("", "index=0 dtype=2 shape=[2,3]"),
    BAD("", "index=0 dtype=17 shape=[2,3]", "there is no dtype 17"),
    BAD("", "index=0 dtype=0", "the argument `shape` is missing"),
};

OP_TEST(input, cases)

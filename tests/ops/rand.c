/* tests/ops/rand.c: draws of odd sizes; pieces of one and of several threads. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("i32", "shape=[7] key=5"),
    OK("i32", "shape=[] key=5"),
    OK("i32", "shape=[3,8191] key=123456789"),
    BAD("i32[1]", "shape=[3] key=1", "`trip` has rank 1"),
    BAD("f32", "shape=[3] key=1", "wanted is i32"),
};

OP_TEST(rand, cases)

/* tests/ops/concat.c: one to four operands on every axis. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[2,3] f32[2,4]", "axis=1"),
    OK("f32[2,3] f32[5,3]", "axis=0"),
    OK("f32[2,3,2] f32[2,1,2] f32[2,4,2]", "axis=1"),
    OK("f32[2,1,5,5] f32[2,3,5,5]", "axis=1"),
    OK("f32[7]", "axis=0"),
    OK("f32[3] f32[1] f32[2] f32[4]", "axis=0"),
    OK("i32[2,2] i32[2,2]", "axis=1"),
    OK("bool[3] bool[2]", "axis=0"),
    BAD("f32[2,3] f32[3,3]", "axis=1", "operands differ on axis 0: 2 and 3"),
    BAD("f32[2,3] f32[2,3,1]", "axis=1", "operands have rank 2 and 3"),
    BAD("f32[2,3] f32[2,3]", "axis=2", "there is no axis 2 in rank 2"),
    BAD("f32[2] i32[2]", "axis=0", "dtypes differ: f32 and i32"),
};

OP_TEST(concat, cases)

/* tests/ops/expand.c: axes of size 1 repeated, and rank 0. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[1,3]", "shape=[4,3]"),
    OK("f32[3,1]", "shape=[3,5]"),
    OK("f32[1,1,1]", "shape=[2,3,4]"),
    OK("f32[2,1,3,1]", "shape=[2,4,3,5]"),
    OK("f32", "shape=[3,2]"),
    OK("f32", "shape=[]"),
    OK("f32[2,3]", "shape=[2,3]"),
    OK("i32[1]", "shape=[9]"),
    OK("u8[1,2]", "shape=[3,2]"),
    OK("f32[1,300]", "shape=[1000,300]", .no_grad_check = true),
    BAD("f32[2,3]", "shape=[4,3]", "f32[2, 3] does not repeat to f32[4, 3]"),
    BAD("f32[3]", "shape=[2,3]", "does not repeat"),
};

OP_TEST(expand, cases)

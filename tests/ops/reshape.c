/* tests/ops/reshape.c: shapes with and without axes of size 1; views of strided values. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[2,3,4]", "shape=[6,4]"),
    OK("f32[2,3,4]", "shape=[24]"),
    OK("f32[24]", "shape=[2,1,3,4]"),
    OK("f32[1]", "shape=[]"),
    OK("f32", "shape=[1,1]"),
    OK("f32[4,6]", "shape=[2,2,3,2]"),
    OK("f32[6,1,5]", "shape=[3,10]"),
    OK("i32[3,5]", "shape=[15]"),
    OK("bool[2,2]", "shape=[4]"),
    BAD("f32[2,3]", "shape=[4]", "f32[2, 3] has 6 elements, which do not fill f32[4]"),
    BAD("f32[2,3]", "shape=[0,6]", "do not fill"),
};

OP_TEST(reshape, cases)

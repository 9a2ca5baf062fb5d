/* tests/ops/transpose.c: permutations, of every element size. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[3,5]", "perm=[1,0]"),
    OK("f32[2,3,4]", "perm=[2,0,1]"),
    OK("f32[2,3,4,5]", "perm=[0,2,1,3]"),
    OK("f32[2,3,4,5]", "perm=[3,1,2,0]"),
    OK("f32[1,7,1,9]", "perm=[3,2,1,0]"),
    OK("f32[70,65]", "perm=[1,0]", .no_grad_check = true),
    OK("f32[3,33,40]", "perm=[0,2,1]", .no_grad_check = true),
    OK("f32[300,300]", "perm=[1,0]", .no_grad_check = true), /* more pieces than one */
    OK("f32[5]", "perm=[0]"),
    OK("f32", "perm=[]"),
    OK("i32[17,3]", "perm=[1,0]"),
    OK("u8[19,18]", "perm=[1,0]"),
    OK("bool[2,3,4]", "perm=[1,2,0]"),
    OK("f32[1,2,1,2,1,2,1,2]", "perm=[7,6,5,4,3,2,1,0]"),
    BAD("f32[2,3]", "perm=[0]", "1 axes are named, `x` has rank 2"),
    BAD("f32[2,3]", "perm=[0,0]", "not a permutation"),
    BAD("f32[2,3]", "perm=[0,2]", "not a permutation"),
};

OP_TEST(transpose, cases)

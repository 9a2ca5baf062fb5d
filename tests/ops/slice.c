/* tests/ops/slice.c: starts, ends and steps on every axis. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[7]", "start=[2] stop=[5] step=[1]"),
    OK("f32[7]", "start=[1] stop=[7] step=[3]"),
    OK("f32[4,5]", "start=[1,0] stop=[4,5] step=[2,2]"),
    OK("f32[2,3,4]", "start=[0,1,2] stop=[2,2,4] step=[1,1,1]"),
    OK("f32[2,3,9]", "start=[0,0,3] stop=[2,3,8] step=[1,1,1]"),
    OK("f32[2,3,40]", "start=[0,0,1] stop=[2,3,40] step=[1,2,2]"),
    OK("i32[5]", "start=[0] stop=[5] step=[9]"),
    OK("f32", "start=[] stop=[] step=[]"),
    BAD("f32[5]", "start=[3] stop=[3] step=[1]",
        "the slice 3:3:1 of axis 0 of size 5 is empty or outside"),
    BAD("f32[5]", "start=[3] stop=[6] step=[1]", "is empty or outside"),
    BAD("f32[5]", "start=[0] stop=[5] step=[0]", "is empty or outside"),
    BAD("f32[5]", "start=[0,0] stop=[5] step=[1]", "are given for rank 1"),
};

OP_TEST(slice, cases)

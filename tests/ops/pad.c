/* tests/ops/pad.c: zeros in front, behind and between. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[4]", "before=[1] after=[2] inner=[0]"),
    OK("f32[4]", "before=[0] after=[0] inner=[2]"),
    OK("f32[3,4]", "before=[1,0] after=[0,3] inner=[1,0]"),
    OK("f32[2,1,3]", "before=[0,2,1] after=[1,0,0] inner=[0,5,1]"),
    OK("f32[3,200]", "before=[1,7] after=[1,9] inner=[0,0]", .no_grad_check = true),
    OK("f32[200,400]", "before=[1,0] after=[0,1] inner=[0,0]", .no_grad_check = true),
    OK("i32[3]", "before=[1] after=[1] inner=[1]"),
    OK("u8[3,3]", "before=[1,1] after=[1,1] inner=[0,0]"),
    BAD("f32[3]", "before=[-1] after=[0] inner=[0]", "negative padding on axis 0"),
    BAD("f32[3]", "before=[1,1] after=[0] inner=[0]", "are given for rank 1"),
};

OP_TEST(pad, cases)

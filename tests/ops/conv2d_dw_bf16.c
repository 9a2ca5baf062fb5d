/* tests/ops/conv2d_dw_bf16.c: the cases of conv2d_dw of one group. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[2,3,5,6] f32[2,4,5,6]", "stride=[1,1] pad=[1,1,1,1] dilation=[1,1] kh=3 kw=3",
       .no_grad_check = true),
    OK("f32[1,2,4,4] f32[1,3,4,4]", "stride=[1,1] pad=[0,0,0,0] dilation=[1,1] kh=1 kw=1",
       .no_grad_check = true),
    OK("f32[2,2,5,5] f32[2,3,2,2]", "stride=[2,2] pad=[0,1,0,1] dilation=[1,1] kh=3 kw=3",
       .no_grad_check = true), /* right and bottom only */
    OK("f32[1,2,7,6] f32[1,2,4,8]", "stride=[2,1] pad=[2,0,1,3] dilation=[1,2] kh=3 kw=2",
       .no_grad_check = true),
    OK("f32[1,1,1,1] f32[1,1,1,1]", "stride=[1,1] pad=[0,0,0,0] dilation=[1,1] kh=1 kw=1",
       .no_grad_check = true),
    OK("f32[1,1,2,2] f32[1,1,6,6]", "stride=[1,1] pad=[3,3,3,3] dilation=[1,1] kh=3 kw=3",
       .no_grad_check = true), /* more padding than kernel */
    OK("f32[1,2,1,9] f32[1,2,1,9]", "stride=[1,1] pad=[0,0,1,1] dilation=[1,1] kh=1 kw=3",
       .no_grad_check = true),
    OK("f32[3,17,9,11] f32[3,33,9,11]", "stride=[1,1] pad=[1,1,1,1] dilation=[1,1] kh=3 kw=3",
       .no_grad_check = true),
    OK("f32[9,40,4,4] f32[9,70,4,4]", "stride=[1,1] pad=[1,1,1,1] dilation=[1,1] kh=3 kw=3",
       .no_grad_check = true), /* several images at once */
    OK("f32[2,70,16,16] f32[2,72,16,16]", "stride=[1,1] pad=[1,1,1,1] dilation=[1,1] kh=3 kw=3",
       .no_grad_check = true),
    OK("f32[2,40,20,32] f32[2,36,20,32]", "stride=[1,1] pad=[1,1,1,1] dilation=[1,1] kh=3 kw=3",
       .no_grad_check = true), /* one copy for all taps */
    OK("f32[1,20,70,34] f32[1,17,34,32]", "stride=[2,1] pad=[0,0,0,0] dilation=[1,1] kh=3 kw=3",
       .no_grad_check = true), /* the same by two rows */
    OK("f32[3,16,17,19] f32[3,33,17,19]", "stride=[1,1] pad=[1,1,1,1] dilation=[1,1] kh=3 kw=3",
       .no_grad_check = true),
    OK("f32[33,37,4,4] f32[33,40,4,4]", "stride=[1,1] pad=[1,1,1,1] dilation=[1,1] kh=3 kw=3",
       .no_grad_check = true),
    OK("f32[7,20,40,23] f32[7,70,40,23]", "stride=[1,1] pad=[0,2,2,0] dilation=[1,1] kh=3 kw=3",
       .no_grad_check = true), /* several chunks of tiles, the last one short */
    OK("f32[5,64,7,9] f32[5,32,8,10]", "stride=[1,1] pad=[3,0,0,3] dilation=[1,1] kh=3 kw=3",
       .no_grad_check = true),
    OK("f32[2,8,40,37] f32[2,12,20,19]", "stride=[2,2] pad=[1,1,1,1] dilation=[1,1] kh=3 kw=3",
       .no_grad_check = true),
    OK("f32[5,64,8,8] f32[5,130,8,8]", "stride=[1,1] pad=[0,0,0,0] dilation=[1,1] kh=1 kw=1",
       .no_grad_check = true),
    OK("f32[1,3,33,70] f32[1,5,11,34]", "stride=[3,2] pad=[2,1,0,3] dilation=[1,2] kh=5 kw=4",
       .no_grad_check = true),
    BAD("f32[1,3,4,4] f32[1,2,3,3]", "stride=[1,1] pad=[0,0,0,0] dilation=[1,1] kh=3 kw=3",
        "`dy` is f32[1, 2, 3, 3], wanted is f32[1, 2, 2, 2]"),
};

OP_TEST(conv2d_dw_bf16, cases)

/* tests/ops/conv2d_dx.c: the cases of conv2d, from the side of its result. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[2,4,5,6] f32[4,3,3,3]", "stride=[1,1] pad=[1,1,1,1] dilation=[1,1] h=5 w=6",
       .no_second_check = true),
    OK("f32[1,3,4,4] f32[3,2,1,1]", "stride=[1,1] pad=[0,0,0,0] dilation=[1,1] h=4 w=4"),
    OK("f32[2,3,2,2] f32[3,2,3,3]", "stride=[2,2] pad=[0,1,0,1] dilation=[1,1] h=5 w=5",
       .no_second_check = true), /* right and bottom only */
    OK("f32[1,2,4,8] f32[2,2,3,2]", "stride=[2,1] pad=[2,0,1,3] dilation=[1,2] h=7 w=6",
       .no_second_check = true),
    OK("f32[1,6,5,5] f32[6,2,3,3]", "stride=[1,1] pad=[1,1,1,1] dilation=[1,1] groups=2 h=5 w=5",
       .no_second_check = true),
    OK("f32[2,3,4,5] f32[3,1,3,3]",
       "stride=[1,1] pad=[1,1,1,1] dilation=[1,1] groups=3 h=4 w=5"), /* depthwise */
    OK("f32[1,3,3,3] f32[3,1,2,3]", "stride=[2,2] pad=[1,0,0,2] dilation=[2,1] groups=3 h=6 w=5"),
    OK("f32[1,1,1,1] f32[1,1,1,1]", "stride=[1,1] pad=[0,0,0,0] dilation=[1,1] h=1 w=1"),
    OK("f32[1,1,6,6] f32[1,1,3,3]",
       "stride=[1,1] pad=[3,3,3,3] dilation=[1,1] h=2 w=2"), /* more padding than kernel */
    OK("f32[1,2,1,9] f32[2,2,1,3]", "stride=[1,1] pad=[0,0,1,1] dilation=[1,1] h=1 w=9"),
    OK("f32[3,33,9,11] f32[33,17,3,3]", "stride=[1,1] pad=[1,1,1,1] dilation=[1,1] h=9 w=11",
       .no_grad_check = true),
    OK("f32[9,70,4,4] f32[70,40,3,3]", "stride=[1,1] pad=[1,1,1,1] dilation=[1,1] h=4 w=4",
       .no_grad_check = true), /* several images at once */
    OK("f32[2,72,16,16] f32[72,70,3,3]", "stride=[1,1] pad=[1,1,1,1] dilation=[1,1] h=16 w=16",
       .no_grad_check = true),
    OK("f32[3,33,17,19] f32[33,16,3,3]", "stride=[1,1] pad=[1,1,1,1] dilation=[1,1] h=17 w=19",
       .no_grad_check = true),
    OK("f32[33,40,4,4] f32[40,37,3,3]", "stride=[1,1] pad=[1,1,1,1] dilation=[1,1] h=4 w=4",
       .no_grad_check = true),
    OK("f32[1,70,40,23] f32[70,20,3,3]", "stride=[1,1] pad=[0,2,2,0] dilation=[1,1] h=40 w=23",
       .no_grad_check = true),
    OK("f32[5,32,8,10] f32[32,64,3,3]", "stride=[1,1] pad=[3,0,0,3] dilation=[1,1] h=7 w=9",
       .no_grad_check = true), /* cuts off dy's edge */
    OK("f32[2,12,20,19] f32[12,8,3,3]", "stride=[2,2] pad=[1,1,1,1] dilation=[1,1] h=40 w=37",
       .no_grad_check = true),
    OK("f32[5,130,8,8] f32[130,64,1,1]", "stride=[1,1] pad=[0,0,0,0] dilation=[1,1] h=8 w=8",
       .no_grad_check = true),
    OK("f32[1,5,11,34] f32[5,3,5,4]", "stride=[3,2] pad=[2,1,0,3] dilation=[1,2] h=33 w=70",
       .no_grad_check = true),
    BAD("f32[1,2,3,3] f32[2,3,3,3]", "stride=[1,1] pad=[0,0,0,0] dilation=[1,1] h=4 w=4",
        "`dy` is f32[1, 2, 3, 3], wanted is f32[1, 2, 2, 2]"),
};

OP_TEST(conv2d_dx, cases)

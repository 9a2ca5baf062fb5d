/* tests/ops/conv2d.c: strides, one-sided padding, dilation, groups, depthwise; sizes beside the
 * tile and block sizes. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[2,3,5,6] f32[4,3,3,3]", "stride=[1,1] pad=[1,1,1,1] dilation=[1,1]",
       .no_second_check = true),
    OK("f32[1,2,4,4] f32[3,2,1,1]", "stride=[1,1] pad=[0,0,0,0] dilation=[1,1]"),
    OK("f32[2,2,5,5] f32[3,2,3,3]", "stride=[2,2] pad=[0,1,0,1] dilation=[1,1]",
       .no_second_check = true), /* right and bottom only */
    OK("f32[1,2,7,6] f32[2,2,3,2]", "stride=[2,1] pad=[2,0,1,3] dilation=[1,2]",
       .no_second_check = true),
    OK("f32[1,4,5,5] f32[6,2,3,3]", "stride=[1,1] pad=[1,1,1,1] dilation=[1,1] groups=2",
       .no_second_check = true),
    OK("f32[2,3,4,5] f32[3,1,3,3]",
       "stride=[1,1] pad=[1,1,1,1] dilation=[1,1] groups=3"), /* depthwise */
    OK("f32[1,3,6,5] f32[3,1,2,3]", "stride=[2,2] pad=[1,0,0,2] dilation=[2,1] groups=3"),
    OK("f32[1,1,1,1] f32[1,1,1,1]", "stride=[1,1] pad=[0,0,0,0] dilation=[1,1]"),
    OK("f32[1,1,2,2] f32[1,1,3,3]",
       "stride=[1,1] pad=[3,3,3,3] dilation=[1,1]"), /* more padding than kernel */
    OK("f32[1,2,1,9] f32[2,2,1,3]", "stride=[1,1] pad=[0,0,1,1] dilation=[1,1]"),
    OK("f32[3,17,9,11] f32[33,17,3,3]", "stride=[1,1] pad=[1,1,1,1] dilation=[1,1]",
       .no_grad_check = true),
    OK("f32[9,40,4,4] f32[70,40,3,3]", "stride=[1,1] pad=[1,1,1,1] dilation=[1,1]",
       .no_grad_check = true), /* several images at once */
    OK("f32[2,70,16,16] f32[72,70,3,3]", "stride=[1,1] pad=[1,1,1,1] dilation=[1,1]",
       .no_grad_check = true),
    OK("f32[3,16,17,19] f32[33,16,3,3]", "stride=[1,1] pad=[1,1,1,1] dilation=[1,1]",
       .no_grad_check = true), /* ragged tiles, and channels beside vectors and panels */
    OK("f32[33,37,4,4] f32[40,37,3,3]", "stride=[1,1] pad=[1,1,1,1] dilation=[1,1]",
       .no_grad_check = true),
    OK("f32[1,20,40,23] f32[70,20,3,3]", "stride=[1,1] pad=[0,2,2,0] dilation=[1,1]",
       .no_grad_check = true),
    OK("f32[5,64,7,9] f32[32,64,3,3]", "stride=[1,1] pad=[3,0,0,3] dilation=[1,1]",
       .no_grad_check = true), /* more padding than kernel */
    OK("f32[2,8,40,37] f32[12,8,3,3]", "stride=[2,2] pad=[1,1,1,1] dilation=[1,1]",
       .no_grad_check = true),
    OK("f32[5,64,8,8] f32[130,64,1,1]", "stride=[1,1] pad=[0,0,0,0] dilation=[1,1]",
       .no_grad_check = true),
    OK("f32[2,40,9,37] f32[34,20,1,1]", "stride=[1,1] pad=[0,0,0,0] dilation=[1,1] groups=2",
       .no_grad_check = true),
    OK("f32[2,24,32,32] f32[130,24,1,1]", "stride=[1,1] pad=[0,0,0,0] dilation=[1,1]",
       .no_grad_check = true),
    OK("f32[1,3,33,70] f32[5,3,5,4]", "stride=[3,2] pad=[2,1,0,3] dilation=[1,2]",
       .no_grad_check = true),
    /* over their operand: in one product, in two by depth */
    OK("f32[3,20,5,9] f32[20,20,1,1]", "stride=[1,1] pad=[0,0,0,0] dilation=[1,1]",
       .no_grad_check = true),
    OK("f32[4,264,8,32] f32[264,264,1,1]", "stride=[1,1] pad=[0,0,0,0] dilation=[1,1]",
       .no_grad_check = true),
    /* few outputs */
    OK("f32[2,33,20,16] f32[1,33,3,3]", "stride=[1,1] pad=[1,1,1,1] dilation=[1,1]",
       .no_grad_check = true, .tolerance = 1e-12),
    OK("f32[3,17,9,37] f32[2,17,3,3]", "stride=[1,1] pad=[2,0,1,3] dilation=[1,1]",
       .no_grad_check = true, .tolerance = 1e-12),
    OK("f32[1,5,3,70] f32[2,5,5,2]", "stride=[1,1] pad=[0,4,1,0] dilation=[1,1]",
       .no_grad_check = true, .tolerance = 1e-12),
    BAD("f32[1,3,4,4] f32[2,4,3,3]", "stride=[1,1] pad=[0,0,0,0] dilation=[1,1]",
        "the weights are for 4 input channels, there are 3"),
    BAD("f32[1,3,4,4] f32[2,3,5,5]", "stride=[1,1] pad=[0,0,0,0] dilation=[1,1]",
        "a 5x5 kernel does not fit into 4x4 with padding"),
    BAD("f32[1,3,4,4] f32[2,3,3,3]", "stride=[0,1] pad=[0,0,0,0] dilation=[1,1]",
        "stride is 0, wanted is 1 or more"),
    BAD("f32[1,3,4,4] f32[2,3,3,3]", "stride=[1,1] pad=[0,-1,0,0] dilation=[1,1]",
        "pad is -1, wanted is 0 or more"),
    BAD("f32[1,3,4,4] f32[2,1,3,3]", "stride=[1,1] pad=[0,0,0,0] dilation=[1,1] groups=2",
        "3 channels do not divide into 2 groups"),
    BAD("f32[1,4,4,4] f32[3,2,3,3]", "stride=[1,1] pad=[0,0,0,0] dilation=[1,1] groups=2",
        "3 output channels do not divide into 2 groups"),
    BAD("f32[3,4,4] f32[2,3,3,3]", "stride=[1,1] pad=[0,0,0,0] dilation=[1,1]",
        "`x` has rank 3, wanted is rank 4"),
};

OP_TEST(conv2d, cases)

/* tests/ops/matmul_bf16.c: every combination of transposes, leading axes, products by a matrix,
 * sizes beside the tile and block sizes. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[3,4] f32[4,5]", "", .no_grad_check = true),
    OK("f32[4,3] f32[4,5]", "tx=1", .no_grad_check = true),
    OK("f32[3,4] f32[5,4]", "ty=1", .no_grad_check = true),
    OK("f32[4,3] f32[5,4]", "tx=1 ty=1", .no_grad_check = true),
    OK("f32[2,3,4] f32[2,4,5]", "", .no_grad_check = true),
    OK("f32[2,4,3] f32[2,4,5]", "tx=1", .no_grad_check = true),
    OK("f32[2,3,4] f32[2,5,4]", "ty=1", .no_grad_check = true),
    OK("f32[2,4,3] f32[2,5,4]", "tx=1 ty=1", .no_grad_check = true),
    OK("f32[2,3,4] f32[4,5]", "", .no_grad_check = true),
    OK("f32[2,3,4] f32[5,4]", "ty=1", .no_grad_check = true),
    OK("f32[2,1,3,4] f32[4,5]", "", .no_grad_check = true),
    OK("f32[3,1,4] f32[4,2]", "", .no_grad_check = true),
    OK("f32[2,3,2,4] f32[2,3,4,3]", "", .no_grad_check = true),
    OK("f32[1,1] f32[1,1]", "", .no_grad_check = true),
    OK("f32[1,7] f32[7,1]", "", .no_grad_check = true),
    OK("f32[7,1] f32[1,7]", "", .no_grad_check = true),
    OK("f32[129,65] f32[65,33]", "", .no_grad_check = true),
    OK("f32[300,270] f32[270,310]", "", .no_grad_check = true),
    OK("f32[17,300] f32[300,130]", "", .no_grad_check = true),
    OK("f32[70,600] f32[600,90]", "tx=0 ty=0", .no_grad_check = true), /* the sum in two parts */
    OK("f32[600,70] f32[90,600]", "tx=1 ty=1", .no_grad_check = true),
    OK("f32[33,1031] f32[1031,35]", "", .no_grad_check = true),
    OK("f32[1031,33] f32[1031,35]", "tx=1", .no_grad_check = true),
    OK("f32[33,1031] f32[35,1031]", "ty=1", .no_grad_check = true),
    OK("f32[3,130,64] f32[3,140,64]", "ty=1", .no_grad_check = true),
    OK("f32[5,200,96] f32[96,100]", "", .no_grad_check = true),
    OK("f32[40,16,16] f32[40,16,16]", "", .no_grad_check = true),
    BAD("f32[3,4] f32[5,6]", "", "operands have 4 and 5 elements on the axis that is summed over"),
    BAD("f32[2,3,4] f32[3,4,5]", "", "operands differ on the leading axis 0: 2 and 3"),
    BAD("f32[3] f32[3,4]", "", "`x` has rank 1"),
    BAD("f32[2,3,4] f32[4]", "", "`y` has rank 1"),
    BAD("f32[2,2,3,4] f32[2,4,5]", "", "operands have rank 4 and 3"),
    BAD("f32[2,4,3] f32[4,5]", "tx=1", "tx needs operands of equal rank"),
    BAD("i32[2,3] i32[3,4]", "", "wanted are floats"),
};

OP_TEST(matmul_bf16, cases)

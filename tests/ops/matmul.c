/* tests/ops/matmul.c: every combination of transposes, leading axes, products by a matrix, sizes
 * beside the tile and block sizes, sums cut in parts, pieces of uneven height. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[3,4] f32[4,5]", ""),
    OK("f32[4,3] f32[4,5]", "tx=1"),
    OK("f32[3,4] f32[5,4]", "ty=1"),
    OK("f32[4,3] f32[5,4]", "tx=1 ty=1"),
    OK("f32[2,3,4] f32[2,4,5]", ""),
    OK("f32[2,4,3] f32[2,4,5]", "tx=1"),
    OK("f32[2,3,4] f32[2,5,4]", "ty=1"),
    OK("f32[2,4,3] f32[2,5,4]", "tx=1 ty=1"),
    OK("f32[2,3,4] f32[4,5]", ""),
    OK("f32[2,3,4] f32[5,4]", "ty=1"),
    OK("f32[2,1,3,4] f32[4,5]", ""),
    OK("f32[3,1,4] f32[4,2]", ""),
    OK("f32[2,3,2,4] f32[2,3,4,3]", ""),
    OK("f32[1,1] f32[1,1]", ""),
    OK("f32[1,7] f32[7,1]", ""),
    OK("f32[7,1] f32[1,7]", ""),
    OK("f32[129,65] f32[65,33]", "", .no_grad_check = true),
    OK("f32[300,270] f32[270,310]", "", .no_grad_check = true),
    OK("f32[17,300] f32[300,130]", "", .no_grad_check = true),
    OK("f32[3,130,64] f32[3,140,64]", "ty=1", .no_grad_check = true),
    OK("f32[5,200,96] f32[96,100]", "", .no_grad_check = true),
    OK("f32[40,16,16] f32[40,16,16]", "", .no_grad_check = true),
    OK("f32[600,40] f32[600,50]", "tx=1", .no_grad_check = true),
    OK("f32[400,130] f32[400,70]", "tx=1", .no_grad_check = true),
    OK("f32[509,40] f32[130,40]", "ty=1", .no_grad_check = true),
    OK("f32[513,90] f32[513,2]", "tx=1", .no_grad_check = true),
    OK("f32[3,1030] f32[4,1030]", "ty=1", .no_grad_check = true),
    BAD("f32[3,4] f32[5,6]", "", "operands have 4 and 5 elements on the axis that is summed over"),
    BAD("f32[2,3,4] f32[3,4,5]", "", "operands differ on the leading axis 0: 2 and 3"),
    BAD("f32[3] f32[3,4]", "", "`x` has rank 1"),
    BAD("f32[2,3,4] f32[4]", "", "`y` has rank 1"),
    BAD("f32[2,2,3,4] f32[2,4,5]", "", "operands have rank 4 and 3"),
    BAD("f32[2,4,3] f32[4,5]", "tx=1", "tx needs operands of equal rank"),
    BAD("i32[2,3] i32[3,4]", "", "wanted are floats"),
};

OP_TEST(matmul, cases)

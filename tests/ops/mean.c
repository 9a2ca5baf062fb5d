/* mean: cases. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[1]", "axes=[0]"),
    OK("f32[7]", "axes=[0]"),
    OK("f32[3,5]", "axes=[1]"),
    OK("f32[3,5]", "axes=[0]"),
    OK("f32[3,5]", "axes=[0,1]"),
    OK("f32[2,3,4,5]", "axes=[1,3] keep=1"),
    OK("f32[2,3,4,5]", "axes=[0,2,3]"),
    OK("f32[2,9,4,1]", "axes=[0,2]"),
    OK("f32[3,17]", "axes=[0] keep=1"),
    OK("f32[2,3]", "axes=[]"),
    OK("f64[4,5]", "axes=[1]"),
    OK("f32[37,1031]", "axes=[1]", .no_grad_check = true),
    OK("f32[1031,37]", "axes=[0]", .no_grad_check = true),
    OK("f32[5,600,31]", "axes=[1]", .no_grad_check = true),
    OK("f32[9,13,700]", "axes=[0,2]", .no_grad_check = true),
    OK("f32[150001]", "axes=[0]", .no_grad_check = true),
    OK("f32[3,70000]", "axes=[1]", .no_grad_check = true),
    OK("f32[3000,40]", "axes=[0]", .no_grad_check = true),
    OK("f32[70000,2]", "axes=[0]", .no_grad_check = true),
    OK("f32[2,300,700]", "axes=[1,2]", .no_grad_check = true),
    OK("f32[2,70000]", "axes=[0]", .no_grad_check = true),
    BAD("bool[3]", "axes=[0]", "bool"),
    BAD("f32[3]", "axes=[1]", "there is no axis 1 in a tensor of rank 1"),
    BAD("f32[3,4]", "axes=[1,1]", "axis 1 is named twice"),
};
OP_TEST(mean, cases)

/* tests/ops/bf16_weights.c: the bytes are those of the reference. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[32,32,3,3]", "", .no_grad_check = true),
    OK("f32[5,7,3,3]", "", .no_grad_check = true),
    OK("f32[40,70,1,1]", "", .no_grad_check = true),
    OK("f32[33,64,5,2]", "", .no_grad_check = true),
    OK("f32[32,64,3,3]", "turned=1", .no_grad_check = true),
    OK("f32[70,35,2,3]", "turned=1", .no_grad_check = true),
    OK("f32[33,40,7,7]", "", .no_grad_check = true), /* more taps than are dealt at once */
    OK("f32[33,40,7,7]", "turned=1", .no_grad_check = true),
    BAD("f32[32,32]", "", "rank"),
};

OP_TEST(bf16_weights, cases)

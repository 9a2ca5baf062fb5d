/* tests/ops/attention_grad.c: the blocks against sums over single rows. That these are the gradients
 * of attention, tests/passes/patterns.c shows. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[2,3,4] f32[2,3,4] f32[2,3,4] f32[2,3] f32[2,3,4]", "scale=0.5"),
    OK("f32[5,3] f32[7,3] f32[7,2] f32[5] f32[5,2]", "scale=-1.25"),
    OK("f32[2,150,8] f32[2,600,8] f32[2,600,4] f32[2,150] f32[2,150,4]", "scale=0.3"),
    BAD("f32[2,3,4] f32[2,3,4] f32[2,3,4] f32[2,4] f32[2,3,4]", "", "wanted is f32[2, 3]"),
};

OP_TEST(attention_grad, cases)

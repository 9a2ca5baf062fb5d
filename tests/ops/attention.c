/* tests/ops/attention.c: one and several heads, blocks that end early, queries and keys of other
 * numbers, values of another width, large scores. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[2,3,4] f32[2,3,4] f32[2,3,4]", "scale=0.5"),
    OK("f32[5,3] f32[7,3] f32[7,2]", "scale=-1.25"),
    OK("f32[1,1] f32[1,1] f32[1,1]", ""),
    OK("f32[2,2,3,2] f32[2,2,5,2] f32[2,2,5,3]", "scale=0.7"),
    OK("f32[2,150,8] f32[2,600,8] f32[2,600,4]", "scale=0.3", .no_grad_check = true),
    OK("f32[3,40,16] f32[3,33,16] f32[3,33,16]", "scale=4", .no_grad_check = true),
    BAD("f32[2,3,4] f32[2,3,5] f32[2,3,4]", "", "wanted is f32[2, 3, 4]"),
    BAD("f32[2,3,4] f32[2,6,4] f32[2,3,4]", "", "wanted is f32[2, 6, 4]"),
    BAD("f32[4] f32[4] f32[4]", "", "`q` has rank 1"),
};

OP_TEST(attention, cases)

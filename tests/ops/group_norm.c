/* tests/ops/group_norm.c: groups of one channel, of all channels, without axes behind the channels;
 * large values. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[2,8,3,5]", "groups=4"),
    OK("f32[1,6,2,2]", "groups=6 eps=1e-3"), /* groups of one channel */
    OK("f32[2,6,3,1]", "groups=1"),
    OK("f32[3,6]", "groups=2"),
    OK("f32[2,4,5]", "groups=2"),
    OK("f32[2,4,3,2,2]", "groups=2"),
    OK("f32[2,64,17,19]", "groups=32", .no_grad_check = true),
    OK("f32[1,4,90,90]", "groups=2", .low = 99, .high = 101, .no_grad_check = true,
       .tolerance = 1e-10), /* the mean is kept as a float */
    BAD("f32[2,96,4,4]", "groups=36", "96 channels do not divide into 36 groups"),
    BAD("f32[2,96,4,4]", "groups=0", "96 channels do not divide into 0 groups"),
    BAD("f32[96]", "groups=2", "`x` has rank 1"),
    BAD("i32[2,4]", "groups=2", "wanted are floats"),
};

OP_TEST(group_norm, cases)

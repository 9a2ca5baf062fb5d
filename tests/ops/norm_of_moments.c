/* tests/ops/norm_of_moments.c: of one map and of parts, with a shorter last piece, groups over a
 * seam. */
#include "tests/support/op_check.h"

#define PARTS .low = 0.1, .high = 3 /* squares are no less than 0 */

static const op_case cases[] = {
    OK("f32[2,6,1,2]", "groups=3 plane=35 spans=[35]", PARTS),
    OK("f32[3,8,4,2]", "groups=8 plane=64 spans=[16] eps=1e-3", PARTS),
    OK("f32[1,4,3,2]", "groups=1 plane=70 spans=[30]", PARTS),
    OK("f32[2,5,3,2] f32[2,7,2,2]", "groups=4 plane=40 spans=[16,24]", PARTS),
    OK("f32[2,1,1,2] f32[2,2,1,2] f32[2,3,1,2]", "groups=2 plane=9 spans=[9,9,100]", PARTS),
    OK("f32[40,320,2,2]", "groups=32 plane=256 spans=[128]", PARTS),
    BAD("f32[2,6,1,2]", "groups=4 plane=35 spans=[35]", "6 channels do not divide into 4 groups"),
    BAD("f32[2,6,1,2]", "groups=3 plane=36 spans=[35]", "wanted is f32[2, 6, 2, 2]"),
    BAD("f32[2,6,1,2] f32[3,6,1,2]", "groups=3 plane=9 spans=[9,9]", "wanted is f32[2, 6, 1, 2]"),
    BAD("f32[2,6,1,2]", "groups=3 plane=9 spans=[9,9]", "2 spans for 1 inputs"),
    BAD("f32[2,6,1,2]", "groups=3 plane=9 spans=[0]", "moments of 0 elements of 9"),
    BAD("f32[2,6,2]", "groups=3 plane=9 spans=[9]", "has rank 3"),
};

OP_TEST(norm_of_moments, cases)

/* tests/ops/winograd_dw.c: the cases of winograd, for the weights; several chunks of tiles. */
#include "tests/support/op_check.h"

#define TWO .tolerance = 1e-12

static const op_case cases[] = {
    OK("f32[1,1,1,1] f32[1,1,1,1]", "tile=4 pad=[1,1,1,1]"),
    OK("f32[1,1,1,1] f32[1,1,1,1]", "tile=2 pad=[1,1,1,1]", TWO),
    OK("f32[2,3,5,6] f32[2,4,5,6]", "tile=4 pad=[1,1,1,1]"),
    OK("f32[2,3,5,6] f32[2,4,5,6]", "tile=2 pad=[1,1,1,1]", TWO),
    OK("f32[3,17,9,11] f32[3,33,9,11]", "tile=4 pad=[0,2,2,0]"),
    OK("f32[3,17,9,11] f32[3,33,9,11]", "tile=2 pad=[2,0,0,2]", TWO),
    OK("f32[2,20,12,13] f32[2,40,7,8]", "tile=4 pad=[-2,-1,0,-3]"),
    OK("f32[5,64,7,9] f32[5,32,8,10]", "tile=4 pad=[3,0,0,3]"),
    OK("f32[9,40,4,4] f32[9,70,4,4]", "tile=4 pad=[1,1,1,1]"),
    OK("f32[9,40,4,4] f32[9,70,4,4]", "tile=2 pad=[1,1,1,1]", TWO),
    OK("f32[7,20,40,43] f32[7,70,40,43]", "tile=4 pad=[1,1,1,1]"),
    OK("f32[3,20,40,23] f32[3,34,40,23]", "tile=2 pad=[1,1,1,1]", TWO),
    BAD("f32[1,3,4,4] f32[1,2,4,4]", "tile=1 pad=[1,1,1,1]", "tile is 1, wanted is 2 or 4"),
    BAD("f32[1,3,4,4] f32[1,2,3,3]", "tile=4 pad=[1,1,1,1]",
        "`dy` is f32[1, 2, 3, 3], wanted is f32[1, 2, 4, 4]"),
    BAD("f32[1,3,4,4] f32[1,2,3,3]", "tile=4 pad=[0,0,-1,-1]",
        "a 3x3 kernel does not fit into 4x2 with padding"),
};

OP_TEST(winograd_dw, cases)

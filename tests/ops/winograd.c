/* tests/ops/winograd.c: both filters, weights in each form, ragged tiles, padding of either sign,
 * channels beside the vectors and panels, and as many tiles as take each of the two ways. */
#include "tests/support/op_check.h"

#define TWO .tolerance = 1e-12

static const op_case cases[] = {
    OK("f32[1,1,1,1] f32[1,1,3,3]", "tile=4 pad=[1,1,1,1] outs=1 weights=plain"),
    OK("f32[1,1,1,1] f32[1,1,3,3]", "tile=2 pad=[1,1,1,1] outs=1 weights=plain", TWO),
    OK("f32[2,3,5,6] f32[4,3,3,3]", "tile=4 pad=[1,1,1,1] outs=4 weights=plain"),
    OK("f32[2,3,5,6] f32[4,3,3,3]", "tile=2 pad=[1,1,1,1] outs=4 weights=plain", TWO),
    OK("f32[2,3,5,6] f32[3,4,3,3]", "tile=4 pad=[1,1,1,1] outs=4 weights=turned"),
    OK("f32[2,3,5,6] f32[3,4,3,3]", "tile=2 pad=[1,1,1,1] outs=4 weights=turned", TWO),
    OK("f32[2,3,5,6] f32[36,1,3,32]", "tile=4 pad=[1,1,1,1] outs=4 weights=prepared"),
    OK("f32[2,3,5,6] f32[16,1,3,32]", "tile=2 pad=[1,1,1,1] outs=4 weights=prepared", TWO),
    OK("f32[3,17,9,11] f32[33,17,3,3]", "tile=4 pad=[1,1,1,1] outs=33 weights=plain"),
    OK("f32[3,17,9,11] f32[17,33,3,3]", "tile=2 pad=[0,2,2,0] outs=33 weights=turned", TWO),
    OK("f32[3,17,9,11] f32[36,2,17,32]", "tile=4 pad=[0,2,2,0] outs=33 weights=prepared"),
    OK("f32[2,20,12,13] f32[40,20,3,3]", "tile=4 pad=[-2,-1,0,-3] outs=40 weights=plain"),
    OK("f32[2,20,12,13] f32[40,20,3,3]", "tile=2 pad=[1,-2,-3,2] outs=40 weights=plain", TWO),
    OK("f32[5,64,7,9] f32[64,32,3,3]", "tile=4 pad=[5,3,4,7] outs=32 weights=turned"),
    OK("f32[9,40,4,4] f32[70,40,3,3]", "tile=4 pad=[1,1,1,1] outs=70 weights=plain"),
    OK("f32[9,40,4,4] f32[70,40,3,3]", "tile=2 pad=[1,1,1,1] outs=70 weights=plain", TWO),
    OK("f32[70,37,8,8] f32[40,37,3,3]", "tile=4 pad=[1,1,1,1] outs=40 weights=plain"),
    OK("f32[70,37,8,8] f32[36,2,37,32]", "tile=4 pad=[1,1,1,1] outs=40 weights=prepared"),
    OK("f32[9,19,23,27] f32[50,19,3,3]", "tile=2 pad=[1,1,1,1] outs=50 weights=plain", TWO),
    OK("f32[2,300,9,8] f32[34,300,3,3]", "tile=4 pad=[1,1,1,1] outs=34 weights=plain"),
    OK("f32[1,530,5,5] f32[530,33,3,3]", "tile=2 pad=[1,1,1,1] outs=33 weights=turned", TWO),
    OK("f32[1,16,3,200] f32[16,16,3,3]", "tile=4 pad=[1,1,1,1] outs=16 weights=plain"),
    BAD("f32[1,3,4,4] f32[2,3,3,3]", "tile=3 pad=[1,1,1,1] outs=2 weights=plain",
        "tile is 3, wanted is 2 or 4"),
    BAD("f32[1,3,4,4] f32[2,3,3,3]", "tile=4 pad=[1,1] outs=2 weights=plain",
        "pad is not four numbers"),
    BAD("f32[1,3,4,4] f32[2,3,3,3]", "tile=4 pad=[1,1,1,1] outs=2 weights=upside",
        "weights are 'upside', wanted is plain, turned or prepared"),
    BAD("f32[1,3,4,4] f32[2,3,3,3]", "tile=4 pad=[-1,-1,1,1] outs=2 weights=plain",
        "a 3x3 kernel does not fit into 2x6 with padding"),
    BAD("f32[1,3,4,4] f32[2,3,3,3]", "tile=4 pad=[1,1,1,1] outs=3 weights=plain",
        "`w` is f32[2, 3, 3, 3], wanted is f32[3, 3, 3, 3]"),
    BAD("f32[1,3,4,4] f32[2,3,3,3]", "tile=2 pad=[1,1,1,1] outs=2 weights=prepared",
        "wanted is f32[16, 1, 3, 32]"),
    BAD("f32[1,3,4,4] f32[2,3,3,3]", "tile=2 pad=[1,1,1,1] outs=0 weights=plain", "0 channels"),
};

OP_TEST(winograd, cases)

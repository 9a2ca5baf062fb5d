/* tests/ops/winograd_w.c: channels beside the vectors and panels, plain and turned. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("f32[1,1,3,3]", "tile=4", .tolerance = 1e-13),
    OK("f32[1,1,3,3]", "tile=2", .tolerance = 1e-13),
    OK("f32[5,3,3,3]", "tile=4", .tolerance = 1e-13),
    OK("f32[5,3,3,3]", "tile=4 turned=1", .tolerance = 1e-13),
    OK("f32[33,17,3,3]", "tile=2", .tolerance = 1e-13),
    OK("f32[33,17,3,3]", "tile=2 turned=1", .tolerance = 1e-13),
    OK("f32[64,40,3,3]", "tile=4", .tolerance = 1e-13),
    OK("f32[70,65,3,3]", "tile=4 turned=1", .tolerance = 1e-13),
    BAD("f32[4,3,3,3]", "tile=6", "tile is 6, wanted is 2 or 4"),
    BAD("f32[4,3,5,5]", "tile=4", "`w` is f32[4, 3, 5, 5], wanted is f32[4, 3, 3, 3]"),
    BAD("f32[4,3,3]", "tile=4", "`w` has rank 3, wanted is rank 4"),
};

OP_TEST(winograd_w, cases)

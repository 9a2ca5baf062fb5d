/* where: cases. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("bool f32 f32", ""),
    OK("bool[7] f32[7] f32[7]", ""),
    OK("bool[2,3,5] f32[2,1,5] f32", ""),
    OK("bool[1,3,1] f32[2,3,1] f32[1,1,4]", ""),
    OK("bool[1031] f32[1031] f32[1031]", "", .no_second_check = true),
    OK("bool[9] f64[9] f64[9]", ""),
    OK("bool[40] i32[40] i32", ""),
    OK("bool[40] u8[40] u8", ""),
    OK("bool[40] bool[40] bool", ""),
    BAD("f32[3] f32[3] f32[3]", "", "wanted is bool"),
    BAD("bool[3] f32[3] i32[3]", "", "dtypes differ"),
    BAD("bool[3] f32[4] f32[4]", "", "operands differ on axis 0: 3 and 4"),
};
OP_TEST(where, cases)

/* eq: cases. */
#include "tests/support/op_check.h"

#include <math.h>

/* Equal operands, NaN on either side. */
static void odd(int input, int64_t n, double *values)
{
    for (int64_t i = 0; i < n; i++) {
        if (i % 3 == 0) values[i] = (double)i;
        if (i % 7 == 1 + input) values[i] = NAN;
    }
}

static const op_case cases[] = {
    OK("f32 f32", ""),
    OK("f32[2,3,5] f32[2,1,5]", ""),
    OK("f32[1031] f32[1031]", "", .fill = odd),
    OK("f32[50] f32", ""),
    OK("f64[9] f64[9]", ""),
    OK("i32[300] i32[300]", "", .int_low = 0, .int_high = 3),
    OK("u8[65] u8[65]", ""),
    OK("bool[65] bool[65]", ""),
    BAD("f32[3] i32[3]", "", "dtypes differ"),
    BAD("f32[3] f32[3,1]", "", "rank 1 against rank 2"),
};
OP_TEST(eq, cases)

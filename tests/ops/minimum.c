/* minimum: cases. */
#include "tests/support/op_check.h"

#include <math.h>

/* A NaN on either side, equal operands, infinities. */
static void odd(int input, int64_t n, double *values)
{
    static const double x[] = {NAN, 1, 2, -0.0, INFINITY, -INFINITY},
                        y[] = {1, NAN, 2, 0, 3, INFINITY};
    for (int64_t i = 0; i < n && i < 6; i++) values[i] = input ? y[i] : x[i];
}

static const op_case cases[] = {
    OK("f32 f32", ""),
    OK("f32[1] f32[1]", ""),
    OK("f32[7] f32", ""),
    OK("f32 f32[2,9]", ""),
    OK("f32[2,3,5] f32[2,1,5]", ""),
    OK("f32[4,1,6] f32[1,3,1]", ""),
    OK("f32[3,1030] f32[3,1]", "", .no_second_check = true),
    OK("f32[3,700] f32[1,700]", "", .no_second_check = true),
    OK("f32[5,300,3] f32[5,1,3]", "", .no_second_check = true),
    OK("f32[70001] f32[70001]", "", .no_grad_check = true),
    OK("f32[300,257] f32[300,1]", "", .no_grad_check = true),
    OK("f64[9] f64[9]", ""),
    OK("i32[5,7] i32[5,7]", ""),
    OK("i32[100] i32", ""),
    BAD("f32[3] f64[3]", "", "dtypes differ"),
    BAD("f32[3] f32[3,1]", "", "rank 1 against rank 2"),
    BAD("f32[3,4] f32[3,5]", "", "operands differ on axis 1: 4 and 5"),
    OK("f32[40] f32[40]", "", .fill = odd, .no_grad_check = true),
};
OP_TEST(minimum, cases)

/* pow: cases. */
#include "tests/support/op_check.h"

#include <math.h>

/* Zero and negative bases with whole exponents: gradients by the base. */
static void bases(int input, int64_t n, double *values)
{
    static const double x[] = {-2, -1.5, 1.25, -0.5, 3, 2}, y[] = {2, 3, 0, 1, 1, -2};
    for (int64_t i = 0; i < n && i < 6; i++) values[i] = input ? y[i] : fabs(x[i]);
}

static void corners(int input, int64_t n, double *values)
{
    static const double end[] = {0,  -0.0, 1,  -1,  INFINITY, -INFINITY, NAN,  2,
                                 -2, 3,    -3, 0.5, 100,      -100,      1e30, -1e-30};
    for (int64_t i = 0; i < n; i++) values[i] = end[input ? (i * 7 + i / 16) % 16 : i % 16];
}

static const op_case cases[] = {
    OK("f32 f32", "", .low = 0.3, .high = 2.5),
    OK("f32[1] f32[1]", "", .low = 0.3, .high = 2.5),
    OK("f32[7] f32", "", .low = 0.3, .high = 2.5),
    OK("f32 f32[2,9]", "", .low = 0.3, .high = 2.5),
    OK("f32[2,3,5] f32[2,1,5]", "", .low = 0.3, .high = 2.5),
    OK("f32[4,1,6] f32[1,3,1]", "", .low = 0.3, .high = 2.5),
    OK("f32[3,1030] f32[3,1]", "", .low = 0.3, .high = 2.5, .no_second_check = true),
    OK("f32[3,700] f32[1,700]", "", .low = 0.3, .high = 2.5, .no_second_check = true),
    OK("f32[5,300,3] f32[5,1,3]", "", .low = 0.3, .high = 2.5, .no_second_check = true),
    OK("f32[70001] f32[70001]", "", .low = 0.3, .high = 2.5, .no_grad_check = true),
    OK("f32[300,257] f32[300,1]", "", .low = 0.3, .high = 2.5, .no_grad_check = true),
    OK("f64[9] f64[9]", "", .low = 0.3, .high = 2.5),
    BAD("f32[3] f64[3]", "", "dtypes differ"),
    BAD("f32[3] f32[3,1]", "", "rank 1 against rank 2"),
    BAD("f32[3,4] f32[3,5]", "", "operands differ on axis 1: 4 and 5"),
    BAD("i32[3] i32[3]", "", "wanted are floats"),
    OK("f32[6] f32[6]", "", .fill = bases),
    OK("f32[60] f32[60]", "", .fill = corners, .no_grad_check = true),
};
OP_TEST(pow, cases)

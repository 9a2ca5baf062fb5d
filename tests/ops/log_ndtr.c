/* log_ndtr: cases. */
#include "tests/support/op_check.h"

#include <math.h>

/* The ends of the range, then values inside of it. */
static void ends(int input, int64_t n, double *values)
{
    static const double end[] = {0,    -0.0, INFINITY, NAN, 1e-45, -1e-40, 1e8,
                                 -1e8, 14.4, -14.4,    -36, -38,   1e-8,   -1e-8};
    (void)input;
    for (int64_t i = 0; i < n && i < 14; i++) values[i] = end[i];
}

static const op_case cases[] = {
    OK("f32[1]", "", .low = -3, .high = 3),
    OK("f32", "", .low = -3, .high = 3),
    OK("f32[2,3,5]", "", .low = -3, .high = 3),
    OK("f32[1031]", "", .low = -12, .high = 5),
    OK("f32[33,1,31]", "", .low = -3, .high = 3),
    OK("f32[40,1000]", "", .low = -80, .high = 8, .no_grad_check = true),
    OK("f64[17]", "", .low = -3, .high = 3),
    OK("f64[300]", "", .low = -60, .high = -30),
    OK("f32[14]", "", .fill = ends, .no_grad_check = true),
    OK("f32[2000]", "", .fill = ends, .low = -8, .high = 8, .no_grad_check = true),
    BAD("i32[3]", "", "wanted are floats"),
};
OP_TEST(log_ndtr, cases)

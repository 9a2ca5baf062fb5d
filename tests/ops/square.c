/* square: cases. */
#include "tests/support/op_check.h"

#include <math.h>

/* The ends of the range, then values inside of it. */
static void ends(int input, int64_t n, double *values)
{
    static const double end[] = {0,    -0.0,  INFINITY, -INFINITY, NAN,  1e-45, -1e-40,
                                 3e38, -3e38, 88,       -88,       1e-8, -1e-8};
    (void)input;
    for (int64_t i = 0; i < n && i < 13; i++) values[i] = end[i];
}

static const op_case cases[] = {
    OK("f32[1]", "", .low = -2, .high = 2),
    OK("f32", "", .low = -2, .high = 2),
    OK("f32[2,3,5]", "", .low = -2, .high = 2),
    OK("f32[1031]", "", .low = -2, .high = 2),
    OK("f32[33,1,31]", "", .low = -2, .high = 2),
    OK("f32[40,1000]", "", .low = -50, .high = 50, .no_grad_check = true),
    OK("f64[17]", "", .low = -2, .high = 2),
    OK("f32[13]", "", .fill = ends, .no_grad_check = true),
    OK("f32[2000]", "", .fill = ends, .low = -50, .high = 50, .no_grad_check = true),
    OK("i32[5,7]", ""),
    BAD("bool[3]", "", "there is no arithmetic on bool"),
};
OP_TEST(square, cases)

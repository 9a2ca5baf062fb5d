/* clip: cases. */
#include "tests/support/op_check.h"

#include <math.h>

static void bounds(int input, int64_t n, double *values)
{
    for (int64_t i = 0; i < n; i++) {
        if (input == 1) values[i] = -1 + (double)i * 0.01;
        if (input == 2) values[i] = 1 + (double)i * 0.01;
    }
}

static void ends(int input, int64_t n, double *values)
{
    static const double end[] = {NAN, INFINITY, -INFINITY, -1, 1, 0};
    bounds(input, n, values);
    for (int64_t i = 0; input == 0 && i < n; i++) values[i] = end[i % 6];
}

static const op_case cases[] = {
    OK("f32[7] f32 f32", "", .fill = bounds),
    OK("f32[2,3,5] f32[2,1,5] f32[1,3,1]", "", .fill = bounds),
    OK("f32[1031] f32 f32", "", .fill = bounds),
    OK("f64[9] f64 f64", "", .fill = bounds),
    OK("i32[40] i32 i32", "", .fill = bounds),
    OK("f32[13] f32 f32", "", .fill = ends, .no_grad_check = true),
    BAD("f32[3] i32 i32", "", "dtypes differ"),
};
OP_TEST(clip, cases)

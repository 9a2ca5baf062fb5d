/* sort: cases. */
#include "tests/support/op_check.h"

#include <math.h>

/* Few different values, so that most are equal to some; zeros of both signs. */
static void equal(int input, int64_t n, double *values)
{
    (void)input;
    for (int64_t i = 0; i < n; i++) values[i] = i * 7 % 5 == 4 ? -0.0 : (double)(i * 7 % 5 % 3);
}

static void with_nan(int input, int64_t n, double *values)
{
    equal(input, n, values);
    for (int64_t i = 0; i < n; i++) {
        if (i % 7 == 3) values[i] = NAN;
        if (i % 7 == 5) values[i] = i % 2 ? INFINITY : -INFINITY;
    }
}

static const op_case cases[] = {
    OK("f32[1]", "axis=0"),
    OK("f32[7]", "axis=0"),
    OK("f32[3,5]", "axis=1"),
    OK("f32[3,5]", "axis=0"),
    OK("f32[2,3,4]", "axis=1"),
    OK("f32[3,1031]", "axis=1", .no_grad_check = true),
    OK("f32[100,33]", "axis=0", .no_grad_check = true),
    OK("f32[3,40]", "axis=1", .fill = equal, .no_grad_check = true),
    OK("f32[40,3]", "axis=0", .fill = with_nan, .no_grad_check = true),
    OK("f32[2,9000]", "axis=1", .fill = with_nan, .no_grad_check = true),
    OK("i32[3,40]", "axis=1"),
    OK("i32[200]", "axis=0", .int_low = -2147483647, .int_high = 2147483647),
    OK("f64[9]", "axis=0"),
    BAD("bool[3]", "axis=0", "there is no order of bool values"),
    BAD("f32[3]", "axis=1", "there is no axis 1"),
};
OP_TEST(sort, cases)

/* log_softmax: cases. */
#include "tests/support/op_check.h"

#include <math.h>

/* A line with -inf in it, and one with large numbers. */
static void large(int input, int64_t n, double *values)
{
    (void)input;
    for (int64_t i = 0; i < n; i++) values[i] = i % 11 == 3 ? -INFINITY : 80 * values[i];
}

static const op_case cases[] = {
    OK("f32[1]", "axis=0"),
    OK("f32[7]", "axis=0"),
    OK("f32[3,5]", "axis=1"),
    OK("f32[3,5]", "axis=0"),
    OK("f32[2,3,4]", "axis=1"),
    OK("f32[37,131]", "axis=1", .no_grad_check = true),
    OK("f32[5,1031]", "axis=1", .no_grad_check = true),
    OK("f32[2,65,300]", "axis=1", .no_grad_check = true),
    OK("f32[2,40000]", "axis=1", .no_grad_check = true),
    OK("f32[4000,9]", "axis=1", .no_grad_check = true),
    OK("f32[6,40]", "axis=1", .fill = large, .no_grad_check = true),
    OK("f32[40,6]", "axis=0", .fill = large, .no_grad_check = true),
    OK("f64[3,4]", "axis=1"),
    BAD("f32[3]", "axis=1", "there is no axis 1"),
    BAD("i32[3]", "axis=0", "wanted are floats"),
};
OP_TEST(log_softmax, cases)

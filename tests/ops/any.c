/* any: cases. */
#include "tests/support/op_check.h"

/* Mostly false, so that both results come up. */
static void rare(int input, int64_t n, double *values)
{
    (void)input;
    for (int64_t i = 0; i < n; i++) values[i] = i % 97 == 5 ? 1 : 0;
}

static const op_case cases[] = {
    OK("bool[1]", "axes=[0]"),
    OK("bool[3,50]", "axes=[1]", .fill = rare),
    OK("bool[50,30]", "axes=[0] keep=1", .fill = rare),
    OK("bool[2,3,4]", "axes=[0,1,2]", .fill = rare),
    OK("bool[100000]", "axes=[0]", .fill = rare),
    BAD("f32[3]", "axes=[0]", "wanted is bool"),
};
OP_TEST(any, cases)

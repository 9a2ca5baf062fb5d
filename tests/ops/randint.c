/* tests/ops/randint.c: draws of odd sizes; empty ranges. */
#include "tests/support/op_check.h"

static void range(int input, int64_t n, double *values)
{
    static const double of[] = {3, -5, 17}; /* trip, lo, hi */
    for (int64_t i = 0; i < n; i++) values[i] = of[input];
}

static const op_case cases[] = {
    OK("i32 i32 i32", "shape=[7] key=5", .fill = range),
    OK("i32 i32 i32", "shape=[20000] key=77", .fill = range),
    OK("i32 i32 i32", "shape=[7] key=5", .int_low = 4, .int_high = 5,
       .fails = "the range 4..4 is empty"),
    BAD("i32 f32 i32", "shape=[3] key=1", "wanted is i32"),
    BAD("i32 i32 i32[2]", "shape=[3] key=1", "has rank 1"),
};

OP_TEST(randint, cases)

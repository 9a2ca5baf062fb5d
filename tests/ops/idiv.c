/* idiv: cases. */
#include "tests/support/op_check.h"

/* Divisors of both signs, without 0. */
static void divisors(int input, int64_t n, double *values)
{
    for (int64_t i = 0; i < n; i++) {
        if (input == 1 && values[i] == 0) values[i] = -1;
    }
}

static void extremes(int input, int64_t n, double *values)
{
    for (int64_t i = 0; i < n; i++)
        values[i] = input ? (i % 3 == 0   ? -1
                             : i % 3 == 1 ? 1
                                          : -7)
                          : -2147483648.0 + (double)(i / 3);
}

static const op_case cases[] = {
    OK("i32 i32", "", .int_low = 1, .int_high = 5),
    OK("i32[2,3,5] i32[2,1,5]", "", .fill = divisors),
    OK("i32[40000] i32[40000]", "", .fill = divisors),
    OK("i32[9] i32[9]", "", .fill = extremes),
    OK("i32[9] i32", "", .int_low = 0, .int_high = 1, .fails = "the divisor at position 0 is 0"),
    BAD("f32[3] f32[3]", "", "wanted is i32"),
    BAD("i32[3] i32[4]", "", "operands differ on axis 0: 3 and 4"),
};
OP_TEST(idiv, cases)

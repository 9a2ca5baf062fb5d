/* cast: cases. */
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
    OK("f32[37]", "to=0", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("f32[37]", "to=1", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("f32[37]", "to=2", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("f32[37]", "to=3", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("f32[37]", "to=4", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("f64[37]", "to=0", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("f64[37]", "to=1", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("f64[37]", "to=2", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("f64[37]", "to=3", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("f64[37]", "to=4", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("i32[37]", "to=0", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("i32[37]", "to=1", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("i32[37]", "to=2", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("i32[37]", "to=3", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("i32[37]", "to=4", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("u8[37]", "to=0", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("u8[37]", "to=1", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("u8[37]", "to=2", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("u8[37]", "to=3", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("u8[37]", "to=4", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("bool[37]", "to=0", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("bool[37]", "to=1", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("bool[37]", "to=2", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("bool[37]", "to=3", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("bool[37]", "to=4", .low = -300, .high = 300, .int_low = -300, .int_high = 300),
    OK("f32[1031]", "to=2", .low = -1e10, .high = 1e10),
    OK("f32[13]", "to=2", .fill = ends),
    OK("f32[13]", "to=3", .fill = ends),
    OK("f32[13]", "to=4", .fill = ends),
    OK("f64[13]", "to=2", .fill = ends),
    OK("f32[2,3]", "to=1"),
    BAD("f32[3]", "to=9", "there is no dtype of number 9"),
};
OP_TEST(cast, cases)

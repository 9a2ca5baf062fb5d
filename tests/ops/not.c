/* not: cases. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("bool", ""),
    OK("bool[1031]", ""),
    OK("bool[3,5]", ""),
    BAD("f32[3]", "", "wanted is bool"),
};
OP_TEST(not, cases)

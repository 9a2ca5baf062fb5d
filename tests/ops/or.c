/* or: cases. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("bool bool", ""),
    OK("bool[1031] bool[1031]", ""),
    OK("bool[3,5] bool[3,1]", ""),
    BAD("i32[3] bool[3]", "", "wanted is bool"),
};
OP_TEST(or, cases)

/* tests/ops/place.c: its shape rule; what it does is the executor's. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("", "index=0 dtype=0 shape=[]"),
    BAD("", "index=0 dtype=-1 shape=[2,3]", "there is no dtype -1"),
    BAD("", "dtype=0 shape=[2]", "the argument `index` is missing"),
};

OP_TEST(place, cases)

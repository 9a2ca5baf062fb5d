/* tests/ops/constant.c: numbers of every dtype, one of them repeated. */
#include "tests/support/op_check.h"

static const op_case cases[] = {
    OK("", "dtype=0 shape=[2,3] data=[1,2,3,4.5,-5,6]"),
    OK("", "dtype=0 shape=[7] data=[0.1]"),
    OK("", "dtype=0 shape=[] data=[3]"),
    OK("", "dtype=2 shape=[3] data=[1,-2,3]"),
    OK("", "dtype=3 shape=[2] data=[255,0]"),
    OK("", "dtype=4 shape=[2,2] data=[1]"),
    BAD("", "dtype=0 shape=[3] data=[1,2]", "2 numbers are given for 3 elements"),
    BAD("", "dtype=9 shape=[1] data=[1]", "there is no dtype 9"),
};

OP_TEST(constant, cases)

/* tests/ops/conv2d_bf16.c: maps that tiles fit and maps that they do not, steps, gaps, and the
 * derivative of a strided convolution. Its reference rounds as the kernel does, so the sums differ
 * by rounding in f32 alone. */
#include "tests/support/op_check.h"

#include "ops/support/amx.h"

/* Packed weights: any finite numbers will do, as bytes of bf16. */
static void weights(int input, int64_t n, double *v)
{
    if (input != 1) return;
    uint64_t state = 88172645463325252u;
    for (int64_t i = 0; i < n; i += 2) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        uint16_t bits = dg_bf16_bits((float)((double)(state >> 40) * 0x1p-23 - 1));
        v[i] = bits & 0xff;
        v[i + 1] = bits >> 8;
    }
}

#define SAME "stride=[1,1] pad=[1,1,1,1] dilation=[1,1] kh=3 kw=3 "
#define CASE(types, attrs) OK(types, attrs, .fill = weights, .no_grad_check = true)

static const op_case cases[] = {
    CASE("f32[2,32,16,16] u8[18432]", SAME "outs=32"),
    CASE("f32[1,16,8,8] u8[18432]", SAME "outs=16"), /* one tile of each */
    CASE("f32[2,33,9,7] u8[73728]", SAME "outs=35"), /* nothing is whole */
    CASE("f32[5,48,4,4] u8[73728]", SAME "outs=64"), /* several images in a piece */
    CASE("f32[3,17,3,5] u8[18432]", SAME "outs=17"), /* maps smaller than a tile */
    CASE("f32[3,64,32,32] u8[147456]", SAME "outs=128"),
    CASE("f32[1,32,3,300] u8[18432]", SAME "outs=32"), /* rows longer than a piece */
    CASE("f32[8,40,4,4] u8[368640]", SAME "outs=300"), /* staged before they are shared out */
    CASE("f32[2,33,13,31] u8[73728]",
         "stride=[1,1] pad=[2,1,3,2] dilation=[1,2] kh=3 kw=3 outs=35"), /* one copy for all taps */
    CASE("f32[1,20,19,18] u8[18432]",
         "stride=[2,1] pad=[1,1,0,0] dilation=[1,1] kh=3 kw=3 outs=20"), /* one by two rows */
    CASE("f32[2,40,16,16] u8[16384]",
         "stride=[1,1] pad=[0,0,0,0] dilation=[1,1] kh=1 kw=1 outs=100"),
    CASE("f32[2,32,17,16] u8[18432]",
         "stride=[2,2] pad=[1,1,1,1] dilation=[1,1] kh=3 kw=3 outs=32"),
    CASE("f32[2,32,16,16] u8[18432]",
         "stride=[2,2] pad=[0,1,0,1] dilation=[1,1] kh=3 kw=3 outs=32"),
    CASE("f32[1,16,12,13] u8[2048]", "stride=[3,2] pad=[0,0,0,0] dilation=[1,1] kh=1 kw=1 outs=16"),
    CASE("f32[1,20,19,18] u8[20480]",
         "stride=[2,1] pad=[3,0,1,2] dilation=[3,2] kh=2 kw=5 outs=20"),
    CASE("f32[2,32,8,8] u8[18432]",
         "stride=[1,1] pad=[1,2,1,2] dilation=[1,1] kh=3 kw=3 outs=32 up=2"),
    CASE("f32[1,16,5,6] u8[18432]",
         "stride=[1,1] pad=[0,1,2,0] dilation=[1,1] kh=3 kw=3 outs=16 up=3"),
    CASE(
        "f32[1,16,2,2] u8[18432]",
        "stride=[1,1] pad=[4,4,4,4] dilation=[1,1] kh=3 kw=3 outs=16"), /* taps that find nothing */
    BAD("f32[1,16,8,8] u8[18432]", SAME "outs=64", "is u8[18432], wanted is u8[36864]"),
    BAD("f32[1,16,8,8] u8[18432]", SAME "outs=16 up=0", "up is 0, wanted is 1 or more"),
};

OP_TEST(conv2d_bf16, cases)

/* random_graph.c: one step of a random graph; each kind of node that gradients and passes treat in
 * its own way occurs. */
#include "tests/support/random_graph.h"

uint64_t random_seed;

uint32_t random_draw(uint32_t n)
{
    random_seed = random_seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_seed >> 33) % n;
}

double random_uniform(void)
{
    return (double)random_draw(1u << 20) / (1u << 20) - 0.5;
}

enum { N = RANDOM_N, M = RANDOM_M };

dg_value random_step(dg_build *b, dg_value x, dg_value y)
{
    static const char *const unary[] = {"sin",    "tanh", "sigmoid", "silu", "softplus",
                                        "square", "exp",  "gelu",    "erf",  "cos"};
    const int swap[] = {1, 0};
    dg_shape full = DG_SHAPE(N, M);
    switch (random_draw(14)) {
    case 0:
        return dg_add(b, x, y);
    case 1:
        return dg_sub(b, x, dg_neg(b, y));
    case 2:
        return dg_mul(b, x, y);
    case 3:
        return dg_div(b, x, dg_shift(b, dg_unary(b, "square", y), 1));
    case 4:
        return dg_transpose(b, dg_reshape(b, dg_mul(b, x, y), DG_SHAPE(M, N)), swap);
    case 5: { /* rows against columns */
        int64_t at[] = {0, 1}, end[] = {N, 2}, one[] = {1, 1};
        return dg_mul(b, x, dg_slice(b, y, at, end, one));
    }
    case 6: { /* every second column, spread again */
        int64_t at[] = {0, 1}, end[] = {N, M}, step[] = {1, 2}, before[] = {0, 1}, none[] = {0, 0},
                inner[] = {0, 1};
        return dg_add(b, x, dg_pad(b, dg_slice(b, y, at, end, step), before, none, inner));
    }
    case 7:
        return dg_matmul(b, dg_matmul(b, x, y, false, true), x, false, false);
    case 8:
        return dg_where(b, dg_compare(b, "lt", x, y), dg_unary(b, "sin", x), y);
    case 9: { /* concatenated and cut again */
        int64_t at[] = {2, 0}, end[] = {2 + N, M}, one[] = {1, 1};
        return dg_slice(b, dg_concat(b, (dg_value[]){x, y}, 2, 0), at, end, one);
    }
    case 10:
        return dg_expand(b, dg_scale(b, dg_sum_keep(b, dg_mul(b, x, y), DG_AXES(0)), 0.3), full);
    case 11:
        return dg_mul(b, x, dg_mean_keep(b, y, DG_AXES(0, 1)));
    default:
        return dg_unary(b, unary[random_draw(sizeof unary / sizeof *unary)], dg_scale(b, x, 0.5));
    }
}

/* ops/math/idiv.c: whole quotient of integers, rounded down. */
#include "ops/support/elementwise.h"

static const char doc[] = "z = floor(x / y), broadcast; i32; a divisor of 0 stops the run\n"
                          "-2147483648 // -1 wraps";

static void run(const dg_call *k)
{
    dg_divide_ints(k, dg_floor_div);
}

static const dg_kernel kernels[] = {
    {"i32", run, .dtype = DG_I32, .strided = 3},
    {0},
};

static void ref(const dg_call *k)
{
    const int32_t *x = k->in[0].data, *y = k->in[1].data;
    int32_t *z = k->out[0].data;
    const dg_shape *s = &k->out[0].shape;
    for (int64_t i = 0; i < dg_shape_count(s); i++) {
        int64_t a = x[dg_broadcast_at(&k->in[0], s, i)], by = y[dg_broadcast_at(&k->in[1], s, i)];
        if (by == 0) dg_fail(k, "the divisor at position %lld is 0", (long long)i);
        z[i] =
            by == 0
                ? 0
                : (int32_t)floor(
                      (double)a /
                      (double)
                          by); /* both are exact, the quotient rounds away from no whole number */
        if (by == -1) z[i] = DG_WRAP(0, -, a);
    }
}

const dg_op dg_op_idiv = {
    .name = "idiv",
    .inputs = "x y",
    .outputs = "z",
    .doc = doc,
    .infer = dg_infer_ints,
    .no_grad = "integers have no gradient",
    .ref = ref,
    .kernels = kernels,
};

/* ops/math/mod.c: remainder of integers, with the sign of the divisor. */
#include "ops/support/elementwise.h"

static const char doc[] = "z = x - y * floor(x / y), broadcast; i32; a divisor of 0 stops the run";

static void run(const dg_call *k)
{
    dg_divide_ints(k, dg_floor_mod);
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
        z[i] = by == 0 ? 0 : (int32_t)((a % by + by) % by);
    }
}

const dg_op dg_op_mod = {
    .name = "mod",
    .inputs = "x y",
    .outputs = "z",
    .doc = doc,
    .infer = dg_infer_ints,
    .no_grad = "integers have no gradient",
    .ref = ref,
    .kernels = kernels,
};

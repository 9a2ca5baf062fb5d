/* ops/source/constant.c: numbers known when compiling. */
#include "ops/ops.h"

#include <string.h>

static const char doc[] = "y = the given numbers, row-major, or one number repeated";

static const dg_attr_spec attrs[] = {
    {"dtype", DG_INT, .required = true, .doc = "of the result"},
    {"shape", DG_INTS, .required = true, .doc = "dims of the result"},
    {"data", DG_DATA, .required = true,
     .doc = "floats as doubles, all else as 32-bit ints; one element: repeated"},
    {0},
};

static int64_t elements(const dg_attr *data, dg_dtype t)
{
    return data->n / (int64_t)(dg_dtype_is_float(t) ? sizeof(double) : sizeof(int32_t));
}

static bool infer(dg_infer *t)
{
    int64_t dtype = dg_attr_int(t->attrs, "dtype");
    dg_shape s = dg_attr_shape(t->attrs, "shape");
    if (dtype < 0 || dtype >= DG_DTYPES)
        return dg_reject_attr(t, "dtype", "there is no dtype %lld", (long long)dtype);
    if (!dg_give_typed(t, 0, (dg_dtype)dtype, s)) return false;
    int64_t have = elements(dg_attr_find(t->attrs, "data"), (dg_dtype)dtype),
            want = dg_shape_count(&s);
    if (have != 1 && have != want)
        return dg_reject_attr(t, "data", "%lld numbers are given for %lld elements",
                              (long long)have, (long long)want);
    return true;
}

static void run(const dg_call *k)
{
    const dg_attr *data = dg_attr_find(k->attrs, "data");
    dg_dtype t = k->out[0].dtype;
    int64_t n = dg_shape_count(&k->out[0].shape), step = elements(data, t) == 1 ? 0 : 1;
    const double *f = data->v.data;
    const int32_t *i = data->v.data;
    for (int64_t e = 0; e < n; e++) {
        if (t == DG_F64)
            ((double *)k->out[0].data)[e] = f[e * step];
        else if (t == DG_F32)
            ((float *)k->out[0].data)[e] = (float)f[e * step];
        else if (t == DG_I32)
            ((int32_t *)k->out[0].data)[e] = i[e * step];
        else
            ((uint8_t *)k->out[0].data)[e] = (uint8_t)i[e * step];
    }
}

static const dg_kernel kernels[] = {
    {"fill", run, .any_dtype = true},
    {0},
};

const dg_op dg_op_constant = {
    .name = "constant",
    .inputs = "",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_LEAF,
    .infer = infer,
    .no_grad = "it has no operands",
    .ref = run,
    .kernels = kernels,
};

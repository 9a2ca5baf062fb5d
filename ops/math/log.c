/* ops/math/log.c: natural logarithm. */
#include "ops/support/elementwise.h"

static const char doc[] = "y = log(x); -inf at 0, NaN below";

static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    g->din[0] = dg_div(b, g->dout[0], g->in[0]);
}

DG_REF_1(ref, double, double, log(x))

DG_LANES_1(log_f32, float, float, dg_logf(x))
DG_LANES_1(log_f64, double, double, log(x))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(log_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(log_f64)},
    {0},
};

DG_ELEMENTWISE_KERNELS(log)

const dg_op dg_op_log = {
    .name = "log",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .traits = DG_ELEMENTWISE,
    .infer = dg_infer_floats,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .lanes = lanes,
    .in_place = 1,
};

/* ops/inner/winograd_dw.c: the derivative of a 3x3 convolution of stride 1 by its weights, by
 * Winograd's transforms (support/winograd_dw.c): what pass `prepare` makes of conv2d_dw where that
 * is cheaper. */
#include "ops/support/winograd.h"

enum { X, DY };

static const char doc[] = "dw[o,c,a,b] = sum_{n,i,j} dy[n,o,i,j] * x[n, c, i - top + a, j - left + "
                          "b], zero outside x, as G^T [sum over tiles (A dy A^T) . (B^T x B)] G\n"
                          "x [N,C,H,W], dy [N, O, H + top + bottom - 2, W + left + right - 2] -> "
                          "dw [O,C,3,3]";

static const dg_attr_spec attrs[] = {
    {"tile", DG_INT, .required = true, .doc = "4: F(4x4, 3x3); 2: F(2x2, 3x3)"},
    {"pad", DG_INTS, .required = true,
     .doc = "zeros around x: [top, bottom, left, right]; negative: cut off"},
    {0},
};

static dg_winograd winograd_of(const dg_attrs *a, dg_shape x, dg_shape dy)
{
    return (dg_winograd){.g = dg_winograd_geometry(x, dy.dim[1], dg_attr_ints(a, "pad", NULL)),
                         .tile = (int)dg_attr_int(a, "tile")};
}

static bool infer(dg_infer *t)
{
    if (!dg_want_float(t, X) || !dg_want_same_dtype(t, X, DY) || !dg_want_rank(t, X, 4) ||
        !dg_want_rank(t, DY, 4) || !dg_winograd_attrs_fit(t))
        return false;
    dg_winograd w = winograd_of(t->attrs, dg_in_shape(t, X), dg_in_shape(t, DY));
    const dg_conv *g = &w.g;
    return dg_winograd_results_fit(t, g) &&
           dg_want_shape(t, DY, DG_SHAPE(g->N, g->O, g->Ho, g->Wo)) &&
           dg_give(t, 0, DG_SHAPE(g->O, g->C, 3, 3));
}

static void ref_kernel(const dg_call *k, int64_t oc)
{
    dg_winograd w = winograd_of(k->attrs, k->in[X].shape, k->in[DY].shape);
    const dg_conv *g = &w.g;
    int64_t o = oc / g->C, c = oc % g->C;
    for (int64_t e = 0; e < 9; e++) {
        double sum = 0;
        for (int64_t n = 0; n < g->N; n++)
            for (int64_t i = 0; i < g->Ho; i++)
                for (int64_t j = 0; j < g->Wo; j++) {
                    int64_t r = i - g->top + e / 3, q = j - g->left + e % 3;
                    if (r >= 0 && r < g->H && q >= 0 && q < g->W)
                        sum +=
                            ((const double *)k->in[DY]
                                 .data)[((n * g->O + o) * g->Ho + i) * g->Wo + j] *
                            ((const double *)k->in[X].data)[((n * g->C + c) * g->H + r) * g->W + q];
                }
        ((double *)k->out[0].data)[oc * 9 + e] = sum;
    }
}

static void ref(const dg_call *k)
{
    dg_parallel(k, k->out[0].shape.dim[0] * k->out[0].shape.dim[1], ref_kernel);
}

static void run(const dg_call *k)
{
    dg_winograd w = winograd_of(k->attrs, k->in[X].shape, k->in[DY].shape);
    dg_winograd_dw(k, &w, X, k->in[DY].data, k->out[0].data);
}

static int64_t workspace(const dg_infer *t, const dg_strip *s)
{
    (void)s;
    dg_winograd w = winograd_of(t->attrs, t->in[X]->shape, t->in[DY]->shape);
    return dg_winograd_dw_workspace(&w);
}

static int64_t scratch(const dg_infer *t, const dg_strip *s)
{
    dg_winograd w = winograd_of(t->attrs, t->in[X]->shape, t->in[DY]->shape);
    return dg_strips_bytes(t->prologue, s) + dg_winograd_dw_scratch(&w, t->prologue != NULL);
}

static double flops(const dg_infer *t)
{
    dg_winograd w = winograd_of(t->attrs, t->in[X]->shape, t->in[DY]->shape);
    return dg_conv_flops(&w.g);
}

static const dg_kernel kernels[] = {
    {"winograd_f32", run, .dtype = DG_F32, .prologue = 1u << X, .workspace = workspace,
     .scratch = scratch},
    {0},
};

const dg_op dg_op_winograd_dw = {
    .name = "winograd_dw",
    .inputs = "x dy",
    .outputs = "dw",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_INNER | DG_GEMM_LIKE,
    .infer = infer,
    .no_grad = "it is made after gradients",
    .ref = ref,
    .kernels = kernels,
    .flops = flops,
};

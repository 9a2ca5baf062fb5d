/* ops/conv/conv2d.c: two-dimensional convolution (correlation, as networks use it). */
#include "ops/support/amx_conv.h"
#include "ops/support/conv_ways.h"
#include "ops/support/im2col.h"

#include <string.h>

enum { X, W };

static const char doc[] =
    "y[n,o,i,j] = sum_{c,a,b} w[o,c,a,b] * x[n, g*C/groups + c, i*stride - top + a*dilation, "
    "j*stride - left + b*dilation]\n"
    "x [N,C,H,W], zero outside; w [O, C/groups, kh, kw]; g = o / (O/groups)\n"
    "y [N,O,Ho,Wo], Ho = (H + top + bottom - dilation*(kh-1) - 1) // stride + 1";

static const dg_attr_spec attrs[] = {
    DG_CONV_ATTRS,
    {0},
};

static bool infer(dg_infer *t)
{
    if (!dg_want_float(t, X) || !dg_want_same_dtype(t, X, W) || !dg_want_rank(t, X, 4) ||
        !dg_want_rank(t, W, 4))
        return false;
    dg_conv g = dg_conv_of(t->attrs, dg_in_shape(t, X), dg_in_shape(t, W));
    return dg_conv_fits(t, &g, dg_in_shape(t, W)) && dg_give(t, 0, DG_SHAPE(g.N, g.O, g.Ho, g.Wo));
}

static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_shape x = dg_shape_of(b, g->in[X]), w = dg_shape_of(b, g->in[W]);
    dg_attr a[6];
    int n = dg_conv_attrs(b, g->attrs, a);
    if (g->want[X]) {
        a[n] = dg_attr_of_int("h", x.dim[2]);
        a[n + 1] = dg_attr_of_int("w", x.dim[3]);
        g->din[X] = dg_emit(b, "conv2d_dx", a, n + 2, (dg_value[]){g->dout[0], g->in[W]}, 2);
    }
    if (g->want[W]) {
        a[n] = dg_attr_of_int("kh", w.dim[2]);
        a[n + 1] = dg_attr_of_int("kw", w.dim[3]);
        g->din[W] = dg_emit(b, "conv2d_dw", a, n + 2, (dg_value[]){g->in[X], g->dout[0]}, 2);
    }
}

static void ref_map(const dg_call *k, int64_t no)
{
    dg_conv g = dg_conv_of(k->attrs, k->in[X].shape, k->in[W].shape);
    int64_t n = no / g.O, o = no % g.O, Cg = g.C / g.G;
    double *y = (double *)k->out[0].data + no * g.Ho * g.Wo;
    memset(y, 0, sizeof(double) * (size_t)(g.Ho * g.Wo));
    for (int64_t c = 0; c < Cg; c++) {
        const double *x =
            (const double *)k->in[X].data + (n * g.C + o / (g.O / g.G) * Cg + c) * g.H * g.W;
        for (int64_t a = 0; a < g.kh; a++) {
            for (int64_t b = 0; b < g.kw; b++) {
                double w = ((const double *)k->in[W].data)[((o * Cg + c) * g.kh + a) * g.kw + b];
                for (int64_t i = 0; i < g.Ho; i++) {
                    int64_t r = i * g.sh - g.top + a * g.dh;
                    if (r < 0 || r >= g.H) continue;
                    for (int64_t j = 0; j < g.Wo; j++) {
                        int64_t q = j * g.sw - g.left + b * g.dw;
                        if (q >= 0 && q < g.W) y[i * g.Wo + j] += w * x[r * g.W + q];
                    }
                }
            }
        }
    }
}

static void ref(const dg_call *k)
{
    dg_parallel(k, k->out[0].shape.dim[0] * k->out[0].shape.dim[1], ref_map);
}

static void im2col_f32(const dg_call *k)
{
    dg_conv g = dg_conv_of(k->attrs, k->in[X].shape, k->in[W].shape);
    dg_conv_run(k, &g, X, k->in[W].data, k->out[0].data, true);
}

static dg_conv geometry(const dg_infer *t)
{
    return dg_conv_of(t->attrs, t->in[X]->shape, t->in[W]->shape);
}

static int64_t scratch(const dg_infer *t, const dg_strip *s)
{
    dg_conv g = geometry(t);
    return dg_epilogue_bytes(s) + dg_conv_scratch(&g);
}

static bool prepare(dg_prepare *p, dg_value *out)
{
    dg_conv g =
        dg_conv_of(p->attrs, dg_shape_of(p->build, p->in[X]), dg_shape_of(p->build, p->in[W]));
    return dg_dtype_of(p->build, p->in[X]) == DG_F32 &&
           dg_conv_prepare(p, &g, DG_CONV_FORWARD, out);
}

/* By tiles of AMX, where there are enough channels to fill them. */
static dg_value narrow(dg_build *b, const dg_attrs *a, const dg_value *in, const dg_type *out)
{
    (void)out;
    dg_conv g = dg_conv_of(a, dg_shape_of(b, in[X]), dg_shape_of(b, in[W]));
    if (!dg_amx_conv_pays(&g)) return DG_NONE;
    return dg_amx_conv_build(b, &g, 1, in[X], in[W], false);
}

static int64_t span(const dg_infer *t)
{
    dg_conv g = geometry(t);
    return dg_conv_span(&g);
}

static bool over(const dg_infer *t)
{
    dg_conv g = geometry(t);
    return dg_conv_over(&g);
}

static double flops(const dg_infer *t)
{
    dg_conv g = geometry(t);
    return dg_conv_flops(&g);
}

static const dg_kernel kernels[] = {
    {"im2col_f32", im2col_f32, .dtype = DG_F32, .parts = 1u << X, .over = over, .scratch = scratch},
    {0},
};

const dg_op dg_op_conv2d = {
    .name = "conv2d",
    .inputs = "x w",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_GEMM_LIKE,
    .infer = infer,
    .grad = grad,
    .prepare = prepare,
    .ref = ref,
    .kernels = kernels,
    .epilogue = true,
    .span = span,
    .narrow = narrow,
    .flops = flops,
};

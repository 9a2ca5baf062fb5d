/* ops/inner/winograd_w.c: weights of a 3x3 convolution as Winograd's products want them
 * (support/winograd.h). A node of its own, so that they are made once for all trips of a loop and
 * for all convolutions that share them. */
#include "ops/support/winograd.h"
#include "ops/support/winograd_ref.h"

static const char doc[] =
    "u[e, o/32, c, o%32] = element e of G k[o,c] G^T, [(tile+2)^2, (O+31)/32, C, 32], zero behind "
    "output O\n"
    "k = w [O,C,3,3]; turned: k[o,c,a,b] = w[c,o,2-a,2-b], w [C,O,3,3]";

static const dg_attr_spec attrs[] = {
    {"tile", DG_INT, .required = true, .doc = "4: F(4x4, 3x3); 2: F(2x2, 3x3)"},
    {"turned", DG_INT, .fallback = 0, .doc = "1: inputs and outputs trade places"},
    {0},
};

static dg_winograd winograd_of(const dg_attrs *a, dg_shape w)
{
    bool turned = dg_attr_int(a, "turned") != 0;
    return (dg_winograd){.g = {.O = w.dim[turned], .C = w.dim[!turned]},
                         .tile = (int)dg_attr_int(a, "tile"),
                         .form = turned ? DG_WINOGRAD_TURNED : DG_WINOGRAD_PLAIN};
}

static bool infer(dg_infer *t)
{
    if (!dg_want_float(t, 0) || !dg_want_rank(t, 0, 4) || !dg_winograd_attrs_fit(t)) return false;
    dg_shape w = dg_in_shape(t, 0);
    if (!dg_want_shape(t, 0, DG_SHAPE(w.dim[0], w.dim[1], 3, 3))) return false;
    dg_winograd g = winograd_of(t->attrs, w);
    int64_t side = g.tile + 2;
    return dg_give(t, 0, DG_SHAPE(side * side, dg_winograd_panels(&g.g), g.g.C, DG_WINOGRAD_PANEL));
}

static void ref(const dg_call *k)
{
    dg_winograd w = winograd_of(k->attrs, k->in[0].shape);
    int64_t side = w.tile + 2, O = w.g.O, C = w.g.C, panels = dg_winograd_panels(&w.g);
    for (int64_t o = 0; o < panels * DG_WINOGRAD_PANEL; o++)
        for (int64_t c = 0; c < C; c++) {
            double kernel[9] = {0}, u[36];
            for (int e = 0; e < 9 && o < O; e++)
                kernel[e] = ((const double *)k->in[0]
                                 .data)[w.form == DG_WINOGRAD_TURNED ? (c * O + o) * 9 + 8 - e
                                                                     : (o * C + c) * 9 + e];
            dg_winograd_ref(w.tile, DG_WINOGRAD_G, kernel, u);
            for (int64_t e = 0; e < side * side; e++)
                ((double *)k->out[0]
                     .data)[((e * panels + o / DG_WINOGRAD_PANEL) * C + c) * DG_WINOGRAD_PANEL +
                            o % DG_WINOGRAD_PANEL] = u[e];
        }
}

static void run(const dg_call *k)
{
    dg_winograd w = winograd_of(k->attrs, k->in[0].shape);
    dg_winograd_prepare(k, &w, k->in[0].data, k->out[0].data);
}

static int64_t scratch(const dg_infer *t, const dg_strip *s)
{
    (void)t, (void)s;
    return dg_winograd_prepare_scratch();
}

static const dg_kernel kernels[] = {
    {"winograd_f32", run, .dtype = DG_F32, .scratch = scratch},
    {0},
};

const dg_op dg_op_winograd_w = {
    .name = "winograd_w",
    .inputs = "w",
    .outputs = "u",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_INNER | DG_GEMM_LIKE,
    .infer = infer,
    .no_grad = "it is made after gradients",
    .ref = ref,
    .kernels = kernels,
};

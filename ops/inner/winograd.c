/* ops/inner/winograd.c: 3x3 convolution of stride 1 by Winograd's transforms (support/winograd.h):
 * what pass `prepare` makes of conv2d and conv2d_dx where that is cheaper. */
#include "ops/support/winograd.h"

#include "ops/support/winograd_ref.h"

#include <string.h>

enum { X, W };

static const char doc[] =
    "y[n,o,i,j] = sum_{c,a,b} k[o,c,a,b] * x[n, c, i - top + a, j - left + b], zero outside x, in "
    "tiles of results: y = A^T [sum_c (G k G^T) . (B^T d B)] A with d the patch of x under a tile\n"
    "x [N,C,H,W]; y [N, outs, H + top + bottom - 2, W + left + right - 2]\n"
    "weights plain: w = k [outs,C,3,3]; turned: k[o,c,a,b] = w[c,o,2-a,2-b]; prepared: w = "
    "winograd_w(k) [(tile+2)^2, panels, C, 32]\n"
    "Winograd 1980; Lavin and Gray 2016, arXiv:1509.09308";

static const dg_attr_spec attrs[] = {
    {"tile", DG_INT, .required = true, .doc = "4: F(4x4, 3x3); 2: F(2x2, 3x3)"},
    {"pad", DG_INTS, .required = true,
     .doc = "zeros around x: [top, bottom, left, right]; negative: cut off"},
    {"outs", DG_INT, .required = true, .doc = "channels of y"},
    {"weights", DG_STR, .required = true, .doc = "plain, turned or prepared"},
    {0},
};

static dg_winograd_form form_of(const dg_attrs *a)
{
    const char *name = dg_attr_str(a, "weights");
    if (strcmp(name, "plain") == 0) return DG_WINOGRAD_PLAIN;
    return strcmp(name, "turned") == 0 ? DG_WINOGRAD_TURNED : DG_WINOGRAD_PREPARED;
}

static dg_winograd winograd_of(const dg_attrs *a, dg_shape x)
{
    return (dg_winograd){
        dg_winograd_geometry(x, dg_attr_int(a, "outs"), dg_attr_ints(a, "pad", NULL)),
        (int)dg_attr_int(a, "tile"), form_of(a)};
}

static bool infer(dg_infer *t)
{
    if (!dg_want_float(t, X) || !dg_want_same_dtype(t, X, W) || !dg_want_rank(t, X, 4) ||
        !dg_winograd_attrs_fit(t))
        return false;
    int64_t outs = dg_attr_int(t->attrs, "outs");
    if (outs < 1) return dg_reject_attr(t, "outs", "%lld channels", (long long)outs);
    dg_winograd w = winograd_of(t->attrs, dg_in_shape(t, X));
    const dg_conv *g = &w.g;
    int64_t side = w.tile + 2;
    dg_shape weights = w.form == DG_WINOGRAD_PLAIN ? DG_SHAPE(g->O, g->C, 3, 3)
                       : w.form == DG_WINOGRAD_TURNED
                           ? DG_SHAPE(g->C, g->O, 3, 3)
                           : DG_SHAPE(side * side, dg_winograd_panels(g), g->C, DG_WINOGRAD_PANEL);
    return dg_winograd_results_fit(t, g) && dg_want_shape(t, W, weights) &&
           dg_give(t, 0, DG_SHAPE(g->N, g->O, g->Ho, g->Wo));
}

/* ---- f64: by the definition; for prepared weights, whose kernels are not known, by its tiles ----
 */

static double kernel_at(const dg_winograd *w, const double *k, int64_t o, int64_t c, int64_t a,
                        int64_t b)
{
    return w->form == DG_WINOGRAD_PLAIN ? k[((o * w->g.C + c) * 3 + a) * 3 + b]
                                        : k[((c * w->g.O + o) * 3 + 2 - a) * 3 + 2 - b];
}

static double x_at(const dg_conv *g, const double *x, int64_t n, int64_t c, int64_t r, int64_t q)
{
    r -= g->top;
    q -= g->left;
    return r < 0 || r >= g->H || q < 0 || q >= g->W ? 0 : x[((n * g->C + c) * g->H + r) * g->W + q];
}

static double direct(const dg_call *k, const dg_winograd *w, int64_t n, int64_t o, int64_t i,
                     int64_t j)
{
    double sum = 0;
    for (int64_t c = 0; c < w->g.C; c++)
        for (int64_t a = 0; a < 3; a++)
            for (int64_t b = 0; b < 3; b++)
                sum += kernel_at(w, k->in[W].data, o, c, a, b) *
                       x_at(&w->g, k->in[X].data, n, c, i + a, j + b);
    return sum;
}

/* The tile of y whose first pixel is (i, j). */
static void by_tile(const dg_call *k, const dg_winograd *w, int64_t n, int64_t o, int64_t i,
                    int64_t j, double *y)
{
    const dg_conv *g = &w->g;
    int64_t side = w->tile + 2, panels = dg_winograd_panels(g);
    double m[36] = {0}, d[36], v[36], r[16];
    for (int64_t c = 0; c < g->C; c++) {
        for (int64_t e = 0; e < side * side; e++)
            d[e] = x_at(g, k->in[X].data, n, c, i + e / side, j + e % side);
        dg_winograd_ref(w->tile, DG_WINOGRAD_B, d, v);
        for (int64_t e = 0; e < side * side; e++)
            m[e] +=
                v[e] *
                ((const double *)k->in[W]
                     .data)[((e * panels + o / DG_WINOGRAD_PANEL) * g->C + c) * DG_WINOGRAD_PANEL +
                            o % DG_WINOGRAD_PANEL];
    }
    dg_winograd_ref(w->tile, DG_WINOGRAD_A, m, r);
    for (int64_t a = 0; a < w->tile && i + a < g->Ho; a++)
        for (int64_t b = 0; b < w->tile && j + b < g->Wo; b++)
            y[(i + a) * g->Wo + j + b] = r[a * w->tile + b];
}

static void ref_map(const dg_call *k, int64_t no)
{
    dg_winograd w = winograd_of(k->attrs, k->in[X].shape);
    const dg_conv *g = &w.g;
    double *y = (double *)k->out[0].data + no * g->Ho * g->Wo;
    int64_t step = w.form == DG_WINOGRAD_PREPARED ? w.tile : 1;
    for (int64_t i = 0; i < g->Ho; i += step)
        for (int64_t j = 0; j < g->Wo; j += step)
            if (w.form == DG_WINOGRAD_PREPARED)
                by_tile(k, &w, no / g->O, no % g->O, i, j, y);
            else
                y[i * g->Wo + j] = direct(k, &w, no / g->O, no % g->O, i, j);
}

static void ref(const dg_call *k)
{
    dg_parallel(k, k->out[0].shape.dim[0] * k->out[0].shape.dim[1], ref_map);
}

/* ---- f32 ---- */

static void run(const dg_call *k)
{
    dg_winograd w = winograd_of(k->attrs, k->in[X].shape);
    dg_winograd_run(k, &w, X, k->in[W].data, k->out[0].data);
}

static int64_t workspace(const dg_infer *t, const dg_strip *s)
{
    (void)s;
    dg_winograd w = winograd_of(t->attrs, t->in[X]->shape);
    return dg_winograd_workspace(&w);
}

static int64_t scratch(const dg_infer *t, const dg_strip *s)
{
    dg_winograd w = winograd_of(t->attrs, t->in[X]->shape);
    return dg_strips_bytes(t->prologue, s) + dg_winograd_scratch(&w, t->prologue != NULL);
}

static int64_t span(const dg_infer *t)
{
    dg_winograd w = winograd_of(t->attrs, t->in[X]->shape);
    return dg_winograd_cut_of(&w).span;
}

static double flops(const dg_infer *t)
{
    dg_winograd w = winograd_of(t->attrs, t->in[X]->shape);
    return dg_conv_flops(&w.g);
}

static const dg_kernel kernels[] = {
    {"winograd_f32", run, .dtype = DG_F32, .prologue = 1u << X, .workspace = workspace,
     .scratch = scratch},
    {0},
};

const dg_op dg_op_winograd = {
    .name = "winograd",
    .inputs = "x w",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_INNER | DG_GEMM_LIKE,
    .infer = infer,
    .no_grad = "it is made after gradients",
    .ref = ref,
    .kernels = kernels,
    .epilogue = true,
    .span = span,
    .flops = flops,
};

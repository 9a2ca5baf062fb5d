/* ops/shape/reshape.c: the same elements in row-major order under another shape. */
#include "ops/ops.h"

#include <string.h>

extern const dg_op dg_op_reshape; /* for simplify */

static const char doc[] =
    "y = x's elements in row-major order, as [shape]; a view where x's strides allow it";

static const dg_attr_spec attrs[] = {
    {"shape", DG_INTS, .required = true, .doc = "dims of the result; their product is that of x"},
    {0},
};

static bool infer(dg_infer *t)
{
    dg_shape x = dg_in_shape(t, 0), y = dg_attr_shape(t->attrs, "shape");
    if (!dg_shape_fits(&y, dg_in_dtype(t, 0)) || dg_shape_count(&x) != dg_shape_count(&y)) {
        dg_type from = {dg_in_dtype(t, 0), x}, to = {dg_in_dtype(t, 0), y};
        return dg_reject_attr(t, "shape", "%s has %lld elements, which do not fill %s",
                              dg_type_name(t->arena, &from), (long long)dg_shape_count(&x),
                              dg_type_name(t->arena, &to));
    }
    return dg_give(t, 0, y);
}

static void grad(dg_grad *g)
{
    g->din[0] = dg_reshape(g->build, g->dout[0], dg_shape_of(g->build, g->in[0]));
}

/* Both shapes are walked from the end: axes of x are merged while they step evenly, then cut into
 * axes of y. */
static bool view(const dg_attrs *a, const dg_view *in, dg_view *out)
{
    (void)a;
    out->data = in->data;
    if (dg_view_contiguous(in)) {
        dg_view_pack(out);
        return true;
    }
    int i = in->shape.rank - 1, o = out->shape.rank - 1;
    while (o >= 0 && i >= 0) {
        if (out->shape.dim[o] == 1) {
            out->stride[o--] = 0;
            continue;
        }
        if (in->shape.dim[i] == 1) {
            i--;
            continue;
        }
        /* A group of axes with equal products on both sides. */
        int64_t n = in->shape.dim[i], m = out->shape.dim[o], step = in->stride[i];
        int64_t end = step * n; /* what the next merged axis of x has to step */
        out->stride[o--] = step;
        i--;
        while (n != m) {
            if (n < m) {
                while (i >= 0 && in->shape.dim[i] == 1) i--;
                if (i < 0 || in->stride[i] != end) return false;
                end = in->stride[i] * in->shape.dim[i];
                n *= in->shape.dim[i--];
            } else {
                if (o < 0) return false;
                out->stride[o] = step * m;
                m *= out->shape.dim[o--];
            }
        }
    }
    for (; o >= 0; o--) out->stride[o] = 0;
    return true;
}

static void run(const dg_call *k)
{
    memcpy(k->out[0].data, k->in[0].data,
           (size_t)dg_shape_count(&k->out[0].shape) * dg_dtype_size(k->out[0].dtype));
}

/* Axes of size 1 added or taken away, where x repeats `small`: small's are added or taken away, and
 * it is repeated behind that. */
static dg_value of_repeated(dg_build *b, dg_shape x, dg_value small, dg_shape out)
{
    dg_shape s = dg_shape_of(b, small), y = out;
    int i = 0;
    for (int o = 0; o < out.rank; o++) {
        if (out.dim[o] == 1) continue;
        while (i < x.rank && x.dim[i] == 1) i++;
        if (i == x.rank || x.dim[i] != out.dim[o]) return DG_NONE;
        y.dim[o] = s.rank == 0 ? 1 : s.dim[i];
        i++;
    }
    return dg_expand(b, dg_reshape(b, small, y), out);
}

static dg_value simplify(dg_build *b, const dg_attrs *a, const dg_value *in, int n_in,
                         const dg_type *out)
{
    (void)a;
    (void)n_in;
    dg_shape x = dg_shape_of(b, in[0]);
    if (dg_shape_equal(&x, &out->shape)) return in[0];
    dg_value small = dg_operand_of(b, in[0], "expand");
    if (small != DG_NONE) return of_repeated(b, x, small, out->shape);
    dg_node def = dg_value_of(b->graph, in[0])->def;
    if (def == DG_NONE || dg_node_of(b->graph, def)->op != &dg_op_reshape) return DG_NONE;
    return dg_reshape(b, dg_node_of(b->graph, def)->in[0], out->shape);
}

static dg_value stack(dg_build *b, const dg_attrs *a, const dg_value *in, const bool *stacked,
                      int n_in, int64_t n, const dg_type *out)
{
    (void)a;
    (void)stacked;
    (void)n_in;
    return dg_reshape(b, in[0], dg_shape_stacked(out->shape, n));
}

static const dg_kernel kernels[] = {
    {"copy", run, .any_dtype = true},
    {0},
};

const dg_op dg_op_reshape = {
    .name = "reshape",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_VIEW,
    .infer = infer,
    .grad = grad,
    .ref = run,
    .kernels = kernels,
    .view = view,
    .unview = view, /* goes by shapes and strides alone */
    .simplify = simplify,
    .stack = stack,
};

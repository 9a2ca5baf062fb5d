/* ops/shape/expand.c: dims of size 1 repeated. */
#include "ops/ops.h"

extern const dg_op dg_op_expand; /* for simplify */

static const char doc[] = "y = x repeated along its axes of size 1 to [shape]; x has the same "
                          "rank, or rank 0. A view with stride 0";

static const dg_attr_spec attrs[] = {
    {"shape", DG_INTS, .required = true, .doc = "dims of the result"},
    {0},
};

static bool infer(dg_infer *t)
{
    dg_shape x = dg_in_shape(t, 0), y = dg_attr_shape(t->attrs, "shape");
    if (!dg_broadcasts_to(&x, &y)) {
        dg_type to = {dg_in_dtype(t, 0), y};
        return dg_reject(t, "%s does not repeat to %s; only rank 0 and axes of size 1 are repeated",
                         dg_type_name(t->arena, t->in[0]), dg_type_name(t->arena, &to));
    }
    return dg_give(t, 0, y);
}

static void grad(dg_grad *g)
{
    g->din[0] = dg_grad_to(g->build, g->dout[0], g->in[0]);
}

static bool view(const dg_attrs *a, const dg_view *in, dg_view *out)
{
    (void)a;
    for (int i = 0; i < out->shape.rank; i++)
        out->stride[i] = in->shape.rank == 0 || in->shape.dim[i] == 1 ? 0 : in->stride[i];
    out->data = in->data;
    return true;
}

static int64_t source(const dg_call *k, const int64_t *at)
{
    dg_shape x = k->in[0].shape;
    int64_t i = 0;
    for (int a = 0; a < x.rank; a++) i = i * x.dim[a] + (x.dim[a] == 1 ? 0 : at[a]);
    return i;
}

static void ref(const dg_call *k)
{
    dg_ref_pick(k, source);
}

static void run(const dg_call *k)
{
    dg_copy_of_view(k, view);
}

/* The identity, and two in a row as one. */
static dg_value simplify(dg_build *b, const dg_attrs *a, const dg_value *in, int n_in,
                         const dg_type *out)
{
    (void)a;
    (void)n_in;
    dg_shape x = dg_shape_of(b, in[0]);
    if (dg_shape_equal(&x, &out->shape)) return in[0];
    dg_node def = dg_value_of(b->graph, in[0])->def;
    if (def == DG_NONE || dg_node_of(b->graph, def)->op != &dg_op_expand) return DG_NONE;
    return dg_expand(b, dg_node_of(b->graph, def)->in[0], out->shape);
}

static dg_value stack(dg_build *b, const dg_attrs *a, const dg_value *in, const bool *stacked,
                      int n_in, int64_t n, const dg_type *out)
{
    (void)a;
    (void)stacked;
    (void)n_in;
    dg_shape x = dg_shape_of(b, in[0]), y = dg_shape_stacked(out->shape, n);
    for (; x.rank < y.rank; x.rank++) x.dim[x.rank] = 1; /* of one number for each */
    return dg_expand(b, dg_reshape(b, in[0], x), y);
}

static const dg_kernel kernels[] = {
    {"copy", run, .any_dtype = true, .strided = 1},
    {0},
};

const dg_op dg_op_expand = {
    .name = "expand",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_VIEW,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .view = view,
    .simplify = simplify,
    .stack = stack,
};

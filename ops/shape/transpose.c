/* ops/shape/transpose.c: axes in another order. */
#include "ops/ops.h"

extern const dg_op dg_op_transpose; /* for simplify */

static const char doc[] = "axis i of y is axis perm[i] of x; a view";

static const dg_attr_spec attrs[] = {
    {"perm", DG_INTS, .required = true, .doc = "a permutation of x's axes"},
    {0},
};

static bool infer(dg_infer *t)
{
    dg_shape x = dg_in_shape(t, 0), y = {.rank = x.rank};
    int n;
    const int64_t *perm = dg_attr_ints(t->attrs, "perm", &n);
    bool used[DG_MAX_RANK] = {false};
    if (n != x.rank)
        return dg_reject_attr(t, "perm", "%d axes are named, `x` has rank %d", n, x.rank);
    for (int i = 0; i < n; i++) {
        if (perm[i] < 0 || perm[i] >= n || used[perm[i]])
            return dg_reject_attr(t, "perm", "perm is not a permutation of 0..%d", n);
        used[perm[i]] = true;
        y.dim[i] = x.dim[perm[i]];
    }
    return dg_give(t, 0, y);
}

static void grad(dg_grad *g)
{
    int n, back[DG_MAX_RANK];
    const int64_t *perm = dg_attr_ints(g->attrs, "perm", &n);
    for (int i = 0; i < n; i++) back[perm[i]] = i;
    g->din[0] = dg_transpose(g->build, g->dout[0], back);
}

static bool view(const dg_attrs *a, const dg_view *in, dg_view *out)
{
    const int64_t *perm = dg_attr_ints(a, "perm", NULL);
    for (int i = 0; i < in->shape.rank; i++) out->stride[i] = in->stride[perm[i]];
    out->data = in->data;
    return true;
}

static bool unview(const dg_attrs *a, const dg_view *out, dg_view *in)
{
    const int64_t *perm = dg_attr_ints(a, "perm", NULL);
    for (int i = 0; i < in->shape.rank; i++) in->stride[perm[i]] = out->stride[i];
    in->data = out->data;
    return true;
}

static int64_t source(const dg_call *k, const int64_t *at)
{
    const int64_t *perm = dg_attr_ints(k->attrs, "perm", NULL);
    dg_shape x = k->in[0].shape;
    int64_t from[DG_MAX_RANK], i = 0;
    for (int a = 0; a < x.rank; a++) from[perm[a]] = at[a];
    for (int a = 0; a < x.rank; a++) i = i * x.dim[a] + from[a];
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
    (void)n_in;
    (void)out;
    int n, both[DG_MAX_RANK];
    const int64_t *perm = dg_attr_ints(a, "perm", &n);
    bool identity = true;
    for (int i = 0; i < n; i++) identity &= perm[i] == i;
    if (identity) return in[0];
    dg_node def = dg_value_of(b->graph, in[0])->def;
    if (def == DG_NONE || dg_node_of(b->graph, def)->op != &dg_op_transpose) return DG_NONE;
    const int64_t *first = dg_attr_ints(&dg_node_of(b->graph, def)->attrs, "perm", NULL);
    for (int i = 0; i < n; i++) both[i] = (int)first[perm[i]];
    return dg_transpose(b, dg_node_of(b->graph, def)->in[0], both);
}

static dg_value stack(dg_build *b, const dg_attrs *a, const dg_value *in, const bool *stacked,
                      int n_in, int64_t n, const dg_type *out)
{
    (void)stacked;
    (void)n_in;
    (void)n;
    int rank;
    const int64_t *from = dg_attr_ints(a, "perm", &rank);
    int perm[DG_MAX_RANK] = {0};
    for (int i = 0; i < out->shape.rank; i++) perm[i + 1] = (int)from[i] + 1;
    return dg_transpose(b, in[0], perm);
}

static const dg_kernel kernels[] = {
    {"copy", run, .any_dtype = true, .strided = 1},
    {0},
};

const dg_op dg_op_transpose = {
    .name = "transpose",
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
    .unview = unview,
    .simplify = simplify,
    .stack = stack,
};

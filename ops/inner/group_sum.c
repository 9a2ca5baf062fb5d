/* ops/inner/group_sum.c: sums over the channels of a group, for each of its channels; what the
 * gradient of group_norm is made of. */
#include "ops/support/stats.h"
#include "ops/support/sums.h"

static const char doc[] =
    "y[n,c] = sum of x[n,d] over the channels d of c's group, in double; g = c / "
    "(C/groups)\nx, y [N,C,1,...]; it is its own derivative";

static const dg_attr_spec attrs[] = {
    {"groups", DG_INT, .required = true, .doc = "how many groups; divides C"},
    {0},
};

static bool infer(dg_infer *t)
{
    if (!dg_want_float(t, 0) || !dg_want_rank_from(t, 0, 2, DG_MAX_RANK)) return false;
    dg_shape x = dg_in_shape(t, 0);
    int64_t groups = dg_attr_int(t->attrs, "groups");
    if (groups < 1 || x.dim[1] % groups != 0)
        return dg_reject_attr(t, "groups", "%lld channels do not divide into %lld groups",
                              (long long)x.dim[1], (long long)groups);
    return dg_want_shape(t, 0, dg_each_channel(x)) && dg_give(t, 0, x);
}

static void grad(dg_grad *g)
{
    dg_attr groups = dg_attr_of_int("groups", dg_attr_int(g->attrs, "groups"));
    g->din[0] = dg_emit(g->build, "group_sum", &groups, 1, g->dout, 1);
}

/* Channels of a group. */
static int64_t size_of(const dg_call *k)
{
    return k->in[0].shape.dim[1] / dg_attr_int(k->attrs, "groups");
}

static void ref(const dg_call *k)
{
    int64_t n = size_of(k), all = dg_shape_count(&k->in[0].shape);
    const double *x = k->in[0].data;
    double *y = k->out[0].data;
    for (int64_t at = 0; at < all; at += n) {
        double sum = dg_sum_f64(x + at, n);
        for (int64_t c = 0; c < n; c++) y[at + c] = sum;
    }
}

/* There are as many numbers as channels: too few for pieces. */
static void run(const dg_call *k)
{
    int64_t n = size_of(k), all = dg_shape_count(&k->in[0].shape);
    const float *x = k->in[0].data;
    float *y = k->out[0].data;
    for (int64_t at = 0; at < all; at += n) {
        float sum = (float)dg_sum_f32(dg_isa_of(k), x + at, n);
        for (int64_t c = 0; c < n; c++) y[at + c] = sum;
    }
}

static const dg_kernel kernels[] = {
    {"plain_f32", run, .dtype = DG_F32},
    {0},
};

const dg_op dg_op_group_sum = {
    .name = "group_sum",
    .inputs = "x",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_INNER,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .in_place = 1,
};

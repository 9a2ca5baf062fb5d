/* ops/math/pow.c: power with a tensor exponent. */
#include "ops/support/elementwise.h"

enum { X, Y };

static const char doc[] = "z = x ** y, broadcast; floats\n"
                          "x < 0 with a y that is not whole gives NaN; x ** 0 = 1";

static void grad(dg_grad *g)
{
    /* dx = dz y x^(y - 1), dy = dz z log(x). Where x is 0, the power of the first (for y = 0) and
     * the logarithm are infinite beside a factor 0; there x is replaced before they are taken, so
     * that higher derivatives meet no NaN either. */
    dg_build *b = g->build;
    dg_value x = g->in[X], y = g->in[Y], dz = g->dout[0];
    dg_value zero = dg_compare(b, "eq", x, dg_number(b, x, 0)), one = dg_number(b, x, 1);
    if (g->want[X]) {
        dg_value both = dg_emit(b, "and", NULL, 0,
                                (dg_value[]){zero, dg_compare(b, "eq", y, dg_number(b, y, 0))}, 2);
        dg_value base = dg_where(b, both, one, x);
        dg_value power = dg_emit(b, "pow", NULL, 0, (dg_value[]){base, dg_shift(b, y, -1)}, 2);
        g->din[X] = dg_grad_to(b, dg_mul(b, dz, dg_mul(b, y, power)), x);
    }
    if (g->want[Y]) {
        dg_value log = dg_unary(b, "log", dg_where(b, zero, one, x));
        g->din[Y] = dg_grad_to(b, dg_mul(b, dz, dg_mul(b, g->out[0], log)), y);
    }
}

DG_REF_2(ref, double, double, double, pow(x, y))

DG_LANES_2(pow_f32, float, float, float, dg_powf(x, y))
DG_LANES_2(pow_f64, double, double, double, pow(x, y))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32, DG_F32}, DG_LANES_OF(pow_f32)},
    {DG_F64, {DG_F64, DG_F64}, DG_LANES_OF(pow_f64)},
    {0},
};

/* x ** 1 is x; x ** 2 is one product, which is never further from the true square. */
static dg_value simplify(dg_build *b, const dg_attrs *a, const dg_value *in, int n_in,
                         const dg_type *out)
{
    (void)a;
    (void)n_in;
    double n;
    if (!dg_known_number(b, in[1], &n)) return DG_NONE;
    if (n == 1) return dg_expand(b, in[0], out->shape);
    return n == 2 ? dg_expand(b, dg_unary(b, "square", in[0]), out->shape) : DG_NONE;
}

DG_ELEMENTWISE_KERNELS(pow)

const dg_op dg_op_pow = {
    .name = "pow",
    .inputs = "x y",
    .outputs = "z",
    .doc = doc,
    .traits = DG_ELEMENTWISE,
    .infer = dg_infer_floats,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .lanes = lanes,
    .in_place = 3,
    .simplify = simplify,
};

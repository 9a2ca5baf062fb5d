/* ops/math/silu.c: x times its logistic function ("swish"). */
#include "compiler/ir/rewrite.h"
#include "ops/support/elementwise.h"

extern const dg_op dg_op_matmul, dg_op_sigmoid;

static const char doc[] = "y = x / (1 + exp(-x)); 0 at -inf\n"
                          "Elfwing et al. 2017, arXiv:1702.03118";

/* A product, maybe plus a bias, which is stored in any case. */
static bool is_product(const dg_graph *g, dg_value x)
{
    for (int level = 0; level < 2; level++) {
        dg_node def = dg_value_of(g, x)->def;
        if (def == DG_NONE) return false;
        const dg_node_info *n = dg_node_of(g, def);
        if (n->op == &dg_op_matmul) return true;
        if (n->op->arith != DG_ARITH_ADD) return false;
        x = n->in[0];
    }
    return false;
}

/* With s = sigmoid(x) it is dy s (1 + x (1 - s)), for which x is enough. Of a product the slope is
 * made beside y, as s + y (1 - s), and stored instead of x, so that there is one exponential for
 * both; it counts as forward, since only what is of one phase is made by one kernel. */
static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_value x = g->in[0], slope;
    dg_phase phase = b->phase;
    bool beside = is_product(b->graph, x);
    if (beside) b->phase = DG_FORWARD;
    dg_value s = dg_unary(b, "sigmoid", x), rest = dg_shift(b, dg_neg(b, s), 1);
    if (beside)
        slope = dg_add(b, s, dg_mul(b, g->out[0], rest));
    else
        slope = dg_mul(b, s, dg_shift(b, dg_mul(b, x, rest), 1));
    b->phase = phase;
    g->din[0] = dg_mul(b, g->dout[0], slope);
}

/* Of an x that nothing but y and sigmoid(x) is made of, y is x times that. */
static const char *pattern(dg_build *b, dg_node n, const dg_uses *uses, dg_value *map,
                           dg_value *subject)
{
    dg_graph *g = b->graph;
    dg_value x = dg_node_of(g, n)->in[0], y = dg_node_of(g, n)->out[0], s = DG_NONE;
    for (int32_t u = uses->first[x]; u < uses->first[x + 1]; u++) {
        const dg_node_info *reader = dg_node_of(g, uses->at[u].node);
        if (uses->at[u].node == n) continue;
        if (s != DG_NONE || reader->op != &dg_op_sigmoid || reader->region != b->region)
            return NULL;
        s = reader->out[0];
    }
    if (s == DG_NONE) return NULL;
    *b = dg_build_before(g, n);
    b->name = "sigmoid";
    dg_value made = dg_unary(b, "sigmoid", x);
    map[s] = made;
    map[y] = *subject = dg_mul(b, x, made);
    dg_value_of(g, *subject)->path = dg_value_of(g, y)->path;
    return "silu.yes:sigmoid-is-there";
}

DG_REF_1(ref, double, double, x == -(double)INFINITY ? -0.0 : x / (1 + exp(-x)))

DG_LANES_1(silu_f32, float, float, dg_siluf(x))
DG_LANES_1(silu_f64, double, double, x == -(double)INFINITY ? -0.0 : x / (1 + exp(-x)))

static const dg_lanes lanes[] = {
    {DG_F32, {DG_F32}, DG_LANES_OF(silu_f32)},
    {DG_F64, {DG_F64}, DG_LANES_OF(silu_f64)},
    {0},
};

DG_ELEMENTWISE_KERNELS(silu)

const dg_op dg_op_silu = {
    .name = "silu",
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
    .pattern = pattern,
};

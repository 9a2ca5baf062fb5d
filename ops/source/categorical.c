/* ops/source/categorical.c: indices drawn with given probabilities. */
#include "ops/source/draw.h"

#include <math.h>

enum { TRIP, P };

static const char doc[] = "y = i with probability p[i] / sum(p): the first i with u * sum(p) < "
                          "p[0] + ... + p[i], u uniform in [0, 1)\n"
                          "p [K]: any shape is drawn from it; p of higher rank: one draw per row "
                          "of the last axis. Sums in double\n"
                          "negative or not finite p, or a sum that is not positive, stop the run";

static const dg_attr_spec attrs[] = {
    DG_DRAW_ATTRS,
    {0},
};

static bool infer(dg_infer *t)
{
    if (!dg_want_float(t, P) || !dg_want_rank_from(t, P, 1, DG_MAX_RANK)) return false;
    dg_shape p = dg_in_shape(t, P), y = dg_attr_shape(t->attrs, "shape");
    if (p.rank > 1) {
        p.rank--;
        if (!dg_shape_equal(&p, &y)) {
            dg_type want = {DG_I32, p}, have = {DG_I32, y};
            return dg_reject_attr(t, "shape", "the probabilities give %s, the dims say %s",
                                  dg_type_name(t->arena, &want), dg_type_name(t->arena, &have));
        }
    }
    return dg_draw_infer(t, DG_I32);
}

static double weight(const dg_call *k, int64_t i)
{
    return k->in[P].dtype == DG_F64 ? ((const double *)k->in[P].data)[i]
                                    : (double)((const float *)k->in[P].data)[i];
}

/* Draws elements [at, at + n). */
static void draw(const dg_call *k, int64_t at, int64_t n)
{
    dg_rng rng = dg_draw_rng(k);
    dg_shape p = k->in[P].shape;
    int64_t K = p.dim[p.rank - 1];
    int32_t *y = k->out[0].data;
    double total = 0;
    for (int64_t e = at; e < at + n; e++) {
        int64_t row = p.rank == 1 ? 0 : e * K;
        if (p.rank > 1 || e == at) {
            total = 0;
            for (int64_t i = 0; i < K; i++) {
                double w = weight(k, row + i);
                if (!(w >= 0) || isinf(w)) {
                    dg_fail(k, "probability %g at position %lld is negative or not finite", w,
                            (long long)(row + i));
                    return;
                }
                total += w;
            }
            if (!(total > 0)) {
                dg_fail(k, "the probabilities at position %lld sum to %g", (long long)row, total);
                return;
            }
        }
        float u;
        dg_rng_uniform(&rng, dg_draw_first(k) + (uint64_t)e, 1, &u);
        double goal = (double)u * total, sum = 0;
        int64_t pick = 0;
        for (int64_t i = 0; i < K; i++) {
            double w = weight(k, row + i);
            if (w > 0) pick = i; /* rounding may leave the goal above the last sum */
            sum += w;
            if (goal < sum) break;
        }
        y[e] = (int32_t)pick;
    }
}

static void ref(const dg_call *k)
{
    draw(k, 0, dg_shape_count(&k->out[0].shape));
}

enum { ROWS = 64 }; /* of a piece */

static void piece(const dg_call *k, int64_t p)
{
    int64_t left = dg_shape_count(&k->out[0].shape) - p * ROWS;
    draw(k, p * ROWS, left < ROWS ? left : ROWS);
}

static void run(const dg_call *k)
{
    dg_parallel(k, (dg_shape_count(&k->out[0].shape) + ROWS - 1) / ROWS, piece);
}

static const dg_kernel kernels[] = {
    {"inverse", run, .dtype = DG_I32}, /* of the trip */
    {0},
};

const dg_op dg_op_categorical = {
    .name = "categorical",
    .inputs = "trip p",
    .outputs = "y",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_RANDOM | DG_NOT_FOLDED,
    .infer = infer,
    .no_grad = "integers have no derivative",
    .ref = ref,
    .kernels = kernels,
};

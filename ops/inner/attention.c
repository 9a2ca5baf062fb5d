/* ops/inner/attention.c: softmax(scale q k^T) v without the matrix in the middle. */
#include "ops/support/attention.h"

#include <math.h>
#include <stdlib.h>

enum { O, LSE };

static const char doc[] =
    "o = softmax(scale q k^T) v over the last axis, lse = log(sum(exp(scale q k^T)))\n"
    "q [..., N, D], k [..., M, D], v [..., M, E] -> o [..., N, E], lse [..., N]\n"
    "blocks of rows of the [N, M] matrix live in scratch (FlashAttention, Dao et al. 2022, with\n"
    "whole rows)";

static const dg_attr_spec attrs[] = {
    {"scale", DG_FLOAT, .fallback = 1, .doc = "of the scores"},
    {0},
};

static bool infer(dg_infer *t)
{
    if (!dg_attention_infer(t)) return false;
    dg_shape o = dg_in_shape(t, DG_ATTEND_Q), v = dg_in_shape(t, DG_ATTEND_V), lse = o;
    o.dim[o.rank - 1] = v.dim[v.rank - 1];
    lse.rank--;
    return dg_give(t, O, o) && dg_give(t, LSE, lse);
}

/* With p = softmax(s): do/ds as softmax's, dlse/ds = p. */
static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_value q = g->in[DG_ATTEND_Q], k = g->in[DG_ATTEND_K], v = g->in[DG_ATTEND_V];
    double scale = dg_attr_float(g->attrs, "scale");
    dg_shape s = dg_shape_of(b, q);
    int last = s.rank - 1;
    dg_attr axis = dg_attr_of_int("axis", last);
    dg_value scores = dg_scale(b, dg_matmul(b, q, k, false, true), scale);
    dg_value p = dg_emit(b, "softmax", &axis, 1, &scores, 1), ds = DG_NONE;
    if (g->dout[O] != DG_NONE) {
        if (g->want[DG_ATTEND_V]) g->din[DG_ATTEND_V] = dg_matmul(b, p, g->dout[O], true, false);
        dg_value dp = dg_matmul(b, g->dout[O], v, false, true);
        dg_value sum = dg_sum_keep(b, dg_mul(b, dp, p), DG_AXES(last));
        ds = dg_mul(b, p, dg_sub(b, dp, sum));
    }
    if (g->dout[LSE] != DG_NONE) {
        s.dim[last] = 1;
        dg_value more = dg_mul(b, p, dg_reshape(b, g->dout[LSE], s));
        ds = ds == DG_NONE ? more : dg_add(b, ds, more);
    }
    ds = dg_scale(b, ds, scale);
    if (g->want[DG_ATTEND_Q]) g->din[DG_ATTEND_Q] = dg_matmul(b, ds, k, false, false);
    if (g->want[DG_ATTEND_K]) g->din[DG_ATTEND_K] = dg_matmul(b, ds, q, true, false);
}

static void ref(const dg_call *call)
{
    dg_attention a =
        dg_attention_of(&call->in[0].shape, &call->in[1].shape, &call->in[2].shape, call->attrs);
    double scale = dg_attr_float(call->attrs, "scale");
    for (int64_t i = 0; i < a.heads * a.N; i++) {
        int64_t h = i / a.N;
        const double *q = (const double *)call->in[0].data + i * a.D,
                     *k = (const double *)call->in[1].data + h * a.M * a.D,
                     *v = (const double *)call->in[2].data + h * a.M * a.E;
        double *o = (double *)call->out[O].data + i * a.E, m = -(double)INFINITY, sum = 0;
        for (int64_t e = 0; e < a.E; e++) o[e] = 0;
        for (int pass = 0; pass < 2; pass++) { /* the largest, then the sums */
            for (int64_t j = 0; j < a.M; j++) {
                double s = 0;
                for (int64_t d = 0; d < a.D; d++) s += q[d] * k[j * a.D + d];
                s *= scale;
                if (pass == 0) {
                    m = isnan(s) || s > m ? s : m;
                    continue;
                }
                double p = exp(s - m);
                sum += p;
                for (int64_t e = 0; e < a.E; e++) o[e] += p * v[j * a.E + e];
            }
        }
        for (int64_t e = 0; e < a.E; e++) o[e] /= sum;
        ((double *)call->out[LSE].data)[i] = m + log(sum);
    }
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* A block of s, and room for products. */
static int64_t scratch(const dg_infer *t, const dg_strip *strip)
{
    (void)strip;
    dg_attention a =
        dg_attention_of(&t->in[0]->shape, &t->in[1]->shape, &t->in[2]->shape, t->attrs);
    int64_t room = larger(dg_gemm_floats(a.rows, a.M, a.D), dg_gemm_floats(a.rows, a.E, a.M));
    return (a.rows * a.M + room) * (int64_t)sizeof(float);
}

static void piece(const dg_call *call, int64_t p)
{
    const dg_attention *a = call->arg;
    dg_isa isa = dg_isa_of(call);
    int64_t head = p / a->blocks, first = p % a->blocks * a->rows,
            rows = a->N - first < a->rows ? a->N - first : a->rows;
    float *s = call->scratch, *room = s + a->rows * a->M;
    dg_matrix q = dg_attention_head(&call->in[DG_ATTEND_Q], head),
              k = dg_attention_head(&call->in[DG_ATTEND_K], head),
              v = dg_attention_head(&call->in[DG_ATTEND_V], head),
              o = dg_attention_head(&call->out[O], head), p_rows = {s, rows, a->M, a->M, 1};
    q = dg_matrix_part(&q, first, rows, 0, a->D);
    k = dg_matrix_turned(&k);
    dg_gemm(isa, &q, &k, s, a->M, room);
    dg_attention_softmax(isa, s, rows, a->M, a->scale,
                         (float *)call->out[LSE].data + head * a->N + first);
    dg_gemm(isa, &p_rows, &v, dg_matrix_row(&o, first), o.row, room);
}

static void run(const dg_call *call)
{
    dg_attention a =
        dg_attention_of(&call->in[0].shape, &call->in[1].shape, &call->in[2].shape, call->attrs);
    dg_parallel_with(call, a.heads * a.blocks, piece, &a);
}

static bool fits(const dg_infer *t)
{
    return dg_shape_count(&t->in[DG_ATTEND_K]->shape) > 0 &&
           dg_shape_count(&t->in[DG_ATTEND_V]->shape) > 0;
}

static double flops(const dg_infer *t)
{
    dg_attention a =
        dg_attention_of(&t->in[0]->shape, &t->in[1]->shape, &t->in[2]->shape, t->attrs);
    return (double)(a.heads * a.N * a.M) * (double)(2 * a.D + 2 * a.E + 4);
}

static const dg_kernel kernels[] = {
    {"rows_f32", run, .dtype = DG_F32, .strided = 1u << 31, .writes = 1 << O, .fits = fits,
     .scratch = scratch},
    {0},
};

const dg_op dg_op_attention = {
    .name = "attention",
    .inputs = "q k v",
    .outputs = "o lse",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_INNER | DG_GEMM_LIKE,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .flops = flops,
};

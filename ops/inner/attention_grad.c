/* ops/inner/attention_grad.c: gradients of attention, block by block. */
#include "ops/support/attention.h"

#include <math.h>

enum { Q, K, V, LSE, DO };
enum { DQ, DK, DV };

static const char doc[] =
    "dq, dk, dv of o = softmax(scale q k^T) v for the gradient do of o\n"
    "p = exp(scale q k^T - lse) is made again, with lse from `attention`; ds = p (dp - sum(dp p))";

static const dg_attr_spec attrs[] = {
    {"scale", DG_FLOAT, .fallback = 1, .doc = "of the scores"},
    {0},
};

static bool infer(dg_infer *t)
{
    if (!dg_attention_infer(t)) return false;
    dg_shape q = dg_in_shape(t, Q), v = dg_in_shape(t, V), lse = q, o = q;
    lse.rank--;
    o.dim[o.rank - 1] = v.dim[v.rank - 1];
    return dg_want_shape(t, LSE, lse) && dg_want_shape(t, DO, o) && dg_give(t, DQ, q) &&
           dg_give(t, DK, dg_in_shape(t, K)) && dg_give(t, DV, v);
}

static void ref(const dg_call *call)
{
    dg_attention a =
        dg_attention_of(&call->in[Q].shape, &call->in[K].shape, &call->in[V].shape, call->attrs);
    double scale = dg_attr_float(call->attrs, "scale");
    double *dk = call->out[DK].data, *dv = call->out[DV].data;
    for (int64_t i = 0; i < a.heads * a.M * a.D; i++) dk[i] = 0;
    for (int64_t i = 0; i < a.heads * a.M * a.E; i++) dv[i] = 0;
    for (int64_t i = 0; i < a.heads * a.N; i++) {
        int64_t h = i / a.N;
        const double *q = (const double *)call->in[Q].data + i * a.D,
                     *k = (const double *)call->in[K].data + h * a.M * a.D,
                     *v = (const double *)call->in[V].data + h * a.M * a.E,
                     *dout = (const double *)call->in[DO].data + i * a.E;
        double lse = ((const double *)call->in[LSE].data)[i], sum = 0;
        double *dq = (double *)call->out[DQ].data + i * a.D;
        for (int64_t d = 0; d < a.D; d++) dq[d] = 0;
        for (int pass = 0; pass < 2; pass++) { /* sum(dp p), then the gradients */
            for (int64_t j = 0; j < a.M; j++) {
                double s = 0, dp = 0;
                for (int64_t d = 0; d < a.D; d++) s += q[d] * k[j * a.D + d];
                for (int64_t e = 0; e < a.E; e++) dp += dout[e] * v[j * a.E + e];
                double p = exp(scale * s - lse);
                if (pass == 0) {
                    sum += dp * p;
                    continue;
                }
                double ds = scale * p * (dp - sum);
                for (int64_t d = 0; d < a.D; d++) {
                    dq[d] += ds * k[j * a.D + d];
                    dk[(h * a.M + j) * a.D + d] += ds * q[d];
                }
                for (int64_t e = 0; e < a.E; e++) dv[(h * a.M + j) * a.E + e] += p * dout[e];
            }
        }
    }
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Room for the products of a block. */
static int64_t room_of(const dg_attention *a)
{
    int64_t width = larger(a->D, a->E), by_row = dg_gemm_floats(a->rows, a->M, width),
            by_key = dg_gemm_floats(a->rows, a->D, a->M),
            across = dg_gemm_floats(a->M, width, a->rows);
    return larger(by_row, larger(by_key, across));
}

/* Blocks of p and of dp, a block's part of dk or dv, and room for products. */
static int64_t scratch(const dg_infer *t, const dg_strip *strip)
{
    (void)strip;
    dg_attention a =
        dg_attention_of(&t->in[Q]->shape, &t->in[K]->shape, &t->in[V]->shape, t->attrs);
    return (2 * a.rows * a.M + a.M * larger(a.D, a.E) + room_of(&a)) * (int64_t)sizeof(float);
}

/* sum [M, n] = or += x^T y. */
static void add_product(dg_isa isa, dg_matrix x, const dg_matrix *y, bool first,
                        const dg_matrix *sum, float *part, float *room)
{
    dg_matrix turned = dg_matrix_turned(&x);
    int64_t n = y->cols;
    if (first) {
        dg_gemm(isa, &turned, y, dg_matrix_row(sum, 0), sum->row, room);
        return;
    }
    dg_gemm(isa, &turned, y, part, n, room);
    for (int64_t i = 0; i < x.cols; i++) {
        float *to = dg_matrix_row(sum, i);
        for (int64_t j = 0; j < n; j++) to[j] += part[i * n + j];
    }
}

/* One head: the sums over its rows are added in order. */
static void piece(const dg_call *call, int64_t head)
{
    const dg_attention *a = call->arg;
    dg_isa isa = dg_isa_of(call);
    int64_t M = a->M, D = a->D, E = a->E;
    float *s = call->scratch, *dp = s + a->rows * M, *part = dp + a->rows * M,
          *room = part + M * larger(D, E);
    dg_matrix dq = dg_attention_head(&call->out[DQ], head),
              dk = dg_attention_head(&call->out[DK], head),
              dv = dg_attention_head(&call->out[DV], head);
    dg_matrix k = dg_attention_head(&call->in[K], head), kt = dg_matrix_turned(&k),
              v = dg_attention_head(&call->in[V], head), vt = dg_matrix_turned(&v),
              all_q = dg_attention_head(&call->in[Q], head),
              all_do = dg_attention_head(&call->in[DO], head);
    for (int64_t first = 0; first < a->N; first += a->rows) {
        int64_t rows = a->N - first < a->rows ? a->N - first : a->rows;
        dg_matrix q = dg_matrix_part(&all_q, first, rows, 0, D),
                  dout = dg_matrix_part(&all_do, first, rows, 0, E), p = {s, rows, M, M, 1},
                  ds = {dp, rows, M, M, 1};
        dg_gemm(isa, &q, &kt, s, M, room);
        dg_gemm(isa, &dout, &vt, dp, M, room);
        dg_attention_dsoftmax(isa, s, dp, rows, M, a->scale,
                              (const float *)call->in[LSE].data + head * a->N + first);
        add_product(isa, p, &dout, first == 0, &dv, part, room);
        dg_gemm(isa, &ds, &k, dg_matrix_row(&dq, first), dq.row, room);
        add_product(isa, ds, &q, first == 0, &dk, part, room);
    }
}

static void run(const dg_call *call)
{
    dg_attention a =
        dg_attention_of(&call->in[Q].shape, &call->in[K].shape, &call->in[V].shape, call->attrs);
    dg_parallel_with(call, a.heads, piece, &a);
}

static bool fits(const dg_infer *t)
{
    return dg_shape_count(&t->in[Q]->shape) > 0 && dg_shape_count(&t->in[V]->shape) > 0 &&
           dg_shape_count(&t->in[K]->shape) > 0;
}

static double flops(const dg_infer *t)
{
    dg_attention a =
        dg_attention_of(&t->in[Q]->shape, &t->in[K]->shape, &t->in[V]->shape, t->attrs);
    return (double)(a.heads * a.N * a.M) * (double)(6 * a.D + 4 * a.E + 8);
}

static const dg_kernel kernels[] = {
    {"rows_f32", run, .dtype = DG_F32, .fits = fits, .scratch = scratch,
     .strided = 1u << Q | 1u << K | 1u << V | 1u << DO, .writes = 1 << DQ | 1 << DK | 1 << DV},
    {0},
};

const dg_op dg_op_attention_grad = {
    .name = "attention_grad",
    .inputs = "q k v lse do",
    .outputs = "dq dk dv",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_INNER | DG_GEMM_LIKE,
    .infer = infer,
    .no_grad = "made after gradients",
    .ref = ref,
    .kernels = kernels,
    .flops = flops,
};

/* ops/linear/eigh.c: eigenvalues and eigenvectors of symmetric matrices.
 *
 * The fast kernel is LAPACK's divide and conquer, always in double: a float's result is then as
 * good as a float can hold, and its cost is small beside the nets that make the matrices. Where
 * LAPACK cannot be had, and as reference, Jacobi's rotations. */
#include "ops/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { W, V }; /* outputs */

static const char doc[] =
    "s = (x + x^T) / 2 = v diag(w) v^T; x [..., n, n], w [..., n] ascending, v [..., n, n] with\n"
    "the eigenvectors as columns, v^T v = 1. Of each column the first element of at least 0.9 of\n"
    "its largest magnitude is positive. Not finite where x is not. The gradient of v takes the\n"
    "eigenvalues as different: pairs of equal ones give it nothing.";

static bool infer(dg_infer *t)
{
    if (!dg_want_float(t, 0) || !dg_want_rank_from(t, 0, 2, DG_MAX_RANK)) return false;
    dg_shape v = dg_in_shape(t, 0), w = v;
    if (v.dim[v.rank - 1] != v.dim[v.rank - 2])
        return dg_reject_input(t, 0,
                               "the last two axes have sizes %lld and %lld; a symmetric "
                               "matrix is square",
                               (long long)v.dim[v.rank - 2], (long long)v.dim[v.rank - 1]);
    w.rank--;
    return dg_give(t, W, w) && dg_give(t, V, v);
}

/* ---- gradient ---- */

static dg_value swapped(dg_build *b, dg_value x)
{
    int perm[DG_MAX_RANK], r = dg_shape_of(b, x).rank;
    for (int i = 0; i < r; i++) perm[i] = i;
    perm[r - 2] = r - 1;
    perm[r - 1] = r - 2;
    return dg_transpose(b, x, perm);
}

/* [..., n] as rows [..., 1, n] or columns [..., n, 1] */
static dg_value beside(dg_build *b, dg_value w, bool column)
{
    dg_shape s = dg_shape_of(b, w);
    int64_t n = s.dim[s.rank - 1];
    s.dim[s.rank - 1] = column ? n : 1;
    s.dim[s.rank++] = column ? 1 : n;
    return dg_reshape(b, w, s);
}

/* dS = v (diag(dw) + F * (v^T dv)) v^T with F[i, j] = 1 / (w_j - w_i), 0 on the diagonal (Giles
 * 2008, An extended collection of matrix derivative results, section 3.1); x has its symmetric
 * part. */
static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_value w = g->out[W], v = g->out[V], sum = DG_NONE;
    if (g->dout[W] != DG_NONE) sum = dg_mul(b, v, beside(b, g->dout[W], false));
    if (g->dout[V] != DG_NONE) {
        dg_value across = beside(b, w, true), gap = dg_sub(b, beside(b, w, false), across);
        dg_value none = dg_compare(b, "eq", gap, dg_number(b, gap, 0));
        dg_value safe = dg_where(b, none, dg_number(b, gap, 1), gap);
        dg_value inverse = dg_div(b, dg_number(b, gap, 1), safe);
        dg_value f = dg_where(b, none, dg_number(b, gap, 0), inverse);
        dg_value turn = dg_mul(b, f, dg_matmul(b, v, g->dout[V], true, false));
        dg_value part = dg_matmul(b, v, turn, false, false);
        sum = sum == DG_NONE ? part : dg_add(b, sum, part);
    }
    if (sum == DG_NONE) return;
    dg_value ds = dg_matmul(b, sum, v, false, true);
    g->din[0] = dg_scale(b, dg_add(b, ds, swapped(b, ds)), 0.5);
}

/* ---- one matrix ---- */

/* Rotations of the planes (p, q) until what is off the diagonal is nothing beside it (Golub & Van
 * Loan, section 8.5). a is destroyed, its diagonal are the eigenvalues; the rows of v the vectors.
 */
static void jacobi(int64_t n, double *a, double *v)
{
    enum { SWEEPS = 60 }; /* some ten are enough: the convergence is quadratic */
    for (int64_t i = 0; i < n * n; i++) v[i] = i % (n + 1) == 0;
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        double off = 0, all = 0;
        for (int64_t i = 0; i < n * n; i++) {
            all += a[i] * a[i];
            if (i % (n + 1) != 0) off += a[i] * a[i];
        }
        if (off <= 1e-32 * all) return;
        for (int64_t p = 0; p < n; p++) {
            for (int64_t q = p + 1; q < n; q++) {
                double apq = a[p * n + q];
                if (apq == 0) continue;
                double theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
                double t = copysign(1, theta) / (fabs(theta) + sqrt(theta * theta + 1));
                double c = 1 / sqrt(t * t + 1), s = t * c;
                for (int64_t k = 0; k < n; k++) {
                    double x = a[k * n + p], y = a[k * n + q];
                    a[k * n + p] = c * x - s * y;
                    a[k * n + q] = s * x + c * y;
                }
                for (int64_t k = 0; k < n; k++) {
                    double x = a[p * n + k], y = a[q * n + k];
                    a[p * n + k] = c * x - s * y;
                    a[q * n + k] = s * x + c * y;
                    x = v[p * n + k], y = v[q * n + k];
                    v[p * n + k] = c * x - s * y;
                    v[q * n + k] = s * x + c * y;
                }
            }
        }
    }
}

/* Ascending, by exchanges of rows: equal ones keep their order. */
static void sort_pairs(int64_t n, double *w, double *v)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t least = i;
        for (int64_t j = i + 1; j < n; j++)
            if (w[j] < w[least]) least = j;
        for (int64_t at = least; at > i; at--) {
            double x = w[at];
            w[at] = w[at - 1];
            w[at - 1] = x;
            for (int64_t k = 0; k < n; k++) {
                x = v[at * n + k];
                v[at * n + k] = v[(at - 1) * n + k];
                v[(at - 1) * n + k] = x;
            }
        }
    }
}

/* +1 or -1: what makes the sign of a vector the same on every way to compute it. */
static double sign_of(const double *v, int64_t n)
{
    double most = 0;
    for (int64_t k = 0; k < n; k++) most = fmax(most, fabs(v[k]));
    for (int64_t k = 0; k < n; k++)
        if (fabs(v[k]) >= 0.9 * most) return v[k] < 0 ? -1 : 1;
    return 1;
}

/* s[n * n] and room[n * n] are scratch; s holds the symmetric part. The eigenvectors as rows, in
 * one of the two; NULL: not finite. */
static const double *decompose(int64_t n, double *s, double *w, double *room, bool lapack)
{
    for (int64_t i = 0; i < n * n; i++)
        if (!isfinite(s[i])) return NULL;
    if (lapack && dg_eigh(n, s, w, room)) return s;
    jacobi(n, s, room);
    for (int64_t i = 0; i < n; i++) w[i] = s[i * (n + 1)];
    sort_pairs(n, w, room);
    return room;
}

/* ---- reference ---- */

static void ref(const dg_call *k)
{
    dg_shape x = k->in[0].shape;
    int64_t n = x.dim[x.rank - 1], count = n == 0 ? 0 : dg_shape_count(&x) / (n * n);
    double *room = malloc(2 * (size_t)(n * n) * sizeof *room + 1);
    if (!room) {
        dg_fail(k, "no memory for a %lldx%lld matrix", (long long)n, (long long)n);
        return;
    }
    for (int64_t m = 0; m < count; m++) {
        const double *from = (const double *)k->in[0].data + m * n * n;
        double *w = (double *)k->out[W].data + m * n, *v = (double *)k->out[V].data + m * n * n;
        for (int64_t i = 0; i < n * n; i++) room[i] = 0.5 * (from[i] + from[i % n * n + i / n]);
        const double *rows = decompose(n, room, w, room + n * n, false);
        for (int64_t j = 0; j < n; j++) {
            double sign = rows ? sign_of(rows + j * n, n) : NAN;
            if (!rows) w[j] = NAN;
            for (int64_t i = 0; i < n; i++) v[i * n + j] = rows ? sign * rows[j * n + i] : NAN;
        }
    }
    free(room);
}

/* ---- kernels ---- */

static double element(const dg_view *x, int64_t i)
{
    return x->dtype == DG_F32 ? (double)((const float *)x->data)[i] : ((const double *)x->data)[i];
}

static void set(const dg_view *y, int64_t i, double value)
{
    if (y->dtype == DG_F32)
        ((float *)y->data)[i] = (float)value;
    else
        ((double *)y->data)[i] = value;
}

/* Scratch of one matrix: s[n * n], w[n], then LAPACK's own. */
static void one(const dg_call *k, int64_t m)
{
    const dg_view *x = &k->in[0];
    int64_t n = x->shape.dim[x->shape.rank - 1], at = m * n * n;
    double *s = k->scratch, *w = s + n * n;
    for (int64_t i = 0; i < n * n; i++)
        s[i] = 0.5 * (element(x, at + i) + element(x, at + i % n * n + i / n));
    const double *rows = decompose(n, s, w, w + n, true);
    for (int64_t j = 0; j < n; j++) {
        double sign = rows ? sign_of(rows + j * n, n) : NAN;
        set(&k->out[W], m * n + j, rows ? w[j] : NAN);
        for (int64_t i = 0; i < n; i++)
            set(&k->out[V], at + i * n + j, rows ? sign * rows[j * n + i] : NAN);
    }
}

static void run(const dg_call *k)
{
    dg_shape x = k->in[0].shape;
    int64_t n = x.dim[x.rank - 1];
    if (n > 0) dg_parallel(k, dg_shape_count(&x) / (n * n), one);
}

static int64_t scratch(const dg_infer *t, const dg_strip *s)
{
    (void)s;
    dg_shape x = t->in[0]->shape;
    int64_t n = x.dim[x.rank - 1];
    return (n * n + n) * (int64_t)sizeof(double) + dg_eigh_bytes(n);
}

static double flops(const dg_infer *t)
{
    dg_shape x = t->in[0]->shape;
    return 9 * (double)dg_shape_count(&x) * (double)x.dim[x.rank - 1];
}

static const dg_kernel kernels[] = {
    {"lapack_f32", run, .dtype = DG_F32, .scratch = scratch, .lapack = true},
    {"lapack_f64", run, .dtype = DG_F64, .scratch = scratch, .lapack = true},
    {0},
};

const dg_op dg_op_eigh = {
    .name = "eigh",
    .inputs = "x",
    .outputs = "w v",
    .doc = doc,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .flops = flops,
};

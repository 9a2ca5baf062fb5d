/* ops/linear/matmul.c: products of matrices, batched.
 *
 * The f32 kernel cuts the product into pieces fixed by the shapes, each of which support/gemm.c
 * computes on one thread. It reads operands of any strides, so transposed and sliced views cost
 * nothing. */
#include "ops/support/gemm.h"

#include "compiler/ir/rewrite.h"
#include "ops/ops.h"

#include <string.h>

extern const dg_op dg_op_slice; /* for pattern */

enum { X, Y };

static const char doc[] =
    "z[..., i, j] = sum_k x[..., i, k] * y[..., k, j]\n"
    "x [..., m, k], with tx [..., k, m]; y [..., k, n], with ty [..., n, k]; equal leading dims\n"
    "or y of rank 2 for x of any rank (then without tx, unless x has rank 2)";

static const dg_attr_spec attrs[] = {
    {"tx", DG_INT, .fallback = 0, .doc = "1: x's last two axes are swapped"},
    {"ty", DG_INT, .fallback = 0, .doc = "1: y's last two axes are swapped"},
    {0},
};

static bool infer(dg_infer *t)
{
    if (!dg_want_float(t, X) || !dg_want_same_dtype(t, X, Y) ||
        !dg_want_rank_from(t, X, 2, DG_MAX_RANK) || !dg_want_rank_from(t, Y, 2, DG_MAX_RANK))
        return false;
    dg_shape x = dg_in_shape(t, X), y = dg_in_shape(t, Y), z = x;
    bool tx = dg_attr_int(t->attrs, "tx") != 0, ty = dg_attr_int(t->attrs, "ty") != 0;
    if (y.rank != 2 && y.rank != x.rank)
        return dg_reject_inputs(
            t, "E018", X, Y,
            "operands have rank %d and %d; equal ranks or rank 2 on the right are wanted", x.rank,
            y.rank);
    if (tx && y.rank != x.rank) return dg_reject_attr(t, "tx", "tx needs operands of equal rank");
    for (int a = 0; a < x.rank - 2 && y.rank == x.rank; a++) {
        if (x.dim[a] != y.dim[a])
            return dg_reject_inputs(t, "E018", X, Y,
                                    "operands differ on the leading axis %d: %lld and %lld", a,
                                    (long long)x.dim[a], (long long)y.dim[a]);
    }
    int64_t kx = x.dim[x.rank - (tx ? 2 : 1)], ky = y.dim[y.rank - (ty ? 1 : 2)];
    if (kx != ky)
        return dg_reject_inputs(
            t, "E018", X, Y, "operands have %lld and %lld elements on the axis that is summed over",
            (long long)kx, (long long)ky);
    z.dim[z.rank - 2] = x.dim[x.rank - (tx ? 1 : 2)];
    z.dim[z.rank - 1] = y.dim[y.rank - (ty ? 2 : 1)];
    return dg_give(t, 0, z);
}

/* [..., k] as one matrix. */
static dg_value flat(dg_build *b, dg_value x)
{
    dg_shape s = dg_shape_of(b, x);
    int64_t cols = s.dim[s.rank - 1];
    return dg_reshape(b, x, DG_SHAPE(dg_shape_count(&s) / cols, cols));
}

static void grad(dg_grad *g)
{
    dg_build *b = g->build;
    dg_value x = g->in[X], y = g->in[Y], dz = g->dout[0];
    bool tx = dg_attr_int(g->attrs, "tx") != 0, ty = dg_attr_int(g->attrs, "ty") != 0;
    if (g->want[X])
        g->din[X] = tx ? dg_matmul(b, y, dz, ty, true) : dg_matmul(b, dz, y, false, !ty);
    if (!g->want[Y]) return;
    if (dg_shape_of(b, x).rank != dg_shape_of(b, y).rank) {
        x = flat(b, x);
        dz = flat(b, dz);
    }
    g->din[Y] = ty ? dg_matmul(b, dz, x, true, tx) : dg_matmul(b, x, dz, !tx, false);
}

/* ---- shapes of one call ---- */

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

typedef struct job {
    int lead;               /* leading axes of z that are walked one by one */
    int64_t batch, m, n, k; /* x's other leading axes are part of m */
    int64_t row, z_row;     /* what a row of x steps when it was merged with leading axes; of z */
    int64_t group;          /* products of the batch in one piece */
    int64_t mb, nb, mpieces, npieces; /* rows and columns of a piece; how many of them */
    int64_t parts;                    /* of the sum over k, which other pieces compute */
    bool uneven;                      /* cut by `at_sixteenths` instead */
    bool tx, ty;
} job;

/* Where products of a middling size are cut: threads begin at both ends, so that the pieces between
 * are those for which one may wait for another. */
enum { UNEVEN = 4 };
static const int at_sixteenths[UNEVEN + 1] = {0, 6, 8, 10, 16};

/* Pieces of some 2 MFLOP and more, at most 16 where a product is cut: 64 rows and columns make good
 * the gathering of the operands. Columns are cut at whole tiles. Smaller products, and those whose
 * sums are short beside what an epilogue may do with them, are cut in two from a quarter of that
 * on. Between the two, tall ones are cut in few pieces of uneven height: each costs what it takes
 * to lay out y, and rows that fill no tile. */
static void cut(job *j)
{
    enum { MULTIPLICATIONS = 1 << 20, PIECES = 16, LEAST = 64, TILE = 32, SHORT = 16, TALL = 128 };
    int64_t work = j->m * j->n * (j->k < SHORT ? SHORT : j->k);
    j->group = 1;
    j->mb = j->m;
    j->nb = j->n;
    if (work > 0 && work < MULTIPLICATIONS) j->group = MULTIPLICATIONS / work;
    int64_t want = j->batch >= PIECES ? 1 : work / MULTIPLICATIONS;
    if (j->batch == 1 && want < 2 && work >= MULTIPLICATIONS / 8) want = 2;
    j->uneven = j->batch == 1 && want >= 2 && want < PIECES && j->parts <= 2 &&
                j->m * j->parts >= TALL && j->m * j->parts >= j->n;
    want /= j->parts;
    if (want > (PIECES + j->batch - 1) / j->batch) want = (PIECES + j->batch - 1) / j->batch;
    while (want > 1 && (j->mb >= 2 * LEAST || j->nb >= 2 * LEAST)) {
        int64_t *side = j->mb >= j->nb ? &j->mb : &j->nb;
        *side = ((*side + 1) / 2 + TILE - 1) / TILE * TILE;
        want = (want + 1) / 2;
    }
    j->mpieces = j->mb > 0 ? (j->m + j->mb - 1) / j->mb : 0;
    j->npieces = j->nb > 0 ? (j->n + j->nb - 1) / j->nb : 0;
}

/* Where z is small beside its operands, as the gradient of a weight is, which is a sum over a
 * batch, the sum is cut, too: a thread then reads the part of the batch that its cache holds. */
static int64_t parts_of_sum(const dg_shape *z, int64_t k, const dg_strip *s)
{
    int64_t depth = dg_gemm_depth(k);
    if (s || z->rank != 2 || depth == 0) return 1;
    int64_t m = z->dim[0], n = z->dim[1], parts = (k + depth - 1) / depth;
    return 3 * m * n * parts <= (m + n) * k ? parts : 1;
}

static job job_of(const dg_call *call)
{
    const dg_view *x = &call->in[X], *y = &call->in[Y];
    const dg_attrs *a = call->attrs;
    int rx = x->shape.rank, ry = y->shape.rank;
    job j = {.tx = dg_attr_int(a, "tx") != 0,
             .ty = dg_attr_int(a, "ty") != 0,
             .lead = rx - 2,
             .batch = 1};
    j.m = x->shape.dim[rx - (j.tx ? 1 : 2)];
    j.k = x->shape.dim[rx - (j.tx ? 2 : 1)];
    j.n = y->shape.dim[ry - (j.ty ? 2 : 1)];
    const dg_view *z = &call->out[0];
    j.z_row = z->stride[rx - 2];
    if (rx > ry) j.lead = dg_matrix_tall(x, z, &j.m, &j.row, &j.z_row);
    for (int i = 0; i < j.lead; i++) j.batch *= x->shape.dim[i];
    j.parts = dg_view_contiguous(z) ? parts_of_sum(&z->shape, j.k, call->strip) : 1;
    cut(&j);
    return j;
}

typedef struct block {
    int64_t part, i, rows, c, cols; /* of the sum; of z */
} block;

static int64_t blocks_of(const job *j)
{
    return j->uneven ? UNEVEN : j->parts * j->mpieces * j->npieces;
}

static block block_of(const job *j, int64_t p)
{
    if (j->uneven) {
        int64_t all = j->parts * j->m, first = all * at_sixteenths[p] / 16,
                end = all * at_sixteenths[p + 1] / 16; /* two parts meet at 8 */
        return (block){first / j->m, first % j->m, end - first, 0, j->n};
    }
    int64_t cells = j->mpieces * j->npieces, cell = p % cells, i = cell / j->npieces * j->mb,
            c = cell % j->npieces * j->nb;
    return (block){p / cells, i, at_most(j->mb, j->m - i), c, at_most(j->nb, j->n - c)};
}

/* Rows [first, end) of the axes lead .. rank-2 of z taken together, as boxes: whole sub-blocks
 * where the range covers them. */
static void finish_rows(const dg_call *k, int axis, int64_t first, int64_t end, int64_t *start,
                        int64_t *extent)
{
    const dg_shape *z = &k->out[0].shape;
    int64_t inner = 1;
    for (int a = axis + 1; a < z->rank - 1; a++) inner *= z->dim[a];
    while (first < end) {
        int64_t i = first / inner, in = first % inner, whole = (end - first) / inner;
        start[axis] = i;
        if (in == 0 && whole > 0) {
            extent[axis] = whole;
            for (int a = axis + 1; a < z->rank - 1; a++) {
                start[a] = 0;
                extent[a] = z->dim[a];
            }
            dg_epilogue(k, start, extent);
            first += whole * inner;
        } else {
            int64_t stop = end - first < inner - in ? in + end - first : inner;
            extent[axis] = 1;
            finish_rows(k, axis + 1, in, stop, start, extent);
            first += stop - in;
        }
    }
}

static void piece(const dg_call *k, int64_t p)
{
    const job *j = k->arg;
    const dg_view *z = &k->out[0];
    int64_t blocks = blocks_of(j), b0 = p / blocks * j->group,
            b1 = at_most(b0 + j->group, j->batch);
    block at = block_of(j, p % blocks);
    float *scratch = (float *)(void *)((char *)k->scratch + dg_epilogue_bytes(k->strip));
    for (int64_t b = b0; b < b1; b++) {
        bool alike = k->in[Y].shape.rank == k->in[X].shape.rank;
        dg_matrix x = dg_matrix_at(&k->in[X], j->lead, b, j->tx),
                  y = dg_matrix_at(&k->in[Y], alike ? j->lead : 0, b, j->ty);
        dg_matrix to = dg_matrix_at(z, j->lead, b, false);
        if (!alike) x.row = j->row;
        to.row = j->z_row;
        x = dg_matrix_part(&x, at.i, at.rows, 0, j->k);
        y = dg_matrix_part(&y, 0, j->k, at.c, at.cols);
        dg_gemm(dg_isa_of(k), &x, &y, dg_matrix_row(&to, at.i) + at.c, to.row, scratch);
        if (!k->strip) continue;
        int64_t start[DG_MAX_RANK] = {0}, extent[DG_MAX_RANK] = {0}, rest = b;
        for (int a = j->lead - 1; a >= 0; a--) {
            start[a] = rest % z->shape.dim[a];
            rest /= z->shape.dim[a];
            extent[a] = 1;
        }
        start[z->shape.rank - 1] = at.c;
        extent[z->shape.rank - 1] = at.cols;
        finish_rows(k, j->lead, at.i, at.i + at.rows, start, extent);
    }
}

/* One part of the sum of one piece: [part][m][n] in the workspace. */
static void part_piece(const dg_call *k, int64_t p)
{
    const job *j = k->arg;
    block at = block_of(j, p);
    dg_matrix x = dg_matrix_at(&k->in[X], 0, 0, j->tx), y = dg_matrix_at(&k->in[Y], 0, 0, j->ty);
    int64_t depth = dg_gemm_depth(j->k), first = at.part * depth,
            length = at_most(depth, j->k - first);
    x = dg_matrix_part(&x, at.i, at.rows, first, length);
    y = dg_matrix_part(&y, first, length, at.c, at.cols);
    float *to = (float *)k->workspace + (at.part * j->m + at.i) * j->n + at.c;
    dg_gemm(dg_isa_of(k), &x, &y, to, j->n, k->scratch);
}

enum { SUM_PIECE = 4096 };

DG_VARIANTS(void, add_to, (float *restrict z, const float *restrict x, int64_t n), (z, x, n), {
    for (int64_t i = 0; i < n; i++) z[i] += x[i];
})

static void join_parts(const dg_call *k, int64_t p)
{
    const job *j = k->arg;
    int64_t all = j->m * j->n, at = p * SUM_PIECE, n = at_most(SUM_PIECE, all - at);
    const float *part = (const float *)k->workspace + at;
    float *z = (float *)k->out[0].data + at;
    memcpy(z, part, (size_t)n * sizeof *z);
    for (int64_t i = 1; i < j->parts; i++) add_to[dg_isa_of(k)](z, part + i * all, n);
}

static void gemm_f32(const dg_call *k)
{
    job j = job_of(k);
    if (j.parts > 1) {
        dg_parallel_with(k, blocks_of(&j), part_piece, &j);
        dg_parallel_with(k, (j.m * j.n + SUM_PIECE - 1) / SUM_PIECE, join_parts, &j);
        return;
    }
    dg_parallel_with(k, (j.batch + j.group - 1) / j.group * blocks_of(&j), piece, &j);
}

/* How many rows are merged depends on strides, which are not known here: all, at most. */
static int64_t scratch(const dg_infer *t, const dg_strip *s)
{
    dg_shape x = t->in[X]->shape, z = t->out[0].shape;
    int64_t n = z.dim[z.rank - 1], k = x.dim[x.rank - (dg_attr_int(t->attrs, "tx") ? 2 : 1)],
            m = n > 0 ? dg_shape_count(&z) / n : 0;
    return dg_epilogue_bytes(s) + (int64_t)sizeof(float) * dg_gemm_floats(m, n, k);
}

static int64_t workspace(const dg_infer *t, const dg_strip *s)
{
    dg_shape x = t->in[X]->shape, z = t->out[0].shape;
    int64_t k = x.dim[x.rank - (dg_attr_int(t->attrs, "tx") ? 2 : 1)],
            parts = parts_of_sum(&z, k, s);
    return parts > 1 ? parts * dg_shape_count(&z) * (int64_t)sizeof(float) : 0;
}

/* ---- reference ---- */

static void ref_rows(const dg_call *k, int64_t row)
{
    bool tx = dg_attr_int(k->attrs, "tx") != 0, ty = dg_attr_int(k->attrs, "ty") != 0;
    dg_shape x = k->in[X].shape, y = k->in[Y].shape, z = k->out[0].shape;
    int64_t M = z.dim[z.rank - 2], N = z.dim[z.rank - 1], K = x.dim[x.rank - (tx ? 2 : 1)],
            b = row / M, i = row % M;
    const double *a = (const double *)k->in[X].data + b * M * K,
                 *c = (const double *)k->in[Y].data + (y.rank == 2 ? 0 : b * K * N);
    double *to = (double *)k->out[0].data + row * N;
    for (int64_t j = 0; j < N; j++) to[j] = 0;
    if (ty) {
        for (int64_t j = 0; j < N; j++)
            for (int64_t p = 0; p < K; p++)
                to[j] += (tx ? a[p * M + i] : a[i * K + p]) * c[j * K + p];
    } else {
        for (int64_t p = 0; p < K; p++)
            for (int64_t j = 0; j < N; j++)
                to[j] += (tx ? a[p * M + i] : a[i * K + p]) * c[p * N + j];
    }
}

static void ref(const dg_call *k)
{
    dg_shape z = k->out[0].shape;
    dg_parallel(k, dg_shape_count(&z) / z.dim[z.rank - 1], ref_rows);
}

/* By tiles of AMX, where all sides fill some. */
static dg_value narrow(dg_build *b, const dg_attrs *a, const dg_value *in, const dg_type *out)
{
    enum { SIDE = 32 };
    const int64_t work = INT64_C(1) << 20; /* multiplications: what a call of a kernel costs */
    dg_shape x = dg_shape_of(b, in[X]), y = dg_shape_of(b, in[Y]), z = out->shape;
    int64_t k = x.dim[x.rank - (dg_attr_int(a, "tx") ? 2 : 1)], n = z.dim[z.rank - 1],
            m = z.dim[z.rank - 2];
    if (y.rank < x.rank) m = dg_shape_count(&z) / n;
    if (m < SIDE || n < SIDE || k < SIDE || dg_shape_count(&z) * k < work) return DG_NONE;
    return dg_emit(b, "matmul_bf16", a->at, a->n, in, 2);
}

static double flops(const dg_infer *t)
{
    dg_shape x = t->in[X]->shape;
    return 2 * (double)dg_shape_count(&t->out[0].shape) *
           (double)x.dim[x.rank - (dg_attr_int(t->attrs, "tx") ? 2 : 1)];
}

/* Rows that are one row, repeated, are multiplied once. */
static dg_value simplify(dg_build *b, const dg_attrs *a, const dg_value *in, int n_in,
                         const dg_type *out)
{
    (void)n_in;
    dg_value small = dg_operand_of(b, in[X], "expand");
    if (small == DG_NONE || dg_attr_int(a, "tx") != 0 || dg_shape_of(b, in[Y]).rank != 2)
        return DG_NONE;
    dg_shape s = dg_shape_of(b, small), x = dg_shape_of(b, in[X]);
    if (s.rank == 0 || s.dim[s.rank - 1] != x.dim[x.rank - 1]) return DG_NONE;
    return dg_expand(b, dg_matmul(b, small, in[Y], false, dg_attr_int(a, "ty") != 0), out->shape);
}

static dg_value stack(dg_build *b, const dg_attrs *a, const dg_value *in, const bool *stacked,
                      int n_in, int64_t n, const dg_type *out)
{
    (void)n_in;
    if (stacked[Y] || dg_attr_int(a, "tx") != 0 || dg_shape_of(b, in[Y]).rank != 2) return DG_NONE;
    return dg_reshape(b, dg_matmul(b, flat(b, in[X]), in[Y], false, dg_attr_int(a, "ty") != 0),
                      dg_shape_stacked(out->shape, n));
}

/* Some columns of a product, which alone are read, are a product with some columns of y: such as
 * the gradient of one part of what was joined. */
static const char *pattern(dg_build *b, dg_node n, const dg_uses *uses, dg_value *map,
                           dg_value *subject)
{
    dg_graph *g = b->graph;
    dg_node_info product = *dg_node_of(g, n);
    dg_value z = product.out[0], y = product.in[Y];
    int32_t first = uses->first[z];
    if (uses->first[z + 1] - first != 1 || uses->at[first].input != 0) return NULL;
    dg_node_info part = *dg_node_of(g, uses->at[first].node);
    if (part.op != &dg_op_slice || part.region != b->region) return NULL;
    dg_shape s = dg_shape_of(b, z), of_y = dg_shape_of(b, y), from = {0}, to = of_y;
    int last = s.rank - 1, axis = of_y.rank - (dg_attr_int(&product.attrs, "ty") ? 2 : 1);
    const int64_t *start = dg_attr_ints(&part.attrs, "start", NULL),
                  *stop = dg_attr_ints(&part.attrs, "stop", NULL),
                  *step = dg_attr_ints(&part.attrs, "step", NULL);
    for (int a = 0; a < last; a++)
        if (start[a] != 0 || stop[a] != s.dim[a] || step[a] != 1) return NULL;
    if (step[last] != 1) return NULL;
    from.dim[axis] = start[last];
    to.dim[axis] = stop[last];
    int64_t ones[DG_MAX_RANK];
    for (int a = 0; a < DG_MAX_RANK; a++) ones[a] = 1;
    *b = dg_build_before(g, n);
    *subject =
        dg_matmul(b, product.in[X], dg_slice(b, y, from.dim, to.dim, ones),
                  dg_attr_int(&product.attrs, "tx") != 0, dg_attr_int(&product.attrs, "ty") != 0);
    map[part.out[0]] = *subject;
    dg_value_of(g, *subject)->path = dg_value_of(g, part.out[0])->path;
    return "matmul.yes:columns-that-are-read";
}

static const dg_kernel kernels[] = {
    {"gemm_f32", gemm_f32, .dtype = DG_F32, .strided = 1 << X | 1 << Y, .writes = 1,
     .scratch = scratch, .workspace = workspace},
    {0},
};

const dg_op dg_op_matmul = {
    .name = "matmul",
    .inputs = "x y",
    .outputs = "z",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_GEMM_LIKE,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .kernels = kernels,
    .simplify = simplify,
    .stack = stack,
    .epilogue = true,
    .narrow = narrow,
    .pattern = pattern,
    .flops = flops,
};

/* ops/inner/matmul_bf16.c: matmul on operands rounded to bf16, with sums in f32.
 *
 * A piece owns a block of z; it lays out what it needs of both operands, some hundred numbers of
 * the axis that is summed over at a time, as rows of numbers (left) and rows of pairs (right). */
#include "ops/support/amx.h"
#include "ops/support/amx_conv.h"
#include "ops/support/gemm.h"

#include <string.h>

enum { X, Y };

static const char doc[] = "z = matmul(x', y'), x', y' = x, y rounded to bf16; sums in f32\n"
                          "shapes as in matmul";

static const dg_attr_spec attrs[] = {
    {"tx", DG_INT, .fallback = 0, .doc = "1: x's last two axes are swapped"},
    {"ty", DG_INT, .fallback = 0, .doc = "1: y's last two axes are swapped"},
    {0},
};

extern const dg_op dg_op_matmul;

static bool infer(dg_infer *t)
{
    return dg_op_matmul.infer(t);
}

/* ---- shapes of one call ---- */

typedef struct job {
    int lead;               /* leading axes of x that are walked one by one */
    bool alike;             /* y has them, too */
    int64_t batch, m, n, k; /* x's other leading axes are part of m */
    int64_t row, z_row;     /* from a row of x to the next, unless y is alike; of z */
    int64_t mb, nb, kb;     /* of a piece; of the sum at a time */
    int64_t mpieces, npieces;
    int64_t lda, ldb; /* numbers in a row of the left, words in one of the right operand */
} job;

static int64_t up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

static int64_t even(int64_t n, int64_t most, int64_t to)
{
    int64_t count = (n + most - 1) / most;
    return up((n + count - 1) / count, to);
}

enum { SIDE = 256 }; /* of a piece at most */

static void rows_of(job *j)
{
    j->lda = 2 * dg_amx_ld(j->kb / 2);
    j->ldb = dg_amx_ld(j->nb);
}

static void cut(job *j)
{
    enum { DEPTH = 512, PIECES = 8, LEAST = 64 };
    j->mb = even(j->m, SIDE, DG_AMX_SIDE);
    j->nb = even(j->n, SIDE, DG_AMX_SIDE);
    j->kb = even(j->k, DEPTH, DG_AMX_DEPTH);
    for (;;) {
        j->mpieces = (j->m + j->mb - 1) / j->mb;
        j->npieces = (j->n + j->nb - 1) / j->nb;
        if (j->batch * j->mpieces * j->npieces >= PIECES) break;
        int64_t *side = j->mb >= j->nb ? &j->mb : &j->nb;
        if (*side < 2 * LEAST) break;
        *side = up(*side / 2, DG_AMX_PANEL);
    }
    rows_of(j);
}

static job job_of(const dg_view *x, const dg_view *y, const dg_view *z, const dg_attrs *a)
{
    int rx = x->shape.rank, ry = y->shape.rank;
    bool tx = dg_attr_int(a, "tx") != 0, ty = dg_attr_int(a, "ty") != 0;
    job j = {.lead = rx - 2, .alike = rx == ry, .batch = 1, .z_row = z->stride[rx - 2]};
    j.m = x->shape.dim[rx - (tx ? 1 : 2)];
    j.k = x->shape.dim[rx - (tx ? 2 : 1)];
    j.n = y->shape.dim[ry - (ty ? 2 : 1)];
    if (!j.alike) j.lead = dg_matrix_tall(x, z, &j.m, &j.row, &j.z_row);
    for (int i = 0; i < j.lead; i++) j.batch *= x->shape.dim[i];
    cut(&j);
    return j;
}

/* ---- layouts ---- */

/* n numbers `step` apart: where they lie, or gathered. */
static const float *along(const float *x, int64_t n, int64_t step, float *room)
{
    if (step == 1) return x;
    for (int64_t i = 0; i < n; i++) room[i] = x[i * step];
    return room;
}

/* Rows of numbers along the columns, ld apart, zeros behind them up to whole steps; words: 2 ld. */
static void lay_rows(const dg_matrix *x, uint16_t *to, int64_t ld, float *room)
{
    int64_t whole = up(x->cols, DG_AMX_DEPTH);
    for (int64_t i = 0; i < x->rows; i++) {
        dg_bf16_row(along(x->data + i * x->row, x->cols, x->col, room), x->cols, to + i * ld);
        memset(to + i * ld + x->cols, 0, sizeof *to * (size_t)(whole - x->cols));
    }
}

/* Rows of pairs: of the rows 2i and 2i+1; zeros below up to whole steps. */
static void lay_pairs(const dg_matrix *x, uint32_t *to, int64_t ld, float *room)
{
    for (int64_t i = 0; i < up(x->rows, DG_AMX_DEPTH); i += 2, to += ld) {
        if (i >= x->rows) {
            memset(to, 0, sizeof *to * (size_t)x->cols);
            continue;
        }
        const float *even = along(x->data + i * x->row, x->cols, x->col, room), *odd = NULL;
        if (i + 1 < x->rows)
            odd = along(x->data + (i + 1) * x->row, x->cols, x->col, room + x->cols);
        dg_bf16_pairs(even, odd, x->cols, to);
    }
}

/* Sixteen rows at a time, in `band`, and then turned: pairs in a row become a column of words. */
static void lay_left(const dg_matrix *x, uint16_t *to, int64_t ld, uint32_t *band, float *room)
{
    if (x->row != 1 || x->col == 1) {
        lay_rows(x, to, ld, room);
        return;
    }
    int64_t wide = dg_amx_ld(x->rows);
    for (int64_t j = 0; j < x->cols; j += DG_AMX_DEPTH) {
        dg_matrix some = dg_matrix_part(x, 0, x->rows, j,
                                        x->cols - j < DG_AMX_DEPTH ? x->cols - j : DG_AMX_DEPTH);
        some = dg_matrix_turned(&some);
        lay_pairs(&some, band, wide, room);
        dg_bf16_turn(DG_AMX_SIDE, x->rows, band, wide, (uint32_t *)(void *)(to + j), ld / 2);
    }
}

static void lay_right(const dg_matrix *x, uint32_t *to, int64_t ld, uint32_t *band, float *room)
{
    if (x->row != 1 || x->col == 1) {
        lay_pairs(x, to, ld, room);
        return;
    }
    int64_t wide = dg_amx_ld(up(x->rows, DG_AMX_DEPTH) / 2);
    for (int64_t j = 0; j < x->cols; j += DG_AMX_SIDE) {
        dg_matrix some =
            dg_matrix_part(x, 0, x->rows, j, x->cols - j < DG_AMX_SIDE ? x->cols - j : DG_AMX_SIDE);
        some = dg_matrix_turned(&some);
        lay_rows(&some, (uint16_t *)(void *)band, 2 * wide, room);
        dg_bf16_turn(some.rows, up(x->rows, DG_AMX_DEPTH) / 2, band, wide, to + j, ld);
    }
}

/* Scratch behind the strip's. */
typedef struct places {
    uint16_t *left;
    uint32_t *right, *band;
    float *room, *sums;
    int32_t *left_at, *right_at;
    int64_t bytes;
} places;

static places places_of(const job *j, char *at)
{
    int64_t steps = j->kb / DG_AMX_DEPTH, widest = j->mb > j->nb ? j->mb : j->nb;
    if (widest < j->kb) widest = j->kb;
    int64_t size[] = {
        2 * j->mb * j->lda, 4 * (j->kb / 2) * j->ldb,        4 * DG_AMX_SIDE * dg_amx_ld(widest),
        8 * widest,         4 * DG_AMX_PANEL * DG_AMX_PANEL, 4 * steps,
        4 * steps};
    enum { PARTS = sizeof size / sizeof *size };
    int64_t first[PARTS + 1] = {0};
    for (int i = 0; i < PARTS; i++) first[i + 1] = first[i] + up(size[i], 64);
    places p = {.bytes = first[PARTS]};
    if (!at) return p;
    p.left = (uint16_t *)(void *)(at + first[0]);
    p.right = (uint32_t *)(void *)(at + first[1]);
    p.band = (uint32_t *)(void *)(at + first[2]);
    p.room = (float *)(void *)(at + first[3]);
    p.sums = (float *)(void *)(at + first[4]);
    p.left_at = (int32_t *)(void *)(at + first[5]);
    p.right_at = (int32_t *)(void *)(at + first[6]);
    for (int64_t s = 0; s < steps; s++) {
        p.left_at[s] = (int32_t)(s * DG_AMX_DEPTH * 2);
        p.right_at[s] = (int32_t)(s * DG_AMX_SIDE * 4 * j->ldb);
    }
    return p;
}

/* ---- tiles ---- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* One block of at most 32x32 of z. */
static void block(const job *j, const places *at, int64_t i, int64_t rows, int64_t c, int64_t cols,
                  int64_t steps, bool add, float *z)
{
    const uint16_t *a = at->left + i * j->lda;
    const uint32_t *b = at->right + c;
    dg_amx_operand left = {
        {a, a + DG_AMX_SIDE * j->lda}, at->left_at, 2 * j->lda, rows > DG_AMX_SIDE ? 2 : 1};
    dg_amx_operand right = {
        {b, b + DG_AMX_SIDE}, at->right_at, 4 * j->ldb, cols > DG_AMX_SIDE ? 2 : 1};
    if (rows % DG_AMX_SIDE == 0 && cols % DG_AMX_SIDE == 0) {
        dg_amx_product(steps, &left, &right, add, (float *[]){z, z + DG_AMX_SIDE}, j->z_row);
        return;
    }
    for (int64_t r = 0; add && r < rows; r++)
        memcpy(at->sums + r * DG_AMX_PANEL, z + r * j->z_row, 4 * (size_t)cols);
    dg_amx_product(steps, &left, &right, add, (float *[]){at->sums, at->sums + DG_AMX_SIDE},
                   DG_AMX_PANEL);
    for (int64_t r = 0; r < rows; r++)
        memcpy(z + r * j->z_row, at->sums + r * DG_AMX_PANEL, 4 * (size_t)cols);
}

/* Rows [first, end) of z's axes but the last taken together. */
static void finish(const dg_call *k, int64_t first, int64_t end, int64_t c, int64_t cols)
{
    const dg_shape *z = &k->out[0].shape;
    int64_t high = z->dim[z->rank - 2];
    while (first < end) {
        int64_t start[DG_MAX_RANK], extent[DG_MAX_RANK], rest = first / high, i = first % high;
        for (int a = z->rank - 3; a >= 0; a--) {
            start[a] = rest % z->dim[a];
            rest /= z->dim[a];
            extent[a] = 1;
        }
        start[z->rank - 2] = i;
        extent[z->rank - 2] = least(high - i, end - first);
        start[z->rank - 1] = c;
        extent[z->rank - 1] = cols;
        dg_epilogue(k, start, extent);
        first += extent[z->rank - 2];
    }
}

static void piece(const dg_call *k, int64_t p)
{
    const job *j = k->arg;
    int64_t c = p % j->npieces * j->nb, i = p / j->npieces % j->mpieces * j->mb,
            b = p / (j->npieces * j->mpieces);
    int64_t rows = least(j->mb, j->m - i), cols = least(j->nb, j->n - c);
    places at = places_of(j, (char *)k->scratch + dg_epilogue_bytes(k->strip));
    dg_matrix x = dg_matrix_at(&k->in[X], j->lead, b, dg_attr_int(k->attrs, "tx") != 0),
              y = dg_matrix_at(&k->in[Y], j->alike ? j->lead : 0, b,
                               dg_attr_int(k->attrs, "ty") != 0);
    if (!j->alike) x.row = j->row;
    dg_matrix to = dg_matrix_at(&k->out[0], j->lead, b, false);
    to.row = j->z_row;
    float *z = dg_matrix_row(&to, i) + c;
    dg_amx_begin();
    for (int64_t e = 0; e < j->k; e += j->kb) {
        int64_t deep = least(j->kb, j->k - e), steps = up(deep, DG_AMX_DEPTH) / DG_AMX_DEPTH;
        dg_matrix left = dg_matrix_part(&x, i, rows, e, deep),
                  right = dg_matrix_part(&y, e, deep, c, cols);
        lay_left(&left, at.left, j->lda, at.band, at.room);
        lay_right(&right, at.right, j->ldb, at.band, at.room);
        for (int64_t q = 0; q < cols; q += DG_AMX_PANEL)
            for (int64_t r = 0; r < rows; r += DG_AMX_PANEL)
                block(j, &at, r, least(DG_AMX_PANEL, rows - r), q, least(DG_AMX_PANEL, cols - q),
                      steps, e > 0, z + r * j->z_row + q);
    }
    dg_amx_end();
    if (k->strip) finish(k, b * j->m + i, b * j->m + i + rows, c, cols);
}

static void amx_f32(const dg_call *k)
{
    job j = job_of(&k->in[X], &k->in[Y], &k->out[0], k->attrs);
    dg_parallel_with(k, j.batch * j.mpieces * j.npieces, piece, &j);
}

/* How many leading axes merge depends on strides, which are not known here: room for any cut. */
static int64_t scratch(const dg_infer *t, const dg_strip *s)
{
    dg_view x = {.shape = t->in[X]->shape}, y = {.shape = t->in[Y]->shape},
            z = {.shape = t->out[0].shape};
    dg_view_pack(&x);
    dg_view_pack(&y);
    dg_view_pack(&z);
    job j = job_of(&x, &y, &z, t->attrs);
    j.mb = least(up(j.m, DG_AMX_SIDE), SIDE);
    j.nb = even(j.n, SIDE, DG_AMX_SIDE);
    rows_of(&j);
    return dg_epilogue_bytes(s) + places_of(&j, NULL).bytes;
}

static bool fits(const dg_infer *t)
{
    return dg_amx_ready() && dg_shape_count(&t->in[X]->shape) > 0 &&
           dg_shape_count(&t->in[Y]->shape) > 0;
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
    for (int64_t j = 0; j < N; j++) {
        double sum = 0;
        for (int64_t p = 0; p < K; p++)
            sum += dg_bf16_round(tx ? a[p * M + i] : a[i * K + p]) *
                   dg_bf16_round(ty ? c[j * K + p] : c[p * N + j]);
        ((double *)k->out[0].data)[row * N + j] = sum;
    }
}

static void ref(const dg_call *k)
{
    dg_shape z = k->out[0].shape;
    dg_parallel(k, dg_shape_count(&z) / z.dim[z.rank - 1], ref_rows);
}

static double flops(const dg_infer *t)
{
    return dg_op_matmul.flops(t);
}

static const dg_kernel kernels[] = {
    {"amx_f32", amx_f32, .dtype = DG_F32, .strided = 1 << X | 1 << Y, .writes = 1,
     .least_isa = DG_AVX512, .fits = fits, .scratch = scratch},
    {0},
};

const dg_op dg_op_matmul_bf16 = {
    .name = "matmul_bf16",
    .inputs = "x y",
    .outputs = "z",
    .doc = doc,
    .attrs = attrs,
    .traits = DG_INNER | DG_GEMM_LIKE,
    .infer = infer,
    .no_grad = "made when gradients stand",
    .ref = ref,
    .kernels = kernels,
    .epilogue = true,
    .flops = flops,
};

/* gemm.c: see gemm.h. After Goto and van de Geijn (2008): C is made of tiles that fit the registers
 * (tile.c), and the loops around them keep what they read in the caches:
 *
 *     DEPTH of k, in order         C += A[:, DEPTH] B[DEPTH, :]
 *       WIDTH columns of B         as [panel][DEPTH][32]; a panel fits the first cache
 *         HEIGHT rows of A         as [tile][DEPTH][row of the tile]; these and B the second cache
 *           panels, tiles          of C
 *
 * An operand is read where it lies if too few tiles would use its copy. */
#include "ops/support/gemm.h"

#include "ops/support/tile.h"

#include <string.h>

enum {
    COLUMNS = DG_TILE_COLUMNS,
    DEPTH = 256,
    HEIGHT = 336,
    WIDTH = 512,
    MANY = 6,    /* tiles that read a copy of A, for it to pay */
    FEW = 8,     /* tiles that read a row of B: for more, its copy pays */
    NARROW = 12, /* columns: fewer are computed as rows */
    PAGE = 1024  /* floats: rows so far apart share a set of the first cache */
};

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Of n, in parts of nearly equal size, `most` at most. */
static int64_t even_part(int64_t n, int64_t most)
{
    int64_t count = (n + most - 1) / most;
    return count > 0 ? (n + count - 1) / count : 0;
}

int64_t dg_gemm_depth(int64_t k)
{
    return even_part(k, DEPTH);
}

static int64_t panels_of(int64_t n)
{
    return (n + COLUMNS - 1) / COLUMNS;
}

/* A tile's rows as [cols][rows]. */
static void pack_left(dg_isa isa, const dg_matrix *a, float *to)
{
    enum { EIGHT = 8 };
    int64_t rows = a->rows;
    if (a->col == 1 && rows < EIGHT) {
        dg_tile_transpose(isa, rows, a->cols, a->data, a->row, to, rows);
    } else if (a->col == 1) { /* whole blocks of eight rows, the last two of which may overlap */
        for (int64_t r = 0; r < rows; r += EIGHT) {
            int64_t first = at_most(r, rows - EIGHT);
            dg_tile_transpose(isa, EIGHT, a->cols, a->data + first * a->row, a->row, to + first,
                              rows);
        }
    } else if (a->row == 1) {
        for (int64_t p = 0; p < a->cols; p++)
            memcpy(to + p * rows, a->data + p * a->col, sizeof(float) * (size_t)rows);
    } else {
        for (int64_t p = 0; p < a->cols; p++)
            for (int64_t r = 0; r < rows; r++) to[p * rows + r] = a->data[r * a->row + p * a->col];
    }
}

/* Columns as [panel][k][32], of which these are some rows; zeros behind the last. */
static void pack_right(dg_isa isa, const dg_matrix *b, int64_t k, float *to)
{
    int64_t rows = b->rows, whole = b->cols / COLUMNS;
    for (int64_t p = 0; b->col == 1 && p < rows; p++) /* row by row: memory is read as it lies */
        for (int64_t j = 0; j < whole; j++)
            memcpy(to + (j * k + p) * COLUMNS, b->data + p * b->row + j * COLUMNS,
                   sizeof(float) * COLUMNS);
    for (int64_t j = b->col == 1 ? whole : 0; j < panels_of(b->cols); j++) {
        int64_t cols = at_most(COLUMNS, b->cols - j * COLUMNS);
        const float *from = b->data + j * COLUMNS * b->col;
        float *panel = to + j * k * COLUMNS;
        if (cols < COLUMNS) memset(panel, 0, sizeof(float) * (size_t)(rows * COLUMNS));
        if (b->row == 1)
            dg_tile_transpose(isa, cols, rows, from, b->col, panel, COLUMNS);
        else
            for (int64_t p = 0; p < rows; p++)
                for (int64_t c = 0; c < cols; c++)
                    panel[p * COLUMNS + c] = from[p * b->row + c * b->col];
    }
}

static bool tiles_read_left(dg_isa isa, const dg_matrix *a, int64_t panels)
{
    int64_t apart = a->col == 1 ? a->row : a->col;
    if (a->row != 1 && a->col != 1) return false;
    return isa != DG_AVX512 || panels < (apart % PAGE == 0 ? 2 : MANY);
}

static bool tiles_read_right(dg_isa isa, const dg_matrix *b, int64_t m)
{
    return b->col == 1 && b->cols % COLUMNS == 0 && b->row % PAGE != 0 &&
           m <= FEW * dg_tile_high(isa);
}

/* C = or += A B, A of HEIGHT at most by DEPTH at most. Panel j of B is at b + j * next. */
static void block(dg_isa isa, const dg_matrix *a, const float *b, int64_t ldb, int64_t next,
                  int64_t n, bool add, float *c, int64_t ldc, float *room)
{
    int64_t m = a->rows, k = a->cols, high = dg_tile_high(isa), tiles = (m + high - 1) / high;
    bool direct = tiles_read_left(isa, a, panels_of(n));
    for (int64_t t = 0, i = 0; !direct && t < tiles; t++) {
        dg_matrix rows = dg_matrix_part(a, i, (m - i) / (tiles - t), 0, k);
        pack_left(isa, &rows, room + i * k);
        i += rows.rows;
    }
    for (int64_t j = 0; j < n; j += COLUMNS, b += next) {
        int64_t cols = at_most(COLUMNS, n - j);
        if (direct && a->col == 1)
            dg_tile_product(isa, m, cols, k, a->data, a->row, b, ldb, add, c + j, ldc);
        else if (direct)
            dg_tile_product_turned(isa, m, cols, k, a->data, a->col, b, ldb, add, c + j, ldc, NULL,
                                   NULL);
        for (int64_t t = 0, i = 0; !direct && t < tiles; t++) {
            int64_t rows = (m - i) / (tiles - t);
            dg_tile_product_turned(isa, rows, cols, k, room + i * k, rows, b, ldb, add,
                                   c + i * ldc + j, ldc, NULL, NULL);
            i += rows;
        }
    }
}

/* A block of B, [p, p + depth) by [j, j + cols), as [panel][depth][32] in room; or as it lies, if
 * it lies in one part and tiles can read it there: then *in_place is it. */
static bool right_block(dg_isa isa, const dg_matrix *b, int64_t p, int64_t depth, int64_t j,
                        int64_t cols, int64_t m, dg_matrix *in_place, float *room)
{
    int64_t above = 0;
    for (; p >= above + b->rows; b++) above += b->rows;
    *in_place = dg_matrix_part(b, p - above, depth, j, cols);
    if (p + depth <= above + b->rows && tiles_read_right(isa, in_place, m)) return true;
    for (int64_t done = 0; done < depth; above += b->rows, b++) {
        int64_t first = p + done - above, rows = at_most(depth - done, b->rows - first);
        dg_matrix part = dg_matrix_part(b, first, rows, j, cols);
        pack_right(isa, &part, depth, room + done * COLUMNS);
        done += rows;
    }
    return false;
}

/* B may be in parts. */
static void product(dg_isa isa, const dg_matrix *a, const dg_matrix *b, float *c, int64_t ldc,
                    float *room)
{
    int64_t m = a->rows, n = b->cols, k = a->cols, deep = dg_gemm_depth(k),
            high = even_part(m, HEIGHT);
    for (int64_t p = 0; p < k; p += deep) {
        int64_t depth = at_most(deep, k - p);
        for (int64_t j = 0; j < n; j += WIDTH) {
            dg_matrix right;
            const float *panels = room;
            int64_t ldb = COLUMNS, next = depth * COLUMNS;
            if (right_block(isa, b, p, depth, j, at_most(WIDTH, n - j), m, &right, room)) {
                panels = right.data;
                ldb = right.row;
                next = COLUMNS;
            }
            for (int64_t i = 0; i < m; i += high) {
                dg_matrix left = dg_matrix_part(a, i, at_most(high, m - i), p, depth);
                block(isa, &left, panels, ldb, next, right.cols, p > 0, c + i * ldc + j, ldc,
                      room + depth * panels_of(at_most(WIDTH, n)) * COLUMNS);
            }
        }
    }
}

static bool is_narrow(int64_t m, int64_t n)
{
    return n < NARROW && m > n;
}

void dg_gemm_parts(dg_isa isa, const dg_matrix *a, const dg_matrix *b, int parts, float *c,
                   int64_t ldc, float *room)
{
    if (parts > 1)
        product(isa, a, b, c, ldc, room); /* narrow ones, too: the sums have the same order */
    else
        dg_gemm(isa, a, b, c, ldc, room);
}

void dg_gemm(dg_isa isa, const dg_matrix *a, const dg_matrix *b, float *c, int64_t ldc, float *room)
{
    int64_t m = a->rows, n = b->cols, k = a->cols;
    for (int64_t i = 0; k == 0 && i < m; i++) memset(c + i * ldc, 0, sizeof(float) * (size_t)n);
    if (k == 0) return;
    if (!is_narrow(m, n)) {
        product(isa, a, b, c, ldc, room);
        return;
    }
    dg_matrix left = dg_matrix_turned(b); /* C^T = B^T A^T */
    for (int64_t i = 0; i < m; i += WIDTH) {
        dg_matrix rows = dg_matrix_part(a, i, at_most(WIDTH, m - i), 0, k),
                  right = dg_matrix_turned(&rows);
        product(isa, &left, &right, room, rows.rows, room + n * rows.rows);
        dg_tile_transpose(isa, n, rows.rows, room, rows.rows, c + i * ldc, ldc);
    }
}

int64_t dg_gemm_floats(int64_t m, int64_t n, int64_t k)
{
    int64_t few = at_most(n, NARROW), across = at_most(m, WIDTH);
    int64_t plain = panels_of(at_most(n, WIDTH)) * COLUMNS + at_most(m, HEIGHT),
            turned = panels_of(across) * COLUMNS + few;
    return few * across + at_most(k, DEPTH) * (plain > turned ? plain : turned);
}

dg_matrix dg_matrix_at(const dg_view *v, int lead, int64_t batch, bool swapped)
{
    int r = v->shape.rank;
    int64_t shift = 0;
    for (int a = lead - 1; a >= 0; a--) {
        shift += batch % v->shape.dim[a] * v->stride[a];
        batch /= v->shape.dim[a];
    }
    dg_matrix x = {(const float *)v->data + shift, v->shape.dim[r - 2], v->shape.dim[r - 1],
                   v->stride[r - 2], v->stride[r - 1]};
    return swapped ? dg_matrix_turned(&x) : x;
}

int dg_matrix_tall(const dg_view *x, const dg_view *z, int64_t *m, int64_t *x_row, int64_t *z_row)
{
    int lead = x->shape.rank - 2;
    *m = x->shape.dim[lead];
    *x_row = x->stride[lead];
    *z_row = z->stride[lead];
    for (; lead > 0; lead--) {
        int64_t dim = x->shape.dim[lead - 1];
        if (dim == 1) continue;
        if (*m == 1) {
            *x_row = x->stride[lead - 1];
            *z_row = z->stride[lead - 1];
        }
        if (x->stride[lead - 1] != *x_row * *m || z->stride[lead - 1] != *z_row * *m) break;
        *m *= dim;
    }
    return lead;
}

/* einsum.c: sums of products by named axes, as matrix products.
 *
 * In     a pattern ("b h i d, b h j d -> b h i j") and the operands.
 * Out    transposes, reshapes, sums, products and `matmul` nodes; poison with a message when the
 * pattern does not fit. Method operands are contracted from left to right. For a pair, each axis is
 * one of: batch (in both, still needed), contracted (in both, needed no more), or free (in one).
 * With contracted axes the pair is one batched matmul; without, a broadcast multiplication. An
 * operand whose axes already stand as [batch, contracted, free] is read transposed (tx, ty). */
#include "compiler/front/patterns.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

dg_value dg_pattern_fail(dg_build *b, dg_pattern_error *err, int offset, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    err->offset = offset;
    return dg_poison(b);
}

dg_value dg_transpose_if(dg_build *b, dg_value x, const int *perm, int rank)
{
    for (int i = 0; i < rank; i++) {
        if (perm[i] != i) return dg_transpose(b, x, perm);
    }
    return x;
}

dg_value dg_reshape_if(dg_build *b, dg_value x, dg_shape s)
{
    dg_shape now = dg_shape_of(b, x);
    return dg_shape_equal(&now, &s) ? x : dg_reshape(b, x, s);
}

#define MAX_OPERANDS 16
#define MAX_NAMES 128 /* in one pattern */

typedef struct axis_list {
    int n;
    int id[DG_MAX_RANK]; /* which name */
    int at;              /* offset of the list in the pattern */
} axis_list;

typedef struct einsum {
    dg_build *b;
    const char *pattern;
    dg_pattern_error *err;
    int n_names;
    struct {
        int at, length; /* in the pattern */
        int64_t size;   /* 0: not met yet */
        int owner;      /* the first operand that has it */
    } name[MAX_NAMES];
    int n_lists;
    axis_list list[MAX_OPERANDS];
    axis_list out;
} einsum;

/* An operand on its way: a value and what its axes are called. */
typedef struct term {
    dg_value v;
    int n;
    int id[2 * DG_MAX_RANK];
} term;

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9');
}

static int name_id(einsum *e, int at, int length)
{
    for (int i = 0; i < e->n_names; i++) {
        if (e->name[i].length == length &&
            memcmp(e->pattern + e->name[i].at, e->pattern + at, (size_t)length) == 0)
            return i;
    }
    if (e->n_names == MAX_NAMES) return -1;
    e->name[e->n_names].at = at;
    e->name[e->n_names].length = length;
    e->name[e->n_names].size = 0;
    return e->n_names++;
}

static const char *name_text(const einsum *e, int id, char buffer[64])
{
    snprintf(buffer, 64, "%.*s", e->name[id].length < 60 ? e->name[id].length : 60,
             e->pattern + e->name[id].at);
    return buffer;
}

/* Reads axis names up to ',', "->" or the end. Returns the offset behind them, or -1 after an
 * error. */
static int read_list(einsum *e, int at, axis_list *list)
{
    char text[64];
    list->n = 0;
    list->at = at;
    for (;;) {
        while (e->pattern[at] == ' ') at++;
        char c = e->pattern[at];
        if (c == '\0' || c == ',' || (c == '-' && e->pattern[at + 1] == '>')) return at;
        if (!is_name_start(c)) {
            dg_pattern_fail(
                e->b, e->err, at,
                "the pattern has an unexpected `%c`; it is made of axis names, `,` and `->`", c);
            return -1;
        }
        int start = at;
        while (is_name(e->pattern[at])) at++;
        int id = name_id(e, start, at - start);
        if (id < 0 || list->n == DG_MAX_RANK) {
            dg_pattern_fail(e->b, e->err, start, "more than %d axes in one list of the pattern",
                            DG_MAX_RANK);
            return -1;
        }
        for (int i = 0; i < list->n; i++) {
            if (list->id[i] == id) {
                dg_pattern_fail(e->b, e->err, start,
                                "axis `%s` stands twice in one list; diagonals are not supported",
                                name_text(e, id, text));
                return -1;
            }
        }
        list->id[list->n++] = id;
    }
}

static bool parse(einsum *e)
{
    int at = 0;
    for (;;) {
        if (e->n_lists == MAX_OPERANDS) {
            dg_pattern_fail(e->b, e->err, at, "more than %d operands", MAX_OPERANDS);
            return false;
        }
        if ((at = read_list(e, at, &e->list[e->n_lists++])) < 0) return false;
        if (e->pattern[at] != ',') break;
        at++;
    }
    if (e->pattern[at] == '\0') {
        dg_pattern_fail(e->b, e->err, at, "the pattern lacks `->` and the axes of the result");
        return false;
    }
    int names = e->n_names;
    if ((at = read_list(e, at + 2, &e->out)) < 0) return false;
    if (e->pattern[at] != '\0') {
        dg_pattern_fail(e->b, e->err, at, "the pattern goes on after the axes of the result");
        return false;
    }
    char text[64];
    if (e->n_names > names) {
        dg_pattern_fail(e->b, e->err, e->name[names].at, "axis `%s` of the result is in no operand",
                        name_text(e, names, text));
        return false;
    }
    return true;
}

static bool match(einsum *e, const dg_value *xs, int n)
{
    char text[64];
    if (n != e->n_lists) {
        dg_pattern_fail(e->b, e->err, 0, "the pattern names %d operand%s, %d %s given", e->n_lists,
                        e->n_lists == 1 ? "" : "s", n, n == 1 ? "is" : "are");
        return false;
    }
    for (int i = 0; i < n; i++) {
        dg_shape s = dg_shape_of(e->b, xs[i]);
        const axis_list *l = &e->list[i];
        if (s.rank != l->n) {
            dg_pattern_fail(e->b, e->err, l->at,
                            "operand %d has rank %d, the pattern names %d ax%ss for it", i + 1,
                            s.rank, l->n, l->n == 1 ? "i" : "e");
            return false;
        }
        for (int j = 0; j < l->n; j++) {
            int id = l->id[j];
            if (e->name[id].size == 0) {
                e->name[id].size = s.dim[j];
                e->name[id].owner = i;
            } else if (e->name[id].size != s.dim[j]) {
                dg_pattern_fail(e->b, e->err, l->at,
                                "axis `%s` is %lld in operand %d and %lld in operand %d",
                                name_text(e, id, text), (long long)e->name[id].size,
                                e->name[id].owner + 1, (long long)s.dim[j], i + 1);
                return false;
            }
        }
    }
    for (int i = 0; i < n; i++) {
        dg_dtype t = dg_dtype_of(e->b, xs[i]);
        if (!dg_dtype_is_float(t) || t != dg_dtype_of(e->b, xs[0])) {
            dg_pattern_fail(e->b, e->err, e->list[i].at,
                            "operands must be of one floating dtype; operand %d is %s", i + 1,
                            dg_dtype_name(t));
            return false;
        }
    }
    return true;
}

static int find(const int *ids, int n, int id)
{
    for (int i = 0; i < n; i++) {
        if (ids[i] == id) return i;
    }
    return -1;
}

/* Is the name read by the result or by an operand after the `done` first ones? */
static bool needed_after(const einsum *e, int id, int done)
{
    if (find(e->out.id, e->out.n, id) >= 0) return true;
    for (int i = done; i < e->n_lists; i++) {
        if (find(e->list[i].id, e->list[i].n, id) >= 0) return true;
    }
    return false;
}

/* Sums away the axes of t that neither `other` nor anything later reads. */
static void sum_unneeded(einsum *e, term *t, const term *other, int done)
{
    dg_axes axes = {0};
    int kept = 0, ids[2 * DG_MAX_RANK];
    for (int i = 0; i < t->n; i++) {
        bool keep =
            needed_after(e, t->id[i], done) || (other && find(other->id, other->n, t->id[i]) >= 0);
        if (keep)
            ids[kept++] = t->id[i];
        else
            axes.axis[axes.n++] = i;
    }
    if (axes.n == 0) return;
    t->v = dg_sum(e->b, t->v, axes);
    memcpy(t->id, ids, sizeof ids);
    t->n = kept;
}

/* The value with its axes in the order of ids (a permutation of its own). */
static dg_value in_order(einsum *e, const term *t, const int *ids)
{
    int perm[DG_MAX_RANK];
    for (int i = 0; i < t->n; i++) perm[i] = find(t->id, t->n, ids[i]);
    return dg_transpose_if(e->b, t->v, perm, t->n);
}

static int64_t product(const einsum *e, const int *ids, int n)
{
    int64_t p = 1;
    for (int i = 0; i < n; i++) p *= e->name[ids[i]].size;
    return p;
}

/* No contracted axis: both spread over `ids` with dims of 1, then multiplied. */
static dg_value spread(einsum *e, const term *t, const int *ids, int n)
{
    dg_shape s = {.rank = n};
    int own[2 * DG_MAX_RANK], k = 0;
    for (int i = 0; i < n; i++) {
        bool has = find(t->id, t->n, ids[i]) >= 0;
        s.dim[i] = has ? e->name[ids[i]].size : 1;
        if (has) own[k++] = ids[i];
    }
    return dg_reshape_if(e->b, in_order(e, t, own), s);
}

/* One operand of the product: axes [batch, rows, cols], each of the last two merged to one axis.
 * *swapped: it stands as [batch, cols, rows] already and is read so. `loose`: the row axes may stay
 * apart (matmul by a matrix). */
static dg_value as_matrix(einsum *e, const term *t, const int *batch, int nb, const int *rows,
                          int nr, const int *cols, int nc, bool may_swap, bool loose, int *swapped)
{
    int ids[2 * DG_MAX_RANK], n = 0;
    memcpy(ids, batch, sizeof(int) * (size_t)nb);
    memcpy(ids + nb, cols, sizeof(int) * (size_t)nc);
    memcpy(ids + nb + nc, rows, sizeof(int) * (size_t)nr);
    n = nb + nc + nr;
    bool swap = may_swap && n > 0 && nr > 0 && memcmp(ids, t->id, sizeof(int) * (size_t)n) == 0;
    if (!swap) {
        memcpy(ids + nb, rows, sizeof(int) * (size_t)nr);
        memcpy(ids + nb + nr, cols, sizeof(int) * (size_t)nc);
    }
    *swapped = swap;
    dg_shape s = {0};
    if (nb + 2 > DG_MAX_RANK)
        s.dim[s.rank++] = product(e, batch, nb);
    else
        for (int i = 0; i < nb; i++) s.dim[s.rank++] = e->name[batch[i]].size;
    int64_t r = product(e, rows, nr), c = product(e, cols, nc);
    if (loose && !swap && nr > 0 && nr + 1 <= DG_MAX_RANK) {
        for (int i = 0; i < nr; i++) s.dim[s.rank++] = e->name[rows[i]].size;
    } else {
        s.dim[s.rank++] = swap ? c : r;
    }
    s.dim[s.rank++] = swap ? r : c;
    return dg_reshape_if(e->b, in_order(e, t, ids), s);
}

static bool contract(einsum *e, term *x, term *y, int done, bool last)
{
    sum_unneeded(e, x, y, done);
    sum_unneeded(e, y, x, done);
    int batch[DG_MAX_RANK], k[DG_MAX_RANK], fx[DG_MAX_RANK], fy[DG_MAX_RANK], nb = 0, nk = 0,
                                                                              nx = 0, ny = 0;
    for (int i = 0; i < x->n; i++) {
        int id = x->id[i];
        if (find(y->id, y->n, id) < 0)
            fx[nx++] = id;
        else if (needed_after(e, id, done))
            batch[nb++] = id;
        else
            k[nk++] = id;
    }
    for (int i = 0; i < y->n; i++) {
        if (find(x->id, x->n, y->id[i]) < 0) fy[ny++] = y->id[i];
    }
    if (nb + nx + ny > DG_MAX_RANK) {
        dg_pattern_fail(e->b, e->err, 0,
                        "a product of operands would have rank %d; at most %d is possible",
                        nb + nx + ny, DG_MAX_RANK);
        return false;
    }
    /* The result is [batch, rows, columns]: let the operand whose free axes come first on the right
     * be the rows. */
    if (last && nx > 0 && ny > 0 &&
        find(e->out.id, e->out.n, fy[0]) < find(e->out.id, e->out.n, fx[0])) {
        term swap = *x;
        *x = *y;
        *y = swap;
        int ids[DG_MAX_RANK], m = nx;
        memcpy(ids, fx, sizeof ids);
        memcpy(fx, fy, sizeof ids);
        memcpy(fy, ids, sizeof ids);
        nx = ny;
        ny = m;
    }
    int ids[2 * DG_MAX_RANK], n = 0;
    for (int i = 0; i < nb; i++) ids[n++] = batch[i];
    for (int i = 0; i < nx; i++) ids[n++] = fx[i];
    for (int i = 0; i < ny; i++) ids[n++] = fy[i];

    dg_value v;
    if (nk == 0) {
        if (last) memcpy(ids, e->out.id, sizeof(int) * (size_t)n);
        dg_value a = spread(e, x, ids, n), c = spread(e, y, ids, n);
        v = dg_mul(e->b, a, c);
    } else {
        /* A product by a matrix leaves the leading axes alone; else equal leading axes are the
         * batch. */
        int tx, ty;
        bool loose = nb == 0;
        dg_value a = as_matrix(e, x, batch, nb, fx, nx, k, nk, !loose || nx <= 1, loose, &tx);
        dg_value c = as_matrix(e, y, batch, nb, k, nk, fy, ny, true, false, &ty);
        v = dg_matmul(e->b, a, c, tx, ty);
        dg_shape s = {.rank = n};
        for (int i = 0; i < n; i++) s.dim[i] = e->name[ids[i]].size;
        v = dg_reshape_if(e->b, v, s);
    }
    x->v = v;
    x->n = n;
    memcpy(x->id, ids, sizeof(int) * (size_t)n);
    return true;
}

dg_value dg_einsum(dg_build *b, const char *pattern, const dg_value *xs, int n,
                   dg_pattern_error *err)
{
    memset(err, 0, sizeof *err);
    einsum e = {.b = b, .pattern = pattern, .err = err};
    if (!parse(&e)) return dg_poison(b);
    for (int i = 0; i < n; i++) {
        if (dg_dtype_of(b, xs[i]) == DG_POISON) return dg_poison(b);
    }
    if (!match(&e, xs, n)) return dg_poison(b);

    term x = {.v = xs[0], .n = e.list[0].n};
    memcpy(x.id, e.list[0].id, sizeof e.list[0].id);
    for (int i = 1; i < n; i++) {
        term y = {.v = xs[i], .n = e.list[i].n};
        memcpy(y.id, e.list[i].id, sizeof e.list[i].id);
        if (!contract(&e, &x, &y, i + 1, i + 1 == n)) return dg_poison(b);
    }
    sum_unneeded(&e, &x, NULL, n);
    return in_order(&e, &x, e.out.id);
}

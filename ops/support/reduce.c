/* reduce.c: folds any set of axes of a tensor of any strides.
 *
 * In     a view; the axes to fold.
 * Out    one number for each position on the other axes.
 * Keeps  how the work is cut depends on shapes and strides alone; parts of one sum are added in a
 *        fixed order, in double.
 * Method axes are ordered by stride and merged. Where the contiguous axis is folded, whole rows are
 *        summed ("rows"); where it is kept, as many accumulators as there are columns run along the
 *        others ("columns"). */
#include "ops/support/reduce.h"

#include "ops/support/sums.h"
#include "ops/support/vmath.h"

#include <string.h>

/* ---- attributes and shapes ---- */

const dg_attr_spec dg_reduce_attrs[] = {
    {"axes", DG_INTS, .required = true, .doc = "which axes, sorted"},
    {"keep", DG_INT, .fallback = 0, .doc = "1: the axes stay, with size 1"},
    {0},
};

static bool is_folded(const dg_attrs *a, int axis)
{
    int n;
    const int64_t *axes = dg_attr_ints(a, "axes", &n);
    for (int i = 0; i < n; i++) {
        if (axes[i] == axis) return true;
    }
    return false;
}

bool dg_infer_reduce(dg_infer *t)
{
    dg_shape x = dg_in_shape(t, 0), y = {0};
    int n;
    const int64_t *axes = dg_attr_ints(t->attrs, "axes", &n);
    for (int i = 0; i < n; i++) {
        if (axes[i] < 0 || axes[i] >= x.rank)
            return dg_reject_attr(t, "axes", "there is no axis %lld in a tensor of rank %d",
                                  (long long)axes[i], x.rank);
        if (i > 0 && axes[i] <= axes[i - 1])
            return dg_reject_attr(t, "axes", "axis %lld is named twice", (long long)axes[i]);
    }
    bool keep = dg_attr_int(t->attrs, "keep");
    for (int a = 0; a < x.rank; a++) {
        bool folded = is_folded(t->attrs, a);
        if (!folded || keep) y.dim[y.rank++] = folded ? 1 : x.dim[a];
    }
    return dg_give(t, 0, y);
}

int64_t dg_reduced_count(const dg_attrs *a, const dg_shape *in)
{
    int64_t n = 1;
    for (int i = 0; i < in->rank; i++) {
        if (is_folded(a, i)) n *= in->dim[i];
    }
    return n;
}

int64_t dg_reduced_at(const dg_attrs *a, const dg_shape *in, int64_t i)
{
    int64_t at = 0, step = 1;
    for (int axis = in->rank - 1; axis >= 0; axis--) {
        int64_t index = i % in->dim[axis];
        i /= in->dim[axis];
        if (is_folded(a, axis)) continue;
        at += index * step;
        step *= in->dim[axis];
    }
    return at;
}

dg_value dg_with_axes(dg_build *b, const dg_attrs *a, dg_value d, dg_value x)
{
    dg_shape s = dg_shape_of(b, x);
    for (int i = 0; i < s.rank; i++) {
        if (is_folded(a, i)) s.dim[i] = 1;
    }
    return dg_reshape(b, d, s);
}

bool dg_infer_axis(dg_infer *t)
{
    int64_t axis = dg_attr_int(t->attrs, "axis");
    int rank = dg_in_shape(t, 0).rank;
    if (axis >= 0 && axis < rank) return true;
    return dg_reject_attr(t, "axis", "there is no axis %lld in a tensor of rank %d",
                          (long long)axis, rank);
}

dg_lines dg_lines_of(const dg_attrs *a, const dg_shape *in)
{
    int axis = (int)dg_attr_int(a, "axis");
    dg_lines l = {1, in->dim[axis], 1};
    for (int i = 0; i < axis; i++) l.outer *= in->dim[i];
    for (int i = axis + 1; i < in->rank; i++) l.inner *= in->dim[i];
    return l;
}

/* The folded axes go last and become one; an element counts where it equals the extreme and no
 * element before it did. */
void dg_grad_to_first(dg_grad *g)
{
    dg_build *b = g->build;
    dg_value x = g->in[0];
    dg_shape s = dg_shape_of(b, x), moved = s, line = s;
    int perm[DG_MAX_RANK], back[DG_MAX_RANK], n = 0, kept = 0;
    int64_t count = dg_reduced_count(g->attrs, &s);
    for (int folded = 0; folded < 2; folded++) {
        for (int a = 0; a < s.rank; a++) {
            if (is_folded(g->attrs, a) == (folded == 1)) perm[n++] = a;
        }
        if (folded == 0) kept = n;
    }
    for (int a = 0; a < s.rank; a++) {
        moved.dim[a] = s.dim[perm[a]];
        back[perm[a]] = a;
    }
    line.rank = kept + 1;
    for (int a = 0; a < kept; a++) line.dim[a] = moved.dim[a];
    line.dim[kept] = count;
    dg_shape one = line;
    one.dim[kept] = 1;

    dg_value lines = dg_reshape(b, dg_transpose(b, x, perm), line);
    dg_value equal = dg_compare(b, "eq", lines, dg_reshape(b, g->out[0], one));
    dg_attr axis = dg_attr_of_int("axis", kept);
    dg_value counted = dg_cast(b, equal, DG_I32),
             seen = dg_emit(b, "cumsum", &axis, 1, &counted, 1);
    dg_value first =
        dg_emit(b, "and", NULL, 0,
                (dg_value[]){equal, dg_compare(b, "eq", seen, dg_number(b, seen, 1))}, 2);
    dg_value zero = dg_number(b, g->dout[0], 0);
    dg_value d = dg_where(b, first, dg_reshape(b, g->dout[0], one), zero);
    g->din[0] = dg_transpose(b, dg_reshape(b, d, moved), back);
}

/* ---- folding runs: an accumulator is a double for floats, an int64_t for the rest ---- */

typedef union acc {
    double f;
    int64_t i;
} acc;

enum { LANES = 32, COLUMNS = 512, PIECE = 32768, LONG = 32768 };

/* NaN wins over everything, and stays. */
#define LARGER(a, x) ((((x) > (a)) | ((x) != (x))) ? (x) : (a))
#define SMALLER(a, x) ((((x) < (a)) | ((x) != (x))) ? (x) : (a))

#define EXTREME_ROW(name, pick, start)                                                             \
    DG_VARIANTS(float, name, (const float *x, int64_t n), (x, n), {                                \
        float lane[LANES];                                                                         \
        for (int j = 0; j < LANES; j++) lane[j] = start;                                           \
        int64_t i = 0;                                                                             \
        for (; i + LANES <= n; i += LANES) {                                                       \
            for (int j = 0; j < LANES; j++) lane[j] = pick(lane[j], x[i + j]);                     \
        }                                                                                          \
        float best = start;                                                                        \
        for (; i < n; i++) best = pick(best, x[i]);                                                \
        for (int j = 0; j < LANES; j++) best = pick(best, lane[j]);                                \
        return best;                                                                               \
    })
EXTREME_ROW(largest, LARGER, -INFINITY)
EXTREME_ROW(smallest, SMALLER, INFINITY)

#define FLOAT_COLUMNS(name, next)                                                                  \
    DG_VARIANTS(void, name, (double *restrict a, const float *restrict x, int64_t n), (a, x, n), { \
        for (int64_t j = 0; j < n; j++) {                                                          \
            double y = (double)x[j];                                                               \
            a[j] = next;                                                                           \
        }                                                                                          \
    })
FLOAT_COLUMNS(columns_sum, a[j] + y)
FLOAT_COLUMNS(columns_prod, a[j] * y)
FLOAT_COLUMNS(columns_max, LARGER(a[j], y))
FLOAT_COLUMNS(columns_min, SMALLER(a[j], y))

static acc identity(dg_fold fold, bool is_float)
{
    switch (fold) {
    case DG_FOLD_PROD:
        return is_float ? (acc){.f = 1} : (acc){.i = 1};
    case DG_FOLD_ALL:
        return (acc){.i = 1};
    case DG_FOLD_MAX:
        return is_float ? (acc){.f = -(double)INFINITY} : (acc){.i = INT32_MIN};
    case DG_FOLD_MIN:
        return is_float ? (acc){.f = (double)INFINITY} : (acc){.i = INT32_MAX};
    default:
        return is_float ? (acc){.f = 0} : (acc){.i = 0};
    }
}

static acc join(dg_fold fold, bool is_float, acc a, acc b)
{
    if (is_float) {
        switch (fold) {
        case DG_FOLD_PROD:
            a.f *= b.f;
            break;
        case DG_FOLD_MAX:
            a.f = LARGER(a.f, b.f);
            break;
        case DG_FOLD_MIN:
            a.f = SMALLER(a.f, b.f);
            break;
        default:
            a.f += b.f;
            break;
        }
        return a;
    }
    switch (fold) {
    case DG_FOLD_PROD:
        a.i = (int64_t)(uint32_t)((uint32_t)a.i * (uint32_t)b.i);
        break;
    case DG_FOLD_MAX:
        a.i = a.i > b.i ? a.i : b.i;
        break;
    case DG_FOLD_MIN:
        a.i = a.i < b.i ? a.i : b.i;
        break;
    case DG_FOLD_ANY:
        a.i |= b.i;
        break;
    case DG_FOLD_ALL:
        a.i &= b.i;
        break;
    default:
        a.i = (int64_t)((uint64_t)a.i + (uint64_t)b.i);
        break;
    }
    return a;
}

/* n elements from x on, `step` apart. */
static acc fold_row(dg_fold fold, dg_isa isa, dg_dtype t, const char *at, int64_t step, int64_t n)
{
    acc a = identity(fold, t == DG_F32);
    if (t == DG_F32) {
        const float *x = (const float *)(const void *)at;
        if (step == 1 && fold == DG_FOLD_MAX) return (acc){.f = (double)largest[isa](x, n)};
        if (step == 1 && fold == DG_FOLD_MIN) return (acc){.f = (double)smallest[isa](x, n)};
        if (step == 1 && fold != DG_FOLD_PROD) return (acc){.f = dg_sum_f32(isa, x, n)};
        for (int64_t i = 0; i < n; i++) a = join(fold, true, a, (acc){.f = (double)x[i * step]});
    } else if (t == DG_I32) {
        const int32_t *x = (const int32_t *)(const void *)at;
        for (int64_t i = 0; i < n; i++) a = join(fold, false, a, (acc){.i = x[i * step]});
    } else {
        for (int64_t i = 0; i < n; i++) a = join(fold, false, a, (acc){.i = at[i * step] != 0});
    }
    return a;
}

static void fold_columns(dg_fold fold, dg_isa isa, dg_dtype t, acc *a, const char *at, int64_t n)
{
    if (t == DG_F32) {
        const float *x = (const float *)(const void *)at;
        switch (fold) {
        case DG_FOLD_PROD:
            columns_prod[isa](&a->f, x, n);
            break;
        case DG_FOLD_MAX:
            columns_max[isa](&a->f, x, n);
            break;
        case DG_FOLD_MIN:
            columns_min[isa](&a->f, x, n);
            break;
        default:
            columns_sum[isa](&a->f, x, n);
            break;
        }
    } else if (t == DG_I32) {
        for (int64_t j = 0; j < n; j++)
            a[j] = join(fold, false, a[j], (acc){.i = ((const int32_t *)(const void *)at)[j]});
    } else {
        for (int64_t j = 0; j < n; j++) a[j] = join(fold, false, a[j], (acc){.i = at[j] != 0});
    }
}

/* ---- the order of the work ---- */

typedef struct axis {
    int64_t dim, in, out; /* strides in elements */
} axis;

typedef struct reduction {
    dg_fold fold;
    int n_kept, n_folded;
    axis kept[DG_MAX_RANK], folded[DG_MAX_RANK]; /* largest stride first */
    bool columns;                                /* the last kept axis is contiguous */
    int64_t results, count;
    int64_t group, groups; /* results of a piece; pieces without splits */
    int64_t splits;        /* parts of one sum */
    int64_t in_row;        /* columns: groups along the last kept axis */
    int64_t bundle;        /* columns: groups that one piece takes */
} reduction;

static void insert(axis *list, int *n, axis a)
{
    if (a.dim == 1) return;
    int at = *n;
    while (at > 0 && list[at - 1].in < a.in) at--;
    for (int i = *n; i > at; i--) list[i] = list[i - 1];
    list[at] = a;
    ++*n;
}

static void merge(axis *list, int *n)
{
    int m = 0;
    for (int i = 0; i < *n; i++) {
        if (m > 0 && list[m - 1].in == list[i].in * list[i].dim &&
            list[m - 1].out == list[i].out * list[i].dim)
            list[m - 1] = (axis){list[m - 1].dim * list[i].dim, list[i].in, list[i].out};
        else
            list[m++] = list[i];
    }
    *n = m;
}

static int64_t parts(int64_t n, int64_t size)
{
    return (n + size - 1) / size;
}

static reduction plan_reduction(const dg_call *k, dg_fold fold)
{
    const dg_view *x = &k->in[0];
    reduction r = {.fold = fold, .results = 1, .count = 1};
    int64_t out = 1;
    for (int a = x->shape.rank - 1; a >= 0; a--) {
        int64_t dim = x->shape.dim[a];
        if (is_folded(k->attrs, a)) {
            insert(r.folded, &r.n_folded, (axis){dim, x->stride[a], 0});
            r.count *= dim;
        } else {
            insert(r.kept, &r.n_kept, (axis){dim, x->stride[a], out});
            r.results *= dim;
            out *= dim;
        }
    }
    merge(r.kept, &r.n_kept);
    merge(r.folded, &r.n_folded);
    const axis *last = r.n_kept > 0 ? &r.kept[r.n_kept - 1] : NULL;
    r.columns = last && last->in == 1 && last->dim >= 8 &&
                !(r.n_folded > 0 && r.folded[r.n_folded - 1].in == 1);
    if (r.count == 0 || r.results == 0) return r;
    if (r.columns) {
        r.group = last->dim < COLUMNS ? last->dim : COLUMNS;
        r.in_row = parts(last->dim, r.group);
        r.groups = r.results / last->dim * r.in_row;
        r.splits = parts(r.count * r.group, LONG);
        r.bundle = r.count * r.group >= PIECE ? 1 : PIECE / (r.count * r.group);
    } else {
        r.group = r.count >= PIECE ? 1 : PIECE / r.count;
        r.groups = parts(r.results, r.group);
        r.splits = parts(r.count, LONG);
    }
    if (r.splits > r.count) r.splits = r.count;
    return r;
}

/* Strides are not known yet: enough for either order. */
int64_t dg_reduce_workspace(const dg_infer *types, const dg_strip *s)
{
    (void)s;
    int64_t count = dg_reduced_count(types->attrs, &types->in[0]->shape);
    if (count == 0) return 0;
    int64_t results = dg_shape_count(&types->in[0]->shape) / count,
            splits = parts(count * COLUMNS, LONG);
    if (splits > count) splits = count;
    return splits > 1 ? results * splits * (int64_t)sizeof(acc) : 0;
}

/* Result number `at` in row-major order. */
static void put(const dg_call *k, dg_fold fold, int64_t count, int64_t at, acc a)
{
    const dg_view *y = &k->out[0];
    if (!dg_view_contiguous(y)) {
        int64_t rest = at;
        at = 0;
        for (int i = y->shape.rank - 1; i >= 0; i--) {
            at += rest % y->shape.dim[i] * y->stride[i];
            rest /= y->shape.dim[i];
        }
    }
    if (k->in[0].dtype == DG_F32)
        ((float *)y->data)[at] = (float)(fold == DG_FOLD_MEAN ? a.f / (double)count : a.f);
    else if (k->in[0].dtype == DG_I32)
        ((int32_t *)y->data)[at] = (int32_t)(uint32_t)(uint64_t)a.i;
    else
        ((uint8_t *)y->data)[at] = (uint8_t)a.i;
}

/* Offsets of result number `i` in kept order. */
static void result_at(const reduction *r, int64_t i, int64_t *in, int64_t *out)
{
    *in = *out = 0;
    for (int a = r->n_kept - 1; a >= 0; a--) {
        int64_t index = i % r->kept[a].dim;
        i /= r->kept[a].dim;
        *in += index * r->kept[a].in;
        *out += index * r->kept[a].out;
    }
}

typedef struct walk { /* over the folded axes */
    int64_t index[DG_MAX_RANK], at;
} walk;

static walk walk_from(const reduction *r, int64_t i)
{
    walk w = {.at = 0};
    for (int a = r->n_folded - 1; a >= 0; a--) {
        w.index[a] = i % r->folded[a].dim;
        i /= r->folded[a].dim;
        w.at += w.index[a] * r->folded[a].in;
    }
    return w;
}

/* Moves `n` on along the last axis, which must not pass its end. */
static void walk_on(const reduction *r, walk *w, int64_t n)
{
    int a = r->n_folded - 1;
    if (a < 0) return;
    w->index[a] += n;
    w->at += n * r->folded[a].in;
    for (; a > 0 && w->index[a] == r->folded[a].dim; a--) {
        w->at += r->folded[a - 1].in - w->index[a] * r->folded[a].in;
        w->index[a] = 0;
        w->index[a - 1]++;
    }
}

static void reduce_columns(const dg_call *k, const reduction *r, int64_t group, int64_t split)
{
    const dg_view *x = &k->in[0];
    const axis *last = &r->kept[r->n_kept - 1];
    int64_t low = r->count * split / r->splits, high = r->count * (split + 1) / r->splits;
    int64_t column = group % r->in_row * r->group,
            n = last->dim - column < r->group ? last->dim - column : r->group;
    int64_t first = group / r->in_row * last->dim + column, in, out;
    acc a[COLUMNS], start = identity(r->fold, x->dtype == DG_F32), *part = k->workspace;
    for (int64_t j = 0; j < n; j++) a[j] = start;
    result_at(r, first, &in, &out);
    walk w = walk_from(r, low);
    for (int64_t i = low; i < high; i++, walk_on(r, &w, 1))
        fold_columns(r->fold, dg_isa_of(k), x->dtype, a,
                     (const char *)x->data + (in + w.at) * (int64_t)dg_dtype_size(x->dtype), n);
    for (int64_t j = 0; j < n; j++) {
        if (r->splits > 1)
            part[(first + j) * r->splits + split] = a[j];
        else
            put(k, r->fold, r->count, out + j * last->out, a[j]);
    }
}

static void reduce_piece(const dg_call *k, int64_t piece)
{
    const reduction *r = k->arg;
    const dg_view *x = &k->in[0];
    dg_isa isa = dg_isa_of(k);
    int64_t size = (int64_t)dg_dtype_size(x->dtype);
    int64_t split = piece % r->splits, group = piece / r->splits;
    int64_t low = r->count * split / r->splits, high = r->count * (split + 1) / r->splits;
    acc *part = k->workspace, start = identity(r->fold, x->dtype == DG_F32);
    if (r->columns) {
        for (int64_t i = group * r->bundle; i < (group + 1) * r->bundle && i < r->groups; i++)
            reduce_columns(k, r, i, split);
        return;
    }
    int64_t inner = 1, step = 1; /* the innermost folded axis */
    if (r->n_folded > 0) {
        inner = r->folded[r->n_folded - 1].dim;
        step = r->folded[r->n_folded - 1].in;
    }
    int64_t end = (group + 1) * r->group < r->results ? (group + 1) * r->group : r->results;
    for (int64_t i = group * r->group; i < end; i++) {
        int64_t in, out;
        result_at(r, i, &in, &out);
        acc a = start;
        walk w = walk_from(r, low);
        for (int64_t at = low; at < high;) {
            int64_t n = r->n_folded > 0 ? inner - w.index[r->n_folded - 1] : 1;
            if (n > high - at) n = high - at;
            acc row = fold_row(r->fold, isa, x->dtype, (const char *)x->data + (in + w.at) * size,
                               step, n);
            a = join(r->fold, x->dtype == DG_F32, a, row);
            walk_on(r, &w, n);
            at += n;
        }
        if (r->splits > 1)
            part[i * r->splits + split] = a;
        else
            put(k, r->fold, r->count, out, a);
    }
}

void dg_reduce_run(const dg_call *k, dg_fold fold)
{
    reduction r = plan_reduction(k, fold);
    dg_dtype t = k->in[0].dtype;
    if (r.results == 0) return;
    if (r.count == 0) {
        for (int64_t i = 0; i < r.results; i++) put(k, fold, 0, i, identity(fold, t == DG_F32));
        return;
    }
    dg_parallel_with(k, (r.columns ? parts(r.groups, r.bundle) : r.groups) * r.splits, reduce_piece,
                     &r);
    if (r.splits == 1) return;
    const acc *part = k->workspace;
    for (int64_t i = 0; i < r.results; i++) {
        int64_t in, out;
        result_at(&r, i, &in, &out);
        acc a = part[i * r.splits];
        for (int64_t s = 1; s < r.splits; s++)
            a = join(fold, t == DG_F32, a, part[i * r.splits + s]);
        put(k, fold, r.count, out, a);
    }
}

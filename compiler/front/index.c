/* index.c: x[1:, _, ..., i, ::2].
 *
 * In     a value and the items between the brackets: ints, slices, new axes, the rest, i32 tensors.
 * Out    one slice for all static items, one gather per tensor, one reshape for dropped and new
 * axes; poison with a message when an item does not fit. */
#include "compiler/front/patterns.h"
#include "compiler/ir/op.h"

#include <string.h>

/* Python's rule: from the end when negative, then clamped to [0, size]. */
static int64_t clamp(int64_t i, int64_t size)
{
    if (i < 0) i += size;
    return i < 0 ? 0 : i > size ? size : i;
}

/* "2:5:2", as the user wrote it. */
static void slice_text(const dg_index_item *it, int64_t step, dg_text *out)
{
    if (it->has_a) dg_text_add(out, "%lld", (long long)it->a);
    dg_text_add(out, ":");
    if (it->has_b) dg_text_add(out, "%lld", (long long)it->b);
    if (step != 1) dg_text_add(out, ":%lld", (long long)step);
}

static dg_value gather(dg_build *b, dg_value x, dg_value i, int axis)
{
    dg_attr a = dg_attr_of_int("axis", axis);
    return dg_emit(b, "gather", &a, 1, (dg_value[]){x, i}, 2);
}

/* What the items read so far do to the axes of x. */
typedef struct reading {
    dg_build *b;
    dg_pattern_error *err;
    dg_shape x;
    int axis;  /* of x, the next one */
    bool cut;  /* the slice takes less than all */
    bool axes; /* the result has dropped or new axes */
    int64_t start[DG_MAX_RANK], stop[DG_MAX_RANK], step[DG_MAX_RANK];
    dg_shape shape; /* of the result before tensors are looked up: their axes whole */
    struct {
        dg_value tensor;
        int axis, item; /* axis of `shape` */
    } look[DG_MAX_RANK];
    int looks;
} reading;

static bool fail_rank(reading *r, int item)
{
    dg_pattern_fail(r->b, r->err, item, "the result would have more than %d axes", DG_MAX_RANK);
    return false;
}

static bool add_axis(reading *r, int item, int64_t size)
{
    if (r->shape.rank == DG_MAX_RANK) return fail_rank(r, item);
    r->shape.dim[r->shape.rank++] = size;
    return true;
}

static void take_axis(reading *r, int64_t start, int64_t stop, int64_t step)
{
    r->start[r->axis] = start;
    r->stop[r->axis] = stop;
    r->step[r->axis] = step;
    r->cut |= start != 0 || stop != r->x.dim[r->axis] || step != 1;
    r->axis++;
}

static bool take_whole(reading *r, int item, int axes)
{
    for (; axes > 0; axes--) {
        if (!add_axis(r, item, r->x.dim[r->axis])) return false;
        take_axis(r, 0, r->x.dim[r->axis], 1);
    }
    return true;
}

static bool take_int(reading *r, int item, int64_t i)
{
    int64_t size = r->x.dim[r->axis], at = i < 0 ? i + size : i;
    if (at < 0 || at >= size) {
        dg_pattern_fail(r->b, r->err, item, "index %lld is outside axis %d of size %lld",
                        (long long)i, r->axis, (long long)size);
        return false;
    }
    take_axis(r, at, at + 1, 1);
    r->axes = true;
    return true;
}

static bool take_slice(reading *r, int item, const dg_index_item *it)
{
    int64_t size = r->x.dim[r->axis], step = it->step == 0 ? 1 : it->step;
    int64_t start = it->has_a ? clamp(it->a, size) : 0,
            stop = it->has_b ? clamp(it->b, size) : size;
    if (step < 0) {
        dg_pattern_fail(r->b, r->err, item,
                        "the step of a slice must be positive, this one is %lld", (long long)step);
        return false;
    }
    if (stop <= start) {
        dg_text t = {0};
        slice_text(it, step, &t);
        dg_pattern_fail(r->b, r->err, item, "the slice %s of axis %d of size %lld is empty", t.at,
                        r->axis, (long long)size);
        dg_text_free(&t);
        return false;
    }
    if (step > size) step = size;
    if (!add_axis(r, item, (stop - start + step - 1) / step)) return false;
    take_axis(r, start, stop, step);
    return true;
}

static bool take_tensor(reading *r, int item, dg_value tensor)
{
    r->look[r->looks].tensor = tensor;
    r->look[r->looks].item = item;
    r->look[r->looks++].axis = r->shape.rank;
    return take_whole(r, item, 1);
}

static bool take_item(reading *r, int item, const dg_index_item *it, int rest)
{
    switch (it->kind) {
    case DG_IX_NEW:
        r->axes = true;
        return add_axis(r, item, 1);
    case DG_IX_REST:
        return take_whole(r, item, rest);
    case DG_IX_INT:
        return take_int(r, item, it->a);
    case DG_IX_SLICE:
        return take_slice(r, item, it);
    case DG_IX_TENSOR:
        return take_tensor(r, item, it->tensor);
    }
    return false;
}

/* How many axes of x the items name and whether one stands for the rest; false after a message, or
 * where there was one before. */
static bool count_items(reading *r, const dg_index_item *items, int n, int *used, bool *rest)
{
    for (int i = 0; i < n; i++) {
        *used += items[i].kind != DG_IX_NEW && items[i].kind != DG_IX_REST;
        if (items[i].kind == DG_IX_REST && *rest) {
            dg_pattern_fail(r->b, r->err, i, "`...` may stand once in an index");
            return false;
        }
        *rest |= items[i].kind == DG_IX_REST;
        dg_dtype t = items[i].kind == DG_IX_TENSOR ? dg_dtype_of(r->b, items[i].tensor) : DG_I32;
        if (t == DG_POISON) return false;
        if (t != DG_I32) {
            dg_pattern_fail(r->b, r->err, i, "an index must be i32, this one is %s",
                            dg_dtype_name(t));
            return false;
        }
    }
    if (*used <= r->x.rank) return true;
    dg_pattern_fail(r->b, r->err, 0, "%d ind%s for a value of rank %d", *used,
                    *used == 1 ? "ex" : "ices", r->x.rank);
    return false;
}

/* From the last axis to the first, so that axes before it keep their numbers. */
static dg_value look_up(reading *r, dg_value v)
{
    for (int i = r->looks - 1; i >= 0; i--) {
        dg_shape now = dg_shape_of(r->b, v), index = dg_shape_of(r->b, r->look[i].tensor);
        if (now.rank - 1 + index.rank > DG_MAX_RANK) {
            fail_rank(r, r->look[i].item);
            return dg_poison(r->b);
        }
        v = gather(r->b, v, r->look[i].tensor, r->look[i].axis);
    }
    return v;
}

dg_value dg_index_value(dg_build *b, dg_value x, const dg_index_item *items, int n,
                        dg_pattern_error *err)
{
    memset(err, 0, sizeof *err);
    if (dg_dtype_of(b, x) == DG_POISON) return dg_poison(b);
    reading r = {.b = b, .err = err, .x = dg_shape_of(b, x)};
    int used = 0;
    bool rest = false;
    if (!count_items(&r, items, n, &used, &rest)) return dg_poison(b);
    for (int i = 0; i < n; i++)
        if (!take_item(&r, i, &items[i], r.x.rank - used)) return dg_poison(b);
    if (!rest && !take_whole(&r, n, r.x.rank - used)) return dg_poison(b);
    dg_value v = r.cut ? dg_slice(b, x, r.start, r.stop, r.step) : x;
    if (r.axes) v = dg_reshape_if(b, v, r.shape);
    return look_up(&r, v);
}

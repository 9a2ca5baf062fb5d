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

dg_value dg_index_value(dg_build *b, dg_value x, const dg_index_item *items, int n,
                        dg_pattern_error *err)
{
    memset(err, 0, sizeof *err);
    if (dg_dtype_of(b, x) == DG_POISON) return dg_poison(b);
    dg_shape s = dg_shape_of(b, x);
    int used = 0, rests = 0;
    for (int i = 0; i < n; i++) {
        used += items[i].kind != DG_IX_NEW && items[i].kind != DG_IX_REST;
        rests += items[i].kind == DG_IX_REST;
        if (rests > 1) return dg_pattern_fail(b, err, i, "`...` may stand once in an index");
        if (items[i].kind == DG_IX_TENSOR) {
            dg_dtype t = dg_dtype_of(b, items[i].tensor);
            if (t == DG_POISON) return dg_poison(b);
            if (t != DG_I32)
                return dg_pattern_fail(b, err, i, "an index must be i32, this one is %s",
                                       dg_dtype_name(t));
        }
    }
    if (used > s.rank)
        return dg_pattern_fail(b, err, 0, "%d ind%s for a value of rank %d", used,
                               used == 1 ? "ex" : "ices", s.rank);

    /* What is done to each axis of x; `shape` is the result when the tensors have not been looked
     * up yet (their axes whole). */
    int64_t start[DG_MAX_RANK], stop[DG_MAX_RANK], step[DG_MAX_RANK];
    bool cut = false, changed = false;
    dg_shape shape = {0};
    struct {
        dg_value tensor;
        int axis, item; /* axis of `shape` */
    } look[DG_MAX_RANK];
    int looks = 0, axis = 0;
    for (int i = 0; i <= n; i++) {
        dg_index_item it = i < n ? items[i] : (dg_index_item){.kind = DG_IX_REST};
        if (i == n && rests > 0) break;
        if (it.kind == DG_IX_REST) {
            for (int whole = s.rank - used; whole > 0; whole--, axis++) {
                start[axis] = 0;
                stop[axis] = s.dim[axis];
                step[axis] = 1;
                if (shape.rank == DG_MAX_RANK)
                    return dg_pattern_fail(b, err, i, "the result would have more than %d axes",
                                           DG_MAX_RANK);
                shape.dim[shape.rank++] = s.dim[axis];
            }
            continue;
        }
        if (it.kind != DG_IX_INT && shape.rank == DG_MAX_RANK)
            return dg_pattern_fail(b, err, i, "the result would have more than %d axes",
                                   DG_MAX_RANK);
        if (it.kind == DG_IX_NEW) {
            shape.dim[shape.rank++] = 1;
            changed = true;
            continue;
        }
        int64_t size = s.dim[axis];
        start[axis] = 0;
        stop[axis] = size;
        step[axis] = 1;
        if (it.kind == DG_IX_INT) {
            int64_t at = it.a < 0 ? it.a + size : it.a;
            if (at < 0 || at >= size)
                return dg_pattern_fail(b, err, i, "index %lld is outside axis %d of size %lld",
                                       (long long)it.a, axis, (long long)size);
            start[axis] = at;
            stop[axis] = at + 1;
            cut = cut || size != 1;
            changed = true;
        } else if (it.kind == DG_IX_SLICE) {
            step[axis] = it.step == 0 ? 1 : it.step;
            if (step[axis] < 0)
                return dg_pattern_fail(b, err, i,
                                       "the step of a slice must be positive, this one is %lld",
                                       (long long)it.step);
            if (it.has_a) start[axis] = clamp(it.a, size);
            if (it.has_b) stop[axis] = clamp(it.b, size);
            if (stop[axis] <= start[axis]) {
                dg_text t = {0};
                slice_text(&it, step[axis], &t);
                dg_value bad =
                    dg_pattern_fail(b, err, i, "the slice %s of axis %d of size %lld is empty",
                                    t.at, axis, (long long)size);
                dg_text_free(&t);
                return bad;
            }
            if (step[axis] > size) step[axis] = size;
            cut = cut || start[axis] != 0 || stop[axis] != size || step[axis] != 1;
            shape.dim[shape.rank++] = (stop[axis] - start[axis] + step[axis] - 1) / step[axis];
        } else {
            look[looks].tensor = it.tensor;
            look[looks].item = i;
            look[looks++].axis = shape.rank;
            shape.dim[shape.rank++] = size;
        }
        axis++;
    }
    dg_value v = cut ? dg_slice(b, x, start, stop, step) : x;
    if (changed) v = dg_reshape_if(b, v, shape);
    /* From the last axis to the first, so that axes before it keep their numbers. */
    for (int i = looks - 1; i >= 0; i--) {
        dg_shape now = dg_shape_of(b, v), index = dg_shape_of(b, look[i].tensor);
        if (now.rank - 1 + index.rank > DG_MAX_RANK)
            return dg_pattern_fail(b, err, look[i].item, "the result would have more than %d axes",
                                   DG_MAX_RANK);
        v = gather(b, v, look[i].tensor, look[i].axis);
    }
    return v;
}

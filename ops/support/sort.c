/* sort.c: stable orders of lines.
 *
 * In     f32 or i32, packed, as [outer, n, inner].
 * Out    for each line its values, or the positions they came from, ascending; equals keep their
 *        order, NaN go last.
 * Method each element becomes a 64-bit key: its value, mapped to an unsigned number of the same
 *        order, above its position. Keys differ, so any sort of them is stable; a bottom-up merge
 *        between two buffers. */
#include "ops/support/reduce.h"
#include "ops/support/vmath.h"

#include <stdlib.h>
#include <string.h>

static uint64_t key_of(const dg_view *v, int64_t at, int64_t position)
{
    uint32_t bits;
    if (v->dtype == DG_I32) {
        bits = (uint32_t)((const int32_t *)v->data)[at] ^ 0x80000000u;
    } else {
        float x = ((const float *)v->data)[at];
        uint32_t raw = (uint32_t)dg_bits_of_float(x == 0 ? 0 : x); /* -0 equals 0 */
        bits = raw & 0x80000000u ? ~raw : raw | 0x80000000u;
        if (isnan(x)) bits = UINT32_MAX;
    }
    return (uint64_t)bits << 32 | (uint64_t)position;
}

/* Sorted keys end up in the buffer that is returned. */
static uint64_t *merge_sort(uint64_t *from, uint64_t *to, int64_t n)
{
    enum { SHORT = 16 };
    for (int64_t low = 0; low < n; low += SHORT) {
        int64_t high = low + SHORT < n ? low + SHORT : n;
        for (int64_t i = low + 1; i < high; i++) {
            uint64_t key = from[i];
            int64_t j = i;
            for (; j > low && from[j - 1] > key; j--) from[j] = from[j - 1];
            from[j] = key;
        }
    }
    for (int64_t width = SHORT; width < n; width *= 2) {
        for (int64_t low = 0; low < n; low += 2 * width) {
            int64_t middle = low + width < n ? low + width : n,
                    high = low + 2 * width < n ? low + 2 * width : n;
            int64_t a = low, b = middle;
            for (int64_t i = low; i < high; i++)
                to[i] = b >= high || (a < middle && from[a] < from[b]) ? from[a++] : from[b++];
        }
        uint64_t *other = from;
        from = to;
        to = other;
    }
    return from;
}

int64_t dg_sort_scratch(const dg_infer *types, const dg_strip *s)
{
    (void)s;
    return 2 * dg_lines_of(types->attrs, &types->in[0]->shape).n * (int64_t)sizeof(uint64_t);
}

typedef struct sorting {
    dg_lines lines;
    bool values;
    int64_t group;
} sorting;

static void sort_piece(const dg_call *k, int64_t piece)
{
    const sorting *s = k->arg;
    const dg_view *x = &k->in[0];
    int64_t n = s->lines.n, inner = s->lines.inner, total = s->lines.outer * inner;
    uint64_t *keys = k->scratch;
    for (int64_t line = piece * s->group; line < (piece + 1) * s->group && line < total; line++) {
        int64_t first = line / inner * n * inner + line % inner;
        for (int64_t i = 0; i < n; i++) keys[i] = key_of(x, first + i * inner, i);
        const uint64_t *sorted = merge_sort(keys, keys + n, n);
        for (int64_t i = 0; i < n; i++) {
            int64_t from = (int64_t)(sorted[i] & UINT32_MAX), to = first + i * inner;
            if (!s->values)
                ((int32_t *)k->out[0].data)[to] = (int32_t)from;
            else
                ((uint32_t *)k->out[0].data)[to] =
                    ((const uint32_t *)x->data)[first + from * inner];
        }
    }
}

void dg_sort_run(const dg_call *k, bool values)
{
    sorting s = {.lines = dg_lines_of(k->attrs, &k->in[0].shape), .values = values};
    int64_t total = s.lines.outer * s.lines.inner;
    if (total * s.lines.n == 0) return;
    s.group = s.lines.n >= 4096 ? 1 : 4096 / s.lines.n;
    dg_parallel_with(k, (total + s.group - 1) / s.group, sort_piece, &s);
}

/* ---- reference ---- */

typedef struct ranked {
    double value;
    int64_t position;
} ranked;

static int by_value(const void *pa, const void *pb)
{
    const ranked *a = pa, *b = pb;
    bool na = isnan(a->value), nb = isnan(b->value);
    if (na != nb) return na ? 1 : -1;
    if (!na && a->value != b->value) return a->value < b->value ? -1 : 1;
    return a->position < b->position ? -1 : 1;
}

bool dg_sort_line(const dg_view *v, int64_t first, int64_t step, int64_t n, int32_t *index)
{
    ranked *all = malloc((size_t)n * sizeof *all);
    if (!all) return false;
    for (int64_t i = 0; i < n; i++) {
        int64_t at = first + i * step;
        all[i].value =
            v->dtype == DG_I32 ? ((const int32_t *)v->data)[at] : ((const double *)v->data)[at];
        all[i].position = i;
    }
    qsort(all, (size_t)n, sizeof *all, by_value);
    for (int64_t i = 0; i < n; i++) index[i] = (int32_t)all[i].position;
    free(all);
    return true;
}

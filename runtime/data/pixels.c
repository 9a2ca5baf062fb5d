/* pixels.c: samples held as bytes -> floats; labels checked. */
#include "runtime/data/pixels.h"

#include "compiler/base/os.h"

enum { MAX_CLASSES = 1 << 20 };

void dg_pixels_fetch(const void *self, uint64_t seed, int64_t i, float *out, int32_t *label)
{
    const dg_pixels *p = self;
    const uint8_t *from = p->bytes + i * p->each;
    (void)seed;
    for (int64_t k = 0; k < p->each; k++) out[k] = (float)from[k] / 255.0F;
    *label = p->labels ? p->labels[i] : 0;
}

void dg_pixels_close(const void *self)
{
    const dg_pixels *p = self;
    if (p->bytes) dg_large_free(p->bytes, p->room);
}

int dg_labels_check(dg_diag *d, dg_arena *a, const char *path, size_t offset, size_t each,
                    const int32_t *labels, int64_t n, int64_t want)
{
    if (n != want) {
        dg_error_at(d, "E444", dg_arena_printf(a, "%s@%zu", path, offset),
                    "%lld labels for %lld samples", (long long)n, (long long)want);
        return -1;
    }
    int32_t most = 0;
    for (int64_t i = 0; i < n; i++) {
        if (labels[i] < 0 || labels[i] >= MAX_CLASSES) {
            dg_error_at(d, "E444", dg_arena_printf(a, "%s@%zu", path, offset + (size_t)i * each),
                        "label %d of sample %lld is not from 0 to %d", labels[i], (long long)i,
                        MAX_CLASSES - 1);
            return -1;
        }
        if (labels[i] > most) most = labels[i];
    }
    return most + 1;
}

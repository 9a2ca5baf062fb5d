/* pixels.h: samples held as bytes: what IDX, PNG folders and uint8 arrays have in common. */
#ifndef DG_RUNTIME_DATA_PIXELS_H
#define DG_RUNTIME_DATA_PIXELS_H

#include "runtime/data/dataset.h"

typedef struct dg_pixels {
    uint8_t *bytes;  /* count * each, from dg_large_alloc */
    size_t room;     /* allocated */
    int64_t each;    /* bytes of a sample */
    int32_t *labels; /* NULL: none */
} dg_pixels;

/* Fetches byte / 255; self is a dg_pixels. */
void dg_pixels_fetch(const void *self, uint64_t seed, int64_t i, float *out, int32_t *label);
void dg_pixels_close(const void *self);

/* Labels beside the images must be as many, and from 0 on: their number of classes, or -1 after
 * reporting E444 at the first bad one. `offset`: of the first label in its file. */
int dg_labels_check(dg_diag *d, dg_arena *a, const char *path, size_t offset, size_t each,
                    const int32_t *labels, int64_t n, int64_t want);

#endif

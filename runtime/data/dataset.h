/* dataset.h: where samples come from.
 *
 * A reader (one file for each format) knows how many samples there are and gives sample i; a data
 * set adds what the run file's `data` section asks for (padding, mirroring, dequantisation, range,
 * split) and the order. Sample and order are pure functions of (seed, position): no state, so a
 * resumed run continues exactly and any thread may fetch. */
#ifndef DG_RUNTIME_DATA_DATASET_H
#define DG_RUNTIME_DATA_DATASET_H

#include "compiler/base/diag.h"
#include "compiler/ir/type.h"

typedef struct dg_data_spec { /* the `data` section */
    const char *path;         /* as opened; NULL: generated */
    const char *kind;         /* "auto" or one of the formats below */
    dg_shape size;            /* rank 0: as it comes */
    int64_t pad;              /* pixels on each side */
    double range[2];          /* what brightness 0 and 1 become; images only */
    bool flip, dequantize;
    double train_part, valid_part;
} dg_data_spec;

typedef struct dg_reader { /* what a format fills in */
    int64_t count;         /* samples; 0: endless */
    dg_shape shape;        /* of one sample */
    int classes;           /* labels are 0 .. classes - 1; 0: no labels */
    bool image;            /* [C, H, W], brightness from 0 to 1 in steps of 1/255 */
    void (*fetch)(const void *self, uint64_t seed, int64_t i, float *out, int32_t *label);
    void (*close)(const void *self); /* NULL: nothing to free */
    const void *self;
} dg_reader;

/* Each reports (E44x with byte offsets, E45x, E5xx) and returns false, having freed all but what is
 * the arena's. */
typedef bool dg_reader_open(dg_diag *d, dg_arena *a, const dg_data_spec *s, dg_reader *out);
dg_reader_open dg_open_idx, dg_open_npy, dg_open_folder, dg_open_points, dg_open_sketch,
    dg_open_shapes;

typedef struct dg_dataset {
    const char *kind; /* of the format found */
    dg_data_spec spec;
    dg_reader reader;
    dg_shape shape; /* of one sample after padding */
    int classes;
    uint64_t seed;
    int64_t n_train, n_valid; /* 0: endless */
} dg_dataset;

/* NULL after reporting. Lives in the arena but for the pixels, which dg_dataset_close frees. */
dg_dataset *dg_dataset_open(dg_diag *d, dg_arena *a, const dg_data_spec *s, uint64_t seed);
void dg_dataset_close(dg_dataset *s); /* NULL is allowed */
bool dg_data_kind_generated(const char *kind);
/* Names of all kinds but "auto", NULL-ended, for suggestions. */
const char *const *dg_data_kinds(void);

/* TRAIN: shuffled anew in each epoch. VALID: the other part, in a fixed order. ALL: by index. */
typedef enum dg_part { DG_PART_TRAIN, DG_PART_VALID, DG_PART_ALL } dg_part;

/* Samples at positions [first, first + n) of the endless sequence of a part. `window` shifts the
 * whole sequence (after a rollback). `labels` may be NULL. */
void dg_dataset_batch(const dg_dataset *s, dg_part part, uint64_t window, int64_t first, int64_t n,
                      float *x, int32_t *labels);

#endif

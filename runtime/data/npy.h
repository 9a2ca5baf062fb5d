/* npy.h: NumPy's array files, format versions 1 to 3 (numpy.lib.format). Read: little- and
 * big-endian numbers and bool, C and Fortran order; object, structured and text types are refused.
 * Written: version 1, little-endian, C order. */
#ifndef DG_RUNTIME_DATA_NPY_H
#define DG_RUNTIME_DATA_NPY_H

#include "compiler/base/diag.h"
#include "compiler/ir/type.h"

typedef struct dg_npy {
    dg_type
        type; /* i64 and the other whole types become i32 where every value fits, f16 becomes f32 */
    void *data; /* packed; in the arena given */
    bool wide;  /* the file's type was wider than `type` */
} dg_npy;

/* Reports E45x with the byte offset; at most twice the file's size is allocated. */
bool dg_npy_read(dg_diag *d, dg_arena *a, const char *path, dg_npy *out);
bool dg_npy_parse(dg_diag *d, dg_arena *a, const char *name, const uint8_t *bytes, size_t length,
                  dg_npy *out);
void dg_npy_doubles(const dg_npy *n, double *out);
bool dg_npy_write(dg_diag *d, const char *path, const dg_type *t, const void *data);

#endif

/* safetensors.h: the tensor file format of the field: 8 bytes of header length, a JSON header, raw
 * little-endian data. Everything is checked before anything is allocated for it: the header's size,
 * names, shapes whose product and bytes agree with data_offsets, no holes and no overlaps. */
#ifndef DG_RUNTIME_SAFETENSORS_H
#define DG_RUNTIME_SAFETENSORS_H

#include "compiler/base/os.h"
#include "compiler/base/vec.h"
#include "compiler/ir/type.h"

/* File dtypes. F16, BF16 and the wide and narrow whole types are converted by dg_st_convert. */
typedef enum dg_st_dtype {
    DG_ST_F64,
    DG_ST_F32,
    DG_ST_F16,
    DG_ST_BF16,
    DG_ST_I64,
    DG_ST_I32,
    DG_ST_I16,
    DG_ST_I8,
    DG_ST_U8,
    DG_ST_BOOL,
    DG_ST_DTYPES
} dg_st_dtype;
const char *dg_st_dtype_name(dg_st_dtype t);
size_t dg_st_dtype_size(dg_st_dtype t);
dg_st_dtype dg_st_dtype_of(dg_dtype t);

typedef struct dg_st_tensor {
    const char *name;
    dg_st_dtype dtype;
    dg_shape shape;
    const uint8_t *data;  /* in the file; may be unaligned */
    size_t bytes, offset; /* of the data from the file's begin */
} dg_st_tensor;

typedef struct dg_st_file {
    const char *path;
    dg_file file;
    int n;
    dg_st_tensor *tensors; /* in order of their data */
    int n_meta;
    const char **meta; /* key, value, key, value ... */
} dg_st_file;

/* Reports E41x with path@offset. A pickle, zip, GGUF or HDF5 file is recognised and refused with
 * what to do (E410). */
bool dg_st_open(dg_diag *d, dg_arena *a, const char *path, dg_st_file *out);
bool dg_st_parse(dg_diag *d, dg_arena *a, const char *path, const uint8_t *bytes, size_t length,
                 dg_st_file *out);
void dg_st_close(dg_st_file *f);
const dg_st_tensor *dg_st_find(const dg_st_file *f, const char *name);
const char *dg_st_meta(const dg_st_file *f, const char *key);

/* Converts to `to`; false when a whole number does not fit (the index is given). */
bool dg_st_convert(const dg_st_tensor *t, dg_dtype to, void *out, int64_t *bad);

typedef struct dg_st_out {
    const char *name;
    dg_st_dtype dtype;
    dg_shape shape;
    const void *data;
} dg_st_out;
/* Whole or absent (os.h). `meta`: key, value pairs. Data is aligned to 64 bytes by padding the
 * header with spaces. */
bool dg_st_write(dg_diag *d, const char *path, const dg_st_out *tensors, int n,
                 const char *const *meta, int n_meta);

#endif

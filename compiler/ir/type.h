/* type.h: what a value is: dtype and shape in numbers. Shapes are row-major, axis 0 slowest. */
#ifndef DG_IR_TYPE_H
#define DG_IR_TYPE_H

#include "compiler/base/str.h"

typedef enum dg_dtype {
    DG_F32,
    DG_F64,
    DG_I32,
    DG_U8,
    DG_BOOL,
    DG_DTYPES,
    DG_POISON = DG_DTYPES
} dg_dtype;

#define DG_MAX_RANK 8
typedef struct dg_shape {
    int rank;
    int64_t dim[DG_MAX_RANK]; /* at least 1 each in the language; kernels also take 0 */
} dg_shape;

typedef struct dg_type {
    dg_dtype
        dtype; /* DG_POISON: the value of something that failed; every rule accepts it in silence */
    dg_shape shape;
} dg_type;

/* DG_SHAPE(2, 3) is f32-less [2, 3]; DG_SCALAR is rank 0. DG_AXES(0, 2) is a list of axes. */
#define DG_COUNT_(...) ((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))
#define DG_SHAPE(...) ((dg_shape){DG_COUNT_(__VA_ARGS__), {__VA_ARGS__}})
#define DG_SCALAR ((dg_shape){0, {0}})
typedef struct dg_axes {
    int n;
    int axis[DG_MAX_RANK];
} dg_axes;
#define DG_AXES(...) ((dg_axes){DG_COUNT_(__VA_ARGS__), {__VA_ARGS__}})

size_t dg_dtype_size(dg_dtype t);
const char *dg_dtype_name(dg_dtype t); /* "f32" */
bool dg_dtype_is_float(dg_dtype t);

int64_t dg_shape_count(
    const dg_shape *s); /* elements; 1 for rank 0. Overflow was refused when the shape was made. */
bool dg_shape_equal(const dg_shape *a, const dg_shape *b);
/* A further axis of n before the others; its rank must allow that. */
dg_shape dg_shape_stacked(dg_shape s, int64_t n);
bool dg_type_equal(const dg_type *a, const dg_type *b);
uint64_t dg_type_hash(const dg_type *t);
int64_t dg_type_bytes(const dg_type *t);
/* Product in range and bytes below 2^48; false otherwise. Every shape that enters the IR passes
 * this. */
bool dg_shape_fits(const dg_shape *s, dg_dtype t);

/* The language's broadcasting: equal rank with dims equal or 1, or one operand of rank 0. On
 * failure false and, if given, *axis is the first axis that differs, or -1 when the ranks do. */
bool dg_broadcast(const dg_shape *a, const dg_shape *b, dg_shape *out, int *axis);
/* True when every dim of `s` equals that of `space` or is 1 (same rank), or `s` is rank 0. */
bool dg_broadcasts_to(const dg_shape *s, const dg_shape *space);

/* "f32[8, 96, 32, 32]", "f32" for rank 0; the shape alone as "[8, 96]"; plan tables use
 * "32x3x32x32" ("1" for rank 0). */
void dg_type_text(const dg_type *t, dg_text *out);
void dg_shape_text(const dg_shape *s, dg_text *out);
const char *dg_type_name(dg_arena *a, const dg_type *t);
const char *dg_shape_times(const dg_shape *s, char buffer[96]);

#endif

/* winograd_ref.h: the minimal filters as matrices, in double: what the transforms of
 * winograd_transform.c, which are written out, are held against. */
#ifndef DG_OPS_WINOGRAD_REF_H
#define DG_OPS_WINOGRAD_REF_H

typedef enum dg_winograd_matrix {
    DG_WINOGRAD_B, /* B^T d B: patch to patch */
    DG_WINOGRAD_G, /* G k G^T: 3x3 to patch */
    DG_WINOGRAD_A  /* A^T m A: patch to tile */
} dg_winograd_matrix;

/* to = M from M^T, both row-major and square. */
void dg_winograd_ref(int tile, dg_winograd_matrix matrix, const double *from, double *to);

#endif

/* weights_map.h: the name map of `dg weights import` and `export`.
 *
 *     ours = theirs [, theirs...] [| step...]       # comment
 *
 * {p} is text without a dot, the same on both sides. Steps make ours from theirs, left to right:
 * `t` swaps two axes, `reshape A,B,...`, `cat AXIS` joins the tensors named with commas. Export
 * runs the line backwards. */
#ifndef DG_RUNTIME_WEIGHTS_MAP_H
#define DG_RUNTIME_WEIGHTS_MAP_H

#include "compiler/base/diag.h"
#include "compiler/base/vec.h"
#include "compiler/ir/type.h"

typedef enum dg_map_kind { DG_MAP_T, DG_MAP_RESHAPE, DG_MAP_CAT } dg_map_kind;
typedef struct dg_map_step {
    dg_map_kind kind;
    int axis;       /* cat */
    dg_shape shape; /* reshape */
} dg_map_step;

typedef struct dg_map_line {
    const char *ours;
    const char **theirs;
    int n_theirs, n_steps;
    dg_map_step steps[8];
    int line; /* of the map file */
} dg_map_line;

typedef struct dg_name_map {
    DG_VEC(dg_map_line) lines;
    const char *path;
} dg_name_map;

bool dg_name_map_read(dg_diag *d, dg_arena *a, const char *path, dg_name_map *out);
/* The line whose `ours` matches, with the wildcards filled into theirs[]; NULL: none. */
const dg_map_line *dg_name_map_find(const dg_name_map *m, dg_arena *a, const char *ours,
                                    const char ***theirs);

/* A tensor of elements of `size` bytes under way. */
typedef struct dg_map_tensor {
    dg_shape shape;
    uint8_t *data;
} dg_map_tensor;
/* Theirs to ours; false with `why` when a step does not fit. All in `a`. */
bool dg_map_forward(const dg_map_line *l, dg_arena *a, size_t size, const dg_map_tensor *theirs,
                    dg_map_tensor *ours, const char **why);
/* Ours to theirs: theirs[i].shape must be given (it is what the steps are run back to), data is
 * filled. */
bool dg_map_backward(const dg_map_line *l, dg_arena *a, size_t size, const dg_map_tensor *ours,
                     dg_map_tensor *theirs, const char **why);

#endif

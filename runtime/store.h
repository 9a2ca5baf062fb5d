/* store.h: tensors that outlive a run, by path: parameters, and states with EMA, moments and
 * counters. Updated in place. */
#ifndef DG_RUNTIME_STORE_H
#define DG_RUNTIME_STORE_H

#include "compiler/base/diag.h"
#include "compiler/base/map.h"
#include "compiler/base/os.h"
#include "compiler/base/vec.h"
#include "compiler/ir/type.h"

typedef struct dg_tensor {
    dg_str path;
    dg_type type;
    bool trained;
    bool filled; /* loaded or initialised; otherwise the first run initialises it */
    void *data; /* 64-byte aligned, packed; does not move while the store lives. NULL while `source`
                   is set */
    const void
        *source; /* of a lazy store: its bytes in a mapped file, taken when it is looked up */
    int file;    /* which of the store's files */
} dg_tensor;

/* The public dg_store is this struct. */
struct dg_store {
    struct dg_context *context;
    dg_arena *arena;
    dg_strings *strings;
    dg_map *by_path; /* dg_str -> index + 1 */
    DG_VEC(dg_tensor) tensors;
    /* Tensors of files are loaded when somebody looks for them: one who samples needs the averaged
     * weights alone, not the parameters and moments beside them. Set before loading. */
    bool lazy;
    DG_VEC(dg_file) files; /* mapped while the store lives */
    int64_t step;          /* runs of train entries */
    int64_t bytes;
    const char *origin; /* what an import noted of the file it read (weights.c), kept through
                           checkpoints; NULL: none */
};

dg_tensor *dg_store_find(struct dg_store *s,
                         const char *path); /* NULL: none, or no memory for it (reported); good
                                               until the next add */
/* A new tensor, zero and not filled. NULL when memory is refused (reported E601). */
dg_tensor *dg_store_add(struct dg_store *s, dg_diag *d, const char *path, dg_type type,
                        bool trained);
/* The same, of a lazy store: its packed bytes stand at `source` in the last of the store's files.
 */
void dg_store_add_lazy(struct dg_store *s, const char *path, dg_type type, bool trained,
                       const void *source);

#endif

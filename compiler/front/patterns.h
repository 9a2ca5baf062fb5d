/* patterns.h: tensor notation turned into IR: einsum, rearrange, and indexing in brackets. Used by
 * the lowering; written in the words of ir/build.h. On an error the result is poison and `err` says
 * why, in the user's names and sizes; a poison operand gives poison in silence (err->text stays
 * empty). */
#ifndef DG_FRONT_PATTERNS_H
#define DG_FRONT_PATTERNS_H

#include "compiler/ir/build.h"

typedef struct dg_pattern_error {
    char text[400];
    int offset; /* byte of the pattern, or number of the index item, that is at fault */
} dg_pattern_error;

/* "b h i d, b h j d -> b h i j": space-separated axis names, one list per operand; operands are
 * contracted from left to right. A name missing on the right is summed over; names shared by
 * operands must agree in size; a name may stand once in each list. */
dg_value dg_einsum(dg_build *b, const char *pattern, const dg_value *xs, int n,
                   dg_pattern_error *err);

/* "b (h d) n -> b h n d": splits, permutes and merges axes. `names`, `sizes`: the sizes given by
 * keyword; in each group on the left at most one size may be left open. */
dg_value dg_rearrange(dg_build *b, const char *pattern, dg_value x, const char *const *names,
                      const int64_t *sizes, int n, dg_pattern_error *err);

typedef struct dg_index_item {
    enum { DG_IX_INT, DG_IX_SLICE, DG_IX_NEW, DG_IX_REST, DG_IX_TENSOR } kind;
    int64_t a, b, step; /* INT: a; SLICE: a:b:step, step >= 1 (0 counts as 1) */
    bool has_a, has_b;
    dg_value tensor; /* TENSOR: i32; its dims take the place of the axis */
} dg_index_item;

/* x[...]: ints from the end when negative, slices clamp as in Python, REST (`...`, at most once)
 * stands for the axes not named; axes after the last item are kept whole. Several tensors index
 * each its own axis. */
dg_value dg_index_value(dg_build *b, dg_value x, const dg_index_item *items, int n,
                        dg_pattern_error *err);

/* Shared by the three files. */
__attribute__((format(printf, 4, 5))) dg_value dg_pattern_fail(dg_build *b, dg_pattern_error *err,
                                                               int offset, const char *format, ...);
dg_value dg_transpose_if(dg_build *b, dg_value x, const int *perm,
                         int rank); /* x itself when perm is the identity */
dg_value dg_reshape_if(dg_build *b, dg_value x, dg_shape s); /* x itself when it has that shape */

#endif

/* vec.h: growable arrays, for any element type. Memory is malloc's: free with dg_vec_free, or use
 * dg_vec_seal to move the elements into an arena.
 *
 *     DG_VEC(int) v = {0};
 *     dg_vec_push(&v, 42);
 *     for (size_t i = 0; i < v.n; i++) use(v.at[i]);
 *     dg_vec_free(&v);                                                                          */
#ifndef DG_BASE_VEC_H
#define DG_BASE_VEC_H

#include "compiler/base/arena.h"

#define DG_VEC(type)                                                                               \
    struct {                                                                                       \
        type *at;                                                                                  \
        size_t n, room;                                                                            \
    }

#define dg_vec_push(v, ...)                                                                        \
    ((v)->n == (v)->room ? (void)((v)->at = dg_vec_grow((v)->at, &(v)->room, sizeof *(v)->at))     \
                         : (void)0,                                                                \
     (void)((v)->at[(v)->n++] = (__VA_ARGS__)))
#define dg_vec_pop(v) ((v)->at[--(v)->n])
#define dg_vec_last(v) ((v)->at[(v)->n - 1])
#define dg_vec_free(v) (dg_vec_release((v)->at), (v)->at = NULL, (v)->n = (v)->room = 0)
/* The elements, copied to `arena`; the vector is emptied and freed. */
#define dg_vec_seal(v, arena, out)                                                                 \
    ((out) = dg_arena_copy((arena), (v)->at, (v)->n * sizeof *(v)->at), dg_vec_free(v))

void *dg_vec_grow(void *at, size_t *room, size_t element); /* at least doubles; never fails */
void dg_vec_release(void *at);

#endif

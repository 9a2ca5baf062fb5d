/* vec.c: the growth of vec.h's arrays, which are typed by macros there. */
#include "compiler/base/vec.h"

#include "compiler/base/os.h"

#include <stdint.h>
#include <stdlib.h>

void *dg_vec_grow(void *at, size_t *room, size_t element)
{
    enum { LARGE = 1 << 18 }; /* bytes; below, room costs less than copying what is there again */
    size_t next = *room < 8 ? 8 : *room;
    if (next > SIZE_MAX / 4 / element) dg_out_of_memory();
    if (*room >= 8) next *= next * element < LARGE ? 4 : 2;
    void *p = realloc(at, next * element);
    if (!p) dg_out_of_memory();
    *room = next;
    return p;
}

void dg_vec_release(void *at)
{
    free(at);
}

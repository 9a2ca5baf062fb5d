/* arena.h: bump allocation, freed whole. Three lifetimes use it: a compilation, a plan, a session.
 * Small allocations cannot fail: when the system has no memory left the handler of os.h ends the
 * program. */
#ifndef DG_BASE_ARENA_H
#define DG_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

typedef struct dg_arena dg_arena;

dg_arena *dg_arena_new(void);
void dg_arena_free(dg_arena *a); /* NULL is allowed */

/* Zeroed, 16-byte aligned, valid until the arena goes. `bytes` may be 0. */
void *dg_arena_alloc(dg_arena *a, size_t bytes);
/* The same, but with whatever stands there: for what is written whole before it is read. */
void *dg_arena_room(dg_arena *a, size_t bytes);
void *dg_arena_copy(dg_arena *a, const void *from, size_t bytes);
char *dg_arena_text(dg_arena *a, const char *from, size_t length); /* adds the final NUL */
__attribute__((format(printf, 2, 3))) char *dg_arena_printf(dg_arena *a, const char *format, ...);
__attribute__((format(printf, 2, 0))) char *dg_arena_vprintf(dg_arena *a, const char *format,
                                                             va_list args);

/* The parts with a dot behind each but the last; those that are empty or NULL are left out. */
char *dg_arena_joined(dg_arena *a, const char *const *parts, int n);

/* Bytes handed out so far: the elaborator's memory budget. */
size_t dg_arena_used(const dg_arena *a);

#define DG_NEW(arena, type) ((type *)dg_arena_alloc((arena), sizeof(type)))
#define DG_NEW_ARRAY(arena, type, n) ((type *)dg_arena_alloc((arena), sizeof(type) * (size_t)(n)))
#define DG_ROOM(arena, type, n) ((type *)dg_arena_room((arena), sizeof(type) * (size_t)(n)))

#endif

/* arena.c: bump allocation, freed whole.
 *
 * In     requests for zeroed bytes.
 * Out    pointers that stay valid until the arena goes.
 * Keeps  nothing is handed out twice. Chunks are cleared piece by piece as they are handed out,
 * while the caller is about to write there anyway; those for a single large request come zeroed, in
 * huge pages, since a small page takes longer to be had than to be filled. Under AddressSanitizer
 * what is not handed out is poisoned, with a gap behind each allocation. */
#include "compiler/base/arena.h"

#include "compiler/base/os.h"
#include "compiler/base/str.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#define GAP 16
#else
#define POISON(p, n) ((void)0)
#define UNPOISON(p, n) ((void)0)
#define GAP 0
#endif

#define ALIGN 16
#define FIRST_CHUNK ((size_t)16 << 10)
#define LARGEST_CHUNK ((size_t)1 << 20) /* but for requests that are larger */
#define LARGE ((size_t)2 << 20)         /* a huge page */

typedef struct chunk {
    struct chunk *next;
    size_t room;  /* bytes behind the header */
    bool cleared; /* they were zero when they came */
    _Alignas(ALIGN) unsigned char bytes[];
} chunk;

struct dg_arena {
    chunk *chunks; /* the first one is being filled */
    size_t at;     /* within it */
    size_t used;
    size_t next_chunk; /* bytes, its header counted */
};

static chunk *chunk_new(size_t room)
{
    if (room > SIZE_MAX / 2) dg_out_of_memory();
    size_t bytes = sizeof(chunk) + room;
    bool large = bytes >= LARGE;
    chunk *c = large ? dg_large_alloc(bytes) : malloc(bytes);
    if (!c) dg_out_of_memory();
    *c = (chunk){.room = room, .cleared = large};
    POISON(c->bytes, room);
    return c;
}

dg_arena *dg_arena_new(void)
{
    dg_arena *a = calloc(1, sizeof *a);
    if (!a) dg_out_of_memory();
    a->next_chunk = FIRST_CHUNK;
    return a;
}

void dg_arena_free(dg_arena *a)
{
    if (!a) return;
    for (chunk *c = a->chunks, *next; c; c = next) {
        next = c->next;
        UNPOISON(c->bytes, c->room);
        size_t bytes = sizeof(chunk) + c->room;
        if (bytes < LARGE)
            free(c);
        else
            dg_large_free(c, bytes);
    }
    free(a);
}

/* Bytes of the arena, and in *zero whether they are known to be zero. */
static unsigned char *take(dg_arena *a, size_t bytes, bool *zero)
{
    if (bytes > SIZE_MAX / 4) dg_out_of_memory();
    size_t step = (bytes + GAP + ALIGN - 1) / ALIGN * ALIGN;
    if (step == 0) step = ALIGN; /* two empty allocations differ */
    a->used += bytes;

    if (a->chunks && a->chunks->room - a->at >= step) {
        unsigned char *p = a->chunks->bytes + a->at;
        a->at += step;
        UNPOISON(p, bytes);
        *zero = a->chunks->cleared;
        return p;
    }
    if (step > a->next_chunk / 4 && a->chunks) { /* a chunk of its own; the open one stays open */
        chunk *c = chunk_new(step);
        c->next = a->chunks->next;
        a->chunks->next = c;
        UNPOISON(c->bytes, bytes);
        *zero = c->cleared;
        return c->bytes;
    }
    size_t room = a->next_chunk - sizeof(chunk);
    chunk *c = chunk_new(step > room ? step : room);
    if (a->next_chunk < LARGEST_CHUNK) a->next_chunk *= 2;
    c->next = a->chunks;
    a->chunks = c;
    a->at = step;
    UNPOISON(c->bytes, bytes);
    *zero = c->cleared;
    return c->bytes;
}

void *dg_arena_alloc(dg_arena *a, size_t bytes)
{
    bool zero;
    void *p = take(a, bytes, &zero);
    return zero ? p : memset(p, 0, bytes);
}

void *dg_arena_room(dg_arena *a, size_t bytes)
{
    bool zero;
    return take(a, bytes, &zero);
}

void *dg_arena_copy(dg_arena *a, const void *from, size_t bytes)
{
    bool zero;
    void *p = take(a, bytes, &zero);
    if (bytes > 0) memcpy(p, from, bytes);
    return p;
}

char *dg_arena_text(dg_arena *a, const char *from, size_t length)
{
    if (length == SIZE_MAX) dg_out_of_memory();
    bool zero;
    char *p = (char *)take(a, length + 1, &zero);
    if (length > 0) memcpy(p, from, length);
    p[length] = '\0';
    return p;
}

char *dg_arena_vprintf(dg_arena *a, const char *format, va_list args)
{
    char small[256];
    va_list again;
    va_copy(again, args);
    int n = dg_vformat(small, sizeof small, format, args);
    char *p;
    if (n < 0) {
        p = dg_arena_text(a, "", 0); /* an encoding error of %ls, which nobody uses */
    } else if ((size_t)n < sizeof small) {
        p = dg_arena_text(a, small, (size_t)n);
    } else {
        p = dg_arena_alloc(a, (size_t)n + 1);
        dg_vformat(p, (size_t)n + 1, format, again);
    }
    va_end(again);
    return p;
}

char *dg_arena_printf(dg_arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *p = dg_arena_vprintf(a, format, args);
    va_end(args);
    return p;
}

char *dg_arena_joined(dg_arena *a, const char *const *parts, int n)
{
    size_t length = 0, at = 0;
    for (int i = 0; i < n; i++) length += parts[i] ? strlen(parts[i]) + 1 : 0;
    bool zero;
    char *p = (char *)take(a, length + 1, &zero);
    for (int i = 0; i < n; i++) {
        if (!parts[i] || !*parts[i]) continue;
        size_t part = strlen(parts[i]);
        memcpy(p + at, parts[i], part);
        at += part;
        if (i + 1 < n) p[at++] = '.';
    }
    p[at] = '\0';
    return p;
}

size_t dg_arena_used(const dg_arena *a)
{
    return a->used;
}

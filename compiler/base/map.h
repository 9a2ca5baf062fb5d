/* map.h: hash maps. dg_map: interned name (or any pointer) -> pointer; dg_map64: 64-bit integer ->
 * 64-bit integer. Iteration is in order of insertion, so that no result depends on addresses. */
#ifndef DG_BASE_MAP_H
#define DG_BASE_MAP_H

#include "compiler/base/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* A hash with one more number in it: multiplied by 2^64 / the golden ratio, which spreads what is
 * below over what is above, and that back over what is below. */
static inline uint64_t dg_hash_add(uint64_t hash, uint64_t number)
{
    hash = (hash ^ number) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

typedef struct dg_map dg_map;
dg_map *dg_map_new(dg_arena *a);
void *dg_map_get(const dg_map *m, const void *key); /* NULL when absent */
bool dg_map_has(const dg_map *m, const void *key);
void dg_map_set(dg_map *m, const void *key, void *value);
size_t dg_map_count(const dg_map *m);
const void *dg_map_key(const dg_map *m, size_t i); /* i-th inserted */
void *dg_map_value(const dg_map *m, size_t i);

typedef struct dg_map64 dg_map64;
dg_map64 *dg_map64_new(dg_arena *a);
bool dg_map64_get(const dg_map64 *m, uint64_t key, uint64_t *value);
void dg_map64_set(dg_map64 *m, uint64_t key, uint64_t value);

#endif

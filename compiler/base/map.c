/* map.c: hash maps with linear probing. The entries stand in order of insertion; the table holds
 * their indices, so a walk over a map does not depend on addresses. Nothing is ever removed. */
#include "compiler/base/map.h"

#include <string.h>

typedef struct index_table {
    uint32_t *slot; /* entry + 1; 0 is free */
    size_t size;    /* a power of two, or 0 */
} index_table;

struct dg_map {
    dg_arena *arena;
    struct {
        const void *key;
        void *value;
    } * entry;
    size_t n, room;
    index_table table;
};

struct dg_map64 {
    dg_arena *arena;
    struct {
        uint64_t key, value;
    } * entry;
    size_t n, room;
    index_table table;
};

/* The finalizer of splitmix64 (Steele, Lea & Flood 2014): every bit of the key reaches every bit of
 * the hash. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t hash_pointer(const void *p)
{
    return mix((uint64_t)(uintptr_t)p);
}

static void table_put(index_table *t, uint64_t hash, size_t entry)
{
    size_t i = (size_t)hash & (t->size - 1);
    while (t->slot[i] != 0) i = (i + 1) & (t->size - 1);
    t->slot[i] = (uint32_t)(entry + 1);
}

/* Twice as many slots as entries at least; the old arrays are left to the arena. */
static size_t table_grow(index_table *t, dg_arena *a, size_t room)
{
    size_t next = room == 0 ? 8 : 2 * room;
    t->size = 2 * next;
    t->slot = DG_NEW_ARRAY(a, uint32_t, t->size);
    return next;
}

dg_map *dg_map_new(dg_arena *a)
{
    dg_map *m = DG_NEW(a, dg_map);
    m->arena = a;
    return m;
}

/* The entry's index, or m->n. */
static size_t map_find(const dg_map *m, const void *key)
{
    if (m->n == 0) return m->n;
    const index_table *t = &m->table;
    for (size_t i = (size_t)hash_pointer(key) & (t->size - 1); t->slot[i] != 0;
         i = (i + 1) & (t->size - 1)) {
        if (m->entry[t->slot[i] - 1].key == key) return t->slot[i] - 1;
    }
    return m->n;
}

void *dg_map_get(const dg_map *m, const void *key)
{
    size_t i = map_find(m, key);
    return i < m->n ? m->entry[i].value : NULL;
}

bool dg_map_has(const dg_map *m, const void *key)
{
    return map_find(m, key) < m->n;
}

void dg_map_set(dg_map *m, const void *key, void *value)
{
    size_t i = map_find(m, key);
    if (i < m->n) {
        m->entry[i].value = value;
        return;
    }
    if (m->n == m->room) {
        m->room = table_grow(&m->table, m->arena, m->room);
        void *old = m->entry;
        m->entry = dg_arena_room(m->arena, m->room * sizeof *m->entry);
        if (m->n > 0) memcpy(m->entry, old, m->n * sizeof *m->entry);
        for (size_t k = 0; k < m->n; k++) table_put(&m->table, hash_pointer(m->entry[k].key), k);
    }
    m->entry[m->n].key = key;
    m->entry[m->n].value = value;
    table_put(&m->table, hash_pointer(key), m->n);
    m->n++;
}

size_t dg_map_count(const dg_map *m)
{
    return m->n;
}

const void *dg_map_key(const dg_map *m, size_t i)
{
    return m->entry[i].key;
}

void *dg_map_value(const dg_map *m, size_t i)
{
    return m->entry[i].value;
}

dg_map64 *dg_map64_new(dg_arena *a)
{
    dg_map64 *m = DG_NEW(a, dg_map64);
    m->arena = a;
    return m;
}

static size_t map64_find(const dg_map64 *m, uint64_t key)
{
    if (m->n == 0) return m->n;
    const index_table *t = &m->table;
    for (size_t i = (size_t)mix(key) & (t->size - 1); t->slot[i] != 0;
         i = (i + 1) & (t->size - 1)) {
        if (m->entry[t->slot[i] - 1].key == key) return t->slot[i] - 1;
    }
    return m->n;
}

bool dg_map64_get(const dg_map64 *m, uint64_t key, uint64_t *value)
{
    size_t i = map64_find(m, key);
    if (i == m->n) return false;
    *value = m->entry[i].value;
    return true;
}

void dg_map64_set(dg_map64 *m, uint64_t key, uint64_t value)
{
    size_t i = map64_find(m, key);
    if (i < m->n) {
        m->entry[i].value = value;
        return;
    }
    if (m->n == m->room) {
        m->room = table_grow(&m->table, m->arena, m->room);
        void *old = m->entry;
        m->entry = dg_arena_room(m->arena, m->room * sizeof *m->entry);
        if (m->n > 0) memcpy(m->entry, old, m->n * sizeof *m->entry);
        for (size_t k = 0; k < m->n; k++) table_put(&m->table, mix(m->entry[k].key), k);
    }
    m->entry[m->n].key = key;
    m->entry[m->n].value = value;
    table_put(&m->table, mix(key), m->n);
    m->n++;
}

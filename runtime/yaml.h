/* yaml.h: YAML as a tree with spans. In: a text from anywhere. Out: maps, lists, scalars; refused
 * are anchors, aliases, tags, directives, second documents, repeated keys, keys that are no plain
 * text, nesting beyond 32 levels, more than 1 MB. */
#ifndef DG_RUNTIME_YAML_H
#define DG_RUNTIME_YAML_H

#include "compiler/base/diag.h"

typedef enum dg_yaml_kind { DG_YAML_SCALAR, DG_YAML_LIST, DG_YAML_MAP } dg_yaml_kind;

typedef struct dg_yaml dg_yaml;
typedef struct dg_yaml_pair {
    const char *key;
    dg_span span; /* of the key */
    dg_yaml *value;
} dg_yaml_pair;

struct dg_yaml {
    dg_yaml_kind kind;
    dg_span span;
    const char *text; /* scalar */
    size_t length;
    bool quoted;
    size_t n; /* of a list or map */
    dg_yaml **items;
    dg_yaml_pair *pairs;
};

enum { DG_YAML_MAX_BYTES = 1 << 20, DG_YAML_MAX_DEPTH = 32 };

/* The only document of a source, NULL after reporting E101 or E105. An empty text is an empty map.
 */
dg_yaml *dg_yaml_read(dg_diag *d, dg_arena *a, int32_t source);
dg_yaml_pair *dg_yaml_find(dg_yaml *map, const char *key); /* NULL: none */

#endif

/* source.h: source texts loaded whole, and places in them.
 * A span is a file and a byte range; lines and columns (code points, tabs count as one) are found
 * when printed. */
#ifndef DG_BASE_SOURCE_H
#define DG_BASE_SOURCE_H

#include "compiler/base/arena.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct dg_span {
    int32_t file; /* index into dg_sources; -1: nowhere */
    uint32_t begin, end;
} dg_span;
#define DG_NOWHERE ((dg_span){-1, 0, 0})

typedef struct dg_source {
    const char *name; /* as shown in messages: relative to the main file's folder, or as given */
    const char *path; /* as opened; NULL for text from memory */
    const char *text; /* NUL-terminated */
    uint32_t length;
    uint64_t hash;
    const uint32_t *line_start; /* offset of each line, n_lines of them */
    uint32_t n_lines;           /* one at least */
} dg_source;

typedef struct dg_sources dg_sources;
dg_sources *dg_sources_new(dg_arena *a);
int32_t dg_sources_add(dg_sources *s, const char *name, const char *path, const char *text,
                       size_t length);
const dg_source *dg_source_at(const dg_sources *s, int32_t file);
int32_t dg_sources_count(const dg_sources *s);

typedef struct dg_position {
    int line, column; /* from 1 */
} dg_position;
dg_position dg_source_position(const dg_source *s, uint32_t offset);
uint32_t dg_source_line_number(const dg_source *s, uint32_t offset); /* from 1; cheap on lines of any length */
/* The line that holds `offset`, without its newline. */
const char *dg_source_line(const dg_source *s, uint32_t offset, uint32_t *length);
dg_span dg_span_join(dg_span a, dg_span b);

#endif

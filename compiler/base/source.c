/* source.c: source texts kept whole, and the way from a byte offset to line, column and the line's
 * text.
 *
 * In     texts that somebody else has read (os.c).
 * Out    stable dg_source pointers; positions by binary search in a table of line starts, made when
 * a text is added, so that a printer may ask for the line of every node. */
#include "compiler/base/source.h"

#include "compiler/base/os.h"
#include "compiler/base/str.h"

#include <string.h>

struct dg_sources {
    dg_arena *arena;
    dg_source **at;
    int32_t n, room;
};

dg_sources *dg_sources_new(dg_arena *a)
{
    dg_sources *s = DG_NEW(a, dg_sources);
    s->arena = a;
    return s;
}

int32_t dg_sources_add(dg_sources *s, const char *name, const char *path, const char *text,
                       size_t length)
{
    if (length >= UINT32_MAX) dg_out_of_memory(); /* readers refuse such files long before */
    if (s->n == s->room) {
        int32_t room = s->room == 0 ? 8 : 2 * s->room;
        dg_source **at = DG_NEW_ARRAY(s->arena, dg_source *, room);
        if (s->n > 0) memcpy(at, s->at, (size_t)s->n * sizeof *at);
        s->at = at;
        s->room = room;
    }
    dg_source *f = DG_NEW(s->arena, dg_source);
    f->name = dg_arena_text(s->arena, name, strlen(name));
    f->path = path ? dg_arena_text(s->arena, path, strlen(path)) : NULL;
    f->text = dg_arena_text(s->arena, text, length);
    f->length = (uint32_t)length;
    f->hash = dg_hash(text, length);

    uint32_t lines = 1;
    for (size_t i = 0; i < length; i++) lines += f->text[i] == '\n';
    uint32_t *start = DG_NEW_ARRAY(s->arena, uint32_t, lines), n = 1;
    const char *end = f->text + length;
    for (const char *at = f->text; (at = memchr(at, '\n', (size_t)(end - at))) != NULL;)
        start[n++] = (uint32_t)(++at - f->text);
    f->line_start = start;
    f->n_lines = lines;

    s->at[s->n] = f;
    return s->n++;
}

const dg_source *dg_source_at(const dg_sources *s, int32_t file)
{
    return s && file >= 0 && file < s->n ? s->at[file] : NULL;
}

int32_t dg_sources_count(const dg_sources *s)
{
    return s->n;
}

/* Index of the line that holds `offset`. */
static uint32_t line_of(const dg_source *s, uint32_t offset)
{
    uint32_t low = 0, high = s->n_lines;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (s->line_start[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

dg_position dg_source_position(const dg_source *s, uint32_t offset)
{
    if (offset > s->length) offset = s->length;
    uint32_t line = line_of(s, offset);
    int column = 1;
    for (uint32_t i = s->line_start[line]; i < offset; i++)
        column += ((unsigned char)s->text[i] & 0xc0) != 0x80; /* not a UTF-8 continuation */
    return (dg_position){(int)line + 1, column};
}

uint32_t dg_source_line_number(const dg_source *s, uint32_t offset)
{
    return line_of(s, offset > s->length ? s->length : offset) + 1;
}

const char *dg_source_line(const dg_source *s, uint32_t offset, uint32_t *length)
{
    if (offset > s->length) offset = s->length;
    uint32_t line = line_of(s, offset), begin = s->line_start[line];
    uint32_t end = line + 1 < s->n_lines ? s->line_start[line + 1] - 1 : s->length;
    if (end > begin && s->text[end - 1] == '\r') end--;
    *length = end - begin;
    return s->text + begin;
}

dg_span dg_span_join(dg_span a, dg_span b)
{
    if (a.file < 0) return b;
    if (b.file < 0 || a.file != b.file) return a;
    return (dg_span){a.file, a.begin < b.begin ? a.begin : b.begin, a.end > b.end ? a.end : b.end};
}

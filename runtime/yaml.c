/* yaml.c: libyaml's events -> a tree. libyaml itself has no limit of depth, keeps the last of
 * repeated keys and follows aliases (docs/runs.md), so the tree is built here, under limits. */
#include "runtime/yaml.h"

#include "compiler/base/vec.h"

#include <string.h>
#include <yaml.h>

typedef struct reader {
    dg_diag *diag;
    dg_arena *arena;
    int32_t file;
    const dg_source *source;
    yaml_parser_t parser;
    size_t seen_index, seen_offset; /* last place converted: code points -> bytes */
} reader;

/* libyaml counts code points; spans count bytes. Marks mostly ascend, so one walk serves them. */
static uint32_t offset_of(reader *r, size_t index)
{
    if (index < r->seen_index) r->seen_index = r->seen_offset = 0;
    const char *text = r->source->text;
    while (r->seen_index < index && r->seen_offset < r->source->length) {
        r->seen_offset++;
        while (r->seen_offset < r->source->length &&
               ((unsigned char)text[r->seen_offset] & 0xC0U) == 0x80U)
            r->seen_offset++;
        r->seen_index++;
    }
    return (uint32_t)r->seen_offset;
}

static dg_span span_of(reader *r, const yaml_mark_t *from, const yaml_mark_t *to)
{
    uint32_t begin = offset_of(r, from->index), end = to ? offset_of(r, to->index) : begin + 1;
    return (dg_span){r->file, begin, end > begin ? end : begin + 1};
}

static bool next(reader *r, yaml_event_t *e)
{
    if (yaml_parser_parse(&r->parser, e)) return true;
    const yaml_parser_t *p = &r->parser;
    dg_message *m = dg_error(r->diag, "E101", span_of(r, &p->problem_mark, NULL), "not YAML: %s",
                             p->problem ? p->problem : "cannot be read");
    if (p->context) dg_note_add(r->diag, m, "%s", p->context);
    return false;
}

static bool refuse(reader *r, const yaml_event_t *e, const char *what)
{
    dg_error(r->diag, "E101", span_of(r, &e->start_mark, &e->end_mark), "%s", what);
    return false;
}

static bool plain_node(reader *r, const yaml_event_t *e, const yaml_char_t *anchor,
                       const yaml_char_t *tag)
{
    if (anchor) return refuse(r, e, "anchors are not read; write the value out");
    if (tag) return refuse(r, e, "tags are not read; the key decides the type of its value");
    return true;
}

static dg_yaml *read_node(reader *r, yaml_event_t *e, int depth);

/* The next event's node; NULL at the end of a list or map (then *end) or after reporting. */
static dg_yaml *read_next(reader *r, int depth, bool *end)
{
    yaml_event_t e;
    *end = false;
    if (!next(r, &e)) return NULL;
    *end = e.type == YAML_SEQUENCE_END_EVENT || e.type == YAML_MAPPING_END_EVENT;
    dg_yaml *node = *end ? NULL : read_node(r, &e, depth);
    yaml_event_delete(&e);
    return node;
}

static bool read_list(reader *r, dg_yaml *list, int depth)
{
    DG_VEC(dg_yaml *) items = {0};
    bool end = false;
    for (dg_yaml *item; (item = read_next(r, depth, &end)) != NULL;) dg_vec_push(&items, item);
    list->n = items.n;
    dg_vec_seal(&items, r->arena, list->items);
    return end;
}

static bool key_is_new(reader *r, const dg_yaml_pair *pairs, size_t n, const dg_yaml *key)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(pairs[i].key, key->text) != 0) continue;
        dg_message *m = dg_error(r->diag, "E105", key->span, "'%s' is given twice", key->text);
        dg_note_add(r->diag, m, "first at line %d",
                    dg_source_position(r->source, pairs[i].span.begin).line);
        return false;
    }
    return true;
}

static bool read_map(reader *r, dg_yaml *map, int depth)
{
    DG_VEC(dg_yaml_pair) pairs = {0};
    bool end = false, ok = true;
    for (dg_yaml *key; ok && (key = read_next(r, depth, &end)) != NULL;) {
        ok = key->kind == DG_YAML_SCALAR && key->length < 256 && strlen(key->text) == key->length;
        if (!ok) dg_error(r->diag, "E101", key->span, "a key has to be a short plain word");
        ok = ok && key_is_new(r, pairs.at, pairs.n, key);
        dg_yaml *value = ok ? read_next(r, depth, &end) : NULL;
        if (!value)
            ok = false;
        else
            dg_vec_push(&pairs, (dg_yaml_pair){key->text, key->span, value});
    }
    map->n = pairs.n;
    dg_vec_seal(&pairs, r->arena, map->pairs);
    return ok && end;
}

static dg_yaml *read_node(reader *r, yaml_event_t *e, int depth)
{
    dg_yaml *node = DG_NEW(r->arena, dg_yaml);
    node->span = span_of(r, &e->start_mark, &e->end_mark);
    if (depth > DG_YAML_MAX_DEPTH) {
        refuse(r, e, "nested more than 32 levels deep");
        return NULL;
    }
    switch (e->type) {
    case YAML_SCALAR_EVENT: {
        bool tagged = !e->data.scalar.plain_implicit && !e->data.scalar.quoted_implicit;
        if (!plain_node(r, e, e->data.scalar.anchor, tagged ? e->data.scalar.tag : NULL))
            return NULL;
        node->kind = DG_YAML_SCALAR;
        node->length = e->data.scalar.length;
        node->text = dg_arena_text(r->arena, (const char *)e->data.scalar.value, node->length);
        node->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        return node;
    }
    case YAML_SEQUENCE_START_EVENT:
        if (!plain_node(r, e, e->data.sequence_start.anchor, e->data.sequence_start.tag))
            return NULL;
        node->kind = DG_YAML_LIST;
        return read_list(r, node, depth + 1) ? node : NULL;
    case YAML_MAPPING_START_EVENT:
        if (!plain_node(r, e, e->data.mapping_start.anchor, e->data.mapping_start.tag)) return NULL;
        node->kind = DG_YAML_MAP;
        return read_map(r, node, depth + 1) ? node : NULL;
    case YAML_ALIAS_EVENT:
        refuse(r, e, "aliases are not read; write the value out");
        return NULL;
    default:
        refuse(r, e, "this is not read here");
        return NULL;
    }
}

static dg_yaml *read_document(reader *r)
{
    yaml_event_t e;
    dg_yaml *root = NULL;
    for (bool go = true; go && next(r, &e);) {
        switch (e.type) {
        case YAML_STREAM_START_EVENT:
            break;
        case YAML_DOCUMENT_START_EVENT:
            go = !root || refuse(r, &e, "a second document begins here; a run file is one");
            if (go && (e.data.document_start.version_directive ||
                       e.data.document_start.tag_directives.start !=
                           e.data.document_start.tag_directives.end))
                go = refuse(r, &e, "directives are not read");
            if (!go) root = NULL;
            break;
        case YAML_DOCUMENT_END_EVENT:
            break;
        case YAML_STREAM_END_EVENT:
            if (!root) {
                root = DG_NEW(r->arena, dg_yaml);
                *root = (dg_yaml){.kind = DG_YAML_MAP, .span = {r->file, 0, 0}};
            }
            go = false;
            break;
        default:
            root = read_node(r, &e, 0);
            go = root != NULL;
            break;
        }
        yaml_event_delete(&e);
    }
    return dg_diag_errors(r->diag) ? NULL : root;
}

static bool text_is_clean(dg_diag *d, int32_t file, const dg_source *s)
{
    for (size_t i = 0; i < s->length;) {
        size_t n = s->text[i] ? dg_utf8_length(s->text + i, s->length - i) : 0;
        if (n == 0 || (i == 0 && n == 3 && memcmp(s->text, "\xEF\xBB\xBF", 3) == 0)) {
            dg_error(d, "E101", (dg_span){file, (uint32_t)i, (uint32_t)i + 1},
                     n ? "the text begins with a byte order mark; save it without"
                       : "not a text: a NUL byte, or a byte that is not UTF-8");
            return false;
        }
        i += n;
    }
    return true;
}

dg_yaml *dg_yaml_read(dg_diag *d, dg_arena *a, int32_t source)
{
    reader r = {.diag = d, .arena = a, .file = source};
    r.source = dg_source_at(dg_diag_sources(d), source);
    if (r.source->length > DG_YAML_MAX_BYTES) {
        dg_error(d, "E101", (dg_span){source, 0, 1}, "%u bytes; a run file has at most 1 MB",
                 r.source->length);
        return NULL;
    }
    if (!text_is_clean(d, source, r.source)) return NULL;
    if (!yaml_parser_initialize(&r.parser)) {
        dg_error(d, "E601", DG_NOWHERE, "no memory to read YAML");
        return NULL;
    }
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)r.source->text,
                                 r.source->length);
    dg_yaml *root = read_document(&r);
    yaml_parser_delete(&r.parser);
    return root;
}

dg_yaml_pair *dg_yaml_find(dg_yaml *map, const char *key)
{
    for (size_t i = 0; map->kind == DG_YAML_MAP && i < map->n; i++)
        if (strcmp(map->pairs[i].key, key) == 0) return &map->pairs[i];
    return NULL;
}

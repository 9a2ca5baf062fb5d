/* parse_support.h: for the tests of scanner, grammar and formatter. A text goes in; tree, messages,
 * outline and canonical text come out as strings. */
#ifndef DG_TESTS_LANG_PARSE_SUPPORT_H
#define DG_TESTS_LANG_PARSE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/base/os.h"
#include "compiler/front/ast.h"

typedef struct parsed {
    dg_arena *arena;
    dg_sources *sources;
    dg_diag *diag;
    dg_tree *tree;
    dg_text out;
} parsed;

static inline parsed parse_bytes(const char *name, const char *text, size_t n)
{
    parsed p = {.arena = dg_arena_new()};
    p.sources = dg_sources_new(p.arena);
    p.diag = dg_diag_new(p.arena, p.sources);
    int32_t file = dg_sources_add(p.sources, name, NULL, text, n);
    p.tree = dg_parse(p.arena, dg_strings_new(p.arena), p.diag, file);
    return p;
}

static inline void parsed_free(parsed *p)
{
    dg_text_free(&p->out);
    dg_arena_free(p->arena);
}

static inline const char *messages(parsed *p)
{
    dg_text_free(&p->out);
    for (size_t i = 0; i < dg_diag_count(p->diag); i++)
        dg_message_text(p->diag, dg_diag_at(p->diag, i), false, &p->out);
    return p->out.at ? p->out.at : "";
}

static inline const char *outline(parsed *p)
{
    dg_text_free(&p->out);
    dg_tree_dump(p->sources, p->tree, &p->out);
    return p->out.at ? p->out.at : "";
}

static inline const char *formatted(parsed *p)
{
    dg_text_free(&p->out);
    dg_format(p->sources, p->tree, &p->out);
    return p->out.at ? p->out.at : "";
}

/* Formatting keeps tree and comments, and does nothing the second time. */
static inline void check_round_trip(const char *name, const char *text, size_t n)
{
    parsed first = parse_bytes(name, text, n);
    if (!first.tree->ok) fail_msg("%s does not parse:\n%s", name, messages(&first));
    char *tree = strdup(outline(&first)), *canonical = strdup(formatted(&first));
    parsed second = parse_bytes(name, canonical, strlen(canonical));
    if (!second.tree->ok)
        fail_msg("%s does not parse when formatted:\n%s", name, messages(&second));
    assert_string_equal(outline(&second), tree);
    assert_int_equal(second.tree->n_comments, first.tree->n_comments);
    for (int i = 0; i < first.tree->n_comments; i++) {
        const dg_comment *a = &first.tree->comments[i], *b = &second.tree->comments[i];
        uint32_t length = a->span.end - a->span.begin;
        assert_int_equal(b->span.end - b->span.begin, length);
        assert_memory_equal(text + a->span.begin, canonical + b->span.begin, length);
    }
    assert_string_equal(formatted(&second), canonical);
    free(tree);
    free(canonical);
    parsed_free(&first);
    parsed_free(&second);
}

static inline bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/* Calls `visit` for every .dg file below a folder, in order of name; returns how many there were.
 */
static inline int each_dg_file(const char *folder,
                               void (*visit)(const char *path, const char *text, size_t n))
{
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, dg_sources_new(a));
    char **names;
    size_t n;
    int found = 0;
    if (dg_path_is_folder(folder) && dg_folder_list(d, a, folder, &names, &n)) {
        for (size_t i = 0; i < n; i++) {
            const char *path = dg_path_join(a, folder, names[i]);
            dg_file file;
            if (dg_path_is_folder(path)) {
                found += each_dg_file(path, visit);
            } else if (ends_with(path, ".dg") && dg_file_read(d, path, 64u << 20, &file)) {
                visit(path, (const char *)file.bytes, file.length);
                dg_file_close(&file);
                found++;
            }
        }
    }
    dg_arena_free(a);
    return found;
}

#endif

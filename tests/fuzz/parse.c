/* parse.c: any bytes through scanner, parser, outline and formatter.
 *
 * What parses must parse again when formatted, to an equal tree, and be formatted to the same bytes. */
#include "compiler/front/ast.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Outline and canonical text; false when the text is wrong. The caller frees both. */
static bool digest(const char *text, size_t n, dg_text *tree, dg_text *canonical)
{
    dg_arena *a = dg_arena_new();
    dg_sources *s = dg_sources_new(a);
    dg_diag *d = dg_diag_new(a, s);
    dg_tree *t = dg_parse(a, dg_strings_new(a), d, dg_sources_add(s, "fuzz.dg", NULL, text, n));
    dg_tree_dump(s, t, tree);
    if (t->ok) dg_format(s, t, canonical);
    dg_text out = {0};
    for (size_t i = 0; i < dg_diag_count(d); i++) dg_message_text(d, dg_diag_at(d, i), false, &out);
    if (t->ok != (dg_diag_errors(d) == 0) || dg_diag_errors(d) > 8) abort();
    dg_text_free(&out);
    bool ok = t->ok;
    dg_arena_free(a);
    return ok;
}

static bool same(const dg_text *a, const dg_text *b)
{
    return a->n == b->n && (a->n == 0 || memcmp(a->at, b->at, a->n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    dg_text tree = {0}, canonical = {0}, tree2 = {0}, canonical2 = {0};
    if (digest((const char *)bytes, n, &tree, &canonical)) {
        const char *text = canonical.at ? canonical.at : "";
        if (!digest(text, canonical.n, &tree2, &canonical2)) abort();
        if (!same(&tree, &tree2) || !same(&canonical, &canonical2)) abort();
    }
    dg_text_free(&tree);
    dg_text_free(&canonical);
    dg_text_free(&tree2);
    dg_text_free(&canonical2);
    return 0;
}

/* parse.c: one source file into its tree.
 *
 * In     a source of the diag's sources: bytes of any kind.
 * Out    the tree; tree->ok is false when anything was reported. What could be read is in it all
 *        the same.
 * Keeps  the scanner sees UTF-8 without NUL and control characters only, so that nothing after it
 *        has to ask. */
#include "compiler/front/parse.h"

#include "compiler/base/os.h"
#include "compiler/front/parser.h"

#include <string.h>

dg_message *dg_parse_error(dg_parser *p, const char *id, dg_span span, const char *format, ...)
{
    if (p->errors >= DG_MAX_ERRORS)
        return DG_NEW(p->arena, dg_message); /* takes notes, goes nowhere */
    va_list args;
    va_start(args, format);
    char *what = dg_arena_vprintf(p->arena, format, args);
    va_end(args);
    if (++p->errors >= DG_MAX_ERRORS) p->stop = true;
    return dg_error(p->diag, id, span, "%s", what);
}

void dg_parse_note_at(dg_parser *p, dg_message *m, const char *what, dg_span span)
{
    dg_position at = dg_source_position(p->source, span.begin);
    bool bracket = what[1] != '\0' && strchr("([{", what[1]) && what[0] == '\'';
    dg_note_add(p->diag, m, "%s %s at %s:%d:%d", what, bracket ? "was opened" : "stands",
                p->source->name, at.line, at.column);
}

void dg_parse_too_deep(dg_parser *p, dg_span span)
{
    if (p->stop) return;
    dg_span first = {span.file, span.begin, span.begin < span.end ? span.begin + 1 : span.end};
    dg_message *m =
        dg_parse_error(p, "E007", first, "nested too deeply: more than %d levels", DG_MAX_DEPTH);
    dg_help_add(p->diag, m, "bind inner parts to names; a sum of that many terms is sum([...])");
    p->stop = true;
}

/* ---- the bytes ---- */

static bool refuse(dg_parser *p, const char *id, size_t at, size_t n, const char *what,
                   const char *help)
{
    dg_span span = {p->file, (uint32_t)at, (uint32_t)(at + n)};
    dg_message *m = dg_parse_error(p, id, span, "%s", what);
    if (help) dg_help_add(p->diag, m, "%s", help);
    return false;
}

/* Marks that change the order in which a line is shown, so that it reads other than it is. */
static bool is_bidirectional(uint32_t c)
{
    return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e ||
           c == 0x200f || c == 0x061c;
}

static uint32_t code_point(const unsigned char *s, size_t n)
{
    static const unsigned char first[5] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = s[0] & first[n];
    for (size_t i = 1; i < n; i++) c = c << 6 | (s[i] & 0x3fu);
    return c;
}

enum { STRIDE = 32 };

/* Nothing but letters, marks, blanks and newlines, as nearly everywhere: seen without a branch for
 * each. */
static bool plain_block(const char *text)
{
    unsigned char odd = 0;
    for (int k = 0; k < STRIDE; k++) {
        unsigned char c = (unsigned char)text[k];
        odd |= (unsigned char)(((c < 0x20) & (c != '\n')) | (c >= 0x7f));
    }
    return !odd;
}

/* The bytes of the character at `i`; 0 after reporting. */
static size_t check_character(dg_parser *p, const char *text, size_t i, size_t length)
{
    unsigned char c = (unsigned char)text[i];
    if ((c >= 0x20 && c < 0x7f) || c == '\t' || c == '\n' || c == '\r') return 1;
    if (c == 0) return refuse(p, "E001", i, 1, "a NUL byte: this is not a text file", NULL);
    if (c < 0x80) {
        char *what = dg_arena_printf(p->arena, "a control character, \\x%02x", c);
        return refuse(p, "E002", i, 1, what, NULL);
    }
    size_t n = dg_utf8_length(text + i, length - i);
    if (n == 0) {
        char *what = dg_arena_printf(p->arena, "byte \\x%02x: the text is not UTF-8", c);
        return refuse(p, "E001", i, 1, what, "save the file as UTF-8");
    }
    uint32_t u = code_point((const unsigned char *)text + i, n);
    if (is_bidirectional(u)) {
        char *what = dg_arena_printf(
            p->arena,
            "U+%04X changes the direction of the text, so the line reads other than it is", u);
        return refuse(p, "E002", i, n, what, "remove it");
    }
    if (u >= 0x80 && u < 0xa0) {
        char *what = dg_arena_printf(p->arena, "a control character, U+%04X", u);
        return refuse(p, "E002", i, n, what, NULL);
    }
    return n;
}

static bool check_bytes(dg_parser *p)
{
    const char *text = p->source->text;
    size_t length = p->source->length;
    if (length > DG_MAX_FILE) {
        dg_message *m =
            dg_parse_error(p, "E001", (dg_span){p->file, 0, 0},
                           "a file of %zu bytes; at most %d are read", length, DG_MAX_FILE);
        dg_help_add(p->diag, m, "long tables belong into .npy files, given as @FILE");
        return false;
    }
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        return refuse(p, "E001", 0, 3, "the file begins with a byte order mark",
                      "save it as UTF-8 without BOM");
    if (length >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
        return refuse(p, "E001", 0, 2, "the file is UTF-16", "save it as UTF-8");
    for (size_t i = 0; i < length;) {
        size_t end = i + STRIDE < length ? i + STRIDE : length;
        if (end == i + STRIDE && plain_block(text + i)) {
            i = end;
            continue;
        }
        for (size_t n; i < end; i += n)
            if ((n = check_character(p, text, i, length)) == 0) return false;
    }
    return true;
}

/* ---- documentation ---- */

static bool is_doc(const dg_source *s, const dg_comment *c)
{
    return c->span.end - c->span.begin >= 2 && s->text[c->span.begin + 1] == '#';
}

static void add_doc(const dg_source *s, const dg_comment *c, dg_text *out)
{
    uint32_t i = c->span.begin + 2;
    if (i < c->span.end && s->text[i] == ' ') i++;
    if (out->n > 0) dg_text_add(out, "\n");
    dg_text_addn(out, s->text + i, c->span.end - i);
}

/* A declaration's documentation: the `##` lines right above it, and a `##` behind its end or behind
 * the brace of its body. */
static void attach_docs(dg_parser *p, dg_tree *t)
{
    const dg_source *s = p->source;
    int next = 0; /* first comment after the declaration's begin */
    for (int i = 0; i < t->n; i++) {
        dg_decl *d = t->decls[i];
        uint32_t previous = i > 0 ? t->decls[i - 1]->span.end : 0;
        while (next < t->n_comments && t->comments[next].span.begin < d->span.begin) next++;
        int first = next;
        uint32_t line = dg_source_line_number(s, d->span.begin);
        while (first > 0) {
            const dg_comment *c = &t->comments[first - 1];
            if (c->span.begin < previous || !c->alone || !is_doc(s, c) ||
                dg_source_line_number(s, c->span.begin) + 1 != line)
                break;
            line--;
            first--;
        }
        dg_text doc = {0};
        for (int k = first; k < next; k++) add_doc(s, &t->comments[k], &doc);

        uint32_t body = 0, inner = 0; /* between the brace and the first statement */
        if (d->body) {
            body = d->body->span.begin;
            inner = d->body->n > 0 ? d->body->at[0]->span.begin : d->body->span.end;
        }
        uint32_t last_line = dg_source_line_number(s, d->span.end);
        uint32_t limit = i + 1 < t->n ? t->decls[i + 1]->span.begin : s->length;
        for (int k = next; k < t->n_comments && t->comments[k].span.begin < limit; k++) {
            const dg_comment *c = &t->comments[k];
            bool behind_brace = c->span.begin > body && c->span.begin < inner;
            bool behind_end = c->span.begin >= d->span.end &&
                              dg_source_line_number(s, c->span.begin) == last_line;
            if (!c->alone && is_doc(s, c) && (behind_brace || behind_end)) add_doc(s, c, &doc);
        }
        if (doc.n > 0) d->doc = dg_arena_text(p->arena, doc.at, doc.n);
        dg_text_free(&doc);
    }
}

dg_tree *dg_parse(dg_arena *a, dg_strings *strings, dg_diag *d, int32_t file)
{
    dg_tree *t = DG_NEW(a, dg_tree);
    t->file = file;
    dg_parser p = {.arena = a, .strings = strings, .diag = d, .file = file};
    p.source = dg_source_at(dg_diag_sources(d), file);
    if (!check_bytes(&p)) return t;
    if (!dg_scanner_open(&p)) dg_out_of_memory();
    dg_yyparse(&p);
    dg_scanner_close(&p);
    dg_ast_finish(&p, t);
    attach_docs(&p, t);
    t->ok = p.errors == 0;
    dg_text_free(&p.piece);
    dg_vec_free(&p.brackets);
    dg_vec_free(&p.comments);
    dg_vec_free(&p.items);
    return t;
}

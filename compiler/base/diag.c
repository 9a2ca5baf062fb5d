/* diag.c: errors and warnings, collected in order of report, seen in order of place, and turned
 * into text or JSON.
 *
 * In     an id, a span or a place, a sentence; then notes, help, a remark beside the carets,
 * further ranges. Out    the text of style.md "Errors and dumps" or one JSON object; an exit code.
 * Keeps  no byte of the input reaches the output unescaped, and lines of any length give excerpts
 * of a screen's width. Few messages are kept, so a hostile file costs no memory. */
#include "compiler/base/diag.h"

#include "compiler/base/json.h"

#include <stdio.h>
#include <string.h>

enum {
    KEPT_ERRORS = 8,
    KEPT_WARNINGS = 32,
    KEPT = KEPT_ERRORS + KEPT_WARNINGS,
    EXCERPT_COLUMNS = 110,
    BEFORE_CARET = 70, /* bytes of a long line shown before the caret */
    SENTENCE_COLUMNS =
        600, /* of a sentence; quoted input in it is cut much earlier by whoever quotes */
};

struct dg_diag {
    dg_arena *arena;
    dg_sources *sources;
    bool strict;
    uint32_t errors, warnings; /* reported, kept or not */
    int n, kept_errors, kept_warnings;
    dg_message *reported[KEPT]; /* in order of report */
    dg_message *sorted[KEPT];
    dg_message unkept; /* takes the notes of messages that are not kept */
};

dg_diag *dg_diag_new(dg_arena *a, dg_sources *sources)
{
    dg_diag *d = DG_NEW(a, dg_diag);
    d->arena = a;
    d->sources = sources;
    return d;
}

dg_sources *dg_diag_sources(const dg_diag *d)
{
    return d->sources;
}

void dg_diag_strict(dg_diag *d, bool strict)
{
    d->strict = strict;
}

/* By file, then offset; messages without a span come last. Equal places keep the order of report.
 */
static bool comes_before(const dg_message *a, const dg_message *b)
{
    uint32_t file_a = (uint32_t)a->span.file,
             file_b = (uint32_t)b->span.file; /* -1 is the largest */
    if (file_a != file_b) return file_a < file_b;
    return a->span.begin < b->span.begin;
}

static void sort_in(dg_diag *d, int count, dg_message *m)
{
    int i = count;
    for (; i > 0 && comes_before(m, d->sorted[i - 1]); i--) d->sorted[i] = d->sorted[i - 1];
    d->sorted[i] = m;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool already_there(const dg_diag *d, const dg_message *m)
{
    for (int i = 0; i < d->n; i++) {
        const dg_message *k = d->reported[i];
        if (strcmp(k->id, m->id) != 0 || k->span.file != m->span.file) continue;
        if (m->span.file >= 0 ? k->span.begin == m->span.begin && k->span.end == m->span.end
                              : same_text(k->place, m->place) && strcmp(k->what, m->what) == 0)
            return true;
    }
    return false;
}

__attribute__((format(printf, 6, 0))) static dg_message *report(dg_diag *d, dg_severity severity,
                                                                const char *id, dg_span span,
                                                                const char *place,
                                                                const char *format, va_list args)
{
    if (severity == DG_WARNING && d->strict) severity = DG_ERROR;
    d->unkept = (dg_message){.severity = severity, .id = id, .span = span, .what = ""};
    if (span.file >= 0 && already_there(d, &d->unkept)) return &d->unkept;

    bool room =
        severity == DG_ERROR ? d->kept_errors < KEPT_ERRORS : d->kept_warnings < KEPT_WARNINGS;
    dg_message m = d->unkept;
    if (room) {
        m.place = place ? dg_arena_text(d->arena, place, strlen(place)) : NULL;
        m.what = dg_arena_vprintf(d->arena, format,
                                  args); /* without a span, the words tell repetitions */
        if (already_there(d, &m)) return &d->unkept;
    }
    if (severity == DG_ERROR)
        d->errors++;
    else
        d->warnings++;
    if (!room) return &d->unkept;

    dg_message *kept = dg_arena_copy(d->arena, &m, sizeof m);
    if (severity == DG_ERROR)
        d->kept_errors++;
    else
        d->kept_warnings++;
    sort_in(d, d->n, kept);
    d->reported[d->n++] = kept;
    return kept;
}

dg_message *dg_error(dg_diag *d, const char *id, dg_span span, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    dg_message *m = report(d, DG_ERROR, id, span, NULL, format, args);
    va_end(args);
    return m;
}

dg_message *dg_warning(dg_diag *d, const char *id, dg_span span, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    dg_message *m = report(d, DG_WARNING, id, span, NULL, format, args);
    va_end(args);
    return m;
}

dg_message *dg_error_at(dg_diag *d, const char *id, const char *place, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    dg_message *m = report(d, DG_ERROR, id, DG_NOWHERE, place, format, args);
    va_end(args);
    return m;
}

dg_message *dg_warning_at(dg_diag *d, const char *id, const char *place, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    dg_message *m = report(d, DG_WARNING, id, DG_NOWHERE, place, format, args);
    va_end(args);
    return m;
}

__attribute__((format(printf, 4, 0))) static void add_note(dg_diag *d, dg_message *m, bool help,
                                                           const char *format, va_list args)
{
    int room = (int)(sizeof m->notes / sizeof m->notes[0]);
    if (m == &d->unkept || m->n_notes == room) return;
    m->notes[m->n_notes++] = (dg_note){dg_arena_vprintf(d->arena, format, args), help};
}

void dg_note_add(dg_diag *d, dg_message *m, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_note(d, m, false, format, args);
    va_end(args);
}

void dg_help_add(dg_diag *d, dg_message *m, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_note(d, m, true, format, args);
    va_end(args);
}

void dg_beside_set(dg_diag *d, dg_message *m, const char *format, ...)
{
    if (m == &d->unkept) return;
    va_list args;
    va_start(args, format);
    m->beside = dg_arena_vprintf(d->arena, format, args);
    va_end(args);
}

void dg_extra_add(dg_message *m, dg_span span)
{
    if (m->n_extra < (int)(sizeof m->extra / sizeof m->extra[0]))
        m->extra[m->n_extra++] = (dg_span_label){span};
}

int dg_diag_errors(const dg_diag *d)
{
    return (int)d->errors;
}

int dg_diag_warnings(const dg_diag *d)
{
    return (int)d->warnings;
}

size_t dg_diag_count(const dg_diag *d)
{
    return (size_t)d->n;
}

const dg_message *dg_diag_at(const dg_diag *d, size_t i)
{
    return i < (size_t)d->n ? d->sorted[i] : NULL;
}

void dg_diag_clear(dg_diag *d)
{
    dg_diag_rewind(d, 0);
}

/* A mark holds what is needed to go back: messages kept (8 bits), errors and warnings counted (28
 * bits each). */
size_t dg_diag_mark(const dg_diag *d)
{
    _Static_assert(sizeof(size_t) == 8, "a mark packs three counts");
    const uint32_t most = (1u << 28) - 1;
    size_t errors = d->errors < most ? d->errors : most,
           warnings = d->warnings < most ? d->warnings : most;
    return (size_t)d->n | errors << 8 | warnings << 36;
}

void dg_diag_rewind(dg_diag *d, size_t mark)
{
    d->n = (int)(mark & 0xff);
    d->errors = (uint32_t)(mark >> 8 & ((1u << 28) - 1));
    d->warnings = (uint32_t)(mark >> 36);
    d->kept_errors = d->kept_warnings = 0;
    for (int i = 0; i < d->n; i++) {
        if (d->reported[i]->severity == DG_ERROR)
            d->kept_errors++;
        else
            d->kept_warnings++;
        sort_in(d, i, d->reported[i]);
    }
}

/* -- as text -- */

#define RED "\033[1;31m"
#define MAGENTA "\033[1;35m"
#define GREEN "\033[1;32m"
#define CYAN "\033[1;36m"
#define BOLD "\033[1m"
#define PLAIN "\033[0m"

static void paint(dg_text *out, bool colour, const char *code)
{
    if (colour) dg_text_addn(out, code, strlen(code));
}

static void add_sentence(dg_text *out, const char *s)
{
    dg_text_escape(out, s, strlen(s), SENTENCE_COLUMNS);
}

static bool inside(dg_span s, int32_t file, uint32_t at)
{
    return s.file == file && at >= s.begin && at < s.end;
}

static char mark_at(const dg_message *m, uint32_t at)
{
    if (at == m->span.begin) return '^';
    if (inside(m->span, m->span.file, at)) return '~';
    for (int i = 0; i < m->n_extra; i++)
        if (inside(m->extra[i].span, m->span.file, at)) return '~';
    return ' ';
}

/* The source line and, under it, a caret at the span's first byte, tildes under the rest of it and
 * under the further ranges. Both are built in one walk, because an escaped byte takes four columns.
 */
static void add_excerpt(const dg_message *m, const dg_source *s, bool colour, dg_text *out)
{
    uint32_t length, at = m->span.begin < s->length ? m->span.begin : s->length;
    const char *line = dg_source_line(s, at, &length);
    uint32_t first = (uint32_t)(line - s->text), caret = at - first;
    if (caret > length) caret = length; /* on the newline itself */

    dg_text shown = {0}, marks = {0};
    uint32_t i = 0;
    if (length > EXCERPT_COLUMNS && caret > BEFORE_CARET) {
        i = caret - BEFORE_CARET;
        while (i < caret && ((unsigned char)line[i] & 0xc0) == 0x80) i++;
        dg_text_addn(&shown, "\xe2\x80\xa6", 3);
        dg_text_addn(&marks, " ", 1);
    }
    while (i < length) {
        size_t bytes = dg_utf8_length(line + i, length - i);
        if (bytes == 0) bytes = 1;
        size_t before = shown.n, width = 0;
        if (line[i] == '\t')
            dg_text_addn(&shown, " ", 1);
        else
            dg_text_escape(&shown, line + i, bytes, 64);
        for (size_t k = before; k < shown.n; k++)
            width += ((unsigned char)shown.at[k] & 0xc0) != 0x80;
        if (marks.n + width > EXCERPT_COLUMNS) {
            shown.n = before;
            dg_text_addn(&shown, "\xe2\x80\xa6", 3);
            break;
        }
        char mark = mark_at(m, first + i);
        for (size_t k = 0; k < width; k++) {
            dg_text_addn(&marks, &mark, 1);
            if (mark == '^') mark = '~';
        }
        i += (uint32_t)bytes;
    }
    if (caret >= length) dg_text_addn(&marks, "^", 1);
    while (marks.n > 0 && marks.at[marks.n - 1] == ' ') marks.at[--marks.n] = '\0';
    if (shown.n > 0) shown.at[shown.n] = '\0';

    char number[16]; /* the gutter is as wide as the line's number */
    int gutter = snprintf(number, sizeof number, "  %2d", dg_source_position(s, at).line);
    dg_text_add(out, "%s | %s\n%*s | ", number, shown.n ? shown.at : "", gutter, "");
    paint(out, colour, GREEN);
    dg_text_addn(out, marks.at, marks.n);
    paint(out, colour, PLAIN);
    if (m->beside) {
        dg_text_addn(out, " ", 1);
        add_sentence(out, m->beside);
    }
    dg_text_addn(out, "\n", 1);
    dg_text_free(&shown);
    dg_text_free(&marks);
}

/* A note may have several lines; each stands indented, so that no input can fake a message of its
 * own. */
static void add_note_text(const dg_note *n, bool colour, dg_text *out)
{
    dg_text_addn(out, "  ", 2);
    paint(out, colour, n->help ? GREEN : CYAN);
    dg_text_add(out, n->help ? "help:" : "note:");
    paint(out, colour, PLAIN);
    const char *s = n->text;
    for (bool more = true; more;) {
        const char *end = strchr(s, '\n');
        more = end != NULL;
        size_t length = end ? (size_t)(end - s) : strlen(s);
        dg_text_addn(out, " ", 1);
        dg_text_escape(out, s, length, SENTENCE_COLUMNS);
        dg_text_addn(out, "\n", 1);
        if (more) {
            dg_text_addn(out, "       ", 7);
            s = end + 1;
        }
    }
}

void dg_message_text(const dg_diag *d, const dg_message *m, bool colour, dg_text *out)
{
    const dg_source *s = dg_source_at(d->sources, m->span.file);
    paint(out, colour, BOLD);
    if (s) {
        dg_position p = dg_source_position(s, m->span.begin);
        add_sentence(out, s->name);
        dg_text_add(out, ":%d:%d: ", p.line, p.column);
    } else {
        add_sentence(out, m->place ? m->place : "dg");
        dg_text_addn(out, ": ", 2);
    }
    paint(out, colour, m->severity == DG_ERROR ? RED : MAGENTA);
    dg_text_add(out, "%s[%s]:", m->severity == DG_ERROR ? "error" : "warning", m->id);
    paint(out, colour, PLAIN);
    dg_text_addn(out, " ", 1);
    add_sentence(out, m->what);
    dg_text_addn(out, "\n", 1);
    if (s) add_excerpt(m, s, colour, out);
    for (int help = 0; help < 2; help++)
        for (int i = 0; i < m->n_notes; i++)
            if (m->notes[i].help == (help == 1)) add_note_text(&m->notes[i], colour, out);
}

/* -- as JSON -- */

static void write_notes(dg_json_writer *w, const dg_message *m, bool help)
{
    dg_json_open(w, '[');
    for (int i = 0; i < m->n_notes; i++)
        if (m->notes[i].help == help) dg_json_string(w, m->notes[i].text);
    dg_json_close(w, ']');
}

void dg_message_json(const dg_diag *d, const dg_message *m, dg_text *out)
{
    const dg_source *s = dg_source_at(d->sources, m->span.file);
    dg_json_writer w = {0};
    int helps = 0;
    for (int i = 0; i < m->n_notes; i++) helps += m->notes[i].help;

    dg_json_open(&w, '{');
    dg_json_string_field(&w, "event", m->severity == DG_ERROR ? "error" : "warning");
    dg_json_string_field(&w, "id", m->id);
    if (s) {
        dg_position p = dg_source_position(s, m->span.begin),
                    e = dg_source_position(s, m->span.end);
        dg_json_string_field(&w, "file", s->name);
        dg_json_int_field(&w, "line", p.line);
        dg_json_int_field(&w, "column", p.column);
        dg_json_int_field(&w, "end_line", e.line);
        dg_json_int_field(&w, "end_column", e.column);
    } else {
        dg_json_string_field(&w, "place", m->place ? m->place : "dg");
    }
    dg_json_string_field(&w, "message", m->what);
    if (m->beside) {
        dg_json_string_field(&w, "beside", m->beside);
    }
    if (m->n_notes > helps) {
        dg_json_key(&w, "notes");
        write_notes(&w, m, false);
    }
    if (helps > 0) {
        dg_json_key(&w, "help");
        if (helps > 1) {
            write_notes(&w, m, true);
        } else {
            for (int i = 0; i < m->n_notes; i++)
                if (m->notes[i].help) dg_json_string(&w, m->notes[i].text);
        }
    }
    dg_json_close(&w, '}');
    dg_text_addn(out, w.text.at, w.text.n);
    dg_text_addn(out, "\n", 1);
    dg_text_free(&w.text);
}

/* -- ids -- */

int dg_exit_code(const char *id)
{
    static const int of_range[10] = {3, 3, 2, 1, 4, 5, 6, 7, 8, 1};
    if ((id[0] != 'E' && id[0] != 'W') || id[1] < '0' || id[1] > '9') return 1;
    return of_range[id[1] - '0'];
}

int dg_diag_exit_code(const dg_diag *d)
{
    for (int i = 0; i < d->n; i++)
        if (d->sorted[i]->severity == DG_ERROR) return dg_exit_code(d->sorted[i]->id);
    return 0;
}

static const dg_explanation explanations[] = {
#define E(id, meaning, wrong, right) {#id, meaning, wrong, right},
#include "compiler/base/errors.def"
#undef E
};

const dg_explanation *dg_explain_at(size_t i)
{
    return i < sizeof explanations / sizeof explanations[0] ? &explanations[i] : NULL;
}

const dg_explanation *dg_explain(const char *id)
{
    for (size_t i = 0; i < sizeof explanations / sizeof explanations[0]; i++)
        if (strcmp(explanations[i].id, id) == 0) return &explanations[i];
    return NULL;
}

/* json.c: strict reading through jansson, and a streaming canonical writer.
 *
 * In     bytes of any origin: their nesting is checked before jansson sees them, its own limit
 * (2048) being too generous. Out    a json_t tree, or one error with the byte offset; text with
 * keys in the order given. */
#include "compiler/base/json.h"

#include <math.h>
#include <string.h>

#define DEPTH_LIMIT 64

/* Offset of the bracket that goes too deep, or `length`. Strings are skipped; whether brackets
 * match is jansson's matter. */
static size_t too_deep(const char *text, size_t length)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > DEPTH_LIMIT) return i;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return length;
}

json_t *dg_json_read(dg_diag *d, const char *id, const char *place, const char *text, size_t length)
{
    char at[512];
    size_t deep = too_deep(text, length);
    if (deep < length) {
        snprintf(at, sizeof at, "%s@%zu", place, deep);
        dg_error_at(d, id, at, "JSON nested deeper than %d levels", DEPTH_LIMIT);
        return NULL;
    }
    const char *nul =
        length == 0 ? NULL : memchr(text, '\0', length); /* jansson passes over NUL bytes */
    if (nul) {
        snprintf(at, sizeof at, "%s@%zu", place, (size_t)(nul - text));
        dg_error_at(d, id, at, "not valid JSON: a NUL byte");
        return NULL;
    }
    json_error_t error;
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!root) {
        snprintf(at, sizeof at, "%s@%d", place, error.position < 0 ? 0 : error.position);
        dg_text quoted = {0};
        dg_text_quote(&quoted, error.text, strlen(error.text));
        dg_error_at(d, id, at, "not valid JSON: %s", quoted.at ? quoted.at : "unreadable");
        dg_text_free(&quoted);
    }
    return root;
}

static void new_line(dg_json_writer *w)
{
    dg_text_add(&w->text, "\n%*s", 2 * w->depth, "");
}

/* What stands before a key or an element. */
static void before(dg_json_writer *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->depth == 0) return;
    if (!w->first) dg_text_addn(&w->text, ",", 1);
    if (w->pretty && w->depth <= 2)
        new_line(w);
    else if (w->pretty && !w->first)
        dg_text_addn(&w->text, " ", 1);
    w->first = false;
}

void dg_json_open(dg_json_writer *w, char bracket)
{
    before(w);
    dg_text_addn(&w->text, &bracket, 1);
    w->depth++;
    w->first = true;
}

void dg_json_close(dg_json_writer *w, char bracket)
{
    w->depth--;
    if (w->pretty && w->depth < 2 && !w->first) new_line(w);
    dg_text_addn(&w->text, &bracket, 1);
    w->first = false;
}

static bool is_plain(char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* UTF-8 stays; a byte that is none becomes U+FFFD, since JSON has no way to say it. */
static void write_text(dg_json_writer *w, const char *s)
{
    dg_text *t = &w->text;
    dg_text_addn(t, "\"", 1);
    size_t n = strlen(s);
    for (size_t i = 0; i < n;) {
        size_t plain = i; /* most text is plain: one piece */
        while (plain < n && is_plain(s[plain])) plain++;
        dg_text_addn(t, s + i, plain - i);
        i = plain;
        if (i == n) break;
        size_t length = dg_utf8_length(s + i, n - i);
        unsigned char c = (unsigned char)s[i];
        if (length == 0) {
            dg_text_add(t, "\\ufffd");
            length = 1;
        } else if (c == '"' || c == '\\') {
            dg_text_add(t, "\\%c", c);
        } else if (c == '\n') {
            dg_text_addn(t, "\\n", 2);
        } else if (c == '\t') {
            dg_text_addn(t, "\\t", 2);
        } else if (c < 0x20 || c == 0x7f) {
            dg_text_add(t, "\\u%04x", c);
        } else {
            dg_text_addn(t, s + i, length);
        }
        i += length;
    }
    dg_text_addn(t, "\"", 1);
}

void dg_json_key(dg_json_writer *w, const char *key)
{
    before(w);
    write_text(w, key);
    dg_text_addn(&w->text, ": ", w->pretty ? 2 : 1);
    w->after_key = true;
}

void dg_json_int(dg_json_writer *w, int64_t v)
{
    char digits[24], *at = digits + sizeof digits;
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (v < 0) *--at = '-';
    before(w);
    dg_text_addn(&w->text, at, (size_t)(digits + sizeof digits - at));
}

void dg_json_double(dg_json_writer *w, double v)
{
    char buffer[32];
    const char *s = dg_double_text(v, buffer);
    before(w);
    if (isfinite(v))
        dg_text_addn(&w->text, s, strlen(s));
    else
        write_text(w, s);
}

void dg_json_bool(dg_json_writer *w, bool v)
{
    before(w);
    dg_text_add(&w->text, v ? "true" : "false");
}

void dg_json_null(dg_json_writer *w)
{
    before(w);
    dg_text_addn(&w->text, "null", 4);
}

void dg_json_string(dg_json_writer *w, const char *s)
{
    before(w);
    write_text(w, s);
}

void dg_json_int_field(dg_json_writer *w, const char *key, int64_t v)
{
    dg_json_key(w, key);
    dg_json_int(w, v);
}

void dg_json_double_field(dg_json_writer *w, const char *key, double v)
{
    dg_json_key(w, key);
    dg_json_double(w, v);
}

void dg_json_string_field(dg_json_writer *w, const char *key, const char *s)
{
    dg_json_key(w, key);
    if (s)
        dg_json_string(w, s);
    else
        dg_json_null(w);
}

void dg_json_id_field(dg_json_writer *w, const char *key, int64_t id)
{
    dg_json_key(w, key);
    if (id >= 0)
        dg_json_int(w, id);
    else
        dg_json_null(w);
}

void dg_json_bool_field(dg_json_writer *w, const char *key, bool v)
{
    dg_json_key(w, key);
    dg_json_bool(w, v);
}

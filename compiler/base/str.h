/* str.h: interned strings: same text, same pointer, so names compare with ==. A dg_str is
 * NUL-terminated. */
#ifndef DG_BASE_STR_H
#define DG_BASE_STR_H

#include "compiler/base/arena.h"

#include <stdbool.h>
#include <stdint.h>

typedef const char *dg_str;
typedef struct dg_strings dg_strings;

dg_strings *dg_strings_new(dg_arena *a);
dg_arena *dg_strings_arena(const dg_strings *s); /* where the texts are */
dg_str dg_intern(dg_strings *s, const char *text, size_t length);
dg_str dg_intern_z(dg_strings *s, const char *text);
__attribute__((format(printf, 2, 3))) dg_str dg_intern_printf(dg_strings *s, const char *format,
                                                              ...);

uint64_t dg_hash(const void *bytes,
                 size_t n); /* xxHash64, seed 0: part of the random law, never changes */

/* vsnprintf, several times as fast for what most texts are made of: plain text, %s, %.*s, %d, %lld.
 */
__attribute__((format(printf, 3, 0))) int dg_vformat(char *out, size_t room, const char *format,
                                                     va_list args);

/* Damerau-Levenshtein distance, for "did you mean"; gives up (returns limit + 1) above `limit`. */
int dg_edit_distance(const char *a, const char *b, int limit);

/* A growing text: dg_text t = {0}; dg_text_add(&t, "%d", 1); ... t.at (NUL-terminated, NULL when
 * empty) ... dg_text_free(&t). */
typedef struct dg_text {
    char *at;
    size_t n, room;
} dg_text;
__attribute__((format(printf, 2, 3))) void dg_text_add(dg_text *t, const char *format, ...);
void dg_text_addn(dg_text *t, const char *bytes, size_t n);
void dg_text_free(dg_text *t);

/* The shortest decimal text that reads back to `x`, always with a point or an exponent ("1.0",
 * "1e-05", "inf"). */
const char *dg_double_text(double x, char buffer[32]);
/* As dg_double_text, for a float: the shortest text that reads back to the same float. */
const char *dg_float_text(float x, char buffer[32]);
/* Whole text as a finite decimal number, locale-free; false when anything is left over. */
bool dg_parse_double(const char *text, size_t n, double *out);
bool dg_parse_int(const char *text, size_t n, int64_t *out); /* false on overflow too */

/* `n` bytes of input for a message: printable ASCII and valid UTF-8 as they are, others as \xNN,
 * cut to 80 columns with an ellipsis. */
void dg_text_quote(dg_text *t, const char *bytes, size_t n);
/* The same, cut to `columns`; bidirectional controls count as not printable. */
void dg_text_escape(dg_text *t, const char *bytes, size_t n, size_t columns);
/* How many bytes the code point at `bytes` takes; 0 when it is not valid UTF-8 (overlong,
 * surrogate, cut off). */
size_t dg_utf8_length(const char *bytes, size_t n);
/* 1536 -> "1.5 KiB"; whole numbers without a point. */
const char *dg_bytes_text(uint64_t bytes, char buffer[32]);

#endif

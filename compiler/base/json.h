/* json.h: jansson behind one door. Reading is strict (duplicate keys refused, UTF-8 checked, depth
 * capped at 64); writing is canonical (keys in the order given, shortest numbers). */
#ifndef DG_BASE_JSON_H
#define DG_BASE_JSON_H

#include "compiler/base/diag.h"

#include <jansson.h>

/* NULL after reporting `id` at "place@offset". The caller frees with json_decref. */
json_t *dg_json_read(dg_diag *d, const char *id, const char *place, const char *text,
                     size_t length);

/* A streaming writer: the caller gives keys in the order they shall stand. */
typedef struct dg_json_writer {
    dg_text text;
    int depth;
    bool first, after_key, pretty; /* pretty: newlines after elements at depth <= 2 */
} dg_json_writer;
void dg_json_open(dg_json_writer *w, char bracket);  /* '{' or '[' */
void dg_json_close(dg_json_writer *w, char bracket); /* '}' or ']' */
void dg_json_key(dg_json_writer *w, const char *key);
void dg_json_int(dg_json_writer *w, int64_t v);
void dg_json_double(dg_json_writer *w, double v); /* not finite: "inf", "-inf", "nan" as strings */
void dg_json_bool(dg_json_writer *w, bool v);
void dg_json_null(dg_json_writer *w);
void dg_json_string(dg_json_writer *w, const char *s);
/* A key with its value. */
void dg_json_int_field(dg_json_writer *w, const char *key, int64_t v);
void dg_json_double_field(dg_json_writer *w, const char *key, double v);
void dg_json_string_field(dg_json_writer *w, const char *key, const char *s); /* NULL: null */
void dg_json_id_field(dg_json_writer *w, const char *key, int64_t id);        /* below 0: null */
void dg_json_bool_field(dg_json_writer *w, const char *key, bool v);

#endif

/* diag.h: errors and warnings with notes and help; collected, then sorted and printed by whoever
 * owns the terminal. The library never prints. A function that can fail reports here and returns
 * false; callers pass false up.
 *
 * Ids are stable. Their range decides the exit code: E0xx language and E1xx config 3, E2xx command
 * line 2, E4xx weights and data 4, E5xx files 5, E6xx memory 6, E7xx divergence 7, E8xx checks 8,
 * E9xx internal 1. Every id is listed in errors.def with a one-line meaning, a wrong and a right
 * example (`dg explain`). */
#ifndef DG_BASE_DIAG_H
#define DG_BASE_DIAG_H

#include "compiler/base/source.h"
#include "compiler/base/str.h"

typedef enum dg_severity { DG_ERROR, DG_WARNING } dg_severity;

typedef struct dg_note {
    const char *text;
    bool help; /* printed as "help:" after the notes */
} dg_note;

typedef struct dg_span_label { /* a further range of the same line, underlined with ~ */
    dg_span span;
} dg_span_label;

typedef struct dg_message {
    dg_severity severity;
    const char *id;    /* "E018" */
    dg_span span;      /* text inputs */
    const char *place; /* other inputs: "file@offset", "--flag", "env NAME"; NULL with a span */
    const char *what;
    const char *beside; /* printed behind the carets: "f32[2] and f32[3]"; may be NULL */
    dg_span_label extra[4];
    int n_extra;
    dg_note notes[12];
    int n_notes;
} dg_message;

typedef struct dg_diag dg_diag;
dg_diag *dg_diag_new(dg_arena *a, dg_sources *sources); /* sources may be NULL: no excerpts */
dg_sources *dg_diag_sources(const dg_diag *d);

/* At most 8 errors are kept (further ones only counted), and none twice at one span with one id.
 * The result is never NULL, so that notes can always be added. */
__attribute__((format(printf, 4, 5))) dg_message *dg_error(dg_diag *d, const char *id, dg_span span,
                                                           const char *format, ...);
__attribute__((format(printf, 4, 5))) dg_message *dg_warning(dg_diag *d, const char *id,
                                                             dg_span span, const char *format, ...);
__attribute__((format(printf, 4, 5))) dg_message *
dg_error_at(dg_diag *d, const char *id, const char *place, const char *format, ...);
__attribute__((format(printf, 4, 5))) dg_message *
dg_warning_at(dg_diag *d, const char *id, const char *place, const char *format, ...);
__attribute__((format(printf, 3, 4))) void dg_note_add(dg_diag *d, dg_message *m,
                                                       const char *format, ...);
__attribute__((format(printf, 3, 4))) void dg_help_add(dg_diag *d, dg_message *m,
                                                       const char *format, ...);
__attribute__((format(printf, 3, 4))) void dg_beside_set(dg_diag *d, dg_message *m,
                                                         const char *format, ...);
void dg_extra_add(dg_message *m, dg_span span);

int dg_diag_errors(const dg_diag *d); /* how many were reported, kept or not */
int dg_diag_warnings(const dg_diag *d);
/* Warnings become errors (W421 is reported as E421's kind, exit code of its range). */
void dg_diag_strict(dg_diag *d, bool strict);
size_t dg_diag_count(const dg_diag *d); /* messages kept, sorted by file, offset, order of report */
const dg_message *dg_diag_at(const dg_diag *d, size_t i);
void dg_diag_clear(dg_diag *d);

/* Forget what was reported after a mark: an elaboration that is repeated reports only its last
 * pass. */
size_t dg_diag_mark(const dg_diag *d);
void dg_diag_rewind(dg_diag *d, size_t mark);

/* One message as text (style.md "Errors and dumps") or as one line of JSON, appended to `out`. */
void dg_message_text(const dg_diag *d, const dg_message *m, bool colour, dg_text *out);
void dg_message_json(const dg_diag *d, const dg_message *m, dg_text *out);

int dg_exit_code(const char *id);        /* of one message id */
int dg_diag_exit_code(const dg_diag *d); /* 0, or that of the first error */

/* What an id means, for `dg explain`; NULL when unknown. dg_explain_at lists them: NULL after the
 * last. */
typedef struct dg_explanation {
    const char *id, *meaning, *wrong, *right;
} dg_explanation;
const dg_explanation *dg_explain(const char *id);
const dg_explanation *dg_explain_at(size_t i);

#endif

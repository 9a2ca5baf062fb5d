/* log.h: files that grow by lines: metrics.jsonl and log.txt of a run folder. */
#ifndef DG_RUNTIME_LOG_H
#define DG_RUNTIME_LOG_H

#include "compiler/base/diag.h"

typedef struct dg_log {
    int fd; /* -1: closed */
    const char *path;
} dg_log;

bool dg_log_open(dg_diag *d, const char *path, dg_log *out); /* appends; reports E505 */
/* One line, with a newline added, by one write. Reports E503 or E505. */
bool dg_log_line(dg_diag *d, dg_log *l, const char *text, size_t length);
void dg_log_close(dg_log *l);

/* Drops from a file of JSON lines all whose "step" is above `step`, and a last line cut off in
 * writing, so that a resumed run writes them again. `evaluated`: the last step with an "eval" line,
 * -1 none. A missing file is an empty one. */
bool dg_metrics_cut(dg_diag *d, const char *path, int64_t step, int64_t *evaluated);

#endif

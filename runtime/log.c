/* log.c: lines appended whole; metrics cut back to a checkpoint's step. */
#include "runtime/log.h"

#include "compiler/base/json.h"
#include "compiler/base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool dg_log_open(dg_diag *d, const char *path, dg_log *out)
{
    *out = (dg_log){open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666), path};
    if (out->fd >= 0) return true;
    dg_error_at(d, "E505", path, "cannot be opened for writing: %s", strerror(errno));
    return false;
}

bool dg_log_line(dg_diag *d, dg_log *l, const char *text, size_t length)
{
    dg_text line = {0};
    dg_text_addn(&line, text, length);
    dg_text_addn(&line, "\n", 1);
    bool ok = l->fd < 0 || dg_write_all(l->fd, line.at, line.n);
    if (!ok)
        dg_error_at(d, errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? "E503" : "E505",
                    l->path, "a line could not be written: %s", strerror(errno));
    dg_text_free(&line);
    return ok;
}

void dg_log_close(dg_log *l)
{
    if (l->fd >= 0) close(l->fd);
    l->fd = -1;
}

/* The step of a line, or -1 when it is none of ours. */
static int64_t step_of(dg_arena *a, const char *line, size_t n, bool *eval)
{
    json_t *j = dg_json_read(dg_diag_new(a, NULL), "E430", "", line, n);
    json_t *step = json_object_get(j, "step");
    int64_t value = json_is_integer(step) ? json_integer_value(step) : -1;
    *eval = json_object_get(j, "eval") != NULL;
    json_decref(j);
    return value;
}

bool dg_metrics_cut(dg_diag *d, const char *path, int64_t step, int64_t *evaluated)
{
    dg_file f;
    *evaluated = -1;
    if (!dg_path_exists(path)) return true;
    if (!dg_file_read(d, path, (size_t)1 << 30, &f)) return false;
    dg_text kept = {0};
    dg_arena *scratch = dg_arena_new();
    for (size_t at = 0; at < f.length;) {
        const char *line = (const char *)f.bytes + at;
        const char *end = memchr(line, '\n', f.length - at);
        if (!end) break;
        size_t n = (size_t)(end - line);
        bool eval = false;
        int64_t s = step_of(scratch, line, n, &eval);
        if (s >= 0 && s <= step) dg_text_addn(&kept, line, n + 1);
        if (s >= 0 && s <= step && eval) *evaluated = s;
        at += n + 1;
    }
    bool same = kept.n == f.length;
    dg_file_close(&f);
    bool ok = same || dg_file_replace(d, path, kept.at ? kept.at : "", kept.n);
    dg_text_free(&kept);
    dg_arena_free(scratch);
    return ok;
}

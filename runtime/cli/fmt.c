/* fmt.c: dg fmt: files in their canonical form, in place; --check and --diff only tell. */
#include "runtime/cli/cli.h"

#include <stdlib.h>
#include <string.h>

static const char *line_end(const char *at)
{
    const char *end = strchr(at, '\n');
    return end ? end + 1 : at + strlen(at);
}

static bool same_line(const char *a, const char *b)
{
    size_t n = (size_t)(line_end(a) - a);
    return n == (size_t)(line_end(b) - b) && memcmp(a, b, n) == 0;
}

/* Lines between the common begin and end, old ones first: formatting moves little, so one hunk
 * reads well. */
static void print_diff(const char *path, const char *old, const char *new)
{
    int line = 1;
    while (*old && *new &&same_line(old, new)) {
        old = line_end(old);
        new = line_end(new);
        line++;
    }
    const char *old_end = old + strlen(old), *new_end = new + strlen(new);
    while (old_end > old && new_end > new &&old_end[-1] == new_end[-1]) {
        old_end--;
        new_end--;
    }
    while (*old_end && old_end > old && old_end[-1] != '\n') { /* back to whole lines */
        old_end = line_end(old_end);
        new_end = line_end(new_end);
        break;
    }
    printf("--- %s\n+++ %s (formatted)\n@@ line %d @@\n", path, path, line);
    for (const char *at = old; at < old_end; at = line_end(at))
        printf("-%.*s", (int)(line_end(at) - at), at);
    for (const char *at = new; at < new_end; at = line_end(at))
        printf("+%.*s", (int)(line_end(at) - at), at);
}

static int format_file(cli *c, const char *path)
{
    size_t length = 0;
    char *old = cli_read(c, path, &length);
    if (!old) return DG_IO;
    bool standard = strcmp(path, "-") == 0;
    char *new = dg_format_text(c->context, standard ? "standard input" : path, old, length);
    int status = DG_OK;
    if (!new) {
        status = dg_context_status(c->context);
    } else if (c->count[OPT_CHECK] || c->count[OPT_DIFF]) {
        bool differs = strcmp(old, new) != 0;
        if (differs && c->count[OPT_DIFF])
            print_diff(path, old, new);
        else if (differs)
            printf("%s\n", path);
        status = differs && c->count[OPT_CHECK] ? DG_CHECK : DG_OK;
    } else if (standard || strcmp(old, new) != 0) {
        status = cli_write(c, standard ? NULL : path, new, strlen(new)) ? DG_OK : DG_IO;
    }
    free(old);
    dg_free(new);
    return status;
}

int cli_fmt(cli *c)
{
    int status = DG_OK;
    if (!cli_arity(c, 1, -1) || !cli_open(c)) return DG_USAGE;
    for (int i = 0; i < c->arguments.n; i++) {
        int one = format_file(c, c->arguments.at[i]);
        if (status == DG_OK) status = one;
    }
    return cli_close(c, status);
}

/* revision.c: a file as it was at a git revision, with all that it may import, for dg plan --diff.
 *
 * In     a revision as git names it, and a file of the working tree.
 * Out    the same file in a folder of its own, into which the whole revision is unpacked.
 * Keeps  repository and working tree as they are: git is asked for an archive, nothing is checked
 *        out. */
#include "runtime/cli/cli.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a program writes to standard output, without the last newline; NULL: it failed. Its messages
 * are ours to make. Free with free(). */
static char *output_of(const char *const *argv)
{
    int ends[2];
    if (pipe(ends) != 0) return NULL;
    pid_t child = fork();
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(ends[1], STDOUT_FILENO);
        if (nowhere >= 0) dup2(nowhere, STDERR_FILENO);
        close(ends[0]);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    close(ends[1]);
    char *text = NULL;
    size_t n = 0, room = 0;
    for (ssize_t got = 1; child > 0 && got > 0; n += (size_t)(got > 0 ? got : 0)) {
        if (room - n < 2) {
            room = room ? 2 * room : 4096;
            char *more = realloc(text, room);
            if (!more) break;
            text = more;
        }
        got = read(ends[0], text + n, room - n - 1);
    }
    close(ends[0]);
    int status = -1;
    if (child > 0) waitpid(child, &status, 0);
    if (status != 0 || !text) {
        free(text);
        return NULL;
    }
    text[n] = 0;
    if (n > 0 && text[n - 1] == '\n') text[n - 1] = 0;
    return text;
}

static bool does(const char *const *argv)
{
    char *text = output_of(argv);
    free(text);
    return text != NULL;
}

static int remove_one(const char *path, const struct stat *s, int kind, struct FTW *at)
{
    (void)s, (void)kind, (void)at;
    return remove(path);
}

void cli_revision_drop(cli_revision *r)
{
    if (*r->folder) nftw(r->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(r->file);
    *r = (cli_revision){0};
}

/* The archive of the revision, unpacked into r->folder. */
static bool unpack(const char *revision, const char *top, const char *folder)
{
    char archive[320];
    snprintf(archive, sizeof archive, "%s/.tar", folder);
    if (!does((const char *[]){"git", "-C", top, "archive", "--format=tar", "-o", archive, revision,
                               NULL}))
        return cli_error("E229", revision, false, "the repository of %s has no such revision", top);
    if (!does((const char *[]){"tar", "-x", "-C", folder, "-f", archive, NULL}))
        return cli_error("E505", folder, false, "tar cannot unpack the revision there");
    return true;
}

bool cli_revision_open(const char *revision, const char *file, cli_revision *r)
{
    *r = (cli_revision){0};
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
    char *at = slash ? strndup(file, (size_t)(slash - file + 1)) : strdup("."), *top = NULL,
         *prefix = NULL;
    bool ok = false;
    if (at)
        top = output_of((const char *[]){"git", "-C", at, "rev-parse", "--show-toplevel", NULL}),
        prefix = output_of((const char *[]){"git", "-C", at, "rev-parse", "--show-prefix", NULL});
    const char *tmp = getenv("TMPDIR");
    snprintf(r->folder, sizeof r->folder, "%s/dg-revision-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!top || !prefix) {
        *r->folder = 0;
        cli_error("E229", revision, false,
                  "it is neither a file nor a revision: %s is in no git repository", file);
    } else if (!mkdtemp(r->folder)) {
        cli_error("E505", r->folder, false, "the folder cannot be made");
        *r->folder = 0;
    } else if (unpack(revision, top, r->folder)) {
        size_t room = strlen(r->folder) + strlen(prefix) + strlen(name) + 2;
        r->file = malloc(room);
        if (r->file) snprintf(r->file, room, "%s/%s%s", r->folder, prefix, name);
        ok = r->file && access(r->file, R_OK) == 0;
        if (!ok) cli_error("E501", file, false, "it does not exist at %s", revision);
    }
    free(at);
    free(top);
    free(prefix);
    if (!ok) cli_revision_drop(r);
    return ok;
}

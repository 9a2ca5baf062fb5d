/* cli.h: what the verbs share: messages on standard error, the context, files of text, signals. The
 * only part of dg that prints. */
#ifndef DG_CLI_CLI_H
#define DG_CLI_CLI_H

#include "runtime/cli/options.h"

#include <stdio.h>

/* An error of the command line itself; `option` puts -- before the place. Returns false. */
__attribute__((format(printf, 4, 5))) bool cli_error(const char *id, const char *place, bool option,
                                                     const char *format, ...);

/* The context of this command from its options, with messages and progress shown; NULL after an
 * error. */
dg_context *cli_open(cli *c);
/* The exit code of the command: the context's status, or DG_IO when standard output could not be
 * written. */
int cli_close(cli *c, int status);

/* A file's text for verbs that read one ("-": standard input); free with free(). NULL after an
 * error. */
char *cli_read(cli *c, const char *path, size_t *length);
/* To `path`, whole or not at all, or to standard output when path is NULL or "-". */
bool cli_write(cli *c, const char *path, const char *text, size_t length);

/* Verb's -D list. */
bool cli_defines(cli *c, dg_arg_text **out, int *n);

/* The verbs: each in the file of its name (the small ones in help.c); they return the exit code. */
#define VERB(name, arguments, output, summary, details) int cli_##name(cli *c);
#include "runtime/cli/cli.def"

/* revision.c: a file as it was at a git revision, with all that lay beside it. False after an
 * error, with nothing left to drop. */
typedef struct cli_revision {
    char folder[256];
    char *file;
} cli_revision;
bool cli_revision_open(const char *revision, const char *file, cli_revision *r);
void cli_revision_drop(cli_revision *r);

/* events.c: of a verb whose output is EVENTS, with --json. The end says the exit code, unless a
 * result that was printed is the end. */
void cli_print(const char *text); /* a result, an event or a message, to standard output */
void cli_events_start(const cli *c);
void cli_events_test(const dg_test_result *r);
void cli_events_end(int status);

/* progress.c */
void cli_progress_start(const cli *c);
void cli_progress_show(void *user, const dg_progress *p);
void cli_progress_end(void);

#endif

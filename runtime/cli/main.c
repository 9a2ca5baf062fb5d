/* main.c: the program dg. Sets up what must be set before anything else (the core type of OpenBLAS,
 * signals), finds the verb, runs it, and turns the outcome into an exit code. */
#include "runtime/cli/cli.h"

#include "compiler/base/diag.h"
#include "compiler/base/os.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MESSAGES_CAP = 16 << 10 }; /* bytes of messages in one run */

static dg_context *volatile running; /* for the signal handlers: written before they are installed,
                                        and only here */
static volatile sig_atomic_t asked_to_stop;
static size_t said;
static bool json_output, colour;
static FILE *log_file;

/* ---- messages ---- */

static void say(const char *text, size_t n)
{
    if (said >= MESSAGES_CAP) return;
    size_t room = MESSAGES_CAP - said;
    said += n;
    if (n > room) n = room;
    fwrite(text, 1, n, stderr);
    if (log_file) fwrite(text, 1, n, log_file);
    if (said >= MESSAGES_CAP) fputs("\n(further messages are left out)\n", stderr);
}

/* "error[E018]" and "warning[W421]" stand out on a terminal; nothing else is coloured. */
static void say_coloured(const char *text, bool error)
{
    const char *mark = strstr(text, error ? "error[" : "warning["),
               *end = mark ? strchr(mark, ']') : NULL;
    if (!colour || !end) {
        say(text, strlen(text));
        return;
    }
    const char *on = error ? "\033[1;31m" : "\033[1;33m";
    say(text, (size_t)(mark - text));
    say(on, strlen(on));
    say(mark, (size_t)(end + 1 - mark));
    say("\033[0m", 4);
    say(end + 1, strlen(end + 1));
}

static void on_message(void *user, const dg_report *r)
{
    (void)user;
    cli_progress_end();
    if (json_output) cli_print(r->json);
    say_coloured(r->text, r->error);
}

bool cli_error(const char *id, const char *place, bool option, const char *format, ...)
{
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, NULL);
    va_list args;
    va_start(args, format);
    const char *what = dg_arena_vprintf(a, format, args);
    va_end(args);
    dg_message *m =
        dg_error_at(d, id, option ? dg_arena_printf(a, "--%s", place) : place, "%s", what);
    dg_text text = {0}, json = {0};
    dg_message_text(d, m, false, &text);
    dg_message_json(d, m, &json);
    dg_report r = {true, id, text.at, json.at, DG_USAGE};
    on_message(NULL, &r);
    dg_text_free(&text);
    dg_text_free(&json);
    dg_arena_free(a);
    return false;
}

/* ---- signals ---- */

static void stop_soon(int number)
{
    if (asked_to_stop) _exit(128 + number); /* a second one does not wait */
    asked_to_stop = number;
    if (running)
        dg_cancel(running, number == SIGHUP ? SIGTERM : number);
    else
        _exit(128 + number);
    static const char text[] = "\nstopping after this step, saving (again: stop now)\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;
}

static void save_soon(int number)
{
    (void)number;
    if (running) dg_save_soon(running);
}

static void catch_signals(void)
{
    struct sigaction stop = {.sa_handler = stop_soon},
                     save = {.sa_handler = save_soon, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGHUP, &stop, NULL);
    sigaction(SIGUSR1, &save, NULL);
}

/* ---- context ---- */

dg_context *cli_open(cli *c)
{
    dg_options o = {.threads = (int)c->number[OPT_THREADS],
                    .isa = c->text[OPT_ISA],
                    .precision = c->text[OPT_PRECISION],
                    .memory = (uint64_t)c->number[OPT_MEMORY],
                    .conv = c->text[OPT_CONV],
                    .skip = c->list[OPT_SKIP].n ? c->list[OPT_SKIP].at : NULL,
                    .lib = c->list[OPT_LIB].n ? c->list[OPT_LIB].at : NULL,
                    .strict = c->count[OPT_STRICT] > 0,
                    .verify = c->count[OPT_VERIFY] > 0,
                    .message = on_message,
                    .progress = cli_progress_show,
                    .user = c};
    if (c->verb != cli_verb_find("fmt")) o.check = c->text[OPT_CHECK];
    c->context = dg_context_new(&o);
    if (!c->context) return NULL;
    running = c->context;
    catch_signals();
    cli_progress_start(c);
    return c->context;
}

int cli_close(cli *c, int status)
{
    cli_progress_end();
    if (asked_to_stop && status == DG_CANCELLED)
        status = asked_to_stop == SIGHUP ? 128 + SIGTERM : 128 + asked_to_stop;
    running = NULL;
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    dg_context_free(c->context);
    c->context = NULL;
    return status;
}

/* ---- files ---- */

char *cli_read(cli *c, const char *path, size_t *length)
{
    (void)c;
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, NULL);
    dg_file f;
    char *text = NULL;
    if (dg_file_read(d, path, (size_t)256 << 20, &f)) {
        text = malloc(f.length + 1);
        if (!text) dg_out_of_memory();
        memcpy(text, f.bytes, f.length);
        text[f.length] = 0;
        *length = f.length;
        dg_file_close(&f);
    } else {
        const dg_message *m = dg_diag_at(d, 0);
        cli_error(m->id, m->place, false, "%s", m->what);
    }
    dg_arena_free(a);
    return text;
}

bool cli_write(cli *c, const char *path, const char *text, size_t length)
{
    (void)c;
    if (!path || strcmp(path, "-") == 0) return fwrite(text, 1, length, stdout) == length;
    dg_arena *a = dg_arena_new();
    dg_diag *d = dg_diag_new(a, NULL);
    bool ok = dg_file_replace(d, path, text, length);
    if (!ok) {
        const dg_message *m = dg_diag_at(d, 0);
        cli_error(m->id, m->place, false, "%s", m->what);
    }
    dg_arena_free(a);
    return ok;
}

bool cli_defines(cli *c, dg_arg_text **out, int *n)
{
    *n = c->list[OPT_DEFINE].n;
    return cli_pairs(c, "-D", c->list[OPT_DEFINE].at, *n, out);
}

/* ---- main ---- */

static int show_version(void)
{
    dg_context *c = dg_context_new(NULL);
    fputs(c ? dg_build_info(c) : "dg " DG_VERSION "\n", stdout);
    dg_context_free(c);
    return DG_OK;
}

static const char *join_arguments(dg_arena *a, int argc, char **argv)
{
    const char *line = "dg";
    for (int i = 1; i < argc; i++) line = dg_arena_printf(a, "%s %s", line, argv[i]);
    return line;
}

static int run_command(cli *c, int argc, char **argv)
{
    bool version = false;
    c->command_line = join_arguments(c->arena, argc, argv);
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        json_output = json_output || strcmp(argv[i], "--json") == 0;
    if (!cli_parse(c, argc, argv, &version)) return DG_USAGE;
    const char *when = c->text[OPT_COLOR] ? c->text[OPT_COLOR] : "auto", *no = getenv("NO_COLOR");
    colour = strcmp(when, "always") == 0 ||
             (strcmp(when, "auto") == 0 && isatty(STDERR_FILENO) && !(no && *no));
    if (c->text[OPT_LOG] && !(log_file = fopen(c->text[OPT_LOG], "a"))) {
        cli_error("E505", c->text[OPT_LOG], false, "cannot be written: %s", strerror(errno));
        return DG_IO;
    }
    if (version) return show_version();
    if (!c->verb || c->count[OPT_HELP]) {
        dg_text text = {0};
        cli_help_text(c->verb, &text);
        fputs(text.at, c->count[OPT_HELP] ? stdout : stderr);
        dg_text_free(&text);
        return c->count[OPT_HELP] ? DG_OK : DG_USAGE;
    }
    cli_events_start(c);
    int status = c->verb->run(c);
    cli_events_end(status);
    return status;
}

/* A compiler asks for many small pieces and gives them back soon. Fresh pages cost it more than
 * what it writes to them, so the heap grows by huge pages, and keeps what was freed. */
static void prepare_heap(void)
{
    enum { HEAP = 32 << 20, HUGE_PAGE = 2 << 20 };
    mallopt(M_MMAP_THRESHOLD, HEAP);
    mallopt(M_TRIM_THRESHOLD, HEAP);
    mallopt(M_TOP_PAD, HEAP); /* of address space: what is not touched takes no memory */
    void *first = malloc(1);
    if (!first) return;
    uintptr_t begin = (uintptr_t)first, at = (begin + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    madvise((void *)at, HEAP - HUGE_PAGE, MADV_HUGEPAGE);
    free(first);
    /* what lies before is kept and never touched, so that the heap goes on with a huge page */
    static void *volatile before;
    enum { HEADERS = 64 };
    if (at - begin > HEADERS) before = malloc(at - begin - HEADERS);
    (void)before;
}

int main(int argc, char **argv)
{
    prepare_heap();
    /* OpenBLAS reads its core type when it is loaded, and takes new CPUs for its oldest one. */
    const char *core = dg_blas_core_for_cpu();
    if (core) setenv("OPENBLAS_CORETYPE", core, 0);
    /* Its own threads would wait for work by yielding the CPU that ours compute on. */
    setenv("OPENBLAS_NUM_THREADS", "1", 0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    cli c = {.arena = dg_arena_new()};
    int status = run_command(&c, argc, argv);
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == DG_OK) {
        cli_error("E503", "standard output", false, "cannot be written: %s", strerror(errno));
        status = DG_IO;
    }
    if (log_file) fclose(log_file);
    dg_arena_free(c.arena);
    return status;
}

/* progress.c: how long work shows itself: one line redrawn on a terminal, plain lines elsewhere,
 * JSON objects with --json. On a terminal: only after a second, at most ten times a second, never
 * wider than the window. */
#include "runtime/cli/cli.h"

#include "compiler/base/os.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { PLAIN_EVERY = 30 /* seconds */ };

static struct {
    enum { NONE, PLAIN, BAR } how;
    bool json, drawn;
    double last;
    const char *verb;
} show;

void cli_progress_start(const cli *c)
{
    const char *how = c->text[OPT_PROGRESS] ? c->text[OPT_PROGRESS] : "auto";
    bool terminal =
        isatty(STDERR_FILENO) && !(getenv("TERM") && strcmp(getenv("TERM"), "dumb") == 0);
    show.json = c->count[OPT_JSON] > 0;
    show.last = 0;
    show.how = strcmp(how, "bar") == 0     ? BAR
               : strcmp(how, "plain") == 0 ? PLAIN
               : strcmp(how, "none") == 0  ? NONE
               : terminal                  ? BAR
                                           : PLAIN;
    if (c->count[OPT_QUIET]) show.how = NONE;
}

static int columns(void)
{
    const char *env = getenv("COLUMNS");
    int64_t n;
    if (env && dg_parse_int(env, strlen(env), &n) && n >= 20 && n < 10000) return (int)n;
    struct winsize w;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 20 ? w.ws_col : 80;
}

static void add_time(dg_text *t, double seconds)
{
    int64_t s = seconds < 0 || seconds > 1e8 ? 0 : (int64_t)(seconds + 0.5);
    if (s >= 3600)
        dg_text_add(t, "%lld:%02lld:%02lld", (long long)(s / 3600), (long long)(s / 60 % 60),
                    (long long)(s % 60));
    else
        dg_text_add(t, "%lld:%02lld", (long long)(s / 60), (long long)(s % 60));
}

/* Twenty cells of eighths of a block. */
static void add_bar(dg_text *t, double part)
{
    static const char *const eighth[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int filled = (int)(part * 160);
    dg_text_add(t, "▕");
    for (int i = 0; i < 20; i++) {
        int here = filled - 8 * i;
        dg_text_add(t, "%s", here >= 8 ? "█" : here <= 0 ? " " : eighth[here]);
    }
    dg_text_add(t, "▏");
}

static void draw_bar(const dg_progress *p)
{
    dg_text t = {0};
    double part = p->total > 0 ? (double)p->done / (double)p->total : 0;
    dg_text_add(&t, "%s  %lld/%lld ", p->verb, (long long)p->done, (long long)p->total);
    add_bar(&t, part);
    dg_text_add(&t, " %2d%%", (int)(100 * part));
    for (int i = 0; i < p->n; i++) dg_text_add(&t, "  %s %.4g", p->names[i], p->values[i]);
    if (p->rate > 0) dg_text_add(&t, "  %.3g step/s  ETA ", p->rate);
    if (p->rate > 0) add_time(&t, p->eta);
    if (p->next_save > 0) dg_text_add(&t, "  save @%lld", (long long)p->next_save);
    int room = columns() - 1, width = 0;
    size_t cut = 0; /* whole characters that fit */
    for (size_t i = 0; i < t.n; i++) {
        bool starts = ((unsigned char)t.at[i] & 0xC0) != 0x80;
        if (starts && width++ == room) break;
        cut = i + 1;
    }
    fprintf(stderr, "\r\033[K%.*s", (int)cut, t.at);
    fflush(stderr);
    show.drawn = true;
    dg_text_free(&t);
}

static void draw_plain(const dg_progress *p)
{
    char now[32];
    dg_utc_now(now);
    fprintf(stderr, "%s %s step=%lld/%lld", now, p->verb, (long long)p->done, (long long)p->total);
    for (int i = 0; i < p->n; i++) fprintf(stderr, " %s=%.6g", p->names[i], p->values[i]);
    if (p->rate > 0) fprintf(stderr, " step_s=%.4g eta_s=%.0f", p->rate, p->eta);
    fprintf(stderr, " rss_mb=%zu\n", dg_rss_bytes() >> 20);
}

void cli_progress_end(void)
{
    if (show.drawn) fputs("\r\033[K", stderr);
    show.drawn = false;
}

void cli_progress_show(void *user, const dg_progress *p)
{
    (void)user;
    if (p->event) {
        cli_progress_end();
        if (show.how != NONE) fprintf(stderr, "%s\n", p->event);
    }
    if (show.json && p->json) cli_print(p->json);
    bool last = p->done == p->total;
    double now = dg_clock();
    if (show.how == BAR && p->seconds >= 1 && (now - show.last >= 0.1 || last)) {
        draw_bar(p);
        show.last = now;
        if (last) {
            fputs("\n", stderr);
            show.drawn = false;
        }
    } else if (show.how == PLAIN && !p->event && p->seconds >= 1 &&
               (show.last <= 0 || now - show.last >= PLAIN_EVERY || last)) {
        draw_plain(p);
        show.last = now;
    }
}

/* events.c: what --json prints of a verb that works for a while: one object a line, from "start" to
 * "end". The library writes the "end" of a result, which holds it; of all else it is written here.
 */
#include "runtime/cli/cli.h"

#include "compiler/base/json.h"

#include <string.h>

static const char *verb; /* whose events are being printed, or NULL */
static bool ended;

static dg_json_writer begin(const char *event)
{
    dg_json_writer w = {0};
    dg_json_open(&w, '{');
    dg_json_int_field(&w, "v", 1);
    dg_json_string_field(&w, "event", event);
    dg_json_string_field(&w, "verb", verb);
    return w;
}

static void finish(dg_json_writer *w)
{
    dg_json_close(w, '}');
    puts(w->text.at);
    dg_text_free(&w->text);
}

void cli_events_start(const cli *c)
{
    if (!c->count[OPT_JSON] || c->verb->output != EVENTS) return;
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* who reads them wants them now */
    verb = c->verb->name;
    dg_json_writer w = begin("start");
    dg_json_string_field(&w, "version", DG_VERSION);
    finish(&w);
}

void cli_print(const char *text)
{
    static const char end[] = "{\"v\":1,\"event\":\"end\"";
    size_t n = strlen(text);
    ended = ended || strncmp(text, end, sizeof end - 1) == 0;
    fputs(text, stdout);
    if (n == 0 || text[n - 1] != '\n') putchar('\n');
}

void cli_events_test(const dg_test_result *r)
{
    dg_json_writer w = begin("test");
    dg_json_string_field(&w, "title", r->title);
    dg_json_key(&w, "passed");
    dg_json_bool(&w, r->passed);
    dg_json_double_field(&w, "seconds", r->seconds);
    finish(&w);
}

void cli_events_end(int status)
{
    if (!verb || ended) return;
    dg_json_writer w = begin("end");
    dg_json_int_field(&w, "exit", status);
    finish(&w);
}

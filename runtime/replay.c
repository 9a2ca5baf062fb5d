/* replay.c: dg_replay: reads what made a picture, makes it again, compares.
 *
 * In     a PNG file with the text of made.h; the run it names.
 * Out    the same bytes, or the first difference.
 * Keeps  graph and weights are compared by their hashes before anything runs. */
#include "runtime/replay.h"

#include "compiler/base/json.h"
#include "compiler/base/os.h"
#include "runtime/context.h"
#include "runtime/data/png_read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct replay {
    dg_context *context;
    dg_arena *arena;
    dg_diag *diag;
    const dg_replay_options *o;
    dg_file file;
    dg_png_text text;
    dg_made made;
    dg_again where;
} replay;

/* ---- paths ---- */

static bool is_whole(const char *text)
{
    int64_t n;
    return dg_parse_int(text, strlen(text), &n);
}

static bool resolve(replay *r)
{
    const char *folder = dg_path_folder(r->arena, r->o->picture);
    dg_made *m = &r->made;
    dg_again *w = &r->where;
    w->from = r->o->run ? r->o->run : dg_path_join(r->arena, folder, m->from);
    w->weights = m->weights ? dg_path_join(r->arena, folder, m->weights) : NULL;
    for (int i = 0; i < 2; i++)
        if (m->ends[i])
            w->ends[i] =
                is_whole(m->ends[i]) ? m->ends[i] : dg_path_join(r->arena, folder, m->ends[i]);
    dg_arg_text *inputs = DG_NEW_ARRAY(r->arena, dg_arg_text, m->n_inputs + 1);
    for (int i = 0; i < m->n_inputs; i++) {
        inputs[i] = m->inputs[i];
        inputs[i].value = dg_path_join(r->arena, folder, m->inputs[i].value);
    }
    w->inputs = inputs;
    if (dg_path_exists(w->from)) return true;
    dg_message *e =
        dg_error_at(r->diag, "E501", w->from, "the run that made the picture is not there");
    dg_help_add(r->diag, e,
                "the path in the picture is seen from the picture's folder; where the two were "
                "moved apart say: dg replay PICTURE --run RUN");
    return false;
}

/* ---- making it again ---- */

static const char *const *words(replay *r, const char *text)
{
    const char **out = DG_NEW_ARRAY(r->arena, const char *, strlen(text) + 1);
    for (int n = 0; *text; text += *text == ' ') {
        size_t length = strcspn(text, " ");
        if (length) out[n++] = dg_arena_text(r->arena, text, length);
        text += length;
    }
    return out;
}

/* Under the picture's precision, passes and ISA level, where the machine has it. */
static dg_status make(replay *r, dg_text *png)
{
    dg_context *c = r->context;
    const dg_options given = c->options;
    const bool reference = c->reference;
    const dg_isa isa = c->isa;
    c->options.precision = r->made.precision;
    c->options.skip = words(r, r->made.skip);
    c->reference = strcmp(r->made.precision, "f64") == 0;
    for (dg_isa i = 0; i < isa; i++)
        if (strcmp(dg_isa_name(i), r->made.isa) == 0) c->isa = i;
    bool samples = strcmp(r->made.verb, "sample") == 0;
    dg_status status = (samples ? dg_sample_again : dg_interp_again)(c, &r->made, &r->where, png);
    c->options.precision = given.precision;
    c->options.skip = given.skip;
    c->reference = reference;
    c->isa = isa;
    return status;
}

/* ---- comparing ---- */

static const char *quoted(replay *r, const char *text)
{
    dg_text q = {0};
    dg_text_quote(&q, text, strlen(text));
    const char *out = q.n ? dg_arena_text(r->arena, q.at, q.n) : "";
    dg_text_free(&q);
    return out;
}

/* NULL: the same text. */
static const char *text_difference(replay *r, const dg_png_text *now)
{
    for (int i = 0; i < r->text.n || i < now->n; i++) {
        const dg_png_pair none = {"", ""}, *old = i < r->text.n ? &r->text.at[i] : &none,
                          *new = i < now->n ? &now->at[i] : &none;
        if (strcmp(old->key, new->key) != 0)
            return dg_arena_printf(r->arena, "text %d is '%s', now '%s'", i + 1,
                                   quoted(r, old->key), quoted(r, new->key));
        if (strcmp(old->value, new->value) != 0)
            return dg_arena_printf(r->arena, "text '%s' is '%s', now '%s'", quoted(r, old->key),
                                   quoted(r, old->value), quoted(r, new->value));
    }
    return NULL;
}

static const char *pixel_difference(replay *r, const dg_text *png)
{
    dg_png old, new;
    const char *out = NULL;
    if (!dg_png_decode(r->diag, r->arena, r->o->picture, r->file.bytes, r->file.length, 3, &old))
        return "the picture cannot be decoded";
    if (!dg_png_decode(r->diag, r->arena, "replay", (const uint8_t *)png->at, png->n, 3, &new)) {
        free(old.pixels);
        return "the new picture cannot be decoded";
    }
    if (old.width != new.width || old.height != new.height)
        out = dg_arena_printf(r->arena, "the picture is %lldx%lld, now %lldx%lld",
                              (long long)old.width, (long long)old.height, (long long)new.width,
                              (long long)new.height);
    int64_t differ = 0, first = -1;
    for (int64_t i = 0; !out && i < old.width * old.height; i++) {
        if (memcmp(old.pixels + 3 * i, new.pixels + 3 * i, 3) == 0) continue;
        if (differ++ == 0) first = i;
    }
    if (differ) {
        const uint8_t *p = old.pixels + 3 * first, *q = new.pixels + 3 * first;
        out = dg_arena_printf(
            r->arena,
            "%lld of %lld pixels differ, the first at x %lld, y %lld: %d %d %d, now %d %d %d",
            (long long)differ, (long long)(old.width * old.height), (long long)(first % old.width),
            (long long)(first / old.width), p[0], p[1], p[2], q[0], q[1], q[2]);
    }
    free(old.pixels);
    free(new.pixels);
    return out;
}

static size_t first_byte(const replay *r, const dg_text *png)
{
    size_t i = 0;
    while (i < png->n && i < r->file.length && (uint8_t)png->at[i] == r->file.bytes[i]) i++;
    return i;
}

/* Other kernels round differently: whoever sees a difference wants to know that first. */
static void add_conditions(replay *r, dg_message *m, const dg_png_text *now)
{
    static const char *const keys[] = {"Software", "dg.isa", "dg.blas_core"};
    for (int i = 0; i < 3; i++) {
        const char *then = dg_png_text_get(&r->text, keys[i]),
                   *here = dg_png_text_get(now, keys[i]);
        if (strcmp(then ? then : "", here ? here : "") != 0)
            dg_note_add(r->diag, m, "%s was '%s', here it is '%s'", keys[i],
                        quoted(r, then ? then : ""), quoted(r, here ? here : ""));
    }
}

static bool compare(replay *r, const dg_text *png)
{
    if (png->n == r->file.length && memcmp(png->at, r->file.bytes, png->n) == 0) return true;
    dg_png_text now;
    if (!dg_png_text_read(r->diag, r->arena, "replay", (const uint8_t *)png->at, png->n, &now))
        return false;
    const char *pixels = pixel_difference(r, png);
    if (dg_diag_errors(r->diag)) return false;
    const char *text = text_difference(r, &now);
    dg_message *m;
    if (pixels)
        m = dg_error_at(r->diag, "E806", r->o->picture, "is not what its run makes: %s", pixels);
    else if (text)
        m = dg_error_at(r->diag, "E806", r->o->picture,
                        "has the pixels that its run makes, but other text: %s", text);
    else
        m = dg_error_at(r->diag, "E806", r->o->picture,
                        "has the pixels and the text of its run, but was written by another "
                        "encoder: byte %zu is the first that differs",
                        first_byte(r, png));
    add_conditions(r, m, &now);
    return false;
}

/* ---- public ---- */

static void put_result(replay *r, dg_replay_options *o, bool same, dg_status status)
{
    if (!o->json) {
        if (same) {
            dg_text t = {0};
            dg_text_add(&t, "same bytes: ok\n");
            o->text = t.at;
        }
        return;
    }
    dg_json_writer w = {0};
    dg_json_open(&w, '{');
    dg_json_key(&w, "v");
    dg_json_int(&w, 1);
    dg_json_key(&w, "event");
    dg_json_string(&w, "end");
    dg_json_key(&w, "verb");
    dg_json_string(&w, "replay");
    dg_json_key(&w, "exit");
    dg_json_int(&w, status);
    dg_json_key(&w, "same");
    dg_json_bool(&w, same);
    dg_json_key(&w, "made_by");
    dg_json_string(&w, r->made.verb);
    dg_json_key(&w, "bytes");
    dg_json_int(&w, (int64_t)r->file.length);
    dg_json_close(&w, '}');
    dg_text_addn(&w.text, "\n", 1);
    o->text = w.text.at;
}

dg_status dg_replay(dg_context *c, dg_replay_options *o)
{
    replay r = {.context = c, .arena = dg_arena_new(), .o = o};
    r.diag = dg_context_diag(c, r.arena, NULL);
    o->text = NULL;
    dg_text png = {0};
    bool open = dg_file_map(r.diag, o->picture, &r.file);
    bool ok = open &&
              dg_png_text_read(r.diag, r.arena, o->picture, r.file.bytes, r.file.length, &r.text) &&
              dg_made_read(r.diag, r.arena, o->picture, &r.text, &r.made) && resolve(&r);
    dg_context_flush(c, r.diag);
    dg_status status = dg_context_status(c);
    if (ok) {
        status = make(&r, &png);
        ok = status == DG_OK;
    }
    if (ok && o->out) ok = dg_file_replace(r.diag, o->out, png.at, png.n);
    bool same = ok && compare(&r, &png);
    dg_context_flush(c, r.diag);
    if (status == DG_OK) status = dg_context_status(c);
    if (ok) put_result(&r, o, same, status);
    if (open) dg_file_close(&r.file);
    dg_text_free(&png);
    dg_arena_free(r.arena);
    return status;
}

/* replay.c: dg_replay: reads what made a picture, makes it again, compares.
 *
 * In     a PNG file with the text of made.h, which names its run by content.
 * Out    the same bytes, or the first difference; or which run came closest.
 * Keeps  graph and weights are compared by their hashes before anything runs. */
#include "runtime/replay.h"

#include "compiler/base/json.h"
#include "compiler/base/os.h"
#include "runtime/checkpoint.h"
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
    DG_VEC(dg_again) where; /* the run may be; in the order in which they are tried */
    int n_runs;             /* that were found, whether tried or not */
    /* Of the one being tried. */
    dg_again *now;
    dg_options given; /* the caller's, while messages are held back */
    DG_VEC(dg_report) held;
    const char *why; /* the first error held back */
} replay;

enum { MOST_TRIED = 256 };

static const char *quoted(replay *r, const char *text)
{
    dg_text q = {0};
    dg_text_quote(&q, text, strlen(text));
    const char *out = q.n ? dg_arena_text(r->arena, q.at, q.n) : "";
    dg_text_free(&q);
    return out;
}

/* ---- places ---- */

static bool is_whole(const char *text)
{
    int64_t n;
    return dg_parse_int(text, strlen(text), &n);
}

/* The names of the facts as seen from a folder (NULL: from here): whether all are there, and
 * whether another folder may see others. */
typedef struct view {
    replay *r;
    const char *folder;
    bool all, relative;
} view;

static const char *see(view *v, const char *name)
{
    if (!name) return NULL;
    dg_arena *a = v->r->arena;
    v->relative |= name[0] != '/';
    const char *path = v->folder ? dg_path_join(a, v->folder, name) : name,
               *tensor = strstr(name, ".safetensors:"); /* FILE.safetensors:TENSOR */
    size_t behind = tensor ? strlen(tensor + strlen(".safetensors")) : 0;
    v->all &= dg_path_exists(dg_arena_text(a, path, strlen(path) - behind));
    return path;
}

static dg_again see_all(view *v)
{
    const dg_made *m = &v->r->made;
    dg_again w = {.from = v->r->o->run ? v->r->o->run : see(v, m->file),
                  .weights = see(v, m->weights)};
    for (int i = 0; i < 2; i++)
        w.ends[i] = m->ends[i] && is_whole(m->ends[i]) ? m->ends[i] : see(v, m->ends[i]);
    dg_arg_text *inputs = DG_NEW_ARRAY(v->r->arena, dg_arg_text, m->n_inputs + 1);
    for (int i = 0; i < m->n_inputs; i++) {
        inputs[i] = m->inputs[i];
        inputs[i].value = see(v, inputs[i].value);
    }
    w.inputs = inputs;
    return w;
}

/* Of the runs, those that hold the picture's step come first: the others cannot be it, but one of
 * them may be worth naming. */
static void add_runs(replay *r, dg_again w, const char *const *runs, int n)
{
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < n; i++) {
            if (dg_checkpoint_exists(runs[i], r->made.step) != (pass == 0)) continue;
            w.from = runs[i];
            dg_vec_push(&r->where, w);
        }
}

static void find_places(replay *r)
{
    const char *const folders[] = {NULL, dg_path_folder(r->arena, r->o->picture)};
    const char *const *runs = NULL;
    if (!r->o->run && !r->made.file) r->n_runs = dg_replay_runs(r->arena, r->o->picture, &runs);
    for (int i = 0; i < 2; i++) {
        view v = {r, folders[i], true, false};
        dg_again w = see_all(&v);
        if (v.all && w.from)
            dg_vec_push(&r->where, w);
        else if (v.all)
            add_runs(r, w, runs, r->n_runs);
        if (!v.relative) break;
    }
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

static void release(replay *r)
{
    for (size_t i = 0; i < r->held.n; i++)
        if (r->given.message) r->given.message(r->given.user, &r->held.at[i]);
    r->held.n = 0;
}

/* What a run says that turns out to be another one is of no interest, but why it is another. */
static void hold_message(void *user, const dg_report *m)
{
    replay *r = user;
    dg_arena *a = r->arena;
    dg_report copy = *m;
    copy.id = dg_arena_text(a, m->id, strlen(m->id));
    copy.text = dg_arena_text(a, m->text, strlen(m->text));
    copy.json = dg_arena_text(a, m->json, strlen(m->json));
    dg_vec_push(&r->held, copy);
    if (r->now->met == DG_MET_ALL) release(r);
    const char *what = strstr(copy.text, "]: ");
    what = what ? what + strlen("]: ") : copy.text;
    if (m->error && !r->why) r->why = dg_arena_text(a, what, strcspn(what, "\n"));
}

static void pass_progress(void *user, const dg_progress *p)
{
    const replay *r = user;
    if (r->given.progress) r->given.progress(r->given.user, p);
}

/* Under the picture's precision, passes and ISA level, where the machine has it. */
static dg_status make(replay *r, dg_text *png)
{
    dg_context *c = r->context;
    const dg_options given = c->options;
    const bool reference = c->reference, bf16 = c->bf16;
    const dg_isa isa = c->isa;
    c->options.precision = r->made.precision;
    c->options.skip = words(r, r->made.skip);
    c->options.conv = *r->made.conv ? r->made.conv : NULL;
    for (dg_isa i = 0; i < isa; i++)
        if (strcmp(dg_isa_name(i), r->made.isa) == 0) c->isa = i;
    dg_context_set_precision(c, r->diag, r->o->picture, r->made.precision);
    bool samples = strcmp(r->made.verb, "sample") == 0;
    dg_status status = (samples ? dg_sample_again : dg_interp_again)(c, &r->made, r->now, png);
    c->options.precision = given.precision;
    c->options.skip = given.skip;
    c->options.conv = given.conv;
    c->reference = reference;
    c->bf16 = bf16;
    c->isa = isa;
    return status;
}

static dg_status make_quietly(replay *r, dg_text *png)
{
    dg_context *c = r->context;
    r->given = c->options;
    r->why = NULL;
    c->options.message = hold_message;
    c->options.progress = pass_progress;
    c->options.user = r;
    dg_status status = make(r, png);
    c->options.message = r->given.message;
    c->options.progress = r->given.progress;
    c->options.user = r->given.user;
    if (r->now->met == DG_MET_ALL) release(r);
    r->held.n = 0;
    return status;
}

static const char *wanted(replay *r)
{
    const dg_made *m = &r->made;
    dg_text t = {0};
    dg_text_add(&t, "graph %016" PRIx64 ", weights %016" PRIx64 " of step %" PRId64, m->graph,
                m->weights_hash, m->step);
    const char *names[3] = {m->weights, m->ends[0], m->ends[1]};
    for (int i = 0; i < 3 + m->n_inputs; i++) {
        const char *name = i < 3 ? names[i] : m->inputs[i - 3].value;
        if (name && !is_whole(name)) dg_text_add(&t, ", %s", quoted(r, name));
    }
    const char *out = dg_arena_text(r->arena, t.at, t.n);
    dg_text_free(&t);
    return out;
}

/* `closest`: of those tried the one that met most, and why it is not the one; NULL: none. */
static void say_not_found(replay *r, const dg_again *closest, const char *why)
{
    const dg_made *m = &r->made;
    const char *folder = quoted(r, dg_path_folder(r->arena, r->o->picture));
    dg_message *e;
    if (m->file && !r->o->run)
        e = dg_error_at(r->diag, "E447", r->o->picture, "no '%s' is found that made it: %s",
                        quoted(r, m->file), wanted(r));
    else
        e = dg_error_at(r->diag, "E447", r->o->picture,
                        r->o->run ? "the run does not find what made the picture: %s"
                                  : "no run is found that made it: %s",
                        wanted(r));
    if (r->n_runs)
        dg_note_add(r->diag, e,
                    "looked at the folders above the picture, and in ., ./runs, %s, %s/runs: %d "
                    "run%s",
                    folder, folder, r->n_runs, r->n_runs == 1 ? "" : "s");
    else if (m->file || r->o->run)
        dg_note_add(r->diag, e, "files are looked for as named, from . and from %s", folder);
    else
        dg_note_add(r->diag, e,
                    "looked at the folders above the picture, and in ., ./runs, %s, %s/runs: there "
                    "is no run",
                    folder, folder);
    if (closest && closest->met == DG_MET_NOTHING)
        dg_note_add(r->diag, e, "none has the graph; %s: %s", quoted(r, closest->from), why);
    else if (closest)
        dg_note_add(r->diag, e, "closest is %s, which has the graph: %s", quoted(r, closest->from),
                    why);
    else if (r->n_runs)
        dg_note_add(r->diag, e, "not all files that it was made from are there");
    if (r->where.n > MOST_TRIED)
        dg_note_add(r->diag, e, "only the first %d were compared", MOST_TRIED);
    dg_help_add(r->diag, e, "name it: dg replay PICTURE --run RUN");
}

static dg_status try_places(replay *r, dg_text *png)
{
    dg_context *c = r->context;
    const dg_status before = dg_context_status(c);
    const dg_again *closest = NULL;
    const char *why = "";
    for (size_t i = 0; i < r->where.n && i < MOST_TRIED; i++) {
        r->now = &r->where.at[i];
        if (r->o->run && r->where.n == 1) return make(r, png);
        dg_status status = make_quietly(r, png);
        if (r->now->met == DG_MET_ALL || atomic_load(&c->cancelled)) return status;
        c->status = before;
        if (closest && closest->met >= r->now->met) continue;
        closest = r->now;
        why = r->why ? r->why : "it cannot be opened";
    }
    say_not_found(r, closest, why);
    return dg_context_flush(c, r->diag);
}

/* ---- comparing ---- */

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
    dg_json_int_field(&w, "v", 1);
    dg_json_string_field(&w, "event", "end");
    dg_json_string_field(&w, "verb", "replay");
    dg_json_int_field(&w, "exit", status);
    dg_json_key(&w, "same");
    dg_json_bool(&w, same);
    dg_json_string_field(&w, "made_by", r->made.verb);
    dg_json_int_field(&w, "bytes", (int64_t)r->file.length);
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
              dg_made_read(r.diag, r.arena, o->picture, &r.text, &r.made);
    dg_context_flush(c, r.diag);
    dg_status status = dg_context_status(c);
    if (ok) {
        find_places(&r);
        status = try_places(&r, &png);
        ok = status == DG_OK;
    }
    if (ok && o->out) ok = dg_file_replace(r.diag, o->out, png.at, png.n);
    bool same = ok && compare(&r, &png);
    dg_context_flush(c, r.diag);
    if (status == DG_OK) status = dg_context_status(c);
    if (ok) put_result(&r, o, same, status);
    if (open) dg_file_close(&r.file);
    dg_text_free(&png);
    dg_vec_free(&r.where);
    dg_vec_free(&r.held);
    dg_arena_free(r.arena);
    return status;
}

/* interp.c: dg_interp: an entry that goes from one latent or picture to another in n pictures.
 *
 * In     two whole numbers: the noise of samples with these indices, as dg sample draws it from the
 *        stream `start`; or two pictures.
 * Out    the entry's first result, laid out in one row. */
#include "compiler/base/json.h"
#include "compiler/base/os.h"
#include "compiler/base/rng.h"
#include "runtime/data/png_read.h"
#include "runtime/image.h"
#include "runtime/inputs.h"
#include "runtime/maker.h"
#include "runtime/replay.h"
#include "runtime/sampler.h"
#include "runtime/trips.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const ports[2] = {"z0", "z1"}, *const flags[2] = {"--from", "--to"};

typedef struct interp {
    dg_maker *maker;
    const char *entry, *space;
    const char *ends[2]; /* to be opened */
    int64_t index[2];    /* of whole numbers */
    bool pictures;
} interp;

/* ---- what was asked for ---- */

static bool is_index(const char *text, int64_t *n)
{
    return dg_parse_int(text, strlen(text), n) && *n >= 0;
}

static bool understand(interp *p)
{
    dg_diag *d = p->maker->diag;
    bool index[2];
    for (int i = 0; i < 2; i++) {
        if (!p->ends[i])
            return dg_error_at(d, "E223", flags[i],
                               "is missing: the index of a sample, such as 3, or a picture") ==
                   NULL;
        index[i] = is_index(p->ends[i], &p->index[i]);
        if (index[i] && p->index[i] > (int64_t)1 << 40)
            return dg_error_at(d, "E213", flags[i], "%s is too large an index", p->ends[i]) == NULL;
    }
    if (index[0] != index[1])
        return dg_error_at(d, "E223", flags[1],
                           "'%s' and '%s' are of two kinds: give two indices of samples, or two "
                           "pictures",
                           p->ends[0], p->ends[1]) == NULL;
    p->pictures = !index[0];
    if (p->pictures || strcmp(p->space, "noise") != 0) return true;
    return dg_error_at(d, "E223", "--space",
                       "noise mixes two pictures in the stochastic encoder; indices of samples are "
                       "noise already: slerp, cos_sin or lerp") == NULL;
}

/* The entry's own arguments follow from the options; those it does not have are not given. */
static dg_nameds arguments(interp *p, int64_t frames)
{
    dg_maker *m = p->maker;
    dg_nameds args = m->args;
    bool mixed = strcmp(p->space, "noise") == 0;
    const struct {
        const char *name, *value;
        bool needed;
    } own[] = {{"n", dg_arena_printf(m->arena, "%" PRId64, frames), frames > 0},
               {"from",
                mixed         ? "diffuse"
                : p->pictures ? "encode"
                              : "noise",
                p->pictures},
               {"kind", mixed ? "lerp" : p->space, strcmp(p->space, "slerp") != 0}};
    for (int i = 0; i < 3; i++) {
        bool has = dg_maker_has_argument(m, p->entry, own[i].name);
        if (dg_named_get(&args, own[i].name) || (!has && !own[i].needed)) continue;
        if (i == 0 && frames == 0) continue;
        dg_named_set(m->arena, &args, own[i].name, own[i].value, NULL);
    }
    return args;
}

/* ---- inputs ---- */

static bool input_of(interp *p, dg_session *s, int end, int *input)
{
    *input = dg_session_input_index(s, ports[end]);
    const dg_plan_port *port = *input < 0 ? NULL : &s->plan->inputs[*input];
    if (port && dg_dtype_is_float(port->type.dtype)) return true;
    dg_error_at(p->maker->diag, "E217", p->entry,
                "dg interp fills z0 and z1, both f32 of one sample's shape; the entry has no such "
                "'%s'",
                ports[end]);
    return false;
}

/* The reference's inputs are f64. */
static void put_floats(dg_session *s, int input, const float *x, int64_t n)
{
    void *to = dg_session_input(s, input);
    bool wide = s->plan->inputs[input].type.dtype == DG_F64;
    for (int64_t i = 0; i < n; i++)
        if (wide)
            ((double *)to)[i] = (double)x[i];
        else
            ((float *)to)[i] = x[i];
}

static bool fill_picture(interp *p, dg_session *s, int input, const char *path)
{
    dg_maker *m = p->maker;
    const dg_plan_port *port = &s->plan->inputs[input];
    const dg_shape *want = &port->type.shape;
    size_t length = strlen(path);
    if (length < 4 || strcmp(path + length - 4, ".png") != 0) {
        dg_arg_text file = {port->name, path, NULL};
        return dg_inputs_from_files(m->diag, s, &file, 1);
    }
    bool image = want->rank == 3 && (want->dim[0] == 1 || want->dim[0] == 3);
    dg_png png;
    if (!image)
        return dg_error_at(m->diag, "E440", path, "a picture does not fit input %s of %s",
                           port->name, dg_type_name(m->arena, &port->type)) == NULL;
    if (!dg_png_read(m->diag, m->arena, path, (int)want->dim[0], &png)) return false;
    bool fits =
        png.channels == want->dim[0] && png.height == want->dim[1] && png.width == want->dim[2];
    if (!fits)
        dg_error_at(m->diag, "E440", path,
                    "the picture has %lld channels and %lld x %lld pixels, input %s is %s",
                    (long long)png.channels, (long long)png.width, (long long)png.height,
                    port->name, dg_type_name(m->arena, &port->type));
    int64_t pixels = want->dim[1] * want->dim[2], n = pixels * want->dim[0];
    float *x = DG_NEW_ARRAY(m->arena, float, n + 1), lo = (float)m->range[0],
          step = (float)((m->range[1] - m->range[0]) / 255.0);
    for (int64_t i = 0; fits && i < pixels; i++)
        for (int64_t c = 0; c < want->dim[0]; c++)
            x[c * pixels + i] = lo + step * (float)png.pixels[i * want->dim[0] + c];
    if (fits) put_floats(s, input, x, n);
    free(png.pixels);
    return fits;
}

/* The numbers that `randn@start(...)` in an entry's own scope gives to this sample. */
static void fill_noise(const interp *p, dg_session *s, int input, int64_t index)
{
    static const char stream[] = "start";
    int64_t n = dg_shape_count(&s->plan->inputs[input].type.shape);
    dg_rng r = {.key = p->maker->seed ^ dg_hash(stream, sizeof stream - 1)};
    float *x = DG_NEW_ARRAY(p->maker->arena, float, n + 1);
    dg_rng_normal(&r, (uint64_t)index * (uint64_t)n, n, x);
    put_floats(s, input, x, n);
}

static bool fill(interp *p, dg_session *s)
{
    for (int i = 0; i < 2; i++) {
        int input;
        if (!input_of(p, s, i, &input)) return false;
        if (!p->pictures)
            fill_noise(p, s, input, p->index[i]);
        else if (!fill_picture(p, s, input, p->ends[i]))
            return false;
    }
    return true;
}

/* ---- running ---- */

static bool first_result(interp *p, dg_session *s, dg_samples *out)
{
    const dg_plan *plan = s->plan;
    for (int i = 0; i < plan->n_outputs; i++) {
        const dg_plan_port *port = &plan->outputs[i];
        if (port->report || port->type.shape.rank == 0) continue;
        *out = (dg_samples){.type = port->type,
                            .data = malloc((size_t)dg_type_bytes(&port->type) + 1),
                            .columns = port->type.shape.dim[0]};
        if (!out->data) dg_out_of_memory();
        dg_exec_read(&s->exec, port->value, out->data);
        return true;
    }
    dg_error_at(p->maker->diag, "E217", p->entry, "the entry returns no pictures");
    return false;
}

typedef struct target {
    const char *out;
    dg_text *png;
} target;

static bool write(interp *p, const dg_samples *s, dg_made *made, const target *t)
{
    dg_maker *m = p->maker;
    size_t n = t->out ? strlen(t->out) : 0;
    bool png = n > 4 && strcmp(t->out + n - 4, ".png") == 0;
    if (t->out) return dg_samples_write(m->diag, t->out, s, m->range, png ? made : NULL);
    dg_png_text text = {0};
    dg_made_take_samples(made, s);
    dg_made_write(made, m->arena, &text);
    return dg_image_encode(m->diag, m->o.from, &s->type, s->data, m->range, s->columns, &text,
                           t->png);
}

static void say_result(interp *p, const dg_samples *s, const char *out)
{
    dg_maker *m = p->maker;
    dg_json_writer w = {0};
    dg_json_open(&w, '{');
    dg_json_int_field(&w, "v", 1);
    const char *const texts[][2] = {{"event", "end"},    {"verb", "interp"},   {"out", out},
                                    {"entry", p->entry}, {"from", p->ends[0]}, {"to", p->ends[1]},
                                    {"space", p->space}};
    for (int i = 0; i < 7; i++) {
        dg_json_string_field(&w, texts[i][0], texts[i][1]);
    }
    dg_json_int_field(&w, "exit", 0);
    dg_json_int_field(&w, "frames", s->type.shape.dim[0]);
    dg_json_close(&w, '}');
    dg_progress shown = {.verb = "interp",
                         .next_save = -1,
                         .event = dg_arena_printf(m->arena, "wrote %s", out),
                         .json = w.text.at};
    if (m->context->options.progress)
        m->context->options.progress(m->context->options.user, &shown);
    dg_text_free(&w.text);
}

static bool run_session(interp *p, dg_session *s, dg_made *made, const target *t)
{
    dg_maker *m = p->maker;
    s->seed = m->seed;
    dg_trips trips = {.context = m->context, .verb = "interp", .of = 1, .start = dg_clock()};
    dg_trips_watch(s, &trips);
    dg_diag *d = dg_plan_diag(s->plan, m->arena);
    bool ok = dg_session_ready(s, d) && dg_maker_weights(m, s->plan, made) && fill(p, s) &&
              dg_session_run_diag(s, d);
    dg_context_flush(m->context, d);
    dg_samples made_now = {0};
    ok = ok && first_result(p, s, &made_now) && write(p, &made_now, made, t);
    if (ok && t->out) say_result(p, &made_now, t->out);
    dg_samples_free(&made_now);
    return ok;
}

static bool interpolate(interp *p, int64_t frames, const target *t)
{
    static const char form[] =
        "entry interp(z0: f32[C, H, W], z1: f32[C, H, W], n: int = 9, from: str = \"noise\", "
        "kind: str = \"slerp\") -> f32[n, C, H, W] { ... }";
    dg_maker *m = p->maker;
    if (!understand(p) || !dg_maker_want_entry(m, p->entry, "interp", form)) return false;
    dg_nameds args = arguments(p, frames);
    dg_plan *plan = dg_plan_compile(m->program, p->entry, dg_args_of(m->arena, &args), args.n);
    if (!plan) return false;
    const dg_made *again = m->o.again;
    dg_made made = {.verb = "interp", .space = p->space};
    for (int i = 0; i < 2; i++) made.ends[i] = again ? again->ends[i] : p->ends[i];
    bool ok = dg_maker_facts(m, plan, p->entry, &made) && dg_maker_load(m);
    dg_session *s = ok ? dg_session_new(plan, m->store) : NULL;
    ok = s && run_session(p, s, &made, t);
    dg_session_free(s);
    dg_plan_close(plan);
    return ok;
}

static dg_status run(dg_context *c, const dg_interp_options *o, const dg_made *again, dg_met *met,
                     const target *t)
{
    dg_maker m;
    dg_maker_options from = {.from = o->from_run,
                             .weights = o->weights,
                             .args = o->args,
                             .n_args = o->n_args,
                             .defs = o->defs,
                             .n_defs = o->n_defs,
                             .has_seed = o->has_seed,
                             .seed = o->seed,
                             .again = again,
                             .met = met};
    interp p = {.maker = &m,
                .entry = o->entry ? o->entry : "interp",
                .space = o->space ? o->space : "slerp",
                .ends = {o->from, o->to}};
    bool ok = dg_maker_open(c, &m, &from) && interpolate(&p, o->frames, t);
    dg_maker_close(&m);
    dg_status status = dg_context_status(c);
    return status == DG_OK && !ok ? DG_CANCELLED : status;
}

dg_status dg_interp(dg_context *c, const dg_interp_options *o)
{
    target t = {.out = o->out ? o->out : "strip.png"};
    return run(c, o, NULL, NULL, &t);
}

dg_status dg_interp_again(dg_context *c, const dg_made *made, dg_again *where, dg_text *png)
{
    dg_interp_options o = {.from_run = where->from,
                           .entry = made->entry,
                           .weights = where->weights,
                           .args = made->args,
                           .n_args = made->n_args,
                           .defs = made->defs,
                           .n_defs = made->n_defs,
                           .from = where->ends[0],
                           .to = where->ends[1],
                           .space = made->space,
                           .frames = made->n,
                           .has_seed = true,
                           .seed = made->seed};
    target t = {.png = png};
    return run(c, &o, made, &where->met, &t);
}

/* explain_json.c: the plan as one JSON object, "dg-plan/1.0": for programs, for diffs, and as what
 * a plan's hash is of. The schema is docs/plan.schema.json.
 *
 * In     a plan.
 * Out    keys in a fixed order, integers for bytes, ids dense from 0; canonical: no times, no
 *        hash of itself. */
#include "compiler/base/json.h"
#include "compiler/plan/explain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef dg_json_writer writer;

static void number(writer *w, double v)
{
    if (fabs(v) < 9e15 && v == floor(v))
        dg_json_int(w, (int64_t)v);
    else
        dg_json_double(w, v);
}

static void ints_at(writer *w, const char *key, const int64_t *v, int n)
{
    dg_json_key(w, key);
    dg_json_open(w, '[');
    for (int i = 0; i < n; i++) dg_json_int(w, v[i]);
    dg_json_close(w, ']');
}

static void ids_at(writer *w, const char *key, const int32_t *v, int n)
{
    dg_json_key(w, key);
    dg_json_open(w, '[');
    for (int i = 0; i < n; i++) dg_json_int(w, v[i]);
    dg_json_close(w, ']');
}

static void hash_at(writer *w, const char *key, uint64_t hash)
{
    char text[24];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)hash);
    dg_json_string_field(w, key, text);
}

static void type_at(writer *w, const dg_type *t)
{
    dg_json_string_field(w, "dtype", dg_dtype_name(t->dtype));
    ints_at(w, "dims", t->shape.dim, t->shape.rank);
}

static void attrs_at(writer *w, const dg_attrs *attrs)
{
    dg_json_key(w, "attrs");
    dg_json_open(w, '{');
    for (int i = 0; i < attrs->n; i++) {
        const dg_attr *a = &attrs->at[i];
        switch (a->kind) {
        case DG_INT:
            dg_json_int_field(w, a->name, a->v.i);
            break;
        case DG_FLOAT:
            dg_json_double_field(w, a->name, a->v.f);
            break;
        case DG_INTS:
            ints_at(w, a->name, a->v.ints, a->n);
            break;
        case DG_FLOATS:
            dg_json_key(w, a->name);
            dg_json_open(w, '[');
            for (int k = 0; k < a->n; k++) dg_json_double(w, a->v.floats[k]);
            dg_json_close(w, ']');
            break;
        case DG_STR:
            dg_json_string_field(w, a->name, a->v.str);
            break;
        case DG_DATA:
            hash_at(w, a->name, dg_hash(a->v.data, (size_t)a->n));
            break;
        }
    }
    dg_json_close(w, '}');
}

static void settings_at(writer *w, const char *key, const dg_setting *s, int n)
{
    dg_json_key(w, key);
    dg_json_open(w, '{');
    for (int i = 0; i < n; i++) dg_json_string_field(w, s[i].name, s[i].text);
    dg_json_close(w, '}');
}

static void header(writer *w, const dg_plan *p)
{
    dg_json_key(w, "header");
    dg_json_open(w, '{');
    dg_json_string_field(w, "compiler", DG_VERSION);
    dg_json_string_field(w, "entry", p->entry);
    dg_json_bool_field(w, "train", p->train);
    dg_json_string_field(w, "precision", dg_plan_precision(p));
    dg_json_string_field(w, "isa", dg_isa_name(p->isa));
    dg_json_string_field(w, "blas_core", p->blas_core);
    dg_json_key(w, "files");
    dg_json_open(w, '[');
    for (int i = 0; i < p->n_files; i++) {
        dg_json_open(w, '{');
        dg_json_string_field(w, "name", p->files[i].name);
        hash_at(w, "hash", p->files[i].hash);
        dg_json_close(w, '}');
    }
    dg_json_close(w, ']');
    settings_at(w, "config", p->config, p->n_config);
    settings_at(w, "args", p->args, p->n_args);
    dg_json_close(w, '}');
}

static void summary(writer *w, const dg_plan *p, const dg_story *s, bool canonical)
{
    dg_json_key(w, "summary");
    dg_json_open(w, '{');
    dg_json_int_field(w, "peak", p->peak);
    dg_json_int_field(w, "peak_step", p->peak_step);
    dg_json_int_field(w, "bound", p->bound);
    dg_json_int_field(w, "order_free_bound", p->order_free_bound);
    dg_json_double_field(w, "ratio",
                         p->bound > 0 ? (double)p->arena_bytes / (double)p->bound : 1.0);
    dg_json_int_field(w, "naive", p->naive);
    dg_json_int_field(w, "workspace", p->workspace_peak);
    dg_json_int_field(w, "scratch", p->scratch);
    dg_json_int_field(w, "steps", p->n_steps);
    dg_json_int_field(w, "values", p->n_values);
    dg_json_int_field(w, "nodes", p->nodes);
    dg_json_int_field(w, "in_place", s->in_place);
    dg_json_int_field(w, "swapped", s->swaps);
    dg_json_int_field(w, "copies", s->copies);
    dg_json_int_field(w, "recomputed", s->again);
    dg_json_key(w, "flops");
    number(w, s->flops);
    dg_json_key(w, "heuristics");
    dg_json_open(w, '[');
    for (int i = 0; i < p->n_heuristics; i++) {
        dg_json_open(w, '{');
        dg_json_string_field(w, "name", p->heuristics[i].name);
        dg_json_int_field(w, "bytes", p->heuristics[i].bytes);
        dg_json_close(w, '}');
    }
    dg_json_close(w, ']');
    if (!canonical) {
        hash_at(w, "hash", dg_plan_hash(p));
        dg_json_double_field(w, "seconds", p->seconds);
        dg_json_key(w, "stages");
        dg_json_open(w, '[');
        for (int i = 0; i < p->n_stages; i++) {
            dg_json_open(w, '{');
            dg_json_string_field(w, "name", p->stages[i].stage);
            dg_json_double_field(w, "seconds", p->stages[i].seconds);
            dg_json_close(w, '}');
        }
        dg_json_close(w, ']');
    }
    dg_json_close(w, '}');
}

static void region(writer *w, const char *name, int64_t bytes)
{
    dg_json_open(w, '{');
    dg_json_string_field(w, "name", name);
    dg_json_int_field(w, "bytes", bytes);
    dg_json_int_field(w, "align", DG_ALIGN);
    dg_json_close(w, '}');
}

static void regions(writer *w, const dg_plan *p)
{
    dg_json_key(w, "regions");
    dg_json_open(w, '[');
    region(w, "weights", p->weights);
    region(w, "grads", p->grads);
    region(w, "state", p->state);
    region(w, "consts", p->consts);
    region(w, "io", p->io);
    region(w, "arena", p->arena_bytes);
    dg_json_close(w, ']');
}

static void ports(writer *w, const char *key, const dg_plan_port *ports, int n)
{
    dg_json_key(w, key);
    dg_json_open(w, '[');
    for (int i = 0; i < n; i++) {
        dg_json_open(w, '{');
        dg_json_string_field(w, "name", ports[i].name);
        type_at(w, &ports[i].type);
        dg_json_id_field(w, "value", ports[i].value);
        dg_json_bool_field(w, "report", ports[i].report);
        dg_json_close(w, '}');
    }
    dg_json_close(w, ']');
}

static void places(writer *w, const dg_plan *p)
{
    dg_json_key(w, "places");
    dg_json_open(w, '[');
    for (int i = 0; i < p->n_places; i++) {
        const dg_plan_place *q = &p->places[i];
        dg_json_open(w, '{');
        dg_json_string_field(w, "path", q->path);
        dg_json_string_field(w, "src", q->src);
        type_at(w, &q->type);
        dg_json_string_field(w, "region", q->trained ? "weights" : "state");
        dg_json_string_field(w, "init", q->init);
        dg_json_id_field(w, "value", q->value);
        dg_json_id_field(w, "written", q->written_value);
        dg_json_bool_field(w, "in_place", q->in_place);
        dg_json_close(w, '}');
    }
    dg_json_close(w, ']');
}

static void value(writer *w, const dg_plan *p, int32_t id)
{
    const dg_plan_value *v = &p->values[id];
    dg_json_open(w, '{');
    dg_json_int_field(w, "id", id);
    dg_json_string_field(w, "path", v->path);
    dg_json_string_field(w, "src", v->src);
    type_at(w, v->type);
    ints_at(w, "strides", v->stride, v->type->shape.rank);
    dg_json_string_field(w, "region", dg_home_name(v->home));
    dg_json_int_field(w,
                      v->home == DG_HOME_PARAM || v->home == DG_HOME_STATE ? "place"
                      : v->home == DG_HOME_IO                              ? "port"
                                                                           : "offset",
                      v->offset);
    dg_json_int_field(w, "bytes", v->bytes);
    dg_json_int_field(w, "first", v->first);
    dg_json_int_field(w, "last", v->last);
    dg_json_id_field(w, "producer", v->producer);
    dg_json_id_field(w, "loop", v->loop);
    dg_json_string_field(w, "role", dg_role_name(v->role));
    dg_json_key(w, "alias");
    if (v->alias) {
        dg_json_open(w, '{');
        dg_json_string_field(w, "how", v->alias);
        dg_json_int_field(w, "base", v->base);
        dg_json_int_field(w, "of", v->of);
        dg_json_int_field(w, "shift", v->shift);
        dg_json_close(w, '}');
    } else {
        dg_json_null(w);
    }
    if (v->data) hash_at(w, "data", dg_hash(v->data, (size_t)v->bytes));
    dg_json_close(w, '}');
}

/* A strip's instructions: "mul 0 2" writes the next register; then which registers come out, with
 * the axes summed. */
static void strip_at(writer *w, const dg_strip *s)
{
    dg_json_open(w, '{');
    ints_at(w, "space", s->space.dim, s->space.rank);
    dg_json_key(w, "code");
    dg_json_open(w, '[');
    for (int i = 0; i < s->n_code; i++) {
        const dg_strip_code *c = &s->code[i];
        dg_json_open(w, '{');
        dg_json_string_field(w, "op", c->op->name);
        dg_json_key(w, "in");
        dg_json_open(w, '[');
        for (int k = 0; k < c->n_in; k++) dg_json_int(w, c->in[k]);
        dg_json_close(w, ']');
        if (c->attrs.n > 0) attrs_at(w, &c->attrs);
        dg_json_close(w, '}');
    }
    dg_json_close(w, ']');
    dg_json_key(w, "out");
    dg_json_open(w, '[');
    for (int i = 0; i < s->n_out; i++) {
        dg_json_open(w, '{');
        dg_json_int_field(w, "register", s->out[i].reg);
        dg_json_int_field(w, "reduce", s->out[i].reduce);
        if (s->out[i].span) dg_json_int_field(w, "moments", s->out[i].span);
        dg_json_close(w, '}');
    }
    dg_json_close(w, ']');
    dg_json_close(w, '}');
}

static void step(writer *w, const dg_plan *p, int32_t id)
{
    static const char *const kinds[] = {"kernel", "copy", "loop", "loop_end", "check"};
    const dg_plan_step *s = &p->steps[id];
    dg_json_open(w, '{');
    dg_json_int_field(w, "id", id);
    dg_json_string_field(w, "kind", kinds[s->kind]);
    dg_json_string_field(w, "kernel", s->label);
    ids_at(w, "reads", s->in, s->n_in);
    ids_at(w, "writes", s->out, s->n_out);
    dg_json_key(w, "workspace");
    dg_json_open(w, '[');
    if (s->workspace_bytes > 0) {
        dg_json_open(w, '{');
        dg_json_int_field(w, "offset", s->workspace);
        dg_json_int_field(w, "bytes", s->workspace_bytes);
        dg_json_close(w, '}');
    }
    dg_json_close(w, ']');
    dg_json_int_field(w, "scratch", s->scratch_bytes);
    dg_json_key(w, "flops");
    number(w, s->flops);
    dg_json_int_field(w, "bytes_rw", s->bytes_rw);
    dg_json_string_field(w, "phase", dg_phase_name(s->phase));
    dg_json_id_field(w, "loop", s->loop);
    dg_json_int_field(w, "nodes", s->nodes);
    dg_json_string_field(w, "scope", s->scope);
    dg_json_string_field(w, "src", s->src);
    dg_json_string_field(w, "why", s->why);
    if (s->attrs.n > 0) attrs_at(w, &s->attrs);
    if (s->strip) {
        dg_json_key(w, "strip");
        strip_at(w, s->strip);
    }
    if (s->prologue) {
        dg_json_key(w, "prologue");
        dg_json_open(w, '{');
        dg_json_int_field(w, "operand", s->prologue->operand);
        if (s->prologue->parts > 1) dg_json_int_field(w, "parts", s->prologue->parts);
        if (s->prologue->grow > 1) dg_json_int_field(w, "grow", s->prologue->grow);
        if (s->prologue->strip) {
            dg_json_key(w, "strip");
            strip_at(w, s->prologue->strip);
        }
        dg_json_close(w, '}');
    }
    dg_json_close(w, '}');
}

static void loop(writer *w, const dg_plan *p, int32_t id)
{
    const dg_plan_loop *l = &p->loops[id];
    dg_json_open(w, '{');
    dg_json_int_field(w, "id", id);
    dg_json_int_field(w, "begin", l->begin);
    dg_json_int_field(w, "end", l->end);
    dg_json_id_field(w, "parent", l->parent);
    dg_json_int_field(w, "trips", l->trips);
    dg_json_int_field(w, "trip", l->trip);
    dg_json_id_field(w, "stop", l->stop);
    dg_json_key(w, "carries");
    dg_json_open(w, '[');
    for (int i = 0; i < l->n_carries; i++) {
        const dg_plan_carry *c = &l->carries[i];
        dg_json_open(w, '{');
        dg_json_int_field(w, "init", c->init);
        dg_json_int_field(w, "arg", c->arg);
        dg_json_int_field(w, "next", c->next);
        dg_json_int_field(w, "out", c->out);
        dg_json_string_field(w, "how", dg_carry_how(p, c));
        dg_json_bool_field(w, "copy_in", c->copy_in);
        dg_json_close(w, '}');
    }
    dg_json_close(w, ']');
    dg_json_close(w, '}');
}

static void decision(writer *w, const dg_decision *d)
{
    dg_json_open(w, '{');
    dg_json_string_field(w, "kind", d->kind);
    dg_json_id_field(w, "at", d->node);
    dg_json_id_field(w, "value", d->value);
    dg_json_string_field(w, "outcome", d->outcome);
    dg_json_string_field(w, "reason", d->reason);
    dg_json_int_field(w, "bytes", d->bytes);
    dg_json_close(w, '}');
}

void dg_explain_json(const dg_plan *p, const dg_explain_options *o, dg_text *out)
{
    dg_arena *a = dg_arena_new();
    dg_story story = dg_story_of(p, 1, a);
    writer w = {.text = *out, .pretty = true};
    dg_json_open(&w, '{');
    dg_json_string_field(&w, "format", "dg-plan/1.0");
    header(&w, p);
    summary(&w, p, &story, o->canonical);
    regions(&w, p);
    ports(&w, "inputs", p->inputs, p->n_inputs);
    ports(&w, "outputs", p->outputs, p->n_outputs);
    places(&w, p);
    dg_json_key(&w, "values");
    dg_json_open(&w, '[');
    for (int32_t i = 0; i < p->n_values; i++) value(&w, p, i);
    dg_json_close(&w, ']');
    dg_json_key(&w, "steps");
    dg_json_open(&w, '[');
    for (int32_t i = 0; i < p->n_steps; i++) step(&w, p, i);
    dg_json_close(&w, ']');
    dg_json_key(&w, "loops");
    dg_json_open(&w, '[');
    for (int32_t i = 0; i < p->n_loops; i++) loop(&w, p, i);
    dg_json_close(&w, ']');
    dg_json_key(&w, "decisions");
    dg_json_open(&w, '[');
    for (int i = 0; i < p->n_decisions; i++) decision(&w, &p->decisions[i]);
    dg_json_close(&w, ']');
    dg_json_close(&w, '}');
    dg_text_addn(&w.text, "\n", 1);
    *out = w.text;
    dg_arena_free(a);
}

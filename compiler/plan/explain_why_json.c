/* explain_why_json.c: what --why says of a value or a step, as an object: "dg-why/1.0", whose
 * schema is docs/why.schema.json.
 *
 * In     a plan; a value or a step of it.
 * Out    keys in a fixed order, integers for bytes, null for none; times are estimates of cost.h,
 * so the same plan gives the same bytes. */
#include "compiler/plan/explain.h"

typedef dg_json_writer writer;

/* Left open, so that the caller can say more. */
static void open_value(const dg_plan *p, int32_t id, writer *w)
{
    const dg_plan_value *v = &p->values[id];
    dg_json_open(w, '{');
    dg_json_int_field(w, "id", id);
    dg_json_string_field(w, "path", dg_value_name(p, id));
    dg_json_string_field(w, "dtype", dg_dtype_name(v->type->dtype));
    dg_json_key(w, "dims");
    dg_json_open(w, '[');
    for (int i = 0; i < v->type->shape.rank; i++) dg_json_int(w, v->type->shape.dim[i]);
    dg_json_close(w, ']');
}

static void open_step(const dg_plan *p, int32_t s, writer *w)
{
    const dg_plan_step *i = &p->steps[s];
    dg_json_open(w, '{');
    dg_json_int_field(w, "id", s);
    dg_json_string_field(w, "kernel", i->label);
    dg_json_string_field(w, "makes", i->n_out > 0 ? dg_value_name(p, i->out[0]) : NULL);
}

static void values_field(const dg_plan *p, const char *key, const int32_t *ids, int n, int32_t step,
                         writer *w)
{
    dg_json_key(w, key);
    dg_json_open(w, '[');
    for (int k = 0; k < n; k++) {
        const dg_plan_value *v = &p->values[ids[k]];
        open_value(p, ids[k], w);
        dg_json_string_field(w, "alias", v->base != ids[k] ? v->alias : NULL);
        dg_json_bool_field(w, "last_time", p->values[v->of].last == step);
        dg_json_close(w, '}');
    }
    dg_json_close(w, ']');
}

static void decisions_field(const dg_plan *p, int32_t value, int32_t step, writer *w)
{
    dg_json_key(w, "decisions");
    dg_json_open(w, '[');
    for (int i = 0; i < p->n_decisions; i++) {
        const dg_decision *d = &p->decisions[i];
        if (!dg_decision_about(d, step, value)) continue;
        dg_json_open(w, '{');
        dg_json_string_field(w, "kind", d->kind);
        dg_json_string_field(w, "outcome", d->outcome);
        dg_json_string_field(w, "reason", d->reason);
        dg_json_string_field(w, "words", dg_reason_words(d->reason));
        dg_json_id_field(w, "at", d->node);
        dg_json_id_field(w, "value", d->value);
        dg_json_int_field(w, "bytes", d->bytes);
        dg_json_close(w, '}');
    }
    dg_json_close(w, ']');
}

/* ---- a value ---- */

static void readers_field(const dg_plan *p, int32_t id, writer *w)
{
    dg_json_key(w, "readers");
    dg_json_open(w, '[');
    for (int32_t s = 0; s < p->n_steps; s++) {
        bool view;
        if (!dg_step_reads(p, s, id, &view)) continue;
        open_step(p, s, w);
        dg_json_bool_field(w, "as_view", view);
        dg_json_close(w, '}');
    }
    dg_json_close(w, ']');
    dg_json_bool_field(w, "kept_after_run", p->values[p->values[id].of].last >= p->n_steps);
}

/* The longest wait, and what the bytes would cost otherwise. */
static void wait_field(const dg_plan *p, int32_t id, writer *w)
{
    const dg_plan_value *v = &p->values[p->values[id].of];
    dg_json_key(w, "waits");
    int32_t from = -1, to = -1;
    if (v->home == DG_HOME_ARENA && v->producer >= 0) dg_plan_longest_wait(p, id, &from, &to);
    if (to <= from) {
        dg_json_null(w);
        return;
    }
    dg_json_open(w, '{');
    dg_json_int_field(w, "from", from);
    dg_json_int_field(w, "to", to);
    dg_json_int_field(w, "bytes", v->bytes);
    dg_json_int_field(w, "again_ns", (int64_t)dg_step_ns(p, v->producer));
    dg_json_bool_field(w, "at_peak", p->peak_step > from && p->peak_step < to);
    dg_json_close(w, '}');
}

static void value_json(const dg_plan *p, int32_t id, writer *w)
{
    const dg_plan_value *v = &p->values[id];
    bool elsewhere = v->alias && v->base != id;
    open_value(p, id, w);
    dg_json_int_field(w, "bytes", v->bytes);
    dg_json_string_field(w, "role", dg_role_name(v->role));
    dg_json_string_field(w, "src", v->src);
    dg_json_string_field(w, "region", dg_home_name(v->home));
    dg_json_id_field(w, "offset", v->home == DG_HOME_ARENA ? v->offset : -1);
    dg_json_id_field(w, "in_bytes_of", elsewhere ? v->base : -1);
    dg_json_string_field(w, "alias", elsewhere ? v->alias : NULL);
    dg_json_key(w, "made_by");
    if (v->producer < 0) {
        dg_json_null(w);
    } else {
        const dg_plan_step *s = &p->steps[v->producer];
        open_step(p, v->producer, w);
        values_field(p, "reads", s->in, s->n_in, v->producer, w);
        dg_json_close(w, '}');
    }
    readers_field(p, id, w);
    wait_field(p, id, w);
    decisions_field(p, id, -1, w);
    dg_json_close(w, '}');
}

/* ---- a step ---- */

static void step_json(const dg_plan *p, int32_t s, writer *w)
{
    const dg_plan_step *i = &p->steps[s];
    open_step(p, s, w);
    dg_json_string_field(w, "src", i->src);
    dg_json_string_field(w, "scope", i->scope);
    dg_json_string_field(w, "phase", dg_phase_name(i->phase));
    dg_json_int_field(w, "nodes", i->nodes);
    dg_json_int_field(w, "flops", (int64_t)i->flops);
    dg_json_int_field(w, "bytes_rw", i->bytes_rw);
    dg_json_int_field(w, "ns", (int64_t)dg_step_ns(p, s));
    dg_json_int_field(w, "workspace", i->workspace_bytes);
    dg_json_bool_field(w, "again", dg_step_again(p, s));
    values_field(p, "reads", i->in, i->n_in, s, w);
    values_field(p, "writes", i->out, i->n_out, s, w);
    decisions_field(p, -1, s, w);
    dg_json_close(w, '}');
}

void dg_why_json(const dg_plan *p, int32_t value, int32_t step, dg_json_writer *w)
{
    if (step >= 0)
        step_json(p, step, w);
    else
        value_json(p, value, w);
}

/* plan.c: scheduled IR and its layout -> dg_plan.
 *
 * In     a module after schedule, the dg_layout of memplan.
 * Out    flat steps, values, loops, ports, all copied into an arena of the plan's own: nothing
 *        points back into the compilation but ops, kernels and kinds and outcomes of decisions,
 *        which are static.
 * Keeps  values are numbered in the order in which they appear, steps in the order in which they
 *        run: ids do not depend on what the passes did on the way. */
#include "compiler/plan/plan.h"

#include "compiler/passes/cost.h"
#include "compiler/passes/memplan.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char *const role_names[DG_ROLES] = {
    "activation", "residual", "gradient", "carry", "table", "param", "state", "input", "output"};

const char *dg_role_name(dg_role r)
{
    return r < DG_ROLES ? role_names[r] : "?";
}

typedef struct maker {
    const dg_module *m;
    const dg_graph *g;
    const dg_layout *l;
    dg_arena *a; /* the plan's */
    dg_arena *scratch;
    dg_plan *p;
    dg_effects fx;
    int32_t *value;        /* plan id by IR value; -1 */
    int32_t *step_of;      /* by IR node; -1 */
    int32_t *place;        /* plan value by place */
    dg_plan_value *values; /* the plan's, with room for all there can be */
    int32_t n_values;
    DG_VEC(dg_plan_step) steps;
    DG_VEC(dg_plan_loop) loops;
    dg_map *origins; /* copies already made */
    dg_map *strings; /* likewise, by interned or static text, or by path */
    dg_map *types;   /* likewise, by type of the graph */
    dg_map64 *lines; /* likewise: texts by file and line */
    dg_text text;    /* of a step, while it is put together */
    int64_t consts;
} maker;

/* ---- copies ---- */

static const char *text_of(maker *k, const char *s)
{
    if (!s) return NULL;
    const char *known = dg_map_get(k->strings, s);
    if (known) return known;
    char *copy = dg_arena_text(k->a, s, strlen(s));
    dg_map_set(k->strings, s, copy);
    return copy;
}

/* A path that nobody asked for its text until now gets it where the plan keeps it. */
static const char *path_of(maker *k, const dg_path *p)
{
    if (p->text) return text_of(k, p->text);
    const char *known = dg_map_get(k->strings, p);
    if (known) return known;
    char *text = dg_arena_joined(k->a, p->part, 3);
    dg_map_set(k->strings, p, text);
    return text;
}

static const char *place_of(maker *k, const dg_origin *o)
{
    const dg_sources *sources = k->m->diag ? dg_diag_sources(k->m->diag) : NULL;
    if (!o || !sources || o->span.file < 0 || o->span.file >= dg_sources_count(sources)) return "";
    const dg_source *s = dg_source_at(sources, o->span.file);
    uint32_t line = dg_source_line_number(s, o->span.begin);
    uint64_t key = (uint64_t)o->span.file << 32 | line, known;
    if (dg_map64_get(k->lines, key, &known)) return (const char *)(uintptr_t)known;
    const char *text = dg_arena_printf(k->a, "%s:%u", s->name, line);
    dg_map64_set(k->lines, key, (uintptr_t)text);
    return text;
}

typedef struct origin_copy { /* with the text that all nodes of one origin share */
    dg_origin origin;
    const char *src;
} origin_copy;

static const origin_copy *origin_of(maker *k, const dg_origin *o)
{
    static const origin_copy none = {{{-1, 0, 0}, NULL, NULL}, ""};
    if (!o) return &none;
    origin_copy *copy = dg_map_get(k->origins, o);
    if (copy) return copy;
    copy = DG_ROOM(k->a, origin_copy, 1);
    copy->origin = (dg_origin){o->span, text_of(k, o->what),
                               o->outer ? &origin_of(k, o->outer)->origin : NULL};
    copy->src = place_of(k, o);
    dg_map_set(k->origins, o, copy);
    return copy;
}

typedef struct type_copy { /* with the strides of what is packed */
    dg_type type;
    int64_t packed[DG_MAX_RANK];
} type_copy;

static const type_copy *type_of(maker *k, const dg_type *t)
{
    type_copy *copy = dg_map_get(k->types, t);
    if (copy) return copy;
    copy = DG_NEW(k->a, type_copy);
    copy->type = *t;
    dg_shape_pack(&t->shape, copy->packed);
    dg_map_set(k->types, t, copy);
    return copy;
}

static const dg_strip *strip_of(maker *k, const dg_strip *s)
{
    if (!s) return NULL;
    dg_strip *copy = dg_arena_copy(k->a, s, sizeof *s);
    copy->in_dtype = dg_arena_copy(k->a, s->in_dtype, sizeof *s->in_dtype * (size_t)s->n_in);
    dg_strip_code *code = dg_arena_copy(k->a, s->code, sizeof *s->code * (size_t)s->n_code);
    for (int i = 0; i < s->n_code; i++) code[i].attrs = dg_attrs_copy(k->a, &s->code[i].attrs);
    copy->code = code;
    copy->out = dg_arena_copy(k->a, s->out, sizeof *s->out * (size_t)s->n_out);
    return copy;
}

static const dg_prologue *prologue_of(maker *k, const dg_prologue *p)
{
    if (!p) return NULL;
    dg_prologue copy = *p;
    copy.strip = strip_of(k, p->strip);
    return dg_arena_copy(k->a, &copy, sizeof copy);
}

/* Elements of a constant in the value's dtype: IR holds floats as double and everything else as
 * i32, either all or one for all. */
static const void *table_of(maker *k, dg_value v)
{
    const dg_type *t = dg_type_of(k->g, v);
    const dg_attr *data = dg_attr_find(&dg_node_of(k->g, dg_value_of(k->g, v)->def)->attrs, "data");
    int64_t n = dg_shape_count(&t->shape);
    char *raw = dg_arena_alloc(k->a, (size_t)dg_type_bytes(t) + DG_ALIGN);
    char *at = raw + (DG_ALIGN - (uintptr_t)raw % DG_ALIGN) % DG_ALIGN;
    bool is_float = dg_dtype_is_float(t->dtype);
    int64_t given = data->n / (int64_t)(is_float ? sizeof(double) : sizeof(int32_t));
    assert(given == n || given == 1);
    for (int64_t i = 0; i < n; i++) {
        int64_t from = given == 1 ? 0 : i;
        double x = 0;
        int32_t whole = 0;
        if (is_float)
            memcpy(&x, (const char *)data->v.data + from * (int64_t)sizeof x, sizeof x);
        else
            memcpy(&whole, (const char *)data->v.data + from * (int64_t)sizeof whole, sizeof whole);
        switch (t->dtype) {
        case DG_F32:
            ((float *)(void *)at)[i] = (float)x;
            break;
        case DG_F64:
            ((double *)(void *)at)[i] = x;
            break;
        case DG_I32:
            ((int32_t *)(void *)at)[i] = whole;
            break;
        default:
            ((uint8_t *)at)[i] = (uint8_t)whole;
            break;
        }
    }
    return at;
}

/* ---- values ---- */

static int32_t value_of(maker *k, dg_value v)
{
    int32_t id = k->value[v];
    assert(id >= 0);
    return id;
}

/* A value when it first appears: made by step `step` in loop `loop`, -1 and -1 for what is there
 * from the start. */
static void add_value(maker *k, dg_value v, int32_t step, int32_t loop, const dg_origin *origin)
{
    const dg_storage *s = &k->l->storage[v];
    if (s->home == DG_HOME_NONE || k->value[v] >= 0) return;
    const dg_value_info *info = dg_value_of(k->g, v);
    const dg_bytes *bytes = &k->l->bytes[v];
    const type_copy *type = type_of(k, info->type);
    int32_t id = k->n_values;
    dg_plan_value out = {.path = path_of(k, info->path),
                         .src = origin_of(k, origin)->src,
                         .type = &type->type,
                         .stride = type->packed,
                         .home = s->home,
                         .base = -1, /* known once all values have ids */
                         .of = id,
                         .shift = bytes->shift,
                         .offset = s->offset,
                         .bytes = dg_type_bytes(info->type),
                         .first = step,
                         .last = step,
                         .producer = step,
                         .loop = loop,
                         .alias = s->alias};
    if (bytes->stride)
        out.stride = dg_arena_copy(k->a, bytes->stride, DG_MAX_RANK * sizeof *bytes->stride);
    if (bytes->view) out.of = value_of(k, bytes->shown);
    k->value[v] = id;
    k->values[k->n_values++] = out;
}

static void link_bases(maker *k)
{
    for (dg_value v = 0; (size_t)v < k->g->values.n; v++) {
        if (k->value[v] < 0) continue;
        dg_plan_value *out = &k->values[k->value[v]];
        const dg_storage *s = &k->l->storage[v];
        out->base = value_of(k, s->base);
        if (out->home == DG_HOME_ARENA) out->offset += out->shift;
        if (out->home == DG_HOME_CONST && out->base == k->value[v]) {
            out->data = table_of(k, v);
            out->offset = k->consts;
            k->consts += dg_align(out->bytes);
        }
    }
    for (int32_t i = 0; i < k->n_values; i++) {
        dg_plan_value *out = &k->values[i];
        if (out->home == DG_HOME_CONST && out->base != i)
            out->offset = k->values[out->base].offset + out->shift;
    }
}

/* ---- steps ---- */

static int32_t *ids(maker *k, const dg_value *list, int n)
{
    int32_t *out = DG_ROOM(k->a, int32_t, n);
    for (int i = 0; i < n; i++) out[i] = value_of(k, list[i]);
    return out;
}

static void say(maker *k, const char *text)
{
    dg_text_addn(&k->text, text, strlen(text));
}

/* What has been said. */
static const char *said(maker *k)
{
    const char *out = dg_arena_text(k->a, k->text.at ? k->text.at : "", k->text.n);
    k->text.n = 0;
    return out;
}

/* "add+mul+silu": at most `most` names, one for several in a row; behind what stands there. */
static void chain(maker *k, const dg_strip *s, int most)
{
    const dg_op *before = NULL;
    int shown = 0;
    for (int i = 0; i < s->n_code; i++) {
        if (s->code[i].op == before) continue;
        before = s->code[i].op;
        if (shown++ == most) {
            say(k, "+..");
            return;
        }
        if (k->text.n > 0) say(k, "+");
        say(k, before->name);
    }
}

static const char *label_of(maker *k, const dg_node_info *n)
{
    bool body = n->strip && !n->op->epilogue;
    if (n->prologue) {
        const dg_strip *s = n->prologue->strip;
        say(k, s ? s->code[s->n_code - 1].op->name : n->prologue->parts > 1 ? "parts" : "grown");
        say(k, ">");
    }
    if (!body) say(k, n->op->name);
    if (n->strip) chain(k, n->strip, body ? 4 : 3);
    if (k->text.n == 0) say(k, n->op->name); /* a strip that only loads and stores */
    if (n->kernel && !body) {
        say(k, " ");
        say(k, n->kernel->name);
    }
    return said(k);
}

/* Nodes of the graph that one step does. */
static int joined_by(const dg_node_info *n)
{
    int joined = n->strip ? n->strip->n_code + (n->op->epilogue ? 1 : 0) : 1;
    return joined + (n->prologue && n->prologue->strip ? n->prologue->strip->n_code : 0);
}

static const char *why_of(maker *k, const dg_node_info *n, int64_t workspace)
{
    char bytes[32];
    int joined = joined_by(n);
    if (joined > 1) dg_text_add(&k->text, "fused %d", joined);
    for (int i = 0; i < n->n_out; i++) {
        const char *alias = k->l->storage[n->out[i]].alias;
        if (!alias) continue;
        bool in_place = strcmp(alias, "place") == 0 || strcmp(alias, "in-place") == 0;
        if (k->text.n > 0) say(k, ", ");
        say(k, in_place ? "in place" : alias);
        break;
    }
    if (workspace > 0) {
        say(k, k->text.n > 0 ? ", ws " : "ws ");
        say(k, dg_bytes_text((uint64_t)workspace, bytes));
    }
    return said(k);
}

static dg_plan_step *add_step(maker *k, dg_node node, int kind, int32_t loop)
{
    const dg_node_info *n = dg_node_of(k->g, node);
    const origin_copy *origin = origin_of(k, n->origin);
    dg_plan_step s = {.op = n->op,
                      .kernel = n->kernel,
                      .label = n->op->name,
                      .n_own = n->n_own,
                      .workspace = -1,
                      .loop = loop,
                      .phase = n->phase,
                      .scope = text_of(k, n->scope),
                      .src = origin->src,
                      .origin = n->origin ? &origin->origin : NULL,
                      .nodes = 1,
                      .why = ""};
    s.kind = kind;
    dg_vec_push(&k->steps, s);
    return &dg_vec_last(&k->steps);
}

static int64_t moved(const maker *k, const dg_plan_step *s)
{
    int64_t bytes = 0;
    if (s->kernel && s->kernel->into) return 0;
    for (int i = 0; i < s->n_in; i++) bytes += k->values[s->in[i]].bytes;
    for (int i = 0; i < s->n_out; i++) bytes += k->values[s->out[i]].bytes;
    return bytes;
}

static void add_kernel(maker *k, dg_node node, int32_t loop, int kind)
{
    const dg_node_info *n = dg_node_of(k->g, node);
    int32_t at = (int32_t)k->steps.n;
    dg_plan_step *s = add_step(k, node, kind, loop);
    k->step_of[node] = at;
    for (int i = 0; i < n->n_out; i++) add_value(k, n->out[i], at, loop, n->origin);
    s->label = label_of(k, n);
    s->attrs = dg_attrs_copy(k->a, &n->attrs);
    s->strip = strip_of(k, n->strip);
    s->prologue = prologue_of(k, n->prologue);
    s->n_in = n->n_in;
    s->in = ids(k, n->in, n->n_in);
    s->n_out = n->n_out;
    s->out = ids(k, n->out, n->n_out);
    s->workspace = k->l->workspace[node];
    s->workspace_bytes = k->l->workspace_bytes[node];
    dg_infer types = dg_types_of(k->g, node);
    if (n->kernel && n->kernel->scratch) s->scratch_bytes = n->kernel->scratch(&types, n->strip);
    s->flops = dg_node_flops(n, &types);
    s->bytes_rw = moved(k, s);
    s->nodes = joined_by(n);
    s->why = why_of(k, n, s->workspace_bytes);
}

/* What a place will hold; a step only where the value was not computed there. */
static void add_write(maker *k, dg_node node)
{
    const dg_node_info *n = dg_node_of(k->g, node);
    int64_t index = dg_attr_int(&n->attrs, "index");
    dg_plan_place *place = (dg_plan_place *)&k->p->places[index];
    const dg_storage *s = &k->l->storage[n->in[0]];
    place->written = true;
    place->in_place = (s->home == DG_HOME_PARAM || s->home == DG_HOME_STATE) &&
                      s->offset == index && k->l->bytes[n->in[0]].whole;
    if (place->in_place) {
        place->written_value = value_of(k, n->in[0]);
        return;
    }
    int32_t at = (int32_t)k->steps.n, id = k->n_values;
    const dg_place *to = &k->m->places.at[index];
    const type_copy *type = type_of(k, dg_type_of(k->g, n->in[0])); /* the place's */
    dg_plan_value v = {.path = text_of(k, to->path),
                       .src = origin_of(k, n->origin)->src,
                       .type = &type->type,
                       .stride = type->packed,
                       .home = to->trained ? DG_HOME_PARAM : DG_HOME_STATE,
                       .base = k->place[index] >= 0 ? k->place[index] : id,
                       .of = id,
                       .offset = index,
                       .bytes = dg_type_bytes(&to->type),
                       .first = at,
                       .last = at,
                       .producer = at,
                       .loop = -1,
                       .alias = k->place[index] >= 0 ? "place" : NULL};
    k->values[k->n_values++] = v;
    place->written_value = id;
    dg_plan_step *step = add_step(k, node, DG_STEP_COPY, -1);
    k->step_of[node] = at;
    step->op = NULL;
    step->label = "copy";
    step->n_in = step->n_own = step->n_out = 1;
    step->in = ids(k, n->in, 1);
    step->out = dg_arena_copy(k->a, &id, sizeof id);
    step->bytes_rw = moved(k, step);
    step->why = "write";
}

/* Carries in an order in which swaps one by one do what the parallel assignment says: a carry comes
 * before the one whose argument's buffer it takes, so that it finds there what the body left; the
 * last of a ring finds its value brought by the others. */
static void order_carries(maker *k, dg_plan_carry *c, int n)
{
    dg_plan_carry *sorted = DG_NEW_ARRAY(k->scratch, dg_plan_carry, n);
    bool *taken = DG_NEW_ARRAY(k->scratch, bool, n);
    int done = 0;
#define BASE(v) (k->l->storage[v].base)
    /* ids are still those of the IR here */
    for (int i = 0; i < n; i++) {
        if (BASE(c[i].arg) != BASE(c[i].next)) continue;
        taken[i] = true;
        sorted[done++] = c[i];
    }
    for (int ring = 0; ring < 2; ring++) {
        for (int i = 0; i < n; i++) {
            if (taken[i]) continue;
            bool wanted = false; /* by another carry that has not had its turn */
            for (int j = 0; j < n; j++)
                wanted |= !taken[j] && j != i && BASE(c[j].next) == BASE(c[i].arg);
            if (wanted && ring == 0) continue;
            dg_value first = BASE(c[i].arg);
            for (int at = i; at >= 0;) {
                taken[at] = true;
                c[at].how = BASE(c[at].next) == first ? 0 : 1;
                sorted[done++] = c[at];
                int next = -1;
                for (int j = 0; j < n; j++) {
                    if (!taken[j] && BASE(c[j].arg) == BASE(c[at].next)) next = j;
                }
                at = next;
            }
        }
    }
#undef BASE
    assert(done == n);
    memcpy(c, sorted, (size_t)n * sizeof *c);
}

static void add_region(maker *k, dg_region r, int32_t loop);

static void add_loop(maker *k, dg_node node, int32_t parent)
{
    const dg_node_info *n = dg_node_of(k->g, node);
    const dg_region_info *body = dg_region_of(k->g, n->body);
    int32_t id = (int32_t)k->loops.n, begin = (int32_t)k->steps.n;
    dg_plan_loop loop = {.begin = begin, .parent = parent, .stop = -1, .n_carries = n->n_out};
    loop.trips = dg_attr_int(&n->attrs, "trips");
    dg_vec_push(&k->loops, loop);

    dg_plan_carry *c = DG_NEW_ARRAY(k->a, dg_plan_carry, n->n_out);
    for (int i = 0; i < n->n_out; i++) {
        c[i] = (dg_plan_carry){.init = n->in[i],
                               .arg = body->args.at[i + 1],
                               .next = body->results.at[i],
                               .out = n->out[i]};
        c[i].copy_in = k->l->storage[c[i].init].base != k->l->storage[c[i].arg].base ||
                       !k->l->bytes[c[i].init].whole;
    }
    order_carries(k, c, n->n_out);

    dg_plan_step *s = add_step(k, node, DG_STEP_LOOP, parent);
    k->step_of[node] = begin;
    for (size_t i = 0; i < body->args.n; i++) add_value(k, body->args.at[i], begin, id, n->origin);
    int32_t *in = DG_NEW_ARRAY(k->a, int32_t, n->n_out),
            *out = DG_NEW_ARRAY(k->a, int32_t, n->n_out + 1);
    out[0] = value_of(k, body->args.at[0]);
    for (int i = 0; i < n->n_out; i++) {
        in[i] = c[i].init = value_of(k, c[i].init);
        out[i + 1] = c[i].arg = value_of(k, c[i].arg);
    }
    s->n_in = s->n_own = n->n_out;
    s->n_out = n->n_out + 1;
    s->in = in;
    s->out = out;
    s->attrs = dg_attrs_copy(k->a, &n->attrs);
    s->why = dg_arena_printf(k->a, "x%lld", (long long)loop.trips);

    add_region(k, n->body, id);

    bool stops = dg_attr_int(&n->attrs, "stop") != 0;
    int32_t end = (int32_t)k->steps.n;
    s = add_step(k, node, DG_STEP_LOOP_END, parent);
    s->label = dg_arena_printf(k->a, "end %s", n->op->name);
    for (int i = 0; i < n->n_out; i++) add_value(k, n->out[i], end, parent, n->origin);
    in = DG_NEW_ARRAY(k->a, int32_t, n->n_out + 1);
    out = DG_NEW_ARRAY(k->a, int32_t, n->n_out);
    for (int i = 0; i < n->n_out; i++) {
        in[i] = c[i].next = value_of(k, c[i].next);
        out[i] = c[i].out = value_of(k, c[i].out);
    }
    if (stops) in[n->n_out] = k->loops.at[id].stop = value_of(k, body->results.at[n->n_out]);
    s->n_in = s->n_own = n->n_out + stops;
    s->n_out = n->n_out;
    s->in = in;
    s->out = out;
    k->loops.at[id].end = end;
    k->loops.at[id].trip = value_of(k, body->args.at[0]);
    k->loops.at[id].carries = c;
}

static void add_region(maker *k, dg_region r, int32_t loop)
{
    DG_EACH_NODE(k->g, r, node) {
        const dg_node_info *n = dg_node_of(k->g, node);
        if (n->op->traits & DG_LEAF) {
            add_value(k, n->out[0], -1, -1, n->origin);
            if (n->op == k->fx.place)
                k->place[dg_attr_int(&n->attrs, "index")] = value_of(k, n->out[0]);
        } else if (n->n_out > 0 && k->l->bytes[n->out[0]].view) {
            int32_t shown = value_of(k, k->l->bytes[n->out[0]].shown);
            add_value(k, n->out[0], k->values[shown].producer, k->values[shown].loop, n->origin);
        } else if (n->body != DG_NONE) {
            add_loop(k, node, loop);
        } else if (n->op == k->fx.write) {
            add_write(k, node);
        } else if (n->op == k->fx.check) {
            add_kernel(k, node, loop, DG_STEP_CHECK);
        } else if (n->op != k->fx.output) {
            add_kernel(k, node, loop, DG_STEP_KERNEL);
        }
    }
}

/* ---- lives, roles, tables ---- */

/* The step until which a read at `step`, in loop `loop`, keeps a value made in loop `home`. */
static int32_t kept_until(const maker *k, int32_t step, int32_t loop, int32_t home)
{
    for (; loop != home && loop >= 0; loop = k->loops.at[loop].parent) step = k->loops.at[loop].end;
    return step;
}

static void read_until(maker *k, int32_t id, int32_t step)
{
    dg_plan_value *v = &k->values[id], *of = &k->values[v->of];
    if (step > v->last) v->last = step;
    if (step > of->last) of->last = step;
}

static void find_lasts(maker *k)
{
    int32_t *ends =
        DG_NEW_ARRAY(k->scratch, int32_t, k->steps.n); /* loop that a step ends, plus 1 */
    for (size_t i = 0; i < k->loops.n; i++) ends[k->loops.at[i].end] = (int32_t)i + 1;
    for (int32_t s = 0; s < (int32_t)k->steps.n; s++) {
        const dg_plan_step *step = &k->steps.at[s];
        int32_t loop =
            ends[s] ? ends[s] - 1 : step->loop; /* the end of a trip belongs to the body */
        for (int i = 0; i < step->n_in; i++)
            read_until(k, step->in[i], kept_until(k, s, loop, k->values[step->in[i]].loop));
        if (ends[s]) read_until(k, k->loops.at[ends[s] - 1].trip, s);
    }
    for (int i = 0; i < k->p->n_outputs; i++)
        read_until(k, k->p->outputs[i].value, (int32_t)k->steps.n);
    for (int i = 0; i < k->p->n_places; i++) {
        if (k->p->places[i].written)
            read_until(k, k->p->places[i].written_value, (int32_t)k->steps.n);
    }
}

static void find_roles(maker *k)
{
    bool *residual = DG_NEW_ARRAY(k->scratch, bool, k->n_values),
         *carried = DG_NEW_ARRAY(k->scratch, bool, k->n_values),
         *output = DG_NEW_ARRAY(k->scratch, bool, k->n_values);
    for (int32_t s = 0; s < (int32_t)k->steps.n; s++) {
        const dg_plan_step *step = &k->steps.at[s];
        for (int i = 0; step->phase == DG_BACKWARD && i < step->n_in; i++)
            residual[k->values[step->in[i]].of] = true;
        bool loop = step->kind == DG_STEP_LOOP || step->kind == DG_STEP_LOOP_END;
        for (int i = 0; loop && i < step->n_out; i++) carried[step->out[i]] = true;
    }
    for (int i = 0; i < k->p->n_outputs; i++) output[k->values[k->p->outputs[i].value].of] = true;
    for (int32_t i = 0; i < k->n_values; i++) {
        dg_plan_value *v = &k->values[i];
        switch (v->home) {
        case DG_HOME_PARAM:
            v->role = DG_ROLE_PARAM;
            continue;
        case DG_HOME_STATE:
            v->role = DG_ROLE_STATE;
            continue;
        case DG_HOME_IO:
            v->role = DG_ROLE_INPUT;
            continue;
        case DG_HOME_CONST:
            v->role = DG_ROLE_TABLE;
            continue;
        default:
            break;
        }
        dg_phase phase = v->producer < 0 ? DG_FORWARD : k->steps.at[v->producer].phase;
        v->role = output[v->of]                            ? DG_ROLE_OUTPUT
                  : carried[v->of]                         ? DG_ROLE_CARRY
                  : phase == DG_BACKWARD                   ? DG_ROLE_GRADIENT
                  : phase == DG_FORWARD && residual[v->of] ? DG_ROLE_RESIDUAL
                                                           : DG_ROLE_ACTIVATION;
    }
}

static void make_tables(maker *k)
{
    const dg_module *m = k->m;
    dg_plan *p = k->p;
    p->n_places = (int)m->places.n;
    dg_plan_place *places = DG_ROOM(k->a, dg_plan_place, m->places.n);
    for (size_t i = 0; i < m->places.n; i++) {
        const dg_place *from = &m->places.at[i];
        places[i] = (dg_plan_place){.path = text_of(k, from->path),
                                    .src = origin_of(k, from->origin)->src,
                                    .init = text_of(k, from->init),
                                    .type = from->type,
                                    .trained = from->trained,
                                    .value = -1,
                                    .written_value = -1};
        *(from->trained ? &p->weights : &p->state) += dg_align(dg_type_bytes(&from->type));
    }
    p->places = places;
    dg_plan_port *inputs = DG_NEW_ARRAY(k->a, dg_plan_port, m->inputs.n),
                 *outputs = DG_NEW_ARRAY(k->a, dg_plan_port, m->outputs.n);
    for (size_t i = 0; i < m->inputs.n; i++) {
        const dg_port *from = &m->inputs.at[i];
        inputs[i] = (dg_plan_port){text_of(k, from->name), from->type, -1, from->report};
        p->io += dg_align(dg_type_bytes(&from->type));
    }
    for (size_t i = 0; i < m->outputs.n; i++) {
        const dg_port *from = &m->outputs.at[i];
        outputs[i] = (dg_plan_port){text_of(k, from->name), from->type, -1, from->report};
    }
    p->n_inputs = (int)m->inputs.n;
    p->n_outputs = (int)m->outputs.n;
    p->inputs = inputs;
    p->outputs = outputs;
}

/* The tables' values, once every value has its number. */
static void fill_tables(maker *k)
{
    dg_plan_port *inputs = (dg_plan_port *)k->p->inputs, *outputs = (dg_plan_port *)k->p->outputs;
    dg_plan_place *places = (dg_plan_place *)k->p->places;
    DG_EACH_NODE(k->g, 0, node) {
        const dg_node_info *n = dg_node_of(k->g, node);
        if (n->op == k->fx.input)
            inputs[dg_attr_int(&n->attrs, "index")].value = value_of(k, n->out[0]);
        if (n->op == k->fx.output)
            outputs[dg_attr_int(&n->attrs, "index")].value = value_of(k, n->in[0]);
    }
    for (int i = 0; i < k->p->n_places; i++) {
        places[i].value = k->place[i];
        places[i].read = k->place[i] >= 0;
    }
}

static void add_decision(maker *k, dg_decision *out, const dg_decision *d)
{
    *out = (dg_decision){d->kind, DG_NONE, DG_NONE, d->outcome, text_of(k, d->reason), d->bytes};
    if (d->node != DG_NONE) out->node = k->step_of[d->node];
    if (d->value != DG_NONE) out->value = k->value[d->value];
}

static void make_header(maker *k, const dg_plan_options *o)
{
    dg_plan *p = k->p;
    const dg_module *m = k->m;
    p->entry = text_of(k, m->entry ? m->entry : "");
    p->train = m->train;
    p->reference = o->passes->reference;
    p->bf16 = o->passes->bf16;
    p->isa = o->passes->isa;
    p->nodes = o->nodes;
    dg_plan_file *files = DG_NEW_ARRAY(k->a, dg_plan_file, o->n_files);
    for (int i = 0; i < o->n_files; i++)
        files[i] = (dg_plan_file){text_of(k, o->files[i].name), o->files[i].hash};
    p->files = files;
    p->n_files = o->n_files;
    dg_setting *config = DG_NEW_ARRAY(k->a, dg_setting, m->config.n),
               *args = DG_NEW_ARRAY(k->a, dg_setting, m->args.n);
    for (size_t i = 0; i < m->config.n; i++)
        config[i] =
            (dg_setting){text_of(k, m->config.at[i].name), text_of(k, m->config.at[i].text)};
    for (size_t i = 0; i < m->args.n; i++)
        args[i] = (dg_setting){text_of(k, m->args.at[i].name), text_of(k, m->args.at[i].text)};
    p->config = config;
    p->args = args;
    p->n_config = (int)m->config.n;
    p->n_args = (int)m->args.n;
}

static int32_t trade_root(const int32_t *with, int32_t b)
{
    while (with[b] != b) b = with[b];
    return b;
}

void dg_plan_taken(const dg_plan *p, int32_t *from, int32_t *to, dg_arena *a)
{
    int32_t *with = DG_NEW_ARRAY(a, int32_t, p->n_values),
            *first = DG_NEW_ARRAY(a, int32_t, p->n_values),
            *last = DG_NEW_ARRAY(a, int32_t, p->n_values);
    for (int32_t i = 0; i < p->n_values; i++) {
        with[i] = i;
        first[i] = p->n_steps;
    }
    for (int l = 0; l < p->n_loops;
         l++) { /* buffers that are traded are all taken as long as any */
        for (int c = 0; c < p->loops[l].n_carries; c++) {
            int32_t x = trade_root(with, p->values[p->loops[l].carries[c].arg].base),
                    y = trade_root(with, p->values[p->loops[l].carries[c].next].base);
            with[x > y ? x : y] = x > y ? y : x;
        }
    }
    for (int32_t i = 0; i < p->n_values; i++) {
        int32_t r = trade_root(with, p->values[i].base);
        if (p->values[i].first < first[r]) first[r] = p->values[i].first;
        if (p->values[i].last > last[r]) last[r] = p->values[i].last;
    }
    for (int32_t i = 0; i < p->n_values; i++) {
        bool buffer = p->values[i].base == i && p->values[i].home == DG_HOME_ARENA;
        from[i] = buffer ? first[trade_root(with, i)] : p->n_steps + 1;
        to[i] = buffer ? last[trade_root(with, i)] : -1;
    }
}

int64_t *dg_plan_live(const dg_plan *p, dg_arena *a)
{
    int32_t *from = DG_NEW_ARRAY(a, int32_t, p->n_values),
            *to = DG_NEW_ARRAY(a, int32_t, p->n_values);
    int64_t *live = DG_NEW_ARRAY(a, int64_t, p->n_steps + 2);
    dg_plan_taken(p, from, to, a);
    for (int32_t i = 0; i < p->n_values; i++) {
        if (to[i] < 0) continue;
        live[from[i]] += dg_align(p->values[i].bytes);
        live[to[i] + 1] -= dg_align(p->values[i].bytes);
    }
    for (int32_t s = 0; s < p->n_steps; s++) live[s + 1] += live[s];
    for (int32_t s = 0; s < p->n_steps; s++) live[s] += dg_align(p->steps[s].workspace_bytes);
    return live;
}

static void make_summary(maker *k)
{
    dg_plan *p = k->p;
    p->consts = k->consts;
    p->arena_bytes = p->peak = k->l->arena_bytes;
    p->order_free_bound = k->l->order_free_bound;
    p->naive = k->l->naive_bytes;
    for (int s = 0; s < p->n_steps; s++) {
        if (dg_align(p->steps[s].workspace_bytes) > p->workspace_peak)
            p->workspace_peak = dg_align(p->steps[s].workspace_bytes);
        if (dg_align(p->steps[s].scratch_bytes) > p->scratch)
            p->scratch = dg_align(p->steps[s].scratch_bytes);
    }
    int64_t *live = dg_plan_live(p, k->scratch);
    for (int32_t s = 0; s <= p->n_steps; s++) {
        if (live[s] > p->bound) p->bound = live[s], p->peak_step = s;
    }
    assert(p->reference || p->bound == k->l->bound_bytes);
}

bool dg_plan_calls_lapack(const dg_plan *p)
{
    for (int s = 0; s < p->n_steps; s++)
        if (p->steps[s].kernel && p->steps[s].kernel->lapack) return true;
    return false;
}

dg_plan *dg_plan_make(const dg_module *m, const dg_layout *l, const dg_plan_options *o)
{
    dg_graph *g = m->graph;
    dg_arena *scratch = dg_arena_new(), *a = dg_arena_new();
    maker k = {.m = m, .g = g, .l = l, .a = a, .scratch = scratch, .fx = dg_effects_of(g)};
    k.p = DG_NEW(a, dg_plan);
    k.p->arena = a;
    k.value = DG_ROOM(scratch, int32_t, g->values.n);
    k.step_of = DG_ROOM(scratch, int32_t, g->nodes.n);
    k.place = DG_ROOM(scratch, int32_t, m->places.n);
    for (size_t i = 0; i < g->values.n; i++) k.value[i] = -1;
    for (size_t i = 0; i < g->nodes.n; i++) k.step_of[i] = -1;
    for (size_t i = 0; i < m->places.n; i++) k.place[i] = -1;
    /* a write may add a value to its place's */
    k.values = DG_ROOM(a, dg_plan_value, g->values.n + m->places.n);
    k.origins = dg_map_new(scratch);
    k.strings = dg_map_new(scratch);
    k.types = dg_map_new(scratch);
    k.lines = dg_map64_new(scratch);

    make_header(&k, o);
    make_tables(&k);
    add_region(&k, 0, -1);
    link_bases(&k);
    fill_tables(&k);
    find_lasts(&k);
    find_roles(&k);

    dg_plan *p = k.p;
    p->values = k.values;
    p->n_values = k.n_values;
    p->n_steps = (int)k.steps.n;
    p->n_loops = (int)k.loops.n;
    dg_vec_seal(&k.steps, a, p->steps);
    dg_vec_seal(&k.loops, a, p->loops);
    dg_decision *decisions = DG_ROOM(a, dg_decision, m->decisions.n + l->decisions.n);
    for (size_t i = 0; i < m->decisions.n; i++)
        add_decision(&k, &decisions[p->n_decisions++], &m->decisions.at[i]);
    for (size_t i = 0; i < l->decisions.n; i++)
        add_decision(&k, &decisions[p->n_decisions++], &l->decisions.at[i]);
    p->decisions = decisions;
    dg_heuristic *heuristics = DG_NEW_ARRAY(a, dg_heuristic, l->heuristics.n);
    for (size_t i = 0; i < l->heuristics.n; i++)
        heuristics[i] =
            (dg_heuristic){text_of(&k, l->heuristics.at[i].name), l->heuristics.at[i].bytes};
    p->heuristics = heuristics;
    p->n_heuristics = (int)l->heuristics.n;
    p->blas_core = text_of(&k, o->blas_core && dg_plan_calls_lapack(p) ? o->blas_core() : "none");
    make_summary(&k);
    dg_text_free(&k.text);
    dg_arena_free(scratch);
    return p;
}

uint64_t dg_plan_hash(const dg_plan *p)
{
    dg_text json = {0};
    dg_explain_json(p, &(dg_explain_options){.canonical = true}, &json);
    uint64_t hash = dg_hash(json.at, json.n);
    dg_text_free(&json);
    return hash;
}

void dg_plan_free(dg_plan *p)
{
    if (p) dg_arena_free(p->arena);
}

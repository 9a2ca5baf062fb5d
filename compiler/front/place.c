/* place.c: parameters and states: declared, read, written, swapped; their initialisers; the
 * module's table of them.
 *
 * In     param and state statements, reads, `:=`.
 * Out    one `place` node for each place the entry reads, one `write` for each it writes; a second
 *        graph with the initialisers.
 * Keeps  a place has one current value, an SSA name; a loop in which it is touched carries it.
 *        Places known from the pass before (params() was asked too early) are made ahead of their
 *        declaration. */
#include "compiler/front/lower.h"

#include <string.h>

/* ---- records ---- */

static dg_spot *new_spot(dg_lower *L, dg_str path, dg_type type, bool trained, dg_span span)
{
    dg_spot *p = DG_NEW(L->arena, dg_spot);
    p->path = path;
    p->type = type;
    p->trained = trained;
    p->span = span;
    p->index = (int)L->spots.n;
    p->entry_read = p->init_read = p->init_value = DG_NONE;
    p->init_write = DG_NONE;
    dg_vec_push(&L->spots, p);
    dg_map_set(L->spot_by_path, path, p);
    return p;
}

static dg_spot *spot_at(const dg_lower *L, dg_str path)
{
    return dg_map_get(L->spot_by_path, path);
}

/* ---- nodes of region 0 ---- */

static dg_value emit_place(dg_lower *L, const dg_spot *p)
{
    dg_build b = *L->b;
    b.region = 0;
    b.before = L->graph == 1 && p->trained ? L->first_state : DG_NONE;
    b.remat = 0;
    b.origin = p->origin ? p->origin : b.origin;
    b.scope = b.graph->nowhere;
    b.name = p->path;
    dg_attr attrs[] = {dg_attr_of_int("index", p->index), dg_attr_of_int("dtype", p->type.dtype),
                       dg_attr_of_ints(L->arena, "shape", p->type.shape.dim, p->type.shape.rank)};
    return dg_emit(&b, "place", attrs, 3, NULL, 0);
}

/* ---- reads and writes ---- */

static dg_spot_value *push_value(dg_lower *L, dg_spot *p, dg_loop *loop, dg_value v)
{
    dg_spot_value *s = DG_NEW(L->arena, dg_spot_value);
    *s = (dg_spot_value){.v = v, .loop = loop, .outer = p->now};
    return p->now = s;
}

/* Makes the place a carry of every open loop that does not carry it yet. */
static dg_spot_value *at_level(dg_lower *L, dg_spot *p, dg_loop *loop)
{
    if (p->now && p->now->loop == loop) return p->now;
    if (!loop) {
        if (p->entry_read == DG_NONE) p->entry_read = emit_place(L, p);
        return push_value(L, p, NULL, p->entry_read);
    }
    dg_value outside = at_level(L, p, loop->outer)->v;
    dg_value arg = dg_graph_add_arg(L->b->graph, loop->region, p->type, p->path);
    dg_vec_push(&loop->carries,
                (dg_carry){.init = outside, .arg = arg, .next = arg, .spot = p, .span = p->span});
    return push_value(L, p, loop, arg);
}

dg_value dg_spot_read(dg_lower *L, dg_spot *p)
{
    if (p->type.dtype == DG_POISON) return dg_poison_value(L);
    if (L->graph == 1) {
        if (!p->trained && !L->state_init) {
            dg_complain(
                L, "E045", L->origin_span,
                "the initialiser of a parameter cannot read the state %s: parameters come first",
                p->path);
            return dg_poison_value(L);
        }
        if (p->init_read == DG_NONE) p->init_read = emit_place(L, p);
        return p->init_read;
    }
    return at_level(L, p, L->loop)->v;
}

void dg_spot_write(dg_lower *L, dg_spot *p, dg_value v)
{
    at_level(L, p, L->loop)->v = v;
    p->written = true;
    p->write_origin = dg_build_origin(L->b);
}

/* ---- swap ---- */

static bool below(dg_str path, dg_str scope)
{
    size_t n = strlen(scope);
    return strncmp(path, scope, n) == 0 && path[n] == '.';
}

static void set_init(dg_lower *L, dg_spot *p, dg_value v, const char *text);

/* What is made inside belongs to the initialiser: other graph, other scope, no loop. */
typedef struct init_place {
    dg_build *b;
    dg_loop *loop;
    dg_scope *scope;
    const dg_swapped *swaps;
    int graph;
    bool state_init, training;
    dg_node last;
    dg_scope own;
} init_place;

static void enter_init(dg_lower *L, init_place *i, const dg_spot *p)
{
    dg_node last = dg_region_of(L->graphs[1].graph, 0)->last;
    *i = (init_place){L->b,          L->loop,     L->scope, L->swaps,         L->graph,
                      L->state_init, L->training, last,     {.path = p->path}};
    L->graph = 1;
    L->b = &L->graphs[1];
    L->loop = NULL;
    L->scope = &i->own;
    L->swaps = NULL;
    L->state_init = !p->trained;
    L->training = false;
    L->b->before = p->trained ? L->first_state : DG_NONE;
    L->b->origin = dg_build_origin(i->b);
    L->b->scope = p->path;
    L->b->name = NULL;
    L->origin_frame = NULL;
}

static void leave_init(dg_lower *L, const init_place *i)
{
    const dg_graph *g = L->graphs[1].graph;
    if (L->state_init && L->first_state == DG_NONE) /* parameters to come are put before it */
        L->first_state =
            i->last == DG_NONE ? dg_region_of(g, 0)->first : dg_node_of(g, i->last)->next;
    L->graph = i->graph;
    L->b = i->b;
    L->loop = i->loop;
    L->scope = i->scope;
    L->swaps = i->swaps;
    L->state_init = i->state_init;
    L->training = i->training;
    L->origin_frame = NULL;
}

static dg_spot *swapped_spot(dg_lower *L, dg_spot *p)
{
    if (!p->trained) return p;
    for (const dg_swapped *s = L->swaps; s; s = s->outer) {
        if (!below(p->path, s->model)) continue;
        dg_str path = dg_path_join_names(L, s->scope, p->path);
        dg_spot *q = spot_at(L, path);
        if (q) return q;
        q = new_spot(L, path, p->type, false, p->span);
        q->swap = s->scope;
        q->origin = p->origin;
        q->order = ++L->declared;
        init_place i;
        enter_init(L, &i, q);
        set_init(L, q, dg_spot_read(L, p), p->path);
        leave_init(L, &i);
        return q;
    }
    return p;
}

/* ---- initialisers ---- */

static void set_init(dg_lower *L, dg_spot *p, dg_value v, const char *text)
{
    dg_graph *g = L->b->graph;
    p->init = text;
    if (p->init_write != DG_NONE) { /* made by swap, now declared */
        if (L->first_state == p->init_write) L->first_state = dg_node_of(g, p->init_write)->next;
        dg_graph_unlink(g, p->init_write);
    }
    p->init_value = v;
    p->init_write = DG_NONE;
    dg_type have = *dg_type_of(g, v);
    if (have.dtype == DG_POISON) return;
    dg_attr index = dg_attr_of_int("index", p->index);
    p->init_write = dg_build_node(L->b, dg_op_named(L->b->graph, "write"), &index, 1, &v, 1);
}

static dg_sv eval_init(dg_lower *L, const dg_stmt *s, const dg_shape *dims)
{
    size_t mark = L->stack.n;
    if (dims)
        dg_bind_new(L, L->dims, dg_ints(L, dims->dim, dims->rank), s->span);
    dg_sv v = dg_settle(L, dg_eval_expr(L, s->b));
    if (L->stack.n > mark) L->stack.n = mark;
    return v;
}

/* The initial value of p as a tensor of its type; a state without a type takes that of its
 * value. */
static dg_value init_value(dg_lower *L, const dg_stmt *s, dg_spot *p, bool typed)
{
    dg_sv v = eval_init(L, s, typed ? &p->type.shape : NULL);
    dg_dtype like = typed ? p->type.dtype : DG_POISON;
    if (v.kind == DG_SV_POISON) return dg_poison_value(L);
    dg_at(L, s->b->span);
    dg_value x = dg_tensor_of(L, v, like, s->b->span, "the initial value");
    dg_type have = *dg_type_of(L->b->graph, x);
    if (have.dtype == DG_POISON) return x;
    if (!typed) {
        p->type = have;
        return x;
    }
    if (have.dtype == p->type.dtype && have.shape.rank == 0)
        return dg_expand(L->b, x, p->type.shape);
    if (dg_type_equal(&have, &p->type)) return x;
    dg_message *m = dg_complain(L, "E048", s->b->span,
                                "the initial value of `%s` does not have its type", s->name);
    dg_beside_set(L->diag, m, "%s, declared %s", dg_type_name(L->arena, &have),
                  dg_type_name(L->arena, &p->type));
    if (have.dtype != p->type.dtype)
        dg_help_add(L->diag, m, "convert it: %s(...)", dg_dtype_name(p->type.dtype));
    return dg_poison_value(L);
}

static void initialise(dg_lower *L, const dg_stmt *s, dg_spot *p, bool typed)
{
    init_place i;
    enter_init(L, &i, p);
    dg_value v = init_value(L, s, p, typed);
    dg_at(L, s->span);
    L->b->name = NULL;
    if (!dg_map_has(L->init_texts, s))
        dg_map_set(L->init_texts, s, (void *)dg_source_of(L, s->b->span)); /* one of many places */
    set_init(L, p, v, dg_map_get(L->init_texts, s));
    leave_init(L, &i);
}

/* ---- declarations ---- */

static bool declared_type(dg_lower *L, const dg_stmt *s, dg_type *out)
{
    if (!dg_texpr_is_tensor(s->type)) {
        dg_complain(L, "E010", s->type->span, "a %s is a tensor: f32[...], not %s",
                    s->kind == DG_S_PARAM ? "parameter" : "state", dg_texpr_text(L, s->type));
        return false;
    }
    out->dtype = s->type->dtype;
    if (!dg_shape_declared(L, s->type, &out->shape)) return false;
    if (s->kind == DG_S_PARAM && !dg_dtype_is_float(out->dtype)) {
        dg_complain(L, "E010", s->type->span, "a parameter is trained, so it is f32 or f64, not %s",
                    dg_dtype_name(out->dtype));
        return false;
    }
    return true;
}

/* The place is there: another call of its model, a swap before, or two paths that are one. */
static bool same_again(dg_lower *L, const dg_stmt *s, dg_spot *p, const dg_type *type)
{
    int call = L->scope->in ? L->scope->in->id : 0;
    if (p->declared && p->model_call == call) {
        dg_message *m =
            dg_complain(L, "E041", s->name_span, "two places have the path %s", p->path);
        dg_note_before(L, m, "the other one is declared at %s", dg_where_text(L, p->span));
        dg_help_add(L->diag, m,
                    "a label may hold dots; together with a name it must not repeat another path");
        return false;
    }
    if (type && !dg_type_equal(type, &p->type)) {
        dg_message *m = dg_complain(L, "E048", s->name_span,
                                    "the place %s has another type in another use", p->path);
        dg_beside_set(L->diag, m, "%s here, %s at %s", dg_type_name(L->arena, type),
                      dg_type_name(L->arena, &p->type), dg_where_text(L, p->span));
        return false;
    }
    return true;
}

dg_spot *dg_spot_declare(dg_lower *L, const dg_stmt *s)
{
    bool trained = s->kind == DG_S_PARAM;
    dg_str name = s->label ? dg_label(L, s->label) : s->name;
    dg_type type = {0};
    if (!dg_graph_wanted(L, s->span, trained ? "a parameter" : "a state") || !name ||
        (s->type && !declared_type(L, s, &type)))
        return NULL;
    if (!dg_scope_own(L, L->scope, name, s->name_span, trained ? "parameter" : "state"))
        return NULL;

    dg_str path = dg_path_join_names(L, L->scope->path, name);
    dg_spot *p = spot_at(L, path);
    dg_at(L, s->span);
    if (p && !same_again(L, s, p, s->type ? &type : NULL)) return NULL;
    if (!p) p = new_spot(L, path, type, trained, s->name_span);
    p->model_call = L->scope->in ? L->scope->in->id : 0;
    if (!p->declared) {
        p->declared = true;
        p->swap = NULL;
        p->trained = trained;
        p->span = s->name_span;
        p->origin = dg_build_origin(L->b);
        p->order = ++L->declared;
        initialise(L, s, p, s->type != NULL);
    }
    return swapped_spot(L, p);
}

/* ---- params() ---- */

dg_sv dg_params_of(dg_lower *L, dg_model *m)
{
    for (int i = 0; i < L->n_known; i++) { /* what the pass before found is there already */
        const dg_known_place *k = &L->known[i];
        if (k->trained && below(k->path, m->path) && !spot_at(L, k->path))
            new_spot(L, k->path, k->type, true, m->span);
    }
    DG_VEC(dg_sv) list = {0};
    DG_VEC(dg_str) paths = {0};
    for (size_t i = 0; i < L->spots.n; i++) {
        dg_spot *p = L->spots.at[i];
        if (!p->trained || !below(p->path, m->path)) continue;
        dg_vec_push(&list, (dg_sv){.kind = DG_SV_PLACE, .spot = p});
        dg_vec_push(&paths, p->path);
    }
    dg_sv v = dg_list_copy(L, DG_SV_LIST, list.at, (int64_t)list.n);
    dg_params_query q = {.model = m->path, .n = (int)paths.n};
    q.paths = dg_arena_copy(L->arena, paths.at, sizeof(dg_str) * paths.n);
    dg_vec_push(&L->queries, q);
    dg_vec_free(&list);
    dg_vec_free(&paths);
    return v;
}

bool dg_places_settled(dg_lower *L)
{
    for (size_t k = 0; k < L->queries.n; k++) {
        const dg_params_query *q = &L->queries.at[k];
        int n = 0;
        for (size_t i = 0; i < L->spots.n; i++) {
            const dg_spot *p = L->spots.at[i];
            n += p->declared && p->trained && below(p->path, q->model);
        }
        if (n != q->n) return false;
        for (int i = 0; i < q->n; i++) {
            const dg_spot *p = spot_at(L, q->paths[i]);
            if (!p || !p->declared) return false;
        }
    }
    return true;
}

/* ---- the end ---- */

static void renumber(dg_lower *L, dg_graph *g, dg_node n, int index)
{
    dg_node_info *info = dg_node_of(g, n);
    dg_attr *at = dg_arena_copy(L->arena, info->attrs.at, sizeof(dg_attr) * (size_t)info->attrs.n);
    for (int i = 0; i < info->attrs.n; i++) {
        if (strcmp(at[i].name, "index") == 0) at[i].v.i = index;
    }
    info->attrs.at = at;
}

static int by_order(const dg_spot *a, const dg_spot *b)
{
    return a->order < b->order ? -1 : a->order > b->order;
}

/* Nearly sorted as it is: places made ahead of their declaration are the exception. */
static void sort_spots(dg_lower *L)
{
    for (size_t i = 1; i < L->spots.n; i++) {
        dg_spot *p = L->spots.at[i];
        size_t k = i;
        for (; k > 0 && by_order(p, L->spots.at[k - 1]) < 0; k--)
            L->spots.at[k] = L->spots.at[k - 1];
        L->spots.at[k] = p;
    }
}

void dg_places_finish(dg_lower *L)
{
    sort_spots(L);
    for (size_t i = 0; i < L->spots.n; i++) {
        dg_spot *p = L->spots.at[i];
        dg_graph *g = L->graphs[0].graph, *init = L->graphs[1].graph;
        int index = (int)i;
        if (p->index != index) {
            if (p->entry_read != DG_NONE) renumber(L, g, dg_value_of(g, p->entry_read)->def, index);
            if (p->init_read != DG_NONE)
                renumber(L, init, dg_value_of(init, p->init_read)->def, index);
            if (p->init_write != DG_NONE) renumber(L, init, p->init_write, index);
            p->index = index;
        }
        if (p->written && p->now && p->now->v != p->entry_read) {
            dg_attr attr = dg_attr_of_int("index", index);
            L->b->origin = p->write_origin;
            L->b->scope = g->nowhere;
            L->b->name = p->path;
            dg_build_node(L->b, dg_op_named(L->b->graph, "write"), &attr, 1, &p->now->v, 1);
        }
        dg_place place = {.path = p->path,
                          .type = p->type,
                          .trained = p->trained,
                          .origin = p->origin,
                          .init = p->init,
                          .swap = p->swap};
        dg_vec_push(&L->module->places, place);
    }
}

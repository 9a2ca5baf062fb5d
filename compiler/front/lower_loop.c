/* lower_loop.c: `loop` becomes one node with a region.
 *
 * In     a list of numbers or of tuples of numbers, a body.
 * Out    tables for the columns, gathered by the trip; carries: names that existed before and are
 *        assigned inside, places that are touched, reports that are stacked.
 * Method the body is built in a region without an owner, carries appended as they are found; then
 *        those that did not change are replaced by what they were, and the node is made behind all
 *        that the body needed from outside. */
#include "compiler/front/lower.h"

#include <string.h>

/* ---- which names a body assigns ---- */

typedef DG_VEC(dg_str) name_list;

static bool has_name(const name_list *l, dg_str name)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->at[i] == name) return true;
    }
    return false;
}

static void add_targets(const dg_expr *e, const name_list *hidden, name_list *out)
{
    if (e->kind == DG_E_NAME && !has_name(hidden, e->text) && !has_name(out, e->text))
        dg_vec_push(out, e->text);
    for (int i = 0; e->kind == DG_E_TUPLE && i < e->n; i++) add_targets(e->items[i], hidden, out);
}

/* In order of first assignment. Targets of a `for` or `loop` are local to its body. Says
 * whether there is a `return`. */
static bool assigned(const dg_block_ast *b, name_list *hidden, name_list *out)
{
    bool returns = false;
    for (int i = 0; i < b->n; i++) {
        const dg_stmt *s = b->at[i];
        size_t mark = hidden->n;
        returns |= s->kind == DG_S_RETURN;
        if (s->kind == DG_S_ASSIGN || s->kind == DG_S_BIND) add_targets(s->a, hidden, out);
        if (s->kind == DG_S_FOR || s->kind == DG_S_LOOP) {
            for (int k = 0; k < s->target.n; k++) dg_vec_push(hidden, s->target.names[k]);
        }
        if (s->body) returns |= assigned(s->body, hidden, out);
        if (s->otherwise) returns |= assigned(s->otherwise, hidden, out);
        hidden->n = mark;
    }
    return returns;
}

void dg_skip(dg_lower *L, const dg_block_ast *b)
{
    name_list hidden = {0}, names = {0};
    bool returns = assigned(b, &hidden, &names);
    for (size_t i = 0; i < names.n; i++) dg_bind(L, names.at[i], dg_sv_poison, b->span);
    if (returns) {
        L->frame->returned = true;
        L->frame->result = dg_sv_poison;
    }
    dg_vec_free(&hidden);
    dg_vec_free(&names);
}

/* ---- carried names ---- */

typedef struct carried {
    dg_str name;
    size_t binding; /* in the stack */
    dg_sv before;   /* as it was */
    dg_sv inside;   /* with arguments of the region in place of tensors */
    size_t first;   /* carry of its first leaf */
    size_t n;       /* leaves */
} carried;

typedef DG_VEC(carried) carried_list;

/* Numbers and tensors in v become carries; other values stay what they are. */
static dg_sv make_carries(dg_lower *L, dg_loop *loop, dg_sv v, dg_str name, dg_span span)
{
    v = dg_settle(L, v);
    if (v.kind == DG_SV_LIST || v.kind == DG_SV_TUPLE) {
        dg_sv copy = dg_list_new(L, (dg_sv_kind)v.kind, v.list->n);
        copy.list->depth = v.list->depth;
        for (int64_t i = 0; i < v.list->n; i++)
            copy.list->at[i] = make_carries(L, loop, v.list->at[i], name, span);
        return copy;
    }
    if (v.kind != DG_SV_TENSOR && !dg_sv_is_number(v)) return v;
    dg_value init = dg_tensor_of(L, v, DG_POISON, span, "a carry");
    dg_type t = *dg_type_of(L->b->graph, init);
    if (t.dtype == DG_POISON) return dg_sv_poison;
    dg_value arg =
        dg_graph_add_arg(L->b->graph, loop->region, t, dg_path_join_names(L, L->scope->path, name));
    dg_vec_push(&loop->carries, (dg_carry){.init = init, .arg = arg, .next = arg, .span = span});
    return dg_sv_of_tensor(L, arg);
}

static void changes_type(dg_lower *L, const carried *c, dg_span span, const char *before,
                         const char *after)
{
    dg_message *m =
        dg_complain(L, "E031", span, "`%s` is carried by this loop and changes type", c->name);
    dg_beside_set(L->diag, m, "%s on entry, %s after one iteration", before, after);
}

/* The leaves of the value that a carried name has at the end of the body. */
static bool next_values(dg_lower *L, dg_loop *loop, const carried *c, dg_sv inside, dg_sv after,
                        size_t *leaf, dg_span span)
{
    after = dg_settle(L, after);
    if (after.kind == DG_SV_POISON || inside.kind == DG_SV_POISON) return false;
    if (inside.kind == DG_SV_LIST || inside.kind == DG_SV_TUPLE) {
        if (after.kind != inside.kind || after.list->n != inside.list->n) {
            changes_type(L, c, span, dg_sv_kind_text(L, inside), dg_sv_kind_text(L, after));
            return false;
        }
        for (int64_t i = 0; i < inside.list->n; i++) {
            if (!next_values(L, loop, c, inside.list->at[i], after.list->at[i], leaf, span))
                return false;
        }
        return true;
    }
    if (inside.kind != DG_SV_TENSOR) {
        if (dg_sv_equal(inside, after)) return true;
        changes_type(L, c, span, dg_sv_show(L, inside), dg_sv_show(L, after));
        return false;
    }
    dg_carry *k = &loop->carries.at[(*leaf)++];
    dg_type want = *dg_type_of(L->b->graph, k->arg);
    bool table = after.kind == DG_SV_LIST || after.kind == DG_SV_BOOL;
    if (!dg_sv_is_number(after) && after.kind != DG_SV_TENSOR && !table) {
        changes_type(L, c, span, dg_type_name(L->arena, &want), dg_sv_kind_text(L, after));
        return false;
    }
    if (after.kind == DG_SV_FLOAT && !dg_dtype_is_float(want.dtype)) {
        changes_type(L, c, span, dg_type_name(L->arena, &want), "a float");
        return false;
    }
    dg_value v = dg_tensor_of(L, after, after.kind == DG_SV_TENSOR ? DG_POISON : want.dtype, span,
                              "a carry");
    dg_type have = *dg_type_of(L->b->graph, v);
    if (have.dtype == DG_POISON) return false;
    if (!dg_type_equal(&have, &want)) {
        changes_type(L, c, span, dg_type_name(L->arena, &want), dg_type_name(L->arena, &have));
        return false;
    }
    k->next = v;
    return true;
}

/* What the name is behind the loop. */
static dg_sv after_loop(dg_lower *L, const dg_loop *loop, dg_sv inside, dg_sv before, size_t *leaf)
{
    if (inside.kind == DG_SV_LIST || inside.kind == DG_SV_TUPLE) {
        dg_sv copy = dg_list_new(L, (dg_sv_kind)inside.kind, inside.list->n);
        copy.list->depth = inside.list->depth;
        for (int64_t i = 0; i < inside.list->n; i++)
            copy.list->at[i] = after_loop(L, loop, inside.list->at[i], before.list->at[i], leaf);
        return copy;
    }
    if (inside.kind != DG_SV_TENSOR) return inside;
    const dg_carry *k = &loop->carries.at[(*leaf)++];
    return k->next == k->arg ? before : dg_sv_of_tensor(L, k->next);
}

/* ---- tables of the list ---- */

static bool column(dg_lower *L, const dg_list *list, int part, dg_sv *out)
{
    *out = dg_list_new(L, DG_SV_LIST, list->n);
    for (int64_t i = 0; i < list->n; i++) {
        dg_sv v = list->at[i];
        if (part >= 0) {
            if ((v.kind != DG_SV_TUPLE && v.kind != DG_SV_LIST) || part >= v.list->n) return false;
            v = v.list->at[part];
        }
        if (!dg_sv_is_number(v) && v.kind != DG_SV_BOOL) return false;
        out->list->at[i] = v;
    }
    return true;
}

static bool not_numbers(dg_lower *L, const dg_stmt *s, dg_sv list)
{
    dg_message *m = dg_complain(L, "E030", s->b->span,
                                "`loop` runs over a list of numbers, or of tuples of numbers");
    dg_sv first = list.list->n > 0 ? list.list->at[0] : dg_sv_none;
    dg_beside_set(L->diag, m, "its first element is %s", dg_sv_kind_text(L, first));
    if (dg_sv_has_graph(list))
        dg_help_add(L->diag, m, "`for` unrolls; or loop i in 0..%lld over a tensor",
                    (long long)list.list->n);
    return false;
}

/* The tables stand outside, where a change of the list changes nothing but them. */
static bool make_tables(dg_lower *L, const dg_stmt *s, dg_sv list, dg_sv *tables)
{
    for (int k = 0; k < s->target.n; k++) {
        dg_sv col;
        if (!s->target.tuple && list.list->range) return true;
        if (!column(L, list.list, s->target.tuple ? k : -1, &col)) return not_numbers(L, s, list);
        for (int64_t i = 0; s->target.tuple && i < list.list->n; i++) {
            if (list.list->at[i].list->n == s->target.n) continue;
            dg_complain(L, "E021", s->target.span, "%d names for %s", s->target.n,
                        dg_sv_kind_text(L, list.list->at[i]));
            return false;
        }
        tables[k] = dg_sv_of_tensor(L, dg_table_value(L, col, DG_POISON, s->b->span));
    }
    return true;
}

static void bind_loop_targets(dg_lower *L, const dg_stmt *s, dg_sv list, const dg_loop *loop,
                              const dg_sv *tables)
{
    dg_at(L, s->target.span);
    for (int k = 0; k < s->target.n; k++) {
        dg_value v = loop->trip;
        L->b->name = s->target.names[k];
        if (!s->target.tuple && list.list->range) {
            if (list.list->at[0].i != 0)
                v = dg_add(L->b, v, dg_number_value(L, (double)list.list->at[0].i, DG_I32));
        } else {
            dg_attr axis = dg_attr_of_int("axis", 0);
            v = dg_emit(L->b, "gather", &axis, 1, (dg_value[]){tables[k].v, loop->trip}, 2);
        }
        L->b->name = NULL;
        dg_bind_new(L, s->target.names[k], dg_sv_of_tensor(L, v), s->target.span)->target = true;
    }
}

/* ---- trips and reports ---- */

dg_value dg_flat_trip(dg_lower *L)
{
    dg_loop *loop = L->loop;
    if (!loop) return dg_number_value(L, 0, DG_I32);
    if (!loop->outer) return loop->trip;
    if (loop->flat != DG_NONE) return loop->flat;
    dg_loop *outer = loop->outer;
    L->loop = outer;
    dg_region region = L->b->region;
    L->b->region = outer->region;
    dg_value base = dg_flat_trip(L);
    base = dg_mul(L->b, base, dg_number_value(L, (double)loop->trips, DG_I32));
    L->b->region = region;
    L->loop = loop;
    return loop->flat = dg_add(L->b, base, loop->trip);
}

void dg_report_value(dg_lower *L, dg_str name, dg_value v, dg_span span)
{
    dg_type t = *dg_type_of(L->b->graph, v);
    if (t.dtype == DG_POISON) return;
    dg_loop *loop = L->loop;
    if (!loop) {
        dg_vec_push(&L->reported, (dg_port){.name = name, .type = t, .report = true, .span = span});
        dg_vec_push(&L->reported_value, v);
        return;
    }
    dg_type stack = t;
    if (t.shape.rank == DG_MAX_RANK) {
        dg_complain(L, "E018", span, "report: a value of %d axes cannot be stacked by a loop",
                    DG_MAX_RANK);
        return;
    }
    stack.shape.rank++;
    stack.shape.dim[0] = loop->trips;
    for (int i = 0; i < t.shape.rank; i++) stack.shape.dim[i + 1] = t.shape.dim[i];
    dg_region region = L->b->region;
    L->b->region = loop->outer ? loop->outer->region : 0;
    dg_value init = dg_full(L->b, t.dtype, stack.shape, 0);
    L->b->region = region;
    dg_value arg = dg_graph_add_arg(L->b->graph, loop->region, stack,
                                    dg_path_join_names(L, L->scope->path, name));
    dg_value next = dg_emit(L->b, "update", NULL, 0, (dg_value[]){arg, loop->trip, v}, 3);
    dg_vec_push(&loop->carries,
                (dg_carry){.init = init, .arg = arg, .next = next, .report = name, .span = span});
}

/* ---- the node ---- */

/* Values that are made since `first` read `to` in place of `from`. */
static void replace_since(dg_graph *g, size_t first_node, size_t first_region, const dg_value *map,
                          dg_value least, dg_value most)
{
    for (size_t n = first_node; n < g->nodes.n; n++) {
        dg_node_info *i = &g->nodes.at[n];
        for (int k = 0; k < i->n_in; k++) {
            if (i->in[k] >= least && i->in[k] <= most) i->in[k] = map[i->in[k] - least];
        }
    }
    for (size_t r = first_region; r < g->regions.n; r++) {
        for (size_t k = 0; k < g->regions.at[r].results.n; k++) {
            dg_value *v = &g->regions.at[r].results.at[k];
            if (*v >= least && *v <= most) *v = map[*v - least];
        }
    }
}

/* Carries that kept their value are none: their argument is what it was outside. */
static void drop_unchanged(dg_lower *L, dg_loop *loop, size_t first_node, dg_value first_value)
{
    dg_graph *g = L->b->graph;
    dg_value n = (dg_value)g->values.n;
    bool any = false;
    dg_value *map = DG_NEW_ARRAY(L->arena, dg_value, n - first_value);
    for (dg_value v = first_value; v < n; v++) map[v - first_value] = v;
    for (size_t i = 0; i < loop->carries.n; i++) {
        const dg_carry *c = &loop->carries.at[i];
        if (c->next != c->arg) continue;
        map[c->arg - first_value] = c->init;
        any = true;
    }
    if (!any) return;
    replace_since(g, first_node, (size_t)loop->region, map, first_value, n - 1);
    for (size_t i = 0; i < loop->carries.n; i++) {
        dg_carry *c = &loop->carries.at[i];
        if (c->next != c->arg && c->next >= first_value) c->next = map[c->next - first_value];
        if (c->init >= first_value && c->init < n) c->init = map[c->init - first_value];
    }
    if (loop->stop >= first_value) loop->stop = map[loop->stop - first_value];
}

static void make_node(dg_lower *L, dg_loop *loop)
{
    dg_graph *g = L->b->graph;
    dg_region_info *region = dg_region_of(g, loop->region);
    size_t most = loop->carries.n;
    dg_value *init = DG_NEW_ARRAY(L->arena, dg_value, most);
    dg_type *types = DG_NEW_ARRAY(L->arena, dg_type, most);
    int n = 0;
    region->args.n = 1;
    for (size_t i = 0; i < most; i++) {
        const dg_carry *c = &loop->carries.at[i];
        if (c->next == c->arg) continue;
        init[n] = c->init;
        types[n] = *dg_type_of(g, c->arg);
        dg_value_of(g, c->arg)->index = (int)region->args.n;
        dg_vec_push(&region->args, c->arg);
        dg_vec_push(&region->results, c->next);
        n++;
    }
    if (loop->stop != DG_NONE) dg_vec_push(&region->results, loop->stop);
    dg_attr *attrs = DG_NEW_ARRAY(L->arena, dg_attr, 2);
    attrs[0] = dg_attr_of_int("trips", loop->trips);
    attrs[1] = dg_attr_of_int("stop", loop->stop != DG_NONE);
    dg_node node = dg_graph_add(g, L->b->region, L->b->before, L->find("loop"),
                                (dg_attrs){2, attrs}, init, n, types, n);
    dg_node_info *info = dg_node_of(g, node);
    info->body = loop->region;
    info->scope = L->scope->path;
    info->origin = dg_build_origin(L->b);
    info->remat = L->b->remat;
    dg_region_of(g, loop->region)->owner = node;
    for (size_t i = 0, k = 0; i < most; i++) {
        dg_carry *c = &loop->carries.at[i];
        if (c->next == c->arg) continue;
        dg_value out = dg_node_of(g, node)->out[k++];
        dg_value_of(g, out)->path = dg_value_of(g, c->arg)->path;
        c->next = out; /* from here on: what the name is behind the loop */
    }
}

/* Places and reports of the loop, as the code around it sees them. */
static void close_hidden(dg_lower *L, dg_loop *loop)
{
    for (size_t i = 0; i < loop->carries.n; i++) {
        const dg_carry *c = &loop->carries.at[i];
        if (c->spot && c->next != c->arg) c->spot->now->v = c->next;
        if (c->report) dg_report_value(L, c->report, c->next, c->span);
    }
}

/* ---- the statement ---- */

static void open_carries(dg_lower *L, dg_loop *loop, const dg_stmt *s, carried_list *out)
{
    name_list hidden = {0}, names = {0};
    for (int k = 0; k < s->target.n; k++) dg_vec_push(&hidden, s->target.names[k]);
    assigned(s->body, &hidden, &names);
    for (size_t i = 0; i < names.n; i++) {
        dg_binding *b = dg_binding_local(L, names.at[i]);
        if (!b) continue;
        carried c = {
            .name = names.at[i], .binding = (size_t)(b - L->stack.at), .first = loop->carries.n};
        c.before = dg_settle(L, b->v);
        c.inside = make_carries(L, loop, c.before, c.name, b->span);
        c.n = loop->carries.n - c.first;
        L->stack.at[c.binding].v = c.inside;
        dg_vec_push(out, c);
    }
    dg_vec_free(&hidden);
    dg_vec_free(&names);
}

/* Inside the region: what the carried names and places are for the next trip. */
static bool close_body(dg_lower *L, dg_loop *loop, const carried_list *names)
{
    bool good = true;
    for (size_t i = 0; i < names->n; i++) {
        const carried *c = &names->at[i];
        const dg_binding *b = &L->stack.at[c->binding];
        size_t leaf = c->first;
        good &= next_values(L, loop, c, c->inside, b->v, &leaf, b->span);
    }
    for (size_t i = 0; i < loop->carries.n; i++) {
        dg_carry *c = &loop->carries.at[i];
        if (!c->spot) continue;
        c->next = c->spot->now->v;
        c->spot->now = c->spot->now->outer;
    }
    return good;
}

static void run(dg_lower *L, const dg_stmt *s, dg_sv list, const dg_sv *tables)
{
    dg_graph *g = L->b->graph;
    dg_loop loop = {.outer = L->loop,
                    .graph = L->graph,
                    .trips = list.list->n,
                    .flat = DG_NONE,
                    .stop = DG_NONE,
                    .span = s->span};
    carried_list names = {0};
    size_t first_node = g->nodes.n;
    dg_value first_value = (dg_value)g->values.n;
    loop.region = dg_graph_add_region(g, DG_NONE);
    dg_type trip = {DG_I32, DG_SCALAR};
    loop.trip =
        dg_graph_add_arg(g, loop.region, trip, dg_path_join_names(L, L->scope->path, "trip"));
    dg_at(L, s->span);
    open_carries(L, &loop, s, &names);

    dg_region region = L->b->region;
    dg_node before = L->b->before;
    size_t mark = L->stack.n;
    L->b->region = loop.region;
    L->b->before = DG_NONE;
    L->loop = &loop;
    bind_loop_targets(L, s, list, &loop, tables);
    dg_exec(L, s->body);
    dg_at(L, s->span);
    bool good = close_body(L, &loop, &names);
    L->stack.n = mark;
    L->loop = loop.outer;
    L->b->region = region;
    L->b->before = before;

    drop_unchanged(L, &loop, first_node, first_value);
    dg_at(L, s->span);
    make_node(L, &loop);
    close_hidden(L, &loop);
    for (size_t i = 0; i < names.n; i++) {
        const carried *c = &names.at[i];
        size_t leaf = c->first;
        L->stack.at[c->binding].v =
            good ? after_loop(L, &loop, c->inside, c->before, &leaf) : dg_sv_poison;
    }
    dg_vec_free(&names);
    dg_vec_free(&loop.carries);
}

void dg_exec_loop(dg_lower *L, const dg_stmt *s)
{
    dg_sv list = dg_eval_expr(L, s->b);
    if (!dg_graph_wanted(L, s->span, "a loop")) return;
    if (list.kind == DG_SV_LIST && list.list->n == 0) return;
    dg_sv *tables = DG_NEW_ARRAY(L->arena, dg_sv, s->target.n);
    bool good = false;
    if (list.kind == DG_SV_LIST) {
        dg_at(L, s->span);
        good = make_tables(L, s, list, tables);
    } else if (list.kind != DG_SV_POISON) {
        dg_message *m =
            dg_complain(L, dg_sv_is_graph(list) ? "E025" : "E030", s->b->span,
                        "`loop` runs over a list of numbers, not %s", dg_sv_kind_text(L, list));
        if (dg_sv_is_graph(list))
            dg_help_add(L->diag, m, "loop i in 0..dim(%s, 0), and index with [i]",
                        dg_source_of(L, s->b->span));
        else if (list.kind == DG_SV_INT)
            dg_help_add(L->diag, m, "loop %s in 0..%s", s->target.names[0],
                        dg_source_of(L, s->b->span));
    }
    if (good && list.list->n > INT32_MAX) good = false;
    if (good)
        run(L, s, list, tables);
    else
        dg_skip(L, s->body);
}

/* lower.c: the elaboration of one entry, as often as it takes for params() to be true.
 *
 * In     a front with its files, an entry, its static arguments.
 * Out    a module: the entry's graph, the initialisers' graph, tables of places and ports. Types
 *        were inferred as nodes were made; that all of it is well formed is checked where one
 *        looks for mistakes (`verify` of dg_pass_options, tests).
 * Keeps  each pass starts from nothing but the list of places that the pass before found; only the
 *        last one reports. */
#include "compiler/front/lower.h"

#include "compiler/ir/rewrite.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* ---- making and dropping an elaborator ---- */

/* Three quarters of the C stack that is left at most; the rest is for what an expression calls. */
static char *stack_floor(char *here)
{
    struct rlimit r;
    size_t size = (size_t)8 << 20;
    if (getrlimit(RLIMIT_STACK, &r) == 0 && r.rlim_cur != RLIM_INFINITY && r.rlim_cur < size)
        size = (size_t)r.rlim_cur;
    return here - size / 4 * 3;
}

void dg_lower_open(dg_lower *L, dg_front *f, dg_arena *a)
{
    char here;
    *L = (dg_lower){
        .front = f, .arena = a, .strings = f->strings, .diag = f->diag, .first_state = DG_NONE};
    L->stack_low = stack_floor(&here);
    L->bytes_at_start = dg_arena_used(a);
    L->errors_at_start = dg_diag_errors(f->diag);
    L->models = dg_map_new(a);
    L->reports = dg_map_new(a);
    L->dims = dg_intern_z(f->strings, "dims");
    L->spot_by_path = dg_map_new(a);
    L->init_texts = dg_map_new(a);
    for (int i = 0; i < 3; i++)
        for (int t = 0; t < DG_DTYPES; t++) L->numbers[i][t] = dg_map64_new(a);
    for (int i = 0; i < 2; i++) L->imported[i] = dg_map64_new(a);
    L->root.path = dg_intern(f->strings, "", 0);
    L->scope = &L->root;
    f->pass++;
}

void dg_lower_close(dg_lower *L)
{
    dg_vec_free(&L->stack);
    dg_vec_free(&L->spots);
    dg_vec_free(&L->queries);
    for (int i = 0; i < 3; i++) dg_vec_free(&L->tables[i]);
    dg_vec_free(&L->reported);
    dg_vec_free(&L->reported_value);
}

static void new_module(dg_lower *L)
{
    dg_module *m = DG_NEW(L->arena, dg_module);
    m->arena = L->arena;
    m->strings = L->strings;
    m->diag = L->diag;
    m->entry = L->entry->name;
    m->train = L->entry->kind == DG_TRAIN;
    m->is_test = L->entry->kind == DG_TEST;
    m->graph = dg_graph_new(L->arena, L->strings, L->find);
    m->init = dg_graph_new(L->arena, L->strings, L->find);
    L->module = m;
    for (int i = 0; i < 2; i++) {
        L->graphs[i] =
            (dg_build){.graph = i ? m->init : m->graph, .before = DG_NONE, .phase = DG_FORWARD};
        L->graphs[i].scope = dg_intern(L->strings, "", 0);
        L->graphs[i].refused = dg_refused;
        L->graphs[i].ctx = L;
    }
    L->b = &L->graphs[0];
}

/* ---- arguments of the entry ---- */

static const dg_setting_in *given(const dg_setting_in *args, int n, const char *name)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(args[i].name, name) == 0) return &args[i];
    }
    return NULL;
}

static bool is_input(const dg_formal *f)
{
    return f->type && dg_texpr_is_tensor(f->type);
}

static void record(dg_lower *L, dg_str name, dg_sv v, bool config)
{
    dg_text t = {0};
    dg_sv_text(L, v, &t);
    dg_setting s = {name, dg_intern(L->strings, t.at ? t.at : "", t.n)};
    if (config)
        dg_vec_push(&L->module->config, s);
    else
        dg_vec_push(&L->module->args, s);
    dg_text_free(&t);
}

static void bind_static(dg_lower *L, const dg_formal *f, const dg_setting_in *in)
{
    dg_sv v = dg_sv_poison;
    dg_build *b = L->b;
    L->b = NULL;
    dg_sv fallback = f->fallback ? dg_eval_expr(L, f->fallback) : dg_sv_none;
    if (in) {
        if (!dg_setting_value(L, in, f->type, fallback, f->fallback != NULL, &v)) v = dg_sv_poison;
    } else if (f->fallback) {
        v = f->type ? dg_fit(L, f->type, fallback, f->fallback->span, f->name) : fallback;
    } else {
        dg_message *m = dg_complain(L, "E053", f->span, "the argument `%s` of %s has no value",
                                    f->name, L->entry->name);
        dg_help_add(L->diag, m, "give it, %s=..., or a default in the entry", f->name);
    }
    L->b = b;
    dg_bind_new(L, f->name, v, f->span);
    if (v.kind != DG_SV_POISON) record(L, f->name, v, false);
}

static void bind_input(dg_lower *L, const dg_formal *f)
{
    dg_type t = {.dtype = f->type->dtype};
    if (!dg_shape_declared(L, f->type, &t.shape)) {
        dg_bind_new(L, f->name, dg_sv_poison, f->span);
        return;
    }
    int index = (int)L->module->inputs.n;
    dg_vec_push(&L->module->inputs, (dg_port){.name = f->name, .type = t, .span = f->span});
    dg_attr attrs[] = {dg_attr_of_int("index", index), dg_attr_of_int("dtype", t.dtype),
                       dg_attr_of_ints(L->arena, "shape", t.shape.dim, t.shape.rank)};
    dg_at(L, f->span);
    L->b->name = f->name;
    dg_sv v = dg_emit_at(L, "input", attrs, 3, NULL, 0);
    L->b->name = NULL;
    dg_bind_new(L, f->name, v, f->span);
}

static void unknown_argument(dg_lower *L, const dg_setting_in *in)
{
    const dg_entry_info *e = L->entry;
    const char *best = NULL;
    for (int i = 0, least = 3; i < e->n_formals; i++) {
        int d = dg_edit_distance(e->formals[i].name, in->name, least);
        if (d < least) best = e->formals[i].name, least = d;
    }
    bool input = false;
    for (int i = 0; i < e->n_formals; i++)
        input |= is_input(&e->formals[i]) && strcmp(e->formals[i].name, in->name) == 0;
    dg_setting_error(
        L, in, "E131",
        input
            ? dg_arena_printf(L->arena, "the argument `%s` of %s is a tensor: it is bound to data",
                              in->name, e->name)
        : best ? dg_arena_printf(L->arena, "%s has no argument '%s' (did you mean '%s'?)", e->name,
                                 in->name, best)
               : dg_arena_printf(L->arena, "%s has no argument '%s'", e->name, in->name));
}

/* Static ones before any tensor's sizes are read. */
static void bind_arguments(dg_lower *L, const dg_setting_in *args, int n)
{
    const dg_entry_info *e = L->entry;
    for (int i = 0; i < n; i++) {
        bool known = false;
        for (int k = 0; k < e->n_formals; k++)
            known |= !is_input(&e->formals[k]) && strcmp(e->formals[k].name, args[i].name) == 0;
        if (!known) unknown_argument(L, &args[i]);
    }
    for (int k = 0; k < e->n_formals; k++) {
        if (!is_input(&e->formals[k]))
            bind_static(L, &e->formals[k], given(args, n, e->formals[k].name));
    }
    for (int k = 0; k < e->n_formals; k++) {
        if (is_input(&e->formals[k])) bind_input(L, &e->formals[k]);
    }
}

/* ---- results ---- */

static void emit_output(dg_lower *L, dg_value v, dg_port port)
{
    dg_attr index = dg_attr_of_int("index", (int)L->module->outputs.n);
    dg_vec_push(&L->module->outputs, port);
    L->b->name = port.name;
    dg_build_node(L->b, L->find("output"), &index, 1, &v, 1);
    L->b->name = NULL;
}

static void outputs(dg_lower *L, dg_sv v, dg_span span)
{
    if (v.kind == DG_SV_TUPLE || v.kind == DG_SV_LIST) {
        bool table = v.kind == DG_SV_LIST && !dg_sv_has_graph(v);
        for (int64_t i = 0; !table && i < v.list->n; i++)
            outputs(L, dg_settle(L, v.list->at[i]), span);
        if (!table) return;
    }
    if (v.kind == DG_SV_POISON || v.kind == DG_SV_NONE) return;
    dg_value x = dg_tensor_of(L, v, DG_POISON, span, "the result");
    dg_type t = *dg_type_of(L->b->graph, x);
    if (t.dtype == DG_POISON) return;
    int n = (int)L->module->outputs.n;
    dg_str name =
        n == 0 ? dg_intern_z(L->strings, "result") : dg_intern_printf(L->strings, "result.%d", n);
    dg_at(L, span);
    emit_output(L, x, (dg_port){.name = name, .type = t, .span = span});
}

static void reports(dg_lower *L)
{
    for (size_t i = 0; i < L->reported.n; i++) {
        dg_at(L, L->reported.at[i].span);
        emit_output(L, L->reported_value.at[i], L->reported.at[i]);
    }
}

/* ---- phases: what only writes need is the update ---- */

typedef DG_VEC(dg_value) value_list;

static void mark_needed(const dg_graph *g, dg_node n, bool *forward, value_list *work)
{
    const dg_node_info *i = dg_node_of(g, n);
    if (forward[n]) return;
    forward[n] = true;
    for (int k = 0; k < i->n_in; k++) dg_vec_push(work, i->in[k]);
    if (i->body == DG_NONE) return;
    const dg_region_info *r = dg_region_of(g, i->body);
    for (size_t k = 0; k < r->results.n; k++) dg_vec_push(work, r->results.at[k]);
}

static void set_phases(dg_lower *L)
{
    const dg_graph *g = L->module->graph;
    const dg_op *output = L->find("output"), *check = L->find("check"), *grad = L->find("grad");
    bool *forward = DG_NEW_ARRAY(L->arena, bool, g->nodes.n);
    value_list work = {0};
    for (dg_node n = 0; n < (dg_node)g->nodes.n; n++) {
        const dg_node_info *i = dg_node_of(g, n);
        if (!i->op) continue;
        bool result =
            i->op == output && !L->module->outputs.at[dg_attr_int(&i->attrs, "index")].report;
        if (result || i->op == check || i->op->traits & DG_LEAF) mark_needed(g, n, forward, &work);
        if (i->op == grad) {
            for (int k = 0; k < i->n_in; k++) dg_vec_push(&work, i->in[k]);
        }
    }
    while (work.n > 0) {
        dg_value v = dg_vec_pop(&work);
        dg_node def = dg_value_of(g, v)->def;
        if (def != DG_NONE) mark_needed(g, def, forward, &work);
    }
    dg_vec_free(&work);
    for (dg_node n = 0; n < (dg_node)g->nodes.n; n++) {
        if (!forward[n]) dg_node_of(g, n)->phase = DG_UPDATE;
    }
}

/* ---- one pass ---- */

static void file_asserts(dg_lower *L)
{
    for (size_t i = 0; i < L->front->units.n; i++) {
        dg_unit *u = L->front->units.at[i];
        for (int k = 0; k < u->tree->n; k++) {
            const dg_decl *d = u->tree->decls[k];
            if (d->kind != DG_C_ASSERT) continue;
            dg_frame frame = {.unit = u, .call = d->span};
            dg_build *b = L->b;
            L->b = NULL;
            dg_frame_enter(L, &frame);
            dg_exec_assert(L, d->value, d->message, d->span);
            dg_frame_leave(L, &frame);
            L->b = b;
        }
    }
}

void dg_check_static(dg_lower *L)
{
    file_asserts(L);
}

static void record_configs(dg_lower *L)
{
    const dg_unit *u = L->front->units.at[0];
    for (size_t k = 0; k <= u->imports.n; k++) {
        const dg_map *names = k == 0 ? u->names : u->imports.at[k - 1]->names;
        for (size_t i = 0; i < dg_map_count(names); i++) {
            dg_symbol *other, *s = dg_map_value(names, i);
            if (s->d->kind != DG_C_CONFIG ||
                dg_symbol_find(L->front, L->front->units.at[0], s->d->name, &other) != s || other)
                continue;
            dg_sv v = dg_symbol_value(L, s, s->d->name_span);
            if (v.kind != DG_SV_POISON) record(L, s->d->name, v, true);
        }
    }
}

static dg_unit *unit_of(const dg_front *f, int32_t file)
{
    for (size_t i = 0; i < f->units.n; i++) {
        if (f->units.at[i]->file == file) return f->units.at[i];
    }
    return f->units.at[0];
}

static const dg_decl *decl_of(const dg_unit *u, const dg_entry_info *e)
{
    for (int i = 0; i < u->tree->n; i++) {
        const dg_decl *d = u->tree->decls[i];
        if (d->span.begin == e->span.begin && d->span.end == e->span.end) return d;
        if (d->name_span.begin == e->span.begin && d->name_span.end == e->span.end) return d;
    }
    return NULL;
}

static void elaborate_once(dg_lower *L, const dg_setting_in *args, int n_args)
{
    static const char *const kinds[] = {"entry", "train", "test"};
    const dg_entry_info *e = L->entry;
    dg_unit *u = unit_of(L->front, e->span.file);
    const dg_decl *d = decl_of(u, e);
    L->training = e->kind == DG_TRAIN;
    dg_frame frame = {.what = dg_arena_printf(L->arena, "%s %s", kinds[e->kind], e->name),
                      .unit = u,
                      .call = e->span};
    dg_frame_enter(L, &frame);
    file_asserts(L);
    bind_arguments(L, args, n_args);
    if (d) {
        dg_exec(L, d->body);
        dg_sv v = frame.result;
        if (d->type && v.kind != DG_SV_POISON && !frame.returned)
            v = dg_spoil(L, "E054", d->span,
                         "%s: a result is declared, but no `return` was reached", e->name);
        if (d->type && v.kind != DG_SV_POISON)
            v = dg_fit(L, d->type, v, frame.result_span,
                       dg_arena_printf(L->arena, "%s: the result", e->name));
        outputs(L, v, frame.result_span.end > 0 ? frame.result_span : e->span);
    }
    reports(L);
    dg_places_finish(L);
    record_configs(L);
    dg_frame_leave(L, &frame);
}

static void remember_places(dg_lower *L, dg_known_place **out, int *n)
{
    *n = 0;
    *out = DG_NEW_ARRAY(L->arena, dg_known_place, L->spots.n);
    for (size_t i = 0; i < L->spots.n; i++) {
        const dg_spot *p = L->spots.at[i];
        if (p->declared) (*out)[(*n)++] = (dg_known_place){p->path, p->type, p->trained};
    }
}

static void finish(dg_lower *L)
{
    dg_module *m = L->module;
    dg_arena *scratch = dg_arena_new();
    dg_drop_dead(m->graph, scratch);
    dg_arena_free(scratch);
    set_phases(L);
    dg_graph_compact(m->graph);
}

dg_module *dg_front_elaborate(dg_front *f, dg_arena *a, const dg_entry_info *entry,
                              const dg_setting_in *args, int n_args,
                              const dg_op *(*find)(const char *name))
{
    enum { PASSES = 3 };
    int before = dg_diag_errors(f->diag);
    size_t mark = dg_diag_mark(f->diag), bytes = dg_arena_used(a);
    dg_known_place *known = NULL;
    int n_known = 0;
    for (int pass = 1;; pass++) {
        dg_lower L;
        dg_lower_open(&L, f, a);
        L.bytes_at_start = bytes;
        L.entry = entry;
        L.find = find;
        L.known = known;
        L.n_known = n_known;
        new_module(&L);
        elaborate_once(&L, args, n_args);
        bool settled = dg_places_settled(&L) || L.halted;
        if (!settled && pass < PASSES) {
            remember_places(&L, &known, &n_known);
            dg_module_free(L.module);
            dg_lower_close(&L);
            dg_diag_rewind(f->diag, mark);
            continue;
        }
        if (!settled)
            dg_error(f->diag, "E046", entry->span,
                     "the places that params() lists change with every elaboration of %s",
                     entry->name);
        dg_module *m = L.module;
        bool good = dg_diag_errors(f->diag) == before;
        if (good)
            finish(&L);
        else
            dg_module_free(m);
        dg_lower_close(&L);
        return good ? m : NULL;
    }
}

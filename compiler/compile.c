/* compile.c: the driver: front, passes, plan.
 *
 * In     a .dg file and the name of an entry, or the text of a dump to continue from.
 * Out    a checked plan, or the text of one stage; messages in the dg_diag.
 * Keeps  the front and the module, from which plans of the initialisers are made. */
#include "compiler/compile.h"

#include "compiler/ir/print.h"
#include "compiler/ir/rewrite.h"
#include "ops/ops.h"

#include "compiler/base/os.h"

#include <string.h>

struct dg_compilation {
    dg_arena *arena;
    dg_front *front;
    dg_module *module;
    dg_plan *plan;
    dg_pass_options passes; /* as asked for, without our own hook */
    const char *(*blas_core)(void);
    const dg_plan_file *files;
    int n_files;
    DG_VEC(dg_stage_time) times;
};

/* What the hook that runs after every pass needs. */
typedef struct stage_hook {
    dg_compilation *c;
    dg_module *m;
    const dg_pass_options *asked;
    const char *dump;
    dg_text *dump_text;
    double clock;
} stage_hook;

static void time_stage(dg_compilation *c, const char *stage, double *clock)
{
    double now = dg_clock();
    dg_vec_push(&c->times, (dg_stage_time){stage, now - *clock});
    *clock = now;
}

static void print(dg_module *m, dg_text *out)
{
    dg_module_tidy_init(m);
    dg_print_module(m, out);
}

static void after_stage(void *ctx, const char *stage, const dg_module *m)
{
    stage_hook *h = ctx;
    if (strcmp(stage, "graph") != 0) time_stage(h->c, stage, &h->clock);
    if (h->dump && strcmp(h->dump, stage) == 0 && h->dump_text->n == 0) {
        dg_module_compact(h->m); /* ids that are easy to follow */
        print(h->m, h->dump_text);
    }
    if (h->asked->after) h->asked->after(h->asked->ctx, stage, m);
    h->clock = dg_clock(); /* what the caller's hook took is nobody's */
}

/* ---- reference mode: every float is double ---- */

static dg_attrs widen_attrs(dg_arena *arena, dg_attrs attrs)
{
    /* An attribute that holds a dtype is a whole number named `dtype` or `to`: the convention of
     * all ops. */
    dg_attr *copy = NULL;
    for (int i = 0; i < attrs.n; i++) {
        const dg_attr *a = &attrs.at[i];
        if (a->kind != DG_INT || a->v.i != DG_F32) continue;
        if (strcmp(a->name, "dtype") != 0 && strcmp(a->name, "to") != 0) continue;
        if (!copy) copy = dg_arena_copy(arena, attrs.at, sizeof *attrs.at * (size_t)attrs.n);
        copy[i].v.i = DG_F64;
    }
    return copy ? (dg_attrs){attrs.n, copy} : attrs;
}

static void widen_type(dg_type *t)
{
    if (t->dtype == DG_F32) t->dtype = DG_F64;
}

static void widen_graph(dg_graph *g)
{
    for (size_t v = 0; v < g->values.n; v++) {
        dg_type wide = *g->values.at[v].type;
        widen_type(&wide);
        g->values.at[v].type = dg_shared_type(g, &wide);
    }
    for (size_t n = 0; n < g->nodes.n; n++) {
        dg_node_info *node = &g->nodes.at[n];
        if (node->op) node->attrs = widen_attrs(g->arena, node->attrs);
    }
}

static void widen_module(dg_module *m)
{
    widen_graph(m->graph);
    if (m->init) widen_graph(m->init);
    for (size_t i = 0; i < m->places.n; i++) widen_type(&m->places.at[i].type);
    for (size_t i = 0; i < m->inputs.n; i++) widen_type(&m->inputs.at[i].type);
    for (size_t i = 0; i < m->outputs.n; i++) widen_type(&m->outputs.at[i].type);
}

/* ---- module to plan ---- */

static bool wants_plan(const char *dump)
{
    return !dump || strcmp(dump, "memplan") == 0 || strcmp(dump, "plan") == 0;
}

/* Runs the passes, and unless a dump of an earlier stage is wanted, places values and makes the
 * plan. False after reporting. */
static bool module_plan(dg_compilation *c, dg_module *m, const char *dump, dg_text *dump_text,
                        double begun, dg_plan **out)
{
    *out = NULL;
    stage_hook hook = {.c = c,
                       .m = m,
                       .asked = &c->passes,
                       .dump = dump,
                       .dump_text = dump_text,
                       .clock = dg_clock()};
    dg_pass_options passes = c->passes;
    passes.after = after_stage;
    passes.ctx = &hook;
    after_stage(&hook, "graph", m);
    if (!dg_passes_run(m, &passes)) return false;
    if (!wants_plan(dump)) return true;

    dg_layout layout = {0};
    dg_plan *plan = NULL;
    hook.clock = dg_clock();
    if (dg_pass_memplan(m, &passes, &layout)) {
        time_stage(c, "memplan", &hook.clock);
        plan = dg_plan_make(m, &layout,
                            &(dg_plan_options){.passes = &passes,
                                               .files = c->files,
                                               .n_files = c->n_files,
                                               .blas_core = c->blas_core,
                                               .nodes = m->n_nodes});
        time_stage(c, "plan", &hook.clock);
    }
    dg_layout_free(&layout);
    if (!plan) return false;
    if (!dg_plan_check(plan, m->diag)) {
        dg_plan_free(plan);
        return false;
    }
    time_stage(c, "check", &hook.clock);
    plan->seconds = dg_clock() - begun;
    plan->n_stages = (int)c->times.n;
    plan->stages = dg_arena_copy(plan->arena, c->times.at, c->times.n * sizeof *c->times.at);
    c->times.n = 0; /* the initialisers' plan has its own */
    if (dump && strcmp(dump, "memplan") == 0) print(m, dump_text);
    if (dump && strcmp(dump, "plan") == 0)
        dg_explain_text(plan, &(dg_explain_options){.width = 110, .threads = 1}, dump_text);
    *out = plan;
    return true;
}

/* ---- from source or text to a module ---- */

static const dg_entry_info *find_entry(dg_compilation *c, dg_diag *d, const char *name,
                                       const char *file)
{
    const dg_entry_info *entries, *only = NULL, *close = NULL;
    int n = dg_front_entries(c->front, &entries), in_main = 0, best = 3;
    for (int i = 0; i < n; i++) {
        if (!name) {
            if (!entries[i].in_main || entries[i].kind == DG_TEST) continue;
            in_main++;
            only = &entries[i];
            continue;
        }
        if (strcmp(entries[i].name, name) == 0) return &entries[i];
        int distance = dg_edit_distance(name, entries[i].name, best);
        if (distance < best) {
            best = distance;
            close = &entries[i];
        }
    }
    if (!name && in_main == 1) return only;

    dg_message *m = name ? dg_error_at(d, "E131", file, "there is no entry '%s'", name)
                         : dg_error_at(d, "E131", file, "%s",
                                       in_main ? "name one of its entries" : "there is no entry");
    if (close) dg_help_add(d, m, "did you mean '%s'?", close->name);
    for (int i = 0; i < n && i < 8; i++)
        if (entries[i].in_main && entries[i].kind != DG_TEST)
            dg_help_add(d, m, "it has the entry '%s'", entries[i].name);
    return NULL;
}

static void list_files(dg_compilation *c, dg_diag *d)
{
    const int32_t *ids;
    int n = dg_front_files(c->front, &ids);
    dg_plan_file *files = DG_NEW_ARRAY(c->arena, dg_plan_file, n);
    for (int i = 0; i < n; i++) {
        const dg_source *s = dg_source_at(dg_diag_sources(d), ids[i]);
        files[i] = (dg_plan_file){s->name, s->hash};
    }
    c->files = files;
    c->n_files = n;
}

static bool make_module(dg_compilation *c, dg_diag *d, const dg_compile_options *o)
{
    if (o->from) {
        c->module = dg_read_module(c->arena, d, o->from_name, o->from, o->from_length, dg_op_find);
        if (!c->module) return false;
        dg_plan_file *file = DG_NEW(c->arena, dg_plan_file);
        *file = (dg_plan_file){o->from_name, dg_hash(o->from, o->from_length)};
        c->files = file;
        c->n_files = 1;
        return true;
    }
    c->front = o->front ? o->front : dg_front_open(c->arena, d, o->source);
    if (!c->front) return false;
    list_files(c, d);
    if (o->dump && strcmp(o->dump, "ast") == 0) {
        dg_tree_dump(dg_diag_sources(d), dg_front_tree(c->front), o->dump_text);
        return true;
    }
    const dg_entry_info *entry =
        find_entry(c, d, o->entry, c->n_files ? c->files[0].name : "source");
    if (!entry) return false;
    dg_diag *before = dg_front_report_to(c->front, d);
    c->module = dg_front_elaborate(c->front, c->arena, entry, o->args, o->n_args, dg_op_find);
    dg_front_report_to(c->front, before);
    return c->module != NULL;
}

/* ---- the initialisers ---- */

/* A graph of its own, so that the passes can change it and the original serves again. */
static dg_graph *copy_graph(const dg_graph *from, dg_arena *arena)
{
    dg_graph *g = dg_graph_new(arena, from->strings, from->find);
    for (size_t i = 0; i < from->values.n; i++) dg_vec_push(&g->values, from->values.at[i]);
    g->nodes.n = g->regions.n = 0;
    for (size_t i = 0; i < from->nodes.n; i++) {
        dg_node_info n = from->nodes.at[i];
        n.in = dg_arena_copy(arena, n.in, sizeof *n.in * (size_t)n.n_in);
        n.out = dg_arena_copy(arena, n.out, sizeof *n.out * (size_t)n.n_out);
        dg_vec_push(&g->nodes, n);
    }
    for (size_t i = 0; i < from->regions.n; i++) {
        const dg_region_info *r = &from->regions.at[i];
        dg_region_info copy = {.owner = r->owner, .first = r->first, .last = r->last};
        for (size_t k = 0; k < r->args.n; k++) dg_vec_push(&copy.args, r->args.at[k]);
        for (size_t k = 0; k < r->results.n; k++) dg_vec_push(&copy.results, r->results.at[k]);
        dg_vec_push(&g->regions, copy);
    }
    return g;
}

/* Only the missing places are written; what initialisers read of them is the value just made. False
 * when nothing is written. */
static bool keep_missing(dg_graph *g, const bool *present)
{
    const dg_op *place = g->find("place"), *write = g->find("write");
    dg_arena *scratch = dg_arena_new();
    dg_value *map = DG_NEW_ARRAY(scratch, dg_value, g->values.n);
    for (size_t v = 0; v < g->values.n; v++) map[v] = (dg_value)v;
    dg_map64 *written = dg_map64_new(scratch);
    bool any = false;

    DG_EACH_NODE(g, 0, n) {
        const dg_node_info *node = dg_node_of(g, n);
        if (node->op != place && node->op != write) continue;
        int64_t index = dg_attr_int(&node->attrs, "index");
        if (node->op == write) {
            dg_map64_set(written, (uint64_t)index, (uint64_t)node->in[0]);
            if (present[index]) dg_graph_unlink(g, n);
            any = any || !present[index];
            continue;
        }
        uint64_t made;
        if (!present[index] && dg_map64_get(written, (uint64_t)index, &made))
            map[node->out[0]] = (dg_value)made;
    }
    dg_apply_map(g, map);
    dg_drop_dead(g, scratch);
    dg_arena_free(scratch);
    dg_graph_compact(g);
    return any;
}

dg_plan *dg_compile_init(dg_compilation *c, dg_diag *d, const bool *present)
{
    if (!c->module || !c->module->init) return NULL;
    double begun = dg_clock();
    dg_arena *arena = dg_arena_new();
    dg_module m = {.arena = arena,
                   .strings = c->module->strings,
                   .diag = d,
                   .entry = dg_intern_z(c->module->strings, "init")};
    m.graph = copy_graph(c->module->init, arena);
    for (size_t i = 0; i < c->module->places.n; i++)
        dg_vec_push(&m.places, c->module->places.at[i]);
    for (size_t i = 0; i < c->module->config.n; i++)
        dg_vec_push(&m.config, c->module->config.at[i]);

    dg_plan *plan = NULL;
    if (keep_missing(m.graph, present)) module_plan(c, &m, NULL, NULL, begun, &plan);
    dg_module_free(&m);
    dg_arena_free(arena);
    return plan;
}

/* ---- entry point ---- */

static bool known_stage(const char *stage)
{
    static const char *const own[] = {"ast", "graph", "memplan", "plan"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(stage, own[i]) == 0) return true;
    const dg_pass_info *p;
    for (int i = 0; (p = dg_pass_at(i)) != NULL; i++)
        if (strcmp(stage, p->name) == 0) return !p->choice;
    return false;
}

static bool has_op(const dg_graph *g, const char *name)
{
    const dg_op *op = g->find(name);
    for (size_t n = 0; n < g->nodes.n; n++)
        if (g->nodes.at[n].op == op) return true;
    return false;
}

/* How many carries a gradient through a loop keeps is decided before anybody knows what the plan
 * will take. Where it takes more than the budget all is tried once more, with as few as can be. */
static bool plan_within(dg_compilation *c, dg_diag *d, const dg_compile_options *o, double begun)
{
    dg_module *m = c->module;
    bool may = has_op(m->graph, "loop") && has_op(m->graph, "grad");
    dg_graph *whole = may ? copy_graph(m->graph, c->arena) : NULL;
    size_t mark = dg_diag_mark(d), decisions = m->decisions.n, times = c->times.n;
    bool good = module_plan(c, m, o->dump, o->dump_text, begun, &c->plan);
    bool over = false;
    for (size_t i = 0; i < dg_diag_count(d) && !good; i++)
        over |= strcmp(dg_diag_at(d, i)->id, "E601") == 0;
    if (may && over) {
        dg_graph_free(m->graph);
        m->graph = whole;
        whole = NULL;
        m->decisions.n = decisions;
        c->times.n = times;
        dg_diag_rewind(d, mark);
        c->passes.few_carries = true;
        good = module_plan(c, m, o->dump, o->dump_text, begun, &c->plan);
    }
    dg_graph_free(whole);
    return good;
}

static bool compile(dg_compilation *c, dg_diag *d, const dg_compile_options *o, double begun)
{
    if (o->dump && !known_stage(o->dump)) {
        dg_message *m = dg_error_at(d, "E213", "--dump", "'%s' is not a stage", o->dump);
        dg_help_add(d, m, "stages are ast, graph, the passes (dg help plan), memplan and plan");
        return false;
    }
    double clock = begun;
    if (!make_module(c, d, o)) return false;
    time_stage(c, "front", &clock);
    if (!c->module) return true; /* a dump of the tree */
    if (c->passes.reference) widen_module(c->module);
    return c->passes.memory > 0 ? plan_within(c, d, o, begun)
                                : module_plan(c, c->module, o->dump, o->dump_text, begun, &c->plan);
}

dg_compilation *dg_compile(dg_diag *d, const dg_compile_options *o)
{
    double begun = o->begun > 0 ? o->begun : dg_clock();
    dg_arena *arena = dg_arena_new();
    dg_compilation *c = DG_NEW(arena, dg_compilation);
    *c = (dg_compilation){.arena = arena, .passes = o->passes, .blas_core = o->blas_core};
    if (o->passes.skip) {
        int n = 0;
        while (o->passes.skip[n]) n++;
        c->passes.skip =
            dg_arena_copy(arena, o->passes.skip, sizeof *o->passes.skip * (size_t)(n + 1));
    }
    if (!compile(c, d, o, begun)) {
        dg_compilation_free(c);
        return NULL;
    }
    return c;
}

dg_plan *dg_compilation_plan(dg_compilation *c)
{
    return c->plan;
}

void dg_compilation_free(dg_compilation *c)
{
    if (!c) return;
    dg_module_free(c->module);
    dg_vec_free(&c->times);
    dg_arena_free(c->arena);
}

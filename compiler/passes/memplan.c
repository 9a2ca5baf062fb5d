/* memplan: a place for every value of a scheduled graph.
 *
 * In     an order of steps, kernels chosen.
 * Out    a dg_layout: whose bytes each value has, and where they lie; workspace; carries that trade
 *        places. The graph is untouched.
 * Keeps  two values alive at the same step share no byte, unless one is a view of the other. A step
 *        has three moments: results and workspace appear, the kernel runs, operands nobody needs
 *        any more go; so a result may lie in an operand's bytes only where the node permits it.
 *        What a body reads from outside lives to the loop's end. Outputs live to the end.
 * Method values are gathered into classes that share one buffer, each class being a list of lives
 *        that follow one another: the next value of a carry joins its argument, the new value of a
 *        place the old one, an initial value its carry, and at last results their dying operands.
 *        Carries that could not be joined trade buffers after each trip; buffers that trade are all
 *        taken as long as any of them. Then classes and workspace are placed (memplan_place.c,
 * memplan_lines.c).
 * */
#include "compiler/passes/memplan.h"

#include <assert.h>
#include <string.h>

typedef struct life { /* `from` is made at step `first`; `to` is read for the last time at step
                         `last` */
    int32_t first, last;
    dg_value from, to;
} life;

typedef struct class
{
    life *lives; /* in order; those that touch are one */
    int n;
    dg_value parent; /* union-find */
    int32_t index;   /* of the place */
    dg_value trade;  /* union-find of classes that trade buffers */
    bool trades;
    uint8_t home; /* dg_home */
} class;

typedef struct planner {
    dg_module *m;
    dg_graph *g;
    dg_layout *out;
    dg_arena *a;
    const dg_bytes *bytes;
    dg_effects fx;
    bool reference;
    int32_t steps;
    int32_t *begin, *end;  /* by node: its step; of loops the first and the last. -1: takes none */
    int32_t *first, *last; /* by base */
    class *classes;        /* by base */
    /* nodes of all regions as they run, outer loops before inner ones: values that are there,
     * loops, new values of places, outputs, and all others that take a step */
    DG_VEC(dg_node) leaves, loops, writes, outputs, kernels;
    dg_value *place; /* by place: the value it had, or DG_NONE */
    const char *why; /* of the join refused last */
} planner;

/* ---- steps and lives ---- */

static void make_at(planner *p, const dg_value *v, int n, int32_t step)
{
    for (int i = 0; i < n; i++) p->first[v[i]] = p->last[v[i]] = step;
}

static void number(planner *p, dg_region r);

static void number_loop(planner *p, dg_node n)
{
    const dg_node_info *i = dg_node_of(p->g, n);
    const dg_region_info *body = dg_region_of(p->g, i->body);
    dg_vec_push(&p->loops, n);
    p->begin[n] = p->steps++;
    make_at(p, body->args.at, (int)body->args.n, p->begin[n]);
    number(p, i->body);
    p->end[n] = p->steps++;
    make_at(p, i->out, i->n_out, p->end[n]);
}

static void number(planner *p, dg_region r)
{
    DG_EACH_NODE(p->g, r, n) {
        const dg_node_info *i = dg_node_of(p->g, n);
        p->begin[n] = p->end[n] = -1;
        if (i->body != DG_NONE) {
            number_loop(p, n);
        } else if (i->op->traits & DG_LEAF) {
            dg_vec_push(&p->leaves, n);
        } else if (i->op == p->fx.output) {
            dg_vec_push(&p->outputs, n);
        } else if (i->n_out == 0 || !p->bytes[i->out[0]].view) {
            p->begin[n] = p->end[n] = p->steps++;
            make_at(p, i->out, i->n_out, p->end[n]);
            if (i->op == p->fx.write)
                dg_vec_push(&p->writes, n);
            else
                dg_vec_push(&p->kernels, n);
        }
    }
}

/* The value is read at a step, by node n or at the end of the body that n owns. */
static void read_at(planner *p, dg_value v, dg_node n, int32_t step)
{
    dg_value base = p->bytes[v].base;
    dg_region home = dg_value_of(p->g, base)->region;
    dg_node held = dg_lift(p->g, n, home);
    if (held != n && held != DG_NONE) step = p->end[held];
    if (step > p->last[base]) p->last[base] = step;
}

static void read_operands(planner *p, dg_node n, int32_t step)
{
    const dg_node_info *i = dg_node_of(p->g, n);
    for (int k = 0; k < i->n_in; k++) read_at(p, i->in[k], n, step);
}

static void find_loop_lives(planner *p, dg_node n)
{
    const dg_node_info *i = dg_node_of(p->g, n);
    const dg_region_info *r = dg_region_of(p->g, i->body);
    read_operands(p, n, p->begin[n]);
    p->last[r->args.at[0]] = p->end[n]; /* the trip, counted at the end of each */
    for (size_t k = 0; k < r->results.n; k++) {
        dg_value base = p->bytes[r->results.at[k]].base;
        if (dg_value_of(p->g, base)->region != i->body)
            read_at(p, r->results.at[k], n, p->end[n]);
        else if (p->end[n] > p->last[base])
            p->last[base] = p->end[n];
    }
}

static void find_lives(planner *p)
{
    for (size_t k = 0; k < p->kernels.n; k++) {
        dg_node n = p->kernels.at[k];
        const dg_node_info *i = dg_node_of(p->g, n);
        read_operands(p, n, p->begin[n]);
        for (int o = 0; o < i->n_out; o++) { /* the whole is there from its first part on */
            const dg_bytes *b = &p->bytes[i->out[o]];
            if (b->part && p->begin[n] < p->first[b->base]) p->first[b->base] = p->begin[n];
        }
    }
    for (size_t k = 0; k < p->loops.n; k++) find_loop_lives(p, p->loops.at[k]);
    for (size_t k = 0; k < p->writes.n; k++)
        read_operands(p, p->writes.at[k], p->begin[p->writes.at[k]]);
    for (size_t k = 0; k < p->outputs.n; k++) read_operands(p, p->outputs.at[k], p->steps);
}

/* ---- classes ---- */

/* Of the class's buffer: of each of its values. */
static int64_t bytes_of(const planner *p, dg_value root)
{
    return dg_align(dg_type_bytes(dg_type_of(p->g, root)));
}

static dg_value root(const planner *p, dg_value v)
{
    while (p->classes[v].parent != v)
        v = p->classes[v].parent = p->classes[p->classes[v].parent].parent;
    return v;
}

static class *class_of(const planner *p, dg_value v)
{
    return &p->classes[root(p, p->bytes[v].base)];
}

static void make_classes(planner *p)
{
    life *own = DG_ROOM(p->a, life, p->g->values.n); /* of a class of one value */
    for (dg_value v = 0; (size_t)v < p->g->values.n; v++) {
        class *c = &p->classes[v];
        *c = (class){.parent = v, .trade = v, .home = DG_HOME_NONE};
        if (p->bytes[v].base != v || p->first[v] < 0) continue;
        c->home = DG_HOME_ARENA;
        c->n = 1;
        c->lives = &own[v];
        own[v] = (life){p->first[v], p->last[v], v, v};
    }
    for (size_t k = 0; k < p->leaves.n; k++) {
        const dg_node_info *i = dg_node_of(p->g, p->leaves.at[k]);
        dg_value v = i->out[0];
        class *c = &p->classes[v];
        c->n = 1;
        c->lives = &own[v];
        own[v] = (life){-1, p->last[v], v, v};
        c->home = DG_HOME_CONST;
        if (i->op == p->fx.constant) continue;
        int32_t index = (int32_t)dg_attr_int(&i->attrs, "index");
        c->index = index;
        c->home = DG_HOME_IO;
        if (i->op != p->fx.place) continue;
        c->home = p->m->places.at[index].trained ? DG_HOME_PARAM : DG_HOME_STATE;
        p->place[index] = v;
    }
}

/* At a step, `dead` is read for the last time and `made` appears: may it lie in the same bytes? */
static bool hands_over(const planner *p, int32_t step, dg_value dead, dg_value made)
{
    const dg_value_info *v = dg_value_of(p->g, made);
    if (v->def ==
        DG_NONE) { /* an argument: made at the beginning of its loop, from its initial value */
        const dg_node_info *loop = dg_node_of(p->g, dg_region_of(p->g, v->region)->owner);
        const dg_bytes *init = v->index > 0 ? &p->bytes[loop->in[v->index - 1]] : NULL;
        return init && init->base == dead && init->whole &&
               step == p->begin[dg_region_of(p->g, v->region)->owner];
    }
    if (step < 0) return false;
    if (dg_node_of(p->g, v->def)->body != DG_NONE)
        return true; /* a loop's result shows what its carry ended with */
    return dg_may_overwrite(p->g, p->bytes, v->def, v->index, dead);
}

/* Makes one class of two, if their lives do not meet but where bytes are handed over. */
static bool join(planner *p, dg_value va, dg_value vb)
{
    dg_value ra = root(p, p->bytes[va].base), rb = root(p, p->bytes[vb].base);
    class *a = &p->classes[ra], *b = &p->classes[rb];
    if (ra == rb) return true;
    p->why = "sizes-differ";
    if (bytes_of(p, ra) != bytes_of(p, rb)) return false;
    p->why = "bytes-taken";
    life *all = DG_ROOM(p->a, life, a->n + b->n);
    int n = 0;
    for (int i = 0, k = 0; i < a->n || k < b->n;) {
        bool from_a = k == b->n || (i < a->n && (a->lives[i].first != b->lives[k].first
                                                     ? a->lives[i].first < b->lives[k].first
                                                     : a->lives[i].last < b->lives[k].last));
        life next = from_a ? a->lives[i++] : b->lives[k++];
        if (n > 0 && all[n - 1].last > next.first) return false;
        if (n > 0 && all[n - 1].last == next.first) {
            if (!hands_over(p, next.first, all[n - 1].to, next.from)) {
                p->why = "not-permitted";
                return false;
            }
            all[n - 1].last = next.last;
            all[n - 1].to = next.to;
            continue;
        }
        all[n++] = next;
    }
    if (b->home != DG_HOME_ARENA) { /* the place's class stays the root */
        class *t = a;
        a = b;
        b = t;
        dg_value r = ra;
        ra = rb;
        rb = r;
    }
    a->lives = all;
    a->n = n;
    a->trades |= b->trades;
    b->parent = ra;
    return true;
}

static void decide(planner *p, const char *kind, dg_node n, dg_value v, const char *outcome,
                   const char *reason)
{
    dg_vec_push(&p->out->decisions,
                (dg_decision){kind, n, v, outcome, reason, dg_type_bytes(dg_type_of(p->g, v))});
}

static const char *refusal(planner *p, const char *kind)
{
    return dg_arena_printf(p->out->arena, "%s.no:%s", kind, p->why);
}

/* ---- what joins what ---- */

/* Inner loops first: the next value in the bytes of the argument; the loop's result always has
 * them. */
static void join_carries(planner *p)
{
    for (size_t k = p->loops.n; k-- > 0;) {
        dg_node n = p->loops.at[k];
        const dg_node_info *loop = dg_node_of(p->g, n);
        const dg_region_info *r = dg_region_of(p->g, loop->body);
        for (int j = 0; j < loop->n_out; j++) {
            dg_value arg = r->args.at[j + 1], next = r->results.at[j];
            bool same = !p->reference && p->bytes[next].whole && join(p, arg, next);
            if (!same) {
                class *a = class_of(p, arg);
                a->lives[a->n - 1].last =
                    p->end[n]; /* whatever lies there, it is traded at the end of the trip */
            }
            bool shown = join(p, arg, loop->out[j]);
            assert(shown);
            (void)shown;
            if (same) {
                decide(p, "carry", n, arg, "in place", "carry.in-place");
                continue;
            }
            class_of(p, arg)->trades = class_of(p, next)->trades = true;
        }
    }
}

/* The new value of a place in the place's own bytes. */
static void join_places(planner *p)
{
    for (size_t k = 0; k < p->writes.n; k++) {
        const dg_node_info *w = dg_node_of(p->g, p->writes.at[k]);
        int64_t index = dg_attr_int(&w->attrs, "index");
        dg_value v = w->in[0], old = p->place[index];
        class *c = class_of(p, v);
        if (old != DG_NONE && p->bytes[v].base == old && p->bytes[v].whole)
            continue; /* unchanged */
        bool can = false;
        if (p->reference)
            p->why = "reference";
        else if (!p->bytes[v].whole)
            p->why = "strided";
        else if (c->home != DG_HOME_ARENA)
            p->why = "not-in-the-arena";
        else if (c->trades)
            p->why = "carry-trades-buffers";
        else
            can = true;
        if (can) {
            int32_t last = c->lives[c->n - 1].last;
            c->lives[c->n - 1].last = p->steps + 1; /* past all outputs */
            if (old == DG_NONE) {
                c->home = p->m->places.at[index].trained ? DG_HOME_PARAM : DG_HOME_STATE;
                c->index = (int32_t)index;
            } else {
                can = join(p, old, v);
                if (!can) c->lives[c->n - 1].last = last;
            }
        }
        decide(p, "write", p->writes.at[k], v, can ? "in place" : "copy",
               can ? "write.in-place" : refusal(p, "write"));
    }
}

/* An initial value in the bytes of its carry. */
static void join_inits(planner *p)
{
    for (size_t k = 0; k < p->loops.n && !p->reference; k++) {
        const dg_node_info *loop = dg_node_of(p->g, p->loops.at[k]);
        for (int j = 0; j < loop->n_out; j++) {
            dg_value arg = dg_region_of(p->g, loop->body)->args.at[j + 1], init = loop->in[j];
            if (!p->bytes[init].whole || class_of(p, init)->home != DG_HOME_ARENA ||
                class_of(p, arg)->home != DG_HOME_ARENA)
                continue;
            join(p, arg, init);
        }
    }
}

/* Results over dying operands. */
static void join_operands(planner *p)
{
    for (size_t k = 0; k < p->kernels.n && !p->reference; k++) {
        dg_node node = p->kernels.at[k];
        const dg_node_info *n = dg_node_of(p->g, node);
        for (int o = 0; o < n->n_out; o++) {
            const dg_type *type = dg_type_of(p->g, n->out[o]);
            const char *no = NULL;
            bool done = class_of(p, n->out[o])->home != DG_HOME_ARENA || p->bytes[n->out[o]].part;
            for (int i = 0; i < n->n_in && !done; i++) {
                dg_value base = p->bytes[n->in[i]].base;
                if (dg_type_of(p->g, n->in[i]) != type ||
                    !dg_may_overwrite(p->g, p->bytes, node, o, base))
                    continue;
                if (class_of(p, base)->home != DG_HOME_ARENA) {
                    no = "inplace.no:not-in-the-arena";
                } else if (p->last[base] > p->begin[node]) {
                    no = "inplace.no:value-read-later";
                } else if (join(p, base, n->out[o])) {
                    done = true;
                    decide(p, "inplace", node, n->out[o], "yes", "inplace.yes");
                } else {
                    no = refusal(p, "inplace");
                }
            }
            if (!done && no) decide(p, "inplace", node, n->out[o], "no", no);
        }
    }
}

/* ---- trading carries ---- */

static dg_value trade_root(const planner *p, dg_value r)
{
    while (p->classes[r].trade != r) r = p->classes[r].trade;
    return r;
}

static void widen(const planner *p, dg_value r, int32_t first, int32_t last)
{
    class *c = &p->classes[r];
    if (first < c->lives[0].first) c->lives[0].first = first;
    if (last > c->lives[c->n - 1].last) c->lives[c->n - 1].last = last;
}

/* The root of the class of argument j of a loop, and of its next value: true if they are two. */
static bool trade(const planner *p, const dg_node_info *loop, int j, dg_value *arg, dg_value *next)
{
    const dg_region_info *r = dg_region_of(p->g, loop->body);
    *arg = root(p, r->args.at[j + 1]);
    *next = root(p, p->bytes[r->results.at[j]].base);
    return *arg != *next;
}

static void find_trades(planner *p)
{
    dg_value arg, next;
    for (size_t k = 0; k < p->loops.n; k++) {
        const dg_node_info *loop = dg_node_of(p->g, p->loops.at[k]);
        for (int j = 0; j < loop->n_out; j++) {
            if (!trade(p, loop, j, &arg, &next)) continue;
            assert(p->classes[arg].home == DG_HOME_ARENA && p->classes[next].home == DG_HOME_ARENA);
            dg_value v = dg_region_of(p->g, loop->body)->args.at[j + 1];
            p->out->carry_swap[v] = 1;
            decide(p, "carry", p->loops.at[k], v, "swapped", "carry.swap");
            dg_value a = trade_root(p, arg), b = trade_root(p, next);
            p->classes[a > b ? a : b].trade = a > b ? b : a;
        }
    }
}

/* Classes that trade buffers with one another are all taken from the first life of any to the last:
 * the root of the trade learns of all, then all of the root. */
static void join_lives(planner *p)
{
    for (int pass = 0; pass < 2; pass++) {
        for (size_t k = 0; k < p->loops.n; k++) {
            const dg_node_info *loop = dg_node_of(p->g, p->loops.at[k]);
            dg_value of[2];
            for (int j = 0; j < loop->n_out; j++) {
                if (!trade(p, loop, j, &of[0], &of[1])) continue;
                for (int i = 0; i < 2; i++) {
                    dg_value top = trade_root(p, of[i]), from = pass == 0 ? of[i] : top;
                    const class *c = &p->classes[from];
                    widen(p, pass == 0 ? top : of[i], c->lives[0].first, c->lives[c->n - 1].last);
                }
            }
        }
    }
}

/* ---- results ---- */

static void add_workspace(planner *p, dg_slot *slots, int32_t *whose, int *n)
{
    for (size_t k = 0; k < p->kernels.n; k++) {
        dg_node node = p->kernels.at[k];
        const dg_node_info *i = dg_node_of(p->g, node);
        if (!i->kernel || !i->kernel->workspace) continue;
        dg_infer t = dg_types_of(p->g, node);
        int64_t bytes = i->kernel->workspace(&t, i->strip);
        if (bytes <= 0) continue;
        p->out->workspace_bytes[node] = bytes;
        whose[*n] = -1 - node;
        slots[(*n)++] = (dg_slot){p->begin[node], p->begin[node], dg_align(bytes), 0};
    }
}

/* Without reuse: one buffer after the other. */
static int64_t stack_up(dg_slot *s, int n)
{
    int64_t top = 0;
    for (int i = 0; i < n; i++) {
        s[i].offset = top;
        top += s[i].size;
    }
    return top;
}

/* What is to be placed: classes in the arena, and workspace. whose[i]: the class's root, or -1 -
 * node. Room for all values and nodes. Returns how many. */
static int make_slots(planner *p, dg_slot *slots, int32_t *whose)
{
    int n = 0;
    for (dg_value v = 0; (size_t)v < p->g->values.n; v++) {
        const class *c = &p->classes[v];
        if (c->parent != v || c->home != DG_HOME_ARENA) continue;
        whose[n] = v;
        slots[n++] = (dg_slot){c->lives[0].first, c->lives[c->n - 1].last, bytes_of(p, v), 0};
    }
    add_workspace(p, slots, whose, &n);
    return n;
}

/* One buffer for each value, the largest workspace beside them. */
static int64_t naive_bytes(planner *p)
{
    int64_t values = 0, workspace = 0;
    for (dg_value v = 0; (size_t)v < p->g->values.n; v++) {
        dg_node def =
            dg_value_of(p->g, v)->def; /* a loop's result is its carry's buffer under any plan */
        bool shown = def != DG_NONE && dg_node_of(p->g, def)->body != DG_NONE;
        if (!shown && !p->bytes[v].view && p->first[v] >= 0 &&
            class_of(p, v)->home == DG_HOME_ARENA)
            values += dg_align(dg_type_bytes(dg_type_of(p->g, v)));
    }
    for (size_t i = 0; i < p->g->nodes.n; i++) {
        if (dg_align(p->out->workspace_bytes[i]) > workspace)
            workspace = dg_align(p->out->workspace_bytes[i]);
    }
    return values + workspace;
}

static void place_all(planner *p)
{
    dg_layout *out = p->out;
    size_t most = p->g->values.n + p->g->nodes.n;
    dg_slot *slots = DG_NEW_ARRAY(p->a, dg_slot, most);
    int32_t *whose = DG_NEW_ARRAY(p->a, int32_t, most), step;
    int n = make_slots(p, slots, whose);
    out->bound_bytes = dg_slots_bound(slots, n, &step);
    if (p->reference) {
        out->arena_bytes = stack_up(slots, n);
    } else {
        dg_heuristic tried[DG_PLACE_TRIES];
        int n_tried;
        out->arena_bytes = dg_slots_place(slots, n, out->bound_bytes, p->a, tried, &n_tried);
        for (int i = 0; i < n_tried; i++) dg_vec_push(&out->heuristics, tried[i]);
    }
    for (int i = 0; i < n; i++) {
        if (whose[i] >= 0)
            out->storage[whose[i]].offset = slots[i].offset;
        else
            out->workspace[-1 - whose[i]] = slots[i].offset;
    }
    out->naive_bytes = naive_bytes(p);
}

/* What a step takes by itself, each buffer once. */
static int64_t taken_by(const planner *p, dg_node node)
{
    const dg_node_info *n = dg_node_of(p->g, node);
    int64_t sum = dg_align(p->out->workspace_bytes[node]);
    for (int i = 0; i < n->n_in + n->n_out; i++) {
        dg_value r = root(p, p->bytes[i < n->n_in ? n->in[i] : n->out[i - n->n_in]].base);
        bool again = p->classes[r].home != DG_HOME_ARENA;
        for (int j = 0; j < i && !again; j++)
            again = root(p, p->bytes[j < n->n_in ? n->in[j] : n->out[j - n->n_in]].base) == r;
        if (!again) sum += bytes_of(p, r);
    }
    return sum;
}

static int64_t most_taken(const planner *p, const dg_node *nodes, size_t n)
{
    int64_t most = 0;
    for (size_t k = 0; k < n; k++) {
        int64_t sum = taken_by(p, nodes[k]);
        if (sum > most) most = sum;
    }
    return most;
}

/* No order can do with less than its largest step. */
static void bound_free_of_order(planner *p)
{
    int64_t of[] = {most_taken(p, p->kernels.at, p->kernels.n),
                    most_taken(p, p->loops.at, p->loops.n),
                    most_taken(p, p->writes.at, p->writes.n)};
    for (int i = 0; i < 3; i++)
        if (of[i] > p->out->order_free_bound) p->out->order_free_bound = of[i];
}

static void describe(planner *p)
{
    /* The owner of a class: the place's value, or the value that is made first. */
    dg_value *owner = DG_NEW_ARRAY(p->a, dg_value, p->g->values.n);
    for (size_t v = 0; v < p->g->values.n; v++) owner[v] = DG_NONE;
    for (dg_value v = 0; (size_t)v < p->g->values.n; v++) {
        if (p->bytes[v].base != v || class_of(p, v)->home == DG_HOME_NONE) continue;
        dg_value *o = &owner[root(p, v)];
        int32_t first = p->first[v];
        if (*o == DG_NONE || first < p->first[*o]) *o = v;
    }
    for (dg_value v = 0; (size_t)v < p->g->values.n; v++) {
        const dg_bytes *b = &p->bytes[v];
        dg_value r = root(p, b->base);
        const class *c = &p->classes[r];
        dg_storage *s = &p->out->storage[v];
        int64_t offset =
            p->out->storage[r]
                .offset; /* of the class, set by place_all; the root's own entry is the same */
        if (c->home == DG_HOME_NONE) {
            *s = (dg_storage){.home = DG_HOME_NONE, .base = v};
            continue;
        }
        *s = (dg_storage){.home = c->home, .base = owner[r]};
        s->offset = c->home == DG_HOME_ARENA ? offset : c->index;
        if (owner[r] == v) continue;
        if (b->view)
            s->alias = "view";
        else if (b->part)
            s->alias = "concat part";
        else if (c->home == DG_HOME_PARAM || c->home == DG_HOME_STATE)
            s->alias = "place";
        else
            s->alias = dg_value_of(p->g, v)->def == DG_NONE ||
                               dg_node_of(p->g, dg_value_of(p->g, v)->def)->body != DG_NONE
                           ? "carry"
                           : "in-place";
    }
}

/* A budget is kept or refused: recompute has done what it could. It is not asked of a buffer for
 * each value, which is there to be compared with. */
static bool within(dg_module *m, const dg_pass_options *o, const dg_layout *out)
{
    if (o->memory == 0 || o->naive || (uint64_t)out->arena_bytes <= o->memory) return true;
    char needs[32], allows[32], least[32];
    dg_bytes_text((uint64_t)out->arena_bytes, needs);
    dg_bytes_text(o->memory, allows);
    dg_bytes_text((uint64_t)out->order_free_bound, least);
    dg_message *e =
        dg_error_at(m->diag, "E601", m->entry ? m->entry : "plan",
                    "the plan's arena takes %s, more than the budget of %s", needs, allows);
    dg_note_add(m->diag, e,
                "--memory=%lld is the smallest budget that can be kept: all that helps is computed "
                "again already",
                (long long)out->arena_bytes);
    dg_note_add(m->diag, e, "one step alone takes %s: no order of steps can do with less", least);
    dg_help_add(m->diag, e,
                "a smaller batch takes less; so do smaller values of what the file calls `config`");
    return false;
}

/* Everything but offsets: steps, lives, and which values share bytes. `bytes` are the graph's. */
static planner plan_lives(dg_module *m, const dg_pass_options *o, dg_arena *a, dg_layout *out)
{
    dg_graph *g = m->graph;
    size_t values = g->values.n, nodes = g->nodes.n;
    *out = (dg_layout){.arena = a,
                       .n_values = (int)values,
                       .bytes = dg_bytes_of(g, a),
                       .n_nodes = (int)nodes,
                       .workspace_bytes = DG_NEW_ARRAY(a, int64_t, nodes),
                       .carry_swap = DG_NEW_ARRAY(a, uint8_t, values)};
    planner p = {.m = m,
                 .g = g,
                 .out = out,
                 .a = dg_arena_new(),
                 .bytes = out->bytes,
                 .fx = dg_effects_of(g),
                 .reference = o->reference || o->naive};
    p.begin = DG_NEW_ARRAY(a, int32_t, nodes);
    p.end = DG_NEW_ARRAY(a, int32_t, nodes);
    p.first = DG_ROOM(p.a, int32_t, values);
    p.last = DG_ROOM(a, int32_t, values);
    p.classes = DG_ROOM(p.a, class, values);
    p.place = DG_ROOM(p.a, dg_value, m->places.n);
    for (size_t i = 0; i < m->places.n; i++) p.place[i] = DG_NONE;
    for (size_t v = 0; v < values; v++) p.first[v] = p.last[v] = -1;
    number(&p, 0);
    find_lives(&p);
    make_classes(&p);
    join_carries(&p);
    join_places(&p);
    join_inits(&p);
    join_operands(&p);
    find_trades(&p);
    join_lives(&p);
    return p;
}

static void planner_free(planner *p)
{
    dg_vec_free(&p->leaves);
    dg_vec_free(&p->loops);
    dg_vec_free(&p->writes);
    dg_vec_free(&p->outputs);
    dg_vec_free(&p->kernels);
    dg_arena_free(p->a);
}

bool dg_pass_memplan(dg_module *m, const dg_pass_options *o, dg_layout *out)
{
    planner p = plan_lives(m, o, dg_arena_new(), out);
    out->storage = DG_NEW_ARRAY(out->arena, dg_storage, out->n_values);
    out->workspace = DG_ROOM(out->arena, int64_t, out->n_nodes);
    for (int n = 0; n < out->n_nodes; n++) out->workspace[n] = -1;
    place_all(&p);
    bound_free_of_order(&p);
    describe(&p);
    planner_free(&p);
    return within(m, o, out);
}

void dg_layout_free(dg_layout *l)
{
    dg_vec_free(&l->heuristics);
    dg_vec_free(&l->decisions);
    dg_arena_free(l->arena);
}

int64_t dg_arena_needed(dg_module *m, const dg_pass_options *o)
{
    dg_pass_options free = *o;
    dg_layout layout;
    free.memory = 0;
    dg_pass_memplan(m, &free, &layout);
    dg_layout_free(&layout);
    return layout.arena_bytes;
}

void dg_lives_of(dg_module *m, const dg_pass_options *o, dg_lives *out, dg_arena *a)
{
    dg_layout layout;
    planner p = plan_lives(m, o, a, &layout);
    size_t most = p.g->values.n + p.g->nodes.n;
    dg_slot *slots = DG_NEW_ARRAY(p.a, dg_slot, most);
    int32_t *whose = DG_NEW_ARRAY(p.a, int32_t, most);
    int n = make_slots(&p, slots, whose);
    *out = (dg_lives){.bytes = p.bytes,
                      .steps = p.steps,
                      .begin = p.begin,
                      .end = p.end,
                      .last = p.last,
                      .home = DG_NEW_ARRAY(a, dg_home, p.g->values.n),
                      .live = DG_NEW_ARRAY(a, int64_t, p.steps + 2),
                      .between = DG_NEW_ARRAY(a, int64_t, p.steps + 2)};
    for (dg_value v = 0; (size_t)v < p.g->values.n; v++)
        out->home[v] = class_of(&p, v)->trades ? DG_HOME_NONE : class_of(&p, v)->home;
    for (int i = 0; i < n; i++) {
        int32_t last = slots[i].last < p.steps ? slots[i].last : p.steps;
        out->live[slots[i].first] += slots[i].size;
        out->live[last + 1] -= slots[i].size;
        out->between[slots[i].first + 1] += slots[i].size;
        out->between[last + 1] -= slots[i].size;
    }
    for (int32_t t = 1; t <= p.steps; t++) {
        out->live[t] += out->live[t - 1];
        out->between[t] += out->between[t - 1];
    }
    dg_vec_free(&layout.decisions); /* nothing else of this layout is wanted */
    planner_free(&p);
}

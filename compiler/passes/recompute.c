/* recompute: values that are needed again much later are computed again, instead of being kept.
 *
 * In     an order of steps.
 * Out    the same order with copies of nodes, each just before the first step that needs its result
 *        again; from there on all readers read the copy's result, until its last reader. Paths of
 *        such values end in `.again`.
 * Keeps  every result, to the bit: a copy has the same kernel, attributes and operands, draws are
 *        functions of the seed and a counter, and no place is read after it has its new value.
 * Method one choice after the other. Among the values that are taken where the arena is fullest,
 *        without being read there, the one is chosen that frees most bytes there for a nanosecond
 *        of work. With it come those of its operands that are gone by then: a chain back to what is
 *        there, or to what is worth keeping longer. After every few choices all lives are found
 *        anew.
 *        Without a budget that goes on while choices are nearly free: each frees a byte for a
 *        nanosecond or less, as elementwise chains and small products do, and all together take no
 *        more than 2 % of the time of the whole; a small arena is left as it is. With a budget it
 *        goes on until the plan keeps it. What is chosen does not depend on the budget, only when
 *        to stop does; so a smaller budget never takes less time.
 *        Time is the estimate of cost.h, so that no clock takes part. */
#include "compiler/passes/cost.h"
#include "compiler/passes/memplan.h"

#include <stdlib.h>

/* Nodes of one chain; choices between two looks at all lives, nearly free ones and others. */
enum { CHAIN = 40, FREE_BATCH = 16, BATCH = 4 };
/* Without a budget: least bytes that are worth a choice, most nanoseconds of a trip that a byte is
 * worth. */
#define LEAST_BYTES ((int64_t)64 << 10)
/* ... and the arena from which on any are: a smaller one stays in the caches as it is. */
#define SMALL_ARENA ((int64_t)4 << 20)
#define MOST_NS 1.0

typedef struct use { /* of a base, by node n of the base's region (or by what n's body holds) */
    dg_node n;
    int32_t begin, end; /* steps */
    int32_t next;
} use;

typedef struct choice {
    dg_value v;   /* to be made again */
    dg_node at;   /* before this node, at its step `need` */
    int32_t left; /* the step after which v is not needed until then */
    int32_t need;
    int n; /* nodes of the chain, in order */
    dg_node chain[CHAIN];
    int n_longer; /* values kept longer for it, until `need` */
    dg_value longer[2 * CHAIN];
    int64_t frees; /* bytes at the peak */
    double cost;
} choice;

typedef struct worth { /* of a candidate, as it was when it was listed */
    dg_value v;
    double frees, cost;
} worth;

typedef struct recomputer {
    dg_module *m;
    dg_graph *g;
    const dg_pass_options *o;
    double total, spent; /* nanoseconds: of the whole, of copies */
    int choices;
    /* of the graph as it stands; new for every batch */
    dg_arena *a;
    const dg_bytes *bytes;
    dg_effects fx;
    dg_lives lives;
    int32_t *uses; /* by base: its first use in order of steps, -1 */
    DG_VEC(use) pool;
    int32_t *renewed; /* by base of a place: the step that makes its new value */
    uint8_t *pinned;  /* by base: an output, a place's new value, a result of a body */
    uint8_t *touched; /* by base: changed in this batch */
    double *cost;     /* by node */
    double *trips;    /* by node: how often it runs */
    size_t n_values, n_nodes;
    /* candidates for one peak, the best first; those before `next` are done with */
    DG_VEC(worth) list;
    size_t next;
    int32_t listed_at;      /* that peak, -1 */
    DG_VEC(choice) pending; /* chosen, but the peak is as high as before */
} recomputer;

/* ---- the graph as it stands ---- */

static void add_use(recomputer *r, dg_value v, dg_node n)
{
    dg_value base = r->bytes[v].base;
    dg_node held = dg_lift(r->g, n, dg_value_of(r->g, base)->region);
    if (held == DG_NONE || r->lives.begin[held] < 0) return;
    dg_vec_push(&r->pool, (use){held, r->lives.begin[held], r->lives.end[held], r->uses[base]});
    r->uses[base] = (int32_t)r->pool.n - 1;
}

/* Backwards, so that lists of uses begin with the first. */
static void look_at(recomputer *r, dg_region region, double trips)
{
    dg_graph *g = r->g;
    const dg_region_info *info = dg_region_of(g, region);
    for (size_t k = 0; k < info->results.n; k++) r->pinned[r->bytes[info->results.at[k]].base] = 1;
    for (dg_node n = info->last; n != DG_NONE; n = dg_node_of(g, n)->prev) {
        const dg_node_info *i = dg_node_of(g, n);
        r->trips[n] = trips;
        if (i->body != DG_NONE)
            look_at(r, i->body, trips * (double)dg_attr_int(&i->attrs, "trips"));
        else if (r->lives.begin[n] >= 0 && !(i->op->traits & DG_EFFECT))
            r->cost[n] = dg_node_cost_ns(g, n, r->o->isa) * trips;
        if (i->op == r->fx.output || i->op == r->fx.write) r->pinned[r->bytes[i->in[0]].base] = 1;
        if (r->lives.begin[n] < 0) continue; /* a view reads nothing by itself */
        for (int k = 0; k < i->n_in; k++) add_use(r, i->in[k], n);
    }
}

static void find_renewed(recomputer *r)
{
    dg_graph *g = r->g;
    int32_t *made = DG_NEW_ARRAY(r->a, int32_t, r->m->places.n);
    for (size_t i = 0; i < r->m->places.n; i++) made[i] = INT32_MAX;
    DG_EACH_NODE(g, 0, n) {
        const dg_node_info *i = dg_node_of(g, n);
        if (i->op != r->fx.write) continue;
        dg_node def = dg_value_of(g, r->bytes[i->in[0]].base)->def;
        int32_t at = def == DG_NONE ? -1 : r->lives.end[def];
        made[dg_attr_int(&i->attrs, "index")] = at >= 0 ? at : r->lives.begin[n];
    }
    DG_EACH_NODE(g, 0, n) {
        const dg_node_info *i = dg_node_of(g, n);
        if (i->op == r->fx.place) r->renewed[i->out[0]] = made[dg_attr_int(&i->attrs, "index")];
    }
}

static void look(recomputer *r)
{
    dg_graph *g = r->g;
    if (r->a) dg_arena_free(r->a);
    r->a = dg_arena_new();
    r->n_values = g->values.n;
    r->n_nodes = g->nodes.n;
    r->fx = dg_effects_of(g);
    dg_lives_of(r->m, r->o, &r->lives, r->a);
    r->bytes = r->lives.bytes;
    r->pool.n = 0;
    r->listed_at = -1;
    r->uses = DG_NEW_ARRAY(r->a, int32_t, r->n_values);
    r->renewed = DG_NEW_ARRAY(r->a, int32_t, r->n_values);
    for (size_t v = 0; v < r->n_values; v++) r->uses[v] = -1, r->renewed[v] = INT32_MAX;
    r->pinned = DG_NEW_ARRAY(r->a, uint8_t, r->n_values);
    r->touched = DG_NEW_ARRAY(r->a, uint8_t, r->n_values);
    r->cost = DG_NEW_ARRAY(r->a, double, r->n_nodes);
    r->trips = DG_NEW_ARRAY(r->a, double, r->n_nodes);
    look_at(r, 0, 1);
    find_renewed(r);
}

static int32_t peak_step(const recomputer *r)
{
    int32_t at = 0;
    for (int32_t t = 1; t < r->lives.steps; t++)
        if (r->lives.live[t] > r->lives.live[at]) at = t;
    return at;
}

/* ---- one choice ---- */

static int64_t size_of(const recomputer *r, dg_value base)
{
    return dg_align(dg_type_bytes(dg_type_of(r->g, base)));
}

static bool can_run_again(const recomputer *r, dg_node n)
{
    if (n == DG_NONE || (size_t)n >= r->n_nodes) return false;
    const dg_node_info *i = dg_node_of(r->g, n);
    return i->body == DG_NONE && !(i->op->traits & (DG_EFFECT | DG_LEAF)) && r->lives.begin[n] >= 0;
}

/* Whether operand x of the chain can be read at the step `need`: as it is, kept longer, or made
 * again. */
typedef enum answer { NO, THERE, LONGER, AGAIN } answer;

static answer ask(const recomputer *r, dg_value x, const choice *c, int32_t peak, bool deep)
{
    const dg_value_info *info = dg_value_of(r->g, x);
    switch (r->lives.home[x]) {
    case DG_HOME_PARAM:
    case DG_HOME_STATE:
        return c->need <= r->renewed[x] && info->def != DG_NONE &&
                       dg_node_of(r->g, info->def)->op == r->fx.place
                   ? THERE
                   : NO;
    case DG_HOME_CONST:
    case DG_HOME_IO:
        return THERE;
    case DG_HOME_ARENA:
        break;
    default:
        return NO;
    }
    if (r->lives.last[x] >= c->need) return THERE;
    if (info->def == DG_NONE || info->region != dg_node_of(r->g, c->at)->region) return NO;
    if (r->lives.last[x] >= peak) return LONGER; /* taken at the peak in any case */
    if (!deep || !can_run_again(r, info->def)) return LONGER;
    return AGAIN;
}

static bool in_chain(const choice *c, dg_node n)
{
    for (int i = 0; i < c->n; i++)
        if (c->chain[i] == n) return true;
    return false;
}

/* Adds node n and what it needs, operands first. `deep`: 0: only n; 1: what has no products in it;
 * 2: anything. */
static bool add_chain(const recomputer *r, choice *c, dg_node n, int32_t peak, int deep)
{
    if (in_chain(c, n)) return true;
    const dg_node_info *i = dg_node_of(r->g, n);
    for (int k = 0; k < i->n_in; k++) {
        if ((size_t)i->in[k] >= r->n_values) return false; /* a copy of this batch */
        dg_value x = r->bytes[i->in[k]].base;
        dg_node def = dg_value_of(r->g, x)->def;
        bool again = deep > 1 || (deep == 1 && def != DG_NONE &&
                                  !(dg_node_of(r->g, def)->op->traits & DG_GEMM_LIKE));
        bool known = false;
        switch (ask(r, x, c, peak, again)) {
        case NO:
            return false;
        case THERE:
            break;
        case AGAIN:
            if (!add_chain(r, c, def, peak, deep)) return false;
            break;
        case LONGER:
            for (int j = 0; j < c->n_longer; j++) known |= c->longer[j] == x;
            if (known) break;
            if (c->n_longer == 2 * CHAIN) return false;
            c->longer[c->n_longer++] = x;
            if (r->lives.last[x] < peak) c->frees -= size_of(r, x);
            break;
        }
    }
    if (c->n == CHAIN) return false;
    c->chain[c->n++] = n;
    c->cost += r->cost[n] / r->trips[n] * r->trips[c->at];
    return true;
}

/* The copies must have room where they run: the most that one of them takes beside v, which is
 * there in any case, stays below the peak. And what is kept longer raises no step to it. */
static bool has_room(const recomputer *r, const choice *c, int64_t peak_bytes)
{
    int64_t most = 0;
    for (int i = 0; i < c->n; i++) {
        const dg_node_info *n = dg_node_of(r->g, c->chain[i]);
        int64_t sum = 0;
        for (int k = 0; k < n->n_out; k++) sum += n->out[k] == c->v ? 0 : size_of(r, n->out[k]);
        for (int k = 0; k < n->n_in; k++) {
            dg_value x = r->bytes[n->in[k]].base;
            dg_node def = dg_value_of(r->g, x)->def;
            if (def != DG_NONE && in_chain(c, def) && x != c->v) sum += size_of(r, x);
        }
        if (n->kernel && n->kernel->workspace) {
            dg_infer t = dg_types_of(r->g, c->chain[i]);
            sum += dg_align(n->kernel->workspace(&t, n->strip));
        }
        if (sum > most) most = sum;
    }
    if (r->lives.between[c->need] + most >= peak_bytes) return false; /* v is counted there */
    for (int j = 0; j < c->n_longer; j++) {
        int64_t more = size_of(r, c->longer[j]);
        for (int32_t t = r->lives.last[c->longer[j]] + 1; t <= c->need; t++)
            if (r->lives.live[t] + more >= peak_bytes) return false;
    }
    return true;
}

static bool better(const choice *a, const choice *b)
{
    return (double)a->frees * b->cost > (double)b->frees * a->cost;
}

/* The best way to have v again; false: there is none. */
static bool consider(const recomputer *r, dg_value v, int32_t peak, int64_t least, choice *best)
{
    const dg_value_info *info = dg_value_of(r->g, v);
    if (r->touched[v] || r->pinned[v] || r->lives.home[v] != DG_HOME_ARENA || r->bytes[v].view ||
        r->uses[v] < 0 || !can_run_again(r, info->def) || size_of(r, v) < least ||
        r->lives.end[info->def] >= peak)
        return false;
    choice start = {.v = v, .left = r->lives.end[info->def], .need = -1};
    for (int32_t u = r->uses[v]; u >= 0 && start.need < 0; u = r->pool.at[u].next) {
        const use *one = &r->pool.at[u];
        if (one->end < peak) {
            start.left = one->end > start.left ? one->end : start.left;
        } else if (one->begin <= peak) {
            return false;
        } else {
            start.at = one->n;
            start.need = one->begin;
        }
    }
    if (start.need < 0) return false;
    start.frees = size_of(r, v);
    bool found = false;
    for (int deep = 0; deep < 3; deep++) {
        choice c = start;
        if (!add_chain(r, &c, info->def, peak, deep)) continue;
        bool whole = c.n_longer == 0; /* all operands are there: a longer chain is the same one */
        if (c.frees >= least && (!found || better(&c, best)) &&
            has_room(r, &c, r->lives.live[peak])) {
            *best = c;
            found = true;
        }
        if (whole && c.n == 1) break;
    }
    return found;
}

static int by_worth(const void *pa, const void *pb)
{
    const worth *a = pa, *b = pb;
    double x = a->frees * b->cost, y = b->frees * a->cost;
    if (x != y) return x > y ? -1 : 1;
    return a->v < b->v ? -1 : a->v > b->v;
}

static void list_candidates(recomputer *r, int32_t peak, int64_t least)
{
    choice c;
    r->list.n = 0;
    r->next = 0;
    r->listed_at = peak;
    for (dg_value v = 0; (size_t)v < r->n_values; v++)
        if (consider(r, v, peak, least, &c))
            dg_vec_push(&r->list, (worth){v, (double)c.frees, c.cost});
    if (r->list.n > 1) qsort(r->list.at, r->list.n, sizeof *r->list.at, by_worth);
}

/* The next of the list that is worth as much as it was, or at least as the one behind it. What
 * cannot be done any more gets another chance at the next look. */
static bool choose(recomputer *r, int64_t least, choice *best)
{
    int32_t peak = peak_step(r);
    if (least < r->lives.live[peak] / 4096) least = r->lives.live[peak] / 4096;
    if (peak != r->listed_at) list_candidates(r, peak, least);
    while (r->next < r->list.n) {
        worth *one = &r->list.at[r->next];
        if (!consider(r, one->v, peak, least, best)) {
            r->next++;
            continue;
        }
        *one = (worth){best->v, (double)best->frees, best->cost};
        size_t k = r->next;
        for (; k + 1 < r->list.n && by_worth(&r->list.at[k], &r->list.at[k + 1]) > 0; k++) {
            worth t = r->list.at[k];
            r->list.at[k] = r->list.at[k + 1];
            r->list.at[k + 1] = t;
        }
        if (k == r->next) return true; /* taken off the list by being touched */
    }
    return false;
}

/* ---- doing it ---- */

static dg_node copy_node(recomputer *r, dg_node n, dg_node before, const dg_value *in)
{
    dg_graph *g = r->g;
    dg_node copy = dg_copy_node(g, n, dg_node_of(g, before)->region, before, in);
    const dg_node_info *c = dg_node_of(g, copy), *i = dg_node_of(g, n);
    for (int k = 0; k < c->n_out; k++)
        dg_value_of(g, c->out[k])->path =
            dg_path_behind(g, dg_value_of(g, i->out[k])->path, "again");
    return copy;
}

typedef struct renaming { /* values made again before one node */
    int n;
    struct {
        dg_value old, made;
    } at[8 * CHAIN];
} renaming;

static void rename_to(renaming *to, dg_value old, dg_value made)
{
    if (to->n < 8 * CHAIN) to->at[to->n].old = old, to->at[to->n++].made = made;
}

/* The value that stands for v before that node: itself, a copy's result, or a view of one. */
static dg_value renamed(recomputer *r, renaming *names, dg_value v, dg_node before)
{
    for (int i = 0; i < names->n; i++)
        if (names->at[i].old == v) return names->at[i].made;
    if ((size_t)v >= r->n_values || !r->bytes[v].view) return v;
    bool moved = false;
    for (int i = 0; i < names->n; i++) moved |= names->at[i].old == r->bytes[v].base;
    if (!moved) return v;
    dg_node view = dg_value_of(r->g, v)->def;
    dg_value in = renamed(r, names, dg_node_of(r->g, view)->in[0], before);
    dg_value made = dg_node_of(r->g, copy_node(r, view, before, &in))->out[0];
    rename_to(names, v, made);
    return made;
}

/* Readers from `need` on, in the region or in bodies in it, read the copy. */
static void redirect(recomputer *r, renaming *names, const choice *c, dg_node n)
{
    dg_node_info *i = dg_node_of(r->g, n);
    for (int k = 0; k < i->n_in; k++) {
        dg_value v = dg_node_of(r->g, n)->in[k];
        if ((size_t)v >= r->n_values || r->bytes[v].base != c->v) continue;
        dg_value to = renamed(r, names, v, c->at);
        dg_node_of(r->g, n)->in[k] = to;
    }
    dg_region body = dg_node_of(r->g, n)->body;
    if (body == DG_NONE) return;
    for (dg_node inner = dg_region_of(r->g, body)->first; inner != DG_NONE;
         inner = dg_node_of(r->g, inner)->next)
        redirect(r, names, c, inner);
}

static void apply(recomputer *r, const choice *c)
{
    dg_graph *g = r->g;
    renaming *names = DG_NEW(r->a, renaming);
    for (int i = 0; i < c->n; i++) {
        dg_node_info n = *dg_node_of(g, c->chain[i]);
        dg_value *in = DG_NEW_ARRAY(r->a, dg_value, n.n_in);
        for (int k = 0; k < n.n_in; k++) in[k] = renamed(r, names, n.in[k], c->at);
        dg_node copy = copy_node(r, c->chain[i], c->at, in);
        for (int k = 0; k < n.n_out; k++) rename_to(names, n.out[k], dg_node_of(g, copy)->out[k]);
    }
    for (int32_t u = r->uses[c->v]; u >= 0; u = r->pool.at[u].next)
        if (r->pool.at[u].begin >= c->need) redirect(r, names, c, r->pool.at[u].n);
    dg_vec_push(&r->m->decisions,
                (dg_decision){"recompute", dg_value_of(g, names->at[names->n - 1].made)->def,
                              DG_NONE, "yes", "remat.yes", c->frees});
}

/* What the choice does to lives: all that is asked for before the next look. */
static void foresee(recomputer *r, const choice *c)
{
    r->touched[c->v] = 1;
    for (int i = 0; i < c->n; i++) {
        const dg_node_info *n = dg_node_of(r->g, c->chain[i]);
        for (int k = 0; k < n->n_in; k++) r->touched[r->bytes[n->in[k]].base] = 1;
    }
    for (int32_t t = c->left + 1; t < c->need; t++) {
        r->lives.live[t] -= size_of(r, c->v);
        r->lives.between[t] -= size_of(r, c->v);
    }
    for (int j = 0; j < c->n_longer; j++) {
        dg_value x = c->longer[j];
        for (int32_t t = r->lives.last[x] + 1; t <= c->need; t++) {
            r->lives.live[t] += size_of(r, x);
            r->lives.between[t] += size_of(r, x);
        }
        r->lives.last[x] = c->need;
    }
    r->lives.last[c->v] = c->left;
    r->spent += c->cost;
    r->choices++;
}

/* ---- how far ---- */

/* Of a whole plan: placement is not perfect. */
static bool keeps_budget(recomputer *r)
{
    int64_t bound = r->lives.live[peak_step(r)];
    if ((uint64_t)bound > r->o->memory) return false;
    return (uint64_t)dg_arena_needed(r->m, r->o) <= r->o->memory;
}

static bool nearly_free(const recomputer *r, const choice *c)
{
    return c->cost <= MOST_NS * (double)c->frees * r->trips[c->at] &&
           r->spent + c->cost <= r->total / 50;
}

/* Choices that have lowered the peak, together, become copies. */
static void commit(recomputer *r)
{
    for (size_t i = 0; i < r->pending.n; i++) apply(r, &r->pending.at[i]);
    r->pending.n = 0;
}

static void forget(recomputer *r)
{
    for (size_t i = 0; i < r->pending.n; i++) r->spent -= r->pending.at[i].cost;
    r->pending.n = 0;
}

bool dg_pass_recompute(dg_module *m, const dg_pass_options *o)
{
    recomputer r = {.m = m, .g = m->graph, .o = o};
    choice c;
    bool free_ones = true, going = true;
    look(&r);
    if (o->memory == 0 && r.lives.live[peak_step(&r)] < SMALL_ARENA) going = false;
    for (size_t n = 0; n < r.n_nodes; n++) r.total += r.cost[n];
    size_t most = 4 * r.n_nodes; /* a bound for graphs whose peak creeps down */
    while (going && (size_t)r.choices < most) {
        int64_t lowest = r.lives.live[peak_step(&r)];
        for (int done = 0; done < (free_ones ? FREE_BATCH : BATCH); done++) {
            going = choose(&r, free_ones ? LEAST_BYTES : 0, &c);
            bool free_end = free_ones && (!going || !nearly_free(&r, &c));
            if (free_end) {
                free_ones = false;
                going = o->memory > 0;
            }
            if (free_end || !going) {
                forget(&r);
                break;
            }
            foresee(&r, &c);
            dg_vec_push(&r.pending, c);
            int64_t peak = r.lives.live[peak_step(&r)];
            if (peak >= lowest) continue;
            commit(&r);
            lowest = peak;
        }
        commit(&r);
        if (going) look(&r);
        if (!free_ones && going && keeps_budget(&r)) break;
    }
    dg_vec_free(&r.pool);
    dg_vec_free(&r.list);
    dg_vec_free(&r.pending);
    dg_arena_free(r.a);
    return true;
}

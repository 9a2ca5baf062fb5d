/* fuse_group.c: which stored values are made by one kernel.
 *
 * In     one region with f->root and f->chain decided.
 * Out    units: nodes that stay (some with an epilogue or a prologue), and groups of results;
 * f->owner and f->unit name them. Keeps  every unit's operands are made by units that stand before
 * it.
 *
 * A group begins as one stored value, or as one sum over trailing axes. Two groups of one shape are
 * merged when one reads what the other stores, or when both read the same large value: the sums of
 * a norm's backward, the moments and the parameter of an optimiser's update. The later group then
 * moves to the place of the earlier one, so everything it reads has to be there already, but for
 * small tensors, which move along: a merge never waits for a kernel and keeps nothing large alive
 * for longer. */
#include "compiler/passes/fuse.h"

#include <string.h>

enum {
    HEAVY = 64 * 1024, /* bytes of a result that count for the peak */
    MOVES = 64,        /* units that move along with a merge */
    TRIES = 6          /* groups that share an operand with a group, nearest first */
};

typedef struct readers { /* of values: groups that load them */
    int32_t *first, *unit;
} readers;

static int32_t find(dg_fuse *f, int32_t u)
{
    while (f->units.at[u].parent != u) {
        f->units.at[u].parent = f->units.at[f->units.at[u].parent].parent;
        u = f->units.at[u].parent;
    }
    return u;
}

static double label_of(const dg_fuse *f, int32_t u)
{
    return f->label[f->units.at[u].anchor];
}

/* The unit of this region that makes v, or -1. */
static int32_t maker(dg_fuse *f, dg_region r, dg_value v)
{
    const dg_value_info *info = dg_value_of(f->g, v);
    if (info->def == DG_NONE || info->region != r) return -1;
    if (f->owner[v] >= 0) return find(f, f->owner[v]);
    if (f->unit[info->def] < 0) return -1;
    return find(f, f->unit[info->def]);
}

static bool reload(dg_fuse *f, int32_t u)
{
    dg_unit *unit = &f->units.at[u];
    dg_body body;
    dg_body_begin(f, &body, DG_NONE);
    bool fits = true;
    for (int i = 0; fits && i < unit->n_out; i++)
        fits = dg_body_add(f, &body, unit->out[i].source, u, false);
    unit->n_load = body.n_load;
    unit->load = dg_arena_copy(f->arena, body.load, sizeof *body.load * (size_t)body.n_load);
    return fits;
}

static int32_t add_unit(dg_fuse *f, dg_node anchor, bool group)
{
    int32_t u = (int32_t)f->units.n;
    dg_vec_push(&f->units, (dg_unit){.anchor = anchor,
                                     .parent = u,
                                     .group = group,
                                     .epilogue = DG_NONE,
                                     .prologue = DG_NONE});
    f->unit[anchor] = u;
    return u;
}

static void add_group(dg_fuse *f, dg_node n, dg_value source, int reduce)
{
    dg_value value = dg_node_of(f->g, n)->out[0];
    int32_t u = add_unit(f, n, true);
    f->units.at[u].out = DG_NEW(f->arena, dg_fuse_out);
    f->units.at[u].out[0] = (dg_fuse_out){value, source, reduce};
    f->units.at[u].n_out = 1;
    f->owner[value] = u;
}

/* What the prologue and the epilogue of a node that stays read. */
static void load_ends(dg_fuse *f, dg_unit *unit)
{
    dg_value load[2 * DG_FUSE_LOADS];
    int n = 0;
    dg_body body;
    if (unit->epilogue != DG_NONE) {
        dg_body_begin(f, &body, dg_node_of(f->g, unit->anchor)->out[0]);
        dg_body_add(f, &body, unit->epilogue, -1, true);
        for (int i = 1; i < body.n_load; i++) load[n++] = body.load[i];
    }
    if (unit->prologue != DG_NONE) {
        dg_body_begin(f, &body, DG_NONE);
        dg_body_add(f, &body, unit->prologue, -1, true);
        for (int i = 0; i < body.n_load; i++) load[n++] = body.load[i];
    }
    unit->n_load = n;
    unit->load = dg_arena_copy(f->arena, load, sizeof *load * (size_t)n);
}

static void make_units(dg_fuse *f, dg_region r)
{
    size_t from = f->units.n;
    DG_EACH_NODE(f->g, r, n) {
        const dg_node_info *node = dg_node_of(f->g, n);
        dg_value v = node->n_out > 0 ? node->out[0] : DG_NONE;
        if (node->n_out == 1 && f->fusible[v]) {
            if (f->root[v] && f->owner[v] < 0) add_group(f, n, v, 0);
            continue;
        }
        if (f->row_sum[n] > 0) {
            add_group(f, n, node->in[0], f->row_sum[n]);
            continue;
        }
        int32_t u = add_unit(f, n, false);
        int operand = dg_fuse_operand(f, n);
        if (operand >= 0) {
            f->units.at[u].prologue = node->in[operand];
            f->units.at[u].operand = operand;
        }
        if (f->chain[n] == DG_NONE) continue;
        f->units.at[u].epilogue = f->chain[n];
        f->owner[f->chain[n]] =
            u; /* before its node is met: readers come later, and it makes no group of its own */
    }
    for (size_t u = from; u < f->units.n; u++) {
        dg_unit *unit = &f->units.at[u];
        if (unit->group)
            reload(f, (int32_t)u);
        else
            load_ends(f, unit);
    }
}

/* ---- merging ---- */

typedef struct moves {
    int n;
    int32_t at[MOVES];
    dg_region region;
    int32_t into; /* the earlier group */
    int64_t small;
} moves;

static bool collect(dg_fuse *f, dg_value v, moves *m);

/* Unit u stands after `into`, and the later group needs it: it has to move along. */
static bool collect_unit(dg_fuse *f, int32_t u, moves *m)
{
    const dg_unit *unit = &f->units.at[u];
    if (f->seen[unit->anchor] == f->visit) return true;
    f->seen[unit->anchor] = f->visit;
    const dg_node_info *node = dg_node_of(f->g, unit->anchor);
    if (m->n == MOVES || node->op->traits & (DG_CONTROL | DG_EFFECT)) return false;
    int64_t bytes = 0;
    if (unit->group)
        for (int i = 0; i < unit->n_out; i++)
            bytes += dg_type_bytes(dg_type_of(f->g, unit->out[i].value));
    else if (!(node->op->traits & (DG_VIEW | DG_LEAF)))
        for (int i = 0; i < node->n_out; i++)
            bytes += dg_type_bytes(dg_type_of(f->g, node->out[i]));
    if (bytes > m->small) return false;
    if (!unit->group)
        for (int i = 0; i < node->n_in; i++)
            if (!collect(f, node->in[i], m)) return false;
    for (int i = 0; i < unit->n_load; i++)
        if (!collect(f, unit->load[i], m)) return false;
    if (m->n == MOVES) return false;
    m->at[m->n++] = u;
    return true;
}

static bool collect(dg_fuse *f, dg_value v, moves *m)
{
    int32_t u = maker(f, m->region, v);
    if (u < 0) return true;
    if (u == m->into)
        return false; /* a path from the one to the other through what stays outside */
    return label_of(f, u) < label_of(f, m->into) || collect_unit(f, u, m);
}

static bool reads(const dg_fuse *f, int32_t b, int32_t a)
{
    const dg_unit *ub = &f->units.at[b], *ua = &f->units.at[a];
    for (int i = 0; i < ub->n_load; i++)
        for (int k = 0; k < ua->n_out; k++)
            if (ub->load[i] == ua->out[k].value && ua->out[k].reduce == 0) return true;
    return false;
}

/* A large result that others than a and b need as a value: not only written to a place. */
static bool heavy(dg_fuse *f, int32_t u, int32_t a, int32_t b, const readers *by)
{
    const dg_unit *unit = &f->units.at[u];
    for (int i = 0; i < unit->n_out; i++) {
        dg_value v = unit->out[i].value;
        if (unit->out[i].reduce > 0 || dg_type_bytes(dg_type_of(f->g, v)) < HEAVY) continue;
        for (int32_t k = f->uses.first[v]; k < f->uses.first[v + 1]; k++) {
            dg_use use = f->uses.at[k];
            const dg_node_info *n = dg_node_of(f->g, use.node);
            bool dissolves = n->n_out == 1 && (f->fusible[n->out[0]] || f->row_sum[use.node] > 0);
            if (use.input < 0 || !(n->op->traits & DG_EFFECT || dissolves)) return true;
        }
        for (int32_t k = by->first[v]; k < by->first[v + 1]; k++) {
            int32_t reader = find(f, by->unit[k]);
            if (reader != a && reader != b) return true;
        }
    }
    return false;
}

static const dg_shape *space_of(const dg_fuse *f, int32_t u)
{
    return &dg_type_of(f->g, f->units.at[u].out[0].source)->shape;
}

/* Both could be one kernel as far as their kind goes. */
static bool alike(const dg_fuse *f, int32_t a, int32_t b)
{
    const dg_node_info *na = dg_node_of(f->g, f->units.at[a].anchor),
                       *nb = dg_node_of(f->g, f->units.at[b].anchor);
    return na->phase == nb->phase && na->remat == nb->remat &&
           dg_shape_equal(space_of(f, a), space_of(f, b));
}

/* Merges group b into the earlier group a, which is alike. */
static bool merge(dg_fuse *f, dg_region r, int32_t a, int32_t b, const readers *by)
{
    dg_unit *ua = &f->units.at[a], *ub = &f->units.at[b];
    if (ua->n_out + ub->n_out > DG_FUSE_OUTS) return false;

    bool vertical = reads(f, b, a), near = f->kernels[ua->anchor] == f->kernels[ub->anchor];
    if (!(vertical && near) && heavy(f, a, a, b, by) && heavy(f, b, a, b, by)) {
        if (vertical) dg_fuse_decide(f, DG_NONE, ub->out[0].value, false, "fuse.no:raises-peak", 0);
        return false;
    }

    f->visit++;
    int64_t small = dg_type_bytes(dg_type_of(f->g, ub->out[0].source)) / 8;
    moves m = {.region = r, .into = a, .small = small > 4096 ? small : 4096};
    for (int i = 0; i < ub->n_load; i++) {
        dg_value v = ub->load[i];
        if (maker(f, r, v) == a) {
            if (!f->fusible[v]) return false; /* a sum is complete only when its kernel is */
        } else if (!collect(f, v, &m)) {
            return false;
        }
    }

    /* as one body, with what a stores computed inside */
    int n_out = ua->n_out + ub->n_out;
    dg_fuse_out *out = DG_NEW_ARRAY(f->arena, dg_fuse_out, n_out);
    memcpy(out, ua->out, sizeof *out * (size_t)ua->n_out);
    memcpy(out + ua->n_out, ub->out, sizeof *out * (size_t)ub->n_out);
    dg_unit before = *ua;
    ua->out = out;
    ua->n_out = n_out;
    for (int i = 0; i < ub->n_out; i++) f->owner[ub->out[i].value] = a;
    if (!reload(f, a)) {
        *ua = before;
        for (int i = 0; i < ub->n_out; i++) f->owner[ub->out[i].value] = b;
        if (vertical) dg_fuse_decide(f, DG_NONE, ub->out[0].value, false, "fuse.no:too-long", 0);
        return false;
    }
    for (int i = 0; i < m.n; i++) dg_fuse_move(f, f->units.at[m.at[i]].anchor, ua->anchor);
    ub->parent = a;
    return true;
}

/* The last group before `below` that is alike and that b could join; -1 when there is none. */
static int32_t nearest(dg_fuse *f, int32_t b, const readers *by, dg_region r, double below)
{
    const dg_unit *ub = &f->units.at[b];
    const dg_shape *space = space_of(f, b);
    int32_t best = -1;
    for (int i = 0; i < ub->n_load; i++) {
        dg_value v = ub->load[i];
        int32_t u = maker(f, r, v);
        if (u >= 0 && f->units.at[u].group && label_of(f, u) < below &&
            (best < 0 || label_of(f, u) > label_of(f, best)) && alike(f, u, b))
            best = u;
        /* only values that are really as large as the space: a repeated number is no reason */
        if (!dg_shape_equal(&dg_type_of(f->g, v)->shape, space)) continue;
        if (dg_fuse_bytes(f, v) < dg_type_bytes(dg_type_of(f->g, v))) continue;
        for (int32_t k = by->first[v]; k < by->first[v + 1]; k++) {
            u = find(f, by->unit[k]);
            if (u != b && label_of(f, u) < below &&
                (best < 0 || label_of(f, u) > label_of(f, best)) && alike(f, u, b))
                best = u;
        }
    }
    return best;
}

static readers readers_of(dg_fuse *f, size_t from)
{
    readers by = {DG_NEW_ARRAY(f->arena, int32_t, f->n_values + 2), NULL};
    int32_t *count = by.first + 1;
    for (size_t u = from; u < f->units.n; u++)
        for (int i = 0; f->units.at[u].group && i < f->units.at[u].n_load; i++)
            count[f->units.at[u].load[i] + 1]++;
    for (int v = 0; v < f->n_values; v++) count[v + 1] += count[v];
    by.unit = DG_NEW_ARRAY(f->arena, int32_t, count[f->n_values]);
    for (size_t u = from; u < f->units.n; u++)
        for (int i = 0; f->units.at[u].group && i < f->units.at[u].n_load; i++)
            by.unit[count[f->units.at[u].load[i]]++] = (int32_t)u;
    return by; /* filling moved the starts by one place: first[v] .. first[v + 1] are v's again */
}

void dg_fuse_groups(dg_fuse *f, dg_region r)
{
    size_t from = f->units.n;
    make_units(f, r);
    readers by = readers_of(f, from);
    for (size_t i = from; i < f->units.n; i++) {
        int32_t b = (int32_t)i;
        if (!f->units.at[b].group) continue;
        double below = label_of(f, b);
        for (int tries = 0; tries < TRIES;) {
            int32_t a = nearest(f, b, &by, r, below);
            if (a < 0) break;
            if (merge(f, r, a, b, &by)) {
                b = a;
                below = label_of(f, b);
                tries = 0;
            } else {
                below = label_of(f, a);
                tries++;
            }
        }
    }
}

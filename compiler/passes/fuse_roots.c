/* fuse_roots.c: which elementwise values are stored.
 *
 * In     one region; for each value whether lanes make it.
 * Out    f->root: why a value is stored, NULL when every reader computes it again; f->chain: what
 *        kernels make by epilogues.
 *
 * A value is stored when a kernel, an effect, another region or another shape reads it. All others
 * are computed inside each group that reads them: in training this is what keeps memory low, since
 * the backward kernels compute a norm's output again from its input and never see it stored.
 * A kernel whose op takes prologues is no such reader: a convolution computes norm and activation
 * of the rows that it is about to transform. Against that rule a value is stored when
 *   - kernels would compute it again at a higher price than that of writing and reading it,
 *   - its chain is too long for one strip,
 *   - it is the end of an epilogue: a kernel's result is then never stored raw,
 *   - it is read far away, and its operands, kept alive until there instead, would be more bytes,
 *   - it costs much and several read it. */
#include "compiler/passes/fuse.h"

enum {
    FEW_BYTES = 4096, /* too small to weigh */
    COSTLY = 5,       /* operations of a chain that are not a few cycles each */
    EPILOGUE_CODES = 24,
    EPILOGUE_LOADS = 16,
    MOVES = 64 /* nodes that may be moved ahead for an epilogue */
};

static bool same_shape(const dg_fuse *f, dg_value a, dg_value b)
{
    return dg_shape_equal(&dg_type_of(f->g, a)->shape, &dg_type_of(f->g, b)->shape);
}

/* The kernel that reads v there could compute it, by the types alone. */
static bool by_prologue(const dg_fuse *f, dg_use use, dg_value v)
{
    const dg_node_info *n = dg_node_of(f->g, use.node);
    return f->prologues && use.input >= 0 && use.input < n->n_own && !n->prologue && !n->kernel &&
           dg_type_of(f->g, v)->dtype == DG_F32 && dg_op_takes_prologue(n->op, use.input);
}

int dg_fuse_operand(const dg_fuse *f, dg_node n)
{
    const dg_node_info *node = dg_node_of(f->g, n);
    for (int i = 0; i < node->n_own; i++) {
        dg_value v = node->in[i];
        if (f->fusible[v] && !f->root[v] && by_prologue(f, (dg_use){n, i}, v)) return i;
    }
    return -1;
}

/* NULL when all readers of v can compute it themselves. */
static const char *forced(const dg_fuse *f, dg_value v)
{
    dg_region r = dg_value_of(f->g, v)->region;
    for (int32_t u = f->uses.first[v]; u < f->uses.first[v + 1]; u++) {
        dg_use use = f->uses.at[u];
        if (use.input < 0) return "fuse.no:result-of-loop";
        const dg_node_info *n = dg_node_of(f->g, use.node);
        if (n->region != r) return "fuse.no:consumer-in-loop";
        if (f->row_sum[use.node] > 0) continue;
        if (by_prologue(f, use, v)) continue;
        if (n->n_out != 1 || !f->fusible[n->out[0]]) return "fuse.no:consumer-is-kernel";
        if (!same_shape(f, n->out[0], v)) return "fuse.no:consumer-reads-other-shape";
    }
    return NULL;
}

/* How long a body is; at most, where several ways lead to one value. */
typedef struct extent {
    int32_t codes, loads;
} extent;

/* Room is left for what reads the body's result and stores it. */
static bool roomy(extent e)
{
    return e.codes <= DG_FUSE_CODES * 3 / 4 && e.loads <= DG_FUSE_LOADS * 3 / 4;
}

/* Of the body that makes v. */
static extent extent_of(dg_fuse *f, dg_value v)
{
    dg_body body;
    dg_body_begin(f, &body, DG_NONE);
    bool fits = dg_body_add(f, &body, v, -1, true);
    return (extent){fits ? body.n_code : DG_FUSE_CODES, body.n_load};
}

/* Bodies stay below the limits: where one would not, its largest part is stored. */
static void cut(dg_fuse *f, dg_value v, extent *most)
{
    const dg_node_info *n = dg_node_of(f->g, dg_value_of(f->g, v)->def);
    most[v] = (extent){1, 0};
    for (int i = 0; i < n->n_in; i++) {
        dg_value x = n->in[i];
        bool inner = f->fusible[x] && !f->root[x];
        most[v].codes += inner ? most[x].codes : 0;
        most[v].loads += inner ? most[x].loads : 1;
    }
    while (!roomy(most[v]) && !roomy(most[v] = extent_of(f, v))) {
        dg_value largest = DG_NONE;
        int32_t codes = -1;
        for (int i = 0; i < n->n_in; i++) {
            dg_value x = n->in[i];
            if (!f->fusible[x] || f->root[x]) continue;
            int32_t own = extent_of(f, x).codes;
            if (own > codes) largest = x, codes = own;
        }
        if (largest == DG_NONE) break;
        f->root[largest] = "fuse.no:too-long";
    }
}

/* ---- prologues ---- */

enum {
    PROLOGUE_CODES = 24,
    PROLOGUE_LOADS = 16,
    /* for each element, in units of one cheap operation on values in the first cache */
    DEAR = 6,  /* an exponential and the like */
    MOVED = 5, /* four bytes to or from memory */
    KEPT = 10  /* four bytes of a map that would be kept from one phase to the next */
};

dg_value dg_fuse_main_load(const dg_fuse *f, const dg_body *b, dg_value v)
{
    const dg_type *type = dg_type_of(f->g, v);
    for (int i = 0; i < b->n_load; i++) {
        dg_value x = b->load[i];
        if (dg_type_equal(dg_type_of(f->g, x), type) && dg_fuse_bytes(f, x) == dg_type_bytes(type))
            return x;
    }
    return DG_NONE;
}

/* Why v, which kernels could compute by prologues, is stored for them: NULL if it is not. A map
 * that is stored is computed once, written, and read; else each kernel computes it again from what
 * it is made of, which is as large and is read instead. */
static const char *against_prologues(dg_fuse *f, dg_value v, bool priced)
{
    int kernels = 0, cost = 0;
    bool phases = false;
    dg_node first = DG_NONE;
    for (int32_t u = f->uses.first[v]; u < f->uses.first[v + 1]; u++) {
        dg_use use = f->uses.at[u];
        if (use.input < 0 || !by_prologue(f, use, v)) continue;
        if (first == DG_NONE) first = use.node;
        if (dg_fuse_operand(f, use.node) != use.input) return "fuse.no:consumer-is-kernel";
        phases |= dg_node_of(f->g, use.node)->phase != dg_node_of(f->g, first)->phase;
        kernels++;
    }
    dg_body body;
    dg_body_begin(f, &body, DG_NONE);
    if (!dg_body_add(f, &body, v, -1, true) || body.n_code > PROLOGUE_CODES ||
        body.n_load > PROLOGUE_LOADS)
        return "fuse.no:too-long";
    if (dg_fuse_main_load(f, &body, v) == DG_NONE) return "fuse.no:no-operand-of-its-size";
    if (!priced) return NULL;
    int64_t bytes = 0, own = dg_type_bytes(dg_type_of(f->g, v));
    for (int i = 0; i < body.n_load; i++) bytes += dg_fuse_bytes(f, body.load[i]);
    for (int i = 0; i < body.n_code; i++)
        cost += dg_node_of(f->g, dg_value_of(f->g, body.code[i])->def)->op->traits & DG_CHEAP
                    ? 1
                    : DEAR;
    int64_t more =
        bytes > own ? (bytes - own) * MOVED / own : 0; /* of further maps it is made of */
    if ((kernels - 1) * (cost + more) + more > 2 * MOVED + (phases ? KEPT : 0))
        return "fuse.no:prologues-cost-more";
    return NULL;
}

static bool kernel_reads(const dg_fuse *f, dg_value v)
{
    for (int32_t u = f->uses.first[v]; u < f->uses.first[v + 1]; u++)
        if (by_prologue(f, f->uses.at[u], v)) return true;
    return false;
}

/* Readers of v that are kernels compute it, or it is stored. The price is known when it is known
 * what else is stored: of a mask that is one byte instead of the four it is made of. */
static void settle_prologues(dg_fuse *f, const dg_value *read, int n, bool priced)
{
    for (int i = 0; i < n; i++)
        if (!f->root[read[i]] && !f->claimed[read[i]])
            f->root[read[i]] = against_prologues(f, read[i], priced);
}

/* ---- epilogues ---- */

/* The only node that reads v, or DG_NONE. */
static dg_node only_reader(const dg_fuse *f, dg_value v)
{
    dg_node only = DG_NONE;
    for (int32_t u = f->uses.first[v]; u < f->uses.first[v + 1]; u++) {
        dg_use use = f->uses.at[u];
        if (use.input < 0 || (only != DG_NONE && use.node != only)) return DG_NONE;
        only = use.node;
    }
    return only;
}

typedef struct moves {
    int n;
    dg_node at[MOVES];
} moves;

/* Collects the nodes after n that v needs; false when that is n itself, a loop, or more than small
 * tensors. */
static bool ready_before(dg_fuse *f, dg_node n, dg_value v, int64_t small, moves *m)
{
    const dg_value_info *info = dg_value_of(f->g, v);
    if (info->def == DG_NONE || info->region != dg_node_of(f->g, n)->region) return true;
    dg_node d = info->def;
    if (d == n) return false;
    if (f->label[d] < f->label[n] || f->seen[d] == f->visit) return true;
    const dg_node_info *node = dg_node_of(f->g, d);
    if (m->n == MOVES || node->op->traits & (DG_CONTROL | DG_EFFECT)) return false;
    f->seen[d] = f->visit;
    bool computed = f->fusible[v] && !f->root[v];
    if (!computed && !(node->op->traits & (DG_VIEW | DG_LEAF)))
        for (int i = 0; i < node->n_out; i++)
            if (dg_type_bytes(dg_type_of(f->g, node->out[i])) > small) return false;
    for (int i = 0; i < node->n_in; i++)
        if (!ready_before(f, n, node->in[i], small, m)) return false;
    if (m->n == MOVES) return false;
    m->at[m->n++] = d; /* after its operands */
    return true;
}

/* Follows output 0 of n through elementwise nodes as long as each is the only reader, and n could
 * apply them. */
static void find_epilogue(dg_fuse *f, dg_node n)
{
    const dg_node_info *node = dg_node_of(f->g, n);
    if (!node->op->epilogue || node->strip || !node->op->kernels || node->n_out < 1 ||
        f->chain[n] != DG_NONE)
        return;
    dg_value y = node->out[0], end = DG_NONE;
    const dg_type *type = dg_type_of(f->g, y);
    if (type->dtype != DG_F32)
        return; /* only kernels apply epilogues, and refs run the other floats */
    int64_t small = dg_type_bytes(type) / 8;
    if (small < FEW_BYTES) small = FEW_BYTES;

    moves accepted = {.n = 0};
    f->visit++;
    for (dg_value at = y; at == y || !f->root[at];) {
        dg_node e = only_reader(f, at);
        if (e == DG_NONE) break;
        const dg_node_info *next = dg_node_of(f->g, e);
        if (next->region != node->region || next->n_out != 1 || !f->fusible[next->out[0]]) break;
        if (f->claimed[next->out[0]]) break; /* by the kernel of its other operand */
        if (next->phase != node->phase || next->remat != node->remat ||
            !dg_type_equal(dg_type_of(f->g, next->out[0]), type))
            break;

        dg_body body;
        dg_body_begin(f, &body, y);
        if (!dg_body_add(f, &body, next->out[0], -1, true) || body.n_code > EPILOGUE_CODES ||
            body.n_load > EPILOGUE_LOADS)
            break;
        moves m = accepted;
        bool ready = true;
        for (int i = 0; ready && i < next->n_in; i++)
            ready = next->in[i] == at || ready_before(f, n, next->in[i], small, &m);
        if (!ready) {
            dg_fuse_decide(f, DG_NONE, next->out[0], false, "fuse.no:operand-not-ready", 0);
            break;
        }
        accepted = m;
        end = at = next->out[0];
        f->claimed[end] = true;
    }
    if (end == DG_NONE) return;
    for (int i = 0; i < accepted.n; i++) dg_fuse_move(f, accepted.at[i], n);
    f->chain[n] = end;
    f->root[end] = "fuse.yes:epilogue";
}

/* ---- values that are read far away ---- */

static bool lasts(const dg_fuse *f, dg_value base, dg_region r)
{
    const dg_value_info *info = dg_value_of(f->g, base);
    return info->def == DG_NONE || info->region != r ||
           dg_node_of(f->g, info->def)->op->traits & DG_LEAF;
}

/* Kernels run between the making of v and the last place in the text that reads it: that place, or
 * -1. */
static int32_t far_reader(const dg_fuse *f, dg_value v)
{
    dg_node def = dg_value_of(f->g, v)->def;
    int32_t last = -1;
    for (int32_t u = f->uses.first[v]; u < f->uses.first[v + 1]; u++) {
        dg_node n = f->uses.at[u].node;
        if (f->kernels[n] > f->kernels[def] && f->pos[n] > last) last = f->pos[n];
    }
    return last;
}

/* Computing v again at `last` would keep more bytes alive than v has. Notes what is kept alive when
 * it does not. */
static bool better_stored(dg_fuse *f, dg_region r, dg_value v, int32_t last, int32_t *alive_until)
{
    dg_body body;
    dg_body_begin(f, &body, DG_NONE);
    dg_body_add(f, &body, v, -1, true);
    int64_t kept = 0, own = dg_type_bytes(dg_type_of(f->g, v));
    for (int i = 0; i < body.n_load; i++) {
        dg_value base = dg_fuse_base(f, body.load[i]);
        if (!lasts(f, base, r) && alive_until[base] < last) kept += dg_fuse_bytes(f, body.load[i]);
    }
    if (kept > own + own / 4) return true; /* the per-channel numbers of a norm do not count */
    for (int i = 0; i < body.n_load; i++) {
        dg_value base = dg_fuse_base(f, body.load[i]);
        if (alive_until[base] < last) alive_until[base] = last;
    }
    return false;
}

static void weigh(dg_fuse *f, dg_region r, const dg_value *open, int n_open)
{
    int32_t *alive_until = DG_NEW_ARRAY(f->arena, int32_t, f->n_values);
    DG_EACH_NODE(f->g, r, n) {
        const dg_node_info *node = dg_node_of(f->g, n);
        for (int i = 0; i < node->n_in; i++) alive_until[dg_fuse_base(f, node->in[i])] = f->pos[n];
    }
    const dg_region_info *region = dg_region_of(f->g, r);
    for (size_t i = 0; i < region->results.n; i++)
        alive_until[dg_fuse_base(f, region->results.at[i])] = INT32_MAX;

    /* Twice: what is certain to stay alive after the first sweep makes others cheap in the second.
     */
    for (int sweep = 0; sweep < 2; sweep++) {
        for (int i = 0; i < n_open; i++) {
            dg_value v = open[i];
            if (f->root[v] || dg_type_bytes(dg_type_of(f->g, v)) <= FEW_BYTES) continue;
            int32_t last = far_reader(f, v);
            if (last < 0) continue;
            if (better_stored(f, r, v, last, alive_until) && sweep == 1)
                f->root[v] = "fuse.no:smaller-than-operands";
        }
    }
}

/* v costs much and several nodes read it. When they end up in one kernel, it is not stored after
 * all. */
static bool costly(dg_fuse *f, dg_value v)
{
    if (f->uses.first[v + 1] - f->uses.first[v] < 2 || only_reader(f, v) != DG_NONE) return false;
    dg_body body;
    dg_body_begin(f, &body, DG_NONE);
    dg_body_add(f, &body, v, -1, true);
    int cost = 0;
    for (int i = 0; i < body.n_code; i++)
        cost += !(dg_node_of(f->g, dg_value_of(f->g, body.code[i])->def)->op->traits & DG_CHEAP);
    return cost >= COSTLY;
}

/* Places of nodes, and how many kernels run before each. */
static void number(dg_fuse *f, dg_region r)
{
    int32_t pos = 0, kernels = 0;
    DG_EACH_NODE(f->g, r, n) {
        const dg_node_info *node = dg_node_of(f->g, n);
        f->pos[n] = pos++;
        f->kernels[n] = kernels;
        bool dissolves = node->n_out == 1 && f->fusible[node->out[0]];
        kernels += !dissolves && !(node->op->traits & (DG_VIEW | DG_LEAF | DG_EFFECT)) &&
                   f->row_sum[n] == 0;
    }
}

void dg_fuse_roots(dg_fuse *f, dg_region r)
{
    extent *most = DG_NEW_ARRAY(f->arena, extent, f->n_values);
    /* values of which it is not known yet whether they are stored; those that a kernel reads */
    dg_value *open = DG_NEW_ARRAY(f->arena, dg_value, f->n_values),
             *read = DG_NEW_ARRAY(f->arena, dg_value, f->n_values);
    int n_open = 0, n_read = 0, kept = 0;
    DG_EACH_NODE(f->g, r, n) {
        const dg_node_info *node = dg_node_of(f->g, n);
        dg_value v = node->n_out == 1 ? node->out[0] : DG_NONE;
        if (v == DG_NONE || !f->fusible[v]) continue;
        f->root[v] = forced(f, v);
        cut(f, v, most);
        if (f->root[v]) continue;
        open[n_open++] = v;
        if (kernel_reads(f, v)) read[n_read++] = v;
    }
    dg_fuse_label(f, r);
    settle_prologues(f, read, n_read, false);
    DG_EACH_NODE(f->g, r, n) {
        find_epilogue(f, n);
    }
    number(f, r);
    for (int i = 0; i < n_open; i++)
        if (!f->root[open[i]] && !f->claimed[open[i]]) open[kept++] = open[i];
    weigh(f, r, open, kept);
    for (int i = 0; i < kept; i++)
        if (!f->root[open[i]] && costly(f, open[i])) f->root[open[i]] = "fuse.no:costly";
    settle_prologues(f, read, n_read, true);
}

/* attention.c: see attention.h. */
#include "ops/support/attention.h"

#include "ops/support/sums.h"
#include "ops/support/vmath.h"

#include <string.h>

enum {
    BLOCK = 64 * 1024, /* floats of a block of p: 256 KiB, which stay in the second cache */
    ROWS = 128,        /* most rows of a block, and fewest */
    FEW_ROWS = 16
};

/* ---- shapes ---- */

bool dg_attention_infer(dg_infer *t)
{
    if (!dg_want_float(t, DG_ATTEND_Q) || !dg_want_rank_from(t, DG_ATTEND_Q, 2, DG_MAX_RANK))
        return false;
    dg_shape q = dg_in_shape(t, DG_ATTEND_Q), k = dg_in_shape(t, DG_ATTEND_K), want = q;
    for (int i = DG_ATTEND_K; i <= DG_ATTEND_V; i++) {
        if (!dg_want_same_dtype(t, DG_ATTEND_Q, i) || !dg_want_rank(t, i, q.rank)) return false;
    }
    want.dim[q.rank - 2] = k.dim[q.rank - 2];
    if (!dg_want_shape(t, DG_ATTEND_K, want)) return false;
    want.dim[q.rank - 1] = dg_in_shape(t, DG_ATTEND_V).dim[q.rank - 1];
    return dg_want_shape(t, DG_ATTEND_V, want);
}

dg_attention dg_attention_of(const dg_shape *q, const dg_shape *k, const dg_shape *v,
                             const dg_attrs *a)
{
    int r = q->rank;
    dg_attention s = {.heads = 1,
                      .N = q->dim[r - 2],
                      .M = k->dim[r - 2],
                      .D = q->dim[r - 1],
                      .E = v->dim[r - 1],
                      .scale = (float)dg_attr_float(a, "scale")};
    for (int i = 0; i < r - 2; i++) s.heads *= q->dim[i];
    s.rows = s.M > 0 ? BLOCK / s.M : ROWS;
    if (s.rows < FEW_ROWS) s.rows = FEW_ROWS;
    if (s.rows > ROWS) s.rows = ROWS;
    if (s.rows > s.N) s.rows = s.N;
    s.blocks = s.rows > 0 ? (s.N + s.rows - 1) / s.rows : 0;
    return s;
}

dg_matrix dg_attention_head(const dg_view *x, int64_t head)
{
    int r = x->shape.rank;
    const float *from = x->data;
    for (int a = r - 3; a >= 0; a--) {
        from += head % x->shape.dim[a] * x->stride[a];
        head /= x->shape.dim[a];
    }
    return (dg_matrix){from, x->shape.dim[r - 2], x->shape.dim[r - 1], x->stride[r - 2],
                       x->stride[r - 1]};
}

/* ---- softmax of a block ---- */

#define LARGER(a, x) ((((x) > (a)) | ((x) != (x))) ? (x) : (a))

/* s -> e = exp(scale s - m), with m the largest of scale s. Returns m. */
DG_VARIANTS(float, exp_row, (float *restrict s, int64_t n, float scale), (s, n, scale), {
    float lane[32];
    float m = -INFINITY;
    for (int j = 0; j < 32; j++) lane[j] = m;
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) {
        for (int j = 0; j < 32; j++) {
            s[i + j] *= scale;
            lane[j] = LARGER(lane[j], s[i + j]);
        }
    }
    for (; i < n; i++) {
        s[i] *= scale;
        m = LARGER(m, s[i]);
    }
    for (int j = 0; j < 32; j++) m = LARGER(m, lane[j]);
    for (i = 0; i < n; i++) s[i] = dg_expf(s[i] - m);
    return m;
})

DG_VARIANTS(void, scale_row, (float *restrict s, int64_t n, float by), (s, n, by), {
    for (int64_t i = 0; i < n; i++) s[i] *= by;
})

void dg_attention_softmax(dg_isa isa, float *s, int64_t rows, int64_t n, float scale, float *lse)
{
    for (int64_t r = 0; r < rows; r++, s += n) {
        float m = exp_row[isa](s, n, scale);
        double sum = dg_sum_f32(isa, s, n);
        scale_row[isa](s, n, (float)(1 / sum));
        lse[r] = (float)((double)m + log(sum));
    }
}

/* s -> p; dp p goes to t, to be summed. */
DG_VARIANTS(void, p_row,
            (float *restrict s, const float *restrict dp, float *restrict t, int64_t n, float scale,
             float lse),
            (s, dp, t, n, scale, lse), {
                for (int64_t i = 0; i < n; i++) {
                    s[i] = dg_expf(s[i] * scale - lse);
                    t[i] = s[i] * dp[i];
                }
            })

DG_VARIANTS(void, ds_row,
            (const float *restrict p, float *restrict dp, int64_t n, float scale, float sum),
            (p, dp, n, scale, sum), {
                for (int64_t i = 0; i < n; i++) dp[i] = scale * (p[i] * (dp[i] - sum));
            })

void dg_attention_dsoftmax(dg_isa isa, float *s, float *dp, int64_t rows, int64_t n, float scale,
                           const float *lse)
{
    enum { PART = 1024 };
    float t[PART];
    for (int64_t r = 0; r < rows; r++, s += n, dp += n) {
        double sum = 0;
        for (int64_t i = 0; i < n; i += PART) {
            int64_t part = n - i < PART ? n - i : PART;
            p_row[isa](s + i, dp + i, t, part, scale, lse[r]);
            sum += dg_sum_f32(isa, t, part);
        }
        ds_row[isa](s, dp, n, scale, (float)sum);
    }
}

/* ---- finding it in a graph ---- */

static const dg_node_info *maker(const dg_graph *g, dg_value v, const char *op)
{
    dg_node def = dg_value_of(g, v)->def;
    if (def == DG_NONE) return NULL;
    const dg_node_info *i = dg_node_of(g, def);
    return strcmp(i->op->name, op) == 0 ? i : NULL;
}

/* A product of matrices of equal rank with these transpositions. */
static bool is_product(const dg_graph *g, const dg_node_info *n, bool tx, bool ty)
{
    return n && strcmp(n->op->name, "matmul") == 0 && !n->strip &&
           dg_type_of(g, n->in[0])->shape.rank == dg_type_of(g, n->in[1])->shape.rank &&
           (dg_attr_int(&n->attrs, "tx") != 0) == tx && (dg_attr_int(&n->attrs, "ty") != 0) == ty;
}

static int n_uses(const dg_uses *u, dg_value v)
{
    return u->first[v + 1] - u->first[v];
}

/* v is x times a number, or divided by one. */
static bool is_scaled(const dg_build *b, const dg_node_info *n, dg_value *x, double *scale)
{
    bool product = strcmp(n->op->name, "mul") == 0, quotient = strcmp(n->op->name, "div") == 0;
    if (!product && !quotient) return false;
    for (int i = 0; i < (product ? 2 : 1); i++) {
        if (!dg_known_number(b, n->in[1 - i], scale)) continue;
        *x = n->in[i];
        if (quotient) *scale = 1 / *scale;
        return true;
    }
    return false;
}

typedef struct found {
    dg_node out;      /* p v */
    dg_value q, k, v; /* operands */
    double scale;
    bool scaled;
    dg_node dp, dv, dq, dk; /* of the gradient; DG_NONE: not there */
    dg_value dout;
} found;

/* q, k and the scale, of which p is the softmax. */
static bool find_scores(const dg_build *b, dg_value s, const dg_uses *uses, found *f)
{
    const dg_graph *g = b->graph;
    dg_node def = dg_value_of(g, s)->def;
    if (def == DG_NONE || n_uses(uses, s) != 1) return false;
    f->scale = 1;
    dg_value product = s;
    f->scaled = is_scaled(b, dg_node_of(g, def), &product, &f->scale);
    if (f->scaled && n_uses(uses, product) != 1) return false;
    dg_node made = dg_value_of(g, product)->def;
    if (made == DG_NONE || !is_product(g, dg_node_of(g, made), false, true)) return false;
    f->q = dg_node_of(g, made)->in[0];
    f->k = dg_node_of(g, made)->in[1];
    return true;
}

/* The gradient of the scores: products with k and with q, of which either may be missing. */
static bool find_dscores(const dg_build *b, dg_value ds, const dg_uses *uses, found *f)
{
    const dg_graph *g = b->graph;
    if (f->scaled) {
        dg_value x;
        double scale;
        if (n_uses(uses, ds) != 1) return false;
        dg_use use = uses->at[uses->first[ds]];
        if (use.input < 0 || !is_scaled(b, dg_node_of(g, use.node), &x, &scale) || x != ds ||
            scale != f->scale)
            return false;
        ds = dg_node_of(g, use.node)->out[0];
    }
    for (int32_t u = uses->first[ds]; u < uses->first[ds + 1]; u++) {
        dg_use use = uses->at[u];
        const dg_node_info *n = dg_node_of(g, use.node);
        if (use.input != 0) return false;
        if (is_product(g, n, false, false) && n->in[1] == f->k && f->dq == DG_NONE)
            f->dq = use.node;
        else if (is_product(g, n, true, false) && n->in[1] == f->q && f->dk == DG_NONE)
            f->dk = use.node;
        else
            return false;
    }
    return true;
}

/* ds = p (dp - sum(dp p)), as softmax's gradient says it; dp = dout v^T. */
static bool find_gradient(const dg_build *b, dg_value p, dg_node ds, const dg_uses *uses, found *f)
{
    const dg_graph *g = b->graph;
    const dg_node_info *outer = dg_node_of(g, ds);
    const dg_node_info *less = maker(g, outer->in[outer->in[0] == p], "sub");
    if (!less || n_uses(uses, less->out[0]) != 1) return false;
    const dg_node_info *sum = maker(g, less->in[1], "sum");
    if (!sum || n_uses(uses, sum->out[0]) != 1) return false;
    int n_axes;
    const int64_t *axes = dg_attr_ints(&sum->attrs, "axes", &n_axes);
    int rank = dg_type_of(g, p)->shape.rank;
    if (n_axes != 1 || axes[0] != rank - 1 || !dg_attr_int(&sum->attrs, "keep")) return false;
    const dg_node_info *inner = maker(g, sum->in[0], "mul");
    if (!inner || n_uses(uses, inner->out[0]) != 1) return false;
    dg_value dp = less->in[0];
    if (!((inner->in[0] == p && inner->in[1] == dp) || (inner->in[1] == p && inner->in[0] == dp)))
        return false;
    f->dp = dg_value_of(g, dp)->def;
    if (f->dp == DG_NONE || n_uses(uses, dp) != 2) return false;
    const dg_node_info *made = dg_node_of(g, f->dp);
    if (!is_product(g, made, false, true) || made->in[1] != f->v) return false;
    f->dout = made->in[0];
    return find_dscores(b, outer->out[0], uses, f);
}

/* Everything that reads p, or false where something else does. */
static bool find_readers(const dg_build *b, dg_value p, const dg_uses *uses, found *f)
{
    const dg_graph *g = b->graph;
    dg_node ds = DG_NONE;
    int inner = 0;
    f->out = f->dp = f->dv = f->dq = f->dk = DG_NONE;
    for (int32_t u = uses->first[p]; u < uses->first[p + 1]; u++) {
        dg_use use = uses->at[u];
        const dg_node_info *n = dg_node_of(g, use.node);
        if (use.input < 0 || n->region != b->region) return false;
        if (strcmp(n->op->name, "mul") == 0) {
            if (maker(g, n->in[n->in[0] == p], "sub") && ds == DG_NONE)
                ds = use.node;
            else
                inner++;
        } else if (use.input == 0 && is_product(g, n, false, false) && f->out == DG_NONE) {
            f->out = use.node;
        } else if (use.input == 0 && is_product(g, n, true, false) && f->dv == DG_NONE) {
            f->dv = use.node;
        } else {
            return false;
        }
    }
    if (f->out == DG_NONE) return false;
    f->v = dg_node_of(g, f->out)->in[1];
    if (ds == DG_NONE) return inner == 0 && f->dv == DG_NONE;
    if (inner != 1 || !find_gradient(b, p, ds, uses, f)) return false;
    return f->dv == DG_NONE || dg_node_of(g, f->dv)->in[1] == f->dout;
}

/* Training makes each score again, 2 D operations, instead of moving the matrix to and from memory
 * some eight times: on two threads 1.7 times as fast as the nodes it stands for at D = 32, 1.2 at
 * 64, 0.9 at 96. The forward pass makes nothing again: 1.1 to 1.5 times at any D. */
static const char *judge(const dg_graph *g, dg_value p, const found *f)
{
    enum { SMALL = 1 << 20, LARGE = 64 << 20, WIDE = 64 };
    const dg_shape *s = &dg_type_of(g, p)->shape, *q = &dg_type_of(g, f->q)->shape;
    int64_t bytes = dg_type_bytes(dg_type_of(g, p)),
            one = s->dim[s->rank - 2] * s->dim[s->rank - 1] * (int64_t)sizeof(float);
    if (dg_type_of(g, p)->dtype != DG_F32) return "attention.no:not-f32";
    if (bytes < SMALL) return "attention.no:matrix-is-small";
    if (f->dp != DG_NONE && bytes < LARGE && q->dim[q->rank - 1] > WIDE)
        return "attention.no:again-costs-more";
    if (f->dp != DG_NONE && bytes < 2 * one) return "attention.no:one-head";
    return "attention.yes:rows-in-cache";
}

static void stand_at(dg_build *b, dg_node n)
{
    const dg_node_info *i = dg_node_of(b->graph, n);
    b->before = n;
    b->scope = i->scope;
    b->origin = i->origin;
    b->phase = i->phase;
    b->remat = i->remat;
}

static void put(const dg_graph *g, dg_value *map, dg_node old, dg_value fresh)
{
    if (old == DG_NONE) return;
    dg_value was = dg_node_of(g, old)->out[0];
    map[was] = fresh;
    dg_value_of(g, fresh)->path = dg_value_of(g, was)->path;
}

const char *dg_attention_pattern(dg_build *b, dg_node softmax, const dg_uses *uses, dg_value *map,
                                 dg_value *subject)
{
    dg_graph *g = b->graph;
    const dg_node_info *node = dg_node_of(g, softmax);
    dg_value p = node->out[0];
    const dg_shape *s = &dg_type_of(g, p)->shape;
    found f = {0};
    if (dg_attr_int(&node->attrs, "axis") != s->rank - 1 ||
        !find_scores(b, node->in[0], uses, &f) || !find_readers(b, p, uses, &f))
        return NULL;
    const char *why = judge(g, p, &f);
    if (strncmp(why, "attention.no", 12) == 0) return why;

    dg_attr scale = dg_attr_of_float("scale", f.scale);
    stand_at(b, f.out);
    dg_node made =
        dg_build_node(b, g->find("attention"), &scale, 1, (dg_value[]){f.q, f.k, f.v}, 3);
    dg_value lse = dg_node_of(g, made)->out[1];
    *subject = dg_node_of(g, made)->out[0];
    put(g, map, f.out, *subject);
    if (f.dp == DG_NONE) return why;

    /* where the first of the gradient's products stands: what they read is there, and what reads
     * the results comes later */
    dg_node at = f.dp;
    DG_EACH_NODE(g, b->region, n) {
        if (n != f.dp && n != f.dv) continue;
        at = n;
        break;
    }
    stand_at(b, at);
    dg_node back = dg_build_node(b, g->find("attention_grad"), &scale, 1,
                                 (dg_value[]){f.q, f.k, f.v, lse, f.dout}, 5);
    put(g, map, f.dq, dg_node_of(g, back)->out[0]);
    put(g, map, f.dk, dg_node_of(g, back)->out[1]);
    put(g, map, f.dv, dg_node_of(g, back)->out[2]);
    return why;
}

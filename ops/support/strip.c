/* strip.c: runs strips: elementwise programs over a space, run by run, with intermediate values in
 * registers that stay in cache.
 *
 * In     a strip, views of its operands (any strides), a box of its space.
 * Out    stored outputs, and sums over trailing axes.
 * Keeps  every element is computed once, in a run whose length depends on the strip alone; sums are
 *        in double and folded in an order that depends on shapes alone. An output may have the
 *        bytes of an input that is laid out like it.
 * Method the space's axes are merged as far as all operands allow. A run is a part of the innermost
 *        axis, or, where that axis is short, several whole rows of it. Neighbouring instructions
 *        that are plain arithmetic become a chain (chain.h), whose intermediate values never leave
 *        the vector registers and whose operands may be rows anywhere or one number per row; the
 *        others call their op's lanes on arrays. Operands are used where they lie if those who read
 *        them can; others are packed. What does not change along a run is computed once. The last
 *        use of a register frees its array. */
#include "ops/ops.h"
#include "ops/support/chain.h"
#include "ops/support/prologue.h"
#include "ops/support/sums.h"

#include <assert.h>
#include <string.h>

enum {
    RUN_FEW = 1024, /* elements of a run while few registers are alive: 8 of them fill 32 KiB */
    RUN_MANY = 512,
    FEW = 8,
    SHORT_ROW = 512, /* rows up to this length share a run */
    NARROW_ROW = 32, /* rows shorter than this are packed for chains too: beside reading the steps
                        there would be little to do */
    PIECE = 32768,   /* elements of the space that one piece of parallel work covers, about: */
    LEAST_PIECE = 8192, /* an eighth of the space, but no less than this and no more than PIECE */
    MAX_OUT = 64,
    STEPS = 4 /* of a chain for one instruction: load, combine, store twice */
};

_Static_assert(RUN_FEW <= DG_STRIP_RUN, "lanes take at most DG_STRIP_RUN elements");

/* How often a register changes: with the box, with the row (the rows of a run share a value), or
 * along the run. */
enum level { BOX, ROW, ALONG };

typedef struct operand {
    char *data;                  /* of the box's first element */
    int64_t stride[DG_MAX_RANK]; /* on the merged axes */
    int64_t offset;              /* elements: of the current outer position */
} operand;

typedef struct reg {
    enum level level;
    int size;        /* bytes of an element */
    int first, last; /* instructions that use it; n_code: the end of the run; last = -1: nobody */
    int slot;        /* its array, -1: it lies in memory, or is one number */
    int store;       /* output that the instruction writes where it lies, -1 */
    bool array;      /* somebody reads it as an array without gaps */
    bool pack;       /* a load that is copied into its slot */
    bool kept;       /* a chain's result that others than its next step read */
    char *at;
    int64_t row; /* elements from row to row of a run; below ALONG 0 */
} reg;

typedef struct program {
    const dg_strip *strip;
    dg_isa isa;
    int rank;
    int64_t dim[DG_MAX_RANK];
    int64_t inner, run;
    bool short_rows, narrow;
    bool packs;            /* some load is packed */
    const dg_call *source; /* whose load `gathered` lies in parts; it is packed for runs that meet a
                              seam, into slot `packed`. NULL: none does */
    int gathered;
    char *packed;
    int n_regs;
    operand load[DG_STRIP_REGS], store[MAX_OUT];
    reg reg[DG_STRIP_REGS];
    int chain[DG_STRIP_REGS]; /* by instruction: the first one of its chain; -1: calls lanes */
    int begin[DG_STRIP_REGS]; /* by first instruction: its chain's first step */
    dg_chain_step step[STEPS * DG_STRIP_REGS + 1];
    double one[DG_STRIP_REGS]; /* what does not change along a run, 8 bytes each */
} program;

/* ---- preparation ---- */

/* The operand as seen from the box: strides on the space's axes, 0 where it is repeated. */
static void locate(operand *o, const dg_view *v, int rank, const int64_t *start)
{
    int64_t first = 0;
    for (int a = 0; a < rank; a++) {
        o->stride[a] = v->shape.rank == 0 || v->shape.dim[a] == 1 ? 0 : v->stride[a];
        first += start[a] * o->stride[a];
    }
    o->data = (char *)v->data + first * (int64_t)dg_dtype_size(v->dtype);
}

static bool mergeable(const program *p, int a, int b, int64_t b_dim)
{
    const dg_strip *s = p->strip;
    for (int i = 0; i < s->n_in; i++) {
        if (p->load[i].stride[a] != p->load[i].stride[b] * b_dim) return false;
    }
    for (int i = 0; i < s->n_out; i++) {
        if (s->out[i].reduce == 0 && p->store[i].stride[a] != p->store[i].stride[b] * b_dim)
            return false;
    }
    return true;
}

static void move_axis(program *p, int to, int from)
{
    for (int i = 0; i < p->strip->n_in; i++) p->load[i].stride[to] = p->load[i].stride[from];
    for (int i = 0; i < p->strip->n_out; i++) p->store[i].stride[to] = p->store[i].stride[from];
}

/* Drops axes of size 1 and merges neighbours that all operands walk as one. */
static void merge_axes(program *p, int rank, const int64_t *extent)
{
    int n = 0;
    for (int a = 0; a < rank; a++) {
        if (extent[a] == 1) continue;
        if (n > 0 && mergeable(p, n - 1, a, extent[a])) {
            p->dim[n - 1] *= extent[a];
            move_axis(p, n - 1, a);
        } else {
            p->dim[n] = extent[a];
            move_axis(p, n++, a);
        }
    }
    if (n == 0) { /* one element */
        p->dim[0] = 1;
        for (int i = 0; i < p->strip->n_in; i++) p->load[i].stride[0] = 0;
        for (int i = 0; i < p->strip->n_out; i++) p->store[i].stride[0] = 1;
        n = 1;
    }
    p->rank = n;
    p->inner = p->dim[n - 1];
    p->short_rows = n > 1 && p->inner <= SHORT_ROW;
    p->narrow = p->short_rows && p->inner < NARROW_ROW;
}

/* Contiguous over all rows of a run. */
static bool along_run(const program *p, const operand *o)
{
    return o->stride[p->rank - 1] == 1 && (!p->short_rows || o->stride[p->rank - 2] == p->inner);
}

/* What chains can write: contiguous along each row. */
static bool along_row(const program *p, const operand *o)
{
    return p->narrow ? along_run(p, o) : o->stride[p->rank - 1] == 1;
}

/* What chains can read: also one number for each row. */
static bool readable(const program *p, const operand *o)
{
    return along_row(p, o) || (!p->narrow && o->stride[p->rank - 1] == 0);
}

static enum level level_of(const program *p, const operand *o)
{
    int steady = p->short_rows ? p->rank - 2 : p->rank - 1; /* axes outside of the run */
    for (int a = steady; a < p->rank; a++) {
        if (o->stride[a] != 0) return ALONG;
    }
    for (int a = 0; a < steady; a++) {
        if (o->stride[a] != 0) return ROW;
    }
    return BOX;
}

/* First and last byte that the operand covers in the box. */
static void extent_of(const program *p, const operand *o, int size, const char **low,
                      const char **high)
{
    int64_t last = 0;
    for (int a = 0; a < p->rank; a++) last += (p->dim[a] - 1) * o->stride[a];
    *low = o->data;
    *high = o->data + (last + 1) * size;
}

static bool overlaps(const program *p, const operand *a, int a_size, const operand *b, int b_size)
{
    const char *low, *high, *from, *to;
    extent_of(p, a, a_size, &low, &high);
    extent_of(p, b, b_size, &from, &to);
    return from < high && low < to;
}

/* An input that is itself an output is read at the end of the run. If its bytes are another
 * output's, it is packed before these are stored. */
static bool lost_before_copied(const program *p, int l)
{
    const dg_strip *s = p->strip;
    bool copied = false;
    for (int o = 0; o < s->n_out; o++) copied |= s->out[o].reg == l && s->out[o].reduce == 0;
    for (int o = 0; copied && o < s->n_out; o++) {
        int r = s->out[o].reg,
            size = (int)dg_dtype_size(r < s->n_in ? s->in_dtype[r] : s->code[r - s->n_in].dtype);
        if (s->out[o].reduce == 0 && r != l &&
            overlaps(p, &p->store[o], size, &p->load[l], p->reg[l].size))
            return true;
    }
    return false;
}

/* May instruction `at` write output `o` where it lies? Not while an input that shares its bytes is
 * still to be read. The instructions of a chain go through a run together, element by element. */
static bool may_write(const program *p, int o, int at)
{
    const operand *out = &p->store[o];
    int size = p->reg[p->strip->out[o].reg].size, chain = p->chain[at];
    if (!(chain >= 0 ? along_row(p, out) : along_run(p, out))) return false;
    for (int i = 0; i < p->strip->n_in; i++) {
        const reg *r = &p->reg[i];
        if (r->level != ALONG || r->last < (chain >= 0 ? chain : at)) continue;
        if (p->source && i == p->gathered) continue; /* its parts are smaller than any output */
        if (!overlaps(p, &p->load[i], r->size, out, size)) continue;
        bool same = r->last <= at && r->size == size && p->load[i].data == out->data;
        for (int a = 0; same && a < p->rank; a++) same = p->load[i].stride[a] == out->stride[a];
        if (!same) return false;
    }
    return true;
}

typedef struct slot_pool {
    int free[DG_STRIP_REGS];
    int n_free, n;
} slot_pool;

static int take_slot(slot_pool *s)
{
    return s->n_free > 0 ? s->free[--s->n_free] : s->n++;
}

/* Is in[k] read for the last time by instruction `at`, and counted once? */
static bool dies(const program *p, const int *in, int k, int at)
{
    const reg *r = &p->reg[in[k]];
    for (int j = 0; j < k; j++) {
        if (in[j] == in[k]) return false;
    }
    return r->slot >= 0 && r->level == ALONG && r->last == at;
}

/* The result of instruction `at`, if it is to be an array, inherits the slot of an operand of its
 * size that dies there, or gets a slot that no operand holds: lanes may work in place only where
 * elements have one size. Then the other operands that die give their slots back. */
static void pass_slots(program *p, slot_pool *s, const int *in, int n_in, int at, reg *result,
                       bool array)
{
    for (int k = 0; k < n_in && array && result->slot < 0; k++) {
        if (dies(p, in, k, at) && p->reg[in[k]].size == result->size)
            result->slot = p->reg[in[k]].slot;
    }
    if (array && result->slot < 0) result->slot = take_slot(s);
    for (int k = 0; k < n_in; k++) {
        if (dies(p, in, k, at) && p->reg[in[k]].slot != result->slot)
            s->free[s->n_free++] = p->reg[in[k]].slot;
    }
}

static void note_use(reg *r, int at)
{
    if (r->last < 0) r->first = at;
    r->last = at;
}

static bool is_square(const dg_strip_code *c)
{
    return c->op->arith == DG_ARITH_MUL && c->in[0] == c->in[1];
}

/* Levels and uses of all registers. */
static void find_uses(program *p)
{
    const dg_strip *s = p->strip;
    for (int i = 0; i < s->n_code; i++) {
        const dg_strip_code *c = &s->code[i];
        reg *r = &p->reg[s->n_in + i];
        *r = (reg){.level = BOX,
                   .size = (int)dg_dtype_size(c->dtype),
                   .first = i,
                   .last = -1,
                   .slot = -1,
                   .store = -1};
        for (int k = 0; k < c->n_in; k++) {
            note_use(&p->reg[c->in[k]], i);
            if (p->reg[c->in[k]].level > r->level) r->level = p->reg[c->in[k]].level;
        }
    }
    for (int o = 0; o < s->n_out; o++) note_use(&p->reg[s->out[o].reg], s->n_code);
}

/* Chains, and who has to be an array: what lanes read, what is summed or copied at the end of a
 * run. */
static void find_chains(program *p)
{
    const dg_strip *s = p->strip;
    int chain = -1, before = -1; /* the chain that goes on, its last instruction */
    for (int i = 0; i < s->n_code; i++) {
        const dg_strip_code *c = &s->code[i];
        p->chain[i] = -1;
        if (p->reg[s->n_in + i].level != ALONG) continue;
        if (c->op->arith == DG_NO_ARITH || c->dtype != DG_F32) {
            for (int k = 0; k < c->n_in; k++) {
                p->reg[c->in[k]].array = true;
                p->reg[c->in[k]].kept = true;
            }
            chain = -1;
            continue;
        }
        if (chain < 0) {
            chain = i;
            before = -1;
        }
        p->chain[i] = chain;
        bool twice = c->n_in == 2 && c->in[0] == c->in[1] && !is_square(c);
        for (int k = 0; k < c->n_in; k++) {
            if (before < 0 || c->in[k] != s->n_in + before || twice) p->reg[c->in[k]].kept = true;
        }
        before = i;
    }
    for (int o = 0; o < s->n_out; o++) p->reg[s->out[o].reg].array = true;
}

/* An array for every load that instructions from `at` to the end of at's chain read first, if it
 * needs one: chains read whole runs of their loads. */
static void take_loads(program *p, slot_pool *pool, int at)
{
    const dg_strip *s = p->strip;
    for (int l = 0; l < s->n_in; l++) {
        reg *r = &p->reg[l];
        if (r->pack && r->slot < 0 && r->last >= 0 &&
            (r->first == at || (r->first < s->n_code && p->chain[r->first] == at)))
            r->slot = take_slot(pool);
    }
}

/* Which register lies where. Returns the number of slots. */
static int place_registers(program *p)
{
    const dg_strip *s = p->strip;
    int n_code = s->n_code;
    slot_pool pool = {.n = 0};
    for (int i = 0; i < p->n_regs; i++) {
        reg *r = &p->reg[i];
        if (r->level == ALONG) continue;
        if (r->array) r->slot = pool.n++; /* kept from run to run */
        r->at = (char *)&p->one[i];
    }
    for (int i = 0; i < n_code; i++) {
        const dg_strip_code *c = &s->code[i];
        reg *r = &p->reg[s->n_in + i];
        if (r->level != ALONG) continue;
        if (p->chain[i] < 0 || p->chain[i] == i) take_loads(p, &pool, i);
        bool array = p->chain[i] < 0 || r->kept; /* has to be in memory, besides outputs */
        for (int o = 0; o < s->n_out; o++) {
            if (s->out[o].reg != s->n_in + i) continue;
            if (s->out[o].reduce == 0 && r->store < 0 && may_write(p, o, i))
                r->store = o;
            else
                array = true;
        }
        /* an output without gaps between its rows serves as the array */
        if (r->store >= 0 && along_run(p, &p->store[r->store])) array = false;
        pass_slots(p, &pool, c->in, c->n_in, i, r, array);
        if (r->last < 0 && r->slot >= 0) pool.free[pool.n_free++] = r->slot;
    }
    take_loads(p, &pool, n_code);
    return pool.n;
}

/* ---- chains as steps ---- */

static void add_step(program *p, int *n, dg_chain_op op, int r, bool one)
{
    p->step[(*n)++] = (dg_chain_step){.op = one ? op + 1 : op, .reg = r};
}

/* Registers that a chain reads as one number per row. */
static bool one_per_row(const program *p, int r)
{
    if (p->reg[r].level != ALONG) return true;
    return r < p->strip->n_in && !p->reg[r].pack && p->load[r].stride[p->rank - 1] == 0;
}

/* The instruction, with `held` in the accumulator before it. */
static void add_instruction(program *p, int *n, int i, int held)
{
    static const dg_chain_op forward[] = {[DG_ARITH_ADD] = DG_CHAIN_ADD,
                                          [DG_ARITH_SUB] = DG_CHAIN_SUB,
                                          [DG_ARITH_MUL] = DG_CHAIN_MUL,
                                          [DG_ARITH_DIV] = DG_CHAIN_DIV},
                             backward[] = {[DG_ARITH_ADD] = DG_CHAIN_ADD,
                                           [DG_ARITH_SUB] = DG_CHAIN_FROM,
                                           [DG_ARITH_MUL] = DG_CHAIN_MUL,
                                           [DG_ARITH_DIV] = DG_CHAIN_UNDER};
    const dg_strip_code *c = &p->strip->code[i];
    dg_arith arith = is_square(c) ? DG_ARITH_SQUARE : c->op->arith;
    int x = c->in[0], y = c->in[1];
    if (arith == DG_ARITH_NEG || arith == DG_ARITH_SQUARE) {
        if (held != x) add_step(p, n, DG_CHAIN_LOAD, x, one_per_row(p, x));
        add_step(p, n, arith == DG_ARITH_NEG ? DG_CHAIN_NEG : DG_CHAIN_SQUARE, -1, false);
    } else if (held == y && held != x) {
        add_step(p, n, backward[arith], x, one_per_row(p, x));
    } else {
        if (held != x) add_step(p, n, DG_CHAIN_LOAD, x, one_per_row(p, x));
        add_step(p, n, forward[arith], y, one_per_row(p, y));
    }
}

enum { OUTPUT = DG_STRIP_REGS }; /* a step's register from here on: an output */

static void make_steps(program *p)
{
    const dg_strip *s = p->strip;
    int n = 0, held = -1, chain = -1;
    for (int i = 0; i < s->n_code; i++) {
        const reg *r = &p->reg[s->n_in + i];
        if (r->level != ALONG) continue;
        if (chain >= 0 && p->chain[i] != chain) add_step(p, &n, DG_CHAIN_END, -1, false);
        chain = p->chain[i];
        if (chain < 0) continue;
        if (chain == i) {
            p->begin[i] = n;
            held = -1;
        }
        add_instruction(p, &n, i, held);
        held = s->n_in + i;
        if (r->store >= 0) add_step(p, &n, DG_CHAIN_STORE, OUTPUT + r->store, false);
        if (r->slot >= 0) add_step(p, &n, DG_CHAIN_STORE, held, false);
    }
    add_step(p, &n, DG_CHAIN_END, -1, false);
}

/* `source`: the call, where its prologue says that a load lies in parts; else NULL. */
static void prepare(program *p, const dg_strip *s, dg_isa isa, const dg_view *in,
                    const dg_view *out, const int64_t *start, const int64_t *extent, void *scratch,
                    const dg_call *source)
{
    p->strip = s;
    p->isa = isa;
    p->source = source;
    p->gathered = source ? source->prologue->operand : -1;
    p->n_regs = s->n_in + s->n_code;
    p->packs = false;
    assert(p->n_regs <= DG_STRIP_REGS && s->n_out <= MAX_OUT);
    for (int i = 0; i < s->n_in; i++) {
        dg_view whole = in[i];
        if (i == p->gathered) dg_view_pack(&whole);
        locate(&p->load[i], &whole, s->space.rank, start);
    }
    for (int i = 0; i < s->n_out; i++) {
        if (s->out[i].reduce == 0) locate(&p->store[i], &out[i], s->space.rank, start);
    }
    merge_axes(p, s->space.rank, extent);
    for (int i = 0; i < s->n_in; i++) {
        p->reg[i] = (reg){.level = level_of(p, &p->load[i]),
                          .size = (int)dg_dtype_size(in[i].dtype),
                          .last = -1,
                          .slot = -1,
                          .store = -1};
    }
    find_uses(p);
    find_chains(p);
    for (int i = 0; i < s->n_in; i++) {
        reg *r = &p->reg[i];
        bool lies_well = r->array ? along_run(p, &p->load[i]) : readable(p, &p->load[i]);
        r->pack = r->level == ALONG && (!lies_well || i == p->gathered || lost_before_copied(p, i));
        p->packs |= r->pack;
    }
    int slots = place_registers(p);
    make_steps(p);
    p->run = slots <= FEW ? RUN_FEW : RUN_MANY;
    int64_t width = 4;
    for (int i = 0; i < p->n_regs; i++) {
        if (p->reg[i].size > width) width = p->reg[i].size;
    }
    char *array = (char *)(((uintptr_t)scratch + 63) & ~(uintptr_t)63);
    for (int i = 0; i < p->n_regs; i++) {
        if (p->reg[i].slot >= 0) p->reg[i].at = array + p->reg[i].slot * p->run * width;
    }
    if (source) p->packed = p->reg[p->gathered].at;
}

/* ---- moving elements ---- */

DG_VARIANTS(void, repeat_words, (uint32_t * y, uint32_t x, int64_t n), (y, x, n), {
    for (int64_t i = 0; i < n; i++) y[i] = x;
})

static void repeat(dg_isa isa, char *to, const char *from, int size, int64_t n)
{
    if (size == 4) {
        uint32_t x;
        memcpy(&x, from, 4);
        repeat_words[isa]((uint32_t *)(void *)to, x, n);
    } else if (size == 8) {
        uint64_t x, *y = (uint64_t *)(void *)to;
        memcpy(&x, from, 8);
        for (int64_t i = 0; i < n; i++) y[i] = x;
    } else {
        memset(to, (unsigned char)*from, (size_t)n);
    }
}

static void copy_row(dg_isa isa, char *to, int64_t to_stride, const char *from, int64_t from_stride,
                     int size, int64_t n)
{
    if (to_stride == 1 && from_stride == 1) {
        memmove(to, from, (size_t)(n * size));
    } else if (to_stride == 1 && from_stride == 0) {
        repeat(isa, to, from, size, n);
    } else if (size == 4) {
        const uint32_t *x = (const uint32_t *)(const void *)from;
        uint32_t *y = (uint32_t *)(void *)to;
        for (int64_t i = 0; i < n; i++) y[i * to_stride] = x[i * from_stride];
    } else if (size == 8) {
        const uint64_t *x = (const uint64_t *)(const void *)from;
        uint64_t *y = (uint64_t *)(void *)to;
        for (int64_t i = 0; i < n; i++) y[i * to_stride] = x[i * from_stride];
    } else {
        for (int64_t i = 0; i < n; i++) to[i * to_stride] = from[i * from_stride];
    }
}

/* ---- running ---- */

typedef struct position {       /* of a run */
    int64_t index[DG_MAX_RANK]; /* on the outer axes */
    int64_t column, rows, columns;
} position;

static char *run_start(const program *p, const operand *o, const position *at, int size)
{
    return o->data + (o->offset + at->column * o->stride[p->rank - 1]) * size;
}

/* Element `e` of the load in parts, and in *left how many lie there one behind the other. */
static char *gathered_at(const program *p, int64_t e, int64_t *left)
{
    const dg_shape *s = &p->strip->space;
    int64_t plane = s->dim[2] * s->dim[3], map = e / plane, channels;
    const float *from =
        dg_channels(p->source, p->gathered, map / s->dim[1], map % s->dim[1], s->dim[1], &channels);
    *left = channels * plane - e % plane;
    return (char *)(uintptr_t)(from + e % plane);
}

static int64_t gathered_element(const program *p, const position *at)
{
    const operand *o = &p->load[p->gathered];
    return o->offset + at->column * o->stride[p->rank - 1];
}

/* Of a run that meets a seam. */
static void pack_parts(const program *p, const position *at)
{
    int64_t n = at->rows * at->columns, e = gathered_element(p, at), left;
    for (char *to = p->packed; n > 0; n -= left, e += left) {
        const char *from = gathered_at(p, e, &left);
        if (left > n) left = n;
        memcpy(to, from, sizeof(float) * (size_t)left);
        to += sizeof(float) * (size_t)left;
    }
}

static void pack(const program *p, int l, const position *at)
{
    const operand *o = &p->load[l];
    int size = p->reg[l].size;
    if (p->source && l == p->gathered) {
        if (p->reg[l].at == p->packed) pack_parts(p, at);
        return;
    }
    const char *from = run_start(p, o, at, size);
    for (int64_t r = 0; r < at->rows; r++)
        copy_row(p->isa, p->reg[l].at + r * at->columns * size, 1,
                 from + (p->rank > 1 ? r * o->stride[p->rank - 2] * size : 0),
                 o->stride[p->rank - 1], size, at->columns);
}

static void store_run(const program *p, int o, const position *at)
{
    const operand *out = &p->store[o];
    const reg *r = &p->reg[p->strip->out[o].reg];
    char *to = run_start(p, out, at, r->size);
    if (r->store == o) return; /* written where it lies */
    for (int64_t k = 0; k < at->rows; k++)
        copy_row(p->isa, to + (p->rank > 1 ? k * out->stride[p->rank - 2] * r->size : 0),
                 out->stride[p->rank - 1], r->at + k * at->columns * r->size, 1, r->size,
                 at->columns);
}

static void execute(const program *p, int i, char *to, int64_t n)
{
    const dg_strip_code *c = &p->strip->code[i];
    const void *in[3];
    for (int k = 0; k < c->n_in; k++) in[k] = p->reg[c->in[k]].at;
    c->lanes->fn[p->isa](to, in, n, &c->attrs);
}

/* Loads and instructions of one level, which are the same in every element of a run: once, and
 * repeated where an array is wanted. */
static void refresh(program *p, enum level level, const position *at)
{
    const dg_strip *s = p->strip;
    for (int i = 0; i < p->n_regs; i++) {
        reg *r = &p->reg[i];
        if (r->level != level) continue;
        if (i < s->n_in)
            memcpy(r->at, run_start(p, &p->load[i], at, r->size), (size_t)r->size);
        else
            execute(p, i - s->n_in, r->at, 1);
        if (r->slot >= 0) repeat(p->isa, r->at, r->at, r->size, p->run);
    }
}

static void find_offsets(program *p, const position *at)
{
    const dg_strip *s = p->strip;
    for (int i = 0; i < s->n_in + s->n_out; i++) {
        operand *o = i < s->n_in ? &p->load[i] : &p->store[i - s->n_in];
        if (i >= s->n_in && s->out[i - s->n_in].reduce) continue;
        o->offset = 0;
        for (int a = 0; a < p->rank - 1; a++) o->offset += at->index[a] * o->stride[a];
    }
}

/* Where the registers of this run are. */
static void aim(program *p, const position *at)
{
    const dg_strip *s = p->strip;
    for (int i = 0; i < p->n_regs; i++) {
        reg *r = &p->reg[i];
        if (r->level != ALONG) continue;
        r->row = at->columns;
        const operand *o = NULL;
        if (i < s->n_in && !r->pack)
            o = &p->load[i];
        else if (r->store >= 0 && r->slot < 0)
            o = &p->store[r->store];
        if (!o) continue;
        r->at = run_start(p, o, at, r->size);
        if (p->rank > 1) r->row = o->stride[p->rank - 2];
    }
    if (!p->source) return;
    int64_t left;
    char *part = gathered_at(p, gathered_element(p, at), &left);
    p->reg[p->gathered].at = left >= at->rows * at->columns ? part : p->packed;
}

static void run_chain(program *p, int i, const position *at)
{
    int64_t rows = at->rows, columns = at->columns;
    dg_chain_step *first = &p->step[p->begin[i]];
    bool whole = rows > 1; /* no operand has gaps between its rows, nor a number for each */
    for (dg_chain_step *c = first; c->op != DG_CHAIN_END; c++) {
        if (c->reg < 0) continue;
        const reg *r = &p->reg[c->reg < OUTPUT ? c->reg : 0];
        if (c->reg < OUTPUT) {
            c->x = (float *)(void *)r->at;
            c->row = r->row;
        } else {
            const operand *o = &p->store[c->reg - OUTPUT];
            c->x = (float *)(void *)run_start(p, o, at, (int)sizeof(float));
            c->row = p->rank > 1 ? o->stride[p->rank - 2] : 0;
        }
        whole = whole &&
                (c->reg < OUTPUT && one_per_row(p, c->reg) ? r->level != ALONG : c->row == columns);
    }
    if (whole)
        dg_chain_run(p->isa, first, 1, rows * columns);
    else
        dg_chain_run(p->isa, first, rows, columns);
}

/* Packs the loads that are first read by instruction `at`, or in the chain that begins there. */
static void pack_loads(const program *p, int i, const position *at)
{
    const dg_strip *s = p->strip;
    for (int l = 0; l < s->n_in; l++) {
        const reg *r = &p->reg[l];
        if (r->pack && r->last >= 0 &&
            (r->first == i || (r->first < s->n_code && p->chain[r->first] == i)))
            pack(p, l, at);
    }
}

static void compute(program *p, const position *at)
{
    const dg_strip *s = p->strip;
    int64_t n = at->rows * at->columns;
    aim(p, at);
    for (int i = 0; i < s->n_code; i++) {
        const reg *r = &p->reg[s->n_in + i];
        if (r->level != ALONG || (p->chain[i] >= 0 && p->chain[i] != i)) continue;
        if (p->packs) pack_loads(p, i, at);
        if (p->chain[i] == i)
            run_chain(p, i, at);
        else
            execute(p, i, r->at, n);
    }
    if (p->packs) pack_loads(p, s->n_code, at);
}

/* What the instructions did not write where it lies. */
static void store_outputs(const program *p, const position *at)
{
    for (int o = 0; o < p->strip->n_out; o++) {
        if (p->strip->out[o].reduce == 0) store_run(p, o, at);
    }
}

/* Sums of one output: rows of `row` elements of the space; `phase` elements of the current one are
 * in the total. */
typedef struct summing {
    int64_t row, phase;
    double total;
    uint64_t whole; /* i32: wraps */
} summing;

static void put_sum(char *to, dg_dtype t, const summing *s)
{
    if (t == DG_F32)
        *(float *)(void *)to = (float)s->total;
    else if (t == DG_F64)
        *(double *)(void *)to = s->total;
    else
        *(int32_t *)(void *)to = (int32_t)(uint32_t)s->whole;
}

/* Adds n elements that begin at `at` of the space; complete rows are stored. */
static void add_run(const program *p, summing *s, const char *x, dg_dtype t, const dg_view *out,
                    int64_t at, int64_t n)
{
    int size = (int)dg_dtype_size(t);
    if (t == DG_F32 && out && s->phase == 0 && n % s->row == 0) {
        dg_sum_rows_f32(p->isa, (const float *)(const void *)x, n / s->row, s->row,
                        (float *)out->data + at / s->row);
        return;
    }
    while (n > 0) {
        int64_t left = s->row - s->phase, m = n < left ? n : left;
        if (t == DG_F32)
            s->total += dg_sum_f32(p->isa, (const float *)(const void *)x, m);
        else if (t == DG_F64)
            s->total += dg_sum_f64((const double *)(const void *)x, m);
        else
            s->whole += (uint64_t)dg_sum_i32((const int32_t *)(const void *)x, m);
        s->phase += m;
        if (s->phase == s->row) {
            if (out) put_sum((char *)out->data + at / s->row * size, t, s);
            s->phase = 0;
            if (out) {
                s->total = 0;
                s->whole = 0;
            }
        }
        x += m * size;
        at += m;
        n -= m;
    }
}

/* Elements [low, high) of the box, row-major. `sums` are those of the reduced outputs (by output),
 * `out` their views: NULL data where the caller collects. */
static void run_range(program *p, int64_t low, int64_t high, summing *sums,
                      const dg_view *const *out)
{
    const dg_strip *s = p->strip;
    int last = p->rank - 1, steady = p->short_rows ? last - 1 : last;
    position at = {.column = low % p->inner};
    int64_t row = low / p->inner;
    for (int a = last - 1; a >= 0; a--) {
        at.index[a] = row % p->dim[a];
        row /= p->dim[a];
    }
    bool stale = true;
    find_offsets(p, &at);
    refresh(p, BOX, &at);
    while (low < high) {
        int64_t left = high - low;
        at.rows = 1;
        at.columns = p->inner - at.column;
        if (at.columns > p->run) at.columns = p->run;
        if (at.columns > left) at.columns = left;
        if (p->short_rows && at.columns == p->inner) {
            at.rows = p->run / p->inner;
            if (at.rows > p->dim[last - 1] - at.index[last - 1])
                at.rows = p->dim[last - 1] - at.index[last - 1];
            if (at.rows > left / p->inner) at.rows = left / p->inner;
        }
        if (stale) refresh(p, ROW, &at);
        stale = false;
        compute(p, &at);
        int64_t n = at.rows * at.columns;
        for (int o = 0; sums && o < s->n_out; o++) {
            if (s->out[o].reduce == 0) continue;
            int r = s->out[o].reg;
            dg_dtype t = r < s->n_in ? s->in_dtype[r] : s->code[r - s->n_in].dtype;
            add_run(p, &sums[o], p->reg[r].at, t, out[o], low, n);
        }
        store_outputs(p, &at); /* after the sums: an output may overwrite an input that is summed */
        low += n;
        at.column += at.columns;
        if (at.column < p->inner || low == high) continue;
        at.column = 0;
        int a = last - 1;
        if (a >= 0) at.index[a] += at.rows;
        if (a < steady) stale = true;
        for (; a > 0 && at.index[a] == p->dim[a]; a--) {
            at.index[a] = 0;
            at.index[a - 1]++;
            stale = true;
        }
        find_offsets(p, &at);
    }
}

/* ---- boxes and epilogues ---- */

int64_t dg_strip_scratch(const dg_strip *s)
{
    int64_t regs = s->n_in + s->n_code, elements = regs <= FEW ? regs * RUN_FEW : regs * RUN_MANY;
    if (regs > FEW && elements < FEW * RUN_FEW) elements = FEW * RUN_FEW;
    bool wide = false;
    for (int i = 0; i < s->n_in; i++) wide |= dg_dtype_size(s->in_dtype[i]) > 4;
    for (int i = 0; i < s->n_code; i++) wide |= dg_dtype_size(s->code[i].dtype) > 4;
    return elements * (wide ? 8 : 4) + 64;
}

void dg_strip_run_box(const dg_call *k, const dg_strip *s, const dg_view *in, const dg_view *out,
                      const int64_t *start, const int64_t *extent, void *scratch)
{
    int64_t n = 1;
    for (int a = 0; a < s->space.rank; a++) n *= extent[a];
    if (n == 0) return;
    program p;
    prepare(&p, s, dg_isa_of(k), in, out, start, extent, scratch, NULL);
    run_range(&p, 0, n, NULL, NULL);
}

void dg_epilogue(const dg_call *k, const int64_t *start, const int64_t *extent)
{
    if (!k->strip) return;
    dg_view in[DG_STRIP_REGS];
    in[0] = k->out[0];
    for (int i = 1; i < k->strip->n_in; i++) in[i] = k->in[k->n_own + i - 1];
    if (!k->prologue || k->prologue->operand < k->n_own) {
        dg_strip_run_box(k, k->strip, in, k->out, start, extent, k->scratch);
        return;
    }
    /* a load in parts: one after the other */
    int64_t at[DG_MAX_RANK], size[DG_MAX_RANK], end = start[1] + extent[1];
    memcpy(at, start, sizeof *at * (size_t)k->strip->space.rank);
    memcpy(size, extent, sizeof *size * (size_t)k->strip->space.rank);
    for (; at[1] < end; at[1] += size[1]) {
        size[1] = dg_source_part(k, at[1], &in[k->prologue->operand - k->n_own + 1]);
        if (size[1] > end - at[1]) size[1] = end - at[1];
        dg_strip_run_box(k, k->strip, in, k->out, at, size, k->scratch);
    }
}

/* ---- whole strips ---- */

/* How a space is cut. Rows of a reduced output that fit a piece lie in one piece whole; longer rows
 * (`long`) are cut, and the sums of their parts stand in the workspace: [long output][piece]. */
typedef struct cut {
    int64_t total, segment, piece, per_segment, pieces;
} cut;

static int64_t row_of(const dg_strip *s, int reduce)
{
    int64_t n = 1;
    for (int a = s->space.rank - reduce; a < s->space.rank; a++) n *= s->space.dim[a];
    return n;
}

static cut cut_space(const dg_strip *s)
{
    cut c = {.total = dg_shape_count(&s->space)};
    int64_t whole = 1, piece = c.total / 8;
    c.segment = c.total;
    for (int o = 0; o < s->n_out; o++) {
        if (s->out[o].reduce == 0) continue;
        int64_t row = row_of(s, s->out[o].reduce);
        if (row > PIECE) {
            if (row < c.segment) c.segment = row;
        } else if (row > whole) {
            whole = row;
        }
    }
    if (c.total == 0) return c;
    if (piece < LEAST_PIECE) piece = LEAST_PIECE;
    if (piece > PIECE || c.segment < c.total) piece = PIECE;
    c.piece = (piece + whole - 1) / whole * whole;
    c.per_segment = (c.segment + c.piece - 1) / c.piece;
    c.pieces = c.total / c.segment * c.per_segment;
    return c;
}

int64_t dg_strip_workspace(const dg_infer *types, const dg_strip *s)
{
    (void)types;
    int64_t n_long = 0;
    for (int o = 0; o < s->n_out; o++)
        n_long += s->out[o].reduce > 0 && row_of(s, s->out[o].reduce) > PIECE;
    return n_long * cut_space(s).pieces * (int64_t)sizeof(summing);
}

int64_t dg_strip_scratch_of(const dg_infer *types, const dg_strip *s)
{
    (void)types;
    return dg_strip_scratch(s);
}

static void run_piece(const dg_call *k, int64_t piece)
{
    const dg_strip *s = k->strip;
    const cut *c = k->arg;
    int64_t begin = piece % c->per_segment * c->piece, end = begin + c->piece;
    if (end > c->segment) end = c->segment;
    int64_t base = piece / c->per_segment * c->segment;
    static const int64_t origin[DG_MAX_RANK];
    program p;
    prepare(&p, s, dg_isa_of(k), k->in, k->out, origin, s->space.dim, k->scratch,
            k->prologue ? k : NULL);

    summing sums[MAX_OUT], *parts = k->workspace;
    const dg_view *to[MAX_OUT];
    bool any = false;
    for (int o = 0; o < s->n_out; o++) {
        if (s->out[o].reduce == 0) continue;
        any = true;
        int64_t row = row_of(s, s->out[o].reduce);
        sums[o] = (summing){.row = row};
        to[o] = row > PIECE ? NULL : &k->out[o];
        if (row > PIECE) sums[o].phase = (base + begin) % row;
    }
    run_range(&p, base + begin, base + end, any ? sums : NULL, to);
    for (int o = 0, l = 0; o < s->n_out; o++) {
        if (s->out[o].reduce > 0 && !to[o]) parts[l++ * c->pieces + piece] = sums[o];
    }
}

void dg_strip_run(const dg_call *k)
{
    const dg_strip *s = k->strip;
    cut c = cut_space(s);
    if (c.total == 0) { /* sums of nothing */
        for (int o = 0; o < s->n_out; o++)
            memset(k->out[o].data, 0,
                   (size_t)dg_shape_count(&k->out[o].shape) * dg_dtype_size(k->out[o].dtype));
        return;
    }
    dg_parallel_with(k, c.pieces, run_piece, &c);
    const summing *parts = k->workspace;
    for (int o = 0, l = 0; o < s->n_out; o++) {
        if (s->out[o].reduce == 0) continue;
        int64_t row = row_of(s, s->out[o].reduce);
        if (row <= PIECE) continue;
        int64_t rows = c.total / row, per_row = c.pieces / rows;
        int size = (int)dg_dtype_size(k->out[o].dtype);
        for (int64_t r = 0; r < rows; r++) {
            summing sum = {0};
            for (int64_t i = 0; i < per_row; i++) {
                sum.total += parts[l * c.pieces + r * per_row + i].total;
                sum.whole += parts[l * c.pieces + r * per_row + i].whole;
            }
            put_sum((char *)k->out[o].data + r * size, k->out[o].dtype, &sum);
        }
        l++;
    }
}

/* ---- an elementwise op on its own ---- */

int64_t dg_elementwise_scratch(const dg_infer *types, const dg_strip *s)
{
    (void)s;
    return (int64_t)(types->n_in + 1) * RUN_FEW * 8 + 64;
}

void dg_elementwise_run(const dg_call *k, const dg_op *op)
{
    dg_dtype in[3];
    dg_strip_code code = {.op = op,
                          .attrs = *k->attrs,
                          .in = {-1, -1, -1},
                          .n_in = k->n_in,
                          .dtype = k->out[0].dtype};
    for (int i = 0; i < k->n_in; i++) {
        in[i] = k->in[i].dtype;
        code.in[i] = i;
    }
    code.lanes = dg_lanes_find(op, k->out[0].dtype, in, k->n_in);
    assert(code.lanes);
    dg_strip_out out = {.reg = k->n_in};
    dg_strip strip = {.space = k->out[0].shape,
                      .n_in = k->n_in,
                      .n_code = 1,
                      .n_out = 1,
                      .in_dtype = in,
                      .code = &code,
                      .out = &out};
    dg_call call = *k;
    call.strip = &strip;
    dg_strip_run(&call);
}

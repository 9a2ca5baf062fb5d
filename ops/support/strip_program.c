/* strip_program.c: makes a strip ready for a box of its space; see strip_program.h.
 *
 * In     a strip, views of its operands (any strides), a box of its space, room for arrays.
 * Out    merged axes, the length of a run, what is packed, chains and their steps, an array for
 * each register that wants one; the last use of a register frees its array. */
#include "ops/support/strip_program.h"
#include "ops/source/draw.h"

#include <assert.h>

enum {
    RUN_FEW = 1024, /* elements of a run while few registers are alive: 8 of them fill 32 KiB */
    RUN_MANY = 512,
    FEW = 8,
    SHORT_ROW = 512, /* rows up to this length share a run */
    NARROW_ROW = 32  /* rows shorter than this are packed for chains too: beside reading the steps
                        there would be little to do */
};

_Static_assert(RUN_FEW <= DG_STRIP_RUN, "lanes take at most DG_STRIP_RUN elements");

typedef dg_strip_operand operand;
typedef dg_strip_reg reg;
typedef dg_strip_program program;

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
    if (p->draws && p->number.stride[a] != p->number.stride[b] * b_dim) return false;
    for (int i = 0; i < s->n_out; i++) {
        if (dg_strip_stores(&s->out[i]) && p->store[i].stride[a] != p->store[i].stride[b] * b_dim)
            return false;
    }
    return true;
}

static void move_axis(program *p, int to, int from)
{
    for (int i = 0; i < p->strip->n_in; i++) p->load[i].stride[to] = p->load[i].stride[from];
    for (int i = 0; i < p->strip->n_out; i++) p->store[i].stride[to] = p->store[i].stride[from];
    p->number.stride[to] = p->number.stride[from];
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
        p->number.stride[0] = 1;
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

static dg_strip_level level_of(const program *p, const operand *o)
{
    int steady = p->short_rows ? p->rank - 2 : p->rank - 1; /* axes outside of the run */
    for (int a = steady; a < p->rank; a++) {
        if (o->stride[a] != 0) return DG_ALONG;
    }
    for (int a = 0; a < steady; a++) {
        if (o->stride[a] != 0) return DG_PER_ROW;
    }
    return DG_PER_BOX;
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
    for (int o = 0; o < s->n_out; o++) copied |= s->out[o].reg == l && dg_strip_stores(&s->out[o]);
    for (int o = 0; copied && o < s->n_out; o++) {
        int r = s->out[o].reg,
            size = (int)dg_dtype_size(r < s->n_in ? s->in_dtype[r] : s->code[r - s->n_in].dtype);
        if (dg_strip_stores(&s->out[o]) && r != l &&
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
        if (r->level != DG_ALONG || r->last < (chain >= 0 ? chain : at)) continue;
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
    return r->slot >= 0 && r->level == DG_ALONG && r->last == at;
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
        *r = (reg){.level = DG_PER_BOX,
                   .size = (int)dg_dtype_size(c->dtype),
                   .first = i,
                   .last = -1,
                   .slot = -1,
                   .store = -1};
        for (int k = 0; k < c->n_in; k++) {
            note_use(&p->reg[c->in[k]], i);
            if (p->reg[c->in[k]].level > r->level) r->level = p->reg[c->in[k]].level;
        }
        if (c->lanes->draw) r->level = DG_ALONG;
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
        if (p->reg[s->n_in + i].level != DG_ALONG) continue;
        if (c->op->arith == DG_NO_ARITH || c->dtype != DG_F32) {
            for (int k = 0; k < c->n_in; k++) {
                p->reg[c->in[k]].array |= !c->lanes->draw; /* the trip is one number */
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
        if (r->level == DG_ALONG) continue;
        if (r->array) r->slot = pool.n++; /* kept from run to run */
        r->at = (char *)&p->one[i];
    }
    for (int i = 0; i < n_code; i++) {
        const dg_strip_code *c = &s->code[i];
        reg *r = &p->reg[s->n_in + i];
        if (r->level != DG_ALONG) continue;
        if (p->chain[i] < 0 || p->chain[i] == i) take_loads(p, &pool, i);
        bool array = p->chain[i] < 0 || r->kept; /* has to be in memory, besides outputs */
        for (int o = 0; o < s->n_out; o++) {
            if (s->out[o].reg != s->n_in + i) continue;
            if (dg_strip_stores(&s->out[o]) && r->store < 0 && may_write(p, o, i))
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
bool dg_strip_one_per_row(const program *p, int r)
{
    if (p->reg[r].level != DG_ALONG) return true;
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
        if (held != x) add_step(p, n, DG_CHAIN_LOAD, x, dg_strip_one_per_row(p, x));
        add_step(p, n, arith == DG_ARITH_NEG ? DG_CHAIN_NEG : DG_CHAIN_SQUARE, -1, false);
    } else if (held == y && held != x) {
        add_step(p, n, backward[arith], x, dg_strip_one_per_row(p, x));
    } else {
        if (held != x) add_step(p, n, DG_CHAIN_LOAD, x, dg_strip_one_per_row(p, x));
        add_step(p, n, forward[arith], y, dg_strip_one_per_row(p, y));
    }
}

static void make_steps(program *p)
{
    const dg_strip *s = p->strip;
    int n = 0, held = -1, chain = -1;
    for (int i = 0; i < s->n_code; i++) {
        const reg *r = &p->reg[s->n_in + i];
        if (r->level != DG_ALONG) continue;
        if (chain >= 0 && p->chain[i] != chain) add_step(p, &n, DG_CHAIN_END, -1, false);
        chain = p->chain[i];
        if (chain < 0) continue;
        if (chain == i) {
            p->begin[i] = n;
            held = -1;
        }
        add_instruction(p, &n, i, held);
        held = s->n_in + i;
        if (r->store >= 0) add_step(p, &n, DG_CHAIN_STORE, DG_STRIP_OUTPUT + r->store, false);
        if (r->slot >= 0) add_step(p, &n, DG_CHAIN_STORE, held, false);
    }
    add_step(p, &n, DG_CHAIN_END, -1, false);
}

/* The elements of a draw are numbered as they lie in the whole space. */
static void number_elements(program *p, const dg_call *k, const int64_t *start)
{
    const dg_shape *space = &p->strip->space;
    int64_t step = 1, first = 0;
    for (int a = space->rank - 1; a >= 0; a--) {
        p->number.stride[a] = step;
        first += start[a] * step;
        step *= space->dim[a];
    }
    p->draws = false;
    for (int i = 0; i < p->strip->n_code; i++) p->draws |= p->strip->code[i].lanes->draw != NULL;
    p->numbers = k->run;
    p->first = p->draws ? dg_draw_first_of(k->run, space) + (uint64_t)first : 0;
}

void dg_strip_prepare(program *p, const dg_call *k, const dg_strip *s, const dg_view *in,
                      const dg_view *out, const int64_t *start, const int64_t *extent,
                      void *scratch, const dg_call *source)
{
    p->strip = s;
    p->isa = dg_isa_of(k);
    p->source = source;
    p->gathered = source ? source->prologue->operand : -1;
    p->n_regs = s->n_in + s->n_code;
    p->packs = false;
    assert(p->n_regs <= DG_STRIP_REGS && s->n_out <= DG_STRIP_OUTS);
    for (int i = 0; i < s->n_in; i++) {
        dg_view whole = in[i];
        if (i == p->gathered) dg_view_pack(&whole);
        locate(&p->load[i], &whole, s->space.rank, start);
    }
    for (int i = 0; i < s->n_out; i++) {
        if (dg_strip_stores(&s->out[i])) locate(&p->store[i], &out[i], s->space.rank, start);
    }
    number_elements(p, k, start);
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
        r->pack =
            r->level == DG_ALONG && (!lies_well || i == p->gathered || lost_before_copied(p, i));
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

int64_t dg_strip_scratch(const dg_strip *s)
{
    int64_t regs = s->n_in + s->n_code, elements = regs <= FEW ? regs * RUN_FEW : regs * RUN_MANY;
    if (regs > FEW && elements < FEW * RUN_FEW) elements = FEW * RUN_FEW;
    bool wide = false;
    for (int i = 0; i < s->n_in; i++) wide |= dg_dtype_size(s->in_dtype[i]) > 4;
    for (int i = 0; i < s->n_code; i++) wide |= dg_dtype_size(s->code[i].dtype) > 4;
    return elements * (wide ? 8 : 4) + 64;
}

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
#include "ops/source/draw.h"
#include "ops/support/prologue.h"
#include "ops/support/stats.h"
#include "ops/support/strip_program.h"
#include "ops/support/sums.h"

#include <assert.h>
#include <string.h>

enum {
    PIECE = 32768,      /* elements of the space that one piece of parallel work covers, about: */
    LEAST_PIECE = 8192, /* an eighth of the space, but no less than this and no more than PIECE, */
    LEAST_WORK = 8 * LEAST_PIECE, /* and less where there is more to do for each */
    DEAR = 6,  /* operations of one element that an exponential and the like counts for; */
    DOUBLE = 4 /* operations that one on doubles counts for */
};

typedef dg_strip_operand operand;
typedef dg_strip_reg reg;
typedef dg_strip_program program;

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

/* Rows of a few words, at any strides. */
static void copy_words(uint32_t *to, int64_t to_row, int64_t to_col, const uint32_t *from,
                       int64_t from_row, int64_t from_col, const position *at)
{
    for (int64_t r = 0; r < at->rows; r++)
        for (int64_t j = 0; j < at->columns; j++)
            to[r * to_row + j * to_col] = from[r * from_row + j * from_col];
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
    if (p->narrow && size == 4) {
        copy_words((uint32_t *)(void *)p->reg[l].at, at->columns, 1,
                   (const uint32_t *)(const void *)from, o->stride[p->rank - 2],
                   o->stride[p->rank - 1], at);
        return;
    }
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
    if (p->narrow && r->size == 4) {
        copy_words((uint32_t *)(void *)to, out->stride[p->rank - 2], out->stride[p->rank - 1],
                   (const uint32_t *)(const void *)r->at, at->columns, 1, at);
        return;
    }
    for (int64_t k = 0; k < at->rows; k++)
        copy_row(p->isa, to + (p->rank > 1 ? k * out->stride[p->rank - 2] * r->size : 0),
                 out->stride[p->rank - 1], r->at + k * at->columns * r->size, 1, r->size,
                 at->columns);
}

/* The draws of a run, in stretches of elements that follow upon each other in the space. */
static void draw(const program *p, int i, char *to, const position *at)
{
    const dg_strip_code *c = &p->strip->code[i];
    dg_rng rng =
        dg_draw_rng_of(p->numbers, &c->attrs, *(const int32_t *)(void *)p->reg[c->in[0]].at);
    int64_t step = p->number.stride[p->rank - 1], columns = at->columns,
            row = p->rank > 1 ? p->number.stride[p->rank - 2] : 0, n = step == 1 ? columns : 1,
            first = p->number.offset + at->column * step;
    if (step == 1 && row == columns) n *= at->rows;
    for (int64_t e = 0; e < at->rows * columns; e += n) {
        int64_t number = first + e / columns * row + e % columns * step;
        c->lanes->draw(&rng, p->first + (uint64_t)number, n, (float *)(void *)to + e);
    }
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
static void refresh(program *p, dg_strip_level level, const position *at)
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
        if (i >= s->n_in && !dg_strip_stores(&s->out[i - s->n_in])) continue;
        o->offset = 0;
        for (int a = 0; a < p->rank - 1; a++) o->offset += at->index[a] * o->stride[a];
    }
    p->number.offset = 0;
    for (int a = 0; a < p->rank - 1; a++) p->number.offset += at->index[a] * p->number.stride[a];
}

/* Where the registers of this run are. */
static void aim(program *p, const position *at)
{
    const dg_strip *s = p->strip;
    for (int i = 0; i < p->n_regs; i++) {
        reg *r = &p->reg[i];
        if (r->level != DG_ALONG) continue;
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

/* From a run of a load to the next one: behind it, or in the rows below. */
static int64_t to_next_run(const program *p, int l, const position *at)
{
    if (p->reg[l].pack) return 0; /* an array of ours */
    if (at->column + at->columns < p->inner || p->rank == 1 || (p->source && l == p->gathered))
        return at->rows * at->columns;
    const int64_t *stride = p->load[l].stride;
    return at->rows * stride[p->rank - 2] - at->column * stride[p->rank - 1];
}

static void run_chain(program *p, int i, const position *at)
{
    int64_t rows = at->rows, columns = at->columns;
    dg_chain_step *first = &p->step[p->begin[i]];
    bool whole = rows > 1; /* no operand has gaps between its rows, nor a number for each */
    for (dg_chain_step *c = first; c->op != DG_CHAIN_END; c++) {
        if (c->reg < 0) continue;
        const reg *r = &p->reg[c->reg < DG_STRIP_OUTPUT ? c->reg : 0];
        if (c->reg < DG_STRIP_OUTPUT) {
            c->x = (float *)(void *)r->at;
            c->row = r->row;
            c->ahead = c->reg < p->strip->n_in ? to_next_run(p, c->reg, at) : 0;
        } else {
            const operand *o = &p->store[c->reg - DG_STRIP_OUTPUT];
            c->x = (float *)(void *)run_start(p, o, at, (int)sizeof(float));
            c->row = p->rank > 1 ? o->stride[p->rank - 2] : 0;
        }
        whole = whole &&
                (c->reg < DG_STRIP_OUTPUT && dg_strip_one_per_row(p, c->reg) ? r->level != DG_ALONG
                                                                             : c->row == columns);
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
        if (r->level != DG_ALONG || (p->chain[i] >= 0 && p->chain[i] != i)) continue;
        if (p->packs) pack_loads(p, i, at);
        if (p->chain[i] == i)
            run_chain(p, i, at);
        else if (s->code[i].lanes->draw)
            draw(p, i, r->at, at);
        else
            execute(p, i, r->at, n);
    }
    if (p->packs) pack_loads(p, s->n_code, at);
}

/* What the instructions did not write where it lies. */
static void store_outputs(const program *p, const position *at)
{
    for (int o = 0; o < p->strip->n_out; o++) {
        if (dg_strip_stores(&p->strip->out[o])) store_run(p, o, at);
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
    refresh(p, DG_PER_BOX, &at);
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
        if (stale) refresh(p, DG_PER_ROW, &at);
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

void dg_strip_run_box(const dg_call *k, const dg_strip *s, const dg_view *in, const dg_view *out,
                      const int64_t *start, const int64_t *extent, void *scratch)
{
    int64_t n = 1;
    for (int a = 0; a < s->space.rank; a++) n *= extent[a];
    if (n == 0) return;
    program p;
    dg_strip_prepare(&p, k, s, in, out, start, extent, scratch, NULL);
    run_range(&p, 0, n, NULL, NULL);
}

/* Of channels of the box as it is stored in y: whole rows, that begin with a span. */
static void store_moments(const dg_call *k, const dg_view *y, int64_t span, const dg_view *moments,
                          const int64_t *start, const int64_t *extent)
{
    const dg_shape *s = &y->shape;
    int64_t row = 1, plane, pieces = moments->shape.dim[2];
    for (int a = 3; a < s->rank; a++) row *= s->dim[a];
    plane = row * s->dim[2];
    int64_t first = start[2] * row, end = first + extent[2] * row;
    assert(first % span == 0 && (end % span == 0 || end == plane));
    for (int64_t n = start[0]; n < start[0] + extent[0]; n++)
        for (int64_t c = start[1]; c < start[1] + extent[1]; c++) {
            const float *x = (const float *)y->data + (n * s->dim[1] + c) * plane;
            float *to = (float *)moments->data + (n * s->dim[1] + c) * pieces * 2;
            for (int64_t at = first; at < end; at += span) {
                dg_moments m =
                    dg_moments_f32(dg_isa_of(k), x + at, end - at < span ? end - at : span);
                to[at / span * 2] = (float)m.mean;
                to[at / span * 2 + 1] = (float)m.squares;
            }
        }
}

static void apply(const dg_call *k, const int64_t *start, const int64_t *extent)
{
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

void dg_epilogue(const dg_call *k, const int64_t *start, const int64_t *extent)
{
    const dg_strip *s = k->strip;
    if (!s) return;
    if (s->n_code > 0) apply(k, start, extent);
    if (s->n_out > 1 && s->out[1].span > 0)
        store_moments(k, &k->out[0], s->out[1].span, &k->out[1], start, extent);
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

static int64_t least_piece(const dg_strip *s)
{
    int64_t work = s->n_in + s->n_out;
    for (int i = 0; i < s->n_code; i++)
        work += (s->code[i].op->traits & DG_CHEAP ? 1 : DEAR) *
                (s->code[i].dtype == DG_F64 ? DOUBLE : 1);
    int64_t least = (LEAST_WORK / work + DG_STRIP_RUN - 1) / DG_STRIP_RUN * DG_STRIP_RUN;
    return least < LEAST_PIECE ? least : LEAST_PIECE;
}

static cut cut_space(const dg_strip *s)
{
    cut c = {.total = dg_shape_count(&s->space)};
    int64_t whole = 1, piece = c.total / 8, least = least_piece(s);
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
    if (piece < least) piece = least;
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
    if (n_long == 0) return 0;
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
    dg_strip_prepare(&p, k, s, k->in, k->out, origin, s->space.dim, k->scratch,
                     k->prologue ? k : NULL);

    summing sums[DG_STRIP_OUTS], *parts = k->workspace;
    const dg_view *to[DG_STRIP_OUTS];
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
    return (int64_t)(types->n_in + 1) * DG_STRIP_RUN * 8 + 64;
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

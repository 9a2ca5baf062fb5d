/* verify.c: the rules of a well-formed graph.
 *
 * In     a module, after the front end or a pass.
 * Out    true, or E902 with the first broken rule, the pass and the node's text.
 * Cost   one walk; every shape rule runs once more. */
#include "compiler/ir/verify.h"

#include "compiler/ir/print.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef struct checker {
    const dg_module *m;
    const dg_graph *g;
    const char *after;
    dg_arena *arena; /* scratch */
    bool *made;      /* by value: defined here and in scope */
    bool *seen;      /* by node */
    const dg_op *place, *write, *input, *output;
    bool *placed, *written; /* by place */
} checker;

__attribute__((format(printf, 3, 4))) static bool broken(checker *c, dg_node n, const char *format,
                                                         ...)
{
    va_list args;
    va_start(args, format);
    const char *what = dg_arena_vprintf(c->arena, format, args);
    va_end(args);
    dg_span span = DG_NOWHERE;
    if (n != DG_NONE && dg_node_of(c->g, n)->origin) span = dg_node_of(c->g, n)->origin->span;
    dg_message *m = span.file >= 0
                        ? dg_error(c->m->diag, "E902", span, "after %s: %s", c->after, what)
                        : dg_error_at(c->m->diag, "E902", c->after, "%s", what);
    if (n != DG_NONE && dg_node_of(c->g, n)->op) {
        dg_text text = {0};
        dg_print_node(c->g, n, &text);
        dg_note_add(c->m->diag, m, "node %d of %s: %s", (int)n,
                    c->g == c->m->init ? "the initialisers" : "the graph", text.at ? text.at : "");
        dg_text_free(&text);
    }
    return false;
}

static bool valid_value(const checker *c, dg_value v)
{
    return v >= 0 && (size_t)v < c->g->values.n;
}

/* ---- one node ---- */

static bool check_results(checker *c, dg_node n)
{
    const dg_node_info *i = dg_node_of(c->g, n);
    for (int k = 0; k < i->n_out; k++) {
        if (!valid_value(c, i->out[k]))
            return broken(c, DG_NONE, "node %d has a result %d that does not exist", (int)n,
                          i->out[k]);
        const dg_value_info *v = dg_value_of(c->g, i->out[k]);
        if (v->def != n || v->index != k || v->region != i->region)
            return broken(c, n, "result %d does not know that this node makes it", k);
        if (c->made[i->out[k]]) return broken(c, n, "%%%d is made twice", (int)i->out[k]);
        if (v->type->dtype == DG_POISON)
            return broken(c, n, "%%%d is poison, but no error was reported", (int)i->out[k]);
        if (!v->path) return broken(c, n, "%%%d has no path", (int)i->out[k]);
        c->made[i->out[k]] = true;
    }
    return true;
}

static bool check_attrs(checker *c, dg_node n)
{
    const dg_node_info *i = dg_node_of(c->g, n);
    const dg_attr_spec *spec = i->op->attrs;
    for (int k = 0; k < i->attrs.n; k++) {
        const dg_attr *a = &i->attrs.at[k];
        while (spec && spec->name && strcmp(spec->name, a->name) != 0) {
            if (spec->required) return broken(c, n, "the attribute `%s` is missing", spec->name);
            spec++;
        }
        if (!spec || !spec->name)
            return broken(c, n, "the attribute `%s` is unknown or out of order", a->name);
        if (spec->kind != a->kind)
            return broken(c, n, "the attribute `%s` has the wrong kind", a->name);
        spec++;
    }
    for (; spec && spec->name; spec++) {
        if (spec->required) return broken(c, n, "the attribute `%s` is missing", spec->name);
    }
    return true;
}

static bool draws_space(const dg_strip_code *code, const dg_shape *space)
{
    int rank;
    const int64_t *dim = dg_attr_ints(&code->attrs, "shape", &rank);
    return rank == space->rank && memcmp(dim, space->dim, sizeof *dim * (size_t)rank) == 0;
}

/* The loads and instructions of a strip whose registers from `from` on are inputs `inputs` and on;
 * the dtypes of all its registers in reg. */
static bool check_code(checker *c, dg_node n, const dg_strip *s, int from, int inputs,
                       dg_dtype *reg)
{
    const dg_node_info *i = dg_node_of(c->g, n);
    for (int k = 0; k < s->n_in; k++) {
        reg[k] = s->in_dtype[k];
        if (k < from) continue;
        dg_type t = *dg_type_of(c->g, i->in[inputs + k - from]);
        if (i->prologue && i->prologue->operand == inputs + k - from) t.shape = i->prologue->shape;
        if (t.dtype != reg[k] || !dg_broadcasts_to(&t.shape, &s->space))
            return broken(c, n, "register $%d of the strip does not fit its input", k);
    }
    for (int k = 0; k < s->n_code; k++) {
        const dg_strip_code *code = &s->code[k];
        dg_dtype in[3];
        for (int j = 0; j < code->n_in; j++) {
            if (code->in[j] < 0 || code->in[j] >= s->n_in + k)
                return broken(c, n, "instruction %d of the strip reads $%d before it is made", k,
                              code->in[j]);
            in[j] = reg[code->in[j]];
        }
        if (!code->lanes || dg_lanes_find(code->op, code->dtype, in, code->n_in) != code->lanes)
            return broken(c, n, "instruction %d of the strip (%s) has no lanes for its dtypes", k,
                          code->op->name);
        if (code->lanes->draw && !draws_space(code, &s->space))
            return broken(c, n, "instruction %d of the strip draws another shape", k);
        reg[s->n_in + k] = code->dtype;
    }
    return true;
}

/* Of a register that an output before stores. */
static bool check_moments(checker *c, dg_node n, int k)
{
    const dg_strip *s = dg_node_of(c->g, n)->strip;
    const dg_type *t = dg_type_of(c->g, dg_node_of(c->g, n)->out[k]);
    bool stored = false;
    for (int o = 0; o < k; o++)
        stored |= s->out[o].reg == s->out[k].reg && dg_strip_stores(&s->out[o]);
    if (!stored || s->out[k].reduce || s->space.rank < 3)
        return broken(c, n, "result %d is moments of what is not stored", k);
    dg_shape shape = dg_moments_shape(&s->space, s->out[k].span);
    return (t->dtype == DG_F32 && dg_shape_equal(&t->shape, &shape)) ||
           broken(c, n, "result %d does not have the shape of moments", k);
}

static bool check_strip(checker *c, dg_node n)
{
    const dg_node_info *i = dg_node_of(c->g, n);
    const dg_strip *s = i->strip;
    bool epilogue = i->op->epilogue; /* register 0 is the op's own result */
    int loads = epilogue ? i->n_own + s->n_in - 1 : s->n_in;
    if (i->prologue ? loads > i->n_in : loads != i->n_in)
        return broken(c, n, "the strip loads %d inputs", epilogue ? s->n_in - 1 : s->n_in);
    dg_dtype *reg = DG_NEW_ARRAY(c->arena, dg_dtype, s->n_in + s->n_code);
    if (!check_code(c, n, s, epilogue, epilogue ? i->n_own : 0, reg)) return false;
    if (epilogue ? s->n_out < 1 || s->n_out > 2 : s->n_out != i->n_out)
        return broken(c, n, "the strip has %d results", s->n_out);
    if (s->n_out > i->n_out) return broken(c, n, "the node has %d results", i->n_out);
    for (int k = 0; k < s->n_out; k++) {
        const dg_type *t = dg_type_of(c->g, i->out[k]);
        if (s->out[k].reg < 0 || s->out[k].reg >= s->n_in + s->n_code)
            return broken(c, n, "result %d of the strip names no register", k);
        if (t->dtype != reg[s->out[k].reg])
            return broken(c, n, "result %d has another dtype than its register", k);
        if (s->out[k].span) {
            if (!check_moments(c, n, k)) return false;
            continue;
        }
        int64_t count = 1;
        for (int a = 0; a < s->space.rank - s->out[k].reduce; a++) count *= s->space.dim[a];
        if (dg_shape_count(&t->shape) != count)
            return broken(c, n, "result %d does not have the strip's size", k);
    }
    return true;
}

/* Parts are f32 maps that differ in channels alone; together and grown they have the operand's
 * shape. */
static bool check_source(checker *c, dg_node n)
{
    const dg_node_info *i = dg_node_of(c->g, n);
    const dg_prologue *p = i->prologue;
    const dg_type *x = dg_type_of(c->g, i->in[p->operand]);
    dg_shape all = x->shape;
    if (!dg_prologue_gathers(p))
        return (p->strip && dg_shape_equal(&all, &p->shape)) ||
               broken(c, n, "the prologue does nothing, or not to its operand");
    if (x->dtype != DG_F32 || all.rank != 4 || p->parts < 1 || p->grow < 1)
        return broken(c, n, "the prologue's source is not f32 maps");
    for (int k = i->n_in - p->parts + 1; k < i->n_in; k++) {
        const dg_type *part = dg_type_of(c->g, i->in[k]);
        dg_shape same = part->shape;
        same.dim[1] = x->shape.dim[1];
        if (part->dtype != DG_F32 || !dg_shape_equal(&same, &x->shape))
            return broken(c, n, "the parts of the prologue's source do not fit together");
        all.dim[1] += part->shape.dim[1];
    }
    all.dim[2] *= p->grow;
    all.dim[3] *= p->grow;
    return dg_shape_equal(&all, &p->shape) ||
           broken(c, n, "the prologue's source does not have the operand's shape");
}

static bool check_prologue(checker *c, dg_node n)
{
    const dg_node_info *i = dg_node_of(c->g, n);
    const dg_prologue *p = i->prologue;
    const dg_strip *s = p->strip;
    bool fused = i->strip && !i->op->epilogue;
    int operand = p->operand, first = fused ? i->n_own : dg_prologue_inputs(i->n_own, i->strip);
    if (operand >= (s ? i->n_own : first))
        return broken(c, n, "the prologue is for operand %d", operand);
    if (s && fused) return broken(c, n, "a fused node has a prologue");
    if (s && !dg_op_takes_prologue(i->op, operand))
        return broken(c, n, "no kernel of %s computes operand %d", i->op->name, operand);
    if (first + (s ? s->n_in - 1 : 0) + p->parts - 1 != i->n_in)
        return broken(c, n, "the prologue loads %d inputs", i->n_in - first);
    if (!check_source(c, n)) return false;
    if (!s) return true;
    const dg_type *x = dg_type_of(c->g, i->in[operand]);
    if (s->n_in < 1 || x->dtype != s->in_dtype[0] || !dg_shape_equal(&p->shape, &s->space))
        return broken(c, n, "the prologue's first load does not have the operand's type");
    dg_dtype *reg = DG_NEW_ARRAY(c->arena, dg_dtype, s->n_in + s->n_code);
    if (!check_code(c, n, s, 1, first, reg)) return false;
    if (s->n_code < 1 || s->n_out != 1 || !dg_strip_stores(&s->out[0]) || s->out[0].reg < 0 ||
        s->out[0].reg >= s->n_in + s->n_code || reg[s->out[0].reg] != x->dtype)
        return broken(c, n, "the prologue does not make operand %d", operand);
    return true;
}

/* Under the reference floats are widened, in the graph but not in the tables of the module. */
static bool agrees(const dg_type *a, const dg_type *b)
{
    bool same =
        a->dtype == b->dtype || (dg_dtype_is_float(a->dtype) && dg_dtype_is_float(b->dtype));
    return same && dg_shape_equal(&a->shape, &b->shape);
}

static bool check_types(checker *c, dg_node n)
{
    const dg_node_info *i = dg_node_of(c->g, n);
    if (i->strip && !check_strip(c, n)) return false;
    if (i->prologue && !check_prologue(c, n)) return false;
    if (i->strip && !i->op->epilogue) return true; /* the strip is the shape rule */
    enum { FEW = 16 };
    const dg_type *few_in[FEW], **in = few_in;
    if (i->n_own > FEW) in = DG_NEW_ARRAY(c->arena, const dg_type *, i->n_own);
    dg_type made, few_out[2 * FEW];
    dg_type *out = i->n_own <= FEW ? few_out : DG_NEW_ARRAY(c->arena, dg_type, i->n_own + FEW);
    for (int k = 0; k < i->n_own; k++) in[k] = dg_type_of(c->g, i->in[k]);
    if (i->prologue && i->prologue->operand < i->n_own) {
        const dg_type **operand = &in[i->prologue->operand];
        made = (dg_type){(*operand)->dtype, i->prologue->shape};
        *operand = &made;
    }
    dg_infer t = {.op = i->op,
                  .attrs = &i->attrs,
                  .n_in = i->n_own,
                  .in = in,
                  .out = out,
                  .input = {-1, -1},
                  .arena = c->arena};
    int least, most;
    dg_op_arity(i->op, &least, &most);
    if (i->n_own < least || i->n_own > most)
        return broken(c, n, "%d operands do not fit the op", i->n_own);
    if (!i->op->infer(&t)) return broken(c, n, "the shape rule refuses: %s", t.what ? t.what : "?");
    if (t.n_out > i->n_out) return broken(c, n, "the shape rule gives %d results", t.n_out);
    for (int k = 0; k < t.n_out; k++) {
        bool any_float =
            i->op->traits &
            DG_RANDOM; /* draws are f32, and widened with everything else under the reference */
        const dg_type *have = dg_type_of(c->g, i->out[k]);
        if (k == 0 && i->strip ? !dg_shape_equal(&out[k].shape, &have->shape)
            : any_float        ? !agrees(&out[k], have)
                               : !dg_type_equal(&out[k], have))
            return broken(c, n, "result %d is %s, the shape rule says %s", k,
                          dg_type_name(c->arena, have), dg_type_name(c->arena, &out[k]));
    }
    return true;
}

/* ---- effects ---- */

static bool check_index(checker *c, dg_node n, size_t count, const char *table)
{
    int64_t index = dg_attr_int(&dg_node_of(c->g, n)->attrs, "index");
    return (index >= 0 && (size_t)index < count) ||
           broken(c, n, "there is no %s %lld", table, (long long)index);
}

static bool check_effect(checker *c, dg_node n)
{
    const dg_node_info *i = dg_node_of(c->g, n);
    const dg_module *m = c->m;
    if (i->op == c->place || i->op == c->write) {
        if (!check_index(c, n, m->places.n, "place")) return false;
        size_t at = (size_t)dg_attr_int(&i->attrs, "index");
        bool *once = i->op == c->place ? c->placed : c->written;
        if (once[at])
            return broken(c, n, "a second `%s` of %s", i->op->name, m->places.at[at].path);
        once[at] = true;
        if (i->region != 0) return broken(c, n, "`%s` stands in a loop", i->op->name);
        if (!agrees(dg_type_of(c->g, i->op == c->place ? i->out[0] : i->in[0]),
                    &m->places.at[at].type))
            return broken(c, n, "the place %s has another type", m->places.at[at].path);
    } else if (i->op == c->input) {
        if (!check_index(c, n, m->inputs.n, "input")) return false;
        if (!agrees(dg_type_of(c->g, i->out[0]),
                    &m->inputs.at[dg_attr_int(&i->attrs, "index")].type))
            return broken(c, n, "the input has another type");
    } else if (i->op == c->output) {
        if (!check_index(c, n, m->outputs.n, "output")) return false;
        if (!agrees(dg_type_of(c->g, i->in[0]),
                    &m->outputs.at[dg_attr_int(&i->attrs, "index")].type))
            return broken(c, n, "the output has another type");
    }
    return true;
}

/* ---- regions ---- */

static bool check_region(checker *c, dg_region r);

static bool check_loop(checker *c, dg_node n)
{
    const dg_graph *g = c->g;
    const dg_node_info *i = dg_node_of(g, n);
    if (i->body < 0 || (size_t)i->body >= g->regions.n)
        return broken(c, n, "its body does not exist");
    const dg_region_info *body = dg_region_of(g, i->body);
    if (body->owner != n) return broken(c, n, "its body belongs to another node");
    const dg_attr *stop = dg_attr_find(&i->attrs, "stop");
    size_t carries = (size_t)i->n_in, flags = stop && stop->v.i ? 1 : 0;
    if (i->n_out != i->n_in || body->args.n != carries + 1 || body->results.n != carries + flags)
        return broken(c, n, "%d carries, %zu arguments, %zu results", i->n_in, body->args.n,
                      body->results.n);

    for (size_t k = 0; k < body->args.n; k++) {
        const dg_value_info *v = dg_value_of(g, body->args.at[k]);
        if (v->def != DG_NONE || v->region != i->body || v->index != (int)k || !v->path)
            return broken(c, n, "argument %zu of the body does not know its place", k);
        c->made[body->args.at[k]] = true;
    }
    const dg_type *trip = dg_type_of(g, body->args.at[0]);
    if (trip->dtype != DG_I32 || trip->shape.rank != 0)
        return broken(c, n, "the trip is not a rank-0 i32");
    if (!check_region(c, i->body)) return false;
    for (size_t k = 0; k < body->results.n; k++) {
        dg_value v = body->results.at[k];
        if (!valid_value(c, v) || !c->made[v])
            return broken(c, n, "result %zu of the body is not made in it", k);
        if (k == carries) {
            if (dg_type_of(g, v)->dtype != DG_BOOL || dg_type_of(g, v)->shape.rank != 0)
                return broken(c, n, "the stop flag is not a rank-0 bool");
        } else if (!dg_type_equal(dg_type_of(g, v), dg_type_of(g, i->in[k])) ||
                   !dg_type_equal(dg_type_of(g, v), dg_type_of(g, body->args.at[k + 1])) ||
                   !dg_type_equal(dg_type_of(g, v), dg_type_of(g, i->out[k]))) {
            return broken(c, n, "carry %zu changes its type", k);
        }
    }
    /* What a body makes is not known outside. */
    for (size_t k = 0; k < body->args.n; k++) c->made[body->args.at[k]] = false;
    DG_EACH_NODE(g, i->body, inner) {
        const dg_node_info *made = dg_node_of(g, inner);
        for (int k = 0; k < made->n_out; k++) c->made[made->out[k]] = false;
    }
    return true;
}

static bool check_region(checker *c, dg_region r)
{
    const dg_graph *g = c->g;
    dg_node before = DG_NONE;
    for (dg_node n = dg_region_of(g, r)->first; n != DG_NONE; n = dg_node_of(g, n)->next) {
        if (n < 0 || (size_t)n >= g->nodes.n)
            return broken(c, DG_NONE, "the list of region %d leads to no node", (int)r);
        const dg_node_info *i = dg_node_of(g, n);
        if (!i->op) return broken(c, n, "node %d was removed and is still in a list", (int)n);
        if (c->seen[n]) return broken(c, n, "it stands in two places");
        c->seen[n] = true;
        if (i->region != r || i->prev != before)
            return broken(c, n, "its links disagree with its neighbours");
        before = n;
        for (int k = 0; k < i->n_in; k++) {
            if (!valid_value(c, i->in[k]))
                return broken(c, DG_NONE, "node %d has an input %d that does not exist", (int)n,
                              i->in[k]);
            if (!c->made[i->in[k]])
                return broken(c, n, "%%%d is used before it is made, or outside its loop",
                              (int)i->in[k]);
        }
        if (!check_attrs(c, n)) return false;
        if (i->op->traits & DG_CONTROL ? i->body == DG_NONE : i->body != DG_NONE)
            return broken(c, n, "it %s a body", i->body == DG_NONE ? "lacks" : "must not have");
        if (i->body != DG_NONE && !check_loop(c, n)) return false;
        if (!check_results(c, n) || !check_types(c, n) || !check_effect(c, n)) return false;
    }
    if (dg_region_of(g, r)->last != before)
        return broken(c, DG_NONE, "the end of region %d is wrong", (int)r);
    return true;
}

static bool check_graph(const dg_module *m, const dg_graph *g, const char *after)
{
    dg_arena *arena = dg_arena_new();
    checker c = {.m = m,
                 .g = g,
                 .after = after,
                 .arena = arena,
                 .made = DG_NEW_ARRAY(arena, bool, g->values.n),
                 .seen = DG_NEW_ARRAY(arena, bool, g->nodes.n),
                 .place = g->find("place"),
                 .write = g->find("write"),
                 .input = g->find("input"),
                 .output = g->find("output"),
                 .placed = DG_NEW_ARRAY(arena, bool, m->places.n),
                 .written = DG_NEW_ARRAY(arena, bool, m->places.n)};
    bool good = check_region(&c, 0);
    dg_arena_free(arena);
    return good;
}

bool dg_verify(const dg_module *m, const char *after)
{
    return check_graph(m, m->graph, after) && (!m->init || check_graph(m, m->init, after));
}

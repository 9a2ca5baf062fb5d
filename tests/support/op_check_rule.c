/* op_check_rule.c: an op's rules build other nodes: its gradient against central differences, its
 * expansion, simplification and stacking against ref. */
#include "tests/support/op_check_parts.h"

#include <math.h>
#include <string.h>

/* ---- gradients ---- */

static bool is_float_value(const dg_build *b, dg_value v)
{
    return dg_dtype_is_float(dg_dtype_of(b, v));
}

/* Adjoints of all values from those of some: every node's grad, last first. `adjoint` holds room
 * for `room` values. */
static bool walk_back(op_checked *k, dg_value *adjoint, dg_value room)
{
    dg_graph *g = k->m->graph;
    dg_arena *a = k->arena;
    DG_VEC(dg_node) order = {0};
    DG_EACH_NODE(g, 0, n) dg_vec_push(&order, n);
    bool good = true;
    for (size_t at = order.n; good && at-- > 0;) {
        dg_node_info i = *dg_node_of(g, order.at[at]);
        bool reached = false;
        for (int o = 0; o < i.n_out; o++)
            reached |= i.out[o] < room && adjoint[i.out[o]] != DG_NONE;
        if (!reached || !i.op->grad || i.op->traits & DG_STOPS_GRADIENT) continue;
        bool *want = DG_NEW_ARRAY(a, bool, i.n_in);
        dg_value *din = DG_NEW_ARRAY(a, dg_value, i.n_in),
                 *dout = DG_NEW_ARRAY(a, dg_value, i.n_out);
        for (int n = 0; n < i.n_in; n++) {
            want[n] = is_float_value(&k->b, i.in[n]);
            din[n] = DG_NONE;
        }
        for (int o = 0; o < i.n_out; o++) dout[o] = adjoint[i.out[o]];
        i.op->grad(&(dg_grad){.build = &k->b,
                              .attrs = &i.attrs,
                              .n_in = i.n_in,
                              .n_out = i.n_out,
                              .in = i.in,
                              .out = i.out,
                              .dout = dout,
                              .want = want,
                              .din = din});
        for (int n = 0; good && n < i.n_in; n++) {
            if (din[n] == DG_NONE || !want[n]) continue;
            if (!dg_type_equal(dg_type_of(g, din[n]), dg_type_of(g, i.in[n])))
                good = op_wrong(k, "the gradient of %s by input %d is %s and not %s", i.op->name, n,
                                dg_type_name(a, dg_type_of(g, din[n])),
                                dg_type_name(a, dg_type_of(g, i.in[n])));
            if (i.in[n] >= room) continue;
            adjoint[i.in[n]] =
                adjoint[i.in[n]] == DG_NONE ? din[n] : dg_add(&k->b, adjoint[i.in[n]], din[n]);
        }
    }
    dg_vec_free(&order);
    return good;
}

static dg_value *no_adjoints(op_checked *k)
{
    size_t n = k->m->graph->values.n;
    dg_value *adjoint = DG_NEW_ARRAY(k->arena, dg_value, n);
    for (size_t i = 0; i < n; i++) adjoint[i] = DG_NONE;
    return adjoint;
}

/* Data of the module's places, one after the other. */
typedef struct inputs {
    int n;
    void *data[4 * OP_MOST];
    dg_value value[4 * OP_MOST];
} inputs;

static dg_value new_place(op_checked *k, inputs *p, dg_type t, const double *values)
{
    int64_t n = dg_shape_count(&t.shape);
    uint64_t state = 77 + (uint64_t)p->n;
    void *data = p->data[p->n] = dg_arena_alloc(k->arena, (size_t)n * 8);
    for (int64_t j = 0; j < n; j++)
        op_put(data, t.dtype, j, values ? values[j] : op_uniform(&state) * 2 - 1);
    dg_value v = test_place(&k->b, k->m, t.dtype, t.shape);
    p->value[p->n++] = v;
    return v;
}

/* <x, y> summed over all elements, f64 whatever theirs is */
static dg_value inner_product(op_checked *k, dg_value x, dg_value y)
{
    dg_axes all = {0};
    for (int a = 0; a < dg_shape_of(&k->b, x).rank; a++) all.axis[all.n++] = a;
    dg_value sum = dg_sum(&k->b, dg_mul(&k->b, x, y), all);
    return dg_dtype_of(&k->b, sum) == DG_F64 ? sum : dg_cast(&k->b, sum, DG_F64);
}

/* The module's first output is a number, the others are its adjoints d[i] by the places: against
 * central differences. */
static bool check_differences(op_checked *k, const inputs *p, const dg_value *d, double rtol,
                              double atol, const char *what)
{
    double value[2], *have[4 * OP_MOST];
    void *out[4 * OP_MOST + 1];
    int outputs = 0;
    out[outputs++] = &value[0];
    for (int i = 0; i < p->n; i++) {
        have[i] = NULL;
        if (d[i] == DG_NONE) continue;
        dg_shape s = dg_shape_of(&k->b, p->value[i]);
        out[outputs++] = have[i] = DG_NEW_ARRAY(k->arena, double, dg_shape_count(&s));
    }
    if (!test_run(k->m, (const void *const *)p->data, out))
        return op_wrong(k, "%s: the run failed", what);

    /* From here on the number alone is wanted: the list of nodes ends at its output. */
    dg_node last = dg_region_of(k->m->graph, 0)->first;
    while (strcmp(dg_node_of(k->m->graph, last)->op->name, "output") != 0)
        last = dg_node_of(k->m->graph, last)->next;
    dg_node rest = dg_node_of(k->m->graph, last)->next;
    dg_node_of(k->m->graph, last)->next = DG_NONE;
    bool good = true;
    for (int i = 0; good && i < p->n; i++) {
        if (!is_float_value(&k->b, p->value[i])) continue;
        dg_shape s = dg_shape_of(&k->b, p->value[i]);
        int64_t count = dg_shape_count(&s), step = count > 48 ? count / 48 : 1;
        double *x = p->data[i];
        for (int64_t j = 0; good && j < count; j += step) {
            const double h = 1e-5;
            double x0 = x[j];
            for (int side = 0; side < 2; side++) {
                x[j] = side ? x0 - h : x0 + h;
                out[0] = &value[side];
                test_run(k->m, (const void *const *)p->data, out);
            }
            x[j] = x0;
            double want = (value[0] - value[1]) / (2 * h), got = have[i] ? have[i][j] : 0;
            if (!(fabs(got - want) <= atol + rtol * fabs(want)))
                good = op_wrong(k, "%s by input %d, element %lld: %.9g, differences say %.9g", what,
                                i, (long long)j, got, want);
        }
    }
    dg_node_of(k->m->graph, last)->next = rest;
    return good;
}

/* first: adjoints of <outputs, cotangents>; second: those of <adjoints, further cotangents> by
 * everything. */
bool op_check_gradient(op_checked *k, bool second)
{
    dg_value in[OP_MOST], d[4 * OP_MOST];
    dg_node node = op_case_build(k, true, in);
    if (node == DG_NONE) {
        k->wrong = NULL; /* not an op of doubles */
        if (k->m) test_module_free(k->m);
        return true;
    }
    inputs p = {.n = 0};
    for (int i = 0; i < k->n_in; i++) {
        p.data[i] = dg_arena_alloc(k->arena, (size_t)dg_shape_count(&k->in[i].shape) * 8);
        p.value[i] = in[i];
        for (int64_t j = 0; j < dg_shape_count(&k->in[i].shape); j++)
            op_put(p.data[i], k->in[i].dtype, j, k->value[i][j]);
    }
    p.n = k->n_in;
    dg_value loss = DG_NONE;
    for (int o = 0; o < k->n_out; o++) {
        dg_value y = dg_node_of(k->m->graph, node)->out[o];
        if (!is_float_value(&k->b, y)) continue;
        dg_value part = inner_product(k, y, new_place(k, &p, k->out[o], NULL));
        loss = loss == DG_NONE ? part : dg_add(&k->b, loss, part);
    }
    bool good = true;
    for (int order = 1; good && loss != DG_NONE && order <= (second ? 2 : 1); order++) {
        bool checked = order == (second ? 2 : 1);
        if (checked) test_output(&k->b, k->m, loss);
        dg_value *adjoint = no_adjoints(k);
        dg_value room = (dg_value)k->m->graph->values.n;
        adjoint[loss] = dg_number(&k->b, loss, 1);
        good = walk_back(k, adjoint, room);
        dg_value next = DG_NONE;
        int n = p.n;
        for (int i = 0; i < n; i++) d[i] = adjoint[p.value[i]];
        for (int i = 0; good && i < n; i++) {
            if (d[i] == DG_NONE) continue;
            if (checked) {
                test_output(&k->b, k->m, d[i]);
            } else {
                dg_value part =
                    inner_product(k, d[i], new_place(k, &p, *dg_type_of(k->m->graph, d[i]), NULL));
                next = next == DG_NONE ? part : dg_add(&k->b, next, part);
            }
        }
        if (!checked) loss = next;
    }
    good = good && !k->wrong; /* a refusal while the gradient was built */
    if (good && loss != DG_NONE) {
        if (second)
            good = check_differences(k, &p, d, 1e-4, 1e-6, "second gradient");
        else
            good = check_differences(k, &p, d, 1e-5, 1e-7, "gradient");
    }
    test_module_free(k->m);
    k->m = NULL;
    return good;
}

/* ---- other nodes for this one ---- */

bool op_check_rewrites(op_checked *k)
{
    dg_value in[OP_MOST], out[OP_MOST];
    dg_type types[OP_MOST];
    double *want[OP_MOST];
    op_failure f = {.any = 0};
    if (!k->op->expand && !k->op->simplify) return true;
    if (op_case_build(k, true, in) == DG_NONE) {
        k->wrong = NULL;
        if (k->m) test_module_free(k->m);
        return true;
    }
    op_run_reference(k, k->value, want, &f);
    bool good = true, made = false;
    if (k->op->expand) {
        dg_grad g = {
            .build = &k->b, .attrs = &k->attrs, .n_in = k->n_in, .n_out = k->n_out, .in = in};
        made = k->op->expand(&g, out);
    } else {
        for (int i = 0; i < k->n_out; i++) types[i] = k->out[i];
        out[0] = k->op->simplify(&k->b, &k->attrs, in, k->n_in, types);
        made = out[0] != DG_NONE;
    }
    if (made) {
        int n = k->op->expand ? k->n_out : 1;
        const void *data[OP_MOST];
        void *to[OP_MOST];
        for (int i = 0; i < k->n_in; i++) {
            void *at = dg_arena_alloc(k->arena, (size_t)dg_shape_count(&k->in[i].shape) * 8);
            for (int64_t j = 0; j < dg_shape_count(&k->in[i].shape); j++)
                op_put(at, k->in[i].dtype, j, k->value[i][j]);
            data[i] = at;
        }
        for (int i = 0; good && i < n; i++) {
            if (!dg_type_equal(dg_type_of(k->m->graph, out[i]), &k->out[i]))
                good = op_wrong(k, "the rewritten output %d is %s", i,
                                dg_type_name(k->arena, dg_type_of(k->m->graph, out[i])));
            test_output(&k->b, k->m, out[i]);
            to[i] = dg_arena_alloc(k->arena, (size_t)dg_shape_count(&k->out[i].shape) * 8);
        }
        if (good && !test_run(k->m, data, to)) good = op_wrong(k, "the rewritten nodes fail");
        for (int i = 0; good && i < n; i++) {
            for (int64_t j = 0; good && j < dg_shape_count(&k->out[i].shape); j++) {
                double x = op_get(to[i], op_widened(k->out[i].dtype), j), y = want[i][j];
                if (!(fabs(x - y) <= 1e-12 * (1 + fabs(y))) && !(isnan(x) && isnan(y)))
                    good = op_wrong(k, "rewritten, output %d, element %lld is %.17g and not %.17g",
                                    i, (long long)j, x, y);
            }
        }
    }
    test_module_free(k->m);
    k->m = NULL;
    return good;
}

/* ---- several at once ---- */

enum { STACKED = 3 };

/* Inputs of the mask with a further leading axis, the others without it: every row of the result is
 * that of ref on the row's inputs. */
static bool check_stacked(op_checked *k, unsigned mask)
{
    dg_value in[OP_MOST];
    if (op_case_build(k, true, in) == DG_NONE) {
        k->wrong = NULL; /* not an op of doubles */
        if (k->m) test_module_free(k->m);
        return true;
    }
    double *row[STACKED][OP_MOST], *want[OP_MOST];
    const void *data[2 * OP_MOST];
    bool stacked[OP_MOST];
    for (int r = 0; r < STACKED; r++) op_case_fill(k, r, row[r]);
    for (int i = 0; i < k->n_in; i++) {
        int64_t n = dg_shape_count(&k->in[i].shape);
        stacked[i] = mask >> i & 1;
        void *one = dg_arena_alloc(k->arena, (size_t)n * 8),
             *all = dg_arena_alloc(k->arena, (size_t)n * 8 * STACKED);
        for (int64_t j = 0; j < n * STACKED; j++)
            op_put(all, k->in[i].dtype, j, row[j / n][i][j % n]);
        for (int64_t j = 0; j < n; j++) op_put(one, k->in[i].dtype, j, row[0][i][j]);
        data[i] = one;
        data[k->n_in + i] = all;
    }
    dg_value operand[OP_MOST];
    for (int i = 0; i < k->n_in; i++) {
        dg_value place =
            test_place(&k->b, k->m, k->in[i].dtype, dg_shape_stacked(k->in[i].shape, STACKED));
        operand[i] = stacked[i] ? place : in[i];
    }
    dg_type type = {k->out[0].dtype, dg_shape_stacked(k->out[0].shape, STACKED)};
    dg_value y = k->op->stack(&k->b, &k->attrs, operand, stacked, k->n_in, STACKED, &k->out[0]);
    bool good = true;
    if (y != DG_NONE) {
        int64_t n = dg_shape_count(&k->out[0].shape);
        void *to = dg_arena_alloc(k->arena, (size_t)n * 8 * STACKED);
        test_output(&k->b, k->m, y);
        if (!dg_type_equal(dg_type_of(k->m->graph, y), &type))
            good = op_wrong(k, "stacked, the output is %s",
                            dg_type_name(k->arena, dg_type_of(k->m->graph, y)));
        if (good && !test_run(k->m, data, &to)) good = op_wrong(k, "the stacked nodes fail");
        for (int r = 0; good && r < STACKED; r++) {
            double *value[OP_MOST];
            op_failure f = {.any = 0};
            for (int i = 0; i < k->n_in; i++) value[i] = row[stacked[i] ? r : 0][i];
            op_run_reference(k, value, want, &f);
            for (int64_t j = 0; good && j < n; j++) {
                double x = op_get(to, op_widened(type.dtype), r * n + j), w = want[0][j];
                if (!(fabs(x - w) <= 1e-12 * (1 + fabs(w))) && !(isnan(x) && isnan(w)))
                    good = op_wrong(k,
                                    "stacked (inputs %x), row %d, element %lld is %.17g and not "
                                    "%.17g",
                                    mask, r, (long long)j, x, w);
            }
        }
    }
    test_module_free(k->m);
    k->m = NULL;
    return good;
}

bool op_check_stack(op_checked *k)
{
    enum { SUBSETS = 4 }; /* of so many inputs at most; of more all or one */
    if (!k->op->stack || k->n_in == 0) return true;
    bool full = k->out[0].shape.rank == DG_MAX_RANK; /* no room for a further axis */
    for (int i = 0; i < k->n_in; i++) full = full || k->in[i].shape.rank == DG_MAX_RANK;
    if (full) return true;
    for (unsigned mask = 1; mask < 1u << k->n_in; mask++) {
        bool all = mask == (1u << k->n_in) - 1, one = (mask & (mask - 1)) == 0;
        if ((k->n_in <= SUBSETS || all || one) && !check_stacked(k, mask)) return false;
    }
    return true;
}

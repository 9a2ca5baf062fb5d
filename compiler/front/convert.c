/* convert.c: from static values to tensors, and between the two graphs.
 *
 * In     numbers, lists, places where a tensor is wanted.
 * Out    constants (one for each number and table, in region 0), reads of places, copies of what
 *        initialisers need.
 * Keeps  tables are made from doubles and narrowed once, by the constant. */
#include "compiler/front/lower.h"

#include <math.h>
#include <string.h>

dg_value dg_poison_value(dg_lower *L)
{
    return dg_poison(L->b ? L->b : &L->graphs[0]);
}

dg_sv dg_settle_places(dg_lower *L, dg_sv v)
{
    if (v.kind == DG_SV_PLACE) {
        if (!dg_graph_wanted(L, L->origin_span, "a place")) return dg_sv_poison;
        return dg_sv_of_tensor(L, dg_spot_read(L, v.spot));
    }
    bool any = false;
    for (int64_t i = 0; i < v.list->n; i++)
        any |= v.list->at[i].kind == DG_SV_PLACE || v.list->at[i].kind == DG_SV_TUPLE;
    if (!any) return v;
    dg_sv copy = dg_list_new(L, DG_SV_TUPLE, v.list->n);
    copy.list->depth = v.list->depth;
    for (int64_t i = 0; i < v.list->n; i++) copy.list->at[i] = dg_settle(L, v.list->at[i]);
    return copy;
}

const dg_type *dg_graph_type(const dg_lower *L, dg_sv v)
{
    static const dg_type none = {.dtype = DG_POISON};
    if (v.kind == DG_SV_PLACE) return &v.spot->type;
    if (v.kind != DG_SV_TENSOR) return &none;
    return dg_type_of(L->graphs[v.graph].graph, v.v);
}

/* ---- constants: of region 0, whichever loop is open ---- */

typedef struct outside {
    dg_region region;
    dg_node before;
    int remat;
} outside;

static int section(const dg_lower *L)
{
    return L->graph == 0 ? 0 : L->state_init ? 2 : 1;
}

static outside leave_loops(dg_lower *L)
{
    outside o = {L->b->region, L->b->before, L->b->remat};
    if (L->b->region != 0) {
        L->b->region = 0;
        L->b->before = section(L) == 1 ? L->first_state : DG_NONE;
    }
    L->b->remat = 0;
    return o;
}

static void enter_loops(dg_lower *L, outside o)
{
    L->b->region = o.region;
    L->b->before = o.before;
    L->b->remat = o.remat;
}

dg_value dg_fresh_number(dg_lower *L, double x, dg_dtype t)
{
    return dg_const(L->b, t, DG_SCALAR, &x);
}

dg_value dg_number_value(dg_lower *L, double x, dg_dtype t)
{
    dg_map64 *known = L->numbers[section(L)][t];
    uint64_t bits, found;
    memcpy(&bits, &x, sizeof x);
    if (dg_map64_get(known, bits, &found)) return (dg_value)found;
    outside o = leave_loops(L);
    dg_value v = dg_fresh_number(L, x, t);
    enter_loops(L, o);
    dg_map64_set(known, bits, (uint64_t)v);
    return v;
}

static bool shape_of_list(dg_sv v, dg_shape *s, int depth, dg_dtype *t)
{
    if (v.kind == DG_SV_LIST) {
        if (depth >= DG_MAX_RANK || v.list->n == 0) return false;
        if (s->rank <= depth) {
            s->rank = depth + 1;
            s->dim[depth] = v.list->n;
        } else if (s->dim[depth] != v.list->n) {
            return false;
        }
        if (v.list->range) {
            if (*t == DG_POISON) *t = DG_I32;
            return s->rank == depth + 1 && *t != DG_BOOL;
        }
        for (int64_t i = 0; i < v.list->n; i++) {
            if (!shape_of_list(v.list->at[i], s, depth + 1, t)) return false;
        }
        return true;
    }
    if (s->rank != depth) return false;
    bool is_bool = v.kind == DG_SV_BOOL;
    if (!is_bool && !dg_sv_is_number(v)) return false;
    if (*t != DG_POISON && is_bool != (*t == DG_BOOL)) return false;
    if (is_bool)
        *t = DG_BOOL;
    else if (v.kind == DG_SV_FLOAT)
        *t = DG_F32;
    else if (*t == DG_POISON)
        *t = DG_I32;
    return true;
}

/* A failed element, which has been reported where it failed. */
static bool holds_poison(dg_sv v)
{
    if (v.kind != DG_SV_LIST || v.list->range) return v.kind == DG_SV_POISON;
    for (int64_t i = 0; i < v.list->n; i++) {
        if (holds_poison(v.list->at[i])) return true;
    }
    return false;
}

bool dg_table_shape(dg_sv list, dg_shape *s, dg_dtype *t)
{
    *s = DG_SCALAR;
    *t = DG_POISON;
    return list.kind == DG_SV_LIST && shape_of_list(list, s, 0, t);
}

static double *fill(dg_sv v, double *out)
{
    if (v.kind == DG_SV_LIST) {
        for (int64_t i = 0; i < v.list->n; i++) out = fill(v.list->at[i], out);
        return out;
    }
    *out = v.kind == DG_SV_BOOL ? v.b : dg_sv_number(v);
    return out + 1;
}

static bool fits_i32(const double *at, int64_t n, double *bad)
{
    for (int64_t i = 0; i < n; i++) {
        if (at[i] >= -2147483648.0 && at[i] <= 2147483647.0) continue;
        *bad = at[i];
        return false;
    }
    return true;
}

dg_value dg_table_value(dg_lower *L, dg_sv list, dg_dtype t, dg_span span)
{
    dg_shape s;
    dg_dtype own;
    if (!dg_table_shape(list, &s, &own)) {
        if (holds_poison(list)) return dg_poison_value(L);
        dg_message *m =
            dg_complain(L, "E023", span,
                        "%s is not a table: it needs numbers, or lists of one length of numbers",
                        dg_sv_kind_text(L, list));
        if (list.kind == DG_SV_LIST && dg_sv_has_graph(list))
            dg_help_add(L->diag, m, "concat(...) joins tensors");
        return dg_poison_value(L);
    }
    if (t == DG_POISON) t = own;
    if (own == DG_F32 && !dg_dtype_is_float(t)) {
        dg_complain(L, "E023", span, "a list with floats against %s", dg_dtype_name(t));
        return dg_poison_value(L);
    }
    if ((own == DG_BOOL) != (t == DG_BOOL)) {
        dg_complain(L, "E023", span, "a list of %s against %s",
                    own == DG_BOOL ? "bools" : "numbers", dg_dtype_name(t));
        return dg_poison_value(L);
    }
    int k = section(L);
    for (size_t i = L->tables[k].n; i > 0; i--) {
        const dg_table *known = &L->tables[k].at[i - 1];
        if (known->at == list.list->at && known->n == list.list->n && known->dtype == t)
            return known->v;
    }
    if (!dg_shape_fits(&s, t) || !dg_tick(L, dg_shape_count(&s) / 16, span))
        return dg_poison_value(L);
    int64_t n = dg_shape_count(&s);
    double *data = DG_NEW_ARRAY(L->arena, double, n), bad;
    fill(list, data);
    if (t == DG_I32 && !fits_i32(data, n, &bad)) {
        dg_complain(L, "E023", span, "%.0f does not fit in i32", bad);
        return dg_poison_value(L);
    }
    outside o = leave_loops(L);
    dg_value v = dg_const(L->b, t, s, data);
    enter_loops(L, o);
    dg_vec_push(&L->tables[k], (dg_table){list.list->at, list.list->n, t, v});
    return v;
}

/* ---- values of the entry that an initialiser uses: what makes them is copied ---- */

typedef struct need {
    dg_value v;
    bool ready; /* what it needs was visited */
} need;

static bool copy_node(dg_lower *L, const dg_node_info *n, dg_span span)
{
    const dg_graph *from = L->graphs[0].graph;
    bool input = n->op == L->find("input");
    if (n->body != DG_NONE || input || n->op == L->find("grad")) {
        dg_complain(L, "E045", span,
                    input ? "an initialiser cannot read the entry's input %s"
                          : "an initialiser cannot use the result of a %s",
                    input ? dg_path_of(from, n->out[0]) : n->op->name);
        return false;
    }
    dg_value few[8], *in = n->n_in <= 8 ? few : DG_NEW_ARRAY(L->arena, dg_value, n->n_in);
    for (int i = 0; i < n->n_in; i++) {
        uint64_t k = 0;
        dg_map64_get(L->imported[L->state_init], (uint64_t)n->in[i], &k);
        in[i] = (dg_value)k;
    }
    dg_node copy = dg_build_node(L->b, n->op, n->attrs.at, n->attrs.n, in, n->n_in);
    if (copy == DG_NONE) return false;
    for (int i = 0; i < n->n_out; i++)
        dg_map64_set(L->imported[L->state_init], (uint64_t)n->out[i],
                     (uint64_t)dg_node_of(L->b->graph, copy)->out[i]);
    return true;
}

static dg_value import_value(dg_lower *L, dg_value v, dg_span span)
{
    const dg_graph *from = L->graphs[0].graph;
    uint64_t done;
    DG_VEC(need) work = {0};
    dg_vec_push(&work, (need){v, false});
    bool good = true;
    while (work.n > 0 && good) {
        need top = dg_vec_pop(&work);
        if (dg_map64_get(L->imported[L->state_init], (uint64_t)top.v, &done)) continue;
        const dg_value_info *info = dg_value_of(from, top.v);
        if (info->def == DG_NONE) {
            if (info->type->dtype != DG_POISON)
                dg_complain(L, "E045", span, "an initialiser cannot use a value of a loop's body");
            good = false;
            break;
        }
        const dg_node_info *n = dg_node_of(from, info->def);
        dg_spot *p = NULL;
        if (n->op == L->find("place")) {
            for (size_t i = 0; i < L->spots.n && !p; i++)
                if (L->spots.at[i]->entry_read == top.v) p = L->spots.at[i];
        }
        if (p) {
            dg_map64_set(L->imported[L->state_init], (uint64_t)top.v, (uint64_t)dg_spot_read(L, p));
        } else if (top.ready || n->n_in == 0) {
            good = copy_node(L, n, span);
        } else {
            dg_vec_push(&work, (need){top.v, true});
            for (int i = n->n_in; i > 0; i--) dg_vec_push(&work, (need){n->in[i - 1], false});
        }
    }
    dg_vec_free(&work);
    return good && dg_map64_get(L->imported[L->state_init], (uint64_t)v, &done)
               ? (dg_value)done
               : dg_poison_value(L);
}

/* ---- the general case ---- */

dg_value dg_tensor_in(dg_lower *L, dg_sv v)
{
    if (v.kind == DG_SV_PLACE) return dg_spot_read(L, v.spot);
    if (v.kind != DG_SV_TENSOR) return dg_poison_value(L);
    if (v.graph == L->graph) return v.v;
    return import_value(L, v.v, L->origin_span);
}

dg_value dg_tensor_of(dg_lower *L, dg_sv v, dg_dtype like, dg_span span, const char *what)
{
    if (!dg_graph_wanted(L, span, what)) return dg_poison_value(L);
    switch ((dg_sv_kind)v.kind) {
    case DG_SV_POISON:
        return dg_poison_value(L);
    case DG_SV_TENSOR:
    case DG_SV_PLACE:
        return dg_tensor_in(L, v);
    case DG_SV_INT:
    case DG_SV_FLOAT: {
        dg_dtype t = like != DG_POISON ? like : v.kind == DG_SV_INT ? DG_I32 : DG_F32;
        if (v.kind == DG_SV_FLOAT && !dg_dtype_is_float(t)) {
            char text[32];
            dg_message *m = dg_complain(L, "E023", span, "%s: the float %s against a tensor of %s",
                                        what, dg_double_text(v.f, text), dg_dtype_name(t));
            dg_help_add(L->diag, m, "convert the tensor, f32(...), or write a whole number");
            return dg_poison_value(L);
        }
        double bad;
        if (t == DG_BOOL || (!dg_dtype_is_float(t) && v.kind == DG_SV_INT &&
                             !fits_i32(&(double){(double)v.i}, 1, &bad))) {
            dg_complain(L, "E023", span, "%s: %lld does not fit in %s", what, (long long)v.i,
                        dg_dtype_name(t));
            return dg_poison_value(L);
        }
        return dg_number_value(L, dg_sv_number(v), t);
    }
    case DG_SV_BOOL:
        if (like == DG_POISON || like == DG_BOOL) return dg_number_value(L, v.b, DG_BOOL);
        dg_complain(L, "E023", span, "%s: a bool against a tensor of %s", what,
                    dg_dtype_name(like));
        return dg_poison_value(L);
    case DG_SV_LIST:
        return dg_table_value(L, v, like, span);
    default:
        break;
    }
    dg_complain(L, "E023", span, "%s: a tensor is wanted, not %s", what, dg_sv_kind_text(L, v));
    return dg_poison_value(L);
}

bool dg_static_int(dg_lower *L, dg_sv v, dg_span span, const char *what, int64_t *out)
{
    if (v.kind == DG_SV_INT) {
        *out = v.i;
        return true;
    }
    if (v.kind != DG_SV_POISON)
        dg_complain(L, dg_sv_is_graph(v) ? "E025" : "E021", span,
                    "%s: a whole number known while compiling is wanted, not %s", what,
                    dg_sv_kind_text(L, v));
    return false;
}

bool dg_static_bool(dg_lower *L, dg_sv v, dg_span span, const char *what, bool *out)
{
    if (v.kind == DG_SV_BOOL) {
        *out = v.b;
        return true;
    }
    if (v.kind == DG_SV_POISON) return false;
    if (dg_sv_is_graph(v)) {
        dg_message *m = dg_complain(L, "E025", span,
                                    "%s: the condition is a tensor, known only at run time", what);
        dg_beside_set(L->diag, m, "%s", dg_tensor_text(L, v));
        dg_help_add(L->diag, m, "where(c, a, b) chooses at run time; both sides are computed");
    } else {
        dg_complain(L, "E021", span, "%s: true or false is wanted, not %s", what,
                    dg_sv_kind_text(L, v));
    }
    return false;
}

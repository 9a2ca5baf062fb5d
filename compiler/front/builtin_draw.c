/* builtin_draw.c: rand randn randint categorical. A draw is a pure function of its path, so the
 * name is part of the result.
 *
 * In     dims, a label (or the function's name), `at`.
 * Out    a node with the key of its stream. E041 where two draws of one scope have one name. */
#include "compiler/front/lower.h"

#include <string.h>

/* The stream and the counter that stands for the trip. */
static bool stream(dg_bound *c, int p_at, int64_t *key, dg_value *trip)
{
    dg_lower *L = c->L;
    if (!dg_graph_wanted(L, c->e->span, c->f->name)) return false;
    dg_str name = c->label ? c->label : dg_intern_z(L->strings, c->f->name);
    for (const dg_scope *s = L->scope; s; s = s->parent) {
        if (s->bad) return false;
    }
    if (!dg_scope_own(L, L->scope, name, c->e->span, "stream")) return false;
    *key = (int64_t)dg_stream_key(L, dg_path_join_names(L, L->scope->path, name));
    if (c->p[p_at]) {
        if (!dg_arg_tensor_like(c, p_at, DG_I32, trip)) return false;
        dg_type t = *dg_type_of(L->b->graph, *trip);
        if (t.dtype == DG_I32 && t.shape.rank == 0) return true;
        dg_complain(L, "E018", c->p[p_at]->span, "%s: `at` is one i32, not %s", c->f->name,
                    dg_type_name(L->arena, &t));
        return false;
    }
    *trip = dg_flat_trip(L);
    return true;
}

static dg_sv draw(dg_bound *c, const dg_shape *s, int64_t key, const dg_value *in, int n)
{
    dg_lower *L = c->L;
    dg_attr attrs[] = {dg_attr_of_ints(L->arena, "shape", s->dim, s->rank),
                       dg_attr_of_int("key", key)};
    dg_str before = L->b->name;
    L->b->name = c->label ? c->label : before;
    dg_sv v = dg_give_op(c, c->f->name, attrs, 2, in, n);
    L->b->name = before;
    return v;
}

static dg_sv run_rand(dg_bound *c)
{
    dg_shape s;
    dg_value trip;
    int64_t key;
    if (!dg_arg_shape(c, 0, &s, false) || !stream(c, 1, &key, &trip)) return dg_sv_poison;
    return draw(c, &s, key, &trip, 1);
}

static bool bound(dg_bound *c, int p, dg_value *out)
{
    if (!dg_arg_tensor_like(c, p, DG_I32, out)) return false;
    dg_type t = *dg_type_of(c->L->b->graph, *out);
    if (t.dtype == DG_I32 && t.shape.rank == 0) return true;
    dg_complain(c->L, "E018", c->p[p]->span, "randint: a bound is one i32, not %s",
                dg_type_name(c->L->arena, &t));
    return false;
}

static dg_sv run_randint(dg_bound *c)
{
    dg_shape s;
    dg_value in[3];
    int64_t key;
    dg_sv lo = c->p[1]->v, hi = c->p[2]->v;
    if (!dg_arg_shape(c, 0, &s, false)) return dg_sv_poison;
    if (lo.kind == DG_SV_INT && hi.kind == DG_SV_INT && lo.i >= hi.i)
        return dg_spoil(c->L, "E018", c->p[2]->span, "randint: nothing lies in %lld..%lld",
                        (long long)lo.i, (long long)hi.i);
    if (!dg_graph_wanted(c->L, c->e->span, "randint") || !bound(c, 1, &in[1]) ||
        !bound(c, 2, &in[2]) || !stream(c, 3, &key, &in[0]))
        return dg_sv_poison;
    return draw(c, &s, key, in, 3);
}

static dg_sv run_categorical(dg_bound *c)
{
    dg_lower *L = c->L;
    dg_shape s;
    dg_value in[2];
    int64_t key;
    if (!dg_arg_tensor_like(c, 0, DG_F32, &in[1])) return dg_sv_poison;
    dg_shape p = dg_shape_of(L->b, in[1]);
    if (p.rank == 0)
        return dg_spoil(
            L, "E018", c->p[0]->span,
            "categorical: probabilities along the last axis are wanted, not one number");
    if (p.rank == 1) {
        if (!c->p[1])
            return dg_spoil(L, "E010", c->e->span, "categorical: the argument `dims` is missing");
        if (!dg_arg_shape(c, 1, &s, false)) return dg_sv_poison;
    } else {
        s = p;
        s.rank--;
        dg_shape given;
        if (c->p[1] && !dg_arg_shape(c, 1, &given, false)) return dg_sv_poison;
        if (c->p[1] && !dg_shape_equal(&given, &s)) {
            dg_message *m = dg_complain(
                L, "E018", c->p[1]->span,
                "categorical: with p of rank %d the dims are those before its last axis", p.rank);
            dg_beside_set(L->diag, m, "p is %s", dg_tensor_text(L, c->p[0]->v));
            return dg_sv_poison;
        }
    }
    if (!stream(c, 2, &key, &in[0])) return dg_sv_poison;
    return draw(c, &s, key, in, 2);
}

const dg_builtin dg_builtins_draw[] = {
    {"rand", "dims at?", run_rand, NULL},
    {"randn", "dims at?", run_rand, NULL},
    {"randint", "dims lo hi at?", run_randint, NULL},
    {"categorical", "p dims? at?", run_categorical, NULL},
    {0},
};

/* consteval.c: operators on static values: 64-bit ints, doubles, bools, texts, lists.
 *
 * In     two static operands and the expression they stand in.
 * Out    a static value; poison after reporting overflow (E022) or operands of the wrong kind
 *        (E021). */
#include "compiler/front/lower.h"

#include <math.h>
#include <string.h>

const char *dg_binop_text(dg_binop op)
{
    static const char *const text[] = {"or", "and", "==", "!=", "<", "<=", ">", ">=",  "..",   "+",
                                       "-",  "*",   "/",  "//", "%", "**", "-", "not", "remat"};
    return text[op];
}

const char *dg_binop_quoted(dg_binop op)
{
    static const char *const text[] = {"`or`", "`and`", "`==`", "`!=`",  "`<`",    "`<=`", "`>`",
                                       "`>=`", "`..`",  "`+`",  "`-`",   "`*`",    "`/`",  "`//`",
                                       "`%`",  "`**`",  "`-`",  "`not`", "`remat`"};
    return text[op];
}

const char *dg_binop_name(dg_binop op)
{
    static const char *const name[] = {"or", "and", "eq",  "ne",  "lt",  "le",   "gt",  "ge",
                                       NULL, "add", "sub", "mul", "div", "idiv", "mod", "pow"};
    return op <= DG_B_POW ? name[op] : NULL;
}

static dg_sv wrong_kinds(dg_lower *L, const dg_expr *e, dg_sv a, dg_sv b)
{
    dg_message *m = dg_complain(L, "E021", e->op_span, "`%s` does not take %s and %s",
                                dg_binop_text(e->op), dg_sv_kind_text(L, a), dg_sv_kind_text(L, b));
    dg_extra_add(m, e->a->span);
    dg_extra_add(m, e->b->span);
    bool list = a.kind == DG_SV_LIST || b.kind == DG_SV_LIST;
    if (list && a.kind != b.kind && e->op == DG_B_ADD)
        dg_help_add(L->diag, m, "to append one element, write it in brackets: `%s + [%s]`",
                    dg_source_of(L, e->a->span), dg_source_of(L, e->b->span));
    else if (list && e->op > DG_B_ADD)
        dg_help_add(L->diag, m, "write a comprehension, [x %s ... for x in list]",
                    dg_binop_text(e->op));
    return dg_sv_poison;
}

static dg_sv overflow(dg_lower *L, const dg_expr *e, int64_t a, int64_t b)
{
    return dg_spoil(L, "E022", e->op_span, "%lld %s %lld overflows a 64-bit int", (long long)a,
                    dg_binop_text(e->op), (long long)b);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

/* By squaring; false on overflow. */
static bool int_power(int64_t base, int64_t exponent, int64_t *out)
{
    int64_t r = 1;
    while (exponent > 0) {
        if (exponent & 1 && __builtin_mul_overflow(r, base, &r)) return false;
        exponent >>= 1;
        if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) return false;
    }
    *out = r;
    return true;
}

static dg_sv ints(dg_lower *L, const dg_expr *e, int64_t a, int64_t b)
{
    int64_t r = 0;
    switch (e->op) {
    case DG_B_ADD:
        return __builtin_add_overflow(a, b, &r) ? overflow(L, e, a, b) : dg_sv_of_int(r);
    case DG_B_SUB:
        return __builtin_sub_overflow(a, b, &r) ? overflow(L, e, a, b) : dg_sv_of_int(r);
    case DG_B_MUL:
        return __builtin_mul_overflow(a, b, &r) ? overflow(L, e, a, b) : dg_sv_of_int(r);
    case DG_B_DIV:
    case DG_B_IDIV:
    case DG_B_MOD:
        if (b == 0)
            return dg_spoil(L, "E022", e->op_span, "%lld %s 0: the divisor is zero", (long long)a,
                            dg_binop_text(e->op));
        if (e->op == DG_B_DIV) return dg_sv_of_float((double)a / (double)b);
        if (a == INT64_MIN && b == -1)
            return e->op == DG_B_MOD ? dg_sv_of_int(0) : overflow(L, e, a, b);
        r = floor_div(a, b);
        return dg_sv_of_int(e->op == DG_B_IDIV ? r : a - r * b);
    case DG_B_POW:
        if (b < 0) {
            if (a == 0)
                return dg_spoil(L, "E022", e->op_span, "0 ** %lld: the divisor is zero",
                                (long long)b);
            return dg_sv_of_float(pow((double)a, (double)b));
        }
        return int_power(a, b, &r) ? dg_sv_of_int(r) : overflow(L, e, a, b);
    case DG_B_EQ:
        return dg_sv_of_bool(a == b);
    case DG_B_NE:
        return dg_sv_of_bool(a != b);
    case DG_B_LT:
        return dg_sv_of_bool(a < b);
    case DG_B_LE:
        return dg_sv_of_bool(a <= b);
    case DG_B_GT:
        return dg_sv_of_bool(a > b);
    case DG_B_GE:
        return dg_sv_of_bool(a >= b);
    default:
        return dg_sv_poison;
    }
}

static dg_sv not_finite(dg_lower *L, const dg_expr *e, double a, double b, double r)
{
    char x[32], y[32];
    if (!isfinite(a) || !isfinite(b)) return dg_sv_of_float(r);
    return dg_spoil(L, "E022", e->op_span, "%s %s %s %s", dg_double_text(a, x),
                    dg_binop_text(e->op), dg_double_text(b, y),
                    isnan(r) ? "has no real value" : "overflows a float");
}

static dg_sv floats(dg_lower *L, const dg_expr *e, double a, double b)
{
    char text[32];
    double r = 0;
    switch (e->op) {
    case DG_B_ADD:
        r = a + b;
        break;
    case DG_B_SUB:
        r = a - b;
        break;
    case DG_B_MUL:
        r = a * b;
        break;
    case DG_B_POW:
        r = pow(a, b);
        break;
    case DG_B_DIV:
    case DG_B_IDIV:
    case DG_B_MOD:
        if (b == 0)
            return dg_spoil(L, "E022", e->op_span, "%s %s 0: the divisor is zero",
                            dg_double_text(a, text), dg_binop_text(e->op));
        r = e->op == DG_B_DIV ? a / b : e->op == DG_B_IDIV ? floor(a / b) : a - floor(a / b) * b;
        break;
    case DG_B_EQ:
        return dg_sv_of_bool(a == b);
    case DG_B_NE:
        return dg_sv_of_bool(a != b);
    case DG_B_LT:
        return dg_sv_of_bool(a < b);
    case DG_B_LE:
        return dg_sv_of_bool(a <= b);
    case DG_B_GT:
        return dg_sv_of_bool(a > b);
    case DG_B_GE:
        return dg_sv_of_bool(a >= b);
    default:
        return dg_sv_poison;
    }
    return isfinite(r) ? dg_sv_of_float(r) : not_finite(L, e, a, b, r);
}

dg_sv dg_static_numbers(dg_lower *L, const dg_expr *e, dg_sv a, dg_sv b)
{
    if (a.kind == DG_SV_INT && b.kind == DG_SV_INT) return ints(L, e, a.i, b.i);
    return floats(L, e, dg_sv_number(a), dg_sv_number(b));
}

static dg_sv range(dg_lower *L, const dg_expr *e, dg_sv a, dg_sv b)
{
    if (a.kind != DG_SV_INT || b.kind != DG_SV_INT) return wrong_kinds(L, e, a, b);
    int64_t n = 0;
    if (b.i > a.i && (__builtin_sub_overflow(b.i, a.i, &n) || n > DG_BUDGET_LIST))
        return dg_spoil(L, "E035", e->op_span, "the range %lld..%lld has more than %d elements",
                        (long long)a.i, (long long)b.i, DG_BUDGET_LIST);
    if (!dg_tick(L, n / 16, e->span)) return dg_sv_poison;
    dg_sv v = dg_list_new(L, DG_SV_LIST, n);
    for (int64_t i = 0; i < n; i++) v.list->at[i] = dg_sv_of_int(a.i + i);
    v.list->range = true;
    return v;
}

static dg_sv join(dg_lower *L, const dg_expr *e, dg_sv a, dg_sv b)
{
    if (a.kind == DG_SV_LIST) {
        if (a.list->n + b.list->n > DG_BUDGET_LIST)
            return dg_spoil(L, "E035", e->op_span, "a list of %lld elements is longer than %d",
                            (long long)(a.list->n + b.list->n), DG_BUDGET_LIST);
        if (!dg_tick(L, b.list->n / 16, e->span)) return dg_sv_poison;
        return dg_list_concat(L, a, b);
    }
    enum { TEXT_LIMIT = 65536 };
    size_t n = strlen(a.s), m = strlen(b.s);
    if (n + m > TEXT_LIMIT)
        return dg_spoil(L, "E035", e->op_span, "a text of %zu bytes is longer than %d", n + m,
                        TEXT_LIMIT);
    char *text = dg_arena_alloc(L->arena, n + m + 1);
    memcpy(text, a.s, n);
    memcpy(text + n, b.s, m);
    return dg_sv_of_str(dg_intern(L->strings, text, n + m));
}

dg_sv dg_static_binary(dg_lower *L, const dg_expr *e, dg_sv a, dg_sv b)
{
    if (a.kind == DG_SV_POISON || b.kind == DG_SV_POISON) return dg_sv_poison;
    if (e->op == DG_B_EQ || e->op == DG_B_NE)
        return dg_sv_of_bool(dg_sv_equal(a, b) == (e->op == DG_B_EQ));
    if (e->op == DG_B_RANGE) return range(L, e, a, b);
    if (dg_sv_is_number(a) && dg_sv_is_number(b)) return dg_static_numbers(L, e, a, b);
    bool joins = a.kind == b.kind && (a.kind == DG_SV_LIST || a.kind == DG_SV_STR);
    if (e->op == DG_B_ADD && joins) return join(L, e, a, b);
    if (a.kind == DG_SV_STR && b.kind == DG_SV_STR && e->op >= DG_B_LT && e->op <= DG_B_GE) {
        int order = strcmp(a.s, b.s);
        bool less = e->op == DG_B_LT || e->op == DG_B_LE,
             same = e->op == DG_B_LE || e->op == DG_B_GE;
        return dg_sv_of_bool((order < 0 && less) || (order > 0 && !less) || (order == 0 && same));
    }
    return wrong_kinds(L, e, a, b);
}

dg_sv dg_static_negate(dg_lower *L, const dg_expr *e, dg_sv a)
{
    if (a.kind == DG_SV_FLOAT) return dg_sv_of_float(-a.f);
    if (a.kind == DG_SV_INT) {
        if (a.i == INT64_MIN)
            return dg_spoil(L, "E022", e->span, "-(%lld) overflows a 64-bit int", (long long)a.i);
        return dg_sv_of_int(-a.i);
    }
    return dg_spoil(L, "E021", e->span, "`-` does not take %s", dg_sv_kind_text(L, a));
}

/* ---- functions of one number ---- */

static double sigmoid(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}
static double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}
static double silu(double x)
{
    return x * sigmoid(x);
}
static double gelu(double x)
{
    return 0.5 * x * (1 + erf(x * 0.70710678118654752440));
}
static double relu(double x)
{
    return x > 0 ? x : 0;
}
static double square(double x)
{
    return x * x;
}
static double sign(double x)
{
    return x > 0 ? 1 : x < 0 ? -1 : 0;
}

bool dg_static_unary(dg_lower *L, const char *name, double x, double *out)
{
    (void)L;
    static const struct {
        const char *name;
        double (*f)(double);
    } table[] = {{"sqrt", sqrt},     {"exp", exp},         {"log", log},           {"expm1", expm1},
                 {"log1p", log1p},   {"sin", sin},         {"cos", cos},           {"tanh", tanh},
                 {"acos", acos},     {"erf", erf},         {"abs", fabs},          {"sign", sign},
                 {"square", square}, {"sigmoid", sigmoid}, {"softplus", softplus}, {"silu", silu},
                 {"gelu", gelu},     {"relu", relu}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(table[i].name, name) == 0) {
            *out = table[i].f(x);
            return true;
        }
    }
    return false;
}

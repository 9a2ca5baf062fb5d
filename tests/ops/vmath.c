/* vmath.h by way of the ops' lanes: every element within a few units in the last place over the
 * whole range of floats, on every ISA. (The cases of the ops compare mean squares, in which a wrong
 * tail would not show.) */
#include "ops/ops.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double silu(double x)
{
    return x == -(double)INFINITY ? 0 : x / (1 + exp(-x));
}

static double softplus(double x)
{
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

static double gelu(double x)
{
    return x == -(double)INFINITY ? 0 : x * 0.5 * erfc(-x * M_SQRT1_2);
}

/* As ops/math/log_ndtr.c, in long double. */
static double log_ndtr(double x)
{
    if (x >= 0) return (double)log1pl(-0.5L * erfcl(x * 0.707106781186547524400844362L));
    if (x > -100) return (double)logl(0.5L * erfcl(-x * 0.707106781186547524400844362L));
    long double u = 1 / ((long double)x * x);
    return (double)(-0.5L * x * x - logl(-x) - 0.918938533204672741780329736L +
                    log1pl(u * (-1 + u * (3 - 15 * u))));
}

static double half_even(double x)
{
    return nearbyint(x);
}

/* Distance in units of the last place of a float. Below `floor` (results that lose digits as they
 * run out of exponents) absolute. */
static double units(float y, double want, double floor)
{
    if (isnan(want)) return isnan(y) ? 0 : 1e9;
    if (fabs(want) > 3.4028235e38)
        return isinf(y) && (y > 0) == (want > 0)                 ? 0
               : fabs(fabs((double)y) / 3.4028235e38 - 1) < 1e-6 ? 1
                                                                 : 1e9;
    if (isnan(y) || isinf(y)) return 1e9;
    if (fabs(want) < floor) return fabs((double)y - want) <= floor ? 0 : 1e9;
    return fabs((double)y - want) / ldexp(1, ilogb(want) - 23);
}

static void check(const char *name, double (*f)(double), double allowed)
{
    enum { N = 1000 };
    static const float special[] = {
        0,     -0.0f,  INFINITY, -INFINITY, NAN,    1,       -1,    0.5f,   -0.5f, 100,  -100,
        88.7f, -88.7f, 103.9f,   -103.9f,   1e-45f, -1e-40f, 1e-7f, -1e-7f, 2.5f,  3.5f, -2.5f};
    dg_dtype in = DG_F32;
    const dg_lanes *lanes = dg_lanes_find(dg_op_find(name), DG_F32, &in, 1);
    assert_non_null(lanes);
    for (dg_isa isa = DG_GENERIC; isa <= dg_isa_of_cpu(); isa++) {
        double worst = 0;
        float at = 0;
        uint64_t bits = 0;
        for (bool first = true; bits < UINT64_C(1) << 32; first = false) {
            float x[N], y[N];
            for (int i = 0; i < N; i++, bits += 40013) {
                uint32_t word = (uint32_t)bits;
                memcpy(&x[i], &word, 4);
                if (first && (size_t)i < sizeof special / sizeof special[0]) x[i] = special[i];
            }
            lanes->fn[isa](y, (const void *[]){x}, N, NULL);
            for (int i = 0; i < N; i++) {
                double u = units(y[i], f((double)x[i]), 4e-37);
                if (u <= worst) continue;
                worst = u;
                at = x[i];
            }
        }
        if (worst > allowed)
            print_error("%s on %s: off by %g units at %.9g\n", name, dg_isa_name(isa), worst,
                        (double)at);
        assert_true(worst <= allowed);
    }
}

static void exponentials(void **state)
{
    (void)state;
    check("exp", exp, 2);
    check("expm1", expm1, 2);
    check("log", log, 2);
    check("log1p", log1p, 2.5);
    check("sqrt", sqrt, 0.5);
}

static void circle(void **state)
{
    (void)state;
    check("sin", sin, 2);
    check("cos", cos, 2);
    check("acos", acos, 2.5);
}

/* Sine or cosine of doubles, near multiples of pi/2 too, where the reduction cancels. */
static void check_angles(const char *name, long double (*f)(long double), double allowed)
{
    enum { N = 1000, RUNS = 200 };
    dg_dtype in = DG_F64;
    const dg_lanes *lanes = dg_lanes_find(dg_op_find(name), DG_F64, &in, 1);
    assert_non_null(lanes);
    for (dg_isa isa = DG_GENERIC; isa <= dg_isa_of_cpu(); isa++) {
        double worst = 0, at = 0;
        for (int run = 0; run < RUNS; run++) {
            double x[N], y[N], largest = run % 2 == 0 ? 2e6 * run / RUNS : pow(2, -run);
            for (int i = 0; i < N; i++) {
                x[i] = largest * (2.0 * i / N - 1);
                if (i % 3 == 0) x[i] = nearbyint(x[i] / M_PI_2) * M_PI_2;
            }
            lanes->fn[isa](y, (const void *[]){x}, N, NULL);
            for (int i = 0; i < N; i++) {
                long double want = f((long double)x[i]);
                double u = (double)(fabsl((long double)y[i] - want) /
                                    ldexpl(1, want == 0 ? -1074 : ilogbl(want) - 52));
                if (u <= worst) continue;
                worst = u;
                at = x[i];
            }
        }
        if (worst > allowed)
            print_error("%s of doubles on %s: off by %g units at %.17g\n", name, dg_isa_name(isa),
                        worst, at);
        assert_true(worst <= allowed);
        double x[4] = {INFINITY, NAN, 0, -1e300}, y[4];
        lanes->fn[isa](y, (const void *[]){x}, 4, NULL);
        assert_true(isnan(y[0]) && isnan(y[1]) && y[2] == (double)f(0));
        assert_true(y[3] == (double)f((long double)x[3]));
    }
}

static void circle_double(void **state)
{
    (void)state;
    check_angles("sin", sinl, 2);
    check_angles("cos", cosl, 2);
}

static void sigmoids(void **state)
{
    (void)state;
    check("tanh", tanh, 3);
    check("sigmoid", sigmoid, 2.5);
    check("silu", silu, 3);
    check("softplus", softplus, 3);
    check("erf", erf, 2);
    check("gelu", gelu, 5);
    check("log_ndtr", log_ndtr, 5);
}

static void rounding(void **state)
{
    (void)state;
    check("round", half_even, 0);
    check("floor", floor, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exponentials), cmocka_unit_test(circle),   cmocka_unit_test(circle_double),
        cmocka_unit_test(sigmoids),     cmocka_unit_test(rounding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

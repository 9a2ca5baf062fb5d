/* vmath.h: the functions of math/ on floats, written without branches and calls so that the
 * compiler vectorises a loop over them.
 *
 * In     any float: infinities and NaN too.
 * Out    within a few units in the last place; NaN passes through; overflow gives infinity and
 *        underflow zero.
 * Method argument reduction after Cody & Waite 1980 ("Software Manual for the Elementary
 *        Functions"), then a polynomial fitted at Chebyshev nodes for the relative error of the
 *        whole function. Conditions select between two computed values. */
#ifndef DG_OPS_SUPPORT_VMATH_H
#define DG_OPS_SUPPORT_VMATH_H

#include <math.h>
#include <stdint.h>

#define DG_VECTOR static inline __attribute__((always_inline, unused))

DG_VECTOR float dg_float_of_bits(int32_t bits)
{
    union {
        int32_t i;
        float f;
    } u = {.i = bits};
    return u.f;
}

DG_VECTOR int32_t dg_bits_of_float(float x)
{
    union {
        float f;
        int32_t i;
    } u = {.f = x};
    return u.i;
}

DG_VECTOR double dg_double_of_bits(int64_t bits)
{
    union {
        int64_t i;
        double f;
    } u = {.i = bits};
    return u.f;
}

DG_VECTOR int64_t dg_bits_of_double(double x)
{
    union {
        double f;
        int64_t i;
    } u = {.f = x};
    return u.i;
}

DG_VECTOR float dg_absf(float x)
{
    return dg_float_of_bits(dg_bits_of_float(x) & 0x7fffffff);
}

/* |x| with the sign of `sign`. */
DG_VECTOR float dg_signed(float x, float sign)
{
    return dg_float_of_bits((dg_bits_of_float(x) & 0x7fffffff) |
                            (dg_bits_of_float(sign) & INT32_MIN));
}

/* The nearest whole number for |x| < 2^22: adding 1.5 * 2^23 leaves no bits for a fraction. */
DG_VECTOR float dg_nearest(float x)
{
    return (x + 12582912.0f) - 12582912.0f;
}

/* Half to even, for every x. */
DG_VECTOR float dg_roundf(float x)
{
    float near = dg_signed((dg_absf(x) + 8388608.0f) - 8388608.0f, x);
    return dg_absf(x) < 8388608.0f ? near : x;
}

DG_VECTOR float dg_floorf(float x)
{
    float near = dg_roundf(x);
    return near > x ? near - 1 : near;
}

/* 2^n for n in [-126, 127]. */
DG_VECTOR float dg_power_of_two(int32_t n)
{
    return dg_float_of_bits((int32_t)(((uint32_t)n + 127) << 23));
}

/* ---- exponential ---- */

#define DG_LOG2E 1.44269504f
#define DG_LN2_HIGH 0.693145752f /* 17 bits: its product with a whole number up to 2^7 is exact */
#define DG_LN2_LOW 1.42860677e-06f

/* (exp(r) - 1 - r) / r^2 for |r| <= log(2) / 2 */
DG_VECTOR float dg_exp_poly(float r)
{
    float p = 1.392654609e-03f;
    p = p * r + 8.363173343e-03f;
    p = p * r + 4.166654870e-02f;
    p = p * r + 1.666657776e-01f;
    return p * r + 5.000000000e-01f;
}

/* exp(x + low) for x in -104 .. 89, where it goes from 0 to infinity; low small beside x: for
 * arguments known more precisely than a float is. */
DG_VECTOR float dg_exp_inside(float x, float low)
{
    float n = dg_nearest(x * DG_LOG2E);
    float r = (x - n * DG_LN2_HIGH) - n * DG_LN2_LOW + low;
    float y = 1 + (r + r * r * dg_exp_poly(r));
    /* 2^n in two factors: n reaches 128 and, where the result has few bits, -150 */
    int32_t k = (int32_t)n, half = k >> 1;
    return y * dg_power_of_two(half) * dg_power_of_two(k - half);
}

DG_VECTOR float dg_expf(float x)
{
    x = x < -104.0f ? -104.0f : x;
    x = x > 89.0f ? 89.0f : x;
    return dg_exp_inside(x, 0);
}

/* exp(x) - 1 = 2^n (exp(r) - 1) + (2^n - 1), which cancels nowhere: n = 0 where x is small. */
DG_VECTOR float dg_expm1_inside(float a) /* -30 .. 89 */
{
    float n = dg_nearest(a * DG_LOG2E);
    float r = (a - n * DG_LN2_HIGH) - n * DG_LN2_LOW;
    float p = r + r * r * dg_exp_poly(r);
    float s = dg_power_of_two((int32_t)((uint32_t)(int32_t)n - 1)); /* half of it: n reaches 128 */
    return 2 * (s * p + (s - 0.5f));
}

DG_VECTOR float dg_expm1f(float x)
{
    float a = x < -30.0f ? -30.0f : x;
    a = a > 89.0f ? 89.0f : a;
    float y = dg_expm1_inside(a);
    return x == 0 ? x : y; /* keeps -0 */
}

/* ---- logarithm ---- */

/* log(m * 2^e) for m - 1 = f in [sqrt(1/2) - 1, sqrt(2) - 1] */
DG_VECTOR float dg_log_poly(float f, float e)
{
    float p = 6.971611828e-02f;
    p = p * f + -1.147973388e-01f;
    p = p * f + 1.168541983e-01f;
    p = p * f + -1.242568716e-01f;
    p = p * f + 1.424905807e-01f;
    p = p * f + -1.666780263e-01f;
    p = p * f + 2.000071555e-01f;
    p = p * f + -2.499999702e-01f;
    p = p * f + 3.333333135e-01f;
    float q = f * f;
    return e * DG_LN2_HIGH + (f + (e * DG_LN2_LOW + (q * f * p - 0.5f * q)));
}

/* x normal and positive */
DG_VECTOR float dg_log_normal(float x, float e)
{
    int32_t up = (int32_t)((uint32_t)dg_bits_of_float(x) -
                           0x3f3504f3u); /* bits of sqrt(1/2): the exponent steps where m does */
    return dg_log_poly(dg_float_of_bits((up & 0x007fffff) + 0x3f3504f3) - 1, e + (float)(up >> 23));
}

DG_VECTOR float dg_logf(float x)
{
    float tiny = x < 1.17549435e-38f ? 8388608.0f : 1.0f; /* 2^23 makes a denormal normal */
    float y = dg_log_normal(x * tiny, x < 1.17549435e-38f ? -23.0f : 0.0f);
    y = x == INFINITY ? INFINITY : y;
    y = x == 0 ? -INFINITY : y;
    return x >= 0 ? y : NAN;
}

/* 1 + x rounds; the part lost, divided by the sum, is its first-order effect on the logarithm. */
DG_VECTOR float dg_log1pf(float x)
{
    float u = 1 + x, lost = x - (u - 1);
    float y = dg_logf(u) + (u > 0 && u < INFINITY ? lost / u : 0.0f);
    return x == 0 ? x : y;
}

/* ---- circle ---- */

/* The angle less the nearest multiple of pi/2, and that multiple's quadrant. In double: the product
 * with a 33-bit head of pi/2 is exact up to DG_ANGLE_LIMIT, so the float result has full relative
 * precision even where the angle nearly cancels. */
#define DG_ANGLE_LIMIT 1e6f

DG_VECTOR float dg_reduce_angle(float x, int32_t *quadrant)
{
    double n = ((double)x * 0.63661977236758134 + 6755399441055744.0) - 6755399441055744.0;
    double r = ((double)x - n * 1.5707963267341256) - n * 6.0771005065061922e-11;
    *quadrant = (int32_t)n;
    return (float)r;
}

/* sin(r), or cos(r) for an odd quadrant, with the quadrant's sign */
DG_VECTOR float dg_sine_of(float r, int32_t quadrant)
{
    float z = r * r;
    float s =
        ((2.724992555e-06f * z + -1.984008704e-04f) * z + 8.333331905e-03f) * z + -1.666666716e-01f;
    float c = (2.454794230e-05f * z + -1.388830249e-03f) * z + 4.166666418e-02f;
    float sine = r + r * z * s, cosine = 1 - 0.5f * z + z * z * c;
    float y = quadrant & 1 ? cosine : sine;
    return dg_float_of_bits(dg_bits_of_float(y) ^ (int32_t)((uint32_t)(quadrant & 2) << 30));
}

DG_VECTOR float dg_sinf(float x) /* |x| <= DG_ANGLE_LIMIT */
{
    int32_t quadrant;
    float r = dg_reduce_angle(x, &quadrant);
    return dg_sine_of(r, quadrant);
}

DG_VECTOR float dg_cosf(float x) /* |x| <= DG_ANGLE_LIMIT */
{
    int32_t quadrant;
    float r = dg_reduce_angle(x, &quadrant);
    return dg_sine_of(r, quadrant + 1);
}

/* The same in double. Products with two parts of pi/2 of 33 bits are exact. Adding 1.5 * 2^52
 * leaves no bits for a fraction, and puts the quadrant into the lowest ones. */
DG_VECTOR double dg_reduce_angle_double(double x, int64_t *quadrant)
{
    double shifted = x * 0.63661977236758134 + 6755399441055744.0;
    double n = shifted - 6755399441055744.0;
    *quadrant = dg_bits_of_double(shifted);
    return ((x - n * 1.5707963267341256) - n * 6.077100506303966e-11) - n * 2.0222662487959506e-21;
}

DG_VECTOR double dg_sine_of_double(double r, int64_t quadrant)
{
    double z = r * r;
    double s = 1.59181152632659740e-10;
    s = s * z + -2.50511316502351809e-08;
    s = s * z + 2.75573161016178735e-06;
    s = s * z + -1.98412698367567738e-04;
    s = s * z + 8.33333333333094797e-03;
    s = s * z + -1.66666666666666657e-01;
    double c = -1.13826236474746042e-11;
    c = c * z + 2.08761461465586099e-09;
    c = c * z + -2.75573172711451445e-07;
    c = c * z + 2.48015872987645609e-05;
    c = c * z + -1.38888888888873976e-03;
    c = c * z + 4.16666666666666644e-02;
    double half = 0.5 * z, head = 1 - half;
    double sine = r + r * z * s, cosine = head + (((1 - head) - half) + z * z * c);
    double y = quadrant & 1 ? cosine : sine;
    return dg_double_of_bits(dg_bits_of_double(y) ^ (int64_t)((uint64_t)(quadrant & 2) << 62));
}

DG_VECTOR double dg_sin_double(double x) /* |x| <= DG_ANGLE_LIMIT */
{
    int64_t quadrant;
    double r = dg_reduce_angle_double(x, &quadrant);
    return dg_sine_of_double(r, quadrant);
}

DG_VECTOR double dg_cos_double(double x) /* |x| <= DG_ANGLE_LIMIT */
{
    int64_t quadrant;
    double r = dg_reduce_angle_double(x, &quadrant);
    return dg_sine_of_double(r, quadrant + 1);
}

/* pi/2 - asin(x) where asin is flat, 2 asin(sqrt((1 - |x|) / 2)) where it is steep */
DG_VECTOR float dg_acosf(float x)
{
    float a = dg_absf(x);
    int steep = a > 0.5f;
    float z = steep ? 0.5f * (1 - a) : a * a;
    float s = steep ? sqrtf(z) : a;
    float p = 3.369084746e-02f;
    p = p * z + 1.714923792e-02f;
    p = p * z + 3.110066243e-02f;
    p = p * z + 4.459940270e-02f;
    p = p * z + 7.500094175e-02f;
    p = p * z + 1.666666567e-01f;
    float asin = s + s * z * p;
    float near = x < 0 ? 3.14159265f - 2 * asin - 8.74227766e-08f : 2 * asin;
    float flat = 1.57079633f - (dg_signed(asin, x) + 4.37113883e-08f);
    return steep ? near : (a == a ? flat : x);
}

/* ---- sigmoids ---- */

/* expm1(2|x|) / (expm1(2|x|) + 2) */
DG_VECTOR float dg_tanhf(float x)
{
    float a = dg_absf(x);
    a = a > 10.0f ? 10.0f : a; /* 1 within half a unit */
    float e = dg_expm1_inside(2 * a);
    return dg_signed(e / (e + 2), x);
}

DG_VECTOR float dg_sigmoidf(float x)
{
    return 1 / (1 + dg_expf(-x));
}

/* Both ends are cut once: below -89 the sigmoid is 0 (and -inf must not give NaN), above 104 it is
 * 1. */
DG_VECTOR float dg_siluf(float x)
{
    float a = x < -89.0f ? -89.0f : x, b = a > 104.0f ? 104.0f : a;
    return a / (1 + dg_exp_inside(-b, 0));
}

/* max(x, 0) + log1p(exp(-|x|)); the logarithm's argument is in [1, 2], so no special case is
 * needed. */
DG_VECTOR float dg_softplusf(float x)
{
    float a = dg_absf(x);
    a = a > 104.0f ? 104.0f : a;
    float e = dg_exp_inside(-a, 0), u = 1 + e;
    return (x > 0 ? x : 0) + (dg_log_normal(u, 0) + (e - (u - 1)) / u);
}

/* ---- error function ---- */

/* erfc(z) exp(z^2) for z >= 0: times 1 + 2 z it is a polynomial in (z - 2) / (z + 2). */
DG_VECTOR float dg_erfc_factor(float z)
{
    float t = (z - 2) / (z + 2);
    float p = 6.807514728e-05f;
    p = p * t + 1.608403400e-04f;
    p = p * t + -3.709284065e-04f;
    p = p * t + -1.395805040e-03f;
    p = p * t + 1.230503200e-03f;
    p = p * t + 8.689252660e-03f;
    p = p * t + -8.024739102e-03f;
    p = p * t + -5.421199650e-02f;
    p = p * t + 1.640505046e-01f;
    p = p * t + -1.660310924e-01f;
    p = p * t + -9.276381880e-02f;
    p = p * t + 1.276978374e+00f;
    return p / (1 + 2 * z);
}

/* exp(-by x^2), by 1 or 1/2, by x^2 <= 104. The square is taken apart into a part that a float
 * holds exactly and a small rest: its rounding alone would cost two digits where it is large. */
DG_VECTOR float dg_bell(float x, float by)
{
    float head = dg_float_of_bits(dg_bits_of_float(x) & (int32_t)0xfffff000);
    return dg_exp_inside(-by * head * head, -by * (x - head) * (x + head));
}

DG_VECTOR float dg_erff(float x)
{
    float a = dg_absf(x), z = x * x;
    float p = 7.875874871e-05f;
    p = p * z + -8.016864303e-04f;
    p = p * z + 5.189087242e-03f;
    p = p * z + -2.685421146e-02f;
    p = p * z + 1.128359437e-01f;
    p = p * z + -3.761262596e-01f;
    p = p * z + 1.283791661e-01f;
    float small =
        x + x * p; /* the leading 2 / sqrt(pi) less 1: the coefficient's rounding is felt less */
    float cut = a > 10.0f ? 10.0f : a; /* 1 from there on */
    float large = dg_signed(1 - dg_bell(cut, 1) * dg_erfc_factor(cut), x);
    return a < 1 ? small : (a == a ? large : x);
}

/* x Phi(x); the tail of Phi is that of erfc, with full relative precision. It is 0 from 14.4 on
 * (and -inf must not give NaN). */
DG_VECTOR float dg_geluf(float x)
{
    float a = x < -14.4f ? -14.4f : x, size = dg_absf(a);
    size = size > 14.4f ? 14.4f : size;
    float tail = 0.5f * dg_bell(size, 0.5f) * dg_erfc_factor(size * 0.707106781f);
    return a * (a < 0 ? tail : 1 - tail);
}

/* log Phi(x): below 0 the factor's logarithm less x^2 / 2, above it that of 1 less the other tail. */
DG_VECTOR float dg_log_ndtrf(float x)
{
    float size = dg_absf(x), z = (size > 1e18f ? 1e18f : size) * 0.707106781f;
    float factor = 0.5f * dg_erfc_factor(z), cut = size > 14.4f ? 14.4f : size;
    float below = dg_log_normal(factor, 0) - 0.5f * x * x;
    float above = dg_log1pf(-dg_bell(cut, 0.5f) * 0.5f * dg_erfc_factor(cut * 0.707106781f));
    float y = x < 0 ? below : (size > 14.4f ? -0.0f : above);
    return x == x ? y : x;
}

/* ---- power ---- */

/* exp(y log|x|) in double with some ten digits: a float logarithm times y would lose what the
 * exponential magnifies. */
DG_VECTOR float dg_powf(float x, float y)
{
    double a = (double)dg_absf(x);
    int64_t up = dg_bits_of_double(a) - 0x3fe6a09e667f3bcd; /* bits of sqrt(1/2) */
    double e = (double)(int32_t)(up >> 52);
    double f = dg_double_of_bits((up & 0x000fffffffffffff) + 0x3fe6a09e667f3bcd) - 1;
    double s = f / (2 + f), z = s * s; /* log(1 + f) = 2 atanh(s) */
    double p = 2.0 / 15;
    p = p * z + 2.0 / 13;
    p = p * z + 2.0 / 11;
    p = p * z + 2.0 / 9;
    p = p * z + 2.0 / 7;
    p = p * z + 2.0 / 5;
    p = p * z + 2.0 / 3;
    double log = e * 0.69314718055994531 + (2 * s + s * z * p);
    log = a == 0 ? -(double)INFINITY : log;
    log = a == (double)INFINITY ? a : log;

    double t = (double)y * log;
    t = t < -700 ? -700 : t; /* far outside of what a float holds */
    t = t > 700 ? 700 : t;
    double n = (t * 1.4426950408889634 + 6755399441055744.0) - 6755399441055744.0;
    double r = t - n * 0.69314718055994531;
    double q = 1.0 / 3628800;
    q = q * r + 1.0 / 362880;
    q = q * r + 1.0 / 40320;
    q = q * r + 1.0 / 5040;
    q = q * r + 1.0 / 720;
    q = q * r + 1.0 / 120;
    q = q * r + 1.0 / 24;
    q = q * r + 1.0 / 6;
    q = q * r + 0.5;
    q = q * r + 1;
    q = q * r + 1;
    float size = (float)(q * dg_double_of_bits((int64_t)((uint64_t)((int32_t)n + 1023) << 52)));

    /* the sign: y whole and odd. At 2^24 and above every float is even. */
    float ay = dg_absf(y), whole = dg_roundf(ay);
    int is_whole = whole == ay;
    int odd = is_whole && ay < 16777216.0f && dg_roundf(0.5f * ay) != 0.5f * ay;
    int negative = dg_bits_of_float(x) < 0;
    float result = odd && negative ? -size : size;
    result = x < 0 && x > -INFINITY && !is_whole ? NAN : result;
    result = a == 1 && ay == INFINITY ? 1.0f : result;
    result = x != x || y != y ? NAN : result;
    return x == 1 || y == 0 ? 1.0f : result;
}

#endif

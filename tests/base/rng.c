/* tests/base/rng.c: known answers of Philox, the laws of rng.h, equal bits on every variant and for
 * every cut of a range, moments, permutations. */
#include "compiler/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The known answers of the Random123 distribution. */
static void known_answers(void **state)
{
    (void)state;
    static const uint32_t cases[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
         0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
         0x94fdcceb, 0x5001e420, 0x24126ea1},
    };
    for (int i = 0; i < 3; i++) {
        uint32_t out[4];
        dg_philox(cases[i], cases[i] + 4, out);
        assert_memory_equal(out, cases[i] + 6, sizeof out);
    }
    /* The third one through the law of words: key low word first, block, trip, step. */
    dg_rng r = {.key = UINT64_C(0x299f31d0a4093822), .trip = 0x13198a2e, .step = 0x03707344};
    uint32_t words[4], again[4];
    const uint32_t counter[4] = {7, 0, r.trip, r.step}, key[2] = {0xa4093822, 0x299f31d0};
    dg_rng_words(&r, 28, 4, words);
    dg_philox(counter, key, again);
    assert_memory_equal(words, again, sizeof words);
}

static const dg_rng some = {.key = UINT64_C(0x0123456789abcdef), .trip = 3, .step = 9};

/* Golden values: the law is part of the language, and must never change. */
static void golden(void **state)
{
    (void)state;
    uint32_t words[6];
    float uniform[6], normal[6];
    int32_t whole[6];
    dg_rng_words(&some, 0, 6, words);
    dg_rng_uniform(&some, 0, 6, uniform);
    dg_rng_normal(&some, 0, 6, normal);
    dg_rng_int(&some, 0, 6, -3, 1000, whole);
    static const uint32_t want_words[6] = {0xd9614fc1, 0x8f71786b, 0xaa4aaac3,
                                           0xd625d82e, 0xf45443ed, 0xfd2ba7ce};
    static const float want_normal[6] = {-0x1.10068ep-1f, -0x1.b1623cp-3f, 0x1.de3a42p-2f,
                                         -0x1.8bacbp-1f,  0x1.381082p-2f,  -0x1.5b4deep-6f};
    static const int32_t want_whole[6] = {848, 559, 664, 836, 954, 988};
    assert_memory_equal(words, want_words, sizeof words);
    assert_memory_equal(normal, want_normal, sizeof normal);
    assert_memory_equal(whole, want_whole, sizeof whole);
    for (int i = 0; i < 6; i++) assert_true(uniform[i] == (float)(words[i] >> 8) * 0x1p-24f);
}

/* Every variant, every first element, every length: the same as one long draw. */
static void variants_and_cuts(void **state)
{
    (void)state;
    enum { N = 700 };
    static const char *const variants[] = {"generic", "avx2", "avx512"};
    uint32_t whole[N], part[N];
    for (int kind = DG_RNG_WORDS; kind <= DG_RNG_NORMAL; kind++) {
        assert_true(dg_rng_draw_on("generic", (dg_rng_kind)kind, &some, 0, N, whole));
        for (int v = 0; v < 3; v++) {
            if (!dg_rng_draw_on(variants[v], (dg_rng_kind)kind, &some, 0, N, part)) continue;
            assert_memory_equal(part, whole, sizeof whole);
            for (int first = 0; first < 70; first++) {
                for (int n = 0; n < 200; n += first % 7 + 1) {
                    memset(part, 0xee, sizeof part);
                    dg_rng_draw_on(variants[v], (dg_rng_kind)kind, &some, (uint64_t)first, n, part);
                    assert_memory_equal(part, whole + first, 4 * (size_t)n);
                    assert_int_equal(part[n], 0xeeeeeeee);
                }
            }
        }
    }
    assert_false(dg_rng_draw_on("sse9", DG_RNG_WORDS, &some, 0, 1, part));
    int32_t a[N], b[N];
    dg_rng_int(&some, 0, N, -5, 17, a);
    for (int first = 0; first < 70; first++) {
        dg_rng_int(&some, (uint64_t)first, 130, -5, 17, b);
        assert_memory_equal(b, a + first, 130 * sizeof *b);
    }
}

static void far_elements(void **state)
{
    (void)state;
    /* The block number has 64 bits: elements behind 2^34 differ from those at the beginning. */
    uint32_t near[4], far[4], across[8];
    dg_rng_words(&some, 0, 4, near);
    dg_rng_words(&some, UINT64_C(1) << 34, 4, far);
    assert_memory_not_equal(near, far, sizeof near);
    dg_rng_words(&some, (UINT64_C(1) << 34) - 4, 8, across);
    assert_memory_equal(across + 4, far, sizeof far);
}

static void extremes(void **state)
{
    (void)state;
    enum { N = 1 << 20 };
    float *x = malloc(N * sizeof *x), least = 2, most = -1, farthest = 0;
    dg_rng_uniform(&some, 0, N, x);
    for (int i = 0; i < N; i++) {
        if (x[i] < least) least = x[i];
        if (x[i] > most) most = x[i];
    }
    assert_true(least >= 0 && least < 1e-4 && most < 1 && most > 0.9999);
    dg_rng_normal(&some, 0, N, x);
    for (int i = 0; i < N; i++) {
        assert_true(isfinite(x[i]));
        if (fabsf(x[i]) > farthest) farthest = fabsf(x[i]);
    }
    assert_true(farthest > 4.3f && farthest <= 5.8f);
    int32_t whole[1000];
    dg_rng_int(&some, 0, 1000, INT32_MIN, INT32_MAX, whole);
    int negative = 0;
    for (int i = 0; i < 1000; i++) negative += whole[i] < 0;
    assert_in_range(negative, 420, 580);
    dg_rng_int(&some, 0, 100, 5, 6, whole);
    for (int i = 0; i < 100; i++) assert_int_equal(whole[i], 5);
    free(x);
}

/* The fixed polynomials against the mathematics, in units of the radius: no worse than a few
 * roundings. */
static void polynomials(void **state)
{
    (void)state;
    enum { N = 1 << 20 };
    uint32_t *w = malloc(N * sizeof *w);
    float *x = malloc(N * sizeof *x);
    dg_rng_words(&some, 0, N, w);
    dg_rng_normal(&some, 0, N, x);
    double worst = 0;
    for (int i = 0; i < N; i += 2) {
        double r = sqrt(-2 * log(((w[i] >> 8) + 1) * 0x1p-24));
        double angle = 2 * 3.14159265358979323846 * (w[i + 1] >> 8) * 0x1p-24;
        double c = fabs(x[i] - r * cos(angle)), s = fabs(x[i + 1] - r * sin(angle));
        worst = fmax(worst, fmax(c, s) / fmax(r, 1e-3));
    }
    assert_true(worst < 2.5e-7);
    free(w);
    free(x);
}

static void moments(void **state)
{
    (void)state;
    enum { N = 1 << 20 };
    float *x = malloc(N * sizeof *x);
    double m[5] = {0}, pairs = 0, neighbours = 0;
    dg_rng_normal(&some, 0, N, x);
    for (int i = 0; i < N; i++) {
        double p = 1;
        for (int k = 1; k <= 4; k++) m[k] += (p *= x[i]);
        if (i % 2 == 1)
            pairs += (double)x[i] * x[i - 1];
        else if (i > 0)
            neighbours += (double)x[i] * x[i - 1];
    }
    /* Five standard deviations of each estimate. */
    assert_true(fabs(m[1] / N) < 5 * 1.0 / 1024);
    assert_true(fabs(m[2] / N - 1) < 5 * sqrt(2) / 1024);
    assert_true(fabs(m[3] / N) < 5 * sqrt(15) / 1024);
    assert_true(fabs(m[4] / N - 3) < 5 * sqrt(96) / 1024);
    assert_true(fabs(pairs / (N / 2)) < 5 * sqrt(2) / 1024);
    assert_true(fabs(neighbours / (N / 2)) < 5 * sqrt(2) / 1024);

    double sum = 0, squares = 0;
    dg_rng_uniform(&some, 0, N, x);
    for (int i = 0; i < N; i++) sum += x[i], squares += (double)x[i] * x[i];
    assert_true(fabs(sum / N - 0.5) < 5 * sqrt(1.0 / 12) / 1024);
    assert_true(fabs(squares / N - 1.0 / 3) < 5 * sqrt(4.0 / 45) / 1024);

    int counts[10] = {0};
    int32_t *whole = (int32_t *)(void *)x;
    dg_rng_int(&some, 0, N, 10, 20, whole);
    for (int i = 0; i < N; i++) {
        assert_in_range(whole[i], 10, 19);
        counts[whole[i] - 10]++;
    }
    for (int k = 0; k < 10; k++) assert_true(abs(counts[k] - N / 10) < 5 * 308); /* sqrt(N 0.09) */
    free(x);
}

static void streams_differ(void **state)
{
    (void)state;
    uint32_t base[4], other[4];
    dg_rng_words(&some, 0, 4, base);
    dg_rng variations[] = {some, some, some, some};
    variations[0].key ^= 1;
    variations[1].key ^= UINT64_C(1) << 63;
    variations[2].trip++;
    variations[3].step++;
    for (int i = 0; i < 4; i++) {
        dg_rng_words(&variations[i], 0, 4, other);
        for (int k = 0; k < 4; k++) assert_int_not_equal(base[k], other[k]);
    }
}

static void permutations(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 2, 3, 4, 5, 7, 16, 17, 100, 1000, 4096, 4097, 60000};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        uint64_t n = sizes[s], fixed = 0, differ = 0;
        unsigned char *seen = calloc(n, 1);
        for (uint64_t i = 0; i < n; i++) {
            uint64_t j = dg_rng_permute(42, i, n);
            assert_true(j < n);
            assert_int_equal(seen[j], 0);
            seen[j] = 1;
            fixed += j == i;
            differ += j != dg_rng_permute(43, i, n);
        }
        free(seen);
        if (n >= 100) {
            assert_true(fixed < 8);           /* one is expected */
            assert_true(differ > n - n / 10); /* another key, another order */
        }
    }
    /* All orders of three appear over the keys, about equally often. */
    int counts[27] = {0};
    for (uint64_t key = 0; key < 6000; key++) {
        uint64_t code = 0;
        for (uint64_t i = 0; i < 3; i++) code = 3 * code + dg_rng_permute(key, i, 3);
        counts[code]++;
    }
    int orders = 0;
    for (int i = 0; i < 27; i++) {
        if (counts[i] == 0) continue;
        orders++;
        assert_in_range(counts[i], 800, 1200);
    }
    assert_int_equal(orders, 6);
    assert_true(dg_rng_permute(1, 5, UINT64_MAX) < UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),     cmocka_unit_test(golden),
        cmocka_unit_test(variants_and_cuts), cmocka_unit_test(far_elements),
        cmocka_unit_test(extremes),          cmocka_unit_test(polynomials),
        cmocka_unit_test(moments),           cmocka_unit_test(streams_differ),
        cmocka_unit_test(permutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

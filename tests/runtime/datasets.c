/* tests/runtime/datasets.c: generated data and what a data section adds: order, split, padding,
 * mirroring, dequantisation. Everything is a pure function of (seed, position). */
#include "runtime/data/dataset.h"
#include "runtime/data/prefetch.h"
#include "tests/support/temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static dg_arena *arena;
static dg_diag *diag;

static int setup(void **state)
{
    (void)state;
    arena = dg_arena_new();
    diag = dg_diag_new(arena, dg_sources_new(arena));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dg_arena_free(arena);
    return 0;
}

static dg_data_spec spec_of(const char *kind)
{
    return (dg_data_spec){.kind = kind, .range = {-1, 1}, .train_part = 1};
}

static dg_dataset *open_kind(const char *kind)
{
    dg_data_spec s = spec_of(kind);
    dg_dataset *d = dg_dataset_open(diag, arena, &s, 5);
    assert_non_null(d);
    return d;
}

static const char *const generated[] = {"swiss_roll", "two_moons",     "eight_gaussians",
                                        "heartbeat",  "sketch_digits", "colour_shapes"};
enum { KINDS = sizeof generated / sizeof *generated };

static void pure_functions(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        dg_dataset *d = open_kind(generated[k]);
        int64_t each = dg_shape_count(&d->shape);
        float *whole = calloc((size_t)(32 * each), sizeof *whole),
              *part = calloc((size_t)(8 * each), sizeof *part);
        int32_t labels[32], again[8];
        dg_dataset_batch(d, DG_PART_TRAIN, 0, 100, 32, whole, labels);
        dg_dataset_batch(d, DG_PART_TRAIN, 0, 117, 8, part, again);
        assert_memory_equal(whole + 17 * each, part, (size_t)(8 * each) * sizeof *part);
        assert_memory_equal(labels + 17, again, sizeof again);
        for (int i = 0; i < 32; i++) assert_in_range(labels[i], 0, d->classes ? d->classes - 1 : 0);
        /* another window, another seed: other samples */
        dg_dataset_batch(d, DG_PART_TRAIN, 1, 117, 8, part, again);
        assert_memory_not_equal(whole + 17 * each, part, (size_t)(8 * each) * sizeof *part);
        free(whole);
        free(part);
    }
}

static void moments_of_points(void **state)
{
    (void)state;
    enum { N = 4000 };
    for (int k = 0; k < 3; k++) {
        dg_dataset *d = open_kind(generated[k]);
        float x[2 * N];
        int32_t y[N];
        dg_dataset_batch(d, DG_PART_TRAIN, 0, 0, N, x, y);
        double sum = 0, squares = 0;
        for (int i = 0; i < 2 * N; i++) {
            sum += (double)x[i];
            squares += (double)x[i] * (double)x[i];
        }
        assert_true(fabs(sum / (2 * N)) < 0.35);
        assert_true(squares / (2 * N) > 0.3 && squares / (2 * N) < 2.0);
    }
}

/* One beat in five, always five bins apart, every phase about as often. */
static void heartbeats(void **state)
{
    (void)state;
    enum { N = 1000, L = 20 };
    dg_dataset *d = open_kind("heartbeat");
    float x[N * L];
    int phases[5] = {0};
    int32_t y[N];
    dg_dataset_batch(d, DG_PART_TRAIN, 0, 0, N, x, y);
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < L; k++) assert_true(x[i * L + k] == (k % 5 == y[i] ? 1.0F : 0.0F));
        phases[y[i]]++;
    }
    for (int p = 0; p < 5; p++) assert_in_range(phases[p], 140, 260);
}

/* Ink is there, in the middle, of every class; the border of a digit is black. */
static void digits_have_ink(void **state)
{
    (void)state;
    enum { N = 500, S = 28 };
    dg_dataset *d = open_kind("sketch_digits");
    float *x = malloc(sizeof *x * N * S * S);
    int32_t y[N];
    int seen[10] = {0}, touching = 0;
    dg_dataset_batch(d, DG_PART_TRAIN, 0, 0, N, x, y);
    for (int i = 0; i < N; i++) {
        double ink = 0;
        for (int k = 0; k < S * S; k++) {
            float v = x[i * S * S + k];
            assert_true(v >= -1.0F && v <= 1.0F);
            ink += ((double)v + 1.0) / 2.0;
            bool border = k < S || k >= S * (S - 1) || k % S == 0 || k % S == S - 1;
            if (border && v > -1.0F) touching++;
        }
        assert_true(ink > 10.0 && ink < 250.0);
        seen[y[i]]++;
    }
    for (int c = 0; c < 10; c++) assert_in_range(seen[c], 20, 90);
    assert_in_range(touching, 0, N / 20); /* pixels, of all borders */
    free(x);
}

static void sizes_and_kinds_refused(void **state)
{
    (void)state;
    dg_data_spec s = spec_of("sketch_digits");
    s.size = DG_SHAPE(3, 28, 28);
    assert_null(dg_dataset_open(diag, arena, &s, 1));
    expect_message(diag, "E443", "sketch_digits", "[1, S, S]");
    s = spec_of("swiss_roll");
    s.size = DG_SHAPE(3);
    assert_null(dg_dataset_open(diag, arena, &s, 1));
    expect_message(diag, "E443", "swiss_roll",
                   "samples are [2], the run file's data.size says [3]");
    s = spec_of("swiss_roll");
    s.flip = true;
    assert_null(dg_dataset_open(diag, arena, &s, 1));
    expect_message(diag, "E443", "swiss_roll", "are for images");
    s = spec_of("auto");
    s.path = "/nonexistent/data";
    assert_null(dg_dataset_open(diag, arena, &s, 1));
    expect_message(diag, "E501", "/nonexistent/data", "");
}

/* A set of 10 numbers, to see the order. */
static void count_up(const void *self, uint64_t seed, int64_t i, float *out, int32_t *label)
{
    (void)self;
    (void)seed;
    out[0] = (float)i;
    *label = (int32_t)i;
}

static void order_and_split(void **state)
{
    (void)state;
    dg_dataset d = {.reader = {.count = 10, .shape = DG_SHAPE(1), .classes = 10, .fetch = count_up},
                    .shape = DG_SHAPE(1),
                    .classes = 10,
                    .seed = 3,
                    .n_train = 7,
                    .n_valid = 3};
    float x[7], valid[3], next[7];
    dg_dataset_batch(&d, DG_PART_TRAIN, 0, 0, 7, x, NULL);
    dg_dataset_batch(&d, DG_PART_TRAIN, 0, 7, 7, next, NULL);
    dg_dataset_batch(&d, DG_PART_VALID, 0, 0, 3, valid, NULL);
    int seen[10] = {0}, seen_next[10] = {0};
    for (int i = 0; i < 7; i++) seen[(int)x[i]]++;
    for (int i = 0; i < 7; i++) seen_next[(int)next[i]]++;
    assert_memory_equal(seen, seen_next, sizeof seen); /* the same samples each epoch, */
    assert_memory_not_equal(x, next, sizeof x);        /* in another order; */
    for (int i = 0; i < 3; i++) seen[(int)valid[i]]++; /* together with the rest all ten, once */
    for (int i = 0; i < 10; i++) assert_int_equal(seen[i], 1);
    float all[10];
    dg_dataset_batch(&d, DG_PART_ALL, 0, 0, 10, all, NULL);
    for (int i = 0; i < 10; i++) assert_true(all[i] == (float)i);
}

static void ramp(const void *self, uint64_t seed, int64_t i, float *out, int32_t *label)
{
    (void)self;
    (void)seed;
    (void)i;
    for (int k = 0; k < 6; k++) out[k] = (float)(k + 1) * 40.0F / 255.0F;
    *label = 0;
}

static void padding_mirroring_dither(void **state)
{
    (void)state;
    dg_dataset d = {
        .spec = {.pad = 1, .range = {0, 255}, .flip = true},
        .reader = {.count = 64, .shape = DG_SHAPE(1, 2, 3), .image = true, .fetch = ramp},
        .shape = DG_SHAPE(1, 4, 5),
        .seed = 3,
        .n_train = 64};
    float x[64 * 20];
    dg_dataset_batch(&d, DG_PART_TRAIN, 0, 0, 64, x, NULL);
    int mirrored = 0;
    for (int i = 0; i < 64; i++) {
        const float *at = x + 20 * i;
        for (int k = 0; k < 5; k++) assert_true(at[k] == 0.0F && at[15 + k] == 0.0F);
        bool flip = at[6] > at[8];
        mirrored += flip;
        assert_true(fabsf(at[flip ? 8 : 6] - 40.0F) < 1e-3F && fabsf(at[7] - 80.0F) < 1e-3F);
        assert_true(fabsf(at[flip ? 13 : 11] - 160.0F) < 1e-3F);
    }
    assert_in_range(mirrored, 16, 48);
    dg_dataset_batch(&d, DG_PART_VALID, 0, 0, 8, x, NULL); /* never mirrored */
    for (int i = 0; i < 8; i++) assert_true(x[20 * i + 6] < x[20 * i + 8]);
    d.spec.flip = false;
    d.spec.dequantize = true;
    d.spec.range[1] = 256;
    dg_dataset_batch(&d, DG_PART_TRAIN, 0, 0, 64, x, NULL);
    double sum = 0;
    for (int i = 0; i < 64; i++) {
        assert_true(x[20 * i + 7] >= 80.0F && x[20 * i + 7] < 81.0F);
        sum += (double)x[20 * i + 7] - 80.0;
    }
    assert_true(sum / 64 > 0.35 && sum / 64 < 0.65);
}

static void prefetch_changes_nothing(void **state)
{
    (void)state;
    dg_dataset *d = open_kind("swiss_roll");
    dg_prefetch *p = dg_prefetch_new(d, 0, 40, 8);
    for (int i = 0; i < 20; i++) {
        float *x, direct[16];
        int32_t *y, labels[8];
        dg_prefetch_next(p, &x, &y);
        dg_dataset_batch(d, DG_PART_TRAIN, 0, 40 + 8 * i, 8, direct, labels);
        assert_memory_equal(x, direct, sizeof direct);
        assert_memory_equal(y, labels, sizeof labels);
    }
    dg_prefetch_free(p);
    dg_prefetch_free(dg_prefetch_new(d, 0, 0, 8)); /* with a batch that nobody takes */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pure_functions),
        cmocka_unit_test(moments_of_points),
        cmocka_unit_test(heartbeats),
        cmocka_unit_test(digits_have_ink),
        cmocka_unit_test(sizes_and_kinds_refused),
        cmocka_unit_test(order_and_split),
        cmocka_unit_test(padding_mirroring_dither),
        cmocka_unit_test(prefetch_changes_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

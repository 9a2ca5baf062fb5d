/* points.c: generated data without images: points in the plane, and the binary heartbeat of
 * Sohl-Dickstein et al. 2015 (section 3.1.2). Sample i is a pure function of (seed, i). */
#include "runtime/data/dataset.h"

#include "compiler/base/rng.h"

#include <math.h>
#include <string.h>

static const double PI = 3.14159265358979323846;
enum { DRAWS = 8, BEAT_LENGTH = 20, BEAT_EVERY = 5 };

static void draw(uint64_t seed, int64_t i, float u[DRAWS], float z[DRAWS])
{
    dg_rng r = {.key = seed ^ 0x706f696e7473ULL};
    dg_rng_uniform(&r, (uint64_t)i * DRAWS, DRAWS, u);
    r.trip = 1; /* another counter, so that u and z are independent */
    dg_rng_normal(&r, (uint64_t)i * DRAWS, DRAWS, z);
}

/* Angles from 1.5 pi to 4.5 pi, scaled to a deviation of about one in each direction. */
static void swiss_roll(const void *self, uint64_t seed, int64_t i, float *out, int32_t *label)
{
    float u[DRAWS], z[DRAWS];
    (void)self;
    draw(seed, i, u, z);
    double t = 1.5 * PI * (1.0 + 2.0 * (double)u[0]);
    out[0] = (float)(t * cos(t) / 7.0 + 0.02 * (double)z[0]);
    out[1] = (float)(t * sin(t) / 7.0 + 0.02 * (double)z[1]);
    *label = 0;
}

static void two_moons(const void *self, uint64_t seed, int64_t i, float *out, int32_t *label)
{
    float u[DRAWS], z[DRAWS];
    (void)self;
    draw(seed, i, u, z);
    bool lower = u[0] < 0.5F;
    double a = PI * (double)u[1], x = cos(a), y = sin(a);
    if (lower) {
        x = 1.0 - x;
        y = 0.5 - y;
    }
    out[0] = (float)((x - 0.5) * 1.2 + 0.06 * (double)z[0]);
    out[1] = (float)((y - 0.25) * 1.8 + 0.06 * (double)z[1]);
    *label = lower;
}

static void eight_gaussians(const void *self, uint64_t seed, int64_t i, float *out, int32_t *label)
{
    float u[DRAWS], z[DRAWS];
    (void)self;
    draw(seed, i, u, z);
    int which = (int)(u[0] * 8.0F);
    double a = 2.0 * PI * which / 8.0;
    out[0] = (float)(1.4 * cos(a) + 0.1 * (double)z[0]);
    out[1] = (float)(1.4 * sin(a) + 0.1 * (double)z[1]);
    *label = which;
}

/* A beat in every fifth bin, at a random phase. */
static void heartbeat(const void *self, uint64_t seed, int64_t i, float *out, int32_t *label)
{
    float u[DRAWS], z[DRAWS];
    (void)self;
    draw(seed, i, u, z);
    int phase = (int)(u[0] * (float)BEAT_EVERY);
    for (int k = 0; k < BEAT_LENGTH; k++) out[k] = k % BEAT_EVERY == phase ? 1.0F : 0.0F;
    *label = phase;
}

bool dg_open_points(dg_diag *d, dg_arena *a, const dg_data_spec *s, dg_reader *out)
{
    static const struct {
        const char *kind;
        int64_t length;
        int classes;
        void (*fetch)(const void *, uint64_t, int64_t, float *, int32_t *);
    } kinds[] = {
        {"swiss_roll", 2, 0, swiss_roll},
        {"two_moons", 2, 2, two_moons},
        {"eight_gaussians", 2, 8, eight_gaussians},
        {"heartbeat", BEAT_LENGTH, BEAT_EVERY, heartbeat},
    };
    (void)d;
    (void)a;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (strcmp(kinds[k].kind, s->kind) == 0)
            *out = (dg_reader){.shape = DG_SHAPE(kinds[k].length),
                               .classes = kinds[k].classes,
                               .fetch = kinds[k].fetch};
    return true;
}
